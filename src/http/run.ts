// /run/*: which function answers, whether the caller may call it, and the way of the request through
// its sandbox and back.

import { getPath } from "hono/utils/url";
import type { Access } from "../access/access.ts";
import { admission } from "../access/admission.ts";
import type { Imports, ModuleGraph } from "../functions/imports.ts";
import { maySecretBeAsked } from "../functions/permissions.ts";
import type { RegisteredFunction, Registry } from "../functions/registry.ts";
import type { FunctionId } from "../ids.ts";
import type { TracedCaller } from "../observe/answers.ts";
import type { Log } from "../observe/log.ts";
import type { Outcome } from "../observe/tally.ts";
import type { CallTrace, Traces } from "../observe/traces.ts";
import { CallFailure } from "../sandbox/failure.ts";
import type { CallResponse } from "../sandbox/invocation.ts";
import type { Pool, Target } from "../sandbox/pool.ts";
import type { FlatHeaders } from "../sandbox/protocol.ts";
import type { Settings } from "../settings/settings.ts";
import type { KeyHolder } from "../store/access.ts";
import { type Credential, credentials, withoutApiKey } from "./credentials.ts";
import { isServiceWorker, maySend, requestHeader, sandboxPage } from "./run_isolation.ts";

export interface RunDependencies {
  readonly access: Access;
  readonly registry: Registry;
  readonly imports: Imports;
  readonly pool: Pool<TracedCaller>;
  readonly settings: Settings;
  readonly log: Log;
  /** Takes the values that the function has read out of a text. */
  readonly mask: (functionId: number, text: string) => string;
  readonly traces?: Traces | undefined;
  /** Hears of each call that a function was found for, when it is over, its response included. */
  readonly onEnd: (functionId: FunctionId, outcome: Outcome, durationMs: number) => void;
}

