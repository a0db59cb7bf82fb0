// Implements the history of a secret: the values that are kept, without the values, with restoring and purging them.

import type { Context } from "hono";
import type { ListedVersion } from "../../../../core/secrets/history.ts";
import { secretVersion } from "../../../../core/secrets/described.ts";
import type { SecretRow } from "../../../../store/secrets.ts";
import { parsePositiveInt } from "../../ui/format.ts";
import { Ago, Badge, ButtonLink, Empty, FormActions, PostButton, Time } from "../../ui/components.tsx";
import { DataTable } from "../../ui/data_table.tsx";
import { ProblemSummary } from "../../ui/fields.tsx";
import { CHANGED, VersionField } from "../../ui/conflict.tsx";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import type { Problems } from "../../shell/forms.ts";
import { formRoute } from "../../shell/form_route.ts";
import { page } from "../../shell/layout.tsx";
import { FormToken } from "../../shell/submissions.tsx";
import { authorText } from "../history/parts.tsx";
import { OwnerName } from "../../ui/owner_name.tsx";
import { ownerWords, secretWords } from "../../ui/secret_labels.ts";
import { namePath } from "./browse.tsx";
import { secretOf, secretPath } from "./one_secret.ts";

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
    trail: [[namePath(row.name), row.name]],
    children: (
      <>
        <ProblemSummary problems={problems} labels={{}} />
        <p>
          <OwnerName {...row} />
        </p>
        <p>
          The values that were set here, the newest first. No page shows an earlier one: restore it, and it is the
          current value again.
        </p>
        <History row={row} versions={deps.secrets.history.versions(row.id)} now={deps.now()} />
      </>
    ),
  }, status);
}

interface HistoryProps {
  row: SecretRow;
  versions: readonly ListedVersion[];
  now: number;
}

function History(props: HistoryProps) {
  return (
    <>
      <Versions {...props} />
      {props.versions.length <= 1 && (
        <Empty icon="rotate-ccw-clock">
          <p>There is no earlier value. Each new value adds a version; a changed comment does not.</p>
        </Empty>
      )}
    </>
  );
}

function Versions({ row, versions, now }: HistoryProps) {
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
        {
          label: "Set",
          cell: ({ setAt }) => (
            <>
              <Time ms={setAt} />{" "}
              <small class="quiet">
                (<Ago ms={setAt} now={now} />)
              </small>
            </>
          ),
        },
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
          isActions: true,
          narrowLabel: null,
          cell: ({ number, isCurrent }) =>
            !isCurrent && (
              <>
                <PostButton
                  action={`${path}/${number}/restore`}
                  label="Restore"
                  kind="secondary"
                  icon="undo-2"
                  fields={{ version }}
                  describe={`version ${number}`}
                />
                <ButtonLink
                  href={`${path}/${number}/purge`}
                  kind="danger-quiet"
                  label={`Delete … version ${number}`}
                >
                  Delete …
                </ButtonLink>
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
    trail: [[namePath(row.name), row.name], [secretHistoryPath(row), "History"]],
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
