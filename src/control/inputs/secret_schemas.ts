// Defines the schemas of /api/secrets: a secret, the input that creates or changes one, and the query of a list.

import { z } from "@hono/zod-openapi";
import { Buffer } from "node:buffer";
import type { FunctionId, GroupId, KeyId, Owner, Scope } from "../../ids.ts";
import { SCOPES } from "../../ids.ts";
import { SECRET_VALUE_MAX_BYTES } from "../../core/secrets/names.ts";
import type { NewSecret } from "../../core/secrets/service.ts";
import type { SecretFilter } from "../../store/secrets.ts";
import {
  body,
  changes,
  evenIfFieldsAreWrong,
  id,
  idSchema,
  idText,
  includeValues,
  mustBe,
  note,
  query,
  secretName,
  text,
  timeSchema,
} from "./fields.ts";

export const PAGE_MAX = 1_000;
const LIMIT_PROBLEM = `must be a whole number from 1 to ${PAGE_MAX}`;

export const scopeSchema = z.enum(SCOPES, mustBe(`one of ${SCOPES.join(", ")}`));

/** Any text. Encryption checks its length, which is in bytes. */
export const secretValue = text().min(1, "must not be empty").openapi({
  description: `1 to ${SECRET_VALUE_MAX_BYTES} bytes in UTF-8; more: 413 with the code OversizedPlaintextError.`,
});

export const secretSchema = z.object({
  id: idSchema,
  name: z.string(),
  comment: z.string(),
  scope: scopeSchema,
  scopeId: idSchema.nullable().openapi({ description: "Id of the function, group or key; null for global secrets." }),
  scopeName: z.string().nullable().openapi({
    description: "Name of the function, group or key; null for global secrets.",
  }),
  createdAt: timeSchema,
  updatedAt: timeSchema,
  value: z.string().nullable().optional().openapi({
    description: "With `includeValues=true` only; null if it cannot be decrypted.",
  }),
  decryptionError: z.string().nullable().optional().openapi({
    description: "With `includeValues=true` only: why the value cannot be decrypted, or null.",
  }),
}).openapi("Secret");

/** The field with the owner's id, by scope. */
export const OWNER_FIELDS = { function: "functionId", group: "groupId", key: "keyId" } as const;
const OWNED_SCOPES = ["function", "group", "key"] as const;

type OwnerIds = { functionId?: FunctionId | undefined; groupId?: GroupId | undefined; keyId?: KeyId | undefined };

/** Checks that the ids fit the scope, which may itself be invalid. */
function checkOwnerFits(given: { scope: unknown } & OwnerIds, context: z.core.$RefinementCtx): void {
  const { scope } = given;
  if (!SCOPES.some((known) => known === scope)) return;
  const complain = (field: string, message: string) => context.addIssue({ code: "custom", path: [field], message });
  for (const owned of OWNED_SCOPES) {
    const field = OWNER_FIELDS[owned];
    if (owned === scope && given[field] === undefined) complain(field, `is required when scope is ${scope}`);
    if (owned !== scope && given[field] !== undefined) complain(field, `must not be given when scope is ${scope}`);
  }
}

export const newSecret = body({
  name: secretName(),
  value: secretValue,
  scope: scopeSchema,
  functionId: id<FunctionId>().optional().openapi({ description: "For the scope function, and only there." }),
  groupId: id<GroupId>().optional().openapi({ description: "For the scope group, and only there." }),
  keyId: id<KeyId>().optional().openapi({ description: "For the scope key, and only there." }),
  comment: note().optional(),
}).superRefine(checkOwnerFits, evenIfFieldsAreWrong)
  .transform(({ name, value, scope, comment = "", ...ids }): NewSecret => ({
    name,
    value,
    comment,
    owner: ownerOf(scope, ids),
  }))
  .openapi("NewSecret");

export const secretChange = changes({
  name: secretName().optional(),
  value: secretValue.optional(),
  comment: note().optional(),
}).openapi("SecretChange");

function ownerOf(scope: Scope, ids: OwnerIds): Owner {
  switch (scope) {
    case "global":
      return { scope };
    // checkOwnerFits has checked that the id exists.
    case "function":
      return { scope, functionId: ids.functionId! };
    case "group":
      return { scope, groupId: ids.groupId! };
    case "key":
      return { scope, keyId: ids.keyId! };
  }
}

/** The cursor of a page is the last id of the previous one. It is opaque, so that its meaning can change. */
export function cursorOf(after: number): string {
  return Buffer.from(`after ${after}`).toString("base64url");
}

export const cursorSchema = z.string(mustBe("given once")).optional().transform((cursor, context): number => {
  if (cursor === undefined) return 0;
  const after = Number(/^after ([1-9][0-9]*)$/.exec(Buffer.from(cursor, "base64url").toString())?.[1]);
  if (Number.isSafeInteger(after) && cursorOf(after) === cursor) return after;
  context.addIssue({ code: "custom", message: "must be the `next` of an answer" });
  return z.NEVER;
}).openapi({ description: "The `next` of the previous page." });

const limitText = z.string(mustBe("given once")).regex(/^[1-9][0-9]{0,3}$/, LIMIT_PROBLEM)
  .refine((text) => Number(text) <= PAGE_MAX, LIMIT_PROBLEM)
  .optional();
const limitDocumented = { type: "integer", minimum: 1, maximum: PAGE_MAX, pattern: undefined } as const;

/** How many entries a page has. */
export const limitSchema = limitText.transform((text) => text === undefined ? PAGE_MAX : Number(text))
  .openapi({ ...limitDocumented, default: PAGE_MAX });

/** For lists that are complete by default; used with `cursorSchema`. */
export const optionalLimitSchema = limitText.transform((text) => text === undefined ? undefined : Number(text))
  .openapi({
    ...limitDocumented,
    description: "How many entries the page has; without this and `cursor`, the list is complete.",
  });

/** The cursor of the next page. */
export const nextSchema = z.string().nullable().optional().openapi({
  description: "Only with `limit` or `cursor`: the `cursor` of the next page, or null.",
});

/** An id selects one owner, so it excludes other scopes and other ids. */
function checkFilterFits(given: SecretFilter, context: z.core.$RefinementCtx): void {
  const complain = (field: string, message: string) => context.addIssue({ code: "custom", path: [field], message });
  const [first, ...others] = OWNED_SCOPES.filter((scope) => given[OWNER_FIELDS[scope]] !== undefined);
  if (first === undefined) return;
  if (given.scope !== undefined && given.scope !== first) {
    complain(OWNER_FIELDS[first], `must not be given when scope is ${given.scope}`);
  }
  for (const other of others) complain(OWNER_FIELDS[other], `must not be given together with ${OWNER_FIELDS[first]}`);
}

export const listQuery = query({
  scope: scopeSchema.optional(),
  functionId: idText<FunctionId>().optional(),
  groupId: idText<GroupId>().optional(),
  keyId: idText<KeyId>().optional(),
  includeValues: includeValues(),
  limit: limitSchema,
  cursor: cursorSchema,
}).superRefine(checkFilterFits);
