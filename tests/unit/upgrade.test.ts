// Data of an earlier version: what it becomes, and what is refused.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createAccess } from "../../src/core/access/access.ts";
import { createAdmins } from "../../src/core/admins/admins.ts";
import { createRegistry } from "../../src/core/functions/registry.ts";
import type { SecretId, SecretName } from "../../src/ids.ts";
import { PURPOSES } from "../../src/keyring/derived_key.ts";
import { KeyFile, openKeyFile } from "../../src/keyring/key_file.ts";
import { authenticateFile } from "../../src/store/authentication.ts";
import { DataFolderError } from "../../src/store/data_folder.ts";
import { openSnapshot } from "../../src/store/snapshot.ts";
import { openStore } from "../../src/store/store.ts";
import { createSecrets } from "../../src/core/secrets/service.ts";
import { OLD, writeOldData } from "./old_data.ts";
import { temporaryFolder, temporaryStore, unrecorded } from "./temporary.ts";
import { TO_SCHEMA_9 } from "./earlier_schema.ts";

function oldData() {
  const folder = temporaryFolder();
  writeOldData(folder.path);
  const [path, keyPath] = [join(folder.path, "database.db"), join(folder.path, "encryption-keys.json")];
  const edit = (sql: string, ...values: (string | number | Uint8Array)[]) => {
    using db = new DatabaseSync(path);
    db.prepare(sql).run(...values);
  };
  const open = () => {
    const keyFile = new KeyFile(keyPath, undefined);
    const { keyring } = keyFile;
    const warnings: string[] = [];
    const store = openStore(path, keyFile, { warn: (message) => warnings.push(message) });
    const limits = { idleMs: () => 1e15, longestMs: () => 1e15 };
    const now = Date.now;
    return {
      store,
      warnings,
      access: createAccess({ store, keyring, now, groupsInSettings: () => [], record: unrecorded }),
      admins: createAdmins({ store, keyring, limits, now, record: unrecorded }),
      registry: createRegistry({ store, now, onChange: () => {}, record: unrecorded }),
      secrets: createSecrets({ store, keyring, now, record: unrecorded }),
      [Symbol.dispose]() {
        store.close();
      },
    };
  };
  return { folder, path, keyPath, edit, open, [Symbol.dispose]: () => folder[Symbol.dispose]() };
}

Deno.test("API keys, functions, secrets, settings and users of an earlier version are still there", () => {
  using there = oldData();
  for (const start of ["first", "second"]) {
    using opened = there.open();
    assert.deepEqual(opened.warnings, []);
    assert.equal(opened.access.find(OLD.managementKey)?.groupName, "management", start);
    assert.equal(opened.access.find(OLD.key)?.keyName, "acme");
    const [hello, open] = opened.registry.list();
    assert.deepEqual([hello!.name, hello!.keys, hello!.methods], ["hello", [2], ["GET", "POST"]]);
    assert.deepEqual([open!.name, open!.keys], ["open", []]);
    const values = [1, 2, 3, 4, 5].map((id) => opened.secrets.get(id as SecretId))
      .map((row) => opened.secrets.problemOf(row) ?? row.name);
    assert.deepEqual(values, ["DB", "DB", "DB", "DB", "MAIL"]);
    assert.deepEqual(opened.store.settings.list().map(({ name, value }) => [name, value]), [
      ["sandbox.timeout-ms", "12000"],
    ]);
    assert.deepEqual(opened.admins.accounts.list().map(({ email }) => email), [OLD.email, "bob@example.com"]);
  }
});

Deno.test("sessions and password links of an earlier version end with the upgrade, planted ones too", () => {
  using there = oldData();
  const hash = (token: string) => createHash("sha256").update(token).digest();
  there.edit(
    "INSERT INTO sessions (token_hash, admin_id, created_at, last_seen_at, address, user_agent) VALUES (?, 1, ?, ?, '', '')",
    hash("planted"),
    Date.now(),
    Date.now(),
  );
  there.edit(
    "INSERT INTO password_links (admin_id, token_hash, expires_at) VALUES (1, ?, ?)",
    hash("planted link"),
    Date.now() + 1e9,
  );
  using opened = there.open();
  for (const token of [OLD.sessionToken, "planted"]) assert.equal(opened.admins.sessions.find(token), undefined);
  for (const token of [OLD.linkToken, "planted link"]) {
    assert.throws(() => opened.admins.accounts.ofLink(token), /no longer valid/);
  }
});

Deno.test("nothing that the database holds as a MAC for one purpose counts for another", () => {
  using there = temporaryStore();
  const { keyring } = there;
  const macs = PURPOSES.map((purpose) => Buffer.from(keyring.derive(purpose).mac("keyring")).toString("hex"));
  assert.equal(
    new Set([...macs, Buffer.from(keyring.originalMac("keyring")).toString("hex")]).size,
    PURPOSES.length + 1,
  );
  for (const text of ["keyring", "crude-functions keyring", keyring.fingerprint()]) {
    assert.notEqual(Buffer.from(keyring.lookup(text)).toString("hex"), keyring.fingerprint(), text);
  }
});

