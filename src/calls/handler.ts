// /run/*: which function answers, whether the caller may call it, and the way of the request through
// its sandbox and back.

import { getPath } from "hono/utils/url";
import type { Access } from "../core/access/access.ts";
import { admission } from "../core/access/admission.ts";
import { type Assets, type AssetsService, NO_ASSETS } from "../code/files/assets.ts";
import type { Imports, ModuleGraph } from "../code/modules/imports.ts";
import type { Cors } from "../core/functions/permissions.ts";
import type { RegisteredFunction, Registry } from "../core/functions/registry.ts";
import type { Match } from "../core/functions/router.ts";
import { messageOf } from "../errors.ts";
import type { FunctionId } from "../ids.ts";
import { type Findings, type Leak, leakSearch } from "../masking/leaks.ts";
import type { Outcome } from "../telemetry/tally.ts";
import type { CallTrace, Traces } from "../telemetry/traces.ts";
import { CallFailure, outdated, revoked } from "../sandbox/host/failure.ts";
import { type CallResponse, contentLength } from "../sandbox/host/invocation.ts";
import type { Pool } from "../sandbox/host/pool.ts";
import { BUSY_CALLS, type FlatHeaders } from "../sandbox/wire/protocol.ts";
import type { Settings } from "../core/settings/settings.ts";
import type { KeyHolder } from "../store/access.ts";
import { addCorsHeaders, isPreflight, preflightResponse } from "./cors.ts";
import { type Credential, credentials } from "../http/credentials.ts";
import { createKeyRemoval, type KeyRemoval } from "./key_removal.ts";
import { guardResponse } from "./leak_guard.ts";
import { RUN_PREFIX } from "../http/paths.ts";
import { type ResponseMaker, responseMaker } from "./responses.ts";
import { brokeOff, type Call, failed, outcomeOf, refusal, tell, type Telling } from "./failures.ts";
import { isServiceWorker, requestHeader, sandboxPage } from "./browser_isolation.ts";
import { RunCaller } from "./caller.ts";
import { createTargets } from "./target.ts";
import { countTurns } from "./turn_batch.ts";
import { UnsentHeaders } from "./unsent_headers.ts";

export interface RunDependencies extends Telling {
  readonly access: Access;
  readonly registry: Registry;
  readonly imports: Imports;
  /** Another number after each change of what is stored. */
  readonly changes: () => number;
  readonly assets: AssetsService;
  readonly pool: Pool<RunCaller>;
  readonly settings: Settings;
  /** Hears of each response that holds values which its call was given, or was withheld as it may. */
  readonly onLeak: (leak: Leak) => void;
  readonly traces?: Traces | undefined;
  /** Hears of each call that a function was found for, when it is over, its response included. */
  readonly onEnd: (functionId: FunctionId, outcome: Outcome, durationMs: number) => void;
}

/** How often a call is admitted again because something was changed before it was sent. */
const ADMISSIONS_MAX = 5;
/** Larger bodies stay with the client until their handler reads them. */
const WHOLE_REQUEST_MAX_BYTES = 16 * 1024;
/** Statuses whose responses have no body (Fetch, 2.2.3), except 205. */
const NULL_BODY_STATUSES = [204, 304];

export interface Run {
  /** Answers a request under `/run`; `ownHost` if it came under a name that functions have to themselves. Never throws. */
  answer(request: Request, ownHost?: boolean): Promise<Response>;
  /** How many calls have no response yet. */
  readonly underWay: number;
}

