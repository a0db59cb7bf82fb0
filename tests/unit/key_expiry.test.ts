// API keys that expire, over a real store and a clock of the test's own.

import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { OPERATOR } from "../../src/actor.ts";
import { RunCaller } from "../../src/calls/caller.ts";
import { SecretBroker } from "../../src/calls/secrets/broker.ts";
import { SecretLookup } from "../../src/calls/secrets/lookup.ts";
import { type Access, createAccess } from "../../src/core/access/access.ts";
import { createAccessListing, type KeyOrder } from "../../src/core/access/listing.ts";
import { noUses } from "../../src/core/access/uses.ts";
import type { RegisteredFunction } from "../../src/core/functions/registry.ts";
import type { FunctionId, KeyId, SecretName } from "../../src/ids.ts";
import { secretAad } from "../../src/keyring/aad.ts";
import { refusalOf, temporaryStore, unrecorded } from "./temporary.ts";

const START = 1_000_000;
const HOUR_MS = 3_600_000;

function service() {
  const there = temporaryStore();
  const { store, keyring } = there;
  const clock = { now: START };
  const node = (now: () => number): Access =>
    createAccess({ store, keyring, now, groupsInSettings: () => [], record: unrecorded });
  const access = node(() => clock.now);
  const groupId = access.createGroup(OPERATOR, "customers", "");
  const create = (name: string, expiresAt?: number | null, value?: string) =>
    access.createKey(OPERATOR, { groupId, name, description: "", expiresAt, value });
  /** Changes the database as somebody with access to the file would, past the server. */
  const alter = (sql: string): void => {
    using db = new DatabaseSync(there.path, { timeout: 5_000 });
    db.exec(sql);
  };
  return { ...there, clock, access, node, groupId, create, alter };
}

Deno.test("a key is accepted until its expiry on each node by its own clock, and nothing is stored then", () => {
  using it = service();
  const { access, clock, store } = it;
  const expiry = START + HOUR_MS;
  const { id, value } = it.create("alice", expiry);
  const forever = it.create("bob");
  const other = { now: expiry - 1 };
  const elsewhere = it.node(() => other.now);
  const changes = store.changes.count;
  assert.deepEqual([elsewhere.find(value)?.until, elsewhere.find(forever.value)?.until], [expiry, undefined]);
  other.now++;
  assert.deepEqual([elsewhere.find(value), elsewhere.holder(id)], [undefined, undefined]);
  assert.deepEqual([access.find(value)?.keyId, access.holder(id)?.until], [id, expiry]);
  clock.now = expiry;
  assert.deepEqual([access.find(value), access.holder(id), access.find(forever.value)?.keyId], [
    undefined,
    undefined,
    forever.id,
  ]);
  assert.equal(store.changes.count, changes);
  // Handlers do not see it: it may be accepted again.
  assert.deepEqual([access.directory.isStored(value), access.directory.isStored("unknown")], [true, false]);
  access.updateKey(OPERATOR, id, { expiresAt: null });
  assert.equal(access.find(value)?.keyId, id);
});

Deno.test("an expiry is in the future when it is set, and stays when other fields are changed", () => {
  using it = service();
  const { access, clock } = it;
  for (const past of [0, START - 1, START]) {
    const refusal = refusalOf(() => it.create("alice", past));
    assert.deepEqual([refusal.status, refusal.details], [400, { expiresAt: "must be in the future" }]);
  }
  const { id } = it.create("alice", START + 1);
  const refusal = refusalOf(() => access.updateKey(OPERATOR, id, { expiresAt: START }));
  assert.deepEqual(refusal.details, { expiresAt: "must be in the future" });
  clock.now = START + 1;
  access.updateKey(OPERATOR, id, { description: "expired", expiresAt: START + 1 });
  access.updateKey(OPERATOR, id, { name: "alina" });
  assert.deepEqual([access.key(id).name, access.key(id).expiresAt], ["alina", START + 1]);
});

