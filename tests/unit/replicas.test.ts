// Several nodes that follow one log of changes: whatever is changed where, and whatever fails meanwhile, all of them have
// the same rows.

import assert from "node:assert/strict";
import fc from "fast-check";
import { OPERATOR } from "../../src/actor.ts";
import { authorOf } from "../../src/code/versions/author.ts";
import type { Entry } from "../../src/cluster/log/change_log.ts";
import { StoreUnavailable } from "../../src/cluster/log/errors.ts";
import type { FunctionEntry } from "../../src/core/functions/registry.ts";
import { AppError } from "../../src/errors.ts";
import type { OwnerRef, SecretName } from "../../src/ids.ts";
import { sha256Of } from "../../src/sha256.ts";
import { runs } from "../thorough.ts";
import type { MemoryLog } from "./memory_log.ts";
import { IDLE_MS, type MemoryNode, type MemoryNodes, memoryNodes, problemsOf, rowsOf } from "./memory_nodes.ts";

const entry = (route: string, more: Partial<FunctionEntry> = {}): FunctionEntry => ({
  handler: "a.ts",
  route,
  ...more,
});
const GLOBAL: OwnerRef = { scope: "global" };
const secret = (name: string, value: string, owner: OwnerRef = GLOBAL) => ({
  name: name as SecretName,
  value,
  owner,
  comment: "",
});

/** @throws AssertionError unless all nodes are the same, and whole */
function assertSame({ nodes }: MemoryNodes, when: string): void {
  const [first, ...others] = nodes.map(rowsOf);
  for (const rows of others) assert.deepEqual(rows, first, when);
  for (const node of nodes) {
    assert.deepEqual(problemsOf(node), [], when);
    assert.deepEqual([node.failures, node.findings], [[], []], when);
  }
}

Deno.test("a change on one node is in force on all others when it is answered", async () => {
  await using cluster = await memoryNodes(3);
  const [a, b, c] = cluster.nodes as [MemoryNode, MemoryNode, MemoryNode];
  const key = await a.store.commit(() =>
    a.access.createKey(OPERATOR, { groupId: { name: "partners", description: "" }, name: "acme", description: "" })
  );
  for (const { access } of cluster.nodes) assert.equal(access.find(key.value)?.keyName, "acme");
  await b.store.commit(() => b.settings.change(OPERATOR, { "log.level": "error" }));
  for (const { settings } of cluster.nodes) assert.equal(settings.get("log.level"), "error");
  const made = await c.store.commit(() =>
    c.registry.create(OPERATOR, {
      ...{
        name: "orders",
        description: "",
        handler: "a.ts",
        route: "/orders",
        methods: ["GET"],
        keys: [],
        enabled: true,
      },
      ...a.registry.plan(new Map([["x", entry("/x")]]), { prune: false, force: false }).after[0]!,
      ...{ name: "orders", route: "/orders" },
    })
  );
  for (const { registry } of cluster.nodes) assert.ok(registry.match("GET", "/orders").found);
  await a.store.commit(() => a.registry.delete(OPERATOR, made.id));
  for (const { registry, told } of cluster.nodes) {
    assert.equal(registry.match("GET", "/orders").found, undefined);
    assert.deepEqual(told, [[made.id, true]]);
  }
  await b.store.commit(() => b.access.deleteKey(OPERATOR, key.id));
  for (const { access } of cluster.nodes) assert.equal(access.find(key.value), undefined, "revoked everywhere");
  assertSame(cluster, "at the end");
});

