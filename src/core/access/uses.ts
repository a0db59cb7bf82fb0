// When API keys and sessions were used last: counted in memory, written behind the requests.

import type { KeyId } from "../../ids.ts";
import type { Observations } from "../../store/observations.ts";
import type { Store } from "../../store/store.ts";
import type { UseKind, UseStore } from "../../store/uses.ts";
import type { Attempt } from "../../best_effort.ts";

const WRITE_INTERVAL_MS = 1_000;

export interface Uses<Id extends number> {
  /** Records a use now; written within a second. */
  record(id: Id): void;
  /** The last use of each of `ids` that was ever used, in milliseconds since 1970 UTC. */
  last(ids: readonly Id[]): ReadonlyMap<Id, number>;
  /** How many ids were ever used, and not forgotten since. */
  count(): number;
  forget(id: Id): void;
  /** Writes what was recorded and stops the timer. */
  close(): void;
}

export interface UsesParts {
  readonly store: UseStore;
  transaction<T>(work: () => T): T;
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number;
  /** For writes that may fail, with the loss of some times. */
  readonly attempt: Attempt;
}

export function observeUses<Id extends number>(
  kind: UseKind,
  { store, transaction, now, attempt }: UsesParts,
): Uses<Id> {
  const waiting = new Map<Id, number>();

  const write = (): void => {
    if (waiting.size === 0) return;
    const batch = [...waiting];
    waiting.clear();
    attempt(() => transaction(() => batch.forEach(([id, at]) => store.put(kind, id, at))));
  };
  const timer = setInterval(write, WRITE_INTERVAL_MS);
  Deno.unrefTimer(timer);

  return {
    record: (id) => void waiting.set(id, now()),
    last(ids) {
      write();
      return new Map(store.last(kind, ids).map(({ id, at }) => [id as Id, at]));
    },
    count() {
      write();
      return store.count(kind);
    },
    forget(id) {
      waiting.delete(id);
      attempt(() => transaction(() => store.forget(kind, id)));
    },
    close() {
      clearInterval(timer);
      write();
    },
  };
}

/** Moves the last uses of API keys that version 0.1.0 kept in the main database. Can be interrupted and repeated. */
export function moveEarlierUses(
  { access, repeatable }: Pick<Store, "access" | "repeatable">,
  { uses, transaction }: Pick<Observations, "uses" | "transaction">,
): void {
  const earlier: { id: KeyId; at: number }[] = access.earlierUses();
  if (earlier.length === 0) return;
  transaction(() => earlier.forEach(({ id, at }) => uses.put("key", id, at)));
  repeatable(() => access.forgetEarlierUses());
}

/** For commands, which neither use keys nor show their uses. */
export function noUses<Id extends number>(): Uses<Id> {
  return { record: () => {}, last: () => new Map<Id, number>(), count: () => 0, forget: () => {}, close: () => {} };
}
