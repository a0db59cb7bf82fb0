// Implements /web/logs: the output of functions, newest first, with filters and a histogram, and the timeline of one
// request. static/logs.js follows new entries.

import type { FunctionId } from "../../../../ids.ts";
import type { MergedPage } from "../../../../telemetry/cluster/all_logs.ts";
import { logListQuery } from "../../../inputs/log_schemas.ts";
import { clearLogs } from "../../../clear_logs.ts";
import { ButtonLink } from "../../ui/button.tsx";
import { ProblemSummary } from "../../ui/fields.tsx";
import type { Web, WebDeps } from "../../shell/deps.ts";
import { attempt, fieldText, readForm, redirect } from "../../shell/forms.ts";
import { page } from "../../shell/layout.tsx";
import { Download, Silent } from "./bar.tsx";
import { functionNames, keyNames, shortId } from "./entries.tsx";
import { ALL_LOGS, filterOf, LABELS, PARAMETERS } from "./filter.tsx";
import { logsView, requestSearchedFor } from "./list.tsx";
import { Timeline } from "./timeline.tsx";

/** Entries of a request that are shown at once. */
const TIMELINE_MAX = "1000";
const NOTHING: Pick<MergedPage, "entries" | "next" | "silent"> = { entries: [], next: undefined, silent: [] };

export function addLogs(web: Web, deps: WebDeps): void {
  web.get(ALL_LOGS.path, async (c) => {
    const filter = filterOf((name) => c.req.query(name));
    const request = await requestSearchedFor(filter.search, deps);
    if (request !== undefined) return c.redirect(request, 303);
    const others = PARAMETERS.filter((name) => name !== "requestId" && filter[name] !== "");
    if (filter.requestId !== "" && others.length === 0) return await timelinePage(c, filter.requestId, deps);
    const { status, filterForm, ...view } = await logsView(ALL_LOGS, filter, c.req.query("cursor"), deps);
    return page(c, { title: "Logs", actions: filterForm, ...view }, status);
  });

  web.post("/web/logs/clear", async (c) => {
    const typed = fieldText(await readForm(c), "functionId");
    const id = (/^[1-9][0-9]{0,14}$/.test(typed) ? Number(typed) : 0) as FunctionId;
    const name = await clearLogs(deps, c.get("actor"), id);
    return redirect(c, `/web/functions/${id}/logs`, `The log of ${name} was deleted.`);
  });
}

type PageContext = Parameters<typeof page>[0];

async function timelinePage(c: PageContext, requestId: string, deps: WebDeps) {
  const { allLogs, matrix, names, settings } = deps;
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
          keyName={keyNames(entries.slice(0, 1), names).get(entries[0]?.keyId ?? 0)}
          name={entries[0] && functionNames([entries[0].functionId], matrix).get(entries[0].functionId)}
          logsCalls={settings.get("log.level") === "debug"}
        />
      </>
    ),
  }, problems ? 400 : 200);
}
