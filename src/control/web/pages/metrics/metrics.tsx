// Implements /web/metrics: calls over time, as charts and as the table that the charts are drawn from.

import { z } from "zod";
import type { FunctionId } from "../../../../ids.ts";
import { beginning } from "../../../../telemetry/metrics.ts";
import { seriesOf } from "../../../../telemetry/series.ts";
import { summarize, type Summary, type Tally } from "../../../../telemetry/tally.ts";
import { RESOLUTIONS } from "../../../../store/metrics.ts";
import { Empty, Time } from "../../ui/components.tsx";
import { type Column, DataTable } from "../../ui/data_table.tsx";
import { SelectField } from "../../ui/fields.tsx";
import type { Web, WebDeps } from "../../shell/deps.ts";
import { page } from "../../shell/layout.tsx";
import { OwnerField } from "../../ui/owner_name.tsx";

/** Ranges to choose from: the last `count` minutes, hours or days. */
const RANGES = {
  hour: { label: "Last hour", resolution: "minutes", count: 60 },
  "six-hours": { label: "Last 6 hours", resolution: "minutes", count: 360 },
  "two-days": { label: "Last 2 days", resolution: "hours", count: 48 },
  "two-weeks": { label: "Last 14 days", resolution: "hours", count: 336 },
  "ninety-days": { label: "Last 90 days", resolution: "days", count: 90 },
} as const;
type Range = keyof typeof RANGES;

/** How many functions are listed. */
const LISTED_MAX = 20;

/** A row of the table. */
interface Point {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly tally: Tally;
  readonly summary: Summary;
}

/** A column of the table; charts take theirs by `id`. */
interface Figure {
  readonly id: string;
  readonly label: string;
  readonly unit: "" | "ms";
  readonly value: (tally: Tally, summary: Summary) => number | null;
}

const COLUMNS: readonly Figure[] = [
  { id: "calls", label: "Calls", unit: "", value: ({ calls }) => calls },
  { id: "errors", label: "Errors", unit: "", value: ({ errors }) => errors },
  { id: "timeouts", label: "Timeouts", unit: "", value: ({ timeouts }) => timeouts },
  { id: "refusals", label: "Refusals", unit: "", value: ({ refusals }) => refusals },
  { id: "mean", label: "Mean", unit: "ms", value: (_, { meanMs }) => meanMs },
  { id: "p50", label: "p50", unit: "ms", value: (_, { p50Ms }) => p50Ms },
  { id: "p95", label: "p95", unit: "ms", value: (_, { p95Ms }) => p95Ms },
  { id: "p99", label: "p99", unit: "ms", value: (_, { p99Ms }) => p99Ms },
  { id: "max", label: "Longest", unit: "ms", value: (_, { maxMs }) => maxMs },
  { id: "starts", label: "Sandbox starts", unit: "", value: ({ sandboxStarts }) => sandboxStarts },
  { id: "reads", label: "Secret reads", unit: "", value: ({ secretReads }) => secretReads },
  { id: "background", label: "Calls with background work", unit: "", value: ({ backgroundCalls }) => backgroundCalls },
];

const CHARTS = [
  { title: "Calls", columns: ["calls", "errors", "timeouts", "refusals"] },
  { title: "Durations in milliseconds", columns: ["p50", "p95", "p99"] },
  { title: "Sandbox starts", columns: ["starts"] },
  { title: "Secret reads", columns: ["reads"] },
  { title: "Calls with background work", columns: ["background"] },
];

const query = z.object({
  range: z.enum(Object.keys(RANGES) as [Range, ...Range[]]).catch("hour"),
  function: z.string().regex(/^[1-9]\d{0,14}$/).transform((text) => Number(text) as FunctionId).optional().catch(
    undefined,
  ),
});

