// Keeps how a browser shows the pages: colors, density, a narrow sidebar, keys. One cookie holds what was chosen.

import { z } from "zod";
import { LONGEST_MAX_AGE_SECONDS, readCookie, type Transport } from "../../../http/cookies.ts";
import type { Web } from "./deps.ts";
import { fieldText, localPath, readForm, redirect, setCookie } from "./forms.ts";

export const LOOK_PATH = "/web/look";

/** Each choice with its values; the first one is the default. */
const CHOICES = {
  theme: ["system", "light", "dark"],
  density: ["compact", "comfortable"],
  sidebar: ["wide", "narrow"],
  /** Whether single letters are shortcuts (WCAG 2.1.4). */
  keys: ["on", "off"],
} as const;

type Choice = keyof typeof CHOICES;
export type Look = { readonly [C in Choice]: (typeof CHOICES)[C][number] };

const NAMES = Object.keys(CHOICES) as Choice[];
const changeSchema = z.object(
  Object.fromEntries(NAMES.map((name) => [name, z.enum(CHOICES[name]).optional()])),
);

/** Returns what the browser of a request has chosen. */
export function lookOf({ headers }: Request, transport: Transport): Look {
  const chosen = new URLSearchParams(readCookie(headers, "look", transport));
  return Object.fromEntries(NAMES.map((name) => {
    const value = chosen.get(name);
    return [name, CHOICES[name].find((known) => known === value) ?? CHOICES[name][0]];
  })) as Look;
}

/** The attributes of the root element by which styles and scripts know the look. */
export function lookAttributes({ theme, density, sidebar, keys }: Look): Record<string, string | undefined> {
  return {
    "data-theme": theme === "system" ? undefined : theme,
    "data-density": density === "comfortable" ? density : undefined,
    "data-sidebar": sidebar === "narrow" ? sidebar : undefined,
    "data-keys": keys === "off" ? keys : undefined,
  };
}

/** Adds the route that changes the look: by a form, which returns to its page, or by a script, which stays there. */
export function addLook(web: Web): void {
  web.post(LOOK_PATH, async (c) => {
    const typed = await readForm(c);
    const changes = changeSchema.parse(
      Object.fromEntries(Object.entries(typed).map(([name, [value]]) => [name, value])),
    );
    const kept = Object.entries({ ...lookOf(c.req.raw, c.env), ...changes }).filter(([name, value]) =>
      value !== CHOICES[name as Choice][0]
    );
    const value = new URLSearchParams(kept as [string, string][]).toString();
    setCookie(c, "look", value, LONGEST_MAX_AGE_SECONDS);
    if (c.req.header("hx-request") !== undefined) return c.body(null, 204);
    return redirect(c, localPath(fieldText(typed, "to")));
  });
}
