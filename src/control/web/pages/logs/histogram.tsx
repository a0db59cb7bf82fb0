// Implements the histogram above the logs: bars by level, each a link to its time.

import type { Bars } from "../../../../store/log_counts.ts";
import { LEVELS, type LogHistogram } from "../../../../telemetry/logs.ts";
import { count, plural } from "../../ui/format.ts";

/** In units of the picture, which is stretched to its place. */
const BAR_WIDTH = 10;
const GAP = 2;
const HEIGHT = 100;
/** Of a level that has entries, so that one error among thousands is seen. */
const LEAST_HEIGHT = 4;

interface HistogramProps {
  histogram: LogHistogram;
  bars: Bars;
  /** Returns the address of a time, in milliseconds since 1970; the end is not included. */
  href: (from: number, until: number) => string;
}

export function Histogram({ histogram, bars: { from, widthMs, count: bars }, href }: HistogramProps) {
  const totals = histogram.bars.map(sum);
  const most = Math.max(1, ...totals);
  return (
    <div class="histogram">
      <svg
        role="img"
        aria-label={`Entries over time: ${plural(sum(totals), "entry", "entries")}, at most ${count(most)} in a bar.`}
        viewBox={`0 0 ${bars * BAR_WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
      >
        {histogram.bars.map((levels, bar) => {
          let top = HEIGHT;
          // The most serious ones at the bottom, where bars are compared.
          return LEVELS.toReversed().map((level) => {
            const entries = levels[LEVELS.indexOf(level)]!;
            if (entries === 0) return null;
            const height = Math.max(LEAST_HEIGHT, Math.round(entries / most * HEIGHT));
            top = Math.max(0, top - height);
            return <rect class={level} x={bar * BAR_WIDTH + GAP / 2} y={top} width={BAR_WIDTH - GAP} height={height} />;
          });
        })}
      </svg>
      <ul class="bars" aria-label="Entries over time">
        {histogram.bars.map((levels, bar) => {
          const [begin, end] = [from + bar * widthMs, from + (bar + 1) * widthMs];
          const label = barLabel(levels, begin, end);
          return (
            <li>
              {sum(levels) > 0 && (
                <a href={href(begin, end)} title={label}>
                  <span class="visually-hidden">{label}</span>
                </a>
              )}
            </li>
          );
        })}
      </ul>
    </div>
  );
}

/** Such as "2026-01-31 12:00 to 12:30 UTC: 5 entries, 1 error". */
function barLabel(levels: readonly number[], begin: number, end: number): string {
  const [first, last] = [begin, end].map((ms) => new Date(ms).toISOString());
  const [day, time] = [first!.slice(0, 10), shortTime(first!)];
  const until = last!.slice(0, 10) === day ? shortTime(last!) : `${last!.slice(0, 10)} ${shortTime(last!)}`;
  const [errors, warnings] = [levels[3]!, levels[2]!];
  const serious = [errors > 0 && plural(errors, "error"), warnings > 0 && plural(warnings, "warning")].filter(Boolean);
  return `${day} ${time} to ${until} UTC: ${[plural(sum(levels), "entry", "entries"), ...serious].join(", ")}`;
}

function shortTime(iso: string): string {
  return iso.slice(17, 19) === "00" ? iso.slice(11, 16) : iso.slice(11, 19);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}
