// Implements the page that deletes a secret, and that shows which value functions get afterwards.

import type { Context } from "hono";
import { BIN_DAYS } from "../../../../core/secrets/bin.ts";
import type { Fallback } from "../../../../core/secrets/matrix.ts";
import { secretVersion } from "../../../../core/secrets/described.ts";
import type { SecretEffect } from "../../../../core/secrets/effect.ts";
import type { SecretRow } from "../../../../store/secrets.ts";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { Badge, Card, Fact, Facts, FormActions } from "../../ui/components.tsx";
import { DataTable } from "../../ui/data_table.tsx";
import { ProblemSummary } from "../../ui/fields.tsx";
import { CHANGED, VersionField } from "../../ui/conflict.tsx";
import { type Problems } from "../../shell/forms.ts";
import { formRoute } from "../../shell/form_route.ts";
import { page } from "../../shell/layout.tsx";
import { FormToken } from "../../shell/submissions.tsx";
import { BIN } from "./bin.tsx";
import { namePath } from "./browse.tsx";
import { LastRead } from "./value_card.tsx";
import { secretOf, secretPath } from "./one_secret.ts";
import { OwnerName, ScopedName } from "../../ui/owner_name.tsx";
import { count, plural } from "../../ui/format.ts";
import { effectWords, SECRETS, secretWords } from "../../ui/secret_labels.ts";

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
  const effect = deps.effects.ofDeleting(row);
  return page(c, {
    title: `Delete ${row.name}?`,
    styles: ["secrets.css"],
    trail: [[namePath(row.name), row.name]],
    children: (
      <div class="cards">
        <ProblemSummary problems={problems} labels={{}} />
        <What row={row} deps={deps} />
        <Card title="What changes" id="changes">
          <ul class="consequences">
            <li>{effectWords(effect)}</li>
            <li>
              {affected(row)} then:
              <ul class="fallbacks">
                {fallbackWords(row, deps.matrix.fallbacks(row)).map((words) => <li>{words}</li>)}
              </ul>
            </li>
            <li>
              The value stays with the <a href={BIN}>deleted secrets</a> for {BIN_DAYS}{" "}
              days, and can be restored until then.
            </li>
          </ul>
          <Answers effect={effect} />
        </Card>
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
      </div>
    ),
  }, problems ? 412 : 200);
}

/** Readers that are named. */
const READERS_MAX = 5;

/** What is deleted, and who used it. */
function What({ row, deps }: { row: SecretRow; deps: WebDeps }) {
  const { reads, matrix } = deps;
  const readers = reads.readersOf(row.id);
  return (
    <Facts isLines>
      <Fact term="Belongs to">
        <OwnerName {...row} />
      </Fact>
      {row.comment && (
        <Fact term="Comment">
          <blockquote class="comment">{row.comment}</blockquote>
        </Fact>
      )}
      <Fact term="Last read">
        <LastRead read={reads.of([row.id]).get(row.id)} deps={deps} />
      </Fact>
      {readers.length > 0 && (
        <Fact term="Readers in 30 days">
          <ul class="plain">
            {readers.slice(0, READERS_MAX).map(({ functionId }) => {
              const name = matrix.ownerName("function", functionId);
              return <li>{name ? <a href={`/web/functions/${functionId}`}>{name}</a> : "a deleted function"}</li>;
            })}
            {readers.length > READERS_MAX && <li>and {count(readers.length - READERS_MAX)} more</li>}
          </ul>
        </Fact>
      )}
    </Facts>
  );
}

/** Callers whose new answer is listed. */
const ANSWERS_MAX = 10;

/** Which value each of the first callers gets instead. */
function Answers({ effect: { changes, callers } }: { effect: SecretEffect }) {
  if (changes.length === 0) return null;
  return (
    <>
      <DataTable
        label="Callers that get another value"
        isStacked
        rows={changes.slice(0, ANSWERS_MAX)}
        columns={[
          {
            label: "Function",
            isRowHeader: true,
            cell: ({ functionId, functionName }) => <a href={`/web/functions/${functionId}`}>{functionName}</a>,
          },
          { label: "Called with", cell: ({ keyName }) => keyName ?? "no key" },
          {
            label: "Gets instead",
            cell: ({ to }) =>
              to === null ? <Badge kind="warn">nothing</Badge> : <ScopedName scope={to.scope} name={to.scopeName} />,
          },
        ]}
      />
      {callers > ANSWERS_MAX && <p class="quiet">The first {ANSWERS_MAX} of {count(callers)} callers are listed.</p>}
    </>
  );
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
