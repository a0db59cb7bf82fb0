// Opens a read-only snapshot of the database, while others may write to it: for backups, checks and counts. Changes
// nothing, not even the schema.

import { closeSync, existsSync, openSync } from "node:fs";
import { backup, DatabaseSync, type StatementSync } from "node:sqlite";
import { reasonOf } from "../errors.ts";
import type { GroupId, KeyId, Owner, Scope, SecretId, SecretName } from "../ids.ts";
import type { Keyring } from "../keyring/keyring.ts";
import { type AuditRow, SELECT_AUDIT } from "./audit.ts";
import { all, BUSY_TIMEOUT_MS, first, type Row } from "./database.ts";
import { DataFolderError } from "./data_folder.ts";
import {
  AUTHENTICATED_VERSION,
  fingerprintOf,
  KEY_EXPIRY_VERSION,
  lookupOf,
  ROLLED_KEYS_VERSION,
  SCHEMA_VERSION,
  SECRET_VERSIONS_VERSION,
} from "./schema.ts";
import { toOwner } from "./secrets.ts";

/** Pages between two reports of a copy's progress; at 4 KB each, 8 MB. */
const PAGES_PER_STEP = 2_048;

export interface StoredSecret {
  readonly id: SecretId;
  readonly name: SecretName;
  readonly owner: Owner;
  readonly ciphertext: string;
}

/** A value of a secret that is not the current one. */
export interface StoredVersion {
  readonly secretId: SecretId;
  readonly number: number;
  readonly ciphertext: string;
}

export interface StoredKey {
  readonly id: KeyId;
  readonly name: string;
  readonly groupId: GroupId;
  readonly groupName: string;
  readonly createdAt: number;
  /** HMAC-SHA-256 of the value. */
  readonly lookup: Uint8Array;
  readonly ciphertext: string;
  /** When the value was replaced; null if never. Likewise below. */
  readonly rolledAt: number | null;
  readonly previousLookup: Uint8Array | null;
  readonly previousUntil: number | null;
  readonly expiresAt: number | null;
}

export interface Snapshot extends Disposable {
  /** The version of the schema. */
  readonly version: number;
  /** Whether the schema is up to date, so that other parts of this program can use the database. */
  readonly isCurrent: boolean;
  /** Whether its rows are authenticated; they may be in an older version, too. */
  readonly isAuthenticated: boolean;
  /** Reports whether it belongs to this keyring, or has never been used with one. */
  isOf(keyring: Keyring): boolean;
  /** Returns the HMAC by which it stores the API key with this value. */
  lookupOf(keyring: Keyring, value: string): Uint8Array;
  /** Returns the number of secrets, earlier values of secrets and API keys. */
  count(): number;
  /** Returns how many of them are encrypted with each key version; 0 stands for damaged texts without a version. */
  countByVersion(): Map<number, number>;
  /** Iterates over all secrets in order of id. */
  secrets(): Iterable<StoredSecret>;
  /** Iterates over all earlier values of secrets, those of deleted ones included. */
  secretVersions(): Iterable<StoredVersion>;
  apiKeys(): Iterable<StoredKey>;
  /** Returns the SHA-256 of each file of the newest version of the code, by path. The schema must be current. */
  codeFiles(): Map<string, string>;
  /** Returns a value of the table `meta`. */
  meta(name: string): string | undefined;
  /** Returns the e-mail addresses of the users of the admin pages. */
  emails(): string[];
  /** The audit, with entries from an id on, in order; undefined if the database is older than the audit. */
  readonly audit: { entries(from: number): Iterable<AuditRow>; readonly head: string | undefined } | undefined;
  /** Copies it to a new file at `path`, mode 0600, and checks the copy, which is not yet synced to disk. */
  copyTo(path: string, onProgress: (done: number, total: number) => void): Promise<void>;
}

/**
 * Opens a snapshot of the database at `path`, which does not include later commits. Others can write meanwhile.
 * @throws DataFolderError naming `path` if there is no database that this program can read
 */
export function openSnapshot(path: string): Snapshot {
  if (!existsSync(path)) throw new DataFolderError(`There is no database at ${path}.`);
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
    db.exec("PRAGMA trusted_schema = OFF; BEGIN");
    // The first read determines the snapshot.
    const { user_version: version } = first<{ user_version: number }>(db.prepare("PRAGMA user_version"))!;
    if (version === 0) throw new Error("it is empty");
    if (version > SCHEMA_VERSION) {
      throw new Error(`it was written by a newer version of this program (schema ${version})`);
    }
    return snapshot(db, version);
  } catch (error) {
    db?.close();
    throw new DataFolderError(`${path} cannot be used as a database: ${reasonOf(error)}.`);
  }
}

