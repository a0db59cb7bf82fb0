// Key groups and API keys over a real store: who is found by a key, from the moment a change is answered.

import assert from "node:assert/strict";
import { type Access, createAccess } from "../../src/core/access/access.ts";
import { OPERATOR } from "../../src/actor.ts";
import { AppError } from "../../src/errors.ts";
import type { FunctionId, GroupId, KeyId, SecretName } from "../../src/ids.ts";
import type { Store } from "../../src/store/store.ts";
import { temporaryStore, unrecorded } from "./temporary.ts";

interface There extends Disposable {
  store: Store;
  access: Access;
  /** Milliseconds since 1970 that the service is told. */
  clock: { now: number };
  inSettings: string[];
}

function service(): There {
  const there = temporaryStore();
  const clock = { now: 1_000 };
  const inSettings = ["management"];
  const access = createAccess({
    store: there.store,
    keyring: there.keyring,
    now: () => clock.now,
    groupsInSettings: () => inSettings,
    record: unrecorded,
  });
  return {
    store: there.store,
    access,
    clock,
    inSettings,
    [Symbol.dispose]: there[Symbol.dispose],
  };
}

function assertRefused(status: number, work: () => unknown): AppError {
  let refusal: AppError | undefined;
  assert.throws(work, (error: Error) => {
    assert.ok(error instanceof AppError && error.status === status, `${status} expected, not ${error}`);
    refusal = error;
    return true;
  });
  return refusal!;
}

const key = (groupId: GroupId, name: string, value?: string) => ({ groupId, name, description: "", value });
const VALUE = "a-value-of-my-own-choosing";

Deno.test("a key is found by its value, with its group, and nothing else is", () => {
  using there = service();
  const { access } = there;
  const groupId = access.createGroup(OPERATOR, "customers", "");
  const { id, value } = access.createKey(OPERATOR, key(groupId, "alice"));
  const holder = { keyId: id, keyName: "alice", groupId, groupName: "customers" };
  assert.match(value, /^cf_[A-Za-z0-9_-]{43}$/);
  for (let n = 0; n < 2; n++) {
    const { lookup, ...found } = access.find(value)!;
    assert.deepEqual(found, holder);
    assert.equal(lookup?.length, 32);
  }
  for (const other of ["", value.slice(0, -1), `${value} `, value.toUpperCase(), "alice"]) {
    assert.equal(access.find(other), undefined);
  }
});

Deno.test("two keys made at random differ, and each opens to the value that was shown", () => {
  using there = service();
  const { access } = there;
  const groupId = access.createGroup(OPERATOR, "customers", "");
  const made = ["alice", "bob"].map((name) => access.createKey(OPERATOR, key(groupId, name)));
  assert.notEqual(made[0]!.value, made[1]!.value);
  for (const { id, value } of made) {
    const row = access.key(id);
    assert.equal(access.reveal(OPERATOR, [row])[0]!.value?.reveal(), value);
    assert.ok(!JSON.stringify(row).includes(value), "the row holds no value in the clear");
  }
});

Deno.test("a value, and a name within a group, are given once", () => {
  using there = service();
  const { access } = there;
  const [customers, partners] = [
    access.createGroup(OPERATOR, "customers", ""),
    access.createGroup(OPERATOR, "partners", ""),
  ];
  access.createKey(OPERATOR, key(customers, "alice", VALUE));
  for (const groupId of [customers, partners]) {
    const { details, message } = assertRefused(409, () => access.createKey(OPERATOR, key(groupId, "bob", VALUE)));
    assert.deepEqual(Object.keys(details!), ["value"]);
    assert.ok(!message.includes(VALUE));
  }
  assert.deepEqual(
    Object.keys(assertRefused(409, () => access.createKey(OPERATOR, key(customers, "alice"))).details!),
    ["name"],
  );
  access.createKey(OPERATOR, key(partners, "alice"));
  assert.deepEqual(access.keys().map(({ name, groupName }) => `${groupName}/${name}`), [
    "customers/alice",
    "partners/alice",
  ]);
  assert.equal(access.find(VALUE)?.groupName, "customers");
  assertRefused(409, () => access.createGroup(OPERATOR, "customers", ""));
});

