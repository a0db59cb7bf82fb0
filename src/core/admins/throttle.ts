// Slows guessing down: after some free attempts each further one has to wait, twice as long each time. Knows
// names of buckets only, not what is tried.

import { SlowDown } from "../../errors.ts";

export interface Limit {
  /** Attempts before the first wait. */
  readonly free: number;
  readonly firstWaitMs: number;
  readonly longestWaitMs: number;
}

interface Bucket {
  attempts: number;
  blockedUntil: number;
  lastAt: number;
}

/** What an attempt counts against. */
export interface Counted {
  readonly bucket: string;
  readonly limit: Limit;
}

/** Of a few dozen bytes each. */
const BUCKETS_MAX = 20_000;
/** Who has not tried for so long begins anew. */
const FORGET_AFTER_MS = 24 * 3_600_000;

export class Throttle {
  readonly #now: () => number;
  /** In the order in which they were last counted, so that the ones at work are forgotten last. */
  readonly #buckets = new Map<string, Bucket>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /**
   * Counts an attempt before it is known how it ends, so that many at once get no more than many in turn.
   * @throws SlowDown (429) if one of the buckets has to wait; the attempt is then not counted, so that whoever
   *   keeps knocking makes nobody wait longer
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

  /** Forgets what was counted here. */
  clear(bucket: string): void {
    this.#buckets.delete(bucket);
  }

  /** Takes one attempt back, which was no guess; those before it still count. */
  takeBack({ bucket, limit }: Counted): void {
    const found = this.#known(bucket);
    if (!found) return;
    const attempts = found.attempts - 1;
    if (attempts <= 0) return this.clear(bucket);
    this.#put(bucket, { ...found, attempts, blockedUntil: attempts < limit.free ? 0 : found.blockedUntil });
  }

  /** Whether the next attempt has to wait. */
  isBlocked(bucket: string): boolean {
    return (this.#known(bucket)?.blockedUntil ?? 0) > this.#now();
  }

  #known(bucket: string): Bucket | undefined {
    const found = this.#buckets.get(bucket);
    return found && this.#now() - found.lastAt < FORGET_AFTER_MS ? found : undefined;
  }

  #put(bucket: string, state: Bucket): void {
    this.#buckets.delete(bucket);
    this.#buckets.set(bucket, state);
    if (this.#buckets.size <= BUCKETS_MAX) return;
    const [oldest] = this.#buckets.keys();
    this.#buckets.delete(oldest!);
  }
}

/** How long to wait after so many attempts. */
function waitMs(attempts: number, { free, firstWaitMs, longestWaitMs }: Limit): number {
  return attempts < free ? 0 : Math.min(firstWaitMs * 2 ** (attempts - free), longestWaitMs);
}
