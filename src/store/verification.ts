// Compares the rows of the database with the head: a row that was altered or inserted has a wrong MAC; a row that was
// deleted, or replaced by an older version, changes the sum of its table.

import { DatabaseSync } from "node:sqlite";
import type { Keyring } from "../keyring/keyring.ts";
import { RowMacs } from "../keyring/row_macs.ts";
import { EMPTY, type Head, MODULUS, plus, type TableSum } from "../keyring/sealed_head.ts";
import { isSameSum } from "./authenticated_rows.ts";
import { readHead, schemaHash } from "./rows_head.ts";
import {
  authenticatedTables,
  countRows,
  describeTable,
  fieldsOf,
  type Finding,
  idOf,
  isAuthentic,
  walk,
} from "./authenticated_tables.ts";
import { BUSY_TIMEOUT_MS } from "./database.ts";
import { compareOrder, SECRET_ORDER } from "./secret_order.ts";

/** Altered rows whose contribution to the sum is searched for: three possibilities each. */
const COMBINED_MAX = 10;

/** Altered rows listed per table; all are counted. */
const LISTED_MAX = 100;

export interface TableReport {
  readonly table: string;
  readonly rows: number;
  /** Rows that were altered or inserted. */
  readonly altered: number;
  /** Whether all other rows match the head: none is missing or an older version. */
  readonly isComplete: boolean;
  readonly findings: readonly Finding[];
}

/** Compares one table with the head; yields the number of rows done after each one. */
function* verifyTable(
  db: DatabaseSync,
  keyring: Keyring,
  name: string,
  head: Head,
): Generator<number, TableReport> {
  const macs = new RowMacs(keyring);
  const table = describeTable(db, name);
  const findings: Finding[] = [];
  let rows = 0;
  let altered = 0;
  // The sums of the authentic rows and of all stored MACs: an altered row may still have the MAC that was counted.
  let [authentic, stored] = [EMPTY, EMPTY];
  // The sums that altered rows may contribute; undefined if there are too many of them.
  let possible: TableSum[] | undefined = [EMPTY];
  for (const row of walk(db, table)) {
    const mac = row[table.mac] as Uint8Array;
    const element = macs.element(name, mac);
    // A row without a MAC was inserted by something else and never counted.
    if (mac.length > 0) stored = plus(stored, element);
    if (isAuthentic(macs, table, row)) authentic = plus(authentic, element);
    else {
      if (++altered <= LISTED_MAX) {
        findings.push({ table: name, id: idOf(table, row), problem: "was altered or inserted" });
      }
      // It was inserted, or its MAC is the one that was counted, or only the MAC was altered.
      const own = macs.element(name, macs.mac(name, fieldsOf(table, row)));
      possible = altered > COMBINED_MAX
        ? undefined
        : possible?.flatMap((sum) => [sum, plus(sum, element), plus(sum, own)]);
    }
    yield ++rows;
  }
  const expected = head.tables.get(name) ?? EMPTY;
  const isComplete = isSameSum(authentic, expected) || isSameSum(stored, expected) ||
    (possible ?? []).some((sum) => isSameSum(added(authentic, sum), expected));
  if (altered > LISTED_MAX) {
    findings.push({
      table: name,
      id: undefined,
      problem: `contains ${altered - LISTED_MAX} more rows that were altered`,
    });
  }
  if (!isComplete) findings.push({ table: name, id: undefined, problem: incomplete(authentic, expected, altered) });
  return { table: name, rows, altered, isComplete, findings };
}

/** Compares all tables with at most `maxRows` rows, by the head's count, with the head. */
export function verifyTables(
  db: DatabaseSync,
  keyring: Keyring,
  head: Head,
  maxRows = Number.MAX_SAFE_INTEGER,
): TableReport[] {
  return authenticatedTables(db).filter((name) => (head.tables.get(name) ?? EMPTY).count <= maxRows)
    .map((name) => verifyWhole(db, keyring, name, head));
}

/** Compares one table with the head. `onRow` is called after each row with the number of rows done. */
export function verifyWhole(
  db: DatabaseSync,
  keyring: Keyring,
  name: string,
  head: Head,
  onRow: (done: number) => void = () => {},
): TableReport {
  const steps = verifyTable(db, keyring, name, head);
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
    onRow(value);
  }
}

function incomplete(found: TableSum, expected: TableSum, altered: number): string {
  const missing = expected.count - found.count;
  if (missing > 0) {
    const lacks = `lacks ${missing} ${missing === 1 ? "row" : "rows"} that this program wrote`;
    // A row whose content and MAC were both altered may be any of the counted rows, or none.
    return altered === 0 ? lacks : `${lacks}, unless they are among the ${altered} that were altered or inserted`;
  }
  if (missing < 0) return `contains ${-missing} ${missing === -1 ? "row" : "rows"} that this program had deleted`;
  return "contains an older version of a row, or a row in place of another";
}

function added(a: TableSum, b: TableSum): TableSum {
  return { count: a.count + b.count, sum: (a.sum + b.sum) % MODULUS };
}

/** A comparison of one snapshot of the whole database; others can write at the same time. */
export interface Verification extends Disposable {
  readonly head: Head;
  /** Number of rows to compare. */
  readonly rows: number;
  /** Yields the number of rows done after each one. */
  run(): Generator<number, readonly Finding[]>;
}

/** @throws HeadError, and what SQLite throws if the file at `path` cannot be read */
export function openVerification(path: string, keyring: Keyring): Verification {
  const db = new DatabaseSync(path, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
  try {
    db.exec("PRAGMA trusted_schema = OFF; BEGIN");
    const { head } = readHead(db, keyring.derive("head"));
    return { head, rows: countRows(db), run: () => verifyAll(db, keyring, head), [Symbol.dispose]: () => db.close() };
  } catch (error) {
    db.close();
    throw error;
  }
}

function* verifyAll(db: DatabaseSync, keyring: Keyring, head: Head): Generator<number, readonly Finding[]> {
  const findings: Finding[] = [];
  if (schemaHash(db) !== head.schema) {
    findings.push({ table: "sqlite_schema", id: undefined, problem: "was changed" });
  }
  let done = 0;
  const tables = authenticatedTables(db);
  for (const name of tables) {
    const steps = verifyTable(db, keyring, name, head);
    for (let step = steps.next();; step = steps.next()) {
      if (step.done) {
        findings.push(...step.value.findings);
        break;
      }
      yield ++done;
    }
  }
  if (tables.includes(SECRET_ORDER)) {
    const steps = compareOrder(db, LISTED_MAX);
    for (let step = steps.next();; step = steps.next()) {
      if (step.done) {
        findings.push(...step.value);
        break;
      }
      yield done;
    }
  }
  return [...findings, ...otherLists(db)];
}

/** Finds functions whose methods or groups differ from the tables that they are looked up by. */
function otherLists(db: DatabaseSync): Finding[] {
  const rows = db.prepare(`
    SELECT id FROM functions f WHERE
      method_list <> (SELECT json_group_array(method ORDER BY method) FROM function_methods WHERE function_id = f.id)
      OR group_list <> (SELECT json_group_array(group_id ORDER BY group_id) FROM function_groups WHERE function_id = f.id)
    ORDER BY id LIMIT ${LISTED_MAX}`).all() as unknown as { id: number }[];
  const problem = "does not match function_methods and function_groups";
  return rows.map(({ id }) => ({ table: "functions", id: String(id), problem }));
}
