// Opens the store: every table of the main database, and transactions across them.

import { type Actor, requireEntitled } from "../actor.ts";
import { newRecord } from "../keyring/generation_record.ts";
import type { KeyFile } from "../keyring/key_file.ts";
import type { Keyring } from "../keyring/keyring.ts";
import type { Head } from "../keyring/sealed_head.ts";
import { type AccessStore, createAccessStore } from "./access.ts";
import { type AnnouncedStore, createAnnouncedStore } from "./announced.ts";
import { attempt } from "./attempt.ts";
import { type AdminStore, createAdminStore } from "./admins.ts";
import { type AuditStore, createAuditStore } from "./audit.ts";
import { type CiphertextStore, createCiphertextStore } from "./ciphertexts.ts";
import { type CodeVersionStore, createCodeVersionStore } from "./code_versions.ts";
import { AuthenticatedRows } from "./authenticated_rows.ts";
import type { Finding } from "./authenticated_tables.ts";
import { DatabaseBinding, FINGERPRINT } from "./binding.ts";
import { type AppliedListener, type ChangeCounter, Database } from "./database.ts";
import { createFunctionSecretStore, type FunctionSecretStore } from "./function_secrets.ts";
import { createFunctionStore, type FunctionStore } from "./functions.ts";
import { createNameSearch, type NameSearch } from "./name_search.ts";
import { createOwnerStore, type OwnerStore } from "./owners.ts";
import { createSecretNameStore, type SecretNameStore } from "./secret_names.ts";
import { createSecretStore, type SecretStore } from "./secrets.ts";
import { createDeliveryStore, type DeliveryStore } from "./deliveries.ts";
import { createMailStore, type MailStore } from "./mail.ts";
import { createDeletedSecretStore, type DeletedSecretStore } from "./deleted_secrets.ts";
import { createSecretArchive, type SecretArchive } from "./secret_archive.ts";
import { createSecretVersionStore, type SecretVersionStore } from "./secret_versions.ts";
import { createPackageLockStore, type PackageLockStore } from "./package_locks.ts";
import { createReplication, type Replication } from "./replication.ts";
import { mainSchema } from "./schema.ts";
import { createUpgradeProgress } from "./upgrade_progress.ts";
import { verifyTables } from "./verification.ts";
import { createWebhookStore, type WebhookStore } from "./webhooks.ts";
import { createMetaStore, createSettingsStore, type MetaStore, type SettingsStore } from "./settings.ts";

export interface Store {
  readonly access: AccessStore;
  readonly admins: AdminStore;
  readonly audit: AuditStore;
  readonly ciphertexts: CiphertextStore;
  readonly codeVersions: CodeVersionStore;
  readonly functions: FunctionStore;
  readonly nameSearch: NameSearch;
  readonly owners: OwnerStore;
  readonly packageLocks: PackageLockStore;
  readonly functionSecrets: FunctionSecretStore;
  readonly secrets: SecretStore;
  readonly secretVersions: SecretVersionStore;
  readonly deletedSecrets: DeletedSecretStore;
  readonly secretArchive: SecretArchive;
  readonly secretNames: SecretNameStore;
  readonly settings: SettingsStore;
  readonly webhooks: WebhookStore;
  readonly mail: MailStore;
  readonly deliveries: DeliveryStore;
  readonly announced: AnnouncedStore;
  readonly meta: MetaStore;
  /**
   * Stores everything that `work` does, or nothing if it throws, and resolves once that is in force. `work` is
   * synchronous, may be taken back and run again, and has no other effects: those belong in `applied`, which is called at once when the rows are stored,
   * before anything else runs, or in a listener of `onApplied`. All changes of a server go through this.
   * @throws any error that `work` or `applied` throws
   */
  commit<T>(work: () => T): Promise<T>;
  commit<T, R>(work: () => T, applied: (result: T) => R): Promise<R>;
  /** The same, for work that takes longer than some hundred milliseconds: on a node, its lease must not lapse meanwhile. */
  commitLong<T>(work: () => T): Promise<T>;
  /** The same, in a transaction that a power cut may undo as a whole until another one follows. */
  commitWithoutSync<T>(work: () => T): Promise<T>;
  /** Makes changes outside of `commit` errors from now on. */
  requireCommits(): void;
  /** Changes what describes this machine alone, such as what is in its folders; see LOCAL_META. */
  local(work: () => void): void;
  /** Makes this store the one of a node: its changes are recorded and applied. To be followed by `commitThrough`. */
  replicate(): Replication;
  /** Gives all changes to `committer` from now on. */
  commitThrough(committer: Committer): void;
  /** Calls `listener` with the rows that a transaction changed, once they are stored and before anything else runs. */
  onApplied(listener: AppliedListener): void;
  /** Reports whether a transaction is in progress, so that what is read may be rolled back. */
  inTransaction(): boolean;
  /** Stores everything that `work` does, or nothing if it throws; `work` is synchronous. In a server, within `commit`. */
  transaction<T>(work: () => T): T;
  /**
   * Runs a transaction for a change by `actor`, provided that they may still make changes when it begins.
   * @throws AppError EntitlementLost (401); any error that `work` throws
   */
  change<T>(actor: Actor, work: () => T): T;
  /** Runs a transaction that a power cut may undo as a whole until another transaction follows. */
  transactionWithoutSync<T>(work: () => T): T;
  readonly changes: ChangeCounter;
  /** Returns the head of the authenticated rows as of the last transaction. */
  head(): Head;
  /** Reports whether there is an altered row with this key, which can only be deleted; it is logged as a finding. */
  isAltered(table: string, ...key: (number | string)[]): boolean;
  /** Reports a change that this program did not make, unless it was reported before. */
  report(finding: Finding): void;
  /** Reports whether another connection has written since the last call: a command, or something else. */
  wasWrittenByOthers(): boolean;
  /** Invalidates every earlier state of the database and writes a new record; for the restore of a backup. */
  startEpoch(): void;
  /** Records the database's generation next to the key file, so that an earlier copy of the database is detected. */
  recordGeneration(): void;
  close(): void;
}

