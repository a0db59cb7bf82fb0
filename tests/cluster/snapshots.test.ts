// Snapshots in PostgreSQL: a new node starts from the newest one, old entries are removed, and none but those that were
// stored by a holder of the keyring is accepted.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { LogPruned } from "../../src/cluster/log/errors.ts";
import { findRestart, findStart, verifyLog } from "../../src/cluster/verify_log.ts";
import { Locks } from "../../src/cluster/postgres/locks.ts";
import { HEAD_META } from "../../src/cluster/replica/replica.ts";
import { isDue, SnapshotJob } from "../../src/cluster/snapshot_job.ts";
import { SCHEMA_VERSION } from "../../src/store/schema.ts";
import { openSnapshot } from "../../src/store/snapshot.ts";
import { openStoreAt, temporaryFolder } from "../unit/temporary.ts";
import { testKeyring, TestNode, textOf } from "./opened.ts";
import { startPostgres } from "./postgres.ts";

/** Larger than a chunk, and no multiple of its size. */
const SIZE = 2_500_000;

/** Appends an entry, and stores a file as the snapshot after it. */
async function snapshotAfter(node: TestNode, text: string, folder: string): Promise<Uint8Array> {
  node.applied = await node.append(text);
  const { seq, mac } = node.applied;
  const content = new Uint8Array(SIZE).map((_, n) => (n * 31 + seq) % 251);
  const path = join(folder, `${seq}.db`);
  await Deno.writeFile(path, content);
  await node.snapshots.store({ seq, mac }, 12, path);
  return content;
}

Deno.test("a new node starts from the newest snapshot, and entries before the last two are removed", async () => {
  await using server = await startPostgres();
  await using node = await TestNode.open(server.url);
  using folder = temporaryFolder();
  assert.equal(await findStart(node.log, node.snapshots), undefined);
  await snapshotAfter(node, "change 1", folder.path);
  assert.equal(await node.snapshots.prune(), 0, "a single one may turn out to be damaged");
  for (const n of [2, 3]) await snapshotAfter(node, `change ${n}`, folder.path);
  const content = await snapshotAfter(node, "change 4", folder.path);
  await node.append("change 5");
  assert.equal(await node.snapshots.prune(), 3);
  assert.deepEqual((await node.snapshots.list()).map(({ head }) => head.seq), [4, 3]);

  await using fresh = await TestNode.open(server.url);
  await assert.rejects(fresh.catchUp(), (error: Error) => error instanceof LogPruned);
  const newest = (await findStart(fresh.log, fresh.snapshots))!;
  assert.deepEqual([newest.head.seq, newest.schema, newest.size], [4, 12, SIZE]);
  const path = join(folder.path, "fetched.db");
  assert.ok(await fresh.snapshots.fetch(newest, path));
  assert.deepEqual(await Deno.readFile(path), content);
  assert.equal((await Deno.stat(path)).mode! & 0o777, 0o600);
  fresh.applied = newest.head;
  assert.deepEqual((await fresh.catchUp()).map(textOf), ["change 5"]);
  assert.deepEqual(await verifyLog(fresh.log, fresh.snapshots, { expected: { seq: 1, mac: "" } }), {
    head: { seq: 5, mac: fresh.applied.mac },
    entries: 2,
    snapshots: 2,
    isExpectedGone: true,
  });
  // A node that was away starts again from the snapshot only if it lacks entries that were removed.
  assert.equal((await findRestart(fresh.log, fresh.snapshots, fresh.log.start))!.head.seq, 4);
  assert.equal(await findRestart(fresh.log, fresh.snapshots, fresh.applied), undefined);
  await assert.rejects(findRestart(fresh.log, fresh.snapshots, { seq: 9, mac: fresh.applied.mac }), { seq: 6 });
  // One that is removed while a node reads it is no attack.
  for (const n of [6, 7]) await snapshotAfter(node, `change ${n}`, folder.path);
  await node.snapshots.prune();
  assert.equal(await fresh.snapshots.fetch(newest, join(folder.path, "gone.db")), false);
  assert.ok(!existsSync(join(folder.path, "gone.db")));
});

