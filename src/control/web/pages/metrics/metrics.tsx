// Implements /web/metrics: the totals of a time next to those before, calls over time as charts and as the table that the
// charts are drawn from, of all functions, of one, or of an API key.

import type { Child } from "hono/jsx";
import { z } from "zod";
import type { RegisteredFunction } from "../../../../core/functions/registry.ts";
import type { FunctionId, KeyId } from "../../../../ids.ts";
import { keySubject, type Resolution, RESOLUTIONS } from "../../../../store/metrics.ts";
import { beginning, type Busiest } from "../../../../telemetry/metrics.ts";
import { seriesOf, totalOf } from "../../../../telemetry/series.ts";
import { summarize, type Summary, type Tally } from "../../../../telemetry/tally.ts";
import type { Web, WebDeps } from "../../shell/deps.ts";
import { page } from "../../shell/layout.tsx";
import { Button } from "../../ui/button.tsx";
import { Empty, Stat, Stats } from "../../ui/card.tsx";
import { Time } from "../../ui/components.tsx";
import { type Column, DataTable } from "../../ui/data_table.tsx";
import { SelectField } from "../../ui/fields.tsx";
import { count, plural } from "../../ui/format.ts";
import { Segments } from "../../ui/tabs.tsx";
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

const ALL_METRICS = "/web/metrics";
/** How many functions, and how many keys, are listed. */
const LISTED_MAX = 20;
/** How many deployments and changes of functions are marked. */
const CHANGES_MAX = 20;
const MESSAGE_MAX_LENGTH = 60;

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

const id = z.string().regex(/^[1-9]\d{0,14}$/).transform(Number).optional().catch(undefined);
const query = z.object({
  range: z.enum(Object.keys(RANGES) as [Range, ...Range[]]).catch("hour"),
  function: id,
  key: id,
});

/** Whose calls are shown: of all, of one function or of one key. */
interface Shown {
  readonly entry?: RegisteredFunction | undefined;
  readonly keyId?: KeyId | undefined;
}

interface MetricsView {
  readonly scripts: readonly string[];
  readonly styles: readonly string[];
  readonly children: Child;
}

export function addMetrics(web: Web, deps: WebDeps): void {
  const { access, names, registry } = deps;

  web.get(ALL_METRICS, (c) => {
    const { range, function: functionId, key: typedKey } = query.parse(c.req.query());
    const entry = functionId === undefined ? undefined : registry.get(functionId as FunctionId);
    const keyId = entry || typedKey === undefined ? undefined : access.key(typedKey as KeyId).id;
    const title = entry ? `Metrics of ${entry.name}` : keyId ? `Metrics of ${names.ofKey(keyId)}` : "Metrics";
    const actions = <Choice deps={deps} range={range} functionId={entry?.id} keyId={keyId} />;
    return page(c, { title, actions, ...viewOf({ entry, keyId }, range, deps) });
  });
}

/** Returns the parts of the page that shows the calls of one function, at `path`; `given` is the address's time. */
export function functionMetricsView(
  entry: RegisteredFunction,
  path: string,
  given: string | undefined,
  deps: WebDeps,
): MetricsView & { readonly choice: Child } {
  const { range } = query.parse({ range: given });
  return { ...viewOf({ entry }, range, deps), choice: <Ranges path={path} current={range} /> };
}

function viewOf({ entry, keyId }: Shown, range: Range, deps: WebDeps): MetricsView {
  const { metrics, now } = deps;
  const subject = entry?.id ?? (keyId && keySubject(keyId));
  const { resolution, count: periods } = RANGES[range];
  const length = RESOLUTIONS[resolution];
  const to = now();
  const from = beginning(resolution, to - (periods - 1) * length);
  const points = seriesOf(metrics, resolution, subject, from, to);
  const isEmpty = points.every(({ tally }) => tally.calls + tally.refusals + tally.sandboxStarts === 0);
  const rows = points.map(({ at, tally }) => ({ at, tally, summary: summarize(tally) }));
  const busiest = subject === undefined ? metrics.busiest(from, LISTED_MAX) : undefined;
  return {
    scripts: ["metrics.js"],
    styles: ["uplot.css", "metrics.css"],
    children: (
      <>
        <p class="refreshing" id="refreshing" hidden>
          <span role="status"></span> <button type="button" class="quiet small">Pause</button>
        </p>
        <div id="metrics">
          {isEmpty ? <Empty icon="chart-line">There were no calls in this time.</Empty> : (
            <>
              <Totals
                total={totalOf(points)}
                before={totalOf(metrics.points(resolution, subject, from - periods * length, from))}
              />
              <Charts rows={rows} />
              <Changes changes={changesOf(deps, entry, from, to)} />
            </>
          )}
          {busiest && <ByFunction {...busiest.functions} deps={deps} range={range} />}
          {busiest && <ByKey {...busiest.keys} deps={deps} range={range} />}
          {!isEmpty && <Numbers rows={rows} resolution={resolution} />}
        </div>
      </>
    ),
  };
}

