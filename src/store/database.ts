// Opens a SQLite file, upgrades its schema and runs transactions. Knows nothing about the tables.

import { chmodSync, closeSync, existsSync, openSync } from "node:fs";
import { DatabaseSync, type Session, type SQLInputValue, type StatementSync } from "node:sqlite";
import { messageOf } from "../errors.ts";
import { encodeInOrderOfReferences, inOrderOfReferences, type OrderedChanges, type RowChange } from "./changeset.ts";
import { ChangesetApplier, CONSTRAINT_FOREIGN_KEY, DivergedError } from "./changeset_apply.ts";
import { DataFolderError } from "./data_folder.ts";

/** How long a statement waits for another connection's lock (a backup, the command line). */
export const BUSY_TIMEOUT_MS = 5_000;

/** What distinguishes the databases of this program. */
export interface Schema {
  /** In order; the version is the number of migrations applied. */
  readonly migrations: readonly Migration[];
  /** Throws if a database of this version must not be used; a new one has version 0. */
  readonly check?: (db: DatabaseSync, version: number) => void;
  /** Called in the transaction of each migration, with the version that it leads to. */
  readonly migrated?: (db: DatabaseSync, version: number) => void;
  /** `FULL` waits for the disk at each commit; with `NORMAL` a power cut may undo the last commits. */
  readonly synchronous: "FULL" | "NORMAL";
  /** Number of 4 KB pages in the WAL that triggers a checkpoint, which waits for the disk. */
  readonly checkpointPages: number;
}

/** Both parts run in one transaction. */
export type Migration = string | { readonly sql: string; readonly run: (db: DatabaseSync) => void };

/** Of https://www.sqlite.org/rescode.html */
const CONSTRAINT_UNIQUE = 2067;

export type Row = Record<string, unknown>;

/** An object without functions, as every call compares the number several times. */
export interface ChangeCounter {
  /** Increases with each transaction that may have changed something: data read before may be out of date. */
  readonly count: number;
}

/** Hooks into every transaction. */
export interface TransactionGuard {
  /** Is called when a transaction has begun; an error prevents it. `adopts`: whether `adopt` follows. */
  begin(adopts: boolean): void;
  /** Is called before the commit. An error rolls back. */
  seal(): SealedChange;
  /**
   * Is called instead of `seal` for a change that other nodes make, too; returns each row that differs once all is sealed.
   * An error rolls back.
   */
  sealRecorded(): readonly RowChange[];
  /** Returns everything that the transaction has changed so far. */
  changeset(): Uint8Array;
  /** Is called instead of `seal` if the rows were changed and sealed by another node. An error rolls back. */
  adopt(): { readonly changed: boolean };
  /** Is called after the transaction. */
  end(committed: boolean, isDurable: boolean): void;
}

/** What a transaction did. */
export interface SealedChange {
  /** Whether cached data may now be out of date. */
  readonly changed: boolean;
  /** The rows that differ, of all tables. */
  readonly rows: readonly RowChange[];
}

/** Is called with the rows that a committed transaction changed, before anything else runs. */
export type AppliedListener = (rows: readonly RowChange[]) => void;

/** A statement that changes rows. */
export interface ChangeStatement {
  run(...values: SQLInputValue[]): { changes: number | bigint; lastInsertRowid: number | bigint };
}

export class Database {
  readonly #db: DatabaseSync;
  readonly #begin: StatementSync;
  readonly #beginReading: StatementSync;
  readonly #commit: StatementSync;
  readonly #rollback: StatementSync;
  readonly #synchronous: Schema["synchronous"];
  #inTransaction = false;
  #isDurable = true;
  readonly #changes = { count: 0 };
  #guard: TransactionGuard | undefined;
  readonly #appliedListeners: AppliedListener[] = [];
  /** Whether a transaction that nothing has allowed is an error. */
  #isGuarded = false;
  #isAllowed = false;
  #depthOf: ((table: string) => number) | undefined;
  readonly #applier: ChangesetApplier;
  /** Of a change that is being recorded: its parts so far, and the session of the last one, if it is not the first. */
  #recording: { readonly parts: OrderedChanges[]; session: Session | undefined } | undefined;

