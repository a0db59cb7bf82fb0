// The logs of functions: kept by function and call, in batches behind the calls, trimmed, searched, followed.

import { messageOf } from "../errors.ts";
import type { FunctionId } from "../ids.ts";
import type { LogRow } from "../store/logs.ts";
import type { Observations } from "../store/observations.ts";
import type { Level, Log } from "./log.ts";
import { type LogEvent, LogQueue, type NewLogEntry, type QueuedEntry } from "./log_queue.ts";
import type { Masking } from "../masking/masking.ts";
import { parseSearch } from "./search.ts";

export const LEVELS = ["debug", "info", "warn", "error"] as const satisfies readonly Level[];

/** An entry as it is kept: without secrets. */
export interface LogEntry {
  /** Larger than that of every entry before it. */
  readonly id: number;
  readonly functionId: FunctionId;
  readonly requestId: string | null;
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
  /** This level and the more serious ones. */
  readonly level?: Level | undefined;
  /** Words, as `parseSearch` takes them. */
  readonly search?: string | undefined;
}

export interface LogsOptions {
  readonly observations: Pick<Observations, "logs" | "transaction">;
  readonly masking: Masking;
  /** Asked anew each time, so that a changed setting counts at once. */
  readonly settings: {
    level(): Level;
    maxBatchSize(): number;
    maxDelayMs(): number;
    maxPerFunction(): number;
    retentionSeconds(): number;
  };
  readonly isFunction: (id: FunctionId) => boolean;
  readonly now: () => number;
  /** The server's own log, for what goes wrong here. */
  readonly report: Log;
}

export type Logs = ReturnType<typeof logsService>;

const SWEEP_INTERVAL_MS = 3_600_000;
/** Entries deleted at a time, between which requests are answered. */
const DELETE_BATCH = 500;
/**
 * Of the entries that are kept of a function, so many more may be there until somebody looks: deleting costs half as
 * much when it is done for many at once.
 */
const UNTRIMMED_SHARE = 0.1;
const REPORT_INTERVAL_MS = 60_000;

interface Follower {
  readonly accepts: (entry: LogEntry) => boolean;
  readonly listener: (entry: LogEntry) => void;
  readonly onEnd: () => void;
}

