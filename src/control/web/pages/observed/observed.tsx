// Implements the tabs "Logs" and "Metrics" of a function: what the pages of all functions show, within its frame.

import type { Web, WebDeps } from "../../shell/deps.ts";
import { page } from "../../shell/layout.tsx";
import { LIST_PATH, pathOf } from "../functions/list.tsx";
import { functionFrame, functionOf } from "../function/tabs.tsx";
import { filterOf } from "../logs/filter.tsx";
import { logsView, requestSearchedFor } from "../logs/list.tsx";
import { functionMetricsView } from "../metrics/metrics.tsx";

export function addObserved(web: Web, deps: WebDeps): void {
  web.get(`${LIST_PATH}/:id{[^/]+}/logs`, async (c) => {
    const entry = functionOf(c, deps);
    await deps.conditions.look([entry]);
    const filter = filterOf((name) => c.req.query(name));
    const request = await requestSearchedFor(filter.search, deps);
    if (request !== undefined) return c.redirect(request, 303);
    const place = { path: `${pathOf(entry.id)}/logs`, functionId: entry.id };
    const { status, filterForm, ...view } = await logsView(place, filter, c.req.query("cursor"), deps);
    const frame = functionFrame(c, entry, "logs", deps);
    return page(c, {
      ...frame,
      scripts: view.scripts,
      styles: [...frame.styles, ...view.styles],
      children: (
        <>
          {frame.children}
          {filterForm}
          {view.children}
        </>
      ),
    }, status);
  });

  web.get(`${LIST_PATH}/:id{[^/]+}/metrics`, async (c) => {
    const entry = functionOf(c, deps);
    await deps.conditions.look([entry]);
    const view = functionMetricsView(entry, `${pathOf(entry.id)}/metrics`, c.req.query("range"), deps);
    const frame = functionFrame(c, entry, "metrics", deps);
    return page(c, {
      ...frame,
      scripts: view.scripts,
      styles: [...frame.styles, ...view.styles],
      children: (
        <>
          {frame.children}
          {view.choice}
          {view.children}
        </>
      ),
    });
  });
}
