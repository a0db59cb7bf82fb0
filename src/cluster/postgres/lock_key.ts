// Names advisory locks, which PostgreSQL knows by a number of 64 bits for the whole database.

import { sha256Of } from "../../sha256.ts";

/** Returns the number of the lock with this name, in decimal. */
export function lockKey(schema: string, name: string): string {
  const hash = sha256Of(`crude-functions\n${schema}\n${name}`);
  return String(BigInt.asIntN(64, BigInt(`0x${hash.slice(0, 16)}`)));
}
