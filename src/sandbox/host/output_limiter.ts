// Limits the output of a sandbox: bytes beyond a rate per second are dropped and counted, and a process that prints far
// more has to wait.

import { SECOND_MS } from "../../time.ts";

/** Printed bytes kept for a process per second. */
const BYTES_PER_SECOND = 256 * 1024;
/** The cost of a line in addition to its text. */
const LINE_BYTES = 256;
/** A process that printed more than this has to wait for the next second. */
const FLOOD_BYTES = 4 * BYTES_PER_SECOND;
/** Each call that ended allows this much: a few lines for each call are no flood, however many calls there are. */
const BYTES_PER_CALL = 1024;

/** Returns the message that stands in place of dropped lines. */
export function droppedMessage(lines: number, bytes: number): string {
  return `Dropped ${lines} ${lines === 1 ? "line" : "lines"} (${bytes} bytes): output limit exceeded.`;
}

export class OutputLimiter {
  readonly #endedCalls: () => number;
  readonly #onDropped: (message: string) => void;
  /** Whether anything was printed lately; otherwise `waitMs` need not be asked. */
  hasOutput = false;
  #secondBegan = 0;
  #bytes = 0;
  /** Of these, the bytes that ended calls do not allow. */
  #excess = 0;
  /** The calls that had ended when their allowance was last subtracted. */
  #countedCalls = 0;
  #dropped = { lines: 0, bytes: 0 };

  /**
   * `endedCalls` returns the number of calls that have ended, which is asked only when something is printed.
   * `onDropped` is called with the number of dropped lines as a sentence, once a second.
   */
  constructor(endedCalls: () => number, onDropped: (message: string) => void) {
    this.#endedCalls = endedCalls;
    this.#onDropped = onDropped;
  }

  /** Reports whether a text of this length may be kept, and counts it as dropped if not. */
  allow(length: number): boolean {
    this.rollWindow();
    this.hasOutput = true;
    this.#allowForCalls();
    this.#bytes += length + LINE_BYTES;
    this.#excess += length + LINE_BYTES;
    if (this.#bytes <= BYTES_PER_SECOND) return true;
    this.dropped(1, length);
    return false;
  }

  /** Counts output that was dropped. */
  dropped(lines: number, bytes: number): void {
    this.#dropped.lines += lines;
    this.#dropped.bytes += bytes;
  }

  /** Starts a new second if the current one is over. */
  rollWindow(): void {
    const now = Date.now();
    if (now - this.#secondBegan < SECOND_MS) return;
    this.#secondBegan = now;
    this.#bytes = 0;
    this.#excess = 0;
    this.hasOutput = false;
    this.reportDropped();
  }

  /** Allows more output for each call that has ended since the last time. */
  #allowForCalls(): void {
    const endedCalls = this.#endedCalls();
    this.#excess = Math.max(0, this.#excess - BYTES_PER_CALL * (endedCalls - this.#countedCalls));
    this.#countedCalls = endedCalls;
  }

  /** How long, in milliseconds, nothing more should be read from the process; 0 without a flood. */
  get waitMs(): number {
    this.#allowForCalls();
    return this.#excess <= FLOOD_BYTES ? 0 : Math.max(0, this.#secondBegan + SECOND_MS - Date.now());
  }

  /** Reports what was dropped, if anything was. */
  reportDropped(): void {
    const { lines, bytes } = this.#dropped;
    if (lines === 0) return;
    this.#dropped = { lines: 0, bytes: 0 };
    this.#onDropped(droppedMessage(lines, bytes));
  }
}
