// The database as it is at one moment, read-only, beside whoever writes to it: for backups, checks and counts.
// Changes nothing, also not the schema.

import { closeSync, existsSync, openSync } from "node:fs";
import { backup, DatabaseSync, type StatementSync } from "node:sqlite";
import { messageOf } from "../errors.ts";
import type { GroupId, KeyId, Owner, Scope, SecretId, SecretName } from "../ids.ts";
import type { Keyring } from "../keyring/keyring.ts";
import { type AuditRow, SELECT_AUDIT } from "./audit.ts";
import { BUSY_TIMEOUT_MS, first, type Row } from "./database.ts";
import { DataFolderError } from "./data_folder.ts";
import { AUTHENTICATED_VERSION, fingerprintOf, lookupOf, SCHEMA_VERSION } from "./schema.ts";
import { toOwner } from "./secrets.ts";

/** Pages between two reports of how far a copy is; at 4 KB each, 8 MB. */
const PAGES_PER_STEP = 2_048;

export interface StoredSecret {
  readonly id: SecretId;
  readonly name: SecretName;
  readonly owner: Owner;
  readonly ciphertext: string;
}

export interface StoredKey {
  readonly id: KeyId;
  readonly name: string;
  readonly groupId: GroupId;
  readonly groupName: string;
  /** HMAC-SHA-256 of the value. */
  readonly lookup: Uint8Array;
  readonly ciphertext: string;
}

export interface Snapshot extends Disposable {
  /** Whether this program's other parts can work on the database without bringing its schema forward. */
  readonly isCurrent: boolean;
  /** Whether its rows are authenticated; an older version's may be. */
  readonly isAuthenticated: boolean;
  /** Whether it belongs to this keyring, or has never been used with one. */
  isOf(keyring: Keyring): boolean;
  /** What it holds to look up the API key with this value. */
  lookupOf(keyring: Keyring, value: string): Uint8Array;
  /** How many secrets and API keys there are. */
  count(): number;
  /** How many of them are sealed with each key version, by version; 0 stands for damaged texts without one. */
  countByVersion(): Map<number, number>;
  /** All of them in order of id. */
  secrets(): Iterable<StoredSecret>;
  apiKeys(): Iterable<StoredKey>;
  /** Of the users of the admin pages. */
  emails(): string[];
  /** The audit's entries with an id of at least `from`, in order; undefined if the database is older than the audit. */
  readonly audit: { entries(from: number): Iterable<AuditRow>; readonly head: string | undefined } | undefined;
  /** Writes it to a new file at `path`, mode 0600, checked to be whole and not yet synced to disk. */
  copyTo(path: string, onProgress: (done: number, total: number) => void): Promise<void>;
}

/**
 * The database at `path` as it is now; what is committed later is not seen. Others can write meanwhile.
 * @throws DataFolderError naming `path` if there is none that this program can read
 */
export function openSnapshot(path: string): Snapshot {
  if (!existsSync(path)) throw new DataFolderError(`There is no database at ${path}.`);
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
    db.exec("PRAGMA trusted_schema = OFF; BEGIN");
    // The first read is what the transaction's moment is decided by.
    const { user_version: version } = first<{ user_version: number }>(db.prepare("PRAGMA user_version"))!;
    if (version === 0) throw new Error("it holds nothing yet");
    if (version > SCHEMA_VERSION) {
      throw new Error(`it was written by a newer version of this program (schema ${version})`);
    }
    return snapshot(db, version);
  } catch (error) {
    db?.close();
    throw new DataFolderError(`${path} cannot be used as a database: ${messageOf(error)}.`);
  }
}

function snapshot(db: DatabaseSync, version: number): Snapshot {
  const fingerprint = db.prepare("SELECT value FROM meta WHERE name = 'keyring'");
  const count = db.prepare("SELECT (SELECT count(*) FROM secrets) + (SELECT count(*) FROM api_keys) AS n");
  const byVersion = db.prepare(
    "SELECT CASE WHEN ciphertext GLOB 'v[1-9]*.*' THEN CAST(substr(ciphertext, 2, instr(ciphertext, '.') - 2) AS INTEGER)" +
      " ELSE 0 END AS version, count(*) AS n" +
      " FROM (SELECT ciphertext FROM secrets UNION ALL SELECT ciphertext FROM api_keys) GROUP BY 1 ORDER BY 1",
  );
  const secrets = db.prepare("SELECT id, name, scope, owner_id AS ownerId, ciphertext FROM secrets ORDER BY id");
  const apiKeys = db.prepare(
    "SELECT k.id, k.name, k.group_id AS groupId, g.name AS groupName, k.lookup, k.ciphertext" +
      " FROM api_keys k JOIN key_groups g ON g.id = k.group_id ORDER BY k.id",
  );

  return {
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
    apiKeys: () => each<StoredKey & Row>(apiKeys),
    emails: () => (db.prepare("SELECT email FROM admins").all() as { email: string }[]).map(({ email }) => email),
    audit: auditOf(db),

    async copyTo(path, onProgress) {
      closeSync(openSync(path, "wx", 0o600));
      // The open transaction keeps the moment: without it, each write meanwhile would begin the copy anew.
      await backup(db, path, {
        rate: PAGES_PER_STEP,
        progress: ({ totalPages, remainingPages }) => onProgress(totalPages - remainingPages, totalPages),
      });
      const copy = new DatabaseSync(path);
      try {
        // A copy in WAL mode would get companions beside it as soon as somebody looks into it.
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
    // A statement for each, as one that is still being read begins anew when it is asked again.
    entries: (from) => each<AuditRow & Row>(db.prepare(`${SELECT_AUDIT} WHERE id >= ${Number(from)} ORDER BY id`)),
    head: first<{ value: string }>(head)?.value,
  };
}

/** Rows one by one, typed by the statement's columns. */
function each<T extends Row>(statement: StatementSync): Iterable<T> {
  return statement.iterate() as unknown as Iterable<T>;
}
