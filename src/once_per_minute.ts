// Limits how often the same thing is reported, so that handlers cannot flood the server's own log in a loop.

import { MINUTE_MS, SECOND_MS } from "./time.ts";

/** Distinct things remembered. With more, all are forgotten, at most once a second. */
const REMEMBERED_MAX = 1_000;

/** Returns a function that reports whether it has not returned true for `what` in the last minute. */
export function oncePerMinute<T>(now: () => number): (what: T) => boolean {
  const reportedAt = new Map<T, number>();
  let forgotAt = -Infinity;
  return (what) => {
    const at = now();
    if (at - (reportedAt.get(what) ?? -Infinity) < MINUTE_MS) return false;
    if (reportedAt.size >= REMEMBERED_MAX) {
      if (at - forgotAt < SECOND_MS) return false;
      reportedAt.clear();
      forgotAt = at;
    }
    reportedAt.set(what, at);
    return true;
  };
}
