// Whatever is sent, the answer says what is wrong with it. The endpoints come from /api/openapi.json,
// so that one that is added is tried as well.

import assert from "node:assert/strict";
import { startApp } from "./app.ts";
import { type Answer, call, type Server } from "./server.ts";

const MIB = 1024 * 1024;
/** Takes whatever the git server sends, and uses none of it. */
const WEBHOOK = "/api/git-source/webhook";
/** For lists of many files, and for files of many secrets. */
const TAKE_MORE = ["/api/blobs/missing", "/api/deployments", "/api/secrets/import"];

/** These take the parameter `dryRun`. */
const DRY_RUNS = [
  "POST /api/secrets",
  "PUT /api/secrets/by-name/{name}",
  "DELETE /api/secrets/by-name/{name}",
  "PUT /api/secrets/{id}",
  "DELETE /api/secrets/{id}",
];

interface Endpoint {
  method: string;
  /** With an id that does not exist. */
  path: string;
  template: string;
  /** Names of the body's fields; undefined if it takes none, or not only JSON. */
  fields: string[] | undefined;
  /** Whether it may have a body. */
  takesBody: boolean;
  /** Whether it must have one. */
  needsBody: boolean;
}

async function endpoints(server: Server): Promise<Endpoint[]> {
  const { body: document } = await call("GET", `${server.url}/api/openapi.json`);
  const found: Endpoint[] = [];
  for (const [template, operations] of Object.entries<Record<string, unknown>>(document.paths)) {
    // deno-lint-ignore no-explicit-any
    for (const [method, { requestBody }] of Object.entries<any>(operations)) {
      const content = requestBody?.content ?? {};
      const ref = Object.keys(content).length === 1 ? content["application/json"]?.schema.$ref : undefined;
      const schema = ref && document.components.schemas[ref.split("/").at(-1)];
      const path = template.replace("{id}", "999").replace("{number}", "999").replace("{name}", "X").replace(
        "{path}",
        "x.ts",
      )
        .replace("{functionId}", "999");
      found.push({
        method: method.toUpperCase(),
        path,
        template,
        fields: schema && Object.keys(schema.properties),
        takesBody: requestBody !== undefined,
        needsBody: requestBody?.required === true,
      });
    }
  }
  return found;
}

async function jsonEndpoints(server: Server) {
  const found = (await endpoints(server)).filter((endpoint): endpoint is Endpoint & { fields: string[] } =>
    endpoint.fields !== undefined
  );
  // An endpoint that was lost on the way would not be tried.
  assert.equal(found.length, 29);
  return found;
}

/** A refusal in the contract's form, in our own words. */
function assertRefusal({ status, body }: Answer, about: string): void {
  assert.ok(status >= 400 && status < 500, `${about}: ${status}`);
  assert.match(body.error, /^\S.*[.]$/, about);
  assert.match(body.code, /^[A-Z][A-Za-z]+$/, about);
  assert.doesNotMatch(JSON.stringify(body), /Invalid input|expected|received|Too (big|small)|Unrecognized/, about);
}

Deno.test("a body that is no JSON object is a 400 that says so", async () => {
  await using server = await startApp();
  for (const { method, path, needsBody } of await jsonEndpoints(server)) {
    for (const body of ["null", "[]", "5", '"text"', "true"]) {
      const answer = await server.api(method, path, body, { "Content-Type": "application/json" });
      assert.equal(answer.status, 400, `${method} ${path} ${body}`);
      assert.deepEqual(answer.body.details, { body: "must be a JSON object" });
    }
    for (const body of ["", "{", "{'a':1}", '{"a":1}x', "\ufeff\ufeff{}", new Uint8Array([0x7b, 0xff, 0x7d])]) {
      if (body === "" && !needsBody) continue;
      const answer = await server.api(method, path, body, { "Content-Type": "application/json" });
      assert.equal(answer.status, 400, `${method} ${path} ${body}`);
      assert.match(answer.body.error, /JSON/);
    }
  }
});

Deno.test("a body that is not declared as application/json is a 415", async () => {
  await using server = await startApp();
  for (const { method, path } of await jsonEndpoints(server)) {
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "text/json", "application/jsonp", ""]) {
      const answer = await server.api(method, path, "{}", { "Content-Type": type });
      assert.equal(answer.status, 415, `${method} ${path} ${type}`);
      assert.equal(answer.body.code, "UnsupportedMediaType");
    }
    const withCharset = await server.api(method, path, "null", { "Content-Type": "Application/JSON; charset=utf-8" });
    assert.equal(withCharset.status, 400);
  }
});

