// Import, export and copy of secrets through the API: all or nothing, by owner, and recorded.

import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { startApp } from "./app.ts";
import { createGroup, createKey, deploy, run } from "./handlers.ts";
import { type Server } from "./server.ts";

const IMPORT = "/api/secrets/import";
const global = { scope: "global" };

function importEnv(server: Server, content: string, fields: Record<string, unknown> = global) {
  return server.api("POST", IMPORT, { format: "env", content, ...fields });
}

// deno-lint-ignore no-explicit-any
const namesOf = (list: any[]): string[] => list.map(({ name }) => name);

async function valuesOf(server: Server, query = "scope=global"): Promise<Record<string, [string, string]>> {
  const { body } = await server.api("GET", `/api/secrets?includeValues=true&${query}`);
  return Object.fromEntries(
    body.secrets.map((one: { name: string; value: string; comment: string }) => [one.name, [one.value, one.comment]]),
  );
}

async function exported(server: Server, query: string): Promise<Response> {
  return await fetch(`${server.url}/api/secrets/export?${query}`, { headers: { "X-API-Key": server.key } });
}

Deno.test("a preview names what is new, changed and the same, without values, and changes nothing", async () => {
  await using server = await startApp();
  await importEnv(server, "SAME=sekrit-one\n# kept\nCHANGED=sekrit-two\n# old\nNOTE=sekrit-x\n");
  const before = await valuesOf(server);
  const content = "# first\nNEW=sekrit-three\nSAME=sekrit-one\nCHANGED=sekrit-four\n# new\nNOTE=sekrit-x\nnonsense\n";
  const { status, body } = await importEnv(server, content, { ...global, dryRun: true });
  assert.equal(status, 200);
  assert.deepEqual(body.counts, { new: 1, changed: 2, same: 1, invalid: 1 });
  assert.deepEqual(body.new, [{ name: "NEW", scope: "global", scopeId: null, scopeName: null, line: 2 }]);
  assert.deepEqual([namesOf(body.changed), namesOf(body.same)], [["CHANGED", "NOTE"], ["SAME"]]);
  assert.deepEqual(body.invalid, [{ line: 7, problem: "is not NAME=value" }]);
  assert.ok(!JSON.stringify(body).includes("sekrit"));
  assert.deepEqual(await valuesOf(server), before);
});

Deno.test("an import stores all, keeps comments that the file does not have, and records each change", async () => {
  await using server = await startApp();
  await importEnv(server, "# kept\nA=one\nB=two\n");
  const { status, body } = await importEnv(server, 'A=changed\nB=two\n# of C\nexport C="line\nbreak"\n');
  assert.deepEqual([status, body.counts], [200, { new: 1, changed: 1, same: 1, invalid: 0 }]);
  assert.deepEqual(await valuesOf(server), { A: ["changed", "kept"], B: ["two", ""], C: ["line\nbreak", "of C"] });
  const { body: audit } = await server.api("GET", "/api/audit?limit=3");
  const [, second, first] = audit.entries;
  assert.deepEqual([first.action, first.subject.name, first.after], ["secret.updated", "A", { value: "changed" }]);
  assert.equal(second.action, "secret.created");
  assert.equal(second.after.comment, "of C");
  assert.ok(!JSON.stringify(audit).includes("line\\nbreak"));
});

Deno.test("one invalid line, and nothing is stored", async () => {
  await using server = await startApp();
  const big = "x".repeat(16_385);
  const content = `GOOD=1\nno value\nGOOD=2\nEMPTY=\nBIG=${big}\nbad.name=sekrit\n`;
  const { status, body } = await importEnv(server, content);
  assert.deepEqual([status, body.code], [400, "InvalidInput"]);
  assert.deepEqual(body.details, {
    "line 2": "is not NAME=value",
    "line 3": "sets GOOD a second time",
    "line 4": "gives EMPTY no value",
    "line 5": "gives BIG a value that has 16385 bytes in UTF-8; at most 16384 can be stored",
    "line 6": "has a name that is not letters, digits, underscores and hyphens",
  });
  assert.deepEqual(await valuesOf(server), {});
  const wrong = await server.api("POST", IMPORT, {
    ...{ format: "toml", content: 1, scope: "group", mode: "replace", other: 1 },
    prefixes: { "A B": global, C_: { scope: "key" } },
  });
  assert.equal(wrong.status, 400);
  assert.deepEqual(Object.keys(wrong.body.details).sort(), [
    ...["content", "format", "groupId", "mode", "other", "prefixes.A B", "prefixes.C_.keyId"],
  ]);
  assert.match(wrong.body.details["prefixes.A B"], /^must be the beginning of names/);
  const missing = await importEnv(server, "A=1", { scope: "group", groupId: "none" });
  assert.deepEqual([missing.status, missing.body.details], [404, { groupId: "does not exist" }]);
});

