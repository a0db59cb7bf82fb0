// Defines how requests refer to functions, key groups and API keys: by id or by name. In JSON, a number is an id and a
// text is a name; in a query, digits alone are an id and anything else is a name.

import { z } from "@hono/zod-openapi";
import { GROUP_NAME_PATTERN } from "../../core/access/access.ts";
import type { FunctionId, GroupId, KeyId, KeyName } from "../../ids.ts";
import { id, ID_PROBLEM, idText, label, mustBe } from "./fields.ts";

export const FUNCTION_NAME_MAX_LENGTH = 100;
export const KEY_NAME_MAX_LENGTH = 255;
const GROUP_NAME_MAX_LENGTH = 255;
const KEY_PROBLEM = 'must be the names of a group and its key, such as "staging/acme"';

export const functionName = label(FUNCTION_NAME_MAX_LENGTH);

export const groupName = z.string(mustBe("text"))
  .min(1, "must not be empty")
  .max(GROUP_NAME_MAX_LENGTH, `must have at most ${GROUP_NAME_MAX_LENGTH} characters`)
  .regex(GROUP_NAME_PATTERN, "must be lower-case letters, digits, underscores and hyphens (a-z, 0-9, _, -)");

/** `GROUP/KEY`: the name of a group has no slash, that of a key may have some. */
const keyName = z.string(mustBe("text")).transform((text, context): KeyName => {
  const slash = text.indexOf("/");
  const [group, key] = [
    groupName.safeParse(text.slice(0, slash)),
    label(KEY_NAME_MAX_LENGTH).safeParse(text.slice(slash + 1)),
  ];
  if (slash > 0 && group.success && key.success) return { group: group.data, key: key.data };
  context.addIssue({ code: "custom", message: KEY_PROBLEM });
  return z.NEVER;
});

/** The end of a path such as `/by-name/hello`, whose slashes are encoded. */
export function nameParams<Name extends z.ZodType>(name: Name) {
  return z.object({ name: name.openapi({ param: { name: "name", in: "path" } }) });
}

/** In JSON. */
function reference<Id extends number, Name extends z.ZodType>(name: Name, thing: string, example: string) {
  const error = ({ input }: { input?: unknown }): string => {
    if (input === undefined) return "is required";
    if (typeof input === "number") return ID_PROBLEM;
    // The union knows only that each of its parts refused the text.
    const problem = typeof input === "string" ? name.safeParse(input).error?.issues[0]?.message : undefined;
    if (problem !== undefined) return problem;
    return `must be the id (a number) or the name (a text) of ${thing}`;
  };
  return z.union([id<Id>(), name], { error }).openapi({
    anyOf: [{ type: "integer", minimum: 1 }, { type: "string" }],
    description: `The id of ${thing}, or its name such as \`${example}\`.`,
  });
}

export const functionRef = reference<FunctionId, typeof functionName>(functionName, "a function", '"hello"');
export const groupRef = reference<GroupId, typeof groupName>(groupName, "a key group", '"staging"');
export const keyRef = reference<KeyId, typeof keyName>(keyName, "an API key", '"staging/acme"');

/** In a query. */
function referenceText<Id extends number, Name extends z.ZodType>(name: Name, thing: string, example: string) {
  return z.string(mustBe("given once")).transform((text, context): Id | z.output<Name> => {
    const parsed = /^[0-9]+$/.test(text) ? idText<Id>().safeParse(text) : name.safeParse(text);
    if (parsed.success) return parsed.data as Id | z.output<Name>;
    for (const { message } of parsed.error.issues) context.addIssue({ code: "custom", message });
    return z.NEVER;
  }).openapi({
    type: "string",
    description: `The id of ${thing} (digits alone), or its name such as \`${example}\`.`,
  });
}

export const functionRefText = referenceText<FunctionId, typeof functionName>(functionName, "a function", "hello");
export const groupRefText = referenceText<GroupId, typeof groupName>(groupName, "a key group", "staging");
export const keyRefText = referenceText<KeyId, typeof keyName>(keyName, "an API key", "staging/acme");
