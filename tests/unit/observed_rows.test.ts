// How the counts' statements find their rows: none walks a table that grows with every minute.

import assert from "node:assert/strict";
import { join } from "node:path";
import { Database } from "../../src/store/database.ts";
import { createMetricStore } from "../../src/store/metrics.ts";
import { MIGRATIONS } from "../../src/store/observations.ts";
import { createSecretReadStore } from "../../src/store/secret_reads.ts";
import { temporaryFolder } from "./temporary.ts";

Deno.test("no statement on counts walks a whole table", () => {
  using folder = temporaryFolder();
  const db = Database.open(join(folder.path, "observations.db"), {
    migrations: MIGRATIONS,
    synchronous: "NORMAL",
    checkpointPages: 1_000,
  });
  try {
    const statements: string[] = [];
    const watched = {
      prepare(sql: string) {
        statements.push(sql);
        return db.prepare(sql);
      },
    } as Database;
    createMetricStore(watched), createSecretReadStore(watched);
    assert.ok(statements.length > 20);
    // Of one row each, or each node; what a part of the same statement has found; and a list that the statement is given.
    const tiny = /\bSCAN (metrics_progress|(node_)?secret_reads_begin|\(subquery-\d+\)|json_each VIRTUAL TABLE)/;
    // Whether there is any row is known after the first one.
    for (const statement of statements.filter((statement) => !statement.startsWith("SELECT EXISTS (SELECT 1 FROM"))) {
      const steps = db.prepare(`EXPLAIN QUERY PLAN ${statement}`).all().map(({ detail }) => detail as string);
      for (const step of steps) assert.ok(!/\bSCAN\b/.test(step) || tiny.test(step), `${statement}\n${step}`);
    }
    const page = statements.find((statement) => statement.includes("key_id DESC LIMIT"))!;
    const [plan] = db.prepare(`EXPLAIN QUERY PLAN ${page}`).all() as [{ detail: string }];
    assert.match(plan.detail, /USING PRIMARY KEY \(secret_id=\? AND at<\?\)/);
  } finally {
    db.close();
  }
});
