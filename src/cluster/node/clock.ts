// Measures time for leases: never less than what really passed, also while the machine was suspended.

import { SECOND_MS } from "../../time.ts";

/** The clocks of this process, read at one moment. */
export interface Instant {
  /** Milliseconds of a clock that is never set, which stands still while the machine is suspended. */
  readonly steadyMs: number;
  /** Seconds since the machine started, suspended time included, rounded up. */
  readonly uptimeS: number;
  /** Milliseconds of a clock that runs through suspends, but that can be set. */
  readonly wallMs: number;
}

export interface Clocks {
  steadyMs(): number;
  uptimeS(): number;
  wallMs(): number;
}

/** `osUptime` is `sysinfo`'s CLOCK_BOOTTIME in whole seconds on Linux, and costs half a microsecond. */
export const SYSTEM_CLOCKS: Clocks = {
  steadyMs: () => performance.now(),
  uptimeS: () => Deno.osUptime(),
  wallMs: () => Date.now(),
};

export function readClocks(clocks: Clocks): Instant {
  return { steadyMs: clocks.steadyMs(), uptimeS: clocks.uptimeS(), wallMs: clocks.wallMs() };
}

/**
 * Returns how many milliseconds have passed from `since` to `now` at most, by the clock that shows most. The uptime finds
 * each suspend of more than a second; the wall clock finds shorter ones, and a step of it can only lengthen the time.
 */
export function elapsedMs(since: Instant, now: Instant): number {
  return Math.max(
    now.steadyMs - since.steadyMs,
    // Between two numbers of whole seconds, up to one less has passed.
    (now.uptimeS - since.uptimeS - 1) * SECOND_MS,
    now.wallMs - since.wallMs,
  );
}
