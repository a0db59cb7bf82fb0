// The checker of histories itself: it finds what is known to be wrong, and nothing in what is right.

import assert from "node:assert/strict";
import fc from "fast-check";
import { findViolation, type Operation } from "../cluster/linearizability.ts";

const write = (value: string | undefined, from: number, to: number): Operation => ({ kind: "write", value, from, to });
const read = (value: string | undefined, from: number, to: number): Operation => ({ kind: "read", value, from, to });

Deno.test("a read that overlaps a write may see the value before or after", () => {
  assert.equal(findViolation([write("a", 0, 1), write("b", 2, 6), read("a", 3, 4)]), undefined);
  assert.equal(findViolation([write("a", 0, 1), write("b", 2, 6), read("b", 3, 4)]), undefined);
  assert.equal(findViolation([read(undefined, 0, 1), write("a", 2, 3), read("a", 4, 5)]), undefined);
});

Deno.test("a stale read is found", () => {
  const found = findViolation([write("a", 0, 1), write("b", 2, 3), read("a", 4, 5)]);
  assert.deepEqual(found, { operations: [read("a", 4, 5)], value: "b" });
});

Deno.test("a write that was answered and lost is found", () => {
  assert.ok(findViolation([write("a", 0, 1), read(undefined, 2, 3)]));
});

Deno.test("a value that no one has written is found", () => {
  assert.ok(findViolation([write("a", 0, 1), read("x", 2, 3)]));
});

Deno.test("a value that is there, gone and there again is found", () => {
  const history = [write("a", 0, 1), write("b", 2, 20), read("b", 3, 4), read("a", 5, 6), read("b", 7, 8)];
  assert.ok(findViolation(history));
});

Deno.test("a value that is seen after it was deleted is found, and one that is written again is not", () => {
  assert.ok(findViolation([write("a", 0, 1), write(undefined, 2, 3), read("a", 4, 5)]));
  const again = [write("a", 0, 1), write(undefined, 2, 3), write("b", 4, 5), write(undefined, 6, 7)];
  assert.equal(findViolation([...again, read(undefined, 8, 9)]), undefined);
});

Deno.test("a write of unknown outcome may take effect late or never, but not twice", () => {
  const unknown = write("b", 2, Infinity);
  assert.equal(findViolation([write("a", 0, 1), unknown, read("a", 5, 6)]), undefined);
  assert.equal(findViolation([write("a", 0, 1), unknown, read("a", 5, 6), read("b", 7, 8)]), undefined);
  const twice = [write("a", 0, 1), unknown, read("b", 3, 4), write("c", 5, 6), read("b", 7, 8)];
  assert.ok(findViolation(twice));
  assert.ok(findViolation([read("b", 0, 1), unknown]), "a write takes no effect before it is called");
});

Deno.test("two readers that see two writes in different orders are found", () => {
  const writes = [write("a", 0, 10), write("b", 0, 10)];
  assert.equal(findViolation([...writes, read("a", 1, 2), read("b", 3, 4)]), undefined);
  assert.ok(findViolation([...writes, read("a", 1, 2), read("b", 3, 4), read("a", 5, 6), read("b", 7, 8)]));
});

Deno.test("many operations at a time are decided in a moment", () => {
  const history: Operation[] = [];
  for (let n = 0; n < 5_000; n++) {
    history.push(
      write(`v${n}`, 10 * n, 10 * n + 15),
      write(`u${n}`, 10 * n, Infinity),
      read(`v${n}`, 10 * n + 9, 10 * n + 14),
    );
  }
  assert.equal(findViolation(history), undefined);
  assert.ok(findViolation([...history, read("v17", 1e6, 1e6 + 1)]));
});

/** Tries every order; writes without an answer may be left out. */
function isLinearizable(left: readonly Operation[], value: string | undefined): boolean {
  if (left.every(({ to }) => to === Infinity)) return true;
  return left.some((next, index) => {
    const others = left.toSpliced(index, 1);
    if (others.some(({ to }) => to < next.from)) return false;
    if (next.kind === "read") return next.value === value && isLinearizable(others, value);
    return isLinearizable(others, next.value);
  });
}

Deno.test("it decides small histories as the search through every order does", () => {
  const operation = fc.record({
    kind: fc.constantFrom("read" as const, "write" as const),
    value: fc.constantFrom("a", "b", "c", undefined),
    from: fc.nat(8),
    length: fc.nat(6),
    isAnswered: fc.boolean(),
  }).map(({ kind, value, from, length, isAnswered }): Operation => ({
    kind,
    value,
    from,
    to: kind === "read" || isAnswered ? from + length : Infinity,
  }));
  let [right, wrong] = [0, 0];
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 6 }), (history) => {
      const expected = isLinearizable(history, undefined);
      if (expected) right++;
      else wrong++;
      assert.equal(findViolation(history) === undefined, expected);
    }),
    { numRuns: 3_000 },
  );
  assert.ok(right > 300 && wrong > 300, `${right} right, ${wrong} wrong`);
});
