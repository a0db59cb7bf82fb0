// Defines what users choose about the look of the pages. It is stored with the user, so that it is the same everywhere.

import { z } from "zod";

/** Each choice with its values; the first one is the default. */
export const CHOICES = {
  theme: ["system", "light", "dark"],
  density: ["compact", "comfortable"],
  /** Whether single letters are shortcuts (WCAG 2.1.4). */
  keys: ["on", "off"],
} as const;

/** The zone of a user who wants to see times in that of the browser. */
export const LOCAL_ZONE = "local";

/** Parses the name of a time zone, such as `Europe/Berlin` or `UTC`. */
export const zoneSchema = z.string().max(64).refine(isZone, "is not a time zone");

/** Parses what a user has chosen; what is absent is left as the browser has it. */
export const preferencesSchema = z.object({
  theme: z.enum(CHOICES.theme).optional(),
  density: z.enum(CHOICES.density).optional(),
  keys: z.enum(CHOICES.keys).optional(),
  zone: z.literal(LOCAL_ZONE).or(zoneSchema).optional(),
});

export type Preferences = Readonly<z.infer<typeof preferencesSchema>>;

/** Parses a stored text. What this version does not know, as a later one wrote it, is as if not chosen. */
export function parsePreferences(stored: string | null): Preferences {
  if (stored === null) return {};
  const values: Record<string, unknown> = JSON.parse(stored);
  return Object.fromEntries(
    Object.entries(preferencesSchema.shape).flatMap(([name, schema]) => {
      const { data } = schema.safeParse(values[name]);
      return data === undefined ? [] : [[name, data]];
    }),
  );
}

/** Names that were checked before: making a formatter takes 50 µs. */
const known = new Set(["UTC", ...Intl.supportedValuesOf("timeZone")]);

function isZone(name: string): boolean {
  // Names from before 1993, such as `Asia/Calcutta`, which some browsers give, are not among the supported ones.
  return known.has(name) || /^[A-Za-z]+(?:[/_+-][A-Za-z0-9]+)*$/.test(name) && isAccepted(name);
}

function isAccepted(timeZone: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone });
    return true;
  } catch {
    return false;
  }
}
