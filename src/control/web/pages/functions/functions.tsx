// Implements /web/functions: lists, creates, changes, enables, disables and deletes functions. The page of one function's
// code is in code.tsx, its test calls are in try_it.tsx.

import type { Context } from "hono";
import { functionVersion, type RegisteredFunction } from "../../../../core/functions/registry.ts";
import type { FunctionId, GroupId } from "../../../../ids.ts";
import { functionChange, newFunction } from "../../../inputs/function_schemas.ts";
import { Altered } from "../../ui/altered.tsx";
import { FormActions } from "../../ui/components.tsx";
import { ProblemSummary } from "../../ui/fields.tsx";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { CHANGED, VersionField } from "../../ui/conflict.tsx";
import {
  attempt,
  expectedIn,
  fieldText,
  type FormStatus,
  type Problems,
  problemsOf,
  readForm,
  redirect,
} from "../../shell/forms.ts";
import { page } from "../../shell/layout.tsx";
import { FormToken } from "../../shell/submissions.tsx";
import { plural } from "../../ui/format.ts";
import { addCode } from "./code.tsx";
import { FunctionFields } from "./form.tsx";
import { functionFrame, functionOf } from "./tabs.tsx";
import { BLANK, completed, formOf, type FunctionForm, problemsOfForm, typedForm, wantedOf } from "./form_values.ts";
import { FunctionList, LIST_PATH, pathOf, SearchForm } from "./list.tsx";
import { templateFor } from "./template.ts";
import { addTrial } from "./try_it.tsx";

const PAGE_SIZE = 50;
const HOUR_MS = 3_600_000;
const SEARCH_MAX_LENGTH = 100;
/** How many secrets a page counts; with more, it shows "more than". */
const SECRETS_COUNTED_MAX = 1_000;

export function addFunctions(web: Web, deps: WebDeps): void {
  addList(web, deps);
  addNew(web, deps);
  addSettings(web, deps);
  addSwitches(web, deps);
  addDelete(web, deps);
  addTrial(web, deps);
  addCode(web, deps);
}

function addList(web: Web, deps: WebDeps): void {
  const { registry, access, conditions, metrics, now } = deps;

  web.get(LIST_PATH, async (c) => {
    const search = (c.req.query("search") ?? "").slice(0, SEARCH_MAX_LENGTH);
    const found = registry.page(search, c.req.query("after") ?? "", PAGE_SIZE);
    await conditions.look(found.functions);
    const groupNames = new Map<GroupId, string>(access.groups().map(({ id, name }) => [id, name]));
    const since = now() - HOUR_MS;
    const calls = (id: FunctionId) => metrics.callsSince(id, since);
    const list = (
      <FunctionList {...found} search={search} groupNames={groupNames} conditionOf={conditions.of} calls={calls} />
    );
    if (c.req.header("hx-request") !== undefined) return c.html(list);
    return page(c, {
      title: "Functions",
      styles: ["functions.css"],
      actions: <a href={`${LIST_PATH}/new`} role="button">New function</a>,
      children: (
        <>
          <SearchForm search={search} />
          {list}
        </>
      ),
    });
  });
}

function addNew(web: Web, deps: WebDeps): void {
  const { registry, files, assets, preflight } = deps;
  const path = `${LIST_PATH}/new`;

  const show = (c: Context<WebEnv>, form: FunctionForm, problems?: Problems, status: 200 | 400 = 200) =>
    page(c, {
      title: "New function",
      styles: ["functions.css"],
      children: (
        <FunctionFields
          action={path}
          form={form}
          problems={problems}
          submit="Create"
          cancel={LIST_PATH}
          isNew
          {...choices(deps)}
        />
      ),
    }, status);

  web.get(path, (c) => show(c, BLANK));

  web.post(path, async (c) => {
    const typed = typedForm(await readForm(c));
    const made = await attempt(async () => {
      const wanted = newFunction.parse(wantedOf(completed(typed)));
      await assets.check(wanted.files ?? []);
      // Before the file is created, so that a refused function does not leave one.
      registry.check(wanted);
      const content = new TextEncoder().encode(templateFor(wanted.route));
      const isThere = await exists(deps, wanted.handler);
      if (!isThere) await files.write(c.get("actor"), wanted.handler, content, true);
      try {
        return { entry: registry.create(c.get("actor"), wanted), isThere };
      } catch (error) {
        if (!isThere) await files.delete(c.get("actor"), wanted.handler);
        throw error;
      }
    });
    if ("problems" in made) return show(c, typed, problemsOfForm(handlerProblems(made.problems)), 400);
    const { entry, isThere } = made.done;
    const { problems, warnings } = await preflight.handler(entry);
    const file = isThere ? `Its code is the existing file ${entry.handler}.` : `Its code is ${entry.handler}.`;
    const notices = [
      `Created the function ${entry.name}. ${file}`,
      ...problems,
      ...warnings,
      "Edit it below, then try it.",
    ];
    return redirect(c, pathOf(entry.id), notices.join(" "));
  });
}