/** Makes the changes of a node on all nodes; see `Store.commit`. */
export interface Committer {
  commit<T, R = T>(work: () => T, applied?: (result: T) => R, isLong?: boolean): Promise<R>;
}

export interface StoreOptions {
  /** Is called with what an upgrade could not preserve. */
  readonly warn?: (message: string) => void;
  /** Is called with the progress of a long upgrade. */
  readonly note?: (message: string) => void;
  /** Is called once for each row that something other than this program changed. */
  readonly onFinding?: (finding: Finding) => void;
  /** Whether this is a backup that is being restored; the record does not apply to it. */
  readonly isRestored?: boolean;
}

/** Tables with at most this many rows are compared with the head at the start. */
const VERIFIED_AT_START_ROWS = 10_000;

/**
 * Opens or creates the database file at `path`, which is then bound to `keyFile`, and the record next to it.
 * @throws DataFolderError naming the file if the key file belongs to another database, if the database does not match
 *   the record, or if rows of a small table are missing or were replaced by older ones
 */
export function openStore(path: string, keyFile: KeyFile, options: StoreOptions = {}): Store {
  const { warn = () => {}, note = () => {}, onFinding = () => {}, isRestored = false } = options;
  const { keyring } = keyFile;
  const binding = new DatabaseBinding(path, keyFile, isRestored);
  const schema = mainSchema(
    (db, version) => binding.check(db, version),
    () => ({
      keyring,
      // Missing while a backup with authenticated rows is restored; it is not needed then.
      get epoch() {
        return binding.epoch;
      },
      warn,
      progress: createUpgradeProgress(path, note),
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
    // On one snapshot, as a running server may write at the same time.
    const rows = db.atOneMoment(() => {
      const rows = binding.bind(() => db.guardWith((sqlite) => new AuthenticatedRows(sqlite, keyring, report)));
      binding.confirm(verifyTables(rows.db, keyring, rows.head, VERIFIED_AT_START_ROWS), report);
      return rows;
    });
    binding.record(rows.head);
    const meta = createMetaStore(db);
    if (meta.get(FINGERPRINT) === undefined) meta.put(FINGERPRINT, keyring.fingerprint());
    return storeOf(db, rows, binding, keyring, report);
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Longer than 80 lines: it makes one object of all tables. */
function storeOf(
  db: Database,
  rows: AuthenticatedRows,
  binding: DatabaseBinding,
  keyring: Keyring,
  report: Store["report"],
): Store {
  const secrets = createSecretStore(db, rows);
  const secretVersions = createSecretVersionStore(db, rows);
  const deletedSecrets = createDeletedSecretStore(db, rows);
  const access = createAccessStore(db, rows);
  const requireNoTransaction = (): void => {
    if (db.inTransaction) throw new Error("a commit was begun within a transaction");
  };
  let committer: Committer | undefined;
  /** What was given to `local` while a change was recorded. */
  const waiting: (() => void)[] = [];
  const localNow = (work: () => void): void => db.allow(() => db.transactionWithoutSync(work));
  const commit = <T, R = T>(work: () => T, applied?: (result: T) => R, isLong = false): Promise<R> =>
    attempt(() => {
      requireNoTransaction();
      if (committer) return committer.commit(work, applied, isLong);
      const result = db.allow(() => db.transaction(work));
      return applied ? applied(result) : result as unknown as R;
    });
  return {
    access,
    admins: createAdminStore(db, rows),
    audit: createAuditStore(db),
    ciphertexts: createCiphertextStore(db, rows),
    codeVersions: createCodeVersionStore(db),
    functions: createFunctionStore(db, rows),
    nameSearch: createNameSearch(db),
    owners: createOwnerStore(db),
    packageLocks: createPackageLockStore(db, rows),
    functionSecrets: createFunctionSecretStore(db),
    secrets,
    secretVersions,
    deletedSecrets,
    secretArchive: createSecretArchive({ secrets, secretVersions, deletedSecrets, access, keyring }),
    secretNames: createSecretNameStore(db),
    settings: createSettingsStore(db, rows),
    webhooks: createWebhookStore(db, rows),
    mail: createMailStore(db, rows),
    deliveries: createDeliveryStore(db, rows),
    announced: createAnnouncedStore(db),
    meta: createMetaStore(db),
    commit,
    commitLong: (work) => commit(work, undefined, true),
    commitWithoutSync: (work) =>
      attempt(() => {
        requireNoTransaction();
        if (committer) return committer.commit(work);
        return db.allow(() => db.transactionWithoutSync(work));
      }),
    requireCommits: () => db.refuseOthers(),
    local(work) {
      if (db.isRecording) waiting.push(work);
      else localNow(work);
    },
    replicate: () => createReplication({ db, rows, recorded: () => waiting.splice(0).forEach(localNow) }),
    commitThrough(through) {
      committer = through;
      db.refuseOthers();
    },
    onApplied: (listener) => db.onApplied(listener),
    inTransaction: () => db.inTransaction,
    transaction: (work) => db.transaction(work),
    change: (actor, work) =>
      db.transaction(() => {
        requireEntitled(actor);
        return work();
      }),
    transactionWithoutSync: (work) => db.transactionWithoutSync(work),
    changes: db.changes,
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
