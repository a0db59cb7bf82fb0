// Which start founds a cluster: one with an empty data folder, where nothing says that another cluster was meant.

import assert from "node:assert/strict";
import { join } from "node:path";
import { startApp } from "../http/app.ts";
import { createSecret } from "../http/handlers.ts";
import { temporaryFolder } from "../unit/temporary.ts";
import { TestNode } from "./opened.ts";
import { startPostgres } from "./postgres.ts";

Deno.test("a mistyped schema founds no cluster beside the one that was meant, and leaves nothing behind", async (t) => {
  await using postgres = await startPostgres();
  using folders = temporaryFolder();
  const env = { DATABASE_URL: `${postgres.url}?sslmode=disable`, KEYRING_PASSPHRASE: "a passphrase for two nodes" };
  const start = (name: string, schema?: string) =>
    startApp({ folder: join(folders.path, name), env: { ...env, ...(schema && { DATABASE_SCHEMA: schema }) } });
  const schemas = async () =>
    (await postgres.query<{ name: string }>(
      "SELECT nspname AS name FROM pg_namespace WHERE nspname !~ '^pg_|^information' ORDER BY 1",
    )).map(({ name }) => name);
  await t.step("the first node founds one, and says so", async () => {
    await using a = await start("a");
    assert.match(
      a.logs(),
      /A new cluster was founded, in the schema crude_functions of the database crude, .*DATABASE_SCHEMA, empty DATA_DIR/,
    );
    await createSecret(a, "ONE", "1");
    await using b = await start("b");
    assert.doesNotMatch(b.logs(), /founded/);
    await assert.rejects(
      start("c", "crude_funtions"),
      /there is no schema crude_funtions, but a cluster in crude_functions; to join that one, correct DATABASE_SCHEMA/,
    );
  });
  await t.step("a node of a cluster founds none, whatever its variables say", async () => {
    await assert.rejects(
      start("b", "crude_funtions"),
      /no cluster in the schema crude_funtions \(the database has a cluster in crude_functions\); .*DATA_DIR \S+ is of a/,
    );
    await postgres.query("CREATE SCHEMA made AUTHORIZATION crude");
    await assert.rejects(start("b", "made"), /no cluster in the schema made/);
  });
  await t.step("nor does the data of a server of its own", async () => {
    await (await startApp({ folder: join(folders.path, "single") })).stop();
    await assert.rejects(start("single", "fresh"), /has data of its own .*migrate-to-cluster/);
  });
  assert.deepEqual(await schemas(), ["crude_functions", "made", "public"]);
  assert.deepEqual(await postgres.query("SELECT 1 FROM pg_class WHERE relnamespace = 'made'::regnamespace"), []);
  await t.step("in a schema that an administrator has made, a second cluster is founded", async () => {
    {
      await using other = await start("other", "made");
      assert.match(other.logs(), /A new cluster was founded, in the schema made /);
      assert.deepEqual((await other.api("GET", "/api/secrets")).body.secrets, []);
    }
    await using b = await start("b");
    assert.deepEqual((await b.api("GET", "/api/secrets")).body.secrets.map(({ name }: { name: string }) => name), [
      "ONE",
    ]);
    await assert.rejects(start("other"), /belongs to another cluster/);
  });
});

Deno.test("a node that was too slow to found a cluster joins the one that another has founded", async () => {
  await using postgres = await startPostgres();
  using folders = temporaryFolder();
  const env = { DATABASE_URL: `${postgres.url}?sslmode=disable`, KEYRING_PASSPHRASE: "a passphrase for two nodes" };
  const start = (name: string, schema: string) =>
    startApp({ folder: join(folders.path, name), env: { ...env, DATABASE_SCHEMA: schema } });
  await using a = await start("a", "crude_functions");
  await createSecret(a, "ONE", "1");
  await postgres.query("CREATE SCHEMA apart AUTHORIZATION crude");
  // Keys and a database of its own, as those of a node whose lock was lost while it founded.
  await (await start("slow", "apart")).stop();
  const [own, its] = [a.dataDir, join(folders.path, "slow", "data")].map((path) => join(path, "cluster.json"));
  const { cluster } = JSON.parse(await Deno.readTextFile(own!));
  const { node } = JSON.parse(await Deno.readTextFile(its!));
  await Deno.writeTextFile(its!, JSON.stringify({ cluster, node }));
  await Deno.writeTextFile(join(folders.path, "slow", "data", "cluster.founding"), "");
  await using slow = await start("slow", "crude_functions");
  assert.deepEqual((await slow.api("GET", "/api/secrets")).body.secrets.map(({ name }: { name: string }) => name), [
    "ONE",
  ]);
  await createSecret(slow, "TWO", "2");
  assert.equal((await a.api("GET", "/api/secrets")).body.secrets.length, 2);
});

Deno.test("of nodes that store the first snapshot at the same time, one does", async () => {
  await using postgres = await startPostgres();
  using folder = temporaryFolder();
  await using a = await TestNode.open(postgres.url);
  await using b = await TestNode.open(postgres.url);
  const paths = ["a", "b"].map((name) => join(folder.path, name));
  for (const [n, path] of paths.entries()) await Deno.writeFile(path, new Uint8Array(3_000_000).fill(n));
  const first = await a.append("first");
  const stored = await Promise.all([a, b].map(({ snapshots }, n) => snapshots.storeFirst(first, 1, paths[n]!)));
  assert.deepEqual(stored.toSorted(), [false, true]);
  const [snapshot] = await a.snapshots.list();
  assert.equal(await b.snapshots.check(snapshot!), true);
});
