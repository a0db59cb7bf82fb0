// Derives the kind of value that each setting takes from its schema, and converts values from and to text.

import { z } from "zod";
import { DEFINITIONS, SETTING_NAMES, type SettingName } from "./definitions.ts";

export type Kind =
  | { readonly kind: "integer"; readonly min: number; readonly max: number; readonly unit: string | undefined }
  | { readonly kind: "boolean" }
  | { readonly kind: "choice"; readonly options: readonly string[] }
  | { readonly kind: "text" }
  /** A list of texts. */
  | { readonly kind: "list"; readonly min: number; readonly max: number | undefined }
  | { readonly kind: "json" };

/** Names end in the unit of their value. */
const UNITS: Readonly<Record<string, string>> = {
  ms: "milliseconds",
  seconds: "seconds",
  minutes: "minutes",
  hours: "hours",
  days: "days",
  bytes: "bytes",
  kb: "KB",
  mb: "MB",
  percent: "%",
};

/** Titles of categories, where the capitalized name will not do. */
const TITLES: Readonly<Record<string, string>> = { admin: "Sign-in", api: "API", log: "Logs" };

const KINDS = new Map(SETTING_NAMES.map((name) => [name, read(name)]));

export function kindOf(name: SettingName): Kind {
  return KINDS.get(name)!;
}

/** Returns the category of a setting: the part of its name before the first dot. */
export function categoryOf(name: SettingName): string {
  return name.split(".", 1)[0]!;
}

export const CATEGORIES: readonly { readonly id: string; readonly title: string }[] = [
  ...new Set(SETTING_NAMES.map(categoryOf)),
].map((id) => ({ id, title: TITLES[id] ?? id.charAt(0).toUpperCase() + id.slice(1) }));

/** Returns a value as text; a list has one entry per line. */
export function writeValue(name: SettingName, value: unknown): string {
  switch (kindOf(name).kind) {
    case "list":
      return (value as string[]).join("\n");
    case "json":
      return JSON.stringify(value, null, 2);
    default:
      return String(value);
  }
}

/** Returns the value that a text stands for; for invalid text, something that the setting's schema rejects. */
export function readValue(name: SettingName, text: string): unknown {
  const line = text.trim();
  switch (kindOf(name).kind) {
    case "integer":
      return /^-?\d+$/.test(line) ? Number(line) : text;
    case "boolean":
      return line === "true" ? true : line === "false" ? false : text;
    case "list":
      return text.split("\n").map((entry) => entry.trim()).filter((entry) => entry !== "");
    case "json":
      return parsed(text);
    default:
      return line;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function read(name: SettingName): Kind {
  // The input schema, as a form sends input.
  const schema = z.toJSONSchema(DEFINITIONS[name].schema as z.ZodType, { io: "input", unrepresentable: "any" });
  const { type, minimum, maximum, minItems = 0, maxItems, items } = schema;
  if (Array.isArray(schema.enum) && schema.enum.every((option) => typeof option === "string")) {
    return { kind: "choice", options: schema.enum };
  }
  if (type === "integer" && minimum !== undefined && maximum !== undefined) {
    return { kind: "integer", min: minimum, max: maximum, unit: UNITS[/[a-z]+$/.exec(name)?.[0] ?? ""] };
  }
  if (type === "array" && typeof items === "object" && !Array.isArray(items) && items.type === "string") {
    return { kind: "list", min: minItems, max: maxItems };
  }
  if (type === "boolean") return { kind: "boolean" };
  if (type === "string") return { kind: "text" };
  return { kind: "json" };
}
