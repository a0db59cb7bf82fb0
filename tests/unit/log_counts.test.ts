// The numbers of log entries over time: they are those of the entries, whatever was stored, deleted and set back, and no
// statement reads more than it must.

import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import type { FunctionId, KeyId } from "../../src/ids.ts";
import { Database } from "../../src/store/database.ts";
import type { Bars } from "../../src/store/log_counts.ts";
import { createLogStore, type LogFields, type LogFilter, type LogRow } from "../../src/store/logs.ts";
import { MIGRATIONS, openObservations } from "../../src/store/observations.ts";
import { HOUR_MS, MINUTE_MS, SECOND_MS } from "../../src/time.ts";
import { runs } from "../thorough.ts";
import { temporaryFolder } from "./temporary.ts";

/** A whole hour. */
const BEGIN = 1_780_000_200_000 - 1_780_000_200_000 % HOUR_MS;
const FUNCTIONS = [1, 2, 3] as FunctionId[];
const KEY = 7 as KeyId;
const SCANNED = 1_000;

function entry(fields: Partial<LogFields>): LogFields {
  return {
    functionId: FUNCTIONS[0]!,
    requestId: "r",
    keyId: null,
    level: 1,
    event: "print",
    message: "a line",
    durationMs: null,
    at: BEGIN,
    ...fields,
  };
}

function opened(path: string) {
  return openObservations(path, () => new Date(BEGIN), assert.fail);
}

/** Counts `rows` as a histogram does. */
function counted(rows: readonly LogRow[], { from, widthMs, count }: Bars): string[] {
  const bars = new Map<string, number>();
  for (const { at, level } of rows) {
    const bar = Math.floor((at - from) / widthMs);
    if (bar >= 0 && bar < count) bars.set(`${bar} ${level}`, (bars.get(`${bar} ${level}`) ?? 0) + 1);
  }
  return [...bars].map(([name, entries]) => `${name}: ${entries}`).sort();
}

Deno.test("counts and spans of time are those of the entries, however they were stored and deleted", () => {
  const some = fc.record({
    functionId: fc.constantFrom(...FUNCTIONS),
    requestId: fc.constantFrom("r", "s", null),
    keyId: fc.constantFrom(KEY, 8 as KeyId, null),
    level: fc.integer({ min: 0, max: 3 }),
    message: fc.constantFrom("a line", "another", "an order of a line"),
    // Not in order: entries wait, and clocks are set back.
    at: fc.integer({ min: 0, max: 6 * HOUR_MS }).map((after) => BEGIN + after),
  });
  const span = fc.tuple(fc.integer({ min: 0, max: 360 }), fc.integer({ min: 1, max: 360 }));
  const steps = fc.array(
    fc.oneof(
      fc.array(some, { minLength: 1, maxLength: 30 }).map((added) => ({ added })),
      fc.record({ oldestOf: fc.constantFrom(...FUNCTIONS), count: fc.integer({ min: 1, max: 20 }) }),
      fc.record({ before: fc.integer({ min: 0, max: 3 * HOUR_MS }), count: fc.integer({ min: 1, max: 20 }) }),
    ),
    { minLength: 1, maxLength: 12 },
  );
  fc.assert(
    fc.property(
      steps,
      span,
      fc.constantFrom(10 * SECOND_MS, MINUTE_MS, 5 * MINUTE_MS, HOUR_MS),
      (done, at, widthMs) => {
        using folder = temporaryFolder();
        const { logs, transaction, close } = opened(join(folder.path, "observations.db"));
        for (const step of done) {
          transaction(() => {
            if ("added" in step) logs.insertAll(step.added.map(entry));
            else if ("oldestOf" in step) logs.deleteOldest(step.oldestOf, step.count);
            else logs.deleteBefore(BEGIN + step.before, step.count);
          });
        }
        const all = logs.list({}, 1e9, 1e9);
        const [from, until] = [BEGIN + at[0] * MINUTE_MS, BEGIN + (at[0] + at[1]) * MINUTE_MS - 1];
        const within = all.filter((row) => row.at >= from && row.at <= until);
        const bars = { from: from - from % widthMs, widthMs, count: Math.ceil(at[1] * MINUTE_MS / widthMs) };
        const filters: [LogFilter, (row: LogRow) => boolean][] = [
          [{}, () => true],
          [{ level: 2 }, ({ level }) => level >= 2],
          [{ functionId: FUNCTIONS[1]! }, ({ functionId }) => functionId === FUNCTIONS[1]],
          [{ functionId: FUNCTIONS[0]!, level: 3 }, (row) => row.functionId === FUNCTIONS[0] && row.level === 3],
          [{ requestId: "s" }, ({ requestId }) => requestId === "s"],
          [{ keyId: KEY }, ({ keyId }) => keyId === KEY],
          [
            { keyId: KEY, level: 2, functionId: FUNCTIONS[1]! },
            (row) => row.keyId === KEY && row.level >= 2 && row.functionId === FUNCTIONS[1],
          ],
          [{ keyId: KEY, match: '"line"' }, (row) => row.keyId === KEY && row.message.includes("line")],
          [{ match: '"line"' }, ({ message }) => message.includes("line")],
          [
            { match: '"order"', level: 1, functionId: FUNCTIONS[2]! },
            (row) => row.message.includes("order") && row.level >= 1 && row.functionId === FUNCTIONS[2],
          ],
        ];
        for (const [filter, accepts] of filters) {
          assert.deepEqual(logs.list({ ...filter, from, until }, 1e9, 1e9), within.filter(accepts));
          const { counts, isComplete } = logs.histogram(filter, bars, SCANNED);
          assert.deepEqual(
            counts.map(({ bar, level, entries }) => `${bar} ${level}: ${entries}`).sort(),
            counted(all.filter(accepts), bars),
          );
          assert.ok(isComplete);
        }
        const first = Math.min(...all.map((row) => row.at));
        assert.equal(logs.beginning(), all.length === 0 ? undefined : first - first % HOUR_MS);
        close();
      },
    ),
    { numRuns: runs(30, 1_000) },
  );
});

