// Manages the registered functions and finds the one that answers a path.

import { type Actor, type AuditEvent, difference, type Facts, manyEvents, type Recorder } from "../../actor.ts";
import { conflict, notFound, notFoundByName } from "../../errors.ts";
import type { FunctionId, GroupId } from "../../ids.ts";
import type { RowChange } from "../../store/changeset.ts";
import type { FunctionFields, FunctionQuery, FunctionRow, FunctionStore } from "../../store/functions.ts";
import { setterOf } from "../../store/secrets.ts";
import type { Store } from "../../store/store.ts";
import { type ExpectedVersions, nextChangeTime, requireVersion, type Version, versionOf } from "../../versions.ts";
import {
  checkEntry,
  findGroups,
  type FunctionChange,
  type FunctionEntries,
  type FunctionEntry,
  type NewFunction,
  type RegisteredFunction,
  toFields,
  toFunction,
} from "./entry.ts";
import {
  compareWith,
  type FoundProblem,
  type FunctionPlan,
  functionsAfter,
  planOf,
  type Replacement,
  type ReplaceOptions,
} from "./replacement.ts";
import { createRouter, type Match, type Router } from "./router.ts";

export type { FunctionEntries, FunctionEntry, NewFunction, RegisteredFunction } from "./entry.ts";
export type { FunctionQuery } from "../../store/functions.ts";
export type { FoundProblem, FunctionPlan, FunctionProblem, ReplaceOptions } from "./replacement.ts";

export interface PlannedReplacement {
  readonly plan: FunctionPlan;
  readonly problems: readonly FoundProblem[];
  /** All functions as they would be; new ones have the id 0. */
  readonly after: readonly RegisteredFunction[];
}

export interface Registry {
  /** Returns all functions in order of id, or at most `limit` with an id above `after`. */
  list(after?: number, limit?: number): RegisteredFunction[];

  /**
   * Returns at most `limit` functions that the query finds, without the first `skip`. `next` is how many to skip for the
   * following ones, undefined if there are none; `total` counts all that are found.
   */
  page(
    query: FunctionQuery,
    skip: number,
    limit: number,
  ): { functions: RegisteredFunction[]; next: number | undefined; total: number };

  /** Returns at most ten functions whose handler is the file at `path`. */
  handledBy(path: string): { id: FunctionId; name: string }[];

  /** Throws the errors that `create` would throw, or `update` of the function `self`; changes nothing. */
  check(wanted: NewFunction, self?: FunctionId): void;

  /** @throws AppError NotFound (404) */
  get(id: FunctionId): RegisteredFunction;

  /** @throws AppError NotFound (404) */
  named(name: string): RegisteredFunction;

  /** Returns the version of a function with the names of its groups; its health is not a part of it. */
  version(entry: RegisteredFunction): Version;
  counts(): { total: number; enabled: number };

  /** Returns the oldest function. */
  oldest(): RegisteredFunction | undefined;

  /** Returns at most `limit` functions that a key of the group may call, in order of id. */
  ofGroup(groupId: GroupId, limit: number): RegisteredFunction[];

  /** @throws AppError InvalidInput (400), NotFound (404) for a group, Conflict (409) for a name or route in use */
  create(actor: Actor, wanted: NewFunction): RegisteredFunction;

  /** @throws AppError as `create`, and NotFound (404) for the function, PreconditionFailed (412) */
  update(actor: Actor, id: FunctionId, to: FunctionChange, expected?: ExpectedVersions): RegisteredFunction;

  /**
   * Changes the handler of all functions whose handler is `from` to `to` and returns these functions. `recordMove` is
   * called at the end of the transaction: if it throws, nothing is changed.
   */
  moveHandler(actor: Actor, from: string, to: string, recordMove: () => void): RegisteredFunction[];

  /**
   * Creates the function or replaces the existing one of that name. One that is already as the entry says is left
   * alone.
   * @throws AppError as `create`, PreconditionFailed (412), and InvalidInput (400) for an entry that leaves out what
   *   limits the existing function
   */
  replace(
    actor: Actor,
    name: string,
    entry: FunctionEntry,
    expected?: ExpectedVersions,
  ): { function: RegisteredFunction; created: boolean };

  /**
   * Creates or replaces all functions that `entries` names, so that functions may exchange their routes, and with
   * `prune` deletes all others: everything or nothing. Within a transaction of the caller it is a part of that, and
   * `onChange` is called after its commit. Patterns of `files` must have been checked.
   * @throws AppError for the first problem that `plan` reports; InvalidInput (400) for a handler or route
   */
  replaceAll(actor: Actor, entries: FunctionEntries, options: ReplaceOptions): FunctionPlan;

  /**
   * Returns what `replaceAll` would do, and everything that prevents it; changes nothing.
   * @throws AppError InvalidInput (400) for a handler or route
   */
  plan(entries: FunctionEntries, options: ReplaceOptions): PlannedReplacement;

