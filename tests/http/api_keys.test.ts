// /api/key-groups and /api/keys beyond the shapes.

import assert from "node:assert/strict";
import { startApp } from "./app.ts";
import { createGroup, createKey, createSecret, deploy } from "./handlers.ts";
import { call, type Server } from "./server.ts";

Deno.test("a key made without a value gets a random one that works, and is shown whole once", async () => {
  await using server = await startApp();
  const first = await server.api("POST", "/api/keys", { groupId: 1, name: "first" });
  const second = await server.api("POST", "/api/keys", { groupId: 1, name: "second" });
  assert.match(first.body.value, /^cf_[A-Za-z0-9_-]{43}$/);
  assert.notEqual(first.body.value, second.body.value);

  const asFirst = await call("GET", `${server.url}/api/keys`, undefined, { "X-API-Key": first.body.value });
  assert.equal(asFirst.status, 200);
  assert.ok(!JSON.stringify(asFirst.body).includes(first.body.value));
  assert.equal(asFirst.body.keys[1].preview, `…${first.body.value.slice(-4)}`);
});

Deno.test("a renamed key still works and still shows its value", async () => {
  await using server = await startApp();
  const { body: key } = await server.api("POST", "/api/keys", { groupId: 1, name: "before" });
  assert.equal((await server.api("PUT", `/api/keys/${key.id}`, { name: "after" })).status, 200);
  const shown = await call("GET", `${server.url}/api/keys/${key.id}?includeValues=true`, undefined, {
    "X-API-Key": key.value,
  });
  assert.deepEqual([shown.body.key.name, shown.body.key.value], ["after", key.value]);
});

Deno.test("one value cannot be two keys, whatever their groups", async () => {
  await using server = await startApp();
  const { body: group } = await server.api("POST", "/api/key-groups", { name: "clients" });
  const value = "chosen-value-0123456789";
  assert.equal((await server.api("POST", "/api/keys", { groupId: 1, name: "a", value })).status, 201);
  const again = await server.api("POST", "/api/keys", { groupId: group.id, name: "b", value });
  assert.deepEqual([again.status, again.body.details], [409, { value: "is taken" }]);
});

Deno.test("of a hundred creates of one key or group at once, one succeeds", async () => {
  await using server = await startApp();
  const bodies = { "/api/key-groups": { name: "race" }, "/api/keys": { groupId: 1, name: "race" } };
  for (const [path, body] of Object.entries(bodies)) {
    const answers = await Promise.all(Array.from({ length: 100 }, () => server.api("POST", path, body)));
    const statuses = answers.map(({ status }) => status);
    assert.equal(statuses.filter((status) => status === 201).length, 1, path);
    assert.equal(statuses.filter((status) => status === 409).length, 99, path);
  }
});

Deno.test("a group cannot be deleted while keys, functions or a setting need it", async () => {
  await using server = await startApp();
  const { body: group } = await server.api("POST", "/api/key-groups", { name: "clients" });
  const remove = () => server.api("DELETE", `/api/key-groups/${group.id}`);

  const { body: key } = await server.api("POST", "/api/keys", { groupId: group.id, name: "client" });
  assert.equal((await remove()).status, 409);
  await server.api("DELETE", `/api/keys/${key.id}`);

  const fields = { name: "hello", handler: "hello.ts", route: "/hello", keys: [group.id] };
  const { body: made } = await server.api("POST", "/api/functions", fields);
  assert.equal((await remove()).status, 409);
  await server.api("PUT", `/api/functions/${made.function.id}`, { keys: [] });

  await server.api("PUT", "/api/settings", { settings: { "api.access-groups": ["management", "clients"] } });
  assert.equal((await remove()).status, 409);
  assert.equal((await server.api("PUT", `/api/key-groups/${group.id}`, { name: "renamed" })).status, 409);
  await server.api("PUT", "/api/settings", { settings: { "api.access-groups": ["management"] } });

  assert.equal((await remove()).status, 200);
  assert.equal((await remove()).status, 404);
});

Deno.test("keys of a group that does not exist are a 404", async () => {
  await using server = await startApp();
  assert.equal((await server.api("GET", "/api/keys?groupId=99")).status, 404);
});

