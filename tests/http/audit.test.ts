// The audit over HTTP: what each change, reveal and refusal leaves in it, who may read it, and that no value is in it.

import assert from "node:assert/strict";
import { startApp } from "./app.ts";
import { call, type Server } from "./server.ts";
import { createGroup, createKey, createSecret, deploy, run, save, set } from "./handlers.ts";

// deno-lint-ignore no-explicit-any
type Entry = any;

async function entries(server: Server, query = ""): Promise<Entry[]> {
  const { status, body } = await server.api("GET", `/api/audit?limit=1000${query}`);
  assert.equal(status, 200, JSON.stringify(body));
  return body.entries;
}

/** The entries that `work` leaves, oldest first. */
async function left(server: Server, work: () => Promise<unknown>): Promise<Entry[]> {
  const [last] = await entries(server);
  await work();
  return (await entries(server)).filter(({ id }) => id > last.id).reverse();
}

const HANDLER = `export default () => new Response("ok")`;
const told = ({ action, subject, before, after }: Entry) => ({ action, subject, before, after });

Deno.test("every change through the API has its entry: who, from where, by which request, before and after", async () => {
  await using server = await startApp();
  const changes: [method: string, path: string, body: unknown, expected: Entry[]][] = [
    ["POST", "/api/key-groups", { name: "team" }, [{
      action: "key-group.created",
      subject: { kind: "key-group", id: 2, name: "team" },
      before: null,
      after: { name: "team", description: "" },
    }]],
    ["PUT", "/api/key-groups/2", { description: "us" }, [{
      action: "key-group.updated",
      subject: { kind: "key-group", id: 2, name: "team" },
      before: { description: "" },
      after: { description: "us" },
    }]],
    ["POST", "/api/keys", { groupId: 2, name: "ada", value: "value-of-adas-key-1" }, [{
      action: "key.created",
      subject: { kind: "key", id: 2, name: "ada" },
      before: null,
      after: { name: "ada", groupId: 2, groupName: "team", description: "", value: "set" },
    }]],
    ["PUT", "/api/keys/2", { name: "ada-2" }, [{
      action: "key.updated",
      subject: { kind: "key", id: 2, name: "ada-2" },
      before: { name: "ada" },
      after: { name: "ada-2" },
    }]],
    ["POST", "/api/secrets", { name: "DB", value: "value-of-DB-1", scope: "key", keyId: 2, comment: "c" }, [{
      action: "secret.created",
      subject: { kind: "secret", id: 1, name: "DB" },
      before: null,
      after: { name: "DB", scope: "key", scopeId: 2, scopeName: "ada-2", comment: "c", value: "set" },
    }]],
    ["PUT", "/api/secrets/1", { name: "DB_2", value: "value-of-DB-2" }, [{
      action: "secret.updated",
      subject: { kind: "secret", id: 1, name: "DB_2" },
      before: { name: "DB" },
      after: { name: "DB_2", value: "changed" },
    }]],
    ["DELETE", "/api/keys/2", undefined, [
      { action: "secret.deleted", subject: { kind: "secret", id: 1, name: "DB_2" }, before: null, after: null },
      {
        action: "key.revoked",
        subject: { kind: "key", id: 2, name: "ada-2" },
        before: { name: "ada-2", groupId: 2, groupName: "team", description: "" },
        after: null,
      },
    ]],
    ["DELETE", "/api/key-groups/2", undefined, [{
      action: "key-group.deleted",
      subject: { kind: "key-group", id: 2, name: "team" },
      before: { name: "team", description: "us" },
      after: null,
    }]],
    ["PUT", "/api/settings", { settings: { "sandbox.timeout-ms": 5_000, "sandbox.max-calls": 200 } }, [{
      action: "settings.changed",
      subject: { kind: "settings", id: null, name: "" },
      before: { "sandbox.timeout-ms": 30_000, "sandbox.max-calls": 256 },
      after: { "sandbox.timeout-ms": 5_000, "sandbox.max-calls": 200 },
    }]],
  ];
  for (const [method, path, body, expected] of changes) {
    let requestId: string | null = null;
    const found = await left(server, async () => {
      const answer = await server.api(method, path, body);
      assert.ok(answer.status < 300, `${method} ${path}: ${JSON.stringify(answer.body)}`);
      requestId = answer.headers.get("x-request-id");
    });
    // What a default is, is for other tests.
    const comparable = found.map(told).map((entry) =>
      entry.action === "settings.changed" ? { ...entry, before: Object.keys(entry.before) } : entry
    );
    const wanted = expected.map((entry) =>
      entry.action === "settings.changed" ? { ...entry, before: Object.keys(entry.before) } : entry
    );
    assert.deepEqual(comparable, wanted, `${method} ${path}`);
    for (const entry of found) {
      assert.deepEqual(entry.actor, { kind: "key", id: 1, name: "bootstrap", group: "management" });
      assert.deepEqual([entry.address, entry.requestId], ["127.0.0.1", requestId]);
      assert.ok(Math.abs(Date.parse(entry.at) - Date.now()) < 60_000);
    }
  }
});

