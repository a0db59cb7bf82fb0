// The forms of keys, settings and encryption, sent by hand: what no browser would send is refused, or does nothing.

import assert from "node:assert/strict";
import { setUp } from "./admin.ts";
import { type Server, startServer } from "./server.ts";

async function keysOf(server: Server): Promise<string[]> {
  const { body } = await server.api("GET", "/api/keys");
  return body.keys.map(({ name }: { name: string }) => name);
}

Deno.test("pages of keys and groups that do not exist are 404, whatever stands for the id", async () => {
  await using server = await startServer();
  const admin = await setUp(server);
  for (const id of ["99", "0", "-1", "1abc", "01", "1e3", "9".repeat(30), "%00"]) {
    for (const path of [`/web/keys/${id}`, `/web/keys/${id}/revoke`, `/web/keys/groups/${id}`]) {
      assert.equal((await admin.get(path)).status, 404, path);
      assert.equal((await admin.post(path, { name: "x" })).status, 404, path);
    }
  }
});

Deno.test("a key's form refuses what the API refuses, and a key made by it is told to no cache", async () => {
  await using server = await startServer();
  const admin = await setUp(server);
  const bad: Record<string, string>[] = [
    {},
    { groupId: "1" },
    { groupId: "99", name: "x" },
    { groupId: "1abc", name: "x" },
    { groupId: "new", name: "x" },
    { groupId: "new", group: "UPPER", name: "x" },
    { groupId: "1", name: " x" },
    { groupId: "1", name: "x", value: "sixteen chars but with ü" },
    { groupId: "1", name: "x".repeat(256) },
    { groupId: "1", name: "bootstrap" },
  ];
  for (const fields of bad) {
    const { status, text } = await admin.post("/web/keys/new", fields);
    assert.equal(status, 400, JSON.stringify(fields));
    assert.match(text, /role="alert"/);
  }
  assert.deepEqual(await keysOf(server), ["bootstrap"]);
  assert.equal((await admin.post("/web/keys/new", { name: "x".repeat(2_000_000) })).status, 413);

  const made = await admin.post("/web/keys/new?functionId=99", { groupId: "1", name: "<b>x</b>", letIn: "yes" });
  assert.equal(made.status, 200);
  assert.equal(made.headers.get("cache-control"), "no-store");
  assert.ok(!made.text.includes("<b>x</b>"));
  assert.deepEqual(await keysOf(server), ["bootstrap", "<b>x</b>"]);
});

Deno.test("the management group stays, however it is asked for", async () => {
  await using server = await startServer();
  const admin = await setUp(server);
  assert.equal((await admin.post("/web/keys/groups/1/delete", {})).status, 409);
  assert.equal((await admin.post("/web/keys/groups/1", { name: "admins", description: "" })).status, 400);
  assert.equal((await admin.post("/web/keys/groups/1", { description: "mine" })).status, 303);
  const { body } = await server.api("GET", "/api/key-groups/1");
  assert.deepEqual([body.group.name, body.group.description], ["management", "mine"]);
});

Deno.test("the form of settings takes what it shows and nothing else", async () => {
  await using server = await startServer();
  const admin = await setUp(server);
  const settings = async () => (await server.api("GET", "/api/settings")).body;
  const before = await settings();
  for (const value of ["", "0", "366", "1.5", "9e1", "ninety", "90 days", "NaN"]) {
    const { status, text } = await admin.post("/web/settings/encryption", {
      "encryption.key-rotation.interval-days": value,
      "encryption.retired-keys.keep-days": "5",
    });
    assert.equal(status, 400, value);
    assert.match(text, /encryption\.key-rotation\.interval-days must be a whole number from 1 to 365/);
  }
  // Another category's, none at all, and names that objects have by themselves.
  const strange: Record<string, string>[] = [
    { "sandbox.max-calls": "5" },
    { reset: "sandbox.max-calls" },
    { reset: "__proto__" },
    { constructor: "1" },
  ];
  for (const fields of strange) {
    assert.equal((await admin.post("/web/settings/encryption", fields)).status, 303);
  }
  assert.deepEqual(await settings(), before);
  assert.equal((await admin.get("/web/settings/no-such")).status, 404);
});

Deno.test("the progress of a rotation leads to its page where no script asks for it", async () => {
  await using server = await startServer();
  const admin = await setUp(server);
  const { status, headers } = await admin.get("/web/settings/encryption/progress");
  assert.deepEqual([status, headers.get("location")], [303, "/web/settings/encryption"]);
  assert.equal((await admin.post("/web/settings/encryption/rotate", {})).status, 303);
  await server.logged(/Key rotation to version 2 is done/);
});
