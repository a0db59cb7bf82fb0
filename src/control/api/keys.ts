// Implements /api/keys.

import { z } from "@hono/zod-openapi";
import type { OpenedKey } from "../../core/access/access.ts";
import { keyVersion } from "../../core/access/values.ts";
import type { Actor } from "../../actor.ts";
import { requireReader } from "./reader.ts";
import type { KeyId } from "../../ids.ts";
import type { KeyUse } from "../../core/access/listing.ts";
import type { KeyRow } from "../../store/access.ts";
import type { Api, ApiDeps } from "../services.ts";
import { answerList } from "./lists.ts";
import { apiRoute, ifMatch, tag } from "./route.ts";
import {
  answer,
  errors,
  idParams,
  idSchema,
  includeValues,
  json,
  query,
  SUCCESS,
  successSchema,
  time,
  timeSchema,
} from "../inputs/fields.ts";
import { keyChange, keyRoll, newKey } from "../inputs/key_schemas.ts";
import { groupRefText } from "../inputs/references.ts";
import { cursorSchema, nextSchema, optionalLimitSchema } from "../inputs/secret_schemas.ts";

const keySchema = z.object({
  id: idSchema,
  groupId: idSchema,
  groupName: z.string(),
  name: z.string(),
  description: z.string(),
  preview: z.string().nullable().openapi({
    description: "The end of the value; null if it cannot be decrypted.",
    example: "…x7Qw",
  }),
  createdAt: timeSchema,
  lastUsedAt: timeSchema.nullable(),
  rolledAt: timeSchema.nullable().openapi({ description: "When the value was replaced; null if never." }),
  previousValueUntil: timeSchema.nullable().openapi({
    description: "Until when the value before is accepted; null if it is not.",
  }),
  expiresAt: timeSchema.nullable().openapi({
    description: "From then on, the key is refused; null if it never expires.",
  }),
  value: z.string().nullable().optional().openapi({ description: "With `includeValues=true` only." }),
  decryptionError: z.string().nullable().optional().openapi({ description: "With `includeValues=true` only." }),
}).openapi("ApiKey");

const tags = ["API keys"];
const params = idParams<KeyId>();

const list = apiRoute({
  method: "get",
  path: "/api/keys",
  operationId: "listKeys",
  tags,
  summary: "List API keys",
  description: "In order of id: all of them, or with `limit` or `cursor` one page.",
  request: {
    query: query({
      groupId: groupRefText.optional(),
      includeValues: includeValues(),
      limit: optionalLimitSchema,
      cursor: cursorSchema,
    }),
  },
  responses: {
    200: answer("The keys.", z.object({ keys: z.array(keySchema), next: nextSchema })),
    ...errors(400, 404),
  },
});

const create = apiRoute({
  method: "post",
  path: "/api/keys",
  operationId: "createKey",
  etag: true,
  tags,
  summary: "Create an API key",
  request: { body: json(newKey) },
  responses: {
    201: answer("The new key with its value.", z.object({ id: idSchema, name: z.string(), value: z.string() })),
    ...errors(400, 404, 409, 413, 415),
  },
});

const get = apiRoute({
  method: "get",
  path: "/api/keys/{id}",
  operationId: "getKey",
  etag: true,
  tags,
  summary: "Get an API key",
  request: { params, query: query({ includeValues: includeValues() }) },
  responses: { 200: answer("The key.", z.object({ key: keySchema })), ...errors(400, 404) },
});

const update = apiRoute({
  method: "put",
  path: "/api/keys/{id}",
  operationId: "updateKey",
  etag: true,
  conditional: true,
  tags,
  summary: "Change an API key's name, description or expiry",
  request: { params, body: json(keyChange) },
  responses: { 200: answer("The key was changed.", successSchema), ...errors(400, 404, 409, 413, 415) },
});

const remove = apiRoute({
  method: "delete",
  path: "/api/keys/{id}",
  operationId: "deleteKey",
  conditional: true,
  tags,
  summary: "Revoke an API key and delete its secrets",
  request: { params },
  responses: { 200: answer("The key was revoked.", successSchema), ...errors(400, 404) },
});

const roll = apiRoute({
  method: "post",
  path: "/api/keys/{id}/roll",
  operationId: "rollKey",
  etag: true,
  conditional: true,
  tags,
  summary: "Replace an API key's value",
  description: "The key keeps its id, name, group and secrets. The value before stays accepted for `graceSeconds`.",
  request: { params, body: json(keyRoll) },
  responses: {
    200: answer(
      "The key with its new value.",
      z.object({ id: idSchema, name: z.string(), value: z.string(), previousValueUntil: timeSchema.nullable() }),
    ),
    ...errors(400, 404, 409, 413, 415),
  },
});