Deno.test("functions, their files and a rotation leave entries, and so does what failed", async () => {
  await using server = await startApp();
  const made = await left(server, () => deploy(server, "hello", HANDLER));
  assert.deepEqual(made.map(({ action }) => action), ["file.created", "function.created"]);
  const sha256 = [...new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(HANDLER)))]
    .map((byte) => byte.toString(16).padStart(2, "0")).join("");
  assert.deepEqual(made[0].subject, { kind: "file", id: null, name: "hello.ts" });
  assert.deepEqual(made[0].after, { sizeBytes: HANDLER.length, sha256 });
  assert.equal(made[1].after.route, "/hello");
  assert.equal(made[1].after.id, undefined);

  await createSecret(server, "A", "value-of-A", { scope: "function", functionId: 1 });
  await createSecret(server, "B", "value-of-B", { scope: "function", functionId: 1 });
  const changed = await left(server, async () => {
    await server.api("PUT", "/api/functions/1/disable");
    await save(server, "hello.ts", `${HANDLER};`);
    await server.api("DELETE", "/api/files/hello.ts");
    await server.api("DELETE", "/api/functions/1");
    await server.api("POST", "/api/encryption-keys/rotation");
  });
  assert.deepEqual(changed.map(({ action }) => action), [
    "function.updated",
    "file.updated",
    "file.deleted",
    "secret.deleted",
    "function.deleted",
    "rotation.started",
    "rotation.finished",
  ]);
  assert.deepEqual([changed[0].before, changed[0].after], [{ enabled: true }, { enabled: false }]);
  assert.deepEqual(changed[1].before, { sizeBytes: HANDLER.length });
  assert.deepEqual(changed[3].after, { ids: [1, 2] });
  // The two values are in the bin.
  assert.deepEqual(changed[6].after, { version: 2, reencrypted: 3, unreadable: 0 });
  assert.equal(changed[6].actor.name, "bootstrap");

  const refused = await left(server, async () => {
    await server.api("POST", "/api/secrets", { name: "X", value: "", scope: "global" });
    await server.api("DELETE", "/api/secrets/99");
    await server.api("POST", "/api/files/a.ts", "1");
    await server.api("POST", "/api/files/a.ts", "2");
    await server.api("PUT", "/api/settings", { settings: { "sandbox.timeout-ms": 30_000 } });
  });
  assert.deepEqual(refused.map(({ action }) => action), ["file.created"], "what changed nothing has no entry");
});

