// The versions that handlers get, kept from one start of the server to the next.

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
  /** The lock of the handler at a path in the code folder, if one was stored. */
  find(handler: string): string | undefined;
  /**
   * The versions that the handler has of these specifiers, or else those that others have; without specifiers, all
   * that are known.
   */
  starting(handler: string, specifiers?: ReadonlySet<string>): Lock;
  /** Stores the handler's lock; versions that are new to all belong to others' starting locks from then on. */
  put(handler: string, lock: string): void;
  /**
   * Stores the locks of several handlers, or none of them. `name` is a package whose versions in the first of them
   * others get from then on, too. `also` is called in the same transaction.
   * @throws AppError Conflict (409) if a lock is no longer what it was before
   */
  replace(changes: readonly LockChange[], name: string | undefined, also: () => void): void;
  /** Handlers that have a lock. */
  handlers(): string[];
  /** Ids of all npm packages in handlers' locks; of one that is stored meanwhile perhaps not. */
  packages(): Promise<Set<string>>;
  /** Removes the locks of these handlers, and of what others would start with that which no lock has any more. */
  remove(handlers: readonly string[]): Promise<void>;
}

export interface LockChange {
  readonly handler: string;
  readonly before: string | undefined;
  readonly after: string;
}

export interface PackageLocksOptions {
  readonly store: PackageLockStore;
  transaction<T>(work: () => T): T;
}

/** No handler has this path. */
const MASTER = "";
/** Locks that change meanwhile are looked at again, this often. */
const LOOKS_MAX = 3;

export function packageLocks({ store, transaction }: PackageLocksOptions): PackageLocks {
  const parsed = (handler: string): Lock => {
    const text = store.find(handler);
    return text === undefined ? EMPTY_LOCK : parseLock(text);
  };
  const handlers = (): string[] => store.handlers().filter((handler) => handler !== MASTER);
  /** One lock at a time, and what else is to be done in between. */
  async function* each(): AsyncGenerator<Lock> {
    for (const handler of handlers()) {
      yield parsed(handler);
      await new Promise((resolve) => setTimeout(resolve));
    }
  }
  /** Counts the changes. */
  let revision = 0;
  return {
    find: (handler) => store.find(handler),
    starting(handler, specifiers) {
      const known = mergeLocks(parsed(MASTER), parsed(handler));
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
      transaction(() => handlers.forEach(store.remove));
      for (let look = 0, seen = -1; look < LOOKS_MAX && seen !== revision; look++) {
        seen = revision;
        const [specifiers, remote] = [new Set<string>(), new Set<string>()];
        for await (const lock of each()) {
          for (const specifier of Object.keys(lock.specifiers)) specifiers.add(specifierOf(specifier));
          for (const address of [...Object.keys(lock.remote), ...Object.keys(lock.redirects)]) remote.add(address);
        }
        if (seen !== revision) continue;
        const known = parsed(MASTER);
        const isUsed = ([address]: [string, string]): boolean => remote.has(address);
        const left: Lock = {
          ...lockOfSpecifiers(known, specifiers),
          remote: Object.fromEntries(Object.entries(known.remote).filter(isUsed)),
          redirects: Object.fromEntries(Object.entries(known.redirects).filter(isUsed)),
        };
        store.discardAltered(MASTER);
        transaction(() => store.put(MASTER, lockText(left)));
      }
    },
    put(handler, lock) {
      revision++;
      const known = store.find(MASTER);
      const master = lockText(mergeLocks(parseLock(lock), parsed(MASTER)));
      if (store.find(handler) === lock && known === master) return;
      for (const each of [handler, MASTER]) store.discardAltered(each);
      transaction(() => {
        store.put(handler, lock);
        store.put(MASTER, master);
      });
    },
    replace(changes, name, also) {
      revision++;
      for (const handler of [MASTER, ...changes.map(({ handler }) => handler)]) store.discardAltered(handler);
      transaction(() => {
        for (const { handler, before, after } of changes) {
          if (store.find(handler) !== before) throw conflict(`The packages of ${handler} were changed meanwhile.`);
          store.put(handler, after);
        }
        if (name !== undefined && changes.length > 0) {
          const first = parseLock(changes[0]!.after);
          const moved = Object.keys(first.specifiers).filter((specifier) => nameOf(specifier) === name).map(
            specifierOf,
          );
          const updated = lockOfSpecifiers(first, new Set(moved));
          store.put(MASTER, lockText(mergeLocks(parsed(MASTER), updated)));
        }
        also();
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
  if (store.find(MASTER) === undefined) store.discardAltered(MASTER);
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
