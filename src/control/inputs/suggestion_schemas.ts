// Defines the query and the answer of /api/functions/{id}/suggestions.

import { z } from "@hono/zod-openapi";
import { timeSchema } from "./fields.ts";
import { permissionsSchema } from "./function_schemas.ts";

export const SUGGESTION_DAYS = 30;
const DAYS_MAX = 3_650;
const DAYS_PROBLEM = `must be a whole number from 1 to ${DAYS_MAX}`;

export const suggestionDays = z.string().regex(/^[0-9]{1,4}$/, DAYS_PROBLEM).transform(Number)
  .refine((days) => days >= 1 && days <= DAYS_MAX, DAYS_PROBLEM)
  .default(SUGGESTION_DAYS)
  .openapi({ type: "integer", description: "How many days are looked at, today included." });

export const suggestionSchema = z.object({
  secrets: z.array(z.string()).openapi({ description: "The names of the secrets that it was given." }),
  permissions: permissionsSchema.openapi({
    description: "`net`: the hosts that it connected to; as it is if they are not known, or too many to list.",
  }),
  memoryMb: z.int().nullable(),
  timeoutMs: z.int().nullable(),
  wouldHaveFailed: z.int().min(0).openapi({
    description: "How many of its calls took longer than the proposed `timeoutMs`, and did not time out.",
  }),
  connections: z.array(z.object({
    host: z.string().openapi({
      description: "With its port. `*`: hosts that cannot be listed, that contain a secret, or beyond 100 on a day.",
    }),
    checks: z.int().min(0).openapi({ description: "How often its permission was checked, at least once for each." }),
    lastDay: timeSchema.openapi({ description: "When the last day on which it was begins." }),
    proposed: z.boolean().openapi({ description: "Whether `permissions` covers it." }),
  })).nullable().openapi({ description: "The hosts that it connected to; null if they are not known." }),
  calls: z.int().min(0).openapi({
    description: "The calls that the proposal is made from; without any, none is made.",
  }),
  since: timeSchema.openapi({ description: "Since when all of them are known." }),
}).openapi("Suggestion");
