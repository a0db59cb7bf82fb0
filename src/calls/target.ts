// Assembles what a call runs: the function's current code and settings, once for all calls with the same ones. Files are
// checked for edits once for all requests that arrive in one turn of the event loop, after all of them have arrived.

import type { Assets } from "../code/files/assets.ts";
import { codeOf } from "../code/modules/code.ts";
import type { ModuleGraph } from "../code/modules/imports.ts";
import type { RegisteredFunction } from "../core/functions/registry.ts";
import type { Target } from "../sandbox/host/pool.ts";
import type { Settings } from "../core/settings/settings.ts";
import type { KeyHolder } from "../store/access.ts";

/** Returns what a call runs. `holder` is the key that admitted it. */
export type Targets = (
  entry: RegisteredFunction,
  holder: KeyHolder | undefined,
  graph: ModuleGraph,
  assets: Assets,
) => Target;

/** Returns the version of the module graph that a target runs. */
export function codeVersionOf({ version }: Pick<Target, "version">): number {
  return Number.parseInt(version);
}

export function createTargets(settings: Settings): Targets {
  const made = new WeakMap<RegisteredFunction, { target: Target; parts: readonly unknown[] }>();

  return (entry, holder, graph, assets) => {
    const tenant = entry.isolation === "per-key" ? holder?.keyId ?? 0 : 0;
    const timeoutMs = entry.timeoutMs ?? settings.get("sandbox.timeout-ms");
    const memoryMb = entry.memoryMb ?? settings.get("sandbox.memory-mb");
    const denied = settings.get("sandbox.net.deny");
    const importHosts = settings.get("sandbox.import-hosts");
    const parts = [tenant, graph, assets, timeoutMs, memoryMb, denied, importHosts];
    const last = made.get(entry);
    if (last && parts.every((part, index) => part === last.parts[index])) return last.target;
    const { id, name, description, handler, route, methods, keys } = entry;
    const target: Target = {
      functionId: id,
      tenant,
      // codeVersionOf reads the first word.
      version: `${graph.version} ${assets.version} ${entry.updatedAt} ${memoryMb} ${denied}`,
      code: codeOf(graph, assets, { importHosts, net: entry.permissions.net, memoryMb }),
      route: { name, description, handler, route, methods, keys },
      timeoutMs,
      trialNet: entry.trial?.permissions?.net,
    };
    made.set(entry, { target, parts });
    return target;
  };
}

/** Resolves with the number of the turn when the turn ends, or at once if the server is not busy. */
export type NextTurn = () => Promise<number>;

/** `isBusy` reports whether waiting for other requests is worth more than continuing at once. */
export function createTurnBatch(isBusy: () => boolean): NextTurn {
  let number = 0;
  let current: Promise<number> | undefined;
  const end = (): number => {
    current = undefined;
    return ++number;
  };
  return () =>
    current ??= (isBusy() ? new Promise<void>((resolve) => setImmediate(resolve)) : Promise.resolve()).then(end);
}
