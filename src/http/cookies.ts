// This server's own cookies: how they are set and read, and how they are kept from handlers, which answer from
// the same origin.

/** What the names of all cookies of this server begin with; no function may set one, or sees one. */
const OWN = /^(?:__host-|__secure-)?crude_/i;

/** Chromium keeps no cookie for longer (RFC 6265bis, 5.5). */
export const LONGEST_MAX_AGE_SECONDS = 400 * 86_400;

/** Whether a request came by https, as far as that is known. */
export interface Transport {
  readonly secure: boolean;
}

export type OwnCookie = "session" | "device" | "notice" | "first_steps";

/**
 * Returns the name of a cookie for the host that the request names. Cookies do not tell ports apart (RFC 6265bis,
 * 8.5), so the port is a part of the name, or two servers on one host would sign each other's users out. Behind
 * https the name has the prefix that keeps other hosts of the same domain, and plain http, from setting it
 * (RFC 6265bis, 4.1.3.2).
 */
function nameOf(cookie: OwnCookie, headers: Headers, { secure }: Transport): string {
  const [, port] = /:(\d+)$/.exec(headers.get("host") ?? "") ?? [];
  return `${secure ? "__Host-" : ""}crude_${cookie}${port === undefined ? "" : `_${port}`}`;
}

/**
 * Returns the value of one of our cookies; undefined if the request has none. Two with one name are as good as none:
 * one of them was set by another host of the same domain, or for another path, and which of them it is nothing says.
 */
export function readCookie(headers: Headers, cookie: OwnCookie, transport: Transport): string | undefined {
  const name = nameOf(cookie, headers, transport);
  const header = headers.get("cookie") ?? "";
  const values: string[] = [];
  // Not by taking all of it apart: any caller may send 64 KB of cookies with each request.
  for (let at = header.indexOf(name); at !== -1 && values.length < 2;) {
    const semicolon = header.indexOf(";", at);
    const end = semicolon === -1 ? header.length : semicolon;
    const [key, value] = split(header.slice(header.lastIndexOf(";", at) + 1, end));
    if (key === name) values.push(value);
    at = header.indexOf(name, end);
  }
  return values.length === 1 ? values[0] : undefined;
}

/** Returns a `Set-Cookie` header that answers the request with these headers. An empty value removes the cookie. */
export function cookieHeader(
  cookie: OwnCookie,
  value: string,
  { headers, transport, maxAgeSeconds }: { headers: Headers; transport: Transport; maxAgeSeconds: number },
): string {
  const secure = transport.secure ? "; Secure" : "";
  const maxAge = value === "" ? 0 : Math.min(maxAgeSeconds, LONGEST_MAX_AGE_SECONDS);
  return `${nameOf(cookie, headers, transport)}=${value}; Path=/; HttpOnly; SameSite=Lax${secure}; Max-Age=${maxAge}`;
}

/** A `Cookie` header without our cookies; undefined if nothing is left. */
export function withoutOwnCookies(header: string): string | undefined {
  if (!/crude_/i.test(header)) return header;
  const kept = header.split(";").filter((pair) => !isOwn(pair));
  return kept.length === 0 ? undefined : kept.join(";").trim();
}

/**
 * Whether a `Set-Cookie` header sets one of ours. A cookie without a name is sent back as its value alone, so
 * `=crude_session=x` would become one of ours (RFC 6265bis, 5.7).
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
