// Stores the logs of handlers, searches them, and counts them over time.

import type { StatementSync } from "node:sqlite";
import type { FunctionId, KeyId } from "../ids.ts";
import { MINUTE_MS } from "../time.ts";
import { all, type Database, first, insert, type Row } from "./database.ts";
import { type BarCount, type Bars, type CountedEntry, createLogCounts } from "./log_counts.ts";

export interface LogFields {
  functionId: FunctionId;
  requestId: string | null;
  /** The API key that admitted the call; null if none did. */
  keyId: KeyId | null;
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
  readonly keyId?: KeyId | undefined;
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

export interface LogHistogram {
  readonly counts: readonly BarCount[];
  readonly isComplete: boolean;
}

export interface LogStore {
  /** Stores entries, to be called within a transaction, and returns their ids. */
  insertAll(entries: readonly LogFields[]): number[];

  /** Returns at most `limit` entries with an id below `before`, newest first. */
  list(filter: LogFilter, before: number, limit: number): LogRow[];

  /** Returns the first entry of each request whose id begins with `beginning`, `limit` at most, in the order of ids. */
  requests(beginning: string, limit: number): LogRow[];

  /**
   * Counts entries by level in each bar that has any; `from` and `until` do not count. Of a request, an API key, a
   * search and bars that are not whole minutes, only the newest entries are counted, `scanned` at most; `isComplete` says whether
   * these were all.
   */
  histogram(filter: LogFilter, bars: Bars, scanned: number): LogHistogram;

  /** Returns the last entry of a function with this level; undefined if there is none. */
  lastOf(functionId: FunctionId, level: number): LogRow | undefined;

  /** Returns the beginning of the hour of the oldest entry; undefined if there is none. */
  beginning(): number | undefined;

  /** Returns the number of entries of each function. */
  counts(): Map<FunctionId, number>;

  /** Deletes the oldest `count` entries of a function and returns how many there were. */
  deleteOldest(functionId: FunctionId, count: number): number;

  /**
   * Does a part of the work that removes the words of deleted entries from the index; returns whether there is more.
   * `isFirst` starts with all that are in the index now.
   */
  eraseWords(isFirst: boolean): boolean;

