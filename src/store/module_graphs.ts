// Stores handlers' module graphs for the next start. Does not interpret them.

import { all, type Database, first } from "./database.ts";

/** More graphs evict the oldest: a missing graph only has to be computed again. */
const KEPT_MAX = 20_000;

export interface ModuleGraphStore {
  find(handler: string): string | undefined;

  /** Returns at most `limit` handlers whose graph contains `text`. */
  holding(text: string, limit: number): string[];
  put(handler: string, graph: string): void;
  remove(handler: string): void;
}

export function createModuleGraphStore(db: Database): ModuleGraphStore {
  const find = db.prepare("SELECT graph FROM module_graphs WHERE handler = ?");
  const holding = db.prepare("SELECT handler FROM module_graphs WHERE instr(graph, ?) > 0 LIMIT ?");
  const put = db.prepare("INSERT OR REPLACE INTO module_graphs (handler, graph) VALUES (?, ?)");
  const trim = db.prepare("DELETE FROM module_graphs WHERE rowid <= last_insert_rowid() - ?");
  const remove = db.prepare("DELETE FROM module_graphs WHERE handler = ?");
  return {
    find: (handler: string): string | undefined => first<{ graph: string }>(find, handler)?.graph,

    holding: (text: string, limit: number): string[] =>
      all<{ handler: string }>(holding, text, limit).map(({ handler }) => handler),

    put(handler: string, graph: string): void {
      put.run(handler, graph);
      trim.run(KEPT_MAX);
    },

    remove: (handler: string): void => void remove.run(handler),
  };
}
