// Records changes so that other nodes of a cluster can apply them, and applies those of others. Every node then has the
// same rows, bit by bit, with the same MACs and the same head over them.

import type { AuthenticatedRows } from "./authenticated_rows.ts";
import { type OrderedChanges, type RowChange, rowChanges } from "./changeset.ts";
import type { Database } from "./database.ts";

export { DivergedError } from "./changeset_apply.ts";

/**
 * Rows that describe one machine. They are changed by `Store.local` alone, which is part of no recorded change, and a node
 * that starts from another one's snapshot deletes them.
 */
export const LOCAL_META: readonly string[] = [
  // The version that this machine's code folder was last brought to.
  "code-applied",
];

/** A change that was made and taken back. */
export interface Recording<T> {
  readonly result: T;
  /** Undefined if nothing was changed. */
  readonly change: { readonly body: Uint8Array; readonly summary: string } | undefined;
}

export interface Replication {
  /**
   * Runs `work` in a transaction, takes it back, and returns what makes the same change on any node that has the same
   * rows. Throws what `work` throws.
   */
  record<T>(work: () => T): Recording<T>;
  /**
   * Makes a recorded change, and runs `also` in the same transaction.
   * @throws DivergedError if this node does not have the rows that the change was made from; it changes nothing then
   */
  apply(body: Uint8Array, also: () => void): void;
}

export interface ReplicationOptions {
  readonly db: Database;
  readonly rows: AuthenticatedRows;
  /** Is called after each recording: what `Store.local` was given meanwhile is not taken back with it. */
  readonly recorded: () => void;
}

export function createReplication({ db, rows, recorded }: ReplicationOptions): Replication {
  rows.refuseAltered();
  const record = <T>(work: () => T) => {
    try {
      return db.allow(() => db.record(work));
    } finally {
      recorded();
    }
  };
  return {
    record<T>(work: () => T): Recording<T> {
      const { result, parts } = record(work);
      if (parts.length === 0) return { result, change: undefined };
      return { result, change: { body: joined(parts.map(({ bytes }) => bytes)), summary: summaryOf(parts) } };
    },
    apply: (body, also) => db.allow(() => db.apply(split(body), also)),
  };
}

/** Returns the rows that a recorded change inserts, updates and deletes, in order. */
export function* recordedRows(body: Uint8Array): Generator<RowChange> {
  for (const part of split(body)) yield* rowChanges(part);
}

const LENGTH_BYTES = 4;

/** Returns the parts one after the other, each behind its length. */
export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const body = new Uint8Array(parts.reduce((sum, { length }) => sum + LENGTH_BYTES + length, 0));
  let at = 0;
  for (const part of parts) {
    new DataView(body.buffer).setUint32(at, part.length);
    body.set(part, at + LENGTH_BYTES);
    at += LENGTH_BYTES + part.length;
  }
  return body;
}

export function split(body: Uint8Array): Uint8Array[] {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const parts: Uint8Array[] = [];
  for (let at = 0; at < body.length;) {
    const length = view.getUint32(at);
    at += LENGTH_BYTES;
    if (at + length > body.length) throw new Error("a recorded change is shorter than it says");
    parts.push(body.subarray(at, at += length));
  }
  return parts;
}

const SIGNS: Record<RowChange["kind"], string> = { insert: "+", update: "~", delete: "-" };
const SUMMARY_MAX_LENGTH = 200;

/** Returns the numbers of rows by table, such as "audit+1 secrets~2": neither names nor values. */
function summaryOf(parts: readonly OrderedChanges[]): string {
  const counts = new Map<string, number>();
  for (const { changes } of parts) {
    for (const { table, kind } of changes) {
      const what = `${table}${SIGNS[kind]}`;
      counts.set(what, (counts.get(what) ?? 0) + 1);
    }
  }
  return [...counts].map(([what, count]) => `${what}${count}`).sort().join(" ").slice(0, SUMMARY_MAX_LENGTH);
}
