// Keeps what handlers can cause in a loop from filling the server's own log: each thing is reported once a minute.

const EVERY_MS = 60_000;
/** Things that are told apart; with more, all of them are news again, at most once a second. */
const KNOWN_MAX = 1_000;
const FORGET_MS = 1_000;

/** Returns whether something was not reported in the last minute; it then counts as reported. */
export function seldom<T>(now: () => number): (what: T) => boolean {
  const reportedAt = new Map<T, number>();
  let forgotAt = -Infinity;
  return (what) => {
    const at = now();
    if (at - (reportedAt.get(what) ?? -Infinity) < EVERY_MS) return false;
    if (reportedAt.size >= KNOWN_MAX) {
      if (at - forgotAt < FORGET_MS) return false;
      reportedAt.clear();
      forgotAt = at;
    }
    reportedAt.set(what, at);
    return true;
  };
}
