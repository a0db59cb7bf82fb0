// Defines the schemas of /api/secrets: a secret, the input that creates or changes one, and the query of a list.

import { z } from "@hono/zod-openapi";
import { Buffer } from "node:buffer";
import type { FunctionRef, GroupRef, KeyRef, OwnerRef, Scope } from "../../ids.ts";
import { SCOPES } from "../../ids.ts";
import { HOSTS_MAX, type SealInput } from "../../core/secrets/seal.ts";
import { SEND_PLACES, type SendPlace } from "../../sealed.ts";
import { SECRET_VALUE_MAX_BYTES } from "../../core/secrets/names.ts";
import type { NewSecret } from "../../core/secrets/service.ts";
import {
  body,
  changes,
  evenIfFieldsAreWrong,
  idSchema,
  includeValues,
  mustBe,
  note,
  query,
  secretName,
  text,
  timeSchema,
} from "./fields.ts";
import { functionRef, functionRefText, groupRef, groupRefText, keyRef, keyRefText } from "./references.ts";

export const PAGE_MAX = 1_000;
const LIMIT_PROBLEM = `must be a whole number from 1 to ${PAGE_MAX}`;

export const scopeSchema = z.enum(SCOPES, mustBe(`one of ${SCOPES.join(", ")}`));

/** Any text. Encryption checks its length, which is in bytes. */
export const secretValue = text().min(1, "must not be empty").openapi({
  description: `1 to ${SECRET_VALUE_MAX_BYTES} bytes in UTF-8; more: 413 with the code OversizedPlaintextError.`,
});

/** Where a sealed value may be sent. */
const hosts = z.array(text(), mustBe("a list of hosts")).max(HOSTS_MAX, `must have at most ${HOSTS_MAX} entries`)
  .openapi({
    description:
      "Where the value may be sent: `api.example.com` for `https:` on port 443, `*.example.com:8443` for every " +
      "depth below, or `http://127.0.0.1:8080` without encryption. Only with `sealed`.",
    example: ["api.example.com"],
  });
const placesSchema = z.array(
  z.enum(SEND_PLACES, mustBe(`one of ${SEND_PLACES.join(", ")}`)),
  mustBe("a list of places"),
)
  .openapi({ description: "Where in a request the value is put; headers by default. Only with `sealed`." });

/** Fields of an input that say where its value is sealed. */
export const sealFields = {
  sealed: z.boolean(mustBe("true or false")).optional().openapi({
    description: "Whether functions get a placeholder, in place of which the value is sent to `hosts` only.",
  }),
  hosts: hosts.optional(),
  in: placesSchema.optional(),
};

interface SealFields {
  sealed?: boolean | undefined;
  hosts?: string[] | undefined;
  in?: SendPlace[] | undefined;
}

/** Takes the fields of the seal together, as the domain has them. */
function withSeal<T extends SealFields>({ sealed, hosts, in: places, ...rest }: T): Omit<T, keyof SealFields> & {
  seal: SealInput;
} {
  return { ...rest, seal: { sealed, hosts, places } };
}

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
  sealed: z.literal(true).optional().openapi({ description: "Of a sealed secret only: no one can read its value." }),
  hosts: z.array(z.string()).optional().openapi({
    description: "Of a sealed secret only: where its value may be sent.",
  }),
  in: z.array(z.enum(SEND_PLACES)).optional().openapi({
    description: "Of a sealed secret only: where in a request its value is put.",
  }),
  value: z.string().nullable().optional().openapi({
    description: "With `includeValues=true` only; null if it is sealed or cannot be decrypted.",
  }),
  decryptionError: z.string().nullable().optional().openapi({
    description: "With `includeValues=true` only: why the value cannot be decrypted, or null.",
  }),
}).openapi("Secret");

/** The field with the owner's id, by scope. */
export const OWNER_FIELDS = { function: "functionId", group: "groupId", key: "keyId" } as const;
export const OWNED_SCOPES = ["function", "group", "key"] as const;

interface OwnerRefs {
  functionId?: FunctionRef | undefined;
  groupId?: GroupRef | undefined;
  keyId?: KeyRef | undefined;
}