Deno.test("a hundred creates of one name leave one key", () => {
  using there = service();
  const { access } = there;
  const groupId = access.createGroup(OPERATOR, "customers", "");
  let made = 0;
  for (let n = 0; n < 100; n++) {
    try {
      access.createKey(OPERATOR, key(groupId, "alice"));
      made++;
    } catch (error) {
      assert.equal((error as AppError).status, 409);
    }
  }
  assert.equal(made, 1);
  assert.equal(access.keys(groupId).length, 1);
});

Deno.test("a revoked key is not found from that moment, and its secrets are gone", () => {
  using there = service();
  const { access, store } = there;
  const groupId = access.createGroup(OPERATOR, "customers", "");
  const { id, value } = access.createKey(OPERATOR, key(groupId, "alice"));
  store.secrets.insert({
    name: "DB" as SecretName,
    owner: { scope: "key", keyId: id },
    ciphertext: "v1.x",
    comment: "",
    now: 0,
  });
  assert.ok(access.find(value));
  access.deleteKey(OPERATOR, id);
  assert.equal(access.find(value), undefined);
  assert.deepEqual(store.secrets.list({}, 0, 10), []);
  assertRefused(404, () => access.deleteKey(OPERATOR, id));
  const again = access.createKey(OPERATOR, key(groupId, "alice", value));
  assert.notEqual(again.id, id, "an id is never used again");
  assert.equal(access.find(value)?.keyId, again.id);
});

Deno.test("a renamed group or key is found under its new name at once", () => {
  using there = service();
  const { access } = there;
  const groupId = access.createGroup(OPERATOR, "customers", "");
  const { id, value } = access.createKey(OPERATOR, key(groupId, "alice"));
  assert.equal(access.find(value)?.groupName, "customers");
  access.updateGroup(OPERATOR, groupId, { name: "clients" });
  assert.equal(access.find(value)?.groupName, "clients");
  access.updateKey(OPERATOR, id, { name: "alice-2", description: "new" });
  assert.equal(access.find(value)?.keyName, "alice-2");
  const row = access.key(id);
  assert.equal(row.description, "new");
  assert.equal(access.reveal(OPERATOR, [row])[0]!.value?.reveal(), value, "the value is sealed anew for the name");
});

Deno.test("a change of a group or key touches what it names only", () => {
  using there = service();
  const { access } = there;
  const groupId = access.createGroup(OPERATOR, "customers", "who pay");
  const { id } = access.createKey(OPERATOR, { ...key(groupId, "alice"), description: "first" });
  access.createKey(OPERATOR, key(groupId, "bob"));
  access.updateGroup(OPERATOR, groupId, { name: "clients" });
  assert.deepEqual({ ...access.group(groupId) }, { id: groupId, name: "clients", description: "who pay" });
  access.updateGroup(OPERATOR, groupId, { description: "" });
  assert.deepEqual({ ...access.group(groupId) }, { id: groupId, name: "clients", description: "" });
  access.updateGroup(OPERATOR, groupId, { name: "clients" });
  access.updateKey(OPERATOR, id, { name: "alice" });
  assert.equal(access.key(id).description, "first");
  assertRefused(409, () => access.updateKey(OPERATOR, id, { name: "bob" }));
  access.createGroup(OPERATOR, "partners", "");
  assertRefused(409, () => access.updateGroup(OPERATOR, groupId, { name: "partners" }));
});

Deno.test("a key whose value cannot be read keeps its name, and says so", () => {
  using there = service();
  const { access, store } = there;
  const groupId = access.createGroup(OPERATOR, "customers", "");
  const { id } = access.createKey(OPERATOR, key(groupId, "alice"));
  store.access.updateKey({ id, name: "alice", description: "", ciphertext: "v1.damaged", expiresAt: null });
  assert.equal(assertRefused(409, () => access.updateKey(OPERATOR, id, { name: "bob" })).code, "DecryptionFailed");
  assert.equal(access.key(id).name, "alice");
  const { value, decryptionError } = access.reveal(OPERATOR, [access.key(id)])[0]!;
  assert.equal(value, null);
  assert.match(decryptionError!, /damaged/);
  access.updateKey(OPERATOR, id, { description: "damaged" });
});

