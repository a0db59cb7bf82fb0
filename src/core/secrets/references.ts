// What the editor tells an author of secrets: which names there are to ask for, and whether those that the code
// asks for are set. Names and scopes only.

import { maySecretBeAsked } from "../functions/permissions.ts";
import type { RegisteredFunction } from "../functions/registry.ts";
import { type Scope, SCOPES, type SecretName } from "../../ids.ts";
import type { Store } from "../../store/store.ts";

/** A name that a handler asks for. */
export interface AskedSecret {
  readonly name: SecretName;
  /** In which some caller would find it, the most specific first. */
  readonly scopes: readonly Scope[];
  /** Whether the function may ask for the name at all. */
  readonly allowed: boolean;
}

export type AskedSecrets = ReturnType<typeof askedSecretsService>;

/** Names written as they are; one that is computed cannot be known. */
const ASK = /\bget(?:Complete)?Secret\(\s*(["'`])([a-zA-Z0-9_-]{1,255})\1/g;
const ASKED_MAX = 50;

export function askedSecretsService(store: Store) {
  return {
    /** Names that a call of the function could read, in order: those that hold `search`, at most `limit`. */
    names(target: RegisteredFunction, search: string, limit: number): SecretName[] {
      const { id, keys, secrets } = target;
      // Patterns are applied here: a function that is narrowed has few names, one that is not has no need of it.
      const some = secrets.includes("*") ? limit : 10_000;
      return store.functionSecrets.names(id, keys, search, some)
        .filter((name) => maySecretBeAsked(secrets, name)).slice(0, limit);
    },

    /** The names that the code asks for, in its order, at most 50. */
    inCode({ id, keys, secrets }: RegisteredFunction, code: string): AskedSecret[] {
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
