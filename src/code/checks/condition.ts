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
   * each call checks the next ones, and again those that were broken. Once all were checked, the result is kept until a
   * function or a file changes, for a minute at most.
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
  /** Returns parts of the database that conditions depend on; each is another object once it has changed. */
  readonly stored: () => readonly unknown[];
  /** Reports whether the code folder is known not to have changed since `at`, by the clock of `performance.now()`. */
  readonly isCodeUnchangedSince: (at: number) => boolean;
}

/** Functions that were found broken, and what that depends on. */
interface Sweep {
  /** When it began, by the clock of `performance.now()`. */
  readonly at: number;
  readonly stored: readonly unknown[];
}

export const ALTERED_REASON =
  "Something other than this server altered its entry, so that calls get 404. Delete it and create it again.";

const LOOK_MAX_MS = 2_000;
/** Functions that one call of `broken` checks, which takes a few milliseconds. */
const SWEEP = 250;
/** How long a result is kept: no event reports that another program altered an entry, or removed a package. */
const KEPT_MS = 60_000;
/** Handlers whose problems are remembered. */
const FOUND_MAX = 10_000;

export function createConditions(options: ConditionsOptions): Conditions {
  return new ConditionService(options);
}

class ConditionService implements Conditions {
  readonly #codeDir: string;
  readonly #imports: {
    current(handler: string): ModuleGraph | undefined;
    graph(handler: string): ModuleGraph | Promise<ModuleGraph>;
  };
  readonly #health: (id: FunctionId) => Health;
  readonly #isAltered: (id: FunctionId) => boolean;
  readonly #findings = new Map<string, { version: number; problem: string | undefined }>();
  readonly #looking = new Map<string, Promise<unknown>>();
  #queue: Promise<unknown> = Promise.resolve();
  readonly #brokenIds = new Set<FunctionId>();
  #sweptTo = 0;
  /** The sweep that is under way, from the first function on; undefined if it met what is not known yet. */
  #sweep: Sweep | undefined;
  /** The last sweep over all functions, with its result. */
  #kept: Sweep & { readonly found: readonly { entry: RegisteredFunction; reason: string }[] } | undefined;
  readonly #stored: ConditionsOptions["stored"];
  readonly #isCodeUnchangedSince: ConditionsOptions["isCodeUnchangedSince"];

  constructor({ codeDir, imports, health, isAltered, stored, isCodeUnchangedSince }: ConditionsOptions) {
    this.#codeDir = codeDir;
    this.#imports = imports;
    this.#health = health;
    this.#isAltered = isAltered;
    this.#stored = stored;
    this.#isCodeUnchangedSince = isCodeUnchangedSince;
  }

  of(entry: RegisteredFunction): Condition {
    // For an altered entry, it is not known whether it is enabled.
    if (this.#isAltered(entry.id)) return { state: "broken", reason: ALTERED_REASON, isAltered: true };
    if (!entry.enabled) return { state: "disabled", reason: null };
    const reason = this.#brokenReason(entry);
    if (reason !== undefined) return { state: "broken", reason };
    const { suspendedUntil, lastDeath } = this.#health(entry.id);
    if (suspendedUntil === undefined) return { state: "enabled", reason: null };
    return { state: "suspended", reason: lastDeath ?? null, until: suspendedUntil };
  }

  look(entries: readonly RegisteredFunction[]): Promise<void> {
    return this.#lookAtAll(entries);
  }

  async broken(
    list: (after: number, limit: number) => RegisteredFunction[],
  ): Promise<{ entry: RegisteredFunction; reason: string }[]> {
    if (this.#kept && this.#isValid(this.#kept)) return [...this.#kept.found];
    if (this.#sweptTo === 0) this.#sweep = { at: performance.now(), stored: this.#stored() };
    const sweep = this.#sweep;
    const next = list(this.#sweptTo, SWEEP);
    const known = [...this.#brokenIds].flatMap((id) => list(id - 1, 1)).filter(({ id }) => this.#brokenIds.has(id));
    const isLast = next.length < SWEEP;
    this.#sweptTo = isLast ? 0 : next.at(-1)!.id;
    await this.#lookAtAll(next);
    this.#brokenIds.clear();
    const found = new Map<FunctionId, { entry: RegisteredFunction; reason: string }>();
    const pause = slices();
    for (const entry of [...known, ...next]) {
      await pause();
      const { state, reason } = this.of(entry);
      if (state !== "broken") continue;
      this.#brokenIds.add(entry.id);
      found.set(entry.id, { entry, reason: reason! });
    }
    const sorted = [...found.values()].sort((a, b) => a.entry.id - b.entry.id);
    // Another call may have begun a sweep meanwhile, or something may have ended this one.
    if (isLast && sweep && sweep === this.#sweep) this.#kept = { ...sweep, found: sorted };
    return sorted;
  }

  #isValid(sweep: Sweep): boolean {
    return performance.now() - sweep.at < KEPT_MS && this.#isSame(sweep) && this.#isCodeUnchangedSince(sweep.at);
  }

  #isSame({ stored }: Sweep): boolean {
    return this.#stored().every((part, index) => part === stored[index]);
  }

  found(handler: string, version: number, problems: readonly string[]): void {
    const before = this.#findings.get(handler);
    const isNews = problems[0] !== before?.problem || problems[0] !== undefined && version !== before?.version;
    if (isNews) this.#sweep = this.#kept = undefined;
    this.#findings.delete(handler);
    this.#findings.set(handler, { version, problem: problems[0] });
    if (this.#findings.size > FOUND_MAX) this.#findings.delete(this.#findings.keys().next().value!);
  }

  /** Checks are sequential: a list of many functions must not keep the builders busy when a file is saved. */
  #look(handler: string): Promise<unknown> {
    let run = this.#looking.get(handler);
    if (!run) {
      run = this.#queue.then(() => this.#imports.graph(handler)).catch(() => {}).finally(() =>
        this.#looking.delete(handler)
      );
      this.#looking.set(handler, run);
      this.#queue = run;
    }
    return run;
  }

  #brokenReason({ handler }: RegisteredFunction): string | undefined {
    if (!existsSync(join(this.#codeDir, ...handler.split("/")))) return `There is no file ${handler}.`;
    const graph = this.#imports.current(handler);
    if (!graph) {
      this.#sweep = undefined;
      void this.#look(handler);
      return undefined;
    }
    if (graph.problems.length > 0) return graph.problems[0];
    const found = this.#findings.get(handler);
    return found?.version === graph.version ? found.problem : undefined;
  }

  async #lookAtAll(entries: readonly RegisteredFunction[]): Promise<void> {
    const unknown: RegisteredFunction[] = [];
    const pause = slices();
    for (const entry of entries) {
      await pause();
      if (entry.enabled && !this.#imports.current(entry.handler)) unknown.push(entry);
    }
    if (unknown.length === 0) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise((resolve) => timer = setTimeout(resolve, LOOK_MAX_MS));
    await Promise.race([Promise.all(unknown.map(({ handler }) => this.#look(handler))), late]);
    clearTimeout(timer);
  }
}
