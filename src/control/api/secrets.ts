// Implements /api/secrets. The schemas are in secret_schemas.ts.

import { z } from "@hono/zod-openapi";
import type { Actor } from "../../actor.ts";
import type { SecretId } from "../../ids.ts";
import { ownerId } from "../../ids.ts";
import type { OpenedSecret } from "../../core/secrets/opened.ts";
import { secretVersion } from "../../core/secrets/described.ts";
import { CHANGES_MAX, type SecretEffect } from "../../core/secrets/effect.ts";
import type { SecretFilter, SecretRow } from "../../store/secrets.ts";
import type { Api, ApiDeps } from "../services.ts";
import { apiRoute, ifMatch, tag } from "./route.ts";
import {
  answer,
  errors,
  evenIfFieldsAreWrong,
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
  checkOwnerFits,
  cursorOf,
  dueCursorOf,
  type FilterRefs,
  type ListCursor,
  listQuery,
  namedQuery,
  newSecret,
  OWNED_SCOPES,
  OWNER_FIELDS,
  ownerOf,
  ownerRefTexts,
  scopeSchema,
  secretChange,
  secretEntry,
  secretSchema,
} from "../inputs/secret_schemas.ts";

const created = z.object({ id: idSchema, name: z.string(), scope: scopeSchema });

const foundSchema = z.object({
  id: idSchema,
  scope: scopeSchema,
  scopeId: idSchema.nullable(),
  scopeName: z.string().nullable(),
  version: z.int(),
}).openapi("FoundValue");

const effectSchema = z.object({
  effect: z.object({
    callers: z.int().openapi({
      description: "Callers whose answer changes: a function with an API key that may call it, or a public function.",
    }),
    of: z.int().openapi({ description: "All callers of these functions." }),
    functions: z.int(),
    changes: z.array(z.object({
      name: z.string(),
      functionId: idSchema,
      functionName: z.string(),
      keyId: idSchema.nullable().openapi({ description: "Null for a public function." }),
      keyName: z.string().nullable(),
      from: foundSchema.nullable(),
      to: foundSchema.nullable(),
    })).openapi({ description: `The first ${CHANGES_MAX} of them.` }),
  }),
}).openapi("SecretEffect");

/** Of a change of a secret. */
const dryRun = z.enum(["true", "false"], 'must be "true" or "false"').optional().transform((text) => text === "true")
  .openapi({ description: "Whether to change nothing, and only answer whose answers would change." });
const dryQuery = query({ dryRun });
const dryOwnerQuery = query({ scope: scopeSchema, ...ownerRefTexts, dryRun })
  .superRefine(checkOwnerFits, evenIfFieldsAreWrong)
  .transform(({ scope, dryRun, ...refs }) => ({ owner: ownerOf(scope, refs), dryRun }));
const changedSchema = z.union([successSchema, effectSchema]);
const WITH_DRY_RUN = "With `dryRun=true`, nothing is changed, and the answer says whose answers would change.";

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
  description: WITH_DRY_RUN,
  request: { query: dryQuery, body: json(newSecret) },
  responses: {
    200: answer("With `dryRun=true`.", effectSchema),
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
  description:
    `Fields that are left out get their defaults, but \`canary\` and a seal stay as they are. ${WITH_DRY_RUN}`,
  request: { params: named, query: dryQuery, body: json(secretEntry) },
  responses: {
    200: answer("The secret that was replaced; the effect with `dryRun=true`.", z.union([created, effectSchema])),
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
  description: WITH_DRY_RUN,
  request: { params: named, query: dryOwnerQuery },
  responses: { 200: answer("It is deleted; the effect with `dryRun=true`.", changedSchema), ...errors(400, 404) },
});

const update = apiRoute({
  method: "put",
  path: "/api/secrets/{id}",
  operationId: "updateSecret",
  etag: true,
  conditional: true,
  tags,
  summary: "Change a secret",
  description: WITH_DRY_RUN,
  request: { params, query: dryQuery, body: json(secretChange) },
  responses: {
    200: answer("It is changed; the effect with `dryRun=true`.", changedSchema),
    ...errors(400, 404, 409, 413, 415),
  },
});

