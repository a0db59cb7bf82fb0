// Secrets by name: what the pages list, against a model that has all of them in memory.

import assert from "node:assert/strict";
import fc from "fast-check";
import { OPERATOR } from "../../src/actor.ts";
import { createAccess } from "../../src/core/access/access.ts";
import { createRegistry } from "../../src/core/functions/registry.ts";
import { type Owner, ownerId, type Scope, type SecretId, type SecretName } from "../../src/ids.ts";
import { createSecretMatrix, type ValueCursor, WIDEST_FIRST } from "../../src/core/secrets/matrix.ts";
import { createSecrets } from "../../src/core/secrets/service.ts";
import { temporaryStore, unrecorded } from "./temporary.ts";

const NAMES = ["A", "B", "a", "a-1", "a_1", "aa", "b"] as SecretName[];

/** Five functions, two groups with two keys each, and nothing set. */
function populated() {
  const there = temporaryStore();
  const { store, keyring } = there;
  let now = 0;
  const secrets = createSecrets({ store, keyring, now: () => now, record: unrecorded });
  const access = createAccess({ store, keyring, now: () => now, groupsInSettings: () => [], record: unrecorded });
  const registry = createRegistry({ store, now: () => now, onChange: () => {}, record: unrecorded });
  const groups = ["g0", "g1"].map((name) => access.createGroup(OPERATOR, name, ""));
  const keys = groups.flatMap((groupId) =>
    ["k0", "k1"].map((name) => access.createKey(OPERATOR, { groupId, name, description: "" }).id)
  );
  const functions = [0, 1, 2, 3, 4].map((n) =>
    registry.create(OPERATOR, {
      name: `f${n}`,
      description: "",
      handler: "a.ts",
      route: `/f${n}`,
      methods: ["GET"],
      keys: [],
      enabled: true,
    }).id
  );
  const owners: Owner[] = [
    { scope: "global" },
    ...functions.map((functionId): Owner => ({ scope: "function", functionId })),
    ...groups.map((groupId): Owner => ({ scope: "group", groupId })),
    ...keys.map((keyId): Owner => ({ scope: "key", keyId })),
  ];
  const create = (name: SecretName, owner: Owner, createdAt = 0): SecretId => {
    now = createdAt;
    return secrets.create(OPERATOR, { name, owner, value: "value", comment: "" });
  };
  return { ...there, groups, keys, functions, owners, create, overview: createSecretMatrix(store, secrets) };
}

type There = ReturnType<typeof populated>;

/** All names, in pages of `size`. */
function allNames(
  { overview }: There,
  filter: Parameters<There["overview"]["names"]>[0],
  size: number,
  unused?: SecretId[],
) {
  const rows = [];
  let after = "";
  for (;;) {
    const ids = unused && new Set(unused);
    const page = overview.names(filter, after, size, ids && (({ id }) => ids.has(id)));
    assert.ok(page.rows.length <= size);
    rows.push(...page.rows);
    if (page.next === undefined) return rows;
    after = page.next;
  }
}

const sets = fc.uniqueArray(fc.tuple(fc.nat(NAMES.length - 1), fc.nat(11)), {
  maxLength: 60,
  selector: ([name, owner]) => `${name} ${owner}`,
});

