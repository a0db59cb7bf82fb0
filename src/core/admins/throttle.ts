// Slows down guessing: after a number of free attempts each further one has to wait, twice as long each time. Knows
// only names of buckets, not what is tried.

import { SlowDown } from "../../errors.ts";
import { type Counted, FORGET_ATTEMPTS_MS, waitMs } from "../../shared_state.ts";

interface Bucket {
  attempts: number;
  blockedUntil: number;
  lastAt: number;
}

/** Each takes a few dozen bytes. */
const BUCKETS_MAX = 20_000;
export class Throttle {
  readonly #now: () => number;
  /** In the order of their last attempts, so that buckets in use are evicted last. */
  readonly #buckets = new Map<string, Bucket>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /**
   * Counts an attempt before its outcome is known, so that concurrent attempts get no more tries than sequential ones.
   * @throws SlowDown (429) if one of the buckets has to wait; the attempt is then not counted, so that repeated
   *   attempts do not make other users wait longer
   */
  begin(counted: readonly Counted[]): void {
    const now = this.#now();
    const until = Math.max(0, ...counted.map(({ bucket }) => this.#known(bucket)?.blockedUntil ?? 0));
    if (until > now) throw new SlowDown(Math.ceil((until - now) / 1_000));
    for (const { bucket, limit } of counted) {
      const { attempts } = this.#known(bucket) ?? { attempts: 0 };
      this.#put(bucket, { attempts: attempts + 1, blockedUntil: now + waitMs(attempts + 1, limit), lastAt: now });
    }
  }

  /** Resets a bucket. */
  clear(bucket: string): void {
    this.#buckets.delete(bucket);
  }

  /** Takes back one attempt that was not a guess; earlier ones still count. */
  takeBack({ bucket, limit }: Counted): void {
    const found = this.#known(bucket);
    if (!found) return;
    const attempts = found.attempts - 1;
    if (attempts <= 0) return this.clear(bucket);
    this.#put(bucket, { ...found, attempts, blockedUntil: attempts < limit.free ? 0 : found.blockedUntil });
  }

  /** Reports whether the next attempt has to wait. */
  isBlocked(bucket: string): boolean {
    return (this.#known(bucket)?.blockedUntil ?? 0) > this.#now();
  }

  #known(bucket: string): Bucket | undefined {
    const found = this.#buckets.get(bucket);
    return found && this.#now() - found.lastAt < FORGET_ATTEMPTS_MS ? found : undefined;
  }

  #put(bucket: string, state: Bucket): void {
    this.#buckets.delete(bucket);
    this.#buckets.set(bucket, state);
    if (this.#buckets.size <= BUCKETS_MAX) return;
    const [oldest] = this.#buckets.keys();
    this.#buckets.delete(oldest!);
  }
}
