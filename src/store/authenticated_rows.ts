// Maintains a MAC in every row that decides access or meaning, and the sealed head over all of them, in the transaction
// of each change. The changed rows are taken from SQLite's own changeset of the transaction, so that no writer can omit
// one.

import type { DatabaseSync, Session, StatementSync } from "node:sqlite";
import { AppError } from "../errors.ts";
import type { Scope } from "../ids.ts";
import type { DerivedKey } from "../keyring/derived_key.ts";
import type { Keyring } from "../keyring/keyring.ts";
import { RowMacs, type SqlValue } from "../keyring/row_macs.ts";
import { EMPTY, type Head, minus, openHead, plus, sealHead, type TableSum } from "../keyring/sealed_head.ts";
import {
  AUTHENTICATED_TABLES,
  type AuthenticatedTable,
  fieldsOf,
  type Finding,
  idOf,
  isAuthentic,
  isSame,
  type RowQuery,
  type StoredRow,
  TableRows,
} from "./authenticated_tables.ts";
import { type RowChange, rowChanges } from "./changeset.ts";
import { first, type SealedChange, type TransactionGuard } from "./database.ts";
import { HEAD, readHead, requireOwnSchema, schemaHash } from "./rows_head.ts";
import { SecretOrder } from "./secret_order.ts";

/** Checks rows for their readers. */
export interface RowCheck {
  /** Reports whether the row with this key is as this program wrote it; an altered row is logged as a finding. */
  check(table: string, ...key: SqlValue[]): boolean;
  /** Reports whether there is an altered row with this key; it is logged as a finding. */
  isAltered(table: string, ...key: SqlValue[]): boolean;
  /** Allows the current transaction to delete an altered row and to insert another one with its key. */
  discard(table: string, ...key: SqlValue[]): void;
}

/** Reads many rows and checks each of them. */
export interface RowReader {
  /** Prepares a selection of whole rows of a table. `rest` is what follows the table's name in SQL. */
  prepareRows(table: string, rest: string): RowQuery;
  /** Is `RowCheck.check` for a row that was read in the current transaction, so that it need not be read again. */
  checkRow(table: string, row: StoredRow): boolean;
}

/** Returns the error for a change of a row that something other than this program altered. */
export function tamperedRow(table: string, id: string | number): AppError {
  return new AppError(
    "TamperedRow",
    409,
    `Row ${id} of ${table} was altered by something other than this program. It can be deleted, but not changed.`,
  );
}

export function isSameSum(a: TableSum, b: TableSum): boolean {
  return a.count === b.count && a.sum === b.sum;
}

/** Checks for readers that secrets which were not found do not exist. */
export interface AbsenceCheck {
  /**
   * Returns the scopes of those owners for whom nothing proves that this program stored no secret of that name. The
   * reason is reported. Must not be called within a transaction that changes secrets.
   */
  unproven(name: string, owners: readonly (readonly [scope: Scope, ownerId: number])[]): Scope[];
}

export class AuthenticatedRows implements TransactionGuard, RowCheck, RowReader, AbsenceCheck {
  readonly db: DatabaseSync;
  readonly #macs: RowMacs;
  readonly #headKey: DerivedKey;
  readonly #tables: ReadonlyMap<string, TableRows>;
  readonly #order: SecretOrder;
  readonly #report: (finding: Finding) => void;
  readonly #readHead: StatementSync;
  readonly #writeHead: StatementSync;
  readonly #schemaVersion: StatementSync;
  readonly #dataVersion: StatementSync;
  #seenVersion: number;
  /** As of the last transaction of this process; not read from the database again. */
  #head: Head;
  /** The stored text of the head. Another process with the keys, such as a command, may have written a later one. */
  #stored: string;
  #knownSchema: number;
  #session: Session | undefined;
  /** Rows that were found to be authentic in the current transaction, by table and key. */
  readonly #checked = new Map<string, StoredRow>();
  /** Altered rows that the current transaction may replace, by table and key. */
  readonly #discarded = new Set<string>();
  #next: { head: Head; stored: string } | undefined;
  /** The last head that this process has sealed, also for a transaction that was taken back. */
  #sealed: { head: Head; stored: string } | undefined;
  #nextEpoch: string | undefined;
  /** Generation of the last commit that a power cut does not undo. */
  #durable: number;
  /** Set while the database contains an altered head. */
  #isHeadAltered = false;
  #refusesAltered = false;

