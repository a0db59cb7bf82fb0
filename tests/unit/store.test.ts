// The SQLite file: its mode, its constraints, its versions, its transactions, and that no read walks the whole table.

import assert from "node:assert/strict";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { FunctionId, GroupId, Owner, SecretName } from "../../src/ids.ts";
import { Database, isUniqueViolation } from "../../src/store/database.ts";
import { mainSchema, SCHEMA_VERSION } from "../../src/store/schema.ts";
import { openKeyFile } from "../../src/keyring/key_file.ts";
import { createAccessStore } from "../../src/store/access.ts";
import { createFunctionStore } from "../../src/store/functions.ts";
import { createSecretStore, type SecretFilter } from "../../src/store/secrets.ts";
import type { Store } from "../../src/store/store.ts";
import { openStoreAt, temporaryFolder, temporaryStore } from "./temporary.ts";

const NAME = "DB" as SecretName;

function put(store: Store, owner: Owner, name = NAME) {
  return store.secrets.insert({ name, owner, ciphertext: "v1.x", comment: "", now: 1 });
}

function putGroup(store: Store, name = "customers"): GroupId {
  return store.access.insertGroup({ name, description: "", now: 1 });
}

function putKey(store: Store, groupId: GroupId, name = "alice") {
  const lookup = new TextEncoder().encode(name);
  return store.access.insertKey({ groupId, name, description: "", lookup, ciphertext: "v1.x", now: 1 });
}

function putFunction(store: Store, name = "orders", groups: GroupId[] = []): FunctionId {
  return store.functions.insert({
    name,
    description: "",
    handler: "a.ts",
    route: `/${name}`,
    routeKey: `/${name}`,
    methods: ["GET", "POST"],
    groups,
    confinement: "{}",
    enabled: true,
  }, 1);
}

/** What a second connection sees in the file. */
function inFile<T>(path: string, look: (db: DatabaseSync) => T): T {
  const db = new DatabaseSync(path, { timeout: 5_000 });
  try {
    return look(db);
  } finally {
    db.close();
  }
}

function version(path: string): unknown {
  return inFile(path, (db) => db.prepare("PRAGMA user_version").get()!.user_version);
}

function tables(path: string): number {
  return inFile(path, (db) => Number(db.prepare("SELECT count(*) AS n FROM sqlite_schema").get()!.n));
}

Deno.test("the database and what SQLite puts beside it have mode 0600, an old file too", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "database.db");
  const modes = () => ["", "-wal", "-shm"].map((suffix) => statSync(path + suffix).mode & 0o777);
  let { store } = openStoreAt(path);
  putGroup(store);
  assert.deepEqual(modes(), [0o600, 0o600, 0o600]);
  store.close();
  Deno.chmodSync(path, 0o644);
  ({ store } = openStoreAt(path));
  putGroup(store, "partners");
  assert.deepEqual(modes(), [0o600, 0o600, 0o600]);
  store.close();
});

Deno.test("an owner has a name once, and each owner has it for itself", () => {
  using there = temporaryStore();
  const { store } = there;
  const groupId = putGroup(store);
  const keyId = putKey(store, groupId);
  const functionId = putFunction(store);
  const owners: Owner[] = [
    { scope: "global" },
    { scope: "function", functionId },
    { scope: "group", groupId },
    { scope: "key", keyId },
  ];
  // All of them have the id 1, so only the scope tells them apart.
  for (const owner of owners) put(store, owner);
  for (const owner of owners) assert.throws(() => put(store, owner), isUniqueViolation);
  put(store, { scope: "global" }, "db" as SecretName);
  assert.equal(store.secrets.list({}, 0, 100).length, 5);
});

Deno.test("ids are not used again after a delete, nor after a restart", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "database.db");
  let { store } = openStoreAt(path);
  const before = () => {
    const groupId = putGroup(store);
    const keyId = putKey(store, groupId);
    const functionId = putFunction(store);
    const ids = [put(store, { scope: "global" }), groupId, keyId, functionId];
    store.secrets.delete(ids[0] as never);
    store.access.deleteKey(keyId);
    store.access.deleteGroup(groupId);
    store.functions.delete(functionId);
    return ids;
  };
  assert.deepEqual(before(), [1, 1, 1, 1]);
  assert.deepEqual(before(), [2, 2, 2, 2]);
  store.close();
  ({ store } = openStoreAt(path));
  assert.deepEqual(before(), [3, 3, 3, 3]);
  store.close();
});

