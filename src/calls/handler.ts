// Answers requests under /run: finds the function, decides whether the caller may call it, and passes the request
// through the function's sandbox and the response back.

import { getPath } from "hono/utils/url";
import { decideAdmission, type KeyDirectory } from "../core/access/directory.ts";
import { type AssetFinder, type Assets, NO_ASSETS } from "../code/files/assets.ts";
import type { Imports } from "../code/modules/imports.ts";
import type { AppError } from "../errors.ts";
import type { Cors } from "../core/functions/permissions.ts";
import type { KeyId } from "../ids.ts";
import type { RegisteredFunction, Registry } from "../core/functions/registry.ts";
import type { Match } from "../core/functions/router.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { Outcome } from "../telemetry/tally.ts";
import type { Traces } from "../telemetry/traces.ts";
import { CallFailure, outdated, revoked } from "../sandbox/host/failure.ts";
import type { CallResponse } from "../sandbox/host/invocation.ts";
import type { Pool } from "../sandbox/host/pool.ts";
import { BUSY_CALLS } from "../sandbox/wire/protocol.ts";
import type { Settings } from "../core/settings/settings.ts";
import type { SecretAlerts } from "../core/secrets/alerts.ts";
import type { Audit } from "../core/audit/audit.ts";
import type { KeyHolder } from "../store/access.ts";
import type { Serving } from "../serving.ts";
import type { ChangeCounter } from "../store/database.ts";
import { addCorsHeaders, isPreflight, preflightResponse } from "./cors.ts";
import { type Credential, credentials } from "../http/credentials.ts";
import { type Findings, guardResponse } from "./leak_guard.ts";
import { RUN_PREFIX } from "../http/request_target.ts";
import { bodyOf, graphInTime } from "./request_waits.ts";
import { createKeyRemoval, headersFor } from "./shown_request.ts";
import { createResponseMaker, toResponse } from "./responses.ts";
import { type Call, type CallLog, failureResponse, logCall, outcomeOf, refusal, responseAborted } from "./failures.ts";
import { sandboxPage } from "./browser_isolation.ts";
import { RunCaller } from "./caller.ts";
import { UnsentHeaders } from "./response_headers.ts";
import { createTargets, createTurnBatch } from "./target.ts";
import { onTrial } from "./trial.ts";

export interface RunDependencies extends CallLog {
  readonly access: KeyDirectory;
  readonly registry: Registry;
  readonly imports: Imports;
  readonly changes: ChangeCounter;
  readonly assets: AssetFinder;
  readonly pool: Pool<RunCaller>;
  readonly settings: Settings;
  /** Undefined without a cluster. */
  readonly serving?: Serving | undefined;
  /** Records each response that contains a disclosed secret, or was blocked because it could not be checked. */
  readonly audit: Pick<Audit, "recordLeak">;
  /** Raises the alerts of canaries in these responses. */
  readonly alerts: Pick<SecretAlerts, "sent">;
  readonly traces?: Traces | undefined;
  /** Counts each call for which a function was found, after its response was sent. */
  readonly metrics: Pick<Metrics, "ended" | "refusedOnTrial">;
}

/** How often a call is admitted again because something was changed before it was sent. */
const ADMISSIONS_MAX = 5;

export interface Run {
  /** Answers a request under `/run`. `ownHost` says that the request's host serves functions only. Never throws. */
  answer(request: Request, ownHost?: boolean): Promise<Response>;
  /** Calls without a response yet. */
  readonly underWay: number;
}

