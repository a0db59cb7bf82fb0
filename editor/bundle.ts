// Makes static/editor.js: `deno task bundle`.

import { fileURLToPath } from "node:url";
import { bundleMark } from "./sources.ts";

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const output = path("../static/editor.js");
const { success } = await new Deno.Command(Deno.execPath(), {
  args: [
    ...["bundle", "--quiet", "--frozen", "--config", path("deno.json"), "--platform=browser", "--minify"],
    ...["-o", output, path("editor.ts")],
  ],
}).spawn().status;
if (!success) Deno.exit(1);
await Deno.writeTextFile(output, `${bundleMark()}\n${await Deno.readTextFile(output)}`);
