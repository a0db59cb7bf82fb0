// That nothing but counts is lost where their database fails, and that this is told without flooding the log.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { FunctionId, SecretId } from "../../src/ids.ts";
import { bestEffort } from "../../src/best_effort.ts";
import { Metrics } from "../../src/telemetry/metrics.ts";
import { Reads } from "../../src/telemetry/reads.ts";
import { openObservations } from "../../src/store/observations.ts";
import { temporaryFolder } from "./temporary.ts";

Deno.test("a failure is told once a minute, and what succeeds gives its result", () => {
  const clock = { at: 0 };
  const told: unknown[] = [];
  const attempt = bestEffort(() => clock.at, (error) => told.push(error));
  assert.equal(attempt(() => 7), 7);
  for (clock.at = 0; clock.at < 180_000; clock.at += 1_000) {
    assert.equal(
      attempt(() => {
        throw new Error("no");
      }),
      undefined,
    );
  }
  assert.equal(told.length, 3);
});

Deno.test("with a damaged database calls are counted in vain, and nothing throws", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "observations.db");
  openObservations(path, () => new Date(0), assert.fail).close();
  damage(path, ["metrics", "metrics_progress", "secret_reads", "secret_read_days", "secret_last_reads"]);
  const warnings: string[] = [];
  const observations = openObservations(path, () => new Date(0), (message) => warnings.push(message));
  const errors: unknown[] = [];
  const options = {
    transaction: <T>(work: () => T): T => observations.transaction(work),
    now: () => Date.now(),
    delayMs: () => 1_000,
    retentionDays: () => 90,
    attempt: bestEffort(Date.now, (error) => errors.push(error)),
  };
  const metrics = new Metrics({ ...options, store: observations.metrics, isFunction: () => true });
  const reads = new Reads({ ...options, store: observations.secretReads, isSecret: () => true });
  const [f, s] = [1 as FunctionId, 1 as SecretId];
  metrics.ended(f, "ok", 5);
  reads.record(s, f, undefined);
  metrics.flush();
  reads.flush();
  assert.equal(metrics.summary(undefined, Date.now()).calls, 0);
  assert.deepEqual(metrics.busiest(Date.now(), 9), {
    functions: { listed: [], more: false },
    keys: { listed: [], more: false },
  });
  assert.deepEqual(metrics.callsSince(f, Date.now()), { calls: 0, errors: 0 });
  assert.deepEqual([...reads.of([s])], []);
  // Nobody shall delete a secret because its reads are not known.
  assert.equal(reads.unusedSince(Date.now() - 86_400_000)({ id: s, createdAt: 0 }), false);
  metrics.forget(f);
  assert.equal(errors.length, 1);
  assert.equal(warnings.length, 1);
  observations.close();
});

/** Overwrites the first page of each table. */
function damage(path: string, tables: readonly string[]): void {
  const db = new DatabaseSync(path);
  // As if reads had been counted for ever.
  db.exec("UPDATE secret_reads_begin SET at = 0; PRAGMA wal_checkpoint(TRUNCATE)");
  const root = db.prepare("SELECT rootpage AS page FROM sqlite_schema WHERE name = ?");
  const pages = tables.map((table) => (root.get(table) as { page: number }).page);
  const { page_size: size } = db.prepare("PRAGMA page_size").get() as { page_size: number };
  db.close();
  const bytes = readFileSync(path);
  for (const page of pages) bytes.fill(0xff, (page - 1) * size, page * size);
  writeFileSync(path, bytes);
}
