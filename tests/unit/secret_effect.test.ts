// Whose answers a change of a secret would change, against a comparison of every caller one by one; and what callers
// found at earlier times, against a record of them.

import assert from "node:assert/strict";
import fc from "fast-check";
import { OPERATOR } from "../../src/actor.ts";
import { createAccess } from "../../src/core/access/access.ts";
import { createRegistry } from "../../src/core/functions/registry.ts";
import { createSecretEffects } from "../../src/core/secrets/effect.ts";
import { createExplainer } from "../../src/core/secrets/explain.ts";
import { createSecrets } from "../../src/core/secrets/service.ts";
import { type FunctionId, type KeyId, type Owner, ownerId, type SecretId, type SecretName } from "../../src/ids.ts";
import { temporaryStore, unrecorded } from "./temporary.ts";

const NAMES = ["A", "B"] as SecretName[];

function data() {
  const there = temporaryStore();
  const { store, keyring } = there;
  const clock = { now: 1_000_000 };
  const now = () => clock.now;
  const secrets = createSecrets({ store, keyring, now, record: unrecorded });
  const access = createAccess({ store, keyring, now, groupsInSettings: () => [], record: unrecorded });
  const registry = createRegistry({ store, now, onChange: () => {}, record: unrecorded });
  const groups = ["one", "two"].map((name) => access.createGroup(OPERATOR, name, ""));
  const keys = [0, 0, 0, 1].map((group, n) =>
    access.createKey(OPERATOR, { groupId: groups[group]!, name: `key ${n}`, description: "" }).id as KeyId
  );
  const create = (name: string, keys: typeof groups, more = {}) =>
    registry.create(OPERATOR, {
      ...{ name, description: "", handler: `${name}.ts`, route: `/${name}`, methods: ["GET"], keys, enabled: true },
      ...more,
    }).id as FunctionId;
  const functions = [
    create("public", []),
    create("both", groups),
    create("first", [groups[0]!], { secrets: ["A"] }),
    create("off", groups, { enabled: false }),
  ];
  const owners: Owner[] = [
    { scope: "global" },
    ...functions.slice(0, 3).map((functionId): Owner => ({ scope: "function", functionId })),
    ...groups.map((groupId): Owner => ({ scope: "group", groupId })),
    ...keys.map((keyId): Owner => ({ scope: "key", keyId })),
  ];
  const effects = createSecretEffects({ store, keyring, functions: () => registry.list(), now });
  const explainer = createExplainer(store);
  /** What each caller finds under each name, by an explanation of its own. */
  const answers = (at?: number): Map<string, string> => {
    const found = new Map<string, string>();
    for (const target of registry.list().filter(({ enabled }) => enabled)) {
      const callers = target.keys.length === 0
        ? [undefined]
        : keys.map((id) => access.key(id)).filter(({ groupId }) => target.keys.includes(groupId));
      for (const key of callers) {
        for (const name of NAMES) {
          const [{ winner } = { winner: undefined }] = explainer.explain({ target, key }, { name, at }, 1).names;
          const version = winner && (at === undefined ? store.secrets.find(winner.id!)!.version : winner.version);
          const text = winner ? `${winner.id} ${version}${winner.certain === false ? " ?" : ""}` : "none";
          found.set(`${target.id} ${key?.id} ${name}`, text);
        }
      }
    }
    return found;
  };
  return { ...there, clock, secrets, access, registry, owners, effects, answers, keys };
}

