// API keys with an expiry, over HTTP and with a clock of the test's own.

import assert from "node:assert/strict";
import { createGroup, createKey, createSecret, deploy, run, set } from "./handlers.ts";
import { startApp } from "./app.ts";
import { call, type Server } from "./server.ts";

const HOUR_MS = 3_600_000;
const MANAGEMENT = 1;
const iso = (ms: number) => new Date(ms).toISOString();

function as(server: Server, key: string, method: string, path: string, body?: unknown) {
  return call(method, `${server.url}${path}`, body, { "X-API-Key": key });
}

/** An answer without what differs from request to request. */
function shape({ status, body, headers }: Awaited<ReturnType<typeof call>>) {
  const names = [...headers.keys()].filter((name) => name !== "date").sort();
  return { status, body: { ...body, requestId: "" }, names, challenge: headers.get("WWW-Authenticate") };
}

Deno.test("a key with an expiry is shown with it, changed, and audited", async () => {
  await using server = await startApp();
  const group = await createGroup(server, "customers");
  const at = "2090-06-01T12:00:00+02:00";
  const { status, body: made } = await server.api("POST", "/api/keys", { groupId: group, name: "acme", expiresAt: at });
  assert.equal(status, 201);
  const shown = async () => (await server.api("GET", `/api/keys/${made.id}`)).body.key.expiresAt;
  assert.equal(await shown(), "2090-06-01T10:00:00.000Z");
  const { body: { keys } } = await server.api("GET", "/api/keys?groupId=customers");
  assert.equal(keys[0].expiresAt, "2090-06-01T10:00:00.000Z");

  const path = `/api/keys/${made.id}`;
  const before = await server.api("GET", path);
  // Digits after the milliseconds are cut off: a key never lives longer than was asked.
  const moved = await server.api("PUT", path, { expiresAt: "2091-01-01T00:00:00.123999Z" }, {
    "If-Match": before.headers.get("ETag")!,
  });
  assert.equal(moved.status, 200);
  assert.notEqual(moved.headers.get("ETag"), before.headers.get("ETag"));
  assert.equal(await shown(), "2091-01-01T00:00:00.123Z");
  await server.api("PUT", path, { description: "of ACME" });
  assert.equal(await shown(), "2091-01-01T00:00:00.123Z");
  assert.equal((await server.api("PUT", path, { expiresAt: "9999-12-31T23:59:59.999Z" })).status, 200);
  assert.equal(await shown(), "9999-12-31T23:59:59.999Z");
  assert.equal((await server.api("PUT", path, { expiresAt: null })).status, 200);
  assert.equal(await shown(), null);

  const { body: { entries } } = await server.api("GET", `/api/audit?subject=key:${made.id}`);
  const facts = entries.map(({ action, before, after }: Record<string, Record<string, unknown>>) => [
    action,
    before?.expiresAt,
    after?.expiresAt,
  ]);
  assert.deepEqual(facts.reverse(), [
    ["key.created", undefined, "2090-06-01T10:00:00.000Z"],
    ["key.updated", "2090-06-01T10:00:00.000Z", "2091-01-01T00:00:00.123Z"],
    ["key.updated", undefined, undefined],
    ["key.updated", "2091-01-01T00:00:00.123Z", "9999-12-31T23:59:59.999Z"],
    ["key.updated", "9999-12-31T23:59:59.999Z", null],
  ]);
});

Deno.test("an expired key is answered as an unknown one, by functions and by the API", async () => {
  let now = Date.now();
  await using server = await startApp({ now: () => now });
  const group = await createGroup(server, "customers");
  await deploy(server, "closed", "export default (c) => c.text('in');", { keys: [group] });
  await deploy(server, "open", "export default (c) => c.json({ key: c.req.header('X-API-Key') ?? null });");
  const expiresAt = iso(now + HOUR_MS);
  const make = async (groupId: number, name: string): Promise<string> =>
    (await server.api("POST", "/api/keys", { groupId, name, expiresAt })).body.value;
  const [caller, manager] = [await make(group, "acme"), await make(MANAGEMENT, "deployer")];
  const unknown = "cf_0123456789012345678901234567890123456789012";

  now += HOUR_MS - 1;
  assert.equal((await run(server, "/closed", caller)).status, 200);
  assert.equal((await as(server, manager, "GET", "/api/keys")).status, 200);
  assert.equal((await as(server, caller, "GET", "/api/keys")).status, 403);
  now++;
  const expired = await run(server, "/closed", caller);
  assert.equal(expired.status, 401);
  assert.deepEqual(shape(expired), shape(await run(server, "/closed", unknown)));
  for (const key of [manager, caller]) {
    for (const [method, path] of [["GET", "/api/keys"], ["POST", "/api/keys"], ["GET", "/api/nowhere"]] as const) {
      const refused = await as(server, key, method, path, method === "POST" ? {} : undefined);
      assert.equal(refused.status, 401);
      assert.deepEqual(
        shape(refused),
        shape(await as(server, unknown, method, path, method === "POST" ? {} : undefined)),
      );
    }
  }
  // An author does not get it, as it can be renewed; a public function ignores it.
  const open = await run(server, "/open", caller);
  assert.deepEqual([open.status, open.body], [200, { key: null }]);

  const [{ id }] = (await server.api("GET", "/api/keys?groupId=customers")).body.keys;
  assert.equal((await server.api("PUT", `/api/keys/${id}`, { expiresAt: iso(now + 1) })).status, 200);
  assert.equal((await run(server, "/closed", caller)).status, 200);
  now++;
  assert.equal((await run(server, "/closed", caller)).status, 401);
});

