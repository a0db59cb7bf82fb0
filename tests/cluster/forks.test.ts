// Two nodes on two states of PostgreSQL, as after the promotion of a standby while the primary goes on, or under an
// attacker who shows each node another log: only they themselves can find that.

import assert from "node:assert/strict";
import { startApp } from "../http/app.ts";
import { createSecret } from "../http/handlers.ts";
import type { Server } from "../http/server.ts";
import { startPostgres, type TestPostgres } from "./postgres.ts";
import { TcpProxy } from "./proxy.ts";

const PASSPHRASE = "a passphrase for two nodes";

function start(ports: readonly number[], { url }: TestPostgres): Promise<Server> {
  const hosts = ports.map((port) => `127.0.0.1:${port}`).join(",");
  const { username, password } = new URL(url);
  const DATABASE_URL = `postgres://${username}:${password}@${hosts}/crude?sslmode=disable`;
  return startApp({ env: { DATABASE_URL, KEYRING_PASSPHRASE: PASSPHRASE } });
}

async function problemOf(server: Server): Promise<{ code: string; error: string }> {
  while (true) {
    const response = await fetch(`${server.url}/api/settings`, { headers: { "X-API-Key": server.key } });
    const body = await response.json();
    if (response.status === 503 && body.code === "LogTampered") return body;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** A node whose PostgreSQL has just changed may not be able to store anything for a moment. */
async function createSoon(server: Server, name: string): Promise<void> {
  while (true) {
    try {
      return void await createSecret(server, name, "value");
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

Deno.test("nodes whose logs fork under them find it through each other, name each other, and stop serving", async () => {
  await using primary = await startPostgres();
  await using standby = await primary.startStandby({ synchronous: false });
  await using proxy = await TcpProxy.to(primary.port);
  await using a = await start([primary.port], primary);
  await using b = await start([proxy.port, standby.port], primary);
  await createSecret(a, "BEFORE", "value");
  await standby.hasReceived(primary);
  await standby.promote();
  proxy.cut();
  await createSoon(a, "OF_A");
  await createSoon(b, "OF_B");
  const found = await Promise.all([problemOf(a), problemOf(b)]);
  const nodes = (await a.api("GET", "/api/cluster")).body;
  const [ofA, ofB] = [nodes.node, nodes.nodes.find(({ id }: { id: string }) => id !== nodes.node).id];
  assert.match(found[0]!.error, new RegExp(`is not the one that node ${ofB} has applied`));
  assert.match(found[1]!.error, new RegExp(`is not the one that node ${ofA} has applied`));
});
