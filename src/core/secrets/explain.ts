// Explains resolution: which secrets a function would get on a call with a given key, and why. Applies the same rule
// as a handler's call does, to the same candidates; decrypts nothing.

import { type Admission, decideAdmission } from "../access/directory.ts";
import { maySecretBeAsked } from "../functions/permissions.ts";
import type { RegisteredFunction } from "../functions/registry.ts";
import type { Scope, SecretId, SecretName } from "../../ids.ts";
import { pageOf } from "../../paging.ts";
import type { KeyHolder, KeyRow } from "../../store/access.ts";
import type { Candidate } from "../../store/secrets.ts";
import type { Store } from "../../store/store.ts";
import { type PastCandidate, pastCandidates } from "./past.ts";
import { type Caller, resolve } from "./resolution.ts";

/** Whether a call reaches the handler; if not, the status that its caller gets. */
export type CallOutcome =
  | { readonly allowed: true }
  | { readonly allowed: false; readonly status: 401 | 403 | 404; readonly reason: string };

/** A stored value, identified by its owner. */
export interface ValueOf {
  /** Null if its row is missing without proof that it was deleted: it counts as a value that cannot be read. */
  readonly id: SecretId | null;
  readonly scope: Scope;
  /** Null for global. */
  readonly scopeId: number | null;
  readonly scopeName: string | null;
  /** At an earlier time only: the number of the value; null if it is no longer kept. */
  readonly version?: number | null;
  /** At an earlier time only: false if the secret may have had another name then, or been in the bin. */
  readonly certain?: boolean;
}

/** Why an existing value is not available: the function may not ask for the name, or it is public. */
export type ClosedBy = "secrets" | "public";

export interface Explanation {
  readonly name: SecretName;
  /** What `getSecret(name)` finds; it returns undefined if there is none, or if this one cannot be decrypted. */
  readonly winner: ValueOf | undefined;
  /** The values that would be found if the winner did not exist, in order. */
  readonly shadowed: readonly ValueOf[];
  readonly closed: readonly (ValueOf & { readonly closedBy: ClosedBy })[];
}

/** A function and the key that a call of it presents, if any. */
export interface Call {
  readonly target: RegisteredFunction;
  readonly key: KeyRow | undefined;
}

export interface ExplainOptions {
  readonly name?: SecretName | undefined;
  readonly search?: string | undefined;
  readonly after?: string | undefined;
  /** An earlier time, in milliseconds since 1970 UTC; functions, keys and what they may do count as they are now. */
  readonly at?: number | undefined;
}

export interface Explainer {
  /**
   * Returns what a call may read: at most `limit` names above `after` that contain `search`, in order, or `name`
   * alone. Returns no names for a key whose group may not call the function; without the key that the function
   * requires, the names that are available to every caller.
   */
  explain(
    call: Call,
    options: ExplainOptions,
    limit: number,
  ): { outcome: CallOutcome; names: Explanation[]; next: SecretName | undefined };
}

export function createExplainer(store: Store): Explainer {
  const explanationOf = ({ target, key }: Call, caller: Caller, name: SecretName, at?: number): Explanation => {
    const owners = { functionId: target.id, groupId: key?.groupId ?? 0 as const, keyId: key?.id ?? 0 as const };
    const all: readonly (Candidate | PastCandidate)[] = at === undefined
      ? store.secrets.candidates(name, target.id, owners.groupId, owners.keyId)
      : pastCandidates(store, name, owners, at);
    const found = resolve(caller, name, () => all);
    const value = (candidate: Candidate | PastCandidate): ValueOf => ({
      id: candidate.id ?? null,
      scope: candidate.scope,
      scopeId: candidate.ownerId || null,
      scopeName: { global: null, function: target.name, group: key?.groupName ?? null, key: key?.name ?? null }[
        candidate.scope
      ],
      ...("isCertain" in candidate && { version: candidate.version, certain: candidate.isCertain }),
    });
    const [winner, ...shadowed] = found.map(value);
    const closedBy: ClosedBy = caller.mayAsk(name) ? "public" : "secrets";
    const closed = all.filter((candidate) => !found.includes(candidate))
      .map((candidate) => ({ ...value(candidate), closedBy }));
    return { name, winner, shadowed, closed };
  };

  return {
    explain(
      call: Call,
      { name, search = "", after = "", at }: ExplainOptions,
      limit: number,
    ): { outcome: CallOutcome; names: Explanation[]; next: SecretName | undefined } {
      const { target, key } = call;
      const presented: KeyHolder | undefined = key &&
        { keyId: key.id, keyName: key.name, groupId: key.groupId, groupName: key.groupName };
      const decision = decideAdmission(target.keys, presented);
      const outcome = outcomeOf(target, decision);
      if (!decision.admitted && decision.status === 403) return { outcome, names: [], next: undefined };
      const caller: Caller = {
        functionId: target.id,
        holder: decision.admitted ? decision.holder : undefined,
        mayAsk: (name) => maySecretBeAsked(target.secrets, name),
      };
      const owners = { functionId: target.id, groupId: key?.groupId ?? 0 as const, keyId: key?.id ?? 0 as const };
      const present = (): SecretName[] => store.secretNames.pageOfOwners(owners, search, after, limit + 1);
      const deleted = (): SecretName[] =>
        at === undefined ? [] : store.deletedSecrets.names(owners, search, after, limit + 1);
      const found = name === undefined ? [...new Set([...present(), ...deleted()])].sort().slice(0, limit + 1) : [name];
      const { rows, next } = pageOf(found, limit, (name) => name);
      const names = rows.map((name) => explanationOf(call, caller, name, at))
        .filter(({ winner, closed }) => winner || closed.length > 0);
      return { outcome, names, next };
    },
  };
}

function outcomeOf(target: RegisteredFunction, decision: Admission): CallOutcome {
  if (!target.enabled) return { allowed: false, status: 404, reason: "This function is disabled." };
  return decision.admitted ? { allowed: true } : { allowed: false, status: decision.status, reason: decision.reason };
}
