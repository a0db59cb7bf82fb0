// /api/functions and /api/settings beyond the shapes.

import assert from "node:assert/strict";
import { startApp } from "./app.ts";

const HELLO = { name: "hello", handler: "hello.ts", route: "/hello" };

Deno.test("a function whose handler is missing or broken is saved, and the answer says what is wrong", async () => {
  await using server = await startApp();
  const missing = await server.api("POST", "/api/functions", HELLO);
  assert.equal(missing.status, 201);
  assert.equal(missing.body.problems.length, 1);
  assert.match(missing.body.problems[0], /hello\.ts/);

  await server.api("PUT", "/api/files/broken.ts", { content: "import './nowhere.ts';\nexport default () => {};\n" });
  const broken = await server.api("PUT", "/api/functions/1", { handler: "broken.ts" });
  assert.equal(broken.status, 200);
  assert.match(broken.body.problems[0], /nowhere\.ts/);

  await server.api("PUT", "/api/files/hello.ts", { content: "export default (c) => c.text('hello');\n" });
  const mended = await server.api("PUT", "/api/functions/1", { handler: "hello.ts" });
  assert.deepEqual(mended.body.problems, []);
});

Deno.test("what a change does not name stays as it is", async () => {
  await using server = await startApp();
  const fields = {
    ...HELLO,
    methods: ["POST", "PUT"],
    keys: [1],
    description: "Two\nlines",
    permissions: { net: ["example.com"] },
    secrets: ["STRIPE_*"],
    isolation: "per-key",
    timeoutMs: 5_000,
    memoryMb: 64,
    enabled: false,
  };
  const { body: made } = await server.api("POST", "/api/functions", fields);
  const changes = {
    name: "hi",
    route: "/hi",
    permissions: { net: false, read: "modules", env: false },
    secrets: [],
    isolation: "shared",
    timeoutMs: null,
    memoryMb: 32,
    enabled: true,
  };
  for (const [field, value] of Object.entries(changes)) {
    const { body } = await server.api("PUT", "/api/functions/1", { [field]: value });
    // The state follows from the others, and from whether the handler's file is there.
    const { updatedAt: _, state: _state, stateReason: _reason, ...expected } = { ...made.function, [field]: value };
    const { updatedAt, state, stateReason, ...rest } = body.function;
    assert.deepEqual(
      [state, stateReason],
      body.function.enabled ? ["broken", "There is no file hello.ts."] : ["disabled", null],
    );
    assert.deepEqual(rest, expected);
    assert.ok(updatedAt >= made.function.updatedAt);
    Object.assign(made.function, { [field]: value });
  }
});

Deno.test("a function as it was got can be put back without what is read-only", async () => {
  await using server = await startApp();
  const fields = { secrets: ["A_*"], isolation: "per-key", timeoutMs: 5_000, memoryMb: 64 };
  await server.api("POST", "/api/functions", { ...HELLO, ...fields, permissions: { net: ["example.com"] } });
  const { body: got } = await server.api("GET", "/api/functions/1");
  const { id, createdAt, updatedAt, health, state: _state, stateReason: _reason, ...rest } = got.function;
  const put = await server.api("PUT", "/api/functions/1", rest);
  assert.equal(put.status, 200, JSON.stringify(put.body));
  const { updatedAt: _, ...expected } = got.function;
  const { updatedAt: changedAt, ...now } = put.body.function;
  assert.deepEqual(now, expected);
  assert.ok(changedAt >= updatedAt);
  // Names that were not those of its groups would be a change that nobody makes.
  for (const keyNames of [["management"], [null], "x"]) {
    const { status, body } = await server.api("PUT", "/api/functions/1", { ...rest, keyNames });
    assert.deepEqual([status, Object.keys(body.details)[0]!.split(".")[0]], [400, "keyNames"]);
  }
  const refused = await server.api("PUT", "/api/functions/1", { ...rest, id, createdAt, updatedAt, health });
  assert.deepEqual([refused.status, Object.keys(refused.body.details)], [400, [
    "id",
    "createdAt",
    "updatedAt",
    "health",
  ]]);
});

