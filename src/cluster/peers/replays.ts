// Remembers the messages that were accepted lately, so that none is accepted twice. Bounded: older messages are refused
// by their time, and only who has the key can fill it.

/** How far the clocks of two nodes may differ. */
export const WINDOW_MS = 30_000;
/** More than a thousand messages a second. */
const REMEMBERED_MAX = 100_000;

export type Verdict = "accepted" | "clock" | "replay" | "full";

export class Replays {
  readonly #now: () => number;
  readonly #max: number;
  /** When each accepted message was sent, and until when it is remembered, in the order of arrival. */
  readonly #seen = new Map<string, { at: number; until: number }>();
  /** Messages that were sent before this may be forgotten already; matters after this clock was set back. */
  #forgottenTo = -Infinity;

  constructor(now: () => number, max = REMEMBERED_MAX) {
    this.#now = now;
    this.#max = max;
  }

  /** Accepts the authenticated message with this nonce, which was sent at `at`, unless it was accepted before. */
  accept(nonce: string, at: number): Verdict {
    const now = this.#now();
    this.#forget(now);
    if (Math.abs(now - at) > WINDOW_MS || at <= this.#forgottenTo) return "clock";
    if (this.#seen.has(nonce)) return "replay";
    if (this.#seen.size >= this.#max) return "full";
    this.#seen.set(nonce, { at, until: at + WINDOW_MS });
    return "accepted";
  }

  #forget(now: number): void {
    for (const [nonce, { at, until }] of this.#seen) {
      // Behind it may be some whose time is over: they are forgotten together with it.
      if (until >= now) return;
      this.#seen.delete(nonce);
      this.#forgottenTo = Math.max(this.#forgottenTo, at);
    }
  }
}
