// The log of changes in PostgreSQL: order, notifications, and what callers get when PostgreSQL is away.

import assert from "node:assert/strict";
import { type ChangeLog } from "../../src/cluster/log/change_log.ts";
import { newEntryId } from "../../src/cluster/log/entry.ts";
import { StoreUnavailable } from "../../src/cluster/log/errors.ts";
import { uncheckedKeyring } from "../../src/cluster/postgres/postgres_log.ts";
import { entryOf, TestNode, textOf } from "./opened.ts";
import { startPostgres, type TestPostgres } from "./postgres.ts";

/** Resolves when the log has notified of an entry of at least this number. */
function appended(log: ChangeLog, seq: number): Promise<void> {
  return new Promise((resolve) => {
    const stop = log.onAppended((now) => {
      if (now < seq) return;
      stop();
      resolve();
    });
  });
}

Deno.test("nodes that append at the same time make one log without gaps, and each is notified", async () => {
  await using server = await startPostgres();
  await using one = await TestNode.open(server.url);
  await using other = await TestNode.open(server.url);
  const notified = Promise.all([appended(one.log, 40), appended(other.log, 40)]);
  const entries = await Promise.all(
    Array.from({ length: 40 }, (_, n) => (n % 2 === 0 ? one : other).append(`change ${n}`)),
  );
  await notified;
  assert.deepEqual(entries.map(({ seq }) => seq).sort((a, b) => a - b), Array.from({ length: 40 }, (_, n) => n + 1));
  await using late = await TestNode.open(server.url);
  const all = await late.catchUp();
  assert.deepEqual(all.map(textOf).sort(), entries.map(textOf).sort());
  assert.deepEqual(await late.log.head(), { seq: 40, mac: all.at(-1)!.mac });
  assert.equal(await late.log.findById(entries[7]!.id), entries[7]!.seq);
  assert.equal(await late.log.findById(newEntryId()), undefined);
});

Deno.test("work that throws stores nothing, work may append several entries or none, and the keyring's last is kept", async () => {
  await using server = await startPostgres();
  await using node = await TestNode.open(server.url);
  await assert.rejects(
    node.log.exclusively(async (log) => {
      await log.append(node.applied, entryOf("never"));
      throw new Error("of the work");
    }),
    { message: "of the work" },
  );
  assert.equal(await node.log.exclusively((log) => Promise.resolve(log.head.seq)), 0);
  assert.equal(await uncheckedKeyring(node.postgres), undefined);
  await node.log.exclusively(async (log) => {
    const first = await log.append(node.applied, { ...entryOf("keys 1"), kind: "keyring" });
    const second = await log.append(first, { ...entryOf("keys 2"), kind: "keyring" });
    await log.append(second, entryOf("x".repeat(10_000_000)));
    await log.append(second, entryOf("wrong")).then(() => assert.fail(), () => {});
  });
  assert.equal(new TextDecoder().decode(await uncheckedKeyring(node.postgres)), "keys 2");
  await assert.rejects(
    node.log.exclusively((log) => log.append(log.head, { ...entryOf(""), body: new Uint8Array(64 * 1024 * 1024 + 1) })),
    { code: "PayloadTooLarge", status: 413 },
  );
  // The large one is read alone.
  assert.deepEqual((await node.log.read(node.log.start, 10)).map(({ seq }) => seq), [1, 2, 3]);
  assert.deepEqual((await node.log.read(node.log.start, 2)).map(({ seq }) => seq), [1, 2]);
});

Deno.test("work that takes long runs once more with more time, and is stored once", async () => {
  await using server = await startPostgres();
  await using node = await TestNode.open(server.url);
  let runs = 0;
  const entry = await node.log.exclusively(async (log) => {
    runs++;
    // Longer than PostgreSQL waits for a silent writer.
    await new Promise((resolve) => setTimeout(resolve, 2_700));
    return await log.append(node.applied, entryOf("slow"));
  });
  assert.deepEqual([runs, entry.seq], [2, 1]);
  assert.deepEqual((await node.catchUp()).map(textOf), ["slow"]);
});

Deno.test("while PostgreSQL is away changes are refused, and afterwards everything continues", async () => {
  await using server = await startPostgres();
  await using node = await TestNode.open(server.url);
  await node.append("before");
  await server.kill();
  const refused = { name: "AppError", code: "StoreUnavailable", status: 503, outcome: "none" };
  await Promise.all([
    ...[1, 2, 3].map(() => assert.rejects(node.append("meanwhile"), refused)),
    assert.rejects(node.log.read(node.applied, 1), refused),
  ]);
  const notified = appended(node.log, 1);
  await server.restart();
  await notified;
  // Silent, with its connections open.
  server.pause();
  await assert.rejects(node.append("meanwhile"), refused);
  server.resume();
  assert.equal((await node.append("after")).seq, 2);
  assert.deepEqual((await node.catchUp()).map(textOf), ["after"]);
});

Deno.test("a commit that the connection did not survive is looked up: nothing was stored", async () => {
  await using server = await startPostgres();
  await using node = await TestNode.open(server.url);
  // The server's process of this connection dies in the middle of the commit, before or after it is stored.
  await server.query(`
    CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
      BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(60); RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER die AFTER INSERT ON crude_functions.log DEFERRABLE INITIALLY DEFERRED
      FOR EACH ROW EXECUTE FUNCTION die()`);
  await assert.rejects(node.append("not stored"), (error: Error) => {
    assert.ok(error instanceof StoreUnavailable);
    assert.equal(error.outcome, "none");
    return true;
  });
  await server.query("DROP TRIGGER die ON crude_functions.log");
  assert.equal((await node.append("stored")).seq, 1);
});

Deno.test("a commit whose answer does not come is found, or its outcome is unknown", async () => {
  await using server = await startPostgres();
  await using node = await TestNode.open(server.url);
  await using standby = await server.startStandby({ synchronous: true });
  try {
    await node.append("confirmed by the standby");
    standby.pause();
    // The commit waits for the standby, longer than the node waits for the commit; the look-up waits for the commit.
    const found = node.append("found");
    await isWaiting(server, "Lock");
    standby.resume();
    assert.equal((await found).seq, 2);

    standby.pause();
    const unknown = node.append("in doubt");
    await isWaiting(server, "IPC");
    await assert.rejects(unknown, { code: "StoreUnavailable", outcome: "unknown", details: { outcome: "unknown" } });
    const after = node.append("after");
    standby.resume();
    assert.equal((await after).seq, 4);
    assert.deepEqual((await node.log.read(node.log.start, 9)).map(textOf).slice(2), ["in doubt", "after"]);
  } finally {
    standby.resume();
  }
});

/** Resolves once a session of the role waits for a lock (`Lock`), or for the standby (`IPC`). */
async function isWaiting(server: TestPostgres, kind: "IPC" | "Lock"): Promise<void> {
  const text = `SELECT 1 FROM pg_stat_activity WHERE usename = 'crude' AND wait_event_type = '${kind}'`;
  while ((await server.query(text)).length === 0);
}
