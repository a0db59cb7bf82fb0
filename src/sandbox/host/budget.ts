// Limits the bytes of the server's memory that calls may hold: those of one function, and all of them together.

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
