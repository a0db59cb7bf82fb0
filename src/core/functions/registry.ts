// The functions: which there are and which of them answers a path.

import { type Actor, type AuditEvent, difference, type Facts, manyEvents, type Recorder } from "../../actor.ts";
import { conflict, notFound } from "../../errors.ts";
import type { FunctionId, GroupId } from "../../ids.ts";
import type { FunctionFields, FunctionRow } from "../../store/functions.ts";
import type { Store } from "../../store/store.ts";
import { type ExpectedVersions, nextChangeTime, requireVersion, type Version, versionOf } from "../../versions.ts";
import { checkHandlerPath } from "./file_paths.ts";
import { type Confinement, DEFAULT_CONFINEMENT } from "./permissions.ts";
import { checkRoute, createRouter, decodedRoute, type Match, routeKey, type Router } from "./router.ts";

/** A registered function. */
export interface RegisteredFunction extends Omit<FunctionRow, "confinement" | "groups">, Confinement {
  /** The groups whose keys may call it; empty: public. */
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

export type Registry = ReturnType<typeof functionRegistry>;

/** `onChange` hears of each function that was changed or deleted, once it is stored; `record` of each change. */
export function functionRegistry(
  store: Store,
  now: () => number,
  onChange: (id: FunctionId, deleted: boolean) => void,
  record: Recorder,
) {
  const rows = store.functions;
  /** Made when the first call comes; from then on it is told of each change. */
  let router: Router<RegisteredFunction> | undefined;
  /** Functions that were changed since the router was last asked. */
  const changed = new Set<FunctionId>();

  const get = (id: FunctionId): RegisteredFunction => {
    const row = rows.find(id);
    if (!row) throw notFound("function", id);
    return toFunction(row);
  };

  /** Everything that can be wrong with `wanted` beside what is stored already, except under the id `self`. */
  const check = (wanted: NewFunction, self: FunctionId | undefined): FunctionFields => {
    checkHandlerPath(wanted.handler);
    checkRoute(wanted.route);
    const route = decodedRoute(wanted.route);
    const namesake = rows.findByName(wanted.name);
    if (namesake && namesake.id !== self) {
      throw conflict(`There is already a function named "${wanted.name}".`, { name: "is taken" });
    }
    const methods = [...new Set(wanted.methods)];
    const key = routeKey(route);
    for (const method of methods) {
      const other = rows.findByRoute(key, method);
      if (other && other.id !== self) {
        throw conflict(`${method} ${route} is already answered by the function "${other.name}".`, {
          route: "is taken",
        });
      }
    }
    const groups = [...new Set(wanted.keys)];
    for (const group of groups) if (!store.access.group(group)) throw notFound("key group", group);
    const { name, description, handler, enabled } = wanted;
    const confinement = JSON.stringify(confinementOf(wanted));
    return { name, description, handler, route, routeKey: key, methods, groups, confinement, enabled };
  };

  /** A function whose row was altered outside of this program answers nothing. */
  const mayAnswer = ({ id, enabled }: FunctionRow): boolean => enabled && rows.isAuthentic(id);

  /** The router as of now: what is stored of a changed function is looked up once, whether its change was or not. */
  const routes = (): Router<RegisteredFunction> => {
    router ??= createRouter(rows.list().filter(mayAnswer).map(toFunction));
    for (const id of changed) {
      const row = rows.find(id);
      if (row && mayAnswer(row)) router.put(toFunction(row));
      else router.remove(id);
    }
    changed.clear();
    return router;
  };

  return {
    /** In order of id: all, or at most `limit` with an id above `after`. */
    list: (after?: number, limit?: number): RegisteredFunction[] => rows.list(after, limit).map(toFunction),

    /**
     * Functions whose name, route or handler holds `search`, in order of name, from after the one named `after`;
     * at most `limit`. `next` is set if there are more, `total` counts all that hold it.
     */
    page(
      search: string,
      after: string,
      limit: number,
    ): { functions: RegisteredFunction[]; next: string | undefined; total: number } {
      const found = rows.page(search, after, limit + 1);
      const functions = found.slice(0, limit).map(toFunction);
      return { functions, next: found.length > limit ? functions.at(-1)!.name : undefined, total: rows.count(search) };
    },

    /** Functions whose handler is the file at `path`, ten at most. */
    handledBy: (path: string): { id: FunctionId; name: string }[] => rows.findByHandler(path),

    /** Throws what `create` would, or `update` of the function `self`, and changes nothing. */
    check(wanted: NewFunction, self?: FunctionId): void {
      check(wanted, self);
    },

    /** @throws AppError NotFound (404) */
    get,

    counts: rows.counts,

    /** The one that was made first, of those that are there. */
    oldest(): RegisteredFunction | undefined {
      const row = rows.oldest();
      return row && toFunction(row);
    },

    /** Those that a key of the group may call, in order of id, at most `limit`. */
    ofGroup: (groupId: GroupId, limit: number): RegisteredFunction[] => rows.ofGroup(groupId, limit).map(toFunction),

    /** @throws AppError InvalidInput (400), NotFound (404) for a group, Conflict (409) for a name or route in use */
    create(actor: Actor, wanted: NewFunction): RegisteredFunction {
      return store.change(actor, () => {
        const made = get(rows.insert(check(wanted, undefined), now()));
        changed.add(made.id);
        record(actor, functionEvent("function.created", made, { after: factsOf(made) }));
        return made;
      });
    },

    /** @throws AppError as `create`, and NotFound (404) for the function, PreconditionFailed (412) */
    update(actor: Actor, id: FunctionId, to: FunctionChange, expected?: ExpectedVersions): RegisteredFunction {
      const updated = store.change(actor, () => {
        const old = get(id);
        requireVersion(expected, functionVersion(old));
        changed.add(id);
        const wanted: NewFunction = { ...old, keys: [...old.keys] };
        for (const [field, value] of Object.entries(to)) {
          if (value !== undefined) Object.assign(wanted, { [field]: value });
        }
        rows.update(id, check(wanted, id), nextChangeTime(now(), old.updatedAt));
        const updated = get(id);
        record(actor, functionEvent("function.updated", updated, difference(factsOf(old), factsOf(updated))));
        return updated;
      });
      onChange(id, false);
      return updated;
    },

    /**
     * Gives all functions whose handler is the file `from` the handler `to`; returns them. `moveFile` is called at the
     * end of the transaction: if it throws, nothing is changed.
     */
    moveHandler(actor: Actor, from: string, to: string, moveFile: () => void): RegisteredFunction[] {
      const moved = store.change(actor, () => {
        const moved = rows.list().filter(({ handler }) => handler === from).map(({ id }) => {
          const old = get(id);
          changed.add(id);
          rows.update(
            id,
            check({ ...old, keys: [...old.keys], handler: to }, id),
            nextChangeTime(now(), old.updatedAt),
          );
          const updated = get(id);
          record(actor, functionEvent("function.updated", updated, difference(factsOf(old), factsOf(updated))));
          return updated;
        });
        moveFile();
        return moved;
      });
      for (const { id } of moved) onChange(id, false);
      return moved;
    },

    /** Deletes a function and its secrets; its files stay. @throws AppError NotFound (404), PreconditionFailed (412) */
    delete(actor: Actor, id: FunctionId, expected?: ExpectedVersions): void {
      store.change(actor, () => {
        const old = get(id);
        requireVersion(expected, functionVersion(old));
        changed.add(id);
        const secrets = store.secrets.list({ functionId: id }, 0, Number.MAX_SAFE_INTEGER);
        rows.delete(id);
        manyEvents("secret.deleted", "secret", secrets).forEach((event) => record(actor, event));
        record(actor, functionEvent("function.deleted", old, { before: factsOf(old) }));
      });
      onChange(id, true);
    },

    /** The function as calls find it now, the same object until it is changed; undefined if it is gone or disabled. */
    enabled: (id: FunctionId): RegisteredFunction | undefined => routes().get(id),

    /** The enabled function that answers; `path` is what follows `/run`. */
    match: (method: string, path: string): Match<RegisteredFunction> => routes().match(method, path),
  };
}

/** Returns the version of a function's entry; its health is not a part of it. */
export function functionVersion(entry: RegisteredFunction): Version {
  return versionOf(entry);
}

/** What the audit tells of a function: all that can be changed. */
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