  /**
   * Reads the head.
   * @throws HeadError if it was not written with these keys
   */
  constructor(db: DatabaseSync, keyring: Keyring, report: (finding: Finding) => void) {
    this.db = db;
    this.#macs = new RowMacs(keyring);
    this.#headKey = keyring.derive("head");
    this.#tables = new Map(AUTHENTICATED_TABLES.map((name) => [name, new TableRows(db, name)]));
    this.#order = new SecretOrder(db, this.#macs, report);
    this.#report = report;
    this.#readHead = db.prepare(`SELECT value FROM meta WHERE name = '${HEAD}'`);
    this.#writeHead = db.prepare(
      `INSERT INTO meta (name, value) VALUES ('${HEAD}', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
    );
    this.#schemaVersion = db.prepare("PRAGMA schema_version");
    this.#dataVersion = db.prepare("PRAGMA data_version");
    ({ head: this.#head, stored: this.#stored } = readHead(db, this.#headKey));
    requireOwnSchema(db, this.#head);
    this.#knownSchema = this.#currentSchema();
    this.#durable = this.#head.generation;
    this.#seenVersion = this.#currentData();
  }

  /** The generation that the database has even after a power cut. */
  get durableGeneration(): number {
    return this.#durable;
  }

  get head(): Head {
    return this.#head;
  }

  /** @throws AppError TamperedSchema (503) */
  begin(adopts: boolean): void {
    this.#refuseOtherSchema();
    this.refresh();
    if (!adopts) this.#session = this.db.createSession();
  }

  changeset(): Uint8Array {
    return this.#session!.changeset();
  }

  seal(): SealedChange {
    const changes = this.#changed();
    // The session need not follow the MACs.
    this.#endSession();
    return { changed: this.#authenticate(changes), rows: changes };
  }

  /** @throws as `seal`, also if something else has altered the head */
  sealRecorded(): readonly RowChange[] {
    if (this.#isHeadAltered) throw tamperedRow("meta", HEAD);
    // What SQLite recorded, completed by what is written here: taking the changeset again would take as long as all else.
    const sealed: RowChange[] = [];
    this.#authenticate(this.#changed(), (change) => sealed.push(change));
    return sealed;
  }

  /** Returns the rows that differ before they are authenticated. */
  #changed(): readonly RowChange[] {
    const made = [...rowChanges(this.changeset())];
    return [...made, ...this.#order.follow(made)];
  }

  /**
   * Authenticates the rows that the transaction changed. `report` gets all that differ then, each with its final values.
   * Returns whether cached data may now be out of date.
   * @throws AppError TamperedRow (409) if something else had altered a row that was changed, or a row of the order of
   *   secrets next to a new secret
   */
  #authenticate(changes: readonly RowChange[], report?: (change: RowChange) => void): boolean {
    const tables = new Map(this.#head.tables);
    /** Altered rows that were deleted, by their tables: the elements of the MACs that they had. */
    const discarded = new Map<string, bigint[]>();
    let changed = false;
    for (const change of changes) {
      const { table: name, kind, values } = change;
      const rows = this.#tables.get(name);
      const before = tables.get(name) ?? EMPTY;
      let after = before;
      if (!rows || kind === "delete") report?.(change);
      if (!rows) continue;
      if (kind === "delete") after = this.#deleted(rows, values as StoredRow, before, discarded);
      else after = this.#written(rows, change, before, discarded, report);
      changed ||= after !== before;
      tables.set(name, after);
    }
    for (const [name, elements] of discarded) {
      const without = elements.reduce(minus, tables.get(name) ?? EMPTY);
      if (!isSameSum(without, this.#storedSum(name))) continue;
      tables.set(name, without);
      changed = true;
    }
    if (!changed && !this.#isHeadAltered && this.#nextEpoch === undefined) return false;
    const { generation, schema } = this.#head;
    const head = { epoch: this.#nextEpoch ?? this.#head.epoch, generation: generation + 1, schema, tables };
    const stored = sealHead(head, this.#headKey);
    this.#writeHead.run(stored);
    report?.({ table: "meta", kind: "update", values: [HEAD, this.#stored], after: [undefined, stored] });
    this.#next = this.#sealed = { head, stored };
    return changed;
  }

  /**
   * Takes over the head that was changed together with rows by another node.
   * @throws Error if it does not follow the head of this node
   */
  adopt(): { changed: boolean } {
    this.#endSession();
    const stored = first<{ value: string }>(this.#readHead)?.value;
    if (stored === this.#stored) return { changed: false };
    const head = stored === this.#sealed?.stored
      ? this.#sealed?.head
      : stored === undefined
      ? undefined
      : openHead(stored, this.#headKey);
    if (stored === undefined || head?.epoch !== this.#head.epoch || head.generation !== this.#head.generation + 1) {
      throw new Error("the head of a change from another node does not follow this node's");
    }
    this.#next = { head, stored };
    return { changed: true };
  }

  /** Makes a change of an altered row an error, even its deletion: other nodes have the row as it was. */
  refuseAltered(): void {
    this.#refusesAltered = true;
  }

  end(committed: boolean, isDurable: boolean): void {
    this.#endSession();
    this.#checked.clear();
    this.#discarded.clear();
    if (committed && this.#next) {
      ({ head: this.#head, stored: this.#stored } = this.#next);
      this.#isHeadAltered = false;
    }
    // A commit that waits for the disk makes earlier ones durable, too.
    if (committed && isDurable) this.#durable = this.#head.generation;
    this.#next = undefined;
    if (committed) this.#nextEpoch = undefined;
  }

  /** Gives the head a new epoch in the current transaction, which invalidates every earlier state of the database. */
  startEpoch(epoch: string): void {
    this.#nextEpoch = epoch;
  }

  /** Reports whether another connection has committed anything since the last call. */
  wasWrittenByOthers(): boolean {
    const version = this.#currentData();
    const was = this.#seenVersion;
    this.#seenVersion = version;
    return was !== version;
  }

  /** Adopts a later head that a command has written, and reports any other difference. */
  refresh(): void {
    const stored = first<{ value: string }>(this.#readHead)?.value;
    if (stored === this.#stored) return;
    const head = stored === undefined ? undefined : openHead(stored, this.#headKey);
    if (stored !== undefined && head?.epoch === this.#head.epoch && head.generation > this.#head.generation) {
      [this.#head, this.#stored, this.#isHeadAltered] = [head, stored, false];
      return;
    }
    this.#isHeadAltered = true;
    this.#report({
      table: "meta",
      id: HEAD,
      problem: head ? "is of an earlier state of the database" : "was removed or altered",
    });
  }

  /**
   * Reports whether the row with this key is as this program wrote it, also within the current transaction; an altered
   * row is logged as a finding.
   */
  check(name: string, ...key: SqlValue[]): boolean {
    const row = this.#tables.get(name)!.find(key);
    return row !== undefined && this.checkRow(name, row);
  }

  checkRow(name: string, row: StoredRow): boolean {
    const rows = this.#tables.get(name)!;
    const key = rows.keyOf(row);
    if (isAuthentic(this.#macs, rows.table, row)) {
      if (this.#session) this.#checked.set(keyText(name, key), row);
      return true;
    }
    if (this.#isOwnChange(rows, key)) return true;
    this.#report({ table: name, id: idOf(rows.table, row), problem: "was altered" });
    return false;
  }

  prepareRows(name: string, rest: string): RowQuery {
    return this.#tables.get(name)!.prepare(this.db, rest);
  }

  isAltered(name: string, ...key: SqlValue[]): boolean {
    return this.#tables.get(name)!.find(key) !== undefined && !this.check(name, ...key);
  }

  discard(name: string, ...key: SqlValue[]): void {
    if (this.#session) this.#discarded.add(keyText(name, key));
  }

  unproven(name: string, owners: readonly (readonly [scope: Scope, ownerId: number])[]): Scope[] {
    return this.#order.unproven(owners.map(([scope, id]) => [name, scope, BigInt(id)] as const)).map(([, scope]) =>
      scope
    );
  }

  /** Gives a row that was inserted or updated its MAC; returns the sum with it. */
  #written(
    rows: TableRows,
    change: RowChange,
    sum: TableSum,
    discarded: Map<string, bigint[]>,
    report: ((change: RowChange) => void) | undefined,
  ): TableSum {
    const { table } = rows;
    const { kind, values: recorded } = change;
    const key = rows.keyOf(recorded);
    const row = rows.find(key)!;
    const mac = () => this.#macs.mac(table.name, fieldsOf(table, row));
    if (kind === "insert") {
      const own = mac();
      rows.setMac(own, key);
      report?.({ ...change, values: row.with(table.mac, own) });
      return plus(sum, this.#macs.element(table.name, own));
    }
    const old = row.map((value, index) => recorded[index] === undefined ? value : recorded[index]!);
    // A replaced row may be identical except for its MAC, which is then missing.
    if (isSameRow(table, old, row)) {
      if (report && row.some((value, index) => !isSame(value, old[index]!))) report(difference(table, old, row));
      return sum;
    }
    let rest: TableSum;
    const id = keyText(table.name, key);
    if (isSameRow(table, this.#checked.get(id), old) || isAuthentic(this.#macs, table, old)) {
      rest = minus(sum, this.#macs.element(table.name, old[table.mac] as Uint8Array));
    } else if (this.#discarded.has(id)) {
      // A changeset combines the deletion of a row with the insertion of another one.
      rest = this.#deleted(rows, old, sum, discarded);
    } else {
      throw this.#altered(table, old);
    }
    const own = mac();
    rows.setMac(own, key);
    report?.(difference(table, old, row.with(table.mac, own)));
    return plus(rest, this.#macs.element(table.name, own));
  }

  /**
   * Returns the sum without a deleted row. A row that something else inserted was never part of the sum. An altered row
   * was counted by its earlier MAC; if it still has that, the sum of the remaining MACs shows it after the deletions.
   */
  #deleted({ table }: TableRows, old: StoredRow, sum: TableSum, discarded: Map<string, bigint[]>): TableSum {
    const mac = old[table.mac];
    const element = mac instanceof Uint8Array && mac.length > 0 ? this.#macs.element(table.name, mac) : undefined;
    if (element !== undefined && isAuthentic(this.#macs, table, old)) return minus(sum, element);
    if (this.#refusesAltered) throw this.#altered(table, old);
    if (element !== undefined) discarded.set(table.name, [...discarded.get(table.name) ?? [], element]);
    this.#report({ table: table.name, id: idOf(table, old), problem: "had been altered when it was deleted" });
    return sum;
  }

  /** Returns the sum of the stored MACs of a table, whether they are right or not. */
  #storedSum(name: string): TableSum {
    const macs = this.db.prepare(`SELECT mac FROM ${name} WHERE length(mac) > 0`).iterate() as Iterable<
      { mac: Uint8Array }
    >;
    let sum = EMPTY;
    for (const { mac } of macs) sum = plus(sum, this.#macs.element(name, mac));
    return sum;
  }

  #altered(table: AuthenticatedTable, row: StoredRow): AppError {
    const id = idOf(table, row);
    this.#report({ table: table.name, id, problem: "was altered" });
    return tamperedRow(table.name, id);
  }

  #isOwnChange(rows: TableRows, key: readonly SqlValue[]): boolean {
    if (!this.#session) return false;
    for (const { table, values } of rowChanges(this.#session.changeset())) {
      if (table === rows.table.name && rows.keyOf(values).every((value, index) => isSame(value, key[index]!))) {
        return true;
      }
    }
    return false;
  }

  /** Rejects a changed schema: an added trigger or foreign key would change rows within this program's transactions. */
  #refuseOtherSchema(): void {
    const version = this.#currentSchema();
    if (version === this.#knownSchema) return;
    if (schemaHash(this.db) !== this.#head.schema) {
      this.#report({ table: "sqlite_schema", id: undefined, problem: "was changed" });
      throw new AppError(
        "TamperedSchema",
        503,
        "The database's schema was changed by something other than this program. Nothing more is written to it.",
      );
    }
    this.#knownSchema = version;
  }

  #currentSchema(): number {
    return first<{ schema_version: number }>(this.#schemaVersion)!.schema_version;
  }

  #currentData(): number {
    return first<{ data_version: number }>(this.#dataVersion)!.data_version;
  }

  #endSession(): void {
    this.#session?.close();
    this.#session = undefined;
  }
}

/** Reports whether two rows have the same MAC, and the same values in the columns that it covers. */
function isSameRow({ mac, covered }: AuthenticatedTable, a: StoredRow | undefined, b: StoredRow): boolean {
  return a !== undefined && isSame(a[mac]!, b[mac]!) && covered.every((index) => isSame(a[index]!, b[index]!));
}

/** Returns what makes a row of another one, with the values that a changeset has of it. */
function difference({ name, key }: AuthenticatedTable, old: StoredRow, row: StoredRow): RowChange {
  const differs = row.map((value, index) => !isSame(value, old[index]!));
  return {
    table: name,
    kind: "update",
    values: old.map((value, index) => differs[index] || key.includes(index) ? value : undefined),
    after: row.map((value, index) => differs[index] ? value : undefined),
  };
}

/** Keys with the same text are distinguished by their rows. */
function keyText(table: string, key: readonly SqlValue[]): string {
  return `${table} ${key.join(" ")}`;
}
