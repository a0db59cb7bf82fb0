// Lists secrets by name and scope, with the owners that set each one, for people to browse. Returns no values.

import type { FunctionId, GroupId, KeyId, Owner, Scope, SecretId, SecretName } from "../../ids.ts";
import { ownerId } from "../../ids.ts";
import { MINUTE_MS } from "../../time.ts";
import { pageOf } from "../../paging.ts";
import type { NamedSecret, NameFilter, NameTotals } from "../../store/secret_names.ts";
import type { SecretRow, SecretStore } from "../../store/secrets.ts";
import type { Store } from "../../store/store.ts";
import type { Secrets } from "./service.ts";

/** All scopes, the widest first, as they are displayed; getSecret searches in the opposite order. */
export const WIDEST_FIRST = ["global", "function", "group", "key"] as const satisfies readonly Scope[];

/** Owners that a cell names. */
const NAMED_MAX = 3;
/** Rows read at a time in the search for unused secrets. */
const BATCH = 500;

/** A value in a cell, without what it is. */
export interface CellValue {
  readonly id: SecretId;
  readonly createdAt: number;
  /** 0 for global. */
  readonly ownerId: number;
  /** Null for global. */
  readonly owner: string | null;
  readonly unreadable: boolean;
  readonly sealed: boolean;
  readonly canary: boolean;
  /** When it expires or is to be replaced, in milliseconds since 1970 UTC; null for never. */
  readonly dueAt: number | null;
}

/** The values of a name in one scope. */
export interface Cell {
  readonly count: number;
  /** The first of the values. */
  readonly named: readonly CellValue[];
}

const UNSET: Cell = { count: 0, named: [] };

export interface NameRow {
  readonly name: SecretName;
  readonly cells: Readonly<Record<Scope, Cell>>;
}

/** The last value of a page. */
export interface ValueCursor {
  readonly scope: Scope;
  readonly ownerId: number;
}

export type IsUnused = (secret: { readonly id: SecretId; readonly createdAt: number }) => boolean;

/** What callers find in place of a deleted value, in order of precedence; a `certain` entry is the last. */
export interface Fallback {
  readonly scope: Scope;
  /** The one owner whose value it is; null if it depends on the call, which finds one of `count` values. */
  readonly owner: string | null;
  readonly count: number;
  readonly certain: boolean;
}

export interface SecretMatrix {
  /** Returns at most `limit` names above `after`, in order; with `isUnused`, only names that have an unused value. */
  names(
    filter: NameFilter,
    after: string,
    limit: number,
    isUnused?: IsUnused,
  ): { rows: NameRow[]; next: SecretName | undefined };

  /** Returns a value as a cell has it. */
  cellValueOf(row: SecretRow): CellValue;

  /** Returns how many names and values there are. */
  totals(): NameTotals;

  /**
   * Returns how many values were not read since `since`. It looks at all of them, so it counts again only when secrets
   * were created or deleted, or after a minute.
   */
  countUnused(since: number, isUnused: () => IsUnused): number;

  /** Returns at most `limit` values of a name, the widest scope first, optionally of one scope or one owner. */
  values(
    name: SecretName,
    options: { scope?: Scope | undefined; ownerId?: number | undefined },
    after: ValueCursor | undefined,
    limit: number,
  ): { values: SecretRow[]; next: ValueCursor | undefined };

  /** Returns at most `limit` possible owners of a scope, by name. */
  owners(scope: Exclude<Scope, "global">, search: string, limit: number): { id: number; name: string }[];

  /** Returns at most `limit` keys of these groups, by name. */
  keysOf(groups: readonly GroupId[], search: string, limit: number): { id: KeyId; name: string }[];

  /** Returns the owner's name; null for global, undefined if there is no such owner. */
  ownerName(scope: Scope, id: number): string | null | undefined;

  /** Returns what callers that got this value will get once it is deleted; empty if nothing. */
  fallbacks(options: { name: SecretName; owner: Owner }): Fallback[];
}

export function createSecretMatrix(store: Store, secrets: Pick<Secrets, "problemOf">): SecretMatrix {
  return new SecretMatrixService(store, secrets);
}

class SecretMatrixService implements SecretMatrix {
  readonly #store: Store;
  readonly #secrets: Pick<Secrets, "problemOf">;
  readonly #rows: SecretStore;
  /** The last count of unused values, and what it is valid for. */
  #unused = { of: "", count: 0 };

  constructor(store: Store, secrets: Pick<Secrets, "problemOf">) {
    this.#store = store;
    this.#secrets = secrets;
    this.#rows = store.secrets;
  }

