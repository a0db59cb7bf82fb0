// What waits for processes that do not read: bounded for each process, and for all of them together.

/** Bytes that may wait for one process; then nothing more is taken from it either. */
const PROCESS_MAX_BYTES = 8 << 20;
/** Once so many wait for all processes together, each may have only its share. */
const ALL_MAX_BYTES = 64 << 20;
const SHARE_BYTES = 1 << 20;

export class Queues {
  #bytes = 0;

  /** So many more bytes wait, or fewer if negative. */
  readonly add = (bytes: number): void => {
    this.#bytes += bytes;
  };

  /** Whether a process that so many bytes wait for has to read before more is taken from it. */
  isFull(bytes: number): boolean {
    return bytes > PROCESS_MAX_BYTES || (bytes > SHARE_BYTES && this.#bytes > ALL_MAX_BYTES);
  }
}
