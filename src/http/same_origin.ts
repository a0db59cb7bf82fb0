// Checks that a browser sent a request on behalf of a page of this server. This keeps pages of other sites, and pages
// that functions serve, from using an admin's cookie.

import type { Transport } from "./cookies.ts";

const SAFE_METHODS = ["GET", "HEAD", "OPTIONS"];

export function isSafeMethod(method: string): boolean {
  return SAFE_METHODS.includes(method);
}

/**
 * Checks requests that change something. Browsers send `Origin` with every request that is not GET or HEAD (Fetch,
 * 3.1), pages cannot set it, and a sandboxed page, as functions serve it, has the origin "null". A request without
 * `Origin` is therefore refused as well.
 */
export function isFromOwnPage(request: Request, transport: Transport): boolean {
  const site = request.headers.get("sec-fetch-site");
  if (site !== null && site !== "same-origin") return false;
  return isOwnOrigin(request.headers.get("origin"), request, transport);
}

/**
 * Checks requests with a cookie that only read: they must not be on behalf of another site's page. A request without
 * any of the headers that browsers send to https and localhost may be an address that a user typed. It is accepted,
 * as no page can read its response.
 */
export function isFromOwnPageOrNone(request: Request, transport: Transport): boolean {
  const site = request.headers.get("sec-fetch-site");
  if (site !== null && site !== "same-origin" && site !== "none") return false;
  const origin = request.headers.get("origin");
  const referrer = request.headers.get("referer");
  return (origin === null || isOwnOrigin(origin, request, transport)) &&
    (referrer === null || isOwnOrigin(referrer, request, transport));
}

/** Reports whether a URL has the host of the request, and https if the request is known to use it. */
function isOwnOrigin(url: string | null, request: Request, { secure }: Transport): boolean {
  if (url === null || !URL.canParse(url)) return false;
  const { protocol, host } = new URL(url);
  const expected = hostOf(request);
  if (expected === undefined) return false;
  // A proxy that is not listed as trusted may use https in front of the server.
  const scheme = secure ? protocol === "https:" : protocol === "https:" || protocol === "http:";
  return scheme && host === new URL(`${protocol}//${expected}`).host;
}

/** Returns the `Host` header, which `server.ts` has checked. */
function hostOf(request: Request): string | undefined {
  const host = request.headers.get("host");
  return host !== null && URL.canParse(`http://${host}`) ? host : undefined;
}
