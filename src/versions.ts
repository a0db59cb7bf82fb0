// Implements versions of stored resources, by which a change detects that another one came before it.

import { createHash } from "node:crypto";
import { AppError } from "./errors.ts";

/** Identifies a state of a resource: equal for equal states. Opaque; visible ASCII without quotes. */
export type Version = string;

/** The versions that a change may be made to; "any" requires only that the resource exists. Undefined: no condition. */
export type ExpectedVersions = readonly Version[] | "any" | undefined;

/** Returns the version of a state, which must be expressible in JSON. */
export function versionOf(state: unknown): Version {
  return createHash("sha256").update(JSON.stringify(state)).digest("base64url")
    .slice(0, 22);
}

/**
 * Rejects a change to a version other than those expected; `current` is undefined if the resource does not exist.
 * `what` names the resource in the error: `the function "hello"`. Called inside the transaction of the change.
 * @throws AppError PreconditionFailed (412)
 */
export function requireVersion(expected: ExpectedVersions, current: Version | undefined, what: string): void {
  if (expected === undefined) return;
  const subject = what[0]!.toUpperCase() + what.slice(1);
  if (current === undefined) throw preconditionFailed(`${subject} does not exist, so it has no version to match.`);
  if (expected === "any" || expected.includes(current)) return;
  throw preconditionFailed(`${subject} changed since the version that you have. Read the current version first.`);
}

export function preconditionFailed(message: string): AppError {
  return new AppError("PreconditionFailed", 412, message);
}

/** Returns a time of change that is later than the previous one, so that two changes in one millisecond differ. */
export function nextChangeTime(now: number, lastChange: number): number {
  return Math.max(now, lastChange + 1);
}
