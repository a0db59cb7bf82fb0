// Enables and disables functions. Disabling asks first, and says how many calls would be refused.

import type { RegisteredFunction } from "../../../../core/functions/registry.ts";
import type { FunctionId } from "../../../../ids.ts";
import { HOUR_MS } from "../../../../time.ts";
import type { Web, WebDeps } from "../../shell/deps.ts";
import { fieldText, readForm, redirect } from "../../shell/forms.ts";
import { page } from "../../shell/layout.tsx";
import { FormActions } from "../../ui/components.tsx";
import { count, plural } from "../../ui/format.ts";
import { LIST_PATH, pathOf } from "../functions/list.tsx";
import { functionOf } from "./tabs.tsx";

export function addSwitches(web: Web, deps: WebDeps): void {
  for (const [word, enabled] of [["enable", true], ["disable", false]] as const) {
    web.post(`${LIST_PATH}/:id{[^/]+}/${word}`, async (c) => {
      const { id } = functionOf(c, deps);
      const back = fieldText(await readForm(c), "back") === "list" ? LIST_PATH : pathOf(id);
      const { name } = await deps.commit(() => deps.registry.update(c.get("actor"), id, { enabled }));
      return redirect(c, back, enabled ? `${name} is enabled.` : `${name} is disabled: calls get 404.`);
    });
  }
  web.get(`${LIST_PATH}/:id{[^/]+}/disable`, (c) => {
    const entry = functionOf(c, deps);
    const isFromList = c.req.query("back") === "list";
    return page(c, {
      title: `Disable ${entry.name}?`,
      crumb: "Disable",
      trail: [[pathOf(entry.id), entry.name]],
      children: <DisableForm entry={entry} isFromList={isFromList} deps={deps} />,
    });
  });
}

function DisableForm({ entry: { id, name, route, enabled }, isFromList, deps }: {
  entry: RegisteredFunction;
  isFromList: boolean;
  deps: WebDeps;
}) {
  const cancel = isFromList ? LIST_PATH : pathOf(id);
  if (!enabled) {
    return (
      <p>
        It is disabled already. <a href={cancel}>Back</a>
      </p>
    );
  }
  return (
    <form method="post" action={`${pathOf(id)}/disable`} class="confirm">
      <ul>
        <CallsLately id={id} deps={deps} />
        <li>
          Calls of <code>/run{route === "/" ? "" : route}</code> will get 404 until it is enabled again.
        </li>
        <li>Its code, its settings and its secrets are kept.</li>
      </ul>
      {isFromList && <input type="hidden" name="back" value="list" />}
      <FormActions submit={`Disable ${name}`} kind="danger" cancel={cancel} />
    </form>
  );
}

/** How many calls a function had within the last hour, as an entry of a list. */
export function CallsLately({ id, deps: { metrics, now } }: { id: FunctionId; deps: WebDeps }) {
  const { calls, errors, timeouts } = metrics.summaries([id], now() - HOUR_MS).get(id)!;
  if (calls === 0) return <li>It was not called in the last hour.</li>;
  return (
    <li>
      <strong>{plural(calls, "call")}</strong>{" "}
      came in the last hour{errors + timeouts > 0 && `; ${count(errors + timeouts)} failed`}.
    </li>
  );
}
