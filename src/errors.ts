// Defines the error type for problems that a caller can fix. Every other error is a bug
// and reaches the caller as a bare 500.

export type ErrorStatus = 400 | 401 | 403 | 404 | 405 | 409 | 412 | 413 | 415 | 422 | 429 | 502 | 503 | 504;

/** The problems of inputs, by field: `{ "functionId": "is required when scope is function" }`. */
export type ErrorDetails = Record<string, string>;

/**
 * An error with a stable `code` for programs, a `status` for HTTP and a sentence for people.
 * The message reaches the caller, so it never contains the value of a secret.
 */
export class AppError extends Error {
  /** What the error is about, for programs, if it is not about fields of the input. */
  readonly facts?: Readonly<Record<string, unknown>>;

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

/** Something that this program uses is not set up as it has to be. The message says what an operator has to change. */
export class SetupError extends Error {}

/** 429: too many attempts; the next one is possible after `retryAfterSeconds`. */
export class SlowDown extends AppError {
  constructor(readonly retryAfterSeconds: number) {
    super("TooManyAttempts", 429, `Too many attempts. Try again in ${inWords(retryAfterSeconds)}.`);
  }
}

function inWords(seconds: number): string {
  const [n, unit] = seconds < 120 ? [seconds, "second"] : [Math.ceil(seconds / 60), "minute"];
  return `${n} ${unit}${n === 1 ? "" : "s"}`;
}

/** Returns a 400 for one field: `invalid("name", "must not be empty")` has the message "name must not be empty". */
export function invalid(field: string, problem: string): AppError {
  return new AppError("InvalidInput", 400, `${field} ${problem}`, { [field]: problem });
}

/** Returns a 404 for a thing that was requested by its id or name; `field` is the input that named it, if not the path. */
export function notFound(thing: string, which: string | number, field?: string): AppError {
  const details = field === undefined ? undefined : { [field]: "does not exist" };
  return new AppError("NotFound", 404, `There is no ${thing} ${which}.`, details);
}

/** Returns a 404 for a thing that was requested by its name. */
export function notFoundByName(thing: string, name: string, field?: string): AppError {
  return notFound(`${thing} named`, `"${name}"`, field);
}

/** Returns a 403: the user is signed in, but has not set up the second factor that all users need. */
export function secondFactorRequired(): AppError {
  return new AppError(
    "SecondFactorRequired",
    403,
    "This server requires a second factor from all users. Set up yours under Your account, then try again.",
  );
}

/** Returns a 409: the change conflicts with what is stored. */
export function conflict(message: string, details?: ErrorDetails): AppError {
  return new AppError("Conflict", 409, message, details);
}

/** Returns the message of any thrown value without the full stop at its end, as the last part of a sentence. */
export function reasonOf(thrown: unknown): string {
  return messageOf(thrown).replace(/\.$/, "");
}

/** Returns the message of any thrown value, for the log. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
