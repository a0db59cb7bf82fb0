// Stores counts of calls by minute, hour and day: one row for each function that was called, one for each API key that
// was used, and one for all together.
// Rows of other nodes of a cluster are in a table of their own; what is read includes them unless it says otherwise.

import { DAY_MS, HOUR_MS, MINUTE_MS } from "../time.ts";
import type { FunctionId, KeyId } from "../ids.ts";
import { all, type Database, first, type Row } from "./database.ts";

/** The length of the period that a row covers, in milliseconds. Periods begin at whole multiples, in UTC. */
export const RESOLUTIONS = { minutes: MINUTE_MS, hours: HOUR_MS, days: DAY_MS } as const;
export type Resolution = keyof typeof RESOLUTIONS;

/** The id in rows for all functions together; no function has it. */
export const ALL_FUNCTIONS = 0;

/** The id in rows of an API key: its own with a minus, which no function has. */
export type KeySubject = number & { readonly __brand: "KeySubject" };

/** Whose calls a row counts. */
export type Subject = FunctionId | KeySubject | typeof ALL_FUNCTIONS;

export function keySubject(id: KeyId): KeySubject {
  return -id as KeySubject;
}

export function keyIdOf(subject: KeySubject): KeyId {
  return -subject as KeyId;
}

export interface MetricRow {
  /** When the period begins, in milliseconds since 1970 UTC. */
  readonly at: number;
  readonly functionId: Subject;
  readonly calls: number;
  readonly errors: number;
  readonly timeouts: number;
  readonly refusals: number;
  readonly durationUs: number;
  readonly longestUs: number;
  readonly sandboxStarts: number;
  readonly secretReads: number;
  readonly secretReadUs: number;
  readonly backgroundCalls: number;
  readonly backgroundErrors: number;
  readonly backgroundUs: number;
  /** Encoded by src/telemetry/histogram.ts. */
  readonly histogram: Uint8Array;
}

export interface FailingRow {
  readonly functionId: FunctionId;
  readonly calls: number;
  readonly failures: number;
}

export interface CallCounts {
  readonly calls: number;
  readonly errors: number;
  readonly timeouts: number;
  readonly durationUs: number;
  readonly longestUs: number;
}

/** The calls of one function in one hour. */
export interface HourRow {
  readonly functionId: FunctionId;
  /** When the hour begins, in milliseconds since 1970 UTC. */
  readonly at: number;
  readonly calls: number;
  /** Calls that failed or timed out. */
  readonly failures: number;
}

export interface SubjectCalls {
  readonly functionId: Subject;
  readonly calls: number;
}

export interface MetricStore {
  /** Reports whether this node has any rows. */
  hasAny(): boolean;

  /** Returns this node's row. */
  find(resolution: Resolution, functionId: number, at: number): MetricRow | undefined;

  /** Returns rows of one function, of one key or of `ALL_FUNCTIONS` from `from` (included) to `to` (not included), by time. */
  list(resolution: Resolution, functionId: number, from: number, to: number): MetricRow[];

  /** Like `list`, without rows of other nodes. */
  listOwn(resolution: Resolution, functionId: number, from: number, to: number): MetricRow[];

  /** Returns this node's rows of each function, of each key and of `ALL_FUNCTIONS`. */
  listEach(resolution: Resolution, from: number, to: number): MetricRow[];

  /** Returns the sums of one function's rows that begin at `from` or later. */
  callsOf(resolution: Resolution, functionId: FunctionId, from: number): CallCounts;

  /** Returns the histograms of these rows. */
  histogramsOf(resolution: Resolution, functionId: FunctionId, from: number): Uint8Array[];

  /**
   * Returns the hours since `from`, the beginning of one, in which these functions were called; the minutes since
   * `minutesFrom` are those that are not in rows of hours yet.
   */
  hoursOf(ids: readonly FunctionId[], from: number, minutesFrom: number): HourRow[];

  /** Returns at most `limit` functions with the most calls that failed or timed out since `from`. */
  failing(resolution: Resolution, from: number, limit: number): FailingRow[];

  /** Returns the number of calls of each function and of each key since `from`. */
  callsOfEach(resolution: Resolution, from: number): SubjectCalls[];

  /** Like `callsOfEach`, without calls to other nodes. */
  ownCallsOfEach(resolution: Resolution, from: number): SubjectCalls[];

  /** Writes a row, replacing the one for the same period and function. */
  put(resolution: Resolution, row: MetricRow): void;

