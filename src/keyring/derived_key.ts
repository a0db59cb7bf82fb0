// A key for one purpose, made of the look-up key, which no rotation changes: what it was used for stays valid.

import { Buffer } from "node:buffer";
import { createHmac, createSecretKey, hkdfSync, type KeyObject } from "node:crypto";

const KEY_BYTES = 32;

export class DerivedKey {
  readonly #key: KeyObject;

  /** HKDF-SHA-256 (RFC 5869); keys of two purposes tell nothing about each other, nor about `root`. */
  constructor(root: KeyObject, purpose: string) {
    const bytes = Buffer.from(hkdfSync("sha256", root, new Uint8Array(), `crude-functions:${purpose}`, KEY_BYTES));
    this.#key = createSecretKey(bytes);
    bytes.fill(0);
  }

  /** HMAC-SHA-256 of `text` in UTF-8. */
  mac(text: string): Uint8Array {
    return createHmac("sha256", this.#key).update(text).digest();
  }
}
