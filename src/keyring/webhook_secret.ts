// Makes the secrets of webhooks and signs what is sent to them, as Standard Webhooks defines it:
// https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

import { Buffer } from "node:buffer";
import { createHmac, randomBytes } from "node:crypto";
import { SecretValue } from "./secret_value.ts";

const PREFIX = "whsec_";
const KEY_BYTES = 32;

export function newWebhookSecret(): SecretValue {
  return new SecretValue(PREFIX + randomBytes(KEY_BYTES).toString("base64"));
}

/** Returns the header `webhook-signature` for a message. */
export function signatureOf(secret: SecretValue, messageId: string, seconds: number, body: string): string {
  const key = Buffer.from(secret.reveal().slice(PREFIX.length), "base64");
  return `v1,${createHmac("sha256", key).update(`${messageId}.${seconds}.${body}`).digest("base64")}`;
}
