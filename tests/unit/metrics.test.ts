// Metrics over a real database: what is counted, added up, kept and forgotten, at times that the test decides.

import assert from "node:assert/strict";
import { join } from "node:path";
import type { FunctionId, KeyId } from "../../src/ids.ts";
import { Metrics } from "../../src/telemetry/metrics.ts";
import { keySubject } from "../../src/store/metrics.ts";
import { openObservations } from "../../src/store/observations.ts";
import { temporaryFolder } from "./temporary.ts";

const [MINUTE, HOUR, DAY] = [60_000, 3_600_000, 86_400_000];
/** The beginning of a day. */
const START = Date.UTC(2026, 0, 5);
const [a, b] = [1, 2] as [FunctionId, FunctionId];

interface Bench {
  metrics: Metrics;
  /** Milliseconds since START. */
  clock: { at: number };
  /** The same on what is stored, as after a `kill -9`. */
  again(): Metrics;
  store: ReturnType<typeof openObservations>["metrics"];
}

async function withMetrics(
  test: (bench: Bench) => void | Promise<void>,
  { retentionDays = 90, isFunction = (_: FunctionId): boolean => true } = {},
): Promise<void> {
  using folder = temporaryFolder();
  const observations = openObservations(join(folder.path, "observations.db"), () => new Date(0), assert.fail);
  const clock = { at: 0 };
  const again = () =>
    new Metrics({
      store: observations.metrics,
      transaction: (work) => observations.transaction(work),
      now: () => START + clock.at,
      delayMs: () => 0,
      retentionDays: () => retentionDays,
      isFunction,
      attempt: (work) => work(),
    });
  const metrics = again();
  try {
    await test({ metrics, clock, again, store: observations.metrics });
  } finally {
    metrics.flush();
    observations.close();
  }
}

Deno.test("calls are counted by how they ended, and refusals apart", () =>
  withMetrics(({ metrics }) => {
    metrics.ended(a, "ok", 10);
    metrics.ended(a, "error", 20);
    metrics.ended(a, "timeout", 30);
    metrics.ended(a, "refused", 0.5);
    const { calls, errors, timeouts, meanMs, maxMs } = metrics.summary(a, START);
    assert.deepEqual({ calls, errors, timeouts, meanMs, maxMs }, {
      calls: 3,
      errors: 1,
      timeouts: 1,
      meanMs: 20,
      maxMs: 30,
    });
    assert.equal(metrics.points("minutes", a, START, START + MINUTE)[0]!.tally.refusals, 1);
  }));

Deno.test("the hours of several functions are those of their series, whether added up yet or not", () =>
  withMetrics(({ metrics, clock }) => {
    const end = (at: number, id: FunctionId, outcome: "ok" | "error" | "timeout") => {
      clock.at = at;
      metrics.ended(id, outcome, 1);
    };
    end(0, a, "ok");
    end(HOUR - 1, a, "error");
    end(HOUR, b, "timeout");
    end(2 * HOUR + MINUTE, a, "ok");
    clock.at = 2 * HOUR + 5 * MINUTE;
    end(clock.at, a, "error");
    const none = { calls: 0, failures: 0 };
    assert.deepEqual([...metrics.hoursOf([a, b], 3)], [
      [a, [{ calls: 2, failures: 1 }, none, { calls: 2, failures: 1 }]],
      [b, [none, { calls: 1, failures: 1 }, none]],
    ]);
    // The oldest one is left out, and a function that was never called has nothing.
    const never = 9 as FunctionId;
    assert.deepEqual([...metrics.hoursOf([a, never], 2)], [
      [a, [none, { calls: 2, failures: 1 }]],
      [never, [none, none]],
    ]);
    clock.at += DAY;
    assert.deepEqual(metrics.hoursOf([a], 24).get(a)!.map(({ calls }) => calls), Array(24).fill(0));
  }));

Deno.test("a percentile of all functions is that of all their calls, not a mean of theirs", () =>
  withMetrics(({ metrics }) => {
    for (let n = 0; n < 99; n++) metrics.ended(a, "ok", 1);
    metrics.ended(b, "ok", 1_000);
    const { p50Ms, p95Ms, p99Ms, maxMs } = metrics.summary(undefined, START);
    for (const ms of [p50Ms, p95Ms, p99Ms]) assert.ok(Math.abs(ms! - 1) < 0.016, `${ms}`);
    assert.equal(maxMs, 1_000);
    assert.deepEqual(metrics.busiest(START, 9).functions.listed.map(([id, { calls }]) => [id, calls]), [[a, 99], [
      b,
      1,
    ]]);
  }));

