// Implements the versions of secrets and the bin: /api/secrets/{id}/versions and /api/secrets/deleted.

import { z } from "@hono/zod-openapi";
import { ACTOR_KINDS } from "../../actor.ts";
import type { OwnerRef, SecretId } from "../../ids.ts";
import { ownerId } from "../../ids.ts";
import type { DeletedSecret } from "../../core/secrets/bin.ts";
import { secretVersion } from "../../core/secrets/described.ts";
import type { ListedVersion } from "../../core/secrets/history.ts";
import { SEND_PLACES } from "../../sealed.ts";
import type { Setter } from "../../store/secrets.ts";
import type { Api, ApiDeps } from "../services.ts";
import { apiRoute, ifMatch, tag } from "./route.ts";
import {
  answer,
  body,
  errors,
  evenIfFieldsAreWrong,
  idParams,
  idSchema,
  idText,
  query,
  SUCCESS,
  successSchema,
  time,
  timeSchema,
} from "../inputs/fields.ts";
import {
  checkOwnerFits,
  cursorOf,
  cursorSchema,
  limitSchema,
  ownerOf,
  ownerRefs,
  scopeSchema,
} from "../inputs/secret_schemas.ts";

const tags = ["Secrets"];
const params = idParams<SecretId>();
const versionParams = params.extend({
  number: idText<number>().openapi({ param: { name: "number", in: "path" } }),
});

const setterSchema = z.object({
  kind: z.enum(ACTOR_KINDS),
  id: z.string().nullable(),
  name: z.string().nullable().openapi({ description: "Such as `management/ci`, or an e-mail address." }),
}).openapi("Setter");

const versionSchema = z.object({
  version: z.int(),
  current: z.boolean(),
  setAt: timeSchema,
  setBy: setterSchema.nullable().openapi({ description: "Null if an earlier version of this program set it." }),
  until: timeSchema.nullable().openapi({ description: "When it was replaced; null for the current one." }),
  previousUntil: timeSchema.nullable().openapi({
    description: "Until when it counts next to the current value (`keepPrevious`); null if it does not.",
  }),
  sealed: z.boolean(),
  hosts: z.array(z.string()),
  in: z.array(z.enum(SEND_PLACES)).openapi({ description: "Where in a request it may be sent, if it is sealed." }),
}).openapi("SecretVersion");

const versions = apiRoute({
  method: "get",
  path: "/api/secrets/{id}/versions",
  operationId: "listSecretVersions",
  tags,
  etag: true,
  summary: "List the values of a secret that are kept, without the values",
  description: "Newest first, the current one included. The setting `secrets.versions-kept` limits their number.",
  request: { params },
  responses: { 200: answer("Its versions.", z.object({ versions: z.array(versionSchema) })), ...errors(400, 404) },
});

const restoreVersion = apiRoute({
  method: "post",
  path: "/api/secrets/{id}/versions/{number}/restore",
  operationId: "restoreSecretVersion",
  tags,
  etag: true,
  conditional: true,
  summary: "Make an earlier value the current one again",
  description: "It becomes a new version, sealed and for the hosts that the earlier one was; a sealed one ends " +
    "`expand`. A value that is the current one already makes none.",
  request: { params: versionParams },
  responses: {
    200: answer("It is the current value.", z.object({ version: z.int() })),
    ...errors(400, 404, 409),
  },
});

const purgeVersion = apiRoute({
  method: "delete",
  path: "/api/secrets/{id}/versions/{number}",
  operationId: "deleteSecretVersion",
  tags,
  conditional: true,
  summary: "Delete an earlier value permanently",
  request: { params: versionParams },
  responses: { 200: answer("It is deleted.", successSchema), ...errors(400, 404, 409) },
});

const deletedSchema = z.object({
  id: idSchema,
  name: z.string(),
  comment: z.string(),
  scope: scopeSchema,
  scopeId: idSchema.nullable(),
  scopeName: z.string().nullable().openapi({ description: "As it was; the owner may be deleted, too." }),
  ownerExists: z.boolean(),
  version: z.int(),
  sealed: z.boolean(),
  hosts: z.array(z.string()),
  in: z.array(z.enum(SEND_PLACES)),
  createdAt: timeSchema,
  deletedAt: timeSchema,
  deletedBy: setterSchema,
  purgeAt: timeSchema.openapi({ description: "When it is removed permanently." }),
}).openapi("DeletedSecret");

const deleted = apiRoute({
  method: "get",
  path: "/api/secrets/deleted",
  operationId: "listDeletedSecrets",
  tags,
  summary: "List the secrets in the bin",
  description: "In order of id. If `next` is not null, there are more: pass it as `cursor`.",
  request: { query: query({ limit: limitSchema, cursor: cursorSchema }) },
  responses: {
    200: answer("A page of them.", z.object({ secrets: z.array(deletedSchema), next: z.string().nullable() })),
    ...errors(400),
  },
});

const getDeleted = apiRoute({
  method: "get",
  path: "/api/secrets/deleted/{id}",
  operationId: "getDeletedSecret",
  tags,
  etag: true,
  summary: "Get a secret in the bin",
  request: { params },
  responses: { 200: answer("The secret, without its values.", deletedSchema), ...errors(400, 404) },
});

