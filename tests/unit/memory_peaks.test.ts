// The most memory that a function's processes used, by day.

import assert from "node:assert/strict";
import { join } from "node:path";
import type { FunctionId } from "../../src/ids.ts";
import { openObservations } from "../../src/store/observations.ts";
import { MemoryPeaks } from "../../src/telemetry/memory_peaks.ts";
import { temporaryFolder } from "./temporary.ts";

const DAY = 86_400_000;
const START = Date.UTC(2026, 0, 5, 12);
const [f, g] = [1, 2] as FunctionId[] as [FunctionId, FunctionId];

Deno.test("the peak of each day is kept, passed on to other nodes, and deleted when it is old", () => {
  using folder = temporaryFolder();
  const observations = openObservations(join(folder.path, "o.db"), () => new Date(START), assert.fail);
  try {
    observations.transaction(() => observations.nodeCounts.track("a cluster and node"));
    let now = START;
    let days = 30;
    const open = (isFunction = (_: FunctionId) => true) =>
      new MemoryPeaks({
        store: observations.memoryPeaks,
        transaction: (work) => observations.transaction(work),
        now: () => now,
        retentionDays: () => days,
        isFunction,
        attempt: (work) => work(),
      });
    const peaks = open();
    assert.equal(peaks.since(f, 0), undefined);
    for (const mb of [10.2, 40.5, 30]) peaks.record(f, mb);
    peaks.record(g, 7);
    now += DAY;
    peaks.record(f, 20);
    assert.deepEqual([peaks.since(f, START), peaks.since(f, now), peaks.since(g, now)], [41, 20, undefined]);
    // A server that was restarted does not lower the day's peak.
    open().record(f, 5);
    assert.equal(peaks.since(f, now), 20);
    const rows = observations.nodeCounts.unpublished(10).rows.filter(({ kind }) => kind === "memory");
    assert.deepEqual(rows.map(({ values }) => values), [[41], [7], [20]]);
    const other = rows.map((row) => ({ ...row, node: "other", values: [99] }));
    observations.transaction(() => observations.nodeCounts.receive(other, 1));
    assert.equal(peaks.since(g, START), 99);

    days = 0;
    peaks.record(f, 100);
    assert.equal(peaks.since(f, now), 99, "nothing is recorded");
    days = 2;
    now += 2 * DAY;
    peaks.record(f, 1);
    assert.equal(peaks.since(g, 0), undefined, "the first day is gone");
    assert.deepEqual(observations.memoryPeaks.functionIds(), [f]);
    open((id) => id !== f);
    assert.deepEqual(observations.memoryPeaks.functionIds(), []);
  } finally {
    observations.close();
  }
});
