// Checks the lines of an imported file, and assigns each to the owner that the file or a prefix of the name selects.

import { AppError } from "../../errors.ts";
import { type Owner, ownerId, type OwnerRef, type SecretName } from "../../ids.ts";
import type { Store } from "../../store/store.ts";
import type { Names } from "../access/names.ts";
import { checkSecretValue, COMMENT_MAX_LENGTH, isSecretName } from "./names.ts";
import type { FileEntry, FileProblem } from "./file_entries.ts";
import { requireOwner } from "./described.ts";

/** A secret that can be stored, with its owner; the prefix is removed from the name. */
export interface Addressed {
  readonly name: SecretName;
  readonly value: string;
  /** "" if the file has none. */
  readonly comment: string;
  readonly owner: Owner;
  /** Null for global. */
  readonly ownerName: string | null;
  readonly line: number;
}

interface PrefixOwner {
  readonly prefix: string;
  readonly owner: Owner;
  readonly ownerName: string | null;
}

/** Returns the owners by prefix, the longest first; that of all other names is the last, with "". */
export function ownersIn(
  store: Store,
  names: Names,
  owner: OwnerRef,
  prefixes: ReadonlyMap<string, OwnerRef>,
): PrefixOwner[] {
  return [["", owner] as const, ...prefixes].map(([prefix, ref]) => {
    const owner = names.owner(ref);
    requireOwner(store, owner);
    return { prefix, owner, ownerName: nameOf(store, owner) };
  }).sort((a, b) => b.prefix.length - a.prefix.length);
}

function nameOf(store: Store, owner: Owner): string | null {
  switch (owner.scope) {
    case "global":
      return null;
    case "function":
      return store.functions.find(owner.functionId)?.name ?? null;
    case "group":
      return store.access.group(owner.groupId)?.name ?? null;
    case "key":
      return store.access.key(owner.keyId)?.name ?? null;
  }
}

/** Returns the secrets of a file, and the problems of its lines including `found`. */
export function assignOwners(
  entries: readonly FileEntry[],
  found: readonly FileProblem[],
  owners: readonly PrefixOwner[],
): { lines: Addressed[]; problems: FileProblem[] } {
  const problems = [...found];
  const lines: Addressed[] = [];
  const places = new Set<string>();
  for (const entry of entries) {
    const { prefix, owner, ownerName } = owners.find(({ prefix }) => entry.name.startsWith(prefix))!;
    const name = entry.name.slice(prefix.length);
    const place = `${owner.scope} ${ownerId(owner)} ${name}`;
    const problem = problemOf(entry, name, prefix) ??
      (places.has(place) ? `sets ${name} of the same owner a second time` : undefined);
    places.add(place);
    if (problem === undefined) lines.push({ ...entry, name: name as SecretName, owner, ownerName });
    else problems.push({ line: entry.line, problem });
  }
  return { lines, problems: problems.sort((a, b) => a.line - b.line) };
}

function problemOf({ value, comment }: FileEntry, name: string, prefix: string): string | undefined {
  if (name === "") return prefix === "" ? "has an empty name" : `has nothing after the prefix ${prefix}`;
  if (!isSecretName(name)) {
    return "has a name that is not 1 to 255 letters, digits, underscores and hyphens";
  }
  if (value === "") return `gives ${name} no value`;
  if (comment.length > COMMENT_MAX_LENGTH) return `has a comment of more than ${COMMENT_MAX_LENGTH} characters`;
  if (comment.includes("\0") || !comment.isWellFormed()) return "has a comment that is not text";
  try {
    checkSecretValue(value);
    return undefined;
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return `gives ${name} a value that ${error.details?.value ?? "cannot be stored"}`;
  }
}
