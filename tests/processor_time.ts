// How long this thread has computed, which other programs on the machine hardly lengthen, for tests of what something
// costs.

/** Where Linux counts it (proc(5), schedstat): nanoseconds on a processor, and two other numbers. */
const COUNTER = "/proc/thread-self/schedstat";

/**
 * Milliseconds since some moment, counted a few at a time; of real time where the system does not count those of the
 * processor.
 */
export function processorMs(): number {
  try {
    return Number(Deno.readTextFileSync(COUNTER).split(" ", 1)[0]) / 1e6;
  } catch {
    return performance.now();
  }
}
