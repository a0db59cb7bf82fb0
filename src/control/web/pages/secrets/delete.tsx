// Implements the page that deletes a secret, and that shows which value functions get afterwards.

import type { Context } from "hono";
import { BIN_DAYS } from "../../../../core/secrets/bin.ts";
import type { Fallback } from "../../../../core/secrets/matrix.ts";
import { secretVersion } from "../../../../core/secrets/described.ts";
import type { SecretRow } from "../../../../store/secrets.ts";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { FormActions } from "../../ui/components.tsx";
import { ProblemSummary } from "../../ui/fields.tsx";
import { CHANGED, VersionField } from "../../ui/conflict.tsx";
import { type Problems } from "../../shell/forms.ts";
import { formRoute } from "../../shell/form_route.ts";
import { page } from "../../shell/layout.tsx";
import { FormToken } from "../../shell/submissions.tsx";
import { BIN } from "./bin.tsx";
import { namePath } from "./browse.tsx";
import { LastRead, secretOf, secretPath } from "./values.tsx";
import { plural } from "../../ui/format.ts";
import { effectWords, ownerWords, SECRETS, secretWords } from "../../ui/secret_labels.ts";

export function addRemove(web: Web, deps: WebDeps): void {
  formRoute(web, {
    path: `${SECRETS}/:id{[1-9][0-9]*}/delete`,
    subject: (c) => secretOf(c, deps),
    initial: () => undefined,
    read: () => undefined,
    act: ({ actor, subject, expected }) => deps.commit(() => deps.secrets.delete(actor, subject.id, expected)),
    page: (c, { subject, problems }) => deletePage(c, deps, subject, problems && { "": CHANGED }),
    then: (_, { subject }) => ({ to: SECRETS, notice: `Deleted ${secretWords(subject)}.` }),
  });
}

function deletePage(c: Context<WebEnv>, deps: WebDeps, row: SecretRow, problems?: Problems) {
  const { matrix, effects, reads } = deps;
  return page(c, {
    title: `Delete ${row.name}?`,
    styles: ["secrets.css"],
    children: (
      <>
        <ProblemSummary problems={problems} labels={{}} />
        <p>
          The value of <b>{row.name}</b> for <b>{row.owner.scope === "global" ? "every function" : ownerWords(row)}</b>
          {" "}
          will be deleted. It stays with <a href={BIN}>the deleted secrets</a> for {BIN_DAYS} days, and can be restored.
        </p>
        {row.comment && (
          <p class="comment">
            <span class="quiet">Comment:</span> {row.comment}
          </p>
        )}
        <p>
          <LastRead read={reads.of([row.id]).get(row.id)} deps={deps} />
        </p>
        <p>{effectWords(effects.ofDeleting(row))}</p>
        <p>{affected(row)} then:</p>
        <ul>{fallbackWords(row, matrix.fallbacks(row)).map((words) => <li>{words}</li>)}</ul>
        <form method="post" action={`${secretPath(row.id)}/delete`}>
          <FormToken />
          <VersionField version={secretVersion(row)} />
          <FormActions
            submit={`Delete ${row.name}`}
            kind="danger"
            cancel={namePath(row.name)}
            cancelLabel="Keep it"
          />
        </form>
      </>
    ),
  }, problems ? 412 : 200);
}

function affected({ owner, ownerName }: SecretRow): string {
  switch (owner.scope) {
    case "global":
      return "Functions that found this value get";
    case "function":
      return `Calls of "${ownerName}" that found this value get`;
    case "group":
      return `Calls with a key of the group "${ownerName}" that found this value get`;
    case "key":
      return `Calls with the key "${ownerName}" get`;
  }
}

/** Returns the values that calls get instead, in the order of the search. */
function fallbackWords({ name }: SecretRow, fallbacks: readonly Fallback[]): string[] {
  const words = fallbacks.map(({ scope, owner, count, certain }, index) => {
    if (scope === "global") return `${index > 0 ? "otherwise " : ""}the global value`;
    if (certain) return `the value of their group "${owner}"`;
    return `the value of the function that is called, where it has one (${plural(count, "function")})`;
  });
  if (fallbacks.at(-1)?.certain) return words;
  const nothing = `nothing: getSecret("${name}") gives undefined`;
  return [...words, words.length > 0 ? `otherwise ${nothing}` : nothing];
}
