import type { DatabaseSync } from "node:sqlite";
import type { Keyring } from "../../keyring/keyring.ts";

/** A step of the schema that takes more than SQL. Both parts run in one transaction. */
export interface Upgrade {
  readonly sql: string;
  /** `warn` is called with what could not be kept. */
  run(db: DatabaseSync, keyring: Keyring, warn: (message: string) => void): void;
}
