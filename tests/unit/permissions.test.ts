// Which names of secrets a function's patterns cover, against what a regular expression would say.

import assert from "node:assert/strict";
import fc from "fast-check";
import { maySecretBeAsked, SECRET_PATTERN } from "../../src/core/functions/permissions.ts";
import type { SecretName } from "../../src/ids.ts";
import { processorMs } from "../processor_time.ts";

/** Few letters, so that patterns and names meet often. */
const letters = (alphabet: string, minLength: number) =>
  fc.string({ unit: fc.constantFrom(...alphabet), minLength, maxLength: 8 });

function model(patterns: readonly string[], name: string): boolean {
  return patterns.some((pattern) => new RegExp(`^${pattern.replaceAll("*", "[^]*")}$`).test(name));
}

Deno.test("patterns cover what regular expressions with .* for each star would", () => {
  const patterns = fc.array(letters("ab_-**", 1), { maxLength: 3 });
  fc.assert(
    fc.property(patterns, letters("ab_-", 1), (patterns, name) => {
      assert.equal(maySecretBeAsked(patterns, name as SecretName), model(patterns, name));
    }),
    { numRuns: 5_000 },
  );
});

Deno.test("a pattern made from a name by stars in place of parts covers the name", () => {
  const parts = fc.array(fc.tuple(letters("ab_-", 1), fc.boolean()), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(parts, (parts) => {
      const name = parts.map(([part]) => part).join("");
      const pattern = parts.map(([part, starred]) => starred ? "*" : part).join("");
      assert.ok(maySecretBeAsked([pattern], name as SecretName), `${pattern} ${name}`);
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("what patterns cover, by examples", () => {
  const cases: [patterns: string[], name: string, covered: boolean][] = [
    [["*"], "ANYTHING", true],
    [[], "ANYTHING", false],
    [["STRIPE_*"], "STRIPE_KEY", true],
    [["STRIPE_*"], "STRIPE_", true],
    [["STRIPE_*"], "STRIPE", false],
    [["STRIPE_*"], "MY_STRIPE_KEY", false],
    [["STRIPE_*"], "stripe_key", false],
    [["KEY"], "KEY", true],
    [["KEY"], "KEYS", false],
    [["KEY"], "A_KEY", false],
    [["*_KEY"], "A_KEY", true],
    [["*_KEY"], "A_KEYS", false],
    // The beginning and the end may not share characters, nor may what is between them.
    [["aba*aba"], "aba", false],
    [["aba*aba"], "ababa", false],
    [["aba*aba"], "abaaba", true],
    [["a*b*c"], "abc", true],
    [["a*b*c"], "acb", false],
    [["a*bc*c"], "abc", false],
    [["**"], "x", true],
    [["A", "B_*"], "B_1", true],
    // Characters that mean something in a regular expression mean themselves.
    [["a-z"], "b", false],
  ];
  for (const [patterns, name, covered] of cases) {
    assert.equal(maySecretBeAsked(patterns, name as SecretName), covered, `${patterns} ${name}`);
  }
});

Deno.test("a pattern of many stars is decided at once", () => {
  const pattern = "*a".repeat(126) + "*b*";
  const start = processorMs();
  assert.equal(maySecretBeAsked([pattern], "a".repeat(255) as SecretName), false);
  assert.ok(processorMs() - start < 100);
});

Deno.test("patterns are of the characters of names and stars", () => {
  for (const pattern of ["*", "A", "a-b_*9"]) assert.match(pattern, SECRET_PATTERN);
  for (const pattern of ["", "A.B", "A?", "A B", "A\n", "[A]", "ä"]) assert.doesNotMatch(pattern, SECRET_PATTERN);
});
