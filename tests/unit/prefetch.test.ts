// Which questions are expected of a function's next call.

import assert from "node:assert/strict";
import { type AskedQuestions, PrefetchPredictor, questionKey, QUESTIONS_MAX } from "../../src/sandbox/host/prefetch.ts";
import type { Question } from "../../src/sandbox/wire/protocol.ts";

const get = (
  name: string,
  scope: string | null = null,
): Question => ["get", name, scope];

/** A call that was prefetched nothing, or what was expected, of which it asked the questions with a bit; and `otherQuestions`. */
const call = (
  otherQuestions: Question[],
  prefetched: readonly Question[] = [],
  prefetchedUsed = 0,
): AskedQuestions => ({
  prefetched,
  prefetchedUsed,
  otherQuestions: otherQuestions.length === 0
    ? undefined
    : new Map(otherQuestions.map((question) => [questionKey(question), question])),
});

function trained(...questions: Question[]): PrefetchPredictor {
  const predictor = new PrefetchPredictor();
  for (let calls = 0; calls < 3; calls++) predictor.observe(call(questions));
  return predictor;
}

Deno.test("nothing is expected before three calls in a row have asked it", () => {
  const predictor = new PrefetchPredictor();
  for (let calls = 0; calls < 2; calls++) {
    predictor.observe(call([get("A")]));
    assert.deepEqual(predictor.expected, []);
  }
  predictor.observe(call([get("A")]));
  assert.deepEqual(predictor.expected, [get("A")]);
});

Deno.test("a call that does not ask begins the count anew", () => {
  const predictor = new PrefetchPredictor();
  for (const asked of [true, true, false, true, true]) {
    predictor.observe(call(asked ? [get("A")] : []));
  }
  assert.deepEqual(predictor.expected, []);
});

Deno.test("questions with another scope or kind are otherQuestions", () => {
  const predictor = new PrefetchPredictor();
  predictor.observe(call([get("A")]));
  predictor.observe(call([get("A", "group")]));
  predictor.observe(call([["complete", "A", null]]));
  assert.deepEqual(predictor.expected, []);
});

Deno.test("what was prefetched and asked stays expected, and the array stays the same", () => {
  const predictor = trained(get("A"), get("B"));
  const prefetched = predictor.expected;
  predictor.observe(call([], prefetched, 0b11));
  assert.equal(predictor.expected, prefetched);
});

Deno.test("what was prefetched and not asked is expected no more", () => {
  const predictor = trained(get("A"), get("B"));
  predictor.observe(call([], predictor.expected, 0b10));
  assert.deepEqual(predictor.expected, [get("B")]);
});

Deno.test("a call that was prefetched before more was expected teaches what it asked itself", () => {
  const predictor = trained(get("A"));
  const early = predictor.expected;
  for (let calls = 0; calls < 3; calls++) {
    predictor.observe(call([get("B")], early, 1));
  }
  assert.deepEqual(predictor.expected, [get("A"), get("B")]);
});

Deno.test("a function that asks for ever other names makes nothing grow", () => {
  const predictor = new PrefetchPredictor();
  for (let calls = 0; calls < 100; calls++) {
    predictor.observe(call(Array.from({ length: 100 }, (_, n) => get(`A${n}`))));
    assert.ok(predictor.expected.length <= QUESTIONS_MAX);
  }
  assert.equal(predictor.expected.length, QUESTIONS_MAX);
});
