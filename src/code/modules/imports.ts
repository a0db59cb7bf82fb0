// Maintains the module graphs of handlers: a builder process (`deno info`, `deno cache`) finds and fetches modules
// without running them, and files are watched for edits. Sandboxes never fetch anything.

import { basename, dirname, join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { type Builder, type BuilderFolder, causeOf, configFlags } from "./builder.ts";
import { readInfoAside } from "./info_aside.ts";
import type { SourceFinder } from "../files/assets.ts";
import { whyNotImportable } from "../files/importable.ts";
import type { CodeConfig, KeptContent } from "../../sandbox/process/sandbox_dir.ts";
import type { ModuleGraphCache } from "./module_graph_cache.ts";
import {
  cutLock,
  type Lock,
  type LockRoots,
  lockText,
  mergeLocks,
  nameOf,
  newestLocked,
  parseLock,
  specifierOf,
} from "../packages/lock.ts";
import type { ModuleCache } from "../packages/module_cache.ts";
import { isRemote, packageFolders } from "./module_info.ts";
import { isHopeless, nativePackages, nativeSentence } from "../packages/native_packages.ts";
import { type FetchedPackage, isThere, openToSandboxes } from "../packages/package_files.ts";
import type { PackageLocks } from "../packages/package_locks.ts";
import { sha256Of } from "../../sha256.ts";
import { slices } from "../../slices.ts";
import { findProjectGraph, type ProjectGraph, reach } from "./project_graph.ts";

/** The code of one handler at one moment. */
export interface ModuleGraph {
  /** Changes with any file and with any version of a package. */
  readonly version: number;
  /** `file:` URL of the handler. */
  readonly entry: string;
  /** Absolute paths of all local modules, the handler first. */
  readonly files: readonly string[];
  /** What reads the contents of all of them, in the same order; empty if not all are kept. */
  readonly sources: readonly KeptContent[];
  /** Whether anything remote was fetched. */
  readonly remote: boolean;
  /** Text of the lock file: the versions of what this graph imports, and nothing else. Undefined if it fetches nothing. */
  readonly lock: string | undefined;
  /** Config files for the folder that contains `code/`; undefined if none are needed. */
  readonly config: CodeConfig | undefined;
  /** Folders of the module cache with all direct and indirect packages. */
  readonly packages: readonly string[];
  /** The npm packages in use, each with its folder, which its code may read. */
  readonly npm: readonly FetchedPackage[];
  /** Names of packages with native code, except optional ones. */
  readonly native: readonly string[];
  /** Problems that prevent the handler, or a part of it, from loading; sentences for its author. */
  readonly problems: readonly string[];
  /** Problems that may be harmless; sentences for its author. */
  readonly warnings: readonly string[];
}

export interface ImportsOptions {
  /** Absolute and real. */
  readonly codeDir: string;
  readonly locks: PackageLocks;
  readonly cache: ModuleCache;
  /** A module that every sandbox loads; its packages are in each lock, too. */
  readonly bootstrap: string;
  /** The hono that every sandbox loads, with its exact version, such as `npm:hono@4.13.19`. */
  readonly hono: string;
  readonly builder: Builder;
  /** Whether sandboxes run as other users, which must be able to read the module cache. */
  readonly ownUsers: boolean;
  readonly importHosts: () => readonly string[];
  readonly kept: ModuleGraphCache;
  readonly sourceOf: SourceFinder;
}

/** A handler's graph with another lock. */
export interface Trial {
  readonly handler: string;
  readonly graph: ModuleGraph;
  readonly known: Known;
  /** The lock that is stored. */
  readonly before: string | undefined;
}

export interface Imports {
  /**
   * Returns the graph of the handler at `path` in the code folder; immediately if it is known and none of its files was
   * touched since. Each call checks the files, so that an edit takes effect as soon as it is written. Calls with the
   * same `turn` share one check, which is made after all of them arrived. A graph of many files is checked in slices,
   * once for all calls that arrived before the check.
   */
  graph(path: string, turn?: number): ModuleGraph | Promise<ModuleGraph>;
  /**
   * Returns the graph of the handler at `path` if it is known and no file was touched since; never builds one. For a
   * graph of many files, an edit within the last second may be missed, and the graph is unknown if it was not used then.
   */
  current(path: string): ModuleGraph | undefined;
  /**
   * Returns the graphs of those of these handlers that have a file; builds what is not known. Each file is checked once
   * for all of them. A handler whose graph cannot be built is left out.
   */
  graphs(handlers: Iterable<string>): Promise<Map<string, ModuleGraph>>;
  /** Fetches what the module at `path` imports, after it was saved; returns what cannot be fetched. */
  prepare(path: string): Promise<{ problems: string[]; warnings: string[] }>;
  /** Builds a handler's graph with this lock; stores nothing. */
  trial(path: string, lock: Lock): Promise<Trial>;
  /** Makes trials the current graphs of their handlers: all of them or none. See `PackageLocks.replace`. */
  adopt(trials: readonly Trial[], name: string | undefined, also: () => void): Promise<void>;
  /** Returns the ids of the npm packages of all known graphs. */
  packages(): Set<string>;
  /** Forgets the graphs of these handlers. */
  forget(handlers: readonly string[]): void;
  /** Forgets those of these handlers whose stored lock is another one than their graph's. */
  locksChanged(handlers: readonly string[]): void;
  /**
   * Returns the imports of a copy of the code folder, which stores locks in `locks` and nothing else. Its handlers have
   * the same paths.
   */
  ofCopy(codeDir: string, locks: PackageLocks): ImportsOfCopy;
  /** Returns the known modules that depend on the file at `path`, also if it was missing. */
  importers(path: string): string[];
  /** Returns, for those of these files that modules of this process depend on, these modules; in one look. */
  importersOfEach(paths: readonly string[]): Map<string, string[]>;
}

export interface ImportsOfCopy extends Imports {
  /**
   * Makes the graphs of these handlers the current ones of the code folder; called when its files are as in the copy.
   * Returns the new versions of the graphs.
   */
  install(handlers: readonly string[]): Map<string, number>;
}

const PROBLEM_MAX_LENGTH = 500;
/** Replaces an empty list, which the builder rejects: a name that no host has (RFC 6761, 6.4). */
const NO_HOST = "none.invalid";
/** Searches repeated because something was written meanwhile; a file that constantly changes must not block. */
const LOOKS_MAX = 6;
/** The files of larger graphs are checked a few at a time: each takes a few microseconds. */
const AT_ONCE_MAX = 50;
/** How long `current` trusts the last check of such a graph. */
const LOOKED_LATELY_MS = 1_000;

export interface Known {
  graph: ModuleGraph;
  /** State of each file that the graph depends on, including missing ones. */
  states: Map<string, string>;
  importHosts: readonly string[];
  /** Whether a file or a lock may have been written after the builder started to read. */
  touchedMeanwhile: boolean;
  /** Files of the module cache that must exist. */
  fetched: readonly string[];
  /** The last turn in which no file was found to have changed. */
  currentIn?: number | undefined;
  /** When no file was last found to have changed, by `performance.now()`. */
  currentAt?: number | undefined;
}

/** The remote part of a graph. */
interface Fetched {
  readonly lock: string | undefined;
  readonly npm: readonly FetchedPackage[];
  readonly native: readonly string[];
  /** Files of the module cache that must exist. */
  readonly files: readonly string[];
  readonly problems: readonly string[];
  /** Whether the handler's lock was changed by another request meanwhile. */
  readonly isStale: boolean;
}

const NOTHING_FETCHED: Fetched = {
  lock: undefined,
  npm: [],
  native: [],
  files: [],
  problems: [],
  isStale: false,
};

export function createImports(options: ImportsOptions): Imports {
  return new ImportService(options);
}

/** For graphs that only one deployment uses. */
const NOT_KEPT: ModuleGraphCache = { find: () => undefined, put() {}, remove() {}, consistingOf: () => [] };

class ImportService implements Imports {
  readonly #options: ImportsOptions;
  readonly #codeDir: string;
  readonly #locks: PackageLocks;
  readonly #moduleCache: ModuleCache;
  readonly #bootstrap: string;
  readonly #hono: string;
  readonly #builder: Builder;
  readonly #importHosts: () => readonly string[];
  readonly #kept: ModuleGraphCache;
  readonly #known = new Map<string, Known>();
  readonly #underWay = new Map<string, Promise<ModuleGraph>>();
  readonly #base: string;
  readonly #honoJsx: string;
  #lastVersion = 0;
  #workersLock: Promise<Lock> | undefined;
  readonly #sharedWorkersLock: (() => Promise<Lock>) | undefined;
  /** Checks of large graphs in progress, and the next ones for calls that arrived meanwhile. */
  readonly #looks = new Map<string, { now: Promise<ModuleGraph>; next?: Promise<ModuleGraph> }>();

  /** `workersLock` returns the lock of the workers if another instance may know it. */
  constructor(options: ImportsOptions, workersLock?: () => Promise<Lock>) {
    this.#options = options;
    this.#sharedWorkersLock = workersLock;
    ({
      codeDir: this.#codeDir,
      locks: this.#locks,
      cache: this.#moduleCache,
      bootstrap: this.#bootstrap,
      hono: this.#hono,
      builder: this.#builder,
      importHosts: this.#importHosts,
      kept: this.#kept,
    } = options);
    this.#base = pathToFileURL(this.#codeDir).href + "/";
    this.#honoJsx = `${this.#hono}/jsx`;
  }

  graph(path: string, turn?: number): ModuleGraph | Promise<ModuleGraph> {
    const current = this.#found(path);
    if (!current) return this.#lookFor(path);
    if (turn !== undefined && turn === current.currentIn) return current.graph;
    if (this.#isLarge(current)) return this.#lookInSlices(path);
    return this.#isCurrent(current) ? this.#trust(path, current, turn) : this.#lookFor(path);
  }

  current(path: string): ModuleGraph | undefined {
    const current = this.#known.get(path) ?? this.#recall(path);
    if (!current) return undefined;
    if (this.#isLarge(current)) {
      const isLately = performance.now() - (current.currentAt ?? -Infinity) < LOOKED_LATELY_MS;
      return isLately ? current.graph : undefined;
    }
    return this.#isCurrent(current) ? this.#trust(path, current) : undefined;
  }

  async graphs(handlers: Iterable<string>): Promise<Map<string, ModuleGraph>> {
    const look = newLook();
    const pause = slices();
    const graphs = new Map<string, ModuleGraph>();
    const unknown: string[] = [];
    for (const handler of new Set(handlers)) {
      await pause();
      if (!look.exists(this.#fileOf(handler))) continue;
      const found = this.#found(handler);
      if (found && this.#isCurrent(found, look.state)) graphs.set(handler, this.#trust(handler, found));
      else unknown.push(handler);
    }
    // Calls of the function report why there is none.
    const built = await Promise.allSettled(unknown.map((handler) => this.graph(handler)));
    for (const [index, one] of built.entries()) {
      if (one.status === "fulfilled") graphs.set(unknown[index]!, one.value);
    }
    return graphs;
  }

  async prepare(path: string): Promise<{ problems: string[]; warnings: string[] }> {
    await this.#underWay.get(path);
    const { problems, warnings, native } = await this.graph(path);
    const hopeless = native.filter(isHopeless).map(nativeSentence);
    return { problems: [...hopeless, ...problems], warnings: [...warnings] };
  }

  async trial(path: string, lock: Lock): Promise<Trial> {
    const before = this.#locks.find(path);
    const known = await this.#inspectOnce(path, lock);
    return { handler: path, graph: known.graph, known, before };
  }

  async adopt(trials: readonly Trial[], name: string | undefined, also: () => void): Promise<void> {
    const changes = trials.map(({ handler, before, graph }) => ({ handler, before, after: graph.lock! }));
    await this.#locks.replace(changes, name, also);
    for (const { handler, known: trial } of trials) {
      this.#known.set(handler, trial);
      this.#keep(handler, trial);
    }
  }

  packages(): Set<string> {
    return new Set([...this.#known.values()].flatMap(({ graph }) => graph.npm.map(({ id }) => id)));
  }

  forget(handlers: readonly string[]): void {
    for (const handler of handlers) {
      this.#known.delete(handler);
      this.#kept.remove(handler);
    }
  }

  locksChanged(handlers: readonly string[]): void {
    this.forget(handlers.filter((handler) => {
      const lock = this.#known.get(handler)?.graph.lock;
      return lock !== undefined && lock !== this.#locks.find(handler);
    }));
  }

  ofCopy(codeDir: string, locks: PackageLocks): ImportsOfCopy {
    const options = { ...this.#options, codeDir, locks, kept: NOT_KEPT, sourceOf: () => undefined };
    return new CopiedImports(options, this, () => this.#lockOfWorkers());
  }

  /** Takes over what the imports of a copy found. */
  takeOver(handler: string, { graph, states, ...rest }: Known, copyDir: string): number {
    const moved = (path: string) => join(this.#codeDir, relative(copyDir, path));
    const version = ++this.#lastVersion;
    const known: Known = {
      ...rest,
      states: new Map([...states.keys()].map((path) => [moved(path), stateOf(moved(path))])),
      graph: {
        ...graph,
        version,
        entry: pathToFileURL(this.#fileOf(handler)).href,
        files: graph.files.map(moved),
      },
    };
    this.#findSources(known);
    this.#known.set(handler, known);
    this.#keep(handler, known);
    return version;
  }

  /** Returns what was found of a handler, if anything was. */
  knownOf(handler: string): Known | undefined {
    return this.#known.get(handler);
  }

  importers(path: string): string[] {
    const file = this.#fileOf(path);
    const current = [...this.#known].filter(([, { states }]) => states.has(file)).map(([handler]) => handler);
    return [...new Set([...current, ...this.#kept.consistingOf(file)])]
      .filter((handler) => handler !== path && stateOf(this.#fileOf(handler)) !== "missing");
  }

  importersOfEach(paths: readonly string[]): Map<string, string[]> {
    const wanted = new Map(paths.map((path) => [this.#fileOf(path), path]));
    const found = new Map<string, string[]>();
    for (const [handler, { states }] of this.#known) {
      for (const file of states.keys()) {
        const path = wanted.get(file);
        if (path === undefined || path === handler) continue;
        const known = found.get(path);
        if (known) known.push(handler);
        else found.set(path, [handler]);
      }
    }
    return found;
  }

  #fileOf(handler: string): string {
    return join(this.#codeDir, ...handler.split("/"));
  }

  /** The imports of the workers; determined once. */
  #lockOfWorkers(): Promise<Lock> {
    if (this.#sharedWorkersLock) return this.#sharedWorkersLock();
    return this.#workersLock ??= (async () => {
      await using folder = await this.#builder.folder();
      const lock = join(folder.path, "lock");
      const { success, stderr } = await this.#builder.remote("cache", "--no-config", `--lock=${lock}`, this.#bootstrap);
      if (!success) throw new Error(causeOf(stderr));
      return parseLock(await Deno.readTextFile(lock));
    })().catch((error) => {
      // It may be available the next time.
      this.#workersLock = undefined;
      throw error;
    });
  }

  /** Uses `trial` as the lock instead of the handler's own, and then stores nothing. */
  async #inspectOnce(handler: string, trial?: Lock): Promise<Known> {
    const hosts = this.#importHosts();
    const file = this.#fileOf(handler);
    await timesDiffer(file);
    const began = Date.now();
    await using folder = await this.#builder.folder();
    const project = await findProjectGraph(file, {
      codeDir: this.#codeDir,
      builder: this.#builder,
      folder,
      importHosts: hosts,
      known: (name) => newestLocked(this.#locks.starting(handler), name),
      honoJsx: this.#honoJsx,
    });
    const reached = reach(project.modules);
    const fetched = reached.types
      ? await this.#moduleCache.fetching(() => this.#fetchRemote(handler, file, project, folder, hosts, trial))
      : NOTHING_FETCHED;
    const { map, modules } = project;
    const { code: remote } = reached;
    // A missing handler is still passed on: the import reports it.
    const files: string[] = [];
    const pause = slices();
    for (const path of new Set([file, ...modules.files, ...modules.broken.map(({ path }) => path)])) {
      await pause();
      if (whyNotImportable(path, this.#codeDir) === undefined) files.push(path);
    }
    const states = new Map<string, string>();
    let touchedMeanwhile = fetched.isStale;
    for (const path of project.looked) {
      await pause();
      states.set(path, stateOf(path));
      touchedMeanwhile ||= modifiedSince(path, began);
    }
    return {
      states,
      importHosts: hosts,
      touchedMeanwhile,
      fetched: fetched.files,
      graph: {
        version: ++this.#lastVersion,
        entry: pathToFileURL(file).href,
        files,
        sources: [],
        remote,
        lock: remote ? fetched.lock : undefined,
        config: map.isEmpty ? undefined : map.files("./code/", this.#honoJsx),
        packages: packageFolders(fetched.npm.map(({ folder }) => folder)),
        npm: fetched.npm,
        native: fetched.native,
        problems: shortened([...project.problems, ...remote ? fetched.problems : []]),
        // Types that are not available do not prevent the code from running.
        warnings: shortened(remote ? [] : fetched.problems),
      },
    };
  }

  /** Fetches the remote part of a graph. Its lock is stored once everything was fetched. */
  async #fetchRemote(
    handler: string,
    file: string,
    { map, modules, problems: ownProblems }: ProjectGraph,
    folder: BuilderFolder,
    hosts: readonly string[],
    trial: Lock | undefined,
  ): Promise<Fetched> {
    const entry = pathToFileURL(file).href;
    const before = this.#locks.find(handler);
    const specifiers = new Set(modules.imports.map(({ target }) => target ?? "").filter(isRemote).map(specifierOf));
    const lock = await folder.write("lock", lockText(trial ?? this.#locks.starting(handler, specifiers)));
    const flags = await configFlags(folder, map.files(this.#base, this.#honoJsx));
    const common = [...flags, `--lock=${lock}`, `--allow-import=${hosts.join(",") || NO_HOST}`];
    const info = await this.#builder.remote("info", ...common, entry);
    const named = [...specifiers].map(nameOf).filter(isHopeless);
    if (!info.success) return { ...NOTHING_FETCHED, native: named, problems: [this.#readable(causeOf(info.stderr))] };
    const found = await readInfoAside(info.stdout, entry);
    const isFetched = (id: string): boolean => isThere(found.npmFolders.get(id) ?? "");
    const workers = await this.#lockOfWorkers();
    const roots: LockRoots = { npm: found.npm, modules: found.remote, isFetched };
    await Deno.writeTextFile(lock, lockText(mergeLocks(cutLock(await readLock(lock), roots), workers)));
    const cache = await this.#builder.remote("cache", ...common, entry);
    const problems = found.remoteErrors.map(({ error }) => this.#readable(error));
    // Problems of the code itself are already known, and would stop Deno with its own message.
    if (!cache.success && problems.length === 0 && ownProblems.length === 0) {
      problems.push(this.#readable(causeOf(cache.stderr)));
    }
    const whole = await readLock(lock);
    // A sandbox starts only if everything in its lock was fetched.
    const complete = cutLock(whole, {
      npm: [...roots.npm, ...Object.keys(workers.npm)],
      modules: [...roots.modules, ...Object.keys(workers.specifiers)],
      isFetched: (id) => id in workers.npm || isFetched(id),
    });
    // A lock that was stored before names the workers' packages, which are not the handler's.
    const own = cutLock(whole, roots).npm;
    const npm = Object.keys(own).map((id) => ({ id, folder: found.npmFolders.get(id) ?? "" }))
      .filter(({ folder }) => isThere(folder));
    const folders = npm.map(({ folder }) => folder);
    if (this.#options.ownUsers) await openToSandboxes(folders);
    const native = [...new Set([...named, ...nativePackages(complete, found.npm, (id) => found.npmFolders.get(id))])];
    await this.#moduleCache.claim(Object.keys(complete.npm));
    const text = lockText(complete);
    // Only complete packages are stored, so that no other function gets a version that is not available.
    const isStored = !trial && cache.success && problems.length === 0;
    const isStale = isStored
      ? !await this.#locks.putAfter(handler, before, text)
      : this.#locks.find(handler) !== before;
    return { lock: text, npm, native, files: [...folders, ...found.cached], problems, isStale };
  }

  #readable(text: string): string {
    return text.replaceAll(this.#base, "").replace(
      /Requires import access to "([^"]+)", run again with the --allow-import flag\.?/,
      'Modules of "$1" may not be imported; the setting sandbox.import-hosts names the hosts.',
    );
  }

  async #inspect(handler: string): Promise<ModuleGraph> {
    const stale = this.#known.get(handler);
    let next = await this.#inspectOnce(handler);
    // Files that were saved while the builder may have been reading them are read again.
    for (let look = 1; look < LOOKS_MAX && next.touchedMeanwhile; look++) next = await this.#inspectOnce(handler);
    if (stale && sameCode(stale, next)) next = { ...next, graph: stale.graph };
    next.currentAt = performance.now();
    this.#findSources(next);
    this.#known.set(handler, next);
    this.#keep(handler, next);
    return next.graph;
  }

  #keep(handler: string, { graph, states, touchedMeanwhile, fetched }: Known): void {
    if (graph.problems.length > 0 || touchedMeanwhile) return this.#kept.remove(handler);
    const { files, remote, lock, config, npm, native, warnings } = graph;
    this.#kept.put(handler, {
      lock: lock === undefined ? null : sha256Of(lock),
      files,
      states: [...states],
      remote,
      config,
      npm,
      native,
      warnings,
      fetched,
      workers: this.#bootstrap,
    });
  }

  /** Returns what an earlier process found, whether or not a file was touched since. */
  #recall(handler: string): Known | undefined {
    const found = this.#kept.find(handler);
    const file = this.#fileOf(handler);
    // The graph may be of another code folder with a handler at the same path, or of an older version's workers.
    if (found?.files[0] !== file || found.workers !== this.#bootstrap) return undefined;
    const { files, states, remote, config, npm, native, warnings, fetched } = found;
    const lock = remote ? this.#locks.find(handler) : undefined;
    if ((remote && lock === undefined) || !fetched.every(isThere)) return undefined;
    // Another node of a cluster may have changed it since.
    if (lock !== undefined && found.lock !== undefined && found.lock !== sha256Of(lock)) return undefined;
    return {
      graph: {
        version: ++this.#lastVersion,
        entry: pathToFileURL(file).href,
        files,
        sources: [],
        remote,
        lock,
        config,
        packages: packageFolders(npm.map(({ folder }) => folder)),
        npm,
        native,
        problems: [],
        warnings,
      },
      states: new Map(states),
      importHosts: this.#importHosts(),
      touchedMeanwhile: false,
      fetched,
    };
  }

  /** Returns what is known of a handler, from this process or an earlier one, unless it is being built. */
  #found(handler: string): Known | undefined {
    return this.#known.get(handler) ?? (this.#underWay.has(handler) ? undefined : this.#recall(handler));
  }

  #isCurrent({ states, importHosts: hosts }: Known, look = stateOf): boolean {
    if (hosts !== this.#importHosts()) return false;
    for (const [path, state] of states) if (look(path) !== state) return false;
    return true;
  }

  async #isCurrentInSlices({ states, importHosts: hosts }: Known): Promise<boolean> {
    const pause = slices();
    for (const [path, state] of states) {
      await pause();
      if (stateOf(path) !== state) return false;
    }
    return hosts === this.#importHosts();
  }

  #isLarge({ states }: Known): boolean {
    return states.size > AT_ONCE_MAX;
  }

  #lookFor(path: string): Promise<ModuleGraph> {
    let run = this.#underWay.get(path);
    if (!run) {
      run = this.#inspect(path).finally(() => this.#underWay.delete(path));
      this.#underWay.set(path, run);
    }
    return run;
  }

  /**
   * Finds where the contents of a graph are kept, when its files are known to be as in the graph: from then on, no change
   * of the code folder mixes old and new files in a process.
   */
  #findSources(known: Known): void {
    const { graph, states } = known;
    const sources: KeptContent[] = [];
    for (const file of graph.files) {
      const source = this.#options.sourceOf(file, states.get(file) ?? "missing");
      // It was edited, and its new content is not kept yet.
      if (source === undefined) return;
      sources.push(source);
    }
    known.graph = { ...graph, sources };
  }

  /** Records that a graph was found unchanged. */
  #trust(path: string, current: Known, turn?: number): ModuleGraph {
    if (current.graph.sources.length === 0) this.#findSources(current);
    this.#known.set(path, current);
    current.currentIn = turn;
    current.currentAt = performance.now();
    return current.graph;
  }

  #lookInSlices(path: string): Promise<ModuleGraph> {
    const look = this.#looks.get(path);
    if (look) return look.next ??= look.now.catch(() => {}).then(() => this.#lookInSlices(path));
    const now = (async () => {
      const current = this.#found(path);
      return current && await this.#isCurrentInSlices(current) ? this.#trust(path, current) : await this.#lookFor(path);
    })().finally(() => this.#looks.delete(path));
    this.#looks.set(path, { now });
    return now;
  }
}

class CopiedImports extends ImportService implements ImportsOfCopy {
  readonly #copyDir: string;
  readonly #original: ImportService;

  constructor(options: ImportsOptions, original: ImportService, workersLock: () => Promise<Lock>) {
    super(options, workersLock);
    this.#copyDir = options.codeDir;
    this.#original = original;
  }

  install(handlers: readonly string[]): Map<string, number> {
    const versions = new Map<string, number>();
    for (const handler of handlers) {
      const known = this.knownOf(handler);
      if (known) versions.set(handler, this.#original.takeOver(handler, known, this.#copyDir));
    }
    return versions;
  }
}

/** Reports whether processes that run the one graph can continue with the other. */
function sameCode(a: Known, b: Known): boolean {
  const { graph: one } = a;
  const { graph: other } = b;
  return one.files.join() === other.files.join() &&
    one.files.every((path) => a.states.get(path) === b.states.get(path)) &&
    one.lock === other.lock && JSON.stringify(one.config) === JSON.stringify(other.config) &&
    one.problems.join() === other.problems.join();
}

async function readLock(path: string): Promise<Lock> {
  return parseLock(await Deno.readTextFile(path));
}

function shortened(sentences: Iterable<string>): string[] {
  return [...new Set(sentences)].map((sentence) => sentence.slice(0, PROBLEM_MAX_LENGTH));
}

function stateOf(path: string): string {
  try {
    const { mtime, size, ino } = Deno.lstatSync(path);
    return `${mtime?.getTime()} ${size} ${ino}`;
  } catch {
    return "missing";
  }
}

/** A look at many handlers, which share files and folders: each is read once. */
function newLook() {
  const states = new Map<string, string>();
  const folders = new Map<string, ReadonlySet<string>>();
  const namesIn = (folder: string): ReadonlySet<string> => {
    try {
      return new Set([...Deno.readDirSync(folder)].map(({ name }) => name));
    } catch {
      return new Set();
    }
  };
  const remembered = <T>(map: Map<string, T>, path: string, read: (path: string) => T): T => {
    const known = map.get(path) ?? read(path);
    map.set(path, known);
    return known;
  };
  return {
    state: (path: string) => remembered(states, path, stateOf),
    exists: (path: string) => remembered(folders, dirname(path), namesIn).has(basename(path)),
  };
}

/** File times advance every few milliseconds. */
const FILE_TIME_STEP_MS = 10;

/**
 * Waits until the time of a file that was just saved differs from that of a later change. Otherwise what is found could
 * be from before such a change, and all of it would have to be found again.
 */
async function timesDiffer(path: string): Promise<void> {
  if (!modifiedSince(path, Date.now())) return;
  await new Promise((resolve) => setTimeout(resolve, FILE_TIME_STEP_MS + 1));
}

/** Reports whether the file may have been written after `time`. */
function modifiedSince(path: string, time: number): boolean {
  try {
    return (Deno.lstatSync(path).mtime?.getTime() ?? 0) >= time - FILE_TIME_STEP_MS;
  } catch {
    return false;
  }
}
