// Defines what a node gives of its logs to the nodes that merge them, and implements it for the logs of this process.

import { messageOf } from "../../errors.ts";
import type { FunctionId } from "../../ids.ts";
import type { Bars } from "../../store/log_counts.ts";
import type { FoundRequest, LogEntry, LogFilter, LogHistogram, Logs } from "../logs.ts";

/** Most missed entries that a reader gets when it reconnects. */
export const MISSED_MAX = 1_000;
/** Entries that may wait for a reader; further ones are dropped for it. */
const WAITING_MAX = 2_000;

/** An entry, and the node that wrote it if there are several. */
export interface MergedEntry extends LogEntry {
  readonly node?: string;
}

/** A node whose entries are missing, and why, as a sentence. */
export interface SilentNode {
  readonly node: string;
  readonly why: string;
}

export interface NodePage {
  /** The newest first. */
  readonly entries: readonly LogEntry[];
  readonly hasMore: boolean;
}

export interface PageQuery {
  readonly filter: LogFilter;
  /** Only entries with smaller ids. */
  readonly after?: number | undefined;
  /** Only entries of this time or before, in milliseconds since 1970 UTC. */
  readonly until?: number | undefined;
  readonly limit: number;
}

export interface TailQuery {
  readonly filter: LogFilter;
  /** Starts with entries with larger ids; without this and `from`, with what is logged from now on. */
  readonly since?: number | undefined;
  /** Starts with entries of this time or later. */
  readonly from?: number | undefined;
}

export type TailItem =
  | { readonly entry: LogEntry }
  /**
   * The entries from before the question are complete, except older ones if too many were `skipped`. `last` is the id of
   * the last entry of the node at that time, 0 before the first.
   */
  | { readonly ready: { readonly skipped: boolean; readonly last: number } }
  /** This many entries were dropped because the reader was too slow. */
  | { readonly lost: number };

export interface HistogramQuery {
  readonly filter: LogFilter;
  readonly bars: Bars;
}

export interface RequestsQuery {
  readonly beginning: string;
  readonly limit: number;
}

/** The logs of one node. */
export interface NodeLogs {
  readonly node: string;
  list(query: PageQuery): Promise<NodePage>;
  /** Returns requests as `Logs.requests` does. */
  requests(query: RequestsQuery): Promise<FoundRequest[]>;
  histogram(query: HistogramQuery): Promise<LogHistogram>;
  /** Returns the beginning of the hour of the oldest entry; null if there is none. */
  beginning(): Promise<number | null>;
  /** Ends when `signal` is aborted, or when the node stops. */
  follow(query: TailQuery, signal: AbortSignal): AsyncIterable<TailItem>;
  clear(id: FunctionId): Promise<void>;
}

export type LocalLogs = Omit<NodeLogs, "node">;

export function createLocalLogs(logs: Logs): LocalLogs {
  return {
    list({ filter, after, until, limit }) {
      const last = Math.min(filter.until ?? Infinity, until ?? Infinity);
      const wanted = { ...filter, until: last === Infinity ? undefined : last };
      const { entries, next } = logs.list({ ...wanted, limit, ...(after !== undefined && { after }) });
      return Promise.resolve({ entries, hasMore: next !== undefined });
    },
    requests: ({ beginning, limit }) => Promise.resolve(logs.requests(beginning, limit)),
    histogram: ({ filter, bars }) => Promise.resolve(logs.histogram(filter, bars)),
    beginning: () => Promise.resolve(logs.beginning() ?? null),
    clear: (id) => logs.clear(id),
    follow: (query, signal) => follow(logs, query, signal),
  };
}

async function* follow(logs: Logs, { filter, since, from }: TailQuery, signal: AbortSignal): AsyncGenerator<TailItem> {
  const waiting: TailItem[] = [];
  let lost = 0;
  let isOver = signal.aborted;
  let wake = Promise.withResolvers<void>();
  const end = () => {
    isOver = true;
    wake.resolve();
  };
  signal.addEventListener("abort", end);
  // In one turn with the list, so that no entry is lost between what was missed and what comes.
  const isMissing = since !== undefined || from !== undefined;
  const missed = isMissing
    ? logs.list({ ...filter, limit: MISSED_MAX, ...(since !== undefined && { since }), from })
    : undefined;
  const last = logs.list({ limit: 1 }).entries[0]?.id ?? 0;
  const unfollow = logs.follow(filter, (entry) => {
    if (waiting.length < WAITING_MAX) waiting.push({ entry });
    else lost++;
    wake.resolve();
  }, end);
  try {
    for (const entry of missed?.entries.toReversed() ?? []) yield { entry };
    yield { ready: { skipped: missed?.next !== undefined, last } };
    while (true) {
      yield* waiting.splice(0);
      if (lost > 0) {
        const dropped = lost;
        lost = 0;
        yield { lost: dropped };
      }
      if (isOver && waiting.length === 0) return;
      if (waiting.length > 0) continue;
      await wake.promise;
      wake = Promise.withResolvers();
    }
  } finally {
    signal.removeEventListener("abort", end);
    unfollow();
  }
}

/** `error` is why the node did not answer. */
export function silentNode({ node }: NodeLogs, error: unknown): SilentNode {
  return { node, why: messageOf(error) };
}
