// The second database: its rows, its order, its search, and that it is made anew when it cannot be used.

import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { FunctionId } from "../../src/ids.ts";
import type { LogFields } from "../../src/store/logs.ts";
import { openObservations } from "../../src/store/observations.ts";
import { temporaryFolder } from "./temporary.ts";

const NOW = () => new Date("2026-01-31T12:00:00Z");
const [ONE, TWO] = [1, 2] as FunctionId[] as [FunctionId, FunctionId];

function entry(fields: Partial<LogFields>): LogFields {
  return {
    functionId: ONE,
    requestId: null,
    keyId: null,
    level: 1,
    event: "print",
    message: "a line",
    durationMs: null,
    at: 1_000,
    ...fields,
  };
}

function temporaryObservations() {
  const folder = temporaryFolder();
  const warnings: string[] = [];
  const path = join(folder.path, "observations.db");
  const observations = openObservations(path, NOW, (message) => warnings.push(message));
  return {
    path,
    warnings,
    observations,
    logs: observations.logs,
    [Symbol.dispose]: () => {
      observations.close();
      folder[Symbol.dispose]();
    },
  };
}

Deno.test("entries come back as they were, newest first, filtered by function, request, least level and words", () => {
  using there = temporaryObservations();
  const { logs } = there;
  const rows = [
    entry({ message: "order-123 was shipped", requestId: "a" }),
    entry({ message: "wörld \u{1f600}", level: 3, functionId: TWO, requestId: "b" }),
    entry({ message: "order-124", level: 0, event: "exec_end", durationMs: 1.5, requestId: "a" }),
    entry({ message: "late", level: 2, at: 2_000 }),
  ].map((fields) => ({ ...fields, id: logs.insertAll([fields])[0]! })).reverse();
  const all = (filter: Parameters<typeof logs.list>[0], before = 1e9, limit = 10) => logs.list(filter, before, limit);
  assert.deepEqual(all({}), rows);
  assert.deepEqual(all({ functionId: TWO }), rows.filter(({ functionId }) => functionId === TWO));
  assert.deepEqual(all({ requestId: "a" }), rows.filter(({ requestId }) => requestId === "a"));
  for (const level of [0, 1, 2, 3]) {
    assert.deepEqual(all({ level }), rows.filter((row) => row.level >= level), `level ${level}`);
    assert.deepEqual(all({ level, functionId: ONE }), rows.filter((r) => r.level >= level && r.functionId === ONE));
  }
  assert.deepEqual(all({ match: '"order-12"*' }).map(({ message }) => message), ["order-124", "order-123 was shipped"]);
  assert.deepEqual(all({ match: '"order-12"*', level: 1 }).map(({ message }) => message), ["order-123 was shipped"]);
  assert.deepEqual(all({}, rows[1]!.id), rows.slice(2));
  assert.deepEqual(all({ match: '"order"*' }, rows[1]!.id).map(({ id }) => id), [rows[3]!.id]);
  assert.deepEqual(all({}, 1e9, 2), rows.slice(0, 2));
  assert.deepEqual(all({ level: 1 }, 1e9, 2), rows.filter(({ level }) => level >= 1).slice(0, 2));
});

Deno.test("what is deleted is no longer found, and ids are not used again", () => {
  using there = temporaryObservations();
  const { logs } = there;
  const ids = Array.from({ length: 5 }, (_, at) => logs.insertAll([entry({ message: "word", at })])[0]!);
  logs.insertAll([entry({ message: "word", functionId: TWO })]);
  assert.deepEqual([...logs.counts()], [[ONE, 5], [TWO, 1]]);
  assert.equal(logs.deleteOldest(ONE, 2), 2);
  assert.deepEqual(
    logs.list({ match: '"word"', functionId: ONE }, 1e9, 10).map(({ id }) => id),
    ids.slice(2).reverse(),
  );
  assert.deepEqual(logs.deleteBefore(4, 10), [ONE, ONE]);
  assert.deepEqual([...logs.counts()], [[ONE, 1], [TWO, 1]]);
  assert.equal(logs.deleteOldest(TWO, 100), 1);
  assert.ok(logs.insertAll([entry({ functionId: TWO })])[0]! > ids[4]! + 1);
});

Deno.test("the file can be read by its owner alone", () => {
  using there = temporaryObservations();
  there.logs.insertAll([entry({})]);
  for (const end of ["", "-wal", "-shm"]) assert.equal(statSync(there.path + end).mode & 0o777, 0o600, end);
});

Deno.test("a file that cannot be used is moved aside with a warning and made anew", () => {
  const broken: Record<string, (path: string) => void> = {
    "no database": (path) => writeFileSync(path, "not a database ".repeat(200)),
    "of a newer version": (path) => withFile(path, "PRAGMA user_version = 999"),
    "lacking a table": (path) => withFile(path, "DROP TABLE logs_search"),
  };
  for (const [how, spoil] of Object.entries(broken)) {
    using folder = temporaryFolder();
    const path = join(folder.path, "observations.db");
    openObservations(path, NOW, assert.fail).close();
    spoil(path);
    const before = readFileSync(path);
    const warnings: string[] = [];
    const observations = openObservations(path, NOW, (message) => warnings.push(message));
    observations.logs.insertAll([entry({})]);
    observations.close();
    const aside = "observations.db.broken-2026-01-31T12-00-00.000Z";
    assert.deepEqual(readdirSync(folder.path).sort(), ["observations.db", aside], how);
    assert.deepEqual(readFileSync(join(folder.path, aside)), before, how);
    assert.equal(warnings.length, 1, how);
    assert.ok(warnings[0]!.includes(path) && warnings[0]!.includes(aside), warnings[0]);
  }
});

Deno.test("a file whose damage shows while it is used is made anew at the next start", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "observations.db");
  let observations = openObservations(path, NOW, assert.fail);
  observations.close();
  const db = new DatabaseSync(path, { readOnly: true });
  const { page } = db.prepare("SELECT rootpage AS page FROM sqlite_schema WHERE name = 'logs'").get() as {
    page: number;
  };
  const { page_size: size } = db.prepare("PRAGMA page_size").get() as { page_size: number };
  db.close();
  writeFileSync(path, readFileSync(path).fill(0xff, (page - 1) * size, page * size));
  const warnings: string[] = [];
  observations = openObservations(path, NOW, (message) => warnings.push(message));
  for (let n = 0; n < 2; n++) {
    assert.throws(() => observations.transaction(() => observations.logs.insertAll([entry({})])), /malformed|corrupt/);
  }
  observations.close();
  assert.equal(warnings.length, 1);
  observations = openObservations(path, NOW, assert.fail);
  observations.transaction(() => observations.logs.insertAll([entry({})]));
  assert.equal(observations.logs.list({}, 1e9, 10).length, 1);
  observations.close();
});

function withFile(path: string, sql: string): void {
  const db = new DatabaseSync(path);
  db.exec(`${sql}; PRAGMA wal_checkpoint(TRUNCATE)`);
  db.close();
}