Deno.test("a roll keeps the expiry, both values end with it, and an expired key is rolled with another one only", () => {
  using it = service();
  const { access, clock } = it;
  const expiry = START + HOUR_MS;
  const { id, value: old } = it.create("alice", expiry);
  const { row, value } = access.rolling.rollKey(OPERATOR, id, { graceSeconds: 7_200 });
  assert.deepEqual([row.expiresAt, access.rolling.previousUntil(row)], [expiry, expiry]);
  for (const shown of [old, value]) assert.equal(access.find(shown)?.until, expiry);
  const lookups = [old, value].map((shown) => access.find(shown)!.lookup);
  for (const lookup of lookups) assert.equal(access.holder(id, lookup)?.until, expiry);
  clock.now = expiry;
  for (const shown of [old, value]) assert.equal(access.find(shown), undefined);
  for (const lookup of lookups) assert.equal(access.holder(id, lookup), undefined);
  assert.equal(access.rolling.previousUntil(row), null);

  const refusal = refusalOf(() => access.rolling.rollKey(OPERATOR, id, { graceSeconds: 0 }));
  assert.deepEqual(refusal.details, { expiresAt: "is required, as the key has expired" });
  const past = refusalOf(() => access.rolling.rollKey(OPERATOR, id, { graceSeconds: 0, expiresAt: expiry }));
  assert.deepEqual(past.details, { expiresAt: "must be in the future" });
  const renewed = access.rolling.rollKey(OPERATOR, id, { graceSeconds: 0, expiresAt: null });
  assert.equal(renewed.row.expiresAt, null);
  assert.deepEqual([old, value, renewed.value].map((shown) => access.find(shown)?.keyId), [undefined, undefined, id]);
});

Deno.test("what an expired key may do and whether it counts agree with a model, wherever the clock goes", () => {
  const expiry = fc.option(fc.integer({ min: START + 1, max: START + 50 }), { nil: null });
  fc.assert(
    fc.property(
      fc.array(expiry, { maxLength: 4 }),
      fc.array(fc.integer({ min: -100, max: 100 })),
      (expiries, moves) => {
        using it = service();
        const { access, clock } = it;
        const keys = expiries.map((expiresAt, index) => ({ expiresAt, ...it.create(`key-${index}`, expiresAt) }));
        for (const move of moves) {
          clock.now = START + move;
          const usable = keys.filter(({ expiresAt }) => expiresAt === null || expiresAt > clock.now);
          assert.deepEqual(keys.filter(({ value }) => access.find(value)), usable);
          assert.equal(access.countUsableIn(["customers"]), usable.length);
          assert.equal(access.countIn(["customers"]), keys.length);
          assert.equal(access.hasKeyIn(["customers"]), usable.length > 0);
          const lasts = keys.filter(({ id }) => access.isLastOf(access.key(id), ["customers"]));
          assert.deepEqual(lasts, usable.length === 1 ? usable : []);
        }
      },
    ),
    { numRuns: 8 },
  );
});

Deno.test("keys are listed in each order as a model sorts them, in pages without a gap", () => {
  using it = service();
  const { access, store, groupId } = it;
  const lastUses = new Map<KeyId, number>();
  const uses = { ...noUses<KeyId>(), last: () => lastUses };
  const listing = createAccessListing(store.access, uses);
  const other = access.createGroup(OPERATOR, "others", "");
  const names = ["b", "A", "a", "Ä", "c"];
  const keys = Array.from({ length: 30 }, (_, n) => {
    it.clock.now = START + n;
    const expiresAt = n % 3 === 0 ? null : START + 1_000 + (n * 7) % 5;
    const group = n % 4 === 0 ? other : groupId;
    const name = `${names[n % 5]}-${n}`;
    const { id } = access.createKey(OPERATOR, { groupId: group, name, description: "", expiresAt });
    if (n % 2 === 0) lastUses.set(id, (n * 11) % 13);
    return { id, group, name, expiresAt, used: lastUses.get(id) ?? 0 };
  });
  const lower = (text: string) => text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  const compare = (a: string | number, b: string | number) => a < b ? -1 : a > b ? 1 : 0;
  type Key = (typeof keys)[number];
  const orders: Record<KeyOrder["by"], (a: Key, b: Key) => number> = {
    name: (a, b) => compare(lower(a.name), lower(b.name)) || compare(a.name, b.name),
    expires: (a, b) => compare(a.expiresAt ?? Infinity, b.expiresAt ?? Infinity) || compare(a.id, b.id),
    created: (a, b) => compare(a.id, b.id),
    used: (a, b) => compare(a.used, b.used),
  };
  for (const filter of [{}, { groupId: other }, { search: "a-" }, { groupId, search: "-1" }]) {
    const wanted = keys.filter(({ group, name }) =>
      (filter.groupId === undefined || filter.groupId === group) && lower(name).includes(filter.search ?? "")
    );
    for (const by of Object.keys(orders) as KeyOrder["by"][]) {
      for (const isDescending of [false, true]) {
        const found: KeyId[] = [];
        for (let skip: number | undefined = 0; skip !== undefined;) {
          const page = listing.orderedKeys(filter, { by, isDescending }, skip, 7);
          found.push(...page.keys.map(({ id }) => id));
          skip = page.next;
        }
        // Keys that were used at the same time, or never, are listed with the newest first.
        const sorted = (by === "used" ? wanted.toReversed() : wanted)
          .toSorted((a, b) => (isDescending ? -1 : 1) * orders[by](a, b));
        assert.deepEqual(found, sorted.map(({ id }) => id), `${by} ${isDescending} ${JSON.stringify(filter)}`);
      }
    }
  }
});

