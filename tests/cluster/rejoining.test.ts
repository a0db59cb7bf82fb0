// Nodes that were away: changes that they lack were removed, because snapshots contain them.

import assert from "node:assert/strict";
import { join } from "node:path";
import { Locks } from "../../src/cluster/postgres/locks.ts";
import { clusterId } from "../../src/cluster/postgres/schema.ts";
import { Snapshots } from "../../src/cluster/postgres/snapshots.ts";
import { SnapshotJob } from "../../src/cluster/snapshot_job.ts";
import { Passphrase } from "../../src/config.ts";
import { KeyFile } from "../../src/keyring/key_file.ts";
import { startApp } from "../http/app.ts";
import { createSecret } from "../http/handlers.ts";
import type { Server } from "../http/server.ts";
import { temporaryFolder } from "../unit/temporary.ts";
import { TestNode } from "./nodes.ts";
import { openTestPostgres } from "./opened.ts";
import { startPostgres } from "./postgres.ts";

const PASSPHRASE = "a passphrase for the tests of clusters";

async function names(server: Server): Promise<string[]> {
  const { body } = await server.api("GET", "/api/secrets");
  return body.secrets.map(({ name }: { name: string }) => name).sort();
}

Deno.test("a node that lacks removed changes starts from a snapshot, as a new one does, and serves", async () => {
  await using there = await startPostgres();
  using folders = temporaryFolder();
  const env = { DATABASE_URL: there.url, KEYRING_PASSPHRASE: PASSPHRASE };
  const start = async (name: string): Promise<Server> => {
    const folder = join(folders.path, name);
    await Deno.mkdir(folder, { recursive: true });
    return await startApp({ folder, env });
  };
  await using a = await start("a");
  {
    await using b = await start("b");
    await createSecret(a, "FIRST", "1");
    assert.deepEqual(await names(b), ["FIRST"]);
  }

  await using hung = await TestNode.create("hung", there);
  await hung.start();
  assert.deepEqual(await names(hung.server), ["FIRST"]);
  const { ended } = hung.server;
  hung.pause();

  const postgres = await openTestPostgres(there.url);
  try {
    const path = join(a.dataDir, "encryption-keys.json");
    const { keyring } = new KeyFile(path, new Passphrase(PASSPHRASE, "the test"));
    const snapshots = new Snapshots(postgres, keyring, await clusterId(postgres.lane("reads")));
    const locks = new Locks(postgres.watch, postgres.schema, () => {});
    const [reported, report] = [[] as string[], (_: string, message: string) => void reported.push(message)];
    // One is due when the log has grown by the size of the database, which takes too many changes here.
    const grown = Object.assign(snapshots, { growth: () => Promise.resolve({ entries: 1e6, bytes: 1e9 }) });
    await using job = new SnapshotJob({ snapshots: grown, locks, dataDir: a.dataDir, report });
    await createSecret(a, "SECOND", "2");
    await job.run();
    await createSecret(a, "THIRD", "3");
    await job.run();
    assert.equal(reported.length, 2);
    await createSecret(a, "FOURTH", "4");
  } finally {
    await postgres.close();
  }

  await using b = await start("b");
  assert.match(b.logs(), /The database lacks changes that were removed/);
  await using c = await start("c");
  for (const node of [b, c]) assert.deepEqual(await names(node), ["FIRST", "FOURTH", "SECOND", "THIRD"]);
  await createSecret(b, "FIFTH", "5");
  for (const node of [a, c]) assert.ok((await names(node)).includes("FIFTH"));

  // A service manager starts it again.
  hung.resume();
  assert.equal(await ended, 1);
  assert.match(hung.logs(), /this node lacks entries after \d+\. It starts from a snapshot when it is started again\./);
  await hung.start();
  assert.ok((await names(hung.server)).includes("FIFTH"));
});
