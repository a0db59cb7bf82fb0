// Tracks a sandbox's CPU use between samples: how busy it is, and whether it computes without a call. This is the
// backstop for the limits that the operating system enforces.

/**
 * A process that uses more than this share of a processor in this many consecutive samples is saturated. The share is
 * below 1, as a process does not get a whole processor when others need it.
 */
const SATURATED_LOAD = 0.6;
const SATURATED_SAMPLES = 2;
/** A process without a call that computes for more than half of this time is stopped. */
const IDLE_BUSY_MS = 5_000;

export interface CpuSample {
  /** By `performance.now()`. */
  readonly now: number;
  /** Processor time since the start of the process. */
  readonly cpuMs: number;
  /** Calls that have ended since the start of the process. */
  readonly endedCalls: number;
  /** Whether the handler is loaded and has no call. */
  readonly isIdle: boolean;
}

export class CpuMonitor {
  #last: CpuSample | undefined;
  #load = 0;
  /** Consecutive samples above the limit. */
  #saturatedSamples = 0;
  /** The sample at which the current idle time began. */
  #idleSince: CpuSample | undefined;

  /** The share of a processor that the process used between the last two samples. */
  get load(): number {
    return this.#load;
  }

  /** Whether the process answers calls as fast as one processor allows. */
  get isSaturated(): boolean {
    return this.#saturatedSamples >= SATURATED_SAMPLES;
  }

  /** Adds a sample. Returns a sentence if the process computes without a call, else undefined. */
  sample(found: CpuSample): string | undefined {
    const last = this.#last;
    this.#last = found;
    if (last) this.#load = (found.cpuMs - last.cpuMs) / (found.now - last.now);
    // A process that computes without answering, for example in a loop, gains nothing from more processes.
    const isSaturated = this.#load > SATURATED_LOAD && found.endedCalls - (last?.endedCalls ?? 0) > 1;
    this.#saturatedSamples = isSaturated ? this.#saturatedSamples + 1 : 0;
    if (!found.isIdle) {
      this.#idleSince = undefined;
      return undefined;
    }
    const since = this.#idleSince ??= found;
    if (found.now - since.now < IDLE_BUSY_MS) return undefined;
    this.#idleSince = found;
    return found.cpuMs - since.cpuMs > IDLE_BUSY_MS / 2 ? "It kept computing without a call." : undefined;
  }
}
