// Manages the stored lock files, which determine the versions of packages that handlers get.

import { conflict } from "../../errors.ts";
import type { PackageLockStore } from "../../store/package_locks.ts";
import {
  EMPTY_LOCK,
  type Lock,
  lockOfSpecifiers,
  lockText,
  mergeLocks,
  nameOf,
  parseLock,
  specifierOf,
} from "./lock.ts";

/** All texts are lock files as Deno writes them. */
export interface PackageLocks {
  /** Returns the lock of the handler at a path in the code folder, if one is stored. */
  find(handler: string): string | undefined;
  /**
   * Returns the handler's versions of these specifiers, or else those of other handlers; without specifiers, all known
   * versions.
   */
  starting(handler: string, specifiers?: ReadonlySet<string>): Lock;
  /**
   * Stores the handler's lock, within the transaction of a change; new versions become part of the starting locks of
   * other handlers.
   */
  put(handler: string, lock: string): void;
  /** Stores the handler's lock unless it is no longer `before`; returns whether it did. */
  putAfter(handler: string, before: string | undefined, lock: string): Promise<boolean>;
  /**
   * Stores the locks of several handlers in one transaction, in which `also` is called. `name` is a package whose
   * versions in the first lock other handlers then get, too.
   * @throws AppError Conflict (409) if a lock has changed since
   */
  replace(changes: readonly LockChange[], name: string | undefined, also: () => void): Promise<void>;
  /** Returns the handlers that have a lock. */
  handlers(): string[];
  /** Returns the ids of all npm packages in handlers' locks; may miss a lock that is stored meanwhile. */
  packages(): Promise<Set<string>>;
  /** Removes the locks of these handlers, and from the starting locks what is then in no lock. */
  remove(handlers: readonly string[]): Promise<void>;
}

export interface LockChange {
  readonly handler: string;
  readonly before: string | undefined;
  readonly after: string;
}

export interface PackageLocksOptions {
  readonly store: PackageLockStore;
  commit<T>(work: () => T): Promise<T>;
}

/** Path of the lock for new imports; no handler has it. */
const MASTER = "";
/** How often reading is repeated if locks change meanwhile. */
const LOOKS_MAX = 3;

function lockOf(store: PackageLocksOptions["store"], handler: string): Lock {
  const text = store.find(handler);
  return text === undefined ? EMPTY_LOCK : parseLock(text);
}

/** Longer than 80 lines: all methods work on the same locks. */
export function createPackageLocks({ store, commit }: PackageLocksOptions): PackageLocks {
  const handlers = (): string[] => store.handlers().filter((handler) => handler !== MASTER);
  /** Reads one lock at a time, so that other work can run in between. */
  async function* each(): AsyncGenerator<Lock> {
    for (const handler of handlers()) {
      yield lockOf(store, handler);
      await new Promise((resolve) => setTimeout(resolve));
    }
  }
  /** Counts the changes. */
  let revision = 0;
  /** Returns the lock for new imports with what `lock` has in addition. */
  const masterWith = (lock: string): string => lockText(mergeLocks(parseLock(lock), lockOf(store, MASTER)));
  const isStored = (handler: string, lock: string): boolean =>
    store.find(handler) === lock && store.find(MASTER) === masterWith(lock);
  const put = (handler: string, lock: string): void => {
    revision++;
    if (isStored(handler, lock)) return;
    const master = masterWith(lock);
    for (const each of [handler, MASTER]) store.discardAltered(each);
    store.put(handler, lock);
    store.put(MASTER, master);
  };
  return {
    find: (handler) => store.find(handler),
    starting(handler, specifiers) {
      const known = mergeLocks(lockOf(store, MASTER), lockOf(store, handler));
      return specifiers ? lockOfSpecifiers(known, specifiers) : known;
    },
    handlers,
    async packages() {
      const ids = new Set<string>();
      for await (const lock of each()) for (const id of Object.keys(lock.npm)) ids.add(id);
      return ids;
    },
    async remove(handlers) {
      if (handlers.length === 0) return;
      await commit(() => handlers.forEach(store.remove));
      for (let look = 0, seen = -1; look < LOOKS_MAX && seen !== revision; look++) {
        seen = revision;
        const [specifiers, remote] = [new Set<string>(), new Set<string>()];
        for await (const lock of each()) {
          for (const specifier of Object.keys(lock.specifiers)) specifiers.add(specifierOf(specifier));
          for (const address of [...Object.keys(lock.remote), ...Object.keys(lock.redirects)]) remote.add(address);
        }
        if (seen !== revision) continue;
        await commit(() => {
          const known = lockOf(store, MASTER);
          const isUsed = ([address]: [string, string]): boolean => remote.has(address);
          const left: Lock = {
            ...lockOfSpecifiers(known, specifiers),
            remote: Object.fromEntries(Object.entries(known.remote).filter(isUsed)),
            redirects: Object.fromEntries(Object.entries(known.redirects).filter(isUsed)),
          };
          store.discardAltered(MASTER);
          store.put(MASTER, lockText(left));
        });
      }
    },
    put,
    async putAfter(handler, before, lock) {
      revision++;
      if (store.find(handler) === before && isStored(handler, lock)) return true;
      return await commit(() => {
        if (store.find(handler) !== before) return false;
        put(handler, lock);
        return true;
      });
    },
    replace(changes, name, also) {
      revision++;
      return commit(() => {
        for (const handler of [MASTER, ...changes.map(({ handler }) => handler)]) store.discardAltered(handler);
        for (const { handler, before, after } of changes) {
          if (store.find(handler) !== before) {
            throw conflict(`The packages of ${handler} were changed in the meantime.`);
          }
          store.put(handler, after);
        }
        if (name !== undefined && changes.length > 0) {
          const first = parseLock(changes[0]!.after);
          const moved = Object.keys(first.specifiers).filter((specifier) => nameOf(specifier) === name).map(
            specifierOf,
          );
          const updated = lockOfSpecifiers(first, new Set(moved));
          store.put(MASTER, lockText(mergeLocks(lockOf(store, MASTER), updated)));
        }
        also();
      });
    },
  };
}

/** Imports the single lock file for all handlers that an older version of this program wrote. */
export async function importLockFile(path: string, { store, commit }: PackageLocksOptions): Promise<void> {
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw error;
  }
  if (store.find(MASTER) === undefined) {
    await commit(() => {
      store.discardAltered(MASTER);
      store.put(MASTER, lockText(lockOrEmpty(text)));
    });
  }
  Deno.removeSync(path);
}

/** Parses a lock file; a file that is not a lock is ignored. */
function lockOrEmpty(text: string): Lock {
  try {
    return parseLock(text);
  } catch {
    return EMPTY_LOCK;
  }
}
