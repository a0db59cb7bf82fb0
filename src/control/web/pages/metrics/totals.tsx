// Implements the totals above the charts, each next to the same length of time before.

import { summarize, type Tally } from "../../../../telemetry/tally.ts";
import { Stat, Stats } from "../../ui/card.tsx";
import { count, plural } from "../../ui/format.ts";
import { duration, type Range, RANGES, text } from "./figures.ts";

/** The line above the totals: what they are compared with; the script shows that they are refreshed. */
export function Compared({ range, before }: { range: Range; before: Tally | undefined }) {
  return (
    <div class="compared">
      <p>
        {before && (isCompared(before)
          ? `Compared with ${RANGES[range].before}`
          : `Nothing was called in ${RANGES[range].before}`)}
      </p>
      <p id="refreshing" hidden>
        <span class="status" role="status"></span> <button type="button" class="quiet small">Pause</button>
      </p>
    </div>
  );
}

function isCompared({ calls, refusals }: Tally): boolean {
  return calls + refusals > 0;
}

export function Totals({ total, before }: { total: Tally; before: Tally }) {
  const [now, then] = [summarize(total), summarize(before)];
  const failed = (tally: Tally) => tally.errors + tally.timeouts;
  const rate = (tally: Tally) => tally.calls === 0 ? null : failed(tally) / tally.calls * 100;
  return (
    <Stats>
      <Stat label="Calls" figure={count(total.calls)} note={changeOf(total.calls, before.calls, count)} />
      <Stat
        label="Error rate"
        figure={total.calls === 0 ? "–" : `${text(rate(total))} %`}
        kind={failed(total) > 0 ? "bad" : undefined}
        note={plural(failed(total), "error") + (rate(before) === null ? "" : `, ${text(rate(before))} % before`)}
      />
      {(["p50", "p95", "p99"] as const).map((name) => (
        <Stat
          label={name}
          figure={duration(now[`${name}Ms`])}
          note={changeOf(now[`${name}Ms`], then[`${name}Ms`], duration)}
        />
      ))}
      <Stat
        label="Refusals"
        figure={count(total.refusals)}
        note={changeOf(total.refusals, before.refusals, count)}
      />
    </Stats>
  );
}

/** How a number differs from the one before, in words that need no color; undefined without one before. */
function changeOf(now: number | null, before: number | null, format: (value: number) => string): string | undefined {
  if (!before) return undefined;
  if (now === null) return `${format(before)} before`;
  const percent = Math.round((now / before - 1) * 100);
  return percent === 0 ? "as before" : `${percent > 0 ? "+" : "−"}${count(Math.abs(percent))} % from ${format(before)}`;
}
