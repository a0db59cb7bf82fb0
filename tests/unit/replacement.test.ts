// Replacing many functions at once: what a plan says, what is written, and when it is in force.

import assert from "node:assert/strict";
import fc from "fast-check";
import { type AuditEvent, OPERATOR } from "../../src/actor.ts";
import { AppError } from "../../src/errors.ts";
import type { FunctionId, GroupId, SecretName } from "../../src/ids.ts";
import { createAccess } from "../../src/core/access/access.ts";
import { createRegistry, type FunctionEntry, type PlannedReplacement } from "../../src/core/functions/registry.ts";
import { createSecrets } from "../../src/core/secrets/service.ts";
import { temporaryStore, unrecorded } from "./temporary.ts";

const ADD = { prune: false, force: false };
const PRUNE = { prune: true, force: false };
const FORCE = { prune: true, force: true };

function there() {
  const { store, keyring, [Symbol.dispose]: dispose } = temporaryStore();
  const events: AuditEvent[] = [];
  const changes: [FunctionId, boolean][] = [];
  let now = 1_000;
  const access = createAccess({ store, keyring, now: () => now, groupsInSettings: () => [], record: unrecorded });
  const secrets = createSecrets({ store, keyring, now: () => now, record: unrecorded });
  const registry = createRegistry({
    store,
    now: () => now++,
    onChange: (id, deleted) => changes.push([id, deleted]),
    record: (_, event) => events.push(event),
  });
  return {
    store,
    secrets,
    registry,
    changes,
    group: (name: string) => access.createGroup(OPERATOR, name, ""),
    replace: (entries: Record<string, FunctionEntry>, options = ADD) =>
      registry.replaceAll(OPERATOR, new Map(Object.entries(entries)), options),
    plan: (entries: Record<string, FunctionEntry>, options = ADD) =>
      planned(registry.plan(new Map(Object.entries(entries)), options)),
    /** The actions since the last call. */
    actions: () => events.splice(0).map(({ action, subject }) => `${action} ${subject.name}`),
    answers: (path: string) => registry.match("GET", path).found?.name,
    [Symbol.dispose]: dispose,
  };
}

function planned({ plan, problems }: PlannedReplacement) {
  return { plan, problems: problems.map(({ kind, function: name, message }) => ({ kind, function: name, message })) };
}

function entry(route: string, rest: Partial<FunctionEntry> = {}): FunctionEntry {
  return { handler: "a.ts", route, ...rest };
}

function refused(status: number, field: string, work: () => unknown): void {
  assert.throws(work, (error) => {
    assert.ok(error instanceof AppError);
    assert.deepEqual([error.status, Object.keys(error.details ?? {})], [status, [field]]);
    return true;
  });
}

Deno.test("a plan says what is created, changed, deleted and unchanged, and only that is written", () => {
  using at = there();
  assert.deepEqual(at.replace({ a: entry("/a"), b: entry("/b"), c: entry("/c") }), {
    created: ["a", "b", "c"],
    changed: [],
    deleted: [],
    unchanged: 0,
  });
  at.actions();
  const before = at.registry.named("a");
  const wanted = { a: entry("/a"), b: entry("/b", { description: "new" }), d: entry("/d") };
  const expected = { created: ["d"], changed: ["b"], deleted: ["c"], unchanged: 1 };
  assert.deepEqual(at.plan(wanted, PRUNE), { plan: expected, problems: [] });
  assert.deepEqual(at.actions(), [], "a plan writes nothing");
  assert.deepEqual(at.replace(wanted, PRUNE), expected);
  assert.deepEqual(at.actions(), ["function.deleted c", "function.updated b", "function.created d"]);
  assert.deepEqual(at.registry.named("a"), before);
  assert.deepEqual(["/a", "/b", "/c", "/d"].map(at.answers), ["a", "b", undefined, "d"]);
});

