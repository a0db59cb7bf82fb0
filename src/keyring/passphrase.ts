// Wrapping the keys of the key file under a passphrase: scrypt (RFC 7914) makes a key of it, and AES-256-GCM
// encrypts each key of the file with that. Reads and writes no file.

import { Buffer } from "node:buffer";
import { createSecretKey, type KeyObject, randomBytes, scryptSync } from "node:crypto";
import { z } from "zod";
import type { Passphrase } from "../config.ts";
import { decrypt, encrypt } from "./cipher.ts";

const KEY_BYTES = 32;
const SALT_BYTES = 16;
const WRAPPED_BYTES = 12 + KEY_BYTES + 16;

/** OWASP's first choice for scrypt: 128 MB and half a second for each guess. Files with less are refused. */
const STRENGTH = { N: 2 ** 17, r: 8, p: 1 };
/** So that a file that somebody altered cannot take all memory: at most 1 GB, and some seconds. */
const MEMORY_MAX_BYTES = 2 ** 30;
const P_MAX = 8;

const memoryBytes = ({ N, r, p }: { N: number; r: number; p: number }) => 128 * r * (N + p + 2);

/** What the file holds about how its wrapping key is made from the passphrase. */
export const kdfSchema = z.strictObject({
  kdf: z.literal("scrypt"),
  N: z.int().min(STRENGTH.N).max(2 ** 30).refine((n) => Number.isInteger(Math.log2(n)), "must be a power of two"),
  r: z.int().min(STRENGTH.r).max(1_024),
  p: z.int().min(STRENGTH.p).max(P_MAX),
  salt: base64Of(SALT_BYTES),
}).refine((kdf) => 128 * kdf.N * kdf.r <= MEMORY_MAX_BYTES, "asks for more than 1 GB of memory");

export type Kdf = z.infer<typeof kdfSchema>;

/** A wrapped key: nonce ‖ ciphertext ‖ tag. */
export const wrappedSchema = base64Of(WRAPPED_BYTES);

/** A key made from a passphrase, with how it was made. */
export interface WrappingKey {
  readonly kdf: Kdf;
  readonly key: KeyObject;
}

/** What each wrapped key is bound to, so that none can be put in another's place. */
export const wrapAad = {
  key: (version: number) => `keyring:key:${version}`,
  lookupKey: "keyring:lookup-key",
};

/** A wrapping key with a salt of its own. Takes half a second. */
export function newWrappingKey(passphrase: Passphrase): WrappingKey {
  return derive(passphrase, { kdf: "scrypt", ...STRENGTH, salt: randomBytes(SALT_BYTES).toString("base64") });
}

/** The wrapping key that `kdf` makes of the passphrase. Takes half a second, or as long as `kdf` asks for. */
export function derive(passphrase: Passphrase, kdf: Kdf): WrappingKey {
  const { N, r, p, salt } = kdf;
  const bytes = passphrase.bytes();
  // Node's own limit is 32 MB; memory is bounded by the schema.
  const made = scryptSync(bytes, Buffer.from(salt, "base64"), KEY_BYTES, { N, r, p, maxmem: 2 * memoryBytes(kdf) });
  const key = createSecretKey(made);
  bytes.fill(0);
  made.fill(0);
  return { kdf, key };
}

/** `key` encrypted under the wrapping key, with a nonce of its own, in base64. */
export function wrap({ key: wrappingKey }: WrappingKey, key: KeyObject, aad: string): string {
  const bytes = key.export();
  const wrapped = encrypt(wrappingKey, bytes, Buffer.from(aad));
  bytes.fill(0);
  return Buffer.from(wrapped).toString("base64");
}

/**
 * The key that `wrap` was given.
 * @throws Error if the passphrase was another, or the text was altered or belongs elsewhere
 */
export function unwrap({ key: wrappingKey }: WrappingKey, wrapped: string, aad: string): KeyObject {
  const bytes = decrypt(wrappingKey, Buffer.from(wrapped, "base64"), Buffer.from(aad));
  const key = createSecretKey(bytes);
  bytes.fill(0);
  return key;
}

function base64Of(length: number): z.ZodString {
  return z.string().refine((text) => {
    const bytes = Buffer.from(text, "base64");
    return bytes.length === length && bytes.toString("base64") === text;
  }, `must be ${length} bytes in base64`);
}
