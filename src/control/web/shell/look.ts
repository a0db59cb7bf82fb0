// Knows how pages look for whom: colors, density, the zone of times, shortcuts, a narrow sidebar. What users choose is
// stored with them. A cookie has it as well, for pages before the sign-in and users who have chosen nothing, and what is
// of the browser alone.

import type { Context, MiddlewareHandler } from "hono";
import { z } from "zod";
import {
  CHOICES,
  LOCAL_ZONE,
  type Preferences,
  preferencesSchema,
  zoneSchema,
} from "../../../core/admins/preferences.ts";
import { LONGEST_MAX_AGE_SECONDS, readCookie, type Transport } from "../../../http/cookies.ts";
import type { SignedIn, Web, WebDeps, WebEnv } from "./deps.ts";
import { fieldText, localPath, readForm, redirect, setCookie } from "./forms.ts";

export const LOOK_PATH = "/web/look";

/** What depends on the screen, not on the user; `browserZone` is the one that the browser is in, as its script says. */
const browserSchema = z.object({
  sidebar: z.enum(["wide", "narrow"]).optional(),
  browserZone: zoneSchema.optional(),
});
const lookSchema = preferencesSchema.extend(browserSchema.shape);

export type Look = Readonly<Required<z.infer<typeof lookSchema>>>;

const DEFAULTS: Look = {
  theme: CHOICES.theme[0],
  density: CHOICES.density[0],
  keys: CHOICES.keys[0],
  zone: LOCAL_ZONE,
  sidebar: "wide",
  browserZone: "UTC",
};

/** Returns how pages look for the user of a request; before the sign-in, for its browser. */
export function lookOf(c: Context<WebEnv>): Look {
  return { ...lookOfBrowser(c.req.raw, c.env), ...preferencesOf(c) };
}

/** Returns how pages look for the browser of a request, without regard to its user. */
export function lookOfBrowser({ headers }: Request, transport: Transport): Look {
  return { ...DEFAULTS, ...chosenIn(headers, transport) };
}

/** Returns the zone in which the pages of a look show times. */
export function zoneOf({ zone, browserZone }: Look): string {
  return zone === LOCAL_ZONE ? browserZone : zone;
}

/** Before the sign-in there is no user. */
function preferencesOf(c: Context<WebEnv>): Preferences {
  const admin: SignedIn | undefined = c.get("admin");
  return admin?.preferences ?? {};
}

function chosenIn(headers: Headers, transport: Transport): Partial<Look> {
  const chosen = new URLSearchParams(readCookie(headers, "look", transport));
  return Object.fromEntries(
    Object.entries(lookSchema.shape).flatMap(([name, schema]) => {
      const { data } = schema.safeParse(chosen.get(name) ?? undefined);
      return data === undefined ? [] : [[name, data]];
    }),
  );
}

/** The attributes of the root element by which styles and scripts know the look. */
export function lookAttributes(
  { theme, density, sidebar, keys, zone, browserZone }: Look,
): Record<string, string | undefined> {
  return {
    "data-theme": theme === "system" ? undefined : theme,
    "data-density": density === "comfortable" ? density : undefined,
    "data-sidebar": sidebar === "narrow" ? sidebar : undefined,
    "data-keys": keys === "off" ? keys : undefined,
    "data-zone": zone === LOCAL_ZONE ? undefined : zone,
    "data-browser-zone": browserZone,
  };
}

/** Adds the route that changes the look: by a form, which returns to its page, or by a script, which stays there. */
export function addLook(web: Web, { admins: { accounts }, commit }: Pick<WebDeps, "admins" | "commit">): void {
  web.post(LOOK_PATH, async (c) => {
    const typed = await readForm(c);
    const values = Object.fromEntries(Object.entries(typed).map(([name, [value]]) => [name, value]));
    const chosen = preferencesSchema.parse(values);
    if (Object.keys(chosen).length > 0) await commit(() => accounts.prefer(c.get("actor"), c.get("admin").id, chosen));
    keepInBrowser(c, { ...chosen, ...browserSchema.parse(values) });
    if (c.req.header("hx-request") !== undefined) return c.body(null, 204);
    return redirect(c, localPath(fieldText(typed, "to")));
  });
}

/** Gives the browser what its user has chosen on another device, for the pages before the sign-in. */
export const followUser: MiddlewareHandler<WebEnv> = async (c, next) => {
  if (c.req.method === "GET") {
    const kept = lookOfBrowser(c.req.raw, c.env);
    const chosen = preferencesOf(c);
    if (Object.entries(chosen).some(([name, value]) => kept[name as keyof Look] !== value)) keepInBrowser(c, chosen);
  }
  await next();
};

/** Sets the cookie of the look. */
export function keepInBrowser(c: Context<WebEnv>, changes: Partial<Look>): void {
  const kept = Object.entries({ ...chosenIn(c.req.raw.headers, c.env), ...changes }).filter(([name, value]) =>
    value !== DEFAULTS[name as keyof Look]
  );
  setCookie(c, "look", new URLSearchParams(kept).toString(), LONGEST_MAX_AGE_SECONDS);
}
