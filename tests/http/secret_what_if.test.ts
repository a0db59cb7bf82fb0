// Whose answer a change would change, by the API and the pages, and what a caller found at an earlier time.

import assert from "node:assert/strict";
import { createGroup, createKey, createSecret, deploy } from "./handlers.ts";
import { startApp } from "./app.ts";
import { setUp } from "./admin.ts";
import type { Server } from "./server.ts";

const HANDLER = "export default (c) => c.text('');";

/** Two functions for a group with three keys, and a public one; a value for one key and a global one. */
async function filled(server: Server) {
  const groupId = await createGroup(server, "staging");
  const keys = [];
  for (const name of ["a", "b", "c"]) keys.push((await createKey(server, groupId, name)).id);
  const functions = [
    await deploy(server, "first", HANDLER, { keys: [groupId] }),
    await deploy(server, "second", HANDLER, { keys: [groupId] }),
    await deploy(server, "open", HANDLER),
  ];
  const wide = await createSecret(server, "DB", "global");
  const own = await createSecret(server, "DB", "of a", { scope: "key", keyId: keys[0] });
  return { groupId, keys, functions, wide, own };
}

Deno.test("a dry run of any change of a secret says whose answer changes, checks as the change does, and changes nothing", async () => {
  await using server = await startApp();
  const { api } = server;
  const { groupId, keys, functions, wide, own } = await filled(server);
  const before = JSON.stringify((await api("GET", "/api/secrets?includeValues=true")).body);
  const effect = async (method: string, path: string, body?: unknown) => {
    const answer = await api(method, `${path}${path.includes("?") ? "&" : "?"}dryRun=true`, body);
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    return answer.body.effect;
  };
  const counts = ({ callers, of, functions }: Record<string, number>) => [callers, of, functions];
  const group = { name: "DB", value: "of the group", scope: "group", groupId };
  const created = await effect("POST", "/api/secrets", group);
  assert.deepEqual(counts(created), [4, 6, 2]);
  assert.deepEqual(created.changes[0], {
    ...{ name: "DB", functionId: functions[0], functionName: "first", keyId: keys[1], keyName: "staging/b" },
    from: { id: wide, scope: "global", scopeId: null, scopeName: null, version: 1 },
    to: { id: created.changes[0].to.id, scope: "group", scopeId: groupId, scopeName: "staging", version: 1 },
  });
  assert.deepEqual(counts(await effect("DELETE", `/api/secrets/${wide}`)), [5, 7, 3]);
  const { changes: [change] } = await effect("DELETE", `/api/secrets/${own}`);
  assert.deepEqual([change.from.id, change.to.id], [own, wide]);
  assert.deepEqual(counts(await effect("PUT", `/api/secrets/${wide}`, { value: "other" })), [5, 7, 3]);
  assert.deepEqual(counts(await effect("PUT", `/api/secrets/${wide}`, { value: "global" })), [0, 0, 0]);
  assert.deepEqual(counts(await effect("PUT", `/api/secrets/${own}`, { comment: "x" })), [0, 0, 0]);
  const renamed = await effect("PUT", `/api/secrets/${own}`, { name: "DB_2" });
  assert.deepEqual([counts(renamed), renamed.changes.length], [[2, 6, 2], 4]);
  const expired = { expiresAt: "2020-01-01T00:00:00Z", onExpiry: "close" };
  assert.deepEqual(counts(await effect("PUT", `/api/secrets/${own}`, expired)), [2, 6, 2]);
  const entry = { value: "of c", scope: "key", keyId: "staging/c" };
  assert.deepEqual(counts(await effect("PUT", "/api/secrets/by-name/DB", entry)), [2, 6, 2]);
  assert.deepEqual(counts(await effect("DELETE", "/api/secrets/by-name/DB?scope=key&keyId=staging%2Fa")), [2, 6, 2]);

  const refusals: [string, string, unknown, number][] = [
    ["POST", "/api/secrets", { ...group, scope: "global", groupId: undefined }, 409],
    ["POST", "/api/secrets", { ...group, groupId: 999 }, 404],
    ["PUT", `/api/secrets/${wide}`, {}, 400],
    ["DELETE", "/api/secrets/999", undefined, 404],
  ];
  for (const [method, path, body, status] of refusals) {
    assert.equal((await api(method, `${path}?dryRun=true`, body)).status, status, `${method} ${path}`);
  }
  const stale = await api("DELETE", `/api/secrets/${own}?dryRun=true`, undefined, { "If-Match": '"other"' });
  assert.equal(stale.status, 412);
  assert.equal((await api("DELETE", `/api/secrets/${own}?dryRun=yes`)).status, 400);
  assert.equal(JSON.stringify((await api("GET", "/api/secrets?includeValues=true")).body), before);
  assert.equal((await api("GET", "/api/secrets/deleted")).body.secrets.length, 0);
  const { entries } = (await api("GET", "/api/audit?limit=1000")).body;
  const actions = entries.map(({ action }: { action: string }) => action);
  assert.ok(!actions.includes("secret.updated") && !actions.includes("secret.deleted"));
});

