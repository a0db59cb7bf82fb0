// Implements /api/secrets/import, /api/secrets/export and /api/secrets/{id}/copy.

import { z } from "@hono/zod-openapi";
import type { FileFormat, UnreadableSecret } from "../../core/secrets/secret_files.ts";
import { secretVersion } from "../../core/secrets/described.ts";
import type { SecretId } from "../../ids.ts";
import { answer, errors, idParams, idSchema, json } from "../inputs/fields.ts";
import {
  copyInput,
  exportInput,
  exportQuery,
  importInput,
  importJson,
  importResult,
} from "../inputs/secret_file_schemas.ts";
import { scopeSchema } from "../inputs/secret_schemas.ts";
import type { Api, ApiDeps } from "../services.ts";
import { apiRoute, ifMatch, nothingUndocumented, tag } from "./route.ts";

/** Enough for 10,000 secrets of 800 bytes. */
const IMPORT_BODY_MAX_BYTES = 8 * 1024 * 1024;
/** Names in the header, whose length is limited; the rest are counted. */
const UNREADABLE_MAX = 50;

const TYPES: Readonly<Record<FileFormat, string>> = {
  env: "text/plain; charset=utf-8",
  json: "application/json",
  yaml: "application/yaml",
};

const tags = ["Secrets"];

const importFile = apiRoute({
  method: "post",
  path: "/api/secrets/import",
  operationId: "importSecrets",
  tags,
  bodyMaxBytes: IMPORT_BODY_MAX_BYTES,
  summary: "Import secrets from a file in .env, JSON or YAML",
  description: "All secrets of the file are stored in one transaction, or none. With `dryRun`, nothing is stored. " +
    "If a line is invalid, `details` names each such line (400). Answers have no values.",
  request: { body: json(importInput) },
  responses: {
    200: answer("What was imported, or would be.", importResult),
    ...errors(400, 404, 409, 413, 415),
  },
});

const exportFile = apiRoute({
  method: "get",
  path: "/api/secrets/export",
  operationId: "exportSecrets",
  tags,
  summary: "Export the secrets of one owner, with their values",
  description: "A file from which `POST /api/secrets/import` reads the same secrets. The audit records it. Secrets " +
    "whose values cannot be read are named in comments of the file and in the header `X-Unreadable-Secrets`.",
  request: { query: exportQuery },
  responses: {
    200: {
      description: "The file.",
      content: {
        "text/plain": { schema: { type: "string" as const } },
        "application/json": { schema: { type: "object" as const } },
        "application/yaml": { schema: { type: "string" as const } },
      },
    },
    ...errors(400, 404),
  },
});

const copy = apiRoute({
  method: "post",
  path: "/api/secrets/{id}/copy",
  operationId: "copySecret",
  etag: true,
  conditional: true,
  tags,
  summary: "Copy or move a secret to another scope or owner",
  description: "The copy has the same name, value and comment. `If-Match` is compared with the source.",
  request: { params: idParams<SecretId>(), body: json(copyInput) },
  responses: {
    201: answer("The copy.", z.object({ id: idSchema, name: z.string(), scope: scopeSchema })),
    ...errors(400, 404, 409, 413, 415),
  },
});

/** Must be added before the other routes of secrets, which would take "import" and "export" for ids. */
export function addSecretFiles(api: Api, { secrets, transfer, commit }: ApiDeps): void {
  api.openapi(importFile, async (c) => {
    const { dryRun, ...request } = c.req.valid("json");
    const actor = c.get("actor");
    const plan = dryRun ? await transfer.preview(actor, request) : await transfer.import(actor, request);
    return c.json(importJson(plan), 200);
  });

  // Not with openapi(), which supports only JSON answers.
  api.openAPIRegistry.registerPath(exportFile);
  api.get(exportFile.path, nothingUndocumented({ body: false, conditional: false }, exportQuery), async (c) => {
    const { format, owner } = exportInput.parse(c.req.query());
    const { text, unreadable } = await transfer.export(c.get("actor"), owner, format);
    return c.body(text, 200, {
      "Content-Type": TYPES[format],
      "Content-Disposition": `attachment; filename="secrets.${format}"`,
      "Cache-Control": "no-store",
      ...(unreadable.length > 0 && { "X-Unreadable-Secrets": namesOf(unreadable) }),
    });
  });

  api.openapi(copy, async (c) => {
    const { id: source } = c.req.valid("param");
    const row = await commit(() => secrets.get(secrets.copy(c.get("actor"), source, c.req.valid("json"), ifMatch(c))));
    tag(c, secretVersion(row));
    return c.json({ id: row.id, name: row.name, scope: row.owner.scope }, 201);
  });
}

function namesOf(unreadable: readonly UnreadableSecret[]): string {
  const names = unreadable.slice(0, UNREADABLE_MAX).map(({ name }) => name);
  const others = unreadable.length - names.length;
  return names.join(", ") + (others > 0 ? ` and ${others} others` : "");
}
