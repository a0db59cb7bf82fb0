// Finds the session of a request, and sets and removes the cookies of sessions.

import type { Context } from "hono";
import { entitlementLost } from "../../../actor.ts";
import { parsePreferences } from "../../../core/admins/preferences.ts";
import type { Visitor } from "../../../core/admins/sign_in.ts";
import { LONGEST_MAX_AGE_SECONDS, readCookie } from "../../../http/cookies.ts";
import type { WebDeps, WebEnv } from "./deps.ts";
import { setCookie } from "./forms.ts";

const DAY_SECONDS = 86_400;

/** The only page of a user who lacks the second factor that all need. */
export const SECOND_FACTOR_PATH = "/web/account/second-factor";

/** Returns what is known of a client before it signs in. */
export function visitorOf(c: Context<WebEnv>): Visitor {
  return {
    actor: { kind: "visitor", address: c.env.address, requestId: c.get("requestId") },
    userAgent: c.req.header("user-agent") ?? "",
    device: readCookie(c.req.raw.headers, "device", c.env),
  };
}

/** Sets `admin` and `actor` of a request whose session is valid; reports whether it is. */
export function findSignedIn(c: Context<WebEnv>, { admins }: WebDeps): boolean {
  const token = readCookie(c.req.raw.headers, "session", c.env);
  const found = token === undefined ? undefined : admins.sessions.find(token);
  if (token === undefined || !found) return false;
  const { admin: { id, name, email, totpNonce, preferences }, session } = found;
  c.set("admin", {
    id,
    name,
    email,
    sessionId: session.id,
    hasSecondFactor: totpNonce !== null,
    preferences: parsePreferences(preferences),
  });
  c.set("actor", {
    kind: "admin",
    id: String(id),
    name: email,
    refusal: () => admins.sessions.isLive(token) ? undefined : entitlementLost("The session ended"),
    address: c.env.address,
    requestId: c.get("requestId"),
  });
  return true;
}

/** Sets the cookie of a new session, which lasts as long as a session may, and the one that proves an earlier sign-in. */
export function keepSession(
  c: Context<WebEnv>,
  { settings }: Pick<WebDeps, "settings">,
  { token, device }: { token: string; device: string },
): void {
  setCookie(c, "session", token, settings.get("admin.session.max-days") * DAY_SECONDS);
  setCookie(c, "device", device, LONGEST_MAX_AGE_SECONDS);
}

export function forgetSession(c: Context<WebEnv>): void {
  setCookie(c, "session", "", 0);
}
