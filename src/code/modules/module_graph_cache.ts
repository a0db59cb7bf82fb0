// Persistent cache of handlers' module graphs, from one start of the server to the next. Losing it only costs a search.

import type { BestEffort } from "../../best_effort.ts";
import type { CodeConfig } from "../../sandbox/process/sandbox_dir.ts";
import type { FetchedPackage } from "../packages/package_files.ts";
import type { ModuleGraphStore } from "../../store/module_graphs.ts";

export interface KeptGraph {
  /** Absolute paths, the handler first. */
  readonly files: readonly string[];
  /** Of each file that it was made from, also of those that were missing. */
  readonly states: readonly (readonly [path: string, state: string])[];
  /** Whether something was fetched from elsewhere. */
  readonly remote: boolean;
  readonly config: CodeConfig | undefined;
  readonly npm: readonly FetchedPackage[];
  readonly native: readonly string[];
  readonly warnings: readonly string[];
  /** Files and folders of the module cache that must be there. */
  readonly fetched: readonly string[];
  /** Which workers it was made for, as their packages are in its lock. */
  readonly workers: string;
}

/** By the handlers' paths in the code folder. Never throws. */
export interface KeptGraphs {
  find(handler: string): KeptGraph | undefined;
  /** Handlers that were found to consist of this file among others, at most a hundred. */
  consistingOf(path: string): readonly string[];
  put(handler: string, graph: KeptGraph): void;
  remove(handler: string): void;
}

const FOUND_MAX = 100;

export function keptGraphs(
  { store, transaction, attempt }: {
    store: ModuleGraphStore;
    transaction<T>(work: () => T): T;
    attempt: BestEffort;
  },
): KeptGraphs {
  return {
    find: (handler) =>
      attempt(() => {
        const text = store.find(handler);
        const kept = text === undefined ? undefined : JSON.parse(text) as Partial<KeptGraph>;
        // An older program kept less.
        return kept?.npm === undefined ? undefined : kept as KeptGraph;
      }),
    // As it stands in their JSON.
    consistingOf: (path) => attempt(() => store.holding(JSON.stringify(path), FOUND_MAX)) ?? [],
    put: (handler, graph) => attempt(() => transaction(() => store.put(handler, JSON.stringify(graph)))),
    remove: (handler) => attempt(() => transaction(() => store.remove(handler))),
  };
}
