// Makes static/cli.js: `deno task bundle:cli`.

import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundleMark, VERSION } from "./sources.ts";

const folder = fileURLToPath(new URL("./", import.meta.url));
const output = fileURLToPath(new URL("../../../static/cli.js", import.meta.url));
const entry = join(folder, "entry.ts");
// The version of deno.json, without the rest of that file.
await Deno.writeTextFile(entry, `import { start } from "../start.ts";\nawait start(${JSON.stringify(VERSION)});\n`);
try {
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "--quiet", "--no-config", "--no-lock", "--platform=deno", "-o", output, entry],
    cwd: dirname(output),
  }).spawn().status;
  if (!success) Deno.exit(1);
} finally {
  await Deno.remove(entry);
}
await Deno.writeTextFile(output, `${bundleMark()}\n${asScript(await Deno.readTextFile(output))}`);

/**
 * Replaces imports by dynamic ones, in an async function. The file is then a module and a script at the same time:
 * Node 20 takes a `.js` file without a package.json, and one without ending, for a script.
 */
function asScript(bundle: string): string {
  const body = bundle
    .replace(
      /^import \{([^}]*)\} from ("node:[\w/]+");$/gm,
      (_, names: string, module: string) => `const {${names.replace(/ as /g, ": ")}} = await import(${module});`,
    )
    .replace(/^import (\w+) from ("node:[\w/]+");$/gm, "const { default: $1 } = await import($2);");
  const left = /^(?:import|export)\b.*$/m.exec(body);
  if (left) throw new Error(`The bundle has a line that is not replaced: ${left[0]}`);
  return `(async () => {\n${body.trim()}\n})();\n`;
}