export function addMetrics(web: Web, deps: WebDeps): void {
  const { metrics, registry, matrix, now } = deps;

  web.get("/web/metrics", (c) => {
    const { range, function: functionId } = query.parse(c.req.query());
    const shown = functionId === undefined ? undefined : registry.get(functionId);
    const { resolution, count } = RANGES[range];
    const to = now();
    const from = beginning(resolution, to - (count - 1) * RESOLUTIONS[resolution]);
    const points = seriesOf(metrics, resolution, shown?.id, from, to);
    return page(c, {
      title: shown ? `Metrics of ${shown.name}` : "Metrics",
      scripts: ["metrics.js"],
      styles: ["uplot.css", "metrics.css"],
      children: (
        <>
          <form method="get" action="/web/metrics" class="choice">
            <OwnerField
              matrix={matrix}
              scope="function"
              name="function"
              value={shown ? String(shown.id) : ""}
              empty="All functions"
            />
            <SelectField
              name="range"
              label="Time"
              value={range}
              options={Object.entries(RANGES).map(([value, { label }]) => ({ value, label }))}
            />
            <button type="submit">Show</button>
          </form>
          {points.every(({ tally }) => tally.calls + tally.refusals + tally.sandboxStarts === 0) && (
            <Empty>There were no calls in this time.</Empty>
          )}
          <div class="charts">
            {CHARTS.map(({ title, columns }) => (
              <figure data-chart={columns.join(" ")} hidden>
                <figcaption>{title}</figcaption>
                <div class="plot" role="img" aria-label={`Chart: ${title}. The numbers are in the table below.`}></div>
              </figure>
            ))}
          </div>
          {!shown && <ByFunction {...metrics.busiest(from, LISTED_MAX)} deps={deps} range={range} />}
          <h2>Numbers</h2>
          <details>
            <summary>Show the numbers by {resolution.slice(0, -1)}</summary>
            <DataTable
              label="The numbers that the charts show"
              id="numbers"
              rows={points.map(({ at, tally }) => ({ at, tally, summary: summarize(tally) }))}
              rowData={({ at }) => ({ "data-at": at / 1_000 })}
              columns={[
                { label: "From", isRowHeader: true, cell: ({ at }) => <Time ms={at} /> },
                ...COLUMNS.map(({ id, label, unit, value }): Column<Point> => ({
                  label: unit ? `${label} (${unit})` : label,
                  data: { "data-column": id, "data-label": label },
                  cell: ({ tally, summary }) => text(value(tally, summary)),
                })),
              ]}
            />
          </details>
        </>
      ),
    });
  });
}

function ByFunction({ functions, more, deps: { matrix }, range }: {
  functions: readonly (readonly [FunctionId, Summary])[];
  more: boolean;
  deps: WebDeps;
  range: Range;
}) {
  if (functions.length === 0) return null;
  return (
    <>
      <h2>By function</h2>
      <DataTable
        label="Calls by function"
        rows={functions}
        columns={[
          {
            label: "Function",
            isRowHeader: true,
            cell: ([id]) => (
              <a href={`/web/metrics?function=${id}&range=${range}`}>{matrix.ownerName("function", id)}</a>
            ),
          },
          { label: "Calls", cell: ([, { calls }]) => text(calls) },
          { label: "Errors", cell: ([, { errors }]) => text(errors) },
          { label: "Timeouts", cell: ([, { timeouts }]) => text(timeouts) },
          { label: "Mean (ms)", cell: ([, { meanMs }]) => text(meanMs) },
          { label: "p50 (ms)", cell: ([, { p50Ms }]) => text(p50Ms) },
          { label: "p95 (ms)", cell: ([, { p95Ms }]) => text(p95Ms) },
          { label: "p99 (ms)", cell: ([, { p99Ms }]) => text(p99Ms) },
          { label: "Longest (ms)", cell: ([, { maxMs }]) => text(maxMs) },
        ]}
      />
      {more && <p class="quiet">These are the {LISTED_MAX} functions with the most calls. Choose any other above.</p>}
    </>
  );
}

/** Formats a number with its significant digits; null is a dash. */
function text(value: number | null): string {
  if (value === null) return "–";
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(3)));
}
