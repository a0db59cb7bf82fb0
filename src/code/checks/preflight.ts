// Checks code when it is saved: whether its imports are available, and whether it loads.

import type { Code } from "../../sandbox/process/process.ts";
import { type AssetFinder, type Assets, NO_ASSETS } from "../files/assets.ts";
import { codeOf, type ProcessLimits } from "../modules/code.ts";
import type { Conditions } from "./condition.ts";
import { HANDLER_EXTENSIONS } from "../../core/functions/file_paths.ts";
import type { Imports, ModuleGraph } from "../modules/imports.ts";
import type { LoadChecker, LoadOutcome } from "./load_check.ts";
import { nativeSentence } from "../packages/native_packages.ts";
import type { RegisteredFunction, Registry } from "../../core/functions/registry.ts";

/** Sentences for the author. */
export interface Findings {
  /** Problems that prevent the code from running. */
  readonly problems: string[];
  /** What could not be determined, or may not prevent it from running. */
  readonly warnings: string[];
}

export interface Preflight {
  /** Checks the saved file at `path`, and handlers that import it. */
  file(path: string): Promise<Findings>;
  /** Checks the handler of a function that was created or changed. */
  handler(entry: RegisteredFunction): Promise<Findings>;
  /** Loads a possible new graph of a function's handler. */
  trial(graph: ModuleGraph, entry: RegisteredFunction): Promise<Findings>;
}

export interface PreflightOptions {
  readonly imports: Imports;
  readonly assets: AssetFinder;
  readonly loads: LoadChecker;
  readonly registry: Pick<Registry, "get" | "handledBy">;
  readonly conditions: Pick<Conditions, "found">;
  /** Returns the current settings. */
  readonly limits: () => Pick<ProcessLimits, "importHosts" | "memoryMb">;
}

/** Handlers that are checked because a file that they import was saved. */
const IMPORTERS_MAX = 8;
const nothing = (): Findings => ({ problems: [], warnings: [] });

export function createPreflight(options: PreflightOptions): Preflight {
  const { imports, assets, loads, registry, conditions, limits } = options;

  /** Loads a graph; `entries` are the functions that use it. */
  const load = async (
    graph: ModuleGraph,
    entries: readonly RegisteredFunction[],
    subject: string,
  ): Promise<{ outcome: LoadOutcome; findings: Findings }> => {
    const defaults = limits();
    // If the function with the least memory can load it, all can.
    const memoryMb = Math.min(...entries.map((entry) => entry.memoryMb ?? defaults.memoryMb));
    const readable = await assetsOf(entries);
    const code: Code = codeOf(graph, readable, {
      ...defaults,
      net: false,
      memoryMb: entries.length > 0 ? memoryMb : defaults.memoryMb,
    });
    const outcome = await loads.check(code);
    const problems = readable.problem === undefined ? [] : [`The patterns of its files ${readable.problem}.`];
    // Most packages with native code work without it; the others fail now.
    if (outcome.kind === "failed") problems.push(...graph.native.map(nativeSentence));
    const found = findingsOf(outcome, entries.length > 0, subject);
    return { outcome, findings: joined([{ problems, warnings: [] }, found]) };
  };

  /** Checks a file; `entries` are the functions that have it as their handler. */
  const look = async (path: string, entries: readonly RegisteredFunction[], subject: string): Promise<Findings> => {
    const { problems, warnings } = await imports.prepare(path);
    // Loading would fail for the same reasons.
    if (problems.length > 0) return { problems, warnings };
    const graph = await imports.graph(path);
    const { outcome, findings } = await load(graph, entries, subject);
    // Code that needs the network, or more time, may load when it is called.
    if (entries.length > 0 && !["late", "network", "unchecked"].includes(outcome.kind)) {
      conditions.found(path, graph.version, findings.problems);
    }
    return joined([{ problems, warnings }, findings]);
  };

  const assetsOf = async (entries: readonly RegisteredFunction[]): Promise<Assets> => {
    const all = await Promise.all(entries.map(({ files }) => assets.of(files)));
    return {
      ...NO_ASSETS,
      files: all.flatMap(({ files }) => files),
      problem: all.find(({ problem }) => problem !== undefined)?.problem,
    };
  };

  const entriesOf = (path: string): RegisteredFunction[] => registry.handledBy(path).map(({ id }) => registry.get(id));

  const importers = async (path: string): Promise<Findings[]> => {
    const handlers = imports.importers(path).map((handler) => ({ handler, entries: entriesOf(handler) }))
      .filter(({ entries }) => entries.length > 0).slice(0, IMPORTERS_MAX);
    return await Promise.all(
      handlers.map(({ handler, entries }) => look(handler, entries, `${handler}, which imports it,`)),
    );
  };

  return {
    async file(path) {
      const own = isCode(path) ? await look(path, entriesOf(path), "The module") : nothing();
      // Those would report the same again.
      return own.problems.length > 0 ? own : joined([own, ...await importers(path)]);
    },

    handler: (entry) => look(entry.handler, [entry], "The handler"),

    trial: async (graph, entry) => (await load(graph, [entry], entry.handler)).findings,
  };
}

/** Reports whether a file can be loaded as a module. */
function isCode(path: string): boolean {
  return HANDLER_EXTENSIONS.some((extension) => path.endsWith(extension)) && !/\.d\.m?ts$/.test(path);
}

function findingsOf(outcome: LoadOutcome, isHandler: boolean, subject: string): Findings {
  switch (outcome.kind) {
    case "loads":
    case "unchecked":
      return nothing();
    case "no-handler":
      return isHandler ? { problems: [`${subject} cannot answer calls: ${outcome.text}`], warnings: [] } : nothing();
    case "failed":
      return { problems: [`${subject} does not load: ${outcome.text}`], warnings: [] };
    case "network":
      return { problems: [], warnings: [`${subject} does not load without network: ${outcome.text}`] };
    case "late":
      return { problems: [], warnings: [`It is not known whether ${lower(subject)} loads. ${outcome.text}`] };
  }
}

/** Returns a subject that begins a sentence in the form that it has within one. */
function lower(subject: string): string {
  return subject.replace(/^The /, "the ");
}

function joined(all: readonly Findings[]): Findings {
  return {
    problems: [...new Set(all.flatMap(({ problems }) => problems))],
    warnings: [...new Set(all.flatMap(({ warnings }) => warnings))],
  };
}
