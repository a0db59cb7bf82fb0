// Response headers that functions may send from the host of the admin pages. A list of what is allowed, as browsers
// keep learning new ones that act on a whole origin or host: Clear-Site-Data, Set-Login, Accept-CH, NEL, and so on.

/** About the response, its content, or the one address that it came from. */
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

/** Of applications and protocols on top of HTTP, which no browser acts on by itself. */
const ALLOWED_PREFIXES = ["grpc-", "hx-", "mcp-", "ratelimit-", "tus-", "upload-", "webhook-", "x-"];

/** Among those with a prefix, what acts on a proxy in front (nginx, lighttpd, Apache, Perlbal) or on a whole host. */
const REFUSED =
  /^x-(?:accel-(?!buffering$)|(?:lighttpd-)?send-?file$|reproxy-|litespeed-|permitted-cross-domain-policies$)/;

/** Schemes for which browsers do not ask for a password, which they would then send to the whole host. */
const ALLOWED_CHALLENGES = /^(?:bearer|dpop|gnap|privatetoken)(?: |$)/i;
const PASSWORD_CHALLENGES = /(?:^|[\s,])(?:basic|digest|negotiate|ntlm|hoba|mutual|scram-\S+)(?:[\s,]|$)/i;

/** Reports whether a function may send the header from the host of the admin pages. `name` is in lower case. */
export function isOfResponse(name: string, value: string): boolean {
  if (ALLOWED.has(name)) return true;
  if (name === "www-authenticate") return ALLOWED_CHALLENGES.test(value) && !PASSWORD_CHALLENGES.test(value);
  return ALLOWED_PREFIXES.some((prefix) => name.startsWith(prefix)) && !REFUSED.test(name);
}
