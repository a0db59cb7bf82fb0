// What runs once however many nodes there are, by locks of a real PostgreSQL.

import assert from "node:assert/strict";
import { createOncePerCluster } from "../../src/app/cluster/once.ts";
import { Locks } from "../../src/cluster/postgres/locks.ts";
import type { OncePerCluster } from "../../src/once_per_cluster.ts";
import { openTestPostgres } from "./opened.ts";
import { startPostgres, type TestPostgres } from "./postgres.ts";

interface Node extends AsyncDisposable {
  readonly once: OncePerCluster;
}

async function openNode(there: TestPostgres): Promise<Node> {
  const opened = new AsyncDisposableStack();
  const postgres = await openTestPostgres(there.url);
  opened.defer(() => postgres.close());
  const locks = new Locks(postgres.watch, postgres.schema, (error) => assert.fail(String(error)));
  return { once: createOncePerCluster(opened, locks), [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

async function until(is: () => boolean): Promise<void> {
  while (!is()) await new Promise((resolve) => setTimeout(resolve, 10));
}

Deno.test("one node leads, and another one takes over when it ends", async () => {
  await using postgres = await startPostgres();
  const nodes = [await openNode(postgres), await openNode(postgres)];
  try {
    await until(() => nodes.some(({ once }) => once.leads));
    const [leader] = nodes.filter(({ once }) => once.leads);
    const [other] = nodes.filter((node) => node !== leader);
    assert.equal(other!.once.leads, false);
    await leader![Symbol.asyncDispose]();
    assert.equal(leader!.once.leads, false);
    await until(() => other!.once.leads);
  } finally {
    for (const node of nodes) await node[Symbol.asyncDispose]();
  }
});

Deno.test("work of one name runs on one node at a time, all of it, and who waits can be stopped", async () => {
  await using postgres = await startPostgres();
  await using a = await openNode(postgres);
  await using b = await openNode(postgres);
  const { signal } = new AbortController();
  let [running, most] = [0, 0];
  const work = async (result: number) => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setTimeout(resolve, 20));
    running--;
    return result;
  };
  const results = await Promise.all([a, b, a].map(({ once }, n) => once.exclusively("git", () => work(n), signal)));
  assert.deepEqual([results, most], [[0, 1, 2], 1]);
  await assert.rejects(a.once.exclusively("git", () => Promise.reject(new Error("failed")), signal), /failed/);
  const [held, stopping] = [Promise.withResolvers<void>(), new AbortController()];
  const started = Promise.withResolvers<void>();
  const holding = a.once.exclusively("git", () => (started.resolve(), held.promise), signal);
  await started.promise;
  const waiting = b.once.exclusively("git", () => assert.fail(), stopping.signal);
  stopping.abort(new Error("stopped"));
  await assert.rejects(waiting, /stopped/);
  held.resolve();
  await holding;
});
