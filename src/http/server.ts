// Starts the HTTP server, routes requests to /run, /api, /web and /health, and stops after running requests ended.

import { getPath } from "hono/utils/url";
import type { Config } from "../config.ts";
import { AppError, messageOf } from "../errors.ts";
import { type Client, clientOf } from "./client_address.ts";
import { openableUrl } from "./endpoint.ts";
import { errorResponse } from "./errors.ts";
import { jsonResponse } from "../json.ts";
import type { Serving } from "../serving.ts";
import type { Log } from "../telemetry/log.ts";
import { type Listener, openListener } from "./listener.ts";
import { hostName, isHost, isRunPath, withHostHeader } from "./request_target.ts";
import { UnreadBodies } from "./unread_body.ts";

/** How long running requests may take to finish when the server stops. */
const DRAIN_MAX_MS = 10_000;
const DRAIN_POLL_MS = 10;
/** How long to wait for the remaining connections to close after that. */
const CLOSE_MAX_MS = 500;

export interface Routes {
  /** `ownHost` says that the request's host serves functions only. */
  run(request: Request, ownHost: boolean): Promise<Response>;
  /** Returns the host names, without ports, that serve functions only. */
  runHosts(): readonly string[];
  api(request: Request, client: Client): Response | Promise<Response>;
  web(request: Request, client: Client): Response | Promise<Response>;
  /** Answers other nodes, under /internal/; undefined unless this server is one of several. */
  internal?: ((request: Request) => Promise<Response>) | undefined;
  /** Answers requests for a file that needs no sign-in, by its path. */
  files: ReadonlyMap<string, (request: Request) => Promise<Response>>;
  /** What `/health` answers to any client: the program's version, and sentences about what is wrong. */
  health: { readonly version: string; readonly warnings: readonly string[] };
  /** Whether this node of a cluster may answer; `run` asks it about calls. Undefined without a cluster. */
  serving?: Serving | undefined;
  /** Reports whether a request to `run` has no response yet, or one that is still being streamed. */
  running(): boolean;
  /** Waits until every change that was stored so far is in force for handlers, too. */
  barrier(): Promise<void>;
}

export interface Server {
  readonly hostname: string;
  readonly port: number;
  /** An address of the server that can be opened on this machine. */
  readonly url: string;
  /** Rejects with an AppError if the listener is lost. */
  readonly lost: Promise<never>;
  /** Answers new requests with 503 and waits at most 10 s for the running ones. */
  drain(): Promise<void>;
  /** Closes the listener and every connection. */
  close(): Promise<void>;
}

/**
 * Listens as `config` says. Longer than 80 lines: the steps of a request share what is counted until the server stops.
 * @throws AppError if the address cannot be used
 */