  private constructor(db: DatabaseSync, { synchronous }: Schema) {
    this.#db = db;
    this.#begin = db.prepare("BEGIN IMMEDIATE");
    this.#beginReading = db.prepare("BEGIN");
    this.#commit = db.prepare("COMMIT");
    this.#rollback = db.prepare("ROLLBACK");
    this.#synchronous = synchronous;
    this.#applier = new ChangesetApplier(db);
  }

  /**
   * Opens or creates the file at `path` with mode 0600, in WAL.
   * @throws Error with a sentence for the operator if the file is from a newer version or is not a database
   */
  static open(path: string, schema: Schema): Database {
    // Created before SQLite opens it, so that other users can never open it.
    if (!existsSync(path)) closeSync(openSync(path, "ax", 0o600));
    chmodSync(path, 0o600);
    const db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
    try {
      db.exec(
        `PRAGMA journal_mode = WAL; PRAGMA synchronous = ${schema.synchronous}; PRAGMA foreign_keys = ON; ` +
          `PRAGMA wal_autocheckpoint = ${schema.checkpointPages}; ` +
          // secure_delete overwrites deleted ciphertexts with zeros instead of leaving them in free pages.
          "PRAGMA secure_delete = ON; PRAGMA cache_size = -16000; PRAGMA trusted_schema = OFF;",
      );
      migrate(db, path, schema);
    } catch (error) {
      db.close();
      if (error instanceof DataFolderError) throw error;
      const why = messageOf(error);
      throw why.includes(path) ? error : new Error(`${path} cannot be used as a database: ${why}.`, { cause: error });
    }
    return new Database(db, schema);
  }

  /** Prepares a statement. Callers keep it: repeated preparation leaks memory in node:sqlite. */
  prepare(sql: string): StatementSync {
    return this.#db.prepare(sql);
  }

  /** Prepares a statement that changes guarded rows: outside a transaction, each run is a transaction of its own. */
  prepareChange(sql: string): ChangeStatement {
    // SQLite may then drop all pages at once, which no changeset shows: the rows would count as removed by another
    // program, and stay on other nodes. (https://sqlite.org/lang_delete.html#the_truncate_optimization)
    if (/^\s*DELETE FROM \w+\s*$/.test(sql)) throw new Error(`a change needs a condition: ${sql}`);
    const statement = this.#db.prepare(sql);
    return { run: (...values) => this.transaction(() => statement.run(...values)) };
  }

