// Implements /web/logs: the output of functions, newest first, with filters and a histogram, and the timeline of one
// request. static/logs.js follows new entries.

import type { FunctionId } from "../../../../ids.ts";
import type { MergedPage } from "../../../../telemetry/cluster/all_logs.ts";
import type { SilentNode } from "../../../../telemetry/cluster/node_logs.ts";
import { LEVELS, type LogFilter, type LogHistogram } from "../../../../telemetry/logs.ts";
import { logListQuery } from "../../../inputs/log_schemas.ts";
import { clearLogs } from "../../../clear_logs.ts";
import { ButtonLink } from "../../ui/button.tsx";
import { Empty } from "../../ui/card.tsx";
import { Pager } from "../../ui/components.tsx";
import { ProblemSummary } from "../../ui/fields.tsx";
import { count, plural } from "../../ui/format.ts";
import type { Web, WebDeps } from "../../shell/deps.ts";
import { attempt, fieldText, readForm, redirect } from "../../shell/forms.ts";
import { page } from "../../shell/layout.tsx";
import { FormToken } from "../../shell/submissions.tsx";
import { Entries, requestPath, shortId } from "./entries.tsx";
import { apiQuery, CustomTime, type Filter, FilterForm, LABELS, logsPath, PARAMETERS } from "./filter.tsx";
import { Histogram } from "./histogram.tsx";
import { Timeline } from "./timeline.tsx";
import { RANGES, type TimeRange, timeRangeOf } from "./time_range.ts";

const PAGE_SIZE = "100";
/** Entries of a request that are shown at once. */
const TIMELINE_MAX = "1000";
const DEFAULT_RANGE = "24h";
/** `X-Request-Id` of calls. */
const REQUEST_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const NOTHING: MergedPage = { entries: [], next: undefined, newest: "0", silent: [] };

export function addLogs(web: Web, deps: WebDeps): void {
  web.get("/web/logs", async (c) => {
    const filter = Object.fromEntries(PARAMETERS.map((name) => [name, c.req.query(name)?.trim() ?? ""])) as Filter;
    if (REQUEST_ID.test(filter.search)) return c.redirect(requestPath(filter.search), 303);
    const others = PARAMETERS.filter((name) => name !== "requestId" && filter[name] !== "");
    if (filter.requestId !== "" && others.length === 0) return await timelinePage(c, filter.requestId, deps);
    return await listPage(c, filter, deps);
  });

  web.post("/web/logs/clear", async (c) => {
    const typed = fieldText(await readForm(c), "functionId");
    const id = (/^[1-9][0-9]{0,14}$/.test(typed) ? Number(typed) : 0) as FunctionId;
    const name = await clearLogs(deps, c.get("actor"), id);
    return redirect(c, logsPath({ functionId: String(id) }), `The log of ${name} was deleted.`);
  });
}

type PageContext = Parameters<typeof page>[0];

interface Listed {
  readonly range: TimeRange;
  readonly found: MergedPage;
  readonly histogram: LogHistogram;
}

async function listed(filter: Filter, cursor: string | undefined, deps: WebDeps): Promise<Listed> {
  const { allLogs, now, names } = deps;
  const fallback = filter.requestId === "" ? DEFAULT_RANGE : "all";
  const range = await timeRangeOf(filter, fallback, now(), () => allLogs.beginning());
  const { limit, cursor: after, functionId, level, search, requestId } = logListQuery.parse({
    ...Object.fromEntries(apiQuery(filter, { from: undefined, until: undefined })),
    limit: PAGE_SIZE,
    ...(cursor && { cursor }),
  });
  const wanted: LogFilter = {
    level,
    search,
    requestId,
    functionId: functionId === undefined ? undefined : names.functionId(functionId, "functionId"),
    from: range.from,
    until: range.until === undefined ? undefined : range.until - 1,
  };
  const [found, histogram] = await Promise.all([
    allLogs.list(wanted, { limit, cursor: after }),
    allLogs.histogram(wanted, range.bars),
  ]);
  return { range, found, histogram };
}

async function listPage(c: PageContext, filter: Filter, deps: WebDeps) {
  const { allLogs, matrix, now } = deps;
  const cursor = c.req.query("cursor");
  const asked = await attempt(() => listed(filter, cursor, deps));
  const problems = "problems" in asked ? asked.problems : undefined;
  const { range, found, histogram } = "done" in asked ? asked.done : {
    range: await timeRangeOf({ range: "", from: "", to: "" }, DEFAULT_RANGE, now(), () => allLogs.beginning()),
    found: NOTHING,
    histogram: { bars: [], isComplete: true },
  };
  const { entries, next, newest, silent } = found;
  const names = namesOf([...entries.map(({ functionId }) => functionId), Number(filter.functionId)], matrix);
  const chosen = names.get(Number(filter.functionId));
  const isFollowed = !cursor && !problems && range.until === undefined;
  const isFiltered = PARAMETERS.some((name) => filter[name] !== "");
  return page(c, {
    title: "Logs",
    scripts: ["logs.js"],
    styles: ["logs.css"],
    actions: <FilterForm filter={filter} range={range} problems={problems} matrix={matrix} />,
    children: (
      <>
        <ProblemSummary problems={problems} labels={LABELS} />
        {!problems && (
          <Histogram
            histogram={histogram}
            bars={range.bars}
            href={(from, until) =>
              logsPath(filter, {
                range: "custom",
                from: new Date(from).toISOString(),
                to: new Date(until).toISOString(),
              })}
          />
        )}
        <div class="log-bar">
          {!problems && <Counts histogram={histogram} filter={filter} />}
          <CustomTime filter={filter} range={range} problems={problems} />
          {isFollowed && <Following query={apiQuery(filter, { from: undefined, until: undefined })} newest={newest} />}
          {!problems && <Download query={apiQuery(filter, range)} />}
        </div>
        <Silent nodes={silent} />
        <Entries
          entries={entries}
          names={names}
          search={problems || filter.search === "" ? undefined : filter.search}
        />
        {entries.length === 0 && !problems && <Nothing filter={filter} range={range} isFiltered={isFiltered} />}
        <Pager next={next === undefined ? undefined : logsPath(filter, { cursor: next })} what="entries" />
        {chosen !== undefined && <ClearForm functionId={filter.functionId} name={chosen} />}
      </>
    ),
  }, problems ? 400 : 200);
}