/** A model of what a caller is answered: the text, with references resolved; undefined for none. */
function answerOf(
  it: ReturnType<typeof data>,
  asker: { functionId: FunctionId; patterns: readonly string[]; groupId?: number; keyId?: number },
  name: string,
  scope?: string,
  path: readonly string[] = [],
): string | undefined {
  const owners: [string, number | undefined][] = [
    ["key", asker.keyId],
    ["group", asker.groupId],
    ["function", asker.functionId],
    ["global", 0],
  ];
  if (path.length > 8 || (asker.patterns[0] !== "*" && !asker.patterns.includes(name))) return undefined;
  const rows = it.store.secrets.list({ name: name as SecretName }, 0, 1_000);
  const row = owners.filter(([each, id]) => id !== undefined && (scope === undefined || each === scope))
    .map(([each, id]) => rows.find(({ owner }) => owner.scope === each && ownerId(owner) === id))
    .find((row) => row !== undefined);
  if (!row || path.includes(`${row.id}`)) return undefined;
  const [shown] = it.secrets.reveal(OPERATOR, [row]);
  let text: string | undefined = shown!.value!.reveal();
  if (!row.expand) return text;
  for (const [whole, scope, name] of text.matchAll(/\$\{(?:(\w+):)?(\w+)\}/g)) {
    const inner = answerOf(it, asker, name!, scope, [...path, `${row.id}`]);
    text = inner === undefined ? undefined : text?.replace(whole, inner);
  }
  return text;
}

const referring = fc.record({
  kind: fc.constantFrom("set", "set", "set", "delete"),
  // Mostly global, so that references lead somewhere.
  owner: fc.oneof(fc.constant(0), fc.constant(0), fc.nat(9)),
  set: fc.constantFrom(
    ...["A ${B}", "A ${B}+${C}", "A ${global:B} ${B}", "B ${C}", "B ${key:C}", "B plain", "C ${A}"],
    ...["C plain", "C other", "C plain", "C other"],
  ),
});

Deno.test("an effect follows references: it lists exactly the callers and names whose text differs", async () => {
  let followed = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(referring, { minLength: 4, maxLength: 14 }), async (steps) => {
      using it = data();
      const texts = () => {
        const found = new Map<string, string | undefined>();
        for (const fn of it.registry.list().filter(({ enabled }) => enabled)) {
          const callers = fn.keys.length === 0 ? [undefined] : it.keys.map((id) => it.access.key(id));
          for (const key of callers.filter((key) => !key || fn.keys.includes(key.groupId))) {
            const asker = { functionId: fn.id, patterns: fn.secrets, groupId: key?.groupId, keyId: key?.id };
            for (const name of ["A", "B", "C"]) found.set(`${fn.id} ${key?.id} ${name}`, answerOf(it, asker, name));
          }
        }
        return found;
      };
      for (const { kind, owner: index, set } of steps) {
        const [owner, name, value] = [it.owners[index]!, set.slice(0, 1) as SecretName, set.slice(2)];
        const row = it.store.secrets.findByOwner(name, owner);
        const expand = value.includes("$");
        const work = (): void => {
          if (!row) return void it.secrets.create(OPERATOR, { name, value, owner, comment: "", expand });
          if (kind === "delete") it.secrets.delete(OPERATOR, row.id);
          else it.secrets.update(OPERATOR, row.id, { value, expand });
        };
        it.clock.now += 10;
        const before = texts();
        const { changes } = await it.effects.of([name], work);
        if (row && kind === "delete") assert.deepEqual(it.effects.ofDeleting(row).changes, changes);
        work();
        const after = texts();
        const differing = [...before].filter(([key, text]) => after.get(key) !== text).map(([key]) => key);
        const listed = changes.map(({ functionId, keyId, name }) => `${functionId} ${keyId ?? undefined} ${name}`);
        // Different versions can have the same text.
        for (const key of differing) assert.ok(listed.includes(key), key);
        for (const key of listed) {
          assert.ok(before.get(key) !== undefined || after.get(key) !== undefined, `${key} is given nothing`);
        }
        followed += differing.filter((key) => !key.endsWith(name)).length;
      }
    }),
    { numRuns: 25 },
  );
  assert.ok(followed > 10, String(followed));
});

const step = fc.record({
  kind: fc.constantFrom("set", "set", "set", "delete", "rename", "comment"),
  owner: fc.nat(9),
  name: fc.constantFrom(...NAMES),
});

