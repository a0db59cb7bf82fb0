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

/** A node whose PostgreSQL has just changed may not be able to store anything for a moment, or any more: returns whether it was. */
async function createSoon(server: Server, name: string): Promise<boolean> {
  while (true) {
    const { status, body } = await server.api("POST", "/api/secrets", { name, value: "value", scope: "global" });
    if (status === 201 || body.code === "LogTampered") return status === 201;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** A primary, and a copy of it from before `change`; both accept changes. */
async function withOldCopy(
  test: (
    there: { primary: TestPostgres; copy: TestPostgres; proxy: TcpProxy; a: Server; promote(): Promise<void> },
  ) => Promise<void>,
): Promise<void> {
  await using primary = await startPostgres();
  await using copy = await primary.startStandby({ synchronous: false });
  await using proxy = await TcpProxy.to(primary.port);
  await using a = await start([primary.port], primary);
  await createSecret(a, "BEFORE", "value");
  const promote = async () => {
    await copy.hasReceived(primary);
    await copy.promote();
  };
  await test({ primary, copy, proxy, a, promote });
}

Deno.test("a node that joins on an old copy of PostgreSQL asks the live ones, and does not start", async () => {
  await withOldCopy(async ({ primary, copy, a, promote }) => {
    await promote();
    await createSecret(a, "AFTER", "value");
    await assert.rejects(start([copy.port], primary), /Entry \d+ of the log of changes is missing/);
    assert.equal((await a.api("GET", "/api/secrets/by-name/AFTER")).status, 200);
  });
});

Deno.test("a running node whose PostgreSQL is put back to an old copy finds that the others are ahead", async () => {
  await withOldCopy(async ({ primary, copy, proxy, a, promote }) => {
    await using b = await start([proxy.port, copy.port], primary);
    await promote();
    proxy.cut();
    await createSoon(a, "AFTER");
    // The audit of a node's start may be among what the copy lacks: then the node has applied more than the log has.
    const pattern = /is missing, although entry \d+ was appended|is missing: PostgreSQL's log ends with entry \d+/;
    assert.match((await problemOf(b)).error, pattern);
  });
});

Deno.test("nodes whose logs fork under them find it through each other, and stop serving", async () => {
  await withOldCopy(async ({ primary, copy, proxy, a, promote }) => {
    await using b = await start([proxy.port, copy.port], primary);
    await promote();
    proxy.cut();
    const [isOfA, isOfB] = await Promise.all([createSoon(a, "OF_A"), createSoon(b, "OF_B")]);
    // A node that has found the other one ahead before it could store anything has made no fork: it alone stops.
    const forked = isOfA && isOfB ? [a, b] : isOfA ? [b] : [a];
    // Whichever is found first: that the other one is ahead, that the log is behind, or that there is another entry.
    const pattern =
      /is missing, although entry \d+ was appended|is missing: PostgreSQL's log|is not the one that node [\w-]+ has applied/;
    for (const { error } of await Promise.all(forked.map(problemOf))) assert.match(error, pattern);
  });
});
