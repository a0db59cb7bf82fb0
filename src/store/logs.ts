// Stores the logs of handlers and searches them.

import type { StatementSync } from "node:sqlite";
import type { FunctionId } from "../ids.ts";
import { all, type Database, insert, type Row } from "./database.ts";

export interface LogFields {
  functionId: FunctionId;
  requestId: string | null;
  /** 0 debug, 1 info, 2 warn, 3 error. */
  level: number;
  event: string;
  message: string;
  durationMs: number | null;
  /** Milliseconds since 1970. */
  at: number;
}

export interface LogRow extends LogFields {
  /** Increases with each entry. */
  id: number;
}

export interface LogFilter {
  readonly functionId?: FunctionId | undefined;
  readonly requestId?: string | undefined;
  /** This level and higher ones. */
  readonly level?: number | undefined;
  /** Only entries with larger ids. */
  readonly since?: number | undefined;
  /** Only entries from this time and later, or until this time, in milliseconds since 1970. */
  readonly from?: number | undefined;
  readonly until?: number | undefined;
  /** A query in FTS5's language. */
  readonly match?: string | undefined;
}

export interface LogStore {
  insert(fields: LogFields): number;

  /** Returns at most `limit` entries with an id below `before`, newest first. */
  list(filter: LogFilter, before: number, limit: number): LogRow[];

  /** Returns the number of entries of each function. */
  counts(): Map<FunctionId, number>;

  /** Deletes the oldest `count` entries of a function and returns how many there were. */
  deleteOldest(functionId: FunctionId, count: number): number;

  /** Deletes those of the oldest `count` entries that are from before `at`; returns the functions they belonged to. */
  deleteBefore(at: number, count: number): FunctionId[];
}

interface Columns extends Row {
  id: number;
  function_id: number;
  request_id: string | null;
  level: number;
  event: string;
  message: string;
  duration_ms: number | null;
  at: number;
}

const TOP_LEVEL = 3;

export function createLogStore(db: Database): LogStore {
  const insertRow = db.prepare(
    "INSERT INTO logs (function_id, request_id, level, event, message, duration_ms, at) VALUES (?, ?, ?, ?, ?, ?, ?)",
  );
  const insertWords = db.prepare("INSERT INTO logs_search (rowid, message) VALUES (?, ?)");
  const counts = db.prepare("SELECT function_id AS functionId, count(*) AS n FROM logs GROUP BY function_id");
  const oldest = db.prepare("SELECT id, at, function_id AS functionId FROM logs ORDER BY id LIMIT ?");
  const oldestOf = db.prepare("SELECT id FROM logs WHERE function_id = ? ORDER BY id LIMIT ?");
  const deleteRow = db.prepare("DELETE FROM logs WHERE id = ?");
  const deleteWords = db.prepare("DELETE FROM logs_search WHERE rowid = ?");
  // One statement for each combination of filters in use: statements in node:sqlite must be kept.
  const lists = new Map<string, StatementSync>();

  const list = (conditions: string, values: (string | number)[], from = "logs l"): LogRow[] => {
    const sql = `SELECT l.* FROM ${from} WHERE ${conditions} ORDER BY l.id DESC LIMIT ?`;
    let statement = lists.get(sql);
    if (!statement) lists.set(sql, statement = db.prepare(sql));
    return all<Columns>(statement, ...values).map(toRow);
  };

  const remove = (ids: readonly number[]): void => {
    for (const id of ids) {
      deleteRow.run(id);
      deleteWords.run(id);
    }
  };

  return {
    insert({ functionId, requestId, level, event, message, durationMs, at }: LogFields): number {
      const id = insert(insertRow, functionId, requestId, level, event, message, durationMs, at);
      insertWords.run(id, message);
      return id;
    },

    list(
      { functionId, requestId, level = 0, since, from, until, match }: LogFilter,
      before: number,
      limit: number,
    ): LogRow[] {
      const conditions: [string, string | number][] = [];
      if (functionId !== undefined) conditions.push(["l.function_id = ?", functionId]);
      if (requestId !== undefined) conditions.push(["l.request_id = ?", requestId]);
      if (since !== undefined) conditions.push(["l.id > ?", since]);
      if (from !== undefined) conditions.push(["l.at >= ?", from]);
      if (until !== undefined) conditions.push(["l.at <= ?", until]);
      const ask = (more: readonly [string, string | number][], from?: string) => {
        const wanted = [...conditions, ...more];
        return list(wanted.map(([sql]) => sql).join(" AND "), [...wanted.map(([, value]) => value), limit], from);
      };
      if (match !== undefined) {
        return ask(
          [["l.level >= ?", level], ["logs_search MATCH ?", match], ["logs_search.rowid < ?", before]],
          // CROSS JOIN makes SQLite search for the words first, as only they have few matches.
          "logs_search CROSS JOIN logs l ON l.id = logs_search.rowid",
        );
      }
      if (conditions.length > 0 || level === 0) return ask([["l.level >= ?", level], ["l.id < ?", before]]);
      // Each level is covered by an index, several together are not.
      return Array.from({ length: TOP_LEVEL - level + 1 }, (_, n) => level + n)
        .flatMap((one) => ask([["l.level = ?", one], ["l.id < ?", before]]))
        .sort((a, b) => b.id - a.id)
        .slice(0, limit);
    },

    counts: (): Map<FunctionId, number> =>
      new Map(all<{ functionId: FunctionId; n: number }>(counts).map(({ functionId, n }) => [functionId, n])),

    deleteOldest(functionId: FunctionId, count: number): number {
      const ids = all<{ id: number }>(oldestOf, functionId, count).map(({ id }) => id);
      remove(ids);
      return ids.length;
    },

    deleteBefore(at: number, count: number): FunctionId[] {
      const rows = all<{ id: number; at: number; functionId: FunctionId }>(oldest, count).filter((row) => row.at < at);
      remove(rows.map(({ id }) => id));
      return rows.map(({ functionId }) => functionId);
    },
  };
}

function toRow(row: Columns): LogRow {
  return {
    id: row.id,
    functionId: row.function_id as FunctionId,
    requestId: row.request_id,
    level: row.level,
    event: row.event,
    message: row.message,
    durationMs: row.duration_ms,
    at: row.at,
  };
}
