// Reads of secrets over a real database, at times that the test decides.

import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { FunctionId, KeyId, SecretId } from "../../src/ids.ts";
import { Reads } from "../../src/telemetry/reads.ts";
import { openObservations } from "../../src/store/observations.ts";
import { temporaryFolder } from "./temporary.ts";

const [MINUTE, HOUR, DAY] = [60_000, 3_600_000, 86_400_000];
const START = Date.UTC(2030, 0, 5);
const [s, t] = [11, 12] as [SecretId, SecretId];
const [f, g] = [1, 2] as [FunctionId, FunctionId];
const k = 7 as KeyId;

async function withReads(
  test: (
    bench: { reads: Reads; clock: { at: number }; path: string; gone: Set<SecretId>; failing: { on: boolean } },
  ) => void | Promise<void>,
  begin = START,
): Promise<void> {
  using folder = temporaryFolder();
  const path = join(folder.path, "observations.db");
  openObservations(path, () => new Date(0), assert.fail).close();
  using db = new DatabaseSync(path);
  db.exec(`UPDATE secret_reads_begin SET at = ${begin}`);
  const observations = openObservations(path, () => new Date(0), assert.fail);
  const clock = { at: 0 };
  const gone = new Set<SecretId>();
  const failing = { on: false };
  const reads = new Reads({
    store: observations.secretReads,
    transaction: (work) => observations.transaction(work),
    now: () => START + clock.at,
    delayMs: () => 0,
    retentionDays: () => 60,
    isSecret: (id) => !gone.has(id),
    attempt: (work) => failing.on ? undefined : work(),
  });
  try {
    await test({ reads, clock, path, gone, failing });
  } finally {
    reads.flush();
    observations.close();
  }
}

const shown = (reads: Reads, id: SecretId) =>
  reads.list(id, undefined, 100).map((
    { at, per, functionId, keyId, reads },
  ) => [at - START, per, functionId, keyId, reads]);

Deno.test("reads are counted by secret, function, key and minute", () =>
  withReads(({ reads, clock }) => {
    reads.record(s, f, undefined);
    reads.record(s, f, k);
    reads.record(s, f, k);
    reads.record(t, g, k);
    clock.at = 59_999;
    reads.record(s, g, k);
    clock.at = MINUTE;
    reads.record(s, f, k);
    assert.deepEqual(shown(reads, s), [
      [MINUTE, "minute", f, k, 1],
      [0, "minute", g, k, 1],
      [0, "minute", f, k, 2],
      [0, "minute", f, 0, 1],
    ]);
    assert.deepEqual(shown(reads, t), [[0, "minute", g, k, 1]]);
  }));

Deno.test("a page begins after the one before, and none is missed or told twice", () =>
  withReads(({ reads, clock }) => {
    for (clock.at = 0; clock.at < 5 * MINUTE; clock.at += MINUTE) {
      for (const id of [f, g]) for (const key of [undefined, k]) reads.record(s, id, key);
    }
    const all = reads.list(s, undefined, 100);
    assert.equal(all.length, 20);
    const paged = [];
    for (let page = reads.list(s, undefined, 3); page.length > 0; page = reads.list(s, page.at(-1), 3)) {
      paged.push(...page);
    }
    assert.deepEqual(paged, all);
  }));

Deno.test("of a secret it is told when and by whom it was read last, and how often in 30 days", () =>
  withReads(({ reads, clock }) => {
    reads.record(s, f, k);
    clock.at = DAY + 5;
    reads.record(s, g, k);
    reads.record(s, g, undefined);
    assert.deepEqual([...reads.of([s, t])], [[s, { lastReadAt: START + DAY + 5, lastFunctionId: g, last30Days: 3 }]]);
    clock.at = 30 * DAY;
    assert.equal(reads.of([s]).get(s)!.last30Days, 2);
    clock.at = 31 * DAY;
    assert.deepEqual(reads.of([s]).get(s), { lastReadAt: START + DAY + 5, lastFunctionId: g, last30Days: 0 });
  }));

