// Stores contents of code for all nodes in the table `blobs`. What is read is checked by the caller.

import type { SharedBlobs } from "../code/cluster_blobs.ts";
import type { Sha256 } from "../../sha256.ts";
import type { Postgres } from "./client.ts";
import type { Lane } from "./lane.ts";
import type { Sql } from "./session.ts";

/** For one content, which may be large. */
const TIMEOUT_MS = 60_000;
/** A use is recorded if the last one was earlier than this, so that a deployment writes few rows. */
const USED_INTERVAL = "1 hour";
const SWEPT_AT_ONCE = 1_000;
const LISTED_AT_ONCE = 1_000;

export class PostgresBlobs implements SharedBlobs {
  readonly #lane: Lane;

  constructor(postgres: Postgres) {
    this.#lane = postgres.lane("bulk");
  }

  async missing(wanted: readonly Sha256[]): Promise<Sha256[]> {
    const unique = [...new Set(wanted)];
    if (unique.length === 0) return [];
    // First: a content whose use is recorded is not swept from then on.
    await this.#run((sql) =>
      sql`
        UPDATE blobs SET stored_at = now()
        WHERE sha256 = ANY (string_to_array(${unique.join()}, ',')) AND stored_at < now() - ${USED_INTERVAL}::interval`
    );
    return await this.lacking(unique);
  }

  async lacking(wanted: readonly Sha256[]): Promise<Sha256[]> {
    const found = await this.#run((sql) =>
      sql<{ sha256: Sha256 }[]>`SELECT sha256 FROM blobs WHERE sha256 = ANY (string_to_array(${wanted.join()}, ','))`
    );
    const stored = new Set(found.map(({ sha256 }) => sha256));
    return [...new Set(wanted)].filter((sha256) => !stored.has(sha256)).sort();
  }

  async put(sha256: Sha256, content: Uint8Array): Promise<boolean> {
    // One that was damaged is replaced.
    const { count } = await this.#run((sql) =>
      sql`
        INSERT INTO blobs (sha256, body) VALUES (${sha256}, ${content})
        ON CONFLICT (sha256) DO UPDATE SET body = excluded.body, stored_at = now() WHERE blobs.body <> excluded.body`
    );
    if (count > 0) return true;
    await this.missing([sha256]);
    return false;
  }

  async read(sha256: Sha256): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const [row] = await this.#run((sql) =>
      sql<{ body: Uint8Array }[]>`SELECT body FROM blobs WHERE sha256 = ${sha256}`
    );
    // Not a view of the connection's buffer.
    return row && Uint8Array.from(row.body);
  }

  /** Returns the next hashes after `after`, in order; none at the end. */
  async listAfter(after: string): Promise<Sha256[]> {
    const rows = await this.#run((sql) =>
      sql<{ sha256: Sha256 }[]>`
        SELECT sha256 FROM blobs WHERE sha256 > ${after} ORDER BY sha256 LIMIT ${LISTED_AT_ONCE}`
    );
    return rows.map(({ sha256 }) => sha256);
  }

  async remove(sha256: Sha256): Promise<void> {
    await this.#run((sql) => sql`DELETE FROM blobs WHERE sha256 = ${sha256}`);
  }

  async sweep(before: number, used: (sha256: Sha256) => boolean): Promise<number> {
    let removed = 0;
    for (let after = "";;) {
      const rows = await this.#run((sql) =>
        sql<{ sha256: Sha256 }[]>`
          SELECT sha256 FROM blobs WHERE sha256 > ${after} AND stored_at < to_timestamp(${before / 1_000})
          ORDER BY sha256 LIMIT ${SWEPT_AT_ONCE}`
      );
      if (rows.length === 0) return removed;
      after = rows.at(-1)!.sha256;
      const unused = rows.map(({ sha256 }) => sha256).filter((sha256) => !used(sha256));
      // The time again, as the content may have been asked for meanwhile.
      const { count } = await this.#run((sql) =>
        sql`DELETE FROM blobs WHERE sha256 = ANY (string_to_array(${unused.join()}, ',')) AND stored_at < to_timestamp(${
          before / 1_000
        })`
      );
      removed += count;
    }
  }

  #run<T>(statement: (sql: Sql) => PromiseLike<T>): Promise<T> {
    return this.#lane.run(async (sql) => await statement(sql), { timeoutMs: TIMEOUT_MS, isRepeatable: true });
  }
}
