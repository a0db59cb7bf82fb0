// Marks a cluster whose data is being moved into it, so that no node starts on a half, and an interrupted move can be
// repeated.

import { randomUUID } from "node:crypto";
import type { Postgres } from "./client.ts";
import { PostgresSetupError } from "./failures.ts";
import { lockKey } from "./lock_key.ts";
import { MOVING } from "./schema.ts";
import type { Sql } from "./session.ts";

const TIMEOUT_MS = 60_000;
/** What a cluster has as soon as it has anything. */
const TABLES = ["log", "log_head", "keyring", "snapshots", "nodes", "blobs"] as const;

/**
 * Marks a cluster without data, or one into which a move of the same `source` was interrupted, of which everything but
 * contents of code is removed. Returns the cluster's new id.
 * @throws PostgresSetupError if there is other data; StoreUnavailable
 */
export async function beginMove(postgres: Postgres, source: string): Promise<string> {
  return await postgres.lane("bulk").transaction(async (sql) => {
    await sql`SELECT pg_advisory_xact_lock(${lockKey(postgres.schema, "tables")})`;
    const [mark] = await sql<{ value: string }[]>`SELECT value FROM meta WHERE name = ${MOVING}`;
    if (mark?.value !== source) await requireEmpty(sql, postgres.schema);
    for (const table of ["snapshot_chunks", "snapshots", "log", "log_head", "keyring"]) {
      await sql.unsafe(`DELETE FROM ${table}`);
    }
    const cluster = randomUUID();
    await sql`UPDATE meta SET value = ${cluster} WHERE name = 'cluster'`;
    await sql`INSERT INTO meta VALUES (${MOVING}, ${source}) ON CONFLICT (name) DO UPDATE SET value = excluded.value`;
    return cluster;
  }, { timeoutMs: TIMEOUT_MS });
}

/** Removes the mark: nodes can start. */
export async function endMove(postgres: Postgres): Promise<void> {
  await postgres.lane("bulk").run((sql) => sql`DELETE FROM meta WHERE name = ${MOVING}`, { timeoutMs: TIMEOUT_MS });
}

/** Returns the id of a cluster that has data. */
export async function movedCluster(postgres: Postgres): Promise<string | undefined> {
  return await postgres.lane("reads").run(async (sql) => {
    const rows = await sql<{ name: string; value: string }[]>`
      SELECT name, value FROM meta WHERE name IN ('cluster', ${MOVING})`;
    if (rows.some(({ name }) => name === MOVING)) return undefined;
    return rows.find(({ name }) => name === "cluster")?.value;
  }, { isRepeatable: true });
}

async function requireEmpty(sql: Sql, schema: string): Promise<void> {
  for (const table of TABLES) {
    const [row] = await sql.unsafe(`SELECT 1 FROM ${table} LIMIT 1`);
    if (!row) continue;
    throw new PostgresSetupError(
      `the schema ${schema} has data of a cluster; name an empty one by DATABASE_SCHEMA, or remove it by ` +
        `DROP SCHEMA "${schema}" CASCADE if it is of no use`,
    );
  }
}
