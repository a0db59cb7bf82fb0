// The pure parts of `crude`: what an ignore file matches, and how two texts differ.

import assert from "node:assert/strict";
import fc from "fast-check";
import { unifiedDiff } from "../../src/crude/project/diff.ts";
import { isIgnored, isNeverUploaded, parseIgnore } from "../../src/crude/project/ignore.ts";

/** As a walk through the folders finds them: nothing in an ignored folder is looked at. */
function ignoredByUs(text: string, paths: readonly string[]): string[] {
  const rules = [{ folder: "", rules: parseIgnore(text) }];
  return paths.filter((path) => {
    const parts = path.split("/");
    return parts.some((_, index) => isIgnored(rules, parts.slice(0, index + 1).join("/"), index < parts.length - 1));
  });
}

const PATHS = [
  "a.ts",
  "a.log",
  "lib/a.log",
  "lib/deep/a.log",
  "lib/deep/b.ts",
  "build/out.js",
  "lib/build/out.js",
  "docs/build",
  "#note",
  "!odd",
  "space ",
  "a[1].ts",
  "b1.ts",
  "b2.ts",
  "bx.ts",
  "foo/bar/baz/x",
  "foo/x",
  "x",
  "a/b",
  "a/q/b",
  "a/q/r/b",
];

/** Ignore files, and which of PATHS they ignore: what `git check-ignore` of git 2.39 printed. */
const IGNORED: [text: string, paths: string[]][] = [
  ["*.log", ["a.log", "lib/a.log", "lib/deep/a.log"]],
  ["build", ["build/out.js", "lib/build/out.js", "docs/build"]],
  ["build/", ["build/out.js", "lib/build/out.js"]],
  ["/build/", ["build/out.js"]],
  ["lib/*.log", ["lib/a.log"]],
  ["lib/**", ["lib/a.log", "lib/deep/a.log", "lib/deep/b.ts", "lib/build/out.js"]],
  ["lib/**/*.log\n!lib/deep/a.log", ["lib/a.log"]],
  ["*\n!*.ts\n!*/", [
    "a.log",
    "lib/a.log",
    "lib/deep/a.log",
    "build/out.js",
    "lib/build/out.js",
    "docs/build",
    "#note",
    "!odd",
    "space ",
    "foo/bar/baz/x",
    "foo/x",
    "x",
    "a/b",
    "a/q/b",
    "a/q/r/b",
  ]],
  ["# a comment\n\\#note\n\\!odd", ["#note", "!odd"]],
  ["space\\ ", ["space "]],
  ["a\\[1\\].ts", ["a[1].ts"]],
  ["b[12].ts", ["b1.ts", "b2.ts"]],
  ["b[!12].ts", ["bx.ts"]],
  ["b[a-z].ts", ["bx.ts"]],
  ["?.ts", ["a.ts", "lib/deep/b.ts"]],
  ["foo/**/x", ["foo/bar/baz/x", "foo/x"]],
  ["**/x", ["foo/bar/baz/x", "foo/x", "x"]],
  ["a/**/b", ["a/b", "a/q/b", "a/q/r/b"]],
  ["/x", ["x"]],
  ["foo/\n!foo/x", ["foo/bar/baz/x", "foo/x"]],
  ["*.log   \r\n!a.log", []],
  ["b\\*.ts\n", []],
  ["**/build/*.js", ["build/out.js", "lib/build/out.js"]],
];

Deno.test("an ignore file matches as git's does", () => {
  for (const [text, paths] of IGNORED) assert.deepEqual(ignoredByUs(text, PATHS), paths, text);
});

Deno.test("rules of an inner ignore file are of its folder, and count after those of the outer ones", () => {
  const files = [{ folder: "", rules: parseIgnore("*.log") }, { folder: "lib/", rules: parseIgnore("!a.log\n/b.ts") }];
  assert.equal(isIgnored(files, "lib/a.log", false), false);
  assert.equal(isIgnored(files, "lib/c.log", false), true);
  assert.equal(isIgnored(files, "lib/b.ts", false), true);
});

Deno.test("environment files, git's folder and packages are never uploaded", () => {
  for (const name of [".env", ".env.production", ".ENV", ".envrc", ".git", ".crude", "node_modules", "Node_Modules"]) {
    assert.ok(isNeverUploaded(name), name);
  }
  for (const name of [".crudeignore", ".github", "env", "crude", "a.env"]) assert.ok(!isNeverUploaded(name), name);
});

Deno.test("a diff shows what was removed and added, with the lines around it", () => {
  const lines = Array.from({ length: 20 }, (_, n) => `line ${n + 1}`);
  const changed = lines.with(1, "second").toSpliced(17, 1);
  assert.deepEqual(unifiedDiff("a", `${lines.join("\n")}\n`, changed.join("\n")), [
    "--- a (server)",
    "+++ a (here)",
    "@@ -1,5 +1,5 @@",
    " line 1",
    "-line 2",
    "+second",
    " line 3",
    " line 4",
    " line 5",
    "@@ -15,6 +15,5 @@",
    " line 15",
    " line 16",
    " line 17",
    "-line 18",
    " line 19",
    "-line 20",
    "+line 20\n\\ No newline at end of file",
  ]);
  assert.deepEqual(unifiedDiff("a", "", "x\n"), ["--- a (server)", "+++ a (here)", "@@ -0,0 +1 @@", "+x"]);
});

/** Applies a unified diff to a text, each line of it with its end. */
function patched(before: string, diff: readonly string[]): string {
  const old = before.match(/[^\n]*\n|[^\n]+$/g) ?? [];
  const lines = diff.flatMap((line) => line.split("\n")).slice(2);
  const whole = (line: string, at: number) => line.slice(1) + (lines[at + 1]?.startsWith("\\") ? "" : "\n");
  let text = "";
  let next = 0;
  lines.forEach((line, at) => {
    const [, start, size = "1"] = /^@@ -(\d+)(?:,(\d+))? /.exec(line) ?? [];
    if (start !== undefined) {
      const from = size === "0" ? Number(start) : Number(start) - 1;
      while (next < from) text += old[next++];
    } else if (line.startsWith("+")) text += whole(line, at);
    else if (!line.startsWith("\\")) {
      assert.equal(whole(line, at), old[next], "the diff is of this text");
      if (line.startsWith(" ")) text += old[next];
      next++;
    }
  });
  return text + old.slice(next).join("");
}

Deno.test("a diff makes the new text of the old one", () => {
  const text = fc.array(fc.constantFrom("a", "b", "c", ""), { maxLength: 30 })
    .chain((lines) => fc.constantFrom("\n", "").map((end) => lines.length === 0 ? "" : lines.join("\n") + end));
  fc.assert(
    fc.property(text, text, (before, after) => {
      fc.pre(before !== after);
      assert.equal(patched(before, unifiedDiff("a", before, after)!), after);
    }),
    { numRuns: 1_000 },
  );
});
