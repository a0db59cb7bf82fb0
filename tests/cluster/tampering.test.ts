// What somebody who can write to PostgreSQL, but has no keyring, does to the log: every node that reads it finds the first
// entry that is wrong, and applies nothing of it.

import assert from "node:assert/strict";
import { LogPruned, LogTampered } from "../../src/cluster/log/errors.ts";
import { findStart, verifyLog } from "../../src/cluster/verify_log.ts";
import { entryOf, testKeyring, TestNode, textOf } from "./opened.ts";
import { startPostgres, type TestPostgres } from "./postgres.ts";

/** Entries in the log of each case, of which one node has applied the first three, and another one all. */
const ENTRIES = 6;
const APPLIED = 3;

interface Case {
  readonly name: string;
  /** Statements that do it; tables are those of the case's schema. */
  readonly sql: string;
  /** The entry that a node names which has applied no entry, three, or all; undefined for one that cannot know. */
  readonly found: readonly [nothing: number | undefined, three: number | undefined, all: number | undefined];
}

const MOVE = "UPDATE log SET seq = -seq WHERE seq IN (4, 5); UPDATE log SET seq = 9 + seq WHERE seq < 0;";

const CASES: readonly Case[] = [
  { name: "a body is altered", sql: "UPDATE log SET body = body || 'x' WHERE seq = 5", found: [5, 5, undefined] },
  {
    name: "a body is made larger than a node can read in time",
    sql: "UPDATE log SET body = convert_to(repeat('x', 400000000), 'UTF8') WHERE seq = 5",
    found: [5, 5, undefined],
  },
  { name: "a summary is altered", sql: "UPDATE log SET summary = 'x' WHERE seq = 5", found: [5, 5, undefined] },
  { name: "a kind is altered", sql: "UPDATE log SET kind = 'keyring' WHERE seq = 5", found: [5, 5, undefined] },
  { name: "a MAC is altered", sql: "UPDATE log SET mac = repeat('0', 64) WHERE seq = 5", found: [5, 5, undefined] },
  { name: "an entry is dropped", sql: "DELETE FROM log WHERE seq = 5", found: [5, 5, undefined] },
  {
    name: "an entry is dropped, and later ones are renumbered",
    sql: "DELETE FROM log WHERE seq = 4; UPDATE log SET seq = seq - 1 WHERE seq > 4; UPDATE log_head SET seq = 5",
    found: [4, 4, 6],
  },
  { name: "two entries change places", sql: MOVE, found: [4, 4, undefined] },
  {
    name: "an entry is repeated",
    sql: `INSERT INTO log SELECT 7, 'another', kind, body, summary, mac FROM log WHERE seq = 6;
          UPDATE log_head SET seq = 7`,
    found: [7, 7, 7],
  },
  {
    name: "an entry is forged",
    sql: `INSERT INTO log VALUES (7, gen_random_uuid(), 'change', 'x', 'x', repeat('a', 64));
          UPDATE log_head SET seq = 7, mac = repeat('a', 64)`,
    found: [7, 7, 7],
  },
  { name: "the first entries are dropped", sql: "DELETE FROM log WHERE seq <= 4", found: [1, 4, undefined] },
  { name: "the last entry is dropped", sql: "DELETE FROM log WHERE seq = 6", found: [6, 6, undefined] },
  {
    name: "the state after entry 4 is put back from a dump",
    sql: `DELETE FROM log WHERE seq > 4;
          UPDATE log_head SET seq = 4, mac = (SELECT mac FROM log WHERE seq = 4)`,
    // Who has seen nothing cannot know: a head that was kept elsewhere shows it.
    found: [undefined, undefined, 5],
  },
  {
    name: "the head is put back",
    sql: "UPDATE log_head SET seq = 4, mac = (SELECT mac FROM log WHERE seq = 4)",
    found: [5, 5, 5],
  },
  { name: "the MAC of the head is altered", sql: "UPDATE log_head SET mac = ''", found: [6, 6, 6] },
  { name: "the head is dropped", sql: "DELETE FROM log_head", found: [1, 1, 1] },
  { name: "everything is dropped", sql: "TRUNCATE log, log_head", found: [undefined, 1, 1] },
];

/** The number of the entry that a node's reading fails with. What was read before it is as it was written. */
async function found(node: TestNode): Promise<number | undefined> {
  try {
    for (;;) {
      const from = node.applied.seq;
      const entries = await node.log.read(node.applied, 2);
      if (entries.length === 0) return undefined;
      assert.deepEqual(entries.map(textOf), entries.map((_, n) => `change ${from + n + 1}`));
      node.applied = entries.at(-1)!;
    }
  } catch (error) {
    if (error instanceof LogPruned) return node.applied.seq + 1;
    assert.ok(error instanceof LogTampered, String(error));
    assert.match(error.message, /^Entry \d+ of the log of changes .+\. Nothing of it was applied\.$/);
    return error.seq;
  }
}

