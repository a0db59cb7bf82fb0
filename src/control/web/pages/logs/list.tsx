// Lists entries of logs, the newest first, with filters and a histogram, for the page of all and for that of a function.

import type { Child } from "hono/jsx";
import type { MergedPage } from "../../../../telemetry/cluster/all_logs.ts";
import type { LogFilter, LogHistogram } from "../../../../telemetry/logs.ts";
import { logListQuery } from "../../../inputs/log_schemas.ts";
import { Empty } from "../../ui/card.tsx";
import { Pager } from "../../ui/components.tsx";
import { ProblemSummary } from "../../ui/fields.tsx";
import type { WebDeps } from "../../shell/deps.ts";
import { attempt, type Problems } from "../../shell/forms.ts";
import { FormToken } from "../../shell/submissions.tsx";
import { Counts, Download, Following, Silent, ZoomOut } from "./bar.tsx";
import { Entries, functionNames, keyNames, requestPath } from "./entries.tsx";
import {
  apiQuery,
  CustomTime,
  type Filter,
  FilterForm,
  isFiltered,
  LABELS,
  logsPath,
  type LogsPlace,
} from "./filter.tsx";
import { Histogram } from "./histogram.tsx";
import { FoundRequests, isRequestId, requestsLike } from "./requests.tsx";
import { RANGES, type TimeRange, timeRangeOf } from "./time_range.ts";

const PAGE_SIZE = "100";
const DEFAULT_RANGE = "24h";
const NOTHING: MergedPage = { entries: [], next: undefined, newest: "0", silent: [] };
/** As many characters of an id as entries show are those of one request alone. */
const DISTINCT_LENGTH = 8;

export interface LogsView {
  readonly scripts: readonly string[];
  readonly styles: readonly string[];
  readonly filterForm: Child;
  readonly children: Child;
  readonly status: 200 | 400;
}

interface Listed {
  readonly range: TimeRange;
  readonly found: MergedPage;
  readonly histogram: LogHistogram;
}

async function listed(filter: Filter, cursor: string | undefined, deps: WebDeps): Promise<Listed> {
  const { allLogs, now, names } = deps;
  const fallback = filter.requestId === "" ? DEFAULT_RANGE : "all";
  const range = await timeRangeOf(filter, fallback, now(), () => allLogs.beginning());
  const { limit, cursor: after, functionId, key, level, search, requestId } = logListQuery.parse({
    ...Object.fromEntries(apiQuery(filter, { from: undefined, until: undefined })),
    limit: PAGE_SIZE,
    ...(cursor && { cursor }),
  });
  const wanted: LogFilter = {
    level,
    search,
    requestId,
    functionId: functionId === undefined ? undefined : names.functionId(functionId, "functionId"),
    keyId: key === undefined ? undefined : names.keyId(key, "key"),
    from: range.from,
    until: range.until === undefined ? undefined : range.until - 1,
  };
  const [found, histogram] = await Promise.all([
    allLogs.list(wanted, { limit, cursor: after }),
    allLogs.histogram(wanted, range.bars),
  ]);
  return { range, found, histogram };
}

/**
 * Returns where a search for the id of a request leads: to the request, if the text is its id or as much of it as entries
 * show; undefined for any other text.
 */
export async function requestSearchedFor(search: string, deps: WebDeps): Promise<string | undefined> {
  const text = search.toLowerCase();
  if (isRequestId(text)) return requestPath(text);
  if (text.length < DISTINCT_LENGTH) return undefined;
  const requests = await requestsLike(text, deps);
  return requests.length === 1 ? requestPath(requests[0]!.requestId) : undefined;
}