/** Checks that the ids fit the scope, which may itself be invalid. */
export function checkOwnerFits(given: { scope: unknown } & OwnerRefs, context: z.core.$RefinementCtx): void {
  const { scope } = given;
  if (!SCOPES.some((known) => known === scope)) return;
  const complain = (field: string, message: string) => context.addIssue({ code: "custom", path: [field], message });
  for (const owned of OWNED_SCOPES) {
    const field = OWNER_FIELDS[owned];
    if (owned === scope && given[field] === undefined) complain(field, `is required when scope is ${scope}`);
    if (owned !== scope && given[field] !== undefined) complain(field, `must not be given when scope is ${scope}`);
  }
}

export const ownerRefs = {
  functionId: functionRef.optional().openapi({
    description: 'For the scope function, and only there: its id, or its name such as `"hello"`.',
  }),
  groupId: groupRef.optional().openapi({
    description: 'For the scope group, and only there: its id, or its name such as `"staging"`.',
  }),
  keyId: keyRef.optional().openapi({
    description: 'For the scope key, and only there: its id, or its name such as `"staging/acme"`.',
  }),
};

export const newSecret = body({
  name: secretName(),
  value: secretValue,
  scope: scopeSchema,
  ...ownerRefs,
  comment: note().optional(),
  ...sealFields,
}).superRefine(checkOwnerFits, evenIfFieldsAreWrong)
  .transform(withSeal)
  .transform(({ name, value, scope, comment = "", seal, ...refs }): NewSecret => ({
    name,
    value,
    comment,
    seal,
    owner: ownerOf(scope, refs),
  }))
  .openapi("NewSecret");

/** A whole secret without its name, as an input that replaces one. */
export const secretEntry = body({
  value: secretValue,
  scope: scopeSchema,
  ...ownerRefs,
  comment: note().optional(),
  ...sealFields,
}).superRefine(checkOwnerFits, evenIfFieldsAreWrong)
  .transform(withSeal)
  .transform(({ value, scope, comment = "", seal, ...refs }) => ({ value, comment, seal, owner: ownerOf(scope, refs) }))
  .openapi("SecretEntry");

export const secretChange = changes({
  name: secretName().optional(),
  value: secretValue.optional(),
  comment: note().optional(),
  ...sealFields,
}).transform(withSeal).openapi("SecretChange");

export function ownerOf(scope: Scope, { functionId, groupId, keyId }: OwnerRefs): OwnerRef {
  switch (scope) {
    case "global":
      return { scope };
    // checkOwnerFits has checked that it was given.
    case "function":
      return { scope, functionId: functionId! };
    case "group":
      return { scope, groupId: groupId! };
    case "key":
      return { scope, keyId: keyId! };
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

/** A scope, or one owner by id or name. */
export interface FilterRefs extends OwnerRefs {
  scope?: Scope | undefined;
}

/** An id or name selects one owner, so it excludes other scopes and other owners. */
function checkFilterFits(given: FilterRefs, context: z.core.$RefinementCtx): void {
  const complain = (field: string, message: string) => context.addIssue({ code: "custom", path: [field], message });
  const [first, ...others] = OWNED_SCOPES.filter((scope) => given[OWNER_FIELDS[scope]] !== undefined);
  if (first === undefined) return;
  if (given.scope !== undefined && given.scope !== first) {
    complain(OWNER_FIELDS[first], `must not be given when scope is ${given.scope}`);
  }
  for (const other of others) complain(OWNER_FIELDS[other], `must not be given together with ${OWNER_FIELDS[first]}`);
}

export const ownerRefTexts = {
  functionId: functionRefText.optional(),
  groupId: groupRefText.optional(),
  keyId: keyRefText.optional(),
};

/** Of the secrets of one name: those in one scope, or that of one owner. */
export const namedQuery = query({ scope: scopeSchema.optional(), ...ownerRefTexts, includeValues: includeValues() })
  .superRefine(checkFilterFits);

/** Selects one secret of a name. */
export const ownerQuery = query({ scope: scopeSchema, ...ownerRefTexts })
  .superRefine(checkOwnerFits, evenIfFieldsAreWrong)
  .transform(({ scope, ...refs }) => ownerOf(scope, refs));

export const listQuery = query({
  scope: scopeSchema.optional(),
  ...ownerRefTexts,
  includeValues: includeValues(),
  limit: limitSchema,
  cursor: cursorSchema,
}).superRefine(checkFilterFits);
