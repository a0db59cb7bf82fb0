// Who gets which value. The rule is told twice, here by a model and in src by SQL and code, and both must agree.

import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { OPERATOR } from "../../src/actor.ts";
import type { FunctionId, GroupId, KeyId, Owner, Scope, SecretId, SecretName } from "../../src/ids.ts";
import { ownerId, SCOPES } from "../../src/ids.ts";
import { secretAad } from "../../src/keyring/aad.ts";
import { createAccess } from "../../src/core/access/access.ts";
import { createSecrets } from "../../src/core/secrets/service.ts";
import { type Caller, entitledOwners, rank } from "../../src/core/secrets/resolution.ts";
import { secretReader } from "./secret_reader.ts";
import { temporaryStore, unrecorded } from "./temporary.ts";

const NAMES = ["DB", "db", "DB_2"] as SecretName[];

/** A store with two functions, two groups and three keys, two of them in the first group. */
function populated() {
  const there = temporaryStore();
  const { store, keyring } = there;
  const group = (name: string) => store.access.insertGroup({ name, description: "", now: 0 });
  const key = (groupId: GroupId, name: string) => {
    const lookup = keyring.lookup(name);
    const keyId = store.access.insertKey({ groupId, name, description: "", lookup, ciphertext: "", now: 0 });
    return { keyId, keyName: name, groupId, groupName: store.access.group(groupId)!.name };
  };
  const fn = (name: string) =>
    store.functions.insert({
      name,
      description: "",
      handler: "a.ts",
      route: `/${name}`,
      routeKey: `/${name}`,
      methods: ["GET"],
      groups: [],
      confinement: "{}",
      enabled: true,
    }, 0);
  const functions = [fn("orders"), fn("invoices")];
  const groups = [group("customers"), group("partners")];
  const keys = [key(groups[0]!, "alice"), key(groups[0]!, "bob"), key(groups[1]!, "carol")];
  const owners: Owner[] = [
    { scope: "global" },
    ...functions.map((functionId): Owner => ({ scope: "function", functionId })),
    ...groups.map((groupId): Owner => ({ scope: "group", groupId })),
    ...keys.map(({ keyId }): Owner => ({ scope: "key", keyId })),
  ];
  const callers: Caller[] = functions.flatMap((functionId) =>
    [undefined, ...keys].map((holder): Caller => ({ functionId, holder, mayAsk: () => true }))
  );

  const undecryptable: SecretId[] = [];
  const newReader = () => secretReader(store, keyring, (id) => undecryptable.push(id!));
  /** Stores a secret; one that is `damaged` is sealed for another place. */
  const put = (owner: Owner, name: SecretName, value: string, damaged = false): SecretId => {
    const ciphertext = keyring.seal(value, damaged ? "elsewhere" : secretAad(owner, name));
    return store.secrets.insert({ name, owner, ciphertext, comment: "", now: 0 });
  };
  return {
    ...there,
    functions,
    groups,
    keys,
    owners,
    callers,
    reader: newReader(),
    /** A reader as after a restart, for what was changed behind the server's back. */
    newReader,
    put,
    /** The ids reported since the last call. */
    reported: () => undecryptable.splice(0),
    [Symbol.dispose]: there[Symbol.dispose],
  };
}

interface Stored {
  id: SecretId;
  owner: Owner;
  name: string;
  value: string;
  damaged: boolean;
}

/** The rule in ten lines: the secrets that the caller may read, the most specific first. */
function model(secrets: Stored[], { functionId, holder }: Caller, name: string, scope?: Scope): Stored[] {
  const mine: Record<Scope, number | undefined> = {
    key: holder?.keyId,
    group: holder?.groupId,
    function: functionId,
    global: 0,
  };
  const order: Scope[] = ["key", "group", "function", "global"];
  return order.filter((each) => scope === undefined || each === scope).flatMap((each) =>
    secrets.filter(({ owner, name: its }) => its === name && owner.scope === each && ownerId(owner) === mine[each])
  );
}

