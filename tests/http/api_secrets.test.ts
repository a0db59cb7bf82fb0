// /api/secrets beyond the shapes: what is stored, found, hidden and refused.

import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { startApp } from "./app.ts";
import { type Server } from "./server.ts";

/** One owner of each kind; returns the fields that make a secret theirs. */
async function addOwners({ api }: Server) {
  const group = await api("POST", "/api/key-groups", { name: "staging" });
  const key = await api("POST", "/api/keys", { groupId: group.body.id, name: "acme" });
  const made = await api("POST", "/api/functions", { name: "hello", handler: "hello.ts", route: "/hello" });
  return {
    global: { scope: "global" },
    function: { scope: "function", functionId: made.body.function.id },
    group: { scope: "group", groupId: group.body.id },
    key: { scope: "key", keyId: key.body.id },
  };
}

Deno.test("a value comes back exactly as it was given", async () => {
  await using server = await startApp();
  const values = [
    "x",
    " leading and trailing ",
    "line\nbreaks\r\nand\ttabs",
    "a NUL \0 in the middle",
    "\0",
    "ünï©ödé 漢字 🔑",
    "e\u0301 stays decomposed",
    "\ufeffwith a byte order mark",
    "-----BEGIN KEY-----\n" + "A".repeat(1_000),
    "a".repeat(16_384),
    "漢".repeat(5_461) + "a",
  ];
  for (const [index, value] of values.entries()) {
    const made = await server.api("POST", "/api/secrets", { name: `V${index}`, value, scope: "global" });
    assert.equal(made.status, 201, value.slice(0, 20));
    const { body } = await server.api("GET", `/api/secrets/${made.body.id}?includeValues=true`);
    assert.equal(body.value, value);
  }
});

Deno.test("a value of more than 16,384 bytes in UTF-8 is a 413, when created and when changed", async () => {
  await using server = await startApp();
  await server.api("POST", "/api/secrets", { name: "SMALL", value: "x", scope: "global" });
  for (const value of ["a".repeat(16_385), "é".repeat(8_193), "🔑".repeat(4_097), "a".repeat(500_000)]) {
    const made = await server.api("POST", "/api/secrets", { name: "BIG", value, scope: "global" });
    assert.deepEqual([made.status, made.body.code], [413, "OversizedPlaintextError"]);
    const changed = await server.api("PUT", "/api/secrets/1", { value });
    assert.deepEqual([changed.status, changed.body.code], [413, "OversizedPlaintextError"]);
  }
  const { body } = await server.api("GET", "/api/secrets?includeValues=true");
  assert.deepEqual(body.secrets.map((secret: { value: string }) => secret.value), ["x"]);
});

Deno.test("values never leave the server unless they are asked for", async () => {
  await using server = await startApp();
  const owners = await addOwners(server);
  const value = "sekrit-0123456789";
  for (const owner of Object.values(owners)) {
    const made = await server.api("POST", "/api/secrets", { name: "S", value, comment: "of note", ...owner });
    assert.equal(made.status, 201);
    assert.ok(!JSON.stringify(made.body).includes(value));
  }
  const requests: [string, string, unknown?][] = [
    ["GET", "/api/secrets"],
    ["GET", "/api/secrets?includeValues=false"],
    ["GET", "/api/secrets?scope=key"],
    ["GET", "/api/secrets/1"],
    ["GET", "/api/secrets/by-name/S"],
    ["POST", "/api/secrets", { name: "S", value, scope: "global" }],
    ["POST", "/api/secrets", { name: "bad name", value, scope: "global" }],
    ["POST", "/api/secrets", { name: "T", value, scope: "group", groupId: 99 }],
    ["POST", "/api/secrets", { [value]: value }],
    ["PUT", "/api/secrets/1", { value }],
    ["PUT", "/api/secrets/99", { value }],
    ["POST", "/api/secrets", `{"name":"S","value":"${value}`],
    ["GET", "/api/keys"],
    ["GET", "/api/functions"],
    ["DELETE", "/api/secrets/1"],
  ];
  for (const [method, path, body] of requests) {
    const answer = await server.api(method, path, body, { "Content-Type": "application/json" });
    // A field's name is repeated to whoever sent it; a value is not.
    const shown = JSON.stringify(answer.body).replace(`"${value}":`, "").replace(`"${value} is not`, "");
    assert.ok(!shown.includes(value), `${method} ${path}`);
    assert.ok(!shown.includes("decryptionError"), `${method} ${path}`);
  }
  await server.stop();
  assert.ok(!server.logs().includes(value));
  for await (const file of Deno.readDir(server.dataDir)) {
    const bytes = await Deno.readTextFile(join(server.dataDir, file.name));
    assert.ok(!bytes.includes(value), file.name);
  }
});

