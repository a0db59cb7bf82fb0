// Implements /web/secrets/selected: copies, moves, exports or deletes several secrets at once. Each action is one
// transaction: it changes all chosen secrets or none.

import type { Context } from "hono";
import { z } from "zod";
import { BIN_DAYS } from "../../../../core/secrets/bin.ts";
import { secretVersion } from "../../../../core/secrets/described.ts";
import { FILE_FORMATS, type FileFormat } from "../../../../core/secrets/secret_files.ts";
import { AppError } from "../../../../errors.ts";
import { DAY_MS } from "../../../../time.ts";
import { type SecretId, type SecretName } from "../../../../ids.ts";
import type { SecretRow } from "../../../../store/secrets.ts";
import { copyInput } from "../../../inputs/secret_file_schemas.ts";
import { idText, secretName } from "../../../inputs/fields.ts";
import { Ago, Badge, Button, Card, Empty } from "../../ui/components.tsx";
import { DataTable } from "../../ui/data_table.tsx";
import { ProblemSummary, SelectField } from "../../ui/fields.tsx";
import { plural } from "../../ui/format.ts";
import { OwnerName } from "../../ui/owner_name.tsx";
import { FORMAT_LABELS, SECRETS } from "../../ui/secret_labels.ts";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import {
  attempt,
  checkedIn,
  type Chosen,
  CHOSEN_MAX,
  chosenIn,
  type FormStatus,
  type Problems,
  readForm,
  redirect,
  type Typed,
} from "../../shell/forms.ts";
import { page } from "../../shell/layout.tsx";
import { FormToken } from "../../shell/submissions.tsx";
import { filterSchema, ownerOf } from "./browse.tsx";
import { type Fields, ownerInput, readFields, SCOPE_FORM_LABELS, ScopeFields } from "./form.tsx";

const SELECTED = `${SECRETS}/selected`;
const TYPES: Readonly<Record<FileFormat, string>> = { env: "text/plain", json: "application/json", yaml: "text/plain" };

export function addSelection(web: Web, deps: WebDeps): void {
  const { secrets, commit } = deps;

  web.get(SELECTED, (c) => selectionPage(c, deps, rowsAsked(c, deps), {}));

  /** Answers an action: with the page and its problems, or with what `then` makes of the result. */
  const action = <T,>(
    path: string,
    act: (c: Context<WebEnv>, chosen: readonly Chosen<SecretId>[], fields: Fields) => T | Promise<T>,
    then: (c: Context<WebEnv>, result: T) => Response,
  ) =>
    web.post(path, async (c) => {
      const typed = await readForm(c);
      const fields = readFields(typed, ["format", "move", "scope", "functionId", "groupId", "keyId"]);
      const outcome = await attempt(() => {
        const chosen = chosenIn<SecretId>(typed, "secret");
        return act(c, chosen, fields);
      });
      if ("done" in outcome) return then(c, outcome.done);
      const rows = idsIn(typed, "shown").flatMap((id) => stillThere(id, deps));
      return selectionPage(c, deps, rows, fields, { ...outcome, checked: checkedIn(typed, "secret") });
    });

  action(`${SELECTED}/delete`, (c, chosen) =>
    commit(() => {
      for (const { id, version } of chosen) secrets.delete(c.get("actor"), id, [version]);
      return chosen.length;
    }), (c, count) => redirect(c, SECRETS, `Deleted ${plural(count, "secret")}.`));

  action(`${SELECTED}/copy`, (c, chosen, { move, ...owner }) => {
    const to = copyInput.parse({ ...ownerInput(owner), move: move === "on" });
    return commit(() => {
      for (const { id, version } of chosen) named(() => secrets.copy(c.get("actor"), id, to, [version]));
      return { count: chosen.length, isMove: to.move };
    });
  }, (c, { count, isMove }) => redirect(c, SECRETS, `${isMove ? "Moved" : "Copied"} ${plural(count, "secret")}.`));

  action(`${SELECTED}/export`, async (c, chosen, fields) => {
    const format = FILE_FORMATS.find((known) => known === fields.format) ?? "env";
    return { format, ...await deps.transfer.exportSome(c.get("actor"), chosen.map(({ id }) => id), format) };
  }, (c, { format, text }) =>
    c.body(text, 200, {
      "Content-Type": `${TYPES[format]}; charset=utf-8`,
      "Content-Disposition": `attachment; filename="secrets.${format}"`,
      "Cache-Control": "no-store",
    }));
}

/** Runs `work`, whose errors are to say which secret they are about: the page has no field for one of its fields. */
function named<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof AppError && error.status === 409) throw new AppError(error.code, 409, error.message);
    throw error;
  }
}

const namesSchema = z.array(secretName()).max(CHOSEN_MAX);
const idsSchema = z.array(idText<SecretId>()).max(CHOSEN_MAX);

