// `audit verify` and `audit head`: on the data of a running server, on a backup, and on data that was tampered with.

import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createGroup, createKey, createSecret } from "../http/handlers.ts";
import { type Home, makeHome } from "./cli.ts";

function tamper(path: string, ...statements: string[]): void {
  const db = new DatabaseSync(path);
  for (const name of ["audit_keeps_rows", "audit_keeps_fields", "audit_grows_at_its_end"]) {
    db.exec(`DROP TRIGGER IF EXISTS ${name}`);
  }
  for (const sql of statements) db.exec(sql);
  db.close();
}

async function assertWhole(home: Home, env?: Record<string, string>, what?: string): Promise<void> {
  const { code, stdout, stderr } = await home.cli(["audit", "verify"], env);
  assert.equal(code, 0, `${what}: ${stdout}${stderr}`);
  assert.match(stdout, /^Verified [\d,]+ entr(y|ies) of the audit: all are as written\.\n$/);
}

Deno.test("audit verify and head work beside a running server, and change nothing", async () => {
  await using home = makeHome();
  await using server = await home.start();
  const before = (await home.cli(["audit", "head"])).stdout;
  assert.match(before, /^3:[0-9a-f]{64}\n$/);
  await createSecret(server, "DB", "value-of-DB");
  await assertWhole(home);
  const { json } = await home.cli(["audit", "verify", "--json", "--head", before.trim()]);
  assert.deepEqual(json, { checked: 4, problem: null });
  const head = (await home.cli(["audit", "head", "--json"])).json;
  assert.deepEqual([head.count, head.head], [4, `4:${head.mac}`]);
  const { body } = await server.api("GET", "/api/audit?limit=1");
  assert.equal(body.entries[0].mac, head.mac);
  assert.equal((await createKey(server, await createGroup(server, "team"), "ada")).id, 2, "the server goes on");
});

Deno.test("audit verify ends with 1 and names the first entry that does not fit, and why", async () => {
  await using home = makeHome();
  {
    await using server = await home.start();
    for (let n = 0; n < 5; n++) await createSecret(server, `S${n}`, "value");
  }
  const copy = join(home.path, "copy.db");
  Deno.copyFileSync(home.database, copy);
  const cases: [sql: string, expected: RegExp][] = [
    ["UPDATE audit SET actor_name = 'somebody else' WHERE id = 5", /^Entry 5 is not as it was written/],
    ["DELETE FROM audit WHERE id = 4", /^Entry 4 is missing\.\n$/],
    ["DELETE FROM audit WHERE id > 6", /^Entry 7 is missing, as are all entries up to 8\.\n$/],
    ["DELETE FROM audit", /^Entry 1 is missing, as are all entries up to 8\.\n$/],
    ["DELETE FROM meta WHERE name = 'audit-head'", /^Entry 9 cannot be checked: the head, .* is missing\.\n$/],
  ];
  for (const [sql, expected] of cases) {
    Deno.copyFileSync(copy, home.database);
    tamper(home.database, sql);
    const { code, stdout } = await home.cli(["audit", "verify"]);
    assert.equal(code, 1, sql);
    assert.match(stdout, expected);
    const asJson = await home.cli(["audit", "verify", "--json"]);
    assert.deepEqual([asJson.code, typeof asJson.json.problem.id], [1, "number"]);
  }
  assert.equal((await home.cli(["audit", "head"])).code, 1, "there is none any more");
  Deno.copyFileSync(copy, home.database);
  await assertWhole(home);
});

Deno.test("a server says at its start that the audit's end was removed, and does not cover it up", async () => {
  await using home = makeHome();
  {
    await using server = await home.start();
    for (let n = 0; n < 3; n++) await createSecret(server, `S${n}`, "value");
  }
  tamper(home.database, "DELETE FROM audit WHERE id > 4");
  await using server = await home.start();
  await server.logged(/ERROR +The audit was tampered with: its head does not match the last entry/);
  await createSecret(server, "S4", "value");
  const { code, stdout } = await home.cli(["audit", "verify"]);
  assert.deepEqual([code, stdout], [1, "Entry 5 is missing, as are all entries up to 6.\n"]);
});

Deno.test("data that was set back to an older copy is found by a head that was kept", async () => {
  await using home = makeHome();
  {
    await using _server = await home.start();
  }
  const old = Deno.readFileSync(home.database);
  {
    await using server = await home.start();
    await createSecret(server, "DB", "value");
  }
  const head = (await home.cli(["audit", "head"])).stdout.trim();
  Deno.writeFileSync(home.database, old);
  await assertWhole(home, {}, "nothing in the copy tells");
  const { code, stdout } = await home.cli(["audit", "verify", "--head", head]);
  assert.deepEqual([code, stdout], [1, "Entry 4 is missing.\n"]);
});

