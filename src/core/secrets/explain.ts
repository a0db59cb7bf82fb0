// "Resolve as …": what a function would be given on a call with some key, and why. The answer is made by the
// same rule as a handler's, from the same candidates; nothing is decrypted here.

import { admission } from "../access/admission.ts";
import { maySecretBeAsked } from "../functions/permissions.ts";
import type { RegisteredFunction } from "../functions/registry.ts";
import type { Scope, SecretId, SecretName } from "../../ids.ts";
import type { KeyHolder, KeyRow } from "../../store/access.ts";
import type { Candidate } from "../../store/secrets.ts";
import type { Store } from "../../store/store.ts";
import { type Caller, resolve } from "./resolution.ts";

/** Whether such a call reaches the handler; if not, the status that its caller gets. */
export type CallOutcome =
  | { readonly allowed: true }
  | { readonly allowed: false; readonly status: 401 | 403 | 404; readonly reason: string };

/** A value, by its owner. */
export interface ValueOf {
  /** Null if its row is missing, although nothing proves that there is none: it counts as one that cannot be read. */
  readonly id: SecretId | null;
  readonly scope: Scope;
  /** Null for global. */
  readonly scopeId: number | null;
  readonly scopeName: string | null;
}

/** Why a value that is there counts for nothing: the function may not ask for the name, or it is public. */
export type ClosedBy = "secrets" | "public";

export interface Explanation {
  readonly name: SecretName;
  /** What `getSecret(name)` finds; it gives undefined if there is none, or if this one cannot be decrypted. */
  readonly winner: ValueOf | undefined;
  /** The values that would be found without the winner, in order. */
  readonly shadowed: readonly ValueOf[];
  readonly closed: readonly (ValueOf & { readonly closedBy: ClosedBy })[];
}

/** A function and the key that a call of it brings, if any. */
export interface Call {
  readonly target: RegisteredFunction;
  readonly key: KeyRow | undefined;
}

export type Resolution = ReturnType<typeof resolutionService>;

export function resolutionService(store: Store) {
  const explain = ({ target, key }: Call, caller: Caller, name: SecretName): Explanation => {
    const all = store.secrets.candidates(name, target.id, key?.groupId ?? 0, key?.id ?? 0);
    const found = resolve(caller, name, () => all);
    const value = ({ id, scope, ownerId }: Candidate): ValueOf => ({
      id: id ?? null,
      scope,
      scopeId: ownerId || null,
      scopeName: { global: null, function: target.name, group: key?.groupName ?? null, key: key?.name ?? null }[scope],
    });
    const [winner, ...shadowed] = found.map(value);
    const closedBy: ClosedBy = caller.mayAsk(name) ? "public" : "secrets";
    const closed = all.filter((candidate) => !found.includes(candidate))
      .map((candidate) => ({ ...value(candidate), closedBy }));
    return { name, winner, shadowed, closed };
  };

  return {
    /**
     * What such a call may read: the names above `after` in order that hold `search`, at most `limit`, or `name`
     * alone. Nothing for a key whose group may not call; without the key that a function asks for, what every
     * caller has in common.
     */
    as(
      call: Call,
      { name, search = "", after = "" }: {
        name?: SecretName | undefined;
        search?: string | undefined;
        after?: string | undefined;
      },
      limit: number,
    ): { outcome: CallOutcome; names: Explanation[]; next: SecretName | undefined } {
      const { target, key } = call;
      const presented: KeyHolder | undefined = key &&
        { keyId: key.id, keyName: key.name, groupId: key.groupId, groupName: key.groupName };
      const way = admission(target.keys, presented);
      const outcome = outcomeOf(target, way);
      if (!way.admitted && way.status === 403) return { outcome, names: [], next: undefined };
      const caller: Caller = {
        functionId: target.id,
        holder: way.admitted ? way.holder : undefined,
        mayAsk: (name) => maySecretBeAsked(target.secrets, name),
      };
      const owners = { functionId: target.id, groupId: key?.groupId ?? 0 as const, keyId: key?.id ?? 0 as const };
      const found = name === undefined ? store.secretNames.pageOfOwners(owners, search, after, limit + 1) : [name];
      const names = found.slice(0, limit).map((name) => explain(call, caller, name))
        .filter(({ winner, closed }) => winner || closed.length > 0);
      return { outcome, names, next: found.length > limit ? found[limit - 1] : undefined };
    },
  };
}

function outcomeOf(target: RegisteredFunction, way: ReturnType<typeof admission>): CallOutcome {
  if (!target.enabled) return { allowed: false, status: 404, reason: "This function is disabled." };
  return way.admitted ? { allowed: true } : { allowed: false, status: way.status, reason: way.reason };
}
