// Implements the forms that create and change a secret. Both use the API's schemas.

import type { Context } from "hono";
import { SCOPES } from "../../../../ids.ts";
import type { SecretMatrix } from "../../../../core/secrets/matrix.ts";
import { SECRET_NAME_MAX_LENGTH, SECRET_VALUE_MAX_BYTES } from "../../../../core/secrets/names.ts";
import { secretVersion } from "../../../../core/secrets/described.ts";
import type { SecretEffect } from "../../../../core/secrets/effect.ts";
import type { SecretChange } from "../../../../core/secrets/service.ts";
import type { SecretRow } from "../../../../store/secrets.ts";
import { newSecret, OWNER_FIELDS, secretChange } from "../../../inputs/secret_schemas.ts";
import { Button, ButtonLink, FormActions } from "../../ui/components.tsx";
import { ProblemSummary, SelectField, TextArea, TextField } from "../../ui/fields.tsx";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { Conflict, differences, VersionField } from "../../ui/conflict.tsx";
import {
  attempt,
  expectedIn,
  fieldText,
  type FormStatus,
  type Problems,
  readForm,
  type Typed,
} from "../../shell/forms.ts";
import { formRoute } from "../../shell/form_route.ts";
import { page } from "../../shell/layout.tsx";
import { FormToken } from "../../shell/submissions.tsx";
import { WIDEST_FIRST } from "../../../../core/secrets/matrix.ts";
import { count, parsePositiveInt } from "../../ui/format.ts";
import { namePath } from "./browse.tsx";
import { OWNED_SCOPES, OwnerField, OwnerName } from "../../ui/owner_name.tsx";
import { Standing } from "./standing.tsx";
import { effectWords, SCOPE_LABELS, SECRETS, secretWords, urlWithQuery } from "../../ui/secret_labels.ts";
import { UNSEALED } from "../../../../core/secrets/seal.ts";
import { SEAL_FIELDS, SEAL_LABELS, SealFields, sealInput, sealTexts } from "./seal_fields.tsx";

import {
  KeepPreviousField,
  OVERLAP_LABEL,
  TERM_FIELDS,
  TERM_LABELS,
  TermFields,
  termInput,
  termTexts,
} from "./terms.tsx";
import { AlteredSecret } from "./value_card.tsx";
import { SecretField } from "./value_field.tsx";
import { secretOf, secretPath } from "./one_secret.ts";

export const SCOPE_FORM_LABELS = { scope: "Scope", functionId: "Function", groupId: "Group", keyId: "Key" };
const LABELS = {
  name: "Name",
  value: "Value",
  ...SCOPE_FORM_LABELS,
  comment: "Comment",
  ...SEAL_LABELS,
  ...TERM_LABELS,
  keepPrevious: OVERLAP_LABEL,
};
const NEW = `${SECRETS}/new`;
const STANDING = `${NEW}/standing`;
const NEW_FIELDS = [
  ...["name", "value", "scope", "functionId", "groupId", "keyId", "comment", "another"],
  ...SEAL_FIELDS,
  ...TERM_FIELDS,
];
const EDIT_FIELDS = ["name", "value", "comment", "crlf", "keepPrevious", ...SEAL_FIELDS, ...TERM_FIELDS];
const PASTE = `${SECRETS}/paste`;
const UNSHOWABLE = "contains characters that this field would change (carriage returns or NUL). ";

/** The texts of a form's fields; `version` if the form was filled from another version than the stored one. */
export type Fields = Readonly<Record<string, string>>;

