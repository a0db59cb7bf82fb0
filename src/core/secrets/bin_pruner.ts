// Removes secrets from the bin when their time is over: at the start of the server and then every hour.

import { messageOf } from "../../errors.ts";
import { HOUR_MS } from "../../time.ts";
import type { SecretBin } from "./bin.ts";

export class BinPruner {
  readonly #bin: Pick<SecretBin, "prune">;
  readonly #warn: (message: string) => void;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(bin: Pick<SecretBin, "prune">, warn: (message: string) => void) {
    this.#bin = bin;
    this.#warn = warn;
  }

  start(): void {
    this.#timer = setInterval(() => this.#prune(), HOUR_MS);
    Deno.unrefTimer(this.#timer);
    this.#prune();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #prune(): void {
    try {
      while (this.#bin.prune() > 0);
    } catch (error) {
      this.#warn(`Deleted secrets could not be removed: ${messageOf(error)}. It is tried again in an hour.`);
    }
  }
}
