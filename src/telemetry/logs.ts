// Stores the logs of functions in batches after the calls, trims them, searches them, and lets clients follow them.

import { pageOf } from "../paging.ts";
import { HOUR_MS, MINUTE_MS } from "../time.ts";
import { reasonOf } from "../errors.ts";
import type { FunctionId, KeyId } from "../ids.ts";
import type { Bars } from "../store/log_counts.ts";
import type { LogRow } from "../store/logs.ts";
import type { Observations } from "../store/observations.ts";
import type { Level, Log } from "./log.ts";
import { type LogEvent, LogQueue, type NewLogEntry, type QueuedEntry } from "./log_queue.ts";
import type { Masking } from "../masking/masking.ts";
import { parseSearch } from "./search.ts";

export const LEVELS = ["debug", "info", "warn", "error"] as const satisfies readonly Level[];

/** A stored entry, in which secrets are masked. */
export interface LogEntry {
  /** Larger than the id of every earlier entry. */
  readonly id: number;
  readonly functionId: FunctionId;
  readonly requestId: string | null;
  /** The API key that admitted the call; null if none did. */
  readonly keyId: KeyId | null;
  readonly level: Level;
  readonly event: LogEvent;
  readonly message: string;
  readonly durationMs: number | null;
  /** Milliseconds since 1970. */
  readonly at: number;
}

export interface LogFilter {
  readonly functionId?: FunctionId | undefined;
  readonly requestId?: string | undefined;
  readonly keyId?: KeyId | undefined;
  /** This level and the more serious ones. */
  readonly level?: Level | undefined;
  /** Words, as for `parseSearch`. */
  readonly search?: string | undefined;
  /** Only entries from this time and later, or until this time, in milliseconds since 1970. Not for `follow`. */
  readonly from?: number | undefined;
  readonly until?: number | undefined;
}

/** A call that has left entries. */
export interface FoundRequest {
  readonly requestId: string;
  readonly functionId: FunctionId;
  /** When its first entry was written, in milliseconds since 1970. */
  readonly at: number;
}

/** How many entries a span of time has. */
export interface LogHistogram {
  /** By bar and level, as in `LEVELS`: 0 where there is none. */
  readonly bars: readonly (readonly number[])[];
  /** Whether all entries are counted; of many entries with a search, only the newest are. */
  readonly isComplete: boolean;
}

export interface LogsOptions {
  readonly observations: Pick<Observations, "logs" | "transaction" | "truncateWal">;
  readonly masking: Masking;
  /** Read each time, so that a changed setting applies at once. */
  readonly settings: {
    level(): Level;
    maxBatchSize(): number;
    maxDelayMs(): number;
    maxPerFunction(): number;
    retentionSeconds(): number;
  };
  readonly isFunction: (id: FunctionId) => boolean;
  readonly now: () => number;
  /** The server's own log, for errors of the storage. */
  readonly report: Log;
}

/** Entries that a histogram reads if they are not counted, which takes some 20 ms. */
const SCANNED_MAX = 20_000;
const SWEEP_INTERVAL_MS = HOUR_MS;
/** Entries deleted at a time, between which requests are answered. */
const DELETE_BATCH = 500;
/**
 * Stored entries may exceed the limit of a function by this share until they are listed: deleting costs half as much
 * for many entries at once.
 */
const UNTRIMMED_SHARE = 0.1;
const REPORT_INTERVAL_MS = MINUTE_MS;
/** Between two parts of the work that erases words. */
const ERASE_PAUSE_MS = 5;

interface Follower {
  readonly accepts: (entry: LogEntry) => boolean;
  readonly listener: (entry: LogEntry) => void;
  readonly onEnd: () => void;
}

