// Nodes whose PostgreSQL fails over to a synchronous standby, through a connection string with both hosts.

import assert from "node:assert/strict";
import { join } from "node:path";
import { startApp } from "../http/app.ts";
import type { Server } from "../http/server.ts";
import { temporaryFolder } from "../unit/temporary.ts";
import { startPostgres } from "./postgres.ts";

/** Creates a secret, again as long as PostgreSQL is not available or the node has no lease. Returns its status. */
async function create(node: Server, name: string): Promise<number> {
  while (true) {
    const { status, body } = await node.api("POST", "/api/secrets", { name, value: "1", scope: "global" });
    // One that was stored although nobody could say so at the time.
    if (status === 409) return 201;
    if (status !== 503) return status;
    assert.ok(["StoreUnavailable", "CutOff"].includes(body.code), JSON.stringify(body));
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function names(node: Server): Promise<string[]> {
  while (true) {
    const { status, body } = await node.api("GET", "/api/secrets");
    if (status === 200) return body.secrets.map(({ name }: { name: string }) => name).sort();
    assert.equal(body.code, "CutOff");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

Deno.test("after a failover to the synchronous standby, nodes have all changes that were answered, and make more", async () => {
  await using primary = await startPostgres();
  await using standby = await primary.startStandby({ synchronous: true });
  const hosts = `127.0.0.1:${primary.port},127.0.0.1:${standby.port}`;
  const env = {
    DATABASE_URL: primary.url.replace(/127\.0\.0\.1:\d+/, hosts),
    KEYRING_PASSPHRASE: "a passphrase for the tests of clusters",
  };
  using folders = temporaryFolder();
  const start = async (name: string): Promise<Server> => {
    const folder = join(folders.path, name);
    await Deno.mkdir(folder);
    return await startApp({ folder, env });
  };
  await using a = await start("a");
  await using b = await start("b");
  assert.equal(await create(a, "BEFORE"), 201);
  await primary.kill();
  const meanwhile = create(b, "MEANWHILE");
  await standby.promote();
  assert.equal(await meanwhile, 201);
  assert.equal(await create(a, "AFTER"), 201);
  for (const node of [a, b]) assert.deepEqual(await names(node), ["AFTER", "BEFORE", "MEANWHILE"]);
  await using c = await start("c");
  assert.deepEqual(await names(c), ["AFTER", "BEFORE", "MEANWHILE"]);
});
