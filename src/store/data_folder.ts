// Opens the data folder: creates it with the right mode, and locks it for one server at a time.

import { chmodSync, existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";

/** The data folder cannot be used; the message names it. */
export class DataFolderError extends Error {}

/** Ends messages about data that something else changed: what the operator can do. */
export const RESTORE = 'To restore a backup, or to use the data as it is, see "deno task cli restore" in docs/cli.md.';

/** A running server or command holds the folder. */
export class FolderInUseError extends DataFolderError {}

/** File that exists while a restore replaces the files of the data folder, which is then inconsistent. */
export const RESTORE_FOLDER = "restore.pending";

/** The file by which a data folder belongs to a node of a cluster. */
export const CLUSTER_FILE = "cluster.json";

/** @throws DataFolderError if the folder belongs to a node, which a server of its own would take out of its cluster */
export function requireNoNode(path: string): void {
  if (!existsSync(join(path, CLUSTER_FILE))) return;
  throw new DataFolderError(
    `DATA_DIR ${path} belongs to a node of a cluster: set DATABASE_URL. To make it a server of its own again, run ` +
      '"deno task cli leave-cluster".',
  );
}

/** File that exists while the data of the folder is moved into a cluster; it contains the cluster's id. */
export const MOVE_FILE = "cluster.pending";

/**
 * Creates the folder at `path` (mode 0700) and locks it until the returned function is called or the process ends in
 * any way. Two servers on one folder would each drop keys that the other needs.
 * @throws DataFolderError
 */
export function openDataFolder(path: string): () => void {
  const unlock = lockDataFolder(path);
  const what = existsSync(join(path, RESTORE_FOLDER))
    ? `A restore into DATA_DIR ${path}`
    : existsSync(join(path, MOVE_FILE))
    ? `Moving DATA_DIR ${path} into a cluster`
    : undefined;
  if (!what) return unlock;
  unlock();
  throw new DataFolderError(`${what} was interrupted. Run it again; nothing is lost.`);
}

/**
 * Does the same as `openDataFolder` for a restore, which may continue an interrupted one.
 * @throws DataFolderError
 */
export function lockDataFolder(path: string): () => void {
  let lock: Deno.FsFile;
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    chmodSync(path, 0o700);
    lock = Deno.openSync(join(path, "server.lock"), { create: true, write: true, mode: 0o600 });
  } catch (error) {
    throw new DataFolderError(`DATA_DIR ${path} cannot be used: ${(error as Error).message}`);
  }
  if (!lock.tryLockSync(true)) {
    lock.close();
    throw new FolderInUseError(`DATA_DIR ${path} is in use by another server.`);
  }
  return () => lock.close();
}
