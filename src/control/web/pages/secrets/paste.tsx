// Implements the form that imports several secrets from pasted text, and its preview, which has names only.

import type { Context } from "hono";
import type { FileProblem } from "../../../../core/secrets/file_entries.ts";
import { FILE_FORMATS } from "../../../../core/secrets/secret_files.ts";
import type { ImportedSecret, ImportPlan } from "../../../../core/secrets/transfer.ts";
import { importInput } from "../../../inputs/secret_file_schemas.ts";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { formRoute } from "../../shell/form_route.ts";
import { attempt, type FormStatus, type Problems, readForm } from "../../shell/forms.ts";
import { page } from "../../shell/layout.tsx";
import { FormToken } from "../../shell/submissions.tsx";
import { Badge, FormActions } from "../../ui/components.tsx";
import { DataTable } from "../../ui/data_table.tsx";
import { ProblemSummary, SelectField, TextArea } from "../../ui/fields.tsx";
import { count, plural } from "../../ui/format.ts";
import { FORMAT_LABELS, ownerWords, SECRETS } from "../../ui/secret_labels.ts";
import { type Fields, fitsTextArea, ownerInput, readFields, ScopeFields } from "./form.tsx";

const PASTE = `${SECRETS}/paste`;
const TITLE = "Import Secrets";
const FIELDS = ["content", "format", "mode", "scope", "functionId", "groupId", "keyId"];
const LABELS = {
  content: "Text",
  format: "Format",
  mode: "Existing secrets",
  scope: "Scope",
  functionId: "Function",
  groupId: "Group",
  keyId: "Key",
};
const EXAMPLE = "# Production database\nDATABASE_URL=postgresql://db:5432/main\nLOG_LEVEL=info";
/** Rows that a preview lists. */
const ROWS_MAX = 500;

export function addPaste(web: Web, deps: WebDeps): void {
  const { transfer } = deps;

  formRoute(web, {
    path: PASTE,
    initial: (): Fields => ({ scope: "global", format: "env", mode: "upsert" }),
    read: (typed) => readFields(typed, FIELDS),
    schema: inputOf,
    act: ({ actor, input }) => transfer.import(actor, input),
    page: (c, { values, problems, status }) => pastePage(c, deps, values, problems, status),
    then: (plan) => ({ to: SECRETS, notice: `Imported: ${summaryOf(plan)}.` }),
  });

  // The second button of the form. The form stays as it is: a script shows the preview below it, and without scripts it
  // opens in another window. So nothing that was pasted has to be in an answer.
  web.post(`${PASTE}/preview`, async (c) => {
    const fields = readFields(await readForm(c), FIELDS);
    const outcome = await attempt(() => transfer.preview(c.get("actor"), inputOf(fields)));
    const shown = "problems" in outcome
      ? <ProblemSummary problems={outcome.problems} labels={LABELS} />
      : <Preview plan={outcome.done} />;
    if (c.req.header("hx-request") !== undefined) return c.html(shown);
    const status = "problems" in outcome ? outcome.status : 200;
    const children = (
      <>
        {shown}
        <p>Nothing was changed. Go back to the form to import.</p>
      </>
    );
    return page(c, { title: "Preview", styles: ["secrets.css"], trail: [[PASTE, TITLE]], children }, status);
  });
}

function inputOf({ content, format, mode, ...owner }: Fields) {
  return importInput.parse({ content, format, mode, ...ownerInput(owner) });
}

function summaryOf(plan: ImportPlan): string {
  return `${count(plan.new.length)} new, ${count(plan.changed.length)} changed, ${count(plan.same.length)} the same`;
}

function pastePage(
  c: Context<WebEnv>,
  { matrix }: WebDeps,
  fields: Fields,
  problems?: Problems,
  status: 200 | FormStatus = 200,
) {
  const content = fields.content ?? "";
  return page(c, {
    title: TITLE,
    styles: ["secrets.css"],
    children: (
      <>
        <form method="post" action={PASTE} class="secret-form wide" novalidate autocomplete="off">
          <FormToken />
          <ProblemSummary problems={problems} labels={LABELS} />
          <div class="form-columns">
            <TextArea
              name="content"
              label={LABELS.content}
              value={fitsTextArea(content) ? content : ""}
              problems={problems}
              hint="The comment above a name becomes its comment."
              rows={14}
              class="secret-value"
              placeholder={EXAMPLE}
              isVerbatim
            />
            <div>
              <SelectField
                name="format"
                label={LABELS.format}
                value={fields.format ?? "env"}
                problems={problems}
                options={FILE_FORMATS.map((format) => ({ value: format, label: FORMAT_LABELS[format] }))}
                hint="JSON and YAML: an object of names and texts."
              />
              <ScopeFields matrix={matrix} fields={fields} problems={problems} />
              <SelectField
                name="mode"
                label={LABELS.mode}
                value={fields.mode ?? "upsert"}
                problems={problems}
                options={[{ value: "upsert", label: "Change them" }, { value: "create", label: "Refuse them" }]}
                hint="All lines are imported together, or none. Preview shows what would happen, without values."
              />
            </div>
          </div>
          <FormActions submit="Import" cancel={SECRETS}>
            <button
              type="submit"
              class="secondary"
              formaction={`${PASTE}/preview`}
              formtarget="_blank"
              hx-post={`${PASTE}/preview`}
              hx-include="closest form"
              hx-target="#preview"
              hx-swap="innerHTML"
            >
              Preview
            </button>
          </FormActions>
        </form>
        <div id="preview" role="status"></div>
      </>
    ),
  }, status);
}

const KINDS = { Invalid: "bad", New: "ok", Changed: "warn", "The same": "plain" } as const;

interface PreviewRow {
  readonly what: keyof typeof KINDS;
  readonly line: number;
  readonly name: string;
  readonly about: string;
}

function Preview({ plan }: { plan: ImportPlan }) {
  const secret = (what: keyof typeof KINDS) => (one: ImportedSecret): PreviewRow => ({
    what,
    line: one.line,
    name: one.name,
    about: ownerWords(one),
  });
  const invalid = ({ line, problem }: FileProblem): PreviewRow => ({
    what: "Invalid",
    line,
    name: "",
    about: `Line ${line} ${problem}`,
  });
  const rows = [
    ...plan.invalid.map(invalid),
    ...plan.new.map(secret("New")),
    ...plan.changed.map(secret("Changed")),
    ...plan.same.map(secret("The same")),
  ];
  const wrong = plan.invalid.length;
  return (
    <>
      <p>
        {summaryOf(plan)}.{wrong > 0 && ` Nothing can be imported, because of ${plural(wrong, "problem")}.`}
        {rows.length > ROWS_MAX && ` The first ${ROWS_MAX} of ${count(rows.length)} are shown.`}
      </p>
      {rows.length > 0 && (
        <DataTable
          label="Preview"
          rows={rows.slice(0, ROWS_MAX)}
          columns={[
            { label: "Change", cell: ({ what }) => <Badge kind={KINDS[what]}>{what}</Badge> },
            { label: "Name", isRowHeader: true, cell: ({ name }) => name },
            { label: "Owner or problem", cell: ({ about }) => about },
            { label: "Line", isFigure: true, cell: ({ line }) => line },
          ]}
        />
      )}
    </>
  );
}
