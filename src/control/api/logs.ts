// Implements /api/logs: the output of functions, in pages and as a stream.

import { z } from "@hono/zod-openapi";
import type { FunctionId, FunctionRef, KeyId, KeyRef } from "../../ids.ts";
import type { MergedEntry } from "../../telemetry/cluster/node_logs.ts";
import type { LogFilter } from "../../telemetry/logs.ts";
import type { Api, ApiDeps } from "../services.ts";
import { clearLogs } from "../clear_logs.ts";
import {
  levelSchema,
  logExportQuery,
  logFilter,
  logListQuery,
  silentJson,
  silentSchema,
  timesOf,
} from "../inputs/log_schemas.ts";
import { EXPORTED_MAX, exportStream, textLine } from "./log_export.ts";
import { createLogStream } from "./log_stream.ts";
import { mayRead, requireReader } from "./reader.ts";
import { apiRoute, nothingUndocumented } from "./route.ts";
import {
  answer,
  errors,
  idSchema,
  idText,
  mustBe,
  query,
  SUCCESS,
  successSchema,
  time,
  timeSchema,
} from "../inputs/fields.ts";

const logSchema = z.object({
  id: idSchema,
  functionId: idSchema,
  functionName: z.string().nullable().openapi({ description: "Null if the function was deleted meanwhile." }),
  requestId: z.string().nullable().openapi({ description: "The call's `X-Request-Id`; null outside of any call." }),
  keyId: idSchema.nullable().openapi({
    description: "The API key that admitted the call; null if none did, and of entries of earlier versions.",
  }),
  keyName: z.string().nullable().openapi({
    description: "Null also if the key was revoked meanwhile.",
    example: "staging/acme",
  }),
  level: levelSchema,
  event: z.string().openapi({
    description:
      "`print`; `dropped`: too many lines were printed; `exec_start`, `exec_end`, `exec_reject`: a call started, " +
      "ended, failed; `secret`: it asked for a secret; `leak`: its response contains a secret; `error`: an error of the server.",
    example: "print",
  }),
  message: z.string(),
  durationMs: z.number().nullable().openapi({ description: "Duration of the call, at its end." }),
  at: timeSchema,
  node: z.string().optional().openapi({ description: "In a cluster: the node that wrote the entry, and its `id`." }),
}).openapi("LogEntry");

const tags = ["Logs"];

const list = apiRoute({
  method: "get",
  path: "/api/logs",
  operationId: "listLogs",
  tags,
  summary: "List log entries",
  description:
    "The newest first. If `next` is not null, there are more: pass it as `cursor`. `newest` is the `since` " +
    "with which `/api/logs/stream` continues. In a cluster, the entries of all nodes are merged by time; `silentNodes` " +
    "names nodes whose entries are missing because they did not answer.",
  request: {
    query: logListQuery,
  },
  responses: {
    200: answer(
      "A page of entries.",
      z.object({
        logs: z.array(logSchema),
        next: z.string().nullable(),
        newest: z.string(),
        silentNodes: z.array(silentSchema).optional(),
      }),
    ),
    ...errors(400, 404),
  },
});

const exportSome = apiRoute({
  method: "get",
  path: "/api/logs/export",
  operationId: "exportLogs",
  tags,
  summary: "Download log entries",
  description: `The newest first, at most ${EXPORTED_MAX} entries: objects as those of the list, or lines of text.`,
  request: { query: logExportQuery },
  responses: {
    200: {
      description: "The entries, one a line.",
      content: {
        "application/x-ndjson": { schema: { type: "string" as const } },
        "text/plain": { schema: { type: "string" as const } },
      },
    },
    ...errors(400, 404),
  },
});

const stream = apiRoute({
  method: "get",
  path: "/api/logs/stream",
  operationId: "followLogs",
  tags,
  summary: "Follow log entries",
  description:
    'Server-sent events: `log` with an entry as its data and id; `lost` with `{"lines": n}` if the client was too ' +
    "slow for n entries (null if the number is unknown); and a comment every 15 seconds. With `Last-Event-ID`, the " +
    "stream continues after that entry. In a cluster, entries of all nodes come, those that were missed by time; " +
    '`nodes` with `{"silent": [{node, error}]}` says which nodes do not answer, each time that changes.',
  request: {
    query: query({
      ...logFilter,
      since: z.string(mustBe("given once")).optional()
        .openapi({
          description: "The `newest` of a page, or the id of an event: starts after it, as `Last-Event-ID`.",
        }),
    }),
  },
  responses: {
    200: { description: "The events.", content: { "text/event-stream": { schema: z.string() } } },
    ...errors(400, 404, 503),
  },
});