export function createRun(deps: RunDependencies): Run {
  const { access, registry, imports, pool, settings, masking, traces, onEnd } = deps;
  const targetOf = createTargets(settings);
  const makeResponse = responseMaker();
  const unsent = new UnsentHeaders();
  const keyRemoval = createKeyRemoval(access);
  const assetsOf = async (patterns: readonly string[], call: Call): Promise<Assets> => {
    const assets = await deps.assets.of(patterns);
    if (assets.problem !== undefined && !reported.has(assets)) {
      reported.add(assets);
      tell(deps, call, "warn", "error", `The patterns of its files ${assets.problem}. It has the first of them.`);
    }
    return assets;
  };
  /** Files of functions that have too many. */
  const reported = new WeakSet<Assets>();
  let underWay = 0;
  const turn = countTurns(() => underWay >= BUSY_CALLS);

  function answer(request: Request, ownHost = false): Promise<Response> {
    const path = getPath(request);
    const match = matchOf(request.method, path);
    const preflight = request.method === "OPTIONS" ? answerPreflight(request, path) : undefined;
    if (preflight) return Promise.resolve(asPage(preflight, ownHost));
    // A 405 is readable for the origins of a function that takes another method.
    const { cors } = match.found ?? matchOf(match.allowed[0] ?? "", path).found ?? { cors: null };
    const response = callOf(request, path, match, ownHost);
    // No async function where there is nothing to add: another `await` would cost each call a microsecond of fifty.
    return cors ? response.then((response) => withCors(response, cors, request)) : response;
  }

  const matchOf = (method: string, path: string): Match<RegisteredFunction> =>
    registry.match(method, path.slice(RUN_PREFIX.length) || "/");

  /** Before a key is asked for: a browser sends none with a preflight. Undefined if no function has `cors` for it. */
  function answerPreflight(request: Request, path: string): Response | undefined {
    if (!isPreflight(request)) return undefined;
    const { found } = matchOf(request.headers.get("access-control-request-method")!, path);
    return found?.cors ? preflightResponse(found.cors, found.methods, request.headers) : undefined;
  }

  /** What the call would be answered if it came now: its right was taken away while it ran. */
  function refusalNow({ method, url, headers }: Request, path: string, requestId: string): Response {
    const match = matchOf(method, path);
    if (!match.found) return refuseRoute(match.allowed, requestId);
    const [first] = credentials(headers, url);
    const entry = admit(match.found, first && { ...first, holder: access.find(first.value) }, requestId);
    if (entry instanceof Response) return entry;
    return refusal(403, "EntitlementLost", "The function was changed during the call. Try again.", requestId);
  }

  // One function for the whole call: each additional `await` costs a microsecond of some fifty.
  async function callOf(
    request: Request,
    path: string,
    match: Match<RegisteredFunction>,
    ownHost: boolean,
    earlier?: Admitted,
  ): Promise<Response> {
    const requestId = earlier?.requestId ?? crypto.randomUUID();
    const requestedAt = earlier?.requestedAt ?? Date.now();
    const began = earlier?.began ?? performance.now();
    const { method, url, headers } = request;
    if (!match.found) return asPage(refuseRoute(match.allowed, requestId), ownHost);
    const target = match.found;
    if (!ownHost && isServiceWorker(request)) {
      return asPage(refusal(403, "Forbidden", "Functions serve no service workers.", requestId), ownHost);
    }
    const trace = traces?.call({ name: target.name, method, route: RUN_PREFIX + target.route, requestId });
    const call: Call = { target, requestId, began, handed: masking.begin(target.id) };
    const ended = (outcome: Outcome) => onEnd(target.id, outcome, performance.now() - began);
    underWay++;
    let body = earlier?.body ?? null;
    let caller: RunCaller | undefined;
    let isStreamed = false;
    try {
      const presented = credentials(headers, url)
        .map(({ value, from }) => ({ value, from, holder: access.find(value) }));
      const entry = admit(target, presented[0], requestId);
      if (entry instanceof Response) {
        ended("refused");
        return asPage(entry, ownHost);
      }
      if (entry) access.recordUse(entry.keyId);
      caller = new RunCaller(deps, target, entry, { trace, handed: call.handed });
      const bodyTimeoutMs = request.body ? settings.get("run.body-timeout-ms") : 0;
      if (!earlier && request.body) body = await bodyOf(request, request.body, bodyTimeoutMs);
      // Whether a file was edited is looked at after the request came, once for all that came with it.
      const graph = imports.graph(target.handler, await turn());
      const code = graph instanceof Promise
        ? await graphInTime(graph, target.timeoutMs ?? settings.get("sandbox.timeout-ms"))
        : graph;
      const { files } = target;
      const assets = files.length === 0 ? NO_ASSETS : await assetsOf(files, call);
      // What was decided before the waits above may have changed since.
      if (!caller.isCurrent) throw outdated();
      if (deps.logs.keeps("debug")) tell(deps, call, "debug", "exec_start", `${method} ${path}`);
      keyRemoval.begin();
      const response = await pool.call(targetOf(target, entry, code, assets), {
        method,
        url: keyRemoval.url(url),
        path,
        headers: headersFor(headers, keyRemoval, trace),
        params: match.params,
        requestId,
        requestedAt,
        group: entry?.groupName ?? null,
        body,
        caller,
        bodyTimeoutMs,
        client: request,
      });
      const answer = toResponse(guarded(response, call, deps), method, requestId, ownHost, makeResponse, (name) => {
        const warning = unsent.warning(target, code, name, ownHost);
        if (warning !== undefined) tell(deps, call, "warn", "error", warning);
      });
      const finish = (failure: CallFailure | undefined): void => {
        ended(failure ? outcomeOf(failure) : "ok");
        if (failure) brokeOff(failure, call, deps);
        else tell(deps, call, "debug", "exec_end", `Status ${response.status}.`);
      };
      isStreamed = response.ended !== undefined;
      if (response.ended) void response.ended.then(finish).finally(() => masking.release(call.handed));
      else finish(undefined);
      return answer;
    } catch (error) {
      const admissions = (earlier?.admissions ?? 0) + 1;
      if (error instanceof CallFailure && error.kind === "outdated" && admissions < ADMISSIONS_MAX) {
        trace?.failed(error.kind);
        return callOf(request, path, matchOf(method, path), ownHost, {
          requestId,
          requestedAt,
          began,
          body,
          admissions,
        });
      }
      if (caller && !caller.isEntitled && isRefused(error)) {
        ended("refused");
        trace?.failed("revoked");
        tell(deps, call, "warn", "exec_reject", `The call was ended: ${revoked().message}`);
        return asPage(refusalNow(request, path, requestId), ownHost);
      }
      ended(outcomeOf(error));
      trace?.failed(error instanceof CallFailure ? error.kind : "bug");
      return asPage(failed(error, call, deps), ownHost);
    } finally {
      underWay--;
      if (!isStreamed) masking.release(call.handed);
    }
  }

  return {
    answer,
    get underWay() {
      return underWay;
    },
  };
}

