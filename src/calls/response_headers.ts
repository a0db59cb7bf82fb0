// Lists the response headers that functions may send from the host of the admin pages. It is a list of allowed
// headers, as browsers keep adding headers that affect a whole origin or host: Clear-Site-Data, Set-Login, Accept-CH,
// NEL, and so on.

import type { ModuleGraph } from "../code/modules/imports.ts";
import type { RegisteredFunction } from "../core/functions/registry.ts";

/** Headers about the response, its content, or the single URL that it came from. */
const ALLOWED = new Set([
  "accept-patch",
  "accept-post",
  "accept-query",
  "accept-ranges",
  "access-control-allow-credentials",
  "access-control-allow-headers",
  "access-control-allow-methods",
  "access-control-allow-origin",
  "access-control-expose-headers",
  "access-control-max-age",
  "age",
  "allow",
  "baggage",
  "cache-control",
  "cache-status",
  "cache-tag",
  "cdn-cache-control",
  "content-digest",
  "content-disposition",
  "content-encoding",
  "content-language",
  "content-location",
  "content-md5",
  "content-range",
  "content-security-policy",
  "content-security-policy-report-only",
  "content-type",
  "cross-origin-embedder-policy",
  "cross-origin-opener-policy",
  "cross-origin-resource-policy",
  "date",
  "dav",
  "deprecation",
  "digest",
  "etag",
  "expires",
  "idempotency-key",
  "last-event-id",
  "last-modified",
  "link",
  "location",
  "lock-token",
  "permissions-policy",
  "pragma",
  "preference-applied",
  "priority",
  "proxy-status",
  "ratelimit",
  "referrer-policy",
  "refresh",
  "repr-digest",
  "request-id",
  "retry-after",
  "server",
  "server-timing",
  "set-cookie",
  "signature",
  "signature-input",
  "sourcemap",
  "sunset",
  "surrogate-control",
  "surrogate-key",
  "timing-allow-origin",
  "traceparent",
  "tracestate",
  "vary",
  "via",
  "want-content-digest",
  "want-repr-digest",
  "warning",
]);

/** Headers of applications and protocols on top of HTTP, which browsers ignore. */
const ALLOWED_PREFIXES = ["grpc-", "hx-", "mcp-", "ratelimit-", "tus-", "upload-", "webhook-", "x-"];

/** Headers with such a prefix that control a proxy in front (nginx, lighttpd, Apache, Perlbal) or affect a whole host. */
const REFUSED =
  /^x-(?:accel-(?!buffering$)|(?:lighttpd-)?send-?file$|reproxy-|litespeed-|permitted-cross-domain-policies$)/;

/** Schemes for which browsers ask for no password. They would send a password to the whole host. */
const ALLOWED_CHALLENGES = /^(?:bearer|dpop|gnap|privatetoken)(?: |$)/i;
const PASSWORD_CHALLENGES = /(?:^|[\s,])(?:basic|digest|negotiate|ntlm|hoba|mutual|scram-\S+)(?:[\s,]|$)/i;

/** Reports whether a function may send the header from the host of the admin pages. `name` is in lower case. */
export function isOfResponse(name: string, value: string): boolean {
  if (ALLOWED.has(name)) return true;
  if (name === "www-authenticate") return ALLOWED_CHALLENGES.test(value) && !PASSWORD_CHALLENGES.test(value);
  return ALLOWED_PREFIXES.some((prefix) => name.startsWith(prefix)) && !REFUSED.test(name);
}

/** Warnings for a version of a function: one that generates header names must not fill its log. */
const WARNED_NAMES_MAX = 20;
/** A field name (RFC 9110, 5.1) short enough for a line of the log. */
const LOGGED_NAME = /^[\w!#$%&'*+.^`|~-]{1,100}$/;

/**
 * Warns the authors of functions about response headers that the server does not send: in the function's log, once for
 * each name and version of the function.
 */
export class UnsentHeaders {
  /** The names that each function was warned of since its settings or its code changed. */
  readonly #warned = new WeakMap<RegisteredFunction, { code: ModuleGraph; names: Set<string> }>();

  /** Returns the warning about a header that was not sent; undefined if it was returned before. */
  warning(entry: RegisteredFunction, code: ModuleGraph, name: string, ownHost: boolean): string | undefined {
    let warned = this.#warned.get(entry);
    if (warned?.code !== code) {
      warned = { code, names: new Set() };
      this.#warned.set(entry, warned);
    }
    const key = name.toLowerCase();
    if (warned.names.size >= WARNED_NAMES_MAX || warned.names.has(key)) return undefined;
    warned.names.add(key);
    if (!LOGGED_NAME.test(name)) return "A response header with an invalid name was not sent.";
    if (key === "set-cookie") {
      return "A Set-Cookie header was not sent: cookies whose names begin with crude_ are reserved for the server.";
    }
    if (key === "content-type") {
      return "A Content-Type of multipart/x-mixed-replace was not sent: its parts could set cookies of the server.";
    }
    if (ownHost) return `The response header ${name} was not sent.`;
    return `The response header ${name} was not sent: browsers or proxies could apply it to the admin pages, which are ` +
      "on the same host. Functions on a host of their own may send it (setting run.hosts).";
  }
}