  /** Deletes a function and its secrets, but not its files. @throws AppError NotFound (404), PreconditionFailed (412) */
  delete(actor: Actor, id: FunctionId, expected?: ExpectedVersions): void;

  /** Returns the function if it exists and is enabled; the same object until it is changed. */
  enabled(id: FunctionId): RegisteredFunction | undefined;

  /** Returns the enabled function that answers; `path` is the part after `/run`. */
  match(method: string, path: string): Match<RegisteredFunction>;
}

export interface RegistryOptions {
  readonly store: Store;
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number;
  /** Is called for each function that was changed or deleted, once the change is stored. */
  readonly onChange: (id: FunctionId, deleted: boolean) => void;
  /** Is called for each change. */
  readonly record: Recorder;
}

export function createRegistry(options: RegistryOptions): Registry {
  return new RegistryService(options);
}

class RegistryService implements Registry {
  readonly #store: Store;
  readonly #now: () => number;
  readonly #onChange: (id: FunctionId, deleted: boolean) => void;
  readonly #record: Recorder;
  readonly #rows: FunctionStore;
  /** Created by the first call and updated after each change. */
  #router: Router<RegisteredFunction> | undefined;
  /** Functions that were changed since the router was last used. */
  readonly #changed = new Set<FunctionId>();