/** What a script draws from the numbers. */
function Charts({ rows }: { rows: readonly Point[] }) {
  return (
    <div class="charts">
      {CHARTS.filter(({ columns }) => isDrawn(columns, rows)).map(({ title, columns }) => (
        <figure data-chart={columns.join(" ")} hidden>
          <figcaption>{title}</figcaption>
          <div class="plot" role="img" aria-label={`Chart: ${title}. The numbers are in the table below.`}></div>
        </figure>
      ))}
    </div>
  );
}

function Numbers({ rows, resolution }: { rows: readonly Point[]; resolution: Resolution }) {
  return (
    <>
      <h2>Numbers</h2>
      <details id="all-numbers">
        <summary>Show the numbers by {resolution.slice(0, -1)}</summary>
        <DataTable
          label="The numbers that the charts show"
          id="numbers"
          rows={rows}
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
  );
}

/** The times to choose from, each a link. */
function Ranges({ path, current }: { path: string; current: Range }) {
  const tabs = Object.entries(RANGES).map(([range, { label }]) => ({
    href: `${path}?range=${range}`,
    label,
    isCurrent: range === current,
  }));
  return <Segments label="Time" tabs={tabs} />;
}

/** Whether any of the columns has more than zeros; the first chart always has something to say. */
function isDrawn(columns: readonly string[], rows: readonly Point[]): boolean {
  const figures = COLUMNS.filter(({ id }) => columns.includes(id));
  return rows.some(({ tally, summary }) => figures.some(({ value }) => (value(tally, summary) ?? 0) > 0));
}

/** A script applies each choice at once, and hides the button. */
function Choice({ deps: { matrix }, range, functionId, keyId }: {
  deps: WebDeps;
  range: Range;
  functionId: FunctionId | undefined;
  keyId: KeyId | undefined;
}) {
  return (
    <form method="get" action="/web/metrics" class="choice" data-apply>
      <SelectField
        name="range"
        label="Time"
        value={range}
        options={Object.entries(RANGES).map(([value, { label }]) => ({ value, label }))}
      />
      <OwnerField
        matrix={matrix}
        scope="function"
        name="function"
        value={functionId === undefined ? "" : String(functionId)}
        empty="All functions"
      />
      <OwnerField
        matrix={matrix}
        scope="key"
        name="key"
        label="API key"
        value={keyId === undefined ? "" : String(keyId)}
        empty="All callers"
      />
      <Button kind="secondary">Show</Button>
    </form>
  );
}

/** The sums of the time, each with its change against the same length of time before. */
function Totals({ total, before }: { total: Tally; before: Tally }) {
  const [now, then] = [summarize(total), summarize(before)];
  const failed = (tally: Tally) => tally.errors + tally.timeouts;
  const rate = (tally: Tally) => tally.calls === 0 ? null : failed(tally) / tally.calls * 100;
  return (
    <Stats>
      <Stat label="Calls" figure={count(total.calls)} note={<Change now={total.calls} before={before.calls} />} />
      <Stat
        label="Error rate"
        figure={total.calls === 0 ? "–" : `${text(rate(total))} %`}
        kind={failed(total) > 0 ? "bad" : undefined}
        note={
          <>
            {plural(failed(total), "error")}
            {rate(before) !== null && `, ${text(rate(before))} % before`}
          </>
        }
      />
      {(["p50", "p95", "p99"] as const).map((name) => (
        <Stat
          label={name}
          figure={now[`${name}Ms`] === null ? "–" : `${text(now[`${name}Ms`])} ms`}
          note={<Change now={now[`${name}Ms`]} before={then[`${name}Ms`]} />}
        />
      ))}
      <Stat
        label="Refusals"
        figure={count(total.refusals)}
        note={<Change now={total.refusals} before={before.refusals} />}
      />
    </Stats>
  );
}

