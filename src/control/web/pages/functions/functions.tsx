// Implements /web/functions: lists, creates, changes, enables, disables and deletes functions. The page of one function's
// code is in code.tsx, its test calls are in try_it.tsx.

import { HOUR_MS } from "../../../../time.ts";
import type { Context } from "hono";
import type { RegisteredFunction } from "../../../../core/functions/registry.ts";
import type { z } from "zod";
import type { AdminActor, Origin } from "../../../../actor.ts";
import type { FunctionId, GroupId } from "../../../../ids.ts";
import { functionChange, newFunction } from "../../../inputs/function_schemas.ts";
import { Altered } from "../../ui/altered.tsx";
import { FormActions } from "../../ui/components.tsx";
import { ProblemSummary } from "../../ui/fields.tsx";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { CHANGED, VersionField } from "../../ui/conflict.tsx";
import { fieldText, type Problems, problemsOf, readForm, redirect } from "../../shell/forms.ts";
import { formRoute, type FormState } from "../../shell/form_route.ts";
import { page } from "../../shell/layout.tsx";
import { FormToken } from "../../shell/submissions.tsx";
import { plural } from "../../ui/format.ts";
import { addCode } from "./code.tsx";
import { FunctionFields } from "./form.tsx";
import { addFunctionSecrets } from "./function_secrets.tsx";
import { addSuggestions } from "./suggestions.tsx";
import { functionFrame, functionOf } from "./tabs.tsx";
import { BLANK, completed, formOf, type FunctionForm, problemsOfForm, toInput, typedForm } from "./form_values.ts";
import { FunctionList, LIST_PATH, pathOf, SearchForm } from "./list.tsx";
import { templateFor } from "./template.ts";
import { addTrial } from "./try_it.tsx";

type NewFunction = z.output<typeof newFunction>;

const PAGE_SIZE = 50;
const SEARCH_MAX_LENGTH = 100;
/** How many secrets a page counts; with more, it shows "more than". */
const SECRETS_COUNTED_MAX = 1_000;

export function addFunctions(web: Web, deps: WebDeps): void {
  addList(web, deps);
  addNew(web, deps);
  addSettings(web, deps);
  addSuggestions(web, deps);
  addSwitches(web, deps);
  addDelete(web, deps);
  addTrial(web, deps);
  addFunctionSecrets(web, deps);
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

function addSettings(web: Web, deps: WebDeps): void {
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
        to: pathOf(saved.id),
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
            <FunctionFields
              action={`${pathOf(entry.id)}/settings`}
              form={values}
              version={deps.registry.version(entry)}
              stored={status === 412 ? formOf(entry) : undefined}
              problems={problems && problemsOfForm(problems)}
              submit="Save"
              cancel={pathOf(entry.id)}
              isNew={false}
              {...choices(deps)}
            />
          )}
        <p>
          <a href={`${pathOf(entry.id)}/suggestions`}>What it needs of this, from what its calls used</a>
        </p>
        <section class="danger-zone" aria-labelledby="delete-heading">
          <h2 id="delete-heading">Delete this function</h2>
          <p>Its address will answer 404, and its secrets will be deleted.</p>
          <a href={`${pathOf(entry.id)}/delete`} class="button secondary">Delete …</a>
        </section>
      </>
    ),
  }, status === 200 || status === 412 ? status : 400);
}

function addSwitches(web: Web, deps: WebDeps): void {
  for (const [word, enabled] of [["enable", true], ["disable", false]] as const) {
    web.post(`${LIST_PATH}/:id{[^/]+}/${word}`, async (c) => {
      const { id } = functionOf(c, deps);
      const back = fieldText(await readForm(c), "back") === "list" ? LIST_PATH : pathOf(id);
      const { name } = await deps.commit(() => deps.registry.update(c.get("actor"), id, { enabled }));
      return redirect(c, back, enabled ? `${name} is enabled.` : `${name} is disabled: calls get 404.`);
    });
  }
}

function addDelete(web: Web, deps: WebDeps): void {
  formRoute(web, {
    path: `${LIST_PATH}/:id{[^/]+}/delete`,
    subject: (c) => functionOf(c, deps),
    initial: () => undefined,
    read: () => undefined,
    act: ({ actor, subject, expected }) => deps.commit(() => deps.registry.delete(actor, subject.id, expected)),
    page: (c, { subject, problems }) => deletePage(c, deps, subject, problems && { "": CHANGED }),
    then: (_, { subject: { name, handler } }) => ({
      to: LIST_PATH,
      notice: `Deleted the function ${name} and its secrets. The file ${handler} was kept.`,
    }),
  });
}

function deletePage(
  c: Context<WebEnv>,
  { secrets, registry }: WebDeps,
  entry: RegisteredFunction,
  problems?: Problems,
) {
  const found = secrets.list({ functionId: entry.id }, 0, SECRETS_COUNTED_MAX);
  const { length } = found.secrets;
  const counted = `${found.next ? "more than " : ""}${plural(length, "secret")}`;
  return page(c, {
    title: `Delete ${entry.name}?`,
    trail: [[pathOf(entry.id), entry.name]],
    styles: ["functions.css"],
    children: (
      <form method="post" action={`${pathOf(entry.id)}/delete`} class="confirm">
        <FormToken />
        <VersionField version={registry.version(entry)} />
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
}

function choices({ access, settings }: WebDeps) {
  return {
    groups: access.groups(),
    defaults: { timeoutMs: settings.get("sandbox.timeout-ms"), memoryMb: settings.get("sandbox.memory-mb") },
  };
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
