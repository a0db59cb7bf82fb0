// Manages the registered functions and finds the one that answers a path.

import { type Actor, type AuditEvent, difference, type Facts, manyEvents, type Recorder } from "../../actor.ts";
import { conflict, notFound } from "../../errors.ts";
import type { FunctionId, GroupId } from "../../ids.ts";
import { pageOf } from "../../paging.ts";
import type { FunctionFields, FunctionRow, FunctionStore } from "../../store/functions.ts";
import type { Store } from "../../store/store.ts";
import { type ExpectedVersions, nextChangeTime, requireVersion, type Version, versionOf } from "../../versions.ts";
import { checkHandlerPath } from "./file_paths.ts";
import { type Confinement, DEFAULT_CONFINEMENT } from "./permissions.ts";
import { checkRoute, createRouter, decodedRoute, type Match, routeKey, type Router } from "./router.ts";

/** A registered function. */
export interface RegisteredFunction extends Omit<FunctionRow, "confinement" | "groups">, Confinement {
  /** The groups whose keys may call it; empty if it is public. */
  readonly keys: readonly GroupId[];
}

export interface NewFunction extends Partial<Confinement> {
  name: string;
  description: string;
  handler: string;
  route: string;
  methods: string[];
  keys: GroupId[];
  enabled: boolean;
}

/** What to change; what is undefined stays. */
export type FunctionChange = { [K in keyof NewFunction]?: NewFunction[K] | undefined };

export interface Registry {
  /** Returns all functions in order of id, or at most `limit` with an id above `after`. */
  list(after?: number, limit?: number): RegisteredFunction[];

  /**
   * Returns at most `limit` functions with a name above `after` whose name, route or handler contains `search`, in
   * order of name. `next` is set if there are more; `total` counts all matches.
   */
  page(
    search: string,
    after: string,
    limit: number,
  ): { functions: RegisteredFunction[]; next: string | undefined; total: number };

  /** Returns at most ten functions whose handler is the file at `path`. */
  handledBy(path: string): { id: FunctionId; name: string }[];

  /** Throws the errors that `create` would throw, or `update` of the function `self`; changes nothing. */
  check(wanted: NewFunction, self?: FunctionId): void;