Deno.test("a value that is shown leaves one entry for the answer, with the ids of what was shown", async () => {
  await using server = await startApp();
  const groupId = await createGroup(server, "team");
  const { id: keyId } = await createKey(server, groupId, "ada");
  for (const name of ["A", "B", "C"]) await createSecret(server, name, `value-of-${name}`);
  const cases: [path: string, Entry[]][] = [
    ["/api/secrets", []],
    ["/api/secrets/1", []],
    ["/api/keys", []],
    ["/api/secrets/2?includeValues=true", [{ kind: "secret", id: 2, name: "B" }, null]],
    ["/api/secrets/by-name/C?includeValues=true", [{ kind: "secret", id: 3, name: "C" }, null]],
    ["/api/secrets?includeValues=true", [{ kind: "secret", id: null, name: "" }, { ids: [1, 2, 3] }]],
    ["/api/secrets?includeValues=true&scope=group", []],
    [`/api/keys/${keyId}?includeValues=true`, [{ kind: "key", id: keyId, name: "ada" }, null]],
    ["/api/keys?includeValues=true", [{ kind: "key", id: null, name: "" }, { ids: [1, 2] }]],
  ];
  for (const [path, [subject, after]] of cases) {
    const found = await left(server, () => server.api("GET", path));
    assert.deepEqual(found.map(({ subject, after }) => [subject, after]), subject ? [[subject, after]] : [], path);
    for (const { action } of found) assert.match(action, /^(secret|key)\.revealed$/);
  }
  const seen = await entries(server, "&subject=secret:2&action=secret.revealed");
  assert.equal(seen.length, 2, "by itself and in a page");
});

Deno.test("no value, key or passphrase is in the audit, its export or the database's text", async () => {
  await using server = await startApp();
  const groupId = await createGroup(server, "team");
  const { value } = await createKey(server, groupId, "ada");
  const id = await createSecret(server, "DB", "value-of-DB-first");
  await server.api("PUT", `/api/secrets/${id}`, { value: "value-of-DB-second" });
  await server.api("GET", `/api/secrets/${id}?includeValues=true`);
  await server.api("GET", "/api/keys?includeValues=true");
  await server.api("GET", "/api/secrets?api_key=value-of-a-wrong-key", undefined, { "X-API-Key": "value-of-no-key" });
  const { body } = await server.api("GET", "/api/audit/export");
  assert.ok(body.includes("DB") && body.includes("sign-in.failed"));
  const files = ["database.db", "database.db-wal"].map((name) =>
    new TextDecoder("latin1").decode(Deno.readFileSync(`${server.dataDir}/${name}`))
  );
  for (const secret of ["value-of-", server.key, value]) {
    for (const text of [body, ...files]) assert.ok(!text.includes(secret), secret);
  }
});

Deno.test("a call of a function leaves nothing in the audit, whatever it is answered, but for secrets", async () => {
  await using server = await startApp();
  await createSecret(server, "DB", "value-of-DB");
  await deploy(server, "hello", `export default async (c, ctx) => c.text((await ctx.getSecret("DB")).length)`);
  const closed = await createGroup(server, "closed");
  await deploy(server, "closed", HANDLER, { keys: [closed] });
  const found = await left(server, async () => {
    assert.equal((await run(server, "/hello")).body, "11");
    assert.equal((await run(server, "/closed", "no-such-key-0000")).status, 401);
    assert.equal((await run(server, "/closed", server.key)).status, 403);
    assert.equal((await run(server, "/none")).status, 404);
  });
  assert.deepEqual(found, []);
});

Deno.test("refused keys are told by address, once, whatever the number of requests", async () => {
  await using server = await startApp();
  const groupId = await createGroup(server, "team");
  const { id, value } = await createKey(server, groupId, "ada");
  const found = await left(server, async () => {
    for (let n = 0; n < 20; n++) {
      assert.equal(
        (await call("GET", `${server.url}/api/secrets`, undefined, { "X-API-Key": `wrong-${n}` })).status,
        401,
      );
    }
    assert.equal((await call("GET", `${server.url}/api/secrets`)).status, 401);
  });
  assert.deepEqual(found.map(told), [{
    action: "sign-in.failed",
    subject: { kind: "api", id: null, name: "" },
    before: null,
    after: null,
  }]);
  assert.deepEqual([found[0].actor.kind, found[0].address], ["visitor", "127.0.0.1"]);
  assert.equal(
    (await call("GET", `${server.url}/api/audit`, undefined, { "X-API-Key": value })).status,
    403,
    String(id),
  );
});

