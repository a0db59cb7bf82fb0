// What handlers consist of, remembered from one start of the server to the next. A loss costs a search, nothing else.

import type { Attempt } from "../observe/forgiving.ts";
import type { ModuleGraphStore } from "../store/module_graphs.ts";

export interface KeptGraph {
  /** Absolute paths, the handler first. */
  readonly files: readonly string[];
  /** Of each file that it was found out from. */
  readonly states: readonly (readonly [path: string, state: string])[];
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
    attempt: Attempt;
  },
): KeptGraphs {
  return {
    find: (handler) =>
      attempt(() => {
        const text = store.find(handler);
        return text === undefined ? undefined : JSON.parse(text) as KeptGraph;
      }),
    // As it stands in their JSON.
    consistingOf: (path) => attempt(() => store.holding(JSON.stringify(path), FOUND_MAX)) ?? [],
    put: (handler, graph) => attempt(() => transaction(() => store.put(handler, JSON.stringify(graph)))),
    remove: (handler) => attempt(() => transaction(() => store.remove(handler))),
  };
}
