// Rolled API keys over a real store and a clock of the test's own: which values are accepted when.

import assert from "node:assert/strict";
import { OPERATOR } from "../../src/actor.ts";
import { type Access, createAccess } from "../../src/core/access/access.ts";
import type { GroupId } from "../../src/ids.ts";
import { refusalOf, type TemporaryStore, temporaryStore, unrecorded } from "./temporary.ts";

const HOUR_S = 3_600;
const CHOSEN = "a-value-of-my-own-choosing";

interface Node {
  readonly access: Access;
  readonly clock: { now: number };
}

/** Another service over the same rows, as after a restart, or on another node, with a clock of its own. */
function nodeOf({ store, keyring }: TemporaryStore, now = 1_000_000): Node {
  const clock = { now };
  const options = { store, keyring, groupsInSettings: () => [], record: unrecorded };
  return { access: createAccess({ ...options, now: () => clock.now }), clock };
}

const keyOf = (groupId: GroupId, name: string, value?: string) => ({ groupId, name, description: "", value });

Deno.test("both values of a rolled key are its holder until the grace ends, on every node by its own clock", () => {
  using there = temporaryStore();
  const { access, clock } = nodeOf(there);
  const groupId = access.createGroup(OPERATOR, "customers", "");
  const { id, value: old } = access.createKey(OPERATOR, keyOf(groupId, "alice"));
  assert.equal(access.find(old)?.keyId, id);
  const { row, value } = access.rolling.rollKey(OPERATOR, id, { graceSeconds: HOUR_S });
  assert.match(value, /^cf_[A-Za-z0-9_-]{43}$/);
  assert.deepEqual([row.id, row.name, row.groupId, row.rolledAt], [id, "alice", groupId, clock.now]);
  assert.equal(access.rolling.previousUntil(row), clock.now + HOUR_S * 1_000);
  assert.equal(access.reveal(OPERATOR, [row])[0]!.value?.reveal(), value);

  const other = nodeOf(there, clock.now + HOUR_S * 1_000 - 1);
  for (const node of [access, other.access]) {
    for (const shown of [old, value]) assert.equal(node.find(shown)?.keyId, id);
  }
  // Nothing is written.
  const changes = there.store.changes.count;
  other.clock.now++;
  assert.equal(other.access.find(old), undefined);
  assert.equal(other.access.holder(id)?.keyId, id);
  assert.equal(other.access.rolling.previousUntil(row), null);
  assert.equal(access.find(old)?.keyId, id);
  assert.equal(there.store.changes.count, changes);
  assert.equal(other.access.find(value)?.keyId, id);
});

Deno.test("without a grace the value before is refused at once, and so is an earlier one", () => {
  using there = temporaryStore();
  const { access } = nodeOf(there);
  const groupId = access.createGroup(OPERATOR, "customers", "");
  const { id, value: first } = access.createKey(OPERATOR, keyOf(groupId, "alice"));
  const { value: second } = access.rolling.rollKey(OPERATOR, id, { graceSeconds: HOUR_S });
  const refusal = refusalOf(() => access.rolling.rollKey(OPERATOR, id, { graceSeconds: 1 }));
  assert.deepEqual([refusal.status, refusal.message.includes("is accepted until")], [409, true]);
  assert.equal(access.find(first)?.keyId, id);
  const { value: third } = access.rolling.rollKey(OPERATOR, id, { graceSeconds: 0 });
  assert.deepEqual([first, second, third].map((value) => access.find(value)?.keyId), [undefined, undefined, id]);
});

