// Describes the authenticated tables: which columns their MACs cover, and how rows are read, iterated and named.

import { Buffer } from "node:buffer";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Field, RowMacs, SqlValue } from "../keyring/row_macs.ts";

/** The tables whose rows are authenticated, each with the columns that the MACs do not cover. */
const TABLES: Readonly<Record<string, readonly string[]>> = {
  settings: [],
  key_groups: [],
  // Uses are in observations.db; only earlier versions wrote this column.
  api_keys: ["last_used_at"],
  functions: [],
  secrets: [],
  admins: ["last_sign_in_at"],
  sessions: [],
  recovery_codes: [],
  password_links: [],
  package_locks: [],
  secret_order: [],
  secret_versions: [],
  deleted_secrets: [],
  webhooks: [],
  deliveries: [],
  mail_server: [],
  mail_recipients: [],
};

export const AUTHENTICATED_TABLES = Object.keys(TABLES);

/** Returns those that a database has, which an earlier version may have created. The head's schema hash covers this. */
export function authenticatedTables(db: DatabaseSync): string[] {
  const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all() as { name: string }[];
  const names = new Set(tables.map(({ name }) => name));
  return AUTHENTICATED_TABLES.filter((name) => names.has(name));
}

/** Returns the total number of their rows. */
export function countRows(db: DatabaseSync): number {
  return authenticatedTables(db).reduce(
    (sum, name) => sum + (db.prepare(`SELECT count(*) AS n FROM ${name}`).get() as { n: number }).n,
    0,
  );
}

/** Something in the database that this program did not write. */
export interface Finding {
  readonly table: string;
  /** The row's key; undefined for the whole table, if rows are missing or were replaced by older ones. */
  readonly id: string | undefined;
  readonly problem: string;
}

/** Returns a clause such as "row 3 of api_keys was altered". */
export function describeFinding({ table, id, problem }: Finding): string {
  return id === undefined ? `table ${table} ${problem}` : `row ${id} of ${table} ${problem}`;
}

/** A table and the columns that its MACs cover. */
export interface AuthenticatedTable {
  readonly name: string;
  /** All stored columns, in order. */
  readonly columns: readonly string[];
  /** Positions of the primary key's columns. */
  readonly key: readonly number[];
  /** Position of the MAC. */
  readonly mac: number;
  /** Positions of the columns that the MAC covers. */
  readonly covered: readonly number[];
}

/** Values in the order of `AuthenticatedTable.columns`; integers as bigint. */
export type StoredRow = readonly SqlValue[];

export function describeTable(db: DatabaseSync, name: string): AuthenticatedTable {
  // Excludes generated columns, which follow from others.
  const columns = db.prepare(`SELECT name, pk FROM pragma_table_info('${name}') ORDER BY cid`).all() as unknown as {
    name: string;
    pk: number;
  }[];
  const names = columns.map((column) => column.name);
  const mac = names.indexOf("mac");
  const key = columns.flatMap(({ pk }, index) => pk > 0 ? [index] : []);
  const covered = names.flatMap((column, index) => index === mac || TABLES[name]!.includes(column) ? [] : [index]);
  return { name, columns: names, key, mac, covered };
}

export function fieldsOf({ columns, covered }: AuthenticatedTable, row: StoredRow): Field[] {
  return covered.map((index) => [columns[index]!, row[index]!]);
}

export function isAuthentic(macs: RowMacs, table: AuthenticatedTable, row: StoredRow): boolean {
  const mac = row[table.mac];
  return mac instanceof Uint8Array && macs.isMac(mac, table.name, fieldsOf(table, row));
}

/** Returns a row's key for messages and the audit. A recovery code is replaced by its user. */
export function idOf({ name, key }: AuthenticatedTable, row: StoredRow): string {
  const values = key.map((index) => row[index]!).filter((value) => !(value instanceof Uint8Array));
  // The first row of the order represents no secret.
  if (name === "secret_order" && values[0] === "") return "(first)";
  return name === "recovery_codes" ? `of user ${values.join()}` : values.join();
}

/** Selects whole rows, for example for `RowReader.checkRow`. */
export interface RowQuery {
  /** The names of the columns, in the order of a row's values. */
  readonly columns: readonly string[];
  all(...values: SqlValue[]): StoredRow[];
}

/** The statements for one table. */
export class TableRows {
  readonly table: AuthenticatedTable;
  readonly #select: StatementSync;
  readonly #setMac: StatementSync;

  constructor(db: DatabaseSync, name: string) {
    const table = this.table = describeTable(db, name);
    const where = table.key.map((index) => `${table.columns[index]} = ?`).join(" AND ");
    this.#select = db.prepare(`SELECT ${table.columns.join(", ")} FROM ${name} WHERE ${where}`);
    readExactly(this.#select);
    this.#setMac = db.prepare(`UPDATE ${name} SET mac = ? WHERE ${where}`);
  }

  find(key: readonly SqlValue[]): StoredRow | undefined {
    return this.#select.get(...key) as unknown as StoredRow | undefined;
  }

  setMac(mac: Uint8Array, key: readonly SqlValue[]): void {
    this.#setMac.run(mac, ...key);
  }

  /** Prepares a selection of whole rows. `rest` is what follows the table's name in SQL. */
  prepare(db: DatabaseSync, rest: string): RowQuery {
    const { name, columns } = this.table;
    const statement = db.prepare(`SELECT ${columns.join(", ")} FROM ${name} ${rest}`);
    readExactly(statement);
    return { columns, all: (...values) => statement.all(...values) as unknown as StoredRow[] };
  }

  keyOf(row: readonly (SqlValue | undefined)[]): SqlValue[] {
    return this.table.key.map((index) => row[index]!);
  }
}

/** Rows read at a time. */
const PAGE = 1_000;

/** Iterates over all rows in order of the key, in pages: one long statement could return updated rows twice. */
export function* walk(db: DatabaseSync, { name, columns, key }: AuthenticatedTable): Generator<StoredRow> {
  const names = key.map((index) => columns[index]!).join(", ");
  const select = `SELECT ${columns.join(", ")} FROM ${name}`;
  const order = `ORDER BY ${names} LIMIT ${PAGE}`;
  const start = db.prepare(`${select} ${order}`);
  const next = db.prepare(`${select} WHERE (${names}) > (${key.map(() => "?").join(", ")}) ${order}`);
  for (const statement of [start, next]) readExactly(statement);
  let page = start.all() as unknown as StoredRow[];
  while (page.length > 0) {
    yield* page;
    page = next.all(...key.map((index) => page.at(-1)![index]!)) as unknown as StoredRow[];
  }
}

/** Makes a statement return arrays and bigints: an inserted integer may be too large for a number, which would throw. */
export function readExactly(statement: StatementSync): void {
  // Missing from the type declarations.
  (statement as unknown as { setReturnArrays(enabled: boolean): void }).setReturnArrays(true);
  statement.setReadBigInts(true);
}

export function isSame(a: SqlValue, b: SqlValue): boolean {
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b) === 0;
  if (typeof a === "number" || typeof b === "number") return String(a) === String(b);
  return a === b;
}
