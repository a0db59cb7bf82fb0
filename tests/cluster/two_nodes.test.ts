// What two whole nodes show and do as one: logs, counts, sign-in, and what functions cannot reach.

import assert from "node:assert/strict";
import { startApp } from "../http/app.ts";
import { ADMIN, cookieName, setupForm, setupToken, Visitor } from "../http/admin.ts";
import { createGroup, createSecret, deploy, run, set } from "../http/handlers.ts";
import { call, type Server } from "../http/server.ts";
import { kept, tail } from "../http/tail.ts";
import { startPostgres } from "./postgres.ts";

interface Both extends AsyncDisposable {
  /** Starts another node. */
  start(): Promise<Server>;
  readonly a: Server;
  readonly b: Server;
}

async function startBoth(): Promise<Both> {
  const opened = new AsyncDisposableStack();
  const postgres = opened.use(await startPostgres());
  const env = { DATABASE_URL: `${postgres.url}?sslmode=disable`, KEYRING_PASSPHRASE: "a passphrase for two nodes" };
  const start = async () => {
    const server = opened.use(await startApp({ env }));
    // With the requests to other nodes that follow a log.
    opened.defer(async () => void await server.stop());
    return server;
  };
  const [a, b] = [await start(), await start()];
  return { a, b, start, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

const CODE = `export default async (c, ctx) => {
  console.log("answered " + ctx.query.n);
  return c.text(await ctx.getSecret("DB") ?? "none");
}`;

Deno.test("two nodes show and do as one", async (t) => {
  await using both = await startBoth();
  await t.step("logs of both are one, and so is a reader's view of them", () => showOneLog(both));
  await t.step("a function reaches no node, and clients without the key get nothing", () => reachNothing(both));
  await t.step("a new node shows what was counted on one that has ended", () => countTogether(both));
  await t.step("a webhook receives what happens on either node, once", () => announceOnce(both));
  await t.step("a key that is rolled on one node has both values on the other, until that ends one", () => roll(both));
  await t.step("a key expires on each node, and its calls on either are found by it", () => expire(both));
  await t.step("a user signs in by a different node at each step, and guesses count together", () => signIn(both));
});

async function showOneLog({ a, b }: Both): Promise<void> {
  await createSecret(a, "DB", "postgres://the-value");
  const id = await deploy(a, "hello", CODE);
  await using reading = await tail(b);
  for (const [n, server] of [a, b, a, b].entries()) {
    assert.equal((await run(server, `/hello?n=${n}`)).body, "postgres://the-value");
    await reading.seen(new RegExp(`^answered ${n}$`));
  }
  for (const server of [a, b]) {
    const entries = (await kept(server, `?functionId=${id}&search=answered`)) as unknown as {
      message: string;
      node: string;
    }[];
    assert.deepEqual(entries.map(({ message }) => message), [0, 1, 2, 3].map((n) => `answered ${n}`));
    assert.equal(new Set(entries.map(({ node }) => node)).size, 2);
    assert.ok(entries[0]!.node === entries[2]!.node && entries[1]!.node === entries[3]!.node);
    const first = (await server.api("GET", "/api/logs?search=answered&limit=3")).body;
    const rest =
      (await (server === a ? b : a).api("GET", `/api/logs?search=answered&limit=3&cursor=${first.next}`)).body;
    assert.deepEqual(rest.logs.map(({ message }: { message: string }) => message), ["answered 0"]);
  }
  assert.equal((await b.api("DELETE", `/api/logs/${id}`)).status, 200);
  assert.deepEqual(await kept(a, `?functionId=${id}&search=answered`), []);
  // A node that has left is not asked, and one that is only gone is named.
  assert.equal((await b.api("GET", "/api/logs?cursor=x")).status, 400);
}

async function roll({ a, b }: Both): Promise<void> {
  const { body: { id, value } } = await a.api("POST", "/api/keys", { groupId: "management", name: "rolled" });
  const { body: rolled } = await a.api("POST", `/api/keys/${id}/roll`, { graceSeconds: 3_600 });
  const statuses = (server: Server) =>
    Promise.all(
      [value, rolled.value].map((key) =>
        call("GET", `${server.url}/api/key-groups`, undefined, { "X-API-Key": key }).then(({ status }) => status)
      ),
    );
  for (const server of [a, b]) assert.deepEqual(await statuses(server), [200, 200]);
  assert.equal((await b.api("DELETE", `/api/keys/${id}/previous-value`)).status, 200);
  for (const server of [a, b]) assert.deepEqual(await statuses(server), [401, 200]);
}

async function expire({ a, b }: Both): Promise<void> {
  const groupId = await createGroup(a, "temporary");
  await deploy(a, "temporary", CODE, { keys: [groupId] });
  const expiry = Date.now() + 3_000;
  const expiresAt = new Date(expiry).toISOString();
  const { body: { id, value } } = await a.api("POST", "/api/keys", { groupId, name: "acme", expiresAt });
  const status = async (server: Server) => (await run(server, "/temporary?n=key", value)).status;
  while (await status(b) === 200);
  assert.ok(Date.now() >= expiry);
  assert.deepEqual([await status(a), await status(b)], [401, 401]);
  assert.equal((await b.api("PUT", `/api/keys/${id}`, { expiresAt: null })).status, 200);
  assert.deepEqual([await status(a), await status(b)], [200, 200]);
  for (const server of [a, b]) {
    const entries = (await kept(server, "?key=temporary/acme")) as unknown as { keyId: number; node: string }[];
    assert.deepEqual([...new Set(entries.map(({ keyId }) => keyId))], [id]);
    assert.equal(new Set(entries.map(({ node }) => node)).size, 2);
  }
}

async function announceOnce({ a, b }: Both): Promise<void> {
  const received: string[] = [];
  const first = Promise.withResolvers<void>();
  await using receiver = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, async (request) => {
    const { type, data } = await request.json();
    received.push(`${type} ${data.how ?? data.webhookId}`);
    first.resolve();
    return new Response();
  });
  const host = `127.0.0.1:${receiver.addr.port}`;
  await set(a, { "webhooks.http-hosts": [host] });
  const made = await a.api("POST", "/api/webhooks", { url: `http://${host}/`, events: ["secret.canary"] });
  await b.api("POST", "/api/secrets", { name: "BAIT", value: "bait-value", scope: "global", canary: true });
  await deploy(a, "curious", `export default async (c, ctx) => c.text(String((await ctx.getSecret("BAIT")).length));`);
  assert.equal((await run(b, "/curious")).body, "10");
  await first.promise;
  assert.equal((await run(a, "/curious")).body, "10");
  const { id } = made.body.webhook;
  assert.equal((await b.api("POST", `/api/webhooks/${id}/test`)).body.delivery.state, "delivered");
  assert.deepEqual(received, ["secret.canary read", `webhook.test ${id}`]);
  await a.api("DELETE", `/api/webhooks/${id}`);
}

async function countTogether({ start, a }: Both): Promise<void> {
  const [{ id }] = (await a.api("GET", "/api/secrets/by-name/DB")).body.secrets;
  const functionId =
    (await a.api("GET", "/api/functions")).body.functions.find(({ name }: { name: string }) => name === "hello").id;
  const c = await start();
  for (let n = 0; n < 3; n++) await run(c, "/hello?n=1");
  await c.stop();
  const later = await start();
  const counted = async () => {
    const { points } = (await later.api("GET", `/api/metrics?resolution=minutes&functionId=${functionId}`)).body;
    return points.reduce((sum: number, { calls }: { calls: number }) => sum + calls, 0);
  };
  // It asks for what was counted when it starts; the nodes that run pass on theirs once a minute.
  while (await counted() < 3) await new Promise((resolve) => setTimeout(resolve, 20));
  const { last30Days, lastFunctionId } = (await later.api("GET", `/api/secrets/${id}/reads`)).body;
  assert.ok(last30Days >= 3 && lastFunctionId === functionId, `${last30Days}`);
  assert.doesNotMatch(a.logs() + later.logs(), /Counts|broke off|cannot be resolved/);
}

async function reachNothing({ a, b }: Both): Promise<void> {
  const code = `export default async (c, ctx) => {
    const reached = [];
    for (const url of ${JSON.stringify([a.url, b.url])}) {
      try {
        const { hostname, port } = new URL(url);
        (await Deno.connect({ hostname, port: Number(port) })).close();
        reached.push(url);
      } catch (error) { if (error.name !== "NotCapable") reached.push(String(error)); }
    }
    return c.json(reached);
  }`;
  const [hostA, hostB] = [a.url, b.url].map((url) => new URL(url).host);
  await deploy(a, "probe", code, { permissions: { net: [hostA, hostB, "127.0.0.1"] } } as never);
  for (const server of [a, b]) {
    // Node a learns of b within a second, and replaces its processes.
    let reached: unknown;
    do reached = (await run(server, "/probe")).body; while ((reached as unknown[]).length > 0);
  }
  const response = await fetch(`${a.url}/internal/logs/list`, { method: "POST", body: "x" });
  assert.deepEqual([response.status, await response.text()], [404, ""]);
}

async function signIn({ a, b }: Both): Promise<void> {
  assert.equal(await setupToken(a), await setupToken(b));
  const visitor = new Visitor(b.url);
  assert.equal((await visitor.post("/web/setup", await setupForm(a))).status, 303);
  // As behind one address: the cookie is the same there.
  const session = visitor.cookies.get(cookieName(b, "session"))!;
  const same = new Visitor(a.url, {}, new Map([[cookieName(a, "session"), session]]));
  assert.equal((await same.get("/web")).status, 200);
  const created = await same.post("/web/keys", {});
  assert.ok(created.status >= 400);
  for (let n = 0; n < 5; n++) {
    const { status } = await new Visitor((n % 2 ? a : b).url).signIn("a wrong password", ADMIN.email);
    assert.equal(status, 401);
  }
  for (const server of [a, b]) {
    assert.equal((await new Visitor(server.url).signIn(ADMIN.password)).status, 429);
  }
}
