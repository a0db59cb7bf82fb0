// Declares what requests leave for later ones, which another node of a cluster may answer: counts of attempts, and values
// that are kept for minutes.

export interface SharedState {
  /** Slows down guessing. */
  readonly throttle: Throttle;

  /** Keeps values of one kind. On a server of its own, the oldest of more than `max` are forgotten. */
  handovers(kind: string, max: number): Handovers;

  /** The token of the link that creates the first user, the same on each node; undefined for a new one at each start. */
  readonly setupToken: string | undefined;
}

/** Values that one request leaves and a later one finds. Each method throws StoreUnavailable (503) in a cluster. */
export interface Handovers {
  /** Keeps `value` for `ms`, in place of an earlier one. `key` is secret only if `value` is. */
  put(key: string, value: string, ms: number): Promise<void>;

  /** Keeps `value` unless there is one. Returns whether there was none: of several callers, one gets true. */
  claim(key: string, value: string, ms: number): Promise<boolean>;

  find(key: string): Promise<string | undefined>;

  /** Returns the value and forgets it: of several callers, one gets it. */
  take(key: string): Promise<string | undefined>;
}

export interface Limit {
  /** Attempts before the first wait. */
  readonly free: number;
  readonly firstWaitMs: number;
  readonly longestWaitMs: number;
}

/** What an attempt counts against. */
export interface Counted {
  readonly bucket: string;
  readonly limit: Limit;
}

export interface Throttle {
  /**
   * Counts an attempt before its outcome is known, so that concurrent attempts get no more tries than sequential ones.
   * @throws SlowDown (429) if one of the buckets has to wait; the attempt is then not counted, so that repeated
   *   attempts do not make other users wait longer
   */
  begin(counted: readonly Counted[]): Promise<void>;

  /** Resets a bucket. */
  clear(bucket: string): Promise<void>;

  /** Takes back one attempt that was not a guess; earlier ones still count. */
  takeBack(counted: Counted): Promise<void>;

  /** Reports whether the next attempt has to wait. */
  isBlocked(bucket: string): Promise<boolean>;
}

/** A bucket without attempts for this long is reset. */
export const FORGET_ATTEMPTS_MS = 24 * 60 * 60 * 1_000;

/** Returns how long to wait after this many attempts. */
export function waitMs(attempts: number, { free, firstWaitMs, longestWaitMs }: Limit): number {
  return attempts < free ? 0 : Math.min(firstWaitMs * 2 ** (attempts - free), longestWaitMs);
}