Deno.test("the text of the old fingerprint is no API key, before or after the upgrade", () => {
  using there = oldData();
  const { keyring } = new KeyFile(there.keyPath, undefined);
  there.edit(
    "INSERT INTO api_keys (group_id, name, description, lookup, ciphertext, created_at) VALUES (1, 'planted', '', ?, 'v1.x', 0)",
    keyring.originalMac("crude-functions keyring"),
  );
  using opened = there.open();
  assert.equal(opened.access.find("crude-functions keyring"), undefined);
  assert.equal(opened.access.find("keyring"), undefined);
  assert.match(opened.warnings.join(), /API keys 3 could not be decrypted during the upgrade/);
  assert.equal(opened.access.find(OLD.key)?.keyName, "acme", "the others are known");
});

Deno.test("data of an earlier version is not upgraded with another key file", () => {
  using there = oldData();
  const before = readFileSync(there.path);
  using other = temporaryFolder();
  const keyFile = openKeyFile(join(other.path, "encryption-keys.json"), false, new Date());
  assert.throws(
    () => openStore(there.path, keyFile),
    (error: Error) => error instanceof DataFolderError && error.message.includes(keyFile.path),
  );
  {
    using snapshot = openSnapshot(there.path);
    assert.deepEqual([snapshot.isCurrent, snapshot.isOf(keyFile.keyring)], [false, false]);
    assert.ok(snapshot.isOf(new KeyFile(there.keyPath, undefined).keyring));
  }
  assert.deepEqual(readFileSync(there.path).subarray(100), before.subarray(100), "the file is as it was");
});

/** A store of this version with some global secrets, made into one of version 9, which had no order of secrets. */
function ninthData(secrets: number) {
  const folder = temporaryFolder();
  const path = join(folder.path, "database.db");
  const keyFile = openKeyFile(join(folder.path, "encryption-keys.json"), false, new Date(0));
  const store = openStore(path, keyFile);
  const { epoch, generation } = store.head();
  store.close();
  const db = new DatabaseSync(path);
  const sql = `${TO_SCHEMA_9}
    INSERT INTO secrets (name, scope, owner_id, ciphertext, comment, created_at, updated_at)
      WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ${secrets})
      SELECT 'S_' || n, 'global', 0, 'v1.x', '', 0, 0 FROM n`;
  db.exec(sql);
  db.close();
  authenticateFile(path, keyFile.keyring, epoch, generation);
  const notes: string[] = [];
  return {
    path,
    notes,
    edit(text: string): void {
      using db = new DatabaseSync(path);
      db.exec(text);
    },
    open: () => openStore(path, keyFile, { note: (message) => notes.push(message) }),
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  };
}

Deno.test("a database without an order of secrets gets one, once, and a large one says how far it is", () => {
  for (const [secrets, isLarge] of [[3, false], [10_000, true]] as const) {
    using data = ninthData(secrets);
    for (const start of ["first", "second"]) {
      const store = data.open();
      const found = (name: string) => store.secrets.candidates(name as SecretName, 0, 0, 0).map(({ id }) => id);
      assert.deepEqual([found("S_2"), found("S_20000"), found("A"), found("T")], [[2], [], [], []], start);
      assert.ok(store.secrets.isAuthentic(2 as SecretId));
      const { version, setAt, setBy, sealed, places, onExpiry, dueAt } = store.secrets.find(2 as SecretId)!;
      const defaults = { version: 1, setAt: 0, setBy: null, sealed: false, places: ["header"], onExpiry: "warn" };
      assert.deepEqual({ version, setAt, setBy, sealed, places, onExpiry, dueAt }, { ...defaults, dueAt: null });
      store.close();
    }
    const ends = [1, secrets].map((n) => `${n.toLocaleString("en")} of ${secrets.toLocaleString("en")}`);
    const steps = ["secrets verified", "secrets put in order"].flatMap((step) => ends.map((end) => `${end} ${step}.`));
    assert.deepEqual(
      data.notes.filter((note) => steps.some((step) => note.endsWith(step))),
      isLarge ? steps.map((step) => `Upgrading ${data.path}, once: ${step}`) : [],
    );
  }
});

Deno.test("an order is not made of secrets that something else has deleted, altered or put in", () => {
  const edits = [
    "DELETE FROM secrets WHERE id = 2",
    "UPDATE secrets SET name = 'T' WHERE id = 2",
    "INSERT INTO secrets (name, scope, owner_id, ciphertext, comment, created_at, updated_at) VALUES ('T', 'global', 0, '', '', 0, 0)",
  ];
  for (const edit of edits) {
    using data = ninthData(3);
    data.edit(edit);
    const before = readFileSync(data.path);
    assert.throws(() => data.open(), /is not upgraded.*(row \d|table) .*secrets .*cli restore/, edit);
    assert.deepEqual(readFileSync(data.path).subarray(100), before.subarray(100), "the file is as it was");
  }
  using data = ninthData(3);
  data.edit("UPDATE secrets SET name = 'T' WHERE id = 2");
  data.edit("UPDATE secrets SET name = 'S_2' WHERE id = 2");
  data.open().close();
});
