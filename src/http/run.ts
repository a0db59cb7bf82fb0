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
import { type Findings, type Leak, leakSearch } from "../observe/leaks.ts";
import type { Log } from "../observe/log.ts";
import type { NewLogEntry } from "../observe/log_queue.ts";
import type { Logs } from "../observe/logs.ts";
import type { Handed, Masking } from "../observe/masking.ts";
import type { Outcome } from "../observe/tally.ts";
import type { CallTrace, Traces } from "../observe/traces.ts";
import { CallFailure } from "../sandbox/failure.ts";
import type { CallResponse } from "../sandbox/invocation.ts";
import type { Pool, Target } from "../sandbox/pool.ts";
import type { FlatHeaders } from "../sandbox/protocol.ts";
import type { Settings } from "../settings/settings.ts";
import type { KeyHolder } from "../store/access.ts";
import { type Credential, credentials, withoutApiKey } from "./credentials.ts";
import { guardResponse } from "./response_guard.ts";
import { isServiceWorker, maySend, requestHeader, sandboxPage } from "./run_isolation.ts";

/** Who asks for secrets, and what it has been given. */
export interface RunCaller extends TracedCaller {
  readonly handed: Handed;
}

export interface RunDependencies {
  readonly access: Access;
  readonly registry: Registry;
  readonly imports: Imports;
  readonly pool: Pool<RunCaller>;
  readonly settings: Settings;
  readonly log: Log;
  readonly masking: Masking;
  /** The functions' own logs. */
  readonly logs: Pick<Logs, "keeps" | "write">;
  /** Hears of each response that holds values which its call was given, or was withheld as it may. */
  readonly onLeak: (leak: Leak) => void;
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
  const { access, registry, imports, pool, settings, masking, traces, onEnd } = deps;

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
    const call: Call = { target, requestId, began, handed: masking.begin(target.id) };
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
      tell(deps, call, "debug", "exec_start", `${request.method} ${path}`);
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
            handed: call.handed,
          },
        },
      );
      const answer = toResponse(guarded(response, call, deps), request.method, requestId, ownHost);
      const finish = (failure: CallFailure | undefined): void => {
        ended(failure ? outcomeOf(failure) : "ok");
        if (failure) brokeOff(failure, call, deps);
        else tell(deps, call, "debug", "exec_end", `Status ${response.status}.`);
      };
      if (response.ended) void response.ended.then(finish);
      else finish(undefined);
      return answer;
    } catch (error) {
      ended(outcomeOf(error));
      trace?.failed(error instanceof CallFailure ? error.kind : "bug");
      return failed(error, call, deps);
    }
  }
}

/** A call that a function was found for. */
interface Call {
  readonly target: RegisteredFunction;
  readonly requestId: string;
  /** By `performance.now()`. */
  readonly began: number;
  readonly handed: Handed;
}

/** Puts an entry about the call into its function's log. */
function tell(
  { logs }: RunDependencies,
  { target, requestId, began, handed }: Call,
  level: NewLogEntry["level"],
  event: NewLogEntry["event"],
  message: string,
): void {
  if (!logs.keeps(level)) return;
  // To a thousandth: what the clock shows beyond that is noise.
  const durationMs = event === "exec_start" ? undefined : Math.round((performance.now() - began) * 1_000) / 1_000;
  logs.write({ functionId: target.id, requestId, level, event, message, durationMs, handed });
}

/** The response as its function's `responseGuard` lets it pass. @throws CallFailure withheld */
function guarded(response: CallResponse, call: Call, deps: RunDependencies): CallResponse {
  const { target, requestId, handed } = call;
  const { responseGuard } = target;
  const isOver = !(response.body instanceof ReadableStream);
  if (responseGuard === "off" || (isOver && handed.values.size === 0 && !handed.isTooMuch)) return response;
  const blocks = responseGuard === "block";
  const onFound = ({ names, certain }: Findings): void => {
    const what = certain ? `holds ${names.join(", ")}` : "could not be searched for secrets";
    tell(deps, call, "warn", "leak", `The response ${what}${blocks ? " and was withheld" : ""}.`);
    if (!certain && !blocks) return;
    deps.onLeak({ functionId: target.id, functionName: target.name, requestId, names, blocked: blocks });
  };
  return guardResponse(response, { search: leakSearch(deps.masking, handed), blocks, onFound });
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
    case "withheld":
      return "error";
  }
}

/** Failures whose text is in the log. */
const told = new WeakSet<CallFailure>();

/** Ends the call whose body nobody wants; that it may have broken off already does not matter. */
function discard(body: CallResponse["body"]): void {
  if (body instanceof ReadableStream) body.cancel().catch(() => {});
}

/** Tells the operator, and whoever reads the function's log, that a call failed. */
function report(level: "warn" | "error", text: string, call: Call, deps: RunDependencies): void {
  const { target, requestId, handed } = call;
  deps.log(level, deps.masking.mask(target.id, text, handed), { function: target.name, requestId });
  tell(deps, call, level, "exec_reject", text);
}

/** The caller has the beginning of an answer already, so that nobody else will tell. */
function brokeOff(failure: CallFailure, call: Call, deps: RunDependencies): void {
  report("error", `The response broke off: ${failure.message}`, call, deps);
}

function failed(error: unknown, call: Call, deps: RunDependencies): Response {
  const { requestId } = call;
  if (!(error instanceof CallFailure)) {
    const what = error instanceof Error ? error.stack ?? error.message : String(error);
    deps.log("error", what, { function: call.target.name, requestId });
    tell(deps, call, "error", "error", "The server failed; its own log has the cause.");
    return internalError(requestId);
  }
  const why = error.message;
  switch (error.kind) {
    case "load-failed":
      // Calls share a failure for a while; its text need not be told each time.
      report(
        "error",
        `The handler could not be loaded: ${told.has(error) ? "as for the call before" : why}`,
        call,
        deps,
      );
      told.add(error);
      return internalError(requestId);
    case "threw":
      report("error", `The handler failed: ${why}`, call, deps);
      return internalError(requestId);
    case "nonsense":
      report("error", `The handler's response cannot be sent: ${why}`, call, deps);
      return internalError(requestId);
    case "withheld":
      report("error", `The response was withheld: ${why}`, call, deps);
      return internalError(requestId);
    case "timeout":
      report("error", `The call took too long: ${why}`, call, deps);
      return refusal(504, "Timeout", "The function did not answer in time.", requestId);
    case "died":
      report("error", `The call's isolate died: ${why}`, call, deps);
      return refusal(502, "IsolateDied", "The function ended without an answer.", requestId);
    case "stopped":
    case "no-room":
    case "suspended":
      report("warn", `The call was refused: ${why}`, call, deps);
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
