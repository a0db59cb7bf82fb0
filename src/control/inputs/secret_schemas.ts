// Defines the schemas of /api/secrets: a secret, the input that creates or changes one, and the query of a list.

import { z } from "@hono/zod-openapi";
import { Buffer } from "node:buffer";
import type { FunctionRef, GroupRef, KeyRef, OwnerRef, Scope, SecretId } from "../../ids.ts";
import { SCOPES } from "../../ids.ts";
import { HOSTS_MAX, type SealInput } from "../../core/secrets/seal.ts";
import { SEND_PLACES, type SendPlace } from "../../sealed.ts";
import { SECRET_VALUE_MAX_BYTES } from "../../core/secrets/names.ts";
import type { NewSecret, SecretChange, SecretReplacement } from "../../core/secrets/service.ts";
import type { DuePlace } from "../../store/secrets.ts";
import { DAY_MS, HOUR_MS } from "../../time.ts";
import {
  body,
  changes,
  evenIfFieldsAreWrong,
  expiryTime,
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

const ON_EXPIRY = ["warn", "close"] as const;
const ROTATE_MAX_DAYS = 3_650;
const ROTATE_PROBLEM = `must be a whole number of days from 1 to ${ROTATE_MAX_DAYS}, or null`;
const flag = (description: string) => z.boolean(mustBe("true or false")).optional().openapi({ description });

/** When a value is due, and how it is read. */
const terms = {
  expiresAt: expiryTime.nullable().optional().openapi({
    type: ["string", "null"],
    format: "date-time",
    description: "When the value expires, in ISO 8601; null for never.",
  }),
  rotateEveryDays: z.int(ROTATE_PROBLEM).min(1, ROTATE_PROBLEM).max(ROTATE_MAX_DAYS, ROTATE_PROBLEM).nullable()
    .optional().openapi({ description: "The value is due this many days after it was set; null for never." }),
  onExpiry: z.enum(ON_EXPIRY, mustBe(`one of ${ON_EXPIRY.join(", ")}`)).optional().openapi({
    description: "Whether functions still get an expired value (`warn`, the default), or undefined (`close`).",
  }),
  expand: flag("Whether references such as `${NAME}` and `${global:NAME}` in the value are resolved for each caller."),
  canary: flag("Whether reading the value raises an alert."),
};

const DURATION = /^([1-9]\d{0,4})([hd])$/;
const UNIT_MS = { h: HOUR_MS, d: DAY_MS };

/** A duration such as `24h` or `30d`, in milliseconds. */
function duration(maxDays: number, zero = false) {
  const problem = `must be a duration such as 24h or 30d, of at most ${maxDays} days`;
  return z.string(mustBe("a duration such as 24h or 30d")).transform((text, context): number => {
    const [, number, unit] = DURATION.exec(text) ?? [];
    const ms = zero && /^0[hd]$/.test(text) ? 0 : Number(number) * UNIT_MS[unit as keyof typeof UNIT_MS];
    if (ms >= 0 && ms <= maxDays * DAY_MS) return ms;
    context.addIssue({ code: "custom", message: problem });
    return z.NEVER;
  });
}

const keepPrevious = duration(365).optional().openapi({
  type: "string",
  example: "24h",
  description: "With a new `value`: how long the value before counts next to it (`ctx.getSecretVersions`), in hours " +
    "(`24h`) or days (`7d`). Without it, no earlier value counts any more.",
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
  sealed: z.literal(true).optional().openapi({ description: "Of a sealed secret only: no one can read its value." }),
  hosts: z.array(z.string()).optional().openapi({
    description: "Of a sealed secret only: where its value may be sent.",
  }),
  in: z.array(z.enum(SEND_PLACES)).optional().openapi({
    description: "Of a sealed secret only: where in a request its value is put.",
  }),
  version: z.int().min(1).openapi({ description: "The number of the value, from 1." }),
  setAt: timeSchema.openapi({ description: "When the value was set." }),
  expiresAt: timeSchema.nullable(),
  rotateEveryDays: z.int().nullable(),
  dueAt: timeSchema.nullable().openapi({
    description:
      "When the value expires or is to be replaced (`rotateEveryDays` after it was set), whichever is earlier.",
  }),
  onExpiry: z.enum(ON_EXPIRY),
  expand: z.boolean(),
  canary: z.boolean(),
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
  scope: scopeSchema.openapi({ example: "global" }),
  ...ownerRefs,
  comment: note().optional(),
  ...sealFields,
  ...terms,
}).superRefine(checkOwnerFits, evenIfFieldsAreWrong)
  .transform(withSeal)
  .transform(({ scope, comment = "", functionId, groupId, keyId, ...fields }): NewSecret => ({
    ...fields,
    comment,
    owner: ownerOf(scope, { functionId, groupId, keyId }),
  }))
  .openapi("NewSecret");

/** A whole secret without its name, as an input that replaces one. */
export const secretEntry = body({
  value: secretValue,
  scope: scopeSchema.openapi({ example: "global" }),
  ...ownerRefs,
  comment: note().optional(),
  ...sealFields,
  ...terms,
  keepPrevious,
})
  .superRefine(checkOwnerFits, evenIfFieldsAreWrong)
  .transform(withSeal)
  .transform((
    { scope, comment = "", functionId, groupId, keyId, keepPrevious: keepPreviousMs, ...fields },
  ): Omit<SecretReplacement, "name"> => ({
    ...fields,
    comment,
    keepPreviousMs,
    owner: ownerOf(scope, { functionId, groupId, keyId }),
  }))
  .openapi("SecretEntry");

export const secretChange = changes({
  name: secretName().optional(),
  value: secretValue.optional(),
  comment: note().optional(),
  ...sealFields,
  ...terms,
  keepPrevious,
}).transform(withSeal)
  .transform(({ keepPrevious: keepPreviousMs, ...change }): SecretChange => ({ ...change, keepPreviousMs }))
  .openapi("SecretChange");

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

/** Returns the id of a cursor; undefined for any other text. */
function idIn(cursor: string): number | undefined {
  const after = Number(/^after ([1-9][0-9]*)$/.exec(Buffer.from(cursor, "base64url").toString())?.[1]);
  return Number.isSafeInteger(after) && cursorOf(after) === cursor ? after : undefined;
}

const NO_CURSOR = "must be the `next` of an answer";
const cursorDocumented = { description: "The `next` of the previous page." };
const cursorText = z.string(mustBe("given once"));

export const cursorSchema = cursorText.optional().transform((cursor, context): number => {
  const after = cursor === undefined ? 0 : idIn(cursor);
  if (after !== undefined) return after;
  context.addIssue({ code: "custom", message: NO_CURSOR });
  return z.NEVER;
}).openapi(cursorDocumented);

/** The cursor of a page of due secrets is the place of the last one. */
export function dueCursorOf({ dueAt, id }: DuePlace): string {
  return Buffer.from(`due ${dueAt} ${id}`).toString("base64url");
}

/** Returns the place of a cursor; undefined for any other text. */
function placeIn(cursor: string): DuePlace | undefined {
  const found = /^due (0|[1-9][0-9]{0,14}) ([1-9][0-9]{0,14})$/.exec(Buffer.from(cursor, "base64url").toString());
  const place = found && { dueAt: Number(found[1]), id: Number(found[2]) as SecretId };
  return place && dueCursorOf(place) === cursor ? place : undefined;
}

export const dueCursorSchema = cursorText.optional().transform((cursor, context): DuePlace | undefined => {
  const place = cursor === undefined ? undefined : placeIn(cursor);
  if (cursor === undefined || place) return place;
  context.addIssue({ code: "custom", message: NO_CURSOR });
  return z.NEVER;
}).openapi(cursorDocumented);

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

/** A list of all secrets continues after an id, one of those that are due after a place. */
const listCursorSchema = cursorText.optional().transform((cursor, context) => {
  const found = { after: idIn(cursor ?? ""), place: placeIn(cursor ?? "") };
  if (cursor === undefined || found.after !== undefined || found.place) return found;
  context.addIssue({ code: "custom", message: NO_CURSOR });
  return z.NEVER;
}).openapi(cursorDocumented);

export type ListCursor = z.infer<typeof listCursorSchema>;

export const listQuery = query({
  scope: scopeSchema.optional(),
  ...ownerRefTexts,
  includeValues: includeValues(),
  due: duration(ROTATE_MAX_DAYS, true).optional().openapi({
    type: "string",
    example: "30d",
    description: "Only secrets that expire or are to be replaced within this time, overdue ones included.",
  }),
  limit: limitSchema,
  cursor: listCursorSchema,
}).superRefine(checkFilterFits).superRefine(({ due, cursor: { after, place } }, context) => {
  const isOfOther = due === undefined ? place : after;
  if (isOfOther !== undefined) context.addIssue({ code: "custom", path: ["cursor"], message: NO_CURSOR });
});
