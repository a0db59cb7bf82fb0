// `verify`, and what backups and restores do with authenticated rows: by the real commands, on data that something
// else has written to.

import assert from "node:assert/strict";
import { copyFileSync, existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setUp } from "../http/admin.ts";
import { createGroup, createKey, createSecret } from "../http/handlers.ts";
import { call, startServer } from "../http/server.ts";
import { KeyFile } from "../../src/keyring/key_file.ts";
import { authenticateFile } from "../../src/store/authentication.ts";
import { type Home, makeHome } from "./cli.ts";
import { TO_SCHEMA_9 } from "../unit/earlier_schema.ts";

function sql(path: string, text: string): void {
  using db = new DatabaseSync(path, { timeout: 5_000 });
  db.exec(text);
}

async function fill(home: Home): Promise<string> {
  await using server = await home.start();
  await setUp(server);
  const group = await createGroup(server, "staging");
  const { value } = await createKey(server, group, "mine");
  await createSecret(server, "DB", "for all");
  await createSecret(server, "DB", "ours", { scope: "group", groupId: group });
  return value;
}

Deno.test("a restored backup keeps the rolls of keys since: an old value is not accepted for longer by it", async () => {
  await using home = makeHome();
  const values: Record<string, { id: number; old: string; rolled: string }> = {};
  {
    await using server = await home.start();
    const group = await createGroup(server, "staging");
    for (const name of ["at-once", "with-a-grace", "ended-early"]) {
      const { id, value } = await createKey(server, group, name);
      await createSecret(server, "TENANT", name, { scope: "key", keyId: id });
      values[name] = { id, old: value, rolled: "" };
    }
  }
  const backup = await home.cli(["backup", "copy"]);
  assert.equal(backup.code, 0, backup.stderr);
  {
    await using server = await home.start();
    for (const [name, key] of Object.entries(values)) {
      const graceSeconds = name === "at-once" ? 0 : 3_600;
      const { body } = await server.api("POST", `/api/keys/${key.id}/roll`, { graceSeconds });
      key.rolled = body.value;
    }
    const { id } = values["ended-early"]!;
    assert.equal((await server.api("DELETE", `/api/keys/${id}/previous-value`)).status, 200);
    assert.equal((await server.api("PUT", `/api/keys/${id}`, { name: "renamed" })).status, 200);
  }
  const restored = await home.cli(["restore", "copy", "--force", "--json"]);
  assert.equal(restored.code, 0, restored.stderr);
  assert.deepEqual(restored.json.revoked.keys, []);
  assert.equal((await home.cli(["verify"])).code, 0);
  await using server = await home.start();
  // The group may not use the API: a known key is a 403, another one a 401.
  const status = (key: string) =>
    call("GET", `${server.url}/api/keys`, undefined, { "X-API-Key": key }).then(({ status }) => status);
  const accepted = Object.entries(values).map(async ([name, { old, rolled }]) => [
    name,
    await status(old),
    await status(rolled),
  ]);
  assert.deepEqual(await Promise.all(accepted), [
    ["at-once", 401, 403],
    ["with-a-grace", 403, 403],
    ["ended-early", 401, 403],
  ]);
  for (const [name, { id, rolled }] of Object.entries(values)) {
    const { body } = await server.api("GET", `/api/keys/${id}?includeValues=true`);
    assert.deepEqual([body.key.name, body.key.value], [name, rolled]);
    assert.equal((await server.api("GET", `/api/secrets?keyId=${id}`)).body.secrets.length, 1);
  }
});

Deno.test("a restored backup keeps the expiries of keys since", async () => {
  await using home = makeHome();
  const [early, late] = ["2090-01-01T00:00:00.000Z", "2099-01-01T00:00:00.000Z"];
  const then = { set: null, moved: late, removed: late, same: early };
  const since = { set: early, moved: early, removed: null, same: early };
  const ids: Record<string, number> = {};
  {
    await using server = await home.start();
    for (const [name, expiresAt] of Object.entries(then)) {
      const { body } = await server.api("POST", "/api/keys", { groupId: 1, name, expiresAt });
      ids[name] = body.id;
    }
  }
  const backup = await home.cli(["backup", "copy"]);
  assert.equal(backup.code, 0, backup.stderr);
  {
    await using server = await home.start();
    for (const [name, expiresAt] of Object.entries(since)) {
      assert.equal((await server.api("PUT", `/api/keys/${ids[name]}`, { expiresAt })).status, 200);
    }
  }
  const restored = await home.cli(["restore", "copy", "--force"]);
  assert.equal(restored.code, 0, restored.stderr);
  assert.equal((await home.cli(["verify"])).code, 0);
  await using server = await home.start();
  for (const [name, expiresAt] of Object.entries(since)) {
    assert.equal((await server.api("GET", `/api/keys/${ids[name]}`)).body.key.expiresAt, expiresAt, name);
  }
});

