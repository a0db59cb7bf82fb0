// Implements the histogram above the logs: bars by level, each a link to its time.

import type { Bars } from "../../../../store/log_counts.ts";
import { LEVELS, type LogHistogram } from "../../../../telemetry/logs.ts";
import { BarChart } from "../../ui/bar_chart.tsx";
import { count, plural } from "../../ui/format.ts";

interface HistogramProps {
  histogram: LogHistogram;
  bars: Bars;
  /** Returns the address of a time, in milliseconds since 1970; the end is not included. */
  href: (from: number, until: number) => string;
}

export function Histogram({ histogram, bars: { from, widthMs, count: bars }, href }: HistogramProps) {
  const totals = histogram.bars.map(sum);
  const most = Math.max(...totals, 0);
  return (
    <BarChart
      class="histogram"
      label="Entries over time"
      summary={`Entries over time: ${plural(sum(totals), "entry", "entries")}, at most ${count(most)} in a bar.`}
      data={{ "data-from": from, "data-width": widthMs, "data-count": bars }}
      from={from}
      widthMs={widthMs}
      bars={histogram.bars.map((levels, bar) => ({
        // The most serious ones at the bottom, where bars are compared.
        parts: LEVELS.map((kind, level) => ({ kind, value: levels[level]! })).reverse(),
        says: saysOf(levels),
        href: href(from + bar * widthMs, from + (bar + 1) * widthMs),
      }))}
    />
  );
}

/** Such as "5 entries, 1 error". */
function saysOf(levels: readonly number[]): string {
  const [errors, warnings] = [levels[3]!, levels[2]!];
  const serious = [errors > 0 && plural(errors, "error"), warnings > 0 && plural(warnings, "warning")].filter(Boolean);
  return [plural(sum(levels), "entry", "entries"), ...serious].join(", ");
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}
