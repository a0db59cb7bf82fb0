// Implements the field and the text of any setting, from the table of settings.

import { Badge } from "../../ui/components.tsx";
import { SelectField, TextArea, TextField } from "../../ui/fields.tsx";
import type { Problems } from "../../shell/forms.ts";
import { count } from "../../ui/format.ts";
import { DEFINITIONS, type SettingName } from "../../../../core/settings/definitions.ts";
import { kindOf, writeValue } from "../../../../core/settings/kinds.ts";

/** A field with more rows scrolls. */
const ROWS_MAX = 12;

/** The field of one setting: `text` is the field's text, `value` the current value. */
export function SettingField({ name, value, text, problems }: {
  name: SettingName;
  value: unknown;
  text: string;
  problems: Problems | undefined;
}) {
  const kind = kindOf(name);
  const { meaning, default: fallback } = DEFINITIONS[name];
  const hint = <>{meaning} {allowed(name)} Default: {shortText(name, fallback)}.</>;
  const field = { name, label: name, hint, problems };
  return (
    <div class="setting">
      {kind.kind === "integer"
        ? <TextField {...field} value={text} inputmode="numeric" autocomplete="off" class="number" />
        : kind.kind === "list" || kind.kind === "json"
        ? (
          <TextArea
            {...field}
            value={text}
            rows={Math.min(text.split("\n").length + 1, ROWS_MAX)}
            isVerbatim
            autocomplete="off"
          />
        )
        : kind.kind === "boolean"
        ? (
          <SelectField
            {...field}
            value={text}
            options={[{ value: "true", label: "on" }, { value: "false", label: "off" }]}
          />
        )
        : kind.kind === "choice"
        ? (
          <SelectField
            {...field}
            value={text}
            options={kind.options.map((option) => ({ value: option, label: option }))}
          />
        )
        : <TextField {...field} value={text} autocomplete="off" />}
      {isChanged(name, value) && (
        <p class="setting-state">
          <Badge kind="warn">changed</Badge>{" "}
          <button type="submit" name="reset" value={name} class="link" aria-label={`Reset to default: ${name}`}>
            Reset to default
          </button>
        </p>
      )}
    </div>
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
      return count(value as number) + (kind.unit === undefined ? "" : ` ${kind.unit}`);
    case "boolean":
      return value === true ? "on" : "off";
    case "list":
      return (value as string[]).join(", ") || "none";
    default:
      return writeValue(name, value);
  }
}

function allowed(name: SettingName): string {
  const kind = kindOf(name);
  switch (kind.kind) {
    case "integer":
      return `${count(kind.min)} to ${count(kind.max)}${kind.unit === undefined ? "" : ` ${kind.unit}`}.`;
    case "list":
      return `One entry per line${kind.min > 0 ? `, at least ${count(kind.min)}` : ""}${
        kind.max === undefined ? "" : `, at most ${count(kind.max)}`
      }.`;
    case "json":
      return "As JSON.";
    default:
      return "";
  }
}
