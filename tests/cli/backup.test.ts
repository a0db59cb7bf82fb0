// `backup` and `restore`: what was acknowledged before the backup is there after the restore, and nothing that
// is not whole takes the place of what is.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { KeyFile } from "../../src/keyring/key_file.ts";
import { openSnapshot } from "../../src/store/snapshot.ts";
import { createSecret } from "../http/handlers.ts";
import type { Server } from "../http/server.ts";
import { startServer } from "../http/server.ts";
import { type Home, makeHome } from "./cli.ts";

/** Every secret's value by its name. */
async function valuesOf(server: Server): Promise<Map<string, string>> {
  const values = new Map<string, string>();
  for (let cursor: string | number | undefined = ""; cursor !== undefined;) {
    const page: string = cursor === "" ? "" : `&cursor=${cursor}`;
    const { body } = await server.api("GET", `/api/secrets?includeValues=true${page}`);
    for (const { name, value } of body.secrets) values.set(name, value);
    cursor = body.next ?? undefined;
  }
  return values;
}

async function withSecret(home: Home, value: string, env: Record<string, string> = {}): Promise<void> {
  await using server = await home.start(env);
  await createSecret(server, "NAME", value);
}

async function assertValue(home: Home, value: string, env: Record<string, string> = {}): Promise<void> {
  await using server = await home.start(env);
  assert.deepEqual([...await valuesOf(server)], [["NAME", value]]);
}

const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);

const BACKUP_FILES = ["database-record.json", "database.db", "encryption-keys.json"];

Deno.test("a backup under write load and rotation holds every value acknowledged before it began", async () => {
  await using home = makeHome();
  const acknowledged = new Map<string, string>();
  let before: Map<string, string>;
  {
    await using server = await home.start();
    let writing = true;
    const write = async (name: string, value: string) => {
      await createSecret(server, name, value);
      acknowledged.set(name, value);
    };
    // Some megabytes, so that the copy takes more than one step.
    for (let n = 0; n < 400; n += 10) {
      await Promise.all(Array.from({ length: 10 }, (_, i) => write(`BIG_${n + i}`, `${n + i}`.padEnd(16_000, "x"))));
    }
    const writers = Array.from({ length: 4 }, async (_, writer) => {
      for (let n = 0; writing; n++) await write(`W${writer}_${n}`, crypto.randomUUID());
    });
    const rotating = (async () => {
      while (writing) assert.equal((await server.api("POST", "/api/encryption-keys/rotation")).status, 200);
    })();
    while (acknowledged.size < 480) await new Promise((resolve) => setTimeout(resolve, 1));
    before = new Map(acknowledged);
    const backup = await home.cli(["backup", "copy", "--json"]);
    const during = acknowledged.size - before.size;
    writing = false;
    await Promise.all([...writers, rotating]);
    assert.equal(backup.code, 0, backup.stdout);
    assert.ok(during > 0, "clients wrote while the backup was made");
    const { folder, files, values, missing } = backup.json;
    assert.equal(folder, join(home.path, "copy"));
    assert.deepEqual(files.map((file: { name: string }) => file.name).sort(), BACKUP_FILES);
    const database = files.find((file: { name: string }) => file.name === "database.db");
    assert.ok(values > before.size && database.sizeBytes > 8_000_000);
    assert.deepEqual(missing, []);
    assert.equal(mode(folder), "700");
    assert.deepEqual(readdirSync(folder).sort(), BACKUP_FILES);
    for (const name of readdirSync(folder)) assert.equal(mode(join(folder, name)), "600");
  }
  await using fresh = makeHome();
  const restored = await fresh.cli(["restore", join(home.path, "copy"), "--json"]);
  assert.equal(restored.code, 0, restored.stdout);
  assert.equal(restored.json.replaced, null);
  assert.deepEqual(readdirSync(fresh.dataDir).sort(), [...BACKUP_FILES, "server.lock"]);
  assert.equal(mode(fresh.dataDir), "700");
  await using server = await fresh.start();
  const found = await valuesOf(server);
  for (const [name, value] of before) assert.equal(found.get(name), value, name);
  for (const [name, value] of found) if (acknowledged.has(name)) assert.equal(value, acknowledged.get(name), name);
});

