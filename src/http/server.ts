// Listening, telling /run, /api and /health apart, and stopping without cutting anybody off.

import { getPath } from "hono/utils/url";
import type { Config } from "../config.ts";
import { AppError, messageOf } from "../errors.ts";
import type { Log } from "../observe/log.ts";
import { isRunPath } from "./run.ts";

/** How long running requests may take to finish once the server was told to stop. */
const STOP_GRACE_MS = 10_000;

export interface Routes {
  run(request: Request): Promise<Response>;
  api(request: Request): Response | Promise<Response>;
}

export interface Server {
  readonly hostname: string;
  readonly port: number;
  /** Settles with the name of the first SIGTERM or SIGINT. */
  readonly stopSignal: Promise<Deno.Signal>;
  /** Takes no more connections and waits for running requests, ten seconds at most. */
  stop(): Promise<void>;
}

/** Listens as `config` says and prints where. @throws AppError if the address cannot be had */
export function serve({ host, port }: Config, { run, api }: Routes, log: Log): Server {
  const abort = new AbortController();
  let server: Deno.HttpServer<Deno.NetAddr>;
  try {
    server = Deno.serve({
      hostname: host,
      port,
      signal: abort.signal,
      onListen: ({ hostname, port }) => {
        console.log(`Listening on http://${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`);
      },
      onError: (error) => {
        log("error", `A response could not be made: ${messageOf(error)}`);
        return Response.json({ error: "Internal Server Error", code: "InternalError" }, { status: 500 });
      },
    }, (request) => {
      const path = getPath(request);
      if (isRunPath(path)) return run(request);
      if (path === "/health") return health(request);
      return api(request);
    });
  } catch (error) {
    throw new AppError("CannotListen", 503, `HOST ${host}, PORT ${port} cannot be used: ${messageOf(error)}`);
  }

  const signalled = Promise.withResolvers<Deno.Signal>();
  for (const signal of ["SIGTERM", "SIGINT"] as const) Deno.addSignalListener(signal, () => signalled.resolve(signal));

  return {
    hostname: server.addr.hostname,
    port: server.addr.port,
    stopSignal: signalled.promise,
    async stop() {
      const grace = setTimeout(() => abort.abort(), STOP_GRACE_MS);
      await server.shutdown();
      clearTimeout(grace);
    },
  };
}

function health(request: Request): Response {
  if (request.method !== "GET" && request.method !== "HEAD") {
    return Response.json({ error: "This path takes GET, HEAD.", code: "MethodNotAllowed" }, {
      status: 405,
      headers: { Allow: "GET, HEAD" },
    });
  }
  return Response.json({ status: "ok" }, { headers: { "Cache-Control": "no-store" } });
}

/** `host:port` of the server under every address of this machine. */
export function ownAddresses({ hostname, port }: Pick<Server, "hostname" | "port">): string[] {
  const addresses = Deno.networkInterfaces().map(({ address }) => address.replace(/%.*$/, ""));
  const hosts = new Set([hostname, "localhost", "127.0.0.1", "0.0.0.0", "::1", "::", ...addresses]);
  return [...hosts].map((host) => `${host.includes(":") ? `[${host}]` : host}:${port}`);
}
