// Implements /api/key-groups.

import { z } from "@hono/zod-openapi";
import { groupVersion } from "../../core/access/access.ts";
import type { GroupId } from "../../ids.ts";
import type { Api, ApiDeps } from "../services.ts";
import { groupChange, groupEntry, newGroup } from "../inputs/key_schemas.ts";
import { nameParams } from "../inputs/references.ts";
import { apiRoute, ifMatch, tag } from "./route.ts";
import { answer, errors, idParams, idSchema, json, SUCCESS, successSchema, text } from "../inputs/fields.ts";

const groupSchema = z.object({ id: idSchema, name: z.string(), description: z.string() }).openapi("KeyGroup");

const tags = ["Key groups"];
const params = idParams<GroupId>();

const list = apiRoute({
  method: "get",
  path: "/api/key-groups",
  operationId: "listKeyGroups",
  tags,
  summary: "List key groups",
  responses: { 200: answer("All groups.", z.object({ groups: z.array(groupSchema) })), ...errors() },
});

const create = apiRoute({
  method: "post",
  path: "/api/key-groups",
  operationId: "createKeyGroup",
  etag: true,
  tags,
  summary: "Create a key group",
  request: { body: json(newGroup) },
  responses: {
    201: answer("The new group.", groupSchema.pick({ id: true, name: true })),
    ...errors(400, 409, 413, 415),
  },
});

const get = apiRoute({
  method: "get",
  path: "/api/key-groups/{id}",
  operationId: "getKeyGroup",
  etag: true,
  tags,
  summary: "Get a key group",
  request: { params },
  responses: { 200: answer("The group.", z.object({ group: groupSchema })), ...errors(400, 404) },
});

const update = apiRoute({
  method: "put",
  path: "/api/key-groups/{id}",
  operationId: "updateKeyGroup",
  etag: true,
  conditional: true,
  tags,
  summary: "Change a key group",
  description: "The group `management` and groups that the setting `api.access-groups` names cannot be renamed.",
  request: {
    params,
    body: json(groupChange),
  },
  responses: { 200: answer("The group was changed.", successSchema), ...errors(400, 404, 409, 413, 415) },
});

const remove = apiRoute({
  method: "delete",
  path: "/api/key-groups/{id}",
  operationId: "deleteKeyGroup",
  conditional: true,
  tags,
  summary: "Delete a key group and its secrets",
  description: "409 while it has keys, or while a function or a setting needs it. `management` cannot be deleted: 403.",
  request: { params },
  responses: { 200: answer("The group was deleted.", successSchema), ...errors(400, 404, 409) },
});

const byName = "/api/key-groups/by-name/{name}";
const named = nameParams(text());
const saved = groupSchema.pick({ id: true, name: true });

const getNamed = apiRoute({
  method: "get",
  path: byName,
  operationId: "getKeyGroupByName",
  etag: true,
  tags,
  summary: "Get a key group by its name",
  request: { params: named },
  responses: { 200: answer("The group.", z.object({ group: groupSchema })), ...errors(400, 404) },
});

const replace = apiRoute({
  method: "put",
  path: byName,
  operationId: "replaceKeyGroup",
  etag: true,
  conditional: true,
  tags,
  summary: "Create a key group of this name, or replace its description",
  request: { params: named, body: json(groupEntry) },
  responses: {
    200: answer("The group that was replaced.", saved),
    201: answer("The new group.", saved),
    ...errors(400, 413, 415),
  },
});

const removeNamed = apiRoute({
  method: "delete",
  path: byName,
  operationId: "deleteKeyGroupByName",
  conditional: true,
  tags,
  summary: "Delete a key group by its name, and its secrets",
  description: "409 while it has keys, or while a function or a setting needs it. `management` cannot be deleted: 403.",
  request: { params: named },
  responses: { 200: answer("The group was deleted.", successSchema), ...errors(400, 404, 409) },
});

export function addKeyGroups(api: Api, { access, commit }: ApiDeps): void {
  api.openapi(list, (c) => c.json({ groups: access.groups() }, 200));

  // Before the routes with an id, which would take "by-name" for one.
  api.openapi(getNamed, (c) => {
    const group = access.groupNamed(c.req.valid("param").name);
    tag(c, groupVersion(group));
    return c.json({ group }, 200);
  });

  api.openapi(replace, async (c) => {
    const { name } = newGroup.pick({ name: true }).parse(c.req.valid("param"));
    const { description = "" } = c.req.valid("json");
    const { group, created } = await commit(() => access.replaceGroup(c.get("actor"), name, description, ifMatch(c)));
    tag(c, groupVersion(group));
    const body = { id: group.id, name };
    return created ? c.json(body, 201) : c.json(body, 200);
  });

  api.openapi(removeNamed, async (c) => {
    const { name } = c.req.valid("param");
    await commit(() => access.deleteGroup(c.get("actor"), access.groupNamed(name).id, ifMatch(c)));
    return c.json(SUCCESS, 200);
  });

  api.openapi(create, async (c) => {
    const { name, description = "" } = c.req.valid("json");
    const id = await commit(() => access.createGroup(c.get("actor"), name, description));
    tag(c, groupVersion({ id, name, description }));
    return c.json({ id, name }, 201);
  });

  api.openapi(get, (c) => {
    const group = access.group(c.req.valid("param").id);
    tag(c, groupVersion(group));
    return c.json({ group }, 200);
  });

  api.openapi(update, async (c) => {
    const { id } = c.req.valid("param");
    const group = await commit(() => access.updateGroup(c.get("actor"), id, c.req.valid("json"), ifMatch(c)));
    tag(c, groupVersion(group));
    return c.json(SUCCESS, 200);
  });

  api.openapi(remove, async (c) => {
    await commit(() => access.deleteGroup(c.get("actor"), c.req.valid("param").id, ifMatch(c)));
    return c.json(SUCCESS, 200);
  });
}
