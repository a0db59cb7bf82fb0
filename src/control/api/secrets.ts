// Implements /api/secrets. The schemas are in secret_schemas.ts.

import { z } from "@hono/zod-openapi";
import type { Actor } from "../../actor.ts";
import type { SecretId } from "../../ids.ts";
import { ownerId } from "../../ids.ts";
import type { OpenedSecret } from "../../core/secrets/opened.ts";
import { secretVersion } from "../../core/secrets/described.ts";
import type { SecretFilter, SecretRow } from "../../store/secrets.ts";
import type { Api, ApiDeps } from "../services.ts";
import { apiRoute, ifMatch, tag } from "./route.ts";
import {
  answer,
  errors,
  idParams,
  idSchema,
  includeValues,
  json,
  query,
  secretName,
  SUCCESS,
  successSchema,
  time,
} from "../inputs/fields.ts";
import { nameParams } from "../inputs/references.ts";
import {
  cursorOf,
  type FilterRefs,
  listQuery,
  namedQuery,
  newSecret,
  OWNED_SCOPES,
  OWNER_FIELDS,
  ownerQuery,
  scopeSchema,
  secretChange,
  secretEntry,
  secretSchema,
} from "../inputs/secret_schemas.ts";

const created = z.object({ id: idSchema, name: z.string(), scope: scopeSchema });

const tags = ["Secrets"];
const params = idParams<SecretId>();

const list = apiRoute({
  method: "get",
  path: "/api/secrets",
  operationId: "listSecrets",
  tags,
  summary: "List secrets",
  description: "In order of id. If `next` is not null, there are more: pass it as `cursor`.",
  request: { query: listQuery },
  responses: {
    200: answer("A page of secrets.", z.object({ secrets: z.array(secretSchema), next: z.string().nullable() })),
    ...errors(400),
  },
});

const named = nameParams(secretName());

const byName = apiRoute({
  method: "get",
  path: "/api/secrets/by-name/{name}",
  operationId: "findSecretsByName",
  tags,
  etag: true,
  summary: "Find secrets by name, in all scopes, in one, or of one owner",
  description: "With `scope=global` or an owner it finds one secret, and the answer has its `ETag`.",
  request: { params: named, query: namedQuery },
  responses: {
    200: answer("The secrets of that name.", z.object({ name: z.string(), secrets: z.array(secretSchema) })),
    ...errors(400, 404),
  },
});

const get = apiRoute({
  method: "get",
  path: "/api/secrets/{id}",
  operationId: "getSecret",
  etag: true,
  tags,
  summary: "Get a secret",
  request: { params, query: query({ includeValues: includeValues() }) },
  responses: { 200: answer("The secret.", secretSchema), ...errors(400, 404) },
});

const create = apiRoute({
  method: "post",
  path: "/api/secrets",
  operationId: "createSecret",
  etag: true,
  tags,
  summary: "Create a secret",
  request: { body: json(newSecret) },
  responses: {
    201: answer("The new secret.", created),
    ...errors(400, 404, 409, 413, 415),
  },
});

const replace = apiRoute({
  method: "put",
  path: "/api/secrets/by-name/{name}",
  operationId: "replaceSecret",
  etag: true,
  conditional: true,
  tags,
  summary: "Create a secret of this name and owner, or replace its value, comment and terms",
  description: "Fields that are left out get their defaults, but `canary` stays as it is.",
  request: { params: named, body: json(secretEntry) },
  responses: {
    200: answer("The secret that was replaced.", created),
    201: answer("The new secret.", created),
    ...errors(400, 404, 413, 415),
  },
});

const removeNamed = apiRoute({
  method: "delete",
  path: "/api/secrets/by-name/{name}",
  operationId: "deleteSecretByName",
  conditional: true,
  tags,
  summary: "Delete the secret of this name and owner",
  request: { params: named, query: ownerQuery },
  responses: { 200: answer("It is deleted.", successSchema), ...errors(400, 404) },
});

const update = apiRoute({
  method: "put",
  path: "/api/secrets/{id}",
  operationId: "updateSecret",
  etag: true,
  conditional: true,
  tags,
  summary: "Change a secret",
  request: {
    params,
    body: json(secretChange),
  },
  responses: { 200: answer("It is changed.", successSchema), ...errors(400, 404, 409, 413, 415) },
});

const remove = apiRoute({
  method: "delete",
  path: "/api/secrets/{id}",
  operationId: "deleteSecret",
  conditional: true,
  tags,
  summary: "Delete a secret",
  request: { params },
  responses: { 200: answer("It is deleted.", successSchema), ...errors(400, 404) },
});

