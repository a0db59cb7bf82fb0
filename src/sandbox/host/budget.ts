// How many bytes of the server's memory calls may hold: for one function, and for all of them together.

export class Budget {
  readonly #maxBytes: () => number;
  readonly #of: Budget | undefined;
  #usedBytes = 0;

  /** With `of`, what is taken from this budget is taken from that one, too. */
  constructor(maxBytes: () => number, of?: Budget) {
    this.#maxBytes = maxBytes;
    this.#of = of;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Reports whether so many more bytes fit, and counts them if they do. */
  take(bytes: number): boolean {
    if (this.#usedBytes + bytes > this.#maxBytes() || this.#of?.take(bytes) === false) return false;
    this.#usedBytes += bytes;
    return true;
  }

  /** So many of the bytes that were taken are held no longer. */
  give(bytes: number): void {
    this.#usedBytes -= bytes;
    this.#of?.give(bytes);
  }
}
