// Counts calls of one function or of all, over any period. Tallies can be added.

import { addHistogram, bucketOf, type Histogram, newHistogram, percentiles } from "./histogram.ts";

/** How a call ended. A refused call never reached the handler (401, 403, 429, no room). */
export type Outcome = "ok" | "error" | "timeout" | "refused";

export interface Tally {
  /** Calls that were admitted. */
  calls: number;
  /** Of these, those without a complete response of the handler, except timeouts. */
  errors: number;
  timeouts: number;
  /** Not counted in `calls`. */
  refusals: number;
  /** Of all calls together, in µs. */
  durationUs: number;
  longestUs: number;
  sandboxStarts: number;
  /** `getSecret` and `getCompleteSecret`. */
  secretReads: number;
  /** The time that the server took to answer them. */
  secretReadUs: number;
  /** Of the calls, those with work after the response (`ctx.waitUntil`). */
  backgroundCalls: number;
  /** Of these, those whose work failed, was aborted or took too long. */
  backgroundErrors: number;
  /** From the response to the end of the work, all of them together. */
  backgroundUs: number;
  /** The durations of all calls. */
  histogram: Histogram;
}

/** The summary of a tally. Durations are null without calls; percentiles have an error of at most 1.6 %. */
export interface Summary {
  readonly calls: number;
  readonly errors: number;
  readonly timeouts: number;
  readonly meanMs: number | null;
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
  readonly p99Ms: number | null;
  readonly maxMs: number | null;
}

export function newTally(): Tally {
  return {
    calls: 0,
    errors: 0,
    timeouts: 0,
    refusals: 0,
    durationUs: 0,
    longestUs: 0,
    sandboxStarts: 0,
    secretReads: 0,
    secretReadUs: 0,
    backgroundCalls: 0,
    backgroundErrors: 0,
    backgroundUs: 0,
    histogram: newHistogram(),
  };
}

export function countCall(tally: Tally, outcome: Outcome, durationMs: number): void {
  if (outcome === "refused") {
    tally.refusals++;
    return;
  }
  tally.calls++;
  if (outcome === "error") tally.errors++;
  else if (outcome === "timeout") tally.timeouts++;
  const us = durationMs > 0 ? Math.floor(durationMs * 1_000) : 0;
  tally.durationUs += us;
  if (us > tally.longestUs) tally.longestUs = us;
  tally.histogram[bucketOf(us)]!++;
}

export function addTally(to: Tally, from: Tally): void {
  addCounts(to, from);
  addHistogram(to.histogram, from.histogram);
}

/** Adds everything except the histogram. */
export function addCounts(to: Tally, from: Omit<Tally, "histogram">): void {
  to.calls += from.calls;
  to.errors += from.errors;
  to.timeouts += from.timeouts;
  to.refusals += from.refusals;
  to.durationUs += from.durationUs;
  to.longestUs = Math.max(to.longestUs, from.longestUs);
  to.sandboxStarts += from.sandboxStarts;
  to.secretReads += from.secretReads;
  to.secretReadUs += from.secretReadUs;
  to.backgroundCalls += from.backgroundCalls;
  to.backgroundErrors += from.backgroundErrors;
  to.backgroundUs += from.backgroundUs;
}

export function summarize(tally: Tally): Summary {
  const { calls, errors, timeouts, durationUs, longestUs, histogram } = tally;
  const found = percentiles(histogram, [0.5, 0.95, 0.99]);
  if (!found) {
    return { calls, errors, timeouts, meanMs: null, p50Ms: null, p95Ms: null, p99Ms: null, maxMs: null };
  }
  // The middle of a bucket can exceed the longest of its values.
  const [p50Ms, p95Ms, p99Ms] = found.map((us) => Math.min(us, longestUs) / 1_000) as [number, number, number];
  return { calls, errors, timeouts, meanMs: durationUs / calls / 1_000, p50Ms, p95Ms, p99Ms, maxMs: longestUs / 1_000 };
}