Deno.test("the pages say whose answers change before a value is saved or deleted", async () => {
  await using server = await startApp();
  const { wide, own } = await filled(server);
  const visitor = await setUp(server);
  assert.match(
    (await visitor.get(`/web/secrets/${own}/delete`)).text,
    /2 of 6 callers of 2 functions get another answer/,
  );
  const typed = { name: "DB", value: "typed-value", comment: "", onExpiry: "warn" };
  const edited = await visitor.post(`/web/secrets/${wide}/edit/effect`, typed);
  assert.equal(edited.status, 200);
  assert.match(edited.text, /5 of 7 callers of 3 functions get another answer\./);
  assert.match(edited.text, /typed-value/);
  const added = await visitor.post("/web/secrets/new/effect", { ...typed, name: "NEW", scope: "global" });
  assert.match(added.text, /7 of 7 callers of 3 functions get another answer\./);
  const taken = await visitor.post("/web/secrets/new/effect", { ...typed, scope: "global" });
  assert.equal(taken.status, 409);
  const { secrets } = (await server.api("GET", "/api/secrets?includeValues=true")).body;
  assert.deepEqual(secrets.map(({ value }: { value: string }) => value), ["global", "of a"]);
});

Deno.test("resolve answers for an earlier time, as far as versions and the bin reach", async () => {
  await using server = await startApp();
  const { api } = server;
  const { wide, own, keys, functions: [functionId] } = await filled(server);
  const moments: string[] = [];
  const mark = () => moments.push(new Date().toISOString());
  /** Waits until the clock has moved, so that each change has a time of its own. */
  const tick = async () => {
    for (const from = Date.now(); Date.now() <= from + 1;) await Promise.resolve();
  };
  await tick();
  mark();
  await tick();
  await api("PUT", `/api/secrets/${own}`, { value: "of a, again" });
  await tick();
  mark();
  await tick();
  await api("DELETE", `/api/secrets/${own}`);
  await tick();
  mark();
  const at = async (
    moment: string,
    more = "",
  ) => (await api("GET", `/api/secrets/resolve?functionId=${functionId}&keyId=${keys[0]}&at=${moment}${more}`));
  const winners = [];
  for (const moment of moments) {
    const { secrets } = (await at(moment)).body;
    winners.push([
      secrets[0].winner.id,
      secrets[0].winner.version,
      secrets[0].winner.certain,
      secrets[0].shadowed.length,
    ]);
  }
  assert.deepEqual(winners, [[own, 1, true, 1], [own, 2, true, 1], [wide, 1, true, 0]]);
  await api("POST", `/api/secrets/deleted/${own}/restore`);
  const { secrets: [{ winner }] } = (await at(moments[1]!)).body;
  assert.deepEqual([winner.id, winner.version, winner.certain], [own, null, false], "it was deleted in between");
  const before = (await at(new Date(Date.now() - 86_400_000).toISOString())).body;
  assert.deepEqual(before.secrets, [], "there was none a day ago");
  for (const bad of [new Date(Date.now() + 60_000).toISOString(), "2020-01-01T00:00:00Z", "yesterday"]) {
    const refused = await at(bad);
    assert.deepEqual([refused.status, Object.keys(refused.body.details)], [400, ["at"]], bad);
  }
  assert.equal((await at(moments[0]!, "&includeValues=true")).status, 400);
  const plain = await api("GET", `/api/secrets/resolve?functionId=${functionId}&keyId=${keys[0]}`);
  assert.equal("version" in plain.body.secrets[0].winner, false);
});
