// Converts thrown errors to HTTP responses: JSON with a sentence and a stable code. Used by all parts of the server.

import { HTTPException } from "hono/http-exception";
import { z } from "zod";
import { AppError, type ErrorDetails, type ErrorStatus, SlowDown } from "../errors.ts";
import { invalidInput } from "../invalid_input.ts";
import type { Log } from "../telemetry/log.ts";
import { storageProblem } from "../store/storage_error.ts";
import { jsonResponse } from "../json.ts";

export interface ErrorBody {
  error: string;
  code: string;
  details?: ErrorDetails | Readonly<Record<string, unknown>>;
}

/** An error whose status comes with headers, such as `Allow` for 405 or `Retry-After` for 429. */
export class HttpError extends AppError {
  constructor(code: string, status: ErrorStatus, message: string, readonly headers: Record<string, string>) {
    super(code, status, message);
  }
}

/** Returns a 401 with the header that RFC 9110, 15.5.2 requires. */
export function unauthorized(message: string): HttpError {
  return new HttpError("Unauthorized", 401, message, { "WWW-Authenticate": "Bearer" });
}

/** Returns a 405 with the header that RFC 9110, 15.5.6 requires. */
export function methodNotAllowed(method: string, allowed: readonly string[]): HttpError {
  const allow = allowed.join(", ");
  return new HttpError("MethodNotAllowed", 405, `${method} is not allowed here, only ${allow}.`, { Allow: allow });
}

/**
 * Returns the response to a request during which `thrown` was thrown. An error that the caller cannot fix is a 500
 * without any inner detail; it is logged in full, with the request's id.
 */
export function errorResponse(thrown: unknown, requestId: string, log: Log): Response {
  const known = asAppError(thrown);
  // An error that the operator has to fix is logged as well, with its cause.
  if (!known || known.code === "StorageFailed") {
    log("error", thrown instanceof Error ? thrown.stack ?? thrown.message : String(thrown), { requestId });
  }
  const body: ErrorBody = known
    ? { error: sentence(known.message), code: known.code, ...detailsOf(known) }
    : { error: `The server failed to answer. Its log has the cause under ${requestId}.`, code: "InternalError" };
  const headers = known instanceof HttpError ? known.headers : retryHeaders(known);
  return jsonResponse(body, { status: known?.status ?? 500, headers: { ...headers, "X-Request-Id": requestId } });
}

function detailsOf({ facts, details }: AppError): Pick<ErrorBody, "details"> {
  const shown = facts ?? details;
  return shown ? { details: shown } : {};
}

function retryHeaders(error: AppError | undefined): Record<string, string> {
  if (error instanceof SlowDown) return { "Retry-After": String(error.retryAfterSeconds) };
  return error?.status === 503 ? { "Retry-After": "1" } : {};
}

function asAppError(thrown: unknown): AppError | undefined {
  if (thrown instanceof AppError) return thrown;
  if (thrown instanceof z.ZodError) return invalidInput(thrown);
  if (thrown instanceof HTTPException) return fromHono(thrown);
  return notStored(thrown);
}

/** Returns a 503 if storage failed. A secret is not shown in this case either, as that could not be recorded. */
function notStored(thrown: unknown): AppError | undefined {
  const problem = storageProblem(thrown);
  return problem === undefined
    ? undefined
    : new AppError("StorageFailed", 503, `This could not be stored, so it was not done: ${problem}.`);
}

/** Converts Hono's own refusals, which would be sent as plain text. */
function fromHono(error: HTTPException): AppError | undefined {
  switch (error.status) {
    case 400:
      return new AppError("InvalidInput", 400, "The body is not valid JSON.", { body: "is not valid JSON" });
    case 415:
      return new AppError("UnsupportedMediaType", 415, "This content type is not accepted here.");
    default:
      return undefined;
  }
}

function sentence(message: string): string {
  return /[.!?]$/.test(message) ? message : `${message}.`;
}
