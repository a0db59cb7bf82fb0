// The PostgreSQL of tests does what tests rely on: it ends with them, restarts with its data, and has standbys.

import assert from "node:assert/strict";
import postgres from "postgres";
import { startPostgres } from "./postgres.ts";

async function select(url: string, text: string): Promise<unknown[]> {
  const sql = postgres(url, { max: 1, fetch_types: false });
  try {
    return [...await sql.unsafe(text)];
  } finally {
    await sql.end();
  }
}

Deno.test("a server that was killed has everything that was committed, and its role is no superuser", async () => {
  await using server = await startPostgres();
  await server.query("CREATE TABLE t (n int); INSERT INTO t VALUES (1)");
  await server.kill();
  await assert.rejects(server.query("SELECT 1"));
  await server.restart();
  assert.deepEqual(await server.query("SELECT n FROM t"), [{ n: 1 }]);
  await server.stop();
  await server.restart();
  const sql = "SELECT current_user AS name, current_setting('is_superuser') AS super";
  assert.deepEqual(await select(server.url, sql), [{ name: "crude", super: "off" }]);
});

Deno.test("a synchronous standby has each commit, and takes over", async () => {
  await using server = await startPostgres();
  await using standby = await server.startStandby({ synchronous: true });
  await server.query("CREATE TABLE t (n int); INSERT INTO t VALUES (1)");
  await server.kill();
  await standby.promote();
  assert.deepEqual(await standby.query("INSERT INTO t VALUES (2) RETURNING (SELECT count(*)::int FROM t) AS n"), [{
    n: 1,
  }]);
});
