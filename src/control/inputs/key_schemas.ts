// Defines the schemas of API keys and key groups, for forms, the API and the command line.

import { z } from "@hono/zod-openapi";
import { KEY_VALUE_MAX_LENGTH, KEY_VALUE_MIN_LENGTH, KEY_VALUE_PATTERN } from "../../core/access/access.ts";
import { GRACE_MAX_SECONDS } from "../../core/access/rolling.ts";
import { body, changes, expiryTime, label, mustBe, note } from "./fields.ts";
import { groupName, groupRef, KEY_NAME_MAX_LENGTH } from "./references.ts";

const keyValue = z.string(mustBe("text"))
  .min(KEY_VALUE_MIN_LENGTH, `must have at least ${KEY_VALUE_MIN_LENGTH} characters`)
  .max(KEY_VALUE_MAX_LENGTH, `must have at most ${KEY_VALUE_MAX_LENGTH} characters`)
  .regex(KEY_VALUE_PATTERN, "must be visible ASCII characters without spaces");

function expiry(description: string) {
  return expiryTime.nullable().optional().openapi({ type: ["string", "null"], format: "date-time", description });
}

export const newKey = body({
  groupId: groupRef,
  name: label(KEY_NAME_MAX_LENGTH),
  description: note().optional(),
  value: keyValue.optional().openapi({ description: "Random by default." }),
  expiresAt: expiry("When the key expires, in ISO 8601 and in the future; null, the default, for never."),
}).openapi("NewApiKey");

export const keyChange = changes({
  name: label(KEY_NAME_MAX_LENGTH).optional(),
  description: note().optional(),
  expiresAt: expiry("When the key expires, in ISO 8601 and in the future; null for never."),
}).openapi("ApiKeyChange");

export const graceSeconds = z.int(mustBe("a whole number"))
  .min(0, "must not be negative")
  .max(GRACE_MAX_SECONDS, `must be at most ${GRACE_MAX_SECONDS}`);

export const keyRoll = body({
  graceSeconds: graceSeconds.openapi({
    description: "How long the value before stays accepted, at most 30 days. With 0, all earlier values end at once.",
    example: 86_400,
  }),
  value: keyValue.optional().openapi({ description: "Random by default." }),
  expiresAt: expiry(
    "When the key expires, in ISO 8601 and in the future; null for never. Without it, the expiry stays; an expired key needs one.",
  ),
}).openapi("ApiKeyRoll");

export const newGroup = body({ name: groupName, description: note().optional() }).openapi("NewKeyGroup");
export const groupEntry = body({ description: note().optional() }).openapi("KeyGroupEntry");
export const groupChange = changes({ name: groupName.optional(), description: note().optional() })
  .openapi("KeyGroupChange");
