// Who may use the API, and what all of its answers have in common.

import assert from "node:assert/strict";
import { startApp } from "./app.ts";
import { call, type Server } from "./server.ts";

const CLIENT_KEY = "client-key-0123456789";

async function addClientKey({ api }: Server): Promise<void> {
  const group = await api("POST", "/api/key-groups", { name: "clients" });
  const key = await api("POST", "/api/keys", { groupId: group.body.id, name: "client", value: CLIENT_KEY });
  assert.equal(key.status, 201);
}

Deno.test("a request without a key, or with one that is not known, is refused with 401", async () => {
  await using server = await startApp();
  for (const headers of [{}, { "X-API-Key": "" }, { "X-API-Key": "no-such-key" }, { "X-API-Key": "ключ" }]) {
    const url = `${server.url}/api/secrets`;
    const answer = await call("GET", url, undefined, headers as Record<string, string>).catch(() => undefined);
    if (!answer) continue; // fetch itself refuses a header that is not Latin-1.
    assert.equal(answer.status, 401);
    assert.equal(answer.body.code, "Unauthorized");
    assert.equal(answer.headers.get("www-authenticate"), "Bearer");
  }
  const unknownPath = await call("GET", `${server.url}/api/nothing`);
  assert.equal(unknownPath.status, 401);
});

Deno.test("a caller without a key is refused before its body is read", async () => {
  await using server = await startApp();
  for (const path of ["/api/secrets", "/api/files/x.ts"]) {
    const { status } = await server.raw([
      `POST ${path} HTTP/1.1`,
      "Host: test",
      "Content-Type: application/json",
      "Content-Length: 1000",
    ]);
    assert.equal(status, 401, path);
  }
});

Deno.test("a key is taken from each of its places, and the first one that is present decides", async () => {
  await using server = await startApp();
  const { key, url } = server;
  const basic = `Basic ${btoa(`anybody:${key}`)}`;
  const accepted: [string, Record<string, string>][] = [
    ["", { "X-API-Key": key }],
    ["", { Authorization: `Bearer ${key}` }],
    ["", { Authorization: basic }],
    ["", { Authorization: key }],
    [`?api_key=${key}`, {}],
    ["?api_key=wrong", { "X-API-Key": key }],
    ["", { "X-API-Key": key, Authorization: "Bearer wrong" }],
  ];
  for (const [query, headers] of accepted) {
    const answer = await call("GET", `${url}/api/secrets${query}`, undefined, headers);
    assert.equal(answer.status, 200, JSON.stringify([query, headers]));
  }
  const refused: [string, Record<string, string>][] = [
    [`?api_key=${key}`, { "X-API-Key": "wrong" }],
    ["", { "X-API-Key": "wrong", Authorization: `Bearer ${key}` }],
    [`?api_key=${key}`, { Authorization: "Bearer wrong" }],
  ];
  for (const [query, headers] of refused) {
    const answer = await call("GET", `${url}/api/secrets${query}`, undefined, headers);
    assert.equal(answer.status, 401, JSON.stringify([query, headers]));
  }
});

Deno.test("a key of another group is refused with 403 until the setting names its group", async () => {
  await using server = await startApp();
  await addClientKey(server);
  const asClient = () => call("GET", `${server.url}/api/functions`, undefined, { "X-API-Key": CLIENT_KEY });

  const refused = await asClient();
  assert.equal(refused.status, 403);
  assert.equal(refused.body.code, "Forbidden");

  await server.api("PUT", "/api/settings", { settings: { "api.access-groups": ["management", "clients"] } });
  assert.equal((await asClient()).status, 200);
});

Deno.test("a deleted key is refused at once", async () => {
  await using server = await startApp();
  await addClientKey(server);
  const { body } = await server.api("GET", "/api/keys");
  const { id } = body.keys.find((key: { name: string }) => key.name === "client");
  await server.api("DELETE", `/api/keys/${id}`);
  const answer = await call("GET", `${server.url}/api/functions`, undefined, { "X-API-Key": CLIENT_KEY });
  assert.equal(answer.status, 401);
});

