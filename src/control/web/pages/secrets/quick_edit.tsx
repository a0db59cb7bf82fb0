// Implements the form that changes the value and the comment of a secret in place of its card. Scripts show it; the page of
// the secret's form has all fields.

import { secretVersion } from "../../../../core/secrets/described.ts";
import { SECRET_VALUE_MAX_BYTES } from "../../../../core/secrets/names.ts";
import type { SecretRow } from "../../../../store/secrets.ts";
import { secretChange } from "../../../inputs/secret_schemas.ts";
import { Button, ButtonLink, FormActions } from "../../ui/components.tsx";
import { ProblemSummary, TextField } from "../../ui/fields.tsx";
import { OwnerName } from "../../ui/owner_name.tsx";
import type { Web, WebDeps } from "../../shell/deps.ts";
import { VersionField } from "../../ui/conflict.tsx";
import { type Problems, readForm } from "../../shell/forms.ts";
import { formRoute } from "../../shell/form_route.ts";
import { FormToken } from "../../shell/submissions.tsx";
import { count } from "../../ui/format.ts";
import { SECRETS, secretWords } from "../../ui/secret_labels.ts";
import { namePath } from "./browse.tsx";
import { type Fields, fitsTextArea, readFields } from "./form.tsx";
import { cardId } from "./value_card.tsx";
import { SecretField } from "./value_field.tsx";
import { isPart, secretOf, secretPath } from "./one_secret.ts";

const LABELS = { value: "Value", comment: "Comment" };
const FIELDS = ["value", "comment"];

/** The problem of a form that another user's change has overtaken. */
const OVERTAKEN = "Another user changed this meanwhile. Nothing was saved: cancel to see it, then edit it again.";

export function addQuickEdit(web: Web, deps: WebDeps): void {
  const { secrets } = deps;

  web.get(`${SECRETS}/:id{[1-9][0-9]*}/quick`, (c) => {
    const row = secretOf(c, deps);
    if (!isPart(c)) return c.redirect(`${secretPath(row.id)}/edit`, 303);
    return c.html(<QuickForm row={row} fields={{ comment: row.comment }} />);
  });

  formRoute(web, {
    path: `${SECRETS}/:id{[1-9][0-9]*}/quick`,
    subject: (c) => secretOf(c, deps),
    read: (typed): Fields => readFields(typed, [...FIELDS, "version"]),
    schema: ({ value, comment }) => secretChange.parse({ comment, ...(value !== "" && { value }) }),
    act: ({ actor, subject, input, expected }) => deps.commit(() => secrets.update(actor, subject.id, input, expected)),
    page: (c, { subject: row, values, problems, status }) =>
      c.html(<QuickForm row={row} fields={values} problems={status === 412 ? { "": OVERTAKEN } : problems} />),
    then: (_, { c, subject: { id }, values }) => {
      const row = secrets.get(id);
      const what = values.value === "" ? "with its value unchanged" : "with a new value";
      return {
        to: isPart(c) ? `${secretPath(id)}/card` : namePath(row.name),
        notice: `Saved ${secretWords(row)}, ${what}.`,
      };
    },
  });

  // Fills the field of the value, and keeps what is typed as the comment.
  web.post(`${SECRETS}/:id{[1-9][0-9]*}/quick/reveal`, async (c) => {
    const row = secretOf(c, deps);
    const { comment = "", version = "" } = readFields(await readForm(c), ["comment", "version"]);
    const [opened] = await deps.commit(() => secrets.reveal(c.get("actor"), [row]));
    const value = opened!.value?.reveal();
    if (value !== undefined && fitsTextArea(value)) {
      return c.html(<QuickForm row={row} fields={{ value, comment, version }} />);
    }
    const problem = opened!.decryptionError ?? "contains characters that this field would change. Use all settings.";
    return c.html(<QuickForm row={row} fields={{ comment, version }} problems={{ value: problem }} />);
  });
}

interface FormProps {
  row: SecretRow;
  /** With the version that the form was first filled from; by default the stored one. */
  fields: Fields;
  problems?: Problems | undefined;
}

function QuickForm({ row, fields, problems }: FormProps) {
  const path = `${secretPath(row.id)}/quick`;
  const prefix = `quick-${row.id}-`;
  const swap = { "hx-target": `#${cardId(row)}`, "hx-swap": "outerHTML" };
  const value = fields.value ?? "";
  return (
    <li id={cardId(row)} class="editing">
      <p class="whose">
        <OwnerName {...row} />
      </p>
      <form method="post" action={path} hx-post={path} {...swap} novalidate autocomplete="off">
        <FormToken />
        <VersionField version={fields.version || secretVersion(row)} />
        <ProblemSummary problems={problems} labels={LABELS} prefix={prefix} />
        <div class="quick-fields">
          <SecretField
            name="value"
            prefix={prefix}
            label={LABELS.value}
            value={fitsTextArea(value) ? value : ""}
            problems={problems}
            hint={`Leave empty to keep the value. At most ${count(SECRET_VALUE_MAX_BYTES)} bytes.`}
            rows={2}
            data-first
          />
          <TextField
            name="comment"
            prefix={prefix}
            label={LABELS.comment}
            value={fields.comment ?? ""}
            problems={problems}
          />
        </div>
        {/* The card has a link with this id: the focus stays there. */}
        <FormActions submit="Save" id={`edit-${row.id}`}>
          {!row.sealed && value === "" && (
            <Button kind="secondary" icon="eye" formaction={`${path}/reveal`} hx-post={`${path}/reveal`} {...swap}>
              Fill in the current value
            </Button>
          )}
          <ButtonLink href={namePath(row.name)} kind="secondary" data-in-place={`${secretPath(row.id)}/card`}>
            Cancel
          </ButtonLink>
          <a href={`${secretPath(row.id)}/edit`}>
            All settings<span class="visually-hidden">of {secretWords(row)}</span>
          </a>
        </FormActions>
      </form>
    </li>
  );
}
