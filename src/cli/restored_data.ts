// Prepares a backup before it replaces the data: verifies its rows and removes what was revoked since.

import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { OPERATOR } from "../actor.ts";
import { messageOf } from "../errors.ts";
import { newRecord, RECORD_FILE } from "../keyring/generation_record.ts";
import { inspectKeyFile, type KeyFile, leaveRevisions } from "../keyring/key_file.ts";
import { authenticateFile } from "../store/authentication.ts";
import { describeFinding } from "../store/authenticated_tables.ts";
import { DataFolderError } from "../store/data_folder.ts";
import { openSnapshot } from "../store/snapshot.ts";
import { CODE_APPLIED } from "../store/settings.ts";
import { openStore, type Store } from "../store/store.ts";
import type { Context } from "./command.ts";
import { recorder } from "./folder.ts";
import { verifyDatabase } from "./verify.ts";

/** API keys and users of the backup that no longer exist in the replaced data. */
export interface Revoked {
  readonly keys: readonly { readonly id: number; readonly name: string; readonly group: string }[];
  readonly users: readonly string[];
}

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
    const revoked = current === undefined ? { keys: [], users: [] } : revokedSince(context, store, keyFile, current);
    const record = recorder(context, store, keyFile.keyring);
    store.transaction(() => {
      // Of a node of a cluster: its code folder was always that of the newest version, which is brought to this one.
      if (inspectKeyFile(keyFile.path).isOfCluster) store.meta.delete(CODE_APPLIED);
      store.admins.deleteAllSessionsAndLinks();
      if (!revive) {
        for (const { id } of revoked.keys) store.access.deleteKey(id as never);
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
function revokedSince(context: Context, store: Store, { keyring }: KeyFile, current: string): Revoked {
  try {
    using snapshot = openSnapshot(current);
    if (!snapshot.isOf(keyring)) return { keys: [], users: [] };
    if (!snapshot.isCurrent) throw new Error("it is from an older version of this program");
    const lookups = new Set([...snapshot.apiKeys()].map(({ lookup }) => hex(lookup)));
    const emails = new Set(snapshot.emails());
    return {
      keys: store.access.lookups().filter(({ lookup }) => !lookups.has(hex(lookup)))
        .map(({ id, name, groupName }) => ({ id, name, group: groupName })),
      users: store.admins.admins().map(({ email }) => email).filter((email) => !emails.has(email)),
    };
  } catch (error) {
    context.note(`API keys and users that were revoked after the backup are valid again: ${messageOf(error)}`);
    return { keys: [], users: [] };
  }
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
