// The functions: which there are and which of them answers a path.

import { conflict, notFound } from "../errors.ts";
import type { FunctionId, GroupId } from "../ids.ts";
import type { FunctionFields, FunctionRow } from "../store/functions.ts";
import type { Store } from "../store/store.ts";
import { checkHandlerPath } from "./files.ts";
import { type Confinement, DEFAULT_CONFINEMENT } from "./permissions.ts";
import { checkRoute, createRouter, type Match, routeKey, type Router } from "./routes.ts";

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

/** `onChange` hears of each function that was changed or deleted, once it is stored. */
export function functionRegistry(
  store: Store,
  now: () => number,
  onChange: (id: FunctionId, deleted: boolean) => void,
) {
  const rows = store.functions;
  let router: Router<RegisteredFunction> | undefined;

  const get = (id: FunctionId): RegisteredFunction => {
    const row = rows.find(id);
    if (!row) throw notFound("function", id);
    return toFunction(row);
  };

  /** Everything that can be wrong with `wanted` beside what is stored already, except under the id `self`. */
  const check = (wanted: NewFunction, self: FunctionId | undefined): FunctionFields => {
    checkHandlerPath(wanted.handler);
    checkRoute(wanted.route);
    const namesake = rows.findByName(wanted.name);
    if (namesake && namesake.id !== self) {
      throw conflict(`There is already a function named "${wanted.name}".`, { name: "is taken" });
    }
    const methods = [...new Set(wanted.methods)];
    const key = routeKey(wanted.route);
    for (const method of methods) {
      const other = rows.findByRoute(key, method);
      if (other && other.id !== self) {
        throw conflict(`${method} ${wanted.route} is already answered by the function "${other.name}".`, {
          route: "is taken",
        });
      }
    }
    const groups = [...new Set(wanted.keys)];
    for (const group of groups) if (!store.access.group(group)) throw notFound("key group", group);
    const { name, description, handler, route, enabled } = wanted;
    const confinement = JSON.stringify(confinementOf(wanted));
    return { name, description, handler, route, routeKey: key, methods, groups, confinement, enabled };
  };

  const change = <T>(work: () => T): T => {
    try {
      return store.transaction(work);
    } finally {
      router = undefined;
    }
  };

  return {
    list: (): RegisteredFunction[] => rows.list().map(toFunction),

    /** @throws AppError NotFound (404) */
    get,

    /** @throws AppError InvalidInput (400), NotFound (404) for a group, Conflict (409) for a name or route in use */
    create(wanted: NewFunction): RegisteredFunction {
      return change(() => get(rows.insert(check(wanted, undefined), now())));
    },

    /** @throws AppError as `create`, and NotFound (404) for the function */
    update(id: FunctionId, to: FunctionChange): RegisteredFunction {
      const updated = change(() => {
        const wanted: NewFunction = { ...get(id), keys: [...get(id).keys] };
        for (const [field, value] of Object.entries(to)) {
          if (value !== undefined) Object.assign(wanted, { [field]: value });
        }
        rows.update(id, check(wanted, id), now());
        return get(id);
      });
      onChange(id, false);
      return updated;
    },

    /** Deletes a function and its secrets; its files stay. @throws AppError NotFound (404) */
    delete(id: FunctionId): void {
      change(() => {
        if (!rows.delete(id)) throw notFound("function", id);
      });
      onChange(id, true);
    },

    /** The enabled function that answers; `path` is what follows `/run`. */
    match(method: string, path: string): Match<RegisteredFunction> {
      router ??= createRouter(rows.list().filter((row) => row.enabled).map(toFunction));
      return router.match(method, path);
    },
  };
}

/** `wanted` with the default for what it leaves open. */
function confinementOf(wanted: Partial<Confinement>): Confinement {
  const {
    permissions = DEFAULT_CONFINEMENT.permissions,
    secrets = DEFAULT_CONFINEMENT.secrets,
    isolation = DEFAULT_CONFINEMENT.isolation,
    timeoutMs = DEFAULT_CONFINEMENT.timeoutMs,
    memoryMb = DEFAULT_CONFINEMENT.memoryMb,
  } = wanted;
  return { permissions, secrets, isolation, timeoutMs, memoryMb };
}

function toFunction({ groups, confinement, ...row }: FunctionRow): RegisteredFunction {
  return { ...row, keys: groups, ...confinementOf(JSON.parse(confinement)) };
}
