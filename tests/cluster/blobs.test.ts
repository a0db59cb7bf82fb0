// Contents of code in PostgreSQL, as two nodes use them; damaged and lost ones are repaired from a node that has them.

import assert from "node:assert/strict";
import { join } from "node:path";
import { ClusterBlobs } from "../../src/cluster/code/cluster_blobs.ts";
import { PostgresBlobs } from "../../src/cluster/postgres/postgres_blobs.ts";
import { type Sha256, sha256Of } from "../../src/sha256.ts";
import { createBlobs } from "../../src/store/blobs.ts";
import { temporaryFolder } from "../unit/temporary.ts";
import { openTestPostgres } from "./opened.ts";
import { startPostgres } from "./postgres.ts";

const DAY_MS = 86_400_000;

const content = (text: string): [Sha256, Uint8Array<ArrayBuffer>] => {
  const bytes = new TextEncoder().encode(text);
  return [sha256Of(bytes), bytes];
};

Deno.test("contents in PostgreSQL are stored once, looked up, repaired, swept a day after their use, and purged", async () => {
  await using server = await startPostgres();
  await using stack = new AsyncDisposableStack();
  const postgres = await openTestPostgres(server.url);
  stack.defer(() => postgres.close());
  const shared = new PostgresBlobs(postgres);
  const folder = stack.use(temporaryFolder()).path;
  const reports: string[] = [];
  const [a, b] = ["a", "b"].map((name) => {
    const local = createBlobs(join(folder, name));
    const blobs: ClusterBlobs = new ClusterBlobs({
      local,
      shared,
      peers: (sha256) => a!.local.read(sha256),
      purge: async (body) => void await Promise.all([a, b].map((node) => node!.blobs.applyPurge(body))),
      once: (work) => work(),
      report: (_level, message) => void reports.push(message),
    });
    return { local, blobs };
  });

  const [sha256, bytes] = content("code");
  assert.deepEqual(await a!.blobs.missing([sha256, sha256]), [sha256]);
  assert.equal(await a!.blobs.put(sha256, bytes), true);
  assert.equal(await b!.blobs.put(sha256, bytes), false);
  assert.deepEqual(await b!.blobs.missing([sha256]), []);
  await assert.rejects(b!.blobs.put(sha256, content("other")[1]), /SHA-256/);

  const empty = content("");
  await a!.blobs.put(...empty);
  assert.deepEqual(await b!.blobs.read(empty[0]), empty[1]);

  const damaged = content("damaged");
  await a!.blobs.put(...damaged);
  await server.query(`UPDATE crude_functions.blobs SET body = 'x' WHERE sha256 = '${damaged[0]}'`);
  assert.deepEqual(await b!.blobs.read(damaged[0]), damaged[1], "from the other node");
  assert.match(reports[0]!, /is damaged or was altered/);
  assert.deepEqual(await shared.read(damaged[0]), damaged[1]);
  await server.query(`UPDATE crude_functions.blobs SET body = 'x' WHERE sha256 = '${damaged[0]}'`);
  assert.equal(await a!.blobs.put(...damaged), true, "stored again by hand");
  assert.deepEqual(await shared.read(damaged[0]), damaged[1]);

  const aged = async (...all: Sha256[]) =>
    await server.query(
      `UPDATE crude_functions.blobs SET stored_at = now() - interval '25 hours' WHERE sha256 IN ('${all.join("','")}')`,
    );
  const [used, asked, unused] = [content("used"), content("asked for"), content("unused")];
  for (const one of [used, asked, unused]) await shared.put(...one);
  await aged(used[0], asked[0], unused[0]);
  assert.deepEqual(await shared.missing([asked[0]]), []);
  assert.equal(await shared.sweep(Date.now() - DAY_MS, (one) => one === used[0]), 1);
  assert.deepEqual(await shared.lacking([used[0], asked[0], unused[0]]), [unused[0]]);

  await b!.local.put(sha256, bytes);
  await a!.blobs.remove(sha256);
  assert.deepEqual(await Promise.all([a, b].map((node) => node!.blobs.read(sha256))), [undefined, undefined]);
  assert.deepEqual(await server.query(`SELECT 1 FROM crude_functions.blobs WHERE sha256 = '${sha256}'`), []);
});
