// Caches handlers' module graphs across restarts of the server. Losing the cache only costs a new search.

import type { BestEffort } from "../../best_effort.ts";
import type { CodeConfig } from "../../sandbox/process/sandbox_dir.ts";
import type { Sha256 } from "../../sha256.ts";
import type { FetchedPackage } from "../packages/package_files.ts";
import type { ModuleGraphStore } from "../../store/module_graphs.ts";

export interface CachedGraph {
  /** Absolute paths, the handler first. */
  readonly files: readonly string[];
  /** State of each file that the graph depends on, including missing ones. */
  readonly states: readonly (readonly [path: string, state: string])[];
  /** Whether anything remote was fetched. */
  readonly remote: boolean;
  readonly config: CodeConfig | undefined;
  readonly npm: readonly FetchedPackage[];
  readonly native: readonly string[];
  readonly warnings: readonly string[];
  /** Files and folders of the module cache that must exist. */
  readonly fetched: readonly string[];
  /** Hash of the lock that was used; missing in what an older version stored, null without one. */
  readonly lock?: Sha256 | null;
  /** Identifies the workers it was created for, whose packages are in its lock. */
  readonly workers: string;
}

/** Cached graphs by the handlers' paths in the code folder. Never throws. */
export interface ModuleGraphCache {
  find(handler: string): CachedGraph | undefined;
  /** Returns at most a hundred handlers whose graph contained this file. */
  consistingOf(path: string): readonly string[];
  put(handler: string, graph: CachedGraph): void;
  remove(handler: string): void;
}

const FOUND_MAX = 100;

export function createModuleGraphCache(
  { store, transaction, attempt }: {
    store: ModuleGraphStore;
    transaction<T>(work: () => T): T;
    attempt: BestEffort;
  },
): ModuleGraphCache {
  return {
    find: (handler) =>
      attempt(() => {
        const text = store.find(handler);
        const kept = text === undefined ? undefined : JSON.parse(text) as Partial<CachedGraph>;
        // An older version stored less.
        return kept?.npm === undefined ? undefined : kept as CachedGraph;
      }),
    // As encoded in the JSON of a graph.
    consistingOf: (path) => attempt(() => store.holding(JSON.stringify(path), FOUND_MAX)) ?? [],
    put: (handler, graph) => attempt(() => transaction(() => store.put(handler, JSON.stringify(graph)))),
    remove: (handler) => attempt(() => transaction(() => store.remove(handler))),
  };
}
