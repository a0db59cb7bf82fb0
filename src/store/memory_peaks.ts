// Stores the most memory that a process of each function was seen to use, by day. What is read includes other nodes of a
// cluster.

import type { FunctionId } from "../ids.ts";
import { DAY_MS } from "../time.ts";
import { all, type Database, first } from "./database.ts";

export interface MemoryPeakStore {
  /** Raises the peak of the day that contains the time `at`. */
  raise(functionId: FunctionId, at: number, mb: number): void;

  /** Returns the peak on the day of `since` and later; undefined if no process was seen. */
  since(functionId: FunctionId, since: number): number | undefined;

  /** Deletes days before `at`. */
  trim(at: number): void;

  /** Returns the functions that have peaks. */
  functionIds(): FunctionId[];
  forget(functionId: FunctionId): void;
}

export function createMemoryPeakStore(db: Database): MemoryPeakStore {
  const raise = db.prepare(
    `INSERT INTO memory_peaks (function_id, at, mb) VALUES (?, ?, ?)
     ON CONFLICT DO UPDATE SET mb = excluded.mb WHERE excluded.mb > mb`,
  );
  const since = db.prepare(
    `SELECT max(mb) AS mb FROM (
       SELECT mb FROM memory_peaks WHERE function_id = ?1 AND at >= ?2
       UNION ALL SELECT mb FROM node_memory_peaks WHERE function_id = ?1 AND at >= ?2
     )`,
  );
  const ids = db.prepare(
    "SELECT function_id AS id FROM memory_peaks UNION SELECT function_id FROM node_memory_peaks ORDER BY id",
  );
  const tables = ["memory_peaks", "node_memory_peaks"];
  const trims = tables.map((table) => db.prepare(`DELETE FROM ${table} WHERE at < ?`));
  const forgets = tables.map((table) => db.prepare(`DELETE FROM ${table} WHERE function_id = ?`));
  const dayOf = (at: number): number => at - at % DAY_MS;

  return {
    raise: (functionId, at, mb) => void raise.run(functionId, dayOf(at), mb),
    since: (functionId, at) => first<{ mb: number | null }>(since, functionId, dayOf(at))!.mb ?? undefined,
    trim: (at) => trims.forEach((statement) => statement.run(dayOf(at))),
    functionIds: () => all<{ id: FunctionId }>(ids).map(({ id }) => id),
    forget: (functionId) => forgets.forEach((statement) => statement.run(functionId)),
  };
}
