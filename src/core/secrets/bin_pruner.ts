// Removes secrets from the bin when their time is over: at the start of the server and then every hour.

import { messageOf } from "../../errors.ts";
import { HOUR_MS } from "../../time.ts";
import type { SecretBin } from "./bin.ts";

export class BinPruner {
  readonly #bin: Pick<SecretBin, "isDue" | "prune">;
  readonly #commit: <T>(work: () => T) => Promise<T>;
  readonly #warn: (message: string) => void;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(
    bin: Pick<SecretBin, "isDue" | "prune">,
    commit: <T>(work: () => T) => Promise<T>,
    warn: (message: string) => void,
  ) {
    this.#bin = bin;
    this.#commit = commit;
    this.#warn = warn;
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
    try {
      while (this.#bin.isDue()) await this.#commit(() => this.#bin.prune());
    } catch (error) {
      this.#warn(`Deleted secrets could not be removed: ${messageOf(error)}. It is tried again in an hour.`);
    }
  }
}
