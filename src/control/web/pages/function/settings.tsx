// Implements the tab "Settings" of a function.

import type { Context } from "hono";
import type { RegisteredFunction } from "../../../../core/functions/registry.ts";
import { functionChange } from "../../../inputs/function_schemas.ts";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { formRoute, type FormState } from "../../shell/form_route.ts";
import { page } from "../../shell/layout.tsx";
import { Altered } from "../../ui/altered.tsx";
import { choices } from "../functions/form.tsx";
import { formOf, type FunctionForm, problemsOfForm, toInput, typedForm } from "../functions/form_values.ts";
import { LIST_PATH, pathOf } from "../functions/list.tsx";
import { SettingsForm } from "./settings_form.tsx";
import { functionFrame, functionOf } from "./tabs.tsx";

export function addSettings(web: Web, deps: WebDeps): void {
  const { registry, assets, preflight, conditions } = deps;
  formRoute(web, {
    path: `${LIST_PATH}/:id{[^/]+}/settings`,
    subject: (c) => functionOf(c, deps),
    initial: formOf,
    read: typedForm,
    schema: (form) => functionChange.parse(toInput(form)),
    act: async ({ actor, subject, input, expected }) => {
      await assets.check(input.files ?? []);
      return await deps.commit(() => registry.update(actor, subject.id, input, expected));
    },
    page: async (c, form) => {
      if (!form.problems) await conditions.look([form.subject]);
      return settingsPage(c, deps, form);
    },
    then: async (saved) => {
      const { problems, warnings } = await preflight.handler(saved);
      return {
        to: `${pathOf(saved.id)}/settings`,
        notice: [`Saved the function ${saved.name}.`, ...problems, ...warnings].join(" "),
      };
    },
  });
}

function settingsPage(
  c: Context<WebEnv>,
  deps: WebDeps,
  { subject: entry, values, problems, status }: FormState<RegisteredFunction, FunctionForm>,
) {
  const frame = functionFrame(c, entry, "settings", deps);
  return page(c, {
    ...frame,
    styles: [...frame.styles, "settings.css"],
    children: (
      <>
        {frame.children}
        {deps.isAltered("functions", entry.id)
          ? (
            <Altered
              what="function"
              effect="Calls get 404."
              remove={{ href: `${pathOf(entry.id)}/delete`, label: "Delete it" }}
            />
          )
          : (
            <SettingsForm
              entry={entry}
              action={`${pathOf(entry.id)}/settings`}
              form={values}
              version={deps.registry.version(entry)}
              stored={status === 412 ? formOf(entry) : undefined}
              problems={problems && problemsOfForm(problems)}
              isNew={false}
              {...choices(deps)}
            />
          )}
      </>
    ),
  }, status === 200 || status === 412 ? status : 400);
}
