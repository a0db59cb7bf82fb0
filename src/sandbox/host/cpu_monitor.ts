// What one process makes of its processor, from look to look: how busy it is, and whether it goes on computing when it
// has nothing to do. The backstop behind its hard limits.

/**
 * With more than this share of a processor, found so often in a row, a process is at its limit: beside other work it
 * would not get all of one.
 */
const FULL_LOAD = 0.6;
const FULL_LOOKS = 2;
/** A process that has no call for so long and computes for more than half of it is stopped. */
const RESTLESS_MS = 5_000;

/** What was found at one moment. */
export interface Look {
  /** By `performance.now()`. */
  readonly now: number;
  /** Processor time since its start. */
  readonly cpuMs: number;
  /** Calls that have ended since its start. */
  readonly endedCalls: number;
  /** Whether its handler is loaded and it has no call. */
  readonly isResting: boolean;
}

export class Workload {
  #last: Look | undefined;
  #load = 0;
  /** How often in a row it was found to be at its limit. */
  #fullLooks = 0;
  /** Of the rest that lasts. */
  #restingSince: Look | undefined;

  /** The share of a processor that it used lately. */
  get load(): number {
    return this.#load;
  }

  /** Whether it answers calls as fast as one processor lets it. */
  get isFull(): boolean {
    return this.#fullLooks >= FULL_LOOKS;
  }

  /** Takes in what was found; what the process does that it has no call for, or undefined. */
  look(found: Look): string | undefined {
    const last = this.#last;
    this.#last = found;
    if (last) this.#load = (found.cpuMs - last.cpuMs) / (found.now - last.now);
    // One that computes without answering, in a loop say, would do so in any number of processes.
    const isFull = this.#load > FULL_LOAD && found.endedCalls - (last?.endedCalls ?? 0) > 1;
    this.#fullLooks = isFull ? this.#fullLooks + 1 : 0;
    if (!found.isResting) {
      this.#restingSince = undefined;
      return undefined;
    }
    const since = this.#restingSince ??= found;
    if (found.now - since.now < RESTLESS_MS) return undefined;
    this.#restingSince = found;
    return found.cpuMs - since.cpuMs > RESTLESS_MS / 2 ? "It went on computing without a call." : undefined;
  }
}