const PREFIX = "/run";
/** Larger bodies stay with the client until their handler reads them. */
const WHOLE_REQUEST_MAX_BYTES = 16 * 1024;
/** Statuses whose responses have no body (Fetch, 2.2.3). */
const NULL_BODY_STATUSES = [204, 205, 304];
/** About one connection, not about the response (RFC 9110, 7.6.1); lengths are the server's business. */
const HOP_HEADERS = new Set([
  "connection",
  "content-length",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Whether a path belongs to the functions. */
export function isRunPath(path: string): boolean {
  return path.startsWith(PREFIX) && (path.length === PREFIX.length || path[PREFIX.length] === "/");
}

/** Answers a request under `/run`; `ownHost` if it came under a name that functions have to themselves. Never throws. */
export function createRun(deps: RunDependencies): (request: Request, ownHost?: boolean) => Promise<Response> {
  const { access, registry, imports, pool, settings, traces, onEnd } = deps;

  return async (request, ownHost = false) => {
    const response = await answer(request, ownHost);
    if (!ownHost) sandboxPage(response.headers);
    return response;
  };

  async function answer(request: Request, ownHost: boolean): Promise<Response> {
    const requestId = crypto.randomUUID();
    const requestedAt = Date.now();
    const began = performance.now();
    const path = getPath(request);
    const match = registry.match(request.method, path.slice(PREFIX.length) || "/");
    if (!match.found) return refuseRoute(match.allowed, requestId);
    const target = match.found;
    if (!ownHost && isServiceWorker(request)) {
      return refusal(403, "Forbidden", "Functions serve no service workers.", requestId);
    }
    const trace = traces?.call({ name: target.name, method: request.method, route: PREFIX + target.route, requestId });
    const ended = (outcome: Outcome) => onEnd(target.id, outcome, performance.now() - began);
    try {
      const presented = credentials(request.headers, request.url)
        .map((credential) => ({ ...credential, holder: access.find(credential.value) }));
      const entry = admit(target, presented[0], requestId);
      if (entry instanceof Response) {
        ended("refused");
        return entry;
      }
      if (entry) access.recordUse(entry.keyId);
      const timeoutMs = target.timeoutMs ?? settings.get("sandbox.timeout-ms");
      const graph = imports.graph(target.handler);
      const code = graph instanceof Promise ? await inTime(graph, timeoutMs) : graph;
      const response = await pool.call(
        toTarget(target, entry, code, timeoutMs, deps),
        {
          method: request.method,
          url: withoutApiKey(request.url),
          path,
          headers: headersFor(request.headers, presented, trace),
          params: match.params,
          requestId,
          requestedAt,
          group: entry?.groupName ?? null,
          body: await bodyOf(request),
          caller: {
            functionId: target.id,
            holder: entry,
            mayAsk: (name) => maySecretBeAsked(target.secrets, name),
            trace,
          },
        },
      );
      const answer = toResponse(response, request.method, requestId, ownHost);
      if (response.ended) void response.ended.then((failure) => ended(failure ? outcomeOf(failure) : "ok"));
      else ended("ok");
      return answer;
    } catch (error) {
      ended(outcomeOf(error));
      trace?.failed(error instanceof CallFailure ? error.kind : "bug");
      return failed(error, target, requestId, deps);
    }
  }
}

type Presented = Credential & { holder: KeyHolder | undefined };

/** The holder whose key lets the call in; undefined on a public route, where keys do not count; or a refusal. */
function admit(
  { keys }: RegisteredFunction,
  first: Presented | undefined,
  requestId: string,
): KeyHolder | undefined | Response {
  const way = admission(keys, first?.holder);
  if (way.admitted) return way.holder;
  if (way.status === 403) return refusal(403, "Forbidden", way.reason, requestId);
  const error = first ? "This API key is not known." : way.reason;
  return refusal(401, "Unauthorized", error, requestId, { "WWW-Authenticate": "Bearer" });
}

function refuseRoute(allowed: readonly string[], requestId: string): Response {
  if (allowed.length === 0) return refusal(404, "NotFound", "No function answers this path.", requestId);
  const error = `This path takes ${allowed.join(", ")}.`;
  return refusal(405, "MethodNotAllowed", error, requestId, { Allow: allowed.join(", ") });
}

/**
 * What the handler sees of the request's headers. A key of this server never reaches a handler: its author
 * could use it elsewhere, as whoever called.
 */
function headersFor(headers: Headers, presented: readonly Presented[], trace: CallTrace | undefined): FlatHeaders {
  const hidden = presented.filter(({ holder }) => holder).map(({ from }) => from.toLowerCase());
  const flat: FlatHeaders = [];
  for (const [name, value] of headers) {
    if (hidden.includes(name) || (trace && name === "traceparent")) continue;
    const shown = requestHeader(name, value);
    if (shown === undefined) continue;
    // A page that was opened with its key in the address tells it to all that it calls.
    flat.push(name, name === "referer" ? withoutApiKey(shown) : shown);
  }
  // What the handler calls in turn belongs to this call's trace.
  if (trace) flat.push("traceparent", trace.traceparent);
  return flat;
}

/** Small bodies of known length whole, as that is far cheaper than a stream. */
async function bodyOf(request: Request): Promise<Uint8Array | ReadableStream<Uint8Array> | null> {
  if (!request.body) return null;
  const length = Number(request.headers.get("content-length") ?? Infinity);
  return length <= WHOLE_REQUEST_MAX_BYTES ? await request.bytes() : request.body;
}

function toTarget(
  entry: RegisteredFunction,
  holder: KeyHolder | undefined,
  graph: ModuleGraph,
  timeoutMs: number,
  { imports, settings }: RunDependencies,
): Target {
  const { id, name, description, handler, route, methods, keys } = entry;
  const memoryMb = entry.memoryMb ?? settings.get("sandbox.memory-mb");
  const denied = settings.get("sandbox.net.deny");
  return {
    functionId: id,
    tenant: entry.isolation === "per-key" ? holder?.keyId ?? 0 : 0,
    version: `${graph.version} ${entry.updatedAt} ${memoryMb} ${denied}`,
    code: {
      files: graph.files,
      lockFile: graph.remote ? imports.lockFile : undefined,
      packages: graph.packages,
      importHosts: settings.get("sandbox.import-hosts"),
      net: entry.permissions.net,
      memoryMb,
    },
    route: { name, description, handler, route, methods, keys },
    timeoutMs,
  };
}

async function inTime(graph: Promise<ModuleGraph>, timeoutMs: number): Promise<ModuleGraph> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    const failure = new CallFailure("timeout", false, `Its modules were not found in ${timeoutMs} ms.`);
    timer = setTimeout(() => reject(failure), timeoutMs);
  });
  try {
    return await Promise.race([graph, late]);
  } finally {
    clearTimeout(timer);
  }
}

