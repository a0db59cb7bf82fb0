// Implements /api/functions. The schemas are in function_schemas.ts.

import { z } from "@hono/zod-openapi";
import type { Condition, Health } from "../../code/checks/condition.ts";
import { functionVersion, type RegisteredFunction } from "../../core/functions/registry.ts";
import type { FunctionId } from "../../ids.ts";
import type { Api, ApiDeps } from "../services.ts";
import { answerList } from "./lists.ts";
import { functionChange, functionSchema, newFunction } from "../inputs/function_schemas.ts";
import { cursorSchema, nextSchema, optionalLimitSchema } from "../inputs/secret_schemas.ts";
import { apiRoute, ifMatch, tag } from "./route.ts";
import {
  answer,
  errors,
  findingsShape,
  idParams,
  json,
  query,
  SUCCESS,
  successSchema,
  time,
} from "../inputs/fields.ts";

const one = z.object({ function: functionSchema });
const saved = one.extend(findingsShape);

const tags = ["Functions"];
const params = idParams<FunctionId>();

const list = apiRoute({
  method: "get",
  path: "/api/functions",
  operationId: "listFunctions",
  tags,
  summary: "List functions",
  description: "In order of id: all of them, or with `limit` or `cursor` one page.",
  request: { query: query({ limit: optionalLimitSchema, cursor: cursorSchema }) },
  responses: {
    200: answer("The functions.", z.object({ functions: z.array(functionSchema), next: nextSchema })),
    ...errors(400),
  },
});

const create = apiRoute({
  method: "post",
  path: "/api/functions",
  operationId: "createFunction",
  etag: true,
  tags,
  summary: "Create a function",
  request: { body: json(newFunction) },
  responses: { 201: answer("The new function.", saved), ...errors(400, 404, 409, 413, 415) },
});

const get = apiRoute({
  method: "get",
  path: "/api/functions/{id}",
  operationId: "getFunction",
  etag: true,
  tags,
  summary: "Get a function",
  request: { params },
  responses: { 200: answer("The function.", one), ...errors(400, 404) },
});

const update = apiRoute({
  method: "put",
  path: "/api/functions/{id}",
  operationId: "updateFunction",
  etag: true,
  conditional: true,
  tags,
  summary: "Change a function",
  request: { params, body: json(functionChange) },
  responses: { 200: answer("The changed function.", saved), ...errors(400, 404, 409, 413, 415) },
});

const remove = apiRoute({
  method: "delete",
  path: "/api/functions/{id}",
  operationId: "deleteFunction",
  conditional: true,
  tags,
  summary: "Delete a function and its secrets",
  description: "Its files are kept.",
  request: { params },
  responses: { 200: answer("The function was deleted.", successSchema), ...errors(400, 404) },
});

const enable = apiRoute({
  method: "put",
  path: "/api/functions/{id}/enable",
  operationId: "enableFunction",
  etag: true,
  conditional: true,
  tags,
  summary: "Enable a function",
  request: { params },
  responses: { 200: answer("The changed function.", one), ...errors(400, 404) },
});

const disable = apiRoute({
  method: "put",
  path: "/api/functions/{id}/disable",
  operationId: "disableFunction",
  etag: true,
  conditional: true,
  tags,
  summary: "Disable a function, so that its calls get 404",
  request: { params },
  responses: { 200: answer("The changed function.", one), ...errors(400, 404) },
});

export function addFunctions(api: Api, { registry, assets, preflight, conditions, health }: ApiDeps): void {
  const shown = (row: RegisteredFunction) => toJson(row, conditions.of(row), health(row.id));

  api.openapi(
    list,
    (c) =>
      answerList(
        "functions",
        c.req.valid("query"),
        (after, limit) => registry.list(after, limit),
        (rows) => rows.map(shown),
      ),
  );

  api.openapi(create, async (c) => {
    const wanted = c.req.valid("json");
    await assets.check(wanted.files ?? []);
    const made = registry.create(c.get("actor"), wanted);
    tag(c, functionVersion(made));
    return c.json({ function: shown(made), ...await preflight.handler(made) }, 201);
  });

  api.openapi(get, (c) => {
    const entry = registry.get(c.req.valid("param").id);
    tag(c, functionVersion(entry));
    return c.json({ function: shown(entry) }, 200);
  });

  api.openapi(update, async (c) => {
    const change = c.req.valid("json");
    await assets.check(change.files ?? []);
    const changed = registry.update(c.get("actor"), c.req.valid("param").id, change, ifMatch(c));
    tag(c, functionVersion(changed));
    return c.json({ function: shown(changed), ...await preflight.handler(changed) }, 200);
  });

  api.openapi(remove, (c) => {
    registry.delete(c.get("actor"), c.req.valid("param").id, ifMatch(c));
    return c.json(SUCCESS, 200);
  });

  api.openapi(enable, (c) => {
    const changed = registry.update(c.get("actor"), c.req.valid("param").id, { enabled: true }, ifMatch(c));
    tag(c, functionVersion(changed));
    return c.json({ function: shown(changed) }, 200);
  });

  api.openapi(disable, (c) => {
    const changed = registry.update(c.get("actor"), c.req.valid("param").id, { enabled: false }, ifMatch(c));
    tag(c, functionVersion(changed));
    return c.json({ function: shown(changed) }, 200);
  });
}

function toJson(row: RegisteredFunction, { state, reason }: Condition, health: Health): z.infer<typeof functionSchema> {
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
    state,
    stateReason: reason,
    createdAt: time(row.createdAt),
    updatedAt: time(row.updatedAt),
    permissions: { net: typeof net === "boolean" ? net : [...net], read: "modules", env: false },
    secrets: [...row.secrets],
    isolation: row.isolation,
    responseGuard: row.responseGuard,
    cors: row.cors &&
      { ...row.cors, origins: [...row.cors.origins], headers: row.cors.headers && [...row.cors.headers] },
    timeoutMs: row.timeoutMs,
    memoryMb: row.memoryMb,
    files: [...row.files],
    health: {
      recentDeaths: health.recentDeaths,
      lastDeath: health.lastDeath ?? null,
      suspendedUntil: health.suspendedUntil === undefined ? null : time(health.suspendedUntil),
    },
  };
}
