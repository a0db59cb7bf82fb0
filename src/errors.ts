// The one error type for what a caller can mend. Everything else that is thrown is a bug
// and reaches the caller as a bare 500.

export type ErrorStatus = 400 | 401 | 403 | 404 | 405 | 409 | 412 | 413 | 415 | 429 | 502 | 503 | 504;

/** Which inputs were wrong, by name: `{ "functionId": "is required when scope is function" }`. */
export type ErrorDetails = Record<string, string>;

/**
 * An error with a stable `code` for programs, a `status` for HTTP and one clear sentence for people.
 * The message reaches the caller, so it never holds a secret's value.
 */
export class AppError extends Error {
  constructor(
    readonly code: string,
    readonly status: ErrorStatus,
    message: string,
    readonly details?: ErrorDetails,
  ) {
    super(message);
    this.name = "AppError";
  }
}

/** 429: too many attempts; the next one makes sense after `retryAfterSeconds`. */
export class SlowDown extends AppError {
  constructor(readonly retryAfterSeconds: number) {
    super("TooManyAttempts", 429, `Too many attempts. Try again in ${inWords(retryAfterSeconds)}.`);
  }
}

function inWords(seconds: number): string {
  const [n, unit] = seconds < 120 ? [seconds, "second"] : [Math.ceil(seconds / 60), "minute"];
  return `${n} ${unit}${n === 1 ? "" : "s"}`;
}

/** 400 naming one field: `invalid("name", "must not be empty")` says "name must not be empty". */
export function invalid(field: string, problem: string): AppError {
  return new AppError("InvalidInput", 400, `${field} ${problem}`, { [field]: problem });
}

/** 404 for a thing looked for by its id or name. */
export function notFound(thing: string, which: string | number): AppError {
  return new AppError("NotFound", 404, `There is no ${thing} ${which}.`);
}

/** 409: the change contradicts what is stored. */
export function conflict(message: string, details?: ErrorDetails): AppError {
  return new AppError("Conflict", 409, message, details);
}

/** The message of whatever was thrown, for the log. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