Deno.test("what a deletion takes with it is gone on every node, and names that are exchanged are exchanged", async () => {
  await using cluster = await memoryNodes(2);
  const [a] = cluster.nodes as [MemoryNode, MemoryNode];
  const { store, registry, secrets } = a;
  const replace = (entries: Record<string, FunctionEntry>, ids = new Map()) =>
    store.commit(() =>
      registry.replaceAll(OPERATOR, new Map(Object.entries(entries)), { prune: true, force: true, ids })
    );
  await replace({ one: entry("/1"), two: entry("/2", { methods: ["GET", "POST"] }), three: entry("/3") });
  const idOf = (name: string) => registry.named(name).id;
  for (const name of ["one", "two"]) {
    for (let n = 0; n < 5; n++) {
      await store.commit(() =>
        secrets.create(OPERATOR, secret(`S${n}`, "x", { scope: "function", functionId: idOf(name) }))
      );
    }
  }
  assertSame(cluster, "before");
  await replace({ two: entry("/1"), one: entry("/2") }, new Map([["two", idOf("one")], ["one", idOf("two")]]));
  assert.equal(registry.list().length, 2);
  assertSame(cluster, "exchanged");
  await replace({ three: entry("/1") });
  assert.equal(secrets.total(), 0);
  assertSame(cluster, "deleted");
});

Deno.test("a session that is used on any node is used for all, by few changes", async () => {
  const clock = { now: 1_000_000 };
  await using cluster = await memoryNodes(2, { now: () => clock.now });
  const [a, b] = cluster.nodes as [MemoryNode, MemoryNode];
  const id = await a.store.commit(() =>
    a.store.admins.insertAdmin({ email: "a@example.com", name: "A", password: "x", now: clock.now })
  );
  const begin = () => a.admins.sessions.begin(id, { address: "192.0.2.1", userAgent: "" });
  const token = await a.store.commit(begin);
  const before = cluster.log.head.seq;
  for (let n = 0; n < 40; n++) {
    clock.now += IDLE_MS / 20;
    assert.equal(b.admins.sessions.find(token)?.admin.id, id);
    await cluster.heal();
  }
  const changes = cluster.log.head.seq - before;
  assert.ok(changes > 0 && changes <= 20, `${changes} changes in two idle times`);
  assert.equal(a.admins.sessions.find(token)?.admin.id, id, "it was not used here");
  b.weather.isCut = true;
  clock.now += IDLE_MS / 2;
  assert.equal(b.admins.sessions.find(token)?.admin.id, id, "a use that cannot be stored is no failure");
  await cluster.heal();
  clock.now += IDLE_MS;
  for (const { admins } of cluster.nodes) assert.equal(admins.sessions.find(token), undefined);
  assertSame(cluster, "at the end");
});

Deno.test("many entries of the audit in one change come in their order", async () => {
  await using cluster = await memoryNodes(2);
  const [a] = cluster.nodes as [MemoryNode, MemoryNode];
  for (let n = 0; n < 3; n++) {
    await a.store.commit(() => {
      for (let m = 0; m < 200; m++) a.secrets.create(OPERATOR, secret(`S${n}_${m}`, "x"));
    });
  }
  assert.equal(a.store.audit.lastId(), 601);
  assertSame(cluster, "at the end");
});

Deno.test("a change that is refused is appended nowhere, nor is one that changes nothing", async () => {
  await using cluster = await memoryNodes(2);
  const [a] = cluster.nodes as [MemoryNode, MemoryNode];
  await a.store.commit(() => a.access.createGroup(OPERATOR, "partners", ""));
  const { seq } = cluster.log.head;
  await assert.rejects(a.store.commit(() => a.access.createGroup(OPERATOR, "partners", "")), /already/);
  assert.equal(await a.store.commit(() => 5), 5);
  assert.equal(cluster.log.head.seq, seq);
  assert.throws(() => a.store.transaction(() => {}), /outside of Store\.commit/);
  assertSame(cluster, "at the end");
});

