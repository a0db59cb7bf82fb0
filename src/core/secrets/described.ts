// Describes secrets for changes: their versions for `If-Match`, what the audit records, and who owns them.

import type { Facts } from "../../actor.ts";
import { notFound } from "../../errors.ts";
import { type Owner, ownerId } from "../../ids.ts";
import type { Seal, SecretRow, SecretTerms } from "../../store/secrets.ts";
import type { Store } from "../../store/store.ts";
import { type Version, versionOf } from "../../versions.ts";

/** Returns the version of a secret. A rotation, which stores the same value under another key, does not change it. */
export function secretVersion({ ciphertext: _, ...row }: SecretRow): Version {
  return versionOf(row);
}

/** Returns what the audit records about a secret. */
export function factsOf(
  { name, owner, ownerName, comment, sealed, hosts, places }:
    & Pick<SecretRow, "name" | "owner" | "ownerName" | "comment">
    & Partial<Seal>,
): Facts {
  const seal = sealed === true ? { sealed, hosts, in: places } : undefined;
  return { name, scope: owner.scope, scopeId: ownerId(owner) || null, scopeName: ownerName, comment, ...seal };
}

/** Returns what the audit records about the terms of a secret. */
export function termFactsOf({ expiresAt, rotateEveryDays, onExpiry, expand, canary }: SecretTerms): Facts {
  return {
    expiresAt: expiresAt === null ? null : new Date(expiresAt).toISOString(),
    rotateEveryDays,
    onExpiry,
    expand,
    canary,
  };
}

/** The terms of a secret for which nothing is said. */
export const DEFAULT_TERMS: SecretTerms = {
  expiresAt: null,
  rotateEveryDays: null,
  onExpiry: "warn",
  expand: false,
  canary: false,
};

/** Returns where a secret of this owner is, to follow its name. */
export function whereIs({ scope }: Owner): string {
  return scope === "global" ? "in the global scope" : `for this ${scope}`;
}

/** @throws AppError NotFound (404) */
export function requireOwner(store: Store, owner: Owner): void {
  switch (owner.scope) {
    case "global":
      return;
    case "function":
      if (!store.functions.find(owner.functionId)) throw notFound("function", owner.functionId, "functionId");
      return;
    case "group":
      if (!store.access.group(owner.groupId)) throw notFound("key group", owner.groupId, "groupId");
      return;
    case "key":
      if (!store.access.key(owner.keyId)) throw notFound("API key", owner.keyId, "keyId");
      return;
  }
}
