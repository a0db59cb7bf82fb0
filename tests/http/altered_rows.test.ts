// A running server whose database something else writes to: what that gains, and who is told.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { totpCode, totpStep } from "../../src/keyring/totp.ts";
import { AUTHENTICATED_TABLES } from "../../src/store/authenticated_tables.ts";
import { openStoreAt } from "../unit/temporary.ts";
import { ADMIN, cookieName, fromBase32, setUp, Visitor } from "./admin.ts";
import { createGroup, createKey, createSecret, deploy, run, save, set } from "./handlers.ts";
import { startNpmRegistry } from "./npm_registry.ts";
import { startApp } from "./app.ts";
import { type Server } from "./server.ts";
import { withFolder } from "./filled.ts";

type Value = string | number | Uint8Array;

function sql(server: Server, text: string, ...values: Value[]): void {
  using db = new DatabaseSync(join(server.dataDir, "database.db"), { timeout: 5_000 });
  db.prepare(text).run(...values);
}

function all(server: Server, text: string): Record<string, Value>[] {
  using db = new DatabaseSync(join(server.dataDir, "database.db"), { readOnly: true, timeout: 5_000 });
  return db.prepare(text).all() as Record<string, Value>[];
}

Deno.test("who can write the database gains no session, no group and no secret, and is told of in log, audit and pages", async () => {
  await withFolder(async (folder) => {
    await using server = await startApp({ folder });
    const admin = await setUp(server);
    const staging = await createGroup(server, "staging");
    const { value: mine } = await createKey(server, staging, "mine");
    await deploy(server, "value", `export default async (c, ctx) => c.text(await ctx.getSecret("DB") ?? "none");`, {
      keys: [staging],
    });
    for (const secret of [{ scope: "global", value: "for all" }, { scope: "group", groupId: staging, value: "ours" }]) {
      const { status } = await server.api("POST", "/api/secrets", { name: "DB", ...secret });
      assert.equal(status, 201);
    }
    const value = async (key = mine) => (await run(server, "/value", key)).body;
    assert.equal(await value(), "ours");

    // A session, as version 0.1.0 stored one, and with another session's columns.
    const forged = "A".repeat(43);
    const [genuine] = all(server, "SELECT * FROM sessions");
    const hash = createHash("sha256").update(forged).digest();
    const columns = Object.keys(genuine!).filter((name) => name !== "id");
    sql(
      server,
      `INSERT INTO sessions (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")})`,
      ...columns.map((name) => name === "token_hash" ? hash : genuine![name]!),
    );
    const thief = new Visitor(server.url);
    thief.cookies.set(cookieName(server, "session"), forged);
    assert.equal((await thief.get("/web/secrets")).status, 303);

    // The group of one's own key, which the server has not asked for yet.
    const { value: other } = await createKey(server, staging, "other");
    sql(
      server,
      "UPDATE api_keys SET group_id = (SELECT id FROM key_groups WHERE name = 'management') WHERE name = 'other'",
    );
    const asManager = await fetch(`${server.url}/api/secrets`, { headers: { "X-API-Key": other } });
    assert.equal(asManager.status, 401);
    await asManager.body?.cancel();

    // The text of the old fingerprint, with the fingerprint as its look-up.
    const [{ value: fingerprint }] = all(server, "SELECT value FROM meta WHERE name = 'keyring'") as [
      { value: string },
    ];
    sql(
      server,
      "INSERT INTO api_keys (group_id, name, description, lookup, ciphertext, created_at) VALUES (1, 'forged', '', ?, 'v1.x', 0)",
      Uint8Array.fromHex(fingerprint),
    );
    for (const text of ["crude-functions keyring", "keyring"]) {
      const answer = await fetch(`${server.url}/api/secrets`, { headers: { "X-API-Key": text } });
      assert.equal(answer.status, 401, text);
      await answer.body?.cancel();
    }

    // A secret of the narrower scope that is altered does not give way to the wider one.
    sql(server, "UPDATE secrets SET comment = 'altered' WHERE scope = 'group'");
    await server.api("POST", "/api/secrets", { name: "OTHER", scope: "global", value: "x" });
    assert.equal(await value(), "none");

    for (const row of ["sessions \\S+", "api_keys \\S+", "secrets 2"]) {
      const [table, id] = row.split(" ");
      await server.logged(new RegExp(`Something other than this program changed the database: row ${id} of ${table} `));
    }
    const page = await admin.get("/web");
    assert.equal(page.status, 200);
    assert.match(page.text, /role="alert"[^]*Something other than this server changed the database[^]*of api_keys/);
    const { body } = await server.api("GET", "/api/audit?action=database.altered");
    const subjects = body.entries.map(({ subject }: { subject: { name: string } }) => subject.name);
    assert.deepEqual([...new Set(subjects)].sort(), ["api_keys", "secrets", "sessions"]);

    // Nothing of it counts after a restart, either.
    await server.stop();
    await using again = await startApp({ folder });
    assert.equal((await run(again, "/value", mine)).body, "none");
    assert.match(again.logs(), /row 2 of secrets was altered/);
  });
});

