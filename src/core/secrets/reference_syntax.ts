// Defines how a value refers to other secrets: by `${NAME}` and `${scope:NAME}`, where `$${` is a literal `${`.

import { type Scope, SCOPES, type SecretName } from "../../ids.ts";

/** References that may follow one another. */
export const DEPTH_MAX = 8;

/** Matches a literal `${`, which has no name, or a reference. */
export const REFERENCE = new RegExp(`\\$\\$\\{|\\$\\{(?:(${SCOPES.join("|")}):)?([a-zA-Z0-9_-]{1,255})\\}`, "g");

export interface Reference {
  readonly name: SecretName;
  /** Null if it is resolved like a handler's question. */
  readonly scope: Scope | null;
}

/** Returns the references in a value, in order. */
export function referencesIn(text: string): Reference[] {
  return [...text.matchAll(REFERENCE)].filter(([, , name]) => name !== undefined)
    .map(([, scope, name]) => ({ name: name as SecretName, scope: (scope ?? null) as Scope | null }));
}
