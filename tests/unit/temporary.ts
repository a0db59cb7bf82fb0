// A folder, and a real store and keyring in it, that are gone when the test is: `using there = temporaryStore();`

import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Recorder } from "../../src/actor.ts";
import { AppError } from "../../src/errors.ts";
import { type KeyFile, openKeyFile } from "../../src/keyring/key_file.ts";
import type { Keyring } from "../../src/keyring/keyring.ts";
import { openStore, type Store } from "../../src/store/store.ts";

export interface TemporaryFolder extends Disposable {
  /** Absolute, without links in it. */
  readonly path: string;
}

export function temporaryFolder(): TemporaryFolder {
  const path = Deno.realPathSync(Deno.makeTempDirSync({ prefix: "crude-functions-unit-" }));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

export interface TemporaryStore extends Disposable {
  /** The database file. */
  readonly path: string;
  readonly store: Store;
  readonly keyFile: KeyFile;
  readonly keyring: Keyring;
}

export function temporaryStore(): TemporaryStore {
  const folder = temporaryFolder();
  const path = join(folder.path, "database.db");
  const { store, keyFile } = openStoreAt(path);
  return {
    path,
    store,
    keyFile,
    keyring: keyFile.keyring,
    [Symbol.dispose]: () => {
      store.close();
      folder[Symbol.dispose]();
    },
  };
}

/** The store in the file at `path` and the key file next to it; either is created if it does not exist. */
export function openStoreAt(path: string, createdAt = new Date(0)): { store: Store; keyFile: KeyFile } {
  const keyFile = openKeyFile(join(dirname(path), "encryption-keys.json"), false, createdAt);
  return { store: openStore(path, keyFile), keyFile };
}

/** For what is not about the audit. */
export const unrecorded: Recorder = () => {};

/** Returns the error that `work` is refused with. */
export function refusalOf(work: () => unknown): AppError {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof AppError, String(error));
    return error;
  }
  assert.fail("it was not refused");
}