async function written(server: TestPostgres, schema: string): Promise<{ seen: TestNode; part: TestNode }> {
  const seen = await TestNode.open(server.url, { schema });
  const part = await TestNode.open(server.url, { schema });
  for (let n = 1; n <= ENTRIES; n++) {
    seen.applied = await seen.append(`change ${n}`);
    if (n === APPLIED) await part.catchUp();
  }
  return { seen, part };
}

Deno.test("each manipulation of the log is found by every node that can know of it", async (t) => {
  await using server = await startPostgres({ settings: { max_connections: "200" } });
  for (const [index, { name, sql, found: expected }] of CASES.entries()) {
    await t.step(name, async () => {
      const schema = `case_${index}`;
      const { seen, part } = await written(server, schema);
      await server.query(`SET search_path = ${schema}; ${sql}`);
      const fresh = await TestNode.open(server.url, { schema });
      try {
        assert.deepEqual([await foundAtStart(fresh), await found(part), await found(seen)], expected);
        // A writer checks the head before, and stores nothing.
        if (expected[2] === undefined) return;
        const before = await server.query(`SELECT count(*)::int AS n FROM ${schema}.log`);
        await assert.rejects(seen.append("new"), { code: "LogTampered", seq: expected[2] });
        assert.deepEqual(await server.query(`SELECT count(*)::int AS n FROM ${schema}.log`), before);
      } finally {
        for (const node of [seen, part, fresh]) await node[Symbol.asyncDispose]();
      }
    });
  }
});

/** A node without data. */
async function foundAtStart(node: TestNode): Promise<number | undefined> {
  try {
    await findStart(node.log, node.snapshots);
  } catch (error) {
    assert.ok(error instanceof LogTampered, String(error));
    return error.seq;
  }
  return await found(node);
}

Deno.test("entries of another keyring are refused from the first one on", async () => {
  await using server = await startPostgres();
  await using one = await TestNode.open(server.url);
  await one.append("change 1");
  await using other = await TestNode.open(server.url, { keyring: testKeyring(7) });
  assert.equal(await found(other), 1);
  await assert.rejects(other.append("of another"), { code: "LogTampered", seq: 1 });
});

Deno.test("a standby that lacks an acknowledged change is refused when it is promoted", async () => {
  await using server = await startPostgres();
  await using standby = await server.startStandby({ synchronous: false });
  const both = server.url.replace(/\/crude$/, `,127.0.0.1:${standby.port}/crude`);
  await using node = await TestNode.open(both);
  node.applied = await node.append("on both");
  // It receives everything up to here when it starts, and nothing later.
  await standby.hasReceived(server);
  await standby.stop();
  node.applied = await node.append("acknowledged");
  await server.stop();
  await standby.restart();
  await standby.promote();
  await assert.rejects(node.catchUp(), (error: Error) => {
    assert.match(error.message, /^Entry 2 of the log of changes is missing: .* ends with entry 1, but .* entry 2\. /);
    assert.match(error.message, /a standby without the last changes was promoted/);
    return true;
  });
  await assert.rejects(node.log.exclusively((log) => log.append(node.applied, entryOf("later"))), { seq: 2 });
});

Deno.test("verification checks all that is kept, and a head that was kept elsewhere", async () => {
  await using server = await startPostgres();
  await using node = await TestNode.open(server.url);
  const heads = [];
  for (let n = 1; n <= 4; n++) heads.push(node.applied = await node.append(`change ${n}`));
  const verify = (expected?: { seq: number; mac: string }) => verifyLog(node.log, node.snapshots, { expected });
  const { seq, mac } = heads[3]!;
  assert.deepEqual(await verify(), { head: { seq, mac }, entries: 4, snapshots: 0, isExpectedGone: false });
  for (const head of [node.log.start, ...heads]) assert.equal((await verify(head)).isExpectedGone, false);
  await assert.rejects(verify({ seq: 2, mac: heads[2]!.mac }), { seq: 2 });
  await assert.rejects(verify({ seq: 0, mac: heads[2]!.mac }), { seq: 0 });
  // Who has nothing else than PostgreSQL finds an old dump by the head alone.
  await server.query(`SET search_path = crude_functions; DELETE FROM log WHERE seq > 2;
    UPDATE log_head SET seq = 2, mac = (SELECT mac FROM log WHERE seq = 2)`);
  assert.equal((await verify()).head.seq, 2);
  await assert.rejects(verify(heads[3]), { seq: 3, message: /ends before it, though entry 4 existed/ });
  assert.deepEqual((await node.log.read(node.log.start, 9)).map(textOf), ["change 1", "change 2"]);
});
