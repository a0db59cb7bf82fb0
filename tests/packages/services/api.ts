// One HTTP server that imitates, of the APIs of services in the cloud, the requests that the handlers make. Their
// SDKs are pointed at it by the option that each has for that.

import { CLOUD_ROUTES } from "./api_cloud.ts";
import { AI_ROUTES } from "./api_ai.ts";
import { BUSINESS_ROUTES } from "./api_business.ts";
import { WEB_ROUTES } from "./api_web.ts";
import type { Service } from "./service.ts";

export interface ApiRequest {
  readonly request: Request;
  readonly url: URL;
  readonly text: string;
  /** Parsed, if the body is JSON. */
  // deno-lint-ignore no-explicit-any
  readonly json: any;
  /** Address of this server, such as `http://127.0.0.1:40123`. */
  readonly origin: string;
}

export interface ApiRoute {
  readonly method: string;
  readonly path: RegExp;
  /** Whether the token must be in a header, in clear or in Base64 with a user name. */
  readonly authenticated?: true;
  /** A value is sent as JSON. */
  readonly answer: (request: ApiRequest) => unknown;
}

const TOKEN = "a-token-of-tests-0123456789abcdef";
const ROUTES: readonly ApiRoute[] = [...AI_ROUTES, ...BUSINESS_ROUTES, ...CLOUD_ROUTES, ...WEB_ROUTES];

export function startApi(): Promise<Service> {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => answer(request));
  const address = `127.0.0.1:${server.addr.port}`;
  return Promise.resolve({
    hosts: [address],
    secrets: { API_URL: `http://${address}`, API_TOKEN: TOKEN },
    [Symbol.asyncDispose]: () => server.shutdown(),
  });
}

async function answer(request: Request): Promise<Response> {
  const url = new URL(request.url);
  const route = ROUTES.find(({ method, path }) => method === request.method && path.test(url.pathname));
  if (!route) {
    return Response.json({ error: `Not imitated: ${request.method} ${url.pathname}` }, { status: 404 });
  }
  if (route.authenticated && !holdsToken(request)) {
    return Response.json({ error: "Unauthorized" }, { status: 401 });
  }
  // A body that is not text is read by the route.
  const isText = /json|text|urlencoded|xml|ndjson|envelope/.test(request.headers.get("content-type") ?? "text");
  const text = isText ? await request.text() : "";
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // Not JSON.
  }
  const result = await route.answer({ request, url, text, json, origin: url.origin });
  return result instanceof Response ? result : Response.json(result);
}

function holdsToken({ headers }: Request): boolean {
  return [...headers.values()].some((value) => {
    const encoded = /^Basic (.+)$/i.exec(value)?.[1];
    return value.includes(TOKEN) ||
      (encoded !== undefined && atob(encoded).includes(TOKEN));
  });
}