Deno.test("minutes become days after two days, days go after the retention, and the last read stays", () =>
  withReads(({ reads, clock }) => {
    for (const at of [5 * MINUTE, HOUR, DAY]) {
      clock.at = at;
      reads.record(s, f, k);
    }
    reads.flush();
    clock.at = 2 * DAY + 2 * HOUR;
    reads.flush();
    assert.deepEqual(shown(reads, s), [[DAY, "minute", f, k, 1], [0, "day", f, k, 2]]);
    assert.equal(reads.of([s]).get(s)!.last30Days, 3);
    for (let hours = 0; hours < 10; hours++) {
      clock.at = 61 * DAY + DAY / 2 + hours * HOUR;
      reads.flush();
    }
    assert.deepEqual(shown(reads, s), []);
    assert.deepEqual([...reads.of([s])], [[s, { lastReadAt: START + DAY, lastFunctionId: f, last30Days: 0 }]]);
  }));

Deno.test("unused is what is old enough and was not read since", () =>
  withReads(({ reads, clock }) => {
    reads.record(s, f, k);
    clock.at = 10 * DAY;
    reads.record(t, f, k);
    const unused = reads.unusedSince(START + 5 * DAY);
    const old = START - DAY;
    assert.equal(unused({ id: s, createdAt: old }), true);
    assert.equal(unused({ id: t, createdAt: old }), false);
    assert.equal(unused({ id: 13 as SecretId, createdAt: old }), true);
    assert.equal(unused({ id: 13 as SecretId, createdAt: START + 6 * DAY }), false);
    const some = [s, t, 13 as SecretId].map((id) => ({ id, createdAt: old }));
    const young = { id: 14 as SecretId, createdAt: START + 6 * DAY };
    assert.deepEqual([...reads.unusedAmong([...some, young], START + 5 * DAY)], [s, 13]);
    assert.deepEqual([...reads.unusedAmong(some, START - 1)], []);
  }));

Deno.test("the readers of a secret are the functions that read it within 30 days, the last one first", () =>
  withReads(({ reads, clock }) => {
    const readers = () => reads.readersOf(s).map(({ functionId, at }) => [functionId, at - START]);
    assert.deepEqual(readers(), []);
    reads.record(s, f, k);
    clock.at = 20 * DAY;
    reads.record(s, g, undefined);
    reads.record(t, f, k);
    assert.deepEqual(readers(), [[g, 20 * DAY], [f, 0]]);
    clock.at = 45 * DAY;
    assert.deepEqual(readers(), [[g, 20 * DAY]]);
  }));

Deno.test("nothing is unused for longer than reads have been counted", () =>
  withReads(({ reads, clock }) => {
    clock.at = 10 * DAY;
    assert.equal(reads.unusedSince(START - 1)({ id: s, createdAt: 0 }), false);
    assert.equal(reads.unusedSince(START)({ id: s, createdAt: 0 }), true);
  }));

Deno.test("where counts were lost, nothing is unused since before that", () =>
  withReads(({ reads, clock, failing }) => {
    const isUnused = (since: number) => reads.unusedSince(START + since)({ id: t, createdAt: 0 });
    clock.at = 5 * DAY;
    failing.on = true;
    reads.record(s, f, k);
    reads.flush();
    failing.on = false;
    assert.deepEqual([isUnused(DAY), isUnused(6 * DAY)], [false, true]);
    clock.at = 6 * DAY;
    reads.record(s, f, k);
    assert.deepEqual([isUnused(DAY), isUnused(5 * DAY)], [false, true]);
    assert.equal(reads.begin, START + 5 * DAY);
  }));

Deno.test("deleted secrets are forgotten", () =>
  withReads(({ reads, clock, gone }) => {
    for (const id of [s, t]) reads.record(id, f, k);
    reads.flush();
    gone.add(s);
    clock.at = HOUR;
    reads.flush();
    assert.deepEqual([...reads.of([s, t]).keys()], [t]);
    assert.deepEqual(shown(reads, s), []);
  }));

Deno.test("many different reads in a minute are written early rather than kept in memory", () =>
  withReads(({ reads, path }) => {
    for (let id = 1; id <= 3_500; id++) reads.record(id as SecretId, f, k);
    using db = new DatabaseSync(path, { readOnly: true });
    assert.deepEqual({ ...db.prepare("SELECT count(*) AS n FROM secret_reads").get() }, { n: 3_000 });
  }));