/** Stores and finds entries of functions' logs. Holds timers: call `close` at the end. */
export class Logs {
  readonly #options: LogsOptions;
  readonly #rows: Observations["logs"];
  readonly #queue: LogQueue;
  readonly #followers = new Set<Follower>();
  /** Stored entries of each function. */
  readonly #counts: Map<FunctionId, number>;
  readonly #deleted = new Set<FunctionId>();
  readonly #sweeper: ReturnType<typeof setInterval>;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerAt = Infinity;
  #closed = false;
  #mustErase = false;
  #erasing: Promise<void> | undefined;
  #eraseTimer: ReturnType<typeof setTimeout> | undefined;
  #failedSince = -Infinity;
  #lost = 0;

  constructor(options: LogsOptions) {
    this.#options = options;
    this.#rows = options.observations.logs;
    this.#queue = new LogQueue(options.masking);
    this.#counts = this.#rows.counts();
    this.#sweeper = setInterval(() => void this.#sweep(), SWEEP_INTERVAL_MS);
    void this.#sweep();
  }

  /** Reports whether entries of this level are kept; others need not be made. */
  keeps(level: Level): boolean {
    return LEVELS.indexOf(level) >= LEVELS.indexOf(this.#options.settings.level());
  }

  /** Takes an entry to be stored soon. Never throws, never waits. */
  write(entry: NewLogEntry): void {
    if (this.#closed || !this.keeps(entry.level)) return;
    this.#queue.push({ ...entry, at: this.#options.now() });
    this.#schedule();
  }

  /**
   * Returns entries newest first, including those that wait to be stored. `after` is the id of the last entry of the
   * page before; `next` is the value of `after` for the next page, undefined on the last one. With `since`, returns
   * only entries newer than the one with that id; with `from` and `until`, only entries of these times.
   * @throws AppError InvalidInput (400) if `search` has no word in it
   */
  list(
    { search, level, functionId, requestId, keyId, since, from, until, after, limit }: LogFilter & {
      since?: number;
      after?: number;
      limit: number;
    },
  ): { entries: LogEntry[]; next: number | undefined } {
    this.flush();
    const found = this.#rows.list(
      {
        functionId,
        requestId,
        keyId,
        since,
        from,
        until,
        level: level && LEVELS.indexOf(level),
        match: search === undefined ? undefined : parseSearch(search).match,
      },
      after ?? Number.MAX_SAFE_INTEGER,
      limit + 1,
    ).map(toEntry);
    const { rows: entries, next } = pageOf(found, limit, ({ id }) => id);
    return { entries, next };
  }

  /** Returns at most `limit` requests whose ids begin with, and are longer than, `beginning`, in the order of ids. */
  requests(beginning: string, limit: number): FoundRequest[] {
    this.flush();
    return this.#rows.requests(beginning, limit)
      .map(({ requestId, functionId, at }) => ({ requestId: requestId!, functionId, at }));
  }

  /**
   * Counts the entries that match in each bar; `from` and `until` of the filter do not count.
   * @throws AppError InvalidInput (400) if `search` has no word in it
   */
  histogram({ search, level, functionId, requestId, keyId }: LogFilter, bars: Bars): LogHistogram {
    this.flush();
    const match = search === undefined ? undefined : parseSearch(search).match;
    const filter = { functionId, requestId, keyId, level: level && LEVELS.indexOf(level), match };
    const { counts, isComplete } = this.#rows.histogram(filter, bars, SCANNED_MAX);
    const numbers = Array.from({ length: bars.count }, () => LEVELS.map(() => 0));
    for (const { bar, level, entries } of counts) numbers[bar]![level] = entries;
    return { bars: numbers, isComplete };
  }

  /** Returns the last error of each of these functions that has one. */
  lastErrors(ids: readonly FunctionId[]): ReadonlyMap<FunctionId, LogEntry> {
    this.flush();
    const found = ids.map((id) => [id, this.#rows.lastOf(id, LEVELS.indexOf("error"))] as const);
    return new Map(found.flatMap(([id, row]) => row ? [[id, toEntry(row)]] : []));
  }

  /** Returns the beginning of the hour of the oldest entry; undefined if there is none. */
  beginning(): number | undefined {
    this.flush();
    return this.#rows.beginning();
  }

  /** Deletes the entries of a function, a batch at a time. Their words leave the disk soon after. */
  async clear(id: FunctionId): Promise<void> {
    this.#queue.discard(id);
    const hadEntries = this.#counts.has(id);
    while (!this.#closed && this.#remove(id, DELETE_BATCH) === DELETE_BATCH) await nextTurn();
    if (hadEntries) this.#erase();
  }

  /** Settles when what was deleted before is no longer on the disk. */
  get erased(): Promise<void> {
    return this.#erasing ?? Promise.resolve();
  }

  /**
   * Removes the words of deleted entries from the index, in which they stay otherwise: who deletes a log may do so because
   * of them.
   */
  #erase(): void {
    this.#mustErase = true;
    this.#erasing ??= this.#eraseAll().catch((error) => {
      const why = `Words of a deleted log are still on the disk: ${reasonOf(error)}.`;
      this.#options.report("error", `${why} Delete the log of any function to have them erased.`);
    }).finally(() => {
      this.#erasing = undefined;
    });
  }

  async #eraseAll(): Promise<void> {
    const { observations } = this.#options;
    while (this.#mustErase && !this.#closed) {
      this.#mustErase = false;
      let isFirst = true;
      while (!this.#closed && observations.transaction(() => this.#rows.eraseWords(isFirst))) {
        isFirst = false;
        await new Promise((resolve) => this.#eraseTimer = setTimeout(resolve, ERASE_PAUSE_MS));
      }
      if (!this.#closed) observations.truncateWal();
    }
  }

  /** Deletes the entries of a function that no longer exists, and ignores new ones. Never rejects. */
  async forget(id: FunctionId): Promise<void> {
    this.#deleted.add(id);
    this.#options.masking.forget(id);
    try {
      await this.clear(id);
    } catch (error) {
      // The next sweep deletes the rest.
      this.#notStored(0, error);
    }
  }

  /**
   * Calls `listener` with each new entry that matches, once it is stored, until the returned function is called.
   * `onEnd` is called when the server stops and there will be no more entries.
   * @throws AppError InvalidInput (400) if `search` has no word in it
   */
  follow(filter: LogFilter, listener: (entry: LogEntry) => void, onEnd: () => void = () => {}): () => void {
    const follower = { accepts: acceptance(filter), listener, onEnd };
    this.#followers.add(follower);
    return () => void this.#followers.delete(follower);
  }

  /** Stores all entries that wait. */
  flush(): void {
    while (this.#queue.oldestAt !== undefined) this.#flushBatch(Infinity);
    try {
      this.#trim(this.#counts.keys(), 0);
    } catch (error) {
      this.#notStored(0, error);
    }
  }

  /** Ends all followers, as the server stops. */
  endFollowing(): void {
    for (const { onEnd } of this.#followers) onEnd();
    this.#followers.clear();
  }

  /** Stores all entries that wait, and ignores new ones. */
  close(): void {
    this.flush();
    this.#closed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#eraseTimer);
    clearInterval(this.#sweeper);
  }

  #schedule(): void {
    const { settings, now } = this.#options;
    const { oldestAt } = this.#queue;
    if (oldestAt === undefined || this.#closed) return;
    const isFull = this.#queue.length >= settings.maxBatchSize();
    const waitMs = isFull ? 0 : Math.max(0, oldestAt + settings.maxDelayMs() - now());
    if (now() + waitMs >= this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = now() + waitMs;
    this.#timer = setTimeout(() => {
      this.#timerAt = Infinity;
      this.#flushBatch(now() - settings.maxDelayMs());
      this.#schedule();
    }, waitMs);
  }

  #flushBatch(pendingSince: number): void {
    const { observations, settings, now } = this.#options;
    const taken = this.#queue.take(settings.maxBatchSize(), now(), pendingSince)
      .filter(({ functionId }) => !this.#deleted.has(functionId));
    if (taken.length === 0) return;
    try {
      const stored = observations.transaction(() => this.#insertAll(taken));
      for (const { functionId } of taken) this.#counts.set(functionId, (this.#counts.get(functionId) ?? 0) + 1);
      const slack = Math.min(DELETE_BATCH - 1, Math.floor(settings.maxPerFunction() * UNTRIMMED_SHARE));
      this.#trim(new Set(taken.map(({ functionId }) => functionId)), slack);
      for (const follower of this.#followers) {
        for (const entry of stored) if (follower.accepts(entry)) follower.listener(entry);
      }
    } catch (error) {
      this.#notStored(taken.length, error);
    }
  }

  #insertAll(entries: readonly QueuedEntry[]): LogEntry[] {
    const taken = entries.map((
      { functionId, requestId, keyId = null, level, event, message, durationMs = null, at },
    ) => ({
      functionId,
      requestId,
      keyId,
      level,
      event,
      // SQLite would cut the text at a NUL.
      message: message.replaceAll("\0", "\u2400"),
      durationMs,
      at,
    }));
    const ids = this.#rows.insertAll(taken.map((entry) => ({ ...entry, level: LEVELS.indexOf(entry.level) })));
    return taken.map((entry, n) => ({ ...entry, id: ids[n]! }));
  }

  /** Deletes the oldest entries of functions that have more than the limit and `slack`. */
  #trim(ids: Iterable<FunctionId>, slack: number): void {
    const max = this.#options.settings.maxPerFunction();
    for (const id of ids) {
      const excess = (this.#counts.get(id) ?? 0) - max;
      if (excess > slack) this.#remove(id, Math.min(excess, DELETE_BATCH));
    }
  }

  #remove(id: FunctionId, count: number): number {
    const removed = this.#options.observations.transaction(() => this.#rows.deleteOldest(id, count));
    const left = (this.#counts.get(id) ?? 0) - removed;
    if (left > 0 && removed === count) this.#counts.set(id, left);
    else this.#counts.delete(id);
    return removed;
  }

  #notStored(entries: number, error: unknown): void {
    const { now, report } = this.#options;
    this.#lost += entries;
    if (now() - this.#failedSince < REPORT_INTERVAL_MS) return;
    report("error", `${this.#lost} entries of functions' logs could not be stored: ${reasonOf(error)}.`);
    this.#failedSince = now();
    this.#lost = 0;
  }

  /** Deletes entries that are too old or too many, a batch at a time. */
  async #sweep(): Promise<void> {
    const { observations, settings, isFunction, now } = this.#options;
    const counts = this.#counts;
    try {
      const before = now() - settings.retentionSeconds() * 1_000;
      for (let full = true; full && !this.#closed; await nextTurn()) {
        const owners = observations.transaction(() => this.#rows.deleteBefore(before, DELETE_BATCH));
        for (const id of owners) counts.set(id, (counts.get(id) ?? 1) - 1);
        full = owners.length === DELETE_BATCH;
      }
      for (const id of counts.keys()) {
        while ((counts.get(id) ?? 0) > settings.maxPerFunction() && !this.#closed) {
          this.#trim([id], 0);
          await nextTurn();
        }
        if (!isFunction(id)) await this.clear(id);
      }
    } catch (error) {
      this.#notStored(0, error);
    }
  }
}

function acceptance({ functionId, requestId, keyId, level, search }: LogFilter): (entry: LogEntry) => boolean {
  const words = search === undefined ? undefined : parseSearch(search);
  const least = level === undefined ? 0 : LEVELS.indexOf(level);
  return (entry) =>
    (functionId === undefined || entry.functionId === functionId) &&
    (requestId === undefined || entry.requestId === requestId) &&
    (keyId === undefined || entry.keyId === keyId) &&
    LEVELS.indexOf(entry.level) >= least &&
    (words === undefined || words.test(entry.message));
}

function toEntry({ level, event, ...row }: LogRow): LogEntry {
  return { ...row, level: LEVELS[level]!, event: event as LogEvent };
}

/** Lets requests be answered in between. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
