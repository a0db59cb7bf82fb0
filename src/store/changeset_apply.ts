// Applies SQLite changesets by statements that are prepared once. SQLite's own function prepares them for each table of
// each changeset again, which takes several times as long as what they do.

import { randomBytes, randomUUID } from "node:crypto";
import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import type { SqlValue } from "../keyring/row_macs.ts";
import { type RecordedValues, type RowChange, rowChanges, tableHeader } from "./changeset.ts";

/** The primary error code of all violations of constraints: https://www.sqlite.org/rescode.html#constraint */
const CONSTRAINT = 19;
const PRIMARY_CODE = 0xff;
export const CONSTRAINT_FOREIGN_KEY = 787;

/** The rows of this node are not those of the other nodes. */
export class DivergedError extends Error {
  constructor(reason: string) {
    super(`a change of the cluster cannot be applied to this node's database: ${reason}`);
  }
}

export class ChangesetApplier {
  readonly #db: DatabaseSync;
  readonly #schemaVersion: StatementSync;
  readonly #tables = new Map<string, Table>();
  #schema: number | undefined;

  constructor(db: DatabaseSync) {
    this.#db = db;
    this.#schemaVersion = db.prepare("PRAGMA schema_version");
  }

  /**
   * Makes the changes, within a transaction, which has to be rolled back if this throws; returns them. What foreign keys
   * require may only be checked by the commit.
   * @throws DivergedError if the rows are not those that the changes were made from
   */
  apply(changeset: Uint8Array): readonly RowChange[] {
    this.#forgetOldSchema();
    const changes = [...rowChanges(changeset)];
    if (this.#isSimple(changes)) this.#applySimple(changes);
    else this.#applyAny(changes);
    return changes;
  }

  /**
   * Reports whether changes that were made can certainly be made again, one row after the other: no row takes what another
   * one has to give up before, and no deletion changes other rows.
   */
  isSimple(changes: readonly RowChange[]): boolean {
    this.#forgetOldSchema();
    return this.#isSimple(changes);
  }

  /** Returns what precedes the changes of a table in a changeset. */
  headerOf(table: string): Uint8Array {
    this.#forgetOldSchema();
    return this.#table(table).header;
  }

  #isSimple(changes: readonly RowChange[]): boolean {
    const byTable = Map.groupBy(changes, ({ table }) => this.#table(table));
    const related = new Set<Table>();
    for (const [table, own] of byTable) {
      if (own.length > 1 && !table.areIndependent(own)) return false;
      for (const name of table.parents) {
        const parent = this.#table(name);
        if (parent !== table && byTable.has(parent)) related.add(table).add(parent);
        // No order of tables helps rows of one.
        if (parent === table && own.length > 1) return false;
      }
    }
    const ofRelated = [...related].flatMap((table) => byTable.get(table)!.map((change) => table.effectOf(change)));
    // Rows can be deleted after those that refer to them, and inserted before: one order is enough unless both happen.
    return ofRelated.every((effect) => effect === "frees") ||
      ofRelated.every((effect) => effect === "takes" || !effect);
  }

  #applySimple(changes: readonly RowChange[]): void {
    for (const change of changes) if (change.kind === "delete") this.#makeNow(change);
    // Rows come before those that they refer to.
    for (const change of inReverseOrderOfTables(changes)) if (change.kind !== "delete") this.#makeNow(change);
  }

  #makeNow(change: RowChange): void {
    if (!this.#make(change)) throw new DivergedError("a constraint does not hold");
  }

  #applyAny(changes: readonly RowChange[]): void {
    // Until the end of the transaction; the commit checks them. SQLite compiles all statements again after it.
    this.#db.exec("PRAGMA defer_foreign_keys = ON");
    /** Those that a unique value of a row prevents that is changed later. */
    let waiting: RowChange[] = [];
    changes.forEach((change, index) => {
      if (!this.#make(change)) waiting.push(change);
      if (changes[index + 1]?.table === change.table) return;
      waiting = this.#makeAll(waiting);
      if (waiting.length === 0) return;
      // Rows that exchange unique values: no order of single changes leads there.
      waiting = this.#makeAll(waiting.map((one) => one.kind === "update" ? this.#table(one.table).park(one) : one));
      if (waiting.length > 0) throw new DivergedError("a constraint does not hold");
    });
  }

