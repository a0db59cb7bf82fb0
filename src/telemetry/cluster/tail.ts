// Follows the logs of all nodes at once: first what was missed, by time, then each entry as it comes. A node that cannot
// be reached is named, and asked again from where it was left; a node that joins is followed from its first entry.

import { SECOND_MS } from "../../time.ts";
import type { LogFilter } from "../logs.ts";
import { type MergedEntry, type NodeLogs, type SilentNode, silentNode, type TailItem } from "./node_logs.ts";
import { type Positions, writePositions } from "./positions.ts";

/** How long the missed entries of the other nodes are waited for, so that all are given by time. */
const MISSED_MAX_MS = 2 * SECOND_MS;
/** How often nodes that were lost, or have joined, are asked. */
const RETRY_MS = 2 * SECOND_MS;

export interface TailSink {
  /** `id` is where a reader continues that has this entry. */
  entry(entry: MergedEntry, id: string): void;
  /** This many entries were dropped; null if it is not known how many. */
  lost(count: number | null): void;
  /** The nodes that are not followed now, each time that changes. */
  silent(nodes: readonly SilentNode[]): void;
  /** This node stops: there will be no more. */
  end(): void;
}

export interface TailOptions {
  /** This node first. */
  readonly nodes: () => readonly NodeLogs[];
  readonly filter: LogFilter;
  readonly positions: Positions | undefined;
  readonly sink: TailSink;
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number;
}

export class MergedTail {
  readonly #options: TailOptions;
  readonly #ended = new AbortController();
  /** Up to which entry of each node the reader has everything. */
  readonly #given: Map<string, number>;
  /** The same for entries that wait. */
  readonly #ready = new Map<string, number>();
  /** From when on the reader wants entries of nodes that it does not know. */
  readonly #since: number;
  readonly #followed = new Set<string>();
  readonly #silent = new Map<string, SilentNode>();
  /** Entries that wait until those of all nodes are there; undefined afterwards. */
  #missed: MergedEntry[] | undefined = [];
  #missing: Set<string>;
  readonly #timers: ReturnType<typeof setInterval>[];

  constructor(options: TailOptions) {
    this.#options = options;
    const { nodes, positions, now } = options;
    this.#given = new Map(positions?.byNode);
    this.#since = positions?.at ?? now();
    this.#missing = new Set(nodes().map(({ node }) => node));
    this.#timers = [
      setInterval(() => this.#followAll(), RETRY_MS),
      setTimeout(() => this.#giveMissed(), MISSED_MAX_MS),
    ];
    this.#followAll(positions === undefined);
  }

  close(): void {
    this.#ended.abort();
    for (const timer of this.#timers) clearInterval(timer);
  }

  /** `fromNow` is for the beginning of a reader that wants nothing from before. */
  #followAll(fromNow = false): void {
    const nodes = this.#options.nodes();
    for (const node of nodes) if (!this.#followed.has(node.node)) void this.#follow(node, fromNow);
    for (const gone of this.#silent.keys()) {
      if (!nodes.some(({ node }) => node === gone)) this.#isSilent(gone, undefined);
    }
  }

  async #follow(node: NodeLogs, fromNow: boolean): Promise<void> {
    const { filter, nodes, sink } = this.#options;
    this.#followed.add(node.node);
    const last = this.#given.get(node.node);
    const start = fromNow ? {} : last === undefined ? { from: this.#since } : { since: last };
    let why: unknown = new Error("It ended its answer.");
    try {
      for await (const item of node.follow({ filter, ...start }, this.#ended.signal)) {
        if (this.#ended.signal.aborted) return;
        this.#isSilent(node.node, undefined);
        this.#take(node.node, item);
      }
      if (!this.#ended.signal.aborted && node === nodes()[0]) sink.end();
    } catch (error) {
      why = error;
    }
    if (this.#ended.signal.aborted) return;
    this.#followed.delete(node.node);
    this.#arrived(node.node);
    this.#isSilent(node.node, silentNode(node, why));
  }

  #take(node: string, item: TailItem): void {
    if ("lost" in item) return this.#options.sink.lost(item.lost);
    if ("ready" in item) {
      if (item.ready.skipped) this.#options.sink.lost(null);
      this.#ready.set(node, item.ready.last);
      return this.#arrived(node);
    }
    const entry = { ...item.entry, node };
    if (this.#missed) this.#missed.push(entry);
    else this.#give(entry);
  }

  #arrived(node: string): void {
    this.#missing.delete(node);
    if (this.#missing.size === 0) this.#giveMissed();
    else if (!this.#missed) this.#settle();
  }

  #giveMissed(): void {
    const missed = this.#missed;
    this.#missed = undefined;
    // Stable: entries of one node keep their order.
    for (const entry of missed?.sort((a, b) => a.at - b.at) ?? []) this.#give(entry);
    this.#settle();
  }

  /** What nodes have said about their last entries counts once the entries before are given. */
  #settle(): void {
    for (const [node, last] of this.#ready) this.#has(node, last);
    this.#ready.clear();
  }

  #has(node: string, id: number): void {
    this.#given.set(node, Math.max(id, this.#given.get(node) ?? 0));
  }

  #give(entry: MergedEntry): void {
    this.#has(entry.node!, entry.id);
    this.#options.sink.entry(entry, writePositions({ byNode: this.#given, at: this.#since }));
  }

  #isSilent(node: string, silent: SilentNode | undefined): void {
    if (silent ? this.#silent.get(node)?.why === silent.why : !this.#silent.has(node)) return;
    if (silent) this.#silent.set(node, silent);
    else this.#silent.delete(node);
    this.#options.sink.silent([...this.#silent.values()]);
  }
}
