// What authenticates the rows of the database: a MAC of each row, and a number for each MAC that the sealed head
// sums up. Knows neither tables nor SQL.

import { Buffer } from "node:buffer";
import { timingSafeEqual } from "node:crypto";
import type { DerivedKey } from "./derived_key.ts";
import type { Keyring } from "./keyring.ts";

/** A value as node:sqlite returns it. */
export type SqlValue = null | number | bigint | string | Uint8Array;

/** A column's name and value. */
export type Field = readonly [column: string, value: SqlValue];

export class RowMacs {
  readonly #rows: DerivedKey;
  readonly #elements: DerivedKey;

  constructor(keyring: Keyring) {
    this.#rows = keyring.derive("rows");
    this.#elements = keyring.derive("head elements");
  }

  /** The MAC of a row: 32 bytes. */
  mac(table: string, fields: readonly Field[]): Uint8Array {
    return this.#rows.mac(encodeRow(table, fields));
  }

  /** Whether `mac` is the MAC of that row. */
  isMac(mac: Uint8Array, table: string, fields: readonly Field[]): boolean {
    const expected = this.mac(table, fields);
    return mac.length === expected.length && timingSafeEqual(mac, expected);
  }

  /**
   * The number, below 2^256, that a row with this MAC adds to the sum of its table in the head. It is stored nowhere:
   * sums of stored MACs could be forged by linear algebra.
   */
  element(table: string, mac: Uint8Array): bigint {
    const bytes = this.#elements.mac(encodeRow(table, [["mac", mac]]));
    return BigInt(`0x${Buffer.from(bytes).toString("hex")}`);
  }
}

/**
 * One text for each row and no other row: each part has its type and length in front. NULL is left out, so that a
 * column that is added to a table, NULL in all rows, leaves their MACs valid.
 */
export function encodeRow(table: string, fields: readonly Field[]): string {
  let text = part("t", table);
  for (const [column, value] of fields) if (value !== null) text += part("c", column) + encodeValue(value);
  return text;
}

function encodeValue(value: NonNullable<SqlValue>): string {
  switch (typeof value) {
    case "string":
      return part("s", value);
    case "number":
      return Number.isInteger(value) ? part("i", String(value)) : part("r", String(value));
    case "bigint":
      return part("i", String(value));
    default:
      return part("b", Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("hex"));
  }
}

/** `text` has no half surrogates, as SQLite returns none: two texts never have one encoding in UTF-8. */
function part(type: string, text: string): string {
  return `${type}${text.length}:${text}`;
}
