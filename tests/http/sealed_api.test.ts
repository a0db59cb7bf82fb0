// Sealed secrets through the API, the pages and files: they are set, changed by their rules, and never shown.

import assert from "node:assert/strict";
import { setUp } from "./admin.ts";
import { startApp } from "./app.ts";
import { createGroup, createKey } from "./handlers.ts";
import type { Server } from "./server.ts";

const VALUE = "sk_live_51Habcdefghijklmnop";
const SEALED = { name: "KEY", value: VALUE, scope: "global", sealed: true, hosts: ["API.example.com"] };

async function refused(server: Server, method: string, path: string, body: object, field: string): Promise<void> {
  const answer = await server.api(method, path, body);
  assert.equal(answer.status, 400, JSON.stringify(answer.body));
  assert.ok(field in answer.body.details, JSON.stringify(answer.body));
}

Deno.test("a sealed secret is created, changed by its rules, and its value is in no answer", async () => {
  await using server = await startApp();
  await refused(server, "POST", "/api/secrets", { ...SEALED, hosts: undefined }, "hosts");
  await refused(server, "POST", "/api/secrets", { ...SEALED, hosts: ["*"] }, "hosts.0");
  await refused(server, "POST", "/api/secrets", { ...SEALED, value: "1234567" }, "value");
  await refused(server, "POST", "/api/secrets", { ...SEALED, sealed: false }, "hosts");
  await refused(server, "POST", "/api/secrets", { ...SEALED, in: ["cookie"] }, "in.0");
  assert.equal((await server.api("POST", "/api/secrets", SEALED)).status, 201);
  const path = "/api/secrets/1";
  const stored = async () => (await server.api("GET", `${path}?includeValues=true`)).body;
  const { sealed, hosts, in: places, value, decryptionError } = await stored();
  assert.deepEqual([sealed, hosts, places, value, decryptionError], [
    true,
    ["api.example.com"],
    ["header"],
    null,
    null,
  ]);

  await refused(server, "PUT", path, { sealed: false }, "value");
  await refused(server, "PUT", path, { hosts: ["api.example.com", "b.example.com"] }, "value");
  await refused(server, "PUT", path, { in: ["header", "body"] }, "value");
  await refused(server, "PUT", path, { name: "OTHER" }, "value");
  await refused(server, "PUT", path, { value: "short" }, "value");
  assert.equal((await server.api("PUT", path, { comment: "kept" })).status, 200);
  const more = { value: VALUE, hosts: ["api.example.com", "b.example.com"], in: ["header", "body"] };
  assert.equal((await server.api("PUT", path, more)).status, 200);
  assert.equal((await server.api("PUT", path, { hosts: ["b.example.com"], in: ["body"] })).status, 200);
  const narrowed = await stored();
  assert.deepEqual([narrowed.hosts, narrowed.in, narrowed.value], [["b.example.com"], ["body"], null]);
  // What was taken back needs the value, too.
  await refused(server, "PUT", path, { hosts: ["api.example.com", "b.example.com"] }, "value");

  const entry = { value: `${VALUE}2`, scope: "global" };
  assert.equal((await server.api("PUT", "/api/secrets/by-name/KEY", entry)).status, 200);
  const replaced = await stored();
  assert.deepEqual([replaced.sealed, replaced.hosts, replaced.value], [true, ["b.example.com"], null]);
  assert.equal((await server.api("PUT", "/api/secrets/by-name/KEY", { ...entry, sealed: false })).status, 200);
  assert.equal((await stored()).value, `${VALUE}2`);
  assert.equal((await server.api("PUT", path, { sealed: true, hosts: ["c.example.com"] })).status, 200);
  assert.equal((await stored()).value, null);

  // Earlier sealed values could be restored under the new name.
  await refused(server, "PUT", path, { name: "OTHER", value: `${VALUE}2` }, "name");
  await refused(server, "PUT", path, { name: "OTHER", value: `${VALUE}3` }, "name");
  const { versions } = (await server.api("GET", `${path}/versions`)).body;
  for (const { version, sealed, current } of versions) {
    if (sealed && !current) assert.ok((await server.api("DELETE", `${path}/versions/${version}`)).status < 300);
  }
  await refused(server, "PUT", path, { name: "OTHER", value: `${VALUE}3` }, "name");
  assert.equal((await server.api("PUT", path, { name: "OTHER", value: `${VALUE}2` })).status, 200);
  assert.equal((await server.api("PUT", path, { name: "KEY", value: `${VALUE}2` })).status, 200);

  const { body } = await server.api("GET", "/api/audit?limit=100");
  assert.ok(!JSON.stringify(body).includes(VALUE));
  // Of all these requests, one showed the value: while it was not sealed.
  assert.equal(body.entries.filter(({ action }: { action: string }) => action === "secret.revealed").length, 1);
});