Deno.test("a function, a group or a key takes its secrets along, and nobody else's", () => {
  using there = temporaryStore();
  const { store } = there;
  const [first, second] = [putGroup(store, "first"), putGroup(store, "second")];
  const [keyOfFirst, otherKey] = [putKey(store, first, "alice"), putKey(store, first, "bob")];
  const [orders, invoices] = [putFunction(store, "orders"), putFunction(store, "invoices")];
  const owners: Owner[] = [
    { scope: "global" },
    { scope: "function", functionId: orders },
    { scope: "function", functionId: invoices },
    { scope: "group", groupId: first },
    { scope: "group", groupId: second },
    { scope: "key", keyId: keyOfFirst },
    { scope: "key", keyId: otherKey },
  ];
  for (const owner of owners) put(store, owner);
  const left = () => store.secrets.list({}, 0, 100).map(({ owner }) => owner);
  store.functions.delete(orders);
  assert.deepEqual(left(), owners.filter((_, index) => index !== 1));
  store.access.deleteKey(keyOfFirst);
  assert.deepEqual(left(), owners.filter((_, index) => index !== 1 && index !== 5));
  store.access.deleteGroup(second);
  assert.deepEqual(left(), owners.filter((_, index) => ![1, 4, 5].includes(index)));
});

Deno.test("a group with keys, or that a function asks for, cannot be deleted", () => {
  using there = temporaryStore();
  const { store } = there;
  const withKey = putGroup(store, "with-key");
  const keyId = putKey(store, withKey);
  const required = putGroup(store, "required");
  const functionId = putFunction(store, "orders", [required]);
  put(store, { scope: "group", groupId: withKey });
  for (const id of [withKey, required]) assert.throws(() => store.access.deleteGroup(id), /FOREIGN KEY/);
  assert.deepEqual(store.access.groups().map(({ id }) => id), [withKey, required]);
  assert.deepEqual(store.functions.find(functionId)!.groups, [required], "losing it would make the function public");
  store.access.deleteKey(keyId);
  store.functions.delete(functionId);
  for (const id of [withKey, required]) store.access.deleteGroup(id);
  assert.deepEqual(store.access.groups(), []);
  assert.deepEqual(store.secrets.list({}, 0, 100), []);
});

Deno.test("foreign keys are on: nothing can belong to what does not exist", () => {
  using there = temporaryStore();
  const { store } = there;
  const id = 99 as never;
  for (
    const owner of [{ scope: "function", functionId: id }, { scope: "group", groupId: id }, { scope: "key", keyId: id }]
  ) {
    assert.throws(() => put(store, owner as Owner), /FOREIGN KEY/);
  }
  assert.throws(() => putKey(store, id), /FOREIGN KEY/);
  assert.throws(() => store.transaction(() => putFunction(store, "orders", [id])), /FOREIGN KEY/);
  assert.deepEqual(store.functions.list(), []);
});

Deno.test("a row whose scope and owner do not fit each other cannot be written, even by hand", () => {
  using there = temporaryStore();
  const { store, path } = there;
  const groupId = putGroup(store);
  const functionId = putFunction(store);
  inFile(path, (db) => {
    const insert = db.prepare(
      "INSERT INTO secrets (name, scope, owner_id, function_id, group_id, key_id, ciphertext, comment, created_at, updated_at)" +
        " VALUES ('DB', ?, ?, ?, ?, ?, 'v1.x', '', 1, 1)",
    );
    const wrong: [string, number, number | null, number | null, number | null][] = [
      ["global", 1, null, null, null],
      ["global", 0, functionId, null, null],
      ["function", functionId, null, null, null],
      ["function", functionId, functionId, groupId, null],
      ["group", groupId, functionId, null, null],
      ["group", groupId, null, null, null],
      ["key", 1, null, null, null],
      ["group", 2, null, groupId, null],
      ["nobody", 0, null, null, null],
    ];
    for (const row of wrong) {
      assert.throws(() => insert.run(...row), /CHECK constraint|FOREIGN KEY|NOT NULL/, String(row));
    }
    insert.run("group", groupId, null, groupId, null);
  });
});

