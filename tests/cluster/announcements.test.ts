// Entries that come with their notifications, and acknowledgments by notification alone.

import assert from "node:assert/strict";
import postgres from "postgres";
import type { Entry } from "../../src/cluster/log/change_log.ts";
import { RowMacs, type RowsAtAppend, type StoredRow } from "../../src/cluster/node/node_row.ts";
import { PostgresNodeTable } from "../../src/cluster/postgres/node_table.ts";
import { openPostgresLog } from "../../src/cluster/postgres/postgres_log.ts";
import { entryOf, testKeyring, TestNode, textOf } from "./opened.ts";
import { startPostgres } from "./postgres.ts";

/** Collects what a node is notified of. */
class Heard {
  readonly all: { seq: number; announced: Entry | undefined }[] = [];
  #arrived = Promise.withResolvers<void>();

  constructor({ log }: TestNode) {
    log.onAppended((seq, announced) => {
      this.all.push({ seq, announced: announced?.() });
      this.#arrived.resolve();
      this.#arrived = Promise.withResolvers();
    });
  }

  /** Resolves once it was notified so many times. */
  async times(count: number): Promise<void> {
    while (this.all.length < count) await this.#arrived.promise;
  }
}

Deno.test("an entry comes with its notification, encrypted, unless it is large", async () => {
  await using server = await startPostgres();
  await using one = await TestNode.open(server.url);
  await using other = await TestNode.open(server.url);
  await using stranger = await TestNode.open(server.url, { keyring: testKeyring(5), schema: "other" });
  const heard = new Heard(other);
  const payloads: string[] = [];
  // Any role that can connect hears them.
  const sql = postgres(server.url, { max: 1, fetch_types: false });
  try {
    await sql.listen("crude_functions", (payload) => payloads.push(payload));
    const texts = ["short", "x".repeat(4_000), "y".repeat(5_700), "z".repeat(5_701), "short again"];
    const entries: Entry[] = [];
    for (const text of texts) entries.push(await one.append(text));
    await heard.times(texts.length);
    assert.deepEqual(heard.all.map(({ seq }) => seq), [1, 2, 3, 4, 5]);
    for (const [index, { announced }] of heard.all.entries()) {
      if (!announced) assert.ok(entries[index]!.body.length > 5_000, "only large ones come without");
      else assert.deepEqual(announced, entries[index]);
    }
    assert.deepEqual([heard.all[1]!.announced, heard.all[3]!.announced].map((one) => one !== undefined), [true, false]);
    // One after the other, as this connection is another one.
    while (payloads.length < texts.length) await sql`SELECT 1`;
    for (const [index, payload] of payloads.entries()) {
      const [kind, seq, sealed = ""] = payload.split(" ");
      assert.deepEqual([kind, seq], ["log", String(index + 1)]);
      const bytes = Uint8Array.fromBase64(sealed);
      for (const known of ["a test", "short", "xxxx", entries[index]!.id, entries[index]!.mac]) {
        assert.ok(!new TextDecoder("latin1").decode(bytes).includes(known), `${known} is readable`);
      }
      assert.equal(stranger.chain.announcements.open(sealed), undefined, "another cluster's");
      if (sealed === "") continue;
      assert.deepEqual(other.chain.announcements.open(sealed), entries[index]);
      for (const at of [0, 15, 16, bytes.length >> 1, bytes.length - 1]) {
        const altered = bytes.slice();
        altered[at]! ^= 1;
        assert.equal(other.chain.announcements.open(altered.toBase64()), undefined, `byte ${at} was altered`);
      }
    }
    for (const text of ["", "x", "AAAA", "A".repeat(60)]) assert.equal(other.chain.announcements.open(text), undefined);
  } finally {
    await sql.end();
  }
});

