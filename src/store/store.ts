// The store's one face: every entity over one database, and transactions across them.

import { type AccessStore, accessStore } from "./access.ts";
import { Database } from "./database.ts";
import { type FunctionStore, functionStore } from "./functions.ts";
import { type SecretStore, secretStore } from "./secrets.ts";
import { type MetaStore, metaStore, type SettingsStore, settingsStore } from "./settings.ts";

export interface Store {
  readonly access: AccessStore;
  readonly functions: FunctionStore;
  readonly secrets: SecretStore;
  readonly settings: SettingsStore;
  readonly meta: MetaStore;
  /** All of `work` or, after a throw, nothing; `work` is synchronous. */
  transaction<T>(work: () => T): T;
  close(): void;
}

/** Opens or creates the database file at `path`. */
export function openStore(path: string): Store {
  const db = Database.open(path);
  return {
    access: accessStore(db),
    functions: functionStore(db),
    secrets: secretStore(db),
    settings: settingsStore(db),
    meta: metaStore(db),
    transaction: (work) => db.transaction(work),
    close: () => db.close(),
  };
}
