// Implements /web/metrics: the totals of a time next to those before, calls over time as charts and as the table that the
// charts are drawn from, of all functions, of one, or of an API key.

import type { Child } from "hono/jsx";
import { z } from "zod";
import type { RegisteredFunction } from "../../../../core/functions/registry.ts";
import type { FunctionId, KeyId } from "../../../../ids.ts";
import { keySubject, RESOLUTIONS } from "../../../../store/metrics.ts";
import { beginning } from "../../../../telemetry/metrics.ts";
import { seriesOf, totalOf } from "../../../../telemetry/series.ts";
import type { Web, WebDeps } from "../../shell/deps.ts";
import { page } from "../../shell/layout.tsx";
import { Button } from "../../ui/button.tsx";
import { Empty } from "../../ui/card.tsx";
import { SelectField } from "../../ui/fields.tsx";
import { OwnerField } from "../../ui/owner_name.tsx";
import { Segments } from "../../ui/tabs.tsx";
import { ByFunction, ByKey, LISTED_MAX, type Sorting, sorting } from "./busiest.tsx";
import { Changes, changesOf, Charts, Numbers } from "./charts.tsx";
import { type Range, RANGES, rowsOf } from "./figures.ts";
import { Compared, Totals } from "./totals.tsx";

const ALL_METRICS = "/web/metrics";

const id = z.string().regex(/^[1-9]\d{0,14}$/).transform(Number).optional().catch(undefined);
const query = z.object({
  range: z.enum(Object.keys(RANGES) as [Range, ...Range[]]).catch("hour"),
  function: id,
  key: id,
  ...sorting,
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
    const { range, function: functionId, key: typedKey, ...sorting } = query.parse(c.req.query());
    const entry = functionId === undefined ? undefined : registry.get(functionId as FunctionId);
    const keyId = entry || typedKey === undefined ? undefined : access.key(typedKey as KeyId).id;
    const title = entry ? `Metrics of ${entry.name}` : keyId ? `Metrics of ${names.ofKey(keyId)}` : "Metrics";
    const actions = <Choice deps={deps} range={range} functionId={entry?.id} keyId={keyId} />;
    return page(c, { title, actions, ...viewOf({ entry, keyId }, { range, sorting, path: ALL_METRICS }, deps) });
  });
}

/** Returns the parts of the page that shows the calls of one function, at `path`; `given` is the address's time. */
export function functionMetricsView(
  entry: RegisteredFunction,
  path: string,
  given: string | undefined,
  deps: WebDeps,
): MetricsView & { readonly choice: Child } {
  const { range, ...sorting } = query.parse({ range: given });
  return { ...viewOf({ entry }, { range, sorting, path }, deps), choice: <Ranges path={path} current={range} /> };
}

function viewOf(
  { entry, keyId }: Shown,
  { range, sorting, path }: { range: Range; sorting: Sorting; path: string },
  deps: WebDeps,
): MetricsView {
  const { metrics, now } = deps;
  const subject = entry?.id ?? (keyId && keySubject(keyId));
  const { resolution, count: periods } = RANGES[range];
  const length = RESOLUTIONS[resolution];
  const to = now();
  const from = beginning(resolution, to - (periods - 1) * length);
  const points = seriesOf(metrics, resolution, subject, from, to);
  const isEmpty = points.every(({ tally }) => tally.calls + tally.refusals + tally.sandboxStarts === 0);
  const rows = rowsOf(points);
  const busiest = subject === undefined ? metrics.busiest(from, LISTED_MAX) : undefined;
  const before = isEmpty ? undefined : totalOf(metrics.points(resolution, subject, from - periods * length, from));
  return {
    scripts: ["metrics.js"],
    styles: ["metrics.css"],
    children: (
      <div id="metrics">
        <Compared range={range} before={before} />
        {before ? <Totals total={totalOf(points)} before={before} /> : <Nothing path={path} range={range} />}
        {!isEmpty && <Charts rows={rows} lengthMs={length} />}
        {!isEmpty && <Changes changes={changesOf(deps, entry, from, to)} />}
        {busiest && <ByFunction {...busiest.functions} deps={deps} range={range} sorting={sorting} />}
        {busiest && <ByKey {...busiest.keys} deps={deps} range={range} sorting={sorting} />}
        {!isEmpty && <Numbers rows={rows} resolution={resolution} />}
      </div>
    ),
  };
}

function Nothing({ path, range }: { path: string; range: Range }) {
  return (
    <Empty icon="chart-line">
      <p>There were no calls in this time.</p>
      {range !== "ninety-days" && (
        <p>
          <a href={`${path}?range=ninety-days`}>Look at the last 90 days</a>
        </p>
      )}
    </Empty>
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

/** A script applies each choice at once, and hides the button. */
function Choice({ deps: { matrix }, range, functionId, keyId }: {
  deps: WebDeps;
  range: Range;
  functionId: FunctionId | undefined;
  keyId: KeyId | undefined;
}) {
  return (
    <form method="get" action={ALL_METRICS} class="metrics-filter" data-apply>
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
