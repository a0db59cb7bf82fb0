// Sets and reads the server's own cookies, and keeps them from handlers, which answer on the same origin.

/** The prefix of all cookies of this server. Functions can neither set nor see them. */
const OWN = /^(?:__host-|__secure-)?crude_/i;

/** The longest time that browsers keep a cookie (RFC 6265bis, 5.5). */
export const LONGEST_MAX_AGE_SECONDS = 400 * 86_400;

/** Whether a request is known to have come over https. */
export interface Transport {
  readonly secure: boolean;
}

export type OwnCookie = "session" | "device" | "notice" | "first_steps" | "look";

/**
 * Returns the name of a cookie for the host of the request. Browsers share cookies among all ports of a host
 * (RFC 6265bis, 8.5), so the name includes the port; otherwise two servers on one host would sign each other's users
 * out. Over https the name has the prefix that keeps other hosts of the domain, and plain http, from setting the
 * cookie (RFC 6265bis, 4.1.3.2).
 */
function nameOf(cookie: OwnCookie, headers: Headers, { secure }: Transport): string {
  const [, port] = /:(\d+)$/.exec(headers.get("host") ?? "") ?? [];
  return `${secure ? "__Host-" : ""}crude_${cookie}${port === undefined ? "" : `_${port}`}`;
}

/**
 * Returns the value of one of our cookies; undefined if the request has none. Two cookies with one name count as none:
 * another host of the domain set one of them, or it is for another path, and nothing shows which one that is.
 */
export function readCookie(headers: Headers, cookie: OwnCookie, transport: Transport): string | undefined {
  const name = nameOf(cookie, headers, transport);
  const header = headers.get("cookie") ?? "";
  const values: string[] = [];
  // Searches instead of splitting the header: any client may send 64 KB of cookies with each request.
  for (let at = header.indexOf(name); at !== -1 && values.length < 2;) {
    const semicolon = header.indexOf(";", at);
    const end = semicolon === -1 ? header.length : semicolon;
    const [key, value] = split(header.slice(header.lastIndexOf(";", at) + 1, end));
    if (key === name) values.push(value);
    at = header.indexOf(name, end);
  }
  return values.length === 1 ? values[0] : undefined;
}

/** Returns a `Set-Cookie` header for the response to a request with `headers`. An empty value removes the cookie. */
export function cookieHeader(
  cookie: OwnCookie,
  value: string,
  { headers, transport, maxAgeSeconds }: { headers: Headers; transport: Transport; maxAgeSeconds: number },
): string {
  const secure = transport.secure ? "; Secure" : "";
  const maxAge = value === "" ? 0 : Math.min(maxAgeSeconds, LONGEST_MAX_AGE_SECONDS);
  return `${nameOf(cookie, headers, transport)}=${value}; Path=/; HttpOnly; SameSite=Lax${secure}; Max-Age=${maxAge}`;
}

/** Returns a `Cookie` header without our cookies; undefined if nothing is left. */
export function withoutOwnCookies(header: string): string | undefined {
  if (!/crude_/i.test(header)) return header;
  const kept = header.split(";").filter((pair) => !isOwn(pair));
  return kept.length === 0 ? undefined : kept.join(";").trim();
}

/**
 * Reports whether a `Set-Cookie` header sets one of our cookies. Browsers send a cookie without a name as its value
 * alone, so `=crude_session=x` would become one of ours (RFC 6265bis, 5.7).
 */
export function setsOwnCookie(header: string): boolean {
  return isOwn(header);
}

function isOwn(pair: string): boolean {
  return OWN.test(pair.replace(/^[\s=]+/, ""));
}

function split(pair: string): [name: string, value: string] {
  const at = pair.indexOf("=");
  return at === -1 ? ["", pair.trim()] : [pair.slice(0, at).trim(), pair.slice(at + 1).trim()];
}
