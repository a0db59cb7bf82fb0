// Opens the SQLite file, brings its schema forward and runs transactions. Knows no entity.

import { chmodSync, closeSync, existsSync, openSync } from "node:fs";
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { messageOf } from "../errors.ts";
import { DataFolderError } from "./data_folder.ts";

/** How long a statement waits for another connection's lock (a backup, the command line). */
export const BUSY_TIMEOUT_MS = 5_000;

/** What differs from one database of this program to the next. */
export interface Schema {
  /** In order; the position is the version. */
  readonly migrations: readonly Migration[];
  /** Throws if a database of this version must not be used; 0 is that of a new one. */
  readonly check?: (db: DatabaseSync, version: number) => void;
  /** Called in the transaction of each migration, with the version that it leads to. */
  readonly migrated?: (db: DatabaseSync, version: number) => void;
  /** `FULL` waits for the disk at each commit; with `NORMAL` a power cut may undo the last ones. */
  readonly synchronous: "FULL" | "NORMAL";
  /** With so many pages of 4 KB in the WAL, they are put in their places, which waits for the disk. */
  readonly checkpointPages: number;
}

/** Both parts run in one transaction. */
export type Migration = string | { readonly sql: string; readonly run: (db: DatabaseSync) => void };

/** SQLITE_CONSTRAINT_UNIQUE, https://www.sqlite.org/rescode.html */
const CONSTRAINT_UNIQUE = 2067;

export type Row = Record<string, unknown>;

/** What is done in every transaction. */
export interface TransactionGuard {
  /** Called when it has begun; a throw prevents it. */
  begin(): void;
  /** Called before it is committed; whether it changed anything that is remembered elsewhere. A throw undoes it. */
  seal(): boolean;
  /** Called when it has ended. */
  end(committed: boolean, isDurable: boolean): void;
}

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
  readonly #syncLater: StatementSync;
  readonly #syncAgain: StatementSync;
  #inTransaction = false;
  #isDurable = true;
  #changes = 0;
  #guard: TransactionGuard | undefined;

  private constructor(db: DatabaseSync, { synchronous }: Schema) {
    this.#db = db;
    this.#begin = db.prepare("BEGIN IMMEDIATE");
    this.#beginReading = db.prepare("BEGIN");
    this.#commit = db.prepare("COMMIT");
    this.#rollback = db.prepare("ROLLBACK");
    this.#syncLater = db.prepare("PRAGMA synchronous = NORMAL");
    this.#syncAgain = db.prepare(`PRAGMA synchronous = ${synchronous}`);
  }

  /**
   * Opens or creates the file at `path` with mode 0600, in WAL.
   * @throws Error with a sentence for the operator if the file is newer than this program or no database
   */
  static open(path: string, schema: Schema): Database {
    // Created by us first, so that there is no moment in which others can open it.
    if (!existsSync(path)) closeSync(openSync(path, "ax", 0o600));
    chmodSync(path, 0o600);
    const db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
    try {
      db.exec(
        `PRAGMA journal_mode = WAL; PRAGMA synchronous = ${schema.synchronous}; PRAGMA foreign_keys = ON; ` +
          `PRAGMA wal_autocheckpoint = ${schema.checkpointPages}; ` +
          // Deleted ciphertexts are overwritten with zeros rather than left in free pages.
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

  /** Prepares once; callers keep the statement, as preparing each time leaks memory in node:sqlite. */
  prepare(sql: string): StatementSync {
    return this.#db.prepare(sql);
  }

  /** For a writer of rows that the guard watches: outside of a transaction each run is one. */
  prepareChange(sql: string): ChangeStatement {
    const statement = this.#db.prepare(sql);
    return { run: (...values) => this.transaction(() => statement.run(...values)) };
  }

  /** Calls `guard` in every transaction from now on. */
  guardWith<G extends TransactionGuard>(make: (db: DatabaseSync) => G): G {
    const guard = make(this.#db);
    this.#guard = guard;
    return guard;
  }

  /** Another number after each transaction that changed something: what was read before it may be out of date. */
  get changes(): number {
    return this.#changes;
  }

  /**
   * Runs `work` in one transaction: all of it is stored, or after a throw nothing.
   * `work` is synchronous, so that no other request's statements can fall into it.
   */
  transaction<T>(work: () => T): T {
    if (this.#inTransaction) return work();
    let [committed, changed] = [false, true];
    this.#begin.run();
    this.#inTransaction = true;
    try {
      this.#guard?.begin();
      const result = work();
      changed = this.#guard?.seal() ?? true;
      this.#commit.run();
      committed = true;
      return result;
    } catch (error) {
      // A full disk can have rolled it back already.
      if (this.#db.isTransaction) this.#rollback.run();
      throw error;
    } finally {
      this.#inTransaction = false;
      if (changed || !committed) this.#changes++;
      this.#guard?.end(committed, this.#isDurable);
    }
  }

  /** Runs `work`, which only reads, on the database as it is at one moment, whatever other processes write. */
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
   * A transaction that does not wait for the disk: the next one that does takes it along, and a power cut before
   * that may undo it, whole. For what can be done again.
   */
  transactionWithoutSync<T>(work: () => T): T {
    if (this.#inTransaction) return work();
    this.#syncLater.run();
    this.#isDurable = false;
    try {
      return this.transaction(work);
    } finally {
      this.#isDurable = true;
      this.#syncAgain.run();
    }
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
  migrations.slice(version).forEach((migration, index) => {
    const { sql, run } = typeof migration === "string" ? { sql: migration } : migration;
    db.exec(`BEGIN IMMEDIATE; ${sql}`);
    run?.(db);
    migrated?.(db, version + index + 1);
    db.exec(`PRAGMA user_version = ${version + index + 1}; COMMIT;`);
  });
}

/** Whether `error` is SQLite's refusal of a second row with the same unique columns. */
export function isUniqueViolation(error: unknown): boolean {
  return error instanceof Error && (error as Error & { errcode?: number }).errcode === CONSTRAINT_UNIQUE;
}

/** All rows, typed by the statement's columns. */
export function all<T extends Row>(statement: StatementSync, ...values: SQLInputValue[]): T[] {
  return statement.all(...values) as unknown as T[];
}

/** The first row or undefined, typed by the statement's columns. */
export function first<T extends Row>(statement: StatementSync, ...values: SQLInputValue[]): T | undefined {
  return statement.get(...values) as unknown as T | undefined;
}

/** Id of the row just inserted. */
export function insert(statement: ChangeStatement, ...values: SQLInputValue[]): number {
  return Number(statement.run(...values).lastInsertRowid);
}
