// The ETag of every resource changes with each change of what its GET shows.

import assert from "node:assert/strict";
import { startApp } from "./app.ts";
import { createGroup, createKey, createSecret, deploy, save } from "./handlers.ts";
import type { Server } from "./server.ts";

type Change = readonly [method: string, path: string, body?: unknown];

interface Resource {
  /** As the OpenAPI document has it. */
  readonly template: string;
  readonly path: string;
  /** Each of them changes what the resource shows, also if it is a change of another resource. */
  readonly changes: readonly Change[];
}

/** Creates one of each kind of resource. One long list of them. */
async function resources(server: Server): Promise<Resource[]> {
  const { api } = server;
  const groupId = await createGroup(server, "staging");
  const { id: keyId } = await createKey(server, groupId, "acme");
  const code = "export default (c) => c.text('hello');";
  const functionId = await deploy(server, "hello", code, { keys: [groupId] });
  const secretId = await createSecret(server, "OWN", "first", { scope: "group", groupId });
  const versionsId = await createSecret(server, "VERSIONS", "first");
  const emptyGroup = await createGroup(server, "empty");
  const deletedId = await createSecret(server, "DELETED", "first", { scope: "group", groupId: emptyGroup });
  await api("DELETE", `/api/secrets/${deletedId}`);
  await save(server, "note.txt", "first");
  for (const text of ["old", "older"]) await save(server, "old.txt", text);
  const { body: { webhook } } = await api("POST", "/api/webhooks", {
    url: "https://a.example/",
    events: ["key.unused"],
  });
  const mailServer = { host: "smtp.example.com", from: "crude@example.com" };
  await api("PUT", "/api/mail-server", mailServer);
  const { body: { recipients } } = await api("POST", "/api/mail-recipients", {
    addresses: ["ops@example.com"],
    events: ["key.unused"],
  });
  const { body: { deployment } } = await api("POST", "/api/deployments", { files: {} });
  const { body: { versions: [, { id: codeVersion }] } } = await api("GET", "/api/versions?path=old.txt");
  const [fn, group, key, secret] = [
    `/api/functions/${functionId}`,
    `/api/key-groups/${groupId}`,
    `/api/keys/${keyId}`,
    `/api/secrets/${secretId}`,
  ];
  const versions = `/api/secrets/${versionsId}/versions`;
  const renameGroup = (name: string): Change => ["PUT", group, { name }];
  const functionChanges: Change[] = [
    ["PUT", fn, { description: "other" }],
    ["PUT", fn, { timeoutMs: 5_000, memoryMb: 64 }],
    ["PUT", fn, { permissions: { net: ["api.example.com:443"] }, secrets: ["A"], files: ["a/**"] }],
    ["PUT", fn, { trial: { secrets: ["B"] } }],
    ["PUT", fn, { cors: { origins: ["*"] } }],
    ["PUT", `${fn}/disable`],
    renameGroup("renamed"),
    ["PUT", fn, { keys: [] }],
    ["PUT", fn, { keys: [groupId] }],
  ];
  const secretChanges: Change[] = [
    ["PUT", secret, { value: "second" }],
    ["PUT", secret, { comment: "other" }],
    ["PUT", secret, { expiresAt: "2099-01-01T00:00:00Z", onExpiry: "close" }],
    ["PUT", secret, { canary: true, expand: true }],
    ["PUT", secret, { value: "a longer value", expand: false, sealed: true, hosts: ["a.example"] }],
    ["PUT", secret, { value: "a longer value", hosts: ["b.example"], in: ["query"] }],
    renameGroup("renamed"),
    ["POST", `${secret}/versions/1/restore`],
  ];
  return [
    { template: "/api/functions/{id}", path: fn, changes: functionChanges },
    { template: "/api/functions/by-name/{name}", path: "/api/functions/by-name/hello", changes: functionChanges },
    {
      template: "/api/key-groups/{id}",
      path: group,
      changes: [["PUT", group, { description: "x" }], renameGroup("x")],
    },
    {
      template: "/api/key-groups/by-name/{name}",
      path: "/api/key-groups/by-name/staging",
      changes: [["PUT", group, { description: "x" }]],
    },
    {
      template: "/api/keys/{id}",
      path: key,
      changes: [
        ["PUT", key, { name: "x", description: "x" }],
        renameGroup("x"),
        ["POST", `${key}/roll`, { graceSeconds: 60 }],
        ["DELETE", `${key}/previous-value`],
      ],
    },
    { template: "/api/secrets/{id}", path: secret, changes: secretChanges },
    {
      template: "/api/secrets/by-name/{name}",
      path: `/api/secrets/by-name/OWN?groupId=${groupId}`,
      changes: secretChanges,
    },
    {
      template: "/api/secrets/{id}/versions",
      path: versions,
      changes: [
        ["PUT", `/api/secrets/${versionsId}`, { value: "second" }],
        ["PUT", `/api/secrets/${versionsId}`, { value: "a third value", keepPrevious: "24h" }],
        ["PUT", `/api/secrets/${versionsId}`, {
          ...{ value: "a third value", sealed: true, hosts: ["a.example"], in: ["body"] },
        }],
        ["DELETE", `${versions}/1`],
        ["POST", `${versions}/2/restore`],
        ["DELETE", `${versions}/3`],
      ],
    },
    {
      template: "/api/secrets/deleted/{id}",
      path: `/api/secrets/deleted/${deletedId}`,
      changes: [["DELETE", `/api/key-groups/${emptyGroup}`]],
    },
    {
      template: "/api/files/{path}",
      path: "/api/files/note.txt",
      changes: [["PUT", "/api/files/note.txt", "second"]],
    },
    {
      template: "/api/versions/{id}",
      path: `/api/versions/${codeVersion}`,
      // What differs is no longer known then.
      changes: [["DELETE", `/api/versions/${codeVersion}/files/old.txt`]],
    },
    // These never change.
    { template: "/api/versions/{id}/files/{path}", path: `/api/versions/${codeVersion}/files/old.txt`, changes: [] },
    { template: "/api/deployments/{id}", path: `/api/deployments/${deployment.id}`, changes: [] },
    { template: "/crude.schema.json", path: "/crude.schema.json", changes: [] },
    {
      template: "/api/webhooks/{id}",
      path: `/api/webhooks/${webhook.id}`,
      changes: [
        ["PUT", `/api/webhooks/${webhook.id}`, { events: ["secret.due"] }],
        ["PUT", `/api/webhooks/${webhook.id}`, { url: "https://b.example/" }],
      ],
    },
    {
      template: "/api/mail-server",
      path: "/api/mail-server",
      changes: [
        ["PUT", "/api/mail-server", { ...mailServer, port: 2525 }],
        ["PUT", "/api/mail-server", { ...mailServer, user: "crude", password: "a password" }],
      ],
    },
    {
      template: "/api/mail-recipients/{id}",
      path: `/api/mail-recipients/${recipients.id}`,
      changes: [
        ["PUT", `/api/mail-recipients/${recipients.id}`, { events: ["secret.due"] }],
        ["PUT", `/api/mail-recipients/${recipients.id}`, { addresses: ["other@example.com"] }],
      ],
    },
    {
      template: "/api/settings",
      path: "/api/settings",
      changes: [
        ["PUT", "/api/settings", { settings: { "log.level": "error" } }],
        ["PUT", "/api/settings", { settings: { "sandbox.memory-mb": 99, "webhooks.http-hosts": ["10.0.0.1"] } }],
      ],
    },
    {
      template: "/api/encryption-keys/rotation",
      path: "/api/encryption-keys/rotation",
      changes: [
        ["POST", "/api/encryption-keys/rotation"],
        ["PUT", "/api/settings", { settings: { "encryption.key-rotation.interval-days": 7 } }],
      ],
    },
    {
      template: "/api/git-source",
      path: "/api/git-source",
      changes: [
        ["PUT", "/api/git-source", { url: "https://git.example/a.git", ref: { branch: "main" } }],
        ["PUT", "/api/git-source", { url: "https://git.example/a.git", ref: { branch: "other" } }],
        ["DELETE", "/api/git-source"],
      ],
    },
  ];
}

