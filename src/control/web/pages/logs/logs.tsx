// Implements /web/logs: the output of functions, newest first, with filters; static/logs.js follows new entries.

import type { FunctionId } from "../../../../ids.ts";
import type { MergedEntry, SilentNode } from "../../../../telemetry/cluster/node_logs.ts";
import { LEVELS, type LogEntry } from "../../../../telemetry/logs.ts";
import { logListQuery } from "../../../inputs/log_schemas.ts";
import { clearLogs } from "../../../clear_logs.ts";
import { Badge, Empty, Pager } from "../../ui/components.tsx";
import { ProblemSummary, SelectField, TextField } from "../../ui/fields.tsx";
import type { Web, WebDeps } from "../../shell/deps.ts";
import { attempt, fieldText, type Problems, readForm, redirect } from "../../shell/forms.ts";
import { page } from "../../shell/layout.tsx";
import { FormToken } from "../../shell/submissions.tsx";
import { OwnerField } from "../../ui/owner_name.tsx";

const PAGE_SIZE = "100";

/** Fields of the filter, with the API's names. */
const FIELDS = ["functionId", "level", "search", "requestId"] as const;
const LABELS = { functionId: "Function", level: "Level", search: "Words", requestId: "Request" };
type Filter = Readonly<Record<(typeof FIELDS)[number], string>>;

const LEVEL_OPTIONS = [
  { value: "info", label: "Info and above" },
  { value: "warn", label: "Warnings and errors" },
  { value: "error", label: "Errors" },
] as const satisfies readonly { value: (typeof LEVELS)[number]; label: string }[];

/** Labels of events other than output; the same as in static/logs.js. */
const EVENTS: Partial<Record<LogEntry["event"], string>> = {
  exec_start: "started",
  exec_end: "ended",
  exec_reject: "failed",
  dropped: "lines dropped",
  leak: "secret in the response",
  error: "server error",
};
/** The same in static/logs.js. */
const NODE_SHOWN_LENGTH = 8;
const NOTHING = { entries: [], next: undefined, newest: "0", silent: [] };
const KINDS = { debug: "off", info: "plain", warn: "warn", error: "bad" } as const;

export function addLogs(web: Web, deps: WebDeps): void {
  const { allLogs, names: { functionId: idOf }, matrix } = deps;

  web.get("/web/logs", async (c) => {
    const filter = Object.fromEntries(FIELDS.map((field) => [field, c.req.query(field)?.trim() ?? ""])) as Filter;
    const given = Object.entries(filter).filter(([, value]) => value !== "");
    const cursor = c.req.query("cursor");
    const asked = await attempt(() => {
      const { cursor: after, functionId, limit, ...wanted } = logListQuery.parse({
        ...Object.fromEntries(given),
        limit: PAGE_SIZE,
        ...(cursor && { cursor }),
      });
      const chosen = functionId === undefined ? undefined : idOf(functionId, "functionId");
      return allLogs.list({ ...wanted, functionId: chosen }, { limit, cursor: after });
    });
    const problems = "problems" in asked ? asked.problems : undefined;
    const { entries, next, newest, silent } = "done" in asked ? asked.done : NOTHING;
    const named = new Set([...entries.map(({ functionId }) => functionId), Number(filter.functionId) as FunctionId]);
    const names = new Map([...named].flatMap((id) => {
      const name = matrix.ownerName("function", id);
      return name ? [[id, name]] : [];
    }));
    const query = new URLSearchParams(given);
    const isNewest = !cursor && !problems;
    return page(c, {
      title: "Logs",
      scripts: ["logs.js"],
      styles: ["logs.css"],
      children: (
        <>
          <ProblemSummary problems={problems} labels={LABELS} />
          <details class="filter-box" data-wide-open open={given.length > 0}>
            <summary>Filter</summary>
            <FilterForm filter={filter} problems={problems} matrix={matrix} isFiltered={given.length > 0} />
          </details>
          <Silent nodes={silent} />
          {isNewest && <Following query={query} newest={newest} />}
          <ol id="entries" class="entries" aria-label="Entries, the newest first" reversed>
            {entries.map((entry) => <Entry entry={entry} name={names.get(entry.functionId)} node={nodeOf(entry)} />)}
          </ol>
          {entries.length === 0 && !problems && <Nothing isFiltered={given.length > 0} />}
          <Pager
            next={next === undefined ? undefined : `/web/logs?${new URLSearchParams([...given, ["cursor", next]])}`}
            what="entries"
          />
          <template id="entry">
            <Entry entry={undefined} name={undefined} node={undefined} />
          </template>
          {names.has(Number(filter.functionId) as FunctionId) && (
            <ClearForm functionId={filter.functionId} name={names.get(Number(filter.functionId) as FunctionId)!} />
          )}
        </>
      ),
    }, problems ? 400 : 200);
  });

  web.post("/web/logs/clear", async (c) => {
    const typed = fieldText(await readForm(c), "functionId");
    const id = (/^[1-9][0-9]{0,14}$/.test(typed) ? Number(typed) : 0) as FunctionId;
    const name = await clearLogs(deps, c.get("actor"), id);
    return redirect(c, `/web/logs?functionId=${id}`, `The log of ${name} was deleted.`);
  });
}