/** Longer than 80 lines: the forms share their fields. */
export function addForms(web: Web, deps: WebDeps): void {
  const { secrets, effects } = deps;

  formRoute(web, {
    path: NEW,
    initial: (_, c): Fields => ({
      scope: "global",
      ...sealTexts(UNSEALED),
      ...pick(c.req.query(), ["name", "scope", "functionId", "groupId", "keyId", "comment"]),
    }),
    read: (typed) => readFields(typed, NEW_FIELDS),
    schema: (fields) => newSecret.parse(toNewSecret(fields)),
    act: ({ actor, input }) => deps.commit(() => secrets.create(actor, input)),
    page: (c, { values, problems, status }) => newPage(c, deps, values, problems, status),
    then: (id, { values }) => {
      const { another, scope, functionId, groupId, keyId } = values;
      const next = urlWithQuery(NEW, { scope, functionId, groupId, keyId });
      return { to: another ? next : SECRETS, notice: `Created ${secretWords(secrets.get(id))}.` };
    },
  });

  formRoute(web, {
    path: `${SECRETS}/:id{[1-9][0-9]*}/edit`,
    subject: (c) => secretOf(c, deps),
    initial: (row): Fields => ({
      name: row.name,
      value: "",
      comment: row.comment,
      ...sealTexts(row),
      ...termTexts(row),
    }),
    read: (typed) => readFields(typed, EDIT_FIELDS),
    schema: toChange,
    act: ({ actor, subject, input, expected }) => deps.commit(() => secrets.update(actor, subject.id, input, expected)),
    page: (c, { subject, values, problems, status }) => editPage(c, deps, subject, values, problems, status),
    then: (_, { subject, values }) => {
      const saved = secrets.get(subject.id);
      const what = values.value === "" ? "with its value unchanged" : "with a new value";
      return { to: namePath(saved.name), notice: `Saved ${secretWords(saved)}, ${what}.` };
    },
  });

  // For the script of the form: how a value of this name and owner stands to the others. The value itself is not sent.
  web.get(STANDING, (c) => c.html(<Standing fields={c.req.query()} deps={deps} />));

  // Shows whose answers would change, and keeps what is typed.
  web.post(`${NEW}/effect`, async (c) => {
    const fields = readFields(await readForm(c), NEW_FIELDS);
    const outcome = await attempt(() => {
      const input = newSecret.parse(toNewSecret(fields));
      return effects.of([input.name], () => secrets.create(c.get("actor"), input));
    });
    return "problems" in outcome
      ? newPage(c, deps, fields, outcome.problems, outcome.status)
      : newPage(c, deps, fields, undefined, 200, outcome.done);
  });

  web.post(`${SECRETS}/:id{[1-9][0-9]*}/edit/effect`, async (c) => {
    const row = secretOf(c, deps);
    const form = await readForm(c);
    const fields = readFields(form, [...EDIT_FIELDS, "version"]);
    const outcome = await attempt(() => {
      const input = toChange(fields, row);
      const names = [row.name, input.name ?? row.name];
      return effects.of(names, () => secrets.update(c.get("actor"), row.id, input, expectedIn(form)));
    });
    return "problems" in outcome
      ? editPage(c, deps, row, fields, outcome.problems, outcome.status)
      : editPage(c, deps, row, fields, undefined, 200, outcome.done);
  });

  // Fills the field of the value, and keeps what is typed in the other fields.
  web.post(`${SECRETS}/:id{[1-9][0-9]*}/edit/reveal`, async (c) => {
    const row = secretOf(c, deps);
    const form = await readForm(c);
    const fields = readFields(form, ["name", "comment", "version", "keepPrevious", ...SEAL_FIELDS, ...TERM_FIELDS]);
    const [opened] = await deps.commit(() => secrets.reveal(c.get("actor"), [row]));
    const value = opened!.value?.reveal();
    if (value === undefined) return editPage(c, deps, row, fields, { value: opened!.decryptionError! });
    const lines = value.replaceAll("\r\n", "\n");
    // If all lines end in CRLF, the field can hold the value, and saving restores the line ends.
    const crlf = lines !== value && lines.replaceAll("\n", "\r\n") === value;
    if (!fitsTextArea(crlf ? lines : value)) {
      const advice =
        "It is kept while the field is empty. Change it through the API, or copy it and enter another value.";
      return editPage(c, deps, row, fields, { value: UNSHOWABLE + advice });
    }
    return editPage(c, deps, row, { ...fields, value: lines, ...(crlf && { crlf: "keep" }) });
  });
}

function pick(given: Fields, names: readonly string[]): Fields {
  return Object.fromEntries(names.flatMap((name) => given[name] === undefined ? [] : [[name, given[name]]]));
}

/** Returns the texts of these fields. */
export function readFields(typed: Typed, names: readonly string[]): Fields {
  return Object.fromEntries(names.map((name) => {
    const text = fieldText(typed, name);
    // A pasted name often has spaces around it.
    return [name, name === "name" ? text.trim() : text];
  }));
}

function toChange({ name, value = "", comment, crlf, keepPrevious, ...rest }: Fields, row: SecretRow): SecretChange {
  const typed = crlf === "keep" ? value.replaceAll("\n", "\r\n") : value;
  return secretChange.parse({
    name,
    value: typed === "" ? undefined : typed,
    comment,
    ...sealInput(rest),
    ...termInput(rest, row),
    // Without a new value, there is none before it.
    ...(keepPrevious && typed !== "" && { keepPrevious }),
  });
}

function toNewSecret({ name, value, comment, another: _, ...rest }: Fields): unknown {
  return { name, value, comment, ...ownerInput(rest), ...sealInput(rest), ...termInput(rest) };
}

