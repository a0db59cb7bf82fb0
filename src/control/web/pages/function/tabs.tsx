// Implements the top of every page of a function: its facts and the tabs.

import type { Context } from "hono";
import type { Child } from "hono/jsx";
import type { RegisteredFunction } from "../../../../core/functions/registry.ts";
import { METHODS } from "../../../../core/functions/router.ts";
import type { FunctionId, GroupId } from "../../../../ids.ts";
import { idParams } from "../../../inputs/fields.ts";
import type { Condition } from "../../../../code/checks/condition.ts";
import { Badge, ButtonLink, CopyLine, Icon, Notice, PostButton, Time } from "../../ui/components.tsx";
import { curlOf, functionsOriginOf } from "../../ui/curl_example.ts";
import type { WebDeps, WebEnv } from "../../shell/deps.ts";
import { pathOf, StateBadge } from "../functions/list.tsx";

/** Groups of callers that are named; the others are counted. */
const CALLERS_SHOWN = 2;

const params = idParams<FunctionId>();

/** Returns the function that the path names. @throws AppError InvalidInput (400), NotFound (404) */
export function functionOf(c: Context<WebEnv>, { registry }: WebDeps): RegisteredFunction {
  return registry.get(params.parse({ id: c.req.param("id") }).id);
}

export type FunctionTab = "code" | "logs" | "metrics" | "secrets" | "settings";

/** Returns the title, the actions and the top of a function's page; `tab` is the page shown. */
export function functionFrame(c: Context<WebEnv>, entry: RegisteredFunction, tab: FunctionTab, deps: WebDeps) {
  const { name, description } = entry;
  const condition = deps.conditions.of(entry);
  const children: Child = (
    <>
      {description && <p class="quiet function-description">{description}</p>}
      <div class="function-bar">
        <StateBadge condition={condition} />
        {!condition.isAltered && <Callers keys={entry.keys} deps={deps} />}
        <Endpoint entry={entry} origin={functionsOriginOf(c, deps.settings)} />
      </div>
      <Reason condition={condition} />
      <Tabs entry={entry} current={tab} />
    </>
  );
  return {
    title: name,
    styles: ["functions.css"],
    actions: <Switch entry={entry} condition={condition} />,
    children,
  };
}

/** Enables the function at once; disabling and deleting ask first. */
function Switch({ entry: { id, name, enabled }, condition }: { entry: RegisteredFunction; condition: Condition }) {
  if (condition.isAltered) return <ButtonLink href={`${pathOf(id)}/delete`} kind="secondary">Delete …</ButtonLink>;
  if (enabled) return <ButtonLink href={`${pathOf(id)}/disable`} kind="secondary">Disable …</ButtonLink>;
  return <PostButton action={`${pathOf(id)}/enable`} label="Enable" describe={name} />;
}

/** Why the function does not answer as it should. */
function Reason({ condition: { state, reason, until } }: { condition: Condition }) {
  if (state === "broken") return <Notice kind="bad" title="It cannot answer calls">{reason}</Notice>;
  if (state !== "suspended") return null;
  return (
    <Notice
      kind="warn"
      title={
        <>
          Suspended until <Time ms={until!} />, because its processes kept ending
        </>
      }
    >
      {reason}
    </Notice>
  );
}

/** The methods and the full URL, with a button that copies it, and a command that calls the function. */
function Endpoint({ entry: { route, methods, keys }, origin }: { entry: RegisteredFunction; origin: string }) {
  const path = `/run${route === "/" ? "" : route}`;
  return (
    <div class="endpoint">
      <span class="endpoint-methods">{METHODS.filter((method) => methods.includes(method)).join(" ")}</span>
      {/* Where there is little room, the path is what is seen. */}
      <code id="function-url" title={origin + path}>
        <span>{origin}</span>
        <span>{path}</span>
      </code>
      <button
        type="button"
        class="quiet icon-only"
        data-copy="function-url"
        aria-label="Copy the URL"
        title="Copy the URL"
      >
        <Icon name="copy" />
      </button>
      <details class="menu" data-menu>
        <summary class="button quiet">
          curl <Icon name="chevron-down" />
        </summary>
        <div class="menu-panel">
          <CopyLine
            id="function-curl"
            text={curlOf(origin, { route, methods }, keys.length === 0 ? undefined : "YOUR-API-KEY")}
            label="Copy the command"
          />
        </div>
      </details>
    </div>
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
    <nav class="tabs of-function" aria-label="This function">
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
  const names = keys.map((key) => access.group(key).name);
  const more = names.length - CALLERS_SHOWN;
  return (
    <span class="callers" title={names.join(", ")}>
      <Icon name="key-round" />
      <span>
        <span class="visually-hidden">for keys of</span> {names.slice(0, CALLERS_SHOWN).join(", ")}
        {more > 0 && ` and ${more} more`}
      </span>
    </span>
  );
}
