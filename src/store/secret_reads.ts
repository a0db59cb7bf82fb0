// Stores counts of reads of secrets by handlers, by secret, function, key and minute (later day), and the last read of
// each secret. Rows of other nodes of a cluster are in tables of their own; what is read includes them unless it says
// otherwise.

import type { FunctionId, KeyId, SecretId } from "../ids.ts";
import { DAY_MS, MINUTE_MS } from "../time.ts";
import { all, type Database, first, type Row } from "./database.ts";

export interface SecretRead {
  readonly secretId: SecretId;
  readonly functionId: FunctionId;
  /** 0 for a call without a key. */
  readonly keyId: KeyId | 0;
}

/** Reads of one secret by one function with one key in a minute or a day. */
export interface ReadCount {
  /** When the minute or day begins, in milliseconds since 1970 UTC. */
  readonly at: number;
  readonly per: "minute" | "day";
  readonly functionId: FunctionId;
  readonly keyId: KeyId | 0;
  readonly reads: number;
}

/** The last count of a page. */
export type ReadCursor = Pick<ReadCount, "at" | "functionId" | "keyId">;

export interface LastRead {
  readonly at: number;
  readonly functionId: FunctionId;
}

/** Reads by everybody, or of one function or key, in a time that does not include `to`. */
export interface ReadFilter {
  readonly functionId?: FunctionId | undefined;
  readonly keyId?: KeyId | undefined;
  readonly from: number;
  readonly to: number;
}

export interface SecretReadStore {
  /** Adds `reads` to the count of the minute `at`. */
  count(read: SecretRead, at: number, reads: number): void;

  /** Adds `reads` to the count of the day that contains the time `at`; `functionId` was the last reader. */
  countOfSecret(secretId: SecretId, at: number, functionId: FunctionId, reads: number): void;
  last(id: SecretId): LastRead | undefined;

  /** Returns the number of reads on the day of `since` and later. */
  sum(id: SecretId, since: number): number;

  /** Returns the secrets that were read at `at` or later; one that several nodes read several times. */
  readSince(at: number): SecretId[];

  /** Returns since when the reads of all nodes are counted. */
  begin(): number;
  setBegin(at: number): void;

  /** Returns at most `limit` counts of a secret, newest first. */
  page(id: SecretId, after: ReadCursor | undefined, limit: number): ReadCount[];

  /**
   * Returns the functions that read a secret at `since` or later and the minute or day of the last read of each, the
   * newest first. Of a secret with many counts, only the newest ones are looked at.
   */
  readers(id: SecretId, since: number): LastRead[];

  /** Returns the sums of the reads that overlap a time, by secret; `end` is when the last minute or day ends. */
  exposed(filter: ReadFilter): { secretId: SecretId; first: number; end: number; count: number }[];

  /** Returns these reads of one secret by minute or day. */
  exposedAt(id: SecretId, filter: ReadFilter): { at: number; reads: number }[];

  /** Returns the beginning of the oldest minute that has not been folded into its day. */
  oldestMinute(): number | undefined;

  /** Folds the minutes before `at` into days; the times within a day are lost. */
  foldMinutes(at: number): void;

  /** Deletes days before `at`, but not the last read of each secret. */
  trim(at: number): void;

  /** Returns at most `limit` secrets with an id above `after` that were ever read. */
  secretIds(after: number, limit: number): SecretId[];
  forget(id: SecretId): void;
}

/** Counts of a secret in which its readers are found: those of a day of a secret that ten callers read each minute. */
const READERS_LOOKED_AT = 15_000;

