// Implements /api/functions. The schemas are in function_schemas.ts.

import { z } from "@hono/zod-openapi";
import { requireReader } from "./reader.ts";
import type { Condition, Health } from "../../code/checks/condition.ts";
import type { Trial } from "../../core/functions/permissions.ts";
import type { RegisteredFunction } from "../../core/functions/registry.ts";
import type { Names } from "../../core/access/names.ts";
import { invalid } from "../../errors.ts";
import type { FunctionId, GroupRef } from "../../ids.ts";
import type { Api, ApiDeps } from "../services.ts";
import { answerList } from "./lists.ts";
import {
  functionChange,
  functionEntry,
  functionSchema,
  newFunction,
  permissionsOf,
} from "../inputs/function_schemas.ts";
import { suggestionDays, suggestionSchema } from "../inputs/suggestion_schemas.ts";
import { functionName, nameParams } from "../inputs/references.ts";
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

const byName = "/api/functions/by-name/{name}";
const named = nameParams(functionName);

const getNamed = apiRoute({
  method: "get",
  path: byName,
  operationId: "getFunctionByName",
  etag: true,
  tags,
  summary: "Get a function by its name",
  request: { params: named },
  responses: { 200: answer("The function.", one), ...errors(400, 404) },
});

const replace = apiRoute({
  method: "put",
  path: byName,
  operationId: "replaceFunction",
  etag: true,
  conditional: true,
  tags,
  summary: "Create a function of this name, or replace it",
  description: "Fields that are left out get their defaults, except on an existing function: there `enabled` stays, " +
    "and leaving out `keys` or `secrets` that limit it is a 400.",
  request: { params: named, body: json(functionEntry) },
  responses: {
    200: answer("The function that was replaced.", saved),
    201: answer("The new function.", saved),
    ...errors(400, 404, 409, 413, 415),
  },
});