  /** Deletes those of the oldest `count` entries that are from before `at`; returns the functions they belonged to. */
  deleteBefore(at: number, count: number): FunctionId[];
}

interface Columns extends Row {
  id: number;
  function_id: number;
  request_id: string | null;
  key_id: number | null;
  level: number;
  event: string;
  message: string;
  duration_ms: number | null;
  at: number;
}

const TOP_LEVEL = 3;
/** Pages of the index of words that are merged at a time, which takes a few milliseconds. */
const MERGED_PAGES = 16;

type Condition = readonly [sql: string, value: string | number];

/** Above every character of ids. */
const LAST_CHARACTER = "\uffff";

/** Longer than 80 lines: it prepares all statements once, next to the methods that run them. */
export function createLogStore(db: Database): LogStore {
  const insertRow = db.prepare(
    "INSERT INTO logs (function_id, request_id, key_id, level, event, message, duration_ms, at)" +
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
  );
  const insertWords = db.prepare("INSERT INTO logs_search (rowid, message) VALUES (?, ?)");
  const byId = db.prepare("SELECT * FROM logs WHERE id = ?");
  const counts = db.prepare("SELECT function_id AS functionId, count(*) AS n FROM logs GROUP BY function_id");
  const counted = "id, function_id AS functionId, level, at";
  const oldest = db.prepare(`SELECT ${counted} FROM logs ORDER BY id LIMIT ?`);
  const oldestOf = db.prepare(`SELECT ${counted} FROM logs WHERE function_id = ? ORDER BY id LIMIT ?`);
  const deleteRow = db.prepare("DELETE FROM logs WHERE id = ?");
  const deleteWords = db.prepare("DELETE FROM logs_search WHERE rowid = ?");
  // Only merging removes them: https://www.sqlite.org/fts5.html#contentless_delete_tables
  const mergeWords = db.prepare("INSERT INTO logs_search (logs_search, rank) VALUES ('merge', ?)");
  const changes = db.prepare("SELECT total_changes() AS n");
  const ofRequest = db.prepare(
    "SELECT * FROM logs WHERE request_id > ? AND request_id < ? ORDER BY request_id, id LIMIT 1",
  );
  const logCounts = createLogCounts(db);
  // One statement for each combination of filters in use: statements in node:sqlite must be kept.
  const statements = new Map<string, StatementSync>();

  const kept = (sql: string): StatementSync => {
    let statement = statements.get(sql);
    if (!statement) statements.set(sql, statement = db.prepare(sql));
    return statement;
  };

  const list = (conditions: readonly Condition[], limit: number, from = "logs l", id = "l.id"): LogRow[] => {
    const statement = kept(`SELECT l.* FROM ${from} WHERE ${whereOf(conditions)} ORDER BY ${id} DESC LIMIT ?`);
    return all<Columns>(statement, ...valuesOf(conditions), limit).map(toRow);
  };

  const remove = (entries: readonly CountedEntry[]): void => {
    for (const { id } of entries) {
      deleteRow.run(id);
      deleteWords.run(id);
    }
    logCounts.remove(entries);
  };

  /** Returns the conditions on ids and times; undefined if no entry is of the time. */
  const timeConditions = ({ from, until }: LogFilter): Condition[] | undefined => {
    if (from === undefined && until === undefined) return [];
    const ids = logCounts.ids(from ?? 0, until ?? Number.MAX_SAFE_INTEGER);
    if (!ids) return undefined;
    const conditions: Condition[] = [["l.id >= ?", ids.first], ["l.id <= ?", ids.last]];
    if (from !== undefined) conditions.push(["l.at >= ?", from]);
    if (until !== undefined) conditions.push(["l.at <= ?", until]);
    return conditions;
  };

  /** Counts the newest `scanned` entries that a subquery finds; what only the filter excludes counts as scanned, too. */
  const scan = (filter: LogFilter, { from, widthMs, count }: Bars, scanned: number): LogHistogram => {
    const { functionId, requestId, keyId, level = 0, match } = filter;
    const until = from + count * widthMs;
    const ids = logCounts.ids(from, until - 1);
    if (!ids) return { counts: [], isComplete: true };
    const range: Condition[] = [["id >= ?", ids.first], ["id <= ?", ids.last]];
    const columns = "id, function_id, request_id, key_id, level, at";
    let entries: string;
    let conditions: Condition[];
    if (match !== undefined) {
      conditions = [["logs_search MATCH ?", match], ["rowid >= ?", ids.first], ["rowid <= ?", ids.last]];
      entries = `SELECT l.${columns.replaceAll(", ", ", l.")} FROM (SELECT rowid AS found FROM logs_search
        WHERE ${whereOf(conditions)} ORDER BY rowid DESC LIMIT ?) CROSS JOIN logs l ON l.id = found`;
    } else {
      conditions = [...range];
      if (requestId !== undefined) conditions.push(["request_id = ?", requestId]);
      else if (keyId !== undefined) conditions.push(["key_id = ?", keyId]);
      else if (functionId !== undefined) conditions.push(["function_id = ?", functionId]);
      entries = `SELECT ${columns} FROM logs WHERE ${whereOf(conditions)} ORDER BY id DESC LIMIT ?`;
    }
    const filters: Condition[] = [["at >= ?", from], ["at < ?", until], ["level >= ?", level]];
    if (functionId !== undefined) filters.push(["function_id = ?", functionId]);
    if (requestId !== undefined) filters.push(["request_id = ?", requestId]);
    if (keyId !== undefined) filters.push(["key_id = ?", keyId]);
    const statement = kept(
      `SELECT CASE WHEN ${
        whereOf(filters)
      } THEN CAST((at - ?) / ? AS INTEGER) ELSE -1 END AS bar, level, count(*) AS entries
       FROM (${entries}) GROUP BY bar, level`,
    );
    const rows = all<BarCount & Row>(
      statement,
      ...valuesOf(filters),
      from,
      widthMs,
      ...valuesOf(conditions),
      scanned,
    );
    return {
      counts: rows.filter(({ bar }) => bar >= 0),
      isComplete: rows.reduce((sum, { entries }) => sum + entries, 0) < scanned,
    };
  };

  return {
    insertAll(entries) {
      const stored = entries.map((fields) => {
        const { functionId, requestId, keyId, level, event, message, durationMs, at } = fields;
        const id = insert(insertRow, functionId, requestId, keyId, level, event, message, durationMs, at);
        insertWords.run(id, message);
        return { id, functionId, level, at };
      });
      logCounts.add(stored);
      return stored.map(({ id }) => id);
    },

    list({ functionId, requestId, keyId, level = 0, since, from, until, match }, before, limit) {
      const times = timeConditions({ from, until });
      if (!times) return [];
      const conditions: Condition[] = [...times, ["l.id < ?", before]];
      if (functionId !== undefined) conditions.push(["l.function_id = ?", functionId]);
      if (requestId !== undefined) conditions.push(["l.request_id = ?", requestId]);
      if (keyId !== undefined) conditions.push(["l.key_id = ?", keyId]);
      if (since !== undefined) conditions.push(["l.id > ?", since]);
      if (match !== undefined) {
        // By the ids of the matches, which the search finds in order: it ends once there are enough.
        const id = "logs_search.rowid";
        const words = conditions.map(([sql, value]): Condition => [sql.replace("l.id", id), value]);
        return list(
          [...words, ["l.level >= ?", level], ["logs_search MATCH ?", match]],
          limit,
          // CROSS JOIN makes SQLite search for the words first, as only they have few matches.
          `logs_search CROSS JOIN logs l ON l.id = ${id}`,
          id,
        );
      }
      if (functionId !== undefined || requestId !== undefined || keyId !== undefined || level === 0) {
        return list([...conditions, ["l.level >= ?", level]], limit);
      }
      // Each level is covered by an index, several together are not.
      return Array.from({ length: TOP_LEVEL - level + 1 }, (_, n) => level + n)
        .flatMap((one) => list([...conditions, ["l.level = ?", one]], limit))
        .sort((a, b) => b.id - a.id)
        .slice(0, limit);
    },

    requests(beginning, limit) {
      const found: LogRow[] = [];
      // One search of the index for each: a request may have thousands of entries.
      while (found.length < limit) {
        const after = found.at(-1)?.requestId ?? beginning;
        const entry = first<Columns>(ofRequest, after, beginning + LAST_CHARACTER);
        if (!entry) break;
        found.push(toRow(entry));
      }
      return found;
    },

    histogram(filter, bars, scanned) {
      const { functionId, requestId, keyId, level = 0, match } = filter;
      if (requestId !== undefined || keyId !== undefined || match !== undefined || bars.widthMs % MINUTE_MS !== 0) {
        return scan(filter, bars, scanned);
      }
      return { counts: logCounts.over(bars, level, functionId), isComplete: true };
    },

    lastOf(functionId, level) {
      const id = logCounts.lastOf(functionId, level);
      const row = id === undefined ? undefined : first<Columns>(byId, id);
      return row && toRow(row);
    },

    beginning: () => logCounts.beginning(),

    counts: (): Map<FunctionId, number> =>
      new Map(all<{ functionId: FunctionId; n: number }>(counts).map(({ functionId, n }) => [functionId, n])),

    deleteOldest(functionId: FunctionId, count: number): number {
      const entries = all<CountedEntry & Row>(oldestOf, functionId, count);
      remove(entries);
      return entries.length;
    },

    eraseWords(isFirst: boolean): boolean {
      const { n: before } = first<{ n: number }>(changes)!;
      mergeWords.run(isFirst ? -MERGED_PAGES : MERGED_PAGES);
      // The command itself counts as one change.
      return first<{ n: number }>(changes)!.n - before > 1;
    },

    deleteBefore(at: number, count: number): FunctionId[] {
      const entries = all<CountedEntry & Row>(oldest, count).filter((entry) => entry.at < at);
      remove(entries);
      return entries.map(({ functionId }) => functionId);
    },
  };
}

function whereOf(conditions: readonly Condition[]): string {
  return conditions.map(([sql]) => sql).join(" AND ");
}

function valuesOf(conditions: readonly Condition[]): (string | number)[] {
  return conditions.map(([, value]) => value);
}

function toRow(row: Columns): LogRow {
  return {
    id: row.id,
    functionId: row.function_id as FunctionId,
    requestId: row.request_id,
    keyId: row.key_id as KeyId | null,
    level: row.level,
    event: row.event,
    message: row.message,
    durationMs: row.duration_ms,
    at: row.at,
  };
}
