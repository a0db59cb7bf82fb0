// The lock files of handlers. Knows nothing of what is in them.

import { all, type Database, first } from "./database.ts";

export interface PackageLockStore {
  find(handler: string): string | undefined;
  put(handler: string, lock: string): void;
  remove(handler: string): void;
  list(): { handler: string; lock: string }[];
}

export function packageLockStore(db: Database): PackageLockStore {
  const find = db.prepare("SELECT lock FROM package_locks WHERE handler = ?");
  const put = db.prepare("INSERT OR REPLACE INTO package_locks (handler, lock) VALUES (?, ?)");
  const remove = db.prepare("DELETE FROM package_locks WHERE handler = ?");
  const list = db.prepare("SELECT handler, lock FROM package_locks ORDER BY handler");
  return {
    find: (handler) => first<{ lock: string }>(find, handler)?.lock,
    put: (handler, lock) => void put.run(handler, lock),
    remove: (handler) => void remove.run(handler),
    list: () => all<{ handler: string; lock: string }>(list),
  };
}
