// Versions of stored resources: how a change finds out that another one came before it.

import { createHash } from "node:crypto";
import { AppError } from "./errors.ts";

/** Identifies a state of a resource: equal for equal states. Opaque; visible ASCII without quotes. */
export type Version = string;

/** The versions that a change may be made to; "any": any, but there must be one. Undefined: no condition. */
export type ExpectedVersions = readonly Version[] | "any" | undefined;

/** Returns the version of a state that JSON can express. */
export function versionOf(state: unknown): Version {
  return createHash("sha256").update(JSON.stringify(state)).digest("base64url")
    .slice(0, 22);
}

/**
 * Refuses a change to a version other than those expected; `current` is undefined if there is no such resource.
 * Called inside the transaction of the change.
 * @throws AppError PreconditionFailed (412)
 */
export function requireVersion(
  expected: ExpectedVersions,
  current: Version | undefined,
): void {
  if (expected === undefined) return;
  if (
    current === undefined || (expected !== "any" && !expected.includes(current))
  ) throw preconditionFailed();
}

export function preconditionFailed(): AppError {
  return new AppError(
    "PreconditionFailed",
    412,
    "It was changed since the version that you have. Read it again.",
  );
}

/** Returns a time of change later than the one before, so that two changes in a millisecond differ. */
export function nextChangeTime(now: number, lastChange: number): number {
  return Math.max(now, lastChange + 1);
}