Deno.test("what cannot be counted beforehand is counted up to a limit, and that is said", () => {
  using folder = temporaryFolder();
  const { logs, transaction, close } = opened(join(folder.path, "observations.db"));
  const seconds = Array.from({ length: 100 }, (_, n) => entry({ at: BEGIN + n * SECOND_MS, level: n % 2 ? 1 : 3 }));
  transaction(() => logs.insertAll(seconds));
  const bars = { from: BEGIN, widthMs: 10 * SECOND_MS, count: 10 };
  for (const filter of [{}, { requestId: "r" }, { match: '"line"' }, { functionId: FUNCTIONS[0]! }, { level: 2 }]) {
    const { counts, isComplete } = logs.histogram(filter, bars, 20);
    const sum = counts.reduce((sum, { entries }) => sum + entries, 0);
    assert.deepEqual([sum, isComplete], ["level" in filter ? 10 : 20, false]);
    assert.ok(counts.every(({ bar }) => bar >= 8), "the newest");
  }
  close();
});

Deno.test("entries from before there were counts are counted", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "observations.db");
  const earlier = new DatabaseSync(path);
  for (const migration of MIGRATIONS.slice(0, 7)) earlier.exec(migration);
  earlier.exec(`PRAGMA user_version = 7; INSERT INTO logs (function_id, level, event, message, at)
    WITH RECURSIVE n (value) AS (SELECT 0 UNION ALL SELECT value + 1 FROM n WHERE value < 199)
    SELECT 1 + value % 2, value % 4, 'print', 'a line', ${BEGIN} + value * 40000 FROM n`);
  earlier.close();
  const { logs, close } = opened(path);
  const bars = { from: BEGIN, widthMs: 10 * MINUTE_MS, count: 20 };
  const all = logs.list({}, 1e9, 1e9);
  assert.equal(all.length, 200);
  for (const functionId of [undefined, ...FUNCTIONS]) {
    const { counts } = logs.histogram({ functionId }, bars, SCANNED);
    const rows = all.filter((row) => functionId === undefined || row.functionId === functionId);
    assert.deepEqual(
      counts.map(({ bar, level, entries }) => `${bar} ${level}: ${entries}`).sort(),
      counted(rows, bars),
    );
  }
  logs.deleteOldest(FUNCTIONS[0]!, 100);
  assert.deepEqual(logs.histogram({ functionId: FUNCTIONS[0]! }, bars, SCANNED).counts, []);
  close();
});

Deno.test("no statement on the entries of a time walks the table or a whole index", () => {
  using folder = temporaryFolder();
  const db = Database.open(join(folder.path, "observations.db"), {
    migrations: MIGRATIONS,
    synchronous: "NORMAL",
    checkpointPages: 1_000,
  });
  try {
    const statements = new Set<string>();
    const watched = {
      prepare(sql: string) {
        statements.add(sql);
        return db.prepare(sql);
      },
    } as Database;
    const logs = createLogStore(watched);
    logs.insertAll([entry({}), entry({ level: 3 })]);
    const filters: LogFilter[] = [{}, { functionId: FUNCTIONS[0]! }, { requestId: "r" }, { match: '"line"' }];
    for (const filter of filters) {
      for (const level of [0, 2]) {
        for (const widthMs of [SECOND_MS, MINUTE_MS, HOUR_MS]) {
          logs.histogram({ ...filter, level }, { from: BEGIN, widthMs, count: 60 }, SCANNED);
        }
        logs.list({ ...filter, level, from: BEGIN, until: BEGIN + HOUR_MS }, 1e9, 10);
      }
    }
    assert.ok(statements.size > 20);
    // At the start and for trimming, statements read what they return.
    const others = [...statements].filter((statement) => !/GROUP BY function_id|FROM logs ORDER BY id/.test(statement));
    for (const statement of others) {
      const steps = db.prepare(`EXPLAIN QUERY PLAN ${statement}`).all().map(({ detail }) => detail as string);
      const walks = steps.filter((step) => /\bSCAN\b/.test(step));
      // Of a search, its matches only; of a subquery, what it has found.
      for (const step of walks) {
        assert.match(step, /VIRTUAL TABLE INDEX|SCAN \(subquery-\d+\)|SCAN CONSTANT ROW/, statement);
      }
      for (const step of steps.filter((step) => /\blogs? USING|\bl USING/.test(step))) {
        assert.match(step, /function_id=\?|request_id[=>]\?|level=\?|rowid[=<>]/, `${statement}\n${step}`);
      }
      assert.ok(!statement.includes("ORDER BY") || !steps.includes("USE TEMP B-TREE FOR ORDER BY"), statement);
    }
  } finally {
    db.close();
  }
});
