// What handlers consist of, kept for the next start. Knows nothing of what is in it.

import { type Database, first } from "./database.ts";

/** The oldest go first: handlers come and go, and one that is missing is only found again. */
const KEPT_MAX = 20_000;

export type ModuleGraphStore = ReturnType<typeof moduleGraphStore>;

export function moduleGraphStore(db: Database) {
  const find = db.prepare("SELECT graph FROM module_graphs WHERE handler = ?");
  const put = db.prepare("INSERT OR REPLACE INTO module_graphs (handler, graph) VALUES (?, ?)");
  const trim = db.prepare("DELETE FROM module_graphs WHERE rowid <= last_insert_rowid() - ?");
  const remove = db.prepare("DELETE FROM module_graphs WHERE handler = ?");
  return {
    find: (handler: string): string | undefined => first<{ graph: string }>(find, handler)?.graph,

    put(handler: string, graph: string): void {
      put.run(handler, graph);
      trim.run(KEPT_MAX);
    },

    remove: (handler: string): void => void remove.run(handler),
  };
}
