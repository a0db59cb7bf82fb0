// Finds which values callers could have been given at an earlier time, as far as versions and the bin say.

import type { FunctionId, GroupId, KeyId, Owner, Scope, SecretId, SecretName } from "../../ids.ts";
import { ownerId } from "../../ids.ts";
import type { Store } from "../../store/store.ts";

/** A value that was there, or may have been. */
export interface PastCandidate {
  readonly id: SecretId;
  readonly scope: Scope;
  readonly ownerId: number;
  /** Null if that version is no longer kept. */
  readonly version: number | null;
  /** False if the secret existed, but perhaps under another name or in the bin. */
  readonly isCertain: boolean;
}

export interface PastOwners {
  readonly functionId: FunctionId;
  /** 0 without a group or key. */
  readonly groupId: GroupId | 0;
  readonly keyId: KeyId | 0;
}

/** Returns the values of a name that the global scope and these owners had at a time, in milliseconds since 1970 UTC. */
export function pastCandidates(store: Store, name: SecretName, owners: PastOwners, at: number): PastCandidate[] {
  const { functionId, groupId, keyId } = owners;
  const all: Owner[] = [
    { scope: "global" },
    { scope: "function", functionId },
    ...(groupId === 0 ? [] : [{ scope: "group", groupId } as const]),
    ...(keyId === 0 ? [] : [{ scope: "key", keyId } as const]),
  ];
  return all.flatMap((owner) => pastOf(store, name, owner, at) ?? []);
}

function pastOf(store: Store, name: SecretName, owner: Owner, at: number): PastCandidate | undefined {
  const present = store.secrets.findByOwner(name, owner);
  const deleted = store.deletedSecrets.ofPlace(name, owner.scope, ownerId(owner));
  const candidate = (id: SecretId, version: number | null, isCertain: boolean): PastCandidate => ({
    ...{ id, scope: owner.scope, ownerId: ownerId(owner), version, isCertain },
  });
  const kept = (id: SecretId): number | null =>
    store.secretVersions.list(id).find(({ setAt, until }) => setAt <= at && at < until)?.number ?? null;
  if (present && present.placedAt <= at) {
    return candidate(present.id, present.setAt <= at ? present.version : kept(present.id), true);
  }
  const gone = deleted.find(({ placedAt, deletedAt }) => placedAt <= at && at < deletedAt);
  if (gone) return candidate(gone.id, kept(gone.id), true);
  const perhaps = [...present ? [present] : [], ...deleted]
    .find(({ createdAt, placedAt }) => createdAt <= at && at < placedAt);
  return perhaps && candidate(perhaps.id, null, false);
}
