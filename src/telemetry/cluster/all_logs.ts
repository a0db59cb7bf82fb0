// Merges the logs of all nodes by time, for pages of entries and their histograms, and for readers that follow them. Each node orders and
// numbers its own entries; a page says how far it has got in each of them, so that none is lost or repeated. A node that
// does not answer is named. On a server that is no node of a cluster, there is nothing to merge.

import { Buffer } from "node:buffer";
import { invalid } from "../../errors.ts";
import type { FunctionId } from "../../ids.ts";
import type { Bars } from "../../store/log_counts.ts";
import type { FoundRequest, LogEntry, LogFilter, LogHistogram, Logs } from "../logs.ts";
import {
  createLocalLogs,
  type MergedEntry,
  MISSED_MAX,
  type NodeLogs,
  type NodePage,
  type SilentNode,
  silentNode,
} from "./node_logs.ts";
import { parseSearch } from "../search.ts";
import { type Positions, readCursor, readPositions, writeCursor, writePositions } from "./positions.ts";
import { MergedTail, type TailSink } from "./tail.ts";

export interface MergedPage {
  /** The newest first. */
  readonly entries: readonly MergedEntry[];
  /** The cursor of the next page; undefined on the last one. */
  readonly next: string | undefined;
  /** Where `follow` continues, so that it brings everything newer than this page. */
  readonly newest: string;
  readonly silent: readonly SilentNode[];
}

export interface Following {
  readonly filter: LogFilter;
  /** A `newest`, or the id of an event; undefined for what is logged from now on. */
  readonly since: string | undefined;
}

export interface AllLogs {
  /** @throws AppError InvalidInput (400) for a cursor or a search that is none */
  list(filter: LogFilter, page: { limit: number; cursor: string | undefined }): Promise<MergedPage>;

  /**
   * Returns at most `limit` requests whose ids begin with `beginning`, which is not a whole id, the newest first, of the
   * nodes that answer.
   */
  requests(beginning: string, limit: number): Promise<FoundRequest[]>;

  /**
   * Counts the entries of all nodes that answer, as `Logs.histogram` does.
   * @throws AppError InvalidInput (400) for a search that is none
   */
  histogram(filter: LogFilter, bars: Bars): Promise<LogHistogram>;

  /** Returns the beginning of the hour of the oldest entry of the nodes that answer; undefined if there is none. */
  beginning(): Promise<number | undefined>;

  /**
   * Gives `sink` what is logged until the returned function is called. On one node, what was missed is given at once.
   * @throws AppError InvalidInput (400) for a `since` or a search that is none
   */
  follow(following: Following, sink: TailSink): () => void;

  /** Deletes the entries of a function on all nodes; returns those that did not answer. */
  clear(id: FunctionId): Promise<readonly SilentNode[]>;
}

/** The nodes of a cluster, as this one sees them now. */
export interface LogNodes {
  /** The id of this node. */
  readonly own: string;
  others(): readonly NodeLogs[];
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number;
}

export function createAllLogs(logs: Logs, nodes?: LogNodes): AllLogs {
  return nodes ? new MergedLogs(logs, nodes) : ownLogs(logs);
}

function ownLogs(logs: Logs): AllLogs {
  return {
    list(filter, { limit, cursor }) {
      const after = cursor === undefined ? undefined : numberOf(cursor);
      const { entries, next } = logs.list({ ...filter, limit, ...(after !== undefined && { after }) });
      return Promise.resolve({
        entries,
        next: next === undefined ? undefined : cursorOf(next),
        newest: String(entries[0]?.id ?? 0),
        silent: [],
      });
    },
    requests: (beginning, limit) => Promise.resolve(newestOf(logs.requests(beginning, limit), limit)),
    // Not at once: errors of `histogram` are rejections, as those of nodes are.
    histogram: async (filter, bars) => await logs.histogram(filter, bars),
    beginning: () => Promise.resolve(logs.beginning()),
    follow({ filter, since }, sink) {
      const last = since === undefined ? undefined : sinceOf(since);
      // Store waiting entries first, so that no entry is lost between the missed ones and the new ones.
      const missed = last === undefined ? undefined : logs.list({ ...filter, since: last, limit: MISSED_MAX });
      const give = (entry: LogEntry) => sink.entry(entry, String(entry.id));
      const unfollow = logs.follow(filter, give, sink.end);
      if (missed?.next !== undefined) sink.lost(null);
      missed?.entries.toReversed().forEach(give);
      return unfollow;
    },
    async clear(id) {
      await logs.clear(id);
      return [];
    },
  };
}

/** A request is found on one node: the one that ran its call. */
function newestOf(requests: readonly FoundRequest[], limit: number): FoundRequest[] {
  return requests.toSorted((a, b) => b.at - a.at).slice(0, limit);
}

function cursorOf(after: number): string {
  return Buffer.from(`after ${after}`).toString("base64url");
}

function numberOf(cursor: string): number {
  const [, number] = /^after ([1-9][0-9]{0,15})$/.exec(Buffer.from(cursor, "base64url").toString()) ?? [];
  const after = Number(number);
  if (!Number.isSafeInteger(after) || cursorOf(after) !== cursor) {
    throw invalid("cursor", "must be the `next` of an answer");
  }
  return after;
}

function sinceOf(text: string): number {
  if (!/^[0-9]{1,15}$/.test(text)) throw invalid("since", "must be the `newest` of an answer, or the id of an event");
  return Number(text);
}

class MergedLogs implements AllLogs {
  readonly #nodes: LogNodes;
  readonly #own: NodeLogs;

  constructor(logs: Logs, nodes: LogNodes) {
    this.#nodes = nodes;
    this.#own = { node: nodes.own, ...createLocalLogs(logs) };
  }

