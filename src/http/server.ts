// Listening, telling /run, /api, /web and /health apart, and stopping without cutting anybody off.

import { getPath } from "hono/utils/url";
import type { Config } from "../config.ts";
import { AppError, messageOf } from "../errors.ts";
import { type Client, clientOf } from "./client_address.ts";
import { openableUrl } from "./endpoint.ts";
import type { Log } from "../telemetry/log.ts";
import { type Listener, openListener } from "./listener.ts";
import { hostName, isHost, withHostHeader } from "./host.ts";
import { isRunPath } from "./paths.ts";

/** How long running requests may take to finish once the server was told to stop. */
const DRAIN_MAX_MS = 10_000;
const DRAIN_LOOK_MS = 10;
/** For what is left after that: connections that nobody closes. */
const CLOSE_MAX_MS = 500;

export interface Routes {
  /** `ownHost`: under a name that functions have to themselves. */
  run(request: Request, ownHost: boolean): Promise<Response>;
  /** The names, without ports, under which there are functions alone. */
  runHosts(): readonly string[];
  api(request: Request, client: Client): Response | Promise<Response>;
  web(request: Request, client: Client): Response | Promise<Response>;
  /** What `/health` answers to anyone: the program's version, and sentences about what is wrong. */
  health: { readonly version: string; readonly warnings: readonly string[] };
  /** Whether a request to `run` has no response yet, or one that is still being streamed. */
  running(): boolean;
  /** Settles when every change that was stored so far is in force for handlers, too. */
  inForce(): Promise<void>;
}

export interface Server {
  readonly hostname: string;
  readonly port: number;
  /** An address of it that can be opened on this machine. */
  readonly url: string;
  /** Rejects with an AppError if the listener is lost. */
  readonly lost: Promise<never>;
  /** Answers new requests with 503 and waits for the running ones, ten seconds at most. */
  drain(): Promise<void>;
  /** Closes the listener and every connection. */
  close(): Promise<void>;
}

/** Listens as `config` says. @throws AppError if the address cannot be had */
export function serve(
  { host, port, trustedProxies }: Config,
  { run, runHosts, api, web, health, running, inForce }: Routes,
  log: Log,
): Server {
  let managing = 0;
  let draining = false;
  /** Of the last request: most name the same. */
  let lastHost: string | undefined;
  const counted = async (response: Response | Promise<Response>): Promise<Response> => {
    managing++;
    try {
      return await response;
    } finally {
      managing--;
    }
  };

  /** A change is answered when handlers see it. */
  const afterChange = async (response: Response | Promise<Response>): Promise<Response> => {
    const answer = await response;
    await inForce();
    return answer;
  };

  const cannotListen = (error: unknown): AppError =>
    new AppError("CannotListen", 503, `HOST ${host}, PORT ${port} cannot be used: ${messageOf(error)}`);

  const onError = (error: unknown): Response => {
    log("error", `A response could not be made: ${messageOf(error)}`);
    return Response.json({ error: "Internal Server Error", code: "InternalError" }, { status: 500 });
  };

  const handler: Deno.ServeHandler<Deno.NetAddr> = (received, info) => {
    if (draining) return stopping();
    const request = withHostHeader(received);
    if (!request) return noHost();
    const hostHeader = request.headers.get("host")!;
    if (hostHeader !== lastHost && !isHost(hostHeader)) return noHost();
    lastHost = hostHeader;
    const path = getPath(request);
    const client = () => clientOf(request.headers, info.remoteAddr.hostname, trustedProxies);
    const hosts = runHosts();
    const ownHost = hosts.length > 0 && hosts.includes(hostName(hostHeader));
    if (ownHost && !isRunPath(path) && path !== "/health") return functionsOnly();
    // The address that the server prints should lead somewhere.
    if (path === "/") return toPages();
    if (isRunPath(path)) return run(request, ownHost);
    if (path === "/health") return healthResponse(request, health);
    const response = isWebPath(path) ? web(request, client()) : api(request, client());
    return counted(isSafe(request.method) ? response : afterChange(response));
  };

  let listener: Listener;
  try {
    listener = openListener({ hostname: host, port, log, onError, handler });
  } catch (error) {
    throw cannotListen(error);
  }
  const lost = listener.lost.catch((error) => Promise.reject(cannotListen(error)));
  // A later `await` still gets the rejection; without one it must not count as unhandled.
  lost.catch(() => {});

  return {
    hostname: listener.hostname,
    port: listener.port,
    url: openableUrl(listener),
    lost,
    // Deno's own shutdown breaks off requests whose bodies are still arriving, so it comes last.
    async drain() {
      draining = true;
      const end = performance.now() + DRAIN_MAX_MS;
      while ((managing > 0 || running()) && performance.now() < end) await pause(DRAIN_LOOK_MS);
    },
    close: () => listener.close(CLOSE_MAX_MS),
  };
}

/** Methods that change nothing (RFC 9110, 9.2.1). */
function isSafe(method: string): boolean {
  return method === "GET" || method === "HEAD";
}

function isWebPath(path: string): boolean {
  return path === "/web" || path.startsWith("/web/");
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function noHost(): Response {
  return Response.json({ error: "The Host header names no host.", code: "InvalidInput" }, {
    status: 400,
    headers: { "X-Request-Id": crypto.randomUUID() },
  });
}

/** Relative, as a proxy may answer under another name and by https. */
function toPages(): Response {
  return new Response(null, { status: 302, headers: { Location: "/web" } });
}

function functionsOnly(): Response {
  return Response.json({ error: "Under this name there are functions alone.", code: "NotFound" }, {
    status: 404,
    headers: { "X-Request-Id": crypto.randomUUID() },
  });
}

function stopping(): Response {
  return Response.json({ error: "The server is stopping.", code: "Stopping" }, {
    status: 503,
    headers: { "Retry-After": "5", Connection: "close", "X-Request-Id": crypto.randomUUID() },
  });
}

function healthResponse(request: Request, { version, warnings }: Routes["health"]): Response {
  if (request.method !== "GET" && request.method !== "HEAD") {
    return Response.json({ error: "This path takes GET, HEAD.", code: "MethodNotAllowed" }, {
      status: 405,
      headers: { Allow: "GET, HEAD" },
    });
  }
  return Response.json({ status: "ok", version, ...(warnings.length > 0 && { warnings }) }, {
    headers: { "Cache-Control": "no-store" },
  });
}