Deno.test("a snapshot that was forged, altered, or belongs to an older state is refused", async () => {
  await using server = await startPostgres();
  await using node = await TestNode.open(server.url);
  using folder = temporaryFolder();
  await snapshotAfter(node, "change 1", folder.path);
  await snapshotAfter(node, "change 2", folder.path);
  const run = (sql: string) => server.query(`SET search_path = crude_functions; ${sql}`);
  await run("CREATE TABLE old AS SELECT * FROM snapshots; CREATE TABLE old_chunks AS SELECT * FROM snapshot_chunks");
  const put = "DELETE FROM snapshots; INSERT INTO snapshots SELECT * FROM old; DELETE FROM snapshot_chunks; " +
    "INSERT INTO snapshot_chunks SELECT * FROM old_chunks";

  const forged = [
    "UPDATE snapshots SET sha256 = repeat('0', 64) WHERE seq = 2",
    "UPDATE snapshots SET size = 1 WHERE seq = 2",
    "UPDATE snapshots SET format = 1 WHERE seq = 2",
    "UPDATE snapshots SET entry_mac = repeat('0', 64) WHERE seq = 2",
    "UPDATE snapshots SET mac = 'é' WHERE seq = 2",
    "UPDATE snapshots SET seq = 9 WHERE seq = 2",
  ];
  const refused = (seq: number) => ({
    code: "LogTampered",
    seq,
    message: /^The snapshot of the database after entry /,
  });
  for (const sql of forged) {
    await run(sql);
    await assert.rejects(findStart(node.log, node.snapshots), refused(sql.includes("seq = 9") ? 9 : 2), sql);
    await run(put);
  }

  const altered = [
    "UPDATE snapshot_chunks SET body = set_byte(body, 7, 255) WHERE seq = 2 AND n = 1",
    "UPDATE snapshot_chunks SET body = body || 'x' WHERE seq = 2 AND n = 2",
    "DELETE FROM snapshot_chunks WHERE seq = 2 AND n = 2",
    "UPDATE snapshot_chunks SET n = 7 - n WHERE seq = 2; UPDATE snapshot_chunks SET n = n - 5 WHERE seq = 2",
  ];
  const path = join(folder.path, "fetched.db");
  for (const sql of altered) {
    await run(sql);
    const newest = (await node.snapshots.list())[0]!;
    await assert.rejects(node.snapshots.fetch(newest, path), refused(2), sql);
    assert.ok(!existsSync(path));
    await assert.rejects(verifyLog(node.log, node.snapshots), refused(2), sql);
    await run(put);
  }

  // An old one, with a log that begins later.
  for (const n of [3, 4]) await snapshotAfter(node, `change ${n}`, folder.path);
  await node.append("change 5");
  await node.snapshots.prune();
  assert.equal((await findStart(node.log, node.snapshots))!.head.seq, 4);
  await run(put);
  await assert.rejects(findStart(node.log, node.snapshots), { code: "LogTampered", seq: 3 });
  await run("DELETE FROM snapshots");
  await assert.rejects(findStart(node.log, node.snapshots), { code: "LogTampered", seq: 1 });

  await using other = await TestNode.open(server.url, { keyring: testKeyring(7) });
  await run(put);
  await assert.rejects(other.snapshots.list(), { code: "LogTampered" });
});

Deno.test("a node stores its database when the log has grown, as of the entry that it has applied then", async () => {
  await using server = await startPostgres();
  await using node = await TestNode.open(server.url);
  using folder = temporaryFolder();
  const database = join(folder.path, "database.db");
  const { store } = openStoreAt(database);
  try {
    const locks = new Locks(node.postgres.watch, node.postgres.schema, () => {});
    const reported: string[] = [];
    const report = (_: string, message: string) => void reported.push(message);
    await using job = new SnapshotJob({
      snapshots: node.snapshots,
      locks,
      dataDir: folder.path,
      growthMinBytes: 1_000_000,
      report,
    });
    const grow = async () => {
      const { seq, mac } = node.applied = await node.append("x".repeat(1_500_000));
      store.meta.put(HEAD_META, JSON.stringify({ seq, mac }));
    };
    await node.append("small");
    await job.run();
    assert.deepEqual(await node.snapshots.list(), []);
    await grow();
    // Another node is at it.
    const taken = (await locks.tryTake("snapshots"))!;
    await job.run();
    assert.deepEqual(await node.snapshots.list(), []);
    await taken.release();

    await job.run();
    await job.run();
    const [first, ...others] = await node.snapshots.list();
    assert.deepEqual([first!.head, first!.schema, others], [{ seq: 2, mac: node.applied.mac }, SCHEMA_VERSION, []]);
    await grow();
    await job.run();
    assert.deepEqual((await node.snapshots.list()).map(({ head }) => head.seq), [3, 2]);
    assert.deepEqual(reported.map((message) => message.replace(/\(\d+ bytes\)/, "")), [
      "A snapshot after change 2 was stored , and 0 changes before were removed.",
      "A snapshot after change 3 was stored , and 2 changes before were removed.",
    ]);
    const path = join(folder.path, "fetched.db");
    await node.snapshots.fetch((await node.snapshots.list())[0]!, path);
    using copy = openSnapshot(path);
    assert.deepEqual(JSON.parse(copy.meta(HEAD_META)!), { seq: 3, mac: node.applied.mac });
    assert.ok(!existsSync(`${database}.copy`));
    await grow();
    Deno.renameSync(database, `${database}.moved`);
    await assert.rejects(job.run(), /There is no database at/);
    Deno.renameSync(`${database}.moved`, database);
    assert.deepEqual(reported.length, 2);
  } finally {
    store.close();
  }
});

Deno.test("a snapshot is due when applying the log takes longer than fetching one", () => {
  const megabyte = 1_024 * 1_024;
  assert.ok(!isDue(undefined, { entries: 1_000, bytes: megabyte }));
  assert.ok(isDue(undefined, { entries: 5_000, bytes: 4 * megabyte }));
  assert.ok(!isDue({ size: 500 * megabyte }, { entries: 5_000, bytes: 100 * megabyte }));
  assert.ok(isDue({ size: 500 * megabyte }, { entries: 100_000, bytes: 110 * megabyte }));
});
