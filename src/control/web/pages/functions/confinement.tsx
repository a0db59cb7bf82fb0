// Implements the part of a function's form about what it may do, and its limits.

import { CORS_MAX_AGE_SECONDS, ISOLATIONS, RESPONSE_GUARDS } from "../../../../core/functions/permissions.ts";
import { CodeField, FieldSet, TextField } from "../../ui/fields.tsx";
import type { Problems } from "../../shell/forms.ts";
import { count } from "../../ui/format.ts";
import { type FunctionForm, LABELS, NET_LABELS } from "./form_values.ts";

/** Fields of the part of the form that is closed for a new function. */
const CONFINEMENT_FIELDS = [
  "hosts",
  "secrets",
  "isolation",
  "responseGuard",
  "origins",
  "corsHeaders",
  "corsCredentials",
  "corsMaxAge",
  "timeoutMs",
  "memoryMb",
  "files",
];

export interface ConfinementProps {
  form: FunctionForm;
  problems?: Problems | undefined;
  isNew: boolean;
  /** Values of settings, for fields that are left empty. */
  defaults: { timeoutMs: number; memoryMb: number };
}

export function Confinement({ form, problems, isNew, defaults }: ConfinementProps) {
  const isOpen = !isNew || CONFINEMENT_FIELDS.some((name) => problems?.[name]);
  return (
    <details class="confinement" open={isOpen}>
      <summary>What it may do, and its limits</summary>
      <Net form={form} problems={problems} />
      <CodeField
        problems={problems}
        name="secrets"
        label={LABELS.secrets}
        value={form.secrets}
        rows={3}
        hint={
          <>
            The names that it may ask for, one per line; <code>*</code> matches any characters, as in{" "}
            <code>STRIPE_*</code>. Default:{" "}
            <code>*</code>, every name. Empty: none. This only restricts: the function must also be entitled to a value.
          </>
        }
      />
      <CodeField
        problems={problems}
        name="files"
        label={LABELS.files}
        value={form.files}
        rows={2}
        hint={
          <>
            In addition to its modules: paths in the code folder, one per line, with <code>*</code>{" "}
            for any characters of a name, <code>**</code> for any folders and <code>?</code> for one character, as in
            {" "}
            <code>templates/**</code>.
          </>
        }
      />
      <Choice
        name="isolation"
        meanings={ISOLATION_MEANINGS}
        options={ISOLATIONS}
        chosen={form.isolation}
        problems={problems}
      />
      <Choice
        name="responseGuard"
        meanings={GUARD_MEANINGS}
        options={RESPONSE_GUARDS}
        chosen={form.responseGuard}
        problems={problems}
      />
      <CrossOrigin form={form} problems={problems} />
      <Limits form={form} problems={problems} defaults={defaults} />
    </details>
  );
}

function Net({ form, problems }: { form: FunctionForm; problems: Problems | undefined }) {
  const choice = (value: FunctionForm["net"]) => (
    <label>
      <input type="radio" name="net" value={value} checked={form.net === value} /> {NET_LABELS[value]}
    </label>
  );
  return (
    <>
      <fieldset>
        <legend>Where it may connect</legend>
        {choice("any")}
        {choice("none")}
        {choice("hosts")}
      </fieldset>
      <CodeField
        name="hosts"
        label={LABELS.hosts}
        value={form.hosts}
        problems={problems}
        rows={2}
        hint={
          <>
            One per line, with or without a port: <code>api.stripe.com:443</code>; <code>*.example.com</code>{" "}
            is this host and all below it. Used only with “To these hosts only”.
          </>
        }
      />
    </>
  );
}

/** The pages of other sites that may call the function from a browser. */
function CrossOrigin({ form, problems }: { form: FunctionForm; problems: Problems | undefined }) {
  return (
    <fieldset>
      <legend>Calls from other sites' pages (CORS)</legend>
      <CodeField
        problems={problems}
        name="origins"
        label={LABELS.origins}
        value={form.origins}
        rows={2}
        hint={
          <>
            One per line, such as <code>https://app.example.com</code>, or <code>*</code>{" "}
            for any. Empty: browsers do not let other sites read the responses. The fields below apply only with an
            origin here.
          </>
        }
      />
      <CodeField
        problems={problems}
        name="corsHeaders"
        label={LABELS.corsHeaders}
        value={form.corsHeaders}
        rows={2}
        hint="One per line, such as X-API-Key. Empty: any header."
      />
      <FieldSet name="corsCredentials" label={LABELS.corsCredentials} problems={problems}>
        <label>
          <input type="checkbox" name="corsCredentials" value="yes" checked={form.corsCredentials !== ""} />{" "}
          Browsers may send cookies. Not possible with <code>*</code> as an origin.
        </label>
      </FieldSet>
      <TextField
        problems={problems}
        name="corsMaxAge"
        label={`${LABELS.corsMaxAge} (s)`}
        value={form.corsMaxAge}
        inputmode="numeric"
        class="number"
        placeholder={String(CORS_MAX_AGE_SECONDS)}
        hint={`How long browsers may cache these permissions: 0 to 86,400. Empty: ${CORS_MAX_AGE_SECONDS} s.`}
      />
    </fieldset>
  );
}

const ISOLATION_MEANINGS = {
  shared: "One process for all callers (default): fast. All calls share the variables of its modules.",
  "per-key": "A process for each API key: calls never see what another caller's calls left in memory.",
};

const GUARD_MEANINGS = {
  off: "Responses are not searched (for functions that return secrets on purpose).",
  report: "A response that contains a secret which its call read is sent, and reported in the log (default).",
  block: "A response that contains a secret which its call read is blocked (the caller gets 500), and reported.",
};

/** A choice among values, each with its meaning. */
function Choice<Value extends string>({ name, meanings, options, chosen, problems }: {
  name: "isolation" | "responseGuard";
  meanings: Readonly<Record<Value, string>>;
  options: readonly Value[];
  chosen: string;
  problems: Problems | undefined;
}) {
  return (
    <FieldSet name={name} label={LABELS[name]} problems={problems}>
      {options.map((value) => (
        <label>
          <input type="radio" name={name} value={value} checked={chosen === value} /> {meanings[value]}
        </label>
      ))}
    </FieldSet>
  );
}

function Limits({ form, problems, defaults }: Omit<ConfinementProps, "isNew">) {
  return (
    <>
      <TextField
        problems={problems}
        name="timeoutMs"
        label={`${LABELS.timeoutMs} (ms)`}
        value={form.timeoutMs}
        inputmode="numeric"
        class="number"
        placeholder={String(defaults.timeoutMs)}
        hint={`The time until the response begins, and between its chunks: 100 to 3,600,000 ms. Leave empty to use the default (${
          count(defaults.timeoutMs)
        } ms).`}
      />
      <TextField
        problems={problems}
        name="memoryMb"
        label={`${LABELS.memoryMb} (MB)`}
        value={form.memoryMb}
        inputmode="numeric"
        class="number"
        placeholder={String(defaults.memoryMb)}
        hint={`32 to 4,096 MB. Leave empty to use the default (${count(defaults.memoryMb)} MB).`}
      />
    </>
  );
}
