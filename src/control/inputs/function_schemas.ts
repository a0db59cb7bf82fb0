// Defines the schemas of /api/functions: a function, and the input that creates or changes one.

import { z } from "@hono/zod-openapi";
import { AppError } from "../../errors.ts";
import { ASSETS_MAX, ASSETS_MAX_MB, checkPattern, PATTERNS_MAX } from "../../code/files/assets.ts";
import { STATES } from "../../code/checks/condition.ts";
import { checkHandlerPath } from "../../core/functions/file_paths.ts";
import {
  CORS_MAX_AGE_SECONDS,
  ISOLATIONS,
  NET_ENTRY_PATTERN,
  type Permissions,
  RESPONSE_GUARDS,
  SECRET_PATTERN,
} from "../../core/functions/permissions.ts";
import type { FunctionEntries } from "../../core/functions/registry.ts";
import { checkRoute, METHODS } from "../../core/functions/router.ts";
import { SECRET_NAME_MAX_LENGTH } from "../../core/secrets/names.ts";
import { body, changes, evenIfFieldsAreWrong, idSchema, mustBe, note, text, timeSchema } from "./fields.ts";
import { functionName, groupRef } from "./references.ts";

export const LIST_MAX = 100;
/** In characters: a host name has at most 253 (RFC 1035, 2.3.4), and a port follows. */
const NET_ENTRY_MAX_LENGTH = 260;
const NET_EXAMPLE = 'such as "api.example.com:443"';
const SECRETS_PROBLEM = 'must be names of secrets, with "*" for any characters';
const TIMEOUT_PROBLEM = "must be a whole number from 100 to 3600000, or null";
const MEMORY_PROBLEM = "must be a whole number from 32 to 4096, or null";
const NET_PROBLEM = `must be true, false, or a list of 1 to ${LIST_MAX} hosts ${NET_EXAMPLE}`;

/** A text that a check of the domain must accept; its problem is reported together with those of other fields. */
function checked(check: (text: string) => void) {
  return text().superRefine((text, context) => {
    try {
      check(text);
    } catch (error) {
      if (!(error instanceof AppError && error.details)) throw error;
      context.addIssue({ code: "custom", message: Object.values(error.details)[0]! });
    }
  });
}

const netEntry = z.string(mustBe("text"))
  .max(NET_ENTRY_MAX_LENGTH, `must have at most ${NET_ENTRY_MAX_LENGTH} characters`)
  .regex(NET_ENTRY_PATTERN, `must be a host ${NET_EXAMPLE}`);

const ORIGIN_PROBLEM = 'must be an origin such as "https://app.example.com"';
const ORIGINS_PROBLEM = `must be 1 to ${LIST_MAX} origins such as "https://app.example.com", or "*" alone`;
const HEADERS_PROBLEM = `must be at most ${LIST_MAX} names of request headers`;
const MAX_AGE_PROBLEM = "must be a whole number from 0 to 86400";

/** Reports whether `text` is an origin exactly as browsers send it (HTML, 7.1.1; RFC 6454, 6.2). */
function isOrigin(text: string): boolean {
  const url = URL.parse(text);
  // URL parsers accept "*" in a host's name.
  return url !== null && /^https?:$/.test(url.protocol) && url.origin === text && !text.includes("*");
}

