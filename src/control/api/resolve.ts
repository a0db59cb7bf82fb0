// Implements /api/secrets/resolve: which secrets a function gets on a call with a given key.

import { z } from "@hono/zod-openapi";
import { Buffer } from "node:buffer";
import type { SecretId, SecretName } from "../../ids.ts";
import { invalid } from "../../errors.ts";
import { DAY_MS } from "../../time.ts";
import { BIN_DAYS } from "../../core/secrets/bin.ts";
import { isSecretName } from "../../core/secrets/names.ts";
import type { Explanation, ValueOf } from "../../core/secrets/explain.ts";
import { MISSING, type OpenedSecret, SEALED } from "../../core/secrets/opened.ts";
import type { Api, ApiDeps } from "../services.ts";
import { apiRoute } from "./route.ts";
import {
  answer,
  errors,
  evenIfFieldsAreWrong,
  idSchema,
  includeValues,
  mustBe,
  query,
  secretName,
} from "../inputs/fields.ts";
import { functionRefText, keyRefText } from "../inputs/references.ts";
import { limitSchema, scopeSchema } from "../inputs/secret_schemas.ts";

const cursorSchema = z.string(mustBe("given once")).optional().transform((cursor, context): string => {
  if (cursor === undefined) return "";
  const [, name] = /^after (.+)$/.exec(Buffer.from(cursor, "base64url").toString()) ?? [];
  if (name !== undefined && isSecretName(name) && cursorOf(name) === cursor) return name;
  context.addIssue({ code: "custom", message: "must be the `next` of an answer" });
  return z.NEVER;
}).openapi({ description: "The `next` of the page before." });

function cursorOf(name: SecretName): string {
  return Buffer.from(`after ${name}`).toString("base64url");
}

const earlierTime = z.iso.datetime({ error: "must be a time such as 2026-01-31T12:00:00Z", offset: true })
  .transform((text) => Date.parse(text)).optional();

const valueIdSchema = idSchema.nullable().openapi({
  description: "Null if something other than this server deleted the secret; that counts as one that cannot be read.",
});

const valueSchema = z.object({
  id: valueIdSchema,
  scope: scopeSchema,
  scopeId: idSchema.nullable(),
  scopeName: z.string().nullable(),
  value: z.string().nullable().optional().openapi({
    description: "With `includeValues=true` only; null if it is sealed or cannot be decrypted.",
  }),
  sealed: z.literal(true).optional().openapi({ description: "With `includeValues=true` only: no one can read it." }),
  decryptionError: z.string().nullable().optional().openapi({ description: "With `includeValues=true` only." }),
  version: z.int().nullable().optional().openapi({
    description: "With `at` only: the number of the value; null if it is no longer kept.",
  }),
  certain: z.boolean().optional().openapi({
    description: "With `at` only: false if the secret may have had another name then, or been deleted.",
  }),
}).openapi("ResolvedValue");

const resolvedSchema = z.object({
  name: z.string(),
  winner: valueSchema.nullable().openapi({
    description: "What `getSecret(name)` finds. If that cannot be decrypted, it gives undefined, not the next one.",
  }),
  shadowed: z.array(valueSchema).openapi({ description: "What would be found without the winner, in order." }),
  closed: z.array(
    valueSchema.omit({ value: true, decryptionError: true })
      .extend({
        closedBy: z.enum(["secrets", "public"]).openapi({
          description: "The function's `secrets` do not cover the name; or it is public, so that keys do not count.",
        }),
      }).openapi("ClosedValue"),
  ),
}).openapi("ResolvedSecret");

const route = apiRoute({
  method: "get",
  path: "/api/secrets/resolve",
  operationId: "resolveSecrets",
  tags: ["Secrets"],
  summary: "Resolve secrets as a function does on a call",
  description: "For each name, in order, that is set globally, for the function, for the key or for its group: which " +
    "value wins and which ones it shadows. While `next` is not null, there are more: pass it as `cursor`.",
  request: {
    query: query({
      functionId: functionRefText,
      keyId: keyRefText.optional().openapi({
        description: "The API key that the call brings: its id, or its name such as `staging/acme`.",
      }),
      name: secretName().optional().openapi({ description: "This name alone." }),
      at: earlierTime.openapi({
        type: "string",
        format: "date-time",
        description:
          `An earlier time within the last ${BIN_DAYS} days, as far as versions and the bin reach. Functions, ` +
          "keys and what they may do count as they are now. Not with `includeValues`.",
      }),
      includeValues: includeValues(),
      limit: limitSchema,
      cursor: cursorSchema,
    }).superRefine(({ at, includeValues }, context) => {
      if (at === undefined || !includeValues) return;
      context.addIssue({ code: "custom", path: ["includeValues"], message: "must not be given together with at" });
    }, evenIfFieldsAreWrong),
  },
  responses: {
    200: answer(
      "What such a call may read.",
      z.object({
        call: z.object({
          allowed: z.boolean(),
          status: z.int().nullable().openapi({ description: "What the caller gets instead; null if allowed." }),
          reason: z.string().nullable(),
        }),
        secrets: z.array(resolvedSchema),
        next: z.string().nullable(),
      }),
    ),
    ...errors(400, 404),
  },
});

export function addResolve(api: Api, { access, names, registry, secrets, explainer, commit, now }: ApiDeps): void {
  api.openapi(route, async (c) => {
    const { functionId, keyId, name, at, includeValues, limit, cursor } = c.req.valid("query");
    if (at !== undefined && (at > now() || at < now() - BIN_DAYS * DAY_MS)) {
      throw invalid("at", `must be a time within the last ${BIN_DAYS} days`);
    }
    const target = registry.get(names.functionId(functionId, "functionId"));
    const call = { target, key: keyId === undefined ? undefined : access.key(names.keyId(keyId, "keyId")) };
    const { outcome, names: explained, next } = explainer.explain(call, { name, after: cursor, at }, limit);
    const readable = explained.flatMap(({ winner, shadowed }) => winner ? [winner, ...shadowed] : []);
    const opened = new Map<SecretId, OpenedSecret>();
    const rows = includeValues ? readable.flatMap(({ id }) => id === null ? [] : [secrets.get(id)]) : [];
    if (rows.length > 0) {
      const values = await commit(() => secrets.reveal(c.get("actor"), rows));
      for (const [index, value] of values.entries()) opened.set(rows[index]!.id, value);
    }
    return c.json({
      call: outcome.allowed ? { allowed: true, status: null, reason: null } : outcome,
      secrets: explained.map((explanation) => toJson(explanation, includeValues, opened)),
      next: next === undefined ? null : cursorOf(next),
    }, 200);
  });
}

function toJson(
  { name, winner, shadowed, closed }: Explanation,
  includeValues: boolean,
  opened: ReadonlyMap<SecretId, OpenedSecret>,
) {
  const value = (of: ValueOf): z.infer<typeof valueSchema> => {
    if (of.id === null) return includeValues ? { ...of, value: null, decryptionError: MISSING } : of;
    const { value, decryptionError } = opened.get(of.id) ?? {};
    if (decryptionError === SEALED) return { ...of, value: null, sealed: true, decryptionError: null };
    return decryptionError === undefined ? of : { ...of, value: value?.reveal() ?? null, decryptionError };
  };
  return { name, winner: winner ? value(winner) : null, shadowed: shadowed.map(value), closed: [...closed] };
}
