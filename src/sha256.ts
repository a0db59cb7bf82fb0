// Names contents by their SHA-256.

import { createHash } from "node:crypto";

/** The SHA-256 of a content: 64 lower-case hexadecimal digits. */
export type Sha256 = string;

export const SHA256_PATTERN = /^[0-9a-f]{64}$/;

/** Returns the SHA-256 of a content, which is also the version of a file. */
export function sha256Of(content: Uint8Array | string): Sha256 {
  return createHash("sha256").update(content).digest("hex");
}
