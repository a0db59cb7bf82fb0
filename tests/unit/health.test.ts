// When a function rests after its isolates' deaths, by a clock that the test holds.

import assert from "node:assert/strict";
import { createHealth } from "../../src/sandbox/host/health.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const ID = 7;

function watched() {
  const start = 1_800_000_000_000;
  let at = start;
  const health = createHealth(() => at);
  return {
    health,
    pass: (ms: number) => at += ms,
    /** So many deaths, all at once. */
    die: (times: number) => {
      for (let death = 0; death < times; death++) health.died(ID, `death ${death + 1}`);
    },
    /** How much longer it rests, in milliseconds; undefined if it may be called. */
    rest: () => {
      const { suspendedUntil } = health.of(ID);
      return suspendedUntil && suspendedUntil - at;
    },
  };
}

Deno.test("a function that never died has nothing to tell", () => {
  assert.deepEqual(watched().health.of(ID), { recentDeaths: 0, lastDeath: undefined, suspendedUntil: undefined });
});

Deno.test("four deaths are borne, the fifth within a minute suspends for ten seconds", () => {
  const { health, die, pass, rest } = watched();
  for (let death = 1; death <= 4; death++) {
    die(1);
    assert.deepEqual([health.of(ID).recentDeaths, rest()], [death, undefined]);
    pass(14 * SECOND);
  }
  health.died(ID, "the fifth");
  assert.equal(rest(), 10 * SECOND);
  assert.equal(health.of(ID).lastDeath, "the fifth");
});

Deno.test("deaths of more than a minute ago do not count", () => {
  const { health, die, pass, rest } = watched();
  for (let death = 0; death < 20; death++) {
    die(1);
    assert.equal(rest(), undefined);
    pass(15 * SECOND);
  }
  assert.equal(health.of(ID).recentDeaths, 3);
  pass(MINUTE);
  assert.equal(health.of(ID).recentDeaths, 0);
  assert.notEqual(health.of(ID).lastDeath, undefined);
});

Deno.test("a rest ends by itself, and five more deaths are needed for the next", () => {
  const { die, pass, rest } = watched();
  die(5);
  pass(10 * SECOND - 1);
  assert.equal(rest(), 1);
  pass(1);
  assert.equal(rest(), undefined);
  die(4);
  assert.equal(rest(), undefined);
  die(1);
  assert.equal(rest(), 20 * SECOND);
});

Deno.test("each rest is twice as long as the one before, ten minutes at most", () => {
  const { die, pass, rest } = watched();
  const rests: number[] = [];
  for (let round = 0; round < 9; round++) {
    die(5);
    rests.push(rest()! / SECOND);
    pass(rest()!);
  }
  assert.deepEqual(rests, [10, 20, 40, 80, 160, 320, 600, 600, 600]);
});

Deno.test("ten minutes without a rest are forgiven, less are not", () => {
  const { die, pass, rest } = watched();
  die(5);
  pass(rest()!);
  die(5);
  assert.equal(rest(), 20 * SECOND);
  pass(rest()! + 10 * MINUTE);
  die(5);
  assert.equal(rest(), 40 * SECOND);
  pass(rest()! + 10 * MINUTE + 1);
  die(5);
  assert.equal(rest(), 10 * SECOND);
});

Deno.test("a function that was changed begins anew", () => {
  const { health, die, pass, rest } = watched();
  die(5);
  pass(rest()!);
  die(5);
  health.forget(ID);
  assert.deepEqual(health.of(ID), { recentDeaths: 0, lastDeath: undefined, suspendedUntil: undefined });
  die(4);
  assert.equal(rest(), undefined);
  die(1);
  assert.equal(rest(), 10 * SECOND);
});

Deno.test("one function's deaths are not another's", () => {
  const { health, die } = watched();
  die(4);
  health.died(ID + 1, "elsewhere");
  assert.equal(health.of(ID).suspendedUntil, undefined);
  assert.equal(health.of(ID).recentDeaths, 4);
  assert.deepEqual(health.of(ID + 1), { recentDeaths: 1, lastDeath: "elsewhere", suspendedUntil: undefined });
});