Deno.test("the busiest functions come first, by what they were called since, however long ago that is", () =>
  withMetrics(({ metrics, clock }) => {
    const calls = (...counts: number[]) =>
      counts.forEach((count, n) => {
        for (let call = 0; call < count; call++) metrics.ended(n + 1 as FunctionId, "ok", 5);
      });
    const busiest = (sinceMs: number, limit = 9) => {
      const { listed, more } = metrics.busiest(START + sinceMs, limit).functions;
      return [...listed.map(([id, summary]) => [id, summary.calls]), ...(more ? ["more"] : [])];
    };
    calls(9, 1, 2);
    clock.at = 30 * MINUTE;
    calls(0, 3, 1, 1);
    assert.deepEqual(busiest(0), [[1, 9], [2, 4], [3, 3], [4, 1]]);
    assert.deepEqual(busiest(10 * MINUTE), [[2, 3], [3, 1], [4, 1]], "what was earlier in the hour does not count");
    assert.deepEqual({ ...metrics.callsSince(2 as FunctionId, START + 10 * MINUTE) }, { calls: 3, errors: 0 });
    clock.at = 3 * DAY;
    calls(1, 0, 0, 20);
    for (const since of [0, -10 * DAY, -80 * DAY]) {
      assert.deepEqual(busiest(since), [[4, 21], [1, 10], [2, 4], [3, 3]]);
      assert.deepEqual(busiest(since, 2), [[4, 21], [1, 10], "more"]);
    }
    assert.deepEqual(busiest(clock.at), [[4, 20], [1, 1]]);
  }));

Deno.test("calls are counted by key as well, added up to hours and days, and never mixed with functions", () =>
  withMetrics(({ metrics, clock, again }) => {
    const [acme, other] = [1, 7] as [KeyId, KeyId];
    for (let n = 0; n < 3; n++) metrics.ended(a, "ok", 10, acme);
    metrics.ended(b, "timeout", 30, acme);
    metrics.ended(b, "refused", 1, other);
    metrics.ended(b, "ok", 1);
    clock.at = 90 * MINUTE;
    metrics.ended(a, "error", 5, other);
    const calls = (of: Metrics) =>
      of.busiest(START, 9).keys.listed.map(([id, { calls, p50Ms }]) => [id, calls, p50Ms! > 0]);
    assert.deepEqual(calls(metrics), [[acme, 4, true], [other, 1, true]]);
    const { calls: count, timeouts, maxMs } = metrics.summary(keySubject(acme), START);
    assert.deepEqual([count, timeouts, maxMs], [4, 1, 30]);
    for (const resolution of ["hours", "days"] as const) {
      const points = metrics.points(resolution, keySubject(other), START, START + DAY);
      assert.deepEqual(points.map(({ tally }) => tally.calls), resolution === "hours" ? [0, 1] : [1]);
      assert.equal(points[0]!.tally.refusals, 1);
    }
    const functions = [[a, 4], [b, 2]];
    assert.deepEqual(metrics.busiest(START, 9).functions.listed.map(([id, { calls }]) => [id, calls]), functions);
    assert.equal(metrics.summary(undefined, START).calls, 6);
    assert.deepEqual([...metrics.totals().keys()], [a, b]);
    // Of a key that was revoked, too: ids are not used again.
    assert.deepEqual(calls(again()), [[acme, 4, true], [other, 1, true]]);
  }));

Deno.test("beyond a thousand keys in a minute, calls are counted for functions alone", () =>
  withMetrics(({ metrics, clock }) => {
    for (let n = 1; n <= 1_500; n++) metrics.ended(a, "ok", 5, n as KeyId);
    assert.equal(metrics.summary(a, START).calls, 1_500);
    assert.equal(metrics.busiest(START, 2_000).keys.listed.length, 1_000);
    clock.at = MINUTE;
    metrics.ended(a, "ok", 5, 1_500 as KeyId);
    assert.equal(metrics.summary(keySubject(1_500 as KeyId), START).calls, 1);
  }));

Deno.test("no call has no mean and no percentiles", () =>
  withMetrics(({ metrics }) => {
    metrics.ended(a, "refused", 1);
    const nothing = {
      calls: 0,
      errors: 0,
      timeouts: 0,
      meanMs: null,
      p50Ms: null,
      p95Ms: null,
      p99Ms: null,
      maxMs: null,
    };
    assert.deepEqual(metrics.summary(a, START), nothing);
    assert.deepEqual(metrics.summary(b, START), nothing);
  }));