Deno.test("functions exchange their routes in one replacement, also in a circle and with a deleted one", () => {
  using at = there();
  at.replace({ a: entry("/a"), b: entry("/b"), c: entry("/c"), old: entry("/old") });
  at.replace({ a: entry("/b"), b: entry("/c"), c: entry("/a"), d: entry("/old") }, PRUNE);
  assert.deepEqual(["/a", "/b", "/c", "/old"].map(at.answers), ["c", "a", "b", "d"]);
});

Deno.test("a route that another function keeps, or two entries want, is a problem of the later one", () => {
  using at = there();
  at.replace({ keeps: entry("/kept/:id") });
  const wanted = { a: entry("/kept/:other"), b: entry("/x"), c: entry("/x", { methods: ["POST", "GET"] }) };
  assert.deepEqual(at.plan(wanted).problems, [
    { kind: "route", function: "a", message: 'GET /kept/:other is already answered by the function "keeps".' },
    { kind: "route", function: "c", message: 'GET /x is already answered by the function "b".' },
  ]);
  refused(409, "functions.a.route", () => at.replace(wanted));
  assert.equal(at.registry.list().length, 1);
});

Deno.test("what is left out gets its default, but a disabled function stays disabled", () => {
  using at = there();
  at.replace({ a: entry("/a", { description: "x", methods: ["POST"], timeoutMs: 500, enabled: false }) });
  at.replace({ a: entry("/a") });
  const { description, methods, timeoutMs, enabled } = at.registry.named("a");
  assert.deepEqual([description, methods, timeoutMs, enabled], ["", ["GET"], null, false]);
  at.replace({ a: entry("/a", { enabled: true }) });
  assert.equal(at.registry.named("a").enabled, true);
});

Deno.test("what limits a function is never removed by leaving it out", () => {
  using at = there();
  const id = at.group("staging");
  at.replace({ a: entry("/a", { keys: ["staging"], secrets: ["DB"] }) });
  assert.deepEqual(at.registry.named("a").keys, [id]);
  const { problems } = at.plan({ a: entry("/a") });
  assert.deepEqual(problems.map(({ kind, function: name }) => [kind, name]), [["group", "a"], ["secret", "a"]]);
  refused(400, "functions.a.keys", () => at.replace({ a: entry("/a", { secrets: ["DB"] }) }));
  refused(400, "functions.a.secrets", () => at.replace({ a: entry("/a", { keys: [id] }) }));
  refused(400, "keys", () => at.registry.replace(OPERATOR, "a", entry("/a")));
  at.replace({ a: entry("/a", { keys: [], secrets: ["*"] }) });
  assert.deepEqual(at.registry.named("a").keys, []);
});

Deno.test("a group that does not exist is a problem, by name and by id", () => {
  using at = there();
  const wanted = { a: entry("/a", { keys: ["nowhere", 99 as GroupId] }) };
  assert.deepEqual(at.plan(wanted).problems, [
    { kind: "group", function: "a", message: 'There is no key group named "nowhere".' },
    { kind: "group", function: "a", message: "There is no key group 99." },
  ]);
  refused(404, "functions.a.keys.0", () => at.replace(wanted));
});

Deno.test("a function that owns secrets is pruned with force only", () => {
  using at = there();
  at.replace({ a: entry("/a"), b: entry("/b") });
  const functionId = at.registry.named("a").id;
  at.secrets.create(OPERATOR, {
    name: "DB" as SecretName,
    owner: { scope: "function", functionId },
    value: "x",
    comment: "",
  });
  at.actions();
  assert.deepEqual(at.plan({ b: entry("/b") }, PRUNE).problems.map(({ kind, function: name }) => [kind, name]), [
    ["secret", "a"],
  ]);
  refused(409, "force", () => at.replace({ b: entry("/b") }, PRUNE));
  at.replace({ b: entry("/b") }, FORCE);
  assert.deepEqual(at.actions(), ["secret.deleted DB", "function.deleted a"]);
  assert.deepEqual(at.registry.list().map(({ name }) => name), ["b"]);
});