async function temporaryFolder() {
  const path = await Deno.makeTempDir({ prefix: "crude-functions-test-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

/** A page's content as text, without what is the same on all pages. */
function contentOf(html: string): string {
  return html.replace(/^[^]*<main[^>]*>/, "").replace(/<\/main>[^]*$/, "").replaceAll(/<[^>]+>/g, " ")
    .replaceAll(/\s+/g, " ");
}

Deno.test("the page of an altered row offers to delete it, which the server does, and no change, which it refuses", async () => {
  await using folder = await temporaryFolder();
  await using server = await startApp({ folder: folder.path });
  const admin = await setUp(server);
  const group = await createGroup(server, "team");
  const empty = await createGroup(server, "empty");
  const key = await createKey(server, group, "acme");
  const secret = await createSecret(server, "DB", "value");
  const fn = await deploy(server, "orders", "export default (c) => c.text('orders')");
  await admin.submit("/web/users", { name: "Eve", email: "eve@example.com" });

  interface Kind {
    alter: string;
    page: string;
    /** Where the fields of a change are posted. */
    form: string;
    fields: Record<string, string>;
    remove: string;
    removeFields?: Record<string, string>;
    api?: string;
  }
  const kinds: Record<string, Kind> = {
    secret: {
      alter: "UPDATE secrets SET comment = 'altered'",
      page: `/web/secrets/${secret}/edit`,
      form: `/web/secrets/${secret}/edit`,
      fields: { name: "DB", value: "new", comment: "" },
      remove: `/web/secrets/${secret}/delete`,
      api: `/api/secrets/${secret}`,
    },
    "a secret's value": {
      alter: "UPDATE secrets SET comment = 'altered again'",
      page: "/web/secrets/names/DB",
      form: `/web/secrets/${secret}/edit`,
      fields: { name: "DB", value: "new", comment: "" },
      remove: `/web/secrets/${secret}/delete`,
    },
    function: {
      alter: "UPDATE functions SET description = 'altered'",
      page: `/web/functions/${fn}/settings`,
      form: `/web/functions/${fn}/settings`,
      fields: { name: "orders", handler: "orders.ts", route: "/orders", methods: "GET" },
      remove: `/web/functions/${fn}/delete`,
      api: `/api/functions/${fn}`,
    },
    key: {
      alter: "UPDATE api_keys SET description = 'altered' WHERE name = 'acme'",
      page: `/web/keys/${key.id}`,
      form: `/web/keys/${key.id}`,
      fields: { name: "acme", description: "new" },
      remove: `/web/keys/${key.id}/revoke`,
      api: `/api/keys/${key.id}`,
    },
    group: {
      alter: "UPDATE key_groups SET description = 'altered' WHERE name = 'empty'",
      page: `/web/keys/groups/${empty}`,
      form: `/web/keys/groups/${empty}`,
      fields: { name: "empty", description: "new" },
      remove: `/web/keys/groups/${empty}/delete`,
      api: `/api/key-groups/${empty}`,
    },
    user: {
      alter: "UPDATE admins SET name = 'altered' WHERE email = 'eve@example.com'",
      page: "/web/users/2",
      form: "/web/users/2/reset",
      fields: {},
      remove: "/web/users/2/remove",
      removeFields: { email: "eve@example.com" },
    },
  };
  for (const [kind, { page }] of Object.entries(kinds)) {
    const { status, text } = await admin.get(page);
    assert.equal(status, 200, kind);
    assert.doesNotMatch(contentOf(text), /Something other than this server/, kind);
  }
  for (const { alter } of Object.values(kinds)) sql(server, alter);
  for (const [kind, { page, form, fields }] of Object.entries(kinds)) {
    const { status, text } = await admin.get(page);
    assert.equal(status, 200, kind);
    const words = contentOf(text);
    assert.match(words, /Something other than this server has written to this \w+ in the database/, kind);
    assert.match(words, /It can no longer be changed\. (Delete it|Revoke it|Remove them) and create it again/, kind);
    assert.doesNotMatch(words, /set the value again|Enter it again|key file/i, kind);
    assert.doesNotMatch(words, / (Save|Edit|Disable|Create a link) /, kind);
    // What a page that was open before sends.
    const refused = await admin.post(form, fields);
    assert.ok(refused.status >= 400 && refused.status < 500, `${kind}: ${refused.status}`);
    assert.match(refused.text, /can (only be deleted|be deleted, but not changed|no longer be changed)/, kind);
  }
  const lists = [["/web/keys", /acme altered/], ["/web/keys", /empty altered/], ["/web/users", /altered/]] as const;
  for (const [path, pattern] of lists) assert.match(contentOf((await admin.get(path)).text), pattern);

  const shown = await server.api("GET", `/api/functions/${fn}`);
  assert.equal(shown.body.function.state, "broken");
  assert.match(shown.body.function.stateReason, /^Something other than this server altered its entry/);
  const list = contentOf((await admin.get("/web/functions")).text);
  assert.match(list, /orders broken Something other than this server altered its entry/);
  assert.doesNotMatch(list, /Disable(?!d)/);
  assert.match(contentOf((await admin.get("/web")).text), /orders is broken/);

  for (const [kind, { remove, removeFields = {}, api }] of Object.entries(kinds)) {
    if (kind === "a secret's value") continue;
    if (api) assert.equal((await server.api("GET", api)).status, 200, kind);
    const page = remove.endsWith("/remove") ? "" : (await admin.get(remove)).text;
    const version = /name="version" value="([^"]*)"/.exec(page)?.[1];
    const removed = await admin.post(remove, { ...removeFields, ...(version !== undefined && { version }) });
    assert.equal(removed.status, 303, `${kind}: ${contentOf(removed.text)}`);
    if (api) assert.equal((await server.api("GET", api)).status, 404, kind);
  }
  await server.stop();
  await using again = await startApp({ folder: folder.path });
  assert.equal((await again.api("GET", "/api/settings")).status, 200);
  assert.doesNotMatch(again.logs(), /Something other than/);
});

Deno.test("what is written as a whole can be written again once something else has altered it", async () => {
  await withFolder(async (folder) => {
    const timeout = async (server: Server) =>
      (await server.api("GET", "/api/settings")).body.settings.find(({ name }: { name: string }) =>
        name === "sandbox.timeout-ms"
      ).value;
    await using registry = startNpmRegistry();
    await registry.publish({ name: "crude-a", version: "1.0.0", files: { "index.js": "module.exports = 'a';" } });
    const env = { NPM_CONFIG_REGISTRY: registry.url, CACHE_DIR: join(folder, "cache") };
    await Deno.chmod(folder, 0o711);
    const code = `import a from "npm:crude-a@1"; export default (c) => c.text(a);`;
    {
      await using server = await startApp({ folder, env });
      const admin = await setUp(server);
      await set(server, { "sandbox.timeout-ms": 5_000, "log.level": "debug" });
      assert.deepEqual(await save(server, "a.ts", code), []);
      await admin.submit("/web/users", { name: "Eve", email: "eve@example.com" });
      sql(server, "UPDATE settings SET value = '6000' WHERE name = 'sandbox.timeout-ms'");
      sql(server, "UPDATE package_locks SET lock = replace(lock, '1.0.0', '6.6.6')");
      sql(server, "UPDATE password_links SET expires_at = expires_at + 1");

      // The same value as the altered one, too.
      for (const value of [6_000, 7_000]) {
        const { status, body } = await server.api("PUT", "/api/settings", {
          settings: { "sandbox.timeout-ms": value },
        });
        assert.equal(status, 200, JSON.stringify(body));
        assert.equal(await timeout(server), value);
        sql(server, "UPDATE settings SET value = '6000' WHERE name = 'sandbox.timeout-ms'");
      }
      const typed = await admin.get("/web/settings");
      const version = /name="version" value="([^"]*)"/.exec(typed.text)![1]!;
      const saved = await admin.post("/web/settings", { "sandbox.timeout-ms": "8000", version });
      assert.equal(saved.status, 303, contentOf(saved.text));

      assert.deepEqual(await save(server, "a.ts", `${code}\n`), []);
      await deploy(server, "a", code);
      assert.equal((await run(server, "/a")).body, "a");

      const link = await admin.submit("/web/users/2/reset", {});
      assert.equal(link.status, 200);
      const [path] = /\/web\/password\?token=[\w-]+/.exec(link.text)!;
      assert.match((await new Visitor(server.url).get(path)).text, /eve@example\.com/);
      await server.stop();
    }
    await using server = await startApp({ folder, env });
    assert.equal(await timeout(server), 8_000);
    assert.equal((await run(server, "/a")).body, "a");
    assert.doesNotMatch(server.logs(), /Something other than/);
  });
});

