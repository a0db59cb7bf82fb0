// GET /api/secrets/resolve: the answer is what a real handler gets, for every mixture of scopes and callers.

import assert from "node:assert/strict";
import { createGroup, createKey, createSecret, deploy, run } from "./handlers.ts";
import { startApp } from "./app.ts";
import { type Server } from "./server.ts";

interface Value {
  id: number;
  scope: string;
  scopeId: number | null;
  scopeName: string | null;
  value?: string | null;
  decryptionError?: string | null;
}
interface Resolved {
  name: string;
  winner: Value | null;
  shadowed: Value[];
  closed: (Value & { closedBy: string })[];
}

const SCOPES = ["key", "group", "function", "global"];
const READER = `export default async function (c, ctx) {
  const names = c.req.query("names").split(",");
  const got = await Promise.all(names.map(async (name) => [name, await ctx.getSecret(name) ?? null]));
  const complete = await Promise.all(names.map(async (name) => [name, await ctx.getCompleteSecret(name) ?? null]));
  return c.json({ got: Object.fromEntries(got), complete: Object.fromEntries(complete) });
}`;

async function resolve(server: Server, query: string): Promise<{ call: unknown; secrets: Resolved[]; next: unknown }> {
  const { status, body } = await server.api("GET", `/api/secrets/resolve?${query}`);
  assert.equal(status, 200, JSON.stringify(body));
  return body;
}

/** A name for each of the sixteen sets of scopes that can have it, `X_1010` for key and function. */
async function everyMixture(server: Server, owners: Record<string, Record<string, unknown>>): Promise<string[]> {
  const names: string[] = [];
  for (let set = 1; set < 16; set++) {
    const name = `X_${set.toString(2).padStart(4, "0")}`;
    names.push(name);
    for (const [at, scope] of SCOPES.entries()) {
      if (name[2 + at] === "1") await createSecret(server, name, `${name} of ${scope}`, { scope, ...owners[scope] });
    }
  }
  return names;
}

Deno.test("resolve says what handlers get: winner, shadowed values and closed names, for every set of scopes", async () => {
  await using server = await startApp();
  const groupId = await createGroup(server, "team");
  const key = await createKey(server, groupId, "acme");
  const ids = {
    keyed: await deploy(server, "keyed", READER, { keys: [groupId] }),
    open: await deploy(server, "open", READER),
    narrow: await deploy(server, "narrow", READER, { keys: [groupId], secrets: ["X_1*", "Y"] }),
  };
  for (const [target, functionId] of Object.entries(ids)) {
    const owners = { function: { functionId }, group: { groupId }, key: { keyId: key.id }, global: {} };
    // Each function has its own values; those of the others are there from the first one on.
    const names = target === "keyed"
      ? await everyMixture(server, owners)
      : (await resolve(server, `functionId=${functionId}&keyId=${key.id}`)).secrets.map(({ name }) => name);
    const { body: handler } = await run(server, `/${target}?names=${names}`, key.value);
    const { call, secrets } = await resolve(server, `functionId=${functionId}&keyId=${key.id}&includeValues=true`);
    assert.deepEqual(call, { allowed: true, status: null, reason: null });
    const values = Object.fromEntries(names.map((name) => {
      const found = secrets.find((secret) => secret.name === name);
      return [name, found?.winner?.value ?? null];
    }));
    assert.deepEqual(values, handler.got, target);
    for (const { name, winner, shadowed, closed } of secrets) {
      const complete = handler.complete[name];
      const open = [...(winner ? [winner] : []), ...shadowed].map(({ scope, value }) => [scope, value]);
      const given = SCOPES.flatMap((scope) => {
        const entry = complete?.[scope];
        return entry === undefined ? [] : [[scope, entry.value ?? entry]];
      });
      assert.deepEqual(open, given, `${target} ${name}`);
      for (const { closedBy, value } of closed) {
        assert.equal(closedBy, target === "open" ? "public" : "secrets");
        assert.equal(value, undefined);
      }
    }
    if (target === "open") {
      assert.ok(secrets.some(({ winner, closed }) => !winner && closed.length > 0));
    }
    if (target === "narrow") {
      assert.ok(secrets.every(({ name, winner }) => (winner === null) === !name.startsWith("X_1")));
    }
  }
});