  /** Makes changes in an order that the constraints allow; returns those that no order allows. */
  #makeAll(waiting: RowChange[]): RowChange[] {
    for (let before = Infinity; waiting.length > 0 && waiting.length < before;) {
      before = waiting.length;
      waiting = waiting.filter((one) => !this.#make(one));
    }
    return waiting;
  }

  /** Returns false if a constraint does not hold now. @throws DivergedError */
  #make(change: RowChange): boolean {
    const table = this.#table(change.table);
    if (table.columns.length !== change.values.length) throw new DivergedError("a table has other columns");
    try {
      if (table.make(change)) return true;
    } catch (error) {
      const { errcode = 0 } = error as { errcode?: number };
      if ((errcode & PRIMARY_CODE) !== CONSTRAINT) throw error;
      if (errcode === CONSTRAINT_FOREIGN_KEY) throw new DivergedError("a foreign key does not hold");
      if (change.kind !== "insert" || !table.has(change.values)) return false;
      throw new DivergedError("a row exists already");
    }
    throw new DivergedError(table.has(change.values) ? "a row has other values" : "a row is missing");
  }

  /** An upgrade of the schema can change the columns. */
  #forgetOldSchema(): void {
    const { schema_version: schema } = this.#schemaVersion.get() as { schema_version: number };
    if (schema !== this.#schema) this.#tables.clear();
    this.#schema = schema;
  }

  #table(name: string): Table {
    let table = this.#tables.get(name);
    if (!table) this.#tables.set(name, table = new Table(this.#db, name));
    return table;
  }
}

/** The statements for one table. */
class Table {
  readonly #db: DatabaseSync;
  readonly #name: string;
  readonly columns: readonly string[];
  readonly header: Uint8Array;
  readonly #key: readonly number[];
  /** The columns of each unique index, by position. */
  readonly #unique: readonly (readonly number[])[];
  /** Whether more than the equality of values decides about some unique index: a condition, an expression, a collation. */
  readonly #hasOtherUnique: boolean;
  /** The tables that it refers to. */
  readonly parents: readonly string[];
  /** By the positions of the columns that an update changes; there are as many as the program has kinds of updates. */
  readonly #updates = new Map<string, StatementSync>();
  #insert: StatementSync | undefined;
  #delete: StatementSync | undefined;
  #find: StatementSync | undefined;

  constructor(db: DatabaseSync, name: string) {
    this.#db = db;
    this.#name = name;
    // Without generated columns, as in changesets.
    const columns = db.prepare("SELECT name, pk FROM pragma_table_info(?) ORDER BY cid").all(name) as unknown as {
      name: string;
      pk: number;
    }[];
    this.columns = columns.map((column) => quoted(column.name));
    this.header = tableHeader(name, columns.map(({ pk }) => pk));
    this.#key = columns.flatMap(({ pk }, index) => pk > 0 ? [index] : []);
    const indices = db.prepare(
      `SELECT json_group_array(part.cid) AS columns, max(list.partial OR part.cid < 0 OR part.coll <> 'BINARY') AS isOther
       FROM pragma_index_list(?) list, pragma_index_xinfo(list.name) part
       WHERE list."unique" = 1 AND part.key = 1 GROUP BY list.name`,
    ).all(name) as { columns: string; isOther: number }[];
    this.#unique = indices.map((index) => JSON.parse(index.columns) as number[]);
    this.#hasOtherUnique = indices.some(({ isOther }) => isOther === 1);
    const parents = db.prepare('SELECT DISTINCT "table" AS name FROM pragma_foreign_key_list(?)').all(name);
    this.parents = (parents as { name: string }[]).map((parent) => parent.name);
  }

  /** Returns what a change does to unique values: whether another row can have them afterwards, or must not before. */
  effectOf({ kind, after }: RowChange): "takes" | "frees" | "exchanges" | undefined {
    if (kind !== "update") return kind === "insert" ? "takes" : "frees";
    const isUnique = (index: number) =>
      this.#key.includes(index) || this.#unique.some((columns) => columns.includes(index));
    return this.#hasOtherUnique || after!.some((value, index) => value !== undefined && isUnique(index))
      ? "exchanges"
      : undefined;
  }