Deno.test("a server that is written to by nothing else finds nothing, and says nothing on its pages", async () => {
  await withFolder(async (folder) => {
    for (const start of ["first", "second"]) {
      await using server = await startApp({ folder });
      const { status } = await server.api("POST", "/api/secrets", { name: `S_${start}`, scope: "global", value: "x" });
      assert.equal(status, 201);
      await server.stop();
      assert.doesNotMatch(server.logs(), /Something other than/);
    }
  });
});

interface AlteredEntry {
  readonly subject: { readonly name: string; readonly id: number | null };
  readonly after: { readonly row?: string; readonly problem: string };
}

/** Asks for `DB` by every way that a handler has. */
const ASKING = `export default async (c, ctx) => c.json({
  won: await ctx.getSecret("DB") ?? null,
  global: await ctx.getSecret("DB", "global") ?? null,
  narrow: await ctx.getSecret("DB", c.req.query("scope")) ?? null,
  complete: await ctx.getCompleteSecret("DB") ?? null,
});`;

/** What something else does to the order of secrets, too, that stands in place of the secret that it deletes. */
const COVERS: Record<string, string> = {
  "nothing else": "",
  "and its row of the order": "DELETE FROM secret_order WHERE secret_id = $id",
  "and the row before leads past it": `
    UPDATE secret_order SET (next_name, next_scope, next_owner_id) =
      (SELECT next_name, next_scope, next_owner_id FROM secret_order WHERE secret_id = $id)
      WHERE (next_name, next_scope, next_owner_id) = (SELECT name, scope, owner_id FROM secret_order WHERE secret_id = $id);
    DELETE FROM secret_order WHERE secret_id = $id`,
  "and a row is put in before it": `
    INSERT INTO secret_order SELECT name, scope, owner_id - 1, 999, next_name, next_scope, next_owner_id, mac
      FROM secret_order WHERE secret_id = $id;
    DELETE FROM secret_order WHERE secret_id = $id`,
};