Deno.test("a JSON body of more than 1 MiB is a 413, with and without its length announced", async () => {
  await using server = await startApp();
  const tooLong = JSON.stringify({ name: "x".repeat(MIB) });
  for (const { method, path } of await jsonEndpoints(server)) {
    if (TAKE_MORE.includes(path)) continue;
    for (const body of [tooLong, new Blob([tooLong]).stream()]) {
      const answer = await server.api(method, path, body, { "Content-Type": "application/json" });
      assert.equal(answer.status, 413, `${method} ${path}`);
      assert.equal(answer.body.code, "PayloadTooLarge");
    }
  }
});

Deno.test("an unknown field is a 400 that names it", async () => {
  await using server = await startApp();
  for (const { method, path } of await jsonEndpoints(server)) {
    for (const field of ["functionID", "__proto__", "constructor", "toString"]) {
      const answer = await server.api(method, path, `{"${field}":1}`, { "Content-Type": "application/json" });
      assert.equal(answer.status, 400, `${method} ${path}`);
      const details = Object.fromEntries(Object.entries(answer.body.details));
      assert.equal(Object.getOwnPropertyDescriptor(details, field)?.value, "is not a known field", `${method} ${path}`);
    }
  }
});

Deno.test("an unknown query parameter, or one given twice, is a 400 that names it", async () => {
  await using server = await startApp();
  for (const path of ["/api/secrets", "/api/secrets/1", "/api/secrets/by-name/X", "/api/keys", "/api/keys/1"]) {
    const unknown = await server.api("GET", `${path}?includevalues=true`);
    assert.deepEqual([unknown.status, unknown.body.details], [400, { includevalues: "is not a known parameter" }]);
    const twice = await server.api("GET", `${path}?includeValues=true&includeValues=false`);
    assert.deepEqual([twice.status, twice.body.details], [400, { includeValues: 'must be "true" or "false"' }]);
  }
});

Deno.test("an id is taken strictly", async () => {
  await using server = await startApp();
  const withId = (await endpoints(server)).filter(({ template }) => template.includes("{id}"));
  assert.equal(withId.length, 39);
  const wrong = [
    "1abc",
    "0",
    "-1",
    "1.5",
    "01",
    "+1",
    "1e3",
    "0x1",
    "%201",
    "1%00",
    "%zz",
    "٣",
    "9".repeat(30),
    "null",
  ];
  for (const { method, template, fields } of withId) {
    for (const id of wrong) {
      const path = template.replace("{id}", id).replace("{number}", "1");
      const answer = await server.api(method, path, fields ? { name: "x" } : undefined);
      assert.equal(answer.status, 400, `${method} ${path}`);
      assert.deepEqual(answer.body.details, { id: "must be a positive whole number" });
    }
  }
  // In a query, anything but digits is a name.
  for (const id of ["0", "01", "000", "9".repeat(30)]) {
    for (const path of [`/api/keys?groupId=${id}`, `/api/secrets?groupId=${id}`]) {
      const answer = await server.api("GET", path);
      assert.deepEqual([answer.status, answer.body.details], [400, { groupId: "must be a positive whole number" }]);
    }
  }
});

Deno.test("no value of any field makes the server fail", async () => {
  await using server = await startApp();
  const values = [
    null,
    true,
    0,
    -1,
    1.5,
    1e300,
    "",
    " ",
    "\0",
    "a\0b",
    "\ud800",
    "\n",
    "../x",
    "x".repeat(20_000),
    [],
    [null],
    [[]],
    ["x"],
    [1e300],
    {},
    { net: null },
    { "a": { "b": 1 } },
  ];
  for (const { method, path, fields } of await jsonEndpoints(server)) {
    const requests = fields.flatMap((field) => values.map((value) => ({ field, value })));
    await Promise.all(requests.map(async ({ field, value }) => {
      const about = `${method} ${path} ${field}: ${JSON.stringify(value)?.slice(0, 40)}`;
      // Together with fields that are right, so that it gets as far as it can.
      const right = { name: crypto.randomUUID(), handler: "x.ts", route: `/${crypto.randomUUID()}`, groupId: 1 };
      const others = Object.entries({ ...right, value: "some-value-0123456789", scope: "group" })
        .filter(([name]) => fields.includes(name));
      const answer = await server.api(method, path, { ...Object.fromEntries(others), [field]: value });
      if (![200, 201].includes(answer.status)) assertRefusal(answer, about);
    }));
  }
  assert.doesNotMatch(server.logs(), / ERROR /);
});

