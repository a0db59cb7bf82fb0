// Implements the head of the authenticated rows: encrypted, it contains the number of rows of each table, the sum of their
// elements (a multiset hash: Clarke et al., Incremental Multiset Hash Functions, 2003), and one generation for all.

import type { DerivedKey } from "./derived_key.ts";

/** Sums are taken modulo this. */
export const MODULUS = 2n ** 256n;

/** The part of the head about one table. */
export interface TableSum {
  readonly count: number;
  /** The sum of the rows' elements, modulo 2^256. */
  readonly sum: bigint;
}

export interface Head {
  /** Random, and new after each restore, which invalidates every state from before it. Hexadecimal. */
  readonly epoch: string;
  /** Counts the transactions that changed authenticated rows. */
  readonly generation: number;
  /** Hash of the database's schema. */
  readonly schema: string;
  readonly tables: ReadonlyMap<string, TableSum>;
}

export const EMPTY: TableSum = { count: 0, sum: 0n };

/** Returns the sum with a row added. */
export function plus({ count, sum }: TableSum, element: bigint): TableSum {
  return { count: count + 1, sum: (sum + element) % MODULUS };
}

/** Returns the sum with a row removed. */
export function minus({ count, sum }: TableSum, element: bigint): TableSum {
  return { count: count - 1, sum: (sum - element + MODULUS) % MODULUS };
}

/** What `sealHead` encrypts: for each table the count and the sum, in hexadecimal. */
interface StoredHead extends Omit<Head, "tables"> {
  readonly tables: Readonly<Record<string, readonly [count: number, sum: string]>>;
}

/** Distinguishes the head from other texts that may be encrypted with the same key in the future. */
const AAD = "head";

/** Returns the text that is stored for a head. Encrypted, as the sums of two heads would reveal the elements of rows. */
export function sealHead({ epoch, generation, schema, tables }: Head, key: DerivedKey): string {
  const sums = Object.fromEntries(
    [...tables].map(([table, { count, sum }]) => [table, [count, sum.toString(16)] as const]),
  );
  return key.seal(JSON.stringify({ epoch, generation, schema, tables: sums } satisfies StoredHead), AAD);
}

/** Returns the head of a stored text, or undefined if `sealHead` did not return it for this key. */
export function openHead(stored: string, key: DerivedKey): Head | undefined {
  const text = key.open(stored, AAD);
  if (text === undefined) return undefined;
  // Its form is that of `sealHead`, which alone can have encrypted it.
  const { epoch, generation, schema, tables } = JSON.parse(text) as StoredHead;
  const sums = Object.entries(tables).map(([table, [count, sum]]) =>
    [table, { count, sum: BigInt(`0x${sum}`) }] as const
  );
  return { epoch, generation, schema, tables: new Map(sums) };
}