/** Creates the handler of /run. One long function, as its parts share the dependencies of all calls. */
export function createRun(deps: RunDependencies): Run {
  const { access, registry, imports, pool, settings, masking, traces, metrics, serving } = deps;
  const targetOf = createTargets(settings);
  const makeResponse = createResponseMaker();
  const unsent = new UnsentHeaders();
  const keyRemoval = createKeyRemoval(access);
  const assetsOf = async (patterns: readonly string[], call: Call): Promise<Assets> => {
    const assets = await deps.assets.of(patterns);
    if (assets.problem !== undefined && !reported.has(assets)) {
      reported.add(assets);
      logCall(
        deps,
        call,
        "warn",
        "error",
        `The file patterns ${assets.problem}. The function can read only the first of these files.`,
      );
    }
    return assets;
  };
  /** Files of functions that have too many, once this was logged. */
  const reported = new WeakSet<Assets>();
  let underWay = 0;
  const nextTurn = createTurnBatch(() => underWay >= BUSY_CALLS);

  function answer(request: Request, ownHost = false): Promise<Response> {
    const refused = serving?.callRefusal();
    if (refused) return Promise.resolve(asPage(notServing(refused, crypto.randomUUID()), ownHost));
    const path = getPath(request);
    const match = matchOf(request.method, path);
    const preflight = request.method === "OPTIONS" ? answerPreflight(request, path) : undefined;
    if (preflight) return Promise.resolve(asPage(preflight, ownHost));
    // A 405 can be read by the origins of a function that answers another method on this path.
    const { cors } = match.found ?? matchOf(match.allowed[0] ?? "", path).found ?? { cors: null };
    const response = callOf(request, path, match, ownHost);
    // Not an async function: an additional `await` costs about 1 µs of a 50 µs call.
    return cors ? response.then((response) => withCors(response, cors, request)) : response;
  }

  const matchOf = (method: string, path: string): Match<RegisteredFunction> =>
    registry.match(method, path.slice(RUN_PREFIX.length) || "/");

  /**
   * Answers a preflight before a key is checked, as browsers send none with it. Returns undefined for other requests,
   * and if no function on this path has `cors`.
   */
  function answerPreflight(request: Request, path: string): Response | undefined {
    if (!isPreflight(request)) return undefined;
    const { found } = matchOf(request.headers.get("access-control-request-method")!, path);
    return found?.cors ? preflightResponse(found.cors, found.methods, request.headers) : undefined;
  }

  /** Returns what the call would be answered now that its right was revoked while it ran. */
  function refusalNow({ method, url, headers }: Request, path: string, requestId: string): Response {
    const match = matchOf(method, path);
    if (!match.found) return refuseRoute(match.allowed, requestId);
    const [first] = credentials(headers, url);
    const holder = admit(match.found, first && { ...first, holder: access.find(first.value) }, requestId);
    if (holder instanceof Response) return holder;
    return refusal(403, "EntitlementLost", "The function was changed during the call. Try again.", requestId);
  }

  // Kept as one function, although it is long: each additional `await` costs about 1 µs of a 50 µs call.
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
    const fn = match.found;
    if (!ownHost && isServiceWorker(request)) {
      return asPage(
        refusal(403, "Forbidden", "Functions cannot serve service workers on this host.", requestId),
        ownHost,
      );
    }
    const trace = traces?.call({ name: fn.name, method, route: RUN_PREFIX + fn.route, requestId });
    const call: Call = { fn, requestId, began, disclosed: masking.begin(fn.id), keyId: undefined };
    let keyId: KeyId | undefined;
    const ended = (outcome: Outcome) => metrics.ended(fn.id, outcome, performance.now() - began, keyId);
    underWay++;
    let body = earlier?.body ?? null;
    let caller: RunCaller | undefined;
    let isStreamed = false;
    try {
      const presented = credentials(headers, url)
        .map(({ value, from }) => ({ value, from, holder: access.find(value) }));
      const holder = admit(fn, presented[0], requestId);
      if (holder instanceof Response) {
        keyId = presented[0]?.holder?.keyId;
        ended("refused");
        return asPage(holder, ownHost);
      }
      if (holder) {
        call.keyId = keyId = holder.keyId;
        access.recordUse(keyId);
      }
      const keepsDebug = settings.get("log.level") === "debug";
      caller = new RunCaller(deps, fn, holder, {
        trace,
        disclosed: call.disclosed,
        onTrial: fn.trial?.secrets ? onTrial(call, fn.trial.secrets, deps) : undefined,
        onAsked: keepsDebug ? (message) => logCall(deps, call, "debug", "secret", message) : undefined,
      });
      const bodyTimeoutMs = request.body ? settings.get("run.body-timeout-ms") : 0;
      if (!earlier && request.body) body = await bodyOf(request, request.body, bodyTimeoutMs);
      // Files are checked for edits after the request arrived, once for all requests of the same turn.
      const graph = imports.graph(fn.handler, await nextTurn());
      const code = graph instanceof Promise
        ? await graphInTime(graph, fn.timeoutMs ?? settings.get("sandbox.timeout-ms"))
        : graph;
      const { files } = fn;
      const assets = files.length === 0 ? NO_ASSETS : await assetsOf(files, call);
      // The function or the key may have changed during the waits above.
      if (!caller.isCurrent) throw outdated();
      if (keepsDebug) logCall(deps, call, "debug", "exec_start", `${method} ${path}`);
      keyRemoval.begin();
      const response = await pool.call(targetOf(fn, holder, code, assets), {
        method,
        url: keyRemoval.url(url),
        path,
        headers: headersFor(headers, keyRemoval, trace),
        params: match.params,
        requestId,
        requestedAt,
        group: holder?.groupName ?? null,
        body,
        caller,
        bodyTimeoutMs,
        client: request,
      });
      const answer = toResponse(guarded(response, call, deps), method, requestId, ownHost, makeResponse, (name) => {
        const warning = unsent.warning(fn, code, name, ownHost);
        if (warning !== undefined) logCall(deps, call, "warn", "error", warning);
      });
      const finish = (failure: CallFailure | undefined): void => {
        ended(failure ? outcomeOf(failure) : "ok");
        if (failure) responseAborted(failure, call, deps);
        else if (keepsDebug) logCall(deps, call, "debug", "exec_end", `Status ${response.status}.`);
      };
      isStreamed = response.ended !== undefined;
      if (response.ended) void response.ended.then(finish).finally(() => masking.release(call.disclosed));
      else finish(undefined);
      return answer;
    } catch (error) {
      const admissions = (earlier?.admissions ?? 0) + 1;
      if (error instanceof CallFailure && error.kind === "outdated" && admissions < ADMISSIONS_MAX) {
        trace?.failed(error.kind);
        const refused = serving?.callRefusal();
        if (refused) {
          ended("refused");
          return asPage(notServing(refused, requestId), ownHost);
        }
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
        logCall(deps, call, "warn", "exec_reject", `The call was ended: ${revoked().message}`);
        return asPage(refusalNow(request, path, requestId), ownHost);
      }
      if (caller?.refusedBy && isRefused(error)) {
        ended("refused");
        trace?.failed("refused");
        logCall(deps, call, "warn", "exec_reject", `The call was ended: ${caller.refusedBy.message}`);
        return asPage(notServing(caller.refusedBy, requestId), ownHost);
      }
      ended(outcomeOf(error));
      trace?.failed(error instanceof CallFailure ? error.kind : "bug");
      return asPage(failureResponse(error, call, deps), ownHost);
    } finally {
      underWay--;
      if (!isStreamed) masking.release(call.disclosed);
    }
  }

  return {
    answer,
    get underWay() {
      return underWay;
    },
  };
}

