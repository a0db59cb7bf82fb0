// PUT by name: it creates or replaces, never opens what is closed, and concurrent ones do not mix.

import assert from "node:assert/strict";
import { startApp } from "./app.ts";
import { createGroup, createKey, run, save } from "./handlers.ts";
import type { Answer, Server } from "./server.ts";

const HELLO = "/api/functions/by-name/hello";
const ENTRY = { handler: "hello.ts", route: "/hello" };

function put(server: Server, path: string, body: unknown, ifMatch?: string): Promise<Answer> {
  return server.api("PUT", path, body, ifMatch ? { "If-Match": ifMatch } : undefined);
}

async function actions(server: Server): Promise<string[]> {
  const { body } = await server.api("GET", "/api/audit");
  // deno-lint-ignore no-explicit-any
  return body.entries.map(({ action, subject }: any) => `${action} ${subject.name}`);
}

Deno.test("a function is created, replaced and deleted by its name", async () => {
  await using server = await startApp();
  await save(server, "hello.ts", "export default (c) => c.text('hello');");
  const made = await put(server, HELLO, {
    ...ENTRY,
    description: "first",
    methods: ["GET", "POST"],
    timeoutMs: 90_000,
  });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  assert.deepEqual(Object.keys(made.body), ["function", "problems", "warnings"]);
  assert.equal((await run(server, "/hello")).body, "hello");

  const replaced = await put(server, HELLO, { ...ENTRY, route: "/hi" });
  assert.equal(replaced.status, 200);
  const { id, description, methods, timeoutMs, route } = replaced.body.function;
  assert.deepEqual([id, description, methods, timeoutMs, route], [made.body.function.id, "", ["GET"], null, "/hi"]);
  assert.deepEqual([(await run(server, "/hello")).status, (await run(server, "/hi")).body], [404, "hello"]);

  const got = await server.api("GET", HELLO);
  assert.deepEqual(got.body, { function: replaced.body.function });
  assert.equal(got.headers.get("etag"), replaced.headers.get("etag"));
  assert.equal((await server.api("DELETE", HELLO, undefined, { "If-Match": '"old"' })).status, 412);
  assert.equal((await server.api("DELETE", HELLO)).status, 200);
  for (const method of ["GET", "DELETE"]) {
    const { status, body } = await server.api(method, HELLO);
    assert.deepEqual([status, body.error], [404, 'There is no function named "hello".']);
  }
});

Deno.test("an unchanged function is not written, and leaves no entry in the audit", async () => {
  await using server = await startApp();
  await createGroup(server, "staging");
  const entry = { ...ENTRY, methods: ["POST", "GET"], keys: ["staging", 1], cors: { origins: ["*"] }, files: ["a/**"] };
  const made = await put(server, HELLO, entry);
  const before = await actions(server);
  const same = { ...entry, methods: ["GET", "POST", "GET"], keys: [1, 2], permissions: { net: true } };
  for (const again of [entry, same]) {
    const { status, headers, body } = await put(server, HELLO, again);
    assert.equal(status, 200);
    assert.equal(headers.get("etag"), made.headers.get("etag"));
    assert.equal(body.function.updatedAt, made.body.function.updatedAt);
  }
  assert.deepEqual(await actions(server), before);
});

Deno.test("leaving out what limits a function opens nothing", async () => {
  await using server = await startApp();
  await createGroup(server, "staging");
  const closed = { ...ENTRY, keys: ["staging"], secrets: ["DB_*"], enabled: false };
  assert.equal((await put(server, HELLO, closed)).status, 201);
  const { body: before } = await server.api("GET", HELLO);
  const cases: [Record<string, unknown>, string][] = [
    [ENTRY, "keys"],
    [{ ...ENTRY, secrets: ["*"] }, "keys"],
    [{ ...ENTRY, keys: ["staging"] }, "secrets"],
    [{ ...ENTRY, keys: [], route: "/other" }, "secrets"],
  ];
  for (const [entry, field] of cases) {
    const { status, body } = await put(server, HELLO, entry);
    assert.deepEqual([status, body.code, Object.keys(body.details)], [400, "InvalidInput", [field]]);
    assert.match(body.error, /must be given/);
  }
  assert.deepEqual((await server.api("GET", HELLO)).body, before);
  // A disabled function stays disabled; what is said is done.
  const said = await put(server, HELLO, { ...ENTRY, keys: [], secrets: ["*"] });
  assert.deepEqual([said.status, said.body.function.enabled, said.body.function.keys], [200, false, []]);
  assert.equal((await put(server, HELLO, { ...ENTRY, enabled: true })).body.function.enabled, true);
});

