// The proof that a secret is not there: kept by every way in which secrets come and go, and broken by whatever else
// removes or changes a row.

import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { AppError } from "../../src/errors.ts";
import { type GroupId, type Owner, ownerId, type SecretName } from "../../src/ids.ts";
import { secretAad } from "../../src/keyring/aad.ts";
import { openKeyFile } from "../../src/keyring/key_file.ts";
import type { Finding } from "../../src/store/authenticated_tables.ts";
import { openStore } from "../../src/store/store.ts";
import { openVerification } from "../../src/store/verification.ts";
import { GENERATED_COLUMNS } from "./earlier_schema.ts";
import { temporaryFolder } from "./temporary.ts";

const NAMES = ["A", "AB", "B", "a", "a-b", "z"] as SecretName[];

type Values = Record<string, string | number | null | Uint8Array>;

/** A store, and the same file for something else that writes to it. */
function openData() {
  const folder = temporaryFolder();
  const path = join(folder.path, "database.db");
  const keyFile = openKeyFile(join(folder.path, "encryption-keys.json"), false, new Date(0));
  const findings: string[] = [];
  const store = openStore(path, keyFile, {
    onFinding: ({ table, id, problem }) => findings.push(`${table} ${id ?? "-"} ${problem}`),
  });
  const raw = new DatabaseSync(path, { timeout: 5_000 });
  raw.exec("PRAGMA foreign_keys = OFF; PRAGMA synchronous = OFF");
  return {
    keyring: keyFile.keyring,
    raw,
    findings,
    store,
    rows: (table: string) => raw.prepare(`SELECT * FROM ${table}`).all() as Values[],
    /** Puts a row back as it was. */
    putBack(table: string, row: Values): void {
      const columns = Object.keys(row).filter((column) => !GENERATED_COLUMNS.includes(column));
      const places = columns.map(() => "?").join(", ");
      raw.prepare(`INSERT INTO ${table} (${columns.join(", ")}) VALUES (${places})`)
        .run(...columns.map((column) => row[column]!));
    },
    verify(): readonly Finding[] {
      using verification = openVerification(path, keyFile.keyring);
      const steps = verification.run();
      for (;;) {
        const { done, value } = steps.next();
        if (done) return value;
      }
    },
    [Symbol.dispose]() {
      raw.close();
      store.close();
      folder[Symbol.dispose]();
    },
  };
}

type Data = ReturnType<typeof openData>;

let owners = 0;

function newOwner({ store }: Data, scope: Exclude<Owner["scope"], "global">, groupId = 1 as GroupId): Owner {
  const name = `owner-${++owners}`;
  switch (scope) {
    case "group":
      return { scope, groupId: store.access.insertGroup({ name, description: "", now: 0 }) };
    case "key": {
      const lookup = new TextEncoder().encode(name);
      return {
        scope,
        keyId: store.access.insertKey({ groupId, name, description: "", lookup, ciphertext: "", now: 0 }),
      };
    }
    case "function": {
      const row = { description: "", handler: "a.ts", methods: ["GET" as const], groups: [], confinement: "{}" };
      const route = `/${name}`;
      return {
        scope,
        functionId: store.functions.insert({ ...row, name, route, routeKey: route, enabled: true }, 0),
      };
    }
  }
}

function removeOwner({ store }: Data, owner: Owner): void {
  if (owner.scope === "group") store.access.deleteGroup(owner.groupId);
  else if (owner.scope === "key") store.access.deleteKey(owner.keyId);
  else if (owner.scope === "function") store.functions.delete(owner.functionId);
}

function put({ store, keyring }: Data, owner: Owner, name: SecretName) {
  return store.secrets.insert({
    name,
    owner,
    ciphertext: keyring.seal("x", secretAad(owner, name)),
    comment: "",
    now: 0,
  });
}

/** Of the secrets of this name that these owners could have: who has one, and of whom nothing proves it. */
function look({ store }: Data, name: string, owner: Owner): "there" | "absent" | "unproven" {
  const id = ownerId(owner);
  const of = (scope: Owner["scope"]) => owner.scope === scope ? id : 0;
  const found = store.secrets.candidates(name as SecretName, of("function"), of("group"), of("key"))
    .find(({ scope }) => scope === owner.scope);
  return found === undefined ? "absent" : found.id === undefined ? "unproven" : "there";
}

/** What is done to the secret of one of ten owners, or to the owner; some of them in one transaction. */
const step = fc.record({
  kind: fc.constantFrom("toggle", "toggle", "toggle", "rename", "swap", "replace owner"),
  owner: fc.nat(9),
  name: fc.constantFrom(...NAMES),
  other: fc.constantFrom(...NAMES),
});

