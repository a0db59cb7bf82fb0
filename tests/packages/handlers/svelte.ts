import { compile } from "npm:svelte@5.57.3/compiler";
import { parse } from "npm:svelte@5.57.3/compiler";

const COMPONENT = "<script>let { name } = $props();</script><h1>Hello {name}!</h1>";

export default function (c) {
  const { js, warnings } = compile(COMPONENT, { generate: "server", name: "Hello" });
  return c.json({
    isModule: js.code.includes("export default function Hello"),
    warnings: warnings.length,
    root: parse(COMPONENT, { modern: true }).type,
  });
}