Deno.test("a replacement is refused with its field, and changes nothing", async () => {
  await using server = await startApp();
  await put(server, HELLO, ENTRY);
  await put(server, "/api/functions/by-name/other", { ...ENTRY, route: "/other" });
  const taken = await put(server, HELLO, { ...ENTRY, route: "/other" });
  assert.deepEqual([taken.status, taken.body.details], [409, { route: 'is taken by "other"' }]);
  const unknown = await put(server, HELLO, { ...ENTRY, keys: ["nowhere"] });
  assert.deepEqual([unknown.status, unknown.body.details], [404, { "keys.0": "does not exist" }]);
  const cases: [unknown, string[]][] = [
    [{}, ["handler", "route"]],
    [{ ...ENTRY, name: "hello" }, ["name"]],
    [{ ...ENTRY, dryRun: true }, ["dryRun"]],
    [{ ...ENTRY, keys: "staging" }, ["keys"]],
    [{ ...ENTRY, keys: null }, ["keys"]],
    [{ ...ENTRY, handler: "../x.ts", route: "x" }, ["handler", "route"]],
    [[], ["body"]],
    [null, ["body"]],
  ];
  for (const [body, fields] of cases) {
    const answer = await put(server, HELLO, body === null ? "null" : body);
    if (body === null) continue;
    assert.deepEqual([answer.status, Object.keys(answer.body.details)], [400, fields], JSON.stringify(body));
  }
  for (const query of ["dryRun=true", "force=1"]) {
    assert.equal((await put(server, `${HELLO}?${query}`, ENTRY)).status, 400, query);
  }
  assert.equal((await server.api("GET", HELLO)).body.function.route, "/hello");
});

Deno.test("any name that a function can have works in the path", async () => {
  await using server = await startApp();
  const names = [
    "123",
    "1e3",
    "a/b",
    "by-name",
    "enable",
    "100%",
    "a%2Fb",
    "a%252Fb",
    "日本語",
    "a b",
    "?x=1#y",
    "é+",
    "a\\b",
    "__proto__",
    "..x",
  ];
  for (const [index, name] of names.entries()) {
    const path = `/api/functions/by-name/${encodeURIComponent(name)}`;
    const made = await put(server, path, { ...ENTRY, route: `/${index}` });
    assert.deepEqual([made.status, made.body.function?.name], [201, name], name);
    assert.equal((await server.api("GET", path)).body.function.id, made.body.function.id, name);
    assert.equal((await put(server, path, { ...ENTRY, route: `/${index}` })).status, 200, name);
  }
  assert.equal((await server.api("GET", "/api/functions")).body.functions.length, names.length);
  for (const name of ["%20x", "%0a", "x%20", "%00", "x".repeat(101)]) {
    const { status } = await put(server, `/api/functions/by-name/${name}`, ENTRY);
    assert.equal(status, 400, name);
  }
  assert.ok([404, 405].includes((await put(server, "/api/functions/by-name/", ENTRY)).status));
  assert.ok([404, 405].includes((await put(server, "/api/functions/by-name/a/b", ENTRY)).status));
});

Deno.test("of many replacements of one name at once, one creates and none is lost or mixed", async () => {
  await using server = await startApp();
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, n) => put(server, HELLO, { ...ENTRY, route: `/r${n}`, description: `d${n}` })),
  );
  assert.equal(answers.filter(({ status }) => status === 201).length, 1);
  assert.equal(answers.filter(({ status }) => status === 200).length, 49);
  const { body: { functions } } = await server.api("GET", "/api/functions");
  assert.equal(functions.length, 1);
  assert.equal(functions[0].route.slice(2), functions[0].description.slice(1));

  const etag = (await server.api("GET", HELLO)).headers.get("etag")!;
  const guarded = await Promise.all(
    Array.from({ length: 10 }, (_, n) => put(server, HELLO, { ...ENTRY, description: `guarded ${n}` }, etag)),
  );
  assert.deepEqual(guarded.map(({ status }) => status).sort(), [200, ...Array(9).fill(412)]);
  const refused = guarded.find(({ status }) => status === 412)!;
  assert.match(refused.body.error, /^The function "hello" changed since/);
});

Deno.test("If-Match of a name that does not exist creates nothing", async () => {
  await using server = await startApp();
  const puts: [string, unknown, RegExp][] = [
    [HELLO, ENTRY, /^The function "hello" does not exist/],
    ["/api/key-groups/by-name/staging", {}, /^The key group "staging" does not exist/],
    ["/api/secrets/by-name/DB", { value: "x", scope: "global" }, /^The secret "DB" in the global scope does not exist/],
  ];
  for (const [path, body, message] of puts) {
    for (const tag of ["*", '"x"']) {
      const answer = await put(server, path, body, tag);
      assert.deepEqual([answer.status, answer.body.code], [412, "PreconditionFailed"], path);
      assert.match(answer.body.error, message);
    }
    assert.equal((await server.api("GET", path)).status, 404, path);
  }
});

