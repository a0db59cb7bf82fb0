// Creates and upgrades the tables of a cluster in PostgreSQL. The first node that starts does, others wait for it.

import { randomUUID } from "node:crypto";
import { PostgresSetupError } from "./failures.ts";
import type { Lane } from "./lane.ts";
import { lockKey } from "./lock_key.ts";
import type { Sql } from "./session.ts";

/** Name in the table `meta` while data is moved into the cluster; the value identifies that data. See moving.ts. */
export const MOVING = "moving";

/**
 * In order; the number of those applied is the format of the tables. Released ones are never edited. While a cluster is
 * upgraded, nodes of the version before work with the new tables: a later one only adds.
 */
const FORMATS: readonly string[] = [
  `
  -- One row, which is the writers' lock.
  CREATE TABLE log_head (
    id int PRIMARY KEY CHECK (id = 1),
    seq bigint NOT NULL,
    mac text NOT NULL
  ) WITH (fillfactor = 10);

  CREATE TABLE log (
    seq bigint PRIMARY KEY,
    id text NOT NULL UNIQUE,
    kind text NOT NULL,
    body bytea NOT NULL,
    summary text NOT NULL,
    mac text NOT NULL,
    -- For operators; no node reads it.
    appended_at timestamptz NOT NULL DEFAULT now()
  );

  -- The wrapped key file of the newest entry of kind keyring, for nodes that cannot check the log yet.
  CREATE TABLE keyring (
    id int PRIMARY KEY CHECK (id = 1),
    seq bigint NOT NULL,
    body bytea NOT NULL
  );

  CREATE TABLE nodes (
    id text PRIMARY KEY,
    -- Counts renewals of the lease: a number, so that no two clocks are compared.
    counter bigint NOT NULL,
    applied bigint NOT NULL,
    -- JSON: url, version and what else nodes say about themselves.
    state text NOT NULL,
    mac text NOT NULL,
    -- For operators, and to forget nodes that are gone for a day.
    renewed_at timestamptz NOT NULL DEFAULT now()
  ) WITH (fillfactor = 10);

  -- Contents of files of code, by their hash. They are mostly compressed already.
  CREATE TABLE blobs (
    sha256 text PRIMARY KEY,
    body bytea NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT now()
  );
  ALTER TABLE blobs ALTER COLUMN body SET STORAGE EXTERNAL;

  CREATE TABLE snapshots (
    -- The last entry that it contains, with its MAC.
    seq bigint PRIMARY KEY,
    entry_mac text NOT NULL,
    format int NOT NULL,
    sha256 text NOT NULL,
    size bigint NOT NULL,
    mac text NOT NULL,
    taken_at timestamptz NOT NULL DEFAULT now()
  );
  -- Stored before the row that makes them a snapshot.
  CREATE TABLE snapshot_chunks (
    seq bigint NOT NULL,
    n int NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (seq, n)
  );
  ALTER TABLE snapshot_chunks ALTER COLUMN body SET STORAGE EXTERNAL;
  `,
  `
  -- Counts of each node as they are now: calls, reads of secrets, last uses of keys and sessions.
  CREATE TABLE counts (
    kind text NOT NULL,
    node text NOT NULL,
    key text NOT NULL,
    -- Milliseconds since 1970; 0 for what is of no time.
    at bigint NOT NULL,
    -- JSON; null for a row that was deleted.
    body text,
    mac text NOT NULL,
    -- Grows with each change.
    change bigint NOT NULL UNIQUE,
    changed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (kind, node, key)
  );
  CREATE SEQUENCE counts_change;
  `,
  `
  -- Attempts to sign in and the like; the bucket is a MAC of what they count against.
  CREATE TABLE attempts (
    bucket text PRIMARY KEY,
    attempts int NOT NULL,
    blocked_until timestamptz NOT NULL,
    last_at timestamptz NOT NULL
  );
  -- What one request leaves for a later one, for minutes, encrypted.
  CREATE TABLE handovers (
    kind text NOT NULL,
    key text NOT NULL,
    body text NOT NULL,
    until timestamptz NOT NULL,
    PRIMARY KEY (kind, key)
  );
  `,
];

/**
 * Whether tables are made where there are none, which founds a cluster: not by a node that is part of one; and by one with
 * an empty data folder only `unless-others` are in the database, as the name of the schema is then probably wrong. A schema
 * that an administrator has made is meant.
 */
export type Founding = "allowed" | "unless-others" | "refused";

/**
 * @throws PostgresSetupError if the tables are of a newer version, or if there are none and may be none; an error of
 *   PostgreSQL
 */