function toResponse(
  { status, headers, body }: CallResponse,
  method: string,
  requestId: string,
  ownHost: boolean,
): Response {
  try {
    // 101 would hand the connection over.
    if (status < 200) throw new RangeError(`the status ${status} is no response's`);
    const kept = new Headers();
    for (let i = 0; i < headers.length; i += 2) {
      const [name, value] = [headers[i]!, headers[i + 1]!];
      const lower = name.toLowerCase();
      if (!HOP_HEADERS.has(lower) && maySend(lower, value, ownHost)) kept.append(name, value);
    }
    kept.set("X-Request-Id", requestId);
    const empty = method === "HEAD" || NULL_BODY_STATUSES.includes(status);
    if (empty) discard(body);
    return new Response(empty ? null : body, { status, headers: kept });
  } catch (error) {
    // A status or header that no HTTP response can have. Nobody will read what follows.
    discard(body);
    throw new CallFailure("nonsense", true, (error as Error).message);
  }
}

/** How a call ended that `error` ended. */
function outcomeOf(error: unknown): Outcome {
  if (!(error instanceof CallFailure)) return "error";
  switch (error.kind) {
    case "timeout":
      return "timeout";
    case "no-room":
    case "suspended":
      return "refused";
    case "stopped":
      return error.sent ? "error" : "refused";
    case "load-failed":
    case "threw":
    case "nonsense":
    case "died":
      return "error";
  }
}

/** Failures whose text is in the log. */
const told = new WeakSet<CallFailure>();

/** Ends the call whose body nobody wants; that it may have broken off already does not matter. */
function discard(body: CallResponse["body"]): void {
  if (body instanceof ReadableStream) body.cancel().catch(() => {});
}

function failed(
  error: unknown,
  { id, name }: RegisteredFunction,
  requestId: string,
  { log, mask }: RunDependencies,
): Response {
  const context = { function: name, requestId };
  if (!(error instanceof CallFailure)) {
    log("error", error instanceof Error ? error.stack ?? error.message : String(error), context);
    return internalError(requestId);
  }
  const why = mask(id, error.message);
  switch (error.kind) {
    case "load-failed":
      // Calls share a failure for a while; its text need not be told each time.
      log("error", `The handler could not be loaded: ${told.has(error) ? "as for the call before" : why}`, context);
      told.add(error);
      return internalError(requestId);
    case "threw":
      log("error", `The handler failed: ${why}`, context);
      return internalError(requestId);
    case "nonsense":
      log("error", `The handler's response cannot be sent: ${why}`, context);
      return internalError(requestId);
    case "timeout":
      log("error", `The call took too long: ${why}`, context);
      return refusal(504, "Timeout", "The function did not answer in time.", requestId);
    case "died":
      log("error", `The call's isolate died: ${why}`, context);
      return refusal(502, "IsolateDied", "The function ended without an answer.", requestId);
    case "stopped":
    case "no-room":
    case "suspended":
      log("warn", `The call was refused: ${why}`, context);
      return refusal(503, "Busy", "The function cannot take this call now. Try again.", requestId, {
        "Retry-After": String(error.retryAfterSeconds),
      });
  }
}

/** The same for every cause, so that nothing of it reaches the caller. */
function internalError(requestId: string): Response {
  return Response.json({ error: "Internal Server Error", requestId }, {
    status: 500,
    headers: { "X-Request-Id": requestId },
  });
}

function refusal(
  status: number,
  code: string,
  error: string,
  requestId: string,
  headers: Record<string, string> = {},
): Response {
  return Response.json({ error, code, requestId }, { status, headers: { ...headers, "X-Request-Id": requestId } });
}