Deno.test("a backup goes into a new or empty folder only, and one that fails leaves none", async () => {
  await using home = makeHome();
  await withSecret(home, "value", { KEYRING_PASSPHRASE: "the passphrase here" });
  const env = { KEYRING_PASSPHRASE: "the passphrase here" };
  mkdirSync(join(home.path, "empty"), { mode: 0o755 });
  assert.equal((await home.cli(["backup", "empty"], env)).code, 0);
  assert.equal(mode(join(home.path, "empty")), "700");
  const before = readdirSync(join(home.path, "empty"));
  home.write("file", "");
  for (const taken of ["empty", "file", "data"]) {
    const refused = await home.cli(["backup", taken], env);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /exists and is not an empty folder/);
  }
  assert.deepEqual(readdirSync(join(home.path, "empty")), before);
  const locked = await home.cli(["backup", "locked"]);
  assert.equal(locked.code, 4, "a backup that cannot be proved to open is none");
  assert.ok(!existsSync(join(home.path, "locked")));
});

Deno.test("restore replaces data with --force only, and moves it aside whole", async () => {
  await using home = makeHome();
  await withSecret(home, "old");
  writeFileSync(join(home.dataDir, "imports.lock"), "{}");
  assert.equal((await home.cli(["backup", "copy"])).code, 0);
  assert.deepEqual(readdirSync(join(home.path, "copy")).sort(), [
    "database-record.json",
    "database.db",
    "encryption-keys.json",
    "imports.lock",
  ]);
  {
    await using server = await home.startProcess();
    const running = await home.cli(["restore", "copy", "--force"]);
    assert.equal(running.code, 3);
    assert.match(running.stderr, /Stop the server before you restore\.\n$/);
    await server.api("PUT", "/api/secrets/1", { value: "new" });
    Deno.kill(server.pid, "SIGKILL");
  }
  const refused = await home.cli(["restore", "copy"]);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /contains data \(.*database\.db-wal.*\)\. With --force it is moved aside\.\n$/);
  await assertValue(home, "new");
  const forced = await home.cli(["restore", "copy", "--force", "--json"]);
  assert.equal(forced.code, 0, forced.stdout);
  assert.match(forced.json.replaced, /\/data\/replaced-[\dT-]+Z$/);
  await assertValue(home, "old");

  // What was moved aside is a backup like any other.
  const back = await home.cli(["restore", forced.json.replaced, "--force", "--json"]);
  assert.equal(back.code, 0, back.stdout);
  await assertValue(home, "new");
});

Deno.test("a backup that is damaged, of two halves or short of a key is not restored, and nothing is touched", async () => {
  await using home = makeHome();
  await using other = makeHome();
  for (const each of [home, other]) {
    await withSecret(each, "value");
    assert.equal((await each.cli(["backup", "copy"])).code, 0);
  }
  const copy = join(home.path, "copy");
  const [database, keyFile] = [join(copy, "database.db"), join(copy, "encryption-keys.json")];
  const [goodDatabase, goodKeys] = [readFileSync(database), readFileSync(keyFile)];
  const half = goodDatabase.subarray(0, goodDatabase.length / 2);
  const damaged: [string, () => void, number, RegExp][] = [
    ["half a database", () => writeFileSync(database, half), 1, /cannot be used as a database|damaged|malformed/],
    [
      "no database",
      () => writeFileSync(database, "nothing"),
      1,
      /cannot be used as a database: file is not a database/,
    ],
    ["half a key file", () => writeFileSync(keyFile, goodKeys.subarray(0, 99)), 4, /encryption-keys\.json is not JSON/],
    [
      "another's key file",
      () => writeFileSync(keyFile, readFileSync(other.keyFile)),
      4,
      /not the key file of the database/,
    ],
    [
      "a key missing",
      () => {
        const db = new DatabaseSync(database);
        db.exec("UPDATE secrets SET ciphertext = 'v9' || substr(ciphertext, 3)");
        db.close();
      },
      1,
      /was not restored\. Key version 9 is not in the key file: 1 value cannot be read\./,
    ],
  ];
  await using fresh = makeHome();
  const before = readFileSync(home.keyFile, "utf8");
  for (const [what, damage, code, message] of damaged) {
    writeFileSync(database, goodDatabase);
    writeFileSync(keyFile, goodKeys);
    damage();
    for (const target of [home, fresh]) {
      const refused = await target.cli(["restore", copy, "--force"]);
      assert.equal(refused.code, code, `${what}: ${refused.stderr}`);
      assert.match(refused.stderr, message);
    }
    assert.deepEqual(readdirSync(fresh.dataDir), ["server.lock"], what);
  }
  assert.equal(readFileSync(home.keyFile, "utf8"), before);
  await assertValue(home, "value");
});