/** Longer than 80 lines: it prepares all statements once, next to the methods that run them. */
export function createSecretReadStore(db: Database): SecretReadStore {
  const count = db.prepare(
    `INSERT INTO secret_reads (length_ms, secret_id, at, function_id, key_id, reads) VALUES (${MINUTE_MS}, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET reads = reads + excluded.reads`,
  );
  const countDay = db.prepare(
    `INSERT INTO secret_read_days (secret_id, at, reads) VALUES (?, ?, ?)
     ON CONFLICT DO UPDATE SET reads = reads + excluded.reads`,
  );
  const setLast = db.prepare(
    `INSERT INTO secret_last_reads (secret_id, at, function_id) VALUES (?, ?, ?)
     ON CONFLICT DO UPDATE SET at = excluded.at, function_id = excluded.function_id WHERE excluded.at >= at`,
  );
  const last = db.prepare(
    `SELECT at, function_id AS functionId FROM secret_last_reads WHERE secret_id = ?1
     UNION ALL SELECT at, function_id FROM node_secret_last_reads WHERE secret_id = ?1 ORDER BY at DESC LIMIT 1`,
  );
  const sum = db.prepare(
    `SELECT sum(reads) AS n FROM (
       SELECT reads FROM secret_read_days WHERE secret_id = ?1 AND at >= ?2
       UNION ALL SELECT reads FROM node_secret_read_days WHERE secret_id = ?1 AND at >= ?2
     )`,
  );
  const readSince = db.prepare(
    `SELECT secret_id AS id FROM secret_last_reads WHERE at >= ?1
     UNION ALL SELECT secret_id FROM node_secret_last_reads WHERE at >= ?1`,
  );
  const begin = db.prepare(
    "SELECT max(at) AS at FROM (SELECT at FROM secret_reads_begin UNION ALL SELECT at FROM node_secret_reads_begin)",
  );
  const setBegin = db.prepare("UPDATE secret_reads_begin SET at = ?");
  const per = `iif(length_ms = ${MINUTE_MS}, 'minute', 'day') AS per`;
  const rest = "secret_id = ?1 AND at <= ?2 AND (at < ?2 OR function_id < ?3 OR (function_id = ?3 AND key_id < ?4))";
  const page = db.prepare(
    `SELECT at, ${per}, function_id AS functionId, key_id AS keyId, reads FROM secret_reads WHERE ${rest}
     ORDER BY at DESC, function_id DESC, key_id DESC LIMIT ?5`,
  );
  const readElsewhere = db.prepare("SELECT 1 FROM node_secret_reads WHERE secret_id = ? LIMIT 1");
  const mergedPage = db.prepare(
    `SELECT at, ${per}, function_id AS functionId, key_id AS keyId, sum(reads) AS reads FROM (
       SELECT at, length_ms, function_id, key_id, reads FROM secret_reads WHERE ${rest}
       UNION ALL SELECT at, length_ms, function_id, key_id, reads FROM node_secret_reads WHERE ${rest}
     ) GROUP BY at, length_ms, function_id, key_id ORDER BY at DESC, functionId DESC, keyId DESC LIMIT ?5`,
  );
  const readers = db.prepare(
    `SELECT function_id AS functionId, max(at) AS at FROM (${
      ["", "node_"].map((node) =>
        `SELECT * FROM (SELECT function_id, at FROM ${node}secret_reads WHERE secret_id = ?1 AND at >= ?2
           ORDER BY at DESC LIMIT ${READERS_LOOKED_AT})`
      ).join(" UNION ALL ")
    }) GROUP BY function_id ORDER BY at DESC, functionId`,
  );
  // Each length has its own range of the index; the first read of a minute or a day may be before `from`.
  const overlapping = ["", "node_"].flatMap((node) =>
    [MINUTE_MS, DAY_MS].map((length) =>
      `SELECT secret_id, at, length_ms, reads FROM ${node}secret_reads WHERE length_ms = ${length}
         AND at > ?1 - ${length} AND at < ?2 AND (?3 = 0 OR function_id = ?3) AND (?4 = 0 OR key_id = ?4)`
    )
  );
  const exposed = db.prepare(
    `SELECT secret_id AS secretId, min(at) AS first, max(at + length_ms) AS "end", sum(reads) AS count
     FROM (${overlapping.join(" UNION ALL ")}) GROUP BY secret_id`,
  );
  const exposedAt = db.prepare(
    ["", "node_"].map((node) =>
      `SELECT at, reads FROM ${node}secret_reads WHERE secret_id = ?5 AND at > ?1 - length_ms AND at < ?2
         AND (?3 = 0 OR function_id = ?3) AND (?4 = 0 OR key_id = ?4)`
    ).join(" UNION ALL "),
  );
  const oldMinutes = `FROM secret_reads WHERE length_ms = ${MINUTE_MS} AND at < ?1`;
  const toDays = db.prepare(
    `INSERT INTO secret_reads (length_ms, secret_id, at, function_id, key_id, reads)
     SELECT ${DAY_MS}, secret_id, at - at % ${DAY_MS}, function_id, key_id, sum(reads) ${oldMinutes}
     GROUP BY secret_id, at - at % ${DAY_MS}, function_id, key_id
     ON CONFLICT DO UPDATE SET reads = reads + excluded.reads`,
  );
  const dropMinutes = db.prepare(`DELETE ${oldMinutes}`);
  const oldestMinute = db.prepare(`SELECT min(at) AS at FROM secret_reads WHERE length_ms = ${MINUTE_MS}`);
  // A node folds its own minutes, which is passed on to the others. What remains is of a node that is gone.
  const dropOthersMinutes = db.prepare(
    `DELETE FROM node_secret_reads WHERE length_ms = ${MINUTE_MS} AND at < ?1 - ${DAY_MS}`,
  );
  const trims = ["", "node_"].flatMap((node) => [
    db.prepare(`DELETE FROM ${node}secret_reads WHERE length_ms = ${DAY_MS} AND at < ?`),
    db.prepare(`DELETE FROM ${node}secret_read_days WHERE at < ?`),
  ]);
  const secretIds = db.prepare(
    `SELECT secret_id AS id FROM secret_last_reads WHERE secret_id > ?1
     UNION SELECT secret_id FROM node_secret_last_reads WHERE secret_id > ?1 ORDER BY id LIMIT ?2`,
  );
  const forgets = ["", "node_"].flatMap((node) =>
    ["secret_reads", "secret_read_days", "secret_last_reads"].map((table) =>
      db.prepare(`DELETE FROM ${node}${table} WHERE secret_id = ?`)
    )
  );

  return {
    count({ secretId, functionId, keyId }: SecretRead, at: number, reads: number): void {
      count.run(secretId, at, functionId, keyId, reads);
    },

    countOfSecret(secretId: SecretId, at: number, functionId: FunctionId, reads: number): void {
      countDay.run(secretId, at - at % DAY_MS, reads);
      setLast.run(secretId, at, functionId);
    },

    last: (id: SecretId): LastRead | undefined => first<LastRead & Row>(last, id),

    sum: (id: SecretId, since: number): number => first<{ n: number | null }>(sum, id, since - since % DAY_MS)!.n ?? 0,

    readSince: (at: number): SecretId[] => all<{ id: SecretId }>(readSince, at).map(({ id }) => id),

    begin: (): number => first<{ at: number }>(begin)!.at,

    setBegin(at: number): void {
      setBegin.run(at);
    },

    page(id: SecretId, after: ReadCursor | undefined, limit: number): ReadCount[] {
      const { at, functionId, keyId } = after ?? { at: Number.MAX_SAFE_INTEGER, functionId: 0, keyId: 0 };
      const statement = first(readElsewhere, id) ? mergedPage : page;
      return all<ReadCount & Row>(statement, id, at, functionId, keyId, limit);
    },

    readers: (id: SecretId, since: number): LastRead[] => all<LastRead & Row>(readers, id, since),

    exposed: ({ from, to, functionId, keyId }: ReadFilter) =>
      all<{ secretId: SecretId; first: number; end: number; count: number }>(
        exposed,
        from,
        to,
        functionId ?? 0,
        keyId ?? 0,
      ),

    exposedAt: (id: SecretId, { from, to, functionId, keyId }: ReadFilter) =>
      all<{ at: number; reads: number }>(exposedAt, from, to, functionId ?? 0, keyId ?? 0, id),

    oldestMinute: (): number | undefined => first<{ at: number | null }>(oldestMinute)!.at ?? undefined,

    foldMinutes(at: number): void {
      toDays.run(at);
      dropMinutes.run(at);
      dropOthersMinutes.run(at);
    },

    trim(at: number): void {
      for (const statement of trims) statement.run(at);
    },

    secretIds: (after: number, limit: number): SecretId[] =>
      all<{ id: SecretId }>(secretIds, after, limit).map(({ id }) => id),

    forget(id: SecretId): void {
      for (const statement of forgets) statement.run(id);
    },
  };
}
