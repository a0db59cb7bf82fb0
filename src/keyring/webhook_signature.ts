// Checks the signatures of webhooks that git servers send.

import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { SecretValue } from "./secret_value.ts";

/**
 * Reports whether `signature` is the HMAC-SHA-256 of `body` under the secret, as `sha256=` and hexadecimal digits:
 * https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
 */
export function isSignedBy(secret: SecretValue, body: Uint8Array, signature: string): boolean {
  const expected = `sha256=${createHmac("sha256", secret.reveal()).update(body).digest("hex")}`;
  return isEqual(expected, signature.toLowerCase());
}

/** Reports whether `presented` is the secret itself, in a time that does not depend on where they differ. */
export function isSecret(secret: SecretValue, presented: string): boolean {
  return isEqual(secret.reveal(), presented);
}

function isEqual(a: string, b: string): boolean {
  const hash = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(hash(a), hash(b));
}
