// From a browser to a session and back: who a request belongs to, and the cookies that say so.

import type { Context } from "hono";
import type { Visitor } from "../../admins/sign_in.ts";
import { cookieHeader, type OwnCookie, readCookie } from "../cookies.ts";
import type { WebDeps, WebEnv } from "./deps.ts";

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
    isEntitled: () => admins.sessions.isLive(token),
    address: c.env.address,
    requestId: c.get("requestId"),
  });
  return true;
}

/** Tells the browser its new session, and that it has signed in before. */
export function keepSession(c: Context<WebEnv>, { token, device }: { token: string; device: string }): void {
  setCookie(c, "session", token);
  setCookie(c, "device", device);
}

export function forgetSession(c: Context<WebEnv>): void {
  setCookie(c, "session", "");
}

function setCookie(c: Context<WebEnv>, cookie: OwnCookie, value: string): void {
  c.header("Set-Cookie", cookieHeader(cookie, value, c.env), { append: true });
}
