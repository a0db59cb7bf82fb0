// Prepares a backup before it replaces the data: verifies its rows and removes what was revoked since.

import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { OPERATOR } from "../actor.ts";
import { messageOf } from "../errors.ts";
import type { KeyId } from "../ids.ts";
import { apiKeyAad } from "../keyring/aad.ts";
import { DecryptionError, type Keyring } from "../keyring/keyring.ts";
import { newRecord, RECORD_FILE } from "../keyring/generation_record.ts";
import { inspectKeyFile, type KeyFile, leaveRevisions } from "../keyring/key_file.ts";
import { authenticateFile } from "../store/authentication.ts";
import { describeFinding } from "../store/authenticated_tables.ts";
import { DataFolderError } from "../store/data_folder.ts";
import type { KeyLookups, KeyRoll, KeyRow } from "../store/access.ts";
import { openSnapshot, type StoredKey } from "../store/snapshot.ts";
import { CODE_APPLIED } from "../store/settings.ts";
import { openStore, type Store } from "../store/store.ts";
import type { Context } from "./command.ts";
import { recorder } from "./folder.ts";
import { verifyDatabase } from "./verify.ts";

/** API keys and users of the backup that no longer exist in the replaced data. */
export interface Revoked {
  readonly keys: readonly { readonly id: KeyId; readonly name: string; readonly group: string }[];
  readonly users: readonly string[];
}

/** What happened to API keys and users after the backup, as far as it is known. */
interface Since {
  readonly revoked: Revoked;
  /** Values of keys that were rolled. */
  readonly rolled: readonly KeyRoll[];
  /** Expiries of keys that were set, moved or removed. */
  readonly expiries: readonly Pick<KeyRow, "id" | "expiresAt">[];
}

const NOTHING: Since = { revoked: { keys: [], users: [] }, rolled: [], expiries: [] };

export interface RestoreOptions {
  readonly source: string;
  /** Authenticates the rows as they are, even if they were altered. */
  readonly acceptAltered: boolean;
  /** Keeps API keys and users that were revoked after the backup. */
  readonly revive: boolean;
}

/**
 * Rejects a backup that was altered after it was made. One without a record, which was copied manually, is compared with
 * its own head.
 * @throws DataFolderError
 */
export async function requireUnaltered(
  database: string,
  folder: string,
  keyFile: KeyFile,
  { source, acceptAltered }: RestoreOptions,
): Promise<void> {
  {
    using snapshot = openSnapshot(database);
    // Its rows were never authenticated.
    if (!snapshot.isAuthenticated) return;
  }
  const silent: Pick<Context, "progress"> = { progress: async (_label, work) => await work(() => {}) };
  const { findings } = await verifyDatabase(silent, database, keyFile.keyring);
  const hasRecord = existsSync(join(folder, RECORD_FILE));
  rmSync(join(folder, RECORD_FILE), { force: true });
  const problems = findings.filter(({ problem }) => hasRecord || !problem.startsWith("has no record"));
  if (problems.length === 0) return;
  if (!acceptAltered) {
    throw new DataFolderError(
      `${source} was not restored because it was altered: ${problems.map(describeFinding).join("; ")}. ` +
        "With --accept-altered it is restored as it is.",
    );
  }
  authenticateFile(database, keyFile.keyring, newRecord().epoch);
}

/**
 * Upgrades the backup to this version, ends its sessions and password links, revokes what was revoked in `current`, the
 * replaced data, and creates its record. Returns what was revoked.
 */