Deno.test("whatever becomes of secrets and their owners, absences are proven, and no row can be removed unseen", () => {
  let [absent, gone] = [0, 0];
  fc.assert(
    fc.property(
      fc.array(fc.array(step, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 12 }),
      (batches) => {
        using data = openData();
        const { store } = data;
        newOwner(data, "group");
        const scopes = ["function", "function", "function", "group", "group", "group", "key", "key", "key"] as const;
        const present: Owner[] = [{ scope: "global" }, ...scopes.map((scope) => newOwner(data, scope))];
        // The model: which owner has which names, and the ids of these secrets.
        const model = new Map<string, ReturnType<typeof put>>();
        const keyOf = (owner: Owner, name: string) => `${owner.scope} ${ownerId(owner)} ${name}`;
        const rename = (owner: Owner, from: SecretName, to: SecretName) => {
          const id = model.get(keyOf(owner, from))!;
          store.secrets.update({ ...store.secrets.find(id)!, name: to, ciphertext: "v1.x", now: 0 });
          model.delete(keyOf(owner, from));
          model.set(keyOf(owner, to), id);
        };
        for (const batch of batches) {
          store.transaction(() => {
            for (const { kind, owner: index, name, other } of batch) {
              const owner = present[index]!;
              const [at, to] = [model.get(keyOf(owner, name)), model.get(keyOf(owner, other))];
              if (kind === "toggle" && at !== undefined) {
                store.secrets.delete(at);
                model.delete(keyOf(owner, name));
              } else if (kind === "toggle") model.set(keyOf(owner, name), put(data, owner, name));
              else if (kind === "rename" && at !== undefined && to === undefined) rename(owner, name, other);
              else if (kind === "swap" && at !== undefined && to !== undefined && at !== to) {
                rename(owner, name, "TEMPORARY" as SecretName);
                rename(owner, other, name);
                rename(owner, "TEMPORARY" as SecretName, other);
              } else if (kind === "replace owner" && owner.scope !== "global") {
                removeOwner(data, owner);
                for (const each of NAMES) model.delete(keyOf(owner, each));
                present[index] = newOwner(data, owner.scope);
              }
            }
          });
          for (const owner of present) {
            for (const name of [...NAMES, "C", "~"]) {
              const expected = model.has(keyOf(owner, name)) ? "there" : "absent";
              assert.equal(look(data, name, owner), expected, keyOf(owner, name));
              if (expected === "absent") absent++;
            }
          }
        }
        assert.deepEqual([data.findings, data.verify()], [[], []]);
        const order = new Map(data.rows("secret_order").map((row) => [row.secret_id, row]));
        assert.equal(order.size, model.size + 1);
        for (const row of data.rows("secrets")) {
          const owner = present.find((each) => each.scope === row.scope && ownerId(each) === row.owner_id)!;
          for (const withOrder of [false, true]) {
            data.raw.prepare("DELETE FROM secrets WHERE id = ?").run(row.id!);
            if (withOrder) data.raw.prepare("DELETE FROM secret_order WHERE secret_id = ?").run(row.id!);
            assert.equal(look(data, String(row.name), owner), "unproven");
            assert.ok(data.verify().some(({ table }) => table === (withOrder ? "secret_order" : "secrets")));
            if (withOrder) data.putBack("secret_order", order.get(row.id!)!);
            data.putBack("secrets", row);
            gone++;
          }
        }
        assert.deepEqual(data.verify(), []);
      },
    ),
    { numRuns: 15 },
  );
  assert.ok(absent > 1_000 && gone > 30, `the histories drawn were not empty: ${absent} absences, ${gone} removals`);
});

/** Three keys, of which the first and the last have a secret of one name, and what something else may want to hide. */
function threeKeys() {
  const data = openData();
  newOwner(data, "group");
  const [first, middle, last] = [0, 1, 2].map(() => newOwner(data, "key")) as [Owner, Owner, Owner];
  const name = "A" as SecretName;
  const ids = [first, middle, last].map((owner) => put(data, owner, name));
  const at = (owner: Owner) => `name = 'A' AND scope = 'key' AND owner_id = ${ownerId(owner)}`;
  return { data, first, middle, last, name, ids, at };
}

