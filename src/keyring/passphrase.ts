// Encrypts the keys of the key file with a passphrase: scrypt (RFC 7914) derives a wrapping key from it, which encrypts
// each key with AES-256-GCM. Reads and writes no files.

import { Buffer } from "node:buffer";
import { createSecretKey, type KeyObject, randomBytes, scryptSync } from "node:crypto";
import { z } from "zod";
import type { Passphrase } from "../config.ts";
import { decrypt, encrypt } from "./cipher.ts";

const KEY_BYTES = 32;
const SALT_BYTES = 16;
const WRAPPED_BYTES = 12 + KEY_BYTES + 16;

/** OWASP's first choice for scrypt: 128 MB and half a second for each guess. Files with less are rejected. */
const STRENGTH = { N: 2 ** 17, r: 8, p: 1 };
/** Prevents an altered file from using up all memory: at most 1 GB, and a few seconds. */
const MEMORY_MAX_BYTES = 2 ** 30;
const P_MAX = 8;

const memoryBytes = ({ N, r, p }: { N: number; r: number; p: number }) => 128 * r * (N + p + 2);

/** The part of the file that describes how its wrapping key is derived from the passphrase. */
export const kdfSchema = z.strictObject({
  kdf: z.literal("scrypt"),
  N: z.int().min(STRENGTH.N).max(2 ** 30).refine((n) => Number.isInteger(Math.log2(n)), "must be a power of two"),
  r: z.int().min(STRENGTH.r).max(1_024),
  p: z.int().min(STRENGTH.p).max(P_MAX),
  salt: base64Of(SALT_BYTES),
}).refine((kdf) => 128 * kdf.N * kdf.r <= MEMORY_MAX_BYTES, "requires more than 1 GB of memory");

export type Kdf = z.infer<typeof kdfSchema>;

/** A wrapped key: nonce ‖ ciphertext ‖ tag. */
export const wrappedSchema = base64Of(WRAPPED_BYTES);

/** A key derived from a passphrase, and its parameters. */
export interface WrappingKey {
  readonly kdf: Kdf;
  readonly key: KeyObject;
}

/** The AAD of each wrapped key, so that none can be exchanged for another. */
export const wrapAad = {
  key: (version: number) => `keyring:key:${version}`,
  lookupKey: "keyring:lookup-key",
};

/** Derives a wrapping key with a new salt. Takes half a second. */
export function newWrappingKey(passphrase: Passphrase): WrappingKey {
  return derive(passphrase, { kdf: "scrypt", ...STRENGTH, salt: randomBytes(SALT_BYTES).toString("base64") });
}

/** Derives the wrapping key with the parameters `kdf`, which determine the time: usually half a second. */
export function derive(passphrase: Passphrase, kdf: Kdf): WrappingKey {
  const { N, r, p, salt } = kdf;
  const bytes = passphrase.bytes();
  // Node's default limit is 32 MB; the schema bounds the memory.
  const made = scryptSync(bytes, Buffer.from(salt, "base64"), KEY_BYTES, { N, r, p, maxmem: 2 * memoryBytes(kdf) });
  const key = createSecretKey(made);
  bytes.fill(0);
  made.fill(0);
  return { kdf, key };
}

/** Encrypts `key` under the wrapping key with a new nonce; returns base64. */
export function wrap({ key: wrappingKey }: WrappingKey, key: KeyObject, aad: string): string {
  const bytes = key.export();
  const wrapped = encrypt(wrappingKey, bytes, Buffer.from(aad));
  bytes.fill(0);
  return Buffer.from(wrapped).toString("base64");
}

/**
 * Decrypts the result of `wrap`.
 * @throws Error if the passphrase differs, or the text was altered or moved
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
