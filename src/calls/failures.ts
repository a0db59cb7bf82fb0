// Logs calls of functions, and makes the response to a call that failed. Never reveals the cause to the caller.

import type { RegisteredFunction } from "../core/functions/registry.ts";
import type { KeyId } from "../ids.ts";
import type { Log } from "../telemetry/log.ts";
import type { NewLogEntry } from "../telemetry/log_queue.ts";
import type { Logs } from "../telemetry/logs.ts";
import type { DisclosedSecrets, Masking } from "../masking/masking.ts";
import type { Outcome } from "../telemetry/tally.ts";
import { jsonResponse } from "../json.ts";
import { CallFailure } from "../sandbox/host/failure.ts";

/** Where calls are logged. */
export interface CallLog {
  readonly log: Log;
  readonly masking: Masking;
  /** The logs of functions. */
  readonly logs: Pick<Logs, "keeps" | "write">;
}

/** A call for which a function was found. */
export interface Call {
  readonly fn: RegisteredFunction;
  readonly requestId: string;
  /** By `performance.now()`. */
  readonly began: number;
  readonly disclosed: DisclosedSecrets;
  /** The API key that admitted it, once one has. */
  keyId: KeyId | undefined;
}

/** Writes an entry about the call to its function's log. */
export function logCall(
  { logs }: CallLog,
  { fn, requestId, began, disclosed, keyId }: Call,
  level: NewLogEntry["level"],
  event: NewLogEntry["event"],
  message: string,
): void {
  if (!logs.keeps(level)) return;
  // Rounded to microseconds: what the clock shows beyond that is noise.
  const durationMs = event === "exec_start" ? undefined : Math.round((performance.now() - began) * 1_000) / 1_000;
  logs.write({ functionId: fn.id, requestId, keyId, level, event, message, durationMs, disclosed });
}

/** Returns the outcome of a call that ended with `error`. */
export function outcomeOf(error: unknown): Outcome {
  if (!(error instanceof CallFailure)) return "error";
  switch (error.kind) {
    case "timeout":
      return "timeout";
    case "no-room":
    case "outdated":
    case "revoked":
    case "suspended":
      return "refused";
    case "stopped":
      return error.sent ? "error" : "refused";
    // The caller caused these, not the function.
    case "gone":
    case "silent":
      return error.sent ? "ok" : "refused";
    case "load-failed":
    case "threw":
    case "nonsense":
    case "died":
    case "withheld":
      return "error";
  }
}

/** Load failures whose full text is in the log already. */
const alreadyReported = new WeakSet<CallFailure>();

/** Logs the failure of a call, for the operator and in the function's log. */
function logFailure(level: "warn" | "error", text: string, call: Call, deps: CallLog): void {
  const { fn, requestId, disclosed } = call;
  deps.log(level, deps.masking.mask(fn.id, text, disclosed), { function: fn.name, requestId });
  logCall(deps, call, level, "exec_reject", text);
}

/** Logs that a response was aborted after it began, so that its caller cannot be sent an error any more. */
export function responseAborted(failure: CallFailure, call: Call, deps: CallLog): void {
  logFailure(
    failure.kind === "gone" || failure.kind === "silent" ? "warn" : "error",
    `The response was aborted: ${failure.message}`,
    call,
    deps,
  );
}

/** Logs why a call failed, and returns its response. */
export function failureResponse(error: unknown, call: Call, deps: CallLog): Response {
  const { requestId } = call;
  if (!(error instanceof CallFailure)) {
    const what = error instanceof Error ? error.stack ?? error.message : String(error);
    deps.log("error", what, { function: call.fn.name, requestId });
    logCall(deps, call, "error", "error", "The server failed. Its own log has the cause.");
    return internalError(requestId);
  }
  const why = error.message;
  switch (error.kind) {
    case "load-failed":
      // Calls share a failure for a while. Its text is logged once.
      logFailure(
        "error",
        `The handler could not be loaded: ${alreadyReported.has(error) ? "for the same reason as before" : why}`,
        call,
        deps,
      );
      alreadyReported.add(error);
      return internalError(requestId);
    case "threw":
      logFailure("error", `The handler failed: ${why}`, call, deps);
      return internalError(requestId);
    case "nonsense":
      logFailure("error", `The handler's response cannot be sent: ${why}`, call, deps);
      return internalError(requestId);
    case "withheld":
      logFailure("error", `The response was withheld: ${why}`, call, deps);
      return internalError(requestId);
    case "timeout":
      logFailure("error", `The call timed out: ${why}`, call, deps);
      return refusal(504, "Timeout", "The function did not answer in time.", requestId);
    case "died":
      logFailure("error", `The function's process died: ${why}`, call, deps);
      return refusal(502, "IsolateDied", "The function ended without an answer.", requestId);
    case "gone":
      logFailure("warn", `The call was abandoned: ${why}`, call, deps);
      return refusal(499, "Abandoned", "The caller closed the connection.", requestId);
    case "revoked":
      logFailure("warn", `The call was ended: ${why}`, call, deps);
      return refusal(
        403,
        "EntitlementLost",
        "The function or the API key was changed or revoked, or the key expired, during the call.",
        requestId,
      );
    case "silent":
      logFailure("warn", `The call was canceled: ${why}`, call, deps);
      // The rest of the body may still arrive, so the connection cannot be used again.
      return refusal(408, "RequestTimeout", "The request's body did not arrive in time.", requestId, {
        Connection: "close",
      });
    case "stopped":
    case "outdated":
    case "no-room":
    case "suspended":
      logFailure("warn", `The call was refused: ${why}`, call, deps);
      return refusal(503, "Busy", "The function cannot take this call now. Try again.", requestId, {
        "Retry-After": String(error.retryAfterSeconds),
      });
  }
}

/** Returns the same response for every cause, so that the caller learns nothing about it. */
function internalError(requestId: string): Response {
  return jsonResponse({ error: "Internal Server Error", requestId }, {
    status: 500,
    headers: { "X-Request-Id": requestId },
  });
}

/** Returns a response of the platform itself. `code` is stable, `error` a sentence. */
export function refusal(
  status: number,
  code: string,
  error: string,
  requestId: string,
  headers: Record<string, string> = {},
): Response {
  return jsonResponse({ error, code, requestId }, { status, headers: { ...headers, "X-Request-Id": requestId } });
}
