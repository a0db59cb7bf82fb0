// /api/key-groups

import { createRoute, z } from "@hono/zod-openapi";
import { GROUP_NAME_PATTERN } from "../../access/access.ts";
import type { GroupId } from "../../ids.ts";
import type { Api, ApiDeps } from "./deps.ts";
import { jsonBody } from "./body.ts";
import {
  answer,
  body,
  changes,
  errors,
  idParams,
  idSchema,
  json,
  mustBe,
  note,
  SUCCESS,
  successSchema,
} from "./schemas.ts";

const NAME_MAX_LENGTH = 255;

export const groupName = z.string(mustBe("text"))
  .min(1, "must not be empty")
  .max(NAME_MAX_LENGTH, `must have at most ${NAME_MAX_LENGTH} characters`)
  .regex(GROUP_NAME_PATTERN, "must be lower-case letters, digits, underscores and hyphens (a-z, 0-9, _, -)");

export const newGroup = body({ name: groupName, description: note().optional() }).openapi("NewKeyGroup");
export const groupChange = changes({ name: groupName.optional(), description: note().optional() })
  .openapi("KeyGroupChange");

const groupSchema = z.object({ id: idSchema, name: z.string(), description: z.string() }).openapi("KeyGroup");

const tags = ["Key groups"];
const params = idParams<GroupId>();

const list = createRoute({
  method: "get",
  path: "/api/key-groups",
  tags,
  summary: "List key groups",
  responses: { 200: answer("All groups.", z.object({ groups: z.array(groupSchema) })), ...errors() },
});

const create = createRoute({
  method: "post",
  path: "/api/key-groups",
  tags,
  summary: "Create a key group",
  middleware: jsonBody,
  request: { body: json(newGroup) },
  responses: {
    201: answer("The new group.", groupSchema.pick({ id: true, name: true })),
    ...errors(400, 409, 413, 415),
  },
});

const get = createRoute({
  method: "get",
  path: "/api/key-groups/{id}",
  tags,
  summary: "Get a key group",
  request: { params },
  responses: { 200: answer("The group.", z.object({ group: groupSchema })), ...errors(400, 404) },
});

const update = createRoute({
  method: "put",
  path: "/api/key-groups/{id}",
  tags,
  summary: "Change a key group",
  description: "The group `management`, and one that the setting `api.access-groups` names, cannot be renamed.",
  middleware: jsonBody,
  request: {
    params,
    body: json(groupChange),
  },
  responses: { 200: answer("It is changed.", successSchema), ...errors(400, 404, 409, 413, 415) },
});

const remove = createRoute({
  method: "delete",
  path: "/api/key-groups/{id}",
  tags,
  summary: "Delete a key group and its secrets",
  description: "409 while it has keys, or while a function or a setting needs it. `management` cannot be deleted: 403.",
  request: { params },
  responses: { 200: answer("It is deleted.", successSchema), ...errors(400, 404, 409) },
});

export function addKeyGroups(api: Api, { access }: ApiDeps): void {
  api.openapi(list, (c) => c.json({ groups: access.groups() }, 200));

  api.openapi(create, (c) => {
    const { name, description = "" } = c.req.valid("json");
    return c.json({ id: access.createGroup(c.get("actor"), name, description), name }, 201);
  });

  api.openapi(get, (c) => c.json({ group: access.group(c.req.valid("param").id) }, 200));

  api.openapi(update, (c) => {
    access.updateGroup(c.get("actor"), c.req.valid("param").id, c.req.valid("json"));
    return c.json(SUCCESS, 200);
  });

  api.openapi(remove, (c) => {
    access.deleteGroup(c.get("actor"), c.req.valid("param").id);
    return c.json(SUCCESS, 200);
  });
}