/** Returns the secrets that the address names: by id, or of names all values, or unused ones, of its scope and owner. */
function rowsAsked(c: Context<WebEnv>, { secrets, matrix, reads, now }: WebDeps): SecretRow[] {
  const ids = idsSchema.parse(c.req.queries("id") ?? []);
  if (ids.length > 0) return ids.map((id) => secrets.get(id));
  const filter = filterSchema.parse(c.req.query());
  const options = { scope: filter.scope, ownerId: ownerOf(filter) };
  const isChosen = filter.unused ? reads.unusedSince(now() - Number(filter.unused) * DAY_MS) : () => true;
  const rows: SecretRow[] = [];
  for (const name of namesSchema.parse(c.req.queries("name") ?? [])) {
    const { values } = matrix.values(name as SecretName, options, undefined, CHOSEN_MAX + 1 - rows.length);
    rows.push(...values.filter(isChosen));
    if (rows.length > CHOSEN_MAX) break;
  }
  return rows;
}

function stillThere(id: SecretId, { secrets }: WebDeps): SecretRow[] {
  try {
    return [secrets.get(id)];
  } catch (error) {
    if (error instanceof AppError && error.status === 404) return [];
    throw error;
  }
}

function idsIn(typed: Typed, field: string): SecretId[] {
  return idsSchema.parse(typed[field] ?? []);
}

function selectionPage(
  c: Context<WebEnv>,
  deps: WebDeps,
  rows: readonly SecretRow[],
  fields: Fields,
  refused?: { problems: Problems; status: FormStatus; checked: ReadonlySet<number> },
) {
  return page(c, {
    title: "Selected Secrets",
    styles: ["secrets.css"],
    children: rows.length === 0
      ? (
        <Empty>
          <p>No secret is selected.</p>
          <p>
            <a href={SECRETS}>Select some in the list</a>
          </p>
        </Empty>
      )
      : <Selection rows={rows} fields={fields} problems={refused?.problems} checked={refused?.checked} deps={deps} />,
  }, refused?.status ?? 200);
}

function Selection({ rows, fields, problems, checked, deps }: {
  rows: readonly SecretRow[];
  fields: Fields;
  problems: Problems | undefined;
  /** Undefined on the first visit, when all are. */
  checked: ReadonlySet<number> | undefined;
  deps: WebDeps;
}) {
  const shown = rows.slice(0, CHOSEN_MAX);
  return (
    <form method="post" action={`${SELECTED}/copy`} class="selected" novalidate>
      <FormToken />
      <ProblemSummary problems={problems} labels={{ ...SCOPE_FORM_LABELS, secret: "A secret" }} />
      {rows.length > CHOSEN_MAX && (
        <p class="warning">The first {CHOSEN_MAX} values are listed; the others stay as they are.</p>
      )}
      {shown.map(({ id }) => <input type="hidden" name="shown" value={String(id)} />)}
      <Rows rows={shown} checked={checked} deps={deps} />
      <div class="card-columns">
        <Card title="Copy or move" id="copy-heading">
          <div class="secret-form">
            <ScopeFields
              matrix={deps.matrix}
              fields={{ scope: "global", ...fields.scope ? fields : {} }}
              problems={problems}
            />
          </div>
          <label class="field">
            <input type="checkbox" name="move" checked={fields.move === "on"} /> Move: delete them where they are
          </label>
          <Button>Copy</Button>
        </Card>
        <Card title="Export" id="export-heading">
          <SelectField
            name="format"
            label="Format"
            value={fields.format || "env"}
            options={FILE_FORMATS.map((format) => ({ value: format, label: FORMAT_LABELS[format] }))}
            hint="A file with the values, of one owner. The audit records each."
          />
          <Button kind="secondary" icon="download" formaction={`${SELECTED}/export`}>Download</Button>
        </Card>
        <Card title="Delete" id="delete-heading" kind="danger">
          <p>They can be restored from the deleted secrets for {BIN_DAYS} days.</p>
          <Button kind="danger" formaction={`${SELECTED}/delete`}>Delete the checked secrets</Button>
        </Card>
      </div>
    </form>
  );
}

function Rows({ rows, checked, deps }: {
  rows: readonly SecretRow[];
  checked: ReadonlySet<number> | undefined;
  deps: WebDeps;
}) {
  const reads = deps.reads.of(rows.map(({ id }) => id));
  const now = deps.now();
  return (
    <DataTable
      label="Selected values"
      isStacked
      rows={rows}
      columns={[
        {
          label: "Name",
          isRowHeader: true,
          cell: (row) => (
            <label>
              <input
                type="checkbox"
                name="secret"
                value={`${row.id} ${secretVersion(row)}`}
                checked={checked?.has(row.id) ?? true}
              />{" "}
              {row.name}
            </label>
          ),
        },
        {
          label: "Owner",
          cell: (row) => (
            <>
              <OwnerName {...row} /> {row.sealed && <Badge kind="plain">Sealed</Badge>}
            </>
          ),
        },
        { label: "Changed", cell: ({ updatedAt }) => <Ago ms={updatedAt} now={now} /> },
        {
          label: "Last read",
          cell: ({ id }) => {
            const read = reads.get(id);
            return read ? <Ago ms={read.lastReadAt} now={now} /> : <span class="quiet">never</span>;
          },
        },
      ]}
    />
  );
}
