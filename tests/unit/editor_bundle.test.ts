// The editor's bundle is committed, so that a server needs no build: it must be the one that its sources make.

import assert from "node:assert/strict";
import { bundleMark } from "../../editor/sources.ts";

Deno.test("static/editor.js is made from the editor's sources and pinned packages as they are", async () => {
  const bundle = await Deno.readTextFile(new URL("../../static/editor.js", import.meta.url));
  assert.ok(bundle.startsWith(`${bundleMark()}\n`), "run `deno task bundle`");
});

Deno.test("the editor's packages are pinned exactly", async () => {
  const { imports } = JSON.parse(await Deno.readTextFile(new URL("../../editor/deno.json", import.meta.url)));
  for (const specifier of Object.values(imports)) {
    assert.match(String(specifier), /^npm:(?:@[\w-]+\/)?[\w-]+@\d+\.\d+\.\d+$/);
  }
});