Deno.test("a secret that something else deletes is missed, whatever it does to the order as well", () => {
  const attacks: Record<string, (there: ReturnType<typeof threeKeys>) => string> = {
    "the row alone": () => "",
    "its row of the order, too": ({ at, middle }) => `DELETE FROM secret_order WHERE ${at(middle)}`,
    "and the row before names the one after": ({ at, first, middle, last }) =>
      `DELETE FROM secret_order WHERE ${at(middle)};
       UPDATE secret_order SET next_owner_id = ${ownerId(last)} WHERE ${at(first)}`,
    "and the row before is the last one": ({ at, first, middle }) =>
      `DELETE FROM secret_order WHERE ${at(middle)};
       UPDATE secret_order SET next_name = NULL, next_scope = NULL, next_owner_id = NULL WHERE ${at(first)}`,
    "its row of the order is moved away": ({ at, middle }) =>
      `UPDATE secret_order SET owner_id = 0 WHERE ${at(middle)}`,
    "a row that covers its place is put in": ({ at, middle }) =>
      `DELETE FROM secret_order WHERE ${at(middle)};
       INSERT INTO secret_order SELECT 'A', 'key', 1, 99, next_name, next_scope, next_owner_id, mac FROM secret_order
         WHERE name = '' ON CONFLICT DO UPDATE SET mac = excluded.mac`,
    "all of the order": () => "DELETE FROM secret_order",
    "all of the order but its first row": () => "DELETE FROM secret_order WHERE name <> ''",
    "the first row is the last one": () =>
      `DELETE FROM secret_order WHERE name <> '';
       UPDATE secret_order SET next_name = NULL, next_scope = NULL, next_owner_id = NULL`,
    "the whole table, made again": () => "DELETE FROM secret_order; DELETE FROM secrets",
  };
  for (const [how, attack] of Object.entries(attacks)) {
    const there = threeKeys();
    using data = there.data;
    data.raw.exec(`DELETE FROM secrets WHERE id = ${there.ids[1]}; ${attack(there)}`);
    assert.equal(look(data, there.name, there.middle), "unproven", how);
    assert.match(data.findings.join("\n"), /^(secrets 2 was deleted, or moved|secret_order (\S+) )/, how);
    assert.notDeepEqual(data.verify(), [], how);
  }
});

Deno.test("rows of the order that are put back as they were prove what was true then; the comparison finds them", () => {
  const { data, first, middle, name, ids, at } = threeKeys();
  using _ = data;
  data.store.secrets.delete(ids[1]!);
  const [before] = data.rows("secret_order").filter(({ owner_id }) => owner_id === ownerId(first));
  const id = put(data, middle, name);
  assert.equal(look(data, name, middle), "there");
  data.raw.exec(`DELETE FROM secrets WHERE id = ${id}; DELETE FROM secret_order WHERE ${at(middle)} OR ${at(first)}`);
  data.putBack("secret_order", before!);
  assert.equal(look(data, name, middle), "absent");
  assert.deepEqual(data.findings, []);
  assert.deepEqual(
    data.verify().map(({ table, id, problem }) => `${table} ${id ?? "-"} ${problem}`),
    [
      "secrets - lacks 1 row that this program wrote",
      "secret_order - lacks 1 row that this program wrote",
    ],
  );
});

Deno.test("next to altered rows a secret can be deleted and not created, and what was hidden stays missed", () => {
  const { data, first, middle, last, name, ids, at } = threeKeys();
  using _ = data;
  data.raw.exec(`DELETE FROM secrets WHERE id = ${ids[1]}; DELETE FROM secret_order WHERE ${at(middle)}`);
  // Its own row of the order is genuine, and the one before it is not followed by it.
  data.store.secrets.delete(ids[2]!);
  const between = newOwner(data, "key");
  assert.equal(look(data, name, between), "absent", "after the last row");
  for (const owner of [middle, last]) assert.equal(look(data, name, owner), "unproven");
  assert.throws(() => put(data, middle, name), (error: Error) => {
    assert.ok(error instanceof AppError && error.code === "TamperedRow" && error.status === 409);
    assert.match(error.message, /row A,key,1 of secret_order is followed by another row than it names.*cli restore/);
    return true;
  });
  // Revoking works, whatever was done to the rows next to those that go.
  data.raw.exec(`UPDATE secret_order SET secret_id = 50 WHERE ${at(first)}`);
  removeOwner(data, first);
  assert.equal(data.rows("secrets").length, 0);
  for (const owner of [first, middle]) assert.equal(look(data, name, owner), "unproven");
});

Deno.test("a secret that something else deleted can be created again, and is then deleted like any other", () => {
  const { data, middle, name, ids } = threeKeys();
  using _ = data;
  data.raw.exec(`DELETE FROM secrets WHERE id = ${ids[1]}`);
  assert.equal(look(data, name, middle), "unproven");
  const id = put(data, middle, name);
  assert.equal(look(data, name, middle), "there");
  data.store.secrets.delete(id);
  assert.equal(look(data, name, middle), "absent");
  assert.deepEqual(data.verify().map(({ table, problem }) => `${table} ${problem}`), [
    "secrets lacks 1 row that this program wrote",
  ]);
});

Deno.test("an altered secret that took another one's place does not take its row of the order along", () => {
  const { data, first, middle, name, ids } = threeKeys();
  using _ = data;
  data.raw.exec(`DELETE FROM secrets WHERE id = ${ids[1]};
    UPDATE secrets SET owner_id = ${ownerId(middle)}, key_id = ${ownerId(middle)} WHERE id = ${ids[0]}`);
  assert.equal(look(data, name, middle), "there", "and refused, as it was altered");
  data.store.secrets.delete(ids[0]!);
  for (const owner of [first, middle]) assert.equal(look(data, name, owner), "unproven");
});
