// Implements /web/audit: who changed or viewed what, newest first, with filters, and the links that export them.

import { DAY_MS } from "../../../../time.ts";
import { z } from "zod";
import { ACTIONS } from "../../../../actor.ts";
import { auditQuery } from "../../../inputs/audit_schemas.ts";
import { beforeCursor } from "../../../inputs/newest_first.ts";
import { Button, ButtonLink, Empty, Icon, Pager } from "../../ui/components.tsx";
import { ProblemSummary, SelectField, TextField } from "../../ui/fields.tsx";
import type { Web, WebDeps } from "../../shell/deps.ts";
import { attempt, type Problems } from "../../shell/forms.ts";
import { page } from "../../shell/layout.tsx";
import { Entry } from "./entry.tsx";
import { actionLabel } from "./phrases.ts";

const PAGE_SIZE = "50";
const EXPORT = "/api/audit/export";

/** Fields of the filter, as in the address. */
const FIELDS = ["actor", "action", "subject", "from", "to"] as const;
const LABELS = { actor: "Who", action: "What", subject: "About", from: "From", to: "To" };
/** As entries show days; a browser's own field for days follows its language. */
const DAY_FORMAT = "YYYY-MM-DD";
type Filter = Readonly<Record<(typeof FIELDS)[number], string>>;

/** Each kind of actions, followed by its actions. */
const OPTIONS = [...new Set(ACTIONS.map((action) => action.split(".")[0]!))].flatMap((kind) => {
  const actions = ACTIONS.filter((action) => action.startsWith(`${kind}.`));
  return actions.length === 1 ? actions : [`${kind}.*`, ...actions];
}).map((value) => ({ value, label: actionLabel(value) }));

export function addAudit(web: Web, { audit }: WebDeps): void {
  web.get("/web/audit", async (c) => {
    const filter = Object.fromEntries(FIELDS.map((field) => [field, c.req.query(field)?.trim() ?? ""])) as Filter;
    const asked = await attempt(() =>
      auditQuery.parse(apiQuery(filter, { cursor: c.req.query("cursor") ?? "", limit: PAGE_SIZE }))
    );
    const problems = "problems" in asked ? asked.problems : undefined;
    const found = "done" in asked ? listed(audit, asked.done) : { entries: [], next: undefined };
    const isFiltered = FIELDS.some((field) => filter[field] !== "");
    const next = found.next === undefined ? undefined : addressOf(filter, beforeCursor(found.next));
    return page(c, {
      title: "Audit",
      styles: ["audit.css"],
      actions: (
        <>
          {!problems && (
            <>
              <a class="button secondary" href={exportOf(filter)} download>
                <Icon name="download" /> Export JSON
              </a>
              <a class="button secondary" href={exportOf(filter, { format: "csv" })} download>
                <Icon name="download" /> Export CSV
              </a>
            </>
          )}
        </>
      ),
      children: (
        <>
          <ProblemSummary problems={problems} labels={LABELS} />
          <FilterForm filter={filter} problems={problems} isFiltered={isFiltered} />
          {found.entries.length > 0
            ? (
              <ul class="audit" aria-label="Entries, the newest first">
                {found.entries.map((row) => <Entry row={row} />)}
              </ul>
            )
            : !problems && (
              <Empty>
                No matching entries. <a href="/web/audit">Show all</a>
              </Empty>
            )}
          <Pager next={next} what="entries" />
          <p class="quiet">
            Days are those of UTC. {isFiltered && !problems && (
              <>
                The exports have the entries that match, the oldest first. Only an export of{" "}
                <a href="/api/audit/export" download>all entries</a> can be checked.{" "}
              </>
            )}To check that no entry was altered, run <code>deno task cli audit verify</code>.
          </p>
        </>
      ),
    }, problems ? 400 : 200);
  });
}

function listed(audit: WebDeps["audit"], { limit, cursor, ...filter }: z.infer<typeof auditQuery>) {
  return audit.list(filter, cursor, limit);
}

/** Returns the API's query for a filter. Days are in UTC; the last day is included. */
function apiQuery(
  { from, to, ...others }: Filter,
  more: Readonly<Record<string, string>>,
): Record<string, string> {
  const given = {
    ...others,
    from: from && startOf(from),
    to: to && startOf(to, 1),
    ...more,
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== ""));
}

/** Returns where the entries of a filter are downloaded. */
function exportOf(filter: Filter, more: Readonly<Record<string, string>> = {}): string {
  const query = new URLSearchParams(apiQuery(filter, more));
  return query.size === 0 ? EXPORT : `${EXPORT}?${query}`;
}

/** Returns the start of a day, or of a later one. An invalid day is returned unchanged, and then refused. */
function startOf(day: string, daysLater = 0): string {
  const ms = /^\d{4}-\d\d-\d\d$/.test(day) ? Date.parse(`${day}T00:00:00Z`) : NaN;
  return Number.isNaN(ms) ? day : new Date(ms + daysLater * DAY_MS).toISOString();
}

function addressOf(filter: Filter, cursor: string): string {
  const given = Object.entries(filter).filter(([, value]) => value !== "");
  return `/web/audit?${new URLSearchParams([...given, ["cursor", cursor]])}`;
}

function FilterForm({ filter, problems, isFiltered }: {
  filter: Filter;
  problems: Problems | undefined;
  isFiltered: boolean;
}) {
  return (
    <form method="get" action="/web/audit" class="audit-filter" aria-label="Filter" novalidate>
      <TextField
        name="actor"
        label={LABELS.actor}
        value={filter.actor}
        problems={problems}
        placeholder="E-mail, key, key:5, server"
      />
      <SelectField
        name="action"
        label={LABELS.action}
        value={filter.action}
        problems={problems}
        empty="Everything"
        options={OPTIONS}
      />
      <TextField
        name="subject"
        label={LABELS.subject}
        value={filter.subject}
        problems={problems}
        placeholder="DATABASE_URL, secret:5, file"
      />
      <TextField
        name="from"
        label={LABELS.from}
        value={filter.from}
        problems={problems}
        placeholder={DAY_FORMAT}
        autocomplete="off"
      />
      <TextField
        name="to"
        label={LABELS.to}
        value={filter.to}
        problems={problems}
        placeholder={DAY_FORMAT}
        autocomplete="off"
      />
      <Button kind="secondary">Filter</Button>
      {isFiltered && <ButtonLink href="/web/audit" kind="quiet">Show all</ButtonLink>}
    </form>
  );
}