Deno.test("the list is paged and filtered, newest first, and refuses what it cannot mean", async () => {
  await using server = await startApp();
  for (let n = 0; n < 7; n++) await createSecret(server, `S${n}`, "value");
  const all = await entries(server);
  assert.deepEqual(all.map(({ id }) => id), all.map((_, index) => all.length - index));
  const paged: Entry[] = [];
  for (let cursor = ""; cursor !== "&cursor=null";) {
    const { body } = await server.api("GET", `/api/audit?limit=3${cursor}`);
    assert.ok(body.entries.length <= 3);
    paged.push(...body.entries);
    cursor = `&cursor=${body.next}`;
  }
  assert.deepEqual(paged, all);

  const count = async (query: string) => (await entries(server, query)).length;
  assert.equal(await count("&action=secret.created"), 7);
  assert.equal(await count("&action=secret.*"), 7);
  assert.equal(await count("&subject=secret:3"), 1);
  assert.equal(await count("&subject=S3"), 1);
  assert.equal(await count("&actor=key:1"), 7);
  assert.equal(await count("&actor=bootstrap"), 7);
  assert.equal(await count("&actor=server&action=key.*"), 1);
  assert.equal(await count(`&from=${all[0].at}`), all.filter(({ at }) => at >= all[0].at).length);
  assert.equal(await count(`&to=${all.at(-1).at}`), 0);
  assert.equal(await count("&from=2020-01-01T00:00:00%2B02:00"), all.length);

  for (
    const [query, field] of [
      ["limit=0", "limit"],
      ["limit=1001", "limit"],
      ["limit=1&limit=2", "limit"],
      ["cursor=x", "cursor"],
      ["action=secret.eaten", "action"],
      ["action=*", "action"],
      ["from=yesterday", "from"],
      ["to=2026-01-31", "to"],
      ["actor=", "actor"],
      ["nobody=1", "nobody"],
    ]
  ) {
    const { status, body } = await server.api("GET", `/api/audit?${query}`);
    assert.deepEqual([status, Object.keys(body.details ?? {})], [400, [field]], query);
  }
  for (const method of ["POST", "PUT", "DELETE", "PATCH"]) {
    const { status, headers } = await server.api(method, "/api/audit");
    assert.deepEqual([status, headers.get("allow")], [405, "GET, HEAD"]);
  }
});

Deno.test("the export has every entry and the head, and is made only as fast as it is taken", async () => {
  await using server = await startApp();
  await set(server, { "sandbox.timeout-ms": 5_000 });
  await Promise.all(Array.from({ length: 450 }, (_, n) => createSecret(server, `S${n}`, "v")));
  const all = (await entries(server)).reverse();
  const response = await fetch(`${server.url}/api/audit/export`, { headers: { "X-API-Key": server.key } });
  assert.equal(response.headers.get("content-type"), "application/x-ndjson");
  assert.match(response.headers.get("content-disposition")!, /^attachment; filename="audit.jsonl"$/);
  // Pieces were not made ahead of the reader, so what is written meanwhile is not in an export that began before it.
  const reader = response.body!.getReader();
  const chunks = [(await reader.read()).value!];
  await createSecret(server, "LATER", "v");
  for (let next = await reader.read(); !next.done; next = await reader.read()) chunks.push(next.value);
  const text = await new Blob(chunks).text();
  const lines = text.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(lines.slice(0, -1), all);
  const { count, mac, seal } = lines.at(-1).head;
  assert.deepEqual([count, mac], [all.length, all.at(-1).mac]);
  assert.match(seal, /^[0-9a-f]{64}$/);
});