Deno.test("what anyone else notifies of follows nothing, and what was not committed is not announced", async () => {
  await using server = await startPostgres();
  await using one = await TestNode.open(server.url);
  await using other = await TestNode.open(server.url);
  const heard = new Heard(other);
  const first = await one.append("first");
  await heard.times(1);
  await assert.rejects(one.log.exclusively(async (log) => {
    await log.append(one.applied, entryOf("taken back"));
    throw new Error("of the work");
  }));
  const forged = [
    ...["2 x", "2", "-1", "", "x", "1e300 AAAA"],
    `2 ${other.chain.announcements.seal({ ...first, seq: 2 })}`,
    `1 ${other.chain.announcements.seal(first)}`,
  ];
  for (const payload of forged) {
    await server.query("SELECT pg_notify('crude_functions', $1)", [`log ${payload}` as never]);
  }
  await heard.times(1 + forged.length);
  for (const { announced } of heard.all.slice(1)) assert.ok(!announced || !other.log.follows(first, announced));
  const second = await one.append("second");
  await heard.times(2 + forged.length);
  const { announced } = heard.all.at(-1)!;
  assert.deepEqual(announced, second);
  assert.deepEqual([other.log.follows(first, announced!), other.log.follows(second, announced!)], [true, false]);
  assert.deepEqual((await other.catchUp()).map(textOf), ["first", "second"]);
});

Deno.test("an append tells how the rows of all nodes were while it had the lock, and a failed one does not", async () => {
  await using server = await startPostgres();
  await using node = await TestNode.open(server.url);
  const table = new PostgresNodeTable(node.postgres);
  const log = await openPostgresLog(node.postgres, node.chain, table);
  const macs = new RowMacs(testKeyring().derive("cluster nodes"), log.cluster);
  const row = (id: string, applied: number) => ({
    ...{ id, instance: `${id} 1`, url: "", version: "1", schema: 1, startedAt: 0, counter: 1, left: false },
    applied,
  });
  const told: RowsAtAppend[] = [];
  table.onAppend((rows) => told.push(rows));
  const append = (fails = false) =>
    log.exclusively(async (locked) => {
      await node.catchUp();
      const entry = await locked.append(node.applied, entryOf("x"));
      if (fails) throw new Error("of the work");
      return entry;
    });
  await append();
  // It has the lock while the other one waits for it.
  const joined = table.join(row("a", 1), macs.of(row("a", 1)), undefined);
  await Promise.all([joined, append()]);
  await assert.rejects(append(true));
  await append();
  assert.deepEqual(told.map(({ seq }) => seq), [1, 2, 3]);
  const ids = told.map(({ rows }) => rows.map(({ id }) => id));
  assert.deepEqual([ids[0], ids[2]], [[], ["a"]]);
  // Whoever came first: a node that joins after the append starts with the entry.
  assert.deepEqual((await joined)!.seq >= 2 ? [] : ["a"], ids[1]);
  for (const { asked, answered, rows } of told) {
    assert.ok(asked <= answered);
    macs.check(rows);
  }
});

Deno.test("an acknowledgment is believed by its MAC, reaches all nodes and stores nothing", async () => {
  await using server = await startPostgres();
  await using one = await TestNode.open(server.url);
  await using other = await TestNode.open(server.url);
  const [table, listening] = [new PostgresNodeTable(one.postgres), new PostgresNodeTable(other.postgres)];
  const macs = new RowMacs(testKeyring().derive("cluster nodes"), one.log.cluster);
  const heard: (Omit<StoredRow, "renewedMsAgo"> | undefined)[] = [];
  const arrived = Promise.withResolvers<void>();
  listening.onChanged((row) => {
    if (row?.applied === 7) arrived.resolve();
    heard.push(row);
  });
  const row = {
    ...{ id: "a", instance: "a 1", url: "", version: "1", schema: 1, startedAt: 0, counter: 1, left: false },
    applied: 3,
  };
  await table.join(row, macs.of(row), undefined);
  await table.acknowledge({ ...row, applied: 7 }, macs.of({ ...row, applied: 7 }));
  await arrived.promise;
  macs.check([heard.at(-1)!]);
  assert.throws(() => macs.check([{ ...heard.at(-1)!, applied: 8 }]), { code: "LogTampered" });
  assert.deepEqual((await table.list()).map(({ applied }) => applied), [3]);
});