Deno.test("each field that is wrong is named with what is wrong with it", async () => {
  await using server = await startApp();
  const cases: [string, unknown, Record<string, string>][] = [
    ["POST /api/key-groups", { name: 5, description: null }, { name: "must be text", description: "must be text" }],
    ["POST /api/key-groups", {}, { name: "is required" }],
    ["POST /api/key-groups", { name: "" }, { name: "must not be empty" }],
    ["POST /api/keys", { groupId: true, name: " x", value: "short" }, {
      groupId: "must be the id (a number) or the name (a text) of a key group",
      name: "must not begin or end with white space",
      value: "must have at least 16 characters",
    }],
    ["POST /api/keys/1/roll", {}, { graceSeconds: "is required" }],
    ...[
      "2020-01-01T00:00:00Z",
      "1969-12-31T23:59:59Z",
      "2026-02-30T00:00:00Z",
      "10000-01-01T00:00:00Z",
      "9999-12-31T23:59:59-01:00",
      "2099-01-01",
      "2099-01-01T00:00:00",
      "tomorrow",
      "",
      4_070_908_800_000,
      "2099-01-01T00:00:00Z\0",
    ].flatMap((expiresAt): [string, unknown, Record<string, string>][] => {
      const problem = typeof expiresAt === "string" && expiresAt.startsWith("2020")
        ? "must be in the future"
        : "must be a time such as 2026-01-31T12:00:00Z, or null";
      return [
        ["POST /api/keys", { groupId: 1, name: "k", expiresAt }, { expiresAt: problem }],
        ["PUT /api/keys/1", { expiresAt }, { expiresAt: problem }],
        ["POST /api/keys/1/roll", { graceSeconds: 0, expiresAt }, { expiresAt: problem }],
      ];
    }),
    ["POST /api/keys/1/roll", { graceSeconds: -1, value: "short" }, {
      graceSeconds: "must not be negative",
      value: "must have at least 16 characters",
    }],
    ["POST /api/keys/1/roll", { graceSeconds: 2_592_001 }, { graceSeconds: "must be at most 2592000" }],
    ["POST /api/keys/1/roll", { graceSeconds: "3600" }, { graceSeconds: "must be a whole number" }],
    ["POST /api/keys", { groupId: 1, name: "a\nb", description: "\0" }, {
      name: "must not contain control characters or line breaks",
      description: "must not contain a NUL character",
    }],
    ["POST /api/functions", {}, { name: "is required", handler: "is required", route: "is required" }],
    ["POST /api/functions", { name: "x", handler: "../x.ts", route: "x", methods: [], enabled: "yes" }, {
      handler: 'must not contain the segment ".."',
      route: 'must begin with "/"',
      methods: "must name at least one method",
      enabled: "must be true or false",
    }],
    ["POST /api/functions", { name: "x", handler: "x.txt", route: "/x", methods: ["get"], keys: [null, 0, "", "A"] }, {
      handler: "must end with one of .ts, .tsx, .mts, .js, .jsx, .mjs",
      "methods.0": "must be one of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
      "keys.0": "must be the id (a number) or the name (a text) of a key group",
      "keys.1": "must be a positive whole number",
      "keys.2": "must not be empty",
      "keys.3": "must be lower-case letters, digits, underscores and hyphens (a-z, 0-9, _, -)",
    }],
    ["PUT /api/functions/1", { permissions: { net: [] } }, {
      "permissions.net": 'must be true, false, or a list of 1 to 100 hosts such as "api.example.com:443"',
    }],
    ["PUT /api/functions/1", { permissions: {} }, { "permissions.net": "is required" }],
    ["PUT /api/functions/1", { permissions: { net: ["http://x"], read: true, env: ["HOME"], write: false } }, {
      "permissions.net.0": 'must be a host such as "api.example.com:443"',
      "permissions.read": 'must be "modules"; nothing else but `files` can be read',
      "permissions.env": "must be false",
      "permissions.write": "is not a known field",
    }],
    ["POST /api/functions", {
      name: "x",
      handler: "x.ts",
      route: "/x",
      secrets: "STRIPE_*",
      isolation: "per-group",
      timeoutMs: 99,
      memoryMb: 31,
    }, {
      secrets: 'must be names of secrets, with "*" for any characters',
      isolation: "must be one of shared, per-key",
      timeoutMs: "must be a whole number from 100 to 3600000, or null",
      memoryMb: "must be a whole number from 32 to 4096, or null",
    }],
    ["PUT /api/functions/1", { secrets: ["STRIPE_*", "a.b", "", 1], timeoutMs: "1000", memoryMb: 4_097 }, {
      "secrets.1": 'must be names of secrets, with "*" for any characters',
      "secrets.2": 'must be names of secrets, with "*" for any characters',
      "secrets.3": "must be text",
      timeoutMs: "must be a whole number from 100 to 3600000, or null",
      memoryMb: "must be a whole number from 32 to 4096, or null",
    }],
    ["PUT /api/functions/1", { secrets: Array(101).fill("A"), isolation: null, timeoutMs: 1.5, memoryMb: 1e9 }, {
      secrets: 'must be names of secrets, with "*" for any characters',
      isolation: "must be one of shared, per-key",
      timeoutMs: "must be a whole number from 100 to 3600000, or null",
      memoryMb: "must be a whole number from 32 to 4096, or null",
    }],
    ["POST /api/secrets", { name: "a.b", value: 1, scope: "all", comment: null }, {
      name: "must be letters, digits, underscores and hyphens (a-z, A-Z, 0-9, _, -)",
      value: "must be text",
      scope: "must be one of key, group, function, global",
      comment: "must be text",
    }],
    ["POST /api/secrets", { name: 1, value: "", scope: "key", groupId: 1 }, {
      name: "must be text",
      value: "must not be empty",
      keyId: "is required when scope is key",
      groupId: "must not be given when scope is key",
    }],
    ["POST /api/secrets", { name: "X", value: "\ud800", scope: "global", functionId: 1 }, {
      value: "holds half of a surrogate pair",
      functionId: "must not be given when scope is global",
    }],
    ["PUT /api/settings", { settings: [] }, { settings: "must be an object of values by name" }],
    ["PUT /api/settings", { settings: {} }, { settings: "must name at least one setting" }],
    ["PUT /api/settings", { settings: { "sandbox.memory-mb": 16, "sandbox.net.deny": ["http://x", "fe80::/10"] } }, {
      "sandbox.memory-mb": "must be a whole number from 32 to 4096",
      "sandbox.net.deny": 'must be hosts, addresses or IPv4 ranges such as "10.0.0.0/8"',
    }],
  ];
  for (const [request, body, details] of cases) {
    const [method, path] = request.split(" ") as [string, string];
    const answer = await server.api(method, path, body);
    assert.deepEqual([request, answer.status, answer.body.code], [request, 400, "InvalidInput"]);
    assert.deepEqual(answer.body.details, details);
    const [[field, problem]] = Object.entries(answer.body.details) as [[string, string]];
    assert.equal(answer.body.error, `${field} ${problem}.`);
  }
});

