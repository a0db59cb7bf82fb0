// Makes static/cli.js: `deno task bundle:cli`.

import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundleMark, RELEASE } from "./sources.ts";

const folder = fileURLToPath(new URL("./", import.meta.url));
const output = fileURLToPath(new URL("../../../static/cli.js", import.meta.url));
const entry = join(folder, "entry.ts");
// The version of deno.json, without the rest of that file.
await Deno.writeTextFile(entry, `import { start } from "../start.ts";\nawait start(${JSON.stringify(RELEASE)});\n`);
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
  // Texts of files are passed over: they may have lines that look like imports.
  const replaced = bundle.replace(
    /^var \w+ = `(?:[^`\\]|\\.)*`;$|^import (?:\{([^}]*)\}|(\w+)) from ("node:[\w/]+");$/gms,
    (whole, names: string | undefined, all: string | undefined, module: string | undefined) => {
      if (module === undefined) return whole;
      const taken = names === undefined ? ` default: ${all} ` : names.replace(/ as /g, ": ");
      return `const {${taken}} = await import(${module});`;
    },
  );
  const script = `(async () => {\n${replaced.trim()}\n})();\n`;
  // Throws a SyntaxError if an import or export is left.
  new Function(script);
  return script;
}
