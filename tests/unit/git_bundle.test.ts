// The program that fetches commits is committed as a bundle, so that a server needs no build: it must be the one that its
// sources make.

import assert from "node:assert/strict";
import { bundleMark } from "../../git/sources.ts";

Deno.test("static/git.js is made from git/ and the pinned package as they are", async () => {
  const bundle = await Deno.readTextFile(new URL("../../static/git.js", import.meta.url));
  assert.ok(bundle.startsWith(`${bundleMark()}\n`), "run `deno task bundle:git`");
});