export async function ensureTables(lane: Lane, schema: string, founding: Founding = "allowed"): Promise<void> {
  const format = await formatOf(lane);
  if (format === FORMATS.length) return;
  if (format === 0 && founding === "refused") throw await noCluster(lane, schema);
  await lane.transaction(async (sql) => {
    await sql`SELECT pg_advisory_xact_lock(${lockKey(schema, "tables")})`;
    const [found] = await sql`SELECT 1 FROM pg_namespace WHERE nspname = ${schema}`;
    if (!found && founding === "unless-others") await requireNoOthers(sql, schema);
    // Separate, as it needs a permission that a user whose schema exists may lack.
    if (!found) await sql.unsafe(`CREATE SCHEMA "${schema}"`);
    await upgrade(sql, schema);
  }, { timeoutMs: 60_000 });
}

async function upgrade(sql: Sql, schema: string): Promise<void> {
  await sql.unsafe("CREATE TABLE IF NOT EXISTS meta (name text PRIMARY KEY, value text NOT NULL)");
  const [row] = await sql<{ value: string }[]>`SELECT value FROM meta WHERE name = 'format'`;
  const format = Number(row?.value ?? 0);
  if (format > FORMATS.length) {
    throw new PostgresSetupError(`the tables in the schema ${schema} were written by a newer version of this program`);
  }
  if (format === 0) {
    const [other] = await sql<{ name: string }[]>`
      SELECT relname AS name FROM pg_class
      WHERE relnamespace = ${schema}::regnamespace AND relkind = 'r' AND relname <> 'meta' LIMIT 1`;
    if (other) {
      throw new PostgresSetupError(
        `the schema ${schema} has tables of another program, such as ${other.name}; name another one by DATABASE_SCHEMA`,
      );
    }
  }
  for (const statements of FORMATS.slice(format)) await sql.unsafe(statements);
  if (format === 0) await sql`INSERT INTO meta VALUES ('cluster', ${randomUUID()})`;
  await sql`
    INSERT INTO meta VALUES ('format', ${String(FORMATS.length)})
    ON CONFLICT (name) DO UPDATE SET value = excluded.value`;
}

/** @throws PostgresSetupError if there are no tables of this version; StoreUnavailable */
export async function requireTables(lane: Lane, schema: string): Promise<void> {
  const format = await formatOf(lane);
  if (format === FORMATS.length) return;
  if (format === 0) throw await noCluster(lane, schema);
  throw new PostgresSetupError(`the tables in the schema ${schema} are of another version of this program`);
}

async function noCluster(lane: Lane, schema: string): Promise<PostgresSetupError> {
  const others = await lane.run((sql) => clusterSchemas(sql));
  if (others.includes(schema)) {
    return new PostgresSetupError(`the user has no permission to use the schema ${schema}: it has to own it`);
  }
  const there = others.length === 0 ? "" : ` (the database has a cluster in ${others.join(", ")})`;
  return new PostgresSetupError(
    `there is no cluster in the schema ${schema}${there}; correct DATABASE_SCHEMA or DATABASE_URL, or start a node with ` +
      "an empty DATA_DIR first, which founds one",
  );
}

/** @throws PostgresSetupError */
async function requireNoOthers(sql: Sql, schema: string): Promise<void> {
  const others = await clusterSchemas(sql);
  if (others.length === 0) return;
  throw new PostgresSetupError(
    `there is no schema ${schema}, but a cluster in ${
      others.join(", ")
    }; to join that one, correct DATABASE_SCHEMA; to ` +
      `found another cluster, create the schema first: CREATE SCHEMA "${schema}"`,
  );
}

/** Returns the schemas of the database that have tables of a cluster. */
async function clusterSchemas(sql: Sql): Promise<string[]> {
  const rows = await sql<{ name: string }[]>`
    SELECT nspname AS name FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE relname = 'log_head' AND relkind = 'r' ORDER BY nspname`;
  return rows.map(({ name }) => name);
}

/** Returns 0 if there are no tables. */
async function formatOf(lane: Lane): Promise<number> {
  return await lane.run(async (sql) => {
    const [table] = await sql<{ exists: boolean }[]>`SELECT to_regclass('meta') IS NOT NULL AS exists`;
    if (!table!.exists) return 0;
    const [row] = await sql<{ value: string }[]>`SELECT value FROM meta WHERE name = 'format'`;
    return Number(row?.value ?? 0);
  });
}

/**
 * Returns the id of the cluster, which is made with its tables.
 * @throws PostgresSetupError while data is moved into it
 */
export async function clusterId(lane: Lane): Promise<string> {
  const rows = await lane.run((sql) =>
    sql<{ name: string; value: string }[]>`
      SELECT name, value FROM meta WHERE name IN ('cluster', ${MOVING})`, { isRepeatable: true });
  if (rows.some(({ name }) => name === MOVING)) {
    throw new PostgresSetupError(
      "data is being moved into this cluster, or such a move was interrupted: run migrate-to-cluster again, or remove " +
        "the schema",
    );
  }
  const row = rows.find(({ name }) => name === "cluster");
  if (!row) throw new PostgresSetupError("the table meta does not name the cluster");
  return row.value;
}
