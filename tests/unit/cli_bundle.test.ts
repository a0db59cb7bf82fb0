// The remote command line is committed as one file, so that a server needs no build: it must be the one that its
// sources make.

import assert from "node:assert/strict";
import { Script } from "node:vm";
import { bundleMark } from "../../src/crude/bundle/sources.ts";

const BUNDLE = new URL("../../static/cli.js", import.meta.url);

Deno.test("static/cli.js is made from the sources of crude and the version as they are", async () => {
  const bundle = await Deno.readTextFile(BUNDLE);
  assert.ok(bundle.startsWith(`${bundleMark()}\n`), "run `deno task bundle:cli`");
});

Deno.test("static/cli.js is a script as well as a module, so that Node 20 runs it whatever its name is", async () => {
  const text = await Deno.readTextFile(BUNDLE);
  // Throws a SyntaxError for the import and export lines of a module.
  assert.doesNotThrow(() => new Script(text));
  assert.throws(() => new Script('import "node:fs";'), SyntaxError);
});
