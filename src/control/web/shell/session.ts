// From a browser to a session and back: who a request belongs to, and the cookies that say so.

import type { Context } from "hono";
import { entitlementLost } from "../../../actor.ts";
import type { Visitor } from "../../../core/admins/sign_in.ts";
import { LONGEST_MAX_AGE_SECONDS, readCookie } from "../../../http/cookies.ts";
import type { WebDeps, WebEnv } from "./deps.ts";
import { setCookie } from "./forms.ts";

const DAY_SECONDS = 86_400;

/** Somebody who is not known yet. */
export function visitorOf(c: Context<WebEnv>): Visitor {
  return {
    actor: { kind: "visitor", address: c.env.address, requestId: c.get("requestId") },
    userAgent: c.req.header("user-agent") ?? "",
    device: readCookie(c.req.raw.headers, "device", c.env),
  };
}

/** Who is signed in, if somebody is; the services are told the same. */
export function recognise(c: Context<WebEnv>, { admins }: WebDeps): boolean {
  const token = readCookie(c.req.raw.headers, "session", c.env);
  const found = token === undefined ? undefined : admins.sessions.find(token);
  if (token === undefined || !found) return false;
  const { admin: { id, name, email }, session } = found;
  c.set("admin", { id, name, email, sessionId: session.id });
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

/** Gives the browser its new session, for as long as one may last, and a proof that it has signed in before. */
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