  /** Reports whether several changes can be made in any order, as far as unique values are concerned. */
  areIndependent(changes: readonly RowChange[]): boolean {
    const byEffect = Map.groupBy(changes, (change) => this.effectOf(change));
    const [taking, freeing] = [byEffect.get("takes") ?? [], byEffect.get("frees") ?? []];
    if (byEffect.has("exchanges")) return false;
    if (taking.length === 0 || freeing.length === 0) return true;
    if (this.#hasOtherUnique) return false;
    return this.#unique.every((columns) => {
      const freed = new Set(freeing.map(({ values }) => textOf(values, columns)));
      return !taking.some(({ values }) => freed.has(textOf(values, columns)));
    });
  }

  /**
   * Gives the row of an update values that no other has, where the update changes unique ones, so that the others can
   * have what it had. Deleting and inserting it instead would delete the rows that refer to it. Returns what is left of
   * the update.
   */
  park(change: RowChange): RowChange {
    const { values, after } = change;
    const parked: SqlValue[] = [];
    for (const columns of this.#unique) {
      const changed = columns.find((index) => after![index] !== undefined);
      if (changed !== undefined) parked[changed] = unlike(after![changed]!);
    }
    if (parked.length === 0 || !this.make({ ...change, after: parked })) return change;
    return { ...change, values: values.map((value, index) => this.#key.includes(index) ? value : undefined) };
  }

  /** Returns false if there is no row with the values from before. */
  make({ kind, values, after }: RowChange): boolean {
    if (kind === "insert") {
      this.#insert ??= this.#db.prepare(
        `INSERT INTO ${quoted(this.#name)} (${this.columns.join(", ")}) VALUES (${
          this.columns.map(() => "?").join(", ")
        })`,
      );
      return this.#insert.run(...at(values, this.columns.keys())).changes === 1;
    }
    if (kind === "delete") {
      this.#delete ??= this.#db.prepare(`DELETE FROM ${quoted(this.#name)} WHERE ${this.#is(this.columns.keys())}`);
      return this.#delete.run(...at(values, this.columns.keys())).changes === 1;
    }
    const changed = [...this.columns.keys()].filter((index) => after![index] !== undefined);
    const known = [...this.columns.keys()].filter((index) => values[index] !== undefined);
    return this.#update(changed, known).run(...at(after!, changed), ...at(values, known)).changes === 1;
  }

  has(values: RecordedValues): boolean {
    this.#find ??= this.#db.prepare(`SELECT 1 FROM ${quoted(this.#name)} WHERE ${this.#is(this.#key)}`);
    return this.#find.get(...at(values, this.#key)) !== undefined;
  }

  #update(changed: readonly number[], known: readonly number[]): StatementSync {
    const id = `${changed} ${known}`;
    let update = this.#updates.get(id);
    if (!update) {
      const set = changed.map((index) => `${this.columns[index]} = ?`).join(", ");
      update = this.#db.prepare(`UPDATE ${quoted(this.#name)} SET ${set} WHERE ${this.#is(known)}`);
      this.#updates.set(id, update);
    }
    return update;
  }

  /** The key by `=`, so that its index is used. */
  #is(indices: Iterable<number>): string {
    return [...indices].map((index) => `${this.columns[index]} ${this.#key.includes(index) ? "=" : "IS"} ?`)
      .join(" AND ");
  }
}

/** The rows of a table stay in their order. */
function inReverseOrderOfTables(changes: readonly RowChange[]): RowChange[] {
  return [...Map.groupBy(changes, ({ table }) => table).values()].reverse().flat();
}

function at(values: RecordedValues, indices: Iterable<number>): SQLInputValue[] {
  return [...indices].map((index) => values[index]!);
}

/** Equal values have equal texts, also an integer and a real number. */
function textOf(values: RecordedValues, columns: readonly number[]): string {
  return JSON.stringify(columns.map((column) => {
    const value = values[column]!;
    return typeof value === "bigint" || typeof value === "number" ? [Number(value)] : value;
  }));
}

/** Returns a random value of the same type. */
function unlike(value: SqlValue): SqlValue {
  if (value === null) return null;
  if (typeof value === "string") return randomUUID();
  if (typeof value === "object") return randomBytes(32);
  return -(2 ** 52) - randomBytes(6).readUIntBE(0, 6);
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
