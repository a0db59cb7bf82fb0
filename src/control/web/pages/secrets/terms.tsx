// Implements the fields of a secret's form for when its value is due, how it is read, and how long the value before
// counts.

import type { SecretRow } from "../../../../store/secrets.ts";
import { FieldSet, fieldsOf, SelectField, TextField } from "../../ui/fields.tsx";
import type { Problems } from "../../shell/forms.ts";
import { parsePositiveInt } from "../../ui/format.ts";

/** The texts of a form's fields. */
type Fields = Readonly<Record<string, string>>;

export const TERM_FIELDS = ["expiresAt", "rotateEveryDays", "onExpiry", "expand", "canary"] as const;
export const TERM_LABELS = {
  expiresAt: "Expires on",
  rotateEveryDays: "Replace every (days)",
  onExpiry: "When it has expired",
  expand: "References",
  canary: "Canary",
};

/** Returns the texts of the fields for a stored secret. */
export function termTexts({ expiresAt, rotateEveryDays, onExpiry, expand, canary }: SecretRow): Fields {
  return {
    expiresAt: expiresAt === null ? "" : dateOf(expiresAt),
    rotateEveryDays: rotateEveryDays === null ? "" : String(rotateEveryDays),
    onExpiry,
    expand: expand ? "yes" : "",
    canary: canary ? "yes" : "",
  };
}

/** Returns the terms for a schema. The time of a stored expiry stays if its day does. */
export function termInput(fields: Fields, stored?: SecretRow): Record<string, unknown> {
  const { expiresAt = "", rotateEveryDays = "", onExpiry, expand, canary } = fields;
  const isSameDay = stored && termTexts(stored).expiresAt === expiresAt;
  const time = expiresAt === "" ? null : /^\d{4}-\d\d-\d\d$/.test(expiresAt) ? `${expiresAt}T00:00:00Z` : expiresAt;
  return {
    ...(!isSameDay && { expiresAt: time }),
    rotateEveryDays: rotateEveryDays === "" ? null : parsePositiveInt(rotateEveryDays) ?? rotateEveryDays,
    onExpiry: onExpiry || "warn",
    expand: expand === "yes",
    canary: canary === "yes",
  };
}

function dateOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

export function TermFields({ fields, problems, isOpen }: {
  fields: Fields;
  problems: Problems | undefined;
  isOpen: boolean;
}) {
  const field = fieldsOf(TERM_LABELS, fields, problems);
  return (
    <details open={isOpen}>
      <summary>Expiry, references and canary</summary>
      <div class="terms">
        <TextField
          {...field("expiresAt")}
          type="date"
          hint="At 00:00 UTC of this day. Empty: never."
        />
        <TextField
          {...field("rotateEveryDays")}
          inputmode="numeric"
          hint="It is shown as due this many days after it was set. Empty: never."
        />
        <SelectField
          {...field("onExpiry")}
          value={fields.onExpiry || "warn"}
          options={[
            { value: "warn", label: "Functions still get it, with a warning in the server's log" },
            { value: "close", label: "Functions get undefined" },
          ]}
        />
        <FieldSet
          name="expand"
          label={TERM_LABELS.expand}
          problems={problems}
          hint={
            <>
              <code>{"${NAME}"}</code> and <code>{"${global:NAME}"}</code>{" "}
              stand for other secrets, for each caller by the rules of any secret. <code>{"$${"}</code> is a literal
              {" "}
              <code>{"${"}</code>.
            </>
          }
        >
          <label>
            <input type="checkbox" name="expand" value="yes" checked={fields.expand === "yes"} />{" "}
            Resolve references to other secrets
          </label>
        </FieldSet>
        <FieldSet
          name="canary"
          label={TERM_LABELS.canary}
          problems={problems}
          hint="For a bait that nothing legitimate reads: an entry of the audit and an error in the server's log."
        >
          <label>
            <input type="checkbox" name="canary" value="yes" checked={fields.canary === "yes"} />{" "}
            Raise an alarm when it is read, revealed or sent out
          </label>
        </FieldSet>
      </div>
    </details>
  );
}

export const OVERLAP_LABEL = "Overlap";

/** How long the value before counts next to a new one. */
export function KeepPreviousField({ value, problems }: { value: string; problems: Problems | undefined }) {
  return (
    <SelectField
      name="keepPrevious"
      label={OVERLAP_LABEL}
      value={value}
      problems={problems}
      empty="None: only the new value counts"
      options={["1h", "24h", "7d", "30d"].map((each) => ({
        value: each,
        label: `Keep the old value for ${KEPT[each]}`,
      }))}
      hint="With a new value: ctx.getSecretVersions gives both until then."
    />
  );
}

const KEPT: Readonly<Record<string, string>> = { "1h": "an hour", "24h": "a day", "7d": "7 days", "30d": "30 days" };
