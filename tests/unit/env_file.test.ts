// Files of environment variables: values come out as they were meant, and no line is passed over in silence.

import assert from "node:assert/strict";
import fc from "fast-check";
import { parseEnvFile } from "../../src/env_file.ts";

const values = (text: string) => {
  const { variables, problems } = parseEnvFile(text);
  assert.deepEqual(problems, []);
  return Object.fromEntries(variables.map(({ name, value }) => [name, value]));
};

Deno.test("values with and without quotes, comments, escapes, and several lines", () => {
  assert.deepEqual(
    values(`\ufeff# a comment
PLAIN=value
  export SPACED = with spaces inside   # and a comment
HASH=a#b
EMPTY=
DOLLAR=$PLAIN \${PLAIN}
SINGLE='as is \\n # "$PLAIN"'
DOUBLE="a\\n\\t\\"b\\" \\\\ \\x # c" # comment
MULTI="-----BEGIN KEY-----
abc
-----END KEY-----"
URL=postgres://user:p%40ss@host/db?sslmode=require
WINDOWS=1\r
LAST=end`),
    {
      PLAIN: "value",
      SPACED: "with spaces inside",
      HASH: "a#b",
      EMPTY: "",
      DOLLAR: "$PLAIN ${PLAIN}",
      SINGLE: `as is \\n # "$PLAIN"`,
      DOUBLE: 'a\n\t"b" \\ \\x # c',
      MULTI: "-----BEGIN KEY-----\nabc\n-----END KEY-----",
      URL: "postgres://user:p%40ss@host/db?sslmode=require",
      WINDOWS: "1",
      LAST: "end",
    },
  );
});

Deno.test("each line that is none is named with its number and its fault", () => {
  const { variables, problems } = parseEnvFile(
    `A=1\nno value\n=x\nA=2\nB.C=3\nD="open\nE=5\n`,
  );
  assert.deepEqual(variables.map(({ name, line }) => [name, line]), [["A", 1], ["E", 7]]);
  assert.deepEqual(problems.map(({ line, problem }) => `${line} ${problem}`), [
    "2 is not NAME=value",
    "3 is not NAME=value",
    "4 sets A a second time",
    '5 has the name "B.C", which is not letters, digits, underscores and hyphens',
    '6 has an opening " without a closing one',
  ]);
  assert.match(parseEnvFile(`A="x" y`).problems[0]!.problem, /text after the closing quote/);
});

Deno.test("any value survives in double quotes, whatever else the file holds", () => {
  fc.assert(fc.property(fc.array(fc.string({ unit: "binary", maxLength: 40 }), { maxLength: 8 }), (texts) => {
    const wanted = texts.map((text) => text.replaceAll("\r", ""));
    const quoted = (text: string) =>
      `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\t", "\\t")}"`;
    const file = wanted.map((text, n) => `N_${n}=${quoted(text)}`).join("\n# comment\n\n");
    assert.deepEqual(Object.values(values(file)), wanted);
  }));
});
