// /api/functions. The routes and what they do; the schemas are in function_schemas.ts.

import { createRoute, z } from "@hono/zod-openapi";
import type { RegisteredFunction } from "../../functions/registry.ts";
import type { FunctionId } from "../../ids.ts";
import type { Health } from "../../sandbox/health.ts";
import type { Api, ApiDeps } from "./deps.ts";
import { jsonBody } from "./body.ts";
import { answerList } from "./lists.ts";
import { functionChange, functionSchema, newFunction } from "./function_schemas.ts";
import { cursorSchema, nextSchema, optionalLimitSchema } from "./secret_schemas.ts";
import { answer, errors, idParams, json, query, SUCCESS, successSchema, time } from "./schemas.ts";

const one = z.object({ function: functionSchema });
const saved = one.extend({
  problems: z.array(z.string()).openapi({ description: "Why the handler cannot run yet, if it cannot." }),
});

const tags = ["Functions"];
const params = idParams<FunctionId>();

const list = createRoute({
  method: "get",
  path: "/api/functions",
  tags,
  summary: "List functions",
  description: "All of them, or with `limit` or `cursor` a page of them, in order of id.",
  request: { query: query({ limit: optionalLimitSchema, cursor: cursorSchema }) },
  responses: {
    200: answer("The functions.", z.object({ functions: z.array(functionSchema), next: nextSchema })),
    ...errors(400),
  },
});

const create = createRoute({
  method: "post",
  path: "/api/functions",
  tags,
  summary: "Create a function",
  middleware: jsonBody,
  request: { body: json(newFunction) },
  responses: { 201: answer("The new function.", saved), ...errors(400, 404, 409, 413, 415) },
});

const get = createRoute({
  method: "get",
  path: "/api/functions/{id}",
  tags,
  summary: "Get a function",
  request: { params },
  responses: { 200: answer("The function.", one), ...errors(400, 404) },
});

const update = createRoute({
  method: "put",
  path: "/api/functions/{id}",
  tags,
  summary: "Change a function",
  middleware: jsonBody,
  request: { params, body: json(functionChange) },
  responses: { 200: answer("The function as it is now.", saved), ...errors(400, 404, 409, 413, 415) },
});

const remove = createRoute({
  method: "delete",
  path: "/api/functions/{id}",
  tags,
  summary: "Delete a function and its secrets",
  description: "Its files stay.",
  request: { params },
  responses: { 200: answer("It is deleted.", successSchema), ...errors(400, 404) },
});

const enable = createRoute({
  method: "put",
  path: "/api/functions/{id}/enable",
  tags,
  summary: "Let a function be called",
  request: { params },
  responses: { 200: answer("The function as it is now.", one), ...errors(400, 404) },
});

const disable = createRoute({
  method: "put",
  path: "/api/functions/{id}/disable",
  tags,
  summary: "Answer calls of a function with 404",
  request: { params },
  responses: { 200: answer("The function as it is now.", one), ...errors(400, 404) },
});

export function addFunctions(api: Api, { registry, imports, health }: ApiDeps): void {
  const shown = (row: RegisteredFunction) => toJson(row, health(row.id));

  api.openapi(list, (c) => answerList("functions", c.req.valid("query"), registry.list, (rows) => rows.map(shown)));

  api.openapi(create, async (c) => {
    const made = registry.create(c.get("actor"), c.req.valid("json"));
    const { problems } = await imports.prepare(made.handler);
    return c.json({ function: shown(made), problems: [...problems] }, 201);
  });

  api.openapi(get, (c) => c.json({ function: shown(registry.get(c.req.valid("param").id)) }, 200));

  api.openapi(update, async (c) => {
    const change = c.req.valid("json");
    const changed = registry.update(c.get("actor"), c.req.valid("param").id, change);
    const { problems } = change.handler === undefined ? { problems: [] } : await imports.prepare(changed.handler);
    return c.json({ function: shown(changed), problems: [...problems] }, 200);
  });

  api.openapi(remove, (c) => {
    registry.delete(c.get("actor"), c.req.valid("param").id);
    return c.json(SUCCESS, 200);
  });

  api.openapi(enable, (c) => {
    const changed = registry.update(c.get("actor"), c.req.valid("param").id, { enabled: true });
    return c.json({ function: shown(changed) }, 200);
  });

  api.openapi(disable, (c) => {
    const changed = registry.update(c.get("actor"), c.req.valid("param").id, { enabled: false });
    return c.json({ function: shown(changed) }, 200);
  });
}

function toJson(row: RegisteredFunction, health: Health): z.infer<typeof functionSchema> {
  const { net } = row.permissions;
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    handler: row.handler,
    route: row.route,
    methods: row.methods,
    keys: [...row.keys],
    enabled: row.enabled,
    createdAt: time(row.createdAt),
    updatedAt: time(row.updatedAt),
    permissions: { net: typeof net === "boolean" ? net : [...net], read: "modules", env: false },
    secrets: [...row.secrets],
    isolation: row.isolation,
    responseGuard: row.responseGuard,
    timeoutMs: row.timeoutMs,
    memoryMb: row.memoryMb,
    health: {
      recentDeaths: health.recentDeaths,
      lastDeath: health.lastDeath ?? null,
      suspendedUntil: health.suspendedUntil === undefined ? null : time(health.suspendedUntil),
    },
  };
}
