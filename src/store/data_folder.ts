// The data folder: made with the right mode, and held by one server at a time.

import { chmodSync, existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";

/** Why the data folder cannot be used; the message names it. */
export class DataFolderError extends Error {}

/** What an operator can do about data that something else changed; ends a message. */
export const RESTORE =
  'To go back to a backup, or to use the data as it is, see "deno task cli restore" in docs/cli.md.';

/** A running server or command holds the folder. */
export class FolderInUseError extends DataFolderError {}

/** In the data folder while a restore is exchanging its files, which then are neither the old ones nor the new. */
export const RESTORE_FOLDER = "restore.pending";

/**
 * Makes the folder at `path` (mode 0700) and takes its lock until the returned function is called or the
 * process ends, however it ends. Two servers on one folder would each rotate the other's keys away.
 * @throws DataFolderError
 */
export function openDataFolder(path: string): () => void {
  const unlock = lockDataFolder(path);
  if (!existsSync(join(path, RESTORE_FOLDER))) return unlock;
  unlock();
  throw new DataFolderError(`A restore into DATA_DIR ${path} was interrupted. Run it again; nothing is lost.`);
}

/**
 * As `openDataFolder`, for a restore, which may find what an interrupted one left.
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
