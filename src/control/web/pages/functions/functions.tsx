// Implements /web/functions: lists and creates functions. The pages of one function are in ../function.

import { HOUR_MS } from "../../../../time.ts";
import type { Context } from "hono";
import type { z } from "zod";
import type { AdminActor, Origin } from "../../../../actor.ts";
import type { FunctionQuery } from "../../../../core/functions/registry.ts";
import { ButtonLink } from "../../ui/components.tsx";
import { functionsOriginOf } from "../../ui/curl_example.ts";
import type { GroupId } from "../../../../ids.ts";
import { newFunction } from "../../../inputs/function_schemas.ts";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { type Problems, problemsOf } from "../../shell/forms.ts";
import { formRoute, type FormState } from "../../shell/form_route.ts";
import { page } from "../../shell/layout.tsx";
import { choices } from "./form.tsx";
import { NewFunction } from "./new_function.tsx";
import { BLANK, completed, type FunctionForm, problemsOfForm, toInput, typedForm } from "./form_values.ts";
import { FunctionList, LIST_PATH, pathOf, SearchForm } from "./list.tsx";
import { type ListQuery, listQuery, SORTS } from "./list_query.ts";
import { type Template, templateFor } from "./template.ts";

type NewInput = z.output<typeof newFunction>;

const PAGE_SIZE = 50;
/** Of calls, in a picture. */
const HOURS_SHOWN = 24;

export function addFunctions(web: Web, deps: WebDeps): void {
  addList(web, deps);
  addNew(web, deps);
}

function addList(web: Web, deps: WebDeps): void {
  web.get(LIST_PATH, async (c) => {
    const query = listQuery(c.req.query());
    const { functions, next, total } = deps.registry.page(await registryQuery(query, deps), query.skip, PAGE_SIZE);
    await deps.conditions.look(functions);
    const ids = functions.map(({ id }) => id);
    const now = deps.now();
    const summaries = deps.metrics.summaries(ids, now - HOUR_MS);
    const hours = deps.metrics.hoursOf(ids, HOURS_SHOWN);
    const lastErrors = deps.logs.lastErrors(ids);
    const rows = functions.map((entry) => ({
      entry,
      condition: deps.conditions.of(entry),
      summary: summaries.get(entry.id)!,
      hours: hours.get(entry.id)!,
      lastError: lastErrors.get(entry.id),
    }));
    const groupNames = new Map<GroupId, string>(deps.access.groups().map(({ id, name }) => [id, name]));
    const origin = functionsOriginOf(c, deps.settings);
    const list = <FunctionList {...{ rows, total, query, next, groupNames, origin, now }} />;
    if (c.req.header("hx-request") !== undefined) return c.html(list);
    return page(c, {
      title: "Functions",
      styles: ["functions.css"],
      actions: <ButtonLink href={`${LIST_PATH}/new`} icon="plus">New function</ButtonLink>,
      children: (
        <>
          <SearchForm query={query} />
          {list}
        </>
      ),
    });
  });
}

/** Returns what the registry is to find. */
async function registryQuery({ search, state, sort }: ListQuery, deps: WebDeps): Promise<FunctionQuery> {
  const { by, isDescending } = SORTS[sort];
  const since = deps.now() - HOUR_MS;
  const order = by === "calls"
    ? { ranked: deps.metrics.ranking("calls", since) }
    : by === "errors"
    ? { ranked: deps.metrics.ranking("failures", since) }
    : by;
  const query = { search, order, isDescending };
  if (state === "failing") return { ...query, ids: deps.metrics.ranking("failures", since) };
  if (state === "disabled") return { ...query, enabled: false };
  if (state === "all") return query;
  const broken = await deps.conditions.broken((after, limit) => deps.registry.list(after, limit));
  return { ...query, ids: [...broken.map(({ entry }) => entry.id), ...deps.suspended()] };
}

function addNew(web: Web, deps: WebDeps): void {
  formRoute(web, {
    path: `${LIST_PATH}/new`,
    initial: () => BLANK,
    read: typedForm,
    schema: (form) => newFunction.parse(toInput(completed(form))),
    act: ({ actor, input, values }) => createFunction(deps, actor, input, values.template),
    page: (c, form) => newPage(c, deps, form),
    then: async ({ entry, existed }) => {
      const { problems, warnings } = await deps.preflight.handler(entry);
      const file = existed ? `Its code is the existing file ${entry.handler}.` : `Its code is ${entry.handler}.`;
      const notices = [
        `Created the function ${entry.name}. ${file}`,
        ...problems,
        ...warnings,
        "Edit it below, then try it.",
      ];
      return { to: pathOf(entry.id), notice: notices.join(" ") };
    },
  });
}

/** Creates a function, and its handler's file if it does not exist yet. */
async function createFunction(deps: WebDeps, actor: AdminActor & Origin, typed: NewInput, template: Template) {
  // A webhook is sent by POST; GET alone is what the form begins with.
  const isUntouched = typed.methods?.join() === "GET";
  const wanted = template === "webhook" && isUntouched ? { ...typed, methods: ["POST" as const] } : typed;
  const { registry, files, assets, commit } = deps;
  await assets.check(wanted.files ?? []);
  // Before the file is created, so that a refused function does not leave one.
  registry.check(wanted);
  const content = new TextEncoder().encode(templateFor(wanted.route, template));
  const existed = await exists(files, wanted.handler);
  if (!existed) await files.write(actor, wanted.handler, content, true);
  try {
    return { entry: await commit(() => registry.create(actor, wanted)), existed };
  } catch (error) {
    if (!existed) await files.delete(actor, wanted.handler);
    throw error;
  }
}

function newPage(c: Context<WebEnv>, deps: WebDeps, { values, problems }: FormState<undefined, FunctionForm>) {
  return page(c, {
    title: "New function",
    styles: ["functions.css"],
    scripts: ["new_function.js"],
    children: (
      <NewFunction
        action={`${LIST_PATH}/new`}
        form={values}
        problems={problems && problemsOfForm(handlerProblems(problems))}
        origin={functionsOriginOf(c, deps.settings)}
        isNew
        {...choices(deps)}
      />
    ),
  }, problems ? 400 : 200);
}

async function exists(files: WebDeps["files"], path: string): Promise<boolean> {
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