Deno.test("an answer that a change was made before comes when it is in force everywhere", async () => {
  await using cluster = await memoryNodes(3);
  const [a, b, c] = cluster.nodes as [MemoryNode, MemoryNode, MemoryNode];
  const key = await a.store.commit(() =>
    a.access.createKey(OPERATOR, { groupId: { name: "partners", description: "" }, name: "acme", description: "" })
  );
  const { promise, resolve } = Promise.withResolvers<void>();
  c.weather.held = promise;
  const revoked = a.store.commit(() => a.access.deleteKey(OPERATOR, key.id));
  while (b.access.find(key.value)) await new Promise((resolve) => setTimeout(resolve, 0));
  const answers: string[] = [];
  const again = b.store.commit(() => b.access.deleteKey(OPERATOR, key.id)).catch(({ code }) => answers.push(code));
  const none = b.store.commit(() => b.access.find(key.value)).then((found) => answers.push(`found ${found}`));
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 0));
  const [early, holder] = [[...answers], c.access.find(key.value)];
  c.weather.held = undefined;
  resolve();
  await Promise.all([revoked, again, none]);
  assert.deepEqual([early, holder?.keyName], [[], "acme"], "not while another node accepts the key");
  assert.equal(c.access.find(key.value), undefined);
  assert.deepEqual(answers.sort(), ["NotFound", "found undefined"]);
  assertSame(cluster, "at the end");
});

Deno.test("a commit in doubt is an error that says so, and what was stored is applied all the same", async () => {
  await using cluster = await memoryNodes(2);
  const [a, b] = cluster.nodes as [MemoryNode, MemoryNode];
  const followed: string[] = [];
  for (const nextCommit of ["stored", "lost"] as const) {
    a.weather.nextCommit = nextCommit;
    const commit = a.store.commit(
      () => a.access.createGroup(OPERATOR, nextCommit, ""),
      () => followed.push(nextCommit),
    );
    await assert.rejects(commit, (error) => error instanceof StoreUnavailable && error.outcome === "unknown");
  }
  await cluster.heal();
  assert.deepEqual(b.access.groups().map(({ name }) => name), ["stored"]);
  assert.deepEqual(followed, ["stored"], "what follows from it happened once");
  assertSame(cluster, "at the end");
});

Deno.test("work that the log runs again is made again only if something else was changed meanwhile", async () => {
  await using cluster = await memoryNodes(2);
  const [a, b] = cluster.nodes as [MemoryNode, MemoryNode];
  a.weather.runs = 2;
  let runs = 0;
  const create = (name: string) =>
    a.store.commit(() => {
      runs++;
      return a.access.createGroup(OPERATOR, name, "");
    });
  await create("one");
  assert.equal(runs, 1);
  a.weather.between = async () => void await b.store.commit(() => b.access.createGroup(OPERATOR, "other", ""));
  await create("two");
  assert.equal(runs, 3);
  assert.deepEqual(b.access.groups().map(({ name }) => name).sort(), ["one", "other", "two"]);
  assertSame(cluster, "at the end");
});

Deno.test("a change is made while the lock is awaited, and once more if another node's came first", async () => {
  await using cluster = await memoryNodes(2);
  const [a, b] = cluster.nodes as [MemoryNode, MemoryNode];
  let runs = 0;
  /** Starts a change on `a` that needs the group, while another one has the lock; `before` comes first. */
  const change = async (needed: string, name: string, before: () => Promise<unknown>): Promise<void> => {
    const unlocked = Promise.withResolvers<void>();
    const made = Promise.withResolvers<void>();
    runs = 0;
    const locked = cluster.log.connect(a.weather).exclusively(() => unlocked.promise);
    const earlier = before();
    const changed = a.store.commit(() => {
      runs++;
      made.resolve();
      if (needed !== "" && !a.access.groups().some((group) => group.name === needed)) {
        throw new AppError("NotFound", 404, "There is no such group.");
      }
      return a.access.createGroup(OPERATOR, name, "");
    });
    await made.promise;
    unlocked.resolve();
    await Promise.all([locked, earlier, changed]);
  };
  await change("", "one", () => Promise.resolve());
  assert.equal(runs, 1);
  await change("", "three", () => b.store.commit(() => b.access.createGroup(OPERATOR, "two", "")));
  assert.equal(runs, 2);
  // Refused ahead, but not by what is there when it has the lock.
  await change("four", "five", () => b.store.commit(() => b.access.createGroup(OPERATOR, "four", "")));
  assert.equal(runs, 2);
  assert.deepEqual(b.access.groups().map(({ name }) => name).sort(), ["five", "four", "one", "three", "two"]);
  assertSame(cluster, "at the end");
});

