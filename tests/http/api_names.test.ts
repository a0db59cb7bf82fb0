// Names wherever ids are: in bodies, where a number is an id, and in queries, where digits alone are one.

import assert from "node:assert/strict";
import { startApp } from "./app.ts";
import { createGroup, createKey, createSecret, deploy, run, set } from "./handlers.ts";
import type { Server } from "./server.ts";

const HANDLER = "export default async (c, ctx) => (console.log('called'), c.text(String(await ctx.getSecret('DB'))));";

async function world(server: Server) {
  const staging = await createGroup(server, "staging");
  const acme = await createKey(server, staging, "acme");
  const hello = await deploy(server, "hello", HANDLER, { keys: [staging] });
  return { staging, acme, hello };
}

Deno.test("a group of a function is an id or a name, and answers have both", async () => {
  await using server = await startApp();
  const { staging, hello } = await world(server);
  const path = `/api/functions/${hello}`;
  for (const keys of [["staging", 1], ["staging", staging, "management"], [1, "staging"]]) {
    const { status, body } = await server.api("PUT", path, { keys });
    assert.equal(status, 200, JSON.stringify(body));
    assert.deepEqual([body.function.keys, body.function.keyNames], [[1, staging], ["management", "staging"]]);
  }
  const made = await server.api("POST", "/api/functions", {
    name: "made",
    handler: "hello.ts",
    route: "/made",
    keys: ["staging"],
  });
  assert.deepEqual([made.status, made.body.function.keys], [201, [staging]]);
  const { body: list } = await server.api("GET", "/api/functions");
  assert.deepEqual(list.functions.at(-1).keyNames, ["staging"]);
});

Deno.test("an owner of a secret and a group of a key are ids or names", async () => {
  await using server = await startApp();
  const { staging, acme, hello } = await world(server);
  await createSecret(server, "DB", "of the function", { scope: "function", functionId: "hello" });
  await createSecret(server, "DB", "of the group", { scope: "group", groupId: "staging" });
  assert.equal((await run(server, "/hello", acme.value)).body, "of the group");
  await createSecret(server, "DB", "of the key", { scope: "key", keyId: "staging/acme" });
  assert.equal((await run(server, "/hello", acme.value)).body, "of the key");
  const { body } = await server.api("GET", "/api/secrets/by-name/DB");
  // deno-lint-ignore no-explicit-any
  const owners = body.secrets.map(({ scope, scopeId, scopeName }: any) => [scope, scopeId, scopeName]);
  assert.deepEqual(owners, [["function", hello, "hello"], ["group", staging, "staging"], ["key", acme.id, "acme"]]);
  const twice = { name: "DB", value: "x", scope: "key", keyId: "staging/acme" };
  assert.equal((await server.api("POST", "/api/secrets", twice)).status, 409);

  const made = await server.api("POST", "/api/keys", { groupId: "staging", name: "a/b" });
  assert.equal(made.status, 201);
  // A key's name may have slashes, so only the first one separates.
  await createSecret(server, "API", "x", { scope: "key", keyId: "staging/a/b" });
  const filtered = await server.api("GET", "/api/secrets?keyId=staging/a/b");
  assert.deepEqual(filtered.body.secrets.map(({ name }: { name: string }) => name), ["API"]);
});

Deno.test("filters take names", async () => {
  await using server = await startApp();
  const { staging, acme, hello } = await world(server);
  await createSecret(server, "DB", "one", { scope: "function", functionId: hello });
  await createSecret(server, "DB", "two", { scope: "group", groupId: staging });
  await createSecret(server, "DB", "three", { scope: "key", keyId: acme.id });
  await set(server, { "log.batching.max-batch-size": 1, "log.level": "info" });
  await run(server, "/hello", acme.value);
  const same: [string, string][] = [
    [`/api/secrets?functionId=${hello}`, "/api/secrets?functionId=hello"],
    [`/api/secrets?groupId=${staging}`, "/api/secrets?groupId=staging"],
    [`/api/secrets?keyId=${acme.id}`, "/api/secrets?keyId=staging%2Facme"],
    [`/api/secrets/by-name/DB?keyId=${acme.id}`, "/api/secrets/by-name/DB?keyId=staging/acme"],
    [`/api/keys?groupId=${staging}`, "/api/keys?groupId=staging"],
    [`/api/logs?functionId=${hello}`, "/api/logs?functionId=hello"],
    [
      `/api/secrets/resolve?functionId=${hello}&keyId=${acme.id}`,
      "/api/secrets/resolve?functionId=hello&keyId=staging/acme",
    ],
  ];
  for (const [byId, byName] of same) {
    const [one, other] = [await server.api("GET", byId), await server.api("GET", byName)];
    assert.equal(other.status, 200, `${byName}: ${JSON.stringify(other.body)}`);
    assert.deepEqual(other.body, one.body, byName);
    assert.ok(Object.values(one.body).some((rows) => Array.isArray(rows) && rows.length > 0), byId);
  }
  const metrics = await server.api("GET", "/api/metrics?functionId=hello");
  assert.deepEqual([metrics.body.functionId, metrics.body.functionName], [hello, "hello"]);
  const { body: { logs } } = await server.api("GET", "/api/logs?functionId=hello");
  assert.ok(logs.every((entry: { functionName: string }) => entry.functionName === "hello"));
});

