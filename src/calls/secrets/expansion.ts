// Resolves references in a value. What a reference leads to is decided by its caller, which applies the rules of any
// question.

import { Buffer } from "node:buffer";
import type { Scope, SecretId, SecretName } from "../../ids.ts";
import { SECRET_VALUE_MAX_BYTES } from "../../core/secrets/names.ts";
import { DEPTH_MAX, REFERENCE } from "../../core/secrets/reference_syntax.ts";

/** What a reference leads to. */
export interface Referenced {
  readonly id: SecretId;
  readonly scope: Scope;
  readonly text: string;
  /** Whether references in it are resolved. */
  readonly expand: boolean;
}

/** A value that was used for another one. */
export interface UsedValue {
  readonly id: SecretId;
  readonly scope: Scope;
  readonly name: SecretName;
  /** With its own references resolved. */
  readonly value: string;
}

/** Finds the value of a reference; a text says why there is none, as a clause that follows its name. */
export type FindReferenced = (name: SecretName, scope: Scope | null) => Referenced | string;

export type Expansion = { readonly text: string; readonly used: readonly UsedValue[] } | { readonly problem: string };

interface Expanded {
  readonly text: string;
  readonly used: readonly UsedValue[];
  /** How many references follow one another in it. */
  readonly depth: number;
}

/** A value that cannot be completed. */
class Incomplete extends Error {}

/** Returns the value of the secret `id` with its references resolved, at most 16 KiB, or the problem as a sentence. */
export function expandReferences(id: SecretId, text: string, find: FindReferenced): Expansion {
  // A value that is referred to more than once is resolved once, so that the work is bounded by the size of the result.
  const known = new Map<string, Expanded>();
  try {
    return resolved(text, [id], known, find);
  } catch (error) {
    if (!(error instanceof Incomplete)) throw error;
    return { problem: error.message };
  }
}

function resolved(
  text: string,
  path: readonly SecretId[],
  known: Map<string, Expanded>,
  find: FindReferenced,
): Expanded {
  const parts: string[] = [];
  const used: UsedValue[] = [];
  let [at, bytes, depth] = [0, 0, 0];
  const add = (part: string): void => {
    bytes += Buffer.byteLength(part);
    if (bytes > SECRET_VALUE_MAX_BYTES) {
      throw new Incomplete(`With its references resolved, it has more than ${SECRET_VALUE_MAX_BYTES} bytes.`);
    }
    parts.push(part);
  };
  for (const { 0: whole, 1: scope, 2: name, index } of text.matchAll(REFERENCE)) {
    add(text.slice(at, index));
    at = index + whole.length;
    if (name === undefined) {
      add("${");
      continue;
    }
    const inner = referenced(name as SecretName, (scope ?? null) as Scope | null, path, known, find);
    add(inner.text);
    used.push(...inner.used);
    depth = Math.max(depth, inner.depth);
  }
  add(text.slice(at));
  return { text: parts.join(""), used, depth };
}

function referenced(
  name: SecretName,
  scope: Scope | null,
  path: readonly SecretId[],
  known: Map<string, Expanded>,
  find: FindReferenced,
): Expanded {
  const reference = scope === null ? name : `${scope}:${name}`;
  const before = known.get(reference);
  if (before && path.length - 1 + before.depth <= DEPTH_MAX) return { ...before, used: [] };
  if (path.length > DEPTH_MAX) throw new Incomplete(`More than ${DEPTH_MAX} references follow one another.`);
  const found = find(name, scope);
  if (typeof found === "string") throw new Incomplete(`It refers to ${reference}, which ${found}.`);
  if (path.includes(found.id)) throw new Incomplete(`It refers to itself by ${reference}.`);
  const inner = found.expand
    ? resolved(found.text, [...path, found.id], known, find)
    : { text: found.text, used: [], depth: 0 };
  const { id } = found;
  const all = {
    ...inner,
    depth: inner.depth + 1,
    used: [...inner.used, { id, scope: found.scope, name, value: inner.text }],
  };
  known.set(reference, all);
  return all;
}
