// Implements /api/logs: the output of functions, in pages and as a stream.

import { z } from "@hono/zod-openapi";
import { invalid } from "../../errors.ts";
import type { FunctionId, FunctionRef } from "../../ids.ts";
import type { LogEntry } from "../../telemetry/logs.ts";
import type { Api, ApiDeps } from "../services.ts";
import { clearLogs } from "../clear_logs.ts";
import { levelSchema, logFilter, logListQuery } from "../inputs/log_schemas.ts";
import { createLogStream } from "./log_stream.ts";
import { apiRoute } from "./route.ts";
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
import { cursorOf } from "../inputs/secret_schemas.ts";

const logSchema = z.object({
  id: idSchema,
  functionId: idSchema,
  functionName: z.string().nullable().openapi({ description: "Null if the function was deleted meanwhile." }),
  requestId: z.string().nullable().openapi({ description: "The call's `X-Request-Id`; null outside of any call." }),
  level: levelSchema,
  event: z.string().openapi({
    description:
      "`print`; `dropped`: too many lines were printed; `exec_start`, `exec_end`, `exec_reject`: a call started, " +
      "ended, failed; `leak`: its response contains a secret; `error`: an error of the server.",
    example: "print",
  }),
  message: z.string(),
  durationMs: z.number().nullable().openapi({ description: "Duration of the call, at its end." }),
  at: timeSchema,
}).openapi("LogEntry");

const tags = ["Logs"];

const list = apiRoute({
  method: "get",
  path: "/api/logs",
  operationId: "listLogs",
  tags,
  summary: "List log entries",
  description: "The newest first. If `next` is not null, there are more: pass it as `cursor`.",
  request: {
    query: logListQuery,
  },
  responses: {
    200: answer("A page of entries.", z.object({ logs: z.array(logSchema), next: z.string().nullable() })),
    ...errors(400),
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
    "stream continues after that entry.",
  request: {
    query: query({
      ...logFilter,
      since: z.string(mustBe("given once")).regex(/^[0-9]{1,15}$/, "must be the id of an entry, or 0").optional()
        .openapi({ description: "Starts after this entry, as with `Last-Event-ID`." }),
    }),
  },
  responses: {
    200: { description: "The events.", content: { "text/event-stream": { schema: z.string() } } },
    ...errors(400, 503),
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
  responses: { 200: answer("It is deleted.", successSchema), ...errors(400, 404) },
});

export function addLogs(api: Api, deps: ApiDeps): void {
  const { logs, names, registry } = deps;
  const toJson = ({ at, id, functionId, ...entry }: LogEntry): z.infer<typeof logSchema> => {
    // From memory for most: followers of a busy function get thousands of entries a second.
    const functionName = registry.enabled(functionId)?.name ?? names.ofFunction(functionId);
    return { id, functionId, functionName, ...entry, at: time(at) };
  };
  const openStream = createLogStream(logs, toJson);
  const idOf = (ref: FunctionRef | undefined) => ref === undefined ? undefined : names.functionId(ref, "functionId");

  // Before the route with an id, which would take "stream" for one.
  api.openapi(stream, (c) => {
    const { since, functionId, ...rest } = c.req.valid("query");
    const filter = { ...rest, functionId: idOf(functionId) };
    const header = c.req.header("Last-Event-ID");
    if (header !== undefined && !/^[0-9]{1,15}$/.test(header)) {
      throw invalid("Last-Event-ID", "must be the id of an event");
    }
    // A browser that reconnects sends a newer id than the one in the address.
    const seen = header ?? since;
    const last = seen === undefined ? undefined : Number(seen);
    return openStream(
      { filter, last, isEntitled: () => c.get("actor").refusal() === undefined },
      c.req.method === "HEAD",
    );
  });

  api.openapi(list, (c) => {
    const { cursor, functionId, ...rest } = c.req.valid("query");
    const wanted = { ...rest, functionId: idOf(functionId) };
    const { entries, next } = logs.list({ ...wanted, ...(cursor > 0 && { after: cursor }) });
    return c.json({ logs: entries.map(toJson), next: next === undefined ? null : cursorOf(next) }, 200);
  });

  api.openapi(clear, async (c) => {
    await clearLogs(deps, c.get("actor"), c.req.valid("param").functionId);
    return c.json(SUCCESS, 200);
  });
}
