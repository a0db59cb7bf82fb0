// Counts log entries by minute and hour, by function and all together, in the same transactions that store and delete
// them. A count knows the ids of its entries: ids grow with time only roughly, as entries wait and clocks are set back.

import { HOUR_MS, MINUTE_MS } from "../time.ts";
import type { FunctionId } from "../ids.ts";
import { all, type Database, first, type Row } from "./database.ts";

/** The parts of an entry that it is counted by. */
export interface CountedEntry {
  readonly id: number;
  readonly functionId: FunctionId;
  /** 0 debug, 1 info, 2 warn, 3 error. */
  readonly level: number;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** A span of time in parts of equal length, in milliseconds since 1970 UTC. */
export interface Bars {
  readonly from: number;
  readonly widthMs: number;
  readonly count: number;
}

/** The number of entries of a level in a part of a span of time; `bar` is its index. */
export interface BarCount {
  readonly bar: number;
  readonly level: number;
  readonly entries: number;
}

/** Ids between which all entries of a span of time are, and maybe others. */
export interface IdRange {
  readonly first: number;
  readonly last: number;
}

const ALL_FUNCTIONS = 0;
const LENGTHS = [MINUTE_MS, HOUR_MS];
/** Longer spans are searched by hours, which is some hundred rows for a month. */
const BY_MINUTES_MAX_MS = 4 * HOUR_MS;

export interface LogCounts {
  add(entries: readonly CountedEntry[]): void;
  remove(entries: readonly CountedEntry[]): void;

  /**
   * Counts entries of this level and higher ones in each bar that has any. Bars begin at whole multiples of their width,
   * which is a multiple of a minute.
   */
  over(bars: Bars, level: number, functionId: FunctionId | undefined): BarCount[];

  /** Returns where the entries from `from` to `until` (both included) are; undefined if there are none. */
  ids(from: number, until: number): IdRange | undefined;

  /** Returns the id of the last entry of a function with this level; undefined if there is none. */
  lastOf(functionId: FunctionId, level: number): number | undefined;

  /** Returns the beginning of the hour of the first entry; undefined if there is none. */
  beginning(): number | undefined;
}

export function createLogCounts(db: Database): LogCounts {
  const add = db.prepare(
    `INSERT INTO log_counts (length_ms, function_id, at, level, entries, first_id, last_id) VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET entries = entries + excluded.entries, first_id = min(first_id, excluded.first_id),
       last_id = max(last_id, excluded.last_id)`,
  );
  const key = "length_ms = ? AND function_id = ? AND at = ? AND level = ?";
  const subtract = db.prepare(`UPDATE log_counts SET entries = entries - ? WHERE ${key}`);
  const removeEmpty = db.prepare(`DELETE FROM log_counts WHERE ${key} AND entries <= 0`);
  const over = db.prepare(
    `SELECT CAST((at - ?3) / ?4 AS INTEGER) AS bar, level, sum(entries) AS entries FROM log_counts
     WHERE length_ms = ?1 AND function_id = ?2 AND at >= ?3 AND at < ?5 AND level >= ?6 GROUP BY bar, level`,
  );
  const ids = db.prepare(
    `SELECT min(first_id) AS first, max(last_id) AS last FROM log_counts
     WHERE length_ms = ? AND function_id = ${ALL_FUNCTIONS} AND at >= ? AND at <= ?`,
  );
  const lastOf = db.prepare(
    `SELECT last_id AS id FROM log_counts WHERE length_ms = ${HOUR_MS} AND function_id = ? AND level = ?
     ORDER BY at DESC LIMIT 1`,
  );
  const beginning = db.prepare(
    `SELECT at FROM log_counts WHERE length_ms = ${HOUR_MS} AND function_id = ${ALL_FUNCTIONS} ORDER BY at LIMIT 1`,
  );

  return {
    add(entries) {
      for (const { key, count, first, last } of countsOf(entries)) add.run(...key, count, first, last);
    },
    remove(entries) {
      for (const { key, count } of countsOf(entries)) {
        subtract.run(count, ...key);
        removeEmpty.run(...key);
      }
    },
    over({ from, widthMs, count }, level, functionId) {
      const length = widthMs % HOUR_MS === 0 ? HOUR_MS : MINUTE_MS;
      const until = from + count * widthMs;
      return all<BarCount & Row>(over, length, functionId ?? ALL_FUNCTIONS, from, widthMs, until, level);
    },
    ids(from, until) {
      const length = until - from > BY_MINUTES_MAX_MS ? HOUR_MS : MINUTE_MS;
      const found = first<{ first: number | null; last: number | null }>(ids, length, from - from % length, until);
      return found?.first == null || found.last === null ? undefined : { first: found.first, last: found.last };
    },
    lastOf: (functionId, level) => first<{ id: number }>(lastOf, functionId, level)?.id,
    beginning: () => first<{ at: number }>(beginning)?.at,
  };
}

type Key = [lengthMs: number, functionId: number, at: number, level: number];

/** Sums up entries by the rows that count them: entries of one batch are mostly of the same few. */
function countsOf(entries: readonly CountedEntry[]) {
  const counts = new Map<string, { key: Key; count: number; first: number; last: number }>();
  for (const { id, functionId, level, at } of entries) {
    for (const length of LENGTHS) {
      for (const subject of [ALL_FUNCTIONS, functionId]) {
        const key: Key = [length, subject, at - at % length, level];
        const name = key.join(" ");
        const known = counts.get(name);
        if (!known) counts.set(name, { key, count: 1, first: id, last: id });
        else {
          known.count++;
          known.first = Math.min(known.first, id);
          known.last = Math.max(known.last, id);
        }
      }
    }
  }
  return counts.values();
}
