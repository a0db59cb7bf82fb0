// Determines whether functions can answer calls, as far as this is known without running them.

import { existsSync } from "node:fs";
import { join } from "node:path";
import type { FunctionId } from "../../ids.ts";
import type { Health } from "../../sandbox/host/health.ts";
import { slices } from "../../slices.ts";
import type { ModuleGraph } from "../modules/imports.ts";
import type { RegisteredFunction } from "../../core/functions/registry.ts";

export type { Health };

export const STATES = ["enabled", "disabled", "suspended", "broken"] as const;

export interface Condition {
  /**
   * `disabled`: calls get 404; `broken`: its handler is missing or cannot load, or its entry was altered; `suspended`:
   * its processes ended repeatedly, and calls get 503 until `until`.
   */
  readonly state: (typeof STATES)[number];
  /** A sentence; null if there is nothing to explain. */
  readonly reason: string | null;
  /** Milliseconds since 1970; set only for a suspended function. */
  readonly until?: number;
  /** Whether something other than this program altered its entry, so that it can only be deleted. */
  readonly isAltered?: true;
}

export interface Conditions {
  /** Returns what is known, and starts to determine what is not yet known of the code. */
  of(entry: RegisteredFunction): Condition;
  /** Determines what is not yet known of the code of these functions; resolves within a few seconds. */
  look(entries: readonly RegisteredFunction[]): Promise<void>;
  /**
   * Returns broken functions. `list` returns functions with an id above `after`, in order of id. If there are very many,
   * each call checks the next ones, and again those that were broken.
   */
  broken(
    list: (after: number, limit: number) => RegisteredFunction[],
  ): Promise<{ entry: RegisteredFunction; reason: string }[]>;
  /** Records problems of a version of a handler's code, found when it was saved or when a process loaded it. */
  found(handler: string, version: number, problems: readonly string[]): void;
}

export interface ConditionsOptions {
  /** Absolute. */
  readonly codeDir: string;
  readonly imports: {
    /** Returns the graph of a handler, if it is known and its files were not touched since. */
    current(handler: string): ModuleGraph | undefined;
    graph(handler: string): ModuleGraph | Promise<ModuleGraph>;
  };
  readonly health: (id: FunctionId) => Health;
  /** Reports whether something other than this program altered the function's entry. */
  readonly isAltered: (id: FunctionId) => boolean;
}

export const ALTERED_REASON =
  "Something other than this server altered its entry, so that calls get 404. Delete it and create it again.";

const LOOK_MAX_MS = 2_000;
/** Functions that one call of `broken` checks, which takes a few milliseconds. */
const SWEEP = 250;
/** Handlers whose problems are remembered. */
const FOUND_MAX = 10_000;

export function createConditions({ codeDir, imports, health, isAltered }: ConditionsOptions): Conditions {
  const findings = new Map<string, { version: number; problem: string | undefined }>();
  const looking = new Map<string, Promise<unknown>>();
  let queue: Promise<unknown> = Promise.resolve();
  const brokenIds = new Set<FunctionId>();
  let sweptTo = 0;

  /** Checks are sequential: a list of many functions must not keep the builders busy when a file is saved. */
  const look = (handler: string): Promise<unknown> => {
    let run = looking.get(handler);
    if (!run) {
      run = queue.then(() => imports.graph(handler)).catch(() => {}).finally(() => looking.delete(handler));
      looking.set(handler, run);
      queue = run;
    }
    return run;
  };

  const brokenReason = ({ handler }: RegisteredFunction): string | undefined => {
    if (!existsSync(join(codeDir, ...handler.split("/")))) return `There is no file ${handler}.`;
    const graph = imports.current(handler);
    if (!graph) {
      void look(handler);
      return undefined;
    }
    if (graph.problems.length > 0) return graph.problems[0];
    const found = findings.get(handler);
    return found?.version === graph.version ? found.problem : undefined;
  };

  const of = (entry: RegisteredFunction): Condition => {
    // For an altered entry, it is not known whether it is enabled.
    if (isAltered(entry.id)) return { state: "broken", reason: ALTERED_REASON, isAltered: true };
    if (!entry.enabled) return { state: "disabled", reason: null };
    const reason = brokenReason(entry);
    if (reason !== undefined) return { state: "broken", reason };
    const { suspendedUntil, lastDeath } = health(entry.id);
    if (suspendedUntil === undefined) return { state: "enabled", reason: null };
    return { state: "suspended", reason: lastDeath ?? null, until: suspendedUntil };
  };

  const lookAtAll = async (entries: readonly RegisteredFunction[]): Promise<void> => {
    const unknown: RegisteredFunction[] = [];
    const pause = slices();
    for (const entry of entries) {
      await pause();
      if (entry.enabled && !imports.current(entry.handler)) unknown.push(entry);
    }
    if (unknown.length === 0) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise((resolve) => timer = setTimeout(resolve, LOOK_MAX_MS));
    await Promise.race([Promise.all(unknown.map(({ handler }) => look(handler))), late]);
    clearTimeout(timer);
  };

  return {
    of,

    look: lookAtAll,

    async broken(list) {
      const next = list(sweptTo, SWEEP);
      const known = [...brokenIds].flatMap((id) => list(id - 1, 1)).filter(({ id }) => brokenIds.has(id));
      sweptTo = next.length < SWEEP ? 0 : next.at(-1)!.id;
      await lookAtAll(next);
      brokenIds.clear();
      const found = new Map<FunctionId, { entry: RegisteredFunction; reason: string }>();
      const pause = slices();
      for (const entry of [...known, ...next]) {
        await pause();
        const { state, reason } = of(entry);
        if (state !== "broken") continue;
        brokenIds.add(entry.id);
        found.set(entry.id, { entry, reason: reason! });
      }
      return [...found.values()];
    },

    found(handler, version, problems) {
      findings.delete(handler);
      findings.set(handler, { version, problem: problems[0] });
      if (findings.size > FOUND_MAX) findings.delete(findings.keys().next().value!);
    },
  };
}