Deno.test("for all sets of secrets and all callers, the model and the SQL agree", () => {
  using there = populated();
  const place = fc.record({
    owner: fc.constantFrom(...there.owners),
    name: fc.constantFrom(...NAMES),
    damaged: fc.boolean().chain((first) => fc.boolean().map((second) => first && second)),
  });
  const places = fc.uniqueArray(place, {
    maxLength: there.owners.length * NAMES.length,
    selector: ({ owner, name }) => secretAad(owner, name),
  });
  let wins = 0;
  fc.assert(
    fc.property(places, (chosen) => {
      const secrets = there.store.transaction(() => {
        for (const { id } of there.store.secrets.list({}, 0, 1_000)) there.store.secrets.delete(id);
        return chosen.map(({ owner, name, damaged }, index): Stored => {
          const value = `value ${index}`;
          return { id: there.put(owner, name, value, damaged), owner, name, value, damaged };
        });
      });
      for (const caller of there.callers) {
        for (const name of [...NAMES, "Db", "MISSING"]) {
          for (const scope of [undefined, ...SCOPES]) {
            const [winner] = model(secrets, caller, name, scope);
            const got = there.reader.get(caller, name, scope);
            assert.equal(got, winner?.damaged ? undefined : winner?.value);
            assert.deepEqual(there.reported(), winner?.damaged ? [winner.id] : []);
            if (winner) wins++;
          }
          const all = model(secrets, caller, name);
          const complete = there.reader.getComplete(caller, name);
          assert.equal(complete === undefined, all.length === 0);
          const good = all.filter(({ damaged }) => !damaged);
          const bad = all.filter(({ damaged }) => damaged);
          assert.deepEqual(
            complete?.values ?? {},
            Object.fromEntries(good.map(({ owner, value }) => [owner.scope, value])),
          );
          assert.deepEqual(
            Object.keys(complete?.decryptionErrors ?? {}).sort(),
            bad.map(({ owner }) => owner.scope).sort(),
          );
          assert.deepEqual(there.reported().sort(), bad.map(({ id }) => id).sort());
        }
      }
    }),
    { numRuns: 60 },
  );
  assert.ok(wins > 1_000, "the sets drawn were not all empty");
});

Deno.test("the most specific scope wins, and taking it away uncovers the next", () => {
  using there = populated();
  const [{ keyId, groupId } = { keyId: 0 as KeyId, groupId: 0 as GroupId }] = there.keys;
  const functionId = there.functions[0]!;
  const caller = { functionId, holder: there.keys[0], mayAsk: () => true };
  const ids = [
    there.put({ scope: "global" }, NAMES[0]!, "global"),
    there.put({ scope: "function", functionId }, NAMES[0]!, "function"),
    there.put({ scope: "group", groupId }, NAMES[0]!, "group"),
    there.put({ scope: "key", keyId }, NAMES[0]!, "key"),
  ];
  for (const scope of ["key", "group", "function", "global"]) {
    assert.equal(there.reader.get(caller, "DB"), scope);
    there.store.transaction(() => there.store.secrets.delete(ids.pop()!));
  }
  assert.equal(there.reader.get(caller, "DB"), undefined);
});

Deno.test("a call without a key never sees a group's or a key's value, by name or by scope", () => {
  using there = populated();
  for (const owner of there.owners) {
    if (owner.scope === "group" || owner.scope === "key") there.put(owner, NAMES[0]!, "private");
  }
  for (const functionId of there.functions) {
    const caller: Caller = { functionId, holder: undefined, mayAsk: () => true };
    for (const scope of [undefined, ...SCOPES]) assert.equal(there.reader.get(caller, "DB", scope), undefined);
    assert.equal(there.reader.getComplete(caller, "DB"), undefined);
  }
});

Deno.test("a key never sees what belongs to another key, another group or another function", () => {
  using there = populated();
  for (const owner of there.owners) there.put(owner, NAMES[0]!, `${owner.scope} ${ownerId(owner)}`);
  for (const caller of there.callers) {
    const { values: seen } = there.reader.getComplete(caller, "DB")!;
    const own = { function: `function ${caller.functionId}`, global: "global 0" };
    const { holder } = caller;
    const closed = holder && { group: `group ${holder.groupId}`, key: `key ${holder.keyId}` };
    assert.deepEqual(seen, { ...own, ...closed });
  }
});

Deno.test("a key-scoped value that cannot be decrypted never falls through to the group", () => {
  using there = populated();
  const [holder] = there.keys;
  const caller = { functionId: there.functions[0]!, holder, mayAsk: () => true };
  there.put({ scope: "global" }, NAMES[0]!, "global");
  there.put({ scope: "group", groupId: holder!.groupId }, NAMES[0]!, "group");
  const id = there.put({ scope: "key", keyId: holder!.keyId }, NAMES[0]!, "key", true);
  assert.equal(there.reader.get(caller, "DB"), undefined);
  assert.deepEqual(there.reported(), [id]);
  assert.equal(there.reader.get(caller, "DB", "group"), "group", "the scope asked for is another");
  assert.deepEqual(there.reported(), []);
  const complete = there.reader.getComplete(caller, "DB")!;
  assert.deepEqual(Object.keys(complete.values).sort(), ["global", "group"]);
  assert.match(complete.decryptionErrors.key!, /does not decrypt/);
  assert.deepEqual(there.reported(), [id]);
});

