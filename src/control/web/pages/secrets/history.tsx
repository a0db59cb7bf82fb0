// Implements the history of a secret: the values that are kept, without the values, with restoring and purging them.

import type { Context } from "hono";
import type { ListedVersion } from "../../../../core/secrets/history.ts";
import { secretVersion } from "../../../../core/secrets/described.ts";
import type { SecretRow } from "../../../../store/secrets.ts";
import { parsePositiveInt } from "../../ui/format.ts";
import { Badge, FormActions, PostButton, Time } from "../../ui/components.tsx";
import { DataTable } from "../../ui/data_table.tsx";
import { ProblemSummary } from "../../ui/fields.tsx";
import { CHANGED, VersionField } from "../../ui/conflict.tsx";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import type { Problems } from "../../shell/forms.ts";
import { formRoute } from "../../shell/form_route.ts";
import { page } from "../../shell/layout.tsx";
import { FormToken } from "../../shell/submissions.tsx";
import { authorText } from "../history/parts.tsx";
import { ownerWords, secretWords } from "../../ui/secret_labels.ts";
import { namePath } from "./browse.tsx";
import { secretOf, secretPath } from "./values.tsx";

export const secretHistoryPath = (row: SecretRow): string => `${secretPath(row.id)}/history`;

interface OneVersion {
  readonly row: SecretRow;
  readonly number: number;
}

export function addSecretHistory(web: Web, deps: WebDeps): void {
  const { history } = deps.secrets;
  const subject = (c: Context<WebEnv>): OneVersion => ({
    row: secretOf(c, deps),
    number: parsePositiveInt(c.req.param("number") ?? "") ?? 0,
  });

  web.get(`/web/secrets/:id{[1-9][0-9]*}/history`, (c) => historyPage(c, deps, secretOf(c, deps)));

  formRoute(web, {
    path: `/web/secrets/:id{[1-9][0-9]*}/versions/:number{[1-9][0-9]*}/restore`,
    subject,
    read: () => undefined,
    act: ({ actor, subject: { row, number }, expected }) =>
      deps.commit(() => history.restore(actor, row.id, number, expected)),
    page: (c, { subject: { row }, problems, status }) => historyPage(c, deps, row, problems, status),
    then: (version, { subject: { row, number } }) => ({
      to: secretHistoryPath(row),
      notice: `Restored the value of version ${number} of ${secretWords(row)} as version ${version}.`,
    }),
  });

  formRoute(web, {
    path: `/web/secrets/:id{[1-9][0-9]*}/versions/:number{[1-9][0-9]*}/purge`,
    subject,
    initial: () => undefined,
    read: () => undefined,
    act: ({ actor, subject: { row, number }, expected }) =>
      deps.commit(() => history.purge(actor, row.id, number, expected)),
    page: (c, { subject, problems, status }) => purgePage(c, subject, problems, status),
    then: (_, { subject: { row, number } }) => ({
      to: secretHistoryPath(row),
      notice: `Deleted version ${number} of ${secretWords(row)} permanently.`,
    }),
  });
}

type Status = Parameters<typeof page>[2];

function historyPage(c: Context<WebEnv>, deps: WebDeps, row: SecretRow, problems?: Problems, status: Status = 200) {
  return page(c, {
    title: `History of ${row.name}`,
    styles: ["secrets.css"],
    children: (
      <>
        <p>
          <a href={namePath(row.name)}>All values of {row.name}</a>
        </p>
        <ProblemSummary problems={problems} labels={{}} />
        <p>
          Values of <b>{row.name}</b> for{" "}
          <b>{row.owner.scope === "global" ? "every function" : ownerWords(row)}</b>, the newest first. To see an
          earlier one, restore it.
        </p>
        <Versions row={row} versions={deps.secrets.history.versions(row.id)} now={deps.now()} />
      </>
    ),
  }, status);
}

function Versions({ row, versions, now }: { row: SecretRow; versions: readonly ListedVersion[]; now: number }) {
  const version = secretVersion(row);
  const path = `${secretPath(row.id)}/versions`;
  return (
    <DataTable
      label="Versions of the value, the newest first"
      class="versions"
      isStacked
      rows={versions}
      columns={[
        {
          label: "Version",
          isRowHeader: true,
          cell: (each) => (
            <>
              Version {each.number} {each.isCurrent && <Badge kind="ok">Current</Badge>}
              {each.sealed && <Badge kind="plain">Sealed</Badge>}
            </>
          ),
        },
        { label: "Set", cell: ({ setAt }) => <Time ms={setAt} /> },
        { label: "By", class: "words who", cell: ({ setBy }) => setBy ? authorText(setBy) : "" },
        {
          label: "Replaced",
          cell: ({ until, previousUntil }) => (
            <>
              {until !== null && <Time ms={until} />}
              {previousUntil !== null && previousUntil > now && (
                <>
                  , counts until <Time ms={previousUntil} />
                </>
              )}
            </>
          ),
        },
        {
          label: "Actions",
          narrowLabel: null,
          cell: ({ number, isCurrent }) =>
            !isCurrent && (
              <>
                <PostButton
                  action={`${path}/${number}/restore`}
                  label="Restore"
                  kind="secondary"
                  fields={{ version }}
                  describe={`version ${number}`}
                />{" "}
                <a href={`${path}/${number}/purge`}>
                  Delete …<span class="visually-hidden">version {number}</span>
                </a>
              </>
            ),
        },
      ]}
    />
  );
}

function purgePage(c: Context<WebEnv>, { row, number }: OneVersion, problems?: Problems, status: Status = 200) {
  return page(c, {
    title: `Delete version ${number} of ${row.name}?`,
    styles: ["secrets.css"],
    children: (
      <form method="post" action={`${secretPath(row.id)}/versions/${number}/purge`} class="narrow">
        <FormToken />
        <VersionField version={secretVersion(row)} />
        <ProblemSummary problems={status === 412 ? { "": CHANGED } : problems} labels={{}} />
        <p>
          This earlier value of <b>{row.name}</b> for{" "}
          <b>{row.owner.scope === "global" ? "every function" : ownerWords(row)}</b>{" "}
          will be permanently deleted. It cannot be restored then. The current value stays.
        </p>
        <FormActions submit={`Delete version ${number}`} kind="danger" cancel={secretHistoryPath(row)} />
      </form>
    ),
  }, status);
}
