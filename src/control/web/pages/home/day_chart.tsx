// Implements the picture of the calls and errors of the last 24 hours, with the same numbers as a table.

import { HOUR_MS } from "../../../../time.ts";
import type { KeySubject } from "../../../../store/metrics.ts";
import { beginning } from "../../../../telemetry/metrics.ts";
import { seriesOf } from "../../../../telemetry/series.ts";
import type { WebDeps } from "../../shell/deps.ts";
import { Card } from "../../ui/card.tsx";
import { count, plural } from "../../ui/format.ts";
import { Time } from "../../ui/components.tsx";
import { DataTable } from "../../ui/data_table.tsx";

const HOURS = 24;
/** In units of the picture, which is stretched to its place. */
const BAR_WIDTH = 10;
const GAP = 2;
const HEIGHT = 100;
/** So that one error among thousands of calls is seen. */
const LEAST_HEIGHT = 4;

export function DayChart({ deps: { metrics, now }, of, href }: {
  deps: WebDeps;
  /** One key; all calls without it. */
  of?: KeySubject;
  /** The page with all metrics. */
  href: string;
}) {
  const from = beginning("hours", now() - (HOURS - 1) * HOUR_MS);
  const hours = seriesOf(metrics, "hours", of, from, now()).map((
    { at, tally: { calls, errors, timeouts } },
  ) => ({
    at,
    calls,
    failures: errors + timeouts,
  }));
  const calls = hours.reduce((sum, hour) => sum + hour.calls, 0);
  const failures = hours.reduce((sum, hour) => sum + hour.failures, 0);
  if (calls === 0) return null;
  const most = Math.max(...hours.map((hour) => hour.calls));
  return (
    <Card title="Calls, last 24 hours" id="calls" actions={<a href={href}>All metrics</a>}>
      <p>
        {plural(calls, "call")}, {failures === 0 ? "no errors" : plural(failures, "error")}; at most {count(most)}{" "}
        an hour
      </p>
      <svg
        class="day-chart"
        role="img"
        aria-label={`Calls and errors by hour: ${plural(calls, "call")}, ${plural(failures, "error")}.`}
        viewBox={`0 0 ${hours.length * BAR_WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
      >
        {hours.map((hour, n) => {
          const height = hour.calls === 0 ? 0 : Math.max(LEAST_HEIGHT, Math.round(hour.calls / most * HEIGHT));
          const failed = hour.failures === 0 ? 0 : Math.max(LEAST_HEIGHT, Math.round(hour.failures / most * HEIGHT));
          const x = n * BAR_WIDTH + GAP / 2;
          return (
            <>
              {height > 0 && <rect class="calls" x={x} y={HEIGHT - height} width={BAR_WIDTH - GAP} height={height} />}
              {failed > 0 && (
                <rect class="failures" x={x} y={HEIGHT - failed} width={BAR_WIDTH - GAP} height={failed} />
              )}
            </>
          );
        })}
      </svg>
      <details>
        <summary>The numbers by hour</summary>
        <DataTable
          label="Calls and errors by hour"
          rows={hours.filter((hour) => hour.calls > 0)}
          columns={[
            { label: "From", isRowHeader: true, cell: ({ at }) => <Time ms={at} /> },
            { label: "Calls", isFigure: true, cell: (hour) => count(hour.calls) },
            { label: "Errors", isFigure: true, cell: (hour) => count(hour.failures) },
          ]}
        />
      </details>
    </Card>
  );
}
