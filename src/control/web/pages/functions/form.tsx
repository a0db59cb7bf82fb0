// Implements the form of a function's settings, with the meaning and the default of each field. What the function may do
// is in confinement.tsx.

import { METHODS } from "../../../../core/functions/router.ts";
import type { Version } from "../../../../versions.ts";
import type { WebDeps } from "../../shell/deps.ts";
import type { GroupRow } from "../../../../store/access.ts";
import { FormActions } from "../../ui/components.tsx";
import { CodeField, FieldSet, ProblemSummary, TextArea, TextField } from "../../ui/fields.tsx";
import { Conflict, differences, VersionField } from "../../ui/conflict.tsx";
import { FormToken } from "../../shell/submissions.tsx";
import { Confinement, type ConfinementProps } from "./confinement.tsx";
import { type FunctionForm, LABELS, NET_LABELS } from "./form_values.ts";

export interface FormProps extends ConfinementProps {
  action: string;
  groups: readonly GroupRow[];
  /** Version of the function that the form was filled from. */
  version?: Version;
  /** The stored function, if another user has changed it. */
  stored?: FunctionForm | undefined;
  submit: string;
  cancel: string;
}

/** Returns what the form offers. */
export function choices({ access, settings }: WebDeps) {
  return {
    groups: access.groups(),
    defaults: { timeoutMs: settings.get("sandbox.timeout-ms"), memoryMb: settings.get("sandbox.memory-mb") },
  };
}

export function FunctionFields(props: FormProps) {
  const { action, form, groups, version, stored, problems, submit, cancel } = props;
  return (
    <form method="post" action={action} class="function-form" novalidate data-leave-warning>
      <FormToken />
      {version && <VersionField version={version} />}
      {stored
        ? <Conflict differences={differencesOf(stored, form, groups)} reload={action} />
        : <ProblemSummary problems={problems} labels={LABELS} />}
      <Basics {...props} />
      <Confinement {...props} />
      <FormActions submit={submit} cancel={cancel} />
    </form>
  );
}

function Basics({ form, groups, problems, isNew }: FormProps) {
  return (
    <>
      <TextField
        problems={problems}
        name="name"
        label={LABELS.name}
        value={form.name}
        required
        maxlength={100}
        hint="Shown in lists and logs."
      />
      <CodeField
        problems={problems}
        name="route"
        label={LABELS.route}
        value={form.route}
        placeholder={isNew ? "Derived from the name" : undefined}
        hint={<RouteHint />}
      />
      <FieldSet name="methods" label={LABELS.methods} problems={problems} hint="GET also answers HEAD.">
        {METHODS.map((method) => <Check name="methods" value={method} label={method} chosen={form.methods} />)}
      </FieldSet>
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
      <TextArea
        problems={problems}
        name="description"
        label={LABELS.description}
        value={form.description}
        rows={2}
        hint="Its purpose; optional."
      />
      <CodeField
        problems={problems}
        name="handler"
        label={LABELS.handler}
        value={form.handler}
        placeholder={isNew ? "Derived from the name" : undefined}
        hint={isNew
          ? "The file with its code, such as orders/get.ts. If the file exists, it is used unchanged; otherwise a working example is created."
          : "The path of its code in the code folder."}
      />
    </>
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

function RouteHint() {
  return (
    <>
      The path after <code>/run</code>: <code>/orders</code>, <code>/orders/:id</code>,{" "}
      <code>{"/orders/:id{[0-9]+}"}</code>, <code>/files/*</code>. Parameters are in <code>ctx.params</code>.
    </>
  );
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
