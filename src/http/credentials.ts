// Reads the API keys that a request carries, and removes the `api_key` parameter from URLs. Does not check keys.

import { Buffer } from "node:buffer";

export interface Credential {
  readonly value: string;
  readonly from: "X-API-Key" | "Authorization" | "api_key";
}

/** What the token of a session begins with where it is a credential: a program's, not a browser's. */
export const SESSION_PREFIX = "crude_session_";

/** Returns the token of a session that was sent as `Authorization: Bearer`; undefined for an API key. */
export function sessionToken({ value, from }: Credential): string | undefined {
  return from === "Authorization" && value.startsWith(SESSION_PREFIX) ? value.slice(SESSION_PREFIX.length) : undefined;
}

/** The longest `Authorization` header that is parsed, user name included. */
const LONGEST = 8 * 1024;

/**
 * Returns the keys of a request in order of precedence: `X-API-Key`; `Authorization` (`Bearer K`, `Basic` with the key
 * as password, RFC 7617, or the plain key); `?api_key=`. Only the first one decides about the request.
 */
export function credentials(headers: Headers, url: string): Credential[] {
  const found: Credential[] = [];
  const header = headers.get("x-api-key");
  if (header !== null) found.push({ value: header, from: "X-API-Key" });
  const authorization = headers.get("authorization");
  if (authorization !== null) found.push({ value: authorizationKey(authorization), from: "Authorization" });
  const parameter = queryKey(url);
  if (parameter !== undefined) found.push({ value: parameter, from: "api_key" });
  return found;
}

function authorizationKey(header: string): string {
  if (header.length > LONGEST) return header;
  const [, scheme, rest] = /^(bearer|basic) +(.*)$/i.exec(header) ?? [];
  if (scheme === undefined || rest === undefined) return header;
  if (scheme.toLowerCase() === "bearer") return rest;
  const pair = Buffer.from(rest, "base64").toString("utf8");
  return pair.slice(pair.indexOf(":") + 1);
}

function queryKey(url: string): string | undefined {
  const start = url.indexOf("?");
  if (start === -1) return undefined;
  const hash = url.indexOf("#", start);
  // Without `new URL`, which throws for hosts that any client can send, such as `Host: a b`.
  return new URLSearchParams(url.slice(start, hash === -1 ? undefined : hash)).get("api_key") ?? undefined;
}

/** Returns `url` without its `api_key` parameters. The rest of the query is unchanged. */
export function withoutApiKey(url: string): string {
  const start = url.indexOf("?");
  if (start === -1) return url;
  const hash = url.indexOf("#", start);
  const query = url.slice(start + 1, hash === -1 ? undefined : hash);
  const pairs = query.split("&");
  // URLSearchParams drops one leading "?", so this one protects a "?" of the pair: "?api_key" is another name.
  const kept = pairs.filter((pair) => !new URLSearchParams(`?${pair}`).has("api_key"));
  if (kept.length === pairs.length) return url;
  const rest = kept.join("&");
  return url.slice(0, start) + (rest && `?${rest}`) + (hash === -1 ? "" : url.slice(hash));
}
