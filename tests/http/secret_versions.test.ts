// Versions of secrets and the bin: what is kept, restored and purged, and that no function reads any of it.

import assert from "node:assert/strict";
import { createGroup, createKey, createSecret, deploy, run, set } from "./handlers.ts";
import { startApp } from "./app.ts";
import type { Server } from "./server.ts";

interface Version {
  version: number;
  current: boolean;
  until: string | null;
  setBy: { kind: string; name: string } | null;
}

const ECHO = `export default async (c, ctx) => c.json({ value: await ctx.getSecret("DB") ?? null });`;

async function versionsOf({ api }: Server, id: number): Promise<Version[]> {
  const { status, body } = await api("GET", `/api/secrets/${id}/versions`);
  assert.equal(status, 200);
  return body.versions;
}

async function valueOf({ api }: Server, id: number): Promise<string> {
  return (await api("GET", `/api/secrets/${id}?includeValues=true`)).body.value;
}

Deno.test("each value that is set is a version, a value that is the same or a comment is none, and restoring makes one", async () => {
  await using server = await startApp();
  const { api } = server;
  const id = await createSecret(server, "DB", "one");
  const change = (body: unknown) => api("PUT", `/api/secrets/${id}`, body);
  for (const body of [{ value: "two" }, { value: "two" }, { comment: "note" }, { value: "three", comment: "note" }]) {
    assert.equal((await change(body)).status, 200);
  }
  const replaced = await api("PUT", "/api/secrets/by-name/DB", { value: "three", scope: "global", comment: "note" });
  assert.equal(replaced.status, 200);
  const versions = await versionsOf(server, id);
  assert.deepEqual(versions.map(({ version, current, until }) => [version, current, until === null]), [
    [3, true, true],
    [2, false, false],
    [1, false, false],
  ]);
  for (const { setBy } of versions) assert.deepEqual([setBy!.kind, setBy!.name], ["key", "management/bootstrap"]);
  assert.doesNotMatch(JSON.stringify(versions), /"(one|two|three)"/);

  const restored = await api("POST", `/api/secrets/${id}/versions/1/restore`);
  assert.deepEqual([restored.status, restored.body], [200, { version: 4 }]);
  assert.equal(await valueOf(server, id), "one");
  // A new name does not change what the versions are bound to.
  await change({ name: "DB_2" });
  assert.deepEqual((await api("POST", `/api/secrets/${id}/versions/2/restore`)).body, { version: 5 });
  assert.equal(await valueOf(server, id), "two");
  assert.deepEqual(
    (await api("POST", `/api/secrets/${id}/versions/5/restore`)).body,
    { version: 5 },
    "the current one",
  );
  assert.deepEqual((await api("POST", `/api/secrets/${id}/versions/2/restore`)).body, { version: 5 }, "the same value");

  const { entries } = (await api("GET", `/api/audit?subject=secret:${id}&action=secret.restored`)).body;
  assert.deepEqual(entries.map(({ before, after }: Record<string, unknown>) => [before, after]).slice(-2), [
    [{ version: 4 }, { version: 5, from: 2 }],
    [{ version: 3 }, { version: 4, from: 1 }],
  ]);
});

Deno.test("an earlier version can be purged, the current one cannot, and only as many as the setting says are kept", async () => {
  await using server = await startApp();
  const { api } = server;
  const id = await createSecret(server, "DB", "value 1");
  for (let n = 2; n <= 12; n++) await api("PUT", `/api/secrets/${id}`, { value: `value ${n}` });
  const numbers = async () => (await versionsOf(server, id)).map(({ version }) => version);
  assert.deepEqual(await numbers(), [12, 11, 10, 9, 8, 7, 6, 5, 4, 3]);
  const path = `/api/secrets/${id}/versions`;
  assert.equal((await api("DELETE", `${path}/7`)).status, 200);
  assert.deepEqual(await numbers(), [12, 11, 10, 9, 8, 6, 5, 4, 3]);
  for (const missing of [7, 2, 13]) {
    assert.equal((await api("DELETE", `${path}/${missing}`)).status, 404);
    assert.equal((await api("POST", `${path}/${missing}/restore`)).status, 404);
  }
  const refused = await api("DELETE", `${path}/12`);
  assert.deepEqual([refused.status, refused.body.code], [409, "Conflict"]);
  assert.equal((await api("GET", "/api/secrets/999/versions")).status, 404);
  assert.equal((await api("GET", `/api/audit?action=secret.purged`)).body.entries.length, 1);

  await set(server, { "secrets.versions-kept": 1 });
  await api("PUT", `/api/secrets/${id}`, { value: "last" });
  assert.deepEqual(await numbers(), [13]);
});

Deno.test("restoring and purging respect If-Match", async () => {
  await using server = await startApp();
  const { api } = server;
  const id = await createSecret(server, "DB", "one");
  await api("PUT", `/api/secrets/${id}`, { value: "two" });
  const listed = await api("GET", `/api/secrets/${id}/versions`);
  const etag = listed.headers.get("etag")!;
  await api("PUT", `/api/secrets/${id}`, { comment: "later" });
  for (const [method, path] of [["POST", "versions/1/restore"], ["DELETE", "versions/1"]] as const) {
    const refused = await api(method, `/api/secrets/${id}/${path}`, undefined, { "If-Match": etag });
    assert.equal(refused.status, 412, path);
  }
  const fresh = (await api("GET", `/api/secrets/${id}`)).headers.get("etag")!;
  const restored = await api("POST", `/api/secrets/${id}/versions/1/restore`, undefined, { "If-Match": fresh });
  assert.equal(restored.status, 200);
  assert.notEqual(restored.headers.get("etag"), fresh);
});

