// Implements /api/blobs: contents of files, which a deployment then refers to.

import { z } from "@hono/zod-openapi";
import type { Api, ApiDeps } from "../services.ts";
import { answer, body, errors, json, mustBe } from "../inputs/fields.ts";
import { FILE_BODY_MAX_BYTES, readBody } from "../inputs/body.ts";
import { sha256Field } from "../inputs/version_schemas.ts";
import { apiRoute, documented, nothingUndocumented } from "./route.ts";

const HASHES_MAX = 100_000;
/** A hash has 67 bytes in JSON. */
const LIST_MAX_BYTES = 8 * 1024 * 1024;

const tags = ["Deployments"];

const missing = apiRoute({
  method: "post",
  path: "/api/blobs/missing",
  operationId: "findMissingBlobs",
  tags,
  summary: "Find which contents are not stored",
  bodyMaxBytes: LIST_MAX_BYTES,
  request: {
    body: json(
      body({
        sha256: z.array(sha256Field(), mustBe("a list of hashes"))
          .max(HASHES_MAX, `must have at most ${HASHES_MAX} entries`),
      }).openapi("Hashes"),
    ),
  },
  responses: {
    200: answer("Those that are missing.", z.object({ missing: z.array(z.string()) })),
    ...errors(400, 413, 415),
  },
});

const stored = z.object({ sha256: z.string(), size: z.int().openapi({ description: "Bytes." }) });
const params = z.object({ sha256: sha256Field().openapi({ param: { name: "sha256", in: "path" } }) });

export function addBlobs(api: Api, { blobs }: ApiDeps): void {
  api.openapi(missing, async (c) => {
    const { sha256 } = c.req.valid("json");
    return c.json({ missing: await blobs.missing(sha256) }, 200);
  });

  // Hono's own route, as the body may have any type.
  api.openAPIRegistry.registerPath(documented({
    method: "put",
    path: "/api/blobs/{sha256}",
    operationId: "putBlob",
    tags,
    summary: "Store a content",
    description: "Contents that no version refers to are removed after a day.",
    request: {
      params,
      body: {
        required: true,
        content: { "*/*": { schema: { type: "string", description: "The content, whatever the type." } } },
      },
    },
    responses: {
      200: answer("The content was already stored.", stored),
      201: answer("The content was stored.", stored),
      ...errors(400, 413),
    },
  }));
  api.put("/api/blobs/:sha256", nothingUndocumented({ body: true, conditional: false }), async (c) => {
    const { sha256 } = params.parse({ sha256: c.req.param("sha256") });
    const content = await readBody(c.req.raw, FILE_BODY_MAX_BYTES);
    const isNew = await blobs.put(sha256, content);
    return c.json({ sha256, size: content.length }, isNew ? 201 : 200);
  });
}