Deno.test("a roll keeps the expiry unless it is given another, and an expired key needs one", async () => {
  let now = Date.now();
  await using server = await startApp({ now: () => now });
  const group = await createGroup(server, "customers");
  await deploy(server, "closed", "export default (c) => c.text('in');", { keys: [group] });
  const key = await createKey(server, group, "acme");
  const path = `/api/keys/${key.id}`;
  const expiry = now + HOUR_MS;
  await server.api("PUT", path, { expiresAt: iso(expiry) });
  const rolled = await server.api("POST", `${path}/roll`, { graceSeconds: 7_200 });
  // The previous value ends with the key.
  assert.equal(rolled.body.previousValueUntil, iso(expiry));
  assert.equal((await server.api("GET", path)).body.key.expiresAt, iso(expiry));
  now = expiry;
  for (const value of [key.value, rolled.body.value]) assert.equal((await run(server, "/closed", value)).status, 401);
  const refused = await server.api("POST", `${path}/roll`, { graceSeconds: 0 });
  assert.deepEqual([refused.status, refused.body.details], [400, { expiresAt: "is required, as the key has expired" }]);
  const again = await server.api("POST", `${path}/roll`, { graceSeconds: 0, expiresAt: iso(now + HOUR_MS) });
  assert.equal(again.status, 200);
  assert.equal((await run(server, "/closed", again.body.value)).status, 200);
  const { body: { entries } } = await server.api("GET", "/api/audit?action=key.rolled&limit=1");
  assert.deepEqual([entries[0].before, entries[0].after], [
    { expiresAt: iso(expiry) },
    { value: "set", previousUntil: null, expiresAt: iso(now + HOUR_MS) },
  ]);
});

Deno.test("a change by a key that expires before its request is complete is not made", async () => {
  let now = Date.now();
  await using server = await startApp({ now: () => now });
  const { body: { value } } = await server.api("POST", "/api/keys", {
    groupId: MANAGEMENT,
    name: "deployer",
    expiresAt: iso(now + HOUR_MS),
  });
  const body = new TransformStream<Uint8Array, Uint8Array>();
  const writer = body.writable.getWriter();
  const headers = { "X-API-Key": value, "Content-Type": "application/json" };
  const answer = fetch(`${server.url}/api/key-groups`, { method: "POST", headers, body: body.readable });
  const text = new TextEncoder().encode(JSON.stringify({ name: "mallory" }));
  await writer.write(text.subarray(0, 2));
  const used = async () => (await server.api("GET", "/api/keys")).body.keys.at(-1).lastUsedAt !== null;
  while (!await used());
  now += HOUR_MS;
  await writer.write(text.subarray(2));
  await writer.close();
  const refused = await answer;
  assert.deepEqual([refused.status, (await refused.json()).code], [401, "EntitlementLost"]);
  assert.equal((await server.api("GET", "/api/key-groups")).body.groups.length, 1);
});

Deno.test("a stream of logs ends after the key that opened it expired", async () => {
  let now = Date.now();
  await using server = await startApp({ now: () => now });
  const { body: { value } } = await server.api("POST", "/api/keys", {
    groupId: MANAGEMENT,
    name: "follower",
    expiresAt: iso(now + HOUR_MS),
  });
  const stream = await fetch(`${server.url}/api/logs/stream`, { headers: { "X-API-Key": value } });
  assert.equal(stream.status, 200);
  now += HOUR_MS;
  assert.match(await stream.text(), /^retry:/);
});

Deno.test("a value that was sent ahead is not used once its key has expired", async () => {
  let now = Date.now();
  await using server = await startApp({ now: () => now });
  await set(server, { "sandbox.revocation-grace-ms": 10_000 });
  const group = await createGroup(server, "customers");
  await createSecret(server, "S", "the-value");
  await deploy(
    server,
    "f",
    `let waiting = 0;
     export default async (c, ctx) => {
       if (ctx.query.waiting) return c.text(String(waiting) + (await ctx.getSecret("S") ? "" : "!"));
       waiting++;
       await c.req.text();
       waiting--;
       return c.text(await ctx.getSecret("S"));
     };`,
    { keys: [group], responseGuard: "off" },
  );
  const observer = await createKey(server, group, "observer");
  const expiry = now + 1;
  const { body: { value } } = await server.api("POST", "/api/keys", {
    groupId: group,
    name: "acme",
    expiresAt: iso(expiry),
  });
  for (let calls = 0; calls < 6; calls++) {
    assert.equal((await run(server, "/f", value, { method: "POST", body: "x" })).body, "the-value");
  }
  const body = new TransformStream<Uint8Array, Uint8Array>();
  const writer = body.writable.getWriter();
  const answer = fetch(`${server.url}/run/f`, { method: "POST", headers: { "X-API-Key": value }, body: body.readable });
  await writer.write(new Uint8Array(1));
  while ((await run(server, "/f?waiting=1", observer.value)).body !== "1");
  now = expiry;
  await writer.close();
  const refused = await answer;
  assert.deepEqual([refused.status, (await refused.json()).code], [401, "Unauthorized"]);
});