/** Returns the parts of a page that lists entries. */
export async function logsView(
  place: LogsPlace,
  given: Filter,
  cursor: string | undefined,
  deps: WebDeps,
): Promise<LogsView> {
  const { allLogs, matrix, now } = deps;
  const filter = place.functionId === undefined ? given : { ...given, functionId: String(place.functionId) };
  const asked = await attempt(() => listed(filter, cursor, deps));
  const problems = "problems" in asked ? asked.problems : undefined;
  const { range, found, histogram } = "done" in asked ? asked.done : {
    range: await timeRangeOf({ range: "", from: "", to: "" }, DEFAULT_RANGE, now(), () => allLogs.beginning()),
    found: NOTHING,
    histogram: { bars: [], isComplete: true },
  };
  const requests = problems || cursor ? [] : await requestsLike(filter.search, deps);
  const ofFilter = { place, filter, range, problems, matrix };
  return {
    scripts: ["logs.js"],
    styles: ["bars.css", "logs.css"],
    filterForm: <FilterForm {...ofFilter} />,
    children: (
      <>
        <ProblemSummary problems={problems} labels={LABELS} />
        <FoundRequests requests={requests} beginning={filter.search} matrix={matrix} />
        {!problems && <Bars place={place} filter={filter} range={range} histogram={histogram} />}
        <div class="log-bar">
          {!problems && <Counts histogram={histogram} place={place} filter={filter} />}
          {!problems && range.name === "custom" && <ZoomOut place={place} filter={filter} range={range} now={now()} />}
          <CustomTime {...ofFilter} />
          {!cursor && !problems && range.until === undefined && (
            <Following query={apiQuery(filter, { from: undefined, until: undefined })} newest={found.newest} />
          )}
          {!problems && <Download query={apiQuery(filter, range)} />}
        </div>
        <Silent nodes={found.silent} />
        <Listing {...ofFilter} keys={deps.names} found={found} />
      </>
    ),
    status: problems ? 400 : 200,
  };
}

interface ListingProps {
  place: LogsPlace;
  filter: Filter;
  range: TimeRange;
  problems: Problems | undefined;
  found: MergedPage;
  matrix: WebDeps["matrix"];
  keys: WebDeps["names"];
}

/** The entries, and what follows them. */
function Listing({ place, filter, range, problems, found: { entries, next }, matrix, keys }: ListingProps) {
  const names = functionNames([...entries.map(({ functionId }) => functionId), Number(filter.functionId)], matrix);
  const chosen = names.get(Number(filter.functionId));
  return (
    <>
      <Entries
        entries={entries}
        isOfOne={place.functionId !== undefined}
        names={names}
        keyNames={keyNames(entries, keys)}
        search={problems || filter.search === "" ? undefined : filter.search}
      />
      {entries.length === 0 && !problems && <Nothing place={place} filter={filter} range={range} />}
      <Pager next={next === undefined ? undefined : logsPath(place, filter, { cursor: next })} what="entries" />
      {chosen !== undefined && <ClearForm functionId={filter.functionId} name={chosen} />}
    </>
  );
}

/** The histogram, whose bars lead to their times. */
function Bars({ place, filter, range, histogram }: {
  place: LogsPlace;
  filter: Filter;
  range: TimeRange;
  histogram: LogHistogram;
}) {
  const href = (from: number, until: number) =>
    logsPath(place, filter, {
      range: "custom",
      from: new Date(from).toISOString(),
      to: new Date(until).toISOString(),
    });
  return <Histogram histogram={histogram} bars={range.bars} href={href} />;
}

function Nothing({ place, filter, range }: { place: LogsPlace; filter: Filter; range: TimeRange }) {
  const isNarrowed = isFiltered(place, filter);
  const time = range.name in RANGES ? RANGES[range.name as keyof typeof RANGES].label.toLowerCase() : undefined;
  return (
    <div id="nothing">
      <Empty>
        {isNarrowed ? "No matching entries" : "No entries"}
        {time === undefined ? ". " : ` in the ${time}. `}
        {range.name !== "all" && (
          <>
            <a href={logsPath(place, { ...filter, from: "", to: "", range: "all" })}>Look at any time</a>
            {" "}
          </>
        )}
        {isNarrowed ? <a href={place.path}>Show all</a> : (
          <>
            What a handler prints with <code>console.log</code> appears here at once.
          </>
        )}
      </Empty>
    </div>
  );
}

function ClearForm({ functionId, name }: { functionId: string; name: string }) {
  return (
    <details class="clear">
      <summary>Delete this log</summary>
      <form method="post" action="/web/logs/clear">
        <FormToken />
        <input type="hidden" name="functionId" value={functionId} />
        <p>All entries of {name} will be permanently deleted.</p>
        <button type="submit" class="danger">Delete all entries</button>
      </form>
    </details>
  );
}