Deno.test("a node that is cut off makes no change, and catches up afterwards", async () => {
  await using cluster = await memoryNodes(3);
  const [a, b] = cluster.nodes as [MemoryNode, MemoryNode, MemoryNode];
  b.weather.isCut = true;
  await a.store.commit(() => a.access.createGroup(OPERATOR, "partners", ""));
  let runs = 0;
  await assert.rejects(
    b.store.commit(() => {
      runs++;
      return b.access.createGroup(OPERATOR, "others", "");
    }),
    (error) => error instanceof StoreUnavailable && error.outcome === "none",
  );
  assert.deepEqual(b.access.groups(), []);
  await cluster.heal();
  assert.equal(runs, 0, "a change that was refused is not made afterwards");
  assertSame(cluster, "at the end");
});

Deno.test("a node whose rows are not the others' applies nothing of a change, and says why", async () => {
  await using cluster = await memoryNodes(2);
  const [a, b] = cluster.nodes as [MemoryNode, MemoryNode];
  const id = await a.store.commit(() => a.secrets.create(OPERATOR, secret("A", "1")));
  b.store.local(() => b.store.meta.put("audit-head", "{}"));
  const before = rowsOf(b);
  await a.store.commit(() => a.secrets.update(OPERATOR, id, { value: "2" }));
  await assert.rejects(b.replica.catchUp(cluster.log.head.seq), { code: "ReplicaDiverged" });
  assert.deepEqual([rowsOf(b), b.failures.length], [before, 1]);
  await assert.rejects(b.store.commit(() => 1), { code: "ReplicaDiverged" });
});

Deno.test("an entry that was altered is applied by no node", async () => {
  await using cluster = await memoryNodes(2);
  const [a, b] = cluster.nodes as [MemoryNode, MemoryNode];
  b.weather.isCut = true;
  await a.store.commit(() => a.secrets.create(OPERATOR, secret("A", "1")));
  const [forged] = cluster.log.entries;
  cluster.log.entries[0] = { ...forged!, body: forged!.body.map((byte) => byte ^ 1) };
  b.weather.isCut = false;
  await assert.rejects(b.replica.follow(), { code: "LogTampered" });
  assert.deepEqual([b.secrets.total(), b.failures.map(({ code }) => code)], [0, ["LogTampered"]]);
});

Deno.test("what is appended while a node reads the log is read as well, and is no missing entry", async () => {
  await using cluster = await memoryNodes(2);
  const [a, b] = cluster.nodes as [MemoryNode, MemoryNode];
  await b.replica.follow();
  const { promise, resolve } = Promise.withResolvers<void>();
  b.weather.held = promise;
  // The log has nothing yet when it is read, but the answer takes time.
  const following = b.replica.follow();
  const commit = a.store.commit(() => a.access.createGroup(OPERATOR, "partners", ""));
  while (cluster.log.head.seq === 0) await new Promise((resolve) => setTimeout(resolve, 0));
  const caughtUp = b.replica.catchUp(1);
  b.weather.held = undefined;
  resolve();
  await Promise.all([following, caughtUp, commit]);
  assert.equal(b.replica.applied, 1);
  assertSame(cluster, "at the end");
});

/** A change by a node, whose numbers choose among what there is. */
type Change = (node: MemoryNode, n: number, m: number) => unknown;

