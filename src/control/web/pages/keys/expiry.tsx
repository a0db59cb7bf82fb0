// Implements the fields for when a key expires, and how pages show it.

import { SOON_DAYS } from "../../../../core/access/listing.ts";
import { AppError } from "../../../../errors.ts";
import { DAY_MS } from "../../../../time.ts";
import { fieldText, type Problems, type Typed } from "../../shell/forms.ts";
import { Ago, Badge } from "../../ui/components.tsx";
import { SelectField, TextField } from "../../ui/fields.tsx";

export const EXPIRY_LABELS = { expires: "Expires", expiresAt: "Expires on" };

/** What the fields say, as texts. */
export interface ExpiryValues {
  /** `keep`, `never`, a number of days, or `date`. */
  readonly expires: string;
  /** The day of `date`. */
  readonly expiresAt: string;
}

const DAYS = [[30, "In 30 days"], [90, "In 90 days"], [365, "In 1 year"]] as const;

export const NEVER: ExpiryValues = { expires: "never", expiresAt: "" };

/** Returns the values for a stored key: its expiry is kept unless another one is chosen. */
export function expiryOf(expiresAt: number | null): ExpiryValues {
  return expiresAt === null ? NEVER : { expires: "keep", expiresAt: "" };
}

export function readExpiry(typed: Typed): ExpiryValues {
  return { expires: fieldText(typed, "expires"), expiresAt: fieldText(typed, "expiresAt") };
}

/** Returns the field for a schema; none to keep what is stored. @throws AppError InvalidInput (400) */
export function expiryInput({ expires, expiresAt }: ExpiryValues, now: number): { expiresAt?: string | null } {
  if (expires === "keep" || expires === "") return {};
  if (expires === "never") return { expiresAt: null };
  const days = DAYS.find(([days]) => String(days) === expires)?.[0];
  if (days !== undefined) return { expiresAt: new Date(now + days * DAY_MS).toISOString() };
  if (expires === "date" && /^\d{4}-\d\d-\d\d$/.test(expiresAt)) return { expiresAt: `${expiresAt}T00:00:00Z` };
  const field = expires === "date" ? "expiresAt" : "expires";
  const problem = expires === "date" ? "must be a date such as 2027-01-31" : "must be one of the choices";
  throw new AppError("InvalidInput", 400, `${EXPIRY_LABELS[field]} ${problem}`, { [field]: problem });
}

/** Returns the choice in words, to compare it with what another user has stored. */
export function expiryText({ expires, expiresAt }: ExpiryValues, stored: number | null): string {
  if (expires === "keep" || expires === "") return stored === null ? "never" : minuteOf(stored);
  if (expires === "date") return expiresAt;
  return expires === "never" ? "never" : `in ${expires} days`;
}

export function ExpiryFields({ values, problems, stored, now }: {
  values: ExpiryValues;
  problems: Problems | undefined;
  /** The expiry that can be kept; undefined if none can. */
  stored?: number | null | undefined;
  now: number;
}) {
  const kept = stored === undefined || stored === null
    ? []
    : [{ value: "keep", label: `${stored <= now ? "Expired on" : "On"} ${minuteOf(stored)}, as it is` }];
  return (
    <div class="expiry">
      <SelectField
        name="expires"
        label={EXPIRY_LABELS.expires}
        value={values.expires}
        problems={problems}
        hint="From then on, callers with it are refused as with an unknown key."
        options={[
          ...kept,
          { value: "never", label: "Never" },
          ...DAYS.map(([days, label]) => ({
            value: String(days),
            label: `${label}, on ${dayOf(now + days * DAY_MS)}`,
          })),
          { value: "date", label: "On a day…" },
        ]}
      />
      <div class="expiry-day">
        <TextField
          name="expiresAt"
          type="date"
          label={EXPIRY_LABELS.expiresAt}
          value={values.expiresAt}
          problems={problems}
          hint="At 00:00 UTC of this day."
        />
      </div>
    </div>
  );
}

/** When a key expires, in a word or two. */
export function Expiry({ at, now }: { at: number | null; now: number }) {
  if (at === null) return <span class="quiet">never</span>;
  if (at <= now) {
    return (
      <>
        <Badge kind="bad">expired</Badge> <Ago ms={at} now={now} />
      </>
    );
  }
  return at - now <= SOON_DAYS * DAY_MS
    ? (
      <Badge kind="warn">
        <Ago ms={at} now={now} />
      </Badge>
    )
    : <Ago ms={at} now={now} />;
}

function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

function minuteOf(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}
