// The store's one face: every entity over one database, and transactions across them.

import type { DatabaseSync } from "node:sqlite";
import { type Actor, requireEntitled } from "../actor.ts";
import type { KeyFile } from "../keyring/key_file.ts";
import { type AccessStore, accessStore } from "./access.ts";
import { type AdminStore, adminStore } from "./admins.ts";
import { type AuditStore, auditStore } from "./audit.ts";
import { type CiphertextStore, ciphertextStore } from "./ciphertexts.ts";
import { Database, first } from "./database.ts";
import { type FunctionSecretStore, functionSecretStore } from "./function_secrets.ts";
import { type FunctionStore, functionStore } from "./functions.ts";
import { type OwnerStore, ownerStore } from "./owners.ts";
import { type SecretNameStore, secretNameStore } from "./secret_names.ts";
import { type SecretStore, secretStore } from "./secrets.ts";
import { DataFolderError } from "./data_folder.ts";
import { type PackageLockStore, packageLockStore } from "./package_locks.ts";
import { fingerprintOf, mainSchema } from "./schema.ts";
import { type MetaStore, metaStore, type SettingsStore, settingsStore } from "./settings.ts";

export interface Store {
  readonly access: AccessStore;
  readonly admins: AdminStore;
  readonly audit: AuditStore;
  readonly ciphertexts: CiphertextStore;
  readonly functions: FunctionStore;
  readonly owners: OwnerStore;
  readonly packageLocks: PackageLockStore;
  readonly functionSecrets: FunctionSecretStore;
  readonly secrets: SecretStore;
  readonly secretNames: SecretNameStore;
  readonly settings: SettingsStore;
  readonly meta: MetaStore;
  /** All of `work` or, after a throw, nothing; `work` is synchronous. */
  transaction<T>(work: () => T): T;
  /**
   * A transaction for a change that `actor` makes, if they may still make changes once it has begun.
   * @throws AppError EntitlementLost (401); whatever `work` throws
   */
  change<T>(actor: Actor, work: () => T): T;
  /** A transaction that a power cut may undo, whole, as long as no other one came after it. */
  repeatable<T>(work: () => T): T;
  /** Another number after each transaction: what was read before it may be out of date. */
  changes(): number;
  close(): void;
}

/**
 * Opens or creates the database file at `path`, which belongs to `keyFile` from then on. `warn` is called with what
 * an upgrade could not keep.
 * @throws DataFolderError naming the key file if it is another database's: no API key would be known, and new
 *   secrets would be encrypted with keys that the right file lacks
 */
export function openStore(path: string, keyFile: KeyFile, warn: (message: string) => void = () => {}): Store {
  const { keyring } = keyFile;
  const db = Database.open(path, mainSchema(keyring, (db, version) => requirePair(db, version, keyFile), warn));
  const meta = metaStore(db);
  if (meta.get(KEYRING) === undefined) meta.put(KEYRING, keyring.fingerprint());
  return {
    access: accessStore(db),
    admins: adminStore(db),
    audit: auditStore(db),
    ciphertexts: ciphertextStore(db),
    functions: functionStore(db),
    owners: ownerStore(db),
    packageLocks: packageLockStore(db),
    functionSecrets: functionSecretStore(db),
    secrets: secretStore(db),
    secretNames: secretNameStore(db),
    settings: settingsStore(db),
    meta,
    transaction: (work) => db.transaction(work),
    change: (actor, work) =>
      db.transaction(() => {
        requireEntitled(actor);
        return work();
      }),
    repeatable: (work) => db.repeatable(work),
    changes: () => db.changes,
    close: () => db.close(),
  };
}

/** Name in the table `meta` of the fingerprint of the key file that the database belongs to. */
const KEYRING = "keyring";

function requirePair(db: DatabaseSync, version: number, { path, keyring }: KeyFile): void {
  const bound = first<{ value: string }>(db.prepare("SELECT value FROM meta WHERE name = ?"), KEYRING)?.value;
  if (bound === undefined || bound === fingerprintOf(keyring, version)) return;
  throw new DataFolderError(
    `${path} is not the key file of the database beside it. Put the right one back from your backup.`,
  );
}