function snapshot(db: DatabaseSync, version: number): Snapshot {
  const fingerprint = db.prepare("SELECT value FROM meta WHERE name = 'keyring'");
  const tables = ["secrets", "api_keys", ...(version >= SECRET_VERSIONS_VERSION ? ["secret_versions"] : [])];
  const count = db.prepare(`SELECT ${tables.map((name) => `(SELECT count(*) FROM ${name})`).join(" + ")} AS n`);
  const byVersion = db.prepare(
    "SELECT CASE WHEN ciphertext GLOB 'v[1-9]*.*' THEN CAST(substr(ciphertext, 2, instr(ciphertext, '.') - 2) AS INTEGER)" +
      " ELSE 0 END AS version, count(*) AS n" +
      ` FROM (${tables.map((name) => `SELECT ciphertext FROM ${name}`).join(" UNION ALL ")}) GROUP BY 1 ORDER BY 1`,
  );
  const secrets = db.prepare("SELECT id, name, scope, owner_id AS ownerId, ciphertext FROM secrets ORDER BY id");
  const secretVersions = version >= SECRET_VERSIONS_VERSION
    ? db.prepare("SELECT secret_id AS secretId, number, ciphertext FROM secret_versions ORDER BY secret_id, number")
    : undefined;
  const apiKeys = db.prepare(
    "SELECT k.id, k.name, k.group_id AS groupId, g.name AS groupName, k.created_at AS createdAt, k.lookup, k.ciphertext, " +
      (version >= ROLLED_KEYS_VERSION
        ? "k.rolled_at AS rolledAt, k.previous_lookup AS previousLookup, k.previous_until AS previousUntil"
        : "NULL AS rolledAt, NULL AS previousLookup, NULL AS previousUntil") +
      (version >= KEY_EXPIRY_VERSION ? ", k.expires_at AS expiresAt" : ", NULL AS expiresAt") +
      " FROM api_keys k JOIN key_groups g ON g.id = k.group_id ORDER BY k.id",
  );

  return {
    version,
    isCurrent: version === SCHEMA_VERSION,
    isAuthenticated: version >= AUTHENTICATED_VERSION,
    isOf(keyring) {
      const bound = first<{ value: string }>(fingerprint)?.value;
      return bound === undefined || bound === fingerprintOf(keyring, version);
    },
    lookupOf: (keyring, value) => lookupOf(keyring, version, value),
    count: () => first<{ n: number }>(count)!.n,
    countByVersion: () => new Map([...each<{ version: number; n: number }>(byVersion)].map((r) => [r.version, r.n])),
    *secrets() {
      for (
        const row of each<{ id: number; name: string; scope: Scope; ownerId: number; ciphertext: string }>(secrets)
      ) {
        const { id, name, scope, ownerId, ciphertext } = row;
        yield { id: id as SecretId, name: name as SecretName, owner: toOwner(scope, ownerId), ciphertext };
      }
    },
    secretVersions: () => secretVersions ? each<StoredVersion & Row>(secretVersions) : [],
    apiKeys: () => each<StoredKey & Row>(apiKeys),
    codeFiles: () =>
      new Map(
        all<{ path: string; sha256: string }>(db.prepare(
          "SELECT path, sha256 FROM version_files f WHERE sha256 IS NOT NULL AND version_id =" +
            " (SELECT max(version_id) FROM version_files WHERE path = f.path)",
        )).map(({ path, sha256 }) => [path, sha256]),
      ),
    meta: (name) => first<{ value: string }>(db.prepare("SELECT value FROM meta WHERE name = ?"), name)?.value,
    emails: () => (db.prepare("SELECT email FROM admins").all() as { email: string }[]).map(({ email }) => email),
    audit: auditOf(db),

    async copyTo(path, onProgress) {
      closeSync(openSync(path, "wx", 0o600));
      // The open transaction keeps the snapshot: without it, each write by others would restart the copy.
      await backup(db, path, {
        rate: PAGES_PER_STEP,
        progress: ({ totalPages, remainingPages }) => onProgress(totalPages - remainingPages, totalPages),
      });
      const copy = new DatabaseSync(path);
      try {
        // A copy in WAL mode would get further files next to it as soon as it is opened.
        copy.exec("PRAGMA journal_mode = DELETE");
        const { quick_check: problem } = first<{ quick_check: string }>(copy.prepare("PRAGMA quick_check(1)"))!;
        if (problem !== "ok") throw new DataFolderError(`The database is damaged: ${problem}.`);
      } finally {
        copy.close();
      }
    },

    [Symbol.dispose]: () => db.close(),
  };
}

function auditOf(db: DatabaseSync): Snapshot["audit"] {
  if (!first(db.prepare("SELECT 1 AS one FROM sqlite_schema WHERE type = 'table' AND name = 'audit'"))) {
    return undefined;
  }
  const head = db.prepare("SELECT value FROM meta WHERE name = 'audit-head'");
  return {
    // A new statement for each call: a statement that is still being read would restart.
    entries: (from) => each<AuditRow & Row>(db.prepare(`${SELECT_AUDIT} WHERE id >= ${Number(from)} ORDER BY id`)),
    head: first<{ value: string }>(head)?.value,
  };
}

/** Iterates over rows; `T` describes the statement's columns. */
function each<T extends Row>(statement: StatementSync): Iterable<T> {
  return statement.iterate() as unknown as Iterable<T>;
}
