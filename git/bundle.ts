// Makes static/git.js: `deno task bundle:git`.

import { fileURLToPath } from "node:url";
import { bundleMark } from "./sources.ts";

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const output = path("../static/git.js");
const { success } = await new Deno.Command(Deno.execPath(), {
  args: [
    ...["bundle", "--quiet", "--frozen", "--config", path("deno.json"), "--platform=deno", "--minify"],
    ...["-o", output, path("fetch.ts")],
  ],
}).spawn().status;
if (!success) Deno.exit(1);
await Deno.writeTextFile(output, `${bundleMark()}\n${await Deno.readTextFile(output)}`);
