// Implements the page that deletes a function.

import type { Context } from "hono";
import type { RegisteredFunction } from "../../../../core/functions/registry.ts";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import type { Problems } from "../../shell/forms.ts";
import { formRoute } from "../../shell/form_route.ts";
import { page } from "../../shell/layout.tsx";
import { FormToken } from "../../shell/submissions.tsx";
import { FormActions } from "../../ui/components.tsx";
import { CHANGED, VersionField } from "../../ui/conflict.tsx";
import { ProblemSummary } from "../../ui/fields.tsx";
import { plural } from "../../ui/format.ts";
import { LIST_PATH, pathOf } from "../functions/list.tsx";
import { CallsLately } from "./switches.tsx";
import { functionOf } from "./tabs.tsx";

/** How many secrets a page counts; with more, it shows "more than". */
const SECRETS_COUNTED_MAX = 1_000;

export function addDelete(web: Web, deps: WebDeps): void {
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
  deps: WebDeps,
  entry: RegisteredFunction,
  problems?: Problems,
) {
  const { secrets, registry } = deps;
  const found = secrets.list({ functionId: entry.id }, 0, SECRETS_COUNTED_MAX);
  const { length } = found.secrets;
  const counted = `${found.next ? "more than " : ""}${plural(length, "secret")}`;
  return page(c, {
    title: `Delete ${entry.name}?`,
    crumb: "Delete",
    trail: [[pathOf(entry.id), entry.name]],
    styles: ["functions.css"],
    children: (
      <form method="post" action={`${pathOf(entry.id)}/delete`} class="confirm">
        <FormToken />
        <VersionField version={registry.version(entry)} />
        <ProblemSummary problems={problems} labels={{}} />
        <ul>
          <CallsLately id={entry.id} deps={deps} />
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
