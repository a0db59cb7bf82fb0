// Implements the part of a function's form about what it may do, and its limits.

import { CORS_MAX_AGE_SECONDS, ISOLATIONS, RESPONSE_GUARDS } from "../../../../core/functions/permissions.ts";
import { CodeField, FieldSet, fieldsOf, TextField } from "../../ui/fields.tsx";
import { writeDuration } from "../../../../core/settings/kinds.ts";
import { SECOND_MS } from "../../../../time.ts";
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

export interface PartProps {
  form: FunctionForm;
  problems?: Problems | undefined;
}

export interface ConfinementProps extends PartProps {
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
      <SecretNames form={form} problems={problems} />
      <ReadableFiles form={form} problems={problems} />
      <Isolation form={form} problems={problems} />
      <ResponseGuard form={form} problems={problems} />
      <CrossOrigin form={form} problems={problems} />
      <Limits form={form} problems={problems} defaults={defaults} />
    </details>
  );
}

export function SecretNames({ form, problems }: PartProps) {
  return (
    <CodeField
      {...fieldsOf(LABELS, form, problems)("secrets")}
      rows={3}
      hint={
        <>
          The names that it may ask for, one per line; <code>*</code> matches any characters, as in{" "}
          <code>STRIPE_*</code>. Default:{" "}
          <code>*</code>, every name. Empty: none. This only restricts: the function must also be entitled to a value.
        </>
      }
    />
  );
}

export function ReadableFiles({ form, problems }: PartProps) {
  return (
    <CodeField
      {...fieldsOf(LABELS, form, problems)("files")}
      rows={2}
      hint={
        <>
          In addition to its modules: paths in the code folder, one per line, with <code>*</code>{" "}
          for any characters of a name, <code>**</code> for any folders and <code>?</code> for one character, as in{" "}
          <code>templates/**</code>.
        </>
      }
    />
  );
}

export function Isolation({ form, problems }: PartProps) {
  return (
    <Choice
      name="isolation"
      meanings={ISOLATION_MEANINGS}
      options={ISOLATIONS}
      chosen={form.isolation}
      problems={problems}
    />
  );
}

export function ResponseGuard({ form, problems }: PartProps) {
  return (
    <Choice
      name="responseGuard"
      meanings={GUARD_MEANINGS}
      options={RESPONSE_GUARDS}
      chosen={form.responseGuard}
      problems={problems}
    />
  );
}

export function Net({ form, problems }: PartProps) {
  const choice = (value: FunctionForm["net"]) => (
    <label>
      <input type="radio" name="net" value={value} checked={form.net === value} /> {NET_LABELS[value]}
    </label>
  );
  return (
    <div class="net">
      <fieldset>
        <legend>Where it may connect</legend>
        {choice("any")}
        {choice("none")}
        {choice("hosts")}
      </fieldset>
      {/* Styles show it with “To these hosts only” alone. */}
      <div class="net-hosts">
        <CodeField
          {...fieldsOf(LABELS, form, problems)("hosts")}
          rows={2}
          hint={
            <>
              One per line, with or without a port: <code>api.stripe.com:443</code>; <code>*.example.com</code>{" "}
              is this host and all below it.
            </>
          }
        />
      </div>
    </div>
  );
}

/** The pages of other sites that may call the function from a browser. */
export function CrossOrigin({ form, problems }: PartProps) {
  const field = fieldsOf(LABELS, form, problems);
  return (
    <fieldset class="cors">
      <legend>Calls from other sites' pages (CORS)</legend>
      <CodeField
        {...field("origins")}
        rows={2}
        placeholder="https://app.example.com"
        hint={
          <>
            One per line, or <code>*</code>{" "}
            for any. Empty: browsers do not let other sites read the responses, and there is nothing else to choose.
          </>
        }
      />
      {/* Styles show it with an origin alone. */}
      <div class="cors-more">
        <CodeField
          {...field("corsHeaders")}
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
          {...field("corsMaxAge")}
          autocomplete="off"
          class="number"
          placeholder={writeDuration(CORS_MAX_AGE_SECONDS, SECOND_MS)}
          hint="How long browsers may cache these permissions: 0 s to 24 h. A number without a unit is in seconds."
        />
      </div>
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

export function Limits({ form, problems, defaults }: PartProps & Pick<ConfinementProps, "defaults">) {
  const field = fieldsOf(LABELS, form, problems);
  const timeout = writeDuration(defaults.timeoutMs, 1);
  return (
    <div class="limits">
      <TextField
        {...field("timeoutMs")}
        autocomplete="off"
        class="number"
        placeholder={timeout}
        hint={`Until the response begins, and between its chunks: 100 ms to 1 h, such as 30 s. A number without a unit is in milliseconds. Empty: the setting, now ${timeout}.`}
      />
      <TextField
        {...field("memoryMb")}
        autocomplete="off"
        class="number"
        placeholder={`${count(defaults.memoryMb)} MB`}
        hint={`32 to 4,096 MB. Empty: the setting, now ${count(defaults.memoryMb)} MB.`}
      />
    </div>
  );
}
