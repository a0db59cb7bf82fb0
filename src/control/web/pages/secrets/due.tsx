// Implements the list of secrets that expire or are to be replaced soon.

import { query } from "../../../inputs/fields.ts";
import { cursorOf, cursorSchema } from "../../../inputs/secret_schemas.ts";
import type { SecretRow } from "../../../../store/secrets.ts";
import { DAY_MS } from "../../../../time.ts";
import { Badge, Empty, Pager, Time } from "../../ui/components.tsx";
import { DataTable } from "../../ui/data_table.tsx";
import type { Web, WebDeps } from "../../shell/deps.ts";
import { page } from "../../shell/layout.tsx";
import { ownerWords, SECRETS, secretWords } from "../../ui/secret_labels.ts";
import { namePath } from "./browse.tsx";
import { secretPath } from "./values.tsx";

export const DUE = `${SECRETS}/due`;
const SOON_DAYS = 30;
const PAGE_SIZE = 50;

const pageQuery = query({ after: cursorSchema });

export function addDue(web: Web, { secrets, now }: WebDeps): void {
  web.get(DUE, (c) => {
    const { after } = pageQuery.parse(c.req.query());
    const at = now();
    const { secrets: rows, next } = secrets.list({ dueBy: at + SOON_DAYS * DAY_MS }, after, PAGE_SIZE);
    return page(c, {
      title: "Due secrets",
      styles: ["secrets.css"],
      children: (
        <>
          <p>
            <a href={SECRETS}>All secrets</a>
          </p>
          <p>Secrets that expire or are to be replaced within {SOON_DAYS} days, or are overdue.</p>
          {rows.length === 0 ? <Empty>No secret is due.</Empty> : <DueTable rows={rows} now={at} />}
          <Pager next={next === undefined ? undefined : `${DUE}?after=${cursorOf(next)}`} what="secrets" />
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
        { label: "Belongs to", class: "words", cell: (row) => ownerWords(row) },
        { label: "Set", cell: ({ setAt }) => <Time ms={setAt} /> },
        { label: "Due", cell: ({ dueAt }) => <Time ms={dueAt!} /> },
        {
          label: "State",
          cell: ({ expiresAt, dueAt, onExpiry }) =>
            expiresAt !== null && expiresAt <= now
              ? <Badge kind="bad">{onExpiry === "close" ? "Expired, closed" : "Expired"}</Badge>
              : dueAt! <= now && <Badge kind="warn">Overdue</Badge>,
        },
        {
          label: "Actions",
          narrowLabel: null,
          cell: (row) => (
            <a href={`${secretPath(row.id)}/edit`}>
              Set a new one<span class="visually-hidden">for {secretWords(row)}</span>
            </a>
          ),
        },
      ]}
    />
  );
}
