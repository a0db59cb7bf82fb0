// Moving a data folder into a cluster and out of it: nothing is lost, whatever interrupts it.

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { OPERATOR } from "../../src/actor.ts";
import type { SecretName } from "../../src/ids.ts";
import { createChain } from "../../src/cluster/log/entry.ts";
import { openClusterKeyring } from "../../src/cluster/keyring/open_keyring.ts";
import { type MigrationOptions, moveIntoCluster } from "../../src/cluster/moving/migration.ts";
import type { Postgres } from "../../src/cluster/postgres/client.ts";
import { openPostgresLog, uncheckedKeyring } from "../../src/cluster/postgres/postgres_log.ts";
import { clusterId } from "../../src/cluster/postgres/schema.ts";
import { Snapshots } from "../../src/cluster/postgres/snapshots.ts";
import { Passphrase } from "../../src/config.ts";
import { parseDatabaseUrl } from "../../src/database_url.ts";
import { KeyFile } from "../../src/keyring/key_file.ts";
import { createGroup, createKey, createSecret, deploy, run, save } from "../http/handlers.ts";
import { type Home, makeHome } from "../cli/cli.ts";
import { temporaryFolder } from "../unit/temporary.ts";
import { type InProcessNode, joinInProcess } from "./in_process.ts";
import { openTestPostgres } from "./opened.ts";
import { startPostgres, type TestPostgres } from "./postgres.ts";

const TEXT = "correct horse battery";
const PASSPHRASE = new Passphrase(TEXT, "KEYRING_PASSPHRASE");

const envOf = ({ url }: TestPostgres) => ({ DATABASE_URL: `${url}?sslmode=disable`, KEYRING_PASSPHRASE: TEXT });

/** Every row of every table, as text; `meta` without what belongs to one machine. */
function rowsOf(path: string): Record<string, string[]> {
  using db = new DatabaseSync(path, { readOnly: true });
  const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").all() as {
    name: string;
  }[];
  const text = (_key: string, value: unknown) => value instanceof Uint8Array ? value.toHex() : value;
  return Object.fromEntries(tables.map(({ name }) => [
    name,
    db.prepare(`SELECT * FROM "${name}"`).all()
      .map((row) => JSON.stringify(row, text)).filter((row) => !/"(code-applied|cluster-head)"/.test(row)).sort(),
  ]));
}

