// The keys in memory and what may be done with them: seal, open, look up. Reading and writing the
// file is key_file.ts; the algorithm is cipher.ts.

import { Buffer } from "node:buffer";
import { createHmac, type KeyObject } from "node:crypto";
import { decode, decrypt, encode, encrypt } from "./cipher.ts";
import { SecretValue } from "./secret_value.ts";

/** A stored value that cannot be read. The message says why and holds nothing of the value. */
export class DecryptionError extends Error {}

export class Keyring {
  readonly #keys: ReadonlyMap<number, KeyObject>;
  readonly #current: KeyObject;
  readonly #lookupKey: KeyObject;
  /** The version that new values are sealed with. */
  readonly currentVersion: number;

  /** `keys` by version; holds `current`. */
  constructor(keys: ReadonlyMap<number, KeyObject>, current: number, lookupKey: KeyObject) {
    const key = keys.get(current);
    if (!key) throw new Error(`the keyring has no key of its current version ${current}`);
    this.#keys = keys;
    this.#current = key;
    this.#lookupKey = lookupKey;
    this.currentVersion = current;
  }

  /**
   * Encrypts `plaintext` under the current key, bound to `aad` (see aad.ts).
   * Returns `v<version>.` + base64(IV 12 B ‖ ciphertext ‖ tag 16 B); see docs/encryption.md.
   */
  seal(plaintext: string, aad: string): string {
    return encode(this.currentVersion, encrypt(this.#current, Buffer.from(plaintext), Buffer.from(aad)));
  }

  /**
   * Decrypts what `seal` returned for the same `aad`.
   * @throws DecryptionError
   */
  open(stored: string, aad: string): SecretValue {
    let version: number, sealed: Uint8Array;
    try {
      ({ version, sealed } = decode(stored));
    } catch (error) {
      throw new DecryptionError(`The stored value is damaged: ${(error as Error).message}.`);
    }
    const key = this.#keys.get(version);
    if (!key) throw new DecryptionError(`Encryption key version ${version} is not in the keyring.`);
    try {
      const plaintext = decrypt(key, sealed, Buffer.from(aad));
      return new SecretValue(Buffer.from(plaintext.buffer, plaintext.byteOffset, plaintext.length).toString("utf8"));
    } catch {
      throw new DecryptionError(
        `Encryption key version ${version} does not open the stored value: it was altered, moved, or sealed with another key.`,
      );
    }
  }

  /**
   * HMAC-SHA-256 under the look-up key: finds a stored API key without decrypting any, and tells whoever
   * reads the database nothing about it.
   */
  lookup(value: string): Uint8Array {
    return createHmac("sha256", this.#lookupKey).update(value).digest();
  }

  /** Tells this key file's look-up key, which never changes, from another's; gives nothing of it away. */
  fingerprint(): string {
    return Buffer.from(this.lookup("crude-functions keyring")).toString("hex");
  }
}
