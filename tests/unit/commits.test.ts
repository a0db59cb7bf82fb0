// Every change of a server goes through Store.commit, which a cluster runs on every node.

import assert from "node:assert/strict";
import { OPERATOR } from "../../src/actor.ts";
import { createAccess } from "../../src/core/access/access.ts";
import { createSettings } from "../../src/core/settings/settings.ts";
import { sources } from "../source_files.ts";
import { type TemporaryStore, temporaryStore, unrecorded } from "./temporary.ts";

const accessOf = ({ store, keyring }: TemporaryStore) =>
  createAccess({ store, keyring, now: () => 1, groupsInSettings: () => [], record: unrecorded });

Deno.test("a server's store refuses what is changed outside of commit, however it is written", async () => {
  using there = temporaryStore();
  const { store } = there;
  store.requireCommits();
  const access = accessOf(there);
  const writes: [string, () => unknown][] = [
    ["a transaction", () => store.transaction(() => {})],
    ["a change", () => store.change(OPERATOR, () => {})],
    ["a service", () => access.createGroup(OPERATOR, "partners", "")],
    ["a single statement", () => store.settings.put("log.level", '"info"')],
    ["metadata", () => store.meta.put("rotation", "{}")],
    ["a transaction that need not be durable", () => store.transactionWithoutSync(() => {})],
  ];
  for (const [what, write] of writes) {
    assert.throws(write, /outside of Store\.commit/, what);
    await store.commit(write);
  }
  assert.deepEqual(access.groups().map(({ name }) => name), ["partners"]);
  assert.throws(() => store.transaction(() => {}), /outside/, "one commit allows no later change");
});

Deno.test("a commit runs before it returns, and what is called with its result before anything else", async () => {
  using there = temporaryStore();
  const access = accessOf(there);
  const order: string[] = [];
  there.store.onApplied((rows) => order.push(`applied ${[...new Set(rows.map(({ table }) => table))].sort()}`));
  const id = there.store.commit(() => access.createGroup(OPERATOR, "partners", ""), (id) => {
    order.push("called with the result");
    return `group ${id}`;
  });
  order.push("returned");
  assert.equal(await id, "group 1");
  assert.deepEqual(order, ["applied key_groups", "called with the result", "returned"]);
});

Deno.test("a commit that fails changes nothing, in the database and in memory, and tells nobody", async () => {
  using there = temporaryStore();
  const { store } = there;
  const settings = createSettings({ store, check: () => undefined, record: unrecorded });
  store.onApplied(() => assert.fail("nothing was applied"));
  const before = settings.get("sandbox.memory-mb");
  await assert.rejects(
    store.commit(() => {
      settings.change(OPERATOR, { "sandbox.memory-mb": before + 1 });
      throw new Error("no luck");
    }),
    /no luck/,
  );
  assert.equal(settings.get("sandbox.memory-mb"), before);
  assert.deepEqual(store.settings.list(), []);
});

Deno.test("a commit within a transaction is an error, not a part of it", async () => {
  using there = temporaryStore();
  const inner = there.store.transaction(() => there.store.commit(() => there.store.meta.put("a", "b")));
  await assert.rejects(inner, /within a transaction/);
  assert.equal(there.store.meta.get("a"), undefined);
});

Deno.test("nobody forgets to wait for a commit", () => {
  const calls = /(.*)(?<![\w.#])(?:(?:deps|store|this\.#store)\.)?commit(?:WithoutSync)?\((?:change\b|\(\) ?=>)/g;
  let seen = 0;
  for (const { path, text } of ["src/app", "src/code", "src/control", "src/core"].flatMap(sources)) {
    for (const [, before = ""] of text.matchAll(calls)) {
      seen++;
      assert.match(before, /(?:^|\b(?:await|return|void)|=>)\s*$/, `${path}: ${before}commit(…)`);
    }
  }
  assert.ok(seen > 50, `${seen} calls`);
});