Deno.test("an effect counts exactly the callers whose answer changes, and changes nothing itself", async () => {
  let changed = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
      using it = data();
      for (const { kind, owner: index, name } of steps) {
        const owner = it.owners[index]!;
        const row = it.store.secrets.findByOwner(name, owner);
        const other = NAMES.find((each) => each !== name)!;
        const work = (): void => {
          if (!row) return void it.secrets.create(OPERATOR, { name, value: "first", owner, comment: "" });
          if (kind === "delete") return it.secrets.delete(OPERATOR, row.id);
          if (kind === "comment") return it.secrets.update(OPERATOR, row.id, { comment: `${it.clock.now}` });
          if (kind === "rename" && !it.store.secrets.findByOwner(other, owner)) {
            return it.secrets.update(OPERATOR, row.id, { name: other });
          }
          it.secrets.update(OPERATOR, row.id, { value: `value ${it.clock.now}` });
        };
        it.clock.now += 10;
        const before = it.answers();
        const effect = await it.effects.of(NAMES, work);
        assert.deepEqual(it.answers(), before, "nothing was changed");
        if (row && kind === "delete") assert.deepEqual(it.effects.ofDeleting(row), effect);
        work();
        const after = it.answers();
        const differing = [...before].filter(([key, text]) => after.get(key) !== text).map(([key]) => key);
        const callers = new Set(differing.map((key) => key.split(" ").slice(0, 2).join(" ")));
        const functions = new Set(differing.map((key) => key.split(" ")[0]));
        const of = new Set(
          [...before.keys()].filter((key) => functions.has(key.split(" ")[0])).map((key) =>
            key.split(" ").slice(0, 2).join(" ")
          ),
        );
        assert.deepEqual([effect.callers, effect.of, effect.functions], [callers.size, of.size, functions.size]);
        const listed = effect.changes.map(({ functionId, keyId, name }) =>
          `${functionId} ${keyId ?? undefined} ${name}`
        );
        assert.deepEqual(listed.sort(), differing.sort());
        for (const { functionId, keyId, name, from, to } of effect.changes) {
          const key = `${functionId} ${keyId ?? undefined} ${name}`;
          assert.equal(from ? `${from.id} ${from.version}` : "none", before.get(key));
          // The id of a secret that was created for the comparison may be used again.
          if (row) assert.equal(to ? `${to.id} ${to.version}` : "none", after.get(key));
          else assert.notEqual(to, null);
        }
        changed += callers.size;
      }
    }),
    { numRuns: 10 },
  );
  assert.ok(changed > 5, String(changed));
});

/** Of few owners, so that secrets come and go. */
const pastStep = fc.record({
  kind: fc.constantFrom("set", "set", "delete", "restore"),
  owner: fc.constantFrom(0, 2, 4, 6),
  name: fc.constantFrom(...NAMES),
});

Deno.test("what callers found at an earlier time is what was recorded then, or said not to be certain", () => {
  let certain = 0;
  fc.assert(
    fc.property(fc.array(pastStep, { minLength: 6, maxLength: 14 }), (steps) => {
      using it = data();
      const recorded: [at: number, answers: Map<string, string>][] = [];
      const deleted: SecretId[] = [];
      for (const [n, { kind, owner: index, name }] of steps.entries()) {
        it.clock.now += 1_000;
        const owner = it.owners[index]!;
        const row = it.store.secrets.findByOwner(name, owner);
        if (kind === "restore" && deleted.length > 0) {
          const secret = it.secrets.bin.get(deleted.pop()!);
          if (!it.store.secrets.findByOwner(secret.name, secret.owner)) it.secrets.bin.restore(OPERATOR, secret.id);
        } else if (!row) it.secrets.create(OPERATOR, { name, value: `first ${n}`, owner, comment: "" });
        else if (kind === "delete") {
          it.secrets.delete(OPERATOR, row.id);
          deleted.push(row.id);
        } else it.secrets.update(OPERATOR, row.id, { value: `value ${n}` });
        recorded.push([it.clock.now + 500, it.answers()]);
      }
      for (const [at, then] of recorded) {
        const now = it.answers(at);
        for (const [key, text] of then) {
          if (now.get(key)!.endsWith("?")) continue;
          assert.equal(now.get(key), text, key);
          certain++;
        }
      }
    }),
    { numRuns: 12 },
  );
  assert.ok(certain > 100, String(certain));
});
