// Implements the list of secrets that expire or are to be replaced soon.

import { query } from "../../../inputs/fields.ts";
import { dueCursorOf, dueCursorSchema } from "../../../inputs/secret_schemas.ts";
import type { SecretRow } from "../../../../store/secrets.ts";
import { DAY_MS } from "../../../../time.ts";
import { Ago, Badge, ButtonLink, Empty, Pager } from "../../ui/components.tsx";
import { DataTable } from "../../ui/data_table.tsx";
import type { Web, WebDeps } from "../../shell/deps.ts";
import { plural } from "../../ui/format.ts";
import { SECRETS, secretWords } from "../../ui/secret_labels.ts";
import { namePath } from "./browse.tsx";
import { OwnerName } from "../../ui/owner_name.tsx";
import { secretPath } from "./one_secret.ts";
import { DUE_SOON_DAYS, viewPage } from "./views.tsx";

export const DUE = `${SECRETS}/due`;
const PAGE_SIZE = 50;

const pageQuery = query({ after: dueCursorSchema });

export function addDue(web: Web, deps: WebDeps): void {
  const { secrets, now } = deps;

  web.get(DUE, (c) => {
    const { after } = pageQuery.parse(c.req.query());
    const at = now();
    const { secrets: rows, next } = secrets.due(at + DUE_SOON_DAYS * DAY_MS, {}, after, PAGE_SIZE);
    const overdue = secrets.countDue(at);
    return viewPage(c, deps, {
      view: "due",
      title: "Due secrets",
      children: rows.length === 0
        ? (
          <Empty icon="clock" title={`Nothing is due within ${DUE_SOON_DAYS} days`}>
            <p>
              A value is due when it expires, or when it was not replaced for the days that you set. Set either under
              {" "}
              <b>Expiry, references and canary</b> when you add or edit a secret.
            </p>
          </Empty>
        )
        : (
          <>
            <p>
              Values that expire or are to be replaced within {DUE_SOON_DAYS} days
              {overdue > 0 ? `, of which ${plural(overdue, "is", "are")} overdue` : ""}.
            </p>
            <DueTable rows={rows} now={at} />
            <Pager next={next === undefined ? undefined : `${DUE}?after=${dueCursorOf(next)}`} what="secrets" />
          </>
        ),
    });
  });
}

function DueTable({ rows, now }: { rows: readonly SecretRow[]; now: number }) {
  return (
    <DataTable
      label="Due secrets"
      isStacked
      rows={rows}
      columns={[
        { label: "Name", isRowHeader: true, cell: ({ name }) => <a href={namePath(name)}>{name}</a> },
        { label: "Belongs to", class: "words", cell: (row) => <OwnerName {...row} /> },
        {
          label: "State",
          cell: ({ expiresAt, dueAt, onExpiry }) =>
            expiresAt !== null && expiresAt <= now
              ? <Badge kind="bad">{onExpiry === "close" ? "Expired, closed" : "Expired"}</Badge>
              : dueAt! <= now
              ? <Badge kind="warn">Overdue</Badge>
              : <Badge kind="plain">Due</Badge>,
        },
        { label: "When", cell: ({ dueAt }) => <Ago ms={dueAt!} now={now} /> },
        { label: "Why", cell: (row) => reasonOf(row) },
        { label: "Last set", cell: ({ setAt }) => <Ago ms={setAt} now={now} /> },
        {
          label: "Actions",
          isActions: true,
          narrowLabel: null,
          cell: (row) => (
            <ButtonLink
              href={`${secretPath(row.id)}/edit`}
              kind="secondary"
              label={`Set a new value for ${secretWords(row)}`}
            >
              Set a new value
            </ButtonLink>
          ),
        },
      ]}
    />
  );
}

/** Why a value is due: the earlier of its terms. */
function reasonOf({ expiresAt, rotateEveryDays, dueAt }: SecretRow): string {
  return expiresAt === dueAt ? "expires" : `to be replaced every ${plural(rotateEveryDays!, "day")}`;
}
