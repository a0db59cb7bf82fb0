// Defines migrations that need more than SQL.

import type { DatabaseSync } from "node:sqlite";
import type { Keyring } from "../../keyring/keyring.ts";

export interface UpgradeContext {
  readonly keyring: Keyring;
  /** Epoch of the head that is created if the database has none. */
  readonly epoch: string;
  /** Is called with what could not be preserved. */
  readonly warn: (message: string) => void;
  /** Is called after each row of a step that may take long; `what` continues "12 of 34". */
  readonly progress: (what: string, done: number, total: number) => void;
}

/** A step of the schema that takes more than SQL. Both parts run in one transaction. */
export interface Upgrade {
  readonly sql: string;
  run(db: DatabaseSync, context: UpgradeContext): void;
}