  /** Returns the functions that have daily rows. */
  functionIds(): FunctionId[];
  forget(functionId: FunctionId): void;

  /** Deletes the rows of periods that begin before `at`. */
  trim(resolution: Resolution, at: number): void;

  /** Returns the time before which all minutes are included in the hourly and daily rows. */
  rolledTo(): number;
  setRolledTo(at: number): void;
}

type Columns = MetricRow & Row;

const COLUMNS = `at, function_id AS functionId, calls, errors, timeouts, refusals, duration_us AS durationUs,
  longest_us AS longestUs, sandbox_starts AS sandboxStarts, secret_reads AS secretReads,
  secret_read_us AS secretReadUs, background_calls AS backgroundCalls, background_errors AS backgroundErrors,
  background_us AS backgroundUs, histogram`;

const TABLES = ["metrics", "node_metrics"];

const of = (table: string, columns: string) =>
  `SELECT ${columns} FROM ${table} WHERE length_ms = ?1 AND function_id = ?2 AND at >= ?3`;
const since = (table: string, columns: string, ids = "function_id > 0") =>
  `SELECT ${columns} FROM ${table} INDEXED BY ${table}_by_time WHERE length_ms = ?1 AND at >= ?2 AND ${ids}`;

/** Longer than 80 lines: it prepares all statements once, next to the methods that run them. */
export function createMetricStore(db: Database): MetricStore {
  const any = db.prepare("SELECT EXISTS (SELECT 1 FROM metrics) AS found");
  const one = db.prepare(`SELECT ${COLUMNS} FROM metrics WHERE length_ms = ? AND function_id = ? AND at = ?`);
  const ofFunction = (table: string) =>
    `SELECT ${COLUMNS} FROM ${table} WHERE length_ms = ?1 AND function_id = ?2 AND at >= ?3 AND at < ?4`;
  const own = db.prepare(`${ofFunction("metrics")} ORDER BY at`);
  const merged = db.prepare(`${ofFunction("metrics")} UNION ALL ${ofFunction("node_metrics")} ORDER BY at`);
  const ofEach = db.prepare(
    `SELECT ${COLUMNS} FROM metrics INDEXED BY metrics_by_time
     WHERE length_ms = ? AND at >= ? AND at < ? ORDER BY at, function_id`,
  );
  const summed = "calls, errors, timeouts, duration_us, longest_us";
  const callsOf = db.prepare(
    `SELECT ifnull(sum(calls), 0) AS calls, ifnull(sum(errors), 0) AS errors, ifnull(sum(timeouts), 0) AS timeouts,
       ifnull(sum(duration_us), 0) AS durationUs, ifnull(max(longest_us), 0) AS longestUs
     FROM (${of("metrics", summed)} UNION ALL ${of("node_metrics", summed)})`,
  );
  const failed = (table: string) =>
    `SELECT function_id, errors + timeouts AS failures FROM ${table} INDEXED BY ${table}_by_failures
     WHERE length_ms = ?1 AND at >= ?2 AND errors + timeouts > 0 AND function_id > 0`;
  const histogramsOf = db.prepare(`${of("metrics", "histogram")} UNION ALL ${of("node_metrics", "histogram")}`);
  const ofThese = (table: string, lengthMs: number, at: string, since: string) =>
    `SELECT function_id, ${at} AS at, calls, errors + timeouts AS failures FROM ${table}
     WHERE length_ms = ${lengthMs} AND function_id IN (SELECT value FROM json_each(?1)) AND at >= ${since}`;
  const hoursOf = db.prepare(
    `SELECT function_id AS functionId, at, sum(calls) AS calls, sum(failures) AS failures FROM (
       ${ofThese("metrics", HOUR_MS, "at", "?2")}
       UNION ALL ${ofThese("node_metrics", HOUR_MS, "at", "?2")}
       UNION ALL ${ofThese("metrics", MINUTE_MS, `at - at % ${HOUR_MS}`, "?3")}
     ) GROUP BY function_id, at`,
  );
  const failing = db.prepare(
    `SELECT function_id AS functionId, sum(failures) AS failures FROM (${failed("metrics")} UNION ALL ${
      failed("node_metrics")
    }) GROUP BY function_id ORDER BY failures DESC, function_id LIMIT ?3`,
  );
  const each = `function_id <> ${ALL_FUNCTIONS}`;
  const callsOfEach = db.prepare(
    `SELECT functionId, sum(calls) AS calls FROM (
       ${since("metrics", "function_id AS functionId, calls", each)}
       UNION ALL ${since("node_metrics", "function_id AS functionId, calls", each)}
     ) GROUP BY functionId`,
  );
  const ownCallsOfEach = db.prepare(
    `${since("metrics", "function_id AS functionId, sum(calls) AS calls", each)} GROUP BY function_id`,
  );
  const put = db.prepare(
    `INSERT OR REPLACE INTO metrics (length_ms, function_id, at, calls, errors, timeouts, refusals, duration_us,
       longest_us, sandbox_starts, secret_reads, secret_read_us, background_calls, background_errors, background_us,
       histogram)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const functionIds = db.prepare(
    `SELECT function_id AS id FROM metrics WHERE length_ms = 86400000 AND function_id > 0
     UNION SELECT function_id FROM node_metrics WHERE length_ms = 86400000 AND function_id > 0`,
  );
  const forgets = TABLES.map((table) =>
    db.prepare(`DELETE FROM ${table} WHERE length_ms IN (60000, 3600000, 86400000) AND function_id = ?`)
  );
  const trims = TABLES.map((table) => db.prepare(`DELETE FROM ${table} WHERE length_ms = ? AND at < ?`));
  const rolledTo = db.prepare("SELECT rolled_to AS at FROM metrics_progress");
  const setRolledTo = db.prepare("UPDATE metrics_progress SET rolled_to = ?");

  return {
    hasAny: () => first<{ found: number }>(any)!.found === 1,
    find: (resolution: Resolution, functionId: number, at: number): MetricRow | undefined =>
      first<Columns>(one, RESOLUTIONS[resolution], functionId, at),

    list: (resolution: Resolution, functionId: number, from: number, to: number): MetricRow[] =>
      all<Columns>(merged, RESOLUTIONS[resolution], functionId, from, to),

    listOwn: (resolution: Resolution, functionId: number, from: number, to: number): MetricRow[] =>
      all<Columns>(own, RESOLUTIONS[resolution], functionId, from, to),

    listEach: (resolution: Resolution, from: number, to: number): MetricRow[] =>
      all<Columns>(ofEach, RESOLUTIONS[resolution], from, to),

    callsOf: (resolution: Resolution, functionId: FunctionId, from: number): CallCounts =>
      first<CallCounts & Row>(callsOf, RESOLUTIONS[resolution], functionId, from)!,

    histogramsOf: (resolution: Resolution, functionId: FunctionId, from: number): Uint8Array[] =>
      all<{ histogram: Uint8Array }>(histogramsOf, RESOLUTIONS[resolution], functionId, from).map((row) =>
        row.histogram
      ),

    hoursOf: (ids: readonly FunctionId[], from: number, minutesFrom: number): HourRow[] =>
      all<HourRow & Row>(hoursOf, JSON.stringify(ids), from, minutesFrom),

    failing(resolution, from, limit) {
      const worst = all<Omit<FailingRow, "calls"> & Row>(failing, RESOLUTIONS[resolution], from, limit);
      return worst.map((row) => ({ ...row, calls: this.callsOf(resolution, row.functionId, from).calls }));
    },

    callsOfEach: (resolution, from) => all<SubjectCalls & Row>(callsOfEach, RESOLUTIONS[resolution], from),

    ownCallsOfEach: (resolution, from) => all<SubjectCalls & Row>(ownCallsOfEach, RESOLUTIONS[resolution], from),

    put(resolution: Resolution, row: MetricRow): void {
      put.run(
        RESOLUTIONS[resolution],
        row.functionId,
        row.at,
        row.calls,
        row.errors,
        row.timeouts,
        row.refusals,
        row.durationUs,
        row.longestUs,
        row.sandboxStarts,
        row.secretReads,
        row.secretReadUs,
        row.backgroundCalls,
        row.backgroundErrors,
        row.backgroundUs,
        row.histogram,
      );
    },

    functionIds: (): FunctionId[] => all<{ id: FunctionId }>(functionIds).map(({ id }) => id),

    forget(functionId: FunctionId): void {
      for (const statement of forgets) statement.run(functionId);
    },

    trim(resolution: Resolution, at: number): void {
      for (const statement of trims) statement.run(RESOLUTIONS[resolution], at);
    },

    rolledTo: (): number => first<{ at: number }>(rolledTo)!.at,

    setRolledTo(at: number): void {
      setRolledTo.run(at);
    },
  };
}
