// What an API key, a function or an actor has read, from the counts of reads and the audit.

import assert from "node:assert/strict";
import { createGroup, createKey, createSecret, deploy, run } from "./handlers.ts";
import { startApp } from "./app.ts";
import { setUp } from "./admin.ts";

const READER = `export default async (c, ctx) => {
  for (const name of (c.req.query("names") ?? "").split(",")) await ctx.getSecret(name);
  return c.text("");
};`;

interface Exposed {
  name: string;
  reads: number;
  sealedUses: number;
  rotatedSince: boolean;
  deleted: boolean;
}

Deno.test("exposure lists what a key, a function and an actor read, and what was replaced since", async () => {
  await using server = await startApp();
  const { api } = server;
  const groupId = await createGroup(server, "staging");
  const [a, b] = [await createKey(server, groupId, "a"), await createKey(server, groupId, "b")];
  const first = await deploy(server, "first", READER, { keys: [groupId] });
  await deploy(server, "second", READER, { keys: [groupId] });
  const ids: number[] = [];
  for (const name of ["ONE", "TWO", "THREE", "FOUR"]) ids.push(await createSecret(server, name, `value of ${name}`));
  const sealed = { name: "SEALED", value: "a sealed value", scope: "global", sealed: true, hosts: ["api.example.com"] };
  assert.equal((await api("POST", "/api/secrets", sealed)).status, 201);
  await run(server, "/first?names=ONE,TWO,SEALED", a.value);
  await run(server, "/first?names=ONE", a.value);
  await run(server, "/second?names=THREE", b.value);
  const exposed = async (query: string): Promise<Exposed[]> => {
    const { status, body } = await api("GET", `/api/secrets/exposure?${query}`);
    assert.equal(status, 200, JSON.stringify(body));
    return body.values;
  };
  const counts = async (query: string) =>
    (await exposed(query)).map(({ name, reads, sealedUses }) => `${name} ${reads} ${sealedUses}`).sort();
  assert.deepEqual(await counts("keyId=staging%2Fa"), ["ONE 2 0", "SEALED 0 1", "TWO 1 0"]);
  assert.deepEqual(await counts(`keyId=${b.id}`), ["THREE 1 0"]);
  assert.deepEqual(await counts("functionId=first"), ["ONE 2 0", "SEALED 0 1", "TWO 1 0"]);
  assert.deepEqual(await counts(""), ["ONE 2 0", "SEALED 0 1", "THREE 1 0", "TWO 1 0"]);

  // What was shown or exported counts for those who saw it.
  const visitor = await setUp(server);
  await visitor.post(`/web/secrets/${ids[3]}/reveal`, {});
  assert.deepEqual(await counts("actor=ada@example.com"), ["FOUR 1 0"]);
  await api("GET", "/api/secrets?includeValues=true");
  assert.equal((await counts("actor=bootstrap")).length, 4, "all but the sealed one");
  assert.equal((await counts("keyId=management%2Fbootstrap")).length, 4);
  assert.deepEqual(await counts("functionId=second"), ["THREE 1 0"], "nobody's views");

  await api("PUT", `/api/secrets/${ids[0]}`, { value: "another" });
  await api("PUT", `/api/secrets/${ids[1]}`, { comment: "not another" });
  await api("DELETE", `/api/secrets/${ids[2]}`);
  const states = Object.fromEntries((await exposed("")).map(({ name, rotatedSince, deleted }) => [
    name,
    `${rotatedSince} ${deleted}`,
  ]));
  const expected = { ONE: "true false", TWO: "false false", THREE: "false true", FOUR: "false false" };
  assert.deepEqual(states, { ...expected, SEALED: "false false" });

  // A value counts as replaced while none that was read is the current one again, restored or typed.
  const rotated = async (name: string) => (await exposed("")).find((value) => value.name === name)!.rotatedSince;
  const change = (n: number, method: string, path: string, body?: unknown) =>
    api(method, `/api/secrets/${ids[n]}${path}`, body);
  const replaced = [];
  for (const body of [{ value: "a third" }, { value: "value of ONE" }, { value: "a fourth" }]) {
    assert.equal((await change(0, "PUT", "", body)).status, 200);
    replaced.push(await rotated("ONE"));
  }
  assert.equal((await change(0, "POST", "/versions/1/restore")).status, 200);
  replaced.push(await rotated("ONE"));
  assert.equal((await change(0, "PUT", "", { value: "a fifth" })).status, 200);
  replaced.push(await rotated("ONE"));
  assert.deepEqual(replaced, [true, false, true, false, true]);

  // A revoked key has no name any more, but its id.
  await api("DELETE", `/api/keys/${a.id}`);
  assert.deepEqual(await counts(`keyId=${a.id}`), ["ONE 2 0", "SEALED 0 1", "TWO 1 0"]);
  const future = new Date(Date.now() + 3_600_000).toISOString();
  assert.deepEqual(await counts(`from=${future}`), []);
  assert.deepEqual(await counts("to=2020-01-01T00:00:00Z"), []);
  for (const [query, field] of [["keyId=1&actor=x", "actor"], ["from=soon", "from"], ["functionId=", "functionId"]]) {
    const refused = await api("GET", `/api/secrets/exposure?${query}`);
    assert.deepEqual([refused.status, Object.keys(refused.body.details)], [400, [field]], query);
  }
  assert.equal((await api("GET", "/api/secrets/exposure?functionId=nowhere")).status, 404);
  assert.doesNotMatch(JSON.stringify(await exposed("")), /value/);

  const page = (await visitor.get(`/web/secrets/exposure?functionId=${first}`)).text;
  assert.match(page, /3 values, of which 1 was read and not replaced\s+since/);
  assert.match(page, /Download this report[\s\S]*Replaced since/);
  assert.equal((await visitor.get("/web/secrets/exposure")).status, 200);
  assert.equal((await visitor.get("/web/secrets/exposure?functionId=nowhere")).status, 400);
});
