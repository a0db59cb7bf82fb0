// The pieces of code in lines of a diff.

import assert from "node:assert/strict";
import fc from "fast-check";
import { Syntax } from "../../src/control/web/pages/history/syntax.ts";

/** The pieces of lines with a kind, as `kind:text`. */
function kindsOf(...lines: string[]): string[] {
  const syntax = new Syntax();
  return lines.flatMap((line) => syntax.split(line)).flatMap(({ kind, text }) => kind ? [`${kind}:${text}`] : []);
}

Deno.test("keywords, texts, numbers and comments are found, and nothing in texts and names", () => {
  assert.deepEqual(kindsOf(`const a = "new // 1" + 'it\\'s' + 12.5e3; // if`), [
    "keyword:const",
    `string:"new // 1"`,
    `string:'it\\'s'`,
    "number:12.5e3",
    "comment:// if",
  ]);
  assert.deepEqual(kindsOf("renewed.ifs = $new + a1;"), []);
  assert.deepEqual(kindsOf("x = a / 2 / b; y = /[/'\"]+/g.test(x)"), ["number:2", "string:/[/'\"]+/g"]);
  assert.deepEqual(kindsOf(`  "key": true, "n": -1`), [`string:"key"`, "keyword:true", `string:"n"`, "number:1"]);
});

Deno.test("a comment or a template of several lines ends where it ends", () => {
  assert.deepEqual(kindsOf("a /* one", "  if two", "three */ if"), [
    "comment:/*",
    "comment: one",
    "comment:  if two",
    "comment:three */",
    "keyword:if",
  ]);
  assert.deepEqual(kindsOf("`a", "if \\` b` + if"), ["string:`", "string:a", "string:if \\` b`", "keyword:if"]);
  // The part of a diff may begin within a comment.
  assert.deepEqual(kindsOf(" * if this", " */", "if"), ["comment: * if this", "comment: */", "keyword:if"]);
});

Deno.test("the pieces of any lines are these lines, and a long line is one piece", () => {
  const text = fc.string({ unit: fc.constantFrom("`", "/", "*", '"', "'", "\\", "[", "(", "a", "1", " ", "if") });
  fc.assert(fc.property(fc.array(text), (lines) => {
    const syntax = new Syntax();
    for (const line of lines) assert.equal(syntax.split(line).map((piece) => piece.text).join(""), line);
  }));
  const long = "=/[".repeat(100_000);
  assert.deepEqual(new Syntax().split(long), [{ text: long }]);
});
