// Whether a browser sent a request on behalf of a page of this server: what keeps other sites' pages, and pages
// that functions serve, from using an admin's cookie.

import type { Transport } from "./cookies.ts";

const SAFE_METHODS = ["GET", "HEAD", "OPTIONS"];

export function isSafeMethod(method: string): boolean {
  return SAFE_METHODS.includes(method);
}

/**
 * For requests that change something. Browsers send `Origin` with every request that is not GET or HEAD (Fetch,
 * 3.1), pages cannot set it, and a sandboxed page, such as functions serve, has the origin "null". So one
 * without it is refused as well.
 */
export function isFromOwnPage(request: Request, transport: Transport): boolean {
  const site = request.headers.get("sec-fetch-site");
  if (site !== null && site !== "same-origin") return false;
  return isOwnOrigin(request.headers.get("origin"), request, transport);
}

/**
 * For requests that only read, with a cookie: not on behalf of another site's page. Without any of the headers
 * that browsers send to https and localhost, it may be an address that somebody typed: let in, as nobody else
 * can read the answer.
 */
export function isFromOwnPageOrNone(request: Request, transport: Transport): boolean {
  const site = request.headers.get("sec-fetch-site");
  if (site !== null && site !== "same-origin" && site !== "none") return false;
  const origin = request.headers.get("origin");
  const referrer = request.headers.get("referer");
  return (origin === null || isOwnOrigin(origin, request, transport)) &&
    (referrer === null || isOwnOrigin(referrer, request, transport));
}

/** Whether a URL has the request's own host, and https if that is known to be spoken. */
function isOwnOrigin(url: string | null, request: Request, { secure }: Transport): boolean {
  if (url === null || !URL.canParse(url)) return false;
  const { protocol, host } = new URL(url);
  const expected = hostOf(request);
  if (expected === undefined) return false;
  // A proxy that is not named as trusted may speak https in front of us.
  const scheme = secure ? protocol === "https:" : protocol === "https:" || protocol === "http:";
  return scheme && host === new URL(`${protocol}//${expected}`).host;
}

/** What the client calls this server; the `Host` header, which `server.ts` has checked to be one. */
function hostOf(request: Request): string | undefined {
  const host = request.headers.get("host");
  return host !== null && URL.canParse(`http://${host}`) ? host : undefined;
}
