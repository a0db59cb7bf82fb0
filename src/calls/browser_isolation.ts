// Functions answer from the same origin as the admin pages. What keeps a page that a function serves from being
// one of that origin, and a function's headers from acting on all of it.

import { setsOwnCookie, withoutOwnCookies } from "../http/cookies.ts";
import { isOfResponse } from "./response_headers.ts";

/**
 * A page under this policy has an origin of its own, without the server's cookies and storage; scripts, forms and
 * pop-ups work (HTML, 7.1.5). It counts beside a policy that the handler sets.
 */
const SANDBOX = "sandbox allow-downloads allow-forms allow-modals allow-orientation-lock allow-pointer-lock " +
  "allow-popups allow-popups-to-escape-sandbox allow-presentation allow-scripts";

/** A request header as a handler may see it; undefined for one that is not its business. */
export function requestHeader(name: string, value: string): string | undefined {
  return name === "cookie" ? withoutOwnCookies(value) : value;
}

/**
 * Whether a handler's response header may be sent. `name` is in lower case; `ownHost` if it came under a name that
 * functions have to themselves. Cookies may be for other hosts of its domain, ours among them.
 */
export function maySend(name: string, value: string, ownHost: boolean): boolean {
  return (ownHost || isOfResponse(name, value)) && !(name === "set-cookie" && setsOwnCookie(value));
}

/**
 * Whether a browser asks for a script that would then stand between it and this origin (Service Workers, 3.2).
 * Sandboxed pages may not ask for one; this is for whatever else might.
 */
export function isServiceWorker(request: Request): boolean {
  return request.headers.get("service-worker") === "script";
}

/** To every answer under /run, errors included. */
export function sandboxPage(headers: Headers): void {
  headers.append("Content-Security-Policy", SANDBOX);
}