Deno.test("what does not exist is 404", () => {
  using there = service();
  const { access } = there;
  const [groupId, keyId] = [99 as GroupId, 99 as KeyId];
  for (
    const work of [
      () => access.group(groupId),
      () => access.updateGroup(OPERATOR, groupId, { name: "x" }),
      () => access.deleteGroup(OPERATOR, groupId),
      () => access.keys(groupId),
      () => access.createKey(OPERATOR, key(groupId, "alice")),
      () => access.key(keyId),
      () => access.updateKey(OPERATOR, keyId, { name: "x" }),
      () => access.deleteKey(OPERATOR, keyId),
    ]
  ) assertRefused(404, work);
});

Deno.test("the management group can be described anew, but neither renamed nor deleted", () => {
  using there = service();
  const { access } = there;
  access.bootstrap(OPERATOR, undefined);
  const [{ id } = { id: 0 as GroupId }] = access.groups();
  assertRefused(403, () => access.deleteGroup(OPERATOR, id));
  assertRefused(403, () => access.updateGroup(OPERATOR, id, { name: "admins" }));
  assert.equal(access.updateGroup(OPERATOR, id, { name: "management", description: "mine" }).description, "mine");
  assert.deepEqual(access.groups().map(({ name }) => name), ["management"]);
});

Deno.test("a group goes only when no key, no function and no setting needs it, and takes its secrets along", () => {
  using there = service();
  const { access, store, inSettings } = there;
  const groupId = access.createGroup(OPERATOR, "customers", "");
  const { id } = access.createKey(OPERATOR, key(groupId, "alice"));
  const functionId = store.functions.insert({
    name: "orders",
    description: "",
    handler: "a.ts",
    route: "/a",
    routeKey: "/a",
    methods: ["GET"],
    groups: [groupId],
    confinement: "{}",
    enabled: true,
  }, 0);
  store.secrets.insert({
    name: "DB" as SecretName,
    owner: { scope: "group", groupId },
    ciphertext: "v1.x",
    comment: "",
    now: 0,
  });
  inSettings.push("customers");
  assert.match(assertRefused(409, () => access.deleteGroup(OPERATOR, groupId)).message, /1 key\b/);
  access.deleteKey(OPERATOR, id);
  assert.match(assertRefused(409, () => access.deleteGroup(OPERATOR, groupId)).message, /"orders"/);
  store.functions.delete(functionId as FunctionId);
  assert.match(assertRefused(409, () => access.deleteGroup(OPERATOR, groupId)).message, /api\.access-groups/);
  assertRefused(409, () => access.updateGroup(OPERATOR, groupId, { name: "clients" }));
  inSettings.pop();
  access.deleteGroup(OPERATOR, groupId);
  assert.deepEqual(access.groups(), []);
  assert.deepEqual(store.secrets.list({}, 0, 10), []);
});

Deno.test("bootstrap makes the management group and its key once, however often it runs", () => {
  using there = service();
  const { access } = there;
  const value = "b".repeat(32);
  access.bootstrap(OPERATOR, undefined);
  assert.deepEqual(access.keys(), []);
  assert.equal(access.hasKeyIn(["management"]), false);
  for (let n = 0; n < 3; n++) {
    access.bootstrap(OPERATOR, value);
    assert.deepEqual(access.groups().map(({ name }) => name), ["management"]);
    assert.deepEqual(access.keys().map(({ name }) => name), ["bootstrap"]);
  }
  assert.equal(access.find(value)?.groupName, "management");
  assert.equal(access.hasKeyIn(["nobody", "management"]), true);
  access.bootstrap(OPERATOR, undefined);
  assert.ok(access.find(value), "a start without the variable takes nothing away");
  access.bootstrap(OPERATOR, "c".repeat(32));
  assert.deepEqual(access.keys().map(({ name }) => name), ["bootstrap", "bootstrap-2"]);
});

Deno.test("a bootstrap key that is already another group's stops the start and is not printed", () => {
  using there = service();
  const { access } = there;
  const groupId = access.createGroup(OPERATOR, "customers", "");
  access.createKey(OPERATOR, key(groupId, "alice", VALUE));
  const { message } = assertRefused(409, () => access.bootstrap(OPERATOR, VALUE));
  assert.ok(message.includes("BOOTSTRAP_API_KEY") && message.includes("alice") && !message.includes(VALUE), message);
  assert.equal(access.find(VALUE)?.groupName, "customers");
});

