// Announcements by mail: the API and the page of the mail server and the recipients, and what is announced to them.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setUp } from "./admin.ts";
import { startApp } from "./app.ts";
import { deploy, run, set } from "./handlers.ts";
import { CA, type MailHost, openMailHost, PASSWORD, USER } from "./mail_host.ts";
import type { Server } from "./server.ts";

const FROM = "crude@example.com";

function settingsOf({ port }: MailHost) {
  return { host: "localhost", port, ca: CA, user: USER, password: PASSWORD, from: FROM };
}

async function addRecipients(server: Server, host: MailHost, events: string[], addresses = ["ops@example.com"]) {
  const made = await server.api("PUT", "/api/mail-server", settingsOf(host));
  assert.equal(made.status, 200, JSON.stringify(made.body));
  const { status, body } = await server.api("POST", "/api/mail-recipients", { addresses, events });
  assert.equal(status, 201, JSON.stringify(body));
  return body.recipients.id as number;
}

function keyVersion(server: Server): unknown {
  const db = new DatabaseSync(join(server.dataDir, "database.db"));
  try {
    return db.prepare("SELECT key_version FROM mail_server").get()?.key_version;
  } finally {
    db.close();
  }
}

Deno.test("the password of the mail server is encrypted at rest, rotated with the others, and never shown", async () => {
  await using host = await openMailHost();
  await using server = await startApp();
  const id = await addRecipients(server, host, ["secret.due"], ["ops@example.com", "dev@example.com"]);
  const test = await server.api("POST", `/api/mail-recipients/${id}/test`);
  assert.deepEqual(
    test.body.deliveries.map(({ recipient, type, state, status }: Record<string, unknown>) => [
      recipient,
      type,
      state,
      status,
    ]),
    [["ops@example.com", "mail.test", "delivered", 250], ["dev@example.com", "mail.test", "delivered", 250]],
  );
  assert.deepEqual(host.mails.map(({ to, isEncrypted }) => [to, isEncrypted]).sort(), [
    [["dev@example.com"], true],
    [["ops@example.com"], true],
  ]);
  assert.equal(host.mails[0]!.subject, "[Crude Functions] This is a test");

  assert.equal(keyVersion(server), 1);
  assert.equal((await server.api("POST", "/api/encryption-keys/rotation")).status, 200);
  for (;;) {
    const { body } = await server.api("GET", "/api/encryption-keys/rotation");
    if (!body.inProgress && body.currentVersion === 2) break;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.equal(keyVersion(server), 2);
  assert.equal((await server.api("POST", `/api/mail-recipients/${id}/test`)).body.deliveries[0].problem, null);

  const admin = await setUp(server);
  const shown = [
    (await server.api("GET", "/api/mail-server")).body,
    (await server.api("GET", "/api/audit")).body,
    (await server.api("GET", "/api/settings")).body,
    (await admin.get("/web/announcements")).text,
    (await admin.get("/web/announcements/mail-server")).text,
    (await admin.get("/web/audit")).text,
    server.logs(),
  ];
  assert.ok(!JSON.stringify(shown).includes(PASSWORD));
  assert.deepEqual(shown[0].server, {
    host: "localhost",
    port: host.port,
    tls: "starttls",
    ca: CA,
    user: USER,
    hasPassword: true,
    from: FROM,
    updatedAt: shown[0].server.updatedAt,
  });
  for (const name of ["database.db", "database.db-wal"]) {
    assert.ok(!Buffer.from(await Deno.readFile(join(server.dataDir, name))).includes(PASSWORD), name);
  }
});

Deno.test("the password is to be given again where it could go to somebody else", async () => {
  await using host = await openMailHost();
  await using eve = await openMailHost();
  await using server = await startApp();
  const id = await addRecipients(server, host, ["secret.due"]);
  const { password: _, ...kept } = settingsOf(host);
  const put = (change: Record<string, unknown>) => server.api("PUT", "/api/mail-server", { ...kept, ...change });
  for (
    const [field, value] of [
      ["host", "127.0.0.1"],
      ["port", eve.port],
      ["tls", "implicit"],
      ["ca", null],
      ["user", "somebody"],
    ] as const
  ) {
    const { status, body } = await put({ [field]: value });
    assert.deepEqual([status, Object.keys(body.details)], [400, ["password"]], field);
    assert.match(body.details.password, new RegExp(`as ${field} changed`));
  }
  assert.equal((await put({ from: "other@example.com" })).status, 200);
  // In the database, it is bound to the host and the port.
  await server.api("POST", `/api/mail-recipients/${id}/test`);
  assert.deepEqual([host.mails[0]!.from, host.passwords, eve.passwords], ["other@example.com", [PASSWORD], []]);
  assert.equal((await put({ user: null })).body.server.hasPassword, false);
  assert.equal((await put({})).body.details.password, "is required with a user");
  assert.equal((await server.api("DELETE", "/api/mail-server")).status, 200);
  assert.equal((await server.api("DELETE", "/api/mail-server")).status, 404);
  assert.deepEqual((await server.api("GET", "/api/mail-server")).body, { server: null });
  const { body } = await server.api("POST", `/api/mail-recipients/${id}/test`);
  assert.match(body.deliveries[0].problem, /no mail server/);
});

Deno.test("mail goes in clear only to a host that the setting names, and never with a password", async () => {
  await using host = await openMailHost({ lacksTls: true, needsUser: false });
  await using server = await startApp();
  const put = (change: Record<string, unknown>) =>
    server.api("PUT", "/api/mail-server", { host: "localhost", port: host.port, tls: "none", from: FROM, ...change });
  assert.deepEqual(Object.keys((await put({})).body.details), ["tls"]);
  await set(server, { "mail.plain-hosts": [`localhost:${host.port}`] });
  assert.deepEqual(Object.keys((await put({ user: USER, password: PASSWORD })).body.details), ["user"]);
  assert.deepEqual(Object.keys((await put({ port: 2525 })).body.details), ["tls"]);
  assert.equal((await put({})).status, 200);
  const { body } = await server.api("POST", "/api/mail-recipients", {
    addresses: ["ops@example.com"],
    events: ["secret.due"],
  });
  const path = `/api/mail-recipients/${body.recipients.id}/test`;
  assert.equal((await server.api("POST", path)).body.deliveries[0].problem, null);
  await set(server, { "mail.plain-hosts": [] });
  assert.match((await server.api("POST", path)).body.deliveries[0].problem, /must be starttls or implicit/);
  assert.equal(host.mails.length, 1);
});

Deno.test("addresses, hosts and credentials are checked, so that none is a header or a command", async () => {
  await using server = await startApp();
  for (
    const bad of ["ops", "a@b.c\r\nRCPT TO:<d@e.f>", "a@b.c, d@e.f", "Ops <a@b.c>", "a@b.c ", "<a@b.c>", "a@-b.c", ""]
  ) {
    const { status } = await server.api("POST", "/api/mail-recipients", { addresses: [bad], events: ["secret.due"] });
    assert.equal(status, 400, bad);
    const set = await server.api("PUT", "/api/mail-server", { host: "smtp.example.com", from: bad });
    assert.deepEqual([set.status, Object.keys(set.body.details)], [400, ["from"]], bad);
  }
  for (
    const [field, bad] of [
      ["host", "smtp.example.com:25"],
      ["host", "a b"],
      ["host", "x\r\n"],
      ["port", 0],
      ["port", 65_536],
      ["tls", "maybe"],
      ["user", "x\r\ny"],
      ["password", "x\ny"],
      ["ca", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"],
      ["ca", "no certificate"],
    ] as const
  ) {
    const good = { host: "smtp.example.com", from: FROM, user: "a", password: "b" };
    const { status, body } = await server.api("PUT", "/api/mail-server", { ...good, [field]: bad });
    assert.deepEqual([status, Object.keys(body.details)], [400, [field]], `${field} ${bad}`);
  }
  const { body } = await server.api("POST", "/api/mail-recipients", {
    addresses: ["a@b.c", "A@b.c"],
    events: ["nothing"],
  });
  assert.deepEqual(Object.keys(body.details).sort(), ["addresses", "events.0"]);
});

Deno.test("what happens arrives by mail, with a link and without a value", async () => {
  await using host = await openMailHost();
  await using server = await startApp();
  await set(server, { "mail.public-url": "https://crude.example.com" });
  await addRecipients(server, host, ["secret.canary", "secret.leaked"]);
  const value = "bait-value-that-nobody-needs";
  await server.api("POST", "/api/secrets", { name: "BAIT", value, scope: "global", canary: true });
  await deploy(server, "curious", `export default async (c, ctx) => c.text(await ctx.getSecret("BAIT"));`);
  await run(server, "/curious");
  const contents = [(await host.next()).content];
  while (!["read", "sent", "held"].every((word) => contents.join("").includes(word))) {
    contents.push((await host.next(contents.length)).content);
  }
  assert.ok(contents.length <= 3);
  assert.match(contents.join(""), /^ {2}https:\/\/crude\.example\.com\/web\/functions\/1\r$/m);
  assert.ok(!contents.join("").includes(value));
});

Deno.test("the page sets the mail server, adds recipients, sends a test, and deletes them", async () => {
  await using host = await openMailHost();
  await using server = await startApp();
  const admin = await setUp(server);
  const { port, ...settings } = settingsOf(host);
  const refused = await admin.submit("/web/announcements/mail-server", { ...settings, port: "x", tls: "starttls" });
  assert.match(refused.text, /Port must be a whole number/);
  assert.ok(!refused.text.includes(PASSWORD));
  await admin.submit("/web/announcements/mail-server", { ...settings, port: String(port), tls: "starttls" });
  const wrong = await admin.submit("/web/announcements/mail/new", {
    addresses: "ops@example.com\nnobody",
    "secret.due": "yes",
  });
  assert.match(wrong.text, /Addresses must be an e-mail address/);
  await admin.submit("/web/announcements/mail/new", { addresses: "ops@example.com", "secret.due": "yes" });
  const { body: { recipients: [made] } } = await server.api("GET", "/api/mail-recipients");
  assert.deepEqual([made.addresses, made.events], [["ops@example.com"], ["secret.due"]]);
  const path = `/web/announcements/mail/${made.id}`;
  await admin.submit(`${path}/test`, {});
  assert.match((await admin.get(path)).text, /mail\.test.*delivered/s);
  assert.equal(host.mails.length, 1);
  await admin.submit(path, { addresses: "dev@example.com", "secret.due": "yes", "backup.old": "yes" });
  assert.match((await admin.get("/web/announcements")).text, /dev@example\.com.*secret\.due, backup\.old/s);
  for (
    const [deletion, form, changed] of [
      [`${path}/delete`, path, { addresses: "dev@example.com", "secret.due": "yes" }],
      [
        "/web/announcements/mail-server/remove",
        "/web/announcements/mail-server",
        { ...settings, port: String(port), tls: "starttls", from: "other@example.com" },
      ],
    ] as const
  ) {
    const version = await admin.versionOn(deletion);
    await admin.submit(form, { ...changed });
    const stale = await admin.post(deletion, { version });
    assert.equal(stale.status, 412, deletion);
    assert.match(stale.text, /Another user changed this/);
    assert.equal((await admin.submit(deletion, { version: await admin.versionOn(deletion) })).status, 200);
  }
  const { body: { entries } } = await server.api("GET", "/api/audit");
  const actions = entries.map(({ action }: { action: string }) => action);
  assert.deepEqual(actions.filter((action: string) => action.startsWith("mail")), [
    "mail-server.removed",
    "mail-server.set",
    "mail-recipients.deleted",
    "mail-recipients.updated",
    "mail-recipients.updated",
    "mail-recipients.created",
    "mail-server.set",
  ]);
});
