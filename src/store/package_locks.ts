// Stores the lock files of handlers. Does not interpret them.

import type { RowCheck } from "./authenticated_rows.ts";
import { all, type Database, first } from "./database.ts";

/** Altered rows count as missing. */
export interface PackageLockStore {
  find(handler: string): string | undefined;
  put(handler: string, lock: string): void;
  /**
   * Deletes a lock that was altered, so that a new one can be written, in the same transaction or another one.
   */
  discardAltered(handler: string): void;
  remove(handler: string): void;
  /** Returns the paths of all handlers that have a lock. */
  handlers(): string[];
}

export function createPackageLockStore(db: Database, rows: RowCheck): PackageLockStore {
  const find = db.prepare("SELECT lock FROM package_locks WHERE handler = ?");
  const put = db.prepareChange("INSERT OR REPLACE INTO package_locks (handler, lock) VALUES (?, ?)");
  const remove = db.prepareChange("DELETE FROM package_locks WHERE handler = ?");
  const handlers = db.prepare("SELECT handler FROM package_locks ORDER BY handler");
  return {
    find(handler) {
      const found = first<{ lock: string }>(find, handler);
      return found && rows.check("package_locks", handler) ? found.lock : undefined;
    },
    discardAltered(handler) {
      if (!rows.isAltered("package_locks", handler)) return;
      db.transaction(() => {
        rows.discard("package_locks", handler);
        remove.run(handler);
      });
    },
    put: (handler, lock) => void put.run(handler, lock),
    remove: (handler) => void remove.run(handler),
    handlers: () => all<{ handler: string }>(handlers).map(({ handler }) => handler),
  };
}
