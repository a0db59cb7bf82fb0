// Finds the secrets that code refers to, for the editor: which names a function may ask for, and whether those that
// its code asks for are set. Returns names and scopes only.

import { maySecretBeAsked } from "../functions/permissions.ts";
import type { RegisteredFunction } from "../functions/registry.ts";
import { type Scope, SCOPES, type SecretName } from "../../ids.ts";
import type { Store } from "../../store/store.ts";

/** A name that a handler asks for. */
export interface SecretReference {
  readonly name: SecretName;
  /** The scopes in which it is set for any caller, the most specific first. */
  readonly scopes: readonly Scope[];
  /** Whether the function may ask for the name. */
  readonly allowed: boolean;
}

export interface SecretReferences {
  /** Returns at most `limit` names that contain `search` and that a call of the function could read, in order. */
  names(target: RegisteredFunction, search: string, limit: number): SecretName[];

  /** Returns the names that the code asks for, in order of appearance, at most 50. */
  inCode(target: RegisteredFunction, code: string): SecretReference[];
}

/** Matches names given as literals; computed names cannot be found. */
const ASK = /\bget(?:Complete)?Secret(?:Versions)?\(\s*(["'`])([a-zA-Z0-9_-]{1,255})\1/g;
const ASKED_MAX = 50;

export function createSecretReferences(store: Store): SecretReferences {
  return {
    names(target: RegisteredFunction, search: string, limit: number): SecretName[] {
      const { id, keys, secrets } = target;
      // Patterns are applied here, not in SQL: a function that is restricted has few names, others need no filter.
      const some = secrets.includes("*") ? limit : 10_000;
      return store.functionSecrets.names(id, keys, search, some)
        .filter((name) => maySecretBeAsked(secrets, name)).slice(0, limit);
    },

    inCode({ id, keys, secrets }: RegisteredFunction, code: string): SecretReference[] {
      const names = new Set([...code.matchAll(ASK)].map(([, , name]) => name as SecretName));
      return [...names].slice(0, ASKED_MAX).map((name) => {
        const found = store.functionSecrets.scopes(id, keys, name);
        return {
          name,
          scopes: SCOPES.filter((scope) => found.includes(scope)),
          allowed: maySecretBeAsked(secrets, name),
        };
      });
    },
  };
}