for (const scope of ["key", "group", "function"] as const) {
  Deno.test(`a secret of the ${scope} scope that something else deletes beside a running server does not give way to a wider one`, async () => {
    for (const [how, cover] of Object.entries(COVERS)) {
      await using server = await startApp();
      const admin = await setUp(server);
      const staging = await createGroup(server, "staging");
      const { id: keyId, value: key } = await createKey(server, staging, "mine");
      const functionId = await deploy(server, "asking", ASKING, { keys: [staging] });
      const owner = { key: { keyId }, group: { groupId: staging }, function: { functionId } }[scope];
      await createSecret(server, "DB", "for all");
      const id = await createSecret(server, "DB", "ours", { scope, ...owner });
      const ask = async () => (await run(server, `/asking?scope=${scope}`, key)).body;
      assert.deepEqual((await ask()).won, "ours");

      {
        using db = new DatabaseSync(join(server.dataDir, "database.db"), { timeout: 5_000 });
        db.exec(`BEGIN; ${cover.replaceAll("$id", String(id))}; DELETE FROM secrets WHERE id = ${id}; COMMIT`);
      }
      // A change of anything makes the server look again.
      await createGroup(server, "another");
      const { won, global, narrow, complete } = await ask();
      assert.deepEqual([won, narrow], [null, null], how);
      assert.equal(global, "for all", "what is asked for by its scope is still given");
      assert.equal(complete.global, "for all");
      assert.match(complete.decryptionErrors[scope], /^This secret may be missing/);

      const [, row, table] = await server.logged(
        /changed the database: row (\S+) of (secrets|secret_order) (?:was |is followed by)/,
      );
      await server.logged(new RegExp(`Secret "DB" of ${scope} \\d+ could not be decrypted for a handler`));
      const page = await admin.get("/web");
      assert.match(page.text, /role="alert"[^]*Something other than this server changed the database/);
      const { body } = await server.api("GET", "/api/audit?action=database.altered");
      const subjects = body.entries.map(({ subject: { name, id }, after }: AlteredEntry) =>
        `${name} ${id ?? after.row}`
      );
      assert.ok(subjects.includes(`${table} ${row}`), `${how}: ${subjects}`);

      // Those who look at it see what calls get.
      const resolved = await server.api(
        "GET",
        `/api/secrets/resolve?functionId=${functionId}&keyId=${keyId}&includeValues=true`,
      );
      const [{ winner, shadowed }] = resolved.body.secrets;
      assert.deepEqual([winner.id, winner.value], [null, null]);
      assert.match(winner.decryptionError, /^This secret may be missing/);
      // What was done to the order makes its neighbours unproven, too.
      const unproven = [winner, ...shadowed].filter(({ id }) => id === null).map(({ scope }) => scope);
      assert.ok(unproven.includes(scope) && (cover !== "" || unproven.length === 1), `${how}: ${unproven}`);
      assert.equal(shadowed.at(-1).value, "for all");
      const web = await admin.get(`/web/secrets/resolve?functionId=${functionId}&keyId=${keyId}`);
      assert.match(web.text, /Unreadable/);
    }
  });
}

