// The store's one face: every entity over one database, and transactions across them.

import { type Actor, requireEntitled } from "../actor.ts";
import { newRecord } from "../keyring/generation_record.ts";
import type { KeyFile } from "../keyring/key_file.ts";
import type { Head } from "../keyring/sealed_head.ts";
import { type AccessStore, accessStore } from "./access.ts";
import { type AdminStore, adminStore } from "./admins.ts";
import { type AuditStore, auditStore } from "./audit.ts";
import { type CiphertextStore, ciphertextStore } from "./ciphertexts.ts";
import { AuthenticatedRows } from "./authenticated_rows.ts";
import type { Finding } from "./authenticated_tables.ts";
import { DatabaseBinding, FINGERPRINT } from "./binding.ts";
import { Database } from "./database.ts";
import { type FunctionSecretStore, functionSecretStore } from "./function_secrets.ts";
import { type FunctionStore, functionStore } from "./functions.ts";
import { type OwnerStore, ownerStore } from "./owners.ts";
import { type SecretNameStore, secretNameStore } from "./secret_names.ts";
import { type SecretStore, secretStore } from "./secrets.ts";
import { type PackageLockStore, packageLockStore } from "./package_locks.ts";
import { mainSchema } from "./schema.ts";
import { upgradeProgress } from "./upgrade_progress.ts";
import { verifyTables } from "./verification.ts";
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
  transactionWithoutSync<T>(work: () => T): T;
  /** Another number after each transaction: what was read before it may be out of date. */
  changes(): number;
  /** Of the authenticated rows, as of the last transaction. */
  head(): Head;
  /** Whether there is a row with this key that something else has written: it is reported, and can only be deleted. */
  isAltered(table: string, ...key: (number | string)[]): boolean;
  /** Reports something in the database that this program did not write, unless it was reported before. */
  report(finding: Finding): void;
  /** Whether another connection has written since this was asked last: a command, or something else. */
  wasWrittenByOthers(): boolean;
  /** Makes every earlier state of the database invalid, and writes a new record; for a backup that is restored. */
  startEpoch(): void;
  /** Writes down next to the key file how far the database has come, so that an earlier copy of it is found. */
  recordGeneration(): void;
  close(): void;
}

export interface StoreOptions {
  /** Called with what an upgrade could not keep. */
  readonly warn?: (message: string) => void;
  /** Called with how far an upgrade is that takes long. */
  readonly note?: (message: string) => void;
  /** Called with each row, once, that something other than this program has written. */
  readonly onFinding?: (finding: Finding) => void;
  /** Whether this is a backup that is being restored, to which the record does not apply. */
  readonly isRestored?: boolean;
}

/** Tables with at most so many rows are compared with the head at the start. */
const VERIFIED_AT_START_ROWS = 10_000;

/**
 * Opens or creates the database file at `path`, which belongs to `keyFile` from then on, and the record next to it.
 * @throws DataFolderError naming the file if the key file is another database's, if the database is not the one that
 *   the record tells of, or if rows of a small table are missing or were put back
 */
export function openStore(path: string, keyFile: KeyFile, options: StoreOptions = {}): Store {
  const { warn = () => {}, note = () => {}, onFinding = () => {}, isRestored = false } = options;
  const { keyring } = keyFile;
  const binding = new DatabaseBinding(path, keyFile, isRestored);
  const schema = mainSchema(
    (db, version) => binding.check(db, version),
    () => ({
      keyring,
      // There is none while a backup is restored whose rows are authenticated; it is not asked for then.
      get epoch() {
        return binding.epoch;
      },
      warn,
      progress: upgradeProgress(path, note),
    }),
  );
  const db = Database.open(path, schema);
  try {
    const known = new Set<string>();
    const report = (finding: Finding): void => {
      const key = JSON.stringify([finding.table, finding.id]);
      if (known.has(key)) return;
      known.add(key);
      onFinding(finding);
    };
    // At one moment, as a running server may write meanwhile.
    const rows = db.atOneMoment(() => {
      const rows = binding.bind(() => db.guardWith((sqlite) => new AuthenticatedRows(sqlite, keyring, report)));
      binding.confirm(verifyTables(rows.db, keyring, rows.head, VERIFIED_AT_START_ROWS), report);
      return rows;
    });
    binding.record(rows.head);
    const meta = metaStore(db);
    if (meta.get(FINGERPRINT) === undefined) meta.put(FINGERPRINT, keyring.fingerprint());
    return storeOf(db, rows, binding, report);
  } catch (error) {
    db.close();
    throw error;
  }
}

function storeOf(db: Database, rows: AuthenticatedRows, binding: DatabaseBinding, report: Store["report"]): Store {
  return {
    access: accessStore(db, rows),
    admins: adminStore(db, rows),
    audit: auditStore(db),
    ciphertexts: ciphertextStore(db, rows),
    functions: functionStore(db, rows),
    owners: ownerStore(db),
    packageLocks: packageLockStore(db, rows),
    functionSecrets: functionSecretStore(db),
    secrets: secretStore(db, rows),
    secretNames: secretNameStore(db),
    settings: settingsStore(db, rows),
    meta: metaStore(db),
    transaction: (work) => db.transaction(work),
    change: (actor, work) =>
      db.transaction(() => {
        requireEntitled(actor);
        return work();
      }),
    transactionWithoutSync: (work) => db.transactionWithoutSync(work),
    changes: () => db.changes,
    head: () => rows.head,
    isAltered: (table, ...key) => rows.isAltered(table, ...key),
    report,
    wasWrittenByOthers: () => rows.wasWrittenByOthers(),
    startEpoch() {
      const { epoch } = newRecord();
      db.transaction(() => rows.startEpoch(epoch));
      binding.renew(rows.head);
    },
    recordGeneration() {
      rows.refresh();
      binding.record({ ...rows.head, generation: rows.durableGeneration });
    },
    close: () => db.close(),
  };
}
