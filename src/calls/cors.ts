// Answers cross-origin preflights for functions, and adds the headers that let other origins read responses (Fetch,
// 3.2).

import type { Cors } from "../core/functions/permissions.ts";

/** The platform's own headers that scripts of other origins can use. */
const EXPOSED = "X-Request-Id, Retry-After";

/** Reports whether a request is a preflight (Fetch, 3.2.2). */
export function isPreflight(request: Request): boolean {
  const { headers } = request;
  return request.method === "OPTIONS" && headers.has("origin") && headers.has("access-control-request-method");
}

/** Returns the answer to a preflight. Without `Access-Control-Allow-Origin`, it is a refusal to the browser. */
export function preflightResponse(cors: Cors, methods: readonly string[], request: Headers): Response {
  const headers = new Headers();
  const isAllowed = allowOrigin(headers, cors, request.get("origin"));
  headers.append("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers");
  if (isAllowed) {
    headers.set("Access-Control-Allow-Methods", methods.join(", "));
    // `*` does not include Authorization, so the requested headers are named.
    const allowed = cors.headers?.join(", ") ?? request.get("access-control-request-headers");
    if (allowed) headers.set("Access-Control-Allow-Headers", allowed);
    headers.set("Access-Control-Max-Age", String(cors.maxAgeSeconds));
  }
  return new Response(null, { status: 204, headers });
}

/** Replaces the CORS headers that the handler sets with those of its function's settings. */
export function addCorsHeaders(headers: Headers, cors: Cors, origin: string | null): void {
  for (const name of ["origin", "credentials", "methods", "headers"]) headers.delete(`Access-Control-Allow-${name}`);
  if (allowOrigin(headers, cors, origin)) headers.append("Access-Control-Expose-Headers", EXPOSED);
}

/** Reports whether `origin` is allowed, and sets the headers that say so. `Vary` is set in either case. */
function allowOrigin(headers: Headers, { origins, credentials }: Cors, origin: string | null): boolean {
  if (origins[0] === "*") {
    headers.set("Access-Control-Allow-Origin", "*");
    return true;
  }
  headers.append("Vary", "Origin");
  if (origin === null || !origins.includes(origin)) return false;
  headers.set("Access-Control-Allow-Origin", origin);
  if (credentials) headers.set("Access-Control-Allow-Credentials", "true");
  return true;
}
