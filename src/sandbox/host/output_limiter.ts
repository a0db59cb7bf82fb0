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
  readonly #onDropped: (message: string) => void;
  #secondBegan = 0;
  #bytes = 0;
  /** Of these, the bytes that ended calls do not allow. */
  #excess = 0;
  #dropped = { lines: 0, bytes: 0 };

  /** `onDropped` is called with the number of dropped lines as a sentence, once a second. */
  constructor(onDropped: (message: string) => void) {
    this.#onDropped = onDropped;
  }

  /** Reports whether a text of this length may be kept, and counts it as dropped if not. */
  allow(length: number): boolean {
    this.rollWindow();
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
    this.reportDropped();
  }

  /** Allows more output, as a call has ended. */
  callEnded(): void {
    this.#excess = Math.max(0, this.#excess - BYTES_PER_CALL);
  }

  /** How long, in milliseconds, nothing more should be read from the process; 0 without a flood. */
  get waitMs(): number {
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