Deno.test("names, cells and values are those of a model, whatever is set, asked for and the page's size", () => {
  fc.assert(
    fc.property(
      sets,
      fc.constantFrom("", "a", "A", "_1", "nothing"),
      fc.option(fc.nat(11)),
      fc.boolean(),
      fc.integer({ min: 1, max: 7 }),
      (set, search, owner, ownerToo, size) => {
        using there = populated();
        const model = set.map(([name, owner]) => ({ name: NAMES[name]!, owner: there.owners[owner]! }))
          .map((secret) => ({ ...secret, id: there.create(secret.name, secret.owner) }));
        const asked = owner === null ? undefined : there.owners[owner]!;
        const filter = { search, scope: asked?.scope, ownerId: asked && ownerToo ? ownerId(asked) : undefined };
        const fits = (secret: { name: string; owner: Owner }) =>
          secret.name.toLowerCase().includes(search.toLowerCase()) &&
          (!asked || secret.owner.scope === asked.scope) &&
          (filter.ownerId === undefined || ownerId(secret.owner) === filter.ownerId);
        const expected = [...new Set(model.filter(fits).map(({ name }) => name))].sort();

        const rows = allNames(there, filter, size);
        assert.deepEqual(rows.map(({ name }) => name), expected);
        for (const { name, cells } of rows) {
          for (const scope of WIDEST_FIRST) {
            const here = model.filter((secret) => secret.name === name && secret.owner.scope === scope);
            assert.equal(cells[scope].count, here.length);
            assert.equal(cells[scope].named.length, Math.min(3, here.length));
          }
          const values: number[] = [];
          let after: ValueCursor | undefined;
          do {
            const page = there.overview.values(name, filter, after, size);
            assert.ok(page.values.length <= size);
            values.push(...page.values.map(({ id }) => id));
            after = page.next;
          } while (after);
          const rank = (scope: Scope) => WIDEST_FIRST.indexOf(scope);
          const inOrder = model.filter((secret) => secret.name === name && fits(secret)).sort((a, b) =>
            rank(a.owner.scope) - rank(b.owner.scope) || ownerId(a.owner) - ownerId(b.owner)
          );
          assert.deepEqual(values, inOrder.map(({ id }) => id));
        }

        const unused = model.filter(({ id }) => id % 3 === 0);
        const names = allNames(there, filter, size, unused.map(({ id }) => id)).map(({ name }) => name);
        assert.deepEqual(names, [...new Set(unused.filter(fits).map(({ name }) => name))].sort());
      },
    ),
    { numRuns: 25 },
  );
});

Deno.test("unused names are found in pages, also where one name has more values than are looked at in one go", () => {
  using there = populated();
  const { store, keyring, create, overview } = there;
  const last = create("Z" as SecretName, { scope: "global" });
  store.transaction(() => {
    for (let n = 0; n < 1_200; n++) {
      const name = `A_${String(Math.floor(n / 5)).padStart(3, "0")}` as SecretName;
      const owner = { scope: "function", functionId: there.functions[n % 5]! } as const;
      store.secrets.insert({ name, owner, ciphertext: keyring.seal("v", "x"), comment: "", now: 0 });
    }
  });
  assert.deepEqual(overview.names({ search: "" }, "", 10, ({ id }) => id === last).rows.map(({ name }) => name), ["Z"]);
  const some = overview.names({ search: "" }, "A_100", 2, ({ id }) => id % 100 === 0);
  assert.deepEqual(some.rows.map(({ name }) => name), ["A_119", "A_139"]);
  assert.equal(some.next, "A_139");
});

Deno.test("unused values are counted again once one was created or deleted, or a minute has passed", () => {
  using there = populated();
  const { overview, create, store } = there;
  const ids = ["A", "A", "B"].map((name, n) =>
    create(name as SecretName, { scope: "function", functionId: there.functions[n]! })
  );
  let counts = 0;
  const count = (since: number) =>
    overview.countUnused(since, () => {
      counts++;
      return ({ id }) => id !== ids[0];
    });
  assert.deepEqual([count(0), count(1), counts], [2, 2, 1]);
  assert.deepEqual({ ...overview.totals() }, { names: 2, values: 3 });
  store.transaction(() => store.secrets.delete(ids[2]!));
  assert.deepEqual([count(1), counts], [1, 2]);
  assert.deepEqual([count(60_000), counts], [1, 3]);
});

Deno.test("what callers get once a value is deleted is what resolution would find", () => {
  using there = populated();
  const { overview, create, groups, keys, functions } = there;
  const name = "DB" as SecretName;
  const key = { scope: "key", keyId: keys[0]! } as const;
  const group = { scope: "group", groupId: groups[0]! } as const;
  const words = (owner: Owner) =>
    overview.fallbacks({ name, owner }).map(({ scope, count, certain }) => `${scope} ${count} ${certain}`);
  assert.deepEqual(words(key), []);
  create(name, { scope: "global" });
  assert.deepEqual(words(key), ["global 1 true"]);
  assert.deepEqual(words({ scope: "global" }), []);
  create(name, { scope: "function", functionId: functions[0]! });
  create(name, { scope: "function", functionId: functions[1]! });
  assert.deepEqual(words(key), ["function 2 false", "global 1 true"]);
  assert.deepEqual(words(group), ["function 2 false", "global 1 true"]);
  assert.deepEqual(words({ scope: "function", functionId: functions[0]! }), ["global 1 true"]);
  create(name, { scope: "group", groupId: groups[1]! });
  assert.deepEqual(words(key), ["function 2 false", "global 1 true"], "the group of another key");
  create(name, group);
  assert.deepEqual(words(key), ["group 1 true"]);
});
