import type { PackageCase } from "../package_case.ts";

export const AUTH: readonly PackageCase[] = [
  {
    package: "jose",
    does: "signs and verifies a JWT",
    services: ["api"],
    short: true,
    answer: { sub: "7", role: "admin", forged: "ERR_JWS_SIGNATURE_VERIFICATION_FAILED" },
  },
  {
    package: "jsonwebtoken",
    does: "signs and verifies a JWT",
    services: ["api"],
    short: true,
    answer: { sub: "7", failure: "invalid signature" },
  },
  { package: "bcryptjs", does: "hashes a password", answer: [true, false] },
  {
    package: "hash-wasm",
    does: "hashes a password with Argon2id",
    answer: { valid: true, xxhash: "44bc2cf5ad770999" },
  },
  { package: "tweetnacl", does: "signs and verifies", answer: { valid: true } },
  {
    package: "@noble/hashes",
    does: "computes BLAKE3",
    answer: "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85",
  },
  { package: "@noble/curves", does: "signs and verifies", answer: { valid: true } },
  { package: "libsodium-wrappers", does: "encrypts and decrypts", answer: "a text" },
  {
    package: "crypto-js",
    does: "encrypts and decrypts",
    answer: { decrypted: "a text", md5: "900150983cd24fb0d6963f7d28e17f72" },
  },
  { package: "node-forge", does: "creates a certificate", answer: { pem: "-----BEGIN CERTIFICATE-----" } },
  { package: "otplib", does: "creates and verifies a one-time password", answer: { digits: 6, valid: true } },
  {
    package: "uuid",
    does: "creates UUIDs of three versions",
    answer: { v4: true, v7: "7", v5: "cfbff0d1-9375-5685-968c-48ce8b15ae17" },
  },
  { package: "nanoid", does: "creates ids", answer: { length: 21, digits: true } },
  { package: "ulid", does: "creates an id", answer: { at: 1767225600000 } },
  {
    package: "@simplewebauthn/server",
    does: "starts the registration of a passkey",
    answer: { rp: { name: "Example", id: "example.com" }, challenge: 43 },
  },
  {
    package: "openid-client",
    does: "discovers a provider and builds an address",
    services: ["api"],
    answer: { path: "/oidc/authorize", scope: "openid email" },
  },
  { package: "ethers", does: "signs and verifies a message", answer: { valid: true } },
  {
    package: "bcrypt",
    does: "hashes a password",
    problem: /native code/,
    reason: "it is native code",
    instead: "bcryptjs",
  },
  {
    package: "argon2",
    does: "hashes a password",
    problem: /native code/,
    reason: "it is native code",
    instead: "hash-wasm",
  },
  {
    package: "@node-rs/argon2",
    does: "hashes a password",
    problem: /native code/,
    reason: "it is native code",
    instead: "hash-wasm",
  },
];