Deno.test("a name may be used once for each owner, and case matters", async () => {
  await using server = await startApp();
  const owners = await addOwners(server);
  for (const owner of Object.values(owners)) {
    assert.equal((await server.api("POST", "/api/secrets", { name: "Api_Key-1", value: "x", ...owner })).status, 201);
    assert.equal((await server.api("POST", "/api/secrets", { name: "api_key-1", value: "x", ...owner })).status, 201);
    const again = await server.api("POST", "/api/secrets", { name: "Api_Key-1", value: "y", ...owner });
    assert.deepEqual([again.status, again.body.code], [409, "Conflict"]);
  }
  const { body } = await server.api("GET", "/api/secrets/by-name/Api_Key-1");
  assert.deepEqual(body.secrets.map((secret: { scope: string }) => secret.scope), [
    "global",
    "function",
    "group",
    "key",
  ]);
  const renamed = await server.api("PUT", "/api/secrets/1", { name: "api_key-1" });
  assert.equal(renamed.status, 409);
});

Deno.test("of a hundred creates of one name at once, one succeeds", async () => {
  await using server = await startApp();
  const owners = await addOwners(server);
  for (const owner of Object.values(owners)) {
    const answers = await Promise.all(
      Array.from(
        { length: 100 },
        (_, n) => server.api("POST", "/api/secrets", { name: "RACE", value: `v${n}`, ...owner }),
      ),
    );
    const statuses = answers.map(({ status }) => status);
    assert.equal(statuses.filter((status) => status === 201).length, 1);
    assert.equal(statuses.filter((status) => status === 409).length, 99);
  }
  const { body } = await server.api("GET", "/api/secrets/by-name/RACE");
  assert.equal(body.secrets.length, 4);
});

Deno.test("an owner that does not exist is a 404", async () => {
  await using server = await startApp();
  for (const [scope, field] of [["function", "functionId"], ["group", "groupId"], ["key", "keyId"]] as const) {
    const answer = await server.api("POST", "/api/secrets", { name: "X", value: "x", scope, [field]: 99 });
    assert.deepEqual([scope, answer.status, answer.body.code], [scope, 404, "NotFound"]);
  }
});

Deno.test("filters find the secrets of one scope or one owner, and refuse to contradict themselves", async () => {
  await using server = await startApp();
  const owners = await addOwners(server);
  for (const [name, owner] of Object.entries(owners)) {
    await server.api("POST", "/api/secrets", { name, value: "x", ...owner });
  }
  const found: Record<string, string[]> = {
    "": ["global", "function", "group", "key"],
    "scope=global": ["global"],
    "scope=function": ["function"],
    [`functionId=${owners.function.functionId}`]: ["function"],
    [`scope=group&groupId=${owners.group.groupId}`]: ["group"],
    [`keyId=${owners.key.keyId}&scope=key`]: ["key"],
    "keyId=99": [],
  };
  for (const [query, names] of Object.entries(found)) {
    const { body } = await server.api("GET", `/api/secrets?${query}`);
    assert.deepEqual(body.secrets.map((secret: { name: string }) => secret.name), names, query);
  }
  const refused: Record<string, Record<string, string>> = {
    "scope=global&functionId=1": { functionId: "must not be given when scope is global" },
    "scope=group&keyId=1": { keyId: "must not be given when scope is group" },
    "functionId=1&groupId=1": { groupId: "must not be given together with functionId" },
    "scope=all": { scope: "must be one of key, group, function, global" },
    "includeValues=1": { includeValues: 'must be "true" or "false"' },
    "limit=0": { limit: "must be a whole number from 1 to 1000" },
    "limit=1001": { limit: "must be a whole number from 1 to 1000" },
    "limit=ten": { limit: "must be a whole number from 1 to 1000" },
    "cursor=1": { cursor: "must be the `next` of an answer" },
    "cursor=": { cursor: "must be the `next` of an answer" },
  };
  for (const [query, details] of Object.entries(refused)) {
    const { status, body } = await server.api("GET", `/api/secrets?${query}`);
    assert.deepEqual([query, status, body.details], [query, 400, details]);
  }
});

