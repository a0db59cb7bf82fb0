// /api/key-groups and /api/keys beyond the shapes.

import assert from "node:assert/strict";
import { startApp } from "./app.ts";
import { call } from "./server.ts";

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