Deno.test("what is not documented is a 400 that names it, on every method, and nothing is done", async () => {
  await using server = await startApp();
  const json = { "Content-Type": "application/json" };
  const found = await endpoints(server);
  for (const { method, path, template, fields, takesBody } of found) {
    const about = `${method} ${template}`;
    const query = await server.api(method, `${path}?dryRun=true&page=2&dryRun=false`, fields && "{}", fields && json);
    assert.equal(query.status, 400, about);
    const problem = DRY_RUNS.includes(about) ? 'must be "true" or "false"' : "is not a known parameter";
    assert.equal(query.body.details.dryRun, problem, about);
    assert.equal(query.body.details.page, "is not a known parameter", about);
    // The key may be in the query.
    const known = await server.api(method, `${path}?api_key=${server.key}&X=1`, fields && "{}", fields && json);
    assert.deepEqual(Object.keys(known.body.details).filter((name) => name === "api_key"), [], about);
    if (method === "GET" || template.includes("/files/") && method !== "DELETE") continue;
    if (template === WEBHOOK || template.startsWith("/api/blobs/{")) continue;
    const body = await server.api(method, path, { dryRun: true, force: false, page: 2 }, json);
    assert.equal(body.status, 400, about);
    for (const name of ["dryRun", "force", "page"]) {
      assert.equal(body.body.details[name], fields?.includes(name) ? undefined : "is not a known field", about);
    }
    if (takesBody) continue;
    for (const text of ["[]", "1", "dryRun=true"]) {
      assert.deepEqual((await server.api(method, path, text, json)).body.details, { body: "must be empty" }, about);
    }
    for (const nothing of ["", " ", "{}"]) {
      const whole = template.includes("secrets/by-name") ? `${path}?scope=global` : path;
      assert.notEqual((await server.api(method, whole, nothing, json)).status, 400, about);
    }
  }
});

Deno.test("an undocumented parameter keeps a delete from being made, and a field an upload", async () => {
  await using server = await startApp();
  const { body: { id } } = await server.api("POST", "/api/key-groups", { name: "kept" });
  for (const query of ["dryRun=true", "dryRun", "DRYRUN=1", "api_key=x&force=1"]) {
    assert.equal((await server.api("DELETE", `/api/key-groups/${id}?${query}`)).status, 400, query);
  }
  assert.equal((await server.api("GET", `/api/key-groups/${id}`)).status, 200);
  const form = new FormData();
  form.set("file", new File(["text"], "x.txt"));
  form.set("dryRun", "true");
  const { status, body } = await server.api("PUT", "/api/files/x.txt", form);
  assert.equal(status, 400);
  assert.deepEqual(body.details, { dryRun: "is not a known field" });
  assert.equal((await server.api("PUT", "/api/files/x.txt?dryRun=true", "text")).status, 400);
  assert.equal((await server.api("GET", "/api/files/x.txt")).status, 404);
});
