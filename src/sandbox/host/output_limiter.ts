// How much a sandbox may print: so many bytes a second are kept; what is more is counted, and far more has to wait.

/** Printed bytes kept for a process per second. */
const BYTES_PER_SECOND = 256 * 1024;
/** What a line costs beside its text. */
const LINE_BYTES = 256;
/** From here on the process has to wait for the next second. */
const FLOOD_BYTES = 4 * BYTES_PER_SECOND;
/** Each call that ended makes up for so many: a few lines a call are no flood, however many calls there are. */
const BYTES_A_CALL = 1024;
const SECOND_MS = 1_000;

export class Prints {
  readonly #onDropped: (text: string) => void;
  #secondBegan = 0;
  #bytes = 0;
  /** Of these, what no call has made up for. */
  #excess = 0;
  #dropped = { lines: 0, bytes: 0 };

  /** `onDropped` is told in a sentence what was left out, once a second. */
  constructor(onDropped: (text: string) => void) {
    this.#onDropped = onDropped;
  }

  /** Whether a text of this length may be kept; what may not is counted. */
  take(length: number): boolean {
    this.look();
    this.#bytes += length + LINE_BYTES;
    this.#excess += length + LINE_BYTES;
    if (this.#bytes <= BYTES_PER_SECOND) return true;
    this.leftOut(1, length);
    return false;
  }

  /** Counts what was not kept. */
  leftOut(lines: number, bytes: number): void {
    this.#dropped.lines += lines;
    this.#dropped.bytes += bytes;
  }

  /** Begins another second if one is over. */
  look(): void {
    const now = Date.now();
    if (now - this.#secondBegan < SECOND_MS) return;
    this.#secondBegan = now;
    this.#bytes = 0;
    this.#excess = 0;
    this.tellDropped();
  }

  /** A call has ended. */
  callEnded(): void {
    this.#excess = Math.max(0, this.#excess - BYTES_A_CALL);
  }

  /** For how long nothing more should be read from the process; 0 if it prints no flood. */
  get waitMs(): number {
    return this.#excess <= FLOOD_BYTES ? 0 : Math.max(0, this.#secondBegan + SECOND_MS - Date.now());
  }

  tellDropped(): void {
    const { lines, bytes } = this.#dropped;
    if (lines === 0) return;
    this.#dropped = { lines: 0, bytes: 0 };
    this.#onDropped(`${lines} lines of ${bytes} bytes in all were too many and are not kept.`);
  }
}
