// Compares functions as they are with functions as they are wanted. Decides what a replacement changes, and whether it
// is possible; writes nothing.

import { type AppError, conflict, invalid } from "../../errors.ts";
import type { FunctionId, GroupId } from "../../ids.ts";
import type { FunctionFields } from "../../store/functions.ts";
import type { Store } from "../../store/store.ts";
import {
  checkEntry,
  confinementOf,
  findGroups,
  type FunctionEntries,
  type FunctionEntry,
  type RegisteredFunction,
  toFields,
  toFunction,
} from "./entry.ts";

export interface ReplaceOptions {
  /** Whether functions without an entry are deleted. */
  readonly prune: boolean;
  /** Whether functions that own secrets are deleted, too; otherwise these are a problem. */
  readonly force: boolean;
  /** Functions that entries stand for although they may have another name now. */
  readonly ids?: ReadonlyMap<string, FunctionId>;
}

/** What a replacement changes: names of functions, in order. */
export interface FunctionPlan {
  readonly created: readonly string[];
  readonly changed: readonly string[];
  readonly deleted: readonly string[];
  /** How many entries are as their functions are. */
  readonly unchanged: number;
}

/** Something that makes a replacement impossible. */
export interface FunctionProblem {
  readonly kind: "group" | "secret" | "route";
  /** Name of the function. */
  readonly function: string;
  readonly message: string;
}

/** A problem with the error that is thrown for it. */
export interface FoundProblem extends FunctionProblem {
  readonly error: AppError;
}

/** What is to be written. With problems, it must not be. */
export interface Replacement {
  readonly created: readonly FunctionFields[];
  readonly changed: readonly { readonly old: RegisteredFunction; readonly fields: FunctionFields }[];
  readonly deleted: readonly RegisteredFunction[];
  readonly unchanged: number;
  readonly problems: readonly FoundProblem[];
}

/** Names a field of an entry in errors, such as `functions.hello.route`. */
export type FieldName = (name: string, field: string) => string;

export const fieldOfMap: FieldName = (name, field) => `functions.${name}.${field}`;

/** @throws AppError InvalidInput (400) for a handler or route that is none */
export function compareWith(
  store: Store,
  entries: FunctionEntries,
  { prune, force, ids = new Map() }: ReplaceOptions,
  fieldOf: FieldName = fieldOfMap,
): Replacement {
  const comparison = new Comparison(store, entries, ids, fieldOf);
  for (const [name, entry] of entries) comparison.add(name, entry);
  if (prune) comparison.prune(force);
  comparison.checkRoutes();
  return comparison;
}

/** Returns all functions as a replacement leaves them; new ones have the id 0. */
export function functionsAfter(store: Store, { created, changed, deleted }: Replacement): RegisteredFunction[] {
  const gone = new Set(deleted.map(({ id }) => id));
  const changes = new Map(changed.map(({ old, fields }) => [old.id, fields]));
  const stored = store.functions.list().filter(({ id }) => !gone.has(id)).map((row) =>
    toFunction({ ...row, ...changes.get(row.id) })
  );
  const times = { createdAt: 0, updatedAt: 0 };
  return [...stored, ...created.map((fields) => toFunction({ ...fields, ...times, id: 0 as FunctionId }))];
}

export function planOf({ created, changed, deleted, unchanged }: Replacement): FunctionPlan {
  const names = (rows: readonly { readonly name: string }[]) => rows.map(({ name }) => name).sort();
  return {
    created: names(created),
    changed: names(changed.map(({ fields }) => fields)),
    deleted: names(deleted),
    unchanged,
  };
}

class Comparison implements Replacement {
  readonly created: FunctionFields[] = [];
  readonly changed: { old: RegisteredFunction; fields: FunctionFields }[] = [];
  readonly deleted: RegisteredFunction[] = [];
  readonly problems: FoundProblem[] = [];
  unchanged = 0;
  readonly #store: Store;
  readonly #entries: FunctionEntries;
  readonly #ids: ReadonlyMap<string, FunctionId>;
  readonly #fieldOf: FieldName;
  /** Functions that an entry stands for. */
  readonly #met = new Set<FunctionId>();
  /** All entries as they would be stored. */
  readonly #wanted: FunctionFields[] = [];