Deno.test("resolve says whose the values are, and shows them only if asked to", async () => {
  await using server = await startApp();
  const groupId = await createGroup(server, "team");
  const key = await createKey(server, groupId, "acme");
  const functionId = await deploy(server, "f", READER, { keys: [groupId] });
  await createSecret(server, "DB", "value-of-the-key", { scope: "key", keyId: key.id });
  await createSecret(server, "DB", "value-for-all");
  const { secrets } = await resolve(server, `functionId=${functionId}&keyId=${key.id}&name=DB`);
  assert.deepEqual(secrets, [{
    name: "DB",
    winner: { id: 1, scope: "key", scopeId: key.id, scopeName: "acme" },
    shadowed: [{ id: 2, scope: "global", scopeId: null, scopeName: null }],
    closed: [],
  }]);
  const shown = await resolve(server, `functionId=${functionId}&keyId=${key.id}&name=DB&includeValues=true`);
  assert.equal(shown.secrets[0]!.winner!.value, "value-of-the-key");
  assert.equal(shown.secrets[0]!.shadowed[0]!.value, "value-for-all");
  // Showing them is in the audit, once; resolving alone is not.
  const { entries } = (await server.api("GET", "/api/audit?action=secret.revealed")).body;
  assert.deepEqual(entries.map(({ after }: { after: unknown }) => after), [{ ids: [1, 2] }]);
  assert.deepEqual((await resolve(server, `functionId=${functionId}&name=ABSENT`)).secrets, []);
});

Deno.test("resolve says when such a call would be refused", async () => {
  await using server = await startApp();
  const groupId = await createGroup(server, "team");
  const other = await createKey(server, await createGroup(server, "others"), "stranger");
  const functionId = await deploy(server, "f", READER, { keys: [groupId] });
  await createSecret(server, "DB", "value-for-all");
  await createSecret(server, "DB", "value-of-the-stranger", { scope: "key", keyId: other.id });

  const stranger = await resolve(server, `functionId=${functionId}&keyId=${other.id}`);
  const refused = await run(server, "/f?names=DB", other.value);
  assert.deepEqual(stranger.call, { allowed: false, status: refused.status, reason: refused.body.error });
  assert.deepEqual(stranger.secrets, []);

  const nobody = await resolve(server, `functionId=${functionId}`);
  const turnedAway = await run(server, "/f?names=DB");
  assert.deepEqual(nobody.call, { allowed: false, status: turnedAway.status, reason: turnedAway.body.error });
  assert.deepEqual(nobody.secrets.map(({ winner }) => winner?.scope), ["global"]);

  await server.api("PUT", `/api/functions/${functionId}/disable`);
  const disabled = await resolve(server, `functionId=${functionId}`);
  assert.deepEqual(disabled.call, { allowed: false, status: 404, reason: "This function is disabled." });
  assert.equal((await run(server, "/f?names=DB")).status, 404);
});

Deno.test("resolve pages through names in order, and refuses what it cannot answer by naming it", async () => {
  await using server = await startApp();
  const functionId = await deploy(server, "f", READER);
  const names = ["B", "a", "C_1", "C-1", "b2"];
  for (const name of names) await createSecret(server, name, "value");
  const found: string[] = [];
  let cursor = "";
  do {
    const page = await resolve(server, `functionId=${functionId}&limit=2${cursor}`);
    assert.ok(page.secrets.length <= 2);
    found.push(...page.secrets.map(({ name }) => name));
    cursor = page.next === null ? "" : `&cursor=${page.next}`;
  } while (cursor);
  assert.deepEqual(found, names.toSorted());

  const bad: [query: string, status: number, field?: string][] = [
    ["", 400, "functionId"],
    ["functionId=0", 400, "functionId"],
    ["functionId=1abc", 404, "functionId"],
    ["functionId=99", 404],
    [`functionId=${functionId}&keyId=99`, 404],
    [`functionId=${functionId}&name=a.b`, 400, "name"],
    [`functionId=${functionId}&cursor=xyz`, 400, "cursor"],
    [`functionId=${functionId}&limit=1001`, 400, "limit"],
    [`functionId=${functionId}&includeValues=yes`, 400, "includeValues"],
    [`functionId=${functionId}&groupId=1`, 400, "groupId"],
  ];
  for (const [query, status, field] of bad) {
    const { status: given, body } = await server.api("GET", `/api/secrets/resolve?${query}`);
    assert.equal(given, status, query);
    if (field) assert.ok(field in body.details, query);
  }
});