  /** Calls `guard` in every transaction from now on. */
  guardWith<G extends TransactionGuard>(make: (db: DatabaseSync) => G): G {
    const guard = make(this.#db);
    this.#guard = guard;
    return guard;
  }

  get changes(): ChangeCounter {
    return this.#changes;
  }

  /** Calls `listener` after each transaction of this connection that changed rows. */
  onApplied(listener: AppliedListener): void {
    this.#appliedListeners.push(listener);
  }

  /** Makes every transaction an error from now on that does not begin within `allow`. */
  refuseOthers(): void {
    this.#isGuarded = true;
  }

  /** Runs synchronous `work`, which may begin transactions. */
  allow<T>(work: () => T): T {
    const was = this.#isAllowed;
    this.#isAllowed = true;
    try {
      return work();
    } finally {
      this.#isAllowed = was;
    }
  }

  get isRecording(): boolean {
    return this.#recording !== undefined;
  }

  get inTransaction(): boolean {
    return this.#inTransaction;
  }

  /**
   * Runs `work` in one transaction: everything is stored, or nothing if it throws.
   * `work` is synchronous, so that no other request's statements can become part of it.
   */
  transaction<T>(work: () => T): T {
    if (this.#inTransaction) return work();
    if (this.#isGuarded && !this.#isAllowed) throw new Error("a change was made outside of Store.commit");
    const { result, rows } = this.#transact(work);
    if (rows.length > 0) { for (const listener of this.#appliedListeners) listener(rows); }
    return result;
  }

  /**
   * Runs `work` in a transaction that is rolled back, and returns the changesets of what it did, in order. They can be
   * applied: they were tried unless that is certain. Everything that `work` throws is thrown.
   */
  record<T>(work: () => T): { result: T; parts: readonly OrderedChanges[] } {
    if (this.#inTransaction) throw new Error("a change was recorded within a transaction");
    this.#begin.run();
    this.#inTransaction = true;
    const parts: OrderedChanges[] = [];
    this.#recording = { parts, session: undefined };
    let result: T;
    try {
      this.#guard!.begin(false);
      result = work();
      const changes = this.#guard!.sealRecorded();
      if (this.#recording.session) this.#endPart();
      else if (changes.length > 0) {
        parts.push(
          encodeInOrderOfReferences(changes, this.#depths(), (table) => this.#applier.headerOf(table)),
        );
      }
    } finally {
      this.#recording.session?.close();
      this.#recording = undefined;
      if (this.#db.isTransaction) this.#rollback.run();
      this.#inTransaction = false;
      this.#changes.count++;
      this.#guard!.end(false, false);
    }
    if (!parts.every(({ changes }) => this.#applier.isSimple(changes))) this.#try(parts);
    return { result, parts };
  }

  /**
   * Makes later changes of the transaction a part of their own in what is recorded. A changeset has only the last state
   * of a row: without this, two rows that exchange values of a unique column could not be applied one after the other.
   */
  beginPart(): void {
    if (!this.#recording) return;
    this.#endPart();
    this.#recording.session = this.#db.createSession();
  }

  #endPart(): void {
    const recording = this.#recording!;
    const changeset = recording.session?.changeset() ?? this.#guard!.changeset();
    if (changeset.length > 0) recording.parts.push(inOrderOfReferences(changeset, this.#depths()));
    recording.session?.close();
    recording.session = undefined;
  }

  /**
   * Foreign keys are not checked: they held when the changes were made, and the same rows result.
   * @throws DivergedError if the changes that this database has just made could not be made again
   */
  #try(parts: readonly OrderedChanges[]): void {
    this.#begin.run();
    try {
      for (const { bytes } of parts) this.#applier.apply(bytes);
    } finally {
      if (this.#db.isTransaction) this.#rollback.run();
    }
  }

  /**
   * Applies what `record` returned on this node or another one, and runs `also` in the same transaction. Does not wait for
   * the disk: what a power cut undoes here is still in the log.
   * @throws DivergedError if the rows are not what the change was made from; nothing is changed then
   */
  apply(parts: readonly Uint8Array[], also: () => void): void {
    if (this.#inTransaction) throw new Error("a change was applied within a transaction");
    this.#setSynchronous("NORMAL");
    this.#begin.run();
    this.#inTransaction = true;
    let [committed, changed] = [false, true];
    let rows: readonly RowChange[];
    try {
      this.#guard?.begin(true);
      rows = parts.flatMap((part) => this.#applier.apply(part));
      also();
      changed = this.#guard?.adopt().changed ?? true;
      this.#commitChecked();
      committed = true;
    } finally {
      if (this.#db.isTransaction) this.#rollback.run();
      this.#inTransaction = false;
      this.#setSynchronous(this.#synchronous);
      if (changed || !committed) this.#changes.count++;
      this.#guard?.end(committed, false);
    }
    if (rows.length > 0) { for (const listener of this.#appliedListeners) listener(rows); }
  }

  /** @throws DivergedError if a foreign key does not hold after all changes */
  #commitChecked(): void {
    try {
      this.#commit.run();
    } catch (error) {
      throw errorCode(error) === CONSTRAINT_FOREIGN_KEY ? new DivergedError("a foreign key does not hold") : error;
    }
  }

  /** Returns how many other tables each table refers to, one behind the other. */
  #depths(): (table: string) => number {
    if (this.#depthOf) return this.#depthOf;
    const parents = new Map<string, string[]>();
    const references = this.#db.prepare(
      "SELECT t.name, f.\"table\" AS parent FROM sqlite_schema t, pragma_foreign_key_list(t.name) f WHERE t.type = 'table'",
    );
    for (const { name, parent } of all<{ name: string; parent: string }>(references)) {
      // Such as a deployment that rolls back to an earlier one.
      if (name === parent) continue;
      parents.set(name, [...parents.get(name) ?? [], parent]);
    }
    const depthOf = (table: string): number =>
      Math.max(0, ...(parents.get(table) ?? []).map((one) => 1 + depthOf(one)));
    return this.#depthOf = depthOf;
  }

  #transact<T>(work: () => T): { result: T; rows: readonly RowChange[] } {
    let [committed, changed] = [false, true];
    this.#begin.run();
    this.#inTransaction = true;
    try {
      this.#guard?.begin(false);
      const result = work();
      const sealed = this.#guard?.seal();
      changed = sealed?.changed ?? true;
      this.#commit.run();
      committed = true;
      return { result, rows: sealed?.rows ?? [] };
    } catch (error) {
      // SQLite may have rolled back already, such as on a full disk.
      if (this.#db.isTransaction) this.#rollback.run();
      throw error;
    } finally {
      this.#inTransaction = false;
      if (changed || !committed) this.#changes.count++;
      this.#guard?.end(committed, this.#isDurable);
    }
  }

  /** Runs `work`, which only reads, on a consistent snapshot, regardless of writes by other processes. */
  atOneMoment<T>(work: () => T): T {
    if (this.#db.isTransaction) return work();
    this.#beginReading.run();
    try {
      return work();
    } finally {
      this.#commit.run();
    }
  }

  /**
   * Runs `work` in a transaction that does not wait for the disk. It becomes durable with the next transaction that
   * does; a power cut before that may undo it as a whole. For work that can be repeated.
   */
  transactionWithoutSync<T>(work: () => T): T {
    if (this.#inTransaction) return work();
    this.#setSynchronous("NORMAL");
    this.#isDurable = false;
    try {
      return this.transaction(work);
    } finally {
      this.#isDurable = true;
      this.#setSynchronous(this.#synchronous);
    }
  }

  /** SQLite does this when it compiles the statement, so that it cannot be prepared. */
  #setSynchronous(mode: Schema["synchronous"]): void {
    this.#db.exec(`PRAGMA synchronous = ${mode}`);
  }

  /** Empties the WAL, which holds earlier contents of pages. */
  truncateWal(): void {
    this.#db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  }

  close(): void {
    this.#db.close();
  }
}

function migrate(db: DatabaseSync, path: string, { migrations, check, migrated }: Schema): void {
  const { user_version: version } = db.prepare("PRAGMA user_version").get() as { user_version: number };
  if (version > migrations.length) {
    throw new Error(
      `${path} was written by a newer version of this program (schema ${version}, this one knows ${migrations.length}).`,
    );
  }
  check?.(db, version);
  // A new database is made whole or not at all. An old one keeps the steps that are done.
  const [begin, end] = version === 0 ? ["", ""] : ["BEGIN IMMEDIATE;", "COMMIT;"];
  if (version === 0) db.exec("BEGIN IMMEDIATE");
  migrations.slice(version).forEach((migration, index) => {
    const { sql, run } = typeof migration === "string" ? { sql: migration } : migration;
    db.exec(`${begin} ${sql}`);
    run?.(db);
    migrated?.(db, version + index + 1);
    db.exec(`PRAGMA user_version = ${version + index + 1}; ${end}`);
  });
  if (version === 0) db.exec("COMMIT");
}

/** Reports whether `error` is SQLite's violation of a unique constraint. */
export function isUniqueViolation(error: unknown): boolean {
  return errorCode(error) === CONSTRAINT_UNIQUE;
}

function errorCode(error: unknown): number | undefined {
  return error instanceof Error ? (error as Error & { errcode?: number }).errcode : undefined;
}

/** Returns all rows; `T` describes the statement's columns. */
export function all<T extends Row>(statement: StatementSync, ...values: SQLInputValue[]): T[] {
  return statement.all(...values) as unknown as T[];
}

/** Returns the first row or undefined; `T` describes the statement's columns. */
export function first<T extends Row>(statement: StatementSync, ...values: SQLInputValue[]): T | undefined {
  return statement.get(...values) as unknown as T | undefined;
}

/** Inserts a row and returns its id. */
export function insert(statement: ChangeStatement, ...values: SQLInputValue[]): number {
  return Number(statement.run(...values).lastInsertRowid);
}