Deno.test("the use of a key is recorded, that of a refused one is not", async () => {
  const folder = await Deno.makeTempDir();
  try {
    {
      await using server = await startApp({ folder });
      await addClientKey(server);
      await call("GET", `${server.url}/api/functions`, undefined, { "X-API-Key": CLIENT_KEY });
    }
    // Uses are written behind the requests, but before the server ends.
    await using server = await startApp({ folder });
    const { body } = await server.api("GET", "/api/keys");
    const [bootstrap, client] = body.keys;
    assert.match(bootstrap.lastUsedAt, /^\d{4}-\d\d-\d\dT/);
    assert.equal(client.lastUsedAt, null);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("every answer has a request id of its own and is neither stored nor sniffed", async () => {
  await using server = await startApp();
  const answers = [
    await server.api("GET", "/api/secrets"),
    await server.api("HEAD", "/api/secrets"),
    await server.api("GET", "/api/secrets/7"),
    await server.api("GET", "/api/nothing"),
    await server.api("PATCH", "/api/secrets"),
    await server.api("POST", "/api/secrets", "{"),
    await server.api("POST", "/api/secrets", {}),
    await call("GET", `${server.url}/api/secrets`),
    await call("GET", `${server.url}/api/openapi.json`),
    await call("GET", `${server.url}/api/docs`),
  ];
  const ids = answers.map(({ headers }) => headers.get("x-request-id")!);
  for (const id of ids) assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(new Set(ids).size, ids.length);
  for (const { headers } of answers) {
    assert.equal(headers.get("cache-control"), "no-store");
    assert.equal(headers.get("x-content-type-options"), "nosniff");
  }
});

Deno.test("an unknown path is a 404, and a method that a path does not take a 405 that names those it does", async () => {
  await using server = await startApp();
  for (const path of ["/api", "/api/", "/api/nothing", "/api/keys/", "/api/functions/1/pause", "/api/files/"]) {
    const { status, body } = await server.api("GET", path);
    assert.deepEqual([path, status, body.code], [path, 404, "NotFound"]);
  }
  const allowed = {
    "/api/functions": "GET, HEAD, POST",
    "/api/functions/1": "DELETE, GET, HEAD, PUT",
    "/api/functions/1/enable": "PUT",
    "/api/files": "GET, HEAD",
    "/api/files/lib/util.ts": "DELETE, GET, HEAD, POST, PUT",
    "/api/key-groups": "GET, HEAD, POST",
    "/api/keys/1": "DELETE, GET, HEAD, PUT",
    "/api/secrets": "GET, HEAD, POST",
    "/api/secrets/by-name/X": "DELETE, GET, HEAD, PUT",
    "/api/settings": "GET, HEAD, PUT",
    "/api/openapi.json": "GET, HEAD",
  };
  for (const [path, allow] of Object.entries(allowed)) {
    for (const method of ["PATCH", "OPTIONS"]) {
      const { status, body, headers } = await server.api(method, path);
      assert.deepEqual([path, status, body.code, headers.get("allow")], [path, 405, "MethodNotAllowed", allow]);
    }
  }
});

Deno.test("HEAD answers as GET does, without the body", async () => {
  await using server = await startApp();
  const found = await server.api("HEAD", "/api/secrets");
  assert.deepEqual([found.status, found.body], [200, ""]);
  const missing = await server.api("HEAD", "/api/secrets/7");
  assert.deepEqual([missing.status, missing.body], [404, ""]);
});

Deno.test("what the caller cannot mend is a 500 that tells nothing; the log has it under the request's id", async () => {
  await using server = await startApp();
  await Deno.remove(server.codeDir, { recursive: true });
  const { status, body, headers } = await server.api("GET", "/api/files");
  const id = headers.get("x-request-id")!;
  assert.equal(status, 500);
  assert.deepEqual(body, {
    error: `The server failed to answer. Its log has the cause under ${id}.`,
    code: "InternalError",
  });
  await server.stop();
  const entry = server.logs().split("\n").find((line) => line.includes(id));
  assert.match(entry!, /ERROR .*NotFound.*readdir.*files\.ts/);
});

Deno.test("no Host header makes the server fail", async () => {
  await using server = await startApp();
  for (const host of ["a b", "[bad", "x:99999", "", "a?b=c", "a#b", "a/b"]) {
    const inHeader = await server.raw([
      "GET /api/keys?groupId=1 HTTP/1.1",
      `Host: ${host}`,
      `X-API-Key: ${server.key}`,
    ]);
    assert.ok(inHeader.status < 500, host);
    const inQuery = await server.raw([`GET /api/keys?api_key=${server.key} HTTP/1.1`, `Host: ${host}`]);
    assert.ok(inQuery.status < 500, host);
  }
});

Deno.test("what a page of another site makes a browser send is refused, with a key, too", async () => {
  await using server = await startApp();
  for (const [method, path] of [["GET", "/api/functions"], ["PUT", "/api/settings"], ["GET", "/api/none"]] as const) {
    const { status, body } = await server.api(method, path, method === "GET" ? undefined : { settings: {} }, {
      "Sec-Fetch-Site": "cross-site",
    });
    assert.deepEqual([status, body.code], [403, "CrossSite"], `${method} ${path}`);
  }
  for (const site of ["same-origin", "same-site", "none"]) {
    assert.equal((await server.api("GET", "/api/functions", undefined, { "Sec-Fetch-Site": site })).status, 200, site);
  }
});