Deno.test("an empty file of version 0 becomes a database, and one that is current is left as it is", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "database.db");
  writeFileSync(path, "");
  let { store } = openStoreAt(path);
  putGroup(store);
  store.close();
  const [current, schema] = [version(path), tables(path)];
  assert.equal(current, SCHEMA_VERSION);
  ({ store } = openStoreAt(path));
  assert.deepEqual(store.access.groups().map(({ name }) => name), ["customers"]);
  store.close();
  assert.deepEqual([version(path), tables(path)], [current, schema]);
});

Deno.test("an upgrade that fails leaves the database at the version it had, whole", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "database.db");
  // Of version 0, but with a table in it that the first step wants to make.
  inFile(path, (db) => db.exec("CREATE TABLE secrets (x); INSERT INTO secrets VALUES (1)"));
  assert.throws(
    () => openStoreAt(path),
    (error: Error) => error.message.includes(path) && /already exists/.test(error.message),
  );
  assert.deepEqual([version(path), tables(path)], [0, 1]);
  assert.equal(inFile(path, (db) => db.prepare("SELECT x FROM secrets").get()!.x), 1);
});

Deno.test("a database of a newer version is refused by a message that says so, and not touched", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "database.db");
  const { store } = openStoreAt(path);
  putGroup(store);
  store.close();
  inFile(path, (db) => db.exec("PRAGMA user_version = 999"));
  const before = readFileSync(path);
  assert.throws(() => openStoreAt(path), (error: Error) => {
    assert.ok(error.message.includes(path) && /newer version/.test(error.message) && /999/.test(error.message));
    return true;
  });
  assert.deepEqual(readFileSync(path), before);
});

Deno.test("a file that is no database is refused by a message that names it, and not touched", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "database.db");
  const text = "not a database ".repeat(200);
  writeFileSync(path, text);
  assert.throws(() => openStoreAt(path), (error: Error) => error.message.includes(path));
  assert.equal(readFileSync(path, "utf8"), text);
});

Deno.test("a transaction that throws leaves nothing, at any depth, and the next one works", () => {
  using there = temporaryStore();
  const { store, path } = there;
  const fail = new Error("in the middle");
  assert.throws(() =>
    store.transaction(() => {
      putGroup(store);
      store.transaction(() => put(store, { scope: "global" }));
      store.settings.put("name", "1");
      throw fail;
    }), fail);
  assert.throws(() =>
    store.transaction(() => {
      putGroup(store);
      store.transaction(() => {
        put(store, { scope: "global" });
        throw fail;
      });
    }), fail);
  assert.throws(() =>
    store.transaction(() => {
      putGroup(store);
      putGroup(store);
    }), isUniqueViolation);
  assert.deepEqual(store.access.groups(), []);
  assert.deepEqual(store.secrets.list({}, 0, 10), []);
  assert.deepEqual(store.settings.list(), []);
  assert.equal(store.transaction(() => putGroup(store)), 1);
  const seen = inFile(path, (db) => db.prepare("SELECT count(*) AS n FROM key_groups").get()!.n);
  assert.equal(seen, 1, "another connection sees what was committed");
});

Deno.test("another connection sees nothing of a transaction until it is over", () => {
  using there = temporaryStore();
  const { store, path } = there;
  const count = () => inFile(path, (db) => db.prepare("SELECT count(*) AS n FROM key_groups").get()!.n);
  store.transaction(() => {
    putGroup(store);
    assert.equal(count(), 0);
  });
  assert.equal(count(), 1);
});

const UNCHECKED = { check: () => true, isAltered: () => false, discard() {}, unproven: () => [] };

/** The statements that `use` prepares on a real database, and how SQLite would run each. */
function plans(use: (db: Database) => void): { sql: string; plan: string }[] {
  using folder = temporaryFolder();
  const { keyring } = openKeyFile(join(folder.path, "encryption-keys.json"), false, new Date());
  const db = Database.open(
    join(folder.path, "database.db"),
    mainSchema(() => {}, () => ({ keyring, epoch: "", warn: () => {}, progress: () => {} })),
  );
  try {
    const statements: string[] = [];
    const prepare = (sql: string) => {
      statements.push(sql);
      return db.prepare(sql);
    };
    use({ prepare, prepareChange: prepare } as unknown as Database);
    return statements.map((sql) => ({
      sql,
      plan: db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all().map((row) => row.detail).join("; "),
    }));
  } finally {
    db.close();
  }
}

