// One call of a function, from the moment that it was found: what is told of it in logs, and what the caller gets
// when it fails. Nothing of the cause ever reaches the caller.

import type { RegisteredFunction } from "../core/functions/registry.ts";
import type { Log } from "../telemetry/log.ts";
import type { NewLogEntry } from "../telemetry/log_queue.ts";
import type { Logs } from "../telemetry/logs.ts";
import type { Handed, Masking } from "../masking/masking.ts";
import type { Outcome } from "../telemetry/tally.ts";
import { CallFailure } from "../sandbox/host/failure.ts";

/** What is told of calls, and where. */
export interface Telling {
  readonly log: Log;
  readonly masking: Masking;
  /** The functions' own logs. */
  readonly logs: Pick<Logs, "keeps" | "write">;
}

/** A call that a function was found for. */
export interface Call {
  readonly target: RegisteredFunction;
  readonly requestId: string;
  /** By `performance.now()`. */
  readonly began: number;
  readonly handed: Handed;
}

/** Puts an entry about the call into its function's log. */
export function tell(
  { logs }: Telling,
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

/** How a call ended that `error` ended. */
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
    // It is the caller's doing.
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

/** Failures whose text is in the log. */
const told = new WeakSet<CallFailure>();

/** Tells the operator, and whoever reads the function's log, that a call failed. */
function report(level: "warn" | "error", text: string, call: Call, deps: Telling): void {
  const { target, requestId, handed } = call;
  deps.log(level, deps.masking.mask(target.id, text, handed), { function: target.name, requestId });
  tell(deps, call, level, "exec_reject", text);
}

/** The caller has the beginning of an answer already, so that nobody else will tell. */
export function brokeOff(failure: CallFailure, call: Call, deps: Telling): void {
  report(
    failure.kind === "gone" || failure.kind === "silent" ? "warn" : "error",
    `The response broke off: ${failure.message}`,
    call,
    deps,
  );
}

export function failed(error: unknown, call: Call, deps: Telling): Response {
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
    case "gone":
      report("warn", `The call was abandoned: ${why}`, call, deps);
      return refusal(499, "Abandoned", "The caller closed the connection.", requestId);
    case "revoked":
      report("warn", `The call was ended: ${why}`, call, deps);
      return refusal(403, "EntitlementLost", "The function or the API key was taken away during the call.", requestId);
    case "silent":
      report("warn", `The call was given up: ${why}`, call, deps);
      // What is left of the body may still come, so that the connection is of no further use.
      return refusal(408, "RequestTimeout", "The request's body did not arrive in time.", requestId, {
        Connection: "close",
      });
    case "stopped":
    case "outdated":
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

export function refusal(
  status: number,
  code: string,
  error: string,
  requestId: string,
  headers: Record<string, string> = {},
): Response {
  return Response.json({ error, code, requestId }, { status, headers: { ...headers, "X-Request-Id": requestId } });
}