const clear = apiRoute({
  method: "delete",
  path: "/api/logs/{functionId}",
  operationId: "deleteLogs",
  tags,
  summary: "Delete the log of a function",
  request: {
    params: z.object({
      functionId: idText<FunctionId>().openapi({ param: { name: "functionId", in: "path" } }),
    }),
  },
  responses: { 200: answer("It is deleted.", successSchema), ...errors(400, 404, 503) },
});

/** What a query refers to by ids or names. */
interface Refs extends Omit<LogFilter, "functionId" | "keyId"> {
  readonly functionId?: FunctionRef | undefined;
  readonly key?: KeyRef | undefined;
}

/** Names of keys that are kept in memory, for followers of busy functions. */
const KEY_NAMES_MAX = 1_000;

/** Returns a function that gives the names of keys, which are looked up once until keys or groups are changed. */
function createKeyNames({ access, names }: Pick<ApiDeps, "access" | "names">): (id: KeyId | null) => string | null {
  const known = new Map<KeyId, string | null>();
  let generation = access.directory.generation;
  return (id) => {
    if (id === null) return null;
    if (generation !== access.directory.generation || known.size >= KEY_NAMES_MAX) known.clear();
    generation = access.directory.generation;
    let name = known.get(id);
    if (name === undefined) known.set(id, name = names.ofKey(id));
    return name;
  };
}

export function addLogs(api: Api, deps: ApiDeps): void {
  const { allLogs, names, registry, serving } = deps;
  const keyName = createKeyNames(deps);
  const toJson = (
    { at, id, functionId, requestId, keyId = null, ...entry }: MergedEntry,
  ): z.infer<typeof logSchema> => {
    // From memory for most: followers of a busy function get thousands of entries a second.
    const functionName = registry.enabled(functionId)?.name ?? names.ofFunction(functionId);
    return { id, functionId, functionName, requestId, keyId, keyName: keyName(keyId), ...entry, at: time(at) };
  };
  const openStream = createLogStream(allLogs, toJson);
  const idsOf = ({ functionId, key, ...filter }: Refs) => ({
    ...filter,
    functionId: functionId === undefined ? undefined : names.functionId(functionId, "functionId"),
    keyId: key === undefined ? undefined : names.keyId(key, "key"),
  });

  // Before the route with an id, which would take "stream" for one.
  api.openapi(stream, (c) => {
    const { since, ...rest } = c.req.valid("query");
    const filter = idsOf(rest);
    // A browser that reconnects sends a newer id than the one in the address.
    const last = c.req.header("Last-Event-ID") ?? since;
    return openStream(
      { filter, since: last, isEntitled: () => mayRead(c.get("actor"), serving) },
      c.req.method === "HEAD",
    );
  });

  api.openapi(list, async (c) => {
    const { cursor, limit, from, to, ...rest } = c.req.valid("query");
    const filter = { ...idsOf(rest), ...timesOf({ from, to }) };
    const page = await allLogs.list(filter, { limit, cursor });
    const { entries, next = null, newest, silent } = page;
    return c.json({
      logs: entries.map(toJson),
      next,
      newest,
      ...(silent.length > 0 && { silentNodes: silent.map(silentJson) }),
    }, 200);
  });

  // Not with openapi(), which supports only JSON answers.
  api.openAPIRegistry.registerPath(exportSome);
  api.get(
    exportSome.path,
    nothingUndocumented({ body: false, conditional: false }, logExportQuery),
    async (c) => {
      const { format, from, to, ...rest } = logExportQuery.parse(c.req.query());
      const filter = { ...idsOf(rest), ...timesOf({ from, to }) };
      const line = format === "jsonl"
        ? (entry: MergedEntry) => JSON.stringify(toJson(entry))
        : (entry: MergedEntry) => textLine(entry, toJson(entry).functionName ?? `#${entry.functionId}`);
      const check = () => requireReader(c.get("actor"), serving);
      return c.body(await exportStream(allLogs, filter, line, check), 200, {
        "Content-Type": format === "jsonl" ? "application/x-ndjson" : "text/plain; charset=utf-8",
        "Content-Disposition": `attachment; filename="logs.${format === "jsonl" ? "jsonl" : "txt"}"`,
      });
    },
  );

  api.openapi(clear, async (c) => {
    await clearLogs(deps, c.get("actor"), c.req.valid("param").functionId);
    return c.json(SUCCESS, 200);
  });
}