export function logsService({ observations, masking, settings, isFunction, now, report }: LogsOptions) {
  const rows = observations.logs;
  const queue = new LogQueue(masking);
  const followers = new Set<Follower>();
  const counts = rows.counts();
  const deleted = new Set<FunctionId>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let timerAt = Infinity;
  let closed = false;
  let failedSince = -Infinity;
  let lost = 0;

  const schedule = (): void => {
    const { oldestAt } = queue;
    if (oldestAt === undefined || closed) return;
    const waitMs = queue.length >= settings.maxBatchSize() ? 0 : Math.max(0, oldestAt + settings.maxDelayMs() - now());
    if (now() + waitMs >= timerAt) return;
    clearTimeout(timer);
    timerAt = now() + waitMs;
    timer = setTimeout(() => {
      timerAt = Infinity;
      flushBatch(now() - settings.maxDelayMs());
      schedule();
    }, waitMs);
  };

  const flushBatch = (heldSince: number): void => {
    const taken = queue.take(settings.maxBatchSize(), now(), heldSince).filter((e) => !deleted.has(e.functionId));
    if (taken.length === 0) return;
    try {
      const stored = observations.transaction(() => store(taken));
      for (const { functionId } of taken) counts.set(functionId, (counts.get(functionId) ?? 0) + 1);
      const slack = Math.min(DELETE_BATCH - 1, Math.floor(settings.maxPerFunction() * UNTRIMMED_SHARE));
      trim(new Set(taken.map(({ functionId }) => functionId)), slack);
      for (const follower of followers) {
        for (const entry of stored) if (follower.accepts(entry)) follower.listener(entry);
      }
    } catch (error) {
      notStored(taken.length, error);
    }
  };

  const store = (entries: readonly QueuedEntry[]): LogEntry[] =>
    entries.map(({ functionId, requestId, level, event, message, durationMs = null, at }) => {
      // SQLite would cut the text there.
      const text = message.replaceAll("\0", "\u2400");
      const fields = { functionId, requestId, event, message: text, durationMs, at };
      return { ...fields, level, id: rows.insert({ ...fields, level: LEVELS.indexOf(level) }) };
    });

  /** Deletes what is too much of these functions, if it is more than `slack`. */
  const trim = (ids: Iterable<FunctionId>, slack: number): void => {
    const max = settings.maxPerFunction();
    for (const id of ids) {
      const excess = (counts.get(id) ?? 0) - max;
      if (excess > slack) remove(id, Math.min(excess, DELETE_BATCH));
    }
  };

  const remove = (id: FunctionId, count: number): number => {
    const removed = observations.transaction(() => rows.deleteOldest(id, count));
    const left = (counts.get(id) ?? 0) - removed;
    if (left > 0 && removed === count) counts.set(id, left);
    else counts.delete(id);
    return removed;
  };

  const notStored = (entries: number, error: unknown): void => {
    lost += entries;
    if (now() - failedSince < REPORT_INTERVAL_MS) return;
    report("error", `${lost} entries of functions' logs could not be stored: ${messageOf(error)}.`);
    failedSince = now();
    lost = 0;
  };

  /** Deletes what is too old or too much, a little at a time. */
  const sweep = async (): Promise<void> => {
    try {
      const before = now() - settings.retentionSeconds() * 1_000;
      for (let full = true; full && !closed; await turn()) {
        const owners = observations.transaction(() => rows.deleteBefore(before, DELETE_BATCH));
        for (const id of owners) counts.set(id, (counts.get(id) ?? 1) - 1);
        full = owners.length === DELETE_BATCH;
      }
      for (const id of counts.keys()) {
        while ((counts.get(id) ?? 0) > settings.maxPerFunction() && !closed) {
          trim([id], 0);
          await turn();
        }
        if (!isFunction(id)) await clear(id);
      }
    } catch (error) {
      notStored(0, error);
    }
  };

  const clear = async (id: FunctionId): Promise<void> => {
    queue.discard(id);
    while (!closed && remove(id, DELETE_BATCH) === DELETE_BATCH) await turn();
  };

  const flush = (): void => {
    while (queue.oldestAt !== undefined) flushBatch(Infinity);
    try {
      trim(counts.keys(), 0);
    } catch (error) {
      notStored(0, error);
    }
  };

  const sweeper = setInterval(() => void sweep(), SWEEP_INTERVAL_MS);
  void sweep();

  const keeps = (level: Level): boolean => LEVELS.indexOf(level) >= LEVELS.indexOf(settings.level());

  return {
    /** Whether entries of this level are kept; what is not need not be made. */
    keeps,

    /** Takes an entry to be stored soon. Never throws, never waits. */
    write(entry: NewLogEntry): void {
      if (closed || !keeps(entry.level)) return;
      queue.push({ ...entry, at: now() });
      schedule();
    },

    /**
     * Entries newest first, those that wait to be stored included; `after` is the id that the page before ended
     * with, and `next` what the next page begins after, undefined on the last one.
     * With `since`, only those that are newer than the entry with that id.
     * @throws AppError InvalidInput (400) if `search` has no word in it
     */
    list(
      { search, level, functionId, requestId, since, after, limit }: LogFilter & {
        since?: number;
        after?: number;
        limit: number;
      },
    ) {
      flush();
      const found = rows.list(
        {
          functionId,
          requestId,
          since,
          level: level && LEVELS.indexOf(level),
          match: search === undefined ? undefined : parseSearch(search).match,
        },
        after ?? Number.MAX_SAFE_INTEGER,
        limit + 1,
      ).map(toEntry);
      const entries = found.slice(0, limit);
      return { entries, next: found.length > limit ? entries.at(-1)!.id : undefined };
    },

    /** Deletes what is kept of a function. */
    clear,

    /** Deletes what is kept of a function that no longer exists, and takes nothing more of it. Never rejects. */
    async forget(id: FunctionId): Promise<void> {
      deleted.add(id);
      masking.forget(id);
      try {
        await clear(id);
      } catch (error) {
        // The next sweep finds what is left.
        notStored(0, error);
      }
    },

    /**
     * Calls `listener` with each new entry that fits, once it is stored, until the returned function is called.
     * `onEnd` is called when there will be no more, because the server stops.
     * @throws AppError InvalidInput (400) if `search` has no word in it
     */
    follow(filter: LogFilter, listener: (entry: LogEntry) => void, onEnd: () => void = () => {}): () => void {
      const follower = { accepts: acceptance(filter), listener, onEnd };
      followers.add(follower);
      return () => void followers.delete(follower);
    },

    /** Stores what waits. */
    flush,

    /** Tells those who follow that it is over. */
    endFollowing(): void {
      for (const { onEnd } of followers) onEnd();
      followers.clear();
    },

    /** Stores what waits and takes nothing more. */
    close(): void {
      flush();
      closed = true;
      clearTimeout(timer);
      clearInterval(sweeper);
    },
  };
}

function acceptance({ functionId, requestId, level, search }: LogFilter): (entry: LogEntry) => boolean {
  const words = search === undefined ? undefined : parseSearch(search);
  const least = level === undefined ? 0 : LEVELS.indexOf(level);
  return (entry) =>
    (functionId === undefined || entry.functionId === functionId) &&
    (requestId === undefined || entry.requestId === requestId) &&
    LEVELS.indexOf(entry.level) >= least &&
    (words === undefined || words.test(entry.message));
}

function toEntry({ level, event, ...row }: LogRow): LogEntry {
  return { ...row, level: LEVELS[level]!, event: event as LogEvent };
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
