// Implements the calls and errors of the last 24 hours on the overview: their sums, a picture of them by hour, and the same
// numbers as a table.

import { HOUR_MS } from "../../../../time.ts";
import type { KeySubject } from "../../../../store/metrics.ts";
import { beginning } from "../../../../telemetry/metrics.ts";
import { seriesOf, totalOf } from "../../../../telemetry/series.ts";
import { summarize } from "../../../../telemetry/tally.ts";
import type { WebDeps } from "../../shell/deps.ts";
import { BarChart } from "../../ui/bar_chart.tsx";
import { Card } from "../../ui/card.tsx";
import { Fact, Facts, Time } from "../../ui/components.tsx";
import { DataTable } from "../../ui/data_table.tsx";
import { count, plural } from "../../ui/format.ts";
import { duration, text } from "../metrics/figures.ts";

const HOURS = 24;

interface Hour {
  readonly at: number;
  readonly calls: number;
  readonly failures: number;
}

export function DayChart({ deps: { metrics, now }, of, href }: {
  deps: WebDeps;
  /** One key; all calls without it. */
  of?: KeySubject;
  /** The page with all metrics. */
  href: string;
}) {
  const from = beginning("hours", now() - (HOURS - 1) * HOUR_MS);
  const points = seriesOf(metrics, "hours", of, from, now());
  const hours = points.map(({ at, tally }): Hour => ({
    at,
    calls: tally.calls,
    failures: tally.errors + tally.timeouts,
  }));
  const { calls, p95Ms } = summarize(totalOf(points));
  const failures = hours.reduce((sum, hour) => sum + hour.failures, 0);
  if (calls === 0) return null;
  return (
    <Card title="Calls, last 24 hours" id="calls" actions={<a href={href}>All metrics</a>}>
      <Facts>
        <Fact term="Calls">{count(calls)}</Fact>
        <Fact term="Errors">
          <span class={failures > 0 ? "failed" : undefined}>
            {failures === 0 ? "none" : `${count(failures)} (${text(failures / calls * 100)} %)`}
          </span>
        </Fact>
        <Fact term="95 % within">{duration(p95Ms)}</Fact>
      </Facts>
      <BarChart
        class="day-chart"
        label="Calls by hour"
        summary={`Calls and errors by hour: ${plural(calls, "call")}, ${plural(failures, "error")}.`}
        from={from}
        widthMs={HOUR_MS}
        bars={hours.map((hour) => ({
          parts: [{ kind: "error", value: hour.failures }, { kind: "info", value: hour.calls - hour.failures }],
          says: plural(hour.calls, "call") + (hour.failures > 0 ? `, ${plural(hour.failures, "error")}` : ""),
          // The log does not say which key a call had.
          href: of === undefined ? logsOf(hour) : href,
        }))}
      />
      <Numbers hours={hours} />
    </Card>
  );
}

/** The log of an hour: its errors, if there were any. */
function logsOf({ at, failures }: Hour): string {
  const [from, to] = [at, at + HOUR_MS].map((ms) => new Date(ms).toISOString());
  return `/web/logs?${new URLSearchParams({
    ...(failures > 0 && { level: "error" }),
    range: "custom",
    from: from!,
    to: to!,
  })}`;
}

function Numbers({ hours }: { hours: readonly Hour[] }) {
  return (
    <details>
      <summary>The numbers by hour</summary>
      <DataTable
        label="Calls and errors by hour"
        rows={hours.filter(({ calls }) => calls > 0)}
        columns={[
          { label: "From", isRowHeader: true, cell: ({ at }) => <Time ms={at} /> },
          { label: "Calls", isFigure: true, cell: ({ calls }) => count(calls) },
          { label: "Errors", isFigure: true, cell: ({ failures }) => count(failures) },
        ]}
      />
    </details>
  );
}
