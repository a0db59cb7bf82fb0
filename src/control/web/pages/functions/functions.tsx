// Implements /web/functions: lists and creates functions. The pages of one function are in ../function.

import { HOUR_MS } from "../../../../time.ts";
import type { Context } from "hono";
import type { z } from "zod";
import type { AdminActor, Origin } from "../../../../actor.ts";
import type { FunctionId, GroupId } from "../../../../ids.ts";
import { newFunction } from "../../../inputs/function_schemas.ts";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { type Problems, problemsOf } from "../../shell/forms.ts";
import { formRoute, type FormState } from "../../shell/form_route.ts";
import { page } from "../../shell/layout.tsx";
import { choices, FunctionFields } from "./form.tsx";
import { BLANK, completed, type FunctionForm, problemsOfForm, toInput, typedForm } from "./form_values.ts";
import { FunctionList, LIST_PATH, pathOf, SearchForm } from "./list.tsx";
import { templateFor } from "./template.ts";

type NewFunction = z.output<typeof newFunction>;

const PAGE_SIZE = 50;
const SEARCH_MAX_LENGTH = 100;

export function addFunctions(web: Web, deps: WebDeps): void {
  addList(web, deps);
  addNew(web, deps);
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
      <FunctionList
        {...found}
        search={search}
        groupNames={groupNames}
        conditionOf={(entry) => conditions.of(entry)}
        calls={calls}
      />
    );
    if (c.req.header("hx-request") !== undefined) return c.html(list);
    return page(c, {
      title: "Functions",
      styles: ["functions.css"],
      actions: <a href={`${LIST_PATH}/new`} class="button">New function</a>,
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
  formRoute(web, {
    path: `${LIST_PATH}/new`,
    initial: () => BLANK,
    read: typedForm,
    schema: (form) => newFunction.parse(toInput(completed(form))),
    act: ({ actor, input }) => createFunction(deps, actor, input),
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
async function createFunction(deps: WebDeps, actor: AdminActor & Origin, wanted: NewFunction) {
  const { registry, files, assets, commit } = deps;
  await assets.check(wanted.files ?? []);
  // Before the file is created, so that a refused function does not leave one.
  registry.check(wanted);
  const content = new TextEncoder().encode(templateFor(wanted.route));
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
    children: (
      <FunctionFields
        action={`${LIST_PATH}/new`}
        form={values}
        problems={problems && problemsOfForm(handlerProblems(problems))}
        submit="Create"
        cancel={LIST_PATH}
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
