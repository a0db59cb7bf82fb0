// Records the most memory that a process of each function was seen to use, by day. A row is written when a process
// exceeds the day's peak by a whole megabyte, which happens a few times a day.

import { DAY_MS } from "../time.ts";
import type { BestEffort } from "../best_effort.ts";
import type { FunctionId } from "../ids.ts";
import type { MemoryPeakStore } from "../store/memory_peaks.ts";

export interface MemoryPeaksOptions {
  readonly store: MemoryPeakStore;
  transaction<T>(work: () => T): T;
  readonly now: () => number;
  /** With 0, nothing is recorded. */
  readonly retentionDays: () => number;
  /** Called at the start, to remove the peaks of functions that were deleted. */
  readonly isFunction: (id: FunctionId) => boolean;
  /** Runs work that may fail with the loss of a peak, and without other effects. */
  readonly attempt: BestEffort;
}

export class MemoryPeaks {
  readonly #options: MemoryPeaksOptions;
  /** The peaks of `#day` that were written. */
  readonly #known = new Map<FunctionId, number>();
  #day = 0;

  constructor(options: MemoryPeaksOptions) {
    this.#options = options;
    const { store, transaction, attempt, isFunction } = options;
    attempt(() =>
      transaction(() => {
        for (const id of store.functionIds()) if (!isFunction(id)) store.forget(id);
      })
    );
  }

  /** Records how much memory a process of the function uses now. */
  record(functionId: FunctionId, memoryMb: number): void {
    const { store, transaction, now, retentionDays, attempt, isFunction } = this.#options;
    const days = retentionDays();
    if (days === 0) return;
    const at = now();
    if (at - at % DAY_MS !== this.#day) this.#begin(at - at % DAY_MS, days);
    const mb = Math.ceil(memoryMb);
    if (mb <= (this.#known.get(functionId) ?? 0)) return;
    this.#known.set(functionId, mb);
    // A process may outlive its function by a moment.
    if (isFunction(functionId)) attempt(() => transaction(() => store.raise(functionId, at, mb)));
  }

  /** Returns the peak on the day of `since` and later, in MB; undefined if no process was seen. */
  since(functionId: FunctionId, since: number): number | undefined {
    return this.#options.attempt(() => this.#options.store.since(functionId, since));
  }

  /** Removes the peaks of a function that was deleted. */
  forget(functionId: FunctionId): void {
    const { store, transaction, attempt } = this.#options;
    this.#known.delete(functionId);
    attempt(() => transaction(() => store.forget(functionId)));
  }

  #begin(day: number, days: number): void {
    const { store, transaction, attempt } = this.#options;
    this.#day = day;
    this.#known.clear();
    attempt(() => transaction(() => store.trim(day - days * DAY_MS)));
  }
}
