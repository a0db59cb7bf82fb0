// Which questions a function's calls keep asking, so that they can be answered before they are asked. Guesses only:
// what may be answered, and to whom, is decided elsewhere.

import type { Question } from "../wire/protocol.ts";

/** A question that so many calls in a row have asked is expected of the next one. */
const CALLS_IN_A_ROW = 3;
/** Questions of one call that are remembered; the answers that came with a call are counted by bits of a number. */
export const QUESTIONS_MAX = 30;

/** What a call was told ahead and what it has asked. */
export interface Asked {
  readonly told: readonly Question[];
  /** A bit for each question of `told` that was asked. */
  readonly toldAsked: number;
  /** The others that it asked, by `questionKey`. */
  readonly others: ReadonlyMap<string, Question> | undefined;
}

export class Foresight {
  readonly #inARow = new Map<string, { question: Question; calls: number }>();
  #expected: readonly Question[] = [];

  /** What the next call is likely to ask. The same array until that changes. */
  get expected(): readonly Question[] {
    return this.#expected;
  }

  /** A call has ended. */
  learn({ told, toldAsked, others }: Asked): void {
    const all = 2 ** told.length - 1;
    const isUsual = told.length === 0 || told === this.#expected;
    if (isUsual && !others && toldAsked === all && told.length === this.#inARow.size) return;
    const asked = new Map(others);
    told.forEach((question, index) => {
      if (toldAsked & 1 << index) asked.set(questionKey(question), question);
    });
    for (const [key, seen] of this.#inARow) if (!asked.has(key)) this.#forget(key, seen.calls);
    for (const [key, question] of asked) this.#count(key, question);
  }

  #forget(key: string, calls: number): void {
    this.#inARow.delete(key);
    if (calls >= CALLS_IN_A_ROW) this.#expectAnew();
  }

  #count(key: string, question: Question): void {
    const seen = this.#inARow.get(key);
    if (!seen) {
      if (this.#inARow.size < QUESTIONS_MAX) this.#inARow.set(key, { question, calls: 1 });
    } else if (++seen.calls === CALLS_IN_A_ROW) {
      this.#expectAnew();
    }
  }

  #expectAnew(): void {
    this.#expected = [...this.#inARow.values()]
      .filter(({ calls }) => calls >= CALLS_IN_A_ROW)
      .map(({ question }) => question);
  }
}

/** The same text for the same question. */
export function questionKey([kind, name, scope]: Question): string {
  return `${kind} ${scope} ${name}`;
}
