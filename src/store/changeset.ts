// Parses SQLite changesets: which rows a transaction inserted, updated and deleted, including changes by foreign keys
// and triggers. Format: https://www.sqlite.org/session/sqlite3changeset_next.html and the header comment of
// ext/session/sqlite3session.c.

import { Buffer } from "node:buffer";
import type { SqlValue } from "../keyring/row_macs.ts";

/** Values by column, in the order of the table without generated columns; integers as bigint. */
export type RecordedValues = readonly (SqlValue | undefined)[];

export interface RowChange {
  readonly table: string;
  readonly kind: "insert" | "update" | "delete";
  /** The new values of an insert; otherwise the old values, for an update only of the key and of changed columns. */
  readonly values: RecordedValues;
  /** The new values of changed columns; of an update only. */
  readonly after?: RecordedValues;
}

/** A changeset and the changes that it consists of. */
export interface OrderedChanges {
  readonly bytes: Uint8Array;
  readonly changes: readonly RowChange[];
}

const KINDS: Record<number, RowChange["kind"]> = { 18: "insert", 23: "update", 9: "delete" };
const CODES: Record<RowChange["kind"], number> = { insert: 18, update: 23, delete: 9 };
const TABLE = "T".charCodeAt(0);

/** Returns the changes in order, one for each row that differs. */
export function* rowChanges(changeset: Uint8Array): Generator<RowChange> {
  for (const { change } of parts(changeset)) if (change) yield change;
}

/**
 * Returns the same changes in an order in which they can be applied: rows that refer to others come before those, so that
 * no deletion of a row deletes or restricts what has a change of its own, and rows are in ascending order of an integer
 * in their first column. SQLite has tables in the order of their first change, and rows in that of a hash table.
 * `depthOf` returns how many tables a table refers to, one behind the other.
 */
export function inOrderOfReferences(changeset: Uint8Array, depthOf: (table: string) => number): OrderedChanges {
  const tables: { readonly name: string; readonly header: Uint8Array; readonly changes: Part[] }[] = [];
  for (const part of parts(changeset)) {
    if (part.change) tables.at(-1)!.changes.push(part);
    else tables.push({ name: part.table, header: part.bytes, changes: [] });
  }
  tables.sort((a, b) => depthOf(b.name) - depthOf(a.name));
  for (const { changes } of tables) changes.sort(byFirstColumn);
  return {
    changes: tables.flatMap(({ changes }) => changes.map(({ change }) => change!)),
    bytes: Buffer.concat(tables.flatMap(({ header, changes }) => [header, ...changes.map(({ bytes }) => bytes)])),
  };
}

/** Returns changes as a changeset in the same order. `headerOf` returns what precedes the changes of a table. */
export function encodeInOrderOfReferences(
  changes: readonly RowChange[],
  depthOf: (table: string) => number,
  headerOf: (table: string) => Uint8Array,
): OrderedChanges {
  const tables = [...Map.groupBy(changes, ({ table }) => table)].sort(([a], [b]) => depthOf(b) - depthOf(a));
  for (const [, own] of tables) own.sort(byFirstColumnOf);
  return {
    changes: tables.flatMap(([, own]) => own),
    bytes: Buffer.concat(tables.flatMap(([name, own]) => [headerOf(name), ...own.map(encoded)])),
  };
}

/** `keyPositions`: for each column its position in the primary key, counted from 1; 0 for others. */
export function tableHeader(name: string, keyPositions: readonly number[]): Uint8Array {
  const columns = new Writer();
  columns.varint(keyPositions.length);
  return Buffer.concat([Buffer.of(TABLE), columns.written, Buffer.from(keyPositions), Buffer.from(`${name}\0`)]);
}

function byFirstColumn({ change: a }: Part, { change: b }: Part): number {
  return byFirstColumnOf(a!, b!);
}

function byFirstColumnOf(a: RowChange, b: RowChange): number {
  const [one, other] = [a.values[0], b.values[0]];
  return typeof one !== "bigint" || typeof other !== "bigint" || one === other ? 0 : one < other ? -1 : 1;
}

interface Part {
  readonly table: string;
  readonly bytes: Uint8Array;
  /** Undefined for the header of a table. */
  readonly change: RowChange | undefined;
}

