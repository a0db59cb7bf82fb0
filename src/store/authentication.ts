// Authenticates existing rows, as they are: in a database without a head, and in one that an operator decided to trust.

import { DatabaseSync } from "node:sqlite";
import type { Keyring } from "../keyring/keyring.ts";
import { RowMacs } from "../keyring/row_macs.ts";
import { EMPTY, plus, type TableSum } from "../keyring/sealed_head.ts";
import { authenticatedTables, countRows, describeTable, fieldsOf, walk } from "./authenticated_tables.ts";
import { readHead, schemaHash, writeHead } from "./rows_head.ts";
import { SECRET_ORDER, writeOrder } from "./secret_order.ts";

/**
 * Authenticates all rows as they are, under a new head: for a database without a head, and for one that an operator
 * decided to trust. Runs within the caller's transaction.
 */
export function authenticateAll(
  db: DatabaseSync,
  keyring: Keyring,
  epoch: string,
  generation: number,
  onRow: OnRow = () => {},
): void {
  const macs = new RowMacs(keyring);
  const tables = new Map<string, TableSum>();
  const rows = countRows(db);
  let done = 0;
  for (const name of authenticatedTables(db)) {
    if (name === SECRET_ORDER) {
      tables.set(name, writeOrder(db, macs));
      continue;
    }
    tables.set(name, writeMacs(db, macs, name, () => onRow(++done, rows)));
  }
  writeHead(db, keyring, { epoch, generation, schema: schemaHash(db), tables });
}

/** Writes the MACs of all rows of a table, and returns their sum. */
function writeMacs(db: DatabaseSync, macs: RowMacs, name: string, onRow: () => void = () => {}): TableSum {
  const table = describeTable(db, name);
  const where = table.key.map((index) => `${table.columns[index]} = ?`).join(" AND ");
  const update = db.prepare(`UPDATE ${name} SET mac = ? WHERE ${where}`);
  let sum = EMPTY;
  for (const row of walk(db, table)) {
    const mac = macs.mac(name, fieldsOf(table, row));
    update.run(mac, ...table.key.map((index) => row[index]!));
    sum = plus(sum, macs.element(name, mac));
    onRow();
  }
  return sum;
}

/** Is called after each row with the number of rows done and the total. */
export type OnRow = (done: number, total: number) => void;

/** Authenticates the order of the existing secrets, in a database whose other rows are authenticated. */
export function authenticateOrder(db: DatabaseSync, keyring: Keyring, onRow: OnRow): void {
  const { head } = readHead(db, keyring.derive("head"));
  const { count } = head.tables.get("secrets") ?? EMPTY;
  const sum = writeOrder(db, new RowMacs(keyring), (done) => onRow(done, count));
  writeHead(db, keyring, { ...head, tables: new Map([...head.tables, [SECRET_ORDER, sum]]) });
}

/** Authenticates the existing rows of one more table, in a database whose other rows are authenticated. */
export function authenticateTable(db: DatabaseSync, keyring: Keyring, name: string): void {
  const { head } = readHead(db, keyring.derive("head"));
  const sum = writeMacs(db, new RowMacs(keyring), name);
  writeHead(db, keyring, { ...head, tables: new Map([...head.tables, [name, sum]]) });
}

/** Authenticates all rows of the database at `path`, which must not be open elsewhere. */
export function authenticateFile(path: string, keyring: Keyring, epoch: string, generation = 1): void {
  using db = new DatabaseSync(path);
  db.exec("PRAGMA trusted_schema = OFF; BEGIN IMMEDIATE");
  authenticateAll(db, keyring, epoch, generation);
  db.exec("COMMIT");
}
