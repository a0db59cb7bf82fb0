// docs/security-model.md: each promise names tests, and those are there.

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

Deno.test("each promise of the security model names tests that there are", async () => {
  const model = await Deno.readTextFile(`${ROOT}docs/security-model.md`);
  const promised = model.slice(model.indexOf("## What is promised"), model.indexOf("## What is not promised"));
  const rows = [...promised.matchAll(/^\| (.+) \| (.+) \|$/gm)].filter(([, promise]) => promise !== "promise");
  assert.ok(rows.length > 50, `${rows.length} promises`);
  for (const [, promise, proof] of rows) {
    const files = [...proof!.matchAll(/`(tests\/[^`]+)`/g)].map(([, file]) => file!);
    assert.ok(files.length > 0, `"${promise}" names no test`);
    for (const file of files) assert.match(await Deno.readTextFile(ROOT + file), /^\s*(?:Deno\.)?test\(/m, file);
  }
});
