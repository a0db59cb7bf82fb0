// Opens the database of a node as it is, also one of an earlier schema: to apply the changes of nodes that still have that
// schema, and to upgrade it when all nodes do.

import { DatabaseSync } from "node:sqlite";
import type { KeyFile } from "../keyring/key_file.ts";
import type { DerivedKey } from "../keyring/derived_key.ts";
import { type Head, openHead } from "../keyring/sealed_head.ts";
import { DatabaseBinding } from "./binding.ts";
import { Database } from "./database.ts";
import { HEAD, readHead } from "./rows_head.ts";
import { split } from "./replication.ts";
import { mainSchema, SCHEMA_VERSION } from "./schema.ts";
import { createMetaStore, type MetaStore } from "./settings.ts";
import { createUpgradeProgress } from "./upgrade_progress.ts";

export interface NodeDatabaseOptions {
  readonly keyFile: KeyFile;
  /** Whether this is a copy of another node's, to which the record in its folder does not apply. */
  readonly isCopy?: boolean;
  /** Is called with what an upgrade could not preserve. */
  readonly warn?: (message: string) => void;
  /** Is called with the progress of a long upgrade. */
  readonly note?: (message: string) => void;
  /** The version of the schema that a new database gets. */
  readonly created?: number;
}

export class NodeDatabase implements Disposable {
  readonly #path: string;
  readonly #options: NodeDatabaseOptions;
  #schema: number;
  #db: Database;
  #meta: MetaStore;

  /** @throws DataFolderError if the database does not belong to the key file, or is from a newer version */
  constructor(path: string, options: NodeDatabaseOptions) {
    this.#path = path;
    this.#options = options;
    this.#schema = schemaIn(path) || (options.created ?? SCHEMA_VERSION);
    this.#db = this.#open();
    this.#meta = createMetaStore(this.#db);
  }

  get #headKey(): DerivedKey {
    return this.#options.keyFile.keyring.derive("head");
  }

  /** The version of the schema. */
  get schema(): number {
    return this.#schema;
  }

  get meta(): MetaStore {
    return this.#meta;
  }

  /** Returns the head of the authenticated rows, and the text that is stored for it. @throws HeadError */
  head(): { readonly head: Head; readonly stored: string } {
    using db = new DatabaseSync(this.#path, { readOnly: true });
    return readHead(db, this.#headKey);
  }

  /**
   * Replaces the stored text of the head by another node's, which is encrypted with another nonce.
   * @throws Error if that one is of other rows
   */
  adoptHead(stored: string, also: () => void): void {
    const given = openHead(stored, this.#headKey);
    const own = this.head();
    if (given === undefined || textOf(given) !== textOf(own.head)) {
      throw new Error("the upgrade of the schema had another result on this node than on the one that began it");
    }
    this.#db.transaction(() => {
      this.#meta.put(HEAD, stored);
      also();
    });
  }

  /**
   * Makes a change of a node with the same schema, and runs `also` in the same transaction.
   * @throws DivergedError
   */
  apply(body: Uint8Array, also: () => void): void {
    this.#db.apply(split(body), also);
  }

  /** Upgrades the schema to this version. What migrations write follows from what there is: it is the same on all nodes. */
  upgrade(to: number): void {
    this.#db.close();
    this.#schema = to;
    this.#db = this.#open();
    this.#meta = createMetaStore(this.#db);
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }

  #open(): Database {
    const { keyFile, isCopy = false, warn = () => {}, note = () => {} } = this.#options;
    const binding = new DatabaseBinding(this.#path, keyFile, isCopy);
    const schema = mainSchema(
      (db, version) => binding.check(db, version),
      () => ({
        keyring: keyFile.keyring,
        get epoch() {
          return binding.epoch;
        },
        warn,
        progress: createUpgradeProgress(this.#path, note),
      }),
    );
    return Database.open(this.#path, { ...schema, migrations: schema.migrations.slice(0, this.#schema) });
  }
}

function textOf({ tables, ...head }: Head): string {
  return JSON.stringify([head, [...tables].map(([name, { count, sum }]) => [name, count, sum.toString(16)]).sort()]);
}

/** Returns the version of the schema of the database at `path`; 0 if there is none. */
export function schemaIn(path: string): number {
  try {
    using db = new DatabaseSync(path, { readOnly: true });
    return (db.prepare("PRAGMA user_version").get() as { user_version: number }).user_version;
  } catch {
    return 0;
  }
}
