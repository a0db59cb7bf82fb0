// Implements the table of counts in PostgreSQL.

import type { CountTable, StoredCount } from "../counts/exchange.ts";
import type { Postgres } from "./client.ts";
import { lockKey } from "./lock_key.ts";

const TIMEOUT_MS = 30_000;

export class PostgresCountTable implements CountTable {
  readonly #postgres: Postgres;

  constructor(postgres: Postgres) {
    this.#postgres = postgres;
  }

  async put(rows: readonly StoredCount[]): Promise<void> {
    await this.#lane.transaction(async (sql) => {
      // Changes become visible in the order of their numbers: a reader would miss a lower one that comes later.
      await sql`SELECT pg_advisory_xact_lock(${lockKey(this.#postgres.schema, "counts")})`;
      await sql`
        INSERT INTO counts (kind, node, key, at, body, mac, change)
        SELECT kind, node, key, at, body, mac, nextval('counts_change') FROM json_to_recordset(${
        JSON.stringify(rows)
      }::text::json)
          AS given (kind text, node text, key text, at bigint, body text, mac text)
        ON CONFLICT (kind, node, key) DO UPDATE
        SET at = excluded.at, body = excluded.body, mac = excluded.mac, change = excluded.change, changed_at = now()`;
    }, { timeoutMs: TIMEOUT_MS });
  }

  async changed(node: string, after: number, limit: number): Promise<{ rows: StoredCount[]; to: number }> {
    return await this.#lane.run(async (sql) => {
      // Before the rows: what is stored after it has a higher number. A number that was never issued is of a forged row.
      const [last] = await sql<{ change: number; issued: number }[]>`
        SELECT last_value AS issued, (SELECT coalesce(max(change), 0) FROM counts WHERE change <= last_value) AS change
        FROM counts_change`;
      const { change, issued } = last!;
      // A forged row had led further than there were changes: all rows again, as each is the same twice.
      const from = after > issued ? 0 : after;
      const rows = await sql<(StoredCount & { change: number })[]>`
        SELECT kind, node, key, at, body, mac, change FROM counts
        WHERE change > ${from} AND change <= ${change} AND node <> ${node} ORDER BY change LIMIT ${limit}`;
      const to = rows.length < limit ? Math.max(from, change) : rows.at(-1)!.change;
      return { rows: [...rows], to };
    }, { timeoutMs: TIMEOUT_MS, isRepeatable: true });
  }

  async prune(before: Readonly<Record<string, number>>): Promise<void> {
    const old = JSON.stringify(Object.entries(before).map(([name, at]) => ({ name, at })));
    await this.#lane.run(async (sql) => {
      await sql`
        DELETE FROM counts
        USING json_to_recordset(${old}::text::json) AS old (name text, at bigint)
        WHERE starts_with(counts.kind || ' ' || counts.key, old.name) AND counts.at < old.at AND counts.at > 0`;
      await sql`DELETE FROM counts WHERE body IS NULL AND changed_at < now() - interval '1 day'`;
    }, { timeoutMs: TIMEOUT_MS, isRepeatable: true });
  }

  get #lane() {
    return this.#postgres.lane("bulk");
  }
}
