// Secrets as a person looks at them: by name, with the owners that set each. Shows no value.

import type { FunctionId, GroupId, KeyId, Owner, Scope, SecretId, SecretName } from "../../ids.ts";
import { ownerId } from "../../ids.ts";
import type { NamedSecret, NameFilter } from "../../store/secret_names.ts";
import type { SecretRow } from "../../store/secrets.ts";
import type { Store } from "../../store/store.ts";
import type { Secrets } from "./service.ts";

/** The widest first, as people read them; getSecret looks from the other end. */
export const WIDEST_FIRST = ["global", "function", "group", "key"] as const satisfies readonly Scope[];

/** Owners named in a cell. */
const NAMED_MAX = 3;
/** Rows looked at in one go when unused ones are searched for. */
const BATCH = 500;

/** A name's values of one scope. */
export interface Cell {
  readonly count: number;
  /** The first of them; null for global. */
  readonly named: readonly { readonly owner: string | null; readonly unreadable: boolean }[];
}

const UNSET: Cell = { count: 0, named: [] };

export interface NameRow {
  readonly name: SecretName;
  readonly cells: Readonly<Record<Scope, Cell>>;
}

/** Where a page of values ended. */
export interface ValueCursor {
  readonly scope: Scope;
  readonly ownerId: number;
}

export type IsUnused = (secret: { readonly id: SecretId; readonly createdAt: number }) => boolean;

/** What is found where a deleted value was, the first first; `certain` ends the list. */
export interface Fallback {
  readonly scope: Scope;
  /** The one owner whose value it is, or how many have one of which it may be any. */
  readonly owner: string | null;
  readonly count: number;
  readonly certain: boolean;
}

export type Overview = ReturnType<typeof overviewService>;

export function overviewService(store: Store, secrets: Pick<Secrets, "problemOf">) {
  const rows = store.secrets;

  const nameRows = (names: readonly SecretName[]): NameRow[] => {
    const found = new Map(names.map((name) => [name, new Map<Scope, Cell>()]));
    for (const { count, row } of rows.samples(names, NAMED_MAX)) {
      const cells = found.get(row.name)!;
      const named = cells.get(row.owner.scope)?.named ?? [];
      const one = { owner: row.ownerName, unreadable: secrets.problemOf(row) !== null };
      cells.set(row.owner.scope, { count, named: [...named, one] });
    }
    return [...found].map(([name, cells]) => ({
      name,
      cells: Object.fromEntries(WIDEST_FIRST.map((scope) => [scope, cells.get(scope) ?? UNSET])) as NameRow["cells"],
    }));
  };

  /** Names that have an unused value, by going through all of them. */
  const unusedNames = (filter: NameFilter, isUnused: IsUnused, after: string, limit: number): SecretName[] => {
    const names = new Set<SecretName>();
    let from: NamedSecret | string = after;
    while (names.size < limit) {
      const batch = store.secretNames.rows(filter, from, BATCH);
      for (const row of batch) if (names.size < limit && isUnused(row)) names.add(row.name);
      if (batch.length < BATCH) break;
      from = batch.at(-1)!;
    }
    return [...names];
  };

  return {
    /** Names above `after` in order, at most `limit`; those alone that have an unused value, if that is asked. */
    names(
      filter: NameFilter,
      after: string,
      limit: number,
      isUnused?: IsUnused,
    ): { rows: NameRow[]; next: SecretName | undefined } {
      const names = isUnused
        ? unusedNames(filter, isUnused, after, limit + 1)
        : store.secretNames.page(filter, after, limit + 1);
      const shown = nameRows(names.slice(0, limit));
      return { rows: shown, next: names.length > limit ? names[limit - 1] : undefined };
    },

    /** The values of a name, the widest scope first, at most `limit`; those of one scope or owner, if asked. */
    values(
      name: SecretName,
      { scope, ownerId: owner }: { scope?: Scope | undefined; ownerId?: number | undefined },
      after: ValueCursor | undefined,
      limit: number,
    ): { values: SecretRow[]; next: ValueCursor | undefined } {
      const found: SecretRow[] = [];
      for (const each of scope ? [scope] : WIDEST_FIRST.slice(after ? WIDEST_FIRST.indexOf(after.scope) : 0)) {
        const from = after?.scope === each ? after.ownerId : -1;
        if (owner === undefined) found.push(...rows.ofScope(name, each, from, limit + 1 - found.length));
        else found.push(...rows.ofScope(name, each, owner - 1, 1).filter((row) => ownerId(row.owner) === owner));
        if (found.length > limit) break;
      }
      const last = found[limit - 1];
      const next = found.length > limit ? { scope: last!.owner.scope, ownerId: ownerId(last!.owner) } : undefined;
      return { values: found.slice(0, limit), next };
    },

    /** Owners of a scope by name, at most `limit`. */
    owners(scope: Exclude<Scope, "global">, search: string, limit: number): { id: number; name: string }[] {
      return store.owners[({ function: "functions", group: "groups", key: "keys" } as const)[scope]](search, limit);
    },

    /** The keys of some groups by name, at most `limit`. */
    keysOf: (groups: readonly GroupId[], search: string, limit: number): { id: KeyId; name: string }[] =>
      store.owners.keysOfGroups(groups, search, limit),

    /** The owner's name; null for global, undefined if there is no such owner. */
    ownerName(scope: Scope, id: number): string | null | undefined {
      switch (scope) {
        case "global":
          return null;
        case "function":
          return store.functions.find(id as FunctionId)?.name;
        case "group":
          return store.access.group(id as GroupId)?.name;
        case "key": {
          const key = store.access.key(id as KeyId);
          return key && `${key.name} (${key.groupName})`;
        }
      }
    },

    /** What callers get who got this value, once it is deleted. Empty: nothing. */
    fallbacks({ name, owner }: { name: SecretName; owner: Owner }): Fallback[] {
      const counts = store.secretNames.counts(name);
      const several = (scope: Scope): Fallback[] =>
        counts[scope] ? [{ scope, owner: null, count: counts[scope], certain: false }] : [];
      const global: Fallback[] = counts.global ? [{ scope: "global", owner: null, count: 1, certain: true }] : [];
      switch (owner.scope) {
        case "global":
          return [];
        case "function":
          return global;
        case "group":
          return [...several("function"), ...global];
        case "key": {
          const key = store.access.key(owner.keyId);
          const group = key && rows.findByOwner(name, { scope: "group", groupId: key.groupId });
          if (group) return [{ scope: "group", owner: group.ownerName, count: 1, certain: true }];
          return [...several("function"), ...global];
        }
      }
    },
  };
}
