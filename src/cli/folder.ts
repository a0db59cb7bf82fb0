// What commands ask of the data folder: its lock, and that a database and a key file belong together.

import { existsSync } from "node:fs";
import { type KeyFile, KeyFileError } from "../keyring/key_file.ts";
import type { Keyring } from "../keyring/keyring.ts";
import { FolderInUseError, openDataFolder } from "../store/data_folder.ts";
import { type AuditEvent, OPERATOR, type Recorder } from "../actor.ts";
import { createAudit } from "../core/audit/audit.ts";
import type { Snapshot } from "../store/snapshot.ts";
import { openStore, type Store } from "../store/store.ts";
import type { Context } from "./command.ts";

/**
 * Runs `work` while no server can use the data folder. `instead` says what to do if one runs.
 * @throws FolderInUseError, KeyFileError if there is no key file
 */
export async function withFolder<T>(context: Context, instead: string, work: () => Promise<T> | T): Promise<T> {
  // Taking the lock makes the folder; a mistyped DATA_DIR must not leave one.
  if (!existsSync(context.keyFile)) throw new KeyFileError(`There is no key file at ${context.keyFile}.`);
  const unlock = takeLock(() => openDataFolder(context.config.dataDir), instead);
  try {
    return await work();
  } finally {
    unlock();
  }
}

/** What `take` returns, or its refusal followed by `instead`. */
export function takeLock(take: () => () => void, instead: string): () => void {
  try {
    return take();
  } catch (error) {
    if (!(error instanceof FolderInUseError)) throw error;
    throw new FolderInUseError(`${error.message} ${instead}`);
  }
}

/** Adds to the audit of `store`, beside a running server, too. */
export function recorder({ now, note }: Context, store: Store, keyring: Keyring): Recorder {
  return createAudit({ store, keyring, now: () => now().getTime(), warn: note }).record;
}

/** Adds one entry to the audit of the database at `path`, brought to this version of the schema if need be. */
export function recordIn(context: Context, path: string, keyFile: KeyFile, event: AuditEvent): void {
  const store = openStore(path, keyFile, { warn: context.note, note: context.note });
  try {
    recorder(context, store, keyFile.keyring)(OPERATOR, event);
  } finally {
    store.close();
  }
}

/**
 * Refuses a key file that is not the database's own.
 * @throws KeyFileError naming `keyFile`
 */
export function requirePair(snapshot: Snapshot, keyring: Keyring, keyFile: string): void {
  if (snapshot.isOf(keyring)) return;
  throw new KeyFileError(`${keyFile} is not the key file of the database next to it.`);
}

/** Values whose key version the keyring does not hold, by version. */
export interface MissingVersion {
  readonly version: number;
  readonly values: number;
}

export function missingVersions(counts: ReadonlyMap<number, number>, held: Iterable<number>): MissingVersion[] {
  const known = new Set(held);
  // Version 0 stands for texts that name none: those are damaged, and no key is missing for them.
  return [...counts].filter(([version]) => version !== 0 && !known.has(version))
    .map(([version, values]) => ({ version, values }));
}

export function missingLines(missing: readonly MissingVersion[]): string[] {
  return missing.map(({ version, values }) =>
    `Key version ${version} is not in the key file: ${counted(values, "value")} cannot be read.`
  );
}

/** "1 value", "2 values". */
export function counted(n: number, thing: string, things = `${thing}s`): string {
  return `${n.toLocaleString("en-US")} ${n === 1 ? thing : things}`;
}
