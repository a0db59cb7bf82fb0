// Defines the schemas of /api/audit: its entries, and the query that selects them.

import { z } from "@hono/zod-openapi";
import { ACTIONS, ACTOR_KINDS } from "../../actor.ts";
import type { AuditWho } from "../../store/audit.ts";
import { idSchema, mustBe, query, timeSchema } from "./fields.ts";
import { beforeCursorSchema, pageLimitSchema } from "./newest_first.ts";

/** Kinds of subjects. */
export const SUBJECT_KINDS = [
  "secret",
  "function",
  "file",
  "version",
  "deployment",
  "key-group",
  "key",
  "settings",
  "rotation",
  "admin",
  "api",
  "backup",
  "passphrase",
  "cluster",
  "node",
  "audit",
] as const;

const someId = idSchema.nullable();
const facts = z.record(z.string(), z.unknown()).nullable();

export const auditEntrySchema = z.object({
  id: idSchema,
  at: timeSchema,
  actor: z.object({
    kind: z.string().openapi({ description: `One of ${ACTOR_KINDS.join(", ")}.` }),
    id: someId.openapi({ description: "Id of the API key or the admin; null for other actors." }),
    name: z.string().nullable().openapi({ description: "The key's name or the admin's e-mail address." }),
    group: z.string().nullable().openapi({ description: "The key's group." }),
  }),
  address: z.string().nullable().openapi({
    description: "The IP address that the request came from; null without one.",
  }),
  requestId: z.string().nullable(),
  action: z.string().openapi({ example: "secret.updated" }),
  subject: z.object({
    kind: z.string(),
    id: someId.openapi({ description: "Null without an id, or if `after.ids` lists several." }),
    name: z.string(),
  }),
  before: facts.openapi({ description: "The changed fields before; never a secret's value." }),
  after: facts.openapi({ description: "The changed fields after; a secret's value is shown as `set` or `changed`." }),
  mac: z.string().openapi({ description: "Hexadecimal, over all other fields and the previous entry." }),
}).openapi("AuditEntry");

/** `key:5` and `key` select a kind; any other text is a name. */
function who(kinds: readonly string[], description: string) {
  return z.string(mustBe("given once")).min(1, "must not be empty")
    .transform((text): AuditWho => {
      const [, kind, id] = /^([a-z-]+)(?::(.+))?$/s.exec(text) ?? [];
      return kind !== undefined && kinds.includes(kind) ? { kind, id } : { name: text };
    })
    .optional()
    .openapi({ type: "string", description });
}

const ACTION_KINDS = [...new Set(ACTIONS.map((action) => `${action.split(".")[0]}.*`))];
const actionSchema = z.string(mustBe("given once"))
  .refine((action) => [...ACTIONS, ...ACTION_KINDS].includes(action), {
    error: `must be one of ${[...ACTION_KINDS].join(", ")} or of the actions that these stand for`,
  })
  .optional()
  .openapi({ description: "Such as `secret.updated`, or `secret.*` for all of these." });

/** Selects an actor: a kind such as `server`, one such as `key:5`, or a name. */
export function actorSchema(description: string) {
  return who(ACTOR_KINDS, description);
}

export function moment(description: string) {
  return z.iso.datetime({ offset: true, error: "must be a time such as 2026-01-31T12:00:00Z" })
    .transform((text) => Date.parse(text))
    .optional()
    .openapi({ type: "string", format: "date-time", pattern: undefined, description });
}

export const auditFilter = {
  actor: who(ACTOR_KINDS, "Such as `key:5`, `admin`, `operator`, or the name of a key or an e-mail address."),
  action: actionSchema,
  subject: who(SUBJECT_KINDS, "Such as `secret:5`, `function`, or a name."),
  from: moment("The first moment that counts."),
  to: moment("The first moment that no longer counts."),
};

export const auditQuery = query({ ...auditFilter, limit: pageLimitSchema, cursor: beforeCursorSchema });
