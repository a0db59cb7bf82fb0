// Keeps what requests leave for later ones in memory: everything that a server of its own needs.

import type { Handovers, SharedState, Throttle as SharedThrottle } from "../../shared_state.ts";
import { Throttle } from "./throttle.ts";

export interface LocalState extends SharedState {
  /** Forgets everything. */
  close(): void;
}

/** `now` is in milliseconds since 1970 UTC. */
export function createLocalState(now: () => number): LocalState {
  const kinds = new Map<string, LocalHandovers>();
  return {
    throttle: asShared(new Throttle(now)),
    setupToken: undefined,
    handovers(kind, max) {
      let found = kinds.get(kind);
      if (!found) kinds.set(kind, found = new LocalHandovers(now, max));
      return found;
    },
    close: () => kinds.forEach((kind) => kind.close()),
  };
}

/** Nothing here waits, but the interface is that of PostgreSQL, too. */
function asShared(throttle: Throttle): SharedThrottle {
  return {
    begin: async (counted) => await throttle.begin(counted),
    clear: async (bucket) => await throttle.clear(bucket),
    takeBack: async (counted) => await throttle.takeBack(counted),
    isBlocked: async (bucket) => await throttle.isBlocked(bucket),
  };
}

class LocalHandovers implements Handovers {
  readonly #now: () => number;
  readonly #max: number;
  readonly #kept = new Map<string, { readonly value: string; readonly until: number }>();
  /** Removes values, which may be secret, when their time is over. */
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(now: () => number, max: number) {
    this.#now = now;
    this.#max = max;
  }

  put(key: string, value: string, ms: number): Promise<void> {
    this.#forgetOld();
    this.#kept.delete(key);
    if (this.#kept.size >= this.#max) this.#kept.delete(this.#kept.keys().next().value!);
    this.#kept.set(key, { value, until: this.#now() + ms });
    this.#forgetLater(ms);
    return Promise.resolve();
  }

  async claim(key: string, value: string, ms: number): Promise<boolean> {
    this.#forgetOld();
    if (this.#kept.has(key)) return false;
    await this.put(key, value, ms);
    return true;
  }

  find(key: string): Promise<string | undefined> {
    this.#forgetOld();
    return Promise.resolve(this.#kept.get(key)?.value);
  }

  async take(key: string): Promise<string | undefined> {
    const value = this.find(key);
    this.#kept.delete(key);
    if (this.#kept.size === 0) clearTimeout(this.#timer);
    return await value;
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#kept.clear();
  }

  #forgetOld(): void {
    for (const [key, { until }] of this.#kept) if (until <= this.#now()) this.#kept.delete(key);
  }

  #forgetLater(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#forgetOld();
      if (this.#kept.size > 0) this.#forgetLater(ms);
    }, ms + 1);
    Deno.unrefTimer(this.#timer);
  }
}