  constructor(
    store: Store,
    entries: FunctionEntries,
    ids: ReadonlyMap<string, FunctionId>,
    fieldOf: FieldName,
  ) {
    this.#store = store;
    this.#entries = entries;
    this.#ids = ids;
    this.#fieldOf = fieldOf;
  }

  /** Deletes the functions that no entry names. */
  prune(force: boolean): void {
    for (const row of this.#store.functions.list()) {
      if (this.#met.has(row.id)) continue;
      this.deleted.push(toFunction(row));
      if (force || this.#store.secrets.list({ functionId: row.id }, 0, 1).length === 0) continue;
      const problem = "has secrets of its own, which would be deleted with it; `force` deletes both";
      this.#report("secret", row.name, conflict(`The function "${row.name}" ${problem}.`, { force: "is required" }));
    }
  }

  add(name: string, entry: FunctionEntry): void {
    checkEntry(entry);
    const id = this.#ids.get(name);
    const row = (id === undefined ? undefined : this.#store.functions.find(id)) ??
      this.#store.functions.findByName(name);
    const old = row && toFunction(row);
    if (old) this.#met.add(old.id);
    if (old) this.#refuseOpening(old, entry);
    const {
      description = "",
      methods = ["GET"],
      keys = [],
      enabled = old?.enabled ?? true,
      handler,
      route,
      ...confinement
    } = entry;
    const groups = this.#groups(name, keys);
    const wanted = { name, description, methods, keys, enabled, handler, route, ...confinementOf(confinement) };
    const fields = toFields(wanted, groups);
    this.#wanted.push(fields);
    if (!old) this.created.push(fields);
    else if (isSame(fields, toFields(old, old.keys))) this.unchanged++;
    else this.changed.push({ old, fields });
  }

  /** What limits a function is never removed by leaving it out. */
  #refuseOpening({ name, keys, secrets }: RegisteredFunction, entry: FunctionEntry): void {
    if (keys.length > 0 && entry.keys === undefined) {
      const problem =
        "must be given: the function is for keys of some groups only, and without `keys` it would be public";
      this.#report("group", name, invalid(this.#fieldOf(name, "keys"), problem));
    }
    if (!secrets.includes("*") && entry.secrets === undefined) {
      const problem = "must be given: the function may ask for some secrets only, and without `secrets` for all";
      this.#report("secret", name, invalid(this.#fieldOf(name, "secrets"), problem));
    }
  }

  #groups(name: string, keys: NonNullable<FunctionEntry["keys"]>): GroupId[] {
    return findGroups(this.#store.access, keys, this.#fieldOf(name, "keys")).flatMap((found) => {
      if (!found.error) return [found.id];
      this.#report("group", name, found.error);
      return [];
    });
  }

  /** Compares each wanted route with the other ones, and with those of functions that stay as they are. */
  checkRoutes(): void {
    const names = new Map<string, string>();
    const deleted = new Set(this.deleted.map(({ name }) => name));
    for (const { name, route, routeKey, methods } of this.#wanted) {
      for (const method of methods) {
        const place = `${method} ${routeKey}`;
        const stored = this.#store.functions.findByRoute(routeKey, method);
        const stays = stored !== undefined && !this.#met.has(stored.id) && !deleted.has(stored.name);
        const other = names.get(place) ?? (stays ? stored.name : undefined);
        names.set(place, name);
        if (other === undefined) continue;
        const message = `${method} ${route} is already answered by the function "${other}".`;
        this.#report("route", name, conflict(message, { [this.#fieldOf(name, "route")]: `is taken by "${other}"` }));
      }
    }
  }

  #report(kind: FunctionProblem["kind"], name: string, error: AppError): void {
    this.problems.push({ kind, function: name, message: error.message, error });
  }
}

function isSame(a: FunctionFields, b: FunctionFields): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
