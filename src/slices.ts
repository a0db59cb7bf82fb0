// Splits long work into slices of a few milliseconds, so that it does not block the event loop.

/** Long enough that pauses cost nothing, and far too short for a caller to notice. */
const SLICE_MS = 8;

/** Returns a function to be awaited between small pieces of work; when a slice is over, it lets other work run. */
export function slices(): () => Promise<void> | undefined {
  let began = performance.now();
  return () => {
    if (performance.now() - began < SLICE_MS) return undefined;
    return new Promise((resolve) =>
      setImmediate(() => {
        began = performance.now();
        resolve();
      })
    );
  };
}
