// Cross-origin requests to functions (Fetch, 3.2): preflights, and the headers of responses that other origins may
// read.

import type { Cors } from "../core/functions/permissions.ts";

/** Of the platform's own headers, those that scripts of other origins have a use for. */
const EXPOSED = "X-Request-Id, Retry-After";

/** Whether a request asks if another may be sent (Fetch, 3.2.2). */
export function isPreflight(request: Request): boolean {
  const { headers } = request;
  return request.method === "OPTIONS" && headers.has("origin") && headers.has("access-control-request-method");
}

/** The answer to a preflight. A browser takes one without `Access-Control-Allow-Origin` for a refusal. */
export function preflightResponse(cors: Cors, methods: readonly string[], request: Headers): Response {
  const headers = new Headers();
  const isAllowed = allowOrigin(headers, cors, request.get("origin"));
  headers.append("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers");
  if (isAllowed) {
    headers.set("Access-Control-Allow-Methods", methods.join(", "));
    // `*` would leave out Authorization, so the headers that are asked for are named.
    const allowed = cors.headers?.join(", ") ?? request.get("access-control-request-headers");
    if (allowed) headers.set("Access-Control-Allow-Headers", allowed);
    headers.set("Access-Control-Max-Age", String(cors.maxAgeSeconds));
  }
  return new Response(null, { status: 204, headers });
}

/** Adds to a response, in place of what the handler says of other origins, what its function's settings say. */
export function addCorsHeaders(headers: Headers, cors: Cors, origin: string | null): void {
  for (const name of ["origin", "credentials", "methods", "headers"]) headers.delete(`Access-Control-Allow-${name}`);
  if (allowOrigin(headers, cors, origin)) headers.append("Access-Control-Expose-Headers", EXPOSED);
}

/** Whether `origin` is allowed; if so the response says so. `Vary` says that the response depends on it. */
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
