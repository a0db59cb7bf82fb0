// Work that nobody's call depends on: if it fails, it is told, now and then, and everything else goes on.

/** A failure that lasts, such as a full disk, is told this often. */
const TOLD_EVERY_MS = 60_000;

/** Runs `work`; undefined if it threw. */
export type Attempt = <T>(work: () => T) => T | undefined;

/** `tell` hears of a failure, but not of those within a minute after it. */
export function forgiving(now: () => number, tell: (error: unknown) => void): Attempt {
  let toldAt = -Infinity;
  return (work) => {
    try {
      return work();
    } catch (error) {
      if (Math.abs(now() - toldAt) >= TOLD_EVERY_MS) {
        toldAt = now();
        tell(error);
      }
      return undefined;
    }
  };
}
