// Implements the list of functions: their state, what their calls did in the last hour, and what can be done with them.

import type { Condition } from "../../../../code/checks/condition.ts";
import type { RegisteredFunction } from "../../../../core/functions/registry.ts";
import { METHODS } from "../../../../core/functions/router.ts";
import type { FunctionId, GroupId } from "../../../../ids.ts";
import type { LogEntry } from "../../../../telemetry/logs.ts";
import type { Summary } from "../../../../telemetry/tally.ts";
import {
  Ago,
  Badge,
  ButtonLink,
  Empty,
  Menu,
  MenuLink,
  MenuPost,
  Pager,
  PostButton,
  Segments,
  Time,
} from "../../ui/components.tsx";
import { type Column, DataTable } from "../../ui/data_table.tsx";
import { count, plural, took } from "../../ui/format.ts";
import { type Hour, Sparkline } from "../../ui/sparkline.tsx";
import { listPath, type ListQuery, type Sort, SORTS, STATES } from "./list_query.ts";

export const LIST_PATH = "/web/functions";

/** In characters, of the message of an error that a link shows when it is pointed at. */
const TITLE_MAX = 300;
const NONE = {
  failing: "No call failed in the last hour.",
  broken: "Every enabled function can answer calls, as far as is known.",
  disabled: "No function is disabled.",
};

export interface Row {
  readonly entry: RegisteredFunction;
  readonly condition: Condition;
  /** Of the last hour. */
  readonly summary: Summary;
  /** Calls of the last day. */
  readonly hours: readonly Hour[];
  readonly lastError: LogEntry | undefined;
}

export interface ListProps {
  rows: readonly Row[];
  total: number;
  query: ListQuery;
  /** How many functions the next page skips. */
  next: number | undefined;
  groupNames: ReadonlyMap<GroupId, string>;
  /** Origin of the functions' URLs. */
  origin: string;
  now: number;
}

export function pathOf(id: FunctionId): string {
  return `${LIST_PATH}/${id}`;
}

export function SearchForm({ query: { search, state, sort } }: { query: ListQuery }) {
  return (
    <search>
      <form
        method="get"
        action={LIST_PATH}
        class="search"
        hx-get={LIST_PATH}
        hx-trigger="input delay:200ms, submit"
        hx-target="#functions"
        hx-swap="outerHTML"
        hx-sync="this:replace"
      >
        {state !== "all" && <input type="hidden" name="state" value={state} />}
        {sort !== "name" && <input type="hidden" name="sort" value={sort} />}
        <label for="search" class="visually-hidden">Search functions</label>
        <input
          type="search"
          id="search"
          name="search"
          value={search}
          placeholder="Search by name, route or file"
          autocomplete="off"
        />
        <noscript>
          <button type="submit">Search</button>
        </noscript>
      </form>
    </search>
  );
}

export function FunctionList({ rows, total, query, next, groupNames, origin, now }: ListProps) {
  const { search, state } = query;
  if (total === 0 && search === "" && state === "all") {
    return (
      <section id="functions" aria-label="Functions">
        <None />
      </section>
    );
  }
  return (
    <section id="functions" aria-label="Functions">
      <div class="list-bar">
        <Segments
          label="Which functions"
          tabs={Object.entries(STATES).map(([key, label]) => ({
            href: listPath({ ...query, state: key as ListQuery["state"], skip: 0 }),
            label,
            isCurrent: key === state,
          }))}
        />
        <p class="quiet" role="status">
          {search ? `${plural(total, "function")} with “${search}”` : plural(total, "function")}
        </p>
      </div>
      {rows.length === 0 ? <Nothing query={query} /> : (
        <DataTable
          label="List of functions"
          class="functions"
          isStacked
          isLong
          rows={rows}
          rowId={({ entry }) => `function-${entry.id}`}
          columns={columnsOf({ query, groupNames, origin, now })}
        />
      )}
      <Pager next={next === undefined ? undefined : listPath({ ...query, skip: next })} what="functions" />
    </section>
  );
}

function columnsOf({ query, groupNames, origin, now }: Pick<ListProps, "query" | "groupNames" | "origin" | "now">) {
  const sort = (by: Sort) => {
    const { isDescending, by: current } = SORTS[query.sort];
    const isCurrent = current === by;
    // Names first upwards, numbers and times first downwards.
    const isNextDescending = isCurrent ? !isDescending : by !== "name";
    const next = `${isNextDescending === (by === "name") ? "-" : ""}${by}` as ListQuery["sort"];
    return {
      href: listPath({ ...query, sort: next, skip: 0 }),
      direction: isCurrent ? (isDescending ? "descending" : "ascending") : undefined,
    } as const;
  };
  const columns: Column<Row>[] = [
    { label: "Name", isRowHeader: true, sort: sort("name"), cell: (row) => <Name {...row} /> },
    { label: "Route", class: "route", narrowLabel: null, cell: (row) => <Route {...row} origin={origin} /> },
    {
      label: "Callers",
      class: "callers-cell",
      narrowLabel: null,
      cell: ({ entry }) => <Callers keys={entry.keys} groupNames={groupNames} />,
    },
    {
      label: "24 hours",
      class: "spark",
      narrowLabel: null,
      cell: ({ hours }) => <Sparkline hours={hours} />,
    },
    {
      label: <abbr title="In the last hour">Calls/h</abbr>,
      narrowLabel: ({ summary }) => summary.calls === 1 ? "call in the last hour" : "calls in the last hour",
      isFigure: true,
      sort: sort("calls"),
      cell: ({ summary }) => count(summary.calls),
    },
    {
      label: "Errors",
      isFigure: true,
      narrowLabel: ({ summary }) => failuresOf(summary) > 0 ? "failed" : undefined,
      sort: sort("errors"),
      cell: ({ summary }) => <Failures summary={summary} />,
    },
    {
      label: "p95",
      isFigure: true,
      narrowLabel: ({ summary }) => summary.p95Ms === null ? undefined : "p95",
      cell: ({ summary }) => summary.p95Ms === null ? "" : took(summary.p95Ms),
    },
    {
      label: "Last error",
      class: "last-error",
      narrowLabel: ({ lastError }) => lastError && "last error",
      cell: ({ lastError }) => lastError && <LastError entry={lastError} now={now} />,
    },
    {
      label: "Changed",
      class: "changed",
      sort: sort("changed"),
      cell: ({ entry }) => <Ago ms={entry.updatedAt} now={now} />,
    },
    { label: "Actions", isActions: true, narrowLabel: null, cell: (row) => <Actions {...row} /> },
  ];
  return columns;
}