Deno.test("an id is never used again", async () => {
  await using server = await startApp();
  for (const [path, body] of [["/api/key-groups", { name: "g" }], ["/api/keys", { groupId: 1, name: "k" }]] as const) {
    const first = await server.api("POST", path, body);
    await server.api("DELETE", `${path}/${first.body.id}`);
    const second = await server.api("POST", path, body);
    assert.equal(second.body.id, first.body.id + 1);
  }
});

Deno.test("a rolled key keeps its id, group and secrets, and both values call until the grace ends", async () => {
  const folder = await Deno.makeTempDir({ prefix: "crude-functions-test-" });
  let now = Date.now();
  let old = "", value = "";
  try {
    {
      await using server = await startApp({ folder, now: () => now });
      const group = await createGroup(server, "customers");
      await deploy(server, "who", "export default async (c, ctx) => c.text(await ctx.getSecret('TENANT') ?? 'none');", {
        keys: [group],
      });
      const key = await createKey(server, group, "acme");
      old = key.value;
      await createSecret(server, "TENANT", "tenant-of-acme", { scope: "key", keyId: key.id });
      const before = await server.api("GET", `/api/keys/${key.id}`);
      const headers = { "If-Match": before.headers.get("ETag")! };
      const rolled = await server.api("POST", `/api/keys/${key.id}/roll`, { graceSeconds: 3_600 }, headers);
      assert.equal(rolled.status, 200);
      value = rolled.body.value;
      const until = new Date(now + 3_600_000).toISOString();
      assert.deepEqual(rolled.body, { id: key.id, name: "acme", value, previousValueUntil: until });
      // A second click on the same button does not replace the value that the first one showed.
      const again = await server.api("POST", `/api/keys/${key.id}/roll`, { graceSeconds: 0 }, headers);
      assert.equal(again.status, 412);
      const { body: { key: shown } } = await server.api("GET", `/api/keys/${key.id}`);
      assert.deepEqual(
        [shown.preview, shown.rolledAt, shown.previousValueUntil],
        [`…${value.slice(-4)}`, new Date(now).toISOString(), until],
      );
      for (const shown of [old, value]) assert.deepEqual(await who(server, shown), [200, "tenant-of-acme"]);
      const { body: { entries } } = await server.api("GET", "/api/audit?action=key.rolled");
      assert.deepEqual(entries[0].after, { value: "set", previousUntil: until });
      assert.equal(entries.length, 1);
    }
    await using server = await startApp({ folder, now: () => now });
    now += 3_600_000 - 1;
    for (const shown of [old, value]) assert.deepEqual(await who(server, shown), [200, "tenant-of-acme"]);
    now++;
    assert.deepEqual([(await who(server, old))[0], await who(server, value)], [401, [200, "tenant-of-acme"]]);
    assert.equal((await server.api("GET", "/api/keys")).body.keys[1].previousValueUntil, null);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("the previous value of a key is revoked alone, and a key may roll itself", async () => {
  await using server = await startApp();
  const { body: key } = await server.api("POST", "/api/keys", { groupId: 1, name: "deployer" });
  const as = (value: string, method: string, path: string, body?: unknown) =>
    call(method, `${server.url}/api/keys/${key.id}${path}`, body, { "X-API-Key": value });
  const { body: { value: second } } = await as(key.value, "POST", "/roll", { graceSeconds: 60 });
  assert.deepEqual([await as(key.value, "GET", ""), await as(second, "GET", "")].map(({ status }) => status), [
    200,
    200,
  ]);
  assert.equal((await as(key.value, "DELETE", "/previous-value")).status, 200);
  assert.deepEqual([await as(key.value, "GET", ""), await as(second, "GET", "")].map(({ status }) => status), [
    401,
    200,
  ]);
  assert.equal((await as(second, "DELETE", "/previous-value")).status, 404);
  const chosen = "chosen-value-0123456789";
  assert.equal((await as(second, "POST", "/roll", { graceSeconds: 0, value: chosen })).body.value, chosen);
  assert.deepEqual([await as(second, "GET", ""), await as(chosen, "GET", "")].map(({ status }) => status), [401, 200]);
  assert.equal((await server.api("POST", "/api/keys/99/roll", { graceSeconds: 0 })).status, 404);
});

async function who(server: Server, key: string): Promise<[number, string]> {
  const response = await fetch(`${server.url}/run/who`, { headers: { "X-API-Key": key } });
  return [response.status, await response.text()];
}
