// Locks the data folder for commands, opens its data, and checks that the database and the key file belong together.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { inspectKeyFile, KeyFile, KeyFileError } from "../keyring/key_file.ts";
import type { Keyring } from "../keyring/keyring.ts";
import { CLUSTER_FILE, DataFolderError, FolderInUseError, openDataFolder } from "../store/data_folder.ts";
import { type AuditEvent, OPERATOR, type Recorder } from "../actor.ts";
import { createAudit } from "../core/audit/audit.ts";
import { openSnapshot, type Snapshot } from "../store/snapshot.ts";
import { openStore, type Store } from "../store/store.ts";
import type { Context } from "./command.ts";

/**
 * Runs `work` while no server can use the data folder. `instead` says what to do if a server is running.
 * @throws FolderInUseError, KeyFileError if there is no key file
 */
export async function withFolder<T>(context: Context, instead: string, work: () => Promise<T> | T): Promise<T> {
  // Locking creates the folder, which must not happen for a mistyped DATA_DIR.
  if (!existsSync(context.keyFile)) throw new KeyFileError(`There is no key file at ${context.keyFile}.`);
  const unlock = takeLock(() => openDataFolder(context.config.dataDir), instead);
  try {
    return await work();
  } finally {
    unlock();
  }
}

/**
 * Rejects the data folder of a node of a cluster, of which PostgreSQL has the changes: what a command wrote there would be
 * lost. `instead` says what to do.
 * @throws DataFolderError, KeyFileError
 */
export function refuseNode({ keyFile, config }: Context, instead: string): void {
  const isNode = existsSync(join(config.dataDir, CLUSTER_FILE)) ||
    (existsSync(keyFile) && inspectKeyFile(keyFile).isOfCluster);
  if (!isNode) return;
  throw new DataFolderError(`${config.dataDir} is the data folder of a node of a cluster. ${instead}`);
}

/** Calls `take`; if the folder is in use, appends `instead` to the message. */
export function takeLock(take: () => () => void, instead: string): () => void {
  try {
    return take();
  } catch (error) {
    if (!(error instanceof FolderInUseError)) throw error;
    throw new FolderInUseError(`${error.message} ${instead}`);
  }
}

/** The data of a running or stopped server. */
export interface CurrentData extends Disposable {
  readonly store: Store;
  readonly keyring: Keyring;
  readonly record: Recorder;
}

/**
 * Opens the database and the key file for a change, also while a server uses them; does not upgrade the schema.
 * `insteadOnNode` says what to do on a node of a cluster.
 * @throws DataFolderError, KeyFileError
 */
export function openCurrentData(context: Context, insteadOnNode: string): CurrentData {
  refuseNode(context, insteadOnNode);
  const { database, keyFile, config } = context;
  // The database first: a key is written to the file before anything in the database needs it.
  using snapshot = openSnapshot(database);
  if (!snapshot.isCurrent) {
    throw new DataFolderError(`${database} is from an older version of this program; start the server on it first.`);
  }
  const file = new KeyFile(keyFile, config.keyringPassphrase);
  const { keyring } = file;
  requirePair(snapshot, keyring, keyFile);
  const store = openStore(database, file);
  return { store, keyring, record: recorder(context, store, keyring), [Symbol.dispose]: () => store.close() };
}

/** Returns a recorder for the audit of `store`; works while a server runs, too. */
export function recorder({ now, note }: Context, store: Store, keyring: Keyring): Recorder {
  return createAudit({ store, keyring, now: () => now().getTime(), warn: note }).record;
}

/** Adds one entry to the audit of the database at `path`, after an upgrade of its schema if necessary. */
export function recordIn(context: Context, path: string, keyFile: KeyFile, event: AuditEvent): void {
  const store = openStore(path, keyFile, { warn: context.note, note: context.note });
  try {
    recorder(context, store, keyFile.keyring)(OPERATOR, event);
  } finally {
    store.close();
  }
}

/**
 * Rejects a key file that belongs to another database.
 * @throws KeyFileError naming `keyFile`
 */
export function requirePair(snapshot: Snapshot, keyring: Keyring, keyFile: string): void {
  if (snapshot.isOf(keyring)) return;
  throw new KeyFileError(`${keyFile} is not the key file of the database next to it.`);
}

/** The number of values whose key version is missing. */
export interface MissingVersion {
  readonly version: number;
  readonly values: number;
}

export function missingVersions(counts: ReadonlyMap<number, number>, held: Iterable<number>): MissingVersion[] {
  const known = new Set(held);
  // Version 0 stands for texts without a version: those are damaged, and no key is missing for them.
  return [...counts].filter(([version]) => version !== 0 && !known.has(version))
    .map(([version, values]) => ({ version, values }));
}

export function missingLines(missing: readonly MissingVersion[]): string[] {
  return missing.map(({ version, values }) =>
    `Key version ${version} is not in the key file: ${counted(values, "value")} cannot be read.`
  );
}

/** Returns "1 value" or "2 values". */
export function counted(n: number, thing: string, things = `${thing}s`): string {
  return `${n.toLocaleString("en-US")} ${n === 1 ? thing : things}`;
}