Deno.test("methods and keys are listed once each", async () => {
  await using server = await startApp();
  const { body } = await server.api("POST", "/api/functions", { ...HELLO, methods: ["PUT", "PUT"], keys: [1, 1] });
  assert.deepEqual([body.function.methods, body.function.keys], [["PUT"], [1]]);
});

Deno.test("one route may belong to functions of different methods", async () => {
  await using server = await startApp();
  assert.equal((await server.api("POST", "/api/functions", HELLO)).status, 201);
  const other = { ...HELLO, name: "other", methods: ["POST"] };
  assert.equal((await server.api("POST", "/api/functions", other)).status, 201);
  const overlapping = await server.api("PUT", "/api/functions/2", { methods: ["POST", "GET"] });
  assert.deepEqual([overlapping.status, overlapping.body.details], [409, { route: 'is taken by "hello"' }]);
  const unchanged = await server.api("GET", "/api/functions/2");
  assert.deepEqual(unchanged.body.function.methods, ["POST"]);
});

Deno.test("of a hundred creates of one function at once, one succeeds", async () => {
  await using server = await startApp();
  const answers = await Promise.all(Array.from({ length: 100 }, () => server.api("POST", "/api/functions", HELLO)));
  const statuses = answers.map(({ status }) => status);
  assert.equal(statuses.filter((status) => status === 201).length, 1);
  assert.equal(statuses.filter((status) => status === 409).length, 99);
  assert.equal((await server.api("GET", "/api/functions")).body.functions.length, 1);
});

Deno.test("a deleted function leaves its file and frees its name and route, but not its id", async () => {
  await using server = await startApp();
  await server.api("PUT", "/api/files/hello.ts", { content: "export default () => new Response();\n" });
  await server.api("POST", "/api/functions", HELLO);
  assert.equal((await server.api("DELETE", "/api/functions/1")).status, 200);
  assert.equal((await server.api("DELETE", "/api/functions/1")).status, 404);
  assert.equal((await server.api("GET", "/api/files/hello.ts")).status, 200);
  assert.equal((await server.api("POST", "/api/functions", HELLO)).body.function.id, 2);
});

Deno.test("enabling and disabling a function that does not exist is a 404", async () => {
  await using server = await startApp();
  for (const verb of ["enable", "disable"]) {
    assert.equal((await server.api("PUT", `/api/functions/7/${verb}`)).status, 404);
  }
});

Deno.test("settings are changed all or none, and each one that is wrong is named", async () => {
  await using server = await startApp();
  const timeout = async () => {
    const { body } = await server.api("GET", "/api/settings");
    return body.settings.find((setting: { name: string }) => setting.name === "sandbox.timeout-ms");
  };
  const { meaning, ...before } = await timeout();
  assert.deepEqual(before, { name: "sandbox.timeout-ms", value: 30_000, default: 30_000 });
  assert.match(meaning, /milliseconds/);

  const changed = await server.api("PUT", "/api/settings", { settings: { "sandbox.timeout-ms": 5_000 } });
  assert.equal(changed.status, 200);
  assert.deepEqual(changed.body, (await server.api("GET", "/api/settings")).body);
  assert.equal((await timeout()).value, 5_000);

  const settings = {
    "sandbox.timeout-ms": 6_000,
    "sandbox.max-processes": "many",
    "no.such.setting": 1,
    "api.access-groups": ["nobody"],
  };
  const refused = await server.api("PUT", "/api/settings", { settings });
  assert.equal(refused.status, 400);
  assert.deepEqual(Object.keys(refused.body.details), [
    "sandbox.max-processes",
    "no.such.setting",
    "api.access-groups",
  ]);
  assert.equal((await timeout()).value, 5_000);
});
