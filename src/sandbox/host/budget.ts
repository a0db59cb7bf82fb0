// Limits the bytes of the server's memory that calls may hold: those of one function, and all of them together; and the
// bytes that wait for processes that do not read.

/** Bytes that may wait for one process. Beyond that, the host stops reading from it. */
const PROCESS_MAX_BYTES = 8 << 20;
/** When more bytes wait for all processes together, each may have only its share. */
const ALL_MAX_BYTES = 64 << 20;
const SHARE_BYTES = 1 << 20;

export class Budget {
  readonly #maxBytes: () => number;
  readonly #of: Budget | undefined;
  #usedBytes = 0;

  /** With `of`, bytes that are taken from this budget are taken from that one, too. */
  constructor(maxBytes: () => number, of?: Budget) {
    this.#maxBytes = maxBytes;
    this.#of = of;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Reports whether this many more bytes fit, and counts them if they do. */
  take(bytes: number): boolean {
    if (this.#usedBytes + bytes > this.#maxBytes() || this.#of?.take(bytes) === false) return false;
    this.#usedBytes += bytes;
    return true;
  }

  /** Returns bytes that were taken and are no longer held. */
  give(bytes: number): void {
    this.#usedBytes -= bytes;
    this.#of?.give(bytes);
  }
}

export class Queues {
  #bytes = 0;

  /** Counts bytes that wait, or no longer wait if negative. */
  readonly add = (bytes: number): void => {
    this.#bytes += bytes;
  };

  /** Reports whether a process with this many waiting bytes has to read before the host reads from it. */
  isFull(bytes: number): boolean {
    return bytes > PROCESS_MAX_BYTES || (bytes > SHARE_BYTES && this.#bytes > ALL_MAX_BYTES);
  }
}
