// Removes what is over from the database: at the start of the server and then every hour.

import { reasonOf } from "./errors.ts";
import { HOUR_MS } from "./time.ts";

/** Rows that are removed some time after they have lost their use. */
export interface Prunable {
  isDue(): boolean;
  /** Removes some of the rows that are due. */
  prune(): unknown;
}

export interface HourlyPrunerOptions {
  /** What is removed, such as "Deleted secrets", for the log. */
  readonly what: string;
  readonly of: Prunable;
  readonly commit: <T>(work: () => T) => Promise<T>;
  readonly warn: (message: string) => void;
}

export class HourlyPruner {
  readonly #options: HourlyPrunerOptions;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(options: HourlyPrunerOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setInterval(() => void this.#prune(), HOUR_MS);
    Deno.unrefTimer(this.#timer);
    void this.#prune();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #prune(): Promise<void> {
    const { what, of, commit, warn } = this.#options;
    try {
      while (of.isDue()) await commit(() => of.prune());
    } catch (error) {
      warn(`${what} could not be removed: ${reasonOf(error)}. It is tried again in an hour.`);
    }
  }
}