async function read(server: Server, path: string): Promise<{ etag: string; shown: string }> {
  const { status, headers, body } = await server.api("GET", path);
  assert.equal(status, 200, `${path}: ${JSON.stringify(body)}`);
  assert.match(headers.get("etag") ?? "", /^"[\w+/=-]{20,}"$/, path);
  return { etag: headers.get("etag")!, shown: JSON.stringify(body) };
}

Deno.test("every resource's ETag changes with each change of what its GET shows", async () => {
  await using first = await startApp();
  const { body: document } = await first.api("GET", "/api/openapi.json");
  // deno-lint-ignore no-explicit-any
  const tagged = Object.entries<any>(document.paths)
    .filter(([, { get }]) => get?.responses[200]?.headers?.ETag).map(([path]) => path);
  const known = (await resources(first)).map(({ template }) => template);
  assert.deepEqual(tagged.filter((path) => !known.includes(path)), [], "not in the list of this test");
  for (const [n, { template }] of known.map((template) => ({ template })).entries()) {
    await using server = await startApp();
    const { path, changes } = (await resources(server))[n]!;
    let before = await read(server, path);
    for (const [method, changed, body] of changes) {
      const about = `${template}: ${method} ${changed} ${JSON.stringify(body)}`;
      const { status, body: answer } = await server.api(method, changed, body);
      assert.ok(status === 200 || status === 201, `${about}: ${JSON.stringify(answer)}`);
      const after = await read(server, path);
      assert.notEqual(after.shown, before.shown, `${about} shows`);
      assert.notEqual(after.etag, before.etag, about);
      before = after;
    }
    assert.equal((await read(server, path)).etag, before.etag, "without a change, it stays");
  }
});

