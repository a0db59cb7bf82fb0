// Derives a key for each purpose from the key file's `lookupKey`. No rotation changes that key, so that everything made
// with derived keys stays valid.

import { Buffer } from "node:buffer";
import { createHash, createSecretKey, type Hash, hkdfSync, type KeyObject } from "node:crypto";
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
  "cluster log",
  "cluster announcements",
  "cluster nodes",
  "cluster snapshots",
  "cluster messages",
  "cluster counts",
  "cluster attempts",
  "cluster handovers",
  "set-up link",
  "cluster keyring",
  "exposed values",
] as const;

export type Purpose = (typeof PURPOSES)[number];

/** The block size of SHA-256. */
const BLOCK_BYTES = 64;
/** The bytes that HMAC combines the key with (RFC 2104, section 2). */
const [INNER_BYTE, OUTER_BYTE] = [0x36, 0x5c];

export class DerivedKey {
  readonly #key: KeyObject;
  /** The states of the two hashes after their first block; copied for each MAC. */
  readonly #inner: Hash;
  readonly #outer: Hash;

  /** Derives by HKDF-SHA-256 (RFC 5869) without a salt. Keys reveal nothing about each other or about `root`. */
  constructor(root: KeyObject, purpose: Purpose) {
    const bytes = Buffer.from(hkdfSync("sha256", root, new Uint8Array(), `crude-functions:${purpose}`, KEY_BYTES));
    this.#key = createSecretKey(bytes);
    this.#inner = createHash("sha256").update(padded(bytes, INNER_BYTE));
    this.#outer = createHash("sha256").update(padded(bytes, OUTER_BYTE));
    bytes.fill(0);
  }

  /**
   * Returns the HMAC-SHA-256 of `text` in UTF-8. Computed from two hashes, as RFC 2104 defines it: `createHmac` takes
   * more than twice as long (Deno 2.9), and a rotation computes several for each row.
   */
  mac(text: string): Uint8Array {
    return Uint8Array.fromHex(this.hexMac(text));
  }

  /** Returns the same in hexadecimal. Digests are taken as texts, as each Buffer costs more than its conversion. */
  hexMac(text: string): string {
    const inner = Uint8Array.fromHex(this.#inner.copy().update(text).digest("hex"));
    return this.#outer.copy().update(inner).digest("hex");
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

/** Returns a block of HMAC: the key, extended by zeros, combined with `byte`. */
function padded(key: Uint8Array, byte: number): Uint8Array {
  const block = new Uint8Array(BLOCK_BYTES).fill(byte);
  key.forEach((value, index) => block[index]! ^= value);
  return block;
}