Deno.test("a key can be made together with its group, and without either if one of them cannot be", () => {
  using there = service();
  const { access } = there;
  const wanted = (name: string, value?: string) => ({
    name: "alice",
    description: "",
    value,
    groupId: { name, description: "" },
  });
  const { groupId, value } = access.createKey(OPERATOR, wanted("customers", VALUE));
  assert.deepEqual({ ...access.group(groupId) }, { id: groupId, name: "customers", description: "" });
  assert.equal(access.find(value)?.groupId, groupId);
  const taken = assertRefused(409, () => access.createKey(OPERATOR, wanted("customers")));
  assert.deepEqual(taken.details, { group: "is taken" });
  assertRefused(409, () => access.createKey(OPERATOR, wanted("partners", VALUE)));
  assert.deepEqual(access.groups().map(({ name }) => name), ["customers"]);
});

Deno.test("keys are paged with the newest first, found by name or description, and counted with their secrets", () => {
  using there = service();
  const { access, store } = there;
  const [a, b] = ["a", "b"].map((name) => access.createGroup(OPERATOR, name, "")) as [GroupId, GroupId];
  const ids = [1, 2, 3, 4, 5].map((n) => access.createKey(OPERATOR, key(n % 2 ? a : b, `Key_${n}`)).id);
  access.updateKey(OPERATOR, ids[4]!, { description: "100% of acme" });
  for (const name of ["A", "B"] as SecretName[]) {
    store.secrets.insert({ name, owner: { scope: "key", keyId: ids[0]! }, ciphertext: "v1.x", comment: "", now: 0 });
  }
  const idsOf = ({ keys }: { keys: readonly { id: KeyId }[] }) => keys.map(({ id }) => id);
  const first = access.keyPage({}, undefined, 2);
  assert.deepEqual([idsOf(first), first.next], [[ids[4], ids[3]], ids[3]]);
  const last = access.keyPage({}, access.keyPage({}, first.next, 2).next, 2);
  assert.deepEqual([idsOf(last), last.next], [[ids[0]], undefined]);
  assert.equal(last.keys[0]!.secrets, 2);
  assert.deepEqual(idsOf(access.keyPage({ groupId: b }, undefined, 9)), [ids[3], ids[1]]);
  assert.deepEqual(idsOf(access.keyPage({ search: "KEY_3" }, undefined, 9)), [ids[2]]);
  assert.deepEqual(idsOf(access.keyPage({ search: "0% of A" }, undefined, 9)), [ids[4]]);
  assert.deepEqual(idsOf(access.keyPage({ search: "%" }, undefined, 9)), [ids[4]], "nothing in it is a pattern");
  assert.deepEqual(idsOf(access.keyPage({ search: "_", groupId: b }, undefined, 9)), [ids[3], ids[1]]);

  const told = ({ groups }: ReturnType<typeof access.groupPage>) =>
    groups.map(({ name, keys, newest }) => [name, keys, newest.map(({ id }) => id), newest.map((row) => row.secrets)]);
  const groups = access.groupPage(0, 1, 2);
  assert.deepEqual(told(groups), [["a", 3, [ids[4], ids[2]], [0, 0]]]);
  assert.deepEqual(told(access.groupPage(groups.next!, 1, 2)), [["b", 2, [ids[3], ids[1]], [0, 0]]]);
  assert.deepEqual(told(access.groupPage(0, 9, 9)).map(([name, , newest]) => [name, newest]), [
    ["a", [ids[4], ids[2], ids[0]]],
    ["b", [ids[3], ids[1]]],
  ]);
  assert.deepEqual({ ...access.keyCounts() }, { total: 5, neverUsed: 5 });
});

Deno.test("the last key that may use the API is known as such", () => {
  using there = service();
  const { access } = there;
  access.bootstrap(OPERATOR, "b".repeat(32));
  const [bootstrap] = access.keys();
  const ci = access.createGroup(OPERATOR, "ci", "");
  const { id } = access.createKey(OPERATOR, key(ci, "build"));
  assert.equal(access.isLastOf(bootstrap!, ["management"]), true);
  assert.equal(access.isLastOf(bootstrap!, ["management", "ci"]), false);
  assert.equal(access.isLastOf(access.key(id), ["management"]), false);
});