Deno.test("within a larger transaction, processes end after its commit, and nothing happens if it fails", () => {
  using at = there();
  at.replace({ a: entry("/a"), b: entry("/b") });
  const [a, b] = [at.registry.named("a").id, at.registry.named("b").id];
  assert.throws(
    () =>
      at.store.change(OPERATOR, () => {
        at.replace({ a: entry("/moved") }, PRUNE);
        throw new Error("the files could not be stored");
      }),
    /could not be stored/,
  );
  assert.deepEqual([at.changes, at.answers("/a"), at.answers("/b")], [[], "a", "b"]);
  at.store.change(OPERATOR, () => {
    at.replace({ a: entry("/moved") }, PRUNE);
    assert.deepEqual(at.changes, []);
  });
  assert.deepEqual(at.changes.sort(), [[a, false], [b, true]]);
  assert.deepEqual([at.answers("/a"), at.answers("/moved")], [undefined, "a"]);
});

Deno.test("whatever is replaced by whatever, either all of it is as wanted and each route has one function, or nothing is done", () => {
  using at = there();
  const some = fc.record({
    route: fc.constantFrom("/a", "/b", "/:x", "/:y"),
    methods: fc.uniqueArray(fc.constantFrom("GET", "POST", "PUT"), { minLength: 1 }),
    description: fc.constantFrom("", "x"),
  });
  const entries = fc.dictionary(fc.constantFrom("f", "g", "h", "i"), some, { noNullPrototype: true });
  const state = () => {
    return Object.fromEntries(
      at.registry.list().map((
        { name, route, methods, description },
      ) => [name, { route, methods: methods.toSorted(), description }]),
    );
  };
  fc.assert(fc.property(entries, fc.boolean(), (wanted, prune) => {
    const before = state();
    const after = { ...(prune ? {} : before) };
    for (const [name, { methods, ...rest }] of Object.entries(wanted)) {
      after[name] = { ...rest, methods: methods.toSorted() };
    }
    const places = Object.values(after).flatMap(({ route, methods }) =>
      methods.map((method) => `${method} ${route.replace(/:./, ":")}`)
    );
    const isPossible = new Set(places).size === places.length;
    const given = Object.fromEntries(
      Object.entries(wanted).map(([name, rest]) => [name, { ...rest, handler: "a.ts" }]),
    );
    const { plan, problems } = at.plan(given, { prune, force: false });
    assert.equal(problems.length === 0, isPossible);
    if (!isPossible) {
      assert.throws(() => at.replace(given, { prune, force: false }), AppError);
      assert.deepEqual(state(), before);
      return;
    }
    assert.deepEqual(at.replace(given, { prune, force: false }), plan);
    assert.deepEqual(state(), after);
    const names = (kept: (name: string) => boolean) => [...Object.keys({ ...before, ...after })].filter(kept).sort();
    const isIn = (all: object, name: string) => Object.hasOwn(all, name);
    assert.deepEqual(plan.created, names((name) => !isIn(before, name) && isIn(after, name)));
    assert.deepEqual(plan.deleted, names((name) => isIn(before, name) && !isIn(after, name)));
    for (const [name, { route, methods }] of Object.entries(after)) {
      const answers = methods.map((method) => at.registry.match(method, route.replace(/:./, "z")).found?.name);
      assert.deepEqual(new Set(answers), new Set([name]));
    }
    assert.deepEqual(at.replace(given, { prune, force: false }).unchanged, Object.keys(wanted).length);
  }));
});

Deno.test("one function is replaced by name if it has the expected version", () => {
  using at = there();
  refused412(() => at.registry.replace(OPERATOR, "a", entry("/a"), "any"));
  const made = at.registry.replace(OPERATOR, "a", entry("/a"));
  assert.equal(made.created, true);
  refused412(() => at.registry.replace(OPERATOR, "a", entry("/b"), ["other"]));
  const { function: replaced, created } = at.registry.replace(OPERATOR, "a", entry("/b"), "any");
  assert.deepEqual([created, replaced.id, replaced.route], [false, made.function.id, "/b"]);
});

function refused412(work: () => unknown): void {
  assert.throws(work, (error) => error instanceof AppError && error.status === 412);
}