Deno.test("the versions of a secret and an entry of the bin take If-Match", async () => {
  await using server = await startApp();
  const { api } = server;
  const id = await createSecret(server, "DB", "one");
  for (const value of ["two", "three"]) await api("PUT", `/api/secrets/${id}`, { value });
  const path = `/api/secrets/${id}/versions`;
  const before = await read(server, path);
  const secret = await read(server, `/api/secrets/${id}`);
  const status = async (method: string, path: string, etag: string) =>
    (await api(method, path, undefined, { "If-Match": etag })).status;
  assert.equal(await status("DELETE", `${path}/1`, before.etag), 200);
  assert.equal(await status("POST", `${path}/2/restore`, before.etag), 412, "the versions changed");
  assert.equal((await read(server, `/api/secrets/${id}`)).etag, secret.etag, "the secret did not");
  assert.equal(await status("POST", `${path}/2/restore`, secret.etag), 200);
  assert.equal(await status("POST", `${path}/3/restore`, (await read(server, path)).etag), 200);

  await api("DELETE", `/api/secrets/${id}`);
  const deleted = `/api/secrets/deleted/${id}`;
  const { etag, shown } = await read(server, deleted);
  const { secrets } = (await api("GET", "/api/secrets/deleted")).body;
  assert.deepEqual(secrets, [JSON.parse(shown)]);
  assert.equal(await status("POST", `${deleted}/restore`, '"stale"'), 412);
  assert.equal(await status("DELETE", deleted, secret.etag), 412);
  assert.equal(await status("POST", `${deleted}/restore`, etag), 200);
  await api("DELETE", `/api/secrets/${id}`);
  assert.equal(await status("DELETE", deleted, (await read(server, deleted)).etag), 200);
  assert.equal((await api("GET", deleted)).status, 404);
});

Deno.test("a webhook changes and is deleted at its current version only", async () => {
  await using server = await startApp();
  const { api } = server;
  const made = await api("POST", "/api/webhooks", { url: "https://a.example/", events: ["key.unused"] });
  const path = `/api/webhooks/${made.body.webhook.id}`;
  const { etag } = await read(server, path);
  assert.equal(made.headers.get("etag"), etag);
  const change = { events: ["secret.due"] };
  const send = (method: string, etag: string, body?: unknown) => api(method, path, body, { "If-Match": etag });
  assert.equal((await send("PUT", '"stale"', change)).status, 412);
  assert.equal((await read(server, path)).etag, etag);
  const changed = await send("PUT", etag, change);
  assert.equal(changed.status, 200);
  assert.equal(changed.headers.get("etag"), (await read(server, path)).etag);
  for (const [method, body] of [["PUT", change], ["DELETE", undefined]] as const) {
    const { status, body: { code, error } } = await send(method, etag, body);
    assert.deepEqual([status, code], [412, "PreconditionFailed"]);
    assert.match(error, /The webhook \d+ changed since the version that you have/);
  }
  assert.equal((await send("DELETE", changed.headers.get("etag")!)).status, 200);
});
