// A running server whose database something else writes to: what that gains, and who is told.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { cookieName, setUp, Visitor } from "./admin.ts";
import { createGroup, createKey, deploy, run } from "./handlers.ts";
import { type Server, startServer } from "./server.ts";
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
    await using server = await startServer({ folder });
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
    await using again = await startServer({ folder });
    assert.equal((await run(again, "/value", mine)).body, "none");
    assert.match(again.logs(), /row 2 of secrets was altered/);
  });
});

Deno.test("a server that is written to by nothing else finds nothing, and says nothing on its pages", async () => {
  await withFolder(async (folder) => {
    for (const start of ["first", "second"]) {
      await using server = await startServer({ folder });
      const { status } = await server.api("POST", "/api/secrets", { name: `S_${start}`, scope: "global", value: "x" });
      assert.equal(status, 201);
      await server.stop();
      assert.doesNotMatch(server.logs(), /Something other than/);
    }
  });
});