/** How a number differs from the one before, in words that need no color. */
function Change({ now, before }: { now: number | null; before: number | null }) {
  if (!before) return <>none before</>;
  if (now === null) return <>{text(before)} before</>;
  const percent = Math.round((now / before - 1) * 100);
  return <>{percent === 0 ? "as before" : `${percent > 0 ? "+" : "−"}${count(Math.abs(percent))} % to before`}</>;
}

/** A deployment or a change of a function, which charts mark. */
interface Marked {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly href: string;
  readonly label: string;
}

/** Returns the newest deployments and changes of functions of a time; of one function if one is shown. */
function changesOf(
  { audit, deployments }: WebDeps,
  shown: RegisteredFunction | undefined,
  from: number,
  to: number,
): Marked[] {
  const deployed = deployments.list(Number.MAX_SAFE_INTEGER, CHANGES_MAX).deployments
    .filter(({ at }) => at >= from && at < to)
    .map(({ id, at, message }) => ({
      at,
      href: `/web/deployments/${id}`,
      label: message === "" ? `Deployment ${id}` : `Deployment ${id}: ${message.slice(0, MESSAGE_MAX_LENGTH)}`,
    }));
  const subject = shown && { kind: "function", id: String(shown.id) };
  const changed = audit.list({ action: "function.updated", subject, from, to }, Number.MAX_SAFE_INTEGER, CHANGES_MAX)
    .entries.map(({ at, subjectId, subjectName }) => ({
      at,
      href: `/web/audit?${new URLSearchParams({
        subject: subjectId === null ? subjectName : `function:${subjectId}`,
      })}`,
      label: `${subjectName || "Functions"} changed`,
    }));
  return [...deployed, ...changed].sort((a, b) => b.at - a.at).slice(0, CHANGES_MAX);
}

/** The script draws a line for each into the charts. */
function Changes({ changes }: { changes: readonly Marked[] }) {
  if (changes.length === 0) return null;
  return (
    <>
      <h2>Changes in this time</h2>
      <ul class="changes" id="changes">
        {changes.map(({ at, href, label }) => (
          <li data-at={at / 1_000}>
            <Time ms={at} /> <a href={href}>{label}</a>
          </li>
        ))}
      </ul>
    </>
  );
}

function ByFunction({ listed, more, deps: { matrix }, range }: Busiest<FunctionId> & {
  deps: WebDeps;
  range: Range;
}) {
  if (listed.length === 0) return null;
  return (
    <>
      <h2>By function</h2>
      <Summaries
        label="Calls by function"
        first="Function"
        rows={listed}
        name={(id) => <a href={`/web/metrics?function=${id}&range=${range}`}>{matrix.ownerName("function", id)}</a>}
      />
      {more && <p class="quiet">These are the {LISTED_MAX} functions with the most calls. Choose any other above.</p>}
    </>
  );
}

function ByKey({ listed, more, deps: { names }, range }: Busiest<KeyId> & {
  deps: WebDeps;
  range: Range;
}) {
  if (listed.length === 0) return null;
  return (
    <>
      <h2>By API key</h2>
      <Summaries
        label="Calls by API key"
        first="API key"
        rows={listed}
        name={(id) => {
          const name = names.ofKey(id);
          return name === null ? "a revoked key" : <a href={`/web/metrics?key=${id}&range=${range}`}>{name}</a>;
        }}
      />
      {more && <p class="quiet">These are the {LISTED_MAX} keys with the most calls. Choose any other above.</p>}
    </>
  );
}

function Summaries<Id extends number>({ label, first, rows, name }: {
  label: string;
  first: string;
  rows: readonly (readonly [Id, Summary])[];
  name: (id: Id) => Child;
}) {
  return (
    <DataTable
      label={label}
      rows={rows}
      columns={[
        { label: first, isRowHeader: true, cell: ([id]) => name(id) },
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
  );
}

/** Formats a number with its significant digits; null is a dash. */
function text(value: number | null): string {
  if (value === null) return "–";
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(3)));
}