Deno.test("each prefix leads to its owner, the longest one first, and calls get the values", async () => {
  await using server = await startApp();
  const staging = await createGroup(server, "staging");
  const { value: key } = await createKey(server, staging, "acme");
  await deploy(server, "value", `export default async (c, ctx) => c.text(await ctx.getSecret("DB") ?? "none");`, {
    keys: [staging],
  });
  const prefixes = {
    STAGING_: { scope: "group", groupId: "staging" },
    STAGING_ACME_: { scope: "key", keyId: "staging/acme" },
  };
  const { status, body } = await importEnv(server, "DB=all\nSTAGING_DB=group\nSTAGING_OTHER=x\n", {
    ...global,
    prefixes,
  });
  assert.equal(status, 200, JSON.stringify(body));
  assert.deepEqual(
    body.new.map((one: { name: string; scope: string }) => `${one.scope} ${one.name}`),
    [...["global DB", "group DB", "group OTHER"]],
  );
  assert.equal((await run(server, "/value", key)).body, "group");
  await importEnv(server, "STAGING_ACME_DB=key", { ...global, prefixes });
  assert.equal((await run(server, "/value", key)).body, "key");

  const nothing = await importEnv(server, "STAGING_=x\nSTAGING_A=1\nT_A=2\n", {
    ...global,
    prefixes: { STAGING_: prefixes.STAGING_, T_: prefixes.STAGING_ },
  });
  assert.deepEqual(nothing.body.details, {
    "line 1": "has nothing after the prefix STAGING_",
    "line 3": "sets A of the same owner a second time",
  });
});

Deno.test("with the mode create, names that exist are a conflict that names all of them", async () => {
  await using server = await startApp();
  await importEnv(server, "A=1\nB=2\n");
  const content = "A=1\nNEW=3\nB=5\n";
  const preview = await importEnv(server, content, { ...global, mode: "create", dryRun: true });
  assert.deepEqual(preview.body.counts, { new: 1, changed: 0, same: 0, invalid: 2 });
  const { status, body } = await importEnv(server, content, { ...global, mode: "create" });
  assert.deepEqual([status, body.code], [409, "Conflict"]);
  assert.equal(body.error, "Nothing was imported, because these secrets exist: A, B.");
  assert.deepEqual(body.details, {
    "line 1": "sets A, which exists globally",
    "line 3": "sets B, which exists globally",
  });
  assert.deepEqual(await valuesOf(server), { A: ["1", ""], B: ["2", ""] });
});

Deno.test("5,000 secrets go in and out in each format", async () => {
  await using server = await startApp();
  const awkward = ["plain", 'it\'s "both"', "two\nlines", " $HOME ", "back\\slash\\", "cr\r", "漢🔑"];
  const secrets = Object.fromEntries(
    Array.from({ length: 5_000 }, (_, n) => [`N_${n}`, `${awkward[n % awkward.length]}${n % 3 ? n : ""}`]),
  );
  const made = await server.api("POST", IMPORT, { format: "json", content: JSON.stringify(secrets), ...global });
  assert.deepEqual([made.status, made.body.counts], [200, { new: 5_000, changed: 0, same: 0, invalid: 0 }]);
  for (const format of ["env", "json", "yaml"]) {
    const content = await (await exported(server, `format=${format}&scope=global`)).text();
    const again = await server.api("POST", IMPORT, { format, content, ...global });
    assert.deepEqual(again.body.counts, { new: 0, changed: 0, same: 5_000, invalid: 0 }, format);
  }
});

Deno.test("an export is a file of one owner, and is recorded", async () => {
  await using server = await startApp();
  const staging = await createGroup(server, "staging");
  await importEnv(server, "# of A\nA=it's\nB=two words\n", { scope: "group", groupId: staging });
  await importEnv(server, "G=1");
  const cases = [
    ["env", "text/plain; charset=utf-8", "# of A\nA=\"it's\"\nB='two words'\n"],
    ["json", "application/json", '{\n  "A": {"value":"it\'s","comment":"of A"},\n  "B": "two words"\n}\n'],
    ["yaml", "application/yaml", 'A:\n  value: "it\'s"\n  comment: "of A"\nB: "two words"\n'],
  ] as const;
  for (const [format, type, text] of cases) {
    const response = await exported(server, `format=${format}&scope=group&groupId=staging`);
    assert.equal(response.status, 200);
    assert.equal(await response.text(), text);
    assert.equal(response.headers.get("content-type"), type);
    assert.equal(response.headers.get("content-disposition"), `attachment; filename="secrets.${format}"`);
    assert.equal(response.headers.get("cache-control"), "no-store");
    const { body } = await server.api("GET", "/api/audit?limit=1");
    assert.equal(body.entries[0].action, "secret.revealed");
    assert.equal(body.entries[0].after.ids.length, 2);
  }
  for (const query of ["scope=group", "scope=global&format=toml", "scope=global&other=1", ""]) {
    const response = await exported(server, query);
    assert.equal(response.status, 400, query);
    await response.body?.cancel();
  }
  const unknown = await fetch(`${server.url}/api/secrets/export?scope=global`);
  assert.equal(unknown.status, 401);
  await unknown.body?.cancel();
});

