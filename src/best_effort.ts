// Runs best-effort work: failures are reported at most once a minute and never propagate.

import { MINUTE_MS } from "./time.ts";

/** Interval between reports of a persistent failure, such as a full disk. */
const WARN_INTERVAL_MS = MINUTE_MS;

/** Runs `work`; returns undefined if it threw. */
export type BestEffort = <T>(work: () => T) => T | undefined;

/** `warn` is called with a failure, but not with further ones within a minute. */
export function bestEffort(now: () => number, warn: (error: unknown) => void): BestEffort {
  let warnedAt = -Infinity;
  return (work) => {
    try {
      return work();
    } catch (error) {
      if (Math.abs(now() - warnedAt) >= WARN_INTERVAL_MS) {
        warnedAt = now();
        warn(error);
      }
      return undefined;
    }
  };
}
