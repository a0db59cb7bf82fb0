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

/** Units of time by what people type, in milliseconds; from the longest. */
const DURATIONS: readonly (readonly [unit: string, ms: number, typed: RegExp])[] = [
  ["days", 86_400_000, /^(d|days?)$/],
  ["h", 3_600_000, /^(h|hours?)$/],
  ["min", 60_000, /^(m|min|minutes?)$/],
  ["s", 1_000, /^(s|sec|seconds?)$/],
  ["ms", 1, /^(ms|milliseconds?)$/],
];

/** Milliseconds in the unit of a setting's number; undefined if it is no time. */
function unitMs(name: SettingName): number | undefined {
  const kind = kindOf(name);
  return kind.kind === "integer" ? DURATIONS.find(([, , typed]) => typed.test(kind.unit ?? ""))?.[1] : undefined;
}

/**
 * Returns a number of milliseconds or seconds in the longest unit that makes it a whole number, such as "90 days";
 * undefined for other settings, and for a number that only its own unit fits.
 */
export function durationOf(name: SettingName, value: number): string | undefined {
  const own = unitMs(name);
  if (own === undefined || own > 1_000 || value === 0) return undefined;
  const text = writeDuration(value, own);
  return text.endsWith(` ${DURATIONS.find(([, ms]) => ms === own)![0]}`) ? undefined : text;
}

/** Returns a time in the longest unit that makes it a whole number, such as "90 days"; `ownMs` is the unit of `value`. */
export function writeDuration(value: number, ownMs: number): string {
  const [unit, ms] = DURATIONS.find(([, ms]) => value !== 0 && value * ownMs % ms === 0 && ms >= ownMs) ??
    DURATIONS.find(([, ms]) => ms === ownMs)!;
  const n = value * ownMs / ms;
  return `${n} ${unit === "days" && n === 1 ? "day" : unit}`;
}

/** Reads a time with a unit, such as "1.5 h", as a whole number of `ownMs`, or such a number without a unit. */
export function readDuration(text: string, ownMs: number): number | undefined {
  if (/^\d+$/.test(text)) return Number(text);
  const [, number, unit] = /^(\d+(?:\.\d+)?) ?([a-z]+)$/i.exec(text) ?? [];
  const ms = DURATIONS.find(([, , typed]) => typed.test((unit ?? "").toLowerCase()))?.[1];
  if (number === undefined || ms === undefined) return undefined;
  const value = Number(number) * ms / ownMs;
  return Number.isInteger(value) ? value : undefined;
}

/** Returns a number of seconds in the longest unit that makes it a whole number, such as "5 min". */
export function writeSeconds(seconds: number): string {
  const [unit, ms] = DURATIONS.find(([, ms]) => seconds * 1_000 % ms === 0)!;
  const n = seconds * 1_000 / ms;
  return `${n} ${unit === "days" && n === 1 ? "day" : unit}`;
}

/** Reads a whole number of seconds, or a time with a unit, such as "1.5 h"; NaN for anything else. */
export function readSeconds(line: string): number {
  const [, number, unit = "s"] = /^(\d+(?:\.\d+)?) ?([a-z]+)?$/i.exec(line) ?? [];
  const ms = DURATIONS.find(([, , typed]) => typed.test(unit.toLowerCase()))?.[1];
  return number === undefined || ms === undefined ? NaN : Number(number) * ms / 1_000;
}

/** Returns a value as text; a list has one entry per line. */
export function writeValue(name: SettingName, value: unknown): string {
  switch (kindOf(name).kind) {
    case "integer":
      return durationOf(name, value as number) ?? String(value);
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
      return readInteger(name, line) ?? text;
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

/** Reads a whole number in the setting's own unit, or a time with a unit, such as "1.5 h". */
function readInteger(name: SettingName, line: string): number | undefined {
  if (/^-?\d+$/.test(line)) return Number(line);
  const own = unitMs(name);
  return own === undefined ? undefined : readDuration(line, own);
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