Deno.test("minutes add up to their hours and days, the minute that runs included, also after a kill", () =>
  withMetrics(({ metrics, clock, again }) => {
    const times = [0, 30_000, MINUTE, 59 * MINUTE, HOUR, 25 * HOUR, 25 * HOUR + 1];
    for (const at of times) {
      clock.at = at;
      metrics.ended(a, "ok", 5);
      metrics.flush();
    }
    for (const observer of [metrics, again()]) {
      const calls = (resolution: "minutes" | "hours" | "days") =>
        observer.points(resolution, a, START, START + 2 * DAY).map(({ at, tally }) => [at - START, tally.calls]);
      assert.deepEqual(calls("minutes"), [[0, 2], [MINUTE, 1], [59 * MINUTE, 1], [HOUR, 1], [25 * HOUR, 2]]);
      assert.deepEqual(calls("hours"), [[0, 4], [HOUR, 1], [25 * HOUR, 2]]);
      assert.deepEqual(calls("days"), [[0, 5], [DAY, 2]]);
      assert.deepEqual(observer.points("days", undefined, START, START + 2 * DAY).map(({ tally }) => tally.calls), [
        5,
        2,
      ]);
    }
  }));

Deno.test("a clock that is set back neither loses a call nor counts one twice", () =>
  withMetrics(({ metrics, clock }) => {
    clock.at = HOUR;
    metrics.ended(a, "ok", 5);
    metrics.flush();
    clock.at = 0;
    metrics.ended(a, "ok", 5);
    metrics.flush();
    clock.at = 2 * HOUR;
    metrics.ended(a, "ok", 5);
    for (const resolution of ["minutes", "hours", "days"] as const) {
      const points = metrics.points(resolution, a, START, START + DAY);
      assert.equal(points.reduce((sum, { tally }) => sum + tally.calls, 0), 3, resolution);
    }
  }));

Deno.test("what is counted is written without being asked for", async () => {
  await withMetrics(async ({ metrics, store }) => {
    metrics.ended(a, "ok", 5);
    assert.deepEqual(store.list("minutes", a, START, START + MINUTE), []);
    while (store.list("minutes", a, START, START + MINUTE).length === 0) {
      await new Promise((wait) => setTimeout(wait, 0));
    }
  });
});

Deno.test("minutes are kept for two days, hours and days as long as the setting says", () =>
  withMetrics(({ metrics, clock, store }) => {
    metrics.ended(a, "ok", 5);
    metrics.flush();
    const kept = () =>
      (["minutes", "hours", "days"] as const).filter((resolution) =>
        store.list(resolution, a, 0, START + DAY).length > 0
      );
    clock.at = HOUR;
    metrics.flush();
    assert.deepEqual(kept(), ["minutes", "hours", "days"]);
    clock.at = 2 * DAY + MINUTE;
    metrics.flush();
    assert.deepEqual(kept(), ["hours", "days"]);
    clock.at = 7 * DAY + HOUR;
    metrics.flush();
    assert.deepEqual(kept(), []);
  }, { retentionDays: 7 }));

Deno.test("a deleted function leaves nothing of its own, even if a call of it ends later", () =>
  withMetrics(({ metrics, clock, store }) => {
    for (const id of [a, b]) metrics.ended(id, "ok", 5);
    metrics.flush();
    clock.at = HOUR;
    metrics.flush();
    metrics.forget(a);
    metrics.ended(a, "ok", 5);
    assert.deepEqual(metrics.busiest(START, 9).functions.listed.map(([id]) => id), [b]);
    assert.deepEqual([...metrics.totals().keys()], [b]);
    clock.at = HOUR + MINUTE;
    metrics.flush();
    assert.deepEqual(store.functionIds(), [b]);
    assert.equal(metrics.summary(undefined, START).calls, 3);
  }));

Deno.test("functions that were deleted while nobody looked are forgotten at the start", () => {
  const gone = new Set<FunctionId>();
  return withMetrics(({ metrics, clock, again, store }) => {
    for (const id of [a, b]) metrics.ended(id, "ok", 5);
    metrics.flush();
    gone.add(a);
    clock.at = MINUTE;
    again();
    assert.deepEqual(store.functionIds(), [b]);
    assert.deepEqual(store.list("minutes", a, START, START + MINUTE), []);
  }, { isFunction: (id) => !gone.has(id) });
});

Deno.test("starts of sandboxes and reads of secrets are counted, with the time that answers took", () =>
  withMetrics(({ metrics }) => {
    metrics.sandboxStarted(a);
    metrics.secretsRead(a, 1, 0.25);
    metrics.secretsRead(a, 1, 0.5);
    metrics.flush();
    const { sandboxStarts, secretReads, secretReadUs } = metrics.totals().get(a)!;
    assert.deepEqual([sandboxStarts, secretReads, secretReadUs], [1, 2, 750]);
  }));

Deno.test("with no days to keep, nothing is counted", () =>
  withMetrics(({ metrics }) => {
    metrics.ended(a, "ok", 5);
    metrics.sandboxStarted(a);
    metrics.secretsRead(a, 1, 1);
    assert.deepEqual([...metrics.totals()], []);
    assert.deepEqual(metrics.points("minutes", undefined, START, START + MINUTE), []);
  }, { retentionDays: 0 }));
