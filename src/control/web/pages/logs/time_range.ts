// Parses the time of the logs' page, and divides it into the bars of the histogram.

import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from "../../../../time.ts";
import type { Bars } from "../../../../store/log_counts.ts";
import { invalid } from "../../../../errors.ts";

/** Times to choose from, up to now. */
export const RANGES = {
  "15m": { label: "Last 15 minutes", ms: 15 * MINUTE_MS },
  "1h": { label: "Last hour", ms: HOUR_MS },
  "24h": { label: "Last 24 hours", ms: DAY_MS },
  "7d": { label: "Last 7 days", ms: 7 * DAY_MS },
} as const;

export type RangeName = keyof typeof RANGES | "all" | "custom";

/** Wide enough to be pressed where there is room for the sidebar. */
const BARS_MAX = 36;
const WIDTHS = [
  ...[1, 5, 15, 30].map((n) => n * SECOND_MS),
  ...[1, 2, 5, 10, 15, 30].map((n) => n * MINUTE_MS),
  ...[1, 2, 3, 6, 12].map((n) => n * HOUR_MS),
  ...[1, 2, 7, 14, 30, 60, 180].map((n) => n * DAY_MS),
];

export interface TimeRange {
  readonly name: RangeName;
  /** Milliseconds since 1970; undefined for all entries that there are. */
  readonly from: number | undefined;
  /** Not included; undefined for what is logged from now on, too. */
  readonly until: number | undefined;
  readonly bars: Bars;
}

/** The query's parameters, as they were given. */
export interface GivenRange {
  readonly range: string;
  readonly from: string;
  readonly to: string;
}

/**
 * Returns the time of a query; `fallback` if it has none. `beginning` returns when the oldest entry is from.
 * @throws AppError InvalidInput (400) for times that are none
 */
export async function timeRangeOf(
  given: GivenRange,
  fallback: keyof typeof RANGES | "all",
  now: number,
  beginning: () => Promise<number | undefined>,
): Promise<TimeRange> {
  const isCustom = given.range === "custom" || (given.range === "" && given.from + given.to !== "");
  if (isCustom && given.from + given.to !== "") {
    const from = timeOf(given.from, "from");
    const until = timeOf(given.to, "to");
    if (from !== undefined && until !== undefined && from >= until) throw invalid("from", "must be before its end");
    const bars = barsOf(from ?? await beginning() ?? now - DAY_MS, until ?? now);
    return { name: "custom", from, until, bars };
  }
  const name = given.range in RANGES || given.range === "all" ? given.range as keyof typeof RANGES | "all" : fallback;
  if (name === "all") {
    return { name, from: undefined, until: undefined, bars: barsOf(await beginning() ?? now - DAY_MS, now) };
  }
  // The first bar is whole, so that the list and the histogram have the same entries.
  const bars = barsOf(now - RANGES[name].ms, now);
  return { name, from: bars.from, until: undefined, bars };
}

/** Returns the bars of the least width that cover the time. */
function barsOf(from: number, until: number): Bars {
  const cover = (widthMs: number): Bars => {
    const first = Math.floor(from / widthMs) * widthMs;
    return { from: first, widthMs, count: Math.max(1, Math.ceil((until - first) / widthMs)) };
  };
  const fitting = WIDTHS.map(cover).find(({ count }) => count <= BARS_MAX);
  return fitting ?? { ...cover(WIDTHS.at(-1)!), count: BARS_MAX };
}

/** Times are in UTC, as fields of browsers give them or as in links. */
function timeOf(text: string, field: string): number | undefined {
  if (text === "") return undefined;
  const [, time] = /^(\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?)Z?$/.exec(text) ?? [];
  const at = Date.parse(`${time}Z`);
  if (Number.isNaN(at) || at < 0) throw invalid(field, "must be a time such as 2026-01-31T12:00");
  return at;
}