Deno.test("an altered row of each table counts for nothing, and is named in the log", async () => {
  await withFolder(async (folder) => {
    const server = await startApp({ folder });
    await using _ = server;
    const admin = await setUp(server);
    const [staging, partners] = [await createGroup(server, "staging"), await createGroup(server, "partners")];
    const { id: keyId, value: key } = await createKey(server, staging, "mine");
    const { value: other } = await createKey(server, staging, "other");
    const { value: partner } = await createKey(server, partners, "theirs");
    await deploy(server, "value", `export default async (c, ctx) => c.text(await ctx.getSecret("DB") ?? "none");`, {
      keys: [staging, partners],
    });
    await createSecret(server, "DB", "for all");
    await createSecret(server, "DB", "ours", { scope: "key", keyId });
    const mail = await createSecret(server, "MAIL", "x");
    await server.api("PUT", `/api/secrets/${mail}`, { value: "y" });
    await server.api("POST", "/api/webhooks", { url: "https://127.0.0.1:1/", events: ["secret.due"] });
    await server.api("POST", "/api/webhooks/1/test");
    await server.api("PUT", "/api/mail-server", { host: "127.0.0.1", port: 1, from: "crude@example.com" });
    await server.api("POST", "/api/mail-recipients", { addresses: ["ops@example.com"], events: ["secret.due"] });
    const gone = await createSecret(server, "GONE", "x");
    await server.api("DELETE", `/api/secrets/${gone}`);
    assert.equal(
      (await server.api("PUT", "/api/settings", { settings: { "sandbox.timeout-ms": 12_000 } })).status,
      200,
    );
    const invited = await admin.submit("/web/users", { name: "Bob", email: "bob@example.com" });
    const token = /password\?token=([\w-]+)/.exec(invited.text)![1]!;

    const signedIn = new Visitor(server.url);
    await signedIn.signIn();
    const page = await admin.get("/web/account/second-factor");
    const secret = fromBase32(/<pre id="key"><code>([A-Z2-7 ]+)</.exec(page.text)![1]!.replaceAll(" ", ""));
    const enabled = await admin.submit("/web/account/second-factor", {
      nonce: /name="nonce" value="([^"]+)"/.exec(page.text)![1]!,
      code: totpCode(secret, totpStep(Date.now())),
      password: ADMIN.password,
    });
    const codes = /<pre id="recovery-codes"><code>([^<]+)</.exec(enabled.text)![1]!.split("\n");
    const recovered = async (code: string) => {
      const visitor = new Visitor(server.url);
      const pending = /name="pending" value="([^"]+)"/.exec((await visitor.signIn()).text)![1]!;
      return (await visitor.post("/web/sign-in/code", { pending, code })).status === 303;
    };
    const called = async (key: string) => (await run(server, "/value", key)).body;
    const isIn = async (visitor: Visitor) => (await visitor.get("/web")).status === 200;

    /** For each table whose rows a running server reads again: an edit, and what is then no longer so. */
    const running: Record<string, [edit: string, use: () => Promise<unknown>]> = {
      recovery_codes: ["UPDATE recovery_codes SET mac = x'00'", () => recovered(codes.pop()!)],
      password_links: [
        "UPDATE password_links SET expires_at = expires_at + 1000000",
        async () => (await new Visitor(server.url).get(`/web/password?token=${token}`)).status === 200,
      ],
      sessions: [
        "UPDATE sessions SET created_at = created_at + 1 WHERE id = 2",
        () => isIn(signedIn),
      ],
      admins: ["UPDATE admins SET name = 'Eve' WHERE id = 1", () => isIn(admin)],
      // Of all rows: that another key has no value of its own is proven by the one before its place.
      secret_order: [
        "UPDATE secret_order SET secret_id = 77",
        async () => (await called(other)) === "for all",
      ],
      secret_versions: [
        `UPDATE secret_versions SET hosts = '["evil.example"]' WHERE secret_id = ${mail}`,
        async () => (await server.api("GET", `/api/secrets/${mail}/versions`)).body.versions.length === 2,
      ],
      deleted_secrets: [
        "UPDATE deleted_secrets SET owner_id = 2",
        async () => (await server.api("GET", "/api/secrets/deleted")).body.secrets.length === 1,
      ],
      deliveries: [
        `UPDATE deliveries SET body = '{"type":"forged"}'`,
        async () => (await server.api("GET", "/api/webhooks/1")).body.deliveries.length === 1,
      ],
      mail_server: [
        "UPDATE mail_server SET host = 'evil.example'",
        async () => (await server.api("GET", "/api/mail-server")).body.server !== null,
      ],
      mail_recipients: [
        `UPDATE mail_recipients SET addresses = '["eve@evil.example"]'`,
        async () => (await server.api("GET", "/api/mail-recipients")).body.recipients.length === 1,
      ],
      webhooks: [
        "UPDATE webhooks SET url = 'https://evil.example'",
        async () => (await server.api("GET", "/api/webhooks")).body.webhooks.length === 1,
      ],
      secrets: ["UPDATE secrets SET comment = 'x' WHERE scope = 'key'", async () => (await called(key)) === "ours"],
      key_groups: [
        `UPDATE key_groups SET description = 'x' WHERE id = ${partners}`,
        async () => (await run(server, "/value", partner)).status === 200,
      ],
      api_keys: [
        "UPDATE api_keys SET description = 'x' WHERE name = 'mine'",
        async () => (await run(server, "/value", key)).status === 200,
      ],
    };
    for (const [table, [edit, use]] of Object.entries(running)) {
      assert.equal(await use(), true, table);
      sql(server, edit);
      // A change of anything makes the server read again what it remembers.
      await createGroup(server, `after-${table}`);
      assert.equal(await use(), false, table);
      await server.logged(new RegExp(`changed the database: row [^:]+ of ${table} was altered`));
    }

    /** Rows that are read once: a server that starts then does not use them. */
    const started: Record<string, [edit: string, isUsed: (server: Server) => Promise<boolean>]> = {
      functions: [
        "UPDATE functions SET group_list = '[]'",
        async (server) => (await run(server, "/value")).status !== 404,
      ],
      settings: [
        "UPDATE settings SET value = '13000'",
        async (server) => JSON.stringify((await server.api("GET", "/api/settings")).body).includes('"value":13000'),
      ],
      package_locks: ["UPDATE package_locks SET lock = '[]'", () => Promise.resolve(false)],
    };
    await server.stop();
    {
      const { store } = openStoreAt(join(server.dataDir, "database.db"));
      store.packageLocks.put("value.ts", "{}");
      store.close();
    }
    for (const [edit] of Object.values(started)) sql(server, edit);
    await using again = await startApp({ folder });
    for (const [table, [, isUsed]] of Object.entries(started)) {
      assert.equal(await isUsed(again), false, table);
      await again.logged(new RegExp(`changed the database: row [^:]+ of ${table} was altered`));
    }
    assert.deepEqual([...Object.keys(running), ...Object.keys(started)].sort(), [...AUTHENTICATED_TABLES].sort());
  });
});
