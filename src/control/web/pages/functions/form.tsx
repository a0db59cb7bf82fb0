// Implements the fields of a function, with the meaning and the default of each. What the function may do is in
// confinement.tsx.

import { METHODS } from "../../../../core/functions/router.ts";
import type { Version } from "../../../../versions.ts";
import type { WebDeps } from "../../shell/deps.ts";
import type { GroupRow } from "../../../../store/access.ts";
import { CodeField, FieldSet, fieldsOf, ProblemSummary, TextArea, TextField } from "../../ui/fields.tsx";
import { Conflict, differences, VersionField } from "../../ui/conflict.tsx";
import { FormToken } from "../../shell/submissions.tsx";
import type { ConfinementProps, PartProps } from "./confinement.tsx";
import { type FunctionForm, LABELS, NET_LABELS } from "./form_values.ts";

export interface FormProps extends ConfinementProps {
  action: string;
  groups: readonly GroupRow[];
  /** Version of the function that the form was filled from. */
  version?: Version;
  /** The stored function, if another user has changed it. */
  stored?: FunctionForm | undefined;
}

/** Returns what the form offers. */
export function choices({ access, settings }: WebDeps) {
  return {
    groups: access.groups(),
    defaults: { timeoutMs: settings.get("sandbox.timeout-ms"), memoryMb: settings.get("sandbox.memory-mb") },
  };
}

/** What every form of a function begins with: its tokens, and what is wrong with it. */
export function FormTop({ action, form, groups, version, stored, problems }: FormProps) {
  return (
    <>
      <FormToken />
      {version && <VersionField version={version} />}
      {stored
        ? <Conflict differences={differencesOf(stored, form, groups)} reload={action} />
        : <ProblemSummary problems={problems} labels={LABELS} />}
    </>
  );
}

export function NameField({ form, problems, isNew = false }: PartProps & { isNew?: boolean }) {
  return (
    <TextField
      {...fieldsOf(LABELS, form, problems)("name")}
      required
      maxlength={100}
      autofocus={isNew || undefined}
      autocomplete="off"
      hint="Shown in lists and logs."
    />
  );
}

export function Description({ form, problems }: PartProps) {
  return (
    <TextArea
      {...fieldsOf(LABELS, form, problems)("description")}
      rows={2}
      hint="Its purpose; optional."
    />
  );
}

export function RouteField({ form, problems, isNew = false }: PartProps & { isNew?: boolean }) {
  return (
    <CodeField
      {...fieldsOf(LABELS, form, problems)("route")}
      placeholder={isNew ? "Derived from the name" : undefined}
      hint={
        <>
          The path after <code>/run</code>: <code>/orders</code>, <code>/orders/:id</code>,{" "}
          <code>{"/orders/:id{[0-9]+}"}</code>, <code>/files/*</code>. Parameters are in <code>ctx.params</code>.
        </>
      }
    />
  );
}

export function Methods({ form, problems }: PartProps) {
  return (
    <FieldSet name="methods" label={LABELS.methods} problems={problems} hint="GET also answers HEAD.">
      {METHODS.map((method) => <Check name="methods" value={method} label={method} chosen={form.methods} />)}
    </FieldSet>
  );
}

export function CallerGroups({ form, problems, groups }: PartProps & { groups: readonly GroupRow[] }) {
  return (
    <FieldSet
      name="keys"
      label={LABELS.keys}
      problems={problems}
      hint="Callers need a key of a chosen group. If none is chosen, the function is public: anyone can call it, and it cannot read secrets of groups and keys."
    >
      {groups.map(({ id, name, description }) => (
        <Check name="keys" value={String(id)} label={name} note={description} chosen={form.keys} />
      ))}
    </FieldSet>
  );
}

export function Handler({ form, problems, isNew = false }: PartProps & { isNew?: boolean }) {
  return (
    <CodeField
      {...fieldsOf(LABELS, form, problems)("handler")}
      placeholder={isNew ? "Derived from the name" : undefined}
      hint={isNew
        ? "The file with its code, such as orders/get.ts. If the file exists, it is used unchanged; otherwise it is created from the template."
        : "The path of its code in the code folder."}
    />
  );
}

function differencesOf(stored: FunctionForm, typed: FunctionForm, groups: readonly GroupRow[]) {
  const fields = ({ keys, net, hosts, ...rest }: FunctionForm) => ({
    ...rest,
    keys: keys.map((key) => groups.find(({ id }) => String(id) === key)?.name ?? key),
    hosts: net === "hosts" ? hosts.split("\n") : NET_LABELS[net],
  });
  return differences(LABELS, fields(stored), fields(typed));
}

function Check({ name, value, label, note, chosen }: {
  name: string;
  value: string;
  label: string;
  note?: string;
  chosen: readonly string[];
}) {
  return (
    <label>
      <input type="checkbox" name={name} value={value} checked={chosen.includes(value)} /> {label}
      {note && <span class="quiet">&nbsp;· {note}</span>}
    </label>
  );
}