/** As most functions are enabled, only the others have a badge. */
function Name({ entry: { id, name, description }, condition }: Row) {
  const { state, reason, until } = condition;
  return (
    <>
      <a href={pathOf(id)}>{name}</a>
      {state !== "enabled" && (
        <>
          {" "}
          <StateBadge condition={condition} />
        </>
      )}
      {state === "broken" && <small class="description reason">{reason}</small>}
      {state === "suspended" && (
        <small class="description reason">
          until <Time ms={until!} /> because its processes kept ending. {reason}
        </small>
      )}
      {description && state !== "broken" && <small class="quiet description">{description}</small>}
    </>
  );
}

const STATE_BADGES = { enabled: "ok", disabled: "off", suspended: "warn", broken: "bad" } as const;

export function StateBadge({ condition: { state } }: { condition: Condition }) {
  return <Badge kind={STATE_BADGES[state]}>{state}</Badge>;
}

/** The path; its hidden beginning makes it the whole URL for the button that copies it. */
function Route({ entry: { id, route, methods }, origin }: Row & { origin: string }) {
  const ordered = METHODS.filter((method) => methods.includes(method));
  return (
    <span class="route-line" title={`${ordered.join(" ")} ${route}`}>
      <code id={`url-${id}`}>
        <span class="visually-hidden">{origin}/run</span>
        {route === "/" ? "" : route}
      </code>{" "}
      <small class="quiet">{ordered.join(" ")}</small>
    </span>
  );
}

function Callers({ keys, groupNames }: { keys: readonly GroupId[]; groupNames: ReadonlyMap<GroupId, string> }) {
  if (keys.length === 0) return <Badge kind="plain">public</Badge>;
  const names = keys.map((id) => groupNames.get(id) ?? String(id)).join(", ");
  return <span class="cut" title={names}>{names}</span>;
}

function failuresOf({ errors, timeouts }: Summary): number {
  return errors + timeouts;
}

function Failures({ summary }: { summary: Summary }) {
  const failures = failuresOf(summary);
  return failures > 0
    ? <Badge kind="bad">{count(failures)}</Badge>
    : <span class="quiet">{summary.calls > 0 && "0"}</span>;
}

/** Leads to the log of the request that failed, or to the errors of the function. */
function LastError({ entry: { functionId, requestId, message, at }, now }: { entry: LogEntry; now: number }) {
  const href = requestId === null
    ? `${pathOf(functionId)}/logs?level=error`
    : `/web/logs?${new URLSearchParams({ requestId })}`;
  return (
    <a href={href} title={message.slice(0, TITLE_MAX)}>
      <Ago ms={at} now={now} />
    </a>
  );
}

function Actions({ entry: { id, name, enabled }, condition }: Row) {
  const path = pathOf(id);
  const fields = { back: "list" };
  return (
    <>
      {!enabled && !condition.isAltered && (
        <PostButton action={`${path}/enable`} label="Enable" kind="secondary" describe={name} fields={fields} />
      )}
      <Menu label={`Actions for ${name}`}>
        <button type="button" data-copy={`url-${id}`}>
          Copy the URL
        </button>
        <MenuLink href={`${path}/logs`}>Logs</MenuLink>
        <MenuLink href={`${path}/metrics`}>Metrics</MenuLink>
        <MenuLink href={`${path}/settings`}>Settings</MenuLink>
        {!condition.isAltered && (enabled
          ? <MenuLink href={`${path}/disable?back=list`}>Disable …</MenuLink>
          : <MenuPost action={`${path}/enable`} fields={fields}>Enable</MenuPost>)}
        <MenuLink href={`${path}/delete`} isDanger>Delete …</MenuLink>
      </Menu>
    </>
  );
}

function Nothing({ query: { search, state } }: { query: ListQuery }) {
  if (search) return <Empty>No function has “{search}” in its name, route or file. Try a shorter text.</Empty>;
  if (state !== "all") {
    return (
      <Empty>
        {NONE[state]} <a href={LIST_PATH}>Show all functions</a>
      </Empty>
    );
  }
  return null;
}

function None() {
  return (
    <Empty
      icon="square-function"
      title="No functions yet"
      actions={<ButtonLink href={`${LIST_PATH}/new`}>Create your first function</ButtonLink>}
    >
      <p>A function runs your code at a URL you choose.</p>
    </Empty>
  );
}
