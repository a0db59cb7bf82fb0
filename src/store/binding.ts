// Checks that a database belongs to its key file and to the record next to it, and is not older than the record.

import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import {
  type GenerationRecord,
  newRecord,
  RECORD_FILE,
  RecordError,
  RecordFile,
} from "../keyring/generation_record.ts";
import type { KeyFile } from "../keyring/key_file.ts";
import type { AuthenticatedRows } from "./authenticated_rows.ts";
import { HeadError, readHead, requireOwnSchema } from "./rows_head.ts";
import { describeFinding, type Finding } from "./authenticated_tables.ts";
import { DataFolderError, RESTORE } from "./data_folder.ts";
import { first } from "./database.ts";
import { AUTHENTICATED_VERSION, fingerprintOf } from "./schema.ts";
import type { TableReport } from "./verification.ts";

/** Name in the table `meta` under which the fingerprint of the database's key file is stored. */
export const FINGERPRINT = "keyring";

export class DatabaseBinding {
  readonly #path: string;
  readonly #keyFile: KeyFile;
  readonly #recordFile: RecordFile;
  readonly #isRestored: boolean;
  #record: GenerationRecord | undefined;
  /** The error if the record cannot be used. */
  #unreadable: DataFolderError | undefined;

  /** @throws DataFolderError */
  constructor(path: string, keyFile: KeyFile, isRestored: boolean) {
    this.#path = path;
    this.#keyFile = keyFile;
    this.#isRestored = isRestored;
    this.#recordFile = new RecordFile(join(dirname(path), RECORD_FILE), keyFile.keyring);
    try {
      this.#record = isRestored ? undefined : this.#recordFile.read();
    } catch (error) {
      if (!(error instanceof RecordError)) throw error;
      this.#unreadable = new DataFolderError(`${error.message} ${RESTORE}`);
      // If there is a database, `check` may find the actual cause: a wrong key file.
      if (!existsSync(path)) throw this.#unreadable;
    }
    if (this.#record && this.#record.generation > 0 && !existsSync(path)) {
      throw new DataFolderError(`${path} is missing, but ${this.#recordFile.path} refers to it. ${RESTORE}`);
    }
  }

  /** The epoch of the head that a new database gets. */
  get epoch(): string {
    return this.#record!.epoch;
  }

  /**
   * Checks that a database of this version may be upgraded and used. Creates the record if there is none, so that
   * existing rows are authenticated without verification only once.
   * @throws DataFolderError
   */
  check(db: DatabaseSync, version: number): void {
    if (version > 0) this.#requirePair(db, version);
    if (this.#unreadable) throw this.#unreadable;
    if (version >= AUTHENTICATED_VERSION) {
      if (this.#record || this.#isRestored) return this.#requireSchema(db);
      throw new DataFolderError(
        `${this.#recordFile.path} is missing, but there is a database next to it. ${RESTORE}`,
      );
    }
    if (this.#record && this.#record.generation > 0) throw this.#behind("its rows are not authenticated");
    if (this.#record) return;
    this.#record = newRecord();
    if (!this.#isRestored) this.#recordFile.write(this.#record);
  }

  /**
   * Returns what `open` returns if its head matches the record. A database without a fingerprint gets the key file's.
   * @throws DataFolderError
   */
  bind(open: () => AuthenticatedRows): AuthenticatedRows {
    const rows = this.#explained(open);
    const { epoch, generation } = rows.head;
    const record = this.#record;
    if (this.#isRestored || !record) return rows;
    if (epoch !== record.epoch) throw this.#behind("it is from before a restore");
    if (generation < record.generation) {
      throw this.#behind(`it is at generation ${generation}, and was at ${record.generation}`);
    }
    return rows;
  }

  /**
   * Reports what was found. Altered rows are rejected individually when they are used; if rows are missing or were
   * replaced by older ones, it is unknown which.
   * @throws DataFolderError in the latter case
   */
  confirm(tables: readonly TableReport[], report: (finding: Finding) => void): void {
    const incomplete = tables.filter(({ isComplete }) => !isComplete);
    if (incomplete.length === 0 || this.#isRestored) return tables.flatMap(({ findings }) => findings).forEach(report);
    const problems = incomplete.flatMap(({ findings }) => findings).map(describeFinding);
    throw new DataFolderError(
      `${this.#path} was changed by something other than this program: ${problems.join("; ")}. ${RESTORE}`,
    );
  }

  /** Records a generation durably, unless another process has recorded a later one. */
  record({ epoch, generation }: GenerationRecord): void {
    if (this.#isRestored || (this.#record?.epoch === epoch && this.#record.generation >= generation)) return;
    this.#record = { epoch, generation };
    this.#recordFile.write(this.#record);
  }

  /** Replaces the record unconditionally and durably. */
  renew({ epoch, generation }: GenerationRecord): void {
    this.#record = { epoch, generation };
    this.#recordFile.write(this.#record);
  }

  /** Checks the schema before a migration accepts it as it then is. */
  #requireSchema(db: DatabaseSync): void {
    this.#explained(() => requireOwnSchema(db, readHead(db, this.#keyFile.keyring.derive("head")).head));
  }

  #explained<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof HeadError)) throw error;
      throw new DataFolderError(`${this.#path} cannot be used: ${error.message}. ${RESTORE}`);
    }
  }

  #behind(why: string): DataFolderError {
    return new DataFolderError(`${this.#path} is older than ${this.#recordFile.path} says: ${why}. ${RESTORE}`);
  }

  /** Rejects another key file: API keys would be unknown, and new secrets would need keys that the right file lacks. */
  #requirePair(db: DatabaseSync, version: number): void {
    const { path, keyring } = this.#keyFile;
    const bound = first<{ value: string }>(db.prepare("SELECT value FROM meta WHERE name = ?"), FINGERPRINT)?.value;
    if (bound === undefined || bound === fingerprintOf(keyring, version)) return;
    throw new DataFolderError(
      `${path} is not the key file of the database next to it. Restore the right one from your backup.`,
    );
  }
}
