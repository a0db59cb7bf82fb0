// Implements the field and the text of any setting, from the table of settings.

import { Badge } from "../../ui/components.tsx";
import { Field, FieldSet, SelectField, TextArea, TextField } from "../../ui/fields.tsx";
import type { Problems } from "../../shell/forms.ts";
import { count } from "../../ui/format.ts";
import { DEFINITIONS, type SettingName } from "../../../../core/settings/definitions.ts";
import { isSettingName } from "../../../../core/settings/settings.ts";
import { durationOf, kindOf, writeValue } from "../../../../core/settings/kinds.ts";

/** A field with more rows scrolls. */
const ROWS_MAX = 12;
/** Up to this many groups are shown as check boxes. */
const BOXES_MAX = 50;

const SHORT_UNITS: Readonly<Record<string, string>> = { milliseconds: "ms", seconds: "s" };
export interface SettingFieldProps {
  name: SettingName;
  /** The current value. */
  value: unknown;
  /** The field's text. */
  text: string;
  problems: Problems | undefined;
  /** The names of all key groups. */
  groups: readonly string[];
}

/** The field of one setting, with the button that resets it if it differs from its default. */
export function SettingField({ name, value, text, problems, groups }: SettingFieldProps) {
  return (
    <div class="setting" data-changed={isChanged(name, value) ? "" : undefined}>
      <Control {...{ name, text, problems, groups }} />
      {isChanged(name, value) && (
        <p class="setting-state">
          <Badge kind="plain">changed</Badge>{" "}
          <button type="submit" name="reset" value={name} class="link">
            <span class="visually-hidden">Reset to default: {name}</span>
            <span aria-hidden="true">Reset to default</span>
          </button>
        </p>
      )}
    </div>
  );
}

function Control({ name, text, problems, groups }: Omit<SettingFieldProps, "value">) {
  const kind = kindOf(name);
  const { title, meaning, default: fallback } = DEFINITIONS[name];
  const hint = (
    <>
      {inAnyUnit(name, meaning)}{" "}
      <span class="setting-range">Default: {shortText(name, fallback)}. {allowed(name)}</span>
    </>
  );
  const field = { name, label: title, rawName: name, hint, problems };
  if (name === "api.access-groups" && groups.length <= BOXES_MAX) return <GroupBoxes {...{ field, text, groups }} />;
  switch (kind.kind) {
    case "integer":
      return <NumberField {...{ field, text }} unit={shownUnit(kind.unit, text)} />;
    case "list":
    case "json":
      return (
        <TextArea
          {...field}
          value={text}
          rows={Math.min(text.split("\n").length + 1, ROWS_MAX)}
          isVerbatim
          autocomplete="off"
        />
      );
    case "boolean":
      return (
        <SelectField
          {...field}
          value={text}
          options={[{ value: "true", label: "on" }, { value: "false", label: "off" }]}
        />
      );
    case "choice":
      return (
        <SelectField
          {...field}
          value={text}
          options={kind.options.map((option) => ({ value: option, label: option }))}
        />
      );
    default:
      return <TextField {...field} value={text} autocomplete="off" />;
  }
}

/** Leaves out the unit of the raw number, as a field of a time has the unit that fits. */
function inAnyUnit(name: SettingName, meaning: string): string {
  const kind = kindOf(name);
  const isTime = kind.kind === "integer" && kind.unit?.endsWith("seconds");
  return isTime
    ? meaning.replace(/, in milliseconds(?=[.;])/, "").replace(/^Seconds (?=that|without)/, "Time ")
    : meaning;
}

function NumberField({ field, text, unit }: {
  field: Parameters<typeof TextField>[0];
  text: string;
  unit: string | undefined;
}) {
  return (
    <Field {...field}>
      {(control) => (
        <span class="with-unit">
          <input type="text" value={text} {...control} autocomplete="off" />
          {unit !== undefined && <span aria-hidden="true">{SHORT_UNITS[unit] ?? unit}</span>}
        </span>
      )}
    </Field>
  );
}

/** The unit after a field; none if the field's text has one. */
function shownUnit(unit: string | undefined, text: string): string | undefined {
  return /[a-z]/i.test(text) ? undefined : unit;
}

/** A box for each key group, and for each name in the setting that no group has any longer. */
function GroupBoxes({ field, text, groups }: {
  field: Parameters<typeof TextField>[0];
  text: string;
  groups: readonly string[];
}) {
  const chosen = text.split("\n").filter((group) => group !== "");
  const missing = chosen.filter((group) => !groups.includes(group));
  return (
    <FieldSet {...field}>
      {/* A form without a checked box would not send the field. */}
      <input type="hidden" name={field.name} value="" />
      {[...groups, ...missing].map((group) => (
        <label>
          <input type="checkbox" name={field.name} value={group} checked={chosen.includes(group)} /> {group}
          {missing.includes(group) && <Badge kind="bad">does not exist</Badge>}
        </label>
      ))}
    </FieldSet>
  );
}

export function isChanged(name: SettingName, value: unknown): boolean {
  return JSON.stringify(value) !== JSON.stringify(DEFINITIONS[name].default);
}

/** Formats a value in one line: numbers with their unit, the entries of a list with commas. */
export function shortText(name: SettingName, value: unknown): string {
  const kind = kindOf(name);
  switch (kind.kind) {
    case "integer":
      return amountOf(name, value as number, kind.unit);
    case "boolean":
      return value === true ? "on" : "off";
    case "list":
      return (value as string[]).join(", ") || "none";
    default:
      return writeValue(name, value) || "none";
  }
}

/** A number with its unit; a time in the longest unit that makes it a whole number. */
function amountOf(name: SettingName, value: number, unit: string | undefined): string {
  const [number, word] = durationOf(name, value)?.split(" ") ?? [];
  if (number !== undefined) return `${count(Number(number))} ${word}`;
  if (unit === undefined) return count(value);
  const isOne = value === 1 && unit.endsWith("s");
  return `${count(value)} ${SHORT_UNITS[unit] ?? (isOne ? unit.slice(0, -1) : unit)}`;
}

/** Names the ranges of times in the units that the page shows, in place of the schema's plain numbers. */
export function withUnits(problems: Problems): Problems {
  return Object.fromEntries(
    Object.entries(problems).map(([name, problem]) => {
      const kind = isSettingName(name) ? kindOf(name) : undefined;
      const isTime = kind?.kind === "integer" && kind.unit?.endsWith("seconds");
      if (!isTime || !problem.startsWith("must be a whole number")) return [name, problem];
      return [
        name,
        `must be ${range(name as SettingName, kind)}`,
      ];
    }),
  );
}

/** "1 to 720 hours", or "100 ms to 1 h" where the ends have units of their own. */
function range(name: SettingName, { min, max }: { min: number; max: number }): string {
  const to = shortText(name, max);
  const [from, unit = ""] = (min === 0 ? "0" : shortText(name, min)).split(" ");
  const isSame = unit.replace(/s$/, "") === to.split(" ")[1]?.replace(/s$/, "");
  return `${isSame || unit === "" ? from : `${from} ${unit}`} to ${to}`;
}

function allowed(name: SettingName): string {
  const kind = kindOf(name);
  switch (kind.kind) {
    case "integer":
      return `${range(name, kind)}.`;
    case "list":
      if (name === "api.access-groups") return kind.min > 0 ? "At least one." : "";
      return `One entry per line${kind.min > 0 ? `, at least ${count(kind.min)}` : ""}${
        kind.max === undefined ? "" : `, at most ${count(kind.max)}`
      }.`;
    case "json":
      return "As JSON.";
    default:
      return "";
  }
}
