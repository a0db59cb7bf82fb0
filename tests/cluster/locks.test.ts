// Locks of the cluster: one node holds each at a time, and a node that is gone holds none.

import assert from "node:assert/strict";
import type { Postgres } from "../../src/cluster/postgres/client.ts";
import { SYSTEM_CLOCKS } from "../../src/cluster/node/clock.ts";
import { type HeldLock, Locks } from "../../src/cluster/postgres/locks.ts";
import { CONFIRMED_FOR_MS, Watch } from "../../src/cluster/postgres/watch.ts";
import { parseDatabaseUrl } from "../../src/database_url.ts";
import { openTestPostgres } from "./opened.ts";
import { startPostgres } from "./postgres.ts";

const locksOf = ({ watch, schema }: Postgres, onError: (error: unknown) => void = () => {}) =>
  new Locks(watch, schema, onError);

Deno.test("one node of a schema has a lock at a time, and another one after it was released", async () => {
  await using server = await startPostgres();
  const opened = await Promise.all(["a", "a", "b"].map((schema) => openTestPostgres(server.url, schema)));
  const [one, other, elsewhere] = opened.map((postgres) => locksOf(postgres)) as [Locks, Locks, Locks];
  try {
    const lock = (await one.tryTake("rotation"))!;
    assert.ok(lock.isHeld);
    assert.equal(await one.tryTake("rotation"), undefined, "this node has it");
    assert.equal(await other.tryTake("rotation"), undefined);
    assert.ok(await other.once("pruning", (held) => Promise.resolve(held.isHeld)), "another lock");
    assert.ok(await elsewhere.once("rotation", (held) => Promise.resolve(held.isHeld)), "another cluster");
    await lock.release();
    assert.ok(!lock.isHeld && lock.signal.aborted);
    assert.ok(await other.once("rotation", (held) => Promise.resolve(held.isHeld)));
    assert.ok(await one.tryTake("rotation"));
  } finally {
    await Promise.all(opened.map((postgres) => postgres.close()));
  }
});

Deno.test("work that one node leads moves to another when its connection is lost, and comes back", async () => {
  await using server = await startPostgres();
  const opened = await Promise.all([1, 2].map(() => openTestPostgres(server.url)));
  const [one, other] = opened as [Postgres, Postgres];
  try {
    const errors: unknown[] = [];
    const leading: { node: string; lock: HeldLock }[] = [];
    let next = Promise.withResolvers<void>();
    const work = (node: string) => (lock: HeldLock) => {
      leading.push({ node, lock });
      next.resolve();
      next = Promise.withResolvers<void>();
      if (leading.length === 3) throw new Error("of the work");
    };
    let begun = next.promise;
    const first = locksOf(one).lead("git", work("one"));
    await begun;
    begun = next.promise;
    const second = locksOf(other, (error) => errors.push(error)).lead("git", work("other"));
    // Ends the first one's session; the second tries again at intervals, and when its own connection was opened.
    await server.query("SELECT pg_terminate_backend($1)", [one.watch.session!.pid]);
    await begun;
    assert.ok(leading[0]!.lock.signal.aborted && !leading[0]!.lock.isHeld);
    begun = next.promise;
    await (leading[1]!.node === "one" ? first : second)[Symbol.asyncDispose]();
    assert.ok(leading[1]!.lock.signal.aborted);
    await begun;
    assert.notEqual(leading[2]!.node, leading[1]!.node);
    await Promise.all([first, second].map((leader) => leader[Symbol.asyncDispose]()));
    assert.ok(leading[2]!.lock.signal.aborted);
    assert.deepEqual(errors.map(String), leading[2]!.node === "other" ? ["Error: of the work"] : []);
  } finally {
    await Promise.all(opened.map((postgres) => postgres.close()));
  }
});

Deno.test("a lock does not count as held after a suspend, in which PostgreSQL may have ended the session", async () => {
  await using server = await startPostgres();
  let suspendedMs = 0;
  const clocks = {
    ...SYSTEM_CLOCKS,
    uptimeS: () => SYSTEM_CLOCKS.uptimeS() + suspendedMs / 1_000,
    wallMs: () => SYSTEM_CLOCKS.wallMs() + suspendedMs,
  };
  const schema = "crude_functions";
  const watch = new Watch({ url: parseDatabaseUrl(server.url), schema }, clocks);
  try {
    await new Promise<void>((resolve) => watch.onOpen(resolve));
    const lock = (await new Locks(watch, schema, () => {}).tryTake("git"))!;
    assert.ok(lock.isHeld);
    suspendedMs = CONFIRMED_FOR_MS + 2_000;
    assert.ok(!lock.isHeld);
    // The clock of the machine can be set back by as much.
    clocks.wallMs = SYSTEM_CLOCKS.wallMs;
    assert.ok(!lock.isHeld);
  } finally {
    await watch.close();
  }
});