  names(
    filter: NameFilter,
    after: string,
    limit: number,
    isUnused?: IsUnused,
  ): { rows: NameRow[]; next: SecretName | undefined } {
    const names = isUnused
      ? this.#unusedNames(filter, isUnused, after, limit + 1)
      : this.#store.secretNames.page(filter, after, limit + 1);
    const { rows, next } = pageOf(names, limit, (name) => name);
    return { rows: this.#nameRows(rows), next };
  }

  totals(): NameTotals {
    return this.#store.secretNames.totals();
  }

  countUnused(since: number, isUnused: () => IsUnused): number {
    const of = `${this.#rows.total()} ${Math.floor(since / MINUTE_MS)}`;
    if (this.#unused.of !== of) this.#unused = { of, count: this.#countUnused(isUnused()) };
    return this.#unused.count;
  }

  values(
    name: SecretName,
    { scope, ownerId: owner }: { scope?: Scope | undefined; ownerId?: number | undefined },
    after: ValueCursor | undefined,
    limit: number,
  ): { values: SecretRow[]; next: ValueCursor | undefined } {
    const found: SecretRow[] = [];
    for (const each of scope ? [scope] : WIDEST_FIRST.slice(after ? WIDEST_FIRST.indexOf(after.scope) : 0)) {
      const from = after?.scope === each ? after.ownerId : -1;
      if (owner === undefined) found.push(...this.#rows.ofScope(name, each, from, limit + 1 - found.length));
      else found.push(...this.#rows.ofScope(name, each, owner - 1, 1).filter((row) => ownerId(row.owner) === owner));
      if (found.length > limit) break;
    }
    const page = pageOf(found, limit, (last) => ({ scope: last.owner.scope, ownerId: ownerId(last.owner) }));
    return { values: page.rows, next: page.next };
  }

  owners(scope: Exclude<Scope, "global">, search: string, limit: number): { id: number; name: string }[] {
    return this.#store.owners[({ function: "functions", group: "groups", key: "keys" } as const)[scope]](search, limit);
  }

  keysOf(groups: readonly GroupId[], search: string, limit: number): { id: KeyId; name: string }[] {
    return this.#store.owners.keysOfGroups(groups, search, limit);
  }

  ownerName(scope: Scope, id: number): string | null | undefined {
    switch (scope) {
      case "global":
        return null;
      case "function":
        return this.#store.functions.find(id as FunctionId)?.name;
      case "group":
        return this.#store.access.group(id as GroupId)?.name;
      case "key": {
        const key = this.#store.access.key(id as KeyId);
        return key && `${key.name} (${key.groupName})`;
      }
    }
  }

  fallbacks({ name, owner }: { name: SecretName; owner: Owner }): Fallback[] {
    const counts = this.#store.secretNames.counts(name);
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
        const key = this.#store.access.key(owner.keyId);
        const group = key && this.#rows.findByOwner(name, { scope: "group", groupId: key.groupId });
        if (group) return [{ scope: "group", owner: group.ownerName, count: 1, certain: true }];
        return [...several("function"), ...global];
      }
    }
  }

  cellValueOf(row: SecretRow): CellValue {
    return {
      id: row.id,
      createdAt: row.createdAt,
      ownerId: ownerId(row.owner),
      owner: row.ownerName,
      unreadable: this.#secrets.problemOf(row) !== null,
      sealed: row.sealed,
      canary: row.canary,
      dueAt: row.dueAt,
    };
  }

  #nameRows(names: readonly SecretName[]): NameRow[] {
    const found = new Map(names.map((name) => [name, new Map<Scope, Cell>()]));
    for (const { count, row } of this.#rows.samples(names, NAMED_MAX)) {
      const cells = found.get(row.name)!;
      const named = cells.get(row.owner.scope)?.named ?? [];
      cells.set(row.owner.scope, { count, named: [...named, this.cellValueOf(row)] });
    }
    return [...found].map(([name, cells]) => ({
      name,
      cells: Object.fromEntries(WIDEST_FIRST.map((scope) => [scope, cells.get(scope) ?? UNSET])) as NameRow["cells"],
    }));
  }

  /** Finds names that have an unused value by a scan of all rows. */
  #unusedNames(filter: NameFilter, isUnused: IsUnused, after: string, limit: number): SecretName[] {
    const names = new Set<SecretName>();
    for (const row of this.#all(filter, after)) {
      if (isUnused(row)) names.add(row.name);
      if (names.size === limit) break;
    }
    return [...names];
  }

  #countUnused(isUnused: IsUnused): number {
    let count = 0;
    for (const row of this.#all({ search: "" }, "")) if (isUnused(row)) count++;
    return count;
  }

  /** Yields all rows in the order of names, read in batches. */
  *#all(filter: NameFilter, after: string): Generator<NamedSecret> {
    let from: NamedSecret | string = after;
    while (true) {
      const batch = this.#store.secretNames.rows(filter, from, BATCH);
      yield* batch;
      if (batch.length < BATCH) return;
      from = batch.at(-1)!;
    }
  }
}
