// Runs the transactions of a rotation, which are changes like any other.

import type { Store } from "../../store/store.ts";

export interface Commits {
  commit<T>(work: () => T): Promise<T>;
  /** In a transaction that a power cut may undo as a whole until another one follows. */
  commitWithoutSync<T>(work: () => T): Promise<T>;
}

export function commitsOf(store: Pick<Store, "transaction" | "transactionWithoutSync">): Commits {
  return {
    commit: <T>(work: () => T) => attempt(() => store.transaction(work)),
    commitWithoutSync: <T>(work: () => T) => attempt(() => store.transactionWithoutSync(work)),
  };
}

/** Runs `work` before it returns. */
export function attempt<T>(work: () => T): Promise<T> {
  try {
    return Promise.resolve(work());
  } catch (error) {
    return Promise.reject(error);
  }
}