Deno.test("a start with the value of an expired bootstrap key lets it in again", () => {
  using it = service();
  const { access, clock } = it;
  const value = "b".repeat(32);
  access.bootstrap(OPERATOR, value);
  const { keyId } = access.find(value)!;
  access.updateKey(OPERATOR, keyId, { expiresAt: START + 1 });
  access.bootstrap(OPERATOR, value);
  assert.equal(access.key(keyId).expiresAt, START + 1);
  clock.now = START + 1;
  access.bootstrap(OPERATOR, value);
  assert.deepEqual([access.find(value)?.keyId, access.key(keyId).expiresAt], [keyId, null]);

  const { value: foreign } = it.create("alice", START + 2, "c".repeat(32));
  clock.now = START + 2;
  const refusal = refusalOf(() => access.bootstrap(OPERATOR, foreign));
  assert.match(refusal.message, /already the value of key "alice"/);
});

Deno.test("an expiry that was removed or moved in the database makes the key unknown", () => {
  using it = service();
  const { access, store, keyring } = it;
  const { value } = it.create("alice", START + 1);
  assert.equal(access.find(value)?.until, START + 1);
  for (const text of ["NULL", String(START + HOUR_MS)]) {
    it.alter(`UPDATE api_keys SET expires_at = ${text}`);
    const again = createAccess({ store, keyring, now: () => START, groupsInSettings: () => [], record: unrecorded });
    assert.equal(again.find(value), undefined);
  }
});

Deno.test("a call loses its right when its key expires, and does not regain it when the clock goes back", () => {
  using it = service();
  const { access, clock, store, groupId } = it;
  const { value } = it.create("alice", START + 10);
  const fn = { id: 1 as FunctionId, keys: [groupId], secrets: ["*"] } as unknown as RegisteredFunction;
  const rights = {
    access: access.directory,
    registry: { enabled: () => fn },
    changes: store.changes,
    masking: { hold: () => {}, release: () => {} },
  };
  const caller = new RunCaller(rights, fn, access.find(value), {} as never);
  const may = () => [caller.isEntitled, caller.isCurrent, caller.mayAsk("DB" as SecretName)];
  clock.now = START + 9;
  assert.deepEqual(may(), [true, true, true]);
  clock.now = START + 10;
  assert.deepEqual(may(), [false, false, false]);
  clock.now = START;
  assert.deepEqual(may(), [false, false, false]);

  const { value: extended, id } = it.create("bob", START + 10);
  const other = new RunCaller(rights, fn, access.find(extended), {} as never);
  clock.now = START + 9;
  access.updateKey(OPERATOR, id, { expiresAt: START + 30 });
  // The first look is after the expiry of before.
  clock.now = START + 20;
  assert.deepEqual([other.isEntitled, other.holder?.until], [true, START + 30]);
  access.updateKey(OPERATOR, id, { expiresAt: START + 21 });
  clock.now = START + 21;
  assert.equal(other.isEntitled, false);
  clock.now = START;
  // A new call is admitted, as its time is compared with the clock as it is now.
  assert.equal(access.find(value)?.keyName, "alice");
});

Deno.test("answers that are sent ahead may be used until the key expires, and none are sent after", () => {
  using it = service();
  const { access, clock, store, keyring } = it;
  const { value } = it.create("alice", START + 1_000);
  const owner = { scope: "global" } as const;
  const name = "DB" as SecretName;
  const ciphertext = keyring.seal("a value", secretAad(owner, name));
  store.transaction(() => store.secrets.insert({ name, owner, ciphertext, comment: "", now: 0 }));
  let disclosed = 0;
  const observer = {
    ...{ asked: () => () => {}, needsQuestions: () => false, prefetched: () => {}, unreadable: () => {} },
    ...{ disclosed: () => disclosed++, expired: () => {}, canaryRead: () => {}, canarySent: () => {} },
  };
  const broker = new SecretBroker(new SecretLookup(store, keyring, () => clock.now), observer);
  const holder = access.find(value)!;
  const asked = { functionId: 1 as FunctionId, holder, mayAsk: () => true, sealed: undefined as never };
  const questions = [["get", name, null]] as const;
  const ahead = () => broker.prefetch(asked, questions);
  assert.deepEqual([ahead()?.usableMs, ahead()?.json.includes("a value"), disclosed], [1_000, true, 2]);
  clock.now += 999;
  assert.equal(ahead()?.usableMs, 1);
  clock.now++;
  assert.deepEqual([ahead(), disclosed], [undefined, 3]);
  const unlimited = broker.prefetch(
    { ...asked, holder: { ...holder, keyId: 9 as KeyId, until: undefined } },
    questions,
  );
  assert.equal(unlimited?.usableMs, undefined);
});
