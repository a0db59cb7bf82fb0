// Which start founds a cluster: one with an empty data folder, where nothing says that another cluster was meant.

import assert from "node:assert/strict";
import { join } from "node:path";
import { startApp } from "../http/app.ts";
import { createSecret } from "../http/handlers.ts";
import { temporaryFolder } from "../unit/temporary.ts";
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
  await t.step("in a schema that somebody has made, a second cluster is founded", async () => {
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
