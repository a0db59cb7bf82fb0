// Defines a node's row in PostgreSQL, which it alone writes, and the MAC by which the other nodes recognize that.

import { timingSafeEqual } from "node:crypto";
import { AppError } from "../../errors.ts";
import type { DerivedKey } from "../../keyring/derived_key.ts";
import type { Head } from "../log/change_log.ts";

/** What a node says about itself. */
export interface NodeRow {
  /** Random, kept in the node's data folder. */
  readonly id: string;
  /** Random, of one start of the node. */
  readonly instance: string;
  /** How other nodes reach it. */
  readonly url: string;
  /** The version of the program. */
  readonly version: string;
  /** The newest version of the schema that the program knows. */
  readonly schema: number;
  /** Milliseconds since 1970, by the node's clock. */
  readonly startedAt: number;
  /** Grows with each renewal of its lease. */
  readonly counter: number;
  /** The sequence number of the last entry that it has applied. */
  readonly applied: number;
  /** Whether it was stopped, so that no writer waits for it. */
  readonly left: boolean;
}

/** A row as it is stored. */
export interface StoredRow extends NodeRow {
  /** Lower-case hexadecimal. */
  readonly mac: string;
  /** How long ago it was written, by the clock of PostgreSQL: to be shown, never to be relied on. */
  readonly renewedMsAgo: number;
}

/** All rows as they were while this node held the writers' lock to append an entry. */
export interface RowsAtAppend {
  /** The number of the entry. */
  readonly seq: number;
  readonly rows: readonly StoredRow[];
  /** When they were asked for, and when they came, by this node's clock that is never set. */
  readonly asked: number;
  readonly answered: number;
}

/** The table of nodes. Every method throws StoreUnavailable (503) if PostgreSQL does not answer in time. */
export interface NodeTable {
  /** Returns the rows of all nodes, as they are at a moment after the call. */
  list(): Promise<StoredRow[]>;

  /**
   * Replaces the row that this process has written before. Durable once it has resolved. Sends it to all nodes if `isNews`.
   * Returns the head of the log, or undefined if the row is gone or another process has written it.
   */
  renew(row: NodeRow, mac: string, isNews: boolean): Promise<Head | undefined>;

  /**
   * Notifies all nodes of what this one has applied, by the row that they would read after the next renewal. Stores nothing,
   * so that it waits for no disk.
   */
  acknowledge(row: NodeRow, mac: string): Promise<void>;

  /**
   * Stores the row while no other node can append. Returns the head of the log at that moment; undefined, without storing
   * it, if the row that is there now is not `before`.
   */
  join(row: NodeRow, mac: string, before: StoredRow | undefined): Promise<Head | undefined>;

  /** Deletes the row of a node whose counter is still this one. Returns whether it did. */
  forget(id: string, counter: number): Promise<boolean>;

  /**
   * Calls `listener` after the row of a node that has news was stored, with the row, or without one if several may have
   * changed, such as after a connection was restored.
   */
  onChanged(listener: (row: Omit<StoredRow, "renewedMsAgo"> | undefined) => void): () => void;

  /** Calls `listener` after this node has appended an entry, before the append is answered. */
  onAppend(listener: (rows: RowsAtAppend) => void): () => void;
}

/** Makes and checks the MACs of rows. `key` is the keyring's for "cluster nodes". */
export class RowMacs {
  readonly #key: DerivedKey;
  readonly #cluster: string;
  /** By node: what was found to be right last, as a row is read more often than it is written. */
  readonly #known = new Map<string, string>();

  /** `cluster` identifies the cluster, so that rows of another one are not taken for its own. */
  constructor(key: DerivedKey, cluster: string) {
    this.#key = key;
    this.#cluster = cluster;
  }

  of(row: NodeRow): string {
    return this.#key.hexMac(this.#textOf(row));
  }

  #textOf({ id, instance, url, version, schema, startedAt, counter, applied, left }: NodeRow): string {
    return JSON.stringify([this.#cluster, id, instance, url, version, schema, startedAt, counter, applied, left]);
  }

  #isRight(row: Omit<StoredRow, "renewedMsAgo">): boolean {
    const text = this.#textOf(row);
    const known = `${row.mac} ${text}`;
    if (this.#known.get(row.id) === known) return true;
    if (!isEqual(row.mac, this.#key.hexMac(text))) return false;
    this.#known.set(row.id, known);
    return true;
  }

  /** @throws AppError LogTampered (503) naming the first row that its node has not written */
  check(rows: readonly Omit<StoredRow, "renewedMsAgo">[]): void {
    const forged = rows.find((row) => !this.#isRight(row));
    if (!forged) return;
    throw new AppError(
      "LogTampered",
      503,
      `The row of node ${forged.id} in the table of nodes does not match its MAC: it was altered or forged.`,
    );
  }
}

/** `stored` is any text. */
function isEqual(stored: string, mac: string): boolean {
  const [a, b] = [new TextEncoder().encode(stored), new TextEncoder().encode(mac)];
  return a.length === b.length && timingSafeEqual(a, b);
}