const pick = <T>(items: readonly T[], n: number): T => {
  if (items.length === 0) throw new AppError("NotFound", 404, "There is nothing to choose from.");
  return items[n % items.length]!;
};
const anyOwner = ({ access, registry }: MemoryNode, n: number): OwnerRef =>
  pick<OwnerRef>([
    GLOBAL,
    ...access.groups().map(({ id }) => ({ scope: "group" as const, groupId: id })),
    ...access.keys().map(({ id }) => ({ scope: "key" as const, keyId: id })),
    ...registry.list().map(({ id }) => ({ scope: "function" as const, functionId: id })),
  ], n);
const anySecret = ({ secrets }: MemoryNode, n: number) => pick(secrets.list({}, 0, 100).secrets, n).id;

const CHANGES: Record<string, Change> = {
  createGroup: ({ access }, n) => access.createGroup(OPERATOR, `g${n % 3}`, `${n}`),
  renameGroup: ({ access }, n, m) => access.updateGroup(OPERATOR, pick(access.groups(), n).id, { name: `g${m % 4}` }),
  deleteGroup: ({ access }, n) => access.deleteGroup(OPERATOR, pick(access.groups(), n).id),
  createKey: ({ access }, n, m) =>
    access.createKey(OPERATOR, { groupId: pick(access.groups(), n).id, name: `k${m % 3}`, description: "" }),
  deleteKey: ({ access }, n) => access.deleteKey(OPERATOR, pick(access.keys(), n).id),
  createSecret: (node, n, m) => node.secrets.create(OPERATOR, secret(`S${m % 4}`, `${n}`, anyOwner(node, n))),
  replaceSecret: (node, n, m) => node.secrets.replace(OPERATOR, secret(`S${m % 4}`, `${n}`, anyOwner(node, n))),
  renameSecret: (node, n, m) => node.secrets.update(OPERATOR, anySecret(node, n), { name: `S${m % 4}` as SecretName }),
  moveSecret: (node, n, m) =>
    node.secrets.copy(OPERATOR, anySecret(node, n), { owner: anyOwner(node, m), move: m % 2 > 0 }),
  deleteSecret: (node, n) => node.secrets.delete(OPERATOR, anySecret(node, n)),
  restoreSecret: ({ secrets }, n) => secrets.bin.restore(OPERATOR, pick(secrets.bin.list(0, 100).secrets, n).id),
  purgeSecret: ({ secrets }, n) => secrets.bin.purge(OPERATOR, pick(secrets.bin.list(0, 100).secrets, n).id),
  revealSecrets: ({ secrets }) => secrets.reveal(OPERATOR, secrets.list({}, 0, 100).secrets),
  replaceFunctions: ({ access, registry }, n, m) => {
    const keys = access.groups().slice(0, m % 2).map(({ name }) => name);
    const entries = ["a", "b", "c"].slice(0, 1 + n % 3).map((name, index) =>
      [name, entry(`/${(index + m) % 3}`, { keys, secrets: ["*"] })] as const
    );
    return registry.replaceAll(OPERATOR, new Map(entries), { prune: m % 3 > 0, force: true });
  },
  exchangeNames: ({ registry }, n, m) => {
    const [one, other] = [pick(registry.list(), n), pick(registry.list(), m)];
    const entries = [one, other].map(({ keys, secrets }, index) =>
      [index === 0 ? other.name : one.name, entry(`/${index}`, { keys, secrets })] as const
    );
    const ids = new Map([[other.name, one.id], [one.name, other.id]]);
    return registry.replaceAll(OPERATOR, new Map(entries), { prune: true, force: true, ids });
  },
  deleteFunction: ({ registry }, n) => registry.delete(OPERATOR, pick(registry.list(), n).id),
  changeSettings: ({ settings }, n) => settings.change(OPERATOR, { "sandbox.memory-mb": 64 + n % 100 }),
  resetSetting: ({ settings }) => settings.reset(OPERATOR, "sandbox.memory-mb"),
  invite: ({ admins }, n) => admins.accounts.invite(OPERATOR, { email: `a${n % 3}@example.com`, name: `A${n}` }),
  signIn: ({ admins }, n) =>
    admins.sessions.begin(pick(admins.accounts.list(), n).id, { address: "192.0.2.1", userAgent: `n${n}` }),
  endSessions: ({ admins }, n) => admins.sessions.endAll(OPERATOR, pick(admins.accounts.list(), n)),
  linkAdmin: ({ admins }, n) => admins.accounts.reset(OPERATOR, pick(admins.accounts.list(), n).id),
  renewCodes: ({ admins }, n) => admins.secondFactor.renewCodes(OPERATOR, pick(admins.accounts.list(), n)),
  removeAdmin: ({ admins }, n) => admins.accounts.remove(OPERATOR, pick(admins.accounts.list(), n).id),
  changeCode: ({ history }, n, m) => {
    const file = m % 3 === 0 ? null : { sha256: sha256Of(new Uint8Array([n])), sizeBytes: 1 };
    return history.commit(authorOf(OPERATOR), "file", `Change ${n}`, new Map([[`${m % 4}.ts`, file]]));
  },
  deploy: ({ store, history }, n) => {
    const { codeVersions } = store;
    const [last] = codeVersions.deployments(Number.MAX_SAFE_INTEGER, 1);
    const list = JSON.stringify([n % 3]);
    codeVersions.addDeployment({
      id: codeVersions.nextDeploymentId(),
      versionId: history.head().version ?? null,
      rollbackOf: last?.id ?? null,
      at: n,
      ...{ actorKind: "operator", actorId: null, actorName: null, message: `Deployment ${n}`, plan: "{}" },
      functions: sha256Of(list),
      mac: new Uint8Array(32),
    }, list);
  },
  lockPackages: ({ store }, n, m) => store.packageLocks.put(`${m % 3}.ts`, `{"version":"5","n":${n}}`),
  unlockPackages: ({ store }, _n, m) => store.packageLocks.remove(`${m % 3}.ts`),
  fail: () => {
    throw new AppError("Conflict", 409, "It is refused at its end.");
  },
};

