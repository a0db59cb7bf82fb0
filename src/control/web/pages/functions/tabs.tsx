// Implements the top of every page of a function: its facts and the tabs.

import type { Context } from "hono";
import type { Child } from "hono/jsx";
import type { RegisteredFunction } from "../../../../core/functions/registry.ts";
import type { FunctionId, GroupId } from "../../../../ids.ts";
import { idParams } from "../../../inputs/fields.ts";
import { Badge, Fact, Facts } from "../../ui/components.tsx";
import type { WebDeps, WebEnv } from "../../shell/deps.ts";
import { pathOf, State, Toggle } from "./list.tsx";

const params = idParams<FunctionId>();

/** Returns the function that the path names. @throws AppError InvalidInput (400), NotFound (404) */
export function functionOf(c: Context<WebEnv>, { registry }: WebDeps): RegisteredFunction {
  return registry.get(params.parse({ id: c.req.param("id") }).id);
}

/** Returns the title, the actions and the top of a function's page; `tab` is the page shown. */
export function functionFrame(entry: RegisteredFunction, tab: "code" | "settings", deps: WebDeps) {
  const { id, name, route, methods, keys, description, enabled } = entry;
  const condition = deps.conditions.of(entry);
  const tabs = [["code", pathOf(id), "Code"], ["settings", `${pathOf(id)}/settings`, "Settings"], [
    "logs",
    `/web/logs?functionId=${id}`,
    "Logs",
  ]] as const;
  const children: Child = (
    <>
      {description && <p>{description}</p>}
      <Facts>
        <Fact term="State">
          <State condition={condition} />
        </Fact>
        <Fact term="Address">
          <code>/run{route === "/" ? "" : route}</code>
        </Fact>
        <Fact term="Methods">{methods.join(", ")}</Fact>
        <Fact term="Who may call it">{condition.isAltered ? "no one" : <Callers keys={keys} deps={deps} />}</Fact>
      </Facts>
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
    actions: condition.isAltered
      ? <a href={`${pathOf(id)}/delete`} class="button secondary">Delete …</a>
      : <Toggle id={id} name={name} enabled={enabled} back="function" />,
    children,
  };
}

function Callers({ keys, deps: { access } }: { keys: readonly GroupId[]; deps: WebDeps }) {
  if (keys.length === 0) return <Badge kind="plain">public</Badge>;
  return <>Keys of {keys.map((key) => access.group(key).name).join(", ")}</>;
}
