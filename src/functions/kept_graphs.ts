// What handlers consist of, remembered from one start of the server to the next. A loss costs a search, nothing else.

import type { Attempt } from "../observe/forgiving.ts";
import type { ModuleGraphStore } from "../store/module_graphs.ts";

/** By the handlers' paths in the code folder. Never throws. */
export interface KeptGraphs {
  find(handler: string): string | undefined;
  put(handler: string, text: string): void;
  remove(handler: string): void;
}

export function keptGraphs(
  { store, transaction, attempt }: {
    store: ModuleGraphStore;
    transaction<T>(work: () => T): T;
    attempt: Attempt;
  },
): KeptGraphs {
  return {
    find: (handler) => attempt(() => store.find(handler)),
    put: (handler, text) => attempt(() => transaction(() => store.put(handler, text))),
    remove: (handler) => attempt(() => transaction(() => store.remove(handler))),
  };
}