Deno.test("a ciphertext copied onto another row by way of the file does not decrypt there", () => {
  using there = populated();
  const functionId = there.functions[0]!;
  const [holder] = there.keys;
  const caller = { functionId, holder, mayAsk: () => true };
  const source = there.put({ scope: "key", keyId: there.keys[1]!.keyId }, NAMES[0]!, "bob's");
  const targets: [Owner, SecretName][] = [
    [{ scope: "key", keyId: holder!.keyId }, NAMES[0]!],
    [{ scope: "group", groupId: holder!.groupId }, NAMES[0]!],
    [{ scope: "function", functionId }, NAMES[0]!],
    [{ scope: "global" }, NAMES[0]!],
    // These have the id of the key that it was taken from.
    [{ scope: "group", groupId: there.groups[1]! }, NAMES[0]!],
    [{ scope: "function", functionId: there.functions[1]! }, NAMES[0]!],
    [{ scope: "key", keyId: there.keys[1]!.keyId }, NAMES[1]!],
  ];
  const thief = new DatabaseSync(there.path, { timeout: 5_000 });
  try {
    const copy = thief.prepare(
      "UPDATE secrets SET ciphertext = (SELECT ciphertext FROM secrets WHERE id = ?) WHERE id = ?",
    );
    for (const [owner, name] of targets) {
      const id = there.put(owner, name, "own");
      const asks = there.callers.find((caller) =>
        entitledOwners(caller).some((entitled) => secretAad(entitled, name) === secretAad(owner, name))
      )!;
      assert.equal(there.newReader().get(asks, name, owner.scope), "own");
      assert.equal(copy.run(source, id).changes, 1);
      assert.equal(there.newReader().get(asks, name, owner.scope), undefined, secretAad(owner, name));
      assert.deepEqual(there.reported(), [id]);
    }
    // The other way round: the row itself is given to another owner.
    thief.prepare("DELETE FROM secrets WHERE id <> ?").run(source);
    thief.prepare("UPDATE secrets SET key_id = ?1, owner_id = ?1 WHERE id = ?2").run(holder!.keyId, source);
    assert.equal(there.newReader().get(caller, "DB"), undefined);
    assert.deepEqual(there.reported(), [source]);
  } finally {
    thief.close();
  }
});

Deno.test("a change is seen by the next read, however often the name was read before", () => {
  using there = populated();
  const secrets = createSecrets({ store: there.store, keyring: there.keyring, now: () => 0, record: unrecorded });
  const access = createAccess({
    store: there.store,
    keyring: there.keyring,
    now: () => 0,
    groupsInSettings: () => [],
    record: unrecorded,
  });
  const [holder] = there.keys;
  const functionId = there.functions[0]!;
  const caller = { functionId, holder, mayAsk: () => true };
  const [name, other] = [NAMES[0]!, NAMES[2]!];
  const read = (name: string) =>
    [caller, { ...caller, holder: undefined }].map((caller) => there.reader.get(caller, name));
  const create = (owner: Owner, value: string) => secrets.create(OPERATOR, { name, owner, value, comment: "" });
  assert.deepEqual(read(name), [undefined, undefined]);
  const wide = create({ scope: "global" }, "wide");
  assert.deepEqual(read(name), ["wide", "wide"]);
  create({ scope: "key", keyId: holder!.keyId }, "narrow");
  assert.deepEqual(read(name), ["narrow", "wide"]);
  secrets.update(OPERATOR, wide, { value: "wider" });
  assert.deepEqual(read(name), ["narrow", "wider"]);
  assert.throws(() => secrets.update(OPERATOR, wide, { value: "" }));
  assert.throws(() => create({ scope: "global" }, "again"));
  assert.deepEqual(read(name), ["narrow", "wider"]);
  secrets.update(OPERATOR, wide, { name: other });
  assert.deepEqual([read(name), read(other)], [["narrow", undefined], ["wider", "wider"]]);
  access.deleteKey(OPERATOR, holder!.keyId);
  assert.deepEqual(read(name), [undefined, undefined]);
  secrets.delete(OPERATOR, wide);
  assert.deepEqual(read(other), [undefined, undefined]);
});

Deno.test("a name that can be no secret's has no value", () => {
  using there = populated();
  const caller = there.callers[1]!;
  there.put({ scope: "global" }, NAMES[0]!, "global");
  for (const name of ["", "D B", "DB ", "DB\0", "DB%", "' OR 1=1 --", "ÄB", "x".repeat(256)]) {
    assert.equal(there.reader.get(caller, name), undefined);
    assert.equal(there.reader.getComplete(caller, name), undefined);
  }
});

Deno.test("ranking leaves out what the owners do not own, whatever the query found", () => {
  const candidate = (scope: Scope, ownerId: number) => ({ scope, ownerId });
  const holder = { keyId: 3 as KeyId, keyName: "k", groupId: 2 as GroupId, groupName: "g" };
  const owners = entitledOwners({ functionId: 1 as FunctionId, holder, mayAsk: () => true });
  const all = SCOPES.flatMap((scope) => [0, 1, 2, 3, 4].map((id) => candidate(scope, id)));
  const expected = [candidate("key", 3), candidate("group", 2), candidate("function", 1), candidate("global", 0)];
  fc.assert(fc.property(fc.shuffledSubarray(all), (found) => {
    assert.deepEqual(
      rank(found, owners),
      expected.filter(({ scope, ownerId }) => found.some((one) => one.scope === scope && one.ownerId === ownerId)),
    );
  }));
  assert.deepEqual(
    rank(all, entitledOwners({ functionId: 1 as FunctionId, holder: undefined, mayAsk: () => true })),
    expected.slice(2),
  );
  assert.deepEqual(rank(all, []), []);
});