/** Whether `error` can come from the loss of the call's right: it was ended, or its handler was refused a secret. */
function isRefused(error: unknown): boolean {
  return error instanceof CallFailure && (error.kind === "revoked" || error.kind === "threw");
}

/** What a call keeps when it is admitted again. */
interface Admitted {
  readonly requestId: string;
  readonly requestedAt: number;
  /** By `performance.now()`. */
  readonly began: number;
  readonly body: Uint8Array | ReadableStream<Uint8Array> | null;
  readonly admissions: number;
}

function withCors(response: Response, cors: Cors, request: Request): Response {
  addCorsHeaders(response.headers, cors, request.headers.get("origin"));
  return response;
}

/** An answer that is no function's own. */
function asPage(response: Response, ownHost: boolean): Response {
  if (!ownHost) sandboxPage(response.headers);
  return response;
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

/** Returns what the handler sees of the request's headers. */
function headersFor(headers: Headers, keys: KeyRemoval, trace: CallTrace | undefined): FlatHeaders {
  const flat: string[] = [];
  // Not by for-of, which takes twice as long (measured on Deno 2.9.6).
  headers.forEach((value, name) => {
    if (trace && name === "traceparent") return;
    const shown = requestHeader(name, value);
    if (shown === undefined) return;
    const withoutKey = keys.header(name, shown);
    if (withoutKey !== undefined) flat.push(name, withoutKey);
  });
  // What the handler calls in turn belongs to this call's trace.
  if (trace) flat.push("traceparent", trace.traceparent);
  return flat;
}

/**
 * Small bodies of known length whole, as that is far cheaper than a stream.
 * @throws CallFailure gone, silent
 */
async function bodyOf(
  request: Request,
  body: ReadableStream<Uint8Array>,
  timeoutMs: number,
): Promise<Uint8Array | ReadableStream<Uint8Array>> {
  const length = Number(request.headers.get("content-length") ?? Infinity);
  if (length > WHOLE_REQUEST_MAX_BYTES) return body;
  const bytes = request.bytes().catch((error) => {
    throw new CallFailure("gone", false, `The caller broke the request's body off: ${messageOf(error)}.`);
  });
  const silent = new CallFailure("silent", false, `The request's body did not arrive in ${timeoutMs} ms.`);
  return await within(bytes, timeoutMs, silent);
}

function graphInTime(graph: Promise<ModuleGraph>, timeoutMs: number): Promise<ModuleGraph> {
  return within(graph, timeoutMs, new CallFailure("timeout", false, `Its modules were not found in ${timeoutMs} ms.`));
}

/** @throws `failure` after the time */
async function within<T>(awaited: Promise<T>, timeoutMs: number, failure: CallFailure): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(failure), timeoutMs);
  });
  try {
    return await Promise.race([awaited, late]);
  } finally {
    clearTimeout(timer);
  }
}

function toResponse(
  { status, headers, body }: CallResponse,
  method: string,
  requestId: string,
  ownHost: boolean,
  makeResponse: ResponseMaker,
  onUnsent: (name: string) => void,
): Response {
  try {
    // 101 would hand the connection over.
    if (status < 200) throw new RangeError(`the status ${status} is no response's`);
    // It comes without a length, so that its reader waits for the end of the connection (hyper 1).
    if (status === 205) throw new RangeError("the status 205 cannot be sent over HTTP/1.1; use 204");
    const hasNoBody = NULL_BODY_STATUSES.includes(status);
    const isStream = body instanceof ReadableStream;
    const isHead = method === "HEAD" && !hasNoBody;
    if (hasNoBody || (isHead && isStream)) discard(body);
    const sent = hasNoBody ? null : isHead ? headBody(body) : body;
    const response = makeResponse(sent, status, headers, requestId, ownHost, onUnsent);
    const isTheirs = !hasNoBody && (isStream || (isHead && body === null));
    const length = isTheirs ? contentLength(headers) : undefined;
    if (length !== undefined) response.headers.set("Content-Length", String(length));
    return response;
  } catch (error) {
    // A status or header that no HTTP response can have. Nobody will read what follows.
    discard(body);
    throw new CallFailure("nonsense", true, (error as Error).message);
  }
}

/**
 * What stands for the body of a response to HEAD: of a whole one, its length is sent as for GET; of others none is,
 * unless the handler says it (RFC 9110, 8.6). A body of null would be announced with a length of 0.
 */
function headBody(body: CallResponse["body"]): BodyInit {
  if (body !== null && !(body instanceof ReadableStream)) return body;
  return new ReadableStream({ start: (controller) => controller.close() });
}

/** Ends the call whose body nobody wants; that it may have broken off already does not matter. */
function discard(body: CallResponse["body"]): void {
  if (body instanceof ReadableStream) body.cancel().catch(() => {});
}
