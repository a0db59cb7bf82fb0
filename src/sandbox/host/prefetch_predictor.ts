// Predicts which questions a function's next call will ask, so that they can be answered before it asks. Only predicts:
// what may be answered, and to which caller, is decided elsewhere.

import type { Question } from "../wire/protocol.ts";

/** A question of this many consecutive calls is expected of the next one. */
const CONSECUTIVE_CALLS = 3;
/** Questions remembered of one call. The use of its prefetched answers is counted in the bits of a number. */
export const QUESTIONS_MAX = 30;

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

/** Returns the same text for the same question. */
export function questionKey([kind, name, scope]: Question): string {
  return `${kind} ${scope} ${name}`;
}
