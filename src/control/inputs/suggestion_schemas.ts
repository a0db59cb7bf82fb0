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
  permissions: permissionsSchema.openapi({ description: "As they are: connections are not observed." }),
  memoryMb: z.int().nullable(),
  timeoutMs: z.int().nullable(),
  wouldHaveFailed: z.int().min(0).openapi({
    description: "How many of its calls took longer than the proposed `timeoutMs`, and did not time out.",
  }),
  calls: z.int().min(0).openapi({
    description: "The calls that the proposal is made from; without any, none is made.",
  }),
  since: timeSchema.openapi({ description: "Since when all of them are known." }),
}).openapi("Suggestion");
