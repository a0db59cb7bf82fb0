// When API keys and sessions were used last. Not in the main database: a use changes nothing that is remembered of it.

import { all, type Database, first, type Row } from "./database.ts";

export type UseKind = "key" | "session";

export interface UseStore {
  /** Keeps the latest time of each id, in milliseconds since 1970 UTC. */
  put(kind: UseKind, id: number, at: number): void;
  /** Of those of `ids` that were ever used. */
  last(kind: UseKind, ids: readonly number[]): { id: number; at: number }[];
  /** How many ids were ever used. */
  count(kind: UseKind): number;
  forget(kind: UseKind, id: number): void;
}

export function useStore(db: Database): UseStore {
  const put = db.prepare(
    "INSERT INTO uses (kind, id, at) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET at = max(at, excluded.at)",
  );
  const last = db.prepare("SELECT id, at FROM uses WHERE kind = ? AND id IN (SELECT value FROM json_each(?))");
  const count = db.prepare("SELECT count(*) AS n FROM uses WHERE kind = ?");
  const forget = db.prepare("DELETE FROM uses WHERE kind = ? AND id = ?");
  return {
    put: (kind, id, at) => void put.run(kind, id, at),
    last: (kind, ids) => all<{ id: number; at: number } & Row>(last, kind, JSON.stringify(ids)),
    count: (kind) => first<{ n: number }>(count, kind)!.n,
    forget: (kind, id) => void forget.run(kind, id),
  };
}
