// When keys and sessions were used last: kept in the database of observations, where a use disturbs nothing.

import assert from "node:assert/strict";
import { join } from "node:path";
import { createAccess } from "../../src/core/access/access.ts";
import { OPERATOR } from "../../src/actor.ts";
import { createAdmins } from "../../src/core/admins/admins.ts";
import type { KeyId, SessionId } from "../../src/ids.ts";
import { moveEarlierUses, observeUses } from "../../src/core/access/uses.ts";
import { openObservations } from "../../src/store/observations.ts";
import { OLD, writeOldData } from "./old_data.ts";
import { openStoreAt, temporaryFolder, type TemporaryStore, temporaryStore, unrecorded } from "./temporary.ts";

function observed(path: string, clock: { now: number }) {
  const observations = openObservations(join(path, "..", "observations.db"), () => new Date(), () => {});
  const parts = {
    store: observations.uses,
    transaction: observations.transaction,
    now: () => clock.now,
    attempt: <T>(work: () => T) => work(),
  };
  const keys = observeUses<KeyId>("key", parts);
  const sessions = observeUses<SessionId>("session", parts);
  return {
    observations,
    keys,
    sessions,
    [Symbol.dispose]() {
      keys.close();
      sessions.close();
      observations.close();
    },
  };
}

function withKeys({ store, keyring }: TemporaryStore, clock: { now: number }, uses: ReturnType<typeof observed>) {
  const access = createAccess({
    store,
    keyring,
    now: () => clock.now,
    groupsInSettings: () => [],
    record: unrecorded,
    uses: uses.keys,
  });
  const groupId = access.createGroup(OPERATOR, "customers", "");
  const [alice, bob, gone] = ["alice", "bob", "gone"].map((name) =>
    access.createKey(OPERATOR, { groupId, name, description: "" }).id
  ) as [KeyId, KeyId, KeyId];
  return { access, alice, bob, gone, lastUsed: () => access.keys().map(({ lastUsedAt }) => lastUsedAt) };
}

Deno.test("the latest use of each key is kept over a restart, and never moves backwards", () => {
  using there = temporaryStore();
  const clock = { now: 5_000 };
  {
    using uses = observed(there.path, clock);
    const { access, alice, gone, lastUsed } = withKeys(there, clock, uses);
    access.recordUse(alice);
    access.recordUse(gone);
    clock.now = 6_000;
    access.recordUse(alice);
    assert.deepEqual(access.keyCounts(), { total: 3, neverUsed: 1 });
    access.deleteKey(OPERATOR, gone);
    assert.deepEqual(lastUsed(), [6_000, null]);
    assert.deepEqual(access.keyCounts(), { total: 2, neverUsed: 1 });
    clock.now = 4_000;
    access.recordUse(alice);
    assert.deepEqual(lastUsed(), [6_000, null]);
    assert.equal(access.key(alice).lastUsedAt, 6_000);
    assert.deepEqual(access.keyPage({}, undefined, 9).keys.map((key) => key.lastUsedAt), [null, 6_000]);
    access.recordUse(alice);
  }
  using uses = observed(there.path, clock);
  assert.deepEqual([...uses.keys.last([1, 2, 3] as KeyId[])], [[1, 6_000]]);
});

Deno.test("the use of a key or a session changes nothing that look-ups remember", () => {
  using there = temporaryStore();
  const clock = { now: 1_000_000 };
  using uses = observed(there.path, clock);
  const { access, alice } = withKeys(there, clock, uses);
  const { sessions } = createAdmins({
    store: there.store,
    keyring: there.keyring,
    limits: { idleMs: () => 100_000, longestMs: () => 1e9 },
    now: () => clock.now,
    record: unrecorded,
    sessionUses: uses.sessions,
  });
  const admin = there.store.transaction(() =>
    there.store.admins.insertAdmin({ email: "a@b", name: "A", password: "x", now: 0 })
  );
  const token = there.store.transaction(() => sessions.begin(admin, { address: "", userAgent: "" }));
  const before = there.store.changes.count;
  for (let n = 0; n < 9; n++) {
    clock.now += 1_100;
    access.recordUse(alice);
    assert.ok(sessions.find(token));
  }
  assert.equal(there.store.changes.count, before);
  assert.deepEqual(
    sessions.list(admin).map(({ lastSeenAt }) => lastSeenAt),
    [clock.now],
    "its user sees the exact time",
  );
  clock.now += 100;
  assert.ok(sessions.find(token));
  assert.equal(there.store.changes.count, before + 1, "the idle time moves on at a tenth of it");
  clock.now += 99_999;
  assert.ok(sessions.find(token));
});

Deno.test("the last uses that version 0.1.0 kept in the main database are moved once", async () => {
  using folder = temporaryFolder();
  writeOldData(folder.path);
  const path = join(folder.path, "database.db");
  const { store, keyFile: { keyring } } = openStoreAt(path);
  const clock = { now: 0 };
  using uses = observed(path, clock);
  await moveEarlierUses(store, uses.observations);
  const access = createAccess({
    store,
    keyring,
    now: () => 0,
    groupsInSettings: () => [],
    record: unrecorded,
    uses: uses.keys,
  });
  const { keyId } = access.find(OLD.key)!;
  assert.equal(access.key(keyId).lastUsedAt, Date.parse("2026-01-31T12:00:00Z"));
  clock.now = Date.parse("2026-03-01T12:00:00Z");
  access.recordUse(keyId);
  await moveEarlierUses(store, uses.observations);
  assert.equal(access.key(keyId).lastUsedAt, clock.now);
  assert.deepEqual(store.access.earlierUses(), []);
  store.close();
});
