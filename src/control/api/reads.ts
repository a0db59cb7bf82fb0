// Implements /api/secrets/{id}/reads: which functions read a secret, and when, without its value.

import { z } from "@hono/zod-openapi";
import type { FunctionId, KeyId, SecretId } from "../../ids.ts";
import type { ReadCursor } from "../../store/secret_reads.ts";
import type { Api, ApiDeps } from "../services.ts";
import { apiRoute } from "./route.ts";
import { answer, errors, idParams, idSchema, query, time, timeSchema } from "../inputs/fields.ts";

const LIMIT_MAX = 1_000;
const LIMIT_PROBLEM = `must be a whole number from 1 to ${LIMIT_MAX}`;

const limit = z.string()
  .regex(/^[1-9][0-9]*$/, LIMIT_PROBLEM)
  .transform(Number)
  .refine((limit) => limit <= LIMIT_MAX, LIMIT_PROBLEM)
  .default(100)
  .openapi({ type: "integer", minimum: 1, maximum: LIMIT_MAX, default: 100, pattern: undefined });

const cursor = z.string().regex(/^\d{1,15}-\d{1,15}-\d{1,15}$/, "must be a `next` of an earlier answer")
  .transform((text): ReadCursor => {
    const [at, functionId, keyId] = text.split("-").map(Number) as [number, FunctionId, KeyId];
    return { at, functionId, keyId };
  })
  .openapi({ type: "string" });

const count = z.int().min(0);

const nameOrNull = z.string().nullable().openapi({ description: "Null without an id, or if it was deleted." });

const readsSchema = z.object({
  lastReadAt: timeSchema.nullable().openapi({ description: "Null if no handler has read the value." }),
  lastFunctionId: idSchema.nullable(),
  lastFunctionName: nameOrNull,
  last30Days: count.openapi({ description: "How often it was read today and on the 29 days before, in UTC." }),
  countedSince: timeSchema.openapi({ description: "Earlier reads are unknown." }),
  reads: z.array(z.object({
    at: timeSchema.openapi({ description: "The start of the minute or day." }),
    per: z.enum(["minute", "day"]),
    functionId: idSchema,
    functionName: nameOrNull,
    keyId: idSchema.nullable().openapi({ description: "Id of the API key that the function was called with." }),
    keyName: nameOrNull.openapi({ example: "staging/acme" }),
    count,
  })),
  next: z.string().nullable(),
}).openapi("SecretReads");

const get = apiRoute({
  method: "get",
  path: "/api/secrets/{id}/reads",
  operationId: "listSecretReads",
  tags: ["Secrets"],
  summary: "Show which functions read a secret, and when",
  description:
    "Newest first: by minute for two days, then by day for `metrics.retention-days`. If `next` is not null, " +
    "there are more: pass it as `cursor`. Values that the API shows are not counted.",
  request: { params: idParams<SecretId>(), query: query({ limit, cursor: cursor.optional() }) },
  responses: { 200: answer("Reads of the secret by handlers.", readsSchema), ...errors(400, 404) },
});

export function addReads(api: Api, { secrets, reads, names }: ApiDeps): void {
  api.openapi(get, (c) => {
    const { id } = secrets.get(c.req.valid("param").id);
    const { limit, cursor } = c.req.valid("query");
    const known = reads.of([id]).get(id);
    const page = reads.list(id, cursor, limit);
    const last = page.at(-1);
    return c.json({
      lastReadAt: known ? time(known.lastReadAt) : null,
      lastFunctionId: known?.lastFunctionId ?? null,
      lastFunctionName: known ? names.ofFunction(known.lastFunctionId) : null,
      last30Days: known?.last30Days ?? 0,
      countedSince: time(reads.begin),
      reads: page.map(({ at, per, functionId, keyId, reads: count }) => ({
        at: time(at),
        per,
        functionId,
        functionName: names.ofFunction(functionId),
        keyId: keyId === 0 ? null : keyId,
        keyName: keyId === 0 ? null : names.ofKey(keyId),
        count,
      })),
      next: last && page.length === limit ? `${last.at}-${last.functionId}-${last.keyId}` : null,
    }, 200);
  });
}
