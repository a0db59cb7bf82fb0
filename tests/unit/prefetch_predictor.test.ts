// Which questions are expected of a function's next call.

import assert from "node:assert/strict";
import { type Asked, Foresight, questionKey, QUESTIONS_MAX } from "../../src/sandbox/host/prefetch_predictor.ts";
import type { Question } from "../../src/sandbox/wire/protocol.ts";

const get = (
  name: string,
  scope: string | null = null,
): Question => ["get", name, scope];

/** A call that was told nothing, or what was expected, of which it asked the questions with a bit; and `others`. */
const call = (
  others: Question[],
  told: readonly Question[] = [],
  toldAsked = 0,
): Asked => ({
  told,
  toldAsked,
  others: others.length === 0 ? undefined : new Map(others.map((question) => [questionKey(question), question])),
});

function taught(...questions: Question[]): Foresight {
  const foresight = new Foresight();
  for (let calls = 0; calls < 3; calls++) foresight.learn(call(questions));
  return foresight;
}

Deno.test("nothing is expected before three calls in a row have asked it", () => {
  const foresight = new Foresight();
  for (let calls = 0; calls < 2; calls++) {
    foresight.learn(call([get("A")]));
    assert.deepEqual(foresight.expected, []);
  }
  foresight.learn(call([get("A")]));
  assert.deepEqual(foresight.expected, [get("A")]);
});

Deno.test("a call that does not ask begins the count anew", () => {
  const foresight = new Foresight();
  for (const asked of [true, true, false, true, true]) {
    foresight.learn(call(asked ? [get("A")] : []));
  }
  assert.deepEqual(foresight.expected, []);
});

Deno.test("questions with another scope or kind are others", () => {
  const foresight = new Foresight();
  foresight.learn(call([get("A")]));
  foresight.learn(call([get("A", "group")]));
  foresight.learn(call([["complete", "A", null]]));
  assert.deepEqual(foresight.expected, []);
});

Deno.test("what was told and asked stays expected, and the array stays the same", () => {
  const foresight = taught(get("A"), get("B"));
  const told = foresight.expected;
  foresight.learn(call([], told, 0b11));
  assert.equal(foresight.expected, told);
});

Deno.test("what was told and not asked is expected no more", () => {
  const foresight = taught(get("A"), get("B"));
  foresight.learn(call([], foresight.expected, 0b10));
  assert.deepEqual(foresight.expected, [get("B")]);
});

Deno.test("a call that was told before more was expected teaches what it asked itself", () => {
  const foresight = taught(get("A"));
  const early = foresight.expected;
  for (let calls = 0; calls < 3; calls++) {
    foresight.learn(call([get("B")], early, 1));
  }
  assert.deepEqual(foresight.expected, [get("A"), get("B")]);
});

Deno.test("a function that asks for ever other names makes nothing grow", () => {
  const foresight = new Foresight();
  for (let calls = 0; calls < 100; calls++) {
    foresight.learn(call(Array.from({ length: 100 }, (_, n) => get(`A${n}`))));
    assert.ok(foresight.expected.length <= QUESTIONS_MAX);
  }
  assert.equal(foresight.expected.length, QUESTIONS_MAX);
});
