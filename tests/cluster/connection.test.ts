// The way to PostgreSQL: TLS, several hosts and failover, PgBouncer, and what stops a start.

import assert from "node:assert/strict";
import { openPostgres } from "../../src/cluster/postgres/client.ts";
import type { Lane } from "../../src/cluster/postgres/lane.ts";
import { PostgresSetupError } from "../../src/cluster/postgres/failures.ts";
import { parseDatabaseUrl } from "../../src/database_url.ts";
import { createAuthority } from "./certificates.ts";
import { openTestPostgres, TestNode, textOf } from "./opened.ts";
import { startPgBouncer } from "./pgbouncer.ts";
import { startPostgres } from "./postgres.ts";

/** A start that an operator has to do something about, and that shows nothing of the password. */
async function assertStops(url: string, message: RegExp, schema?: string): Promise<void> {
  await assert.rejects(openTestPostgres(url, schema), (error: Error) => {
    assert.ok(error instanceof PostgresSetupError, String(error.stack));
    assert.match(
      error.message,
      /^PostgreSQL: .+\. DATABASE_URL names the user \w+ of the database \w+ on \S+;.*\.$/s,
    );
    assert.match(error.message, message);
    assert.doesNotMatch(error.message, /a password|a%20password|wrong/);
    return true;
  });
}

Deno.test("TLS is checked as sslmode says", async () => {
  await using authority = await createAuthority();
  await using other = await createAuthority();
  await using server = await startPostgres({ tls: await authority.issue("DNS:localhost") });
  const named = server.url.replace("127.0.0.1", "localhost");
  const isEncrypted = async (url: string): Promise<boolean> => {
    const postgres = await openTestPostgres(url);
    try {
      const [row] = await postgres.lane("reads").run((sql) =>
        sql<{ ssl: boolean }[]>`SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()`
      );
      return row!.ssl;
    } finally {
      await postgres.close();
    }
  };
  assert.equal(await isEncrypted(`${named}?sslmode=disable`), false);
  assert.equal(await isEncrypted(named), true);
  assert.equal(await isEncrypted(`${server.url}?sslmode=require`), true);
  assert.equal(await isEncrypted(`${named}?sslmode=verify-full&sslrootcert=${authority.path}`), true);
  assert.equal(await isEncrypted(`${server.url}?sslmode=verify-ca&sslrootcert=${authority.path}`), true);
  // The name is another one, the authority is, or the system does not know it.
  await assertStops(
    `${server.url}?sslmode=verify-full&sslrootcert=${authority.path}`,
    /certificate of 127\.0\.0\.1 is not/,
  );
  for (const mode of ["verify-full", "verify-ca", "require"]) {
    await assertStops(`${named}?sslmode=${mode}&sslrootcert=${other.path}`, /certificate of localhost is not accepted/);
  }
  await assertStops(`${named}?sslmode=verify-full`, /certificate of localhost is not accepted/);
  await assertStops(`${named}?sslmode=verify-full&sslrootcert=/missing.crt`, /\/missing\.crt, which cannot be read/);
});

Deno.test("a start stops where an operator has to change something, and says what", async () => {
  await using server = await startPostgres();
  const { url } = server;
  await assertStops(url.replace(/:[^:@]*@/, ":wrong@"), /refuses the password/);
  await assertStops(url.replace(/crude$/, "missing"), /has no such database/);
  await assertStops(`${url}?sslmode=require`, /does not offer TLS/);
  await (await openTestPostgres(url)).close();
  await server.query("CREATE ROLE poor LOGIN PASSWORD 'a password'");
  await assertStops(url.replace(/\/\/[^@]*@/, "//poor:a%20password@"), /no permission to use the schema/);
  await server.query("REVOKE CREATE ON DATABASE crude FROM crude; ALTER DATABASE crude OWNER TO postgres");
  await server.query("DROP SCHEMA crude_functions CASCADE");
  await assertStops(url, /lacks a permission: .* \(permission denied for database crude\)/);
  // A schema that an administrator has made is enough.
  await server.query("CREATE SCHEMA made AUTHORIZATION crude");
  await (await openTestPostgres(url, "made")).close();
  await server.query("CREATE SCHEMA used AUTHORIZATION crude; CREATE TABLE used.orders (id int)");
  await assertStops(url, /tables of another program, such as orders/, "used");
  await server.query("UPDATE made.meta SET value = '999' WHERE name = 'format'");
  await assertStops(url, /newer version of this program/, "made");
});