Deno.test("digits in a text of JSON are a name, and digits in a query are an id", async () => {
  await using server = await startApp();
  const numbered = await createGroup(server, "77");
  const made = await server.api("POST", "/api/keys", { groupId: "77", name: "acme" });
  assert.equal(made.status, 201);
  assert.equal((await server.api("GET", `/api/keys/${made.body.id}`)).body.key.groupId, numbered);
  assert.equal((await server.api("POST", "/api/keys", { groupId: 77, name: "other" })).status, 404);
  assert.equal((await server.api("GET", "/api/keys?groupId=77")).status, 404);
  assert.equal((await server.api("GET", `/api/keys?groupId=${numbered}`)).body.keys.length, 1);
  // A number is an id however it is written.
  const exponent = await server.api("POST", "/api/keys", '{"groupId": 1e0, "name": "x"}', {
    "Content-Type": "application/json",
  });
  assert.equal(exponent.status, 201);
});

Deno.test("a name that does not exist is a 404 that names the field, as an id is", async () => {
  await using server = await startApp();
  await world(server);
  const entry = { name: "x", handler: "hello.ts", route: "/x" };
  const secret = { name: "X", value: "x" };
  const cases: [string, unknown, string][] = [
    ["POST /api/functions", { ...entry, keys: ["staging", "nowhere"] }, "keys.1"],
    ["POST /api/functions", { ...entry, keys: [1, 99] }, "keys.1"],
    ["PUT /api/functions/1", { keys: ["nowhere"] }, "keys.0"],
    ["POST /api/keys", { groupId: "nowhere", name: "x" }, "groupId"],
    ["POST /api/keys", { groupId: 99, name: "x" }, "groupId"],
    ["POST /api/secrets", { ...secret, scope: "function", functionId: "nobody" }, "functionId"],
    ["POST /api/secrets", { ...secret, scope: "group", groupId: "1e3" }, "groupId"],
    ["POST /api/secrets", { ...secret, scope: "key", keyId: "staging/nobody" }, "keyId"],
    ["POST /api/secrets", { ...secret, scope: "key", keyId: "nowhere/acme" }, "keyId"],
    ["POST /api/secrets", { ...secret, scope: "key", keyId: 99 }, "keyId"],
    ["POST /api/packages/x/update", { functions: ["nobody"] }, "functions.0"],
    ["GET /api/secrets?functionId=nobody", undefined, "functionId"],
    ["GET /api/secrets?functionId=1abc", undefined, "functionId"],
    ["GET /api/secrets?groupId=-1", undefined, "groupId"],
    ["GET /api/secrets?keyId=staging/nobody", undefined, "keyId"],
    ["GET /api/keys?groupId=nowhere", undefined, "groupId"],
    ["GET /api/logs?functionId=nobody", undefined, "functionId"],
    ["GET /api/logs/stream?functionId=nobody", undefined, "functionId"],
    ["GET /api/metrics?functionId=1e3", undefined, "functionId"],
    ["GET /api/secrets/resolve?functionId=nobody", undefined, "functionId"],
    ["GET /api/secrets/resolve?functionId=hello&keyId=nowhere/x", undefined, "keyId"],
  ];
  for (const [request, body, field] of cases) {
    const [method, path] = request.split(" ") as [string, string];
    const answer = await server.api(method, path, body);
    assert.equal(answer.status, 404, `${request} ${JSON.stringify(body)}: ${JSON.stringify(answer.body)}`);
    assert.deepEqual(answer.body.details, { [field]: "does not exist" }, request);
  }
});

Deno.test("what is neither an id nor a name is a 400 that names the field", async () => {
  await using server = await startApp();
  const secret = { name: "X", value: "x" };
  const values = [null, true, 0, -1, 1.5, 1e300, [], ["staging"], {}, { id: 1 }, "", " staging", "a\nb", "\ud800"];
  for (const value of values) {
    const requests: [string, unknown, string][] = [
      ["/api/functions", { name: "x", handler: "x.ts", route: "/x", keys: [value] }, "keys.0"],
      ["/api/keys", { groupId: value, name: "x" }, "groupId"],
      ["/api/secrets", { ...secret, scope: "function", functionId: value }, "functionId"],
      ["/api/secrets", { ...secret, scope: "group", groupId: value }, "groupId"],
      ["/api/secrets", { ...secret, scope: "key", keyId: value }, "keyId"],
    ];
    for (const [path, body, field] of requests) {
      const answer = await server.api("POST", path, body);
      assert.equal(answer.status, 400, `${path} ${JSON.stringify(body)}`);
      assert.deepEqual(Object.keys(answer.body.details), [field], `${path} ${JSON.stringify(body)}`);
    }
  }
  for (const keyId of ["acme", "/acme", "staging/", "/", "Staging/acme"]) {
    const answer = await server.api("POST", "/api/secrets", { ...secret, scope: "key", keyId });
    const problem = 'must be the names of a group and its key, such as "staging/acme"';
    assert.deepEqual([answer.status, answer.body.details], [400, { keyId: problem }], keyId);
    const query = await server.api("GET", `/api/secrets?keyId=${encodeURIComponent(keyId)}`);
    assert.deepEqual([query.status, Object.keys(query.body.details)], [400, ["keyId"]], keyId);
  }
  for (const query of ["groupId=", "groupId=0", "groupId=01", "groupId=A", "functionId=%00", "groupId=a&groupId=b"]) {
    assert.equal((await server.api("GET", `/api/secrets?${query}`)).status, 400, query);
  }
});

Deno.test("an id in a path is never a name", async () => {
  await using server = await startApp();
  const { hello } = await world(server);
  for (const path of ["/api/functions/hello", "/api/key-groups/staging", "/api/keys/acme", "/api/secrets/DB"]) {
    assert.equal((await server.api("GET", path)).status, 400, path);
  }
  assert.equal((await server.api("DELETE", "/api/logs/hello")).status, 400);
  assert.equal((await server.api("GET", `/api/functions/${hello}`)).status, 200);
});
