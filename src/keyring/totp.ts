// Implements the codes of authenticator apps: TOTP (RFC 6238) with SHA-1, 30 seconds and six digits, which all support.

import { createHmac, timingSafeEqual } from "node:crypto";
import { Buffer } from "node:buffer";

export const TOTP_STEP_SECONDS = 30;
export const TOTP_DIGITS = 6;
/** RFC 4226, 4 (R6) recommends 160 bits. */
export const TOTP_SECRET_BYTES = 20;
/** Codes of the previous and the next step are accepted, too: clocks differ, and typing takes time. */
const TOLERANCE_STEPS = 1;

/** Returns the time step that contains a moment. */
export function totpStep(nowMs: number): number {
  return Math.floor(nowMs / 1_000 / TOTP_STEP_SECONDS);
}

/** Returns the code of a step (RFC 4226, 5.3). Only the test vectors pass `digits`. */
export function totpCode(secret: Uint8Array, step: number, digits = TOTP_DIGITS): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = createHmac("sha1", secret).update(counter).digest();
  const binary = mac.readUInt32BE(mac[mac.length - 1]! & 0xf) & 0x7fffffff;
  return String(binary % 10 ** digits).padStart(digits, "0");
}

/** Returns the step that `code` belongs to, if it is within the tolerance. */
export function matchingStep(secret: Uint8Array, code: string, nowMs: number): number | undefined {
  const given = Buffer.from(code);
  const now = totpStep(nowMs);
  for (let step = now - TOLERANCE_STEPS; step <= now + TOLERANCE_STEPS; step++) {
    const expected = Buffer.from(totpCode(secret, step));
    if (given.length === expected.length && timingSafeEqual(given, expected)) return step;
  }
  return undefined;
}

/** Returns base32 (RFC 4648, 6) without padding, as apps accept it. */
export function base32(bytes: Uint8Array): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  let text = "", bits = 0, held = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    bits += 8;
    for (; bits >= 5; bits -= 5) text += alphabet[(held >> (bits - 5)) & 31];
    held &= (1 << bits) - 1;
  }
  return bits > 0 ? text + alphabet[(held << (5 - bits)) & 31] : text;
}
