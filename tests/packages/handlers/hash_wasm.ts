import { argon2id, argon2Verify, xxhash64 } from "npm:hash-wasm@4.13.0";

export default async function (c) {
  const hash = await argon2id({
    password: "correct horse",
    salt: crypto.getRandomValues(new Uint8Array(16)),
    parallelism: 1,
    iterations: 2,
    memorySize: 19_456,
    hashLength: 32,
    outputType: "encoded",
  });
  return c.json({ valid: await argon2Verify({ password: "correct horse", hash }), xxhash: await xxhash64("abc") });
}
