// How long a sandbox may use answers that were sent along with its calls, and how they are taken back: a lease, after
// Gray and Cheriton (1989). Knows nothing of the answers.

/**
 * A change waits until the answers are taken back, but no longer than this for a process that does not react; a
 * handler that asks later than this asks the host.
 */
const GOOD_FOR_MS = 250;

export class Lease {
  /** Sends the sandbox a request to give the answers back, by its number. */
  readonly #recall: (recall: number) => void;
  /** By how much the sandbox's clock is behind ours, at most; undefined until it is known. */
  #clockBehindMs: number | undefined;
  /** By our clock, for the answers that were sent last. */
  #goodUntil = 0;
  #lastRecall = 0;
  readonly #waiting = new Map<number, () => void>();

  constructor(recall: (recall: number) => void) {
    this.#recall = recall;
  }

  /**
   * The sandbox's clock has shown `shownMs`, before this moment; both go on evenly. If it lies, it fools itself:
   * what it was given, it could have kept anyway.
   */
  clockShowed(shownMs: number): void {
    if (Number.isFinite(shownMs)) this.#clockBehindMs = performance.now() - shownMs;
  }

  /** Whether answers may be sent along. */
  get canBegin(): boolean {
    return this.#clockBehindMs !== undefined;
  }

  /** Answers are being sent; until when they are good, by the sandbox's clock. */
  begin(): number {
    this.#goodUntil = performance.now() + GOOD_FOR_MS;
    return this.#goodUntil - this.#clockBehindMs!;
  }

  /** Settles when no answer that was sent until now will be used any more; undefined if that is so already. */
  takeBack(): Promise<void> | undefined {
    const goodForMs = this.#goodUntil - performance.now();
    if (goodForMs <= 0) return undefined;
    const recall = ++this.#lastRecall;
    return new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(recall);
        resolve();
      };
      const timer = setTimeout(done, goodForMs);
      this.#waiting.set(recall, done);
      this.#recall(recall);
    });
  }

  /** The sandbox has given back all that it had when it was asked to. */
  takenBack(recall: number): void {
    this.#waiting.get(recall)?.();
  }

  /** The sandbox's end: nothing will be used any more. */
  end(): void {
    this.#goodUntil = 0;
    for (const done of [...this.#waiting.values()]) done();
  }
}