Deno.test("the previous value is revoked alone, and with its key", () => {
  using there = temporaryStore();
  const { access } = nodeOf(there);
  const groupId = access.createGroup(OPERATOR, "customers", "");
  const { id, value: first } = access.createKey(OPERATOR, keyOf(groupId, "alice"));
  assert.equal(refusalOf(() => access.rolling.revokePrevious(OPERATOR, id)).status, 404);
  const { value: second } = access.rolling.rollKey(OPERATOR, id, { graceSeconds: HOUR_S });
  access.rolling.revokePrevious(OPERATOR, id);
  assert.deepEqual([first, second].map((value) => access.find(value)?.keyId), [undefined, id]);
  assert.equal(refusalOf(() => access.rolling.revokePrevious(OPERATOR, id)).status, 404);

  access.rolling.rollKey(OPERATOR, id, { graceSeconds: HOUR_S });
  access.deleteKey(OPERATOR, id);
  assert.equal(access.find(second), undefined);
});

Deno.test("a call's right ends with the value that it presented", () => {
  using there = temporaryStore();
  const { access, clock } = nodeOf(there);
  const groupId = access.createGroup(OPERATOR, "customers", "");
  const { id, value: first } = access.createKey(OPERATOR, keyOf(groupId, "alice"));
  const before = access.find(first)!;
  const { value: second } = access.rolling.rollKey(OPERATOR, id, { graceSeconds: HOUR_S });
  const after = access.find(second)!;
  const stillHeld = (presented: Uint8Array | undefined) => access.directory.holder(id, presented)?.keyId;
  assert.deepEqual([before, after].map(({ lookup }) => stillHeld(lookup)), [id, id]);
  clock.now += HOUR_S * 1_000;
  assert.deepEqual([before, after].map(({ lookup }) => stillHeld(lookup)), [undefined, id]);
  access.rolling.rollKey(OPERATOR, id, { graceSeconds: 0 });
  assert.deepEqual([before, after].map(({ lookup }) => stillHeld(lookup)), [undefined, undefined]);
});

Deno.test("a value that is still accepted is nobody else's, and is free after its end", () => {
  using there = temporaryStore();
  const { access, clock } = nodeOf(there);
  const groupId = access.createGroup(OPERATOR, "customers", "");
  const { id } = access.createKey(OPERATOR, keyOf(groupId, "alice", CHOSEN));
  const bob = access.createKey(OPERATOR, keyOf(groupId, "bob"));
  const taken = { value: "is taken" };
  const roll = (graceSeconds: number, value: string) =>
    access.rolling.rollKey(OPERATOR, bob.id, { graceSeconds, value });
  assert.deepEqual(refusalOf(() => roll(0, CHOSEN)).details, taken);
  assert.deepEqual(refusalOf(() => roll(0, bob.value)).details, taken);
  access.rolling.rollKey(OPERATOR, id, { graceSeconds: HOUR_S });
  assert.deepEqual(refusalOf(() => roll(HOUR_S, CHOSEN)).details, taken);
  assert.deepEqual(refusalOf(() => access.createKey(OPERATOR, keyOf(groupId, "carol", CHOSEN))).details, taken);
  clock.now += HOUR_S * 1_000;
  roll(HOUR_S, CHOSEN);
  assert.equal(access.find(CHOSEN)?.keyId, bob.id);
  // Rolled again, it is the previous value of another key than before.
  roll(0, "another-value-0123456789");
  assert.equal(access.find(CHOSEN), undefined);
});

Deno.test("ended values are removed from the database later, which changes no version", () => {
  using there = temporaryStore();
  const { access, clock } = nodeOf(there);
  const groupId = access.createGroup(OPERATOR, "customers", "");
  const ids = ["alice", "bob"].map((name) => access.createKey(OPERATOR, keyOf(groupId, name)).id);
  ids.forEach((id, index) => access.rolling.rollKey(OPERATOR, id, { graceSeconds: HOUR_S * (index + 1) }));
  const stored = () => there.store.access.lookups().map(({ previousLookup }) => previousLookup !== null);
  const rows = access.keys();
  assert.equal(access.rolling.isDue(), false);
  clock.now += HOUR_S * 1_000;
  assert.equal(access.rolling.isDue(), true);
  access.rolling.prune();
  assert.deepEqual(stored(), [false, true]);
  assert.equal(access.rolling.isDue(), false);
  assert.deepEqual(access.keys(), rows);
});