Deno.test("the export as CSV has a line for each entry, in which no text is a formula", async () => {
  await using server = await startApp();
  await createSecret(server, "PLAIN", "v", { scope: "global", comment: 'says "no", and\nmore' });
  const deployment = { message: "=1+1", files: { "more.ts": null } };
  assert.equal((await server.api("POST", "/api/deployments", deployment)).status, 201);
  const all = (await entries(server)).reverse();
  const { status, headers, body } = await server.api("GET", "/api/audit/export?format=csv");
  assert.deepEqual([status, headers.get("content-type")], [200, "text/csv; charset=utf-8"]);
  assert.equal(headers.get("content-disposition"), 'attachment; filename="audit.csv"');
  const rows = csvRows(body);
  assert.deepEqual(rows[0]!.slice(0, 3), ["id", "at", "actorKind"]);
  const column = (name: string) => rows.slice(1).map((row) => row[rows[0]!.indexOf(name)]!);
  assert.deepEqual(column("id"), all.map(({ id }) => String(id)));
  assert.deepEqual(column("action"), all.map(({ action }) => action));
  assert.deepEqual(column("after").map((text) => text === "" ? null : JSON.parse(text)), all.map(({ after }) => after));
  const deployed = all.findIndex(({ action }) => action === "code.deployed");
  assert.deepEqual([all[deployed].subject.name, column("subjectName")[deployed]], ["=1+1", "'=1+1"]);
  assert.equal((await server.api("GET", "/api/audit/export?format=xls")).status, 400);
});

Deno.test("an export has what the list has with the same filter, oldest first, and no head", async () => {
  await using server = await startApp();
  // Enough for several looks without a match.
  await Promise.all(Array.from({ length: 1_200 }, (_, n) => createSecret(server, `S${n}`, "v")));
  const secret = await createSecret(server, "LAST", "v");
  await server.api("GET", "/api/secrets?includeValues=true&limit=3");
  await server.api("GET", `/api/secrets/${secret}?includeValues=true`);
  const message = "=1+1";
  assert.equal((await server.api("POST", "/api/deployments", { message, files: { "a.ts": null } })).status, 201);
  const listed = async (filter: string) => {
    const found: Entry[] = [];
    for (let cursor = "";;) {
      const { body } = await server.api("GET", `/api/audit?limit=1000&${filter}${cursor}`);
      found.push(...body.entries);
      if (body.next === null) return found.reverse();
      cursor = `&cursor=${body.next}`;
    }
  };
  const middle = (await listed(""))[600].at;
  const filters = [
    "actor=key:1",
    "actor=bootstrap",
    "actor=server",
    "action=code.deployed",
    "action=secret.*",
    "action=secret.revealed",
    `subject=secret:${secret}`,
    "subject=secret:2",
    "subject=secret",
    "subject=S7",
    `from=${middle}`,
    `to=${middle}`,
    `action=secret.created&from=${middle}&actor=key`,
    `from=2090-01-01T00:00:00Z`,
  ];
  for (const filter of filters) {
    const wanted = await listed(filter);
    const { status, body } = await server.api("GET", `/api/audit/export?${filter}`);
    assert.equal(status, 200);
    const lines = body === "" || body === null ? [] : String(body).trimEnd().split("\n");
    assert.deepEqual(lines.map((line) => JSON.parse(line)), wanted, filter);
    const csv = await server.api("GET", `/api/audit/export?format=csv&${filter}`);
    const rows = csvRows(csv.body);
    assert.deepEqual(rows.slice(1).map(([id]) => Number(id)), wanted.map(({ id }) => id), filter);
  }
  const { body: deployed } = await server.api("GET", "/api/audit/export?format=csv&action=code.deployed");
  assert.ok(csvRows(deployed)[1]!.includes("'=1+1"), deployed);
  for (const wrong of ["action=secret", "from=yesterday", "actor=", "limit=3", "cursor=x", "action=a&action=b"]) {
    assert.equal((await server.api("GET", `/api/audit/export?${wrong}`)).status, 400, wrong);
  }
});

/** Parses CSV (RFC 4180) with quoted cells. */
function csvRows(text: string): string[][] {
  const rows: string[][] = [[]];
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\n)/g)) {
    rows.at(-1)!.push(quoted?.replaceAll('""', '"') ?? plain!);
    if (end === "\n") rows.push([]);
  }
  return rows.slice(0, -1);
}

Deno.test("what the server does by itself is told as its own", async () => {
  await using server = await startApp();
  const found = (await entries(server)).reverse();
  assert.deepEqual(found.map(({ action, actor, address }) => [action, actor.kind, address]), [
    ["audit.started", "server", null],
    ["key-group.created", "server", null],
    ["key.created", "server", null],
  ]);
});
