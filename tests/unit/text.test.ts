import assert from "node:assert/strict";
import { oneLine } from "../../src/text.ts";

Deno.test("text of others stays on one line, steers no terminal and turns no letters around", () => {
  assert.equal(oneLine("a\r\nb"), "a\\r\\nb");
  assert.equal(oneLine("\u001b[2J\u0007\u0000\u009b"), "\\u001b[2J\\u0007\\u0000\\u009b");
  assert.equal(oneLine("\u2028\u2029\u202e\u202a\u2066\u2069"), "\\u2028\\u2029\\u202e\\u202a\\u2066\\u2069");
  assert.equal(oneLine("tab\tstays, as do ü, 漢 and 🎉"), "tab\tstays, as do ü, 漢 and 🎉");
});