export function prepareData(
  context: Context,
  database: string,
  keyFile: KeyFile,
  current: string | undefined,
  { source, revive }: RestoreOptions,
): Revoked {
  const store = openStore(database, keyFile, { warn: context.note, note: context.note, isRestored: true });
  try {
    const { revoked, rolled, expiries } = current === undefined
      ? NOTHING
      : changedSince(context, store, keyFile, current);
    const record = recorder(context, store, keyFile.keyring);
    store.transaction(() => {
      // Of a node of a cluster: its code folder was always that of the newest version, which is brought to this one.
      if (inspectKeyFile(keyFile.path).isOfCluster) store.meta.delete(CODE_APPLIED);
      store.admins.deleteAllSessionsAndLinks();
      if (!revive) {
        for (const { id } of revoked.keys) store.access.deleteKey(id);
        for (const key of rolled) store.access.rollKey(key);
        for (const { id, expiresAt } of expiries) store.access.setExpiry(id, expiresAt);
        for (const email of revoked.users) store.admins.deleteAdmin(store.admins.adminByEmail(email)!.id);
      }
      record(OPERATOR, {
        action: "backup.restored",
        subject: { kind: "backup", id: null, name: source },
        after: { [revive ? "revived" : "revoked"]: { keys: revoked.keys.map(({ id }) => id), users: revoked.users } },
      });
    });
    store.startEpoch();
    leaveRevisions(keyFile.path);
    return revoked;
  } finally {
    store.close();
  }
}

/** Finds what was revoked by look-up HMACs, which identify values: ids may have been reused after an earlier restore. */
function changedSince(context: Context, store: Store, { keyring }: KeyFile, current: string): Since {
  try {
    using snapshot = openSnapshot(current);
    if (!snapshot.isOf(keyring)) return NOTHING;
    if (!snapshot.isCurrent) throw new Error("it is from an older version of this program");
    const keys = [...snapshot.apiKeys()];
    const lookups = new Set(keys.map(({ lookup }) => hex(lookup)));
    const byId = new Map(keys.map((key) => [key.id, key]));
    const emails = new Set(snapshot.emails());
    const [revoked, rolled]: [KeyLookups[], KeyRoll[]] = [[], []];
    const expiries: Pick<KeyRow, "id" | "expiresAt">[] = [];
    for (const key of store.access.lookups()) {
      const now = byId.get(key.id);
      if (now?.createdAt === key.createdAt && now.expiresAt !== key.expiresAt) {
        expiries.push({ id: key.id, expiresAt: now.expiresAt });
      }
      if (now && isRolled(now, key)) {
        const roll = rollOf(now, key, store, keyring);
        if (roll) rolled.push(roll);
        else revoked.push(key);
      } else if (!lookups.has(hex(key.lookup))) {
        revoked.push(key);
      }
    }
    return {
      revoked: {
        keys: revoked.map(({ id, name, groupName }) => ({ id, name, group: groupName })),
        users: store.admins.admins().map(({ email }) => email).filter((email) => !emails.has(email)),
      },
      rolled,
      expiries,
    };
  } catch (error) {
    context.note(`API keys and users that were revoked after the backup are valid again: ${messageOf(error)}`);
    return NOTHING;
  }
}

/** Reports whether the value of a key, or the end of the one before, was changed after the backup. */
function isRolled(now: StoredKey, then: KeyLookups): boolean {
  return now.createdAt === then.createdAt &&
    (now.rolledAt !== then.rolledAt || now.previousUntil !== then.previousUntil);
}

/** Returns the key's value of now for its row in the backup; undefined if it cannot be read, or is another key's there. */
function rollOf(
  now: StoredKey,
  { id, name, groupId }: KeyLookups,
  store: Store,
  keyring: Keyring,
): KeyRoll | undefined {
  const holder = store.access.holder(now.lookup);
  if (holder && holder.keyId !== id) return undefined;
  try {
    const ciphertext = keyring.reseal(now.ciphertext, apiKeyAad(now.groupId, now.name), apiKeyAad(groupId, name));
    const { lookup, rolledAt, previousLookup, previousUntil } = now;
    return { id, lookup, ciphertext, rolledAt, previousLookup, previousUntil };
  } catch (error) {
    if (error instanceof DecryptionError) return undefined;
    throw error;
  }
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