Deno.test("verify names altered rows and incomplete tables, and `restore` is the way back", async () => {
  await using home = makeHome();
  const key = await fill(home);
  const clean = await home.cli(["verify", "--json"]);
  assert.equal(clean.code, 0, clean.stdout + clean.stderr);
  assert.deepEqual(clean.json.findings, []);
  assert.ok(clean.json.rows >= 7);
  assert.match((await home.cli(["verify"])).stdout, /^Verified \d+ rows: all are as this program wrote them\.\n$/);

  const backup = await home.cli(["backup", "copy"]);
  assert.equal(backup.code, 0, backup.stderr);
  assert.ok(existsSync(join(home.path, "copy", "database-record.json")));

  // Since the backup: a key is revoked, another made.
  {
    await using server = await home.start();
    const { body } = await server.api("GET", "/api/keys");
    const { id } = body.keys.find(({ name }: { name: string }) => name === "mine");
    assert.equal((await server.api("DELETE", `/api/keys/${id}`)).status, 200);
  }
  // Something else: a secret of the narrower scope is deleted, one is altered.
  sql(
    home.database,
    "DELETE FROM secrets WHERE scope = 'group'; UPDATE secrets SET comment = 'x' WHERE scope = 'global'",
  );
  const found = await home.cli(["verify", "--json"]);
  assert.equal(found.code, 1);
  assert.deepEqual(
    found.json.findings.map(({ table, id }: { table: string; id: string | null }) => [table, id]),
    [["secrets", "1"], ["secrets", null], ["secrets", "2"]],
  );
  await assert.rejects(home.start(), /table secrets lacks 2 rows that this program wrote[^]*cli restore/);

  const restored = await home.cli(["restore", "copy", "--force", "--json"]);
  assert.equal(restored.code, 0, restored.stderr);
  assert.deepEqual(restored.json.revoked.keys.map(({ name }: { name: string }) => name), ["mine"]);
  assert.equal((await home.cli(["verify"])).code, 0);
  {
    using db = new DatabaseSync(home.database, { readOnly: true });
    assert.deepEqual(db.prepare("SELECT id FROM sessions").all(), []);
    assert.deepEqual(db.prepare("SELECT admin_id FROM password_links").all(), []);
  }
  {
    await using server = await home.start();
    const answer = await fetch(`${server.url}/api/keys`, { headers: { "X-API-Key": key } });
    await answer.body?.cancel();
    assert.equal(answer.status, 401, "what was revoked stays revoked");
  }
  // The replaced data has a higher generation, and is of another epoch.
  const [replaced] = [...Deno.readDirSync(home.dataDir)].filter(({ name }) => name.startsWith("replaced-"));
  copyFileSync(join(home.dataDir, replaced!.name, "database.db"), home.database);
  for (const end of ["-wal", "-shm"]) rmSync(home.database + end, { force: true });
  await assert.rejects(home.start(), /it is from before a restore|was changed by something other/);

  const revived = await home.cli(["restore", "copy", "--force", "--revive", "--json"]);
  assert.equal(revived.code, 0, revived.stderr);
  {
    await using server = await home.start();
    const answer = await fetch(`${server.url}/api/keys`, { headers: { "X-API-Key": key } });
    await answer.body?.cancel();
    assert.equal(answer.status, 403, "it is known again");
  }
});

Deno.test("a backup that was altered is refused, or restored as it is if that is asked for", async () => {
  await using home = makeHome();
  await fill(home);
  assert.equal((await home.cli(["backup", "copy"])).code, 0);
  sql(join(home.path, "copy", "database.db"), "UPDATE secrets SET comment = 'x' WHERE scope = 'global'");
  const refused = await home.cli(["restore", "copy", "--force"]);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /was not restored because it was altered: row 1 of secrets was altered or inserted/);
  const accepted = await home.cli(["restore", "copy", "--force", "--accept-altered"]);
  assert.equal(accepted.code, 0, accepted.stderr);
  assert.equal((await home.cli(["verify"])).code, 0);
  await using server = await home.start();
  assert.equal((await server.api("GET", "/api/secrets/1")).body.comment, "x");
});

Deno.test("a backup of a version without an order of secrets is checked and restored like any other", async () => {
  await using home = makeHome();
  await fill(home);
  assert.equal((await home.cli(["backup", "copy"])).code, 0);
  const copy = (name: string) => join(home.path, "copy", name);
  sql(copy("database.db"), TO_SCHEMA_9);
  const { keyring } = new KeyFile(copy("encryption-keys.json"), undefined);
  authenticateFile(copy("database.db"), keyring, "an epoch");
  rmSync(copy("database-record.json"));
  const restored = await home.cli(["restore", "copy", "--force"]);
  assert.equal(restored.code, 0, restored.stderr);
  assert.equal((await home.cli(["verify"])).code, 0);

  sql(copy("database.db"), "UPDATE secrets SET name = 'ANOTHER' WHERE scope = 'group'");
  const refused = await home.cli(["restore", "copy", "--force"]);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /was not restored because it was altered: row 2 of secrets was altered or inserted/);
  const accepted = await home.cli(["restore", "copy", "--force", "--accept-altered"]);
  assert.equal(accepted.code, 0, accepted.stderr);
  assert.equal((await home.cli(["verify"])).code, 0);
});

Deno.test("without its record the data does not start, and a restore of a copy of it makes it start", async () => {
  await using home = makeHome();
  await fill(home);
  Deno.mkdirSync(join(home.path, "by-hand"));
  for (const name of ["database.db", "encryption-keys.json"]) {
    copyFileSync(join(home.dataDir, name), join(home.path, "by-hand", name));
  }
  rmSync(join(home.dataDir, "database-record.json"));
  await assert.rejects(startServer({ folder: home.path }), /database-record\.json is missing[^]*cli restore/);
  assert.match((await home.cli(["verify"])).stdout, /record/);
  assert.equal((await home.cli(["restore", "by-hand", "--force"])).code, 0);
  await using server = await home.start();
  assert.equal((await server.api("GET", "/api/secrets?limit=10")).body.secrets.length, 2);
});
