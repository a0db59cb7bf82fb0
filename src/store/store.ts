// The store's one face: every entity over one database, and transactions across them.

import { type Actor, requireEntitled } from "../actor.ts";
import { type AccessStore, accessStore } from "./access.ts";
import { type AdminStore, adminStore } from "./admins.ts";
import { type AuditStore, auditStore } from "./audit.ts";
import { type CiphertextStore, ciphertextStore } from "./ciphertexts.ts";
import { Database } from "./database.ts";
import { type FunctionSecretStore, functionSecretStore } from "./function_secrets.ts";
import { type FunctionStore, functionStore } from "./functions.ts";
import { type OwnerStore, ownerStore } from "./owners.ts";
import { type SecretNameStore, secretNameStore } from "./secret_names.ts";
import { type SecretStore, secretStore } from "./secrets.ts";
import { DataFolderError } from "./data_folder.ts";
import { type MetaStore, metaStore, type SettingsStore, settingsStore } from "./settings.ts";

export interface Store {
  readonly access: AccessStore;
  readonly admins: AdminStore;
  readonly audit: AuditStore;
  readonly ciphertexts: CiphertextStore;
  readonly functions: FunctionStore;
  readonly owners: OwnerStore;
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

/** Opens or creates the database file at `path`. */
export function openStore(path: string): Store {
  const db = Database.open(path);
  return {
    access: accessStore(db),
    admins: adminStore(db),
    audit: auditStore(db),
    ciphertexts: ciphertextStore(db),
    functions: functionStore(db),
    owners: ownerStore(db),
    functionSecrets: functionSecretStore(db),
    secrets: secretStore(db),
    secretNames: secretNameStore(db),
    settings: settingsStore(db),
    meta: metaStore(db),
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

/**
 * Remembers which key file the database belongs to, by the keyring's fingerprint, and refuses another one:
 * with it no API key would be known, and new secrets would be sealed with keys that the right file lacks.
 * @throws DataFolderError naming `keyFile`
 */
export function bindKeyring({ meta }: Store, fingerprint: string, keyFile: string): void {
  const bound = meta.get("keyring");
  if (bound === undefined) return meta.put("keyring", fingerprint);
  if (bound === fingerprint) return;
  throw new DataFolderError(
    `${keyFile} is not the key file of the database beside it. Put the right one back from your backup.`,
  );
}
