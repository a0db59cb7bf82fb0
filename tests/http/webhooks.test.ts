// Announcements to webhooks: what is sent, to whom, how often, and that no restart loses any.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { ADMIN, setUp, Visitor } from "./admin.ts";
import { startApp } from "./app.ts";
import { createSecret, deploy, run, set } from "./handlers.ts";
import type { Server } from "./server.ts";

interface Received {
  readonly id: string;
  readonly body: string;
  // deno-lint-ignore no-explicit-any
  readonly json: any;
  readonly headers: Headers;
}

/** A receiver on a port of its own; written `await using`. */
function openReceiver() {
  const received: Received[] = [];
  const waiting: (() => void)[] = [];
  let status = 204;
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, async (request) => {
    const body = await request.text();
    const { headers } = request;
    received.push({ id: headers.get("webhook-id")!, body, json: JSON.parse(body), headers });
    waiting.splice(0).forEach((wake) => wake());
    return new Response(null, { status, headers: status === 302 ? { location: "/elsewhere" } : {} });
  });
  const host = `127.0.0.1:${server.addr.port}`;
  return {
    host,
    url: `http://${host}/hook`,
    received,
    answer: (next: number) => void (status = next),
    /** Resolves with the first message of a type, or the one at `index`. */
    async next(type: string, index = 0): Promise<Received> {
      for (;;) {
        const found = received.filter(({ json }) => json.type === type)[index];
        if (found) return found;
        await new Promise<void>((wake) => waiting.push(wake));
      }
    },
    arrival: () => new Promise<void>((wake) => waiting.push(wake)),
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** Checks a message as the specification of Standard Webhooks says, with nothing of this program. */
function assertSigned(secret: string, { headers, body }: Received): void {
  assert.match(secret, /^whsec_[A-Za-z0-9+/]+=*$/);
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  assert.ok(key.length >= 24 && key.length <= 64);
  const seconds = headers.get("webhook-timestamp")!;
  assert.match(seconds, /^\d+$/);
  assert.ok(Math.abs(Date.now() / 1_000 - Number(seconds)) < 300);
  const signed = createHmac("sha256", key).update(`${headers.get("webhook-id")}.${seconds}.${body}`).digest("base64");
  assert.equal(headers.get("webhook-signature"), `v1,${signed}`);
  assert.equal(headers.get("content-type"), "application/json");
}

async function addWebhook(server: Server, { host, url }: { host: string; url: string }, events: string[]) {
  await set(server, { "webhooks.http-hosts": [host] });
  const { status, body } = await server.api("POST", "/api/webhooks", { url, events });
  assert.equal(status, 201, JSON.stringify(body));
  return { id: body.webhook.id as number, secret: body.secret as string };
}

/** Resolves when the last delivery of a webhook is in this state. */
async function deliveredAs(server: Server, id: number, state: string) {
  for (;;) {
    const { body: { deliveries } } = await server.api("GET", `/api/webhooks/${id}`);
    if (deliveries[0]?.state === state && deliveries[0].attempts > 0) return deliveries;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function withFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "crude-functions-test-" });
  try {
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function sql(server: Server, statement: string) {
  const db = new DatabaseSync(join(server.dataDir, "database.db"));
  try {
    db.exec("PRAGMA busy_timeout = 5000");
    return db.prepare(statement).all();
  } finally {
    db.close();
  }
}

Deno.test("a webhook's secret is shown once, encrypted at rest, rotated with the others, and signs what is sent", async () => {
  await using receiver = openReceiver();
  await using server = await startApp();
  const { id, secret } = await addWebhook(server, receiver, ["secret.due", "secret.canary", "secret.due"]);
  const { body: listed } = await server.api("GET", "/api/webhooks");
  assert.deepEqual(listed.webhooks.map(({ id, url, events }: Record<string, unknown>) => ({ id, url, events })), [
    { id, url: receiver.url, events: ["secret.due", "secret.canary"] },
  ]);
  const test = await server.api("POST", `/api/webhooks/${id}/test`);
  assert.deepEqual([test.status, test.body.delivery.state, test.body.delivery.status], [200, "delivered", 204]);
  const first = receiver.received[0]!;
  assertSigned(secret, first);
  assert.deepEqual([first.json.type, first.json.data], ["webhook.test", { webhookId: id }]);
  assert.equal(first.id, test.body.delivery.messageId);

  const before = sql(server, "SELECT ciphertext, key_version FROM webhooks")[0]!;
  assert.equal((await server.api("POST", "/api/encryption-keys/rotation")).status, 200);
  for (;;) {
    const { body } = await server.api("GET", "/api/encryption-keys/rotation");
    if (!body.inProgress && body.currentVersion === 2) break;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const after = sql(server, "SELECT ciphertext, key_version FROM webhooks")[0]!;
  assert.deepEqual([before.key_version, after.key_version], [1, 2]);
  assert.equal((await server.api("POST", `/api/webhooks/${id}/test`)).body.delivery.state, "delivered");
  assertSigned(secret, receiver.received[1]!);
  assert.notEqual(receiver.received[1]!.id, first.id);

  const shown = [
    listed,
    (await server.api("GET", `/api/webhooks/${id}`)).body,
    (await server.api("GET", "/api/audit")).body,
  ];
  assert.ok(!JSON.stringify(shown).includes(secret));
  for (const name of ["database.db", "database.db-wal"]) {
    assert.ok(!Buffer.from(await Deno.readFile(join(server.dataDir, name))).includes(secret.slice(6)), name);
  }
});

Deno.test("only https: is allowed, except for hosts that the setting names, also after it changed", async () => {
  await using receiver = openReceiver();
  await using server = await startApp();
  const post = (url: string) => server.api("POST", "/api/webhooks", { url, events: ["secret.due"] });
  for (
    const url of [receiver.url, "ftp://hooks.example.com", "hooks.example.com", "https://me:you@hooks.example.com", ""]
  ) {
    const { status, body } = await post(url);
    assert.deepEqual([status, Object.keys(body.details)], [400, ["url"]], url);
  }
  const { id } = await addWebhook(server, receiver, ["secret.due"]);
  // Nor does a receiver choose another address.
  receiver.answer(302);
  const moved = (await server.api("POST", `/api/webhooks/${id}/test`)).body.delivery;
  assert.deepEqual([moved.state, moved.status, receiver.received.length], ["failed", 302, 1]);
  await set(server, { "webhooks.http-hosts": [] });
  const refused = (await server.api("POST", `/api/webhooks/${id}/test`)).body.delivery;
  assert.deepEqual([refused.state, refused.status, receiver.received.length], ["failed", null, 1]);
  assert.match(refused.problem, /must begin with https:/);
  const { body } = await server.api("POST", "/api/webhooks", { url: "https://x.example", events: ["nothing"] });
  assert.match(JSON.stringify(body.details), /must be some of secret\.due/);
});

Deno.test("a canary and a leak are announced once, without any value, to those who asked for it", async () => {
  await using receiver = openReceiver();
  await using other = openReceiver();
  await using server = await startApp();
  const { secret } = await addWebhook(server, receiver, ["secret.canary", "secret.leaked"]);
  await set(server, { "webhooks.http-hosts": [receiver.host, other.host] });
  await server.api("POST", "/api/webhooks", { url: other.url, events: ["backup.old"] });
  const value = "bait-value-that-nobody-needs";
  await server.api("POST", "/api/secrets", { name: "BAIT", value, scope: "global", canary: true });
  await deploy(server, "curious", `export default async (c, ctx) => c.text(await ctx.getSecret("BAIT"));`);
  for (let n = 0; n < 3; n++) await run(server, "/curious");
  const read = await receiver.next("secret.canary");
  assertSigned(secret, read);
  assert.deepEqual([read.json.data.name, read.json.data.how, read.json.data.functionName], ["BAIT", "read", "curious"]);
  const leak = await receiver.next("secret.leaked");
  assert.deepEqual([leak.json.data.secrets, leak.json.data.functionName], [["BAIT"], "curious"]);
  const sent = await receiver.next("secret.canary", 1);
  assert.equal(sent.json.data.how, "sent");
  assert.equal(new Set(receiver.received.map(({ id }) => id)).size, 3);
  assert.ok(!receiver.received.some(({ body }) => body.includes(value)));
  assert.equal(other.received.length, 0);
});

Deno.test("a message that is not taken is sent again, also after a restart, with the same webhook-id", async () => {
  await withFolder(async (folder) => {
    await using receiver = openReceiver();
    receiver.answer(500);
    let id: number, secret: string;
    {
      await using server = await startApp({ folder });
      ({ id, secret } = await addWebhook(server, receiver, ["secret.due"]));
      const dueAt = new Date(Date.now() + 1).toISOString();
      await server.api("POST", "/api/secrets", { name: "OLD", value: "a value", scope: "global", expiresAt: dueAt });
    }
    {
      await using server = await startApp({ folder });
      const [waiting] = await deliveredAs(server, id, "waiting");
      assert.deepEqual([waiting.attempts, waiting.status], [1, 500]);
      assert.match(waiting.problem, /answered with 500/);
      assert.ok(Date.parse(waiting.nextAt) > Date.parse(waiting.triedAt));
      await server.stop();
    }
    receiver.answer(200);
    await using server = await startApp({ folder });
    const deliveries = await deliveredAs(server, id, "delivered");
    // It is not announced again, as its date is the same.
    assert.deepEqual([deliveries.length, deliveries[0].attempts], [1, 2]);
    const [first, second] = receiver.received;
    assert.equal(first!.id, second!.id);
    assert.equal(first!.body, second!.body);
    assertSigned(secret, second!);
    assert.deepEqual([second!.json.type, second!.json.data.name, second!.json.data.scope], [
      "secret.due",
      "OLD",
      "global",
    ]);
    assert.ok(!second!.body.includes("a value"));
  });
});

Deno.test("a function whose calls fail, and an old backup, are announced", async () => {
  await withFolder(async (folder) => {
    await using receiver = openReceiver();
    {
      await using server = await startApp({ folder });
      await addWebhook(server, receiver, ["function.failing", "backup.old", "key.unused"]);
      await deploy(server, "broken", `export default () => { throw new Error("no"); };`);
      for (let n = 0; n < 5; n++) await run(server, "/broken");
      await createSecret(server, "X", "y");
      await server.stop();
    }
    await using server = await startApp({ folder });
    const { data } = (await receiver.next("function.failing")).json;
    assert.deepEqual([data.functionName, data.calls, data.failures], ["broken", 5, 5]);
    // The server is younger than a week, and its keys than ninety days.
    assert.deepEqual(receiver.received.map(({ json }) => json.type), ["function.failing"]);
    assert.ok(server.url);
  });
});

Deno.test("a suspended function and a sign-in from another network are announced", async () => {
  await using receiver = openReceiver();
  await using server = await startApp({ env: { TRUSTED_PROXIES: "127.0.0.1" } });
  await setUp(server, { "X-Forwarded-For": "192.0.2.1" });
  await addWebhook(server, receiver, ["function.suspended", "sign-in.new-place"]);
  await new Visitor(server.url, { "X-Forwarded-For": "192.0.2.2" }).signIn();
  await new Visitor(server.url, { "X-Forwarded-For": "198.51.100.7" }).signIn();
  const { json: { data } } = await receiver.next("sign-in.new-place");
  assert.deepEqual([data.email, data.address], [ADMIN.email, "198.51.100.7"]);
  await deploy(server, "mortal", "export default async () => { Deno.exit(1); await new Promise(() => {}); };");
  while ((await run(server, "/mortal")).status !== 503);
  const suspended = (await receiver.next("function.suspended")).json.data;
  assert.equal(suspended.functionName, "mortal");
  assert.ok(Date.parse(suspended.suspendedUntil) > 0);
  assert.equal(receiver.received.length, 2);
});

Deno.test("an unused key, an old backup, a due secret and a failed rotation are announced once, over restarts, and anew", async () => {
  await withFolder(async (folder) => {
    await using receiver = openReceiver();
    const day = 86_400_000;
    const began = Date.now();
    let now = began;
    const start = () => startApp({ folder, now: () => now });
    // One whose outcome a server that stops has not stored yet arrives twice.
    const types = () => [...new Map(receiver.received.map(({ id, json }) => [id, String(json.type)])).values()].sort();
    const draft = join(folder, "data", "encryption-keys.json.draft");
    {
      await using server = await start();
      await addWebhook(server, receiver, ["key.unused", "backup.old", "secret.due", "rotation.failed"]);
      const group = (await server.api("POST", "/api/key-groups", { name: "staging" })).body.id;
      await server.api("POST", "/api/keys", { groupId: group, name: "acme" });
      await server.api("POST", "/api/secrets", { name: "OLD", value: "v", scope: "global", rotateEveryDays: 30 });
      // A folder in the draft's place stands for a disk that takes no new file.
      await Deno.mkdir(join(draft, "in the way"), { recursive: true });
      assert.equal((await server.api("POST", "/api/encryption-keys/rotation")).status >= 500, true);
      const { data } = (await receiver.next("rotation.failed")).json;
      assert.ok(data.auditId > 0);
      assert.equal((await server.api("POST", "/api/encryption-keys/rotation")).status >= 500, true);
      await Deno.remove(draft, { recursive: true });
      assert.equal((await server.api("POST", "/api/encryption-keys/rotation")).status, 200);
    }
    assert.deepEqual(types(), ["rotation.failed"]);
    now = began + 31 * day;
    for (let n = 0; n < 3; n++) {
      await using server = await start();
      const due = await receiver.next("secret.due");
      assert.equal(due.json.data.name, "OLD");
      const old = await receiver.next("backup.old");
      assert.deepEqual(old.json.data, { lastBackupAt: null, days: 7 });
      assert.ok(server.url);
    }
    assert.deepEqual(types(), ["backup.old", "rotation.failed", "secret.due"]);
    now = began + 91 * day;
    {
      await using server = await start();
      // The key of this test was last used on the first day.
      while (types().length < 6) await receiver.arrival();
      const unused = receiver.received.filter(({ json }) => json.type === "key.unused");
      assert.deepEqual(unused.map(({ json }) => json.data.keyName).sort(), ["management/bootstrap", "staging/acme"]);
      await server.api("PUT", "/api/secrets/1", { value: "w" });
    }
    now += 31 * day;
    await using server = await start();
    while (types().length < 8) await receiver.arrival();
    assert.ok(server.url);
    assert.deepEqual(types(), [
      "backup.old",
      "backup.old",
      "backup.old",
      "key.unused",
      "key.unused",
      "rotation.failed",
      "secret.due",
      "secret.due",
    ]);
  });
});

Deno.test("the page adds a webhook, shows its secret once, tests it and deletes it", async () => {
  await using receiver = openReceiver();
  await using server = await startApp();
  const admin = await setUp(server);
  await set(server, { "webhooks.http-hosts": [receiver.host] });
  assert.match((await admin.get("/web/announcements")).text, /Add a webhook/);
  const refused = await admin.submit("/web/announcements/new", { url: receiver.url });
  assert.match(refused.text, /must name at least one event/);
  const added = await admin.submit("/web/announcements/new", { url: receiver.url, "secret.due": "yes" });
  const secret = /whsec_[A-Za-z0-9+/=]+/.exec(added.text)![0];
  const { body: { webhooks: [webhook] } } = await server.api("GET", "/api/webhooks");
  const path = `/web/announcements/${webhook.id}`;
  await admin.submit(`${path}/test`, {});
  assertSigned(secret, receiver.received[0]!);
  const page = (await admin.get(path)).text;
  assert.match(page, /webhook\.test/);
  assert.ok(!page.includes(secret));
  const version = await admin.versionOn(`${path}/delete`);
  assert.equal((await server.api("PUT", `/api/webhooks/${webhook.id}`, { events: ["key.unused"] })).status, 200);
  assert.equal((await admin.post(`${path}/delete`, { version })).status, 412);
  await admin.submit(`${path}/delete`, { version: await admin.versionOn(`${path}/delete`) });
  assert.deepEqual((await server.api("GET", "/api/webhooks")).body.webhooks, []);
  const { body: { entries } } = await server.api("GET", "/api/audit?action=webhook.*");
  assert.deepEqual(entries.map(({ action }: { action: string }) => action), [
    "webhook.deleted",
    "webhook.updated",
    "webhook.created",
  ]);
});
