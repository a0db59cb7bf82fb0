// Which of the stored values a caller gets: key > group > function > global. Pure, and the whole of the rule.

import { type FunctionId, type Owner, ownerId, type Scope, type SecretName } from "../../ids.ts";
import type { KeyHolder } from "../../store/access.ts";

/**
 * Who asks, as the host knows it from its own record of the invocation.
 * `holder` is set only where the function asks for a key and the request brought one that it accepts.
 */
export interface Caller {
  readonly functionId: FunctionId;
  readonly holder: KeyHolder | undefined;
  /** Whether the function may ask for a secret of this name at all. */
  readonly mayAsk: (name: SecretName) => boolean;
}

/** The owners whose secrets the caller may read, the most specific first. */
export function entitledOwners(caller: Caller): Owner[] {
  const { functionId, holder } = caller;
  const shared: Owner[] = [{ scope: "function", functionId }, { scope: "global" }];
  if (!holder) return shared;
  return [{ scope: "key", keyId: holder.keyId }, { scope: "group", groupId: holder.groupId }, ...shared];
}

/**
 * The candidates that `owners` may read, in the order of `owners`; the first one wins.
 * Candidates of other owners are left out, so a query that finds too much gives nothing away.
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
 * What the caller may read under `name`, the winner first: the whole answer to a handler's question, and to
 * somebody's who wants to know what it would be. `look` finds the candidates, unless the name is closed.
 */
export function resolve<C extends { readonly scope: Scope; readonly ownerId: number }>(
  caller: Caller,
  name: SecretName,
  look: () => readonly C[],
): C[] {
  return caller.mayAsk(name) ? rank(look(), entitledOwners(caller)) : [];
}