/** Without what the audit has of the cluster. */
function unrecorded(rows: Record<string, string[]>): Record<string, string[]> {
  const audit = rows.audit!.filter((row) => !/"action":"(cluster|node)\./.test(row));
  return { ...rows, audit, meta: rows.meta!.filter((row) => !row.includes('"audit-head"')) };
}

/** Makes a stopped server with secrets in all scopes, keys, two versions of a file, a rotation and a deleted secret. */
async function fill(home: Home): Promise<{ key: string }> {
  await using server = await home.start();
  await save(server, "lib/b.ts", "export const b = 2;");
  await deploy(server, "hello", "export default (c) => c.text('one');");
  const groupId = await createGroup(server, "team");
  const key = await createKey(server, groupId, "one");
  for (const name of ["A", "B", "C"]) await createSecret(server, name, `välue of ${name} 🔑`);
  await createSecret(server, "A", "of the group", { scope: "group", groupId });
  await createSecret(server, "A", "of the key", { scope: "key", keyId: key.id });
  assert.equal((await server.api("POST", "/api/encryption-keys/rotation")).status, 200);
  await save(server, "hello.ts", "export default (c) => c.text('two');");
  const { body: { secrets } } = await server.api("GET", "/api/secrets/by-name/C");
  await server.api("DELETE", `/api/secrets/${secrets[0].id}`);
  return { key: key.value };
}

Deno.test("a data folder is moved into a cluster whole, and kept", async () => {
  await using postgres = await startPostgres();
  await using home = makeHome();
  await fill(home);
  const before = rowsOf(home.database);
  const env = envOf(postgres);
  const moved = await home.cli(["migrate-to-cluster", "--json"], env);
  assert.equal(moved.code, 0, moved.stdout + moved.stderr);
  const { kept } = moved.json;
  assert.deepEqual(rowsOf(join(kept, "database.db")), before);
  assert.deepEqual(readdirSync(home.dataDir).filter((name) => /^(database|encryption|blobs|cluster)/.test(name)), []);

  await using there = await openClosed(postgres);
  assert.deepEqual(await snapshotRows(there, await clusterId(there.lane("reads"))), before);

  const again = await home.cli(["migrate-to-cluster"], env);
  assert.equal(again.code, 1);
  assert.match(
    again.stderr,
    /was moved into a cluster before, and is kept in \S+before-cluster-\S+\. Start the server with/,
  );
  await using other = makeHome();
  await fill(other);
  const refused = await other.cli(["migrate-to-cluster"], env);
  assert.notEqual(refused.code, 0);
  assert.match(refused.stderr, /has data of a cluster/);
  assert.ok(existsSync(other.database), "the source is untouched");
  const apart = await other.cli(["migrate-to-cluster"], { ...env, DATABASE_SCHEMA: "other" });
  assert.equal(apart.code, 0, apart.stderr);
});

Deno.test("what would get lost or cannot be moved is refused, and nothing is changed", async () => {
  await using postgres = await startPostgres();
  await using home = makeHome();
  await fill(home);
  const env = envOf(postgres);
  const refused = async (env: Record<string, string>, code: number, message: RegExp) => {
    const run = await home.cli(["migrate-to-cluster"], env);
    assert.equal(run.code, code, run.stderr);
    assert.match(run.stderr, message);
  };
  await refused({}, 2, /DATABASE_URL is missing/);
  await refused({ DATABASE_URL: env.DATABASE_URL }, 2, /KEYRING_PASSPHRASE/);
  const edited = join(home.path, "code", "hello.ts");
  const text = readFileSync(edited, "utf8");
  await Deno.writeTextFile(edited, "edited");
  await refused(env, 1, /edited since the server was stopped \(hello\.ts\)/);
  await Deno.writeTextFile(edited, text);
  {
    using db = new DatabaseSync(home.database);
    db.exec("UPDATE secrets SET comment = 'altered' WHERE id = 1");
  }
  await refused(env, 1, /was altered by something other than this program/);
  {
    using db = new DatabaseSync(home.database);
    db.exec("UPDATE secrets SET comment = '' WHERE id = 1");
  }
  {
    await using _server = await home.start();
    await refused(env, 3, /Stop the server/);
  }
});

Deno.test("a move that was interrupted leaves the source as it was, and is completed by the next one", async () => {
  await using postgres = await startPostgres();
  await using home = makeHome();
  await fill(home);
  const env = envOf(postgres);
  const before = rowsOf(home.database);
  const mark = join(home.dataDir, "cluster.pending");
  const options: MigrationOptions = {
    dataDir: home.dataDir,
    database: home.database,
    keyFile: new KeyFile(home.keyFile, undefined),
    cluster: { database: parseDatabaseUrl(env.DATABASE_URL), schema: "crude_functions", nodeUrl: undefined },
    passphrase: PASSPHRASE,
    now: new Date(),
    onMoved: (cluster) => Deno.writeTextFileSync(mark, cluster),
    onProgress() {},
    onWaiting() {},
  };
  const dies = (): never => {
    throw new Error("killed");
  };
  await assert.rejects(moveIntoCluster({ ...options, onProgress: dies }), /killed/);
  assert.deepEqual(rowsOf(home.database), before);
  await using there = await openClosed(postgres);
  await assert.rejects(clusterId(there.lane("reads")), /interrupted/, "no node starts on a half");
  {
    await using server = await home.start();
    await createSecret(server, "LATE", "written between the two");
  }

  await assert.rejects(
    moveIntoCluster({
      ...options,
      onMoved(cluster) {
        options.onMoved(cluster);
        dies();
      },
    }),
    /killed/,
  );
  await assert.rejects(home.start(), /into a cluster was interrupted. Run it again/);
  const id = await moveIntoCluster(options).then(({ cluster }) => cluster);
  assert.equal(await clusterId(there.lane("reads")), id);
  const completed = await home.cli(["migrate-to-cluster", "--json"], env);
  assert.equal(completed.code, 0, completed.stderr);
  assert.equal(completed.json.kept, join(home.dataDir, `before-cluster-${id.slice(0, 8)}`));
  assert.equal(rowsOf(join(completed.json.kept, "database.db")).secrets!.some((row) => row.includes("LATE")), true);
  assert.deepEqual(await snapshotRows(there, id), rowsOf(join(completed.json.kept, "database.db")));
});

Deno.test("what a cluster has becomes a server of its own again, with nothing lost", async () => {
  await using postgres = await startPostgres();
  await using home = makeHome();
  const { key } = await fill(home);
  const env = envOf(postgres);
  assert.equal((await home.cli(["migrate-to-cluster"], env)).code, 0);
  const before = rowsOf(join(home.dataDir, onlyName(home.dataDir, /^before-cluster/), "database.db"));
  const left = async (name: string): Promise<Home> => {
    const single = makeHome();
    const run = await single.cli(["leave-cluster", "data", "--json"], env);
    assert.equal(run.code, 0, `${name}: ${run.stdout}${run.stderr}`);
    return single;
  };
  {
    await using single = await left("at once");
    assert.deepEqual(unrecorded(rowsOf(single.database)), unrecorded(before), "there and back, every row is the same");
    const keys = (path: string) => {
      const { keyring } = new KeyFile(path, PASSPHRASE);
      return [keyring.fingerprint(), keyring.currentVersion, [1, 2].map((version) => keyring.has(version))];
    };
    const source = join(home.dataDir, onlyName(home.dataDir, /^before-cluster/));
    assert.deepEqual(keys(single.keyFile), keys(join(source, "encryption-keys.json")));
    assert.deepEqual(blobsIn(single.dataDir), blobsIn(source));
  }

  const all: InProcessNode[] = [];
  using folder = temporaryFolder();
  {
    await using node = await joinInProcess({ url: postgres.url, folder: folder.path, all });
    const create = { value: "made in the cluster", owner: { scope: "global" as const }, comment: "" };
    await node.store.commit(() => node.secrets.create(OPERATOR, { name: "NEW" as SecretName, ...create }));
    const [first] = node.store.secrets.list({}, 0, 1);
    await node.store.commit(() => node.secrets.delete(OPERATOR, first!.id));
    await node.rotation().rotate(OPERATOR);
  }
  await using single = await left("after changes");
  assert.deepEqual(unrecorded(rowsOf(single.database)), unrecorded(rowsOf(join(folder.path, "database.db"))));
  await using server = await single.start({ KEYRING_PASSPHRASE: TEXT });
  const values = await server.api("GET", "/api/secrets?includeValues=true", undefined, { "X-API-Key": key });
  assert.equal(values.status, 403, "an API key is what it was");
  const { body } = await server.api("GET", "/api/secrets?includeValues=true");
  const read = body.secrets.map(({ value }: { value: string }) => value).sort();
  assert.deepEqual(read, ["made in the cluster", "of the group", "of the key", "välue of B 🔑"]);
  const called = await run(server, "/hello");
  assert.equal(called.body, "two");

  const again = await single.cli(["leave-cluster", "data"], env);
  assert.equal(again.code, 2, "a folder with data is not written to");
  const wrong = await single.cli(["leave-cluster", "other"], { ...env, KEYRING_PASSPHRASE: "another horse battery" });
  assert.equal(wrong.code, 4);
  assert.deepEqual(readdirSync(single.path).filter((name) => name.startsWith("other")), [], "nothing is left");
});

function onlyName(folder: string, pattern: RegExp): string {
  return readdirSync(folder).find((name) => pattern.test(name))!;
}

function blobsIn(folder: string): string[] {
  const blobs = join(folder, "blobs");
  return readdirSync(blobs).flatMap((start) => readdirSync(join(blobs, start)).map((rest) => start + rest)).sort();
}

async function openClosed({ url }: TestPostgres): Promise<Postgres & AsyncDisposable> {
  const postgres = await openTestPostgres(url);
  return Object.assign(postgres, { [Symbol.asyncDispose]: () => postgres.close() });
}

/** The rows of the newest snapshot, as a node reads it that has the passphrase alone. */
async function snapshotRows(there: Postgres, cluster: string): Promise<Record<string, string[]>> {
  using folder = temporaryFolder();
  const stored = (await uncheckedKeyring(there))!;
  const path = join(folder.path, "keys.json");
  const { keyring } = openClusterKeyring({ path, stored, passphrase: PASSPHRASE });
  const log = await openPostgresLog(there, createChain(keyring, cluster));
  const entries = await log.read(log.start, 10);
  assert.deepEqual(entries.map(({ kind }) => kind), ["keyring"]);
  const snapshots = new Snapshots(there, keyring, cluster);
  const [snapshot, ...others] = await snapshots.list();
  assert.deepEqual(others, []);
  assert.equal(snapshot!.head.mac, entries[0]!.mac);
  assert.ok(await snapshots.fetch(snapshot!, join(folder.path, "database.db")));
  return rowsOf(join(folder.path, "database.db"));
}
