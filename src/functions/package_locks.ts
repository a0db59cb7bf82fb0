// The versions that handlers get, kept from one start of the server to the next.

import type { PackageLockStore } from "../store/package_locks.ts";
import { EMPTY_LOCK, type Lock, lockOfPackages, lockText, mergeLocks, parseLock } from "./lock.ts";

/** All texts are lock files as Deno writes them. */
export interface PackageLocks {
  /** The lock of the handler at a path in the code folder, if one was stored. */
  find(handler: string): string | undefined;
  /**
   * The versions that the handler has, and for packages with these names that are new to it those that others have;
   * without names, all that are known.
   */
  starting(handler: string, names?: ReadonlySet<string>): Lock;
  /** Stores the handler's lock; versions that are new to all belong to others' starting locks from then on. */
  put(handler: string, lock: string): void;
}

export interface PackageLocksOptions {
  readonly store: PackageLockStore;
  transaction<T>(work: () => T): T;
}

/** No handler has this path. */
const MASTER = "";

export function packageLocks({ store, transaction }: PackageLocksOptions): PackageLocks {
  const parsed = (handler: string): Lock => {
    const text = store.find(handler);
    return text === undefined ? EMPTY_LOCK : parseLock(text);
  };
  return {
    find: (handler) => store.find(handler),
    starting(handler, names) {
      const master = parsed(MASTER);
      return mergeLocks(names ? lockOfPackages(master, names) : master, parsed(handler));
    },
    put(handler, lock) {
      const known = store.find(MASTER);
      const master = lockText(mergeLocks(parseLock(lock), parsed(MASTER)));
      if (store.find(handler) === lock && known === master) return;
      transaction(() => {
        store.put(handler, lock);
        store.put(MASTER, master);
      });
    },
  };
}

/** Takes over the one lock file that an older program kept for all handlers. */
export function importLockFile(path: string, { store, transaction }: PackageLocksOptions): void {
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw error;
  }
  if (store.find(MASTER) === undefined) transaction(() => store.put(MASTER, lockText(lockOrEmpty(text))));
  Deno.removeSync(path);
}

/** Of a file that is no lock, there is nothing to keep. */
function lockOrEmpty(text: string): Lock {
  try {
    return parseLock(text);
  } catch {
    return EMPTY_LOCK;
  }
}
