// Leases answers that were sent to a sandbox with its calls, and revokes them after a change (after Gray and Cheriton,
// 1989). Knows nothing of the answers.

/**
 * How long answers are valid. A change waits until the sandbox acknowledges the revocation, but no longer than this; a
 * handler that asks later asks the host.
 */
const LEASE_MS = 250;

export class Lease {
  /** Sends a revocation with this number to the sandbox. */
  readonly #sendRevoke: (revocation: number) => void;
  /** How far the sandbox's clock is behind the host's, at most; undefined until it is known. */
  #clockBehindMs: number | undefined;
  /** By the host's clock, for the answers that were sent last. */
  #validUntil = 0;
  #lastRevocation = 0;
  readonly #waiting = new Map<number, () => void>();

  constructor(sendRevoke: (revocation: number) => void) {
    this.#sendRevoke = sendRevoke;
  }

  /**
   * Sets the sandbox's clock, which showed `shownMs` a moment ago. Both clocks run at the same rate. A sandbox that
   * lies about its clock gains nothing; it could retain the values anyway.
   */
  clockShowed(shownMs: number): void {
    if (Number.isFinite(shownMs)) this.#clockBehindMs = performance.now() - shownMs;
  }

  /** Whether answers may be sent. */
  get canGrant(): boolean {
    return this.#clockBehindMs !== undefined;
  }

  /** Extends the lease for answers that are being sent. Returns until when they are valid, by the sandbox's clock. */
  grant(): number {
    this.#validUntil = performance.now() + LEASE_MS;
    return this.#validUntil - this.#clockBehindMs!;
  }

  /** Waits until no answer that was sent so far will be used any more; undefined if none is valid now. */
  revoke(): Promise<void> | undefined {
    const validForMs = this.#validUntil - performance.now();
    if (validForMs <= 0) return undefined;
    const revocation = ++this.#lastRevocation;
    return new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(revocation);
        resolve();
      };
      const timer = setTimeout(done, validForMs);
      this.#waiting.set(revocation, done);
      this.#sendRevoke(revocation);
    });
  }

  /** Records that the sandbox dropped all answers that it had when it received the revocation. */
  acknowledged(revocation: number): void {
    this.#waiting.get(revocation)?.();
  }

  /** Ends the lease with the sandbox: no answer will be used any more. */
  release(): void {
    this.#validUntil = 0;
    for (const done of [...this.#waiting.values()]) done();
  }
}
