// Stores when API keys and sessions were last used, by calls to this node and to others. Not in the main database, as a use must not invalidate its caches.

import { all, type Database, first, type Row } from "./database.ts";

export type UseKind = "key" | "session";

export interface UseStore {
  /** Stores a time of use, in milliseconds since 1970 UTC; only the latest of each id is kept. */
  put(kind: UseKind, id: number, at: number): void;
  /** Returns the last uses of those of `ids` that were ever used. */
  last(kind: UseKind, ids: readonly number[]): { id: number; at: number }[];
  /** Returns how many ids were ever used. */
  count(kind: UseKind): number;
  forget(kind: UseKind, id: number): void;
}

export function createUseStore(db: Database): UseStore {
  const put = db.prepare(
    "INSERT INTO uses (kind, id, at) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET at = max(at, excluded.at)",
  );
  const last = db.prepare(
    `SELECT id, max(at) AS at FROM (
       SELECT id, at FROM uses WHERE kind = ?1 AND id IN (SELECT value FROM json_each(?2))
       UNION ALL SELECT id, at FROM node_uses WHERE kind = ?1 AND id IN (SELECT value FROM json_each(?2))
     ) GROUP BY id`,
  );
  const count = db.prepare(
    "SELECT count(*) AS n FROM (SELECT id FROM uses WHERE kind = ?1 UNION SELECT id FROM node_uses WHERE kind = ?1)",
  );
  const forgets = ["uses", "node_uses"].map((table) => db.prepare(`DELETE FROM ${table} WHERE kind = ? AND id = ?`));
  return {
    put: (kind, id, at) => void put.run(kind, id, at),
    last: (kind, ids) => all<{ id: number; at: number } & Row>(last, kind, JSON.stringify(ids)),
    count: (kind) => first<{ n: number }>(count, kind)!.n,
    forget: (kind, id) => forgets.forEach((statement) => statement.run(kind, id)),
  };
}