async function timelinePage(c: PageContext, requestId: string, deps: WebDeps) {
  const { allLogs, matrix, settings } = deps;
  const asked = await attempt(() => {
    const { limit, ...filter } = logListQuery.parse({ requestId, limit: TIMELINE_MAX });
    return allLogs.list({ requestId: filter.requestId }, { limit, cursor: undefined });
  });
  const problems = "problems" in asked ? asked.problems : undefined;
  const { entries, next, silent } = "done" in asked ? asked.done : NOTHING;
  const query = new URLSearchParams({ requestId });
  return page(c, {
    title: problems ? "Request" : `Request ${shortId(requestId)}`,
    styles: ["logs.css"],
    actions: (
      <>
        <ButtonLink href="/web/logs" kind="secondary">All logs</ButtonLink>
        {entries.length > 0 && <Download query={query} />}
      </>
    ),
    children: problems ? <ProblemSummary problems={problems} labels={LABELS} /> : (
      <>
        <Silent nodes={silent} />
        <Timeline
          requestId={requestId}
          entries={entries.toReversed()}
          isCut={next !== undefined}
          name={entries[0] && namesOf([entries[0].functionId], matrix).get(entries[0].functionId)}
          logsCalls={settings.get("log.level") === "debug"}
        />
      </>
    ),
  }, problems ? 400 : 200);
}

function namesOf(ids: Iterable<number>, matrix: WebDeps["matrix"]): Map<number, string> {
  return new Map([...new Set(ids)].flatMap((id) => {
    const name = id > 0 ? matrix.ownerName("function", id) : undefined;
    return name ? [[id, name]] : [];
  }));
}

const LEVEL_COUNTS = {
  error: (number: number) => plural(number, "error"),
  warn: (number: number) => plural(number, "warning"),
  info: (number: number) => `${count(number)} info`,
  debug: (number: number) => `${count(number)} debug`,
} as const;

/** How many entries there are, all together and by level. */
function Counts({ histogram: { bars, isComplete }, filter }: { histogram: LogHistogram; filter: Filter }) {
  const totals = LEVELS.map((_, level) => bars.reduce((sum, counts) => sum + counts[level]!, 0));
  const total = totals.reduce((sum, number) => sum + number, 0);
  return (
    <ul class="counts" aria-label="Numbers of entries">
      <li>
        {isComplete ? plural(total, "entry", "entries") : `More than ${plural(total, "entry", "entries")}`}
      </li>
      {LEVELS.toReversed().map((level) => {
        const number = totals[LEVELS.indexOf(level)]!;
        const text = <span class="level">{LEVEL_COUNTS[level](number)}</span>;
        if (number === 0) return null;
        return (
          <li class={level}>
            {level === "debug" || level === filter.level ? text : <a href={logsPath({ ...filter, level })}>{text}</a>}
          </li>
        );
      })}
    </ul>
  );
}

/** Links to the API, which sends the entries as files. */
function Download({ query }: { query: URLSearchParams }) {
  const href = (format: string) => `/api/logs/export?${new URLSearchParams([...query, ["format", format]])}`;
  return (
    <p class="downloads">
      <span>Download</span> <a href={href("jsonl")} download>JSON lines</a> <a href={href("text")} download>Text</a>
    </p>
  );
}

/** Says which nodes' entries are missing; the script keeps it up to date. */
function Silent({ nodes }: { nodes: readonly SilentNode[] }) {
  return (
    <p id="silent" role="status" class="notice" hidden={nodes.length === 0}>
      {nodes.map(({ why }) => `Entries are missing. ${why}`).join(" ")}
    </p>
  );
}

/** The controls for following the log; the script shows them. */
function Following({ query, newest }: { query: URLSearchParams; newest: string }) {
  const since = new URLSearchParams([...query, ["since", newest]]);
  return (
    <div id="following" class="following" data-stream={`/api/logs/stream?${since}`} hidden>
      <span id="following-state" role="status"></span>
      <button type="button" class="secondary" id="pause">Pause</button>
    </div>
  );
}

function Nothing({ filter, range, isFiltered }: { filter: Filter; range: TimeRange; isFiltered: boolean }) {
  const time = range.name in RANGES ? RANGES[range.name as keyof typeof RANGES].label.toLowerCase() : undefined;
  return (
    <div id="nothing">
      <Empty>
        {isFiltered ? "No matching entries" : "No entries"}
        {time === undefined ? ". " : ` in the ${time}. `}
        {range.name !== "all" && (
          <>
            <a href={logsPath({ ...filter, from: "", to: "", range: "all" })}>Look at any time</a>
            {" "}
          </>
        )}
        {isFiltered ? <a href="/web/logs">Show all</a> : (
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