/** What may come with a notification: the entry, nothing, an earlier or altered one, or one that was never stored. */
const ANNOUNCEMENTS: Record<string, (log: MemoryLog, entry: Entry) => Entry | undefined> = {
  entry: (_, entry) => entry,
  nothing: () => undefined,
  earlier: ({ entries }, { seq }) => entries[seq - 2],
  "an earlier one with its number": ({ entries }, { seq }) => entries[seq - 2] && { ...entries[seq - 2]!, seq },
  "another body": (_, entry) => ({ ...entry, body: new Uint8Array([0, 0, 0, 0]) }),
  "another kind": (_, entry) => ({ ...entry, kind: "purge" }),
  "another MAC": (_, entry) => ({ ...entry, mac: "0".repeat(64) }),
  later: (_, entry) => ({ ...entry, seq: entry.seq + 1 }),
};

Deno.test("an entry that is announced is applied without a reading, and anything else that is announced is not", async () => {
  for (const [what, announced] of Object.entries(ANNOUNCEMENTS)) {
    await using cluster = await memoryNodes(2);
    const [a, b] = cluster.nodes as [MemoryNode, MemoryNode];
    b.weather.announced = (entry) => announced(cluster.log, entry);
    let reads = 0;
    b.weather.onRead = () => reads++;
    for (let n = 0; n < 3; n++) {
      await a.store.commit(() => a.secrets.create(OPERATOR, secret(`S${n}`, "x")));
      assert.equal(b.secrets.total(), n + 1, what);
    }
    if (what === "entry") assert.equal(reads, 0);
    else assert.ok(reads > 0, what);
    assertSame(cluster, what);
  }
});

