// Encrypts one value with AES-256-GCM, and converts it to the text that is stored. One algorithm, one format, no options.

import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from "node:crypto";
import { Buffer } from "node:buffer";

/** 96 bits, the nonce length that GCM uses without hashing (NIST SP 800-38D, 5.2.1.1). */
export const NONCE_BYTES = 12;
/** The full tag; shorter ones weaken it (NIST SP 800-38D, appendix C). */
export const TAG_BYTES = 16;
/** Nine digits, as `decode` accepts. */
export const VERSION_MAX = 999_999_999;

/** Returns nonce ‖ ciphertext ‖ tag. Only the known-answer tests pass a `nonce`. */
export function encrypt(key: KeyObject, plaintext: Uint8Array, aad: Uint8Array, nonce?: Uint8Array): Uint8Array {
  nonce ??= randomBytes(NONCE_BYTES);
  const cipher = createCipheriv("aes-256-gcm", key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(aad);
  const body = cipher.update(plaintext);
  cipher.final();
  return Buffer.concat([nonce, body, cipher.getAuthTag()]);
}

/**
 * Returns the plaintext of what `encrypt` returned.
 * @throws Error if any bit of it, of the key or of the AAD differs
 */
export function decrypt(key: KeyObject, sealed: Uint8Array, aad: Uint8Array): Uint8Array {
  if (sealed.length < NONCE_BYTES + TAG_BYTES) throw new Error("too short to be a ciphertext");
  // Not a Buffer, whose views take ten times as long to create (Deno 2.9).
  const bytes = new Uint8Array(sealed.buffer, sealed.byteOffset, sealed.length);
  const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(aad);
  decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES));
  const plaintext = decipher.update(bytes.subarray(NONCE_BYTES, bytes.length - TAG_BYTES));
  decipher.final();
  return plaintext;
}

/** Returns `v<version>.` + standard base64 with padding. */
export function encode(version: number, sealed: Uint8Array): string {
  return `v${version}.${Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength).toString("base64")}`;
}

/**
 * Returns the parts of what `encode` returned.
 * @throws Error if the text has another form; base64 is parsed strictly, so that a value has only one text
 */
export function decode(stored: string): { version: number; sealed: Uint8Array } {
  const prefix = /^v([1-9]\d{0,8})\./.exec(stored);
  if (!prefix) throw new Error("it does not begin with a key version");
  const text = stored.slice(prefix[0].length);
  const sealed = Buffer.from(text, "base64");
  if (sealed.toString("base64") !== text) throw new Error("it is not base64");
  return { version: Number(prefix[1]), sealed };
}