  /** @throws AppError NotFound (404) */
  get(id: FunctionId): RegisteredFunction;
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
   * Changes the handler of all functions whose handler is `from` to `to` and returns these functions. `moveFile` is
   * called at the end of the transaction: if it throws, nothing is changed.
   */
  moveHandler(actor: Actor, from: string, to: string, moveFile: () => void): RegisteredFunction[];

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
  }

  list(after?: number, limit?: number): RegisteredFunction[] {
    return this.#rows.list(after, limit).map(toFunction);
  }

  page(
    search: string,
    after: string,
    limit: number,
  ): { functions: RegisteredFunction[]; next: string | undefined; total: number } {
    const page = pageOf(this.#rows.page(search, after, limit + 1), limit, ({ name }) => name);
    return { functions: page.rows.map(toFunction), next: page.next, total: this.#rows.count(search) };
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
    return this.#store.change(actor, () => {
      const made = this.get(this.#rows.insert(this.#check(wanted, undefined), this.#now()));
      this.#changed.add(made.id);
      this.#record(actor, functionEvent("function.created", made, { after: factsOf(made) }));
      return made;
    });
  }

  update(actor: Actor, id: FunctionId, to: FunctionChange, expected?: ExpectedVersions): RegisteredFunction {
    const updated = this.#store.change(actor, () => {
      const old = this.get(id);
      requireVersion(expected, functionVersion(old));
      this.#changed.add(id);
      const wanted: NewFunction = { ...old, keys: [...old.keys] };
      for (const [field, value] of Object.entries(to)) {
        if (value !== undefined) Object.assign(wanted, { [field]: value });
      }
      this.#rows.update(id, this.#check(wanted, id), nextChangeTime(this.#now(), old.updatedAt));
      const updated = this.get(id);
      this.#record(actor, functionEvent("function.updated", updated, difference(factsOf(old), factsOf(updated))));
      return updated;
    });
    this.#onChange(id, false);
    return updated;
  }

  moveHandler(actor: Actor, from: string, to: string, moveFile: () => void): RegisteredFunction[] {
    const moved = this.#store.change(actor, () => {
      const moved = this.#rows.list().filter(({ handler }) => handler === from).map(({ id }) => {
        const old = this.get(id);
        this.#changed.add(id);
        this.#rows.update(
          id,
          this.#check({ ...old, keys: [...old.keys], handler: to }, id),
          nextChangeTime(this.#now(), old.updatedAt),
        );
        const updated = this.get(id);
        this.#record(actor, functionEvent("function.updated", updated, difference(factsOf(old), factsOf(updated))));
        return updated;
      });
      moveFile();
      return moved;
    });
    for (const { id } of moved) this.#onChange(id, false);
    return moved;
  }

  delete(actor: Actor, id: FunctionId, expected?: ExpectedVersions): void {
    this.#store.change(actor, () => {
      const old = this.get(id);
      requireVersion(expected, functionVersion(old));
      this.#changed.add(id);
      const secrets = this.#store.secrets.list({ functionId: id }, 0, Number.MAX_SAFE_INTEGER);
      this.#rows.delete(id);
      manyEvents("secret.deleted", "secret", secrets).forEach((event) => this.#record(actor, event));
      this.#record(actor, functionEvent("function.deleted", old, { before: factsOf(old) }));
    });
    this.#onChange(id, true);
  }

  enabled(id: FunctionId): RegisteredFunction | undefined {
    return this.#routes().get(id);
  }

  match(method: string, path: string): Match<RegisteredFunction> {
    return this.#routes().match(method, path);
  }

  /** Validates `wanted` on its own and against all stored functions except `self`. */
  #check(wanted: NewFunction, self: FunctionId | undefined): FunctionFields {
    checkHandlerPath(wanted.handler);
    checkRoute(wanted.route);
    const route = decodedRoute(wanted.route);
    const namesake = this.#rows.findByName(wanted.name);
    if (namesake && namesake.id !== self) {
      throw conflict(`There is already a function named "${wanted.name}".`, { name: "is taken" });
    }
    const methods = [...new Set(wanted.methods)];
    const key = routeKey(route);
    for (const method of methods) {
      const other = this.#rows.findByRoute(key, method);
      if (other && other.id !== self) {
        throw conflict(`${method} ${route} is already answered by the function "${other.name}".`, {
          route: "is taken",
        });
      }
    }
    const groups = [...new Set(wanted.keys)];
    for (const group of groups) if (!this.#store.access.group(group)) throw notFound("key group", group);
    const { name, description, handler, enabled } = wanted;
    const confinement = JSON.stringify(confinementOf(wanted));
    return { name, description, handler, route, routeKey: key, methods, groups, confinement, enabled };
  }

  /** Reports whether a function is enabled and its row authentic: an altered function answers nothing. */
  #mayAnswer({ id, enabled }: FunctionRow): boolean {
    return enabled && this.#rows.isAuthentic(id);
  }

  /** Returns the router, first reloading functions changed since the last call (even if the change was rolled back). */
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

/** Returns the version of a function's entry; its health is not a part of it. */
export function functionVersion(entry: RegisteredFunction): Version {
  return versionOf(entry);
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

/** `wanted` with the default for what it leaves open. */
function confinementOf(wanted: Partial<Confinement>): Confinement {
  const {
    permissions = DEFAULT_CONFINEMENT.permissions,
    secrets = DEFAULT_CONFINEMENT.secrets,
    isolation = DEFAULT_CONFINEMENT.isolation,
    responseGuard = DEFAULT_CONFINEMENT.responseGuard,
    cors = DEFAULT_CONFINEMENT.cors,
    timeoutMs = DEFAULT_CONFINEMENT.timeoutMs,
    memoryMb = DEFAULT_CONFINEMENT.memoryMb,
    files = DEFAULT_CONFINEMENT.files,
  } = wanted;
  return { permissions, secrets, isolation, responseGuard, cors, timeoutMs, memoryMb, files };
}

function toFunction({ groups, confinement, ...row }: FunctionRow): RegisteredFunction {
  return { ...row, keys: groups, ...confinementOf(JSON.parse(confinement)) };
}