Deno.test("entries that are announced in any order, twice, or after a gap are applied once, in their order", async () => {
  await using cluster = await memoryNodes(2);
  const [a, b] = cluster.nodes as [MemoryNode, MemoryNode];
  b.weather.isCut = true;
  for (let n = 0; n < 6; n++) await a.store.commit(() => a.secrets.create(OPERATOR, secret(`S${n}`, "x")));
  b.weather.isCut = false;
  const { entries } = cluster.log;
  let reads = 0;
  b.weather.onRead = () => reads++;
  const announce = (...seqs: number[]) => {
    for (const seq of seqs) cluster.log.announce(entries[seq - 1]!);
    return b.replica.catchUp(Math.max(...seqs));
  };
  const { seq: last } = cluster.log.head;
  const first = last - 5;
  await announce(first + 2, first + 1, first, first + 2, first);
  assert.deepEqual([b.replica.head.seq >= first + 2, b.secrets.total() >= 3], [true, true]);
  await announce(last);
  assert.equal(b.secrets.total(), 6);
  await announce(first, last, last);
  cluster.log.announce({ ...entries.at(-1)!, seq: last + 1_000_000 });
  await a.store.commit(() => a.secrets.create(OPERATOR, secret("LAST", "x")));
  assertSame(cluster, "at the end");
});

type Step =
  | { readonly kind: "changes"; readonly changes: readonly { on: number; what: string[]; n: number; m: number }[] }
  | { readonly kind: "cut" | "restart" | "lost" | "stored"; readonly on: number };

const NODES_MAX = 8;
/** A node, modulo the number of nodes. */
const on = fc.nat(NODES_MAX - 1);
const change = fc.record({
  on,
  // Several in one commit.
  what: fc.array(fc.constantFrom(...Object.keys(CHANGES)), { minLength: 1, maxLength: 3 }),
  n: fc.nat(50),
  m: fc.nat(50),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant("changes"), changes: fc.array(change, { minLength: 1, maxLength: 4 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom("cut", "restart", "lost", "stored"), on }) },
);

const steps = fc.array(step, { minLength: 5, maxLength: 25 });
const announced = fc.array(fc.constantFrom(...Object.keys(ANNOUNCEMENTS)), { minLength: 1, maxLength: 5 });

Deno.test("whatever is changed on whichever nodes at once, between cuts and restarts, all have the same rows", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 2, max: NODES_MAX }),
      steps,
      fc.nat(3),
      announced,
      async (count, steps, turns, announced) => {
        await using cluster = await memoryNodes(count);
        const announce = (entry: Entry) => ANNOUNCEMENTS[announced[entry.seq % announced.length]!]!(cluster.log, entry);
        const nodeOf = (on: number) => cluster.nodes[on % count]!;
        const acknowledged: string[] = [];
        const commit = async ({ on, what, n, m }: { on: number; what: string[]; n: number; m: number }) => {
          const node = nodeOf(on);
          const mark = `acknowledged ${acknowledged.length} ${crypto.randomUUID()}`;
          try {
            await node.store.commit(() => {
              for (const one of what) CHANGES[one]!(node, n, m);
              node.store.meta.put(mark, "");
            });
            acknowledged.push(mark);
          } catch (error) {
            assert.ok(
              error instanceof AppError && error.status < 500 || error instanceof StoreUnavailable,
              String(error),
            );
            return;
          }
          for (const { weather, store } of cluster.nodes) {
            if (!weather.isCut) assert.equal(store.meta.get(mark), "", "an answered change is seen at once");
          }
        };
        for (const [index, one] of steps.entries()) {
          for (const { weather } of cluster.nodes) {
            weather.turns = () => index % (turns + 1);
            weather.announced = announce;
          }
          if (one.kind === "changes") await Promise.all(one.changes.map(commit));
          else if (one.kind === "restart") await cluster.restart(one.on % count);
          else if (one.kind === "cut") nodeOf(one.on).weather.isCut = !nodeOf(one.on).weather.isCut;
          else nodeOf(one.on).weather.nextCommit = one.kind;
        }
        await cluster.heal();
        assertSame(cluster, "after all steps");
        const { store } = nodeOf(0);
        for (const mark of acknowledged) assert.equal(store.meta.get(mark), "", "nothing that was answered is lost");
      },
    ),
    { numRuns: runs(6, 300) },
  );
});