const cors = z.strictObject({
  origins: z.array(
    z.string(mustBe("text")).refine((text) => text === "*" || isOrigin(text), ORIGIN_PROBLEM),
    ORIGINS_PROBLEM,
  ).min(1, ORIGINS_PROBLEM).max(LIST_MAX, ORIGINS_PROBLEM)
    .refine((origins) => origins.length === 1 || !origins.includes("*"), ORIGINS_PROBLEM),
  headers: z.array(
    z.string(mustBe("text")).regex(/^[!#$%&'*+.^_`|~0-9a-zA-Z-]{1,100}$/, HEADERS_PROBLEM),
    HEADERS_PROBLEM,
  )
    .max(LIST_MAX, HEADERS_PROBLEM).nullable().default(null),
  credentials: z.boolean(mustBe("true or false")).default(false),
  maxAgeSeconds: z.int(MAX_AGE_PROBLEM).min(0, MAX_AGE_PROBLEM).max(86_400, MAX_AGE_PROBLEM)
    .default(CORS_MAX_AGE_SECONDS),
}, { error: ({ code }) => code === "invalid_type" ? "must be an object or null" : undefined })
  .refine(({ origins, credentials }) => !(credentials && origins[0] === "*"), {
    path: ["credentials"],
    message: 'must be false while origins is ["*"]',
  })
  .nullable()
  .openapi({
    description: "Which other origins may call it from a browser; null: none. `origins`: such as " +
      '`https://app.example.com`, or `["*"]`; `headers`: request headers that they may send, null for any; ' +
      "`credentials`: whether with cookies; `maxAgeSeconds`: how long a browser may remember a preflight.",
  });

const secretPatterns = z.array(
  z.string(mustBe("text")).max(SECRET_NAME_MAX_LENGTH).regex(SECRET_PATTERN, SECRETS_PROBLEM),
  { error: SECRETS_PROBLEM },
).max(LIST_MAX, SECRETS_PROBLEM);

const permissions = z.strictObject({
  net: z.union([z.boolean(), z.array(netEntry).min(1, NET_PROBLEM).max(LIST_MAX, NET_PROBLEM)], {
    error: ({ input }) => input === undefined ? "is required" : NET_PROBLEM,
  }),
  read: z.literal("modules", `must be "modules"; nothing else but \`files\` can be read`).optional(),
  env: z.literal(false, "must be false").optional(),
}, { error: ({ code }) => code === "invalid_type" ? "must be an object" : undefined })
  // The fixed fields are returned and may be sent back, but are not stored.
  .transform(({ net }) => ({ net }))
  .openapi({
    description:
      "`net`: true for any host except this machine, false for none, or a list of the hosts that it may reach. " +
      "`read` is always its own modules and `files`, `env` always false.",
  });

const fields = {
  name: functionName,
  description: note().openapi({ description: "Text for people, of any number of lines." }),
  handler: checked(checkHandlerPath).openapi({
    description: "The path of the handler's file in the code folder.",
    example: "orders/get.ts",
  }),
  route: checked(checkRoute).openapi({
    description: "The path after `/run`, with Hono's patterns.",
    example: "/orders/:id{[0-9]+}",
  }),
  methods: z.array(z.enum(METHODS, `must be one of ${METHODS.join(", ")}`), mustBe("a list of methods"))
    .min(1, "must name at least one method")
    .max(LIST_MAX, `must have at most ${LIST_MAX} entries`)
    .openapi({ description: "The methods that it answers; by default, GET.", example: ["GET", "POST"] }),
  keys: z.array(groupRef, mustBe("a list of ids or names of key groups"))
    .max(LIST_MAX, `must have at most ${LIST_MAX} entries`)
    .openapi({ description: "Ids or names of the key groups whose keys may call it; if empty, it is public." }),
  permissions,
  secrets: secretPatterns.openapi({
    description:
      "Names of the secrets that it may ask for; `*` matches any characters. By default, all that it is entitled to.",
    example: ["STRIPE_*"],
  }),
  isolation: z.enum(ISOLATIONS, `must be one of ${ISOLATIONS.join(", ")}`).openapi({
    description: "`per-key`: callers with different API keys never share a process.",
  }),
  responseGuard: z.enum(RESPONSE_GUARDS, `must be one of ${RESPONSE_GUARDS.join(", ")}`).openapi({
    description:
      "What happens to a response that contains a secret which its call read: `report` logs it in the function's " +
      "log, `block` also blocks the response.",
  }),
  cors,
  timeoutMs: z.int(TIMEOUT_PROBLEM).min(100, TIMEOUT_PROBLEM).max(3_600_000, TIMEOUT_PROBLEM).nullable().openapi({
    description: "Overrides the setting sandbox.timeout-ms; null uses the setting.",
  }),
  memoryMb: z.int(MEMORY_PROBLEM).min(32, MEMORY_PROBLEM).max(4_096, MEMORY_PROBLEM).nullable().openapi({
    description: "Overrides the setting sandbox.memory-mb; null uses the setting.",
  }),
  files: z.array(checked(checkPattern), mustBe("a list of patterns"))
    .max(PATTERNS_MAX, `must have at most ${PATTERNS_MAX} entries`)
    .openapi({
      description: "Further files of the code folder that it may read, as paths with `*`, `**` and `?`: at most " +
        `${ASSETS_MAX} files with ${ASSETS_MAX_MB} MB in total.`,
      example: ["templates/**"],
    }),
  trial: z.strictObject({
    secrets: secretPatterns.optional(),
    permissions: permissions.optional(),
  }, {
    error: ({ code }) => code === "invalid_type" ? "must be an object or null" : undefined,
  }).refine(({ secrets, permissions }) => secrets ?? permissions, "must have `secrets`, `permissions` or both")
    .nullable().openapi({
      description:
        "Narrower `secrets` and `permissions` on trial: what they would refuse is given or allowed, logged " +
        "and counted. null: none.",
      example: { secrets: ["STRIPE_KEY"], permissions: { net: ["api.stripe.com:443"] } },
    }),
  enabled: z.boolean(mustBe("true or false")).openapi({
    description: "Whether it answers calls; if not, they get 404.",
  }),
};

export const newFunction = body({
  ...fields,
  description: fields.description.default(""),
  methods: fields.methods.default(["GET"]),
  keys: fields.keys.default([]),
  permissions: fields.permissions.optional(),
  secrets: fields.secrets.optional(),
  isolation: fields.isolation.optional(),
  responseGuard: fields.responseGuard.optional(),
  cors: fields.cors.optional(),
  timeoutMs: fields.timeoutMs.optional(),
  memoryMb: fields.memoryMb.optional(),
  files: fields.files.optional(),
  trial: fields.trial.optional(),
  enabled: fields.enabled.default(true),
}).openapi("NewFunction");

/** The fields that a function can do without. */
const optional = {
  methods: fields.methods.optional(),
  keys: fields.keys.optional(),
  permissions: fields.permissions.optional(),
  secrets: fields.secrets.optional(),
  isolation: fields.isolation.optional(),
  responseGuard: fields.responseGuard.optional(),
  cors: fields.cors.optional(),
  timeoutMs: fields.timeoutMs.optional(),
  memoryMb: fields.memoryMb.optional(),
  files: fields.files.optional(),
  trial: fields.trial.optional(),
  enabled: fields.enabled.optional(),
};

export const functionChange = changes({
  name: fields.name.optional(),
  description: fields.description.optional(),
  handler: fields.handler.optional(),
  route: fields.route.optional(),
  ...optional,
}, {
  keyNames: z.array(z.string(mustBe("text")).nullable(), mustBe("a list of names")).optional().openapi({
    description: "Accepted only as it is shown; to change it, change `keys`.",
  }),
}).openapi("FunctionChange");

/** A whole function without its name, as in crude.json and in a deployment. */
export const functionEntry = body({
  description: fields.description.optional(),
  handler: fields.handler,
  route: fields.route,
  ...optional,
})
  .openapi("FunctionEntry", {
    description: "A function. Fields that are left out get their defaults; on an existing function, `enabled` stays, " +
      "and `keys` and `secrets` must not be left out if they limit it.",
  });

/** Returns a check that refuses the name `__proto__`, which zod leaves out of records. */
export function refuseProto(message: string) {
  return (given: unknown, context: z.core.$RefinementCtx): unknown => {
    if (typeof given === "object" && given !== null && Object.hasOwn(given, "__proto__")) {
      context.addIssue({ code: "custom", path: ["__proto__"], message });
    }
    return given;
  };
}

function checkNames(entries: object, context: z.core.$RefinementCtx): void {
  for (const name of Object.keys(entries)) {
    const problem = functionName.safeParse(name).error?.issues[0]?.message;
    if (problem) {
      context.addIssue({ code: "custom", path: [name], message: `is not the name of a function: it ${problem}` });
    }
  }
}

/** Function entries by name. */
export const functionEntries = z.preprocess(
  refuseProto("cannot be the name of a function"),
  z.record(z.string(), functionEntry, mustBe("an object of entries by the names of their functions"))
    .superRefine(checkNames, evenIfFieldsAreWrong)
    .transform((entries): FunctionEntries => new Map(Object.entries(entries))),
).openapi({ description: "Functions by name." });

export const permissionsSchema = z.object({
  net: z.union([z.boolean(), z.array(z.string())]),
  read: z.literal("modules"),
  env: z.literal(false),
});

export function permissionsOf({ net }: Permissions): z.infer<typeof permissionsSchema> {
  return { net: typeof net === "boolean" ? net : [...net], read: "modules", env: false };
}

export const functionSchema = z.object({
  id: idSchema,
  name: z.string(),
  description: z.string(),
  handler: z.string(),
  route: z.string(),
  methods: z.array(z.string()),
  keys: z.array(idSchema).openapi({ description: "Ids of the key groups whose keys may call it." }),
  keyNames: z.array(z.string().nullable()).openapi({
    description: "The names of these groups, in the same order; null for one that does not exist.",
  }),
  enabled: z.boolean(),
  state: z.enum(STATES).openapi({
    description:
      "`disabled`: calls get 404; `broken`: the handler is known to be missing or unable to load, or another program " +
      "has written the row; `suspended`: its processes kept ending, and calls get 503 for some time; or `enabled`.",
  }),
  stateReason: z.string().nullable().openapi({ description: "Why it is broken or suspended." }),
  createdAt: timeSchema,
  updatedAt: timeSchema,
  permissions: permissionsSchema,
  secrets: z.array(z.string()),
  isolation: z.enum(ISOLATIONS),
  responseGuard: z.enum(RESPONSE_GUARDS),
  cors: z.object({
    origins: z.array(z.string()),
    headers: z.array(z.string()).nullable(),
    credentials: z.boolean(),
    maxAgeSeconds: z.int(),
  }).nullable(),
  timeoutMs: z.int().nullable(),
  memoryMb: z.int().nullable(),
  files: z.array(z.string()),
  trial: z.object({
    secrets: z.array(z.string()).optional(),
    permissions: permissionsSchema.optional(),
  }).optional().openapi({ description: "Missing without a trial." }),
  health: z.object({
    recentDeaths: z.int(),
    lastDeath: z.string().nullable(),
    suspendedUntil: timeSchema.nullable(),
  }).openapi({
    description:
      "How many of its processes died in the last minute, and why the last one did; after five, it is suspended.",
  }),
}).openapi("Function");
