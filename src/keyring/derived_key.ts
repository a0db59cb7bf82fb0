// Keys for one purpose each, derived from the key file's `lookupKey`, which no rotation changes: what was made with
// them stays valid.

import { Buffer } from "node:buffer";
import { createHmac, createSecretKey, hkdfSync, type KeyObject } from "node:crypto";

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
}
