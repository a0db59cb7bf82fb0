// Computes the MAC of a database row, and for each MAC the number that the sealed head adds up. Knows neither tables nor
// SQL.

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

  /** Returns the MAC of a row: 32 bytes. */
  mac(table: string, fields: readonly Field[]): Uint8Array {
    return this.#rows.mac(encodeRow(table, fields));
  }

  /** Reports whether `mac` is the MAC of this row. */
  isMac(mac: Uint8Array, table: string, fields: readonly Field[]): boolean {
    const expected = this.mac(table, fields);
    return mac.length === expected.length && timingSafeEqual(mac, expected);
  }

  /**
   * Returns the number, below 2^256, that a row with this MAC adds to the sum of its table in the head. It is never
   * stored: sums of stored MACs could be forged by linear algebra.
   */
  element(table: string, mac: Uint8Array): bigint {
    return BigInt(`0x${this.#elements.hexMac(encodeRow(table, [["mac", mac]]))}`);
  }
}

/**
 * Returns a text that is unique to a row: each part is preceded by its type and length. NULL is omitted, so that adding a
 * column that is NULL in all rows leaves their MACs valid.
 */
export function encodeRow(table: string, fields: readonly Field[]): string {
  let text = part("t", table);
  for (const [column, value] of fields) {
    // Concatenated here, as this is done several times for each row of a rotation.
    if (value !== null) text += `c${column.length}:${column}${encodeValue(value)}`;
  }
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
      return part("b", value.toHex());
  }
}

/** `text` has no lone surrogates, as SQLite returns none, so that two texts never have the same UTF-8 encoding. */
function part(type: string, text: string): string {
  return `${type}${text.length}:${text}`;
}
