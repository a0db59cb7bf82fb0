// Generates the values of API keys, computes the versions of keys, and writes their times for the audit.

import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import type { KeyRow } from "../../store/access.ts";
import { type Version, versionOf } from "../../versions.ts";

/** Returns `cf_` + 32 random bytes in base64url: 256 bits, and a prefix that secret scanners can search for. */
export function newKeyValue(): string {
  return `cf_${Buffer.from(randomBytes(32)).toString("base64url")}`;
}

/** Returns the version of a key. A use of it is no change, nor is the time that ends it or its previous value. */
export function keyVersion(row: KeyRow): Version {
  const { id, groupId, groupName, name, description, rolledAt, previousUntil, expiresAt } = row;
  return versionOf([
    id,
    groupId,
    groupName,
    name,
    description,
    ...(rolledAt === null ? [] : [rolledAt, previousUntil]),
    ...(expiresAt === null ? [] : [{ expiresAt }]),
  ]);
}

/** Returns a time in ISO 8601; null if there is none. */
export function timeText(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