/** Returns the scope and the owner for a schema: of the owners' dropdowns, only that of the scope counts. */
export function ownerInput({ scope, ...owners }: Fields): Record<string, unknown> {
  const owned = OWNED_SCOPES.find((known) => known === scope);
  const field = owned && OWNER_FIELDS[owned];
  const id = field && owners[field];
  return { scope, ...(id && { [field]: parsePositiveInt(id) }) };
}

/** Reports whether a text area returns this value unchanged. */
export function fitsTextArea(value: string): boolean {
  return !/[\r\0]/.test(value);
}

/** Returns the value for a form that is shown again, and a problem if the form cannot hold it. */
function refill(fields: Fields, problems: Problems | undefined): { value: string; problems: Problems | undefined } {
  const { value = "" } = fields;
  if (fitsTextArea(value)) return { value, problems };
  return { value: "", problems: { value: `${UNSHOWABLE}Enter it again.`, ...problems } };
}

function newPage(
  c: Context<WebEnv>,
  deps: WebDeps,
  fields: Fields,
  wrong?: Problems,
  status: 200 | FormStatus = 200,
  effect?: SecretEffect,
) {
  const { value, problems } = refill(fields, wrong);
  return page(c, {
    title: "Create Secret",
    scripts: ["secret_form.js"],
    styles: ["secrets.css"],
    actions: <ButtonLink href={PASTE} kind="secondary" icon="import">Paste several</ButtonLink>,
    children: (
      <form method="post" action={NEW} class="secret-form wide" novalidate autocomplete="off">
        <FormToken />
        <ProblemSummary problems={problems} labels={LABELS} />
        <div class="form-columns">
          <div>
            <NameField value={fields.name ?? ""} problems={problems} />
            <ValueField value={value} problems={problems} hint="Any text, including line breaks." />
            <CommentField value={fields.comment ?? ""} problems={problems} />
          </div>
          <div>
            <ScopeFields matrix={deps.matrix} fields={fields} problems={problems} />
            <div id="standing" class="standing" role="status" data-standing={STANDING}>
              <Standing fields={fields} deps={deps} />
            </div>
            <SealFields fields={fields} problems={problems} isStored={false} />
          </div>
        </div>
        <TermFields fields={fields} problems={problems} isOpen={hasProblem(problems)} />
        <Effect effect={effect} />
        <FormActions submit="Create" cancel={SECRETS}>
          <button type="submit" class="secondary" name="another" value="yes">Save and add another</button>
          <EffectButton path={NEW} />
        </FormActions>
      </form>
    ),
  }, status);
}

function editPage(
  c: Context<WebEnv>,
  { secrets, isAltered }: WebDeps,
  row: SecretRow,
  fields: Fields,
  wrong?: Problems,
  status: 200 | FormStatus = 200,
  effect?: SecretEffect,
) {
  if (isAltered("secrets", row.id)) {
    const children = <AlteredSecret row={row} />;
    const trail = [[namePath(row.name), row.name]] as const;
    return page(c, { title: row.name, styles: ["secrets.css"], trail, children }, status);
  }
  const { value, problems } = refill(fields, wrong);
  const path = `${secretPath(row.id)}/edit`;
  const readable = secrets.problemOf(row) === null;
  return page(c, {
    title: `Edit ${row.name}`,
    trail: [[namePath(row.name), row.name]],
    scripts: ["secret_form.js"],
    styles: ["secrets.css"],
    children: (
      <form method="post" action={path} class="secret-form wide" novalidate autocomplete="off">
        <FormToken />
        <VersionField version={fields.version || secretVersion(row)} />
        {status === 412
          ? <Conflict differences={differencesOf(row, fields)} reload={path} />
          : <ProblemSummary problems={problems} labels={LABELS} />}
        <div class="form-columns">
          <div>
            <NameField
              value={fields.name ?? ""}
              problems={problems}
              hint="Functions that ask for the old name no longer find it."
            />
            <ValueField
              value={value}
              problems={problems}
              hint={readable ? "Leave empty to keep the value." : "The stored value cannot be read. Enter it again."}
            />
            {fields.crlf === "keep" && (
              <label class="field">
                <input type="checkbox" id="crlf" name="crlf" value="keep" checked /> Keep its line ends (CRLF)
              </label>
            )}
            {readable && !row.sealed && value === "" && (
              <p class="reveal">
                <Button kind="secondary" isSmall icon="eye" formaction={`${path}/reveal`}>
                  Reveal the value to edit it
                </Button>
              </p>
            )}
            <CommentField value={fields.comment ?? ""} problems={problems} />
          </div>
          <div>
            <div class="field">
              <p class="label">Belongs to</p>
              <p>
                <OwnerName {...row} />
              </p>
              <p class="hint">
                <a href={`${SECRETS}/selected?id=${row.id}`}>Copy or move it</a> to use it for another owner.
              </p>
            </div>
            <KeepPreviousField value={fields.keepPrevious ?? ""} problems={problems} />
            <SealFields fields={fields} problems={problems} isStored={row.sealed} />
          </div>
        </div>
        <TermFields fields={fields} problems={problems} isOpen={hasProblem(problems) || hasTerms(row)} />
        <Effect effect={effect} />
        <FormActions submit="Save" cancel={namePath(row.name)}>
          <EffectButton path={path} />
        </FormActions>
      </form>
    ),
  }, status);
}

