// Passes this node's counts on to the other nodes and takes theirs, once a minute, through PostgreSQL: calls, reads of
// secrets, the memory of processes, and when keys and sessions were last used. Each row carries a MAC, so that who can write to PostgreSQL cannot
// invent that a secret was read, or a key used.

import { timingSafeEqual } from "node:crypto";
import { MINUTE_MS } from "../../time.ts";
import type { DerivedKey } from "../../keyring/derived_key.ts";
import type { CountRow, NodeCountStore } from "../../store/node_counts.ts";

/** A row of a node, as it is in PostgreSQL. */
export interface StoredCount {
  readonly kind: string;
  readonly node: string;
  readonly key: string;
  readonly at: number;
  /** The values in JSON; null for a row that was deleted. */
  readonly body: string | null;
  /** Lower-case hexadecimal. */
  readonly mac: string;
}

/** The table of counts. Every method throws StoreUnavailable (503) if PostgreSQL does not answer in time. */
export interface CountTable {
  /** Replaces the rows of a node. Storing the same rows twice is the same as once. */
  put(rows: readonly StoredCount[]): Promise<void>;
  /**
   * Returns at most `limit` rows of other nodes than `node` that have changed after the change `after`, and up to which
   * change these are all.
   */
  changed(node: string, after: number, limit: number): Promise<{ rows: StoredCount[]; to: number }>;
  /**
   * Deletes what no node needs any more: rows whose kind and key begin with a name of `before`, of before its time, and
   * marks of rows that were deleted a day ago.
   */
  prune(before: Readonly<Record<string, number>>): Promise<void>;
}

export interface ExchangeOptions {
  readonly node: string;
  /** Identifies the cluster. */
  readonly cluster: string;
  /** Of the purpose "cluster counts". */
  readonly key: DerivedKey;
  readonly store: NodeCountStore;
  transaction<T>(work: () => T): T;
  readonly table: CountTable;
  /** Stores what is still in memory. */
  readonly flush: () => void;
  /** Is called when rows of other nodes cannot be exchanged, or are not authentic. */
  readonly warn: (message: string) => void;
}

const INTERVAL_MS = MINUTE_MS;
const BATCH_ROWS = 1_000;

/** Holds a timer: call `close` at the end. */
export class CountsExchange {
  readonly #options: ExchangeOptions;
  readonly #timer: ReturnType<typeof setInterval>;
  #underWay: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    const { store, transaction, node, cluster } = options;
    transaction(() => store.track(`${cluster} ${node}`));
    this.#timer = setInterval(() => void this.run(), INTERVAL_MS);
    Deno.unrefTimer(this.#timer);
  }

  /** Exchanges everything now. Never rejects: what failed is done the next time. */
  run(): Promise<void> {
    return this.#underWay ??= this.#exchange().catch((error) => {
      const why = error instanceof Error ? error.message : String(error);
      if (!this.#isClosed) this.#options.warn(`Counts were not exchanged with other nodes: ${why}`);
    }).finally(() => this.#underWay = undefined);
  }

  /** Passes on what was counted until now, if that takes no longer than `maxMs`. */
  async close(maxMs: number): Promise<void> {
    clearInterval(this.#timer);
    let late: ReturnType<typeof setTimeout> | undefined;
    const giveUp = new Promise<void>((resolve) => late = setTimeout(resolve, maxMs));
    await Promise.race([this.run(), giveUp]);
    clearTimeout(late);
    this.#isClosed = true;
  }

  async #exchange(): Promise<void> {
    this.#options.flush();
    await this.#publish();
    await this.#receive();
  }

  async #publish(): Promise<void> {
    const { store, transaction, table } = this.#options;
    while (!this.#isClosed) {
      const { rows, to } = store.unpublished(BATCH_ROWS);
      if (rows.length === 0) return;
      await table.put(rows.map((row) => this.#signed(row)));
      // A row that has changed meanwhile has a later number.
      transaction(() => store.published(to));
    }
  }

  async #receive(): Promise<void> {
    const { store, transaction, table, node, warn } = this.#options;
    const isFirst = store.seen() === 0;
    while (!this.#isClosed) {
      const { rows, to } = await table.changed(node, store.seen(), BATCH_ROWS);
      const authentic = rows.filter((row) => isEqual(row.mac, this.#macOf(row)));
      const forged = rows.find((row) => !authentic.includes(row));
      if (forged) warn(`Counts of node ${forged.node} in PostgreSQL were altered or forged. They are ignored.`);
      transaction(() => store.receive(authentic.map(toRow), to));
      if (rows.length < BATCH_ROWS) break;
    }
    if (isFirst) transaction(() => store.joined());
  }

  #signed({ kind, key, at, values }: CountRow): StoredCount {
    const row = { kind, node: this.#options.node, key, at, body: values && JSON.stringify(values) };
    return { ...row, mac: this.#macOf(row) };
  }

  #macOf({ kind, node, key, at, body }: Omit<StoredCount, "mac">): string {
    return this.#options.key.hexMac(JSON.stringify([this.#options.cluster, kind, node, key, at, body]));
  }
}

function toRow({ kind, node, key, at, body }: StoredCount): CountRow & { node: string } {
  return { kind, node, key, at, values: body === null ? null : JSON.parse(body) };
}

/** `stored` is any text. */
function isEqual(stored: string, mac: string): boolean {
  const [a, b] = [new TextEncoder().encode(stored), new TextEncoder().encode(mac)];
  return a.length === b.length && timingSafeEqual(a, b);
}