Deno.test("a start waits for a PostgreSQL that is not there yet", async () => {
  await using server = await startPostgres();
  await server.stop();
  const waiting = Promise.withResolvers<string>();
  const config = { database: parseDatabaseUrl(server.url), schema: "crude_functions", nodeUrl: undefined };
  const opening = openPostgres(config, { onWaiting: waiting.resolve });
  assert.equal(
    await waiting.promise,
    `PostgreSQL is not available: the connection was refused. Waiting for 127.0.0.1:${server.port}, which DATABASE_URL names.`,
  );
  await server.restart();
  await (await opening).close();
  const exhausted = Promise.withResolvers<string>();
  await server.query("ALTER ROLE crude CONNECTION LIMIT 3");
  const limited = openPostgres(config, { onWaiting: exhausted.resolve });
  assert.match(
    await exhausted.promise,
    /it has no connection left; raise max_connections, or the role's limit\. Waiting/,
  );
  await server.query("ALTER ROLE crude CONNECTION LIMIT -1");
  await (await limited).close();
  const stopping = new AbortController();
  await server.stop();
  const stopped = openPostgres(config, { onWaiting: () => stopping.abort(), signal: stopping.signal });
  await assert.rejects(stopped, { name: "AbortError" });
});

Deno.test("time limits that a role has by default end nothing that a node waits for", async () => {
  await using server = await startPostgres();
  for (const name of ["lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout"]) {
    await server.query(`ALTER ROLE crude SET ${name} = '10ms'`);
  }
  const postgres = await openTestPostgres(server.url);
  try {
    const change = (lane: Lane, meanwhile: () => Promise<unknown>) =>
      lane.transaction(async (sql) => {
        await sql`UPDATE meta SET value = value WHERE name = 'format'`;
        await meanwhile();
      });
    let waiting: Promise<void> | undefined;
    await change(postgres.lane("bulk"), async () => {
      waiting = change(postgres.lane("changes"), () => Promise.resolve());
      waiting.catch(() => {});
      const since = "waitstart < now() - interval '50ms'";
      while ((await server.query(`SELECT 1 FROM pg_locks WHERE NOT granted AND ${since}`)).length === 0);
    });
    await waiting;
  } finally {
    await postgres.close();
  }
});

Deno.test("with two hosts, changes continue on the synchronous standby after it was promoted", async () => {
  await using server = await startPostgres();
  await using standby = await server.startStandby({ synchronous: true });
  const hosts = `127.0.0.1:${standby.port},127.0.0.1:${server.port}`;
  await using node = await TestNode.open(server.url.replace(/127\.0\.0\.1:\d+/, hosts));
  await using other = await TestNode.open(server.url.replace(/127\.0\.0\.1:\d+/, hosts));
  const acknowledged = [];
  for (let n = 1; n <= 3; n++) acknowledged.push(textOf(node.applied = await node.append(`change ${n}`)));
  const notified = Promise.withResolvers<void>();
  other.log.onAppended((seq) => seq === 4 && notified.resolve());
  await server.kill();
  await standby.promote();
  assert.equal((await node.append("after the failover")).seq, 4);
  await notified.promise;
  assert.deepEqual((await other.catchUp()).map(textOf), [...acknowledged, "after the failover"]);
});

Deno.test("PgBouncer works in session mode, and is refused in another one", async () => {
  await using server = await startPostgres();
  await using session = await startPgBouncer(server, "session");
  await using one = await TestNode.open(session.url);
  await using other = await TestNode.open(session.url);
  const notified = Promise.withResolvers<void>();
  other.log.onAppended((seq) => seq === 2 && notified.resolve());
  await one.append("first");
  await other.append("second");
  await notified.promise;
  assert.deepEqual((await one.catchUp()).map(textOf), ["first", "second"]);
  await using transaction = await startPgBouncer(server, "transaction");
  await assertStops(transaction.url, /pool_mode = session/);
});