Deno.test("keys, rotations, passphrases, backups and restores by command leave entries, and the chain holds", async () => {
  await using home = makeHome();
  {
    await using server = await home.start();
    await createSecret(server, "DB", "value-of-DB");
    assert.equal((await server.api("POST", "/api/encryption-keys/rotation")).status, 200);
    assert.equal((await home.cli(["keys", "create", "--group", "management", "--name", "mine"])).code, 0);
    assert.equal((await home.cli(["backup", "copy"])).code, 0);
    await assertWhole(home, {}, "beside the server");
    await createSecret(server, "AFTER", "value");
    await assertWhole(home, {}, "after it went on");
  }
  await assertWhole(home, { DATA_DIR: join(home.path, "copy") }, "the backup");
  const passphrase = home.write("passphrase", "a passphrase of some length");
  assert.equal((await home.cli(["keyring", "rotate"])).code, 0);
  assert.equal((await home.cli(["keyring", "passphrase", "--new-passphrase-file", passphrase])).code, 0);
  const env = { KEYRING_PASSPHRASE_FILE: passphrase };
  assert.equal((await home.cli(["audit", "verify"])).code, 4, "without the passphrase there is no key");
  await assertWhole(home, env, "with a passphrase");
  {
    await using server = await home.start(env);
    const { body } = await server.api("GET", "/api/audit?actor=operator");
    assert.deepEqual(body.entries.map(({ action }: { action: string }) => action), [
      "passphrase.changed",
      "rotation.finished",
      "rotation.started",
      "backup.created",
      "key.created",
    ]);
    assert.deepEqual(body.entries[0].after, { change: "added" });
  }
  assert.equal((await home.cli(["restore", "--force", "copy"])).code, 0);
  await assertWhole(home, {}, "restored");
  await using server = await home.start();
  const { body } = await server.api("GET", "/api/audit?limit=2");
  assert.deepEqual(body.entries.map(({ action }: { action: string }) => action), ["backup.restored", "backup.created"]);
  await createSecret(server, "AFTER_RESTORE", "value");
  await assertWhole(home, {}, "and used");
});

Deno.test("an export is verified by the key file alone, and the first line that does not fit is named", async () => {
  await using home = makeHome();
  let lines: string[];
  {
    await using server = await home.start();
    for (let n = 0; n < 4; n++) await createSecret(server, `S${n}`, "value");
    lines = (await server.api("GET", "/api/audit/export")).body.trimEnd().split("\n");
  }
  assert.equal(lines.length, 8);
  const verify = (exported: readonly string[], ...options: string[]) => {
    home.write("audit.jsonl", exported.map((line) => `${line}\n`).join(""));
    return home.cli(["audit", "verify", "--export", "audit.jsonl", ...options]);
  };
  // Nothing of the database is asked for.
  Deno.removeSync(home.database);
  const whole = await verify(lines);
  assert.deepEqual([whole.code, whole.stdout], [0, "Verified 7 entries of the audit: all are as written.\n"]);
  const [l1, l2, l3, l4, l5, l6, l7, head] = lines as [string, string, string, string, string, string, string, string];
  const olderHead = head.replace('"count":7', '"count":6').replace(JSON.parse(l7).mac, JSON.parse(l6).mac);
  const cases: [exported: string[], expected: string][] = [
    [[l1, l2, l3, l4, l5.replace("S1", "S9"), l6, l7, head], "Line 5: entry 5 is not as it was written: "],
    [[l1, l2, l3, l4, l5.replace(/,"mac.*/, "}"), l6, l7, head], "Line 5: entry 5 is not as it was written: "],
    [[l1, l2, l3, l6, l7, head], "Line 4: entry 4 is missing, as are all entries up to 5."],
    [[l1, l2, l3, l5, l4, l6, l7, head], "Line 4: entry 4 is in line 5: the order was changed."],
    [[l1, l2, l3, l3, l4, l5, l6, l7, head], "Line 4: entry 3 was inserted."],
    [[l1, l2, head, l3, l4, l5, l6, l7], "Line 3: entry 3 is in line 4: the order was changed."],
    [
      [l1, l2, l3, l4, l5, l6, l7],
      "Line 8: entry 8 cannot be checked: the head, which names the last entry, is missing.",
    ],
    [[l1, l2, l3, l4, l5, l6, head], "Line 7: entry 7 is missing."],
    [
      [l1, l2, l3, l4, l5, l6, olderHead],
      "Line 7: entry 7 cannot be checked: the head, which names the last entry, was altered.",
    ],
    [[], "Line 1: entry 1 cannot be checked: the head, which names the last entry, is missing."],
  ];
  for (const [exported, expected] of cases) {
    const { code, stdout } = await verify(exported);
    assert.equal(code, 1, expected);
    assert.ok(stdout.startsWith(expected), `${stdout} instead of ${expected}`);
  }
  const { json } = await verify([l1, l2, l4, head], "--json");
  assert.deepEqual(json, { checked: 2, problem: { line: 3, id: 3, problem: "is missing" } });
  const altered = [l1.replace("server", "key"), ...lines.slice(1)];
  assert.equal((await verify(altered, "--from", "2")).code, 0);
  assert.match(
    (await verify(altered)).stdout,
    /^Line 1: entry 1 .*Is \S+encryption-keys\.json the key file of the server/,
  );
  // An older export is genuine; only a head from later tells that it is not all.
  const known = `8:${"0".repeat(64)}`;
  assert.match((await verify(lines, "--head", known)).stdout, /^Line 8: entry 8 is missing\./);
  const none = await home.cli(["audit", "verify", "--export", "none.jsonl"]);
  assert.deepEqual([none.code, /none\.jsonl cannot be read/.test(none.stderr)], [1, true]);
});

Deno.test("the options of audit verify are taken strictly", async () => {
  await using home = makeHome();
  {
    await using _server = await home.start();
  }
  for (const option of [["--head", "5"], ["--head", "5:xyz"], ["--from", "0"], ["--from", "1x"]]) {
    const { code, stderr } = await home.cli(["audit", "verify", ...option]);
    assert.equal(code, 2, option.join(" "));
    assert.match(stderr, new RegExp(`^${option[0]} `));
  }
  tamper(home.database, "UPDATE audit SET action = 'x' WHERE id = 2");
  assert.equal((await home.cli(["audit", "verify"])).code, 1);
  assert.equal((await home.cli(["audit", "verify", "--from", "3"])).code, 0);
});
