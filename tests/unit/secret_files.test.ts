// Files of secrets: what is written is read again, by this program and, in `.env`, by others.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { parseEnv } from "node:util";
import dotenv from "dotenv";
import fc from "fast-check";
import {
  FILE_FORMATS,
  type FileFormat,
  formatSecretFile,
  parseSecretFile,
  type WrittenSecret,
} from "../../src/core/secrets/secret_files.ts";
import { BASE64_MARK } from "../../src/env_file.ts";

const COUNT = 10_000;

/** Texts of what parsers trip over. */
const pieces = fc.constantFrom(
  ...["'", '"', "`", "\\", "$", "${A}", "$A", "#", " #", "=", "\n", "\r", "\r\n", "\t", " ", "\\n", "\0", "\u2028"],
  ...[
    "a",
    "B",
    "0",
    "é",
    "漢",
    "🔑",
    "\ufeff",
    "export ",
    "\nEVIL=1",
    ": ",
    "- ",
    "{",
    "]",
    "%",
    "&",
    "*x",
    "!",
    "|",
    ">",
    "~",
  ],
);
const value = fc.oneof(
  { weight: 4, arbitrary: fc.array(pieces, { minLength: 1, maxLength: 8 }).map((parts) => parts.join("")) },
  { weight: 1, arbitrary: fc.string({ unit: "binary", minLength: 1, maxLength: 60 }) },
);
const comment = fc.oneof(
  { weight: 3, arbitrary: fc.constant("") },
  fc.constantFrom("a note", "OLD=x", "crude-base64: A=YQ==", "| bar", "#", "two\nlines", " indented ", "\n", "a: b"),
  fc.array(pieces, { minLength: 1, maxLength: 5 }).map((parts) => parts.join("")),
);
const firstLetters = ["N", "n", "_", "9", "-", "no", "null", "1e3", "Y", "true-"];

function secretsOf(seed: number): WrittenSecret[] {
  const drawn = fc.sample(fc.tuple(fc.constantFrom(...firstLetters), value, comment), { numRuns: COUNT, seed });
  return drawn.map(([first, value, comment], n) => ({ name: `${first}${n}`, value, comment }));
}

/** Comments of `.env` have no other line breaks than line feeds. */
const asLines = (text: string) => text.replace(/\r\n|[\r\u2028\u2029]/g, "\n");

for (const format of FILE_FORMATS) {
  Deno.test(`${COUNT} values of any kind survive a round trip through ${format}`, async () => {
    const secrets = secretsOf(20_260_731);
    const { entries, problems } = await parseSecretFile(format, formatSecretFile(format, secrets));
    assert.deepEqual(problems, []);
    const read = entries.map(({ name, value, comment }) => ({ name, value, comment }));
    const wanted = secrets.map((one) => ({ ...one, comment: format === "env" ? asLines(one.comment) : one.comment }));
    assert.deepEqual(read, wanted);
  });
}

/** What of a file is not in Base64, which other parsers take for a comment. */
function readByAll(secrets: readonly WrittenSecret[], file: string): Record<string, string> {
  const marked = new Set(
    file.split("\n").filter((line) => line.startsWith(BASE64_MARK))
      .map((line) => line.slice(BASE64_MARK.length).split("=")[0]),
  );
  return Object.fromEntries(secrets.filter(({ name }) => !marked.has(name)).map(({ name, value }) => [name, value]));
}

Deno.test("dotenv, Node and Deno read the export as it was meant", async () => {
  const secrets = secretsOf(7);
  const file = formatSecretFile("env", secrets);
  const wanted = readByAll(secrets, file);
  assert.ok(Object.keys(wanted).length > COUNT / 3);
  assert.deepEqual(dotenv.parse(file), wanted);
  assert.deepEqual({ ...parseEnv(file) }, wanted);

  // Deno's own option, on fewer: an environment has a limit.
  const some = secrets.slice(0, 1_000);
  const folder = await Deno.makeTempDir();
  try {
    const path = join(folder, ".env");
    await Deno.writeTextFile(path, formatSecretFile("env", some));
    await Deno.writeTextFile(join(folder, "print.ts"), "console.log(JSON.stringify(Deno.env.toObject()));");
    const { stdout, stderr } = spawnSync(Deno.execPath(), [
      ...["run", "--no-config", "--allow-env", `--env-file=${path}`, join(folder, "print.ts")],
    ], { env: { PATH: Deno.env.get("PATH") ?? "", HOME: folder, NO_COLOR: "1" }, encoding: "utf8" });
    assert.equal(stderr, "");
    const read = JSON.parse(stdout) as Record<string, string>;
    const expected = readByAll(some, formatSecretFile("env", some));
    assert.deepEqual(Object.fromEntries(Object.keys(expected).map((name) => [name, read[name]])), expected);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("JSON and YAML that are no maps of texts are refused by line, without their values", async () => {
  const cases: [FileFormat, string, [number, string][]][] = [
    ["json", "[]", [[1, "is not a map from names to texts"]]],
    ["json", '{\n "A": "x",\n "B": 1,\n "A": "y"}', [
      [3, "has a value that is not text"],
      [4, "has a name that occurs a second time"],
    ]],
    ["json", '{"A": {"value": "x", "other": "y"}}', [[
      1,
      "has another value than a text or {value, comment}, both texts",
    ]]],
    ["json", '{\n"A": sekrit', [[2, "is not valid JSON (InvalidSymbol)"]]],
    ["yaml", "A: x\nB: 8080\nC: yes\nA: y\n", [
      [2, "has a value that is not text: put it in quotes"],
      [4, "has a name that occurs a second time"],
    ]],
    ["yaml", "A: &a x\nB: *a\n", [[2, "has an alias instead of a value"]]],
    ["yaml", "- x\n", [[1, "is not a map from names to texts"]]],
    ["yaml", "A: x\n---\nB: y\n", [[2, "begins a second document"]]],
  ];
  for (const [format, text, wanted] of cases) {
    const { problems } = await parseSecretFile(format, text);
    assert.deepEqual(problems.map(({ line, problem }) => [line, problem]), wanted, text);
  }
  assert.match((await parseSecretFile("yaml", 'A: "x\nB: y')).problems[0]!.problem, /^is not valid YAML \([A-Z_]+\)$/);
  for (const format of ["json", "yaml"] as const) {
    const { entries, problems } = await parseSecretFile(format, "[".repeat(100_000));
    assert.equal(entries.length, 0);
    assert.ok(problems.length > 0);
  }
});

Deno.test("comments above a name in YAML are the secret's, except what is commented out", async () => {
  const { entries } = await parseSecretFile("yaml", "# of A\nA: x\n# OLD: hunter2\n# of B\nB: y\nC: |\n  1\n  2\n");
  assert.deepEqual(entries.map(({ name, value, comment }) => [name, value, comment]), [
    ["A", "x", "of A"],
    ["B", "y", "of B"],
    ["C", "1\n2\n", ""],
  ]);
});

Deno.test("what cannot be read is named in the file", async () => {
  const unreadable = [{ name: "LOST", reason: "The key\nis gone." }];
  for (const format of ["env", "yaml"] as const) {
    const file = formatSecretFile(format, [{ name: "A", value: "x", comment: "" }], unreadable);
    assert.match(file, /^# Not exported: LOST\. The key is gone\.\n\n/);
    const { entries } = await parseSecretFile(format, file);
    assert.deepEqual(entries.map(({ name, comment }) => [name, comment]), [["A", ""]]);
  }
});