const remove = apiRoute({
  method: "delete",
  path: "/api/secrets/{id}",
  operationId: "deleteSecret",
  conditional: true,
  tags,
  summary: "Delete a secret",
  description: WITH_DRY_RUN,
  request: { params, query: dryQuery },
  responses: { 200: answer("It is deleted; the effect with `dryRun=true`.", changedSchema), ...errors(400, 404) },
});

/** Longer than 80 lines: a list of handlers, one for each route. */
export function addSecrets(api: Api, { secrets, effects, names, commit, now }: ApiDeps): void {
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

  /** Returns a page of secrets and the cursor of the next one. */
  const pageOf = (filter: SecretFilter, due: number | undefined, { after, place }: ListCursor, limit: number) => {
    if (due === undefined) {
      const page = secrets.list(filter, after ?? 0, limit);
      return [page.secrets, page.next === undefined ? null : cursorOf(page.next)] as const;
    }
    const page = secrets.due(now() + due, filter, place, limit);
    return [page.secrets, page.next === undefined ? null : dueCursorOf(page.next)] as const;
  };

  api.openapi(list, async (c) => {
    const { includeValues, limit, cursor, due, ...filter } = c.req.valid("query");
    const [rows, next] = pageOf(filterOf(filter), due, cursor, limit);
    return c.json({ secrets: await shown(c.get("actor"), rows, includeValues), next }, 200);
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
    if (c.req.valid("query").dryRun) {
      return c.json(effectJson(await effects.of([wanted.name], () => secrets.create(c.get("actor"), wanted))), 200);
    }
    // Read in the same transaction: another request may delete it before this one is answered.
    const row = await commit(() => secrets.get(secrets.create(c.get("actor"), wanted)));
    tag(c, secretVersion(row));
    return c.json({ id: row.id, name: wanted.name, scope: wanted.owner.scope }, 201);
  });

  api.openapi(replace, async (c) => {
    const { name } = c.req.valid("param");
    const wanted = { name, ...c.req.valid("json") };
    if (c.req.valid("query").dryRun) {
      const effect = await effects.of([name], () => secrets.replace(c.get("actor"), wanted, ifMatch(c)));
      return c.json(effectJson(effect), 200);
    }
    const { row, created } = await commit(() => {
      const { id, created } = secrets.replace(c.get("actor"), wanted, ifMatch(c));
      return { row: secrets.get(id), created };
    });
    tag(c, secretVersion(row));
    const body = { id: row.id, name, scope: row.owner.scope };
    return created ? c.json(body, 201) : c.json(body, 200);
  });

  api.openapi(removeNamed, async (c) => {
    const { name } = c.req.valid("param");
    const { owner, dryRun } = c.req.valid("query");
    const work = (): void => secrets.delete(c.get("actor"), secrets.find(name, owner).id, ifMatch(c));
    if (dryRun) return c.json(effectJson(await effects.of([name], work)), 200);
    await commit(work);
    return c.json(SUCCESS, 200);
  });

  api.openapi(update, async (c) => {
    const { id } = c.req.valid("param");
    const change = c.req.valid("json");
    const work = (): void => secrets.update(c.get("actor"), id, change, ifMatch(c));
    if (c.req.valid("query").dryRun) {
      const names = [secrets.get(id).name, ...change.name === undefined ? [] : [change.name]];
      return c.json(effectJson(await effects.of(names, work)), 200);
    }
    const row = await commit(() => {
      work();
      return secrets.get(id);
    });
    tag(c, secretVersion(row));
    return c.json(SUCCESS, 200);
  });

  api.openapi(remove, async (c) => {
    const { id } = c.req.valid("param");
    const work = (): void => secrets.delete(c.get("actor"), id, ifMatch(c));
    if (c.req.valid("query").dryRun) {
      return c.json(effectJson(await effects.of([secrets.get(id).name], work)), 200);
    }
    await commit(work);
    return c.json(SUCCESS, 200);
  });
}

function effectJson({ callers, of, functions, changes }: SecretEffect): z.infer<typeof effectSchema> {
  return { effect: { callers, of, functions, changes: [...changes] } };
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