/** The beginning of the id of the node, as the page of the cluster shows it; undefined if there is one node only. */
function nodeOf({ node }: MergedEntry): string | undefined {
  return node?.slice(0, NODE_SHOWN_LENGTH);
}

/** Says which nodes' entries are missing; the script keeps it up to date. */
function Silent({ nodes }: { nodes: readonly SilentNode[] }) {
  return (
    <p id="silent" role="status" class="notice" hidden={nodes.length === 0}>
      {nodes.map(({ why }) => `Entries are missing. ${why}`).join(" ")}
    </p>
  );
}

function FilterForm({ filter, problems, matrix, isFiltered }: {
  filter: Filter;
  problems: Problems | undefined;
  matrix: WebDeps["matrix"];
  isFiltered: boolean;
}) {
  return (
    <form method="get" action="/web/logs" class="filter">
      <OwnerField
        matrix={matrix}
        scope="function"
        name="functionId"
        label={LABELS.functionId}
        value={filter.functionId}
        empty="All functions"
        problems={problems}
      />
      <SelectField
        name="level"
        label={LABELS.level}
        value={filter.level}
        empty="Everything"
        options={LEVEL_OPTIONS}
        problems={problems}
      />
      <TextField
        name="search"
        type="search"
        label={LABELS.search}
        value={filter.search}
        maxlength={200}
        problems={problems}
      />
      <TextField name="requestId" label={LABELS.requestId} value={filter.requestId} problems={problems} />
      <div class="filter-buttons">
        <button type="submit">Filter</button>
        {isFiltered && <a href="/web/logs">Show all</a>}
      </div>
    </form>
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

/** One entry, or a template that the script fills. */
function Entry({ entry, name, node }: {
  entry: LogEntry | undefined;
  name: string | undefined;
  node: string | undefined;
}) {
  const at = entry && new Date(entry.at).toISOString();
  return (
    <li class={`entry ${entry?.level ?? ""}`}>
      <div class="about">
        <time datetime={at} title={at} data-precise>{at?.replace("T", " ").replace("Z", " UTC")}</time>
        <Badge kind={entry ? KINDS[entry.level] : "plain"}>{entry?.level}</Badge>
        <a class="of" href={entry && `/web/logs?functionId=${entry.functionId}`}>{name ?? "a deleted function"}</a>
        <a
          class="request"
          href={entry?.requestId ? `/web/logs?requestId=${encodeURIComponent(entry.requestId)}` : undefined}
          hidden={!entry?.requestId}
        >
          This request<span class="visually-hidden">{entry?.requestId?.slice(0, 8)}</span>
        </a>
        <span class="event">{entry && EVENTS[entry.event]}</span>
        <span class="node">{node}</span>
        <span class="took">{tookText(entry?.durationMs ?? null)}</span>
      </div>
      <pre class="message">{entry?.message}</pre>
    </li>
  );
}

function tookText(durationMs: number | null): string {
  return durationMs === null ? "" : `${durationMs.toFixed(1)} ms`;
}

function Nothing({ isFiltered }: { isFiltered: boolean }) {
  return (
    <div id="nothing">
      <Empty>
        {isFiltered
          ? (
            <>
              No matching entries. <a href="/web/logs">Show all</a>
            </>
          )
          : (
            <>
              No entries yet. What a handler prints with <code>console.log</code> appears here at once.
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
