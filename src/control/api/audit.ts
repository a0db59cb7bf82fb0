// Implements /api/audit: reads and exports the audit. No route changes an entry.

import { z } from "@hono/zod-openapi";
import type { Audit } from "../../core/audit/audit.ts";
import { auditEntry, exportHead, exportLine } from "../../core/audit/export.ts";
import { auditEntrySchema, auditQuery } from "../inputs/audit_schemas.ts";
import { beforeCursor } from "../inputs/newest_first.ts";
import type { Api, ApiDeps } from "../services.ts";
import { apiRoute, nothingUndocumented } from "./route.ts";
import { answer, errors } from "../inputs/fields.ts";

/** Entries per chunk of an export. */
const EXPORT_PIECE = 200;

const tags = ["Audit"];

const list = apiRoute({
  method: "get",
  path: "/api/audit",
  operationId: "listAudit",
  tags,
  summary: "List what was changed and seen, by whom",
  description: "Newest first. While `next` is not null, there are more: pass it as `cursor`.",
  request: { query: auditQuery },
  responses: {
    200: answer("A page of entries.", z.object({ entries: z.array(auditEntrySchema), next: z.string().nullable() })),
    ...errors(400),
  },
});

const exportAll = apiRoute({
  method: "get",
  path: "/api/audit/export",
  operationId: "exportAudit",
  tags,
  summary: "Export the whole audit",
  description: "A JSON object a line: the entries, oldest first, and at last `head`. `audit verify --export` " +
    "finds whether a line was changed since.",
  responses: {
    200: {
      description: "The entries and the head.",
      content: { "application/x-ndjson": { schema: { type: "string" as const } } },
    },
    ...errors(),
  },
});

export function addAudit(api: Api, { audit }: ApiDeps): void {
  api.openapi(list, (c) => {
    const { limit, cursor, ...filter } = c.req.valid("query");
    const { entries, next } = audit.list(filter, cursor, limit);
    return c.json({ entries: entries.map(auditEntry), next: next === undefined ? null : beforeCursor(next) }, 200);
  });

  // Not with openapi(), which supports only JSON answers.
  api.openAPIRegistry.registerPath(exportAll);
  api.get(
    exportAll.path,
    nothingUndocumented({ body: false, conditional: false }),
    (c) =>
      c.body(exportStream(audit), 200, {
        "Content-Type": "application/x-ndjson",
        "Content-Disposition": 'attachment; filename="audit.jsonl"',
      }),
  );
}

/** Streams the whole audit; reads each chunk when the client is ready for it. */
export function exportStream(audit: Pick<Audit, "following" | "head">): ReadableStream<Uint8Array> {
  const head = audit.head() ?? '{"count":0,"mac":""}';
  const { count } = JSON.parse(head) as { count: number };
  const encoder = new TextEncoder();
  let after = 0;
  return new ReadableStream({
    pull(controller) {
      const rows = audit.following(after, count, EXPORT_PIECE);
      after = rows.at(-1)?.id ?? count;
      const lines = rows.length === 0 ? [exportHead(head)] : rows.map(exportLine);
      controller.enqueue(encoder.encode(lines.map((line) => `${line}\n`).join("")));
      if (rows.length === 0) controller.close();
    },
  }, { highWaterMark: 1 });
}
