// The head of the authenticated rows: how many rows each table has and the sum of their elements, sealed, with one
// generation for all. A multiset hash of each table (Clarke et al., Incremental Multiset Hash Functions, 2003).

import { z } from "zod";
import type { DerivedKey } from "./derived_key.ts";

/** Sums are taken modulo this. */
export const MODULUS = 2n ** 256n;

/** What the head says of a table. */
export interface TableSum {
  readonly count: number;
  /** Of the rows' elements, modulo 2^256. */
  readonly sum: bigint;
}

export interface Head {
  /** Random; another one after each restore, so that no state from before it can be put back. Hexadecimal. */
  readonly epoch: string;
  /** Counts the transactions that changed authenticated rows. */
  readonly generation: number;
  /** Hash of the database's schema. */
  readonly schema: string;
  readonly tables: ReadonlyMap<string, TableSum>;
}

export const EMPTY: TableSum = { count: 0, sum: 0n };

/** `table` with a row added. */
export function plus({ count, sum }: TableSum, element: bigint): TableSum {
  return { count: count + 1, sum: (sum + element) % MODULUS };
}

/** `table` with a row taken away. */
export function minus({ count, sum }: TableSum, element: bigint): TableSum {
  return { count: count - 1, sum: (sum - element + MODULUS) % MODULUS };
}

const storedSchema = z.strictObject({
  epoch: z.string(),
  generation: z.int().min(0),
  schema: z.string(),
  tables: z.record(z.string(), z.tuple([z.int(), z.string().regex(/^[0-9a-f]{1,64}$/)])),
});

/** Bound to what it is, as other texts may be sealed with the same key some day. */
const AAD = "head";

/** The text that is stored for a head. Encrypted: the sums of two heads would give the elements of rows away. */
export function sealHead({ epoch, generation, schema, tables }: Head, key: DerivedKey): string {
  const sums = Object.fromEntries([...tables].map(([table, { count, sum }]) => [table, [count, sum.toString(16)]]));
  return key.seal(JSON.stringify({ epoch, generation, schema, tables: sums }), AAD);
}

/** The head of a stored text, or undefined if `sealHead` did not return it for this key. */
export function openHead(stored: string, key: DerivedKey): Head | undefined {
  const text = key.open(stored, AAD);
  if (text === undefined) return undefined;
  const { epoch, generation, schema, tables } = storedSchema.parse(JSON.parse(text));
  const sums = Object.entries(tables).map(([table, [count, sum]]) =>
    [table, { count, sum: BigInt(`0x${sum}`) }] as const
  );
  return { epoch, generation, schema, tables: new Map(sums) };
}