const target = body({ scope: scopeSchema.optional(), ...ownerRefs })
  .superRefine((given, context) => {
    if (given.scope !== undefined) return checkOwnerFits({ ...given, scope: given.scope }, context);
    for (const field of ["functionId", "groupId", "keyId"] as const) {
      if (given[field] !== undefined) context.addIssue({ code: "custom", path: ["scope"], message: "is required" });
    }
  }, evenIfFieldsAreWrong)
  .transform(({ scope, ...refs }): OwnerRef | undefined => scope && ownerOf(scope, refs))
  .openapi("RestoredOwner");

const undelete = apiRoute({
  method: "post",
  path: "/api/secrets/deleted/{id}/restore",
  operationId: "restoreDeletedSecret",
  tags,
  etag: true,
  conditional: true,
  summary: "Restore a secret from the bin, with its id and versions",
  description: "Without a body, to the owner that it had. If that is gone (409, OwnerGone), name another one; of a " +
    "sealed secret, none of a wider scope.",
  request: { params, body: { content: { "application/json": { schema: target } }, required: false } },
  responses: {
    200: answer("It is restored.", z.object({ id: idSchema, name: z.string(), scope: scopeSchema })),
    ...errors(400, 404, 409, 413, 415),
  },
});

const purge = apiRoute({
  method: "delete",
  path: "/api/secrets/deleted/{id}",
  operationId: "purgeDeletedSecret",
  tags,
  conditional: true,
  summary: "Delete a secret in the bin and all of its values permanently",
  request: { params },
  responses: { 200: answer("It is deleted.", successSchema), ...errors(400, 404) },
});

export function addSecretHistory(api: Api, { secrets, commit }: ApiDeps): void {
  const { history, bin } = secrets;

  api.openapi(deleted, (c) => {
    const { limit, cursor } = c.req.valid("query");
    const page = bin.list(cursor, limit);
    return c.json({
      secrets: page.secrets.map((secret) => deletedJson(secret, bin.hasOwner(secret))),
      next: page.next === undefined ? null : cursorOf(page.next),
    }, 200);
  });

  api.openapi(getDeleted, (c) => {
    const secret = bin.get(c.req.valid("param").id);
    tag(c, bin.version(secret));
    return c.json(deletedJson(secret, bin.hasOwner(secret)), 200);
  });

  api.openapi(undelete, async (c) => {
    const { id } = c.req.valid("param");
    // Without a body, it is an empty object that the schema has not transformed.
    const to = c.req.valid("json") as OwnerRef | { readonly scope?: never } | undefined;
    const owner = to?.scope === undefined ? undefined : to;
    const row = await commit(() => {
      bin.restore(c.get("actor"), id, owner, ifMatch(c));
      return secrets.get(id);
    });
    tag(c, secretVersion(row));
    return c.json({ id, name: row.name, scope: row.owner.scope }, 200);
  });

  api.openapi(purge, async (c) => {
    await commit(() => bin.purge(c.get("actor"), c.req.valid("param").id, ifMatch(c)));
    return c.json(SUCCESS, 200);
  });

  api.openapi(versions, (c) => {
    const { id } = c.req.valid("param");
    const found = history.versions(id).map(versionJson);
    tag(c, history.version(id));
    return c.json({ versions: found }, 200);
  });

  api.openapi(restoreVersion, async (c) => {
    const { id, number } = c.req.valid("param");
    const row = await commit(() => {
      history.restore(c.get("actor"), id, number, ifMatch(c));
      return secrets.get(id);
    });
    tag(c, secretVersion(row));
    return c.json({ version: row.version }, 200);
  });

  api.openapi(purgeVersion, async (c) => {
    const { id, number } = c.req.valid("param");
    await commit(() => history.purge(c.get("actor"), id, number, ifMatch(c)));
    return c.json(SUCCESS, 200);
  });
}

const timeOrNull = (ms: number | null): string | null => ms === null ? null : time(ms);

function setterJson({ kind, id, name }: Setter): z.infer<typeof setterSchema> {
  return { kind, id, name };
}

function versionJson(version: ListedVersion): z.infer<typeof versionSchema> {
  const { number, isCurrent, setAt, setBy, until, previousUntil, sealed, hosts, places } = version;
  return {
    version: number,
    current: isCurrent,
    setAt: time(setAt),
    setBy: setBy && setterJson(setBy),
    until: timeOrNull(until),
    previousUntil: timeOrNull(previousUntil),
    sealed,
    hosts: [...hosts],
    in: sealed ? [...places] : [],
  };
}

function deletedJson(secret: DeletedSecret, ownerExists: boolean): z.infer<typeof deletedSchema> {
  const { id, name, comment, owner, ownerName, version, sealed, hosts, places } = secret;
  return {
    id,
    name,
    comment,
    scope: owner.scope,
    scopeId: ownerId(owner) || null,
    scopeName: ownerName,
    ownerExists,
    version,
    sealed,
    hosts: [...hosts],
    in: sealed ? [...places] : [],
    createdAt: time(secret.createdAt),
    deletedAt: time(secret.deletedAt),
    deletedBy: setterJson(secret.deletedBy),
    purgeAt: time(secret.purgeAt),
  };
}