Deno.test("pages follow one another without gaps or repeats while secrets come and go", async () => {
  await using server = await startApp();
  for (let n = 1; n <= 25; n++) {
    await server.api("POST", "/api/secrets", { name: `S${n}`, value: "x", scope: "global" });
  }
  const seen: number[] = [];
  let cursor = "";
  for (let page = 0; page < 3; page++) {
    const { body } = await server.api("GET", `/api/secrets?limit=10${cursor && `&cursor=${cursor}`}`);
    seen.push(...body.secrets.map((secret: { id: number }) => secret.id));
    cursor = body.next;
    if (page === 0) await server.api("DELETE", "/api/secrets/10");
  }
  assert.deepEqual(seen, Array.from({ length: 25 }, (_, n) => n + 1));
  assert.equal(cursor, null);
});

Deno.test("a changed secret keeps what was not changed, also under another name", async () => {
  await using server = await startApp();
  await server.api("POST", "/api/secrets", { name: "OLD", value: "kept", scope: "global", comment: "kept too" });
  assert.equal((await server.api("PUT", "/api/secrets/1", { name: "NEW" })).status, 200);
  const renamed = await server.api("GET", "/api/secrets/1?includeValues=true");
  assert.deepEqual([renamed.body.name, renamed.body.value, renamed.body.comment], ["NEW", "kept", "kept too"]);
  await server.api("PUT", "/api/secrets/1", { comment: "" });
  const cleared = await server.api("GET", "/api/secrets/1?includeValues=true");
  assert.deepEqual([cleared.body.value, cleared.body.comment], ["kept", ""]);
  assert.equal((await server.api("GET", "/api/secrets/by-name/OLD")).status, 404);
});

Deno.test("a value that cannot be decrypted is shown as null with the reason, beside those that can", async () => {
  const folder = await Deno.makeTempDir();
  try {
    {
      await using server = await startApp({ folder });
      for (const name of ["A", "B"]) await server.api("POST", "/api/secrets", { name, value: name, scope: "global" });
    }
    {
      using database = new DatabaseSync(join(folder, "data", "database.db"));
      // A's ciphertext in B's row: the additional authenticated data no longer fits.
      database.exec(
        "UPDATE secrets SET ciphertext = (SELECT ciphertext FROM secrets WHERE name = 'A') WHERE name = 'B'",
      );
    }
    await using server = await startApp({ folder });
    const { body } = await server.api("GET", "/api/secrets?includeValues=true");
    const [a, b] = body.secrets;
    assert.deepEqual([a.value, a.decryptionError], ["A", null]);
    assert.equal(b.value, null);
    assert.match(b.decryptionError, /^The stored secret was altered by something other than this program/);

    const renamed = await server.api("PUT", "/api/secrets/2", { name: "C" });
    assert.deepEqual([renamed.status, renamed.body.code], [409, "DecryptionFailed"]);
    const changed = await server.api("PUT", "/api/secrets/2", { value: "new" });
    assert.deepEqual([changed.status, changed.body.code], [409, "TamperedRow"]);
    assert.equal((await server.api("DELETE", "/api/secrets/2")).status, 200);
    const again = await server.api("POST", "/api/secrets", { name: "B", value: "new", scope: "global" });
    assert.equal(again.status, 201);
    assert.equal((await server.api("GET", `/api/secrets/${again.body.id}?includeValues=true`)).body.value, "new");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a secret goes with its owner", async () => {
  await using server = await startApp();
  const owners = await addOwners(server);
  for (const owner of Object.values(owners)) {
    await server.api("POST", "/api/secrets", { name: "S", value: "x", ...owner });
  }
  const scopes = async () => {
    const { body } = await server.api("GET", "/api/secrets");
    return body.secrets.map((secret: { scope: string }) => secret.scope);
  };
  await server.api("DELETE", `/api/functions/${owners.function.functionId}`);
  assert.deepEqual(await scopes(), ["global", "group", "key"]);
  await server.api("DELETE", `/api/keys/${owners.key.keyId}`);
  assert.deepEqual(await scopes(), ["global", "group"]);
  await server.api("DELETE", `/api/key-groups/${owners.group.groupId}`);
  assert.deepEqual(await scopes(), ["global"]);
});