Deno.test("no statement on secrets walks the whole table, whatever the list is filtered by", () => {
  const filters: SecretFilter[] = Array.from({ length: 32 }, (_, bits) => ({
    scope: bits & 1 ? "function" : undefined,
    functionId: bits & 2 ? (1 as FunctionId) : undefined,
    groupId: bits & 4 ? (1 as GroupId) : undefined,
    keyId: bits & 8 ? (1 as never) : undefined,
    name: bits & 16 ? NAME : undefined,
  }));
  const found = plans((db) => {
    const secrets = createSecretStore(db, UNCHECKED);
    for (const filter of filters) secrets.list(filter, 0, 10);
  });
  assert.ok(found.length >= 32 + 6);
  for (const { sql, plan } of found) {
    // How many there are is counted along the smallest index, for people and not for calls.
    if (sql === "SELECT count(*) AS n FROM secrets") assert.match(plan, /^SCAN secrets USING COVERING INDEX/);
    // The names of a page, and what was counted for them, are few.
    else assert.ok(!/\bSCAN\b(?! json_each| cells\b)/.test(plan), `${sql}\n${plan}`);
  }
  const named = (sql: string) => found.find((one) => one.sql.includes(sql))!.plan;
  // Only the whole list may go by the id alone.
  for (const { sql, plan } of found) {
    if (/WHERE s\.\w+ = \? AND .*LIMIT/.test(sql)) assert.match(plan, /^SEARCH s USING INDEX secrets_by_/, sql);
  }
  for (const owner of ["function", "group", "key"]) {
    assert.match(named(`WHERE s.${owner}_id = ? AND s.id`), new RegExp(`secrets_by_${owner} \\(${owner}_id=`));
  }
  const candidates = named("UNION ALL");
  assert.equal(candidates.split("secrets_by_name (name=? AND scope=? AND owner_id=?)").length - 1, 4, candidates);
  // A name is looked for by name: a scope may hold nearly all secrets.
  assert.match(named("WHERE s.scope = ? AND s.name = ?"), /secrets_by_name \(name=\? AND scope=\?\)/);
  assert.match(named("WHERE s.name = ? AND +s.id"), /secrets_by_name \(name=\?\)/);
  // Pages are read in the index's own order.
  for (const where of ["WHERE s.id > ?", "WHERE s.scope = ? AND s.id", "WHERE s.function_id = ? AND s.id"]) {
    assert.ok(!named(where).includes("TEMP B-TREE"), named(where));
  }
});

Deno.test("a key is found by the index on its look-up, and a route by the index on its key", () => {
  const found = [createAccessStore, createFunctionStore].flatMap((open) => plans((db) => void open(db, UNCHECKED)));
  const named = (sql: string) => found.find((one) => one.sql.includes(sql))!.plan;
  assert.match(named("WHERE k.lookup = ?"), /SEARCH k USING INDEX .*\(lookup=\?\)/);
  assert.match(named("m.route_key = ? AND m.method = ?"), /SEARCH m USING PRIMARY KEY \(route_key=\? AND method=\?\)/);
});

Deno.test("a list is paged by id without a gap or a row twice", () => {
  using there = temporaryStore();
  const { store } = there;
  const functionId = putFunction(store);
  for (let n = 0; n < 25; n++) {
    const owner: Owner = n % 2 ? { scope: "global" } : { scope: "function", functionId };
    put(store, owner, `S_${n}` as SecretName);
  }
  const page = (filter: SecretFilter, after: number) => store.secrets.list(filter, after, 4).map(({ id }) => id);
  for (const filter of [{}, { scope: "global" }, { functionId }] as SecretFilter[]) {
    const ids: number[] = [];
    for (let next = page(filter, 0); next.length > 0; next = page(filter, ids.at(-1)!)) ids.push(...next);
    assert.deepEqual(ids, store.secrets.list(filter, 0, 100).map(({ id }) => id));
    assert.equal(new Set(ids).size, ids.length);
  }
  assert.deepEqual(store.secrets.list({ name: "S_3" as SecretName }, 0, 9).map(({ name }) => name), ["S_3"]);
  const [only] = store.secrets.list({ name: "S_3" as SecretName }, 0, 9);
  assert.deepEqual(store.secrets.list({ name: "S_3" as SecretName }, only!.id, 9), [], "the page after it is empty");
});