export function addSecrets(api: Api, { secrets, names, commit, now }: ApiDeps): void {
  /** The only place where the API decrypts secrets, and only on request. */
  const shown = async (actor: Actor, rows: readonly SecretRow[], includeValues: boolean) => {
    const opened = includeValues ? await commit(() => secrets.reveal(actor, rows)) : [];
    return rows.map((row, index) => toJson(row, opened[index]));
  };

  const filterOf = ({ scope, functionId, groupId, keyId }: FilterRefs): SecretFilter => ({
    scope,
    functionId: functionId === undefined ? undefined : names.functionId(functionId, "functionId"),
    groupId: groupId === undefined ? undefined : names.groupId(groupId, "groupId"),
    keyId: keyId === undefined ? undefined : names.keyId(keyId, "keyId"),
  });

  api.openapi(list, async (c) => {
    const { includeValues, limit, cursor, due, ...filter } = c.req.valid("query");
    const dueBy = due === undefined ? undefined : now() + due;
    const page = secrets.list({ ...filterOf(filter), dueBy }, cursor, limit);
    return c.json({
      secrets: await shown(c.get("actor"), page.secrets, includeValues),
      next: page.next === undefined ? null : cursorOf(page.next),
    }, 200);
  });

  api.openapi(byName, async (c) => {
    const { name } = c.req.valid("param");
    const { includeValues, ...filter } = c.req.valid("query");
    const found = secrets.byName(name, filterOf(filter));
    const isOne = filter.scope === "global" || OWNED_SCOPES.some((scope) => filter[OWNER_FIELDS[scope]] !== undefined);
    if (isOne) tag(c, secretVersion(found[0]!));
    return c.json({ name, secrets: await shown(c.get("actor"), found, includeValues) }, 200);
  });

  api.openapi(get, async (c) => {
    const row = secrets.get(c.req.valid("param").id);
    const [secret] = await shown(c.get("actor"), [row], c.req.valid("query").includeValues);
    tag(c, secretVersion(row));
    return c.json(secret!, 200);
  });

  api.openapi(create, async (c) => {
    const wanted = c.req.valid("json");
    // Read in the same transaction: another request may delete it before this one is answered.
    const row = await commit(() => secrets.get(secrets.create(c.get("actor"), wanted)));
    tag(c, secretVersion(row));
    return c.json({ id: row.id, name: wanted.name, scope: wanted.owner.scope }, 201);
  });

  api.openapi(replace, async (c) => {
    const { name } = c.req.valid("param");
    const wanted = { name, ...c.req.valid("json") };
    const { row, created } = await commit(() => {
      const { id, created } = secrets.replace(c.get("actor"), wanted, ifMatch(c));
      return { row: secrets.get(id), created };
    });
    tag(c, secretVersion(row));
    const body = { id: row.id, name, scope: row.owner.scope };
    return created ? c.json(body, 201) : c.json(body, 200);
  });

  api.openapi(removeNamed, async (c) => {
    await commit(() => {
      const { id } = secrets.find(c.req.valid("param").name, c.req.valid("query"));
      secrets.delete(c.get("actor"), id, ifMatch(c));
    });
    return c.json(SUCCESS, 200);
  });

  api.openapi(update, async (c) => {
    const { id } = c.req.valid("param");
    const row = await commit(() => {
      secrets.update(c.get("actor"), id, c.req.valid("json"), ifMatch(c));
      return secrets.get(id);
    });
    tag(c, secretVersion(row));
    return c.json(SUCCESS, 200);
  });

  api.openapi(remove, async (c) => {
    await commit(() => secrets.delete(c.get("actor"), c.req.valid("param").id, ifMatch(c)));
    return c.json(SUCCESS, 200);
  });
}

/** Converts a row for the answer; `opened` if its value was requested. */
function toJson(row: SecretRow, opened: OpenedSecret | undefined): z.infer<typeof secretSchema> {
  const facts = {
    id: row.id,
    name: row.name,
    comment: row.comment,
    scope: row.owner.scope,
    scopeId: row.owner.scope === "global" ? null : ownerId(row.owner),
    scopeName: row.ownerName,
    createdAt: time(row.createdAt),
    updatedAt: time(row.updatedAt),
    version: row.version,
    setAt: time(row.setAt),
    expiresAt: row.expiresAt === null ? null : time(row.expiresAt),
    rotateEveryDays: row.rotateEveryDays,
    dueAt: row.dueAt === null ? null : time(row.dueAt),
    onExpiry: row.onExpiry,
    expand: row.expand,
    canary: row.canary,
    ...(row.sealed && { sealed: true as const, hosts: [...row.hosts], in: [...row.places] }),
  };
  if (!opened) return facts;
  if (row.sealed) return { ...facts, value: null, decryptionError: null };
  const { value, decryptionError } = opened;
  return { ...facts, value: value?.reveal() ?? null, decryptionError };
}
