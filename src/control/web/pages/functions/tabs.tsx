// Implements the top of every page of a function: its facts and the tabs.

import type { Context } from "hono";
import type { Child } from "hono/jsx";
import type { RegisteredFunction } from "../../../../core/functions/registry.ts";
import type { FunctionId, GroupId } from "../../../../ids.ts";
import { idParams } from "../../../inputs/fields.ts";
import { Badge, CopyLine } from "../../ui/components.tsx";
import { curlOf, functionsOriginOf } from "../../ui/curl_example.ts";
import type { WebDeps, WebEnv } from "../../shell/deps.ts";
import { pathOf, State, Toggle } from "./list.tsx";

const params = idParams<FunctionId>();

/** Returns the function that the path names. @throws AppError InvalidInput (400), NotFound (404) */
export function functionOf(c: Context<WebEnv>, { registry }: WebDeps): RegisteredFunction {
  return registry.get(params.parse({ id: c.req.param("id") }).id);
}

export type FunctionTab = "code" | "logs" | "metrics" | "secrets" | "settings";

/** Returns the title, the actions and the top of a function's page; `tab` is the page shown. */
export function functionFrame(c: Context<WebEnv>, entry: RegisteredFunction, tab: FunctionTab, deps: WebDeps) {
  const { id, name, description, enabled } = entry;
  const condition = deps.conditions.of(entry);
  const children: Child = (
    <>
      {description && <p class="quiet">{description}</p>}
      <div class="function-line">
        <State condition={condition} />
        {!condition.isAltered && <Callers keys={entry.keys} deps={deps} />}
        <Address entry={entry} origin={functionsOriginOf(c, deps.settings)} />
      </div>
      <Tabs entry={entry} current={tab} />
    </>
  );
  return {
    title: name,
    styles: ["functions.css"],
    actions: condition.isAltered
      ? <a href={`${pathOf(id)}/delete`} class="button secondary">Delete …</a>
      : <Toggle id={id} name={name} enabled={enabled} back="function" />,
    children,
  };
}

/** The methods and the full URL, with a button that copies it, and a command that calls the function. */
function Address({ entry: { route, methods, keys }, origin }: { entry: RegisteredFunction; origin: string }) {
  return (
    <>
      <span class="function-url">
        <span class="quiet">{methods.join(" ")}</span>{" "}
        <code id="function-url">{origin}/run{route === "/" ? "" : route}</code>
        <button type="button" class="secondary" data-copy="function-url" aria-label="Copy the URL">Copy</button>
      </span>
      <details class="function-curl">
        <summary>curl</summary>
        <CopyLine
          id="function-curl"
          text={curlOf(origin, { route, methods }, keys.length === 0 ? undefined : "YOUR-API-KEY")}
          label="Copy the command"
        />
      </details>
    </>
  );
}

function Tabs({ entry: { id, handler }, current }: { entry: RegisteredFunction; current: FunctionTab }) {
  const tabs = [
    ["code", pathOf(id), "Code"],
    ["logs", `${pathOf(id)}/logs`, "Logs"],
    ["metrics", `${pathOf(id)}/metrics`, "Metrics"],
    ["secrets", `${pathOf(id)}/secrets`, "Secrets"],
    ["versions", `/web/files/history?${new URLSearchParams({ path: handler })}`, "Versions"],
    ["settings", `${pathOf(id)}/settings`, "Settings"],
  ] as const;
  return (
    <nav class="tabs" aria-label="This function">
      <ul>
        {tabs.map(([key, path, label]) => (
          <li>
            <a href={path} aria-current={key === current ? "page" : undefined}>{label}</a>
          </li>
        ))}
      </ul>
    </nav>
  );
}

function Callers({ keys, deps: { access } }: { keys: readonly GroupId[]; deps: WebDeps }) {
  if (keys.length === 0) return <Badge kind="plain">public</Badge>;
  return <span class="quiet">for keys of {keys.map((key) => access.group(key).name).join(", ")}</span>;
}
