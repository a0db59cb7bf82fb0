// Answers questions of handlers before they ask: predicts the questions of the next call, sends their answers with it,
// and revokes these answers after a change (leases, after Gray and Cheriton, 1989). What may be answered, and to which
// caller, is decided elsewhere.

import type { Question } from "../wire/protocol.ts";

/** A question of this many consecutive calls is expected of the next one. */
const CONSECUTIVE_CALLS = 3;
/** Questions remembered of one call. The use of its prefetched answers is counted in the bits of a number. */
export const QUESTIONS_MAX = 30;

/**
 * How long answers are valid. A change waits until the sandbox acknowledges the revocation, but no longer than this; a
 * handler that asks later asks the host.
 */
const LEASE_MS = 250;

/** Returns answers to questions as JSON; undefined if this call has to ask. */
type Answers<C> = (caller: C, questions: readonly Question[]) => PrefetchedAnswers | undefined;

export interface PrefetchedAnswers {
  /** A JSON array of PrefetchedAnswer. */
  readonly json: string;
  /** The questions that are answered, in the same order. */
  readonly questions: readonly Question[];
  /** For how many milliseconds they may be used at most, if that is limited. */
  readonly usableMs?: number;
}

/** The answers that are sent ahead to one sandbox. */
export class Prefetch<C> {
  readonly #answers: Answers<C>;
  readonly #predictor = new PrefetchPredictor();
  readonly #lease: Lease;

  /** `sendRevoke` sends a revocation with this number to the sandbox. */
  constructor(answers: Answers<C>, sendRevoke: (revocation: number) => void) {
    this.#answers = answers;
    this.#lease = new Lease(sendRevoke);
  }

  /** Returns the answers to send with a call, and until when they are valid; undefined if there are none. */
  ahead(caller: C): PrefetchedAnswers & { readonly validUntil: number } | undefined {
    const { expected } = this.#predictor;
    if (expected.length === 0 || !this.#lease.canGrant) return undefined;
    try {
      const found = this.#answers(caller, expected);
      if (!found || found.questions.length === 0) return undefined;
      // The same array as that of earlier calls, by which the prediction recognizes what is usual.
      const questions = found.questions.length === expected.length ? expected : found.questions;
      return { json: found.json, questions, validUntil: this.#lease.grant(found.usableMs) };
    } catch {
      // The call will ask, and the error is reported then.
      return undefined;
    }
  }

  /** Updates the prediction with a call that ended. */
  observe(asked: AskedQuestions): void {
    this.#predictor.observe(asked);
  }

  /** See Lease. */
  clockShowed(shownMs: number): void {
    this.#lease.clockShowed(shownMs);
  }

  /** Revokes the answers that were sent, and waits until none of them will be used; undefined if there are none. */
  revoke(): Promise<void> | undefined {
    return this.#lease.revoke();
  }

  /** See Lease. */
  acknowledged(revocation: number): void {
    this.#lease.acknowledged(revocation);
  }

  /** See Lease. */
  release(): void {
    this.#lease.release();
  }
}

/** The questions that were answered in advance for a call, and those that it asked. */
export interface AskedQuestions {
  readonly prefetched: readonly Question[];
  /** A bit for each question of `prefetched` that the call asked. */
  readonly prefetchedUsed: number;
  /** The other questions that it asked, by `questionKey`. */
  readonly otherQuestions: ReadonlyMap<string, Question> | undefined;
}

export class PrefetchPredictor {
  /** The questions of the last call, with the number of consecutive calls that asked them. */
  readonly #consecutive = new Map<string, { question: Question; calls: number }>();
  #expected: readonly Question[] = [];

  /** The questions that the next call is expected to ask. It stays the same array until they change. */
  get expected(): readonly Question[] {
    return this.#expected;
  }

  /** Updates the prediction with a call that ended. */
  observe({ prefetched, prefetchedUsed, otherQuestions }: AskedQuestions): void {
    const all = 2 ** prefetched.length - 1;
    const isUsual = prefetched.length === 0 || prefetched === this.#expected;
    const isUnchanged = prefetchedUsed === all && prefetched.length === this.#consecutive.size;
    if (isUsual && !otherQuestions && isUnchanged) return;
    const asked = new Map(otherQuestions);
    prefetched.forEach((question, index) => {
      if (prefetchedUsed & 1 << index) asked.set(questionKey(question), question);
    });
    for (const [key, seen] of this.#consecutive) if (!asked.has(key)) this.#forget(key, seen.calls);
    for (const [key, question] of asked) this.#count(key, question);
  }

  #forget(key: string, calls: number): void {
    this.#consecutive.delete(key);
    if (calls >= CONSECUTIVE_CALLS) this.#updateExpected();
  }

  #count(key: string, question: Question): void {
    const seen = this.#consecutive.get(key);
    if (!seen) {
      if (this.#consecutive.size < QUESTIONS_MAX) this.#consecutive.set(key, { question, calls: 1 });
    } else if (++seen.calls === CONSECUTIVE_CALLS) {
      this.#updateExpected();
    }
  }

  #updateExpected(): void {
    this.#expected = [...this.#consecutive.values()]
      .filter(({ calls }) => calls >= CONSECUTIVE_CALLS)
      .map(({ question }) => question);
  }
}

export class Lease {
  /** Sends a revocation with this number to the sandbox. */
  readonly #sendRevoke: (revocation: number) => void;
  /** How far the sandbox's clock is behind the host's, at most; undefined until it is known. */
  #clockBehindMs: number | undefined;
  /** By the host's clock, for all answers that were sent. */
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

  /**
   * Extends the lease for answers that are being sent and may be used for `usableMs` at most. Returns until when they are
   * valid, by the sandbox's clock.
   */
  grant(usableMs = Infinity): number {
    const validUntil = performance.now() + Math.min(LEASE_MS, usableMs);
    // Answers that were sent earlier may be valid for longer.
    this.#validUntil = Math.max(this.#validUntil, validUntil);
    return validUntil - this.#clockBehindMs!;
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

/** Returns the same text for the same question. */
export function questionKey([kind, name, scope]: Question): string {
  return `${kind} ${scope} ${name}`;
}
