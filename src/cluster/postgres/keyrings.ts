// Reads the keyrings that PostgreSQL keeps, for commands that compare them.

import type { Postgres } from "./client.ts";

interface StoredKeyring {
  readonly seq: number;
  readonly body: Uint8Array;
}

export interface Keyrings {
  /** What new nodes open; not checked. */
  readonly stored: StoredKeyring | undefined;
  /** That of the newest entry of the log which has one. */
  readonly newest: StoredKeyring | undefined;
}

/** In one statement, as an entry is appended together with what new nodes open. */
export async function keyringsOf(postgres: Postgres): Promise<Keyrings> {
  const rows = await postgres.lane("bulk").run((sql) =>
    sql<(StoredKeyring & { isNewest: boolean })[]>`
      SELECT seq, body, false AS "isNewest" FROM keyring
      UNION ALL (SELECT seq, body, true FROM log WHERE kind = 'keyring' ORDER BY seq DESC LIMIT 1)`, {
    isRepeatable: true,
  });
  return { stored: rows.find(({ isNewest }) => !isNewest), newest: rows.find(({ isNewest }) => isNewest) };
}
