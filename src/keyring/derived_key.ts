// Keys for one purpose each, derived from the key file's `lookupKey`, which no rotation changes: what was made with
// them stays valid.

import { Buffer } from "node:buffer";
import { createHmac, createSecretKey, hkdfSync, type KeyObject } from "node:crypto";
import { decrypt, encrypt } from "./cipher.ts";

const KEY_BYTES = 32;

/**
 * Every purpose that a key is derived for; docs/encryption.md lists what each key is used for. A text is never
 * changed: stored data depends on it.
 */
export const PURPOSES = [
  "API key look-up",
  "fingerprint",
  "sessions",
  "password links",
  "admin passwords",
  "second factors",
  "known devices",
  "notices",
  "audit",
  "rows",
  "head elements",
  "head",
  "record",
] as const;

export type Purpose = (typeof PURPOSES)[number];

export class DerivedKey {
  readonly #key: KeyObject;

  /** HKDF-SHA-256 (RFC 5869) without a salt; keys of two purposes reveal nothing about each other, nor about `root`. */
  constructor(root: KeyObject, purpose: Purpose) {
    const bytes = Buffer.from(hkdfSync("sha256", root, new Uint8Array(), `crude-functions:${purpose}`, KEY_BYTES));
    this.#key = createSecretKey(bytes);
    bytes.fill(0);
  }

  /** HMAC-SHA-256 of `text` in UTF-8. */
  mac(text: string): Uint8Array {
    return createHmac("sha256", this.#key).update(text).digest();
  }

  /** AES-256-GCM of `text`, in base64: nonce ‖ ciphertext ‖ tag. A key that seals makes no MACs. */
  seal(text: string, aad: string): string {
    return Buffer.from(encrypt(this.#key, Buffer.from(text), Buffer.from(aad))).toString("base64");
  }

  /** What was sealed, or undefined if `seal` did not return it for the same `aad`. */
  open(sealed: string, aad: string): string | undefined {
    try {
      return Buffer.from(decrypt(this.#key, Buffer.from(sealed, "base64"), Buffer.from(aad))).toString("utf8");
    } catch {
      return undefined;
    }
  }
}