function addSettings(web: Web, deps: WebDeps): void {
  const { registry, assets, preflight } = deps;
  const path = `${LIST_PATH}/:id{[^/]+}/settings`;

  const show = (
    c: Context<WebEnv>,
    entry: RegisteredFunction,
    form: FunctionForm,
    problems?: Problems,
    status: 200 | FormStatus = 200,
  ) =>
    page(c, {
      ...functionFrame(entry, "settings", deps),
      children: (
        <>
          {functionFrame(entry, "settings", deps).children}
          {deps.isAltered("functions", entry.id)
            ? (
              <Altered
                what="function"
                effect="Calls get 404."
                remove={{ href: `${pathOf(entry.id)}/delete`, label: "Delete it" }}
              />
            )
            : (
              <FunctionFields
                action={`${pathOf(entry.id)}/settings`}
                form={form}
                version={functionVersion(entry)}
                stored={status === 412 ? formOf(entry) : undefined}
                problems={problems}
                submit="Save"
                cancel={pathOf(entry.id)}
                isNew={false}
                {...choices(deps)}
              />
            )}
          <section class="danger-zone" aria-labelledby="delete-heading">
            <h2 id="delete-heading">Delete this function</h2>
            <p>Its address will answer 404, and its secrets will be deleted.</p>
            <a href={`${pathOf(entry.id)}/delete`} role="button" class="secondary outline">Delete …</a>
          </section>
        </>
      ),
    }, status);

  web.get(path, async (c) => {
    const entry = functionOf(c, deps);
    await deps.conditions.look([entry]);
    return show(c, entry, formOf(entry));
  });

  web.post(path, async (c) => {
    const entry = functionOf(c, deps);
    const fields = await readForm(c);
    const typed = typedForm(fields);
    const saved = await attempt(async () => {
      const change = functionChange.parse(wantedOf(typed));
      await assets.check(change.files ?? []);
      return registry.update(c.get("actor"), entry.id, change, expectedIn(fields));
    });
    if ("problems" in saved) {
      const status = saved.status === 412 ? 412 : 400;
      return show(c, functionOf(c, deps), typed, problemsOfForm(saved.problems), status);
    }
    const { problems, warnings } = await preflight.handler(saved.done);
    return redirect(
      c,
      pathOf(entry.id),
      [`Saved the function ${saved.done.name}.`, ...problems, ...warnings].join(" "),
    );
  });
}

function addSwitches(web: Web, deps: WebDeps): void {
  for (const [word, enabled] of [["enable", true], ["disable", false]] as const) {
    web.post(`${LIST_PATH}/:id{[^/]+}/${word}`, async (c) => {
      const { id } = functionOf(c, deps);
      const back = fieldText(await readForm(c), "back") === "list" ? LIST_PATH : pathOf(id);
      const { name } = deps.registry.update(c.get("actor"), id, { enabled });
      return redirect(c, back, enabled ? `${name} is enabled.` : `${name} is disabled: calls get 404.`);
    });
  }
}

function addDelete(web: Web, deps: WebDeps): void {
  const { registry, secrets } = deps;
  const path = `${LIST_PATH}/:id{[^/]+}/delete`;

  const show = (c: Context<WebEnv>, entry: RegisteredFunction, problems?: Problems) => {
    const found = secrets.list({ functionId: entry.id }, 0, SECRETS_COUNTED_MAX);
    const { length } = found.secrets;
    const counted = `${found.next ? "more than " : ""}${plural(length, "secret")}`;
    return page(c, {
      title: `Delete ${entry.name}?`,
      styles: ["functions.css"],
      children: (
        <form method="post" action={`${pathOf(entry.id)}/delete`} class="confirm">
          <FormToken />
          <VersionField version={functionVersion(entry)} />
          <ProblemSummary problems={problems} labels={{}} />
          <ul>
            <li>
              Calls of <code>/run{entry.route}</code> will get 404.
            </li>
            <li>
              {length === 0 ? "It has no secrets." : (
                <>
                  <strong>{counted} of its own</strong> will be deleted with it:{" "}
                  {found.secrets.slice(0, 10).map(({ name }) => name).join(", ")}
                  {length > 10 && ", …"}
                </>
              )}
            </li>
            <li>
              Its files, including <code>{entry.handler}</code>, and the secrets of other owners are kept.
            </li>
          </ul>
          <FormActions submit={`Delete ${entry.name}`} kind="danger" cancel={pathOf(entry.id)} />
        </form>
      ),
    }, problems ? 412 : 200);
  };

  web.get(path, (c) => show(c, functionOf(c, deps)));

  web.post(path, async (c) => {
    const { id, name, handler } = functionOf(c, deps);
    const expected = expectedIn(await readForm(c));
    const result = await attempt(() => registry.delete(c.get("actor"), id, expected));
    if ("problems" in result) return show(c, functionOf(c, deps), { "": CHANGED });
    return redirect(c, LIST_PATH, `Deleted the function ${name} and its secrets. The file ${handler} was kept.`);
  });
}

function choices({ access, settings }: WebDeps) {
  return {
    groups: access.groups(),
    defaults: { timeoutMs: settings.get("sandbox.timeout-ms"), memoryMb: settings.get("sandbox.memory-mb") },
  };
}

async function exists({ files }: WebDeps, path: string): Promise<boolean> {
  try {
    await files.read(path);
    return true;
  } catch (error) {
    const problems = problemsOf(error);
    if (problems && !problems["path"]) return false;
    throw error;
  }
}

/** Assigns a problem of a path to the field of the handler. */
function handlerProblems({ path, ...rest }: Problems): Problems {
  return path === undefined ? rest : { handler: path, ...rest };
}