function EffectButton({ path }: { path: string }) {
  return (
    <button type="submit" class="secondary" formaction={`${path}/effect`}>
      Whose answers change?
    </button>
  );
}

function Effect({ effect }: { effect: SecretEffect | undefined }) {
  return effect && <p class="notice" role="status" tabindex={-1} data-focus>{effectWords(effect)}</p>;
}

function hasProblem(problems: Problems | undefined): boolean {
  return TERM_FIELDS.some((field) => problems?.[field] !== undefined);
}

/** Reports whether the terms of a secret differ from those of a new one. */
function hasTerms({ dueAt, onExpiry, expand, canary }: SecretRow): boolean {
  return dueAt !== null || onExpiry !== "warn" || expand || canary;
}

/** Returns the differences, but never the stored value, which the user has not asked to see. */
function differencesOf(row: SecretRow, fields: Fields) {
  const value = fields.value ? "the value in the form" : "the stored value, unchanged";
  const typed = Object.fromEntries(TERM_FIELDS.map((name) => [name, fields[name] ?? ""]));
  return differences(
    { name: LABELS.name, value: LABELS.value, comment: LABELS.comment, ...TERM_LABELS },
    { name: row.name, value: "hidden; it may have changed", comment: row.comment, ...termTexts(row) },
    { name: fields.name ?? "", value, comment: fields.comment ?? "", ...typed },
  );
}

interface PartProps {
  value: string;
  problems: Problems | undefined;
  hint?: string;
}

function NameField({ value, problems, hint }: PartProps) {
  return (
    <>
      <TextField
        name="name"
        label={LABELS.name}
        value={value}
        problems={problems}
        hint={`Letters, digits, _ and -. ${hint ?? "Upper and lower case are different names."}`}
        required
        maxlength={SECRET_NAME_MAX_LENGTH}
        pattern="[a-zA-Z0-9_\-]+"
        isVerbatim
        data-name-check="name-check"
      />
      <p id="name-check" class="problem check" role="status"></p>
    </>
  );
}

function ValueField({ value, problems, hint }: PartProps) {
  const max = count(SECRET_VALUE_MAX_BYTES);
  return (
    <>
      <SecretField
        name="value"
        label={LABELS.value}
        value={value}
        problems={problems}
        hint={
          <>
            {hint} <span id="bytes-left" data-max={SECRET_VALUE_MAX_BYTES}>At most {max} bytes.</span>
          </>
        }
        rows={4}
        data-bytes-left="bytes-left"
      />
      <p id="bytes-announcement" class="visually-hidden" role="status"></p>
    </>
  );
}

/** The dropdowns of the scope and of the owners. */
export function ScopeFields({ matrix, fields, problems }: {
  matrix: SecretMatrix;
  fields: Fields;
  problems: Problems | undefined;
}) {
  const scope = SCOPES.find((known) => known === fields.scope) ?? "";
  return (
    <div class="scope-choice">
      <SelectField
        name="scope"
        label={LABELS.scope}
        value={scope}
        problems={problems}
        options={WIDEST_FIRST.map((each) => ({ value: each, label: SCOPE_LABELS[each] }))}
      />
      {OWNED_SCOPES.map((owned) => (
        <OwnerField
          matrix={matrix}
          scope={owned}
          name={OWNER_FIELDS[owned]}
          value={fields[OWNER_FIELDS[owned]] ?? ""}
          empty={`Choose a ${owned}`}
          problems={problems}
        />
      ))}
    </div>
  );
}

function CommentField({ value, problems }: PartProps) {
  return (
    <TextArea
      name="comment"
      label={LABELS.comment}
      value={value}
      problems={problems}
      hint="Optional: its purpose, and when to renew it. Not encrypted."
      rows={2}
    />
  );
}