Deno.test("a key group is created, replaced and deleted by its name", async () => {
  await using server = await startApp();
  const path = "/api/key-groups/by-name/staging";
  const made = await put(server, path, { description: "Staging clients" });
  assert.deepEqual([made.status, made.body], [201, { id: 2, name: "staging" }]);
  const before = await actions(server);
  const same = await put(server, path, { description: "Staging clients" });
  assert.deepEqual([same.status, same.headers.get("etag")], [200, made.headers.get("etag")]);
  assert.deepEqual(await actions(server), before);
  assert.deepEqual((await put(server, path, {})).body, { id: 2, name: "staging" });
  const got = await server.api("GET", path);
  assert.deepEqual(got.body, { group: { id: 2, name: "staging", description: "" } });
  assert.notEqual(got.headers.get("etag"), made.headers.get("etag"));
  for (const name of ["Staging", "a%2Fb", "a.b", "%20"]) {
    const { status, body } = await put(server, `/api/key-groups/by-name/${name}`, {});
    assert.deepEqual([status, Object.keys(body.details)], [400, ["name"]], name);
  }
  for (const body of [{ name: "staging" }, { dryRun: true }, { description: null }]) {
    assert.equal((await put(server, path, body)).status, 400, JSON.stringify(body));
  }
  await createKey(server, 2, "acme");
  assert.equal((await server.api("DELETE", path)).status, 409);
  assert.equal((await server.api("DELETE", "/api/key-groups/by-name/management")).status, 403);
  await server.api("DELETE", "/api/keys/2");
  assert.equal((await server.api("DELETE", path)).status, 200);
  assert.equal((await server.api("GET", path)).status, 404);
});

Deno.test("a secret is created, replaced and deleted by its name and owner", async () => {
  await using server = await startApp();
  await put(server, HELLO, ENTRY);
  const path = "/api/secrets/by-name/DB";
  const global = await put(server, path, { value: "one", scope: "global", comment: "first" });
  assert.deepEqual([global.status, global.body], [201, { id: 1, name: "DB", scope: "global" }]);
  const owned = { scope: "function", functionId: "hello" };
  const own = await put(server, path, { value: "two", ...owned });
  assert.deepEqual([own.status, own.body], [201, { id: 2, name: "DB", scope: "function" }]);

  const replaced = await put(server, path, { value: "three", scope: "global" }, global.headers.get("etag")!);
  assert.deepEqual([replaced.status, replaced.body], [200, global.body]);
  const shown = await server.api("GET", `${path}?includeValues=true&scope=global`);
  assert.deepEqual([shown.body.secrets[0].value, shown.body.secrets[0].comment], ["three", ""]);
  assert.equal(shown.headers.get("etag"), replaced.headers.get("etag"));
  assert.equal((await put(server, path, { value: "four", scope: "global" }, global.headers.get("etag")!)).status, 412);

  const one = await server.api("GET", `${path}?functionId=hello&includeValues=true`);
  assert.deepEqual(one.body.secrets.map(({ value }: { value: string }) => value), ["two"]);
  assert.equal((await server.api("GET", path)).headers.get("etag"), null);

  const cases: [unknown, number, string][] = [
    [{ value: "x" }, 400, "scope"],
    [{ scope: "global" }, 400, "value"],
    [{ value: "x", scope: "function" }, 400, "functionId"],
    [{ value: "x", scope: "global", functionId: "hello" }, 400, "functionId"],
    [{ value: "x", scope: "function", functionId: "nobody" }, 404, "functionId"],
    [{ value: "x", scope: "function", functionId: 99 }, 404, "functionId"],
    [{ value: "x", scope: "global", name: "DB" }, 400, "name"],
    [{ value: "x", scope: "global", dryRun: true }, 400, "dryRun"],
  ];
  for (const [body, status, field] of cases) {
    const answer = await put(server, path, body);
    assert.deepEqual([answer.status, Object.keys(answer.body.details)], [status, [field]], JSON.stringify(body));
  }
  assert.equal((await put(server, `${path}?dryRun=maybe`, { value: "x", scope: "global" })).status, 400);
  const large = await put(server, path, { value: "x".repeat(16_385), scope: "global" });
  assert.deepEqual([large.status, large.body.code], [413, "OversizedPlaintextError"]);

  assert.equal((await server.api("DELETE", path)).status, 400);
  assert.equal((await server.api("DELETE", `${path}?scope=function`)).status, 400);
  assert.equal((await server.api("DELETE", `${path}?scope=global&functionId=hello`)).status, 400);
  assert.equal((await server.api("DELETE", `${path}?scope=function&functionId=nobody`)).status, 404);
  assert.equal((await server.api("DELETE", `${path}?scope=function&functionId=hello`)).status, 200);
  assert.equal((await server.api("DELETE", `${path}?scope=function&functionId=hello`)).status, 404);
  const { body: left } = await server.api("GET", path);
  assert.deepEqual(left.secrets.map(({ scope }: { scope: string }) => scope), ["global"]);
  const seen = await actions(server);
  for (const action of ["secret.created DB", "secret.updated DB", "secret.deleted DB"]) {
    assert.ok(seen.includes(action));
  }
});

Deno.test("of many replacements of one secret at once, one creates and all have one owner", async () => {
  await using server = await startApp();
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, n) => put(server, "/api/secrets/by-name/DB", { value: `v${n}`, scope: "global" })),
  );
  assert.equal(answers.filter(({ status }) => status === 201).length, 1);
  assert.equal(answers.filter(({ status }) => status === 200).length, 49);
  assert.equal((await server.api("GET", "/api/secrets")).body.secrets.length, 1);
});
