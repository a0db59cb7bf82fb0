// Files of environment variables: values come out as they were meant, and no line is passed over in silence.

import assert from "node:assert/strict";
import fc from "fast-check";
import { parseEnvFile } from "../../src/env_file.ts";
import { processorMs } from "../processor_time.ts";

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
    "5 has a name that is not letters, digits, underscores and hyphens",
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

Deno.test("comment lines directly above a variable are its comment, variables that are commented out are not", () => {
  const { variables, problems } = parseEnvFile(`# not of A

# of A,
#  in two lines
A=1 # ignored
B=2
# PASSWORD=hunter2
# export OLD=x
# of C
C=3
#| D=4 is of D
# crude-base64: D=J2El
#
`);
  assert.deepEqual(problems, []);
  assert.deepEqual(variables.map(({ name, comment }) => [name, comment]), [
    ["A", "of A,\n in two lines"],
    ["B", ""],
    ["C", "of C"],
    ["D", "D=4 is of D"],
  ]);
  assert.equal(variables[3]!.value, "'a%");
});

Deno.test("a value in Base64 that is not text is a problem", () => {
  const { problems } = parseEnvFile("# crude-base64: A=/w==\n# crude-base64: B=?\n# crude-base64: C\n");
  assert.deepEqual(problems.map(({ line, problem }) => `${line} ${problem}`), [
    "1 is not text in Base64",
    "2 is not text in Base64",
    "3 is not NAME=value",
  ]);
});

Deno.test("a file of many variables is read in linear time", () => {
  const lines = Array.from({ length: 50_000 }, (_, n) => `N_${n}="value ${n}"`);
  const began = processorMs();
  assert.equal(parseEnvFile(`a${" ".repeat(200_000)}b=\n${lines.join("\n")}`).variables.length, 50_000);
  assert.ok(processorMs() - began < 3_000);
});
