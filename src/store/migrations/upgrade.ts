import type { DatabaseSync } from "node:sqlite";
import type { Keyring } from "../../keyring/keyring.ts";

export interface UpgradeContext {
  readonly keyring: Keyring;
  /** Of the head that is made if the database has none. */
  readonly epoch: string;
  /** Called with what could not be kept. */
  readonly warn: (message: string) => void;
  /** Called after each row of a step that may take long; `what` reads on after "12 of 34". */
  readonly progress: (what: string, done: number, total: number) => void;
}

/** A step of the schema that takes more than SQL. Both parts run in one transaction. */
export interface Upgrade {
  readonly sql: string;
  run(db: DatabaseSync, context: UpgradeContext): void;
}