  async list(filter: LogFilter, { limit, cursor }: { limit: number; cursor: string | undefined }): Promise<MergedPage> {
    const before = cursor === undefined ? undefined : readCursor(cursor);
    if (cursor !== undefined && !before) throw invalid("cursor", "must be the `next` of an answer");
    // This node first, alone: a search that is none is found without asking anybody.
    const own = await this.#own.list({ filter, limit, ...startOf(this.#own.node, before) });
    const silent: SilentNode[] = [];
    const pages = new Map<string, NodePage>([[this.#own.node, own]]);
    await Promise.all(
      this.#nodes.others().map(async (node) => {
        try {
          pages.set(node.node, await node.list({ filter, limit, ...startOf(node.node, before) }));
        } catch (error) {
          silent.push(silentNode(node, error));
        }
      }),
    );
    return { ...mergePages(pages, before, limit, this.#nodes.now()), silent: silent.sort(inOrder) };
  }

  async requests(beginning: string, limit: number): Promise<FoundRequest[]> {
    const query = { beginning, limit };
    const [own, others] = await Promise.all([
      this.#own.requests(query),
      this.#ofOthers((node) => node.requests(query)),
    ]);
    return newestOf([own, ...others].flat(), limit);
  }

  async histogram(filter: LogFilter, bars: Bars): Promise<LogHistogram> {
    // This node first, as for `list`.
    const own = await this.#own.histogram({ filter, bars });
    const others = await this.#ofOthers((node) => node.histogram({ filter, bars }));
    return [own, ...others].reduce((sum, one) => ({
      bars: sum.bars.map((counts, bar) => counts.map((count, level) => count + one.bars[bar]![level]!)),
      isComplete: sum.isComplete && one.isComplete,
    }));
  }

  async beginning(): Promise<number | undefined> {
    const all = [await this.#own.beginning(), ...await this.#ofOthers((node) => node.beginning())];
    const known = all.filter((at) => at !== null);
    return known.length === 0 ? undefined : Math.min(...known);
  }

  /** Asks the other nodes; those that do not answer are left out, as the page of entries names them. */
  async #ofOthers<T>(ask: (node: NodeLogs) => Promise<T>): Promise<T[]> {
    const answers = await Promise.allSettled(this.#nodes.others().map(ask));
    return answers.flatMap((answer) => answer.status === "fulfilled" ? [answer.value] : []);
  }

  follow({ filter, since }: Following, sink: TailSink): () => void {
    const positions = since === undefined ? undefined : readPositions(since);
    if (since !== undefined && !positions) {
      throw invalid("since", "must be the `newest` of an answer, or the id of an event");
    }
    if (filter.search !== undefined) parseSearch(filter.search);
    const tail = new MergedTail({ nodes: () => this.#all(), filter, positions, sink, now: this.#nodes.now });
    return () => tail.close();
  }

  async clear(id: FunctionId): Promise<readonly SilentNode[]> {
    const silent: SilentNode[] = [];
    await Promise.all(
      this.#all().map(async (node) => {
        try {
          await node.clear(id);
        } catch (error) {
          if (node === this.#own) throw error;
          silent.push(silentNode(node, error));
        }
      }),
    );
    return silent.sort(inOrder);
  }

  #all(): NodeLogs[] {
    return [this.#own, ...this.#nodes.others()];
  }
}

function inOrder(a: SilentNode, b: SilentNode): number {
  return a.node < b.node ? -1 : 1;
}

/** A node that the pages before have not asked, or not reached, continues at their time. */
function startOf(node: string, before: Positions | undefined): { after?: number; until?: number } {
  if (!before) return {};
  const after = before.byNode.get(node);
  return after === undefined ? { until: before.at } : { after };
}

/** Takes the newest `limit` entries of all pages, each of which has its own order. */
export function mergePages(
  pages: ReadonlyMap<string, NodePage>,
  before: Positions | undefined,
  limit: number,
  now: number,
): Pick<MergedPage, "entries" | "next" | "newest"> {
  const entries: MergedEntry[] = [];
  const taken = new Map([...pages.keys()].map((node) => [node, 0]));
  while (entries.length < limit) {
    let newest: MergedEntry | undefined;
    for (const [node, page] of pages) {
      const entry = page.entries[taken.get(node)!];
      if (entry && (!newest || entry.at > newest.at)) newest = { ...entry, node };
    }
    if (!newest) break;
    taken.set(newest.node!, taken.get(newest.node!)! + 1);
    entries.push(newest);
  }
  const at = entries.at(-1)?.at ?? before?.at ?? now;
  // What is newer on this page must not be older than the next one's limit for nodes that did not answer.
  const lowest = Math.min(at, before?.at ?? Infinity);
  const positions = new Map(before?.byNode);
  let hasMore = false;
  for (const [node, page] of pages) {
    const count = taken.get(node)!;
    if (count < page.entries.length || page.hasMore) hasMore = true;
    const last = page.entries[count - 1]?.id ?? firstBelow(page, before?.byNode.get(node));
    positions.set(node, last);
  }
  return {
    entries,
    next: hasMore ? writeCursor({ byNode: positions, at: lowest }) : undefined,
    newest: writePositions({
      byNode: new Map([...pages].map(([node, page]) => [node, page.entries[0]?.id ?? 0])),
      at: now,
    }),
  };
}

/** Where a node continues of which no entry was taken. Later entries of a node that has none yet are newer than the page. */
function firstBelow({ entries }: NodePage, before: number | undefined): number {
  return before ?? (entries[0] ? entries[0].id + 1 : 0);
}
