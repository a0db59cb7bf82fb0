// Implements /api/audit: reads and exports the audit. No route changes an entry.

import { z } from "@hono/zod-openapi";
import { requireReader } from "./reader.ts";
import type { Audit } from "../../core/audit/audit.ts";
import { auditEntry, CSV_HEAD, csvLine, exportHead, exportLine } from "../../core/audit/export.ts";
import { auditEntrySchema, auditFilter, auditQuery } from "../inputs/audit_schemas.ts";
import type { AuditFilter, AuditRow } from "../../store/audit.ts";
import { beforeCursor } from "../inputs/newest_first.ts";
import type { Api, ApiDeps } from "../services.ts";
import { apiRoute, nothingUndocumented } from "./route.ts";
import { answer, errors, mustBe, query } from "../inputs/fields.ts";

/** Entries per chunk of an export. */
const EXPORT_PIECE = 200;
/** Entries that are looked at for a chunk of a filtered export. */
const SEARCHED_PIECE = 1_000;

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

const exportQuery = query({
  ...auditFilter,
  format: z.enum(["jsonl", "csv"], mustBe("jsonl or csv")).optional().transform((format) => format ?? "jsonl")
    .openapi({ type: "string", enum: ["jsonl", "csv"], default: "jsonl" }),
});

const exportAll = apiRoute({
  method: "get",
  path: "/api/audit/export",
  operationId: "exportAudit",
  tags,
  summary: "Export the audit",
  description: "A JSON object a line: the entries, oldest first, and at last `head`. `audit verify --export` " +
    "finds whether a line was changed since. With a filter, only the entries that match, without `head`: such an export " +
    "cannot be verified. As `csv` for spreadsheets: without MACs and `head`, so that it cannot be " +
    "verified.",
  request: { query: exportQuery },
  responses: {
    200: {
      description: "The entries and the head.",
      content: {
        "application/x-ndjson": { schema: { type: "string" as const } },
        "text/csv": { schema: { type: "string" as const } },
      },
    },
    ...errors(400),
  },
});

export function addAudit(api: Api, { audit, serving }: ApiDeps): void {
  api.openapi(list, (c) => {
    const { limit, cursor, ...filter } = c.req.valid("query");
    const { entries, next } = audit.list(filter, cursor, limit);
    return c.json({ entries: entries.map(auditEntry), next: next === undefined ? null : beforeCursor(next) }, 200);
  });

  // Not with openapi(), which supports only JSON answers.
  api.openAPIRegistry.registerPath(exportAll);
  api.get(
    exportAll.path,
    nothingUndocumented({ body: false, conditional: false }, exportQuery),
    (c) => {
      const { format, ...filter } = exportQuery.parse(c.req.query());
      const stream = exportStream(audit, { format, filter }, () => requireReader(c.get("actor"), serving));
      return c.body(stream, 200, {
        "Content-Type": format === "csv" ? "text/csv; charset=utf-8" : "application/x-ndjson",
        "Content-Disposition": `attachment; filename="audit.${format}"`,
      });
    },
  );
}

interface Export {
  readonly format: "jsonl" | "csv";
  readonly filter: AuditFilter;
}

/**
 * Streams the entries that match, the oldest first, and as JSON lines of the whole audit its head; reads each chunk when the
 * client is ready for it. `check` is called before, and breaks it off by throwing.
 */
export function exportStream(
  audit: Pick<Audit, "following" | "matching" | "head">,
  { format, filter }: Export,
  check: () => void,
): ReadableStream<Uint8Array> {
  const head = audit.head() ?? '{"count":0,"mac":""}';
  const { count } = JSON.parse(head) as { count: number };
  const isWhole = Object.values(filter).every((value) => value === undefined);
  const encoder = new TextEncoder();
  const write = (controller: ReadableStreamDefaultController<Uint8Array>, lines: readonly string[]) =>
    controller.enqueue(encoder.encode(lines.map((line) => `${line}\n`).join("")));
  let after = 0;
  const next = (): AuditRow[] => {
    if (isWhole) {
      const rows = audit.following(after, count, EXPORT_PIECE);
      after = rows.at(-1)?.id ?? count;
      return rows;
    }
    const upTo = Math.min(after + SEARCHED_PIECE, count);
    const rows = audit.matching(filter, after, upTo, EXPORT_PIECE);
    after = rows.length === EXPORT_PIECE ? rows.at(-1)!.id : upTo;
    return rows;
  };
  return new ReadableStream({
    start(controller) {
      if (format === "csv") write(controller, [CSV_HEAD]);
    },
    async pull(controller) {
      while (after < count) {
        check();
        const rows = next();
        if (rows.length > 0) return write(controller, rows.map(format === "csv" ? csvLine : exportLine));
        // A stream is not asked again for a chunk that was not given; other requests are answered in between.
        await new Promise((resolve) => setTimeout(resolve, 0));
      }
      check();
      if (format === "jsonl" && isWhole) write(controller, [exportHead(head)]);
      controller.close();
    },
  }, { highWaterMark: 1 });
}