Deno.test("after a restore that was interrupted no server starts, until it is run again", async () => {
  await using home = makeHome();
  await withSecret(home, "value");
  assert.equal((await home.cli(["backup", "copy"])).code, 0);
  // As a kill leaves it between two files: the new database beside the old key file.
  mkdirSync(join(home.dataDir, "restore.pending"));
  Deno.removeSync(home.keyFile);
  await assert.rejects(
    startServer({ folder: home.path }),
    /A restore into DATA_DIR \S+ was interrupted\. Run it again/,
  );
  assert.equal((await home.cli(["restore", "copy", "--force"])).code, 0);
  await assertValue(home, "value");
});

Deno.test("killed while it restores, the data is whole or no server starts, and the next restore ends it", async () => {
  await using home = makeHome();
  await withSecret(home, "backed up");
  assert.equal((await home.cli(["backup", "copy"])).code, 0);
  await using other = makeHome();
  await withSecret(other, "replaced");
  const keyrings = [home, other].map(({ keyFile }) => new KeyFile(keyFile, undefined).keyring);
  const there = (name: string) => () => existsSync(join(home.dataDir, name));
  const gone = (name: string) => () => !existsSync(join(home.dataDir, name));
  const pending = there("restore.pending");
  const stages = [
    [there("restore.draft/database.db")],
    [there("restore.draft/encryption-keys.json")],
    [pending],
    [pending, gone("database.db")],
    [pending, gone("encryption-keys.json")],
    [pending, gone("restore.draft/database.db")],
    [pending, gone("restore.draft")],
    [pending, gone("restore.pending")],
  ];
  let interrupted = 0;
  const killAt = async (stage: number): Promise<void> => {
    await Deno.remove(home.dataDir, { recursive: true });
    mkdirSync(home.dataDir);
    for (const name of ["database.db", "encryption-keys.json"]) {
      await Deno.copyFile(join(other.dataDir, name), join(home.dataDir, name));
    }
    const child = home.spawn(["restore", "copy", "--force"]);
    // Looking without a pause.
    const finished = () => !pending() && readdirSync(home.dataDir).some((name) => name.startsWith("replaced-"));
    const deadline = performance.now() + 10_000;
    for (const reached of stages[stage]!) while (!reached() && !finished() && performance.now() < deadline);
    child.kill("SIGKILL");
    await child.output();
    if (existsSync(join(home.dataDir, "restore.pending"))) {
      interrupted++;
    } else {
      using snapshot = openSnapshot(home.database);
      assert.ok(snapshot.isOf(new KeyFile(home.keyFile, undefined).keyring), `stage ${stage}`);
      assert.ok(keyrings.some((keyring) => snapshot.isOf(keyring)));
    }
    const again = await home.cli(["restore", "copy", "--force"]);
    assert.equal(again.code, 0, again.stderr);
    using snapshot = openSnapshot(home.database);
    assert.ok(snapshot.isOf(keyrings[0]!));
    const left = readdirSync(home.dataDir, { recursive: true }).filter((path) => String(path).endsWith(".db"));
    const kept = left.filter((path) => {
      using old = openSnapshot(join(home.dataDir, String(path)));
      return old.isOf(keyrings[1]!);
    });
    assert.equal(kept.length, 1, `the old data is somewhere: ${left}`);
  };
  // Each of these states lasts less than a millisecond: on a busy machine most are missed.
  for (let round = 0; round < 5 && interrupted < 2; round++) {
    for (const stage of stages.keys()) await killAt(stage);
  }
  assert.ok(interrupted >= 2, `${interrupted} were interrupted in the middle`);
});

Deno.test("a backup has the versions of the code, which bring back a code folder that was lost", async () => {
  await using home = makeHome();
  const code = (word: string) => `export default (c) => c.text("${word}");`;
  {
    await using server = await home.start();
    await server.api("PUT", "/api/files/hello.ts", { content: code("first") });
    await server.api("PUT", "/api/files/hello.ts", { content: code("second") });
    const { json } = await home.cli(["backup", "copy", "--json"]);
    assert.equal(json.contents, 2);
  }
  await Deno.remove(home.dataDir, { recursive: true });
  await Deno.remove(join(home.path, "code"), { recursive: true });
  assert.equal((await home.cli(["restore", "copy"])).code, 0);
  await using server = await home.start();
  const { body } = await server.api("GET", "/api/versions");
  // The empty folder is an edit, which a restored version undoes.
  assert.deepEqual(body.versions.map(({ id, cause }: { id: number; cause: string }) => [id, cause]), [
    [3, "disk"],
    [2, "file"],
    [1, "file"],
  ]);
  assert.equal((await server.api("POST", "/api/versions/1/restore")).status, 200);
  assert.equal(await Deno.readTextFile(join(home.path, "code", "hello.ts")), code("first"));
});
