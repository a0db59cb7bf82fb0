// Writes and reads the visible beginning of a message between nodes. It says what is needed to find the key, and is
// authenticated together with the path as the additional data of every frame.

import { Buffer } from "node:buffer";

export const NONCE_BYTES = 16;
/** Identifies one run of a node's process. */
export const BOOT_BYTES = 16;
const VERSION = 1;
const TIME_BYTES = 8;
const FIXED_BYTES = 1 + NONCE_BYTES + TIME_BYTES + BOOT_BYTES;
/** Of the id of a node, in UTF-8. */
const ID_MAX_BYTES = 64;
export const HEAD_MAX_BYTES = FIXED_BYTES + 2 * (1 + ID_MAX_BYTES);

export interface Head {
  /** Random: the key of the message is derived with it. */
  readonly nonce: Uint8Array;
  /** When it was sent by the sender's clock, in milliseconds since 1970 UTC. */
  readonly at: number;
  /** The run of the receiver's process that the message is for; zeros if the sender does not know it. */
  readonly boot: Uint8Array;
  /** Ids of nodes. */
  readonly sender: string;
  readonly receiver: string;
}

export function writeHead({ nonce, at, boot, sender, receiver }: Head): Uint8Array {
  const time = Buffer.alloc(TIME_BYTES);
  time.writeBigUInt64BE(BigInt(at));
  return Buffer.concat([Uint8Array.of(VERSION), nonce, time, boot, ...[sender, receiver].flatMap(withLength)]);
}

/** Returns the head at the beginning of `bytes` and its length; undefined if there is none of this version. */
export function readHead(bytes: Uint8Array): { head: Head; length: number } | undefined {
  if (bytes.length < FIXED_BYTES || bytes[0] !== VERSION) return undefined;
  const nonce = bytes.slice(1, 1 + NONCE_BYTES);
  const at = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(1 + NONCE_BYTES));
  const boot = bytes.slice(1 + NONCE_BYTES + TIME_BYTES, FIXED_BYTES);
  const ids: string[] = [];
  let length = FIXED_BYTES;
  for (let n = 0; n < 2; n++) {
    const size = bytes[length];
    if (size === undefined || size > ID_MAX_BYTES || bytes.length < length + 1 + size) return undefined;
    ids.push(new TextDecoder().decode(bytes.subarray(length + 1, length + 1 + size)));
    length += 1 + size;
  }
  const [sender, receiver] = ids as [string, string];
  return { head: { nonce, at, boot, sender, receiver }, length };
}

function withLength(id: string): Uint8Array[] {
  const bytes = new TextEncoder().encode(id);
  if (bytes.length > ID_MAX_BYTES) throw new Error("The id of a node is too long.");
  return [Uint8Array.of(bytes.length), bytes];
}