export function serve(
  { host, port, trustedProxies }: Config,
  { run, runHosts, api, web, internal, files, health, serving, running, barrier }: Routes,
  log: Log,
): Server {
  const unreadBodies = new UnreadBodies();
  let managing = 0;
  let draining = false;
  /** The `Host` header of the last request. Most requests have the same, which is then not checked again. */
  let lastHost: string | undefined;
  const counted = async (response: Response | Promise<Response>): Promise<Response> => {
    managing++;
    try {
      return await response;
    } finally {
      managing--;
    }
  };

  /** Delays the response to a change until handlers see the change. */
  const afterChange = async (response: Response | Promise<Response>): Promise<Response> => {
    const answer = await response;
    await barrier();
    return answer;
  };

  const cannotListen = (error: unknown): AppError =>
    new AppError("CannotListen", 503, `HOST ${host}, PORT ${port} cannot be used: ${messageOf(error)}`);

  const route = (request: Request, info: Deno.ServeHandlerInfo<Deno.NetAddr>): Response | Promise<Response> => {
    const hostHeader = request.headers.get("host")!;
    if (hostHeader !== lastHost && !isHost(hostHeader)) return noHost();
    lastHost = hostHeader;
    const path = getPath(request);
    const client = () => clientOf(request.headers, info.remoteAddr.hostname, trustedProxies);
    const hosts = runHosts();
    const ownHost = hosts.length > 0 && hosts.includes(hostName(hostHeader));
    if (ownHost && !isRunPath(path) && path !== "/health") return functionsOnly();
    // The address that the server prints leads to the pages.
    if (path === "/") return toPages();
    if (isRunPath(path)) return run(request, ownHost);
    if (internal && path.startsWith("/internal/")) return internal(request);
    const refused = serving?.refusal();
    if (path === "/health") return healthResponse(request, health, refused);
    const file = files.get(path);
    if (file) return file(request);
    if (refused && !showsState(request.method, path)) return errorResponse(refused, crypto.randomUUID(), log);
    const response = isWebPath(path) ? web(request, client()) : api(request, client());
    return counted(isSafe(request.method) ? response : afterChange(response));
  };

  const handler: Deno.ServeHandler<Deno.NetAddr> = (received, info) => {
    if (draining) return stopping();
    const request = withHostHeader(received);
    if (!request) return noHost();
    const response = route(request, info);
    return isSafe(request.method) ? response : unreadBodies.readBefore(response, request);
  };

  let listener: Listener;
  try {
    listener = openListener({ hostname: host, port, log, onError: (error) => internalError(error, log), handler });
  } catch (error) {
    throw cannotListen(error);
  }
  const lost = listener.lost.catch((error) => Promise.reject(cannotListen(error)));
  // A later `await` still gets the rejection. Without one, it must not count as unhandled.
  lost.catch(() => {});

  return {
    hostname: listener.hostname,
    port: listener.port,
    url: openableUrl(listener),
    lost,
    // Deno's own shutdown aborts requests whose bodies are still arriving, so it comes last.
    async drain() {
      draining = true;
      const end = performance.now() + DRAIN_MAX_MS;
      while ((managing > 0 || running()) && performance.now() < end) await pause(DRAIN_POLL_MS);
    },
    close: () => listener.close(CLOSE_MAX_MS),
  };
}

function internalError(error: unknown, log: Log): Response {
  log("error", `A response could not be made: ${messageOf(error)}`);
  return jsonResponse({ error: "Internal Server Error", code: "InternalError" }, { status: 500 });
}

/** Reports whether requests with this method change nothing (RFC 9110, 9.2.1). */
function isSafe(method: string): boolean {
  return method === "GET" || method === "HEAD";
}

/** Reports whether a request is for what operators need to see of a node that may not answer others. */
function showsState(method: string, path: string): boolean {
  return isSafe(method) && (path === "/metrics" || path === "/api/cluster" || path === "/web/cluster");
}

function isWebPath(path: string): boolean {
  return path === "/web" || path.startsWith("/web/");
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function noHost(): Response {
  return jsonResponse({ error: "The Host header is missing or invalid.", code: "InvalidInput" }, {
    status: 400,
    headers: { "X-Request-Id": crypto.randomUUID() },
  });
}

/** Redirects to a relative URL, as a proxy may use another host name and https. */
function toPages(): Response {
  return new Response(null, { status: 302, headers: { Location: "/web" } });
}

function functionsOnly(): Response {
  return jsonResponse({ error: "This host serves functions only.", code: "NotFound" }, {
    status: 404,
    headers: { "X-Request-Id": crypto.randomUUID() },
  });
}

function stopping(): Response {
  return jsonResponse({ error: "The server is stopping.", code: "Stopping" }, {
    status: 503,
    headers: { "Retry-After": "5", Connection: "close", "X-Request-Id": crypto.randomUUID() },
  });
}

function healthResponse(
  request: Request,
  { version, warnings }: Routes["health"],
  refused: AppError | undefined,
): Response {
  if (request.method !== "GET" && request.method !== "HEAD") {
    return jsonResponse({ error: "This path accepts GET, HEAD.", code: "MethodNotAllowed" }, {
      status: 405,
      headers: { Allow: "GET, HEAD" },
    });
  }
  if (refused) {
    return jsonResponse({ status: "unavailable", code: refused.code, error: refused.message, version }, {
      status: 503,
      headers: { "Cache-Control": "no-store" },
    });
  }
  return jsonResponse({ status: "ok", version, ...(warnings.length > 0 && { warnings }) }, {
    headers: { "Cache-Control": "no-store" },
  });
}