/**
 * Reports whether a browser requests a service worker, which could answer requests for the whole origin (Service
 * Workers, 3.2). Sandboxed pages may not register one; this stops all others.
 */
function isServiceWorker(request: Request): boolean {
  return request.headers.get("service-worker") === "script";
}

/** Reports whether `error` can result from a refusal: the call lost its right and was ended, or a secret was refused. */
function isRefused(error: unknown): boolean {
  return error instanceof CallFailure && (error.kind === "revoked" || error.kind === "threw");
}

/** The parts of a call that are kept when it is admitted again. */
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

/** Isolates an answer that no function has made, as those of functions are. */
function asPage(response: Response, ownHost: boolean): Response {
  if (!ownHost) sandboxPage(response.headers);
  return response;
}

/** Returns the response as its function's `responseGuard` lets it pass. @throws CallFailure withheld */
function guarded(response: CallResponse, call: Call, deps: RunDependencies): CallResponse {
  const { fn, requestId, disclosed } = call;
  const { responseGuard } = fn;
  const isOver = !(response.body instanceof ReadableStream);
  if (responseGuard === "off" || (isOver && disclosed.values.size === 0 && !disclosed.overflowed)) return response;
  const blocks = responseGuard === "block";
  const onFound = ({ names, certain }: Findings): void => {
    const what = certain ? `contains ${names.join(", ")}` : "could not be searched for secrets";
    logCall(deps, call, "warn", "leak", `The response ${what}${blocks ? " and was withheld" : ""}.`);
    if (!certain && !blocks) return;
    if (certain) deps.alerts.sent(disclosed, names);
    deps.audit.recordLeak({ functionId: fn.id, functionName: fn.name, requestId, names, blocked: blocks });
  };
  return guardResponse(response, { masking: deps.masking, disclosed, blocks, onFound });
}

type Presented = Credential & { holder: KeyHolder | undefined };

/**
 * Returns the holder whose key admits the call, or a refusal. Returns undefined for a public function, which ignores
 * keys.
 */
function admit(
  { keys }: RegisteredFunction,
  first: Presented | undefined,
  requestId: string,
): KeyHolder | undefined | Response {
  const decision = decideAdmission(keys, first?.holder);
  if (decision.admitted) return decision.holder;
  if (decision.status === 403) return refusal(403, "Forbidden", decision.reason, requestId);
  const error = first ? "This API key is not known." : decision.reason;
  return refusal(401, "Unauthorized", error, requestId, { "WWW-Authenticate": "Bearer" });
}

function notServing({ code, message }: AppError, requestId: string): Response {
  return refusal(503, code, message, requestId, { "Retry-After": "1" });
}

function refuseRoute(allowed: readonly string[], requestId: string): Response {
  if (allowed.length === 0) return refusal(404, "NotFound", "No function answers this path.", requestId);
  const error = `This path accepts ${allowed.join(", ")}.`;
  return refusal(405, "MethodNotAllowed", error, requestId, { Allow: allowed.join(", ") });
}