const revokePrevious = apiRoute({
  method: "delete",
  path: "/api/keys/{id}/previous-value",
  operationId: "revokePreviousKeyValue",
  conditional: true,
  tags,
  summary: "Revoke the value that an API key had before it was rolled",
  request: { params },
  responses: { 200: answer("The value is no longer accepted.", successSchema), ...errors(400, 404) },
});

export function addKeys(api: Api, deps: ApiDeps): void {
  const { access, names, commit, serving } = deps;
  const shown = async (actor: Actor, rows: readonly (KeyRow & KeyUse)[], includeValues: boolean) => {
    const opened = includeValues ? await commit(() => access.reveal(actor, rows)) : [];
    return rows.map((row, index) => {
      const previousUntil = access.rolling.previousUntil(row);
      return toJson({ ...row, previousUntil }, access.preview(row), opened[index]);
    });
  };

  api.openapi(list, (c) => {
    const { groupId: group, includeValues, ...asked } = c.req.valid("query");
    const groupId = group === undefined ? undefined : names.groupId(group, "groupId");
    const read = (after: number, limit: number) => access.keys(groupId, after, limit);
    const actor = c.get("actor");
    const show = (rows: readonly (KeyRow & KeyUse)[]) => shown(actor, rows, includeValues);
    return answerList("keys", asked, read, show, () => requireReader(actor, serving));
  });

  api.openapi(create, async (c) => {
    const { description = "", ...wanted } = c.req.valid("json");
    // Read in the same transaction: another request may delete it before this one is answered.
    const { id, value, row } = await commit(() => {
      const made = access.createKey(c.get("actor"), { ...wanted, description });
      return { ...made, row: access.key(made.id) };
    });
    tag(c, keyVersion(row));
    return c.json({ id, name: wanted.name, value }, 201);
  });

  api.openapi(get, async (c) => {
    const row = access.key(c.req.valid("param").id);
    const [key] = await shown(c.get("actor"), [row], c.req.valid("query").includeValues);
    tag(c, keyVersion(row));
    return c.json({ key: key! }, 200);
  });

  api.openapi(update, async (c) => {
    const { id } = c.req.valid("param");
    const row = await commit(() => {
      access.updateKey(c.get("actor"), id, c.req.valid("json"), ifMatch(c));
      return access.key(id);
    });
    tag(c, keyVersion(row));
    return c.json(SUCCESS, 200);
  });

  api.openapi(remove, async (c) => {
    await commit(() => access.deleteKey(c.get("actor"), c.req.valid("param").id, ifMatch(c)));
    return c.json(SUCCESS, 200);
  });

  addRolling(api, deps);
}

function addRolling(api: Api, { access: { rolling }, commit }: ApiDeps): void {
  api.openapi(roll, async (c) => {
    const { id } = c.req.valid("param");
    const { row, value } = await commit(() => rolling.rollKey(c.get("actor"), id, c.req.valid("json"), ifMatch(c)));
    tag(c, keyVersion(row));
    const until = rolling.previousUntil(row);
    return c.json({ id, name: row.name, value, previousValueUntil: until === null ? null : time(until) }, 200);
  });

  api.openapi(revokePrevious, async (c) => {
    await commit(() => rolling.revokePrevious(c.get("actor"), c.req.valid("param").id, ifMatch(c)));
    return c.json(SUCCESS, 200);
  });
}

/** Converts a row for the answer; `opened` if its value was requested. `previousUntil` is in the future or null. */
function toJson(
  row: KeyRow & KeyUse,
  preview: string | null,
  opened: OpenedKey | undefined,
): z.infer<typeof keySchema> {
  return {
    id: row.id,
    groupId: row.groupId,
    groupName: row.groupName,
    name: row.name,
    description: row.description,
    preview,
    createdAt: time(row.createdAt),
    lastUsedAt: row.lastUsedAt === null ? null : time(row.lastUsedAt),
    rolledAt: row.rolledAt === null ? null : time(row.rolledAt),
    previousValueUntil: row.previousUntil === null ? null : time(row.previousUntil),
    expiresAt: row.expiresAt === null ? null : time(row.expiresAt),
    ...(opened && { value: opened.value?.reveal() ?? null, decryptionError: opened.decryptionError }),
  };
}