Deno.test("a deleted secret is in the bin with its values, no function reads it, and it comes back as it was", async () => {
  await using server = await startApp();
  const { api } = server;
  const functionId = await deploy(server, "hello", ECHO);
  const wide = await createSecret(server, "DB", "global");
  const id = await createSecret(server, "DB", "first", { scope: "function", functionId });
  await api("PUT", `/api/secrets/${id}`, { value: "second", comment: "note" });
  const read = async () => (await run(server, "/hello")).body.value;
  assert.equal(await read(), "second");

  await api("DELETE", `/api/secrets/${id}`);
  assert.equal(await read(), "global");
  const { secrets, next } = (await api("GET", "/api/secrets/deleted")).body;
  assert.equal(next, null);
  const { deletedAt, purgeAt, createdAt: _, ...rest } = secrets[0];
  assert.deepEqual([secrets.length, rest], [1, {
    ...{ id, name: "DB", comment: "note", scope: "function", scopeId: functionId, scopeName: "hello" },
    ...{ ownerExists: true, version: 2, sealed: false, hosts: [], in: [] },
    deletedBy: { kind: "key", id: "1", name: "management/bootstrap" },
  }]);
  assert.equal(Date.parse(purgeAt) - Date.parse(deletedAt), 30 * 86_400_000);
  assert.equal((await api("GET", `/api/secrets/${id}`)).status, 404);

  const other = await createSecret(server, "DB", "meanwhile", { scope: "function", functionId });
  const taken = await api("POST", `/api/secrets/deleted/${id}/restore`);
  assert.deepEqual([taken.status, taken.body.code], [409, "Conflict"]);
  await api("DELETE", `/api/secrets/${other}`);

  const restored = await api("POST", `/api/secrets/deleted/${id}/restore`);
  assert.deepEqual([restored.status, restored.body], [200, { id, name: "DB", scope: "function" }]);
  assert.equal(await read(), "second");
  assert.deepEqual((await versionsOf(server, id)).map(({ version }) => version), [2, 1]);
  await api("POST", `/api/secrets/${id}/versions/1/restore`);
  assert.equal(await read(), "first");

  assert.deepEqual((await api("DELETE", `/api/secrets/deleted/${other}`)).body, { success: true });
  assert.equal((await api("DELETE", `/api/secrets/deleted/${other}`)).status, 404);
  assert.equal((await api("DELETE", `/api/secrets/deleted/${wide}`)).status, 404, "one that exists is not purged");
  assert.equal((await api("POST", `/api/secrets/deleted/${other}/restore`)).status, 404);
  assert.equal((await api("GET", "/api/secrets/deleted")).body.secrets.length, 0);
  const { entries } = (await api("GET", "/api/audit?limit=3")).body;
  assert.deepEqual(entries.map(({ action }: { action: string }) => action), [
    "secret.purged",
    "secret.restored",
    "secret.restored",
  ]);
});

Deno.test("secrets of a deleted owner are not resolvable, and can be restored to another owner", async () => {
  await using server = await startApp();
  const { api } = server;
  const groupId = await createGroup(server, "staging");
  const key = await createKey(server, groupId, "acme");
  const functionId = await deploy(server, "hello", ECHO, { keys: [groupId] });
  const owners = [{ scope: "function", functionId }, { scope: "group", groupId }, { scope: "key", keyId: key.id }];
  const ids = [];
  for (const [n, owner] of owners.entries()) ids.push(await createSecret(server, "DB", `value ${n}`, owner));
  const removed = [`/api/keys/${key.id}`, `/api/functions/${functionId}`, `/api/key-groups/${groupId}`];
  for (const path of removed) assert.ok((await api("DELETE", path)).status < 300, path);
  assert.equal((await api("GET", "/api/secrets")).body.secrets.length, 0);
  const { secrets } = (await api("GET", "/api/secrets/deleted")).body;
  assert.deepEqual(
    secrets.map((one: Record<string, unknown>) => [one.id, one.scope, one.scopeName, one.ownerExists]),
    [[ids[0], "function", "hello", false], [ids[1], "group", "staging", false], [ids[2], "key", "acme", false]],
  );
  // Owners of the same name have other ids, and get nothing of it.
  const again = await createGroup(server, "staging");
  const sameKey = await createKey(server, again, "acme");
  const sameFunction = await deploy(server, "hello", ECHO, { keys: [again] });
  const read = async () => (await run(server, "/hello", sameKey.value)).body.value;
  assert.equal(await read(), null);

  const gone = await api("POST", `/api/secrets/deleted/${ids[2]}/restore`);
  assert.deepEqual([gone.status, gone.body.code], [409, "OwnerGone"]);
  assert.match(gone.body.error, /API key "acme" of the secret "DB" no longer exists/);
  for (const [body, field] of [[{ groupId: 1 }, "scope"], [{ scope: "group" }, "groupId"]] as const) {
    const refused = await api("POST", `/api/secrets/deleted/${ids[2]}/restore`, body);
    assert.deepEqual([refused.status, Object.keys(refused.body.details)], [400, [field]]);
  }
  const target = { scope: "function", functionId: sameFunction };
  assert.equal((await api("POST", `/api/secrets/deleted/${ids[2]}/restore`, target)).status, 200);
  assert.equal(await read(), "value 2");
});
