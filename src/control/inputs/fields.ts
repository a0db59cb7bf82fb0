// Defines the parts that the resources' schemas share. They validate, and /api/openapi.json is generated from them.
// Messages continue a sentence that begins with the field's name: "name" + "must be text".

import { z } from "@hono/zod-openapi";
import type { SecretName } from "../../ids.ts";
import { COMMENT_MAX_LENGTH, SECRET_NAME_MAX_LENGTH, SECRET_NAME_PATTERN } from "../../core/secrets/names.ts";

const NOTE_MAX_LENGTH = COMMENT_MAX_LENGTH;
export const ID_PROBLEM = "must be a positive whole number";

/** Returns the message for a value of the wrong type, with another one for a missing field. */
export function mustBe(what: string): { error: (issue: { input?: unknown }) => string } {
  return { error: ({ input }) => input === undefined ? "is required" : `must be ${what}` };
}

/** Any text that UTF-8 can represent; half of a surrogate pair would be stored as U+FFFD. */
export function text() {
  return z.string(mustBe("text")).refine((text) => text.isWellFormed(), "holds half of a surrogate pair");
}

/** A comment or description of any number of lines. SQLite would truncate it at a NUL. */
export function note() {
  return text()
    .max(NOTE_MAX_LENGTH, `must have at most ${NOTE_MAX_LENGTH} characters`)
    .refine((text) => !text.includes("\0"), "must not contain a NUL character");
}

/** A name for people, of one line. */
export function label(maxLength: number) {
  return text()
    .min(1, "must not be empty")
    .max(maxLength, `must have at most ${maxLength} characters`)
    .refine((text) => !/[\p{Cc}\u2028\u2029]/u.test(text), "must not contain control characters or line breaks")
    .refine((text) => text.trim() === text, "must not begin or end with white space");
}

export function secretName() {
  return z.string(mustBe("text"))
    .min(1, "must not be empty")
    .max(SECRET_NAME_MAX_LENGTH, `must have at most ${SECRET_NAME_MAX_LENGTH} characters`)
    .regex(SECRET_NAME_PATTERN, "must be letters, digits, underscores and hyphens (a-z, A-Z, 0-9, _, -)")
    .transform((name) => name as SecretName);
}

/** An id in JSON. */
export function id<Id extends number>() {
  return z.int(mustBe("a positive whole number")).min(1, ID_PROBLEM).transform((id) => id as Id);
}

/** An id in a path or query, parsed strictly: `1abc`, `01` and `1.0` are not ids. */
export function idText<Id extends number>() {
  return z.string(mustBe("given once"))
    .regex(/^[1-9][0-9]*$/, ID_PROBLEM)
    .refine((text) => Number.isSafeInteger(Number(text)), ID_PROBLEM)
    .transform((text) => Number(text) as Id)
    .openapi({ type: "integer", minimum: 1, pattern: undefined });
}

export function idParams<Id extends number>() {
  return z.object({ id: idText<Id>().openapi({ param: { name: "id", in: "path" } }) });
}

/** The last time that a date can have. */
const TIME_MAX_MS = 253_402_300_799_999;

/** A time in milliseconds since 1970 UTC. Digits after the third one of a second are cut off. */
export const expiryTime = z.iso.datetime({ offset: true, ...mustBe("a time such as 2026-01-31T12:00:00Z, or null") })
  .transform((text, context): number => {
    const ms = Date.parse(text);
    if (ms >= 0 && ms <= TIME_MAX_MS) return ms;
    context.addIssue({ code: "custom", message: "must be a time such as 2026-01-31T12:00:00Z, or null" });
    return z.NEVER;
  });

/** A JSON body with only the fields of `shape`, so that a mistyped field is reported. */
export function body<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  return z.strictObject(shape, {
    error: ({ code }) => code === "invalid_type" ? "must be a JSON object" : undefined,
  });
}