Deno.test("a seal goes along with copies, versions and the bin, and never to a wider scope", async () => {
  await using server = await startApp();
  const groupId = await createGroup(server, "team");
  const { id: keyId } = await createKey(server, groupId, "one");
  const created = await server.api("POST", "/api/secrets", { ...SEALED, scope: "group", groupId });
  const path = `/api/secrets/${created.body.id}`;
  await refused(server, "POST", `${path}/copy`, { scope: "global" }, "scope");
  await refused(server, "POST", `${path}/copy`, { scope: "global", move: true }, "scope");
  const copy = await server.api("POST", `${path}/copy`, { scope: "key", keyId });
  assert.equal(copy.status, 201, JSON.stringify(copy.body));
  const shown = async (id: number) => (await server.api("GET", `/api/secrets/${id}?includeValues=true`)).body;
  assert.deepEqual([(await shown(copy.body.id)).hosts, (await shown(copy.body.id)).value], [["api.example.com"], null]);

  await server.api("PUT", path, { value: "another value", sealed: false });
  assert.equal((await shown(created.body.id)).value, "another value");
  assert.equal((await server.api("POST", `${path}/versions/1/restore`, {})).status, 200);
  assert.deepEqual([(await shown(created.body.id)).sealed, (await shown(created.body.id)).value], [true, null]);

  await server.api("DELETE", path);
  await refused(server, "POST", `/api/secrets/deleted/${created.body.id}/restore`, { scope: "global" }, "scope");
  assert.equal((await server.api("POST", `/api/secrets/deleted/${created.body.id}/restore`, {})).status, 200);
  assert.deepEqual([(await shown(created.body.id)).sealed, (await shown(created.body.id)).value], [true, null]);

  // Its earlier versions would come along, and one of them is sealed.
  await server.api("PUT", path, { value: "another value", sealed: false });
  await server.api("DELETE", path);
  await refused(server, "POST", `/api/secrets/deleted/${created.body.id}/restore`, { scope: "global" }, "scope");
  assert.equal((await server.api("POST", `/api/secrets/deleted/${created.body.id}/restore`, {})).status, 200);
});

Deno.test("restoring a sealed version ends the references of the value that it replaces", async () => {
  await using server = await startApp();
  const { body: { id } } = await server.api("POST", "/api/secrets", SEALED);
  const path = `/api/secrets/${id}`;
  const plain = { value: "of ${OTHER}", sealed: false, expand: true };
  assert.equal((await server.api("PUT", path, plain)).status, 200);
  assert.equal((await server.api("POST", `${path}/versions/1/restore`)).status, 200);
  const { body: { sealed, expand } } = await server.api("GET", path);
  assert.deepEqual([sealed, expand], [true, false]);
  assert.equal((await server.api("PUT", path, { comment: "changed" })).status, 200);
  const { body } = await server.api("GET", "/api/audit?action=secret.restored");
  const [{ before, after }] = body.entries;
  assert.deepEqual([before, after], [{ version: 2, expand: true }, { version: 3, from: 1, expand: false }]);
  const unknown = await server.api("POST", `${path}/versions/9/restore`);
  assert.deepEqual([unknown.status, unknown.body.error], [404, `There is no version 9 of secret ${id}.`]);
});

Deno.test("an export leaves sealed values out and names them, and an import keeps their seals", async () => {
  await using server = await startApp();
  await server.api("POST", "/api/secrets", SEALED);
  await server.api("POST", "/api/secrets", { name: "PLAIN", value: "plain", scope: "global" });
  const file = await server.api("GET", "/api/secrets/export?scope=global");
  assert.match(file.body, /^# Not exported: KEY\. It is sealed/);
  assert.match(file.body, /^PLAIN=plain$/m);
  assert.equal(file.headers.get("x-unreadable-secrets"), "KEY");
  const json = await server.api("GET", "/api/secrets/export?scope=global&format=json");
  assert.deepEqual(json.body, { PLAIN: "plain" });
  const request = (value: string) => ({ format: "env", content: `KEY=${value}\n`, scope: "global" });
  const short = await server.api("POST", "/api/secrets/import", request("1234567"));
  assert.match(short.body.details["line 1"], /which is sealed, to a value of less than 8 bytes/);
  const preview = await server.api("POST", "/api/secrets/import", { ...request("1234567"), dryRun: true });
  assert.deepEqual(preview.body.counts, { new: 0, changed: 0, same: 0, invalid: 1 });
  assert.equal((await server.api("POST", "/api/secrets/import", request("a-new-value-of-it"))).status, 200);
  const { body } = await server.api("GET", "/api/secrets/1?includeValues=true");
  assert.deepEqual([body.sealed, body.hosts, body.value], [true, ["api.example.com"], null]);
});

Deno.test("the pages set seals, keep their rules, and show no sealed value", async () => {
  await using server = await startApp();
  const admin = await setUp(server);
  const form = {
    name: "KEY",
    value: VALUE,
    scope: "global",
    comment: "",
    sealed: "yes",
    hosts: "api.example.com\n",
    inHeader: "yes",
  };
  const wrong = await admin.post("/web/secrets/new", { ...form, hosts: "*" });
  assert.equal(wrong.status, 400);
  assert.match(wrong.text, /must be a host such as/);
  assert.equal((await admin.post("/web/secrets/new", form)).status, 303);
  const list = await admin.get("/web/secrets/names/KEY");
  assert.match(list.text, /Sealed<\/.*api\.example\.com/s);
  assert.ok(!list.text.includes("/reveal"));
  const edit = await admin.get("/web/secrets/1/edit");
  assert.match(edit.text, /name="sealed" value="yes" checked/);
  assert.ok(!edit.text.includes("/reveal"));
  for (const path of ["reveal", "copy", "edit/reveal"]) {
    const answer = await admin.post(`/web/secrets/1/${path}`, { name: "KEY", comment: "" });
    assert.ok(!answer.text.includes(VALUE), path);
  }
  const { sealed: _, ...unsealed } = { ...form, value: "", hosts: "" };
  const refusedForm = await admin.post("/web/secrets/1/edit", unsealed);
  assert.equal(refusedForm.status, 400);
  assert.match(refusedForm.text, /must be given again to unseal it/);
});
