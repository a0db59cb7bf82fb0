// Implements the rule of resolution: which of the stored values a caller gets (key > group > function > global).

import { type FunctionId, type Owner, ownerId, type Scope, type SecretName } from "../../ids.ts";
import type { KeyHolder } from "../../store/access.ts";

/**
 * Who asks, taken from the host's own record of the invocation.
 * `holder` is set only if the function requires a key and the request presented one that it accepts.
 */
export interface Caller {
  readonly functionId: FunctionId;
  readonly holder: KeyHolder | undefined;
  /** Reports whether the function may ask for a secret of this name. */
  readonly mayAsk: (name: SecretName) => boolean;
}

/** Returns the owners whose secrets the caller may read, the most specific first. */
export function entitledOwners(caller: Caller): Owner[] {
  const { functionId, holder } = caller;
  const shared: Owner[] = [{ scope: "function", functionId }, { scope: "global" }];
  if (!holder) return shared;
  return [{ scope: "key", keyId: holder.keyId }, { scope: "group", groupId: holder.groupId }, ...shared];
}

/**
 * Returns the candidates that belong to `owners`, in the order of `owners`; the first one wins.
 * Candidates of other owners are dropped, so a query that returns too much discloses nothing.
 */
export function rank<C extends { readonly scope: Scope; readonly ownerId: number }>(
  candidates: readonly C[],
  owners: readonly Owner[],
): C[] {
  return owners.flatMap((owner) =>
    candidates.find((candidate) => candidate.scope === owner.scope && candidate.ownerId === ownerId(owner)) ?? []
  );
}

/**
 * Returns what the caller may read under `name`, the winner first. Handlers' questions and explanations of them are
 * both answered by this. `look` finds the candidates; it is not called for a name that the caller may not ask for.
 */
export function resolve<C extends { readonly scope: Scope; readonly ownerId: number }>(
  caller: Caller,
  name: SecretName,
  look: () => readonly C[],
): C[] {
  return caller.mayAsk(name) ? rank(look(), entitledOwners(caller)) : [];
}
