// What the pages of one function have in common: its facts and the tabs.

import type { Context } from "hono";
import type { Child } from "hono/jsx";
import type { RegisteredFunction } from "../../../functions/registry.ts";
import type { FunctionId } from "../../../ids.ts";
import { idParams } from "../../api/schemas.ts";
import { Badge } from "../components.tsx";
import type { WebDeps, WebEnv } from "../deps.ts";
import { pathOf, State, Toggle } from "./list.tsx";

const params = idParams<FunctionId>();

/** The function that the path names. @throws AppError InvalidInput (400), NotFound (404) */
export function functionOf(c: Context<WebEnv>, { registry }: WebDeps): RegisteredFunction {
  return registry.get(params.parse({ id: c.req.param("id") }).id);
}

/** Title, actions and the top of each page of a function, which says how it is; `tab` is the page shown. */
export function functionFrame(entry: RegisteredFunction, tab: "code" | "settings", deps: WebDeps) {
  const { id, name, route, methods, keys, description, enabled } = entry;
  const groups = keys.map((key) => deps.access.group(key).name);
  const tabs = [["code", pathOf(id), "Code"], ["settings", `${pathOf(id)}/settings`, "Settings"], [
    "logs",
    `/web/logs?functionId=${id}`,
    "Logs",
  ]] as const;
  const children: Child = (
    <>
      {description && <p>{description}</p>}
      <dl class="facts">
        <div>
          <dt>State</dt>
          <dd>
            <State condition={deps.conditions.of(entry)} />
          </dd>
        </div>
        <div>
          <dt>Address</dt>
          <dd>
            <code>/run{route === "/" ? "" : route}</code>
          </dd>
        </div>
        <div>
          <dt>Methods</dt>
          <dd>{methods.join(", ")}</dd>
        </div>
        <div>
          <dt>Who may call it</dt>
          <dd>{groups.length === 0 ? <Badge kind="plain">public</Badge> : `Keys of ${groups.join(", ")}`}</dd>
        </div>
      </dl>
      <nav class="tabs" aria-label="This function">
        <ul>
          {tabs.map(([key, path, label]) => (
            <li>
              <a href={path} aria-current={key === tab ? "page" : undefined}>{label}</a>
            </li>
          ))}
        </ul>
      </nav>
    </>
  );
  return {
    title: name,
    styles: ["functions.css"],
    actions: <Toggle id={id} name={name} enabled={enabled} back="function" />,
    children,
  };
}
