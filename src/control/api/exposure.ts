// Implements /api/secrets/exposure: what an API key, a function or an actor has read, without values.

import { z } from "@hono/zod-openapi";
import type { ExposedValue } from "../../core/secrets/exposure.ts";
import type { Api, ApiDeps } from "../services.ts";
import { apiRoute } from "./route.ts";
import { exposureFilter, exposureQuery } from "../inputs/exposure_schemas.ts";
import { answer, errors, idSchema, time, timeSchema } from "../inputs/fields.ts";
import { scopeSchema } from "../inputs/secret_schemas.ts";

const exposedSchema = z.object({
  secretId: idSchema,
  name: z.string().nullable().openapi({ description: "Null if the secret is no longer in the bin." }),
  scope: scopeSchema.nullable(),
  scopeId: idSchema.nullable(),
  scopeName: z.string().nullable(),
  firstReadAt: timeSchema,
  lastReadAt: timeSchema.openapi({
    description: "Not earlier than the last read: reads are counted by minute for two days, then by day.",
  }),
  reads: z.int().min(0).openapi({ description: "How often the value was disclosed." }),
  sealedUses: z.int().min(0).openapi({
    description: "How often a function could send the sealed value, without reading it.",
  }),
  rotatedSince: z.boolean().openapi({ description: "Whether another value was set after the last read." }),
  deleted: z.boolean(),
}).openapi("ExposedValue");

const route = apiRoute({
  method: "get",
  path: "/api/secrets/exposure",
  operationId: "listExposure",
  tags: ["Secrets"],
  summary: "List what an API key, a function, an actor or anybody has read",
  description:
    "The latest first. From the counts of reads, which are kept for `metrics.retention-days`, and the audit.",
  request: { query: exposureQuery },
  responses: {
    200: answer("The values.", z.object({ values: z.array(exposedSchema) })),
    ...errors(400, 404),
  },
});

export function addExposure(api: Api, deps: ApiDeps): void {
  api.openapi(route, (c) => {
    const values = deps.exposure.values(exposureFilter(c.req.valid("query"), deps));
    return c.json({ values: values.map(toJson) }, 200);
  });
}

function toJson(value: ExposedValue): z.infer<typeof exposedSchema> {
  return { ...value, firstReadAt: time(value.firstReadAt), lastReadAt: time(value.lastReadAt) };
}
