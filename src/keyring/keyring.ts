// Holds the encryption keys in memory and encrypts, decrypts and computes look-up HMACs with them. key_file.ts reads
// and writes the file; cipher.ts implements the algorithm.

import { Buffer } from "node:buffer";
import { createHmac, type KeyObject } from "node:crypto";
import { decode, decrypt, encode, encrypt } from "./cipher.ts";
import { DerivedKey, type Purpose } from "./derived_key.ts";
import { SecretValue } from "./secret_value.ts";

/** A stored value cannot be decrypted. The message states the reason and contains nothing of the value. */
export class DecryptionError extends Error {}

export class Keyring {
  #keys: ReadonlyMap<number, KeyObject>;
  #current: KeyObject;
  #currentVersion: number;
  readonly #root: KeyObject;
  readonly #lookup: DerivedKey;
  #beforeSeal: (version: number) => void = () => {};

  /** `keys` are by version and include `current`. `lookupKey` is the root of the keys that `derive` returns. */
  constructor(keys: ReadonlyMap<number, KeyObject>, current: number, lookupKey: KeyObject) {
    this.#keys = keys;
    this.#current = keyOf(keys, current);
    this.#currentVersion = current;
    this.#root = lookupKey;
    this.#lookup = this.derive("API key look-up");
  }

  /** The version of the key that encrypts new values. */
  get currentVersion(): number {
    return this.#currentVersion;
  }

  /** Reports whether values of this version can be decrypted. */
  has(version: number): boolean {
    return this.#keys.has(version);
  }

  /** Replaces the keys. Only for `KeyFile`, which has already written them to disk. */
  switchTo(keys: ReadonlyMap<number, KeyObject>, current: number): void {
    this.#current = keyOf(keys, current);
    this.#keys = keys;
    this.#currentVersion = current;
  }

  /** Registers `count`, which is called before each encryption and can prevent it by throwing. */
  countSeals(count: (version: number) => void): void {
    this.#beforeSeal = count;
  }

  /**
   * Encrypts `plaintext` under the current key, bound to `aad` (see aad.ts).
   * Returns `v<version>.` + base64(IV 12 B ‖ ciphertext ‖ tag 16 B); see docs/encryption.md.
   */
  seal(plaintext: string, aad: string): string {
    return this.#seal(Buffer.from(plaintext), Buffer.from(aad));
  }

  /**
   * Decrypts what `seal` returned for the same `aad`.
   * @throws DecryptionError
   */
  open(stored: string, aad: string): SecretValue {
    const plaintext = this.#open(stored, Buffer.from(aad));
    return new SecretValue(Buffer.from(plaintext.buffer, plaintext.byteOffset, plaintext.length).toString("utf8"));
  }

  /**
   * Encrypts again, under the current key and bound to `to`, what `seal` returned for `aad`.
   * @throws DecryptionError
   */
  reseal(stored: string, aad: string, to: string = aad): string {
    const plaintext = this.#open(stored, Buffer.from(aad));
    const sealed = this.#seal(plaintext, Buffer.from(to));
    plaintext.fill(0);
    return sealed;
  }

  #seal(plaintext: Uint8Array, aad: Uint8Array): string {
    this.#beforeSeal(this.#currentVersion);
    return encode(this.#currentVersion, encrypt(this.#current, plaintext, aad));
  }

  #open(stored: string, aad: Uint8Array): Uint8Array {
    let version: number, sealed: Uint8Array;
    try {
      ({ version, sealed } = decode(stored));
    } catch (error) {
      throw new DecryptionError(`The stored value is damaged: ${(error as Error).message}.`);
    }
    const key = this.#keys.get(version);
    if (!key) throw new DecryptionError(`Encryption key version ${version} is not in the keyring.`);
    try {
      return decrypt(key, sealed, aad);
    } catch {
      throw new DecryptionError(
        `Encryption key version ${version} does not decrypt the stored value: it was altered, moved, or encrypted with another key.`,
      );
    }
  }

  /**
   * Returns the HMAC-SHA-256 of an API key's value, by which a stored key is found without decryption. It reveals
   * nothing about the value to a reader of the database.
   */
  lookup(value: string): Uint8Array {
    return this.#lookup.mac(value);
  }

  /** Derives the key of this key file for one purpose. */
  derive(purpose: Purpose): DerivedKey {
    return new DerivedKey(this.#root, purpose);
  }

  /** Identifies this key file's `lookupKey`, which never changes, without revealing it. Hexadecimal. */
  fingerprint(): string {
    return Buffer.from(this.derive("fingerprint").mac("keyring")).toString("hex");
  }

  /**
   * Returns the HMAC-SHA-256 under `lookupKey` itself. Databases up to schema 6 contain it for both API keys and the
   * fingerprint, so that the text of the latter was a valid API key. Only for reading and upgrading such databases.
   */
  originalMac(text: string): Uint8Array {
    return createHmac("sha256", this.#root).update(text).digest();
  }
}

function keyOf(keys: ReadonlyMap<number, KeyObject>, version: number): KeyObject {
  const key = keys.get(version);
  if (!key) throw new Error(`the keyring has no key of its current version ${version}`);
  return key;
}