Deno.test("an altered value is named in the export instead of being lost, and an import leaves it alone", async () => {
  await using server = await startApp();
  await importEnv(server, "A=1\nLOST=2\n");
  using db = new DatabaseSync(join(server.dataDir, "database.db"), { timeout: 5_000 });
  db.exec("UPDATE secrets SET ciphertext = (SELECT ciphertext FROM secrets WHERE name = 'A') WHERE name = 'LOST'");
  const response = await exported(server, "scope=global");
  assert.equal(response.headers.get("x-unreadable-secrets"), "LOST");
  assert.match(await response.text(), /^# Not exported: LOST\. .+\n\nA=1\n$/);
  const { status, body } = await importEnv(server, "NEW=1\nLOST=3\n");
  assert.deepEqual([status, body.code], [409, "TamperedRow"]);
  const { body: list } = await server.api("GET", "/api/secrets/by-name/NEW");
  assert.equal(list.code, "NotFound");
  const copied = await server.api("POST", "/api/secrets/2/copy", {
    scope: "group",
    groupId: await createGroup(server, "g"),
  });
  assert.deepEqual([copied.status, copied.body.code], [409, "DecryptionFailed"]);
});

Deno.test("a secret is copied or moved to another owner, unless it changed or the name is taken there", async () => {
  await using server = await startApp();
  const staging = await createGroup(server, "staging");
  await importEnv(server, "# of A\nA=sekrit\n");
  const to = { scope: "group", groupId: "staging" };
  const copied = await server.api("POST", "/api/secrets/1/copy", to);
  assert.deepEqual([copied.status, copied.body], [201, { id: 2, name: "A", scope: "group" }]);
  assert.deepEqual(await valuesOf(server, `groupId=${staging}`), { A: ["sekrit", "of A"] });
  const { body: audit } = await server.api("GET", "/api/audit?limit=20");
  const created = audit.entries.find((one: { action: string }) => one.action === "secret.created");
  assert.deepEqual(created.after.copiedFrom, { id: 1, scope: "global", scopeId: null, scopeName: null });

  const taken = await server.api("POST", "/api/secrets/1/copy", { ...to, move: true });
  assert.deepEqual([taken.status, taken.body.details], [409, { name: "is taken" }]);
  const { value: key } = await createKey(server, staging, "acme");
  assert.ok(key);
  const toKey = { scope: "key", keyId: "staging/acme", move: true };
  const headers = { "X-API-Key": server.key, "Content-Type": "application/json", "If-Match": '"other"' };
  const stale = await fetch(`${server.url}/api/secrets/1/copy`, {
    method: "POST",
    headers,
    body: JSON.stringify(toKey),
  });
  assert.equal(stale.status, 412);
  await stale.body?.cancel();
  const moved = await server.api("POST", "/api/secrets/1/copy", toKey);
  assert.equal(moved.status, 201);
  assert.equal((await server.api("GET", "/api/secrets/1")).status, 404);
  assert.deepEqual(await valuesOf(server, "keyId=staging/acme"), { A: ["sekrit", "of A"] });
  const { body: entries } = await server.api("GET", "/api/audit?limit=20");
  const deleted = entries.entries.find((one: { action: string }) => one.action === "secret.deleted");
  assert.deepEqual(deleted.after, { movedTo: moved.body.id });
  for (const body of [{}, { scope: "key" }, { scope: "global", move: "yes" }, { scope: "global", other: 1 }]) {
    assert.equal((await server.api("POST", "/api/secrets/2/copy", body)).status, 400);
  }
  assert.equal((await server.api("POST", "/api/secrets/99/copy", global)).status, 404);
});

Deno.test("imports during a rotation and other changes leave every value readable", async () => {
  await using server = await startApp();
  const file = (value: string) =>
    Array.from({ length: 1_500 }, (_, n) => `# ${value}\nN_${n}=${value}-${n}`).join("\n");
  await importEnv(server, file("first"));
  const answers = await Promise.all([
    importEnv(server, file("second")),
    server.api("POST", "/api/encryption-keys/rotation"),
    server.api("PUT", "/api/secrets/1", { value: "third" }),
    importEnv(server, file("first").replaceAll("# first", "# note")),
  ]);
  assert.deepEqual(answers.map(({ status }) => status), [200, 200, 200, 200], JSON.stringify(answers).slice(0, 500));
  const response = await exported(server, "scope=global&format=json");
  assert.equal(response.headers.get("x-unreadable-secrets"), null);
  const secrets = await response.json() as Record<string, { value: string; comment: string }>;
  assert.equal(Object.keys(secrets).length, 1_500);
  for (const [name, { value, comment }] of Object.entries(secrets)) {
    const n = name.slice(2);
    assert.ok([`first-${n}`, `second-${n}`, ...(n === "0" ? ["third"] : [])].includes(value), `${name} ${value}`);
    assert.ok(["second", "note"].includes(comment));
  }
});
