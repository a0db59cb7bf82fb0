// Derives a key for each purpose from the key file's `lookupKey`. No rotation changes that key, so that everything made
// with derived keys stays valid.

import { Buffer } from "node:buffer";
import { createHmac, createSecretKey, hkdfSync, type KeyObject } from "node:crypto";
import { decrypt, encrypt } from "./cipher.ts";

const KEY_BYTES = 32;

/**
 * All purposes that a key is derived for; docs/encryption.md describes the use of each. Never change a text: stored data
 * depends on it.
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
  "code versions",
] as const;

export type Purpose = (typeof PURPOSES)[number];

export class DerivedKey {
  readonly #key: KeyObject;

  /** Derives by HKDF-SHA-256 (RFC 5869) without a salt. Keys reveal nothing about each other or about `root`. */
  constructor(root: KeyObject, purpose: Purpose) {
    const bytes = Buffer.from(hkdfSync("sha256", root, new Uint8Array(), `crude-functions:${purpose}`, KEY_BYTES));
    this.#key = createSecretKey(bytes);
    bytes.fill(0);
  }

  /** Returns the HMAC-SHA-256 of `text` in UTF-8. */
  mac(text: string): Uint8Array {
    return createHmac("sha256", this.#key).update(text).digest();
  }

  /** Encrypts `text` with AES-256-GCM; returns nonce ‖ ciphertext ‖ tag in base64. Use no key for both this and MACs. */
  seal(text: string, aad: string): string {
    return Buffer.from(encrypt(this.#key, Buffer.from(text), Buffer.from(aad))).toString("base64");
  }

  /** Decrypts what `seal` returned for the same `aad`; undefined for anything else. */
  open(sealed: string, aad: string): string | undefined {
    try {
      return Buffer.from(decrypt(this.#key, Buffer.from(sealed, "base64"), Buffer.from(aad))).toString("utf8");
    } catch {
      return undefined;
    }
  }
}