  constructor({ store, now, onChange, record }: RegistryOptions) {
    this.#store = store;
    this.#now = now;
    this.#onChange = onChange;
    this.#record = record;
    this.#rows = store.functions;
    store.onApplied((rows) => this.#applied(rows));
  }

  list(after?: number, limit?: number): RegisteredFunction[] {
    return this.#rows.list(after, limit).map(toFunction);
  }

  page(
    query: FunctionQuery,
    skip: number,
    limit: number,
  ): { functions: RegisteredFunction[]; next: number | undefined; total: number } {
    const rows = this.#rows.page(query, skip, limit + 1);
    return {
      functions: rows.slice(0, limit).map(toFunction),
      next: rows.length > limit ? skip + limit : undefined,
      total: this.#rows.count(query),
    };
  }

  handledBy(path: string): { id: FunctionId; name: string }[] {
    return this.#rows.findByHandler(path);
  }

  check(wanted: NewFunction, self?: FunctionId): void {
    this.#check(wanted, self);
  }

  get(id: FunctionId): RegisteredFunction {
    const row = this.#rows.find(id);
    if (!row) throw notFound("function", id);
    return toFunction(row);
  }

  named(name: string): RegisteredFunction {
    const row = this.#rows.findByName(name);
    if (!row) throw notFoundByName("function", name);
    return toFunction(row);
  }

  version(entry: RegisteredFunction): Version {
    return versionOf([entry, entry.keys.map((id) => this.#store.access.group(id)?.name ?? null)]);
  }

  counts(): { total: number; enabled: number } {
    return this.#rows.counts();
  }

  oldest(): RegisteredFunction | undefined {
    const row = this.#rows.oldest();
    return row && toFunction(row);
  }

  ofGroup(groupId: GroupId, limit: number): RegisteredFunction[] {
    return this.#rows.ofGroup(groupId, limit).map(toFunction);
  }

  create(actor: Actor, wanted: NewFunction): RegisteredFunction {
    return this.#store.change(actor, () => this.#insert(actor, this.#check(wanted, undefined)));
  }

  update(actor: Actor, id: FunctionId, to: FunctionChange, expected?: ExpectedVersions): RegisteredFunction {
    return this.#store.change(actor, () => {
      const old = this.get(id);
      requireVersion(expected, this.version(old), `the function "${old.name}"`);
      const wanted: NewFunction = { ...old };
      for (const [field, value] of Object.entries(to)) {
        if (value !== undefined) Object.assign(wanted, { [field]: value });
      }
      return this.#write(actor, old, this.#check(wanted, id));
    });
  }

  moveHandler(actor: Actor, from: string, to: string, recordMove: () => void): RegisteredFunction[] {
    return this.#store.change(actor, () => {
      const moved = this.#rows.list().filter(({ handler }) => handler === from).map(({ id }) => {
        const old = this.get(id);
        return this.#write(actor, old, this.#check({ ...old, handler: to }, id));
      });
      recordMove();
      return moved;
    });
  }

  replace(
    actor: Actor,
    name: string,
    entry: FunctionEntry,
    expected?: ExpectedVersions,
  ): { function: RegisteredFunction; created: boolean } {
    return this.#store.change(actor, () => {
      const old = this.#rows.findByName(name);
      requireVersion(expected, old && this.version(toFunction(old)), `the function "${name}"`);
      const options = { prune: false, force: false };
      this.#apply(actor, compareWith(this.#store, new Map([[name, entry]]), options, (_, field) => field));
      return { function: this.named(name), created: old === undefined };
    });
  }

  replaceAll(actor: Actor, entries: FunctionEntries, options: ReplaceOptions): FunctionPlan {
    return this.#store.change(actor, () => {
      const replacement = compareWith(this.#store, entries, options);
      this.#apply(actor, replacement);
      return planOf(replacement);
    });
  }

  plan(entries: FunctionEntries, options: ReplaceOptions): PlannedReplacement {
    const replacement = compareWith(this.#store, entries, options);
    const { problems } = replacement;
    return { plan: planOf(replacement), problems, after: functionsAfter(this.#store, replacement) };
  }

  delete(actor: Actor, id: FunctionId, expected?: ExpectedVersions): void {
    this.#store.change(actor, () => {
      const old = this.get(id);
      requireVersion(expected, this.version(old), `the function "${old.name}"`);
      this.#remove(actor, old);
    });
  }

  enabled(id: FunctionId): RegisteredFunction | undefined {
    return this.#routes().get(id);
  }

  match(method: string, path: string): Match<RegisteredFunction> {
    return this.#routes().match(method, path);
  }

  /** Validates `wanted` on its own and against all stored functions except `self`. */
  #check(wanted: NewFunction, self: FunctionId | undefined): FunctionFields {
    checkEntry(wanted);
    const found = findGroups(this.#store.access, wanted.keys, "keys");
    const fields = toFields(wanted, found.flatMap((group) => group.error ? [] : [group.id]));
    const namesake = this.#rows.findByName(wanted.name);
    if (namesake && namesake.id !== self) {
      throw conflict(`There is already a function named "${wanted.name}".`, { name: "is taken" });
    }
    for (const method of fields.methods) {
      const other = this.#rows.findByRoute(fields.routeKey, method);
      if (other && other.id !== self) {
        throw conflict(`${method} ${fields.route} is already answered by the function "${other.name}".`, {
          route: `is taken by "${other.name}"`,
        });
      }
    }
    for (const { error } of found) if (error) throw error;
    return fields;
  }

  #apply(actor: Actor, { created, changed, deleted, problems: [problem] }: Replacement): void {
    if (problem) throw problem.error;
    for (const old of deleted) this.#remove(actor, old);
    // First, so that a function can take the route that another one leaves.
    for (const { old, fields } of changed) {
      this.#rows.releaseRoute(old.id);
      if (old.name !== fields.name) this.#rows.releaseName(old.id);
    }
    for (const { old, fields } of changed) this.#write(actor, old, fields);
    for (const fields of created) this.#insert(actor, fields);
  }

  #insert(actor: Actor, fields: FunctionFields): RegisteredFunction {
    const made = this.get(this.#rows.insert(fields, this.#now()));
    this.#record(actor, functionEvent("function.created", made, { after: factsOf(made) }));
    return made;
  }

  #write(actor: Actor, old: RegisteredFunction, fields: FunctionFields): RegisteredFunction {
    const { id } = old;
    this.#rows.update(id, fields, nextChangeTime(this.#now(), old.updatedAt));
    const updated = this.get(id);
    this.#record(actor, functionEvent("function.updated", updated, difference(factsOf(old), factsOf(updated))));
    return updated;
  }

  #remove(actor: Actor, old: RegisteredFunction): void {
    const { id } = old;
    const owner = { scope: "function", functionId: id } as const;
    const secrets = this.#store.secretArchive.discardAll(owner, setterOf(actor), this.#now());
    this.#rows.delete(id);
    manyEvents("secret.deleted", "secret", secrets).forEach((event) => this.#record(actor, event));
    this.#record(actor, functionEvent("function.deleted", old, { before: factsOf(old) }));
  }

  /** Takes note of the functions that were changed, on this node or another one. */
  #applied(rows: readonly RowChange[]): void {
    const kinds = new Map<FunctionId, RowChange["kind"]>();
    for (const { table, kind, values: [id] } of rows) {
      if (table === "functions") kinds.set(Number(id) as FunctionId, kind);
    }
    for (const [id, kind] of kinds) {
      this.#changed.add(id);
      if (kind !== "insert") this.#onChange(id, kind === "delete");
    }
  }

  /** Reports whether a function is enabled and its row authentic: an altered function answers nothing. */
  #mayAnswer({ id, enabled }: FunctionRow): boolean {
    return enabled && this.#rows.isAuthentic(id);
  }

  /** Returns the router, first reloading functions changed since the last call. */
  #routes(): Router<RegisteredFunction> {
    this.#router ??= createRouter(this.#rows.list().filter((one) => this.#mayAnswer(one)).map(toFunction));
    for (const id of this.#changed) {
      const row = this.#rows.find(id);
      if (row && this.#mayAnswer(row)) this.#router.put(toFunction(row));
      else this.#router.remove(id);
    }
    this.#changed.clear();
    return this.#router;
  }
}

/** Returns what the audit records about a function: everything that can be changed. */
function factsOf({ id: _, createdAt: _created, updatedAt: _updated, ...facts }: RegisteredFunction): Facts {
  return facts;
}

function functionEvent(
  action: AuditEvent["action"],
  { id, name }: RegisteredFunction,
  facts: Partial<AuditEvent>,
): AuditEvent {
  return { ...facts, action, subject: { kind: "function", id, name } };
}