/** A body of changes: at least one of the optional fields of `shape`, or of `shown`, which the caller only compares. */
export function changes<Shape extends z.core.$ZodLooseShape, Shown extends z.core.$ZodLooseShape = Shape>(
  shape: Shape,
  shown?: Shown,
) {
  const fields = Object.keys(shape).join(", ");
  return body({ ...shape, ...shown } as Shape & Shown)
    .refine((given) => Object.keys(given).length > 0, `must have at least one of: ${fields}`)
    .openapi({ minProperties: 1 });
}

/** Query parameters: only those of `shape`, and the caller's `api_key`. */
export function query<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  return z.looseObject(shape).superRefine((given, context) => {
    for (const name of Object.keys(given)) {
      if (name === "api_key" || Object.hasOwn(shape, name)) continue;
      context.addIssue({ code: "custom", path: [name], message: "is not a known parameter" });
    }
  }, evenIfFieldsAreWrong);
}

/** Option of a check across fields: without it, zod skips the check if a field has another problem. */
export const evenIfFieldsAreWrong = {
  when: ({ value }: z.core.ParsePayload) => typeof value === "object" && value !== null,
};

export function includeValues() {
  return z.enum(["true", "false"], 'must be "true" or "false"').optional()
    .transform((text) => text === "true")
    .openapi({ description: "Whether to include the decrypted values." });
}

/** ISO 8601 in UTC, from milliseconds since 1970. */
export function time(ms: number): string {
  return new Date(ms).toISOString();
}

export const timeSchema = z.iso.datetime().openapi({ example: "2026-01-31T12:00:00.000Z" });
export const idSchema = z.int().min(1).openapi({ example: 1 });

/** What the check of code found when it was saved. */
export const findingsShape = {
  problems: z.array(z.string()).openapi({
    description:
      "Problems that prevent the code from running: imports that cannot be loaded, or an error thrown while loading.",
  }),
  warnings: z.array(z.string()).openapi({
    description: "Problems that may not prevent it from running, such as a network request while loading.",
  }),
};

export const successSchema = z.object({ success: z.literal(true) }).openapi("Success");
export const SUCCESS = { success: true } as const;

/** A request body of type application/json. */
export function json<Schema extends z.ZodType>(schema: Schema) {
  return { content: { "application/json": { schema } }, required: true } as const;
}

/** A successful answer. */
export function answer<Schema extends z.ZodType>(description: string, schema: Schema) {
  return { description, content: { "application/json": { schema } } } as const;
}

const errorSchema = z.object({
  error: z.string().openapi({ description: "A sentence for people." }),
  code: z.string().openapi({ description: "A stable name for programs.", example: "InvalidInput" }),
  details: z.record(z.string(), z.unknown()).optional().openapi({
    description: "The problem of each field, by name; for some codes, other facts for programs.",
    example: { name: "must be text" },
  }),
}).openapi("Error");

const ERRORS = {
  400: "Something in the request is wrong; `details` names each field.",
  401: "There is no API key, or it is not known; or it was revoked before the request was complete.",
  403:
    "This is not allowed to the key, or to anybody; or the key's group lost the API before the request was complete.",
  404: "It does not exist.",
  409: "It contradicts what is stored.",
  412: "It changed since the version that `If-Match` names; the sentence says what.",
  413: "It is too large.",
  415: "The body must be sent as application/json.",
  422: "Problems of the code stop it; `details.problems` has them.",
  502: "Another server could not be reached, or refused; the sentence says why.",
  503: "The server cannot do it now; the sentence says why.",
  500: "The server failed; its log has the cause under the request's id.",
} as const;

type ErrorCode = keyof typeof ERRORS;
type ErrorAnswers<Status extends ErrorCode> = { [S in Status]: ReturnType<typeof answer<typeof errorSchema>> };

/** The response for one error status. */
export function errorAnswer(status: ErrorCode) {
  return answer(ERRORS[status], errorSchema);
}

/** The error responses of a route: those given, and those of every route. */
export function errors<Status extends ErrorCode>(...statuses: Status[]): ErrorAnswers<Status | 401 | 403 | 500> {
  const all = [...statuses, 401, 403, 500] as const;
  return Object.fromEntries(all.map((status) => [status, answer(ERRORS[status], errorSchema)])) as ErrorAnswers<
    Status | 401 | 403 | 500
  >;
}
