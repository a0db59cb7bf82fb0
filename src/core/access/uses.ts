// Records when API keys and sessions were last used: in memory first, written within a second.

import type { KeyId } from "../../ids.ts";
import type { Observations } from "../../store/observations.ts";
import type { Store } from "../../store/store.ts";
import type { UseKind, UseStore } from "../../store/uses.ts";
import { SECOND_MS } from "../../time.ts";
import type { BestEffort } from "../../best_effort.ts";

const WRITE_INTERVAL_MS = SECOND_MS;

export interface Uses<Id extends number> {
  /** Records a use now; written within a second. */
  record(id: Id): void;
  /** Returns the last use of each of `ids` that was ever used, in milliseconds since 1970 UTC. */
  last(ids: readonly Id[]): ReadonlyMap<Id, number>;
  /** Returns how many ids have a recorded use. */
  count(): number;
  /** Deletes the recorded use of an id. */
  forget(id: Id): void;
  /** Writes what is still in memory and stops the timer. */
  close(): void;
}

export interface UsesParts {
  readonly store: UseStore;
  transaction<T>(work: () => T): T;
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number;
  /** Runs writes that may fail; some times of use are then lost. */
  readonly attempt: BestEffort;
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

/** Moves the last uses of API keys out of the main database, where version 0.1.0 kept them. Safe to interrupt. */
export async function moveEarlierUses(
  { access, commitWithoutSync }: Pick<Store, "access" | "commitWithoutSync">,
  { uses, transaction }: Pick<Observations, "uses" | "transaction">,
): Promise<void> {
  const earlier: { id: KeyId; at: number }[] = access.earlierUses();
  if (earlier.length === 0) return;
  transaction(() => earlier.forEach(({ id, at }) => uses.put("key", id, at)));
  await commitWithoutSync(() => access.forgetEarlierUses());
}

/** Returns uses that record nothing, for commands, which neither use keys nor show their uses. */
export function noUses<Id extends number>(): Uses<Id> {
  return { record: () => {}, last: () => new Map<Id, number>(), count: () => 0, forget: () => {}, close: () => {} };
}