function* parts(changeset: Uint8Array): Generator<Part> {
  const reader = new Reader(changeset);
  let [table, columns] = ["", 0];
  while (!reader.done) {
    const from = reader.at;
    const byte = reader.byte();
    if (byte === TABLE) {
      columns = reader.varint();
      // Flags of the primary key's columns.
      reader.skip(columns);
      table = reader.name();
      yield { table, bytes: changeset.subarray(from, reader.at), change: undefined };
      continue;
    }
    const kind = KINDS[byte];
    if (kind === undefined) throw new Error(`a changeset holds no change of kind ${byte}`);
    // Whether a trigger or a foreign key made the change.
    reader.skip(1);
    const values = reader.record(columns);
    const change = kind === "update" ? { table, kind, values, after: reader.record(columns) } : { table, kind, values };
    yield { table, bytes: changeset.subarray(from, reader.at), change };
  }
}

function encoded({ kind, values, after = [] }: RowChange): Uint8Array {
  const writer = new Writer();
  writer.byte(CODES[kind]);
  // No trigger and no foreign key has made the change.
  writer.byte(0);
  for (const value of values) writer.value(value);
  for (const value of after) writer.value(value);
  return writer.written;
}

/** Writes what a Reader reads. */
class Writer {
  #bytes = Buffer.allocUnsafe(512);
  #length = 0;

  get written(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  byte(value: number): void {
    this.#room(1)[this.#length++] = value;
  }

  /** Lengths only: of at most 2^31 bytes. */
  varint(value: number): void {
    for (let shift = 28; shift > 0; shift -= 7) if (value >= 2 ** shift) this.byte((value >>> shift) & 0x7f | 0x80);
    this.byte(value & 0x7f);
  }

  value(value: SqlValue | undefined): void {
    if (value === undefined) return this.byte(0);
    if (value === null) return this.byte(5);
    if (typeof value === "bigint") {
      this.byte(1);
      this.#length = this.#room(8).writeBigInt64BE(value, this.#length);
    } else if (typeof value === "number") {
      this.byte(2);
      this.#length = this.#room(8).writeDoubleBE(value, this.#length);
    } else if (typeof value === "string") {
      const length = Buffer.byteLength(value);
      this.byte(3);
      this.varint(length);
      this.#room(length).write(value, this.#length);
      this.#length += length;
    } else {
      this.byte(4);
      this.varint(value.length);
      this.#room(value.length).set(value, this.#length);
      this.#length += value.length;
    }
  }

  /** Returns the bytes, of which at least `length` are left. */
  #room(length: number): Buffer {
    if (this.#length + length > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(2 * (this.#length + length));
      larger.set(this.written);
      this.#bytes = larger;
    }
    return this.#bytes;
  }
}

class Reader {
  readonly #bytes: Buffer;
  /** The same bytes, of which views are created faster. */
  readonly #plain: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get at(): number {
    return this.#at;
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  byte(): number {
    return this.#bytes.readUInt8(this.#at++);
  }

  skip(count: number): void {
    this.#at += count;
  }

  /** Reads SQLite's variable-length integer: seven bits per byte, most significant first. Lengths need less than nine. */
  varint(): number {
    let value = 0;
    for (;;) {
      const byte = this.byte();
      value = value * 128 + (byte & 0x7f);
      if (byte < 0x80) return value;
    }
  }

  name(): string {
    const end = this.#bytes.indexOf(0, this.#at);
    const name = this.#bytes.toString("utf8", this.#at, end);
    this.#at = end + 1;
    return name;
  }

  record(columns: number): (SqlValue | undefined)[] {
    const values: (SqlValue | undefined)[] = [];
    for (let column = 0; column < columns; column++) values.push(this.#value());
    return values;
  }

  #value(): SqlValue | undefined {
    const type = this.byte();
    switch (type) {
      case 0:
        return undefined;
      case 1: {
        const value = this.#bytes.readBigInt64BE(this.#at);
        this.#at += 8;
        return value;
      }
      case 2:
        this.#at += 8;
        return this.#bytes.readDoubleBE(this.#at - 8);
      case 3: {
        const length = this.varint();
        return this.#bytes.toString("utf8", this.#at, this.#at += length);
      }
      case 4: {
        const length = this.varint();
        return this.#plain.subarray(this.#at, this.#at += length);
      }
      case 5:
        return null;
      default:
        throw new Error(`a changeset holds no value of type ${type}`);
    }
  }
}