const removeNamed = apiRoute({
  method: "delete",
  path: byName,
  operationId: "deleteFunctionByName",
  conditional: true,
  tags,
  summary: "Delete a function by its name, and its secrets",
  description: "Its files are kept.",
  request: { params: named },
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

const suggest = apiRoute({
  method: "get",
  path: "/api/functions/{id}/suggestions",
  operationId: "suggestConfinement",
  tags,
  summary: "Propose narrower rights and limits, from what the function used",
  description:
    "`secrets`, `permissions`, `memoryMb` and `timeoutMs` can be sent to `PUT /api/functions/{id}` as they " +
    "are. What is not known to be narrower is proposed as it is.",
  request: { params, query: query({ days: suggestionDays }) },
  responses: { 200: answer("The proposal.", suggestionSchema), ...errors(400, 404) },
});

/** Longer than 80 lines: a list of handlers, one for each route. */
export function addFunctions(
  api: Api,
  { registry, names, assets, preflight, conditions, health, suggestions, commit, serving }: ApiDeps,
): void {
  const shown = (row: RegisteredFunction) =>
    toJson(row, row.keys.map(names.ofGroup), conditions.of(row), health(row.id));

  api.openapi(
    list,
    (c) =>
      answerList(
        "functions",
        c.req.valid("query"),
        (after, limit) => registry.list(after, limit),
        (rows) => rows.map(shown),
        () => requireReader(c.get("actor"), serving),
      ),
  );

  // Before the routes with an id, which would take "by-name" for one.
  api.openapi(getNamed, (c) => {
    const entry = registry.named(c.req.valid("param").name);
    tag(c, registry.version(entry));
    return c.json({ function: shown(entry) }, 200);
  });

  api.openapi(replace, async (c) => {
    const entry = c.req.valid("json");
    await assets.check(entry.files ?? []);
    const { name } = c.req.valid("param");
    const { function: replaced, created } = await commit(() =>
      registry.replace(c.get("actor"), name, entry, ifMatch(c))
    );
    tag(c, registry.version(replaced));
    const body = { function: shown(replaced), ...await preflight.handler(replaced) };
    return created ? c.json(body, 201) : c.json(body, 200);
  });

  api.openapi(removeNamed, async (c) => {
    const { name } = c.req.valid("param");
    await commit(() => registry.delete(c.get("actor"), registry.named(name).id, ifMatch(c)));
    return c.json(SUCCESS, 200);
  });

  api.openapi(create, async (c) => {
    const wanted = c.req.valid("json");
    await assets.check(wanted.files ?? []);
    const made = await commit(() => registry.create(c.get("actor"), wanted));
    tag(c, registry.version(made));
    return c.json({ function: shown(made), ...await preflight.handler(made) }, 201);
  });

  api.openapi(get, (c) => {
    const entry = registry.get(c.req.valid("param").id);
    tag(c, registry.version(entry));
    return c.json({ function: shown(entry) }, 200);
  });

  api.openapi(suggest, (c) => {
    const found = suggestions.of(c.req.valid("param").id, c.req.valid("query").days);
    return c.json({
      ...found,
      secrets: [...found.secrets],
      permissions: permissionsOf(found.permissions),
      connections: found.connections?.map(({ lastDay, ...rest }) => ({ ...rest, lastDay: time(lastDay) })) ?? null,
      since: time(found.since),
    }, 200);
  });

  api.openapi(update, async (c) => {
    const { keyNames, ...change } = c.req.valid("json");
    await assets.check(change.files ?? []);
    const { id } = c.req.valid("param");
    if (keyNames) requireNames(keyNames, change.keys ?? registry.get(id).keys, names);
    const changed = await commit(() => registry.update(c.get("actor"), id, change, ifMatch(c)));
    tag(c, registry.version(changed));
    return c.json({ function: shown(changed), ...await preflight.handler(changed) }, 200);
  });

  api.openapi(remove, async (c) => {
    await commit(() => registry.delete(c.get("actor"), c.req.valid("param").id, ifMatch(c)));
    return c.json(SUCCESS, 200);
  });

  api.openapi(enable, async (c) => {
    const { id } = c.req.valid("param");
    const changed = await commit(() => registry.update(c.get("actor"), id, { enabled: true }, ifMatch(c)));
    tag(c, registry.version(changed));
    return c.json({ function: shown(changed) }, 200);
  });

  api.openapi(disable, async (c) => {
    const { id } = c.req.valid("param");
    const changed = await commit(() => registry.update(c.get("actor"), id, { enabled: false }, ifMatch(c)));
    tag(c, registry.version(changed));
    return c.json({ function: shown(changed) }, 200);
  });
}

/** Requires that names which were sent back as shown are those of `keys`: ignoring others could leave a function open. */
function requireNames(given: readonly (string | null)[], keys: readonly GroupRef[], names: Names): void {
  const actual = keys.map((ref) => typeof ref === "string" ? ref : names.ofGroup(ref));
  if (given.length === actual.length && actual.every((name) => given.includes(name))) return;
  throw invalid("keyNames", "cannot be changed; change keys, which takes names, too");
}

function toJson(
  row: RegisteredFunction,
  keyNames: (string | null)[],
  { state, reason }: Condition,
  health: Health,
): z.infer<typeof functionSchema> {
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    handler: row.handler,
    route: row.route,
    methods: row.methods,
    keys: [...row.keys],
    keyNames,
    enabled: row.enabled,
    state,
    stateReason: reason,
    createdAt: time(row.createdAt),
    updatedAt: time(row.updatedAt),
    permissions: permissionsOf(row.permissions),
    secrets: [...row.secrets],
    isolation: row.isolation,
    responseGuard: row.responseGuard,
    cors: row.cors &&
      { ...row.cors, origins: [...row.cors.origins], headers: row.cors.headers && [...row.cors.headers] },
    timeoutMs: row.timeoutMs,
    memoryMb: row.memoryMb,
    files: [...row.files],
    ...(row.trial && { trial: trialOf(row.trial) }),
    health: {
      recentDeaths: health.recentDeaths,
      lastDeath: health.lastDeath ?? null,
      suspendedUntil: health.suspendedUntil === undefined ? null : time(health.suspendedUntil),
    },
  };
}

function trialOf({ secrets, permissions }: Trial): z.infer<typeof functionSchema>["trial"] {
  return { ...(secrets && { secrets: [...secrets] }), ...(permissions && { permissions: permissionsOf(permissions) }) };
}
