// Keeps work whose amount others decide from holding up the event loop: it pauses after a few milliseconds.

/** Long enough that pauses cost nothing, far less than a caller notices. */
const SLICE_MS = 8;

/** Returns a function to be awaited between small pieces of work: once a slice is over, everything else has its turn. */
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
