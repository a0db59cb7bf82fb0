// Limits the bytes that wait for processes that do not read: for each process, and for all of them together.

/** Bytes that may wait for one process. Beyond that, the host stops reading from it. */
const PROCESS_MAX_BYTES = 8 << 20;
/** When more bytes wait for all processes together, each may have only its share. */
const ALL_MAX_BYTES = 64 << 20;
const SHARE_BYTES = 1 << 20;

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
