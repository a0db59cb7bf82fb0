// Lists the packages that functions use, with versions and users, and updates packages.

import { join } from "node:path";
import { rcompare } from "semver";
import type { Actor, Recorder } from "../actor.ts";
import { AppError, invalid, notFound } from "../errors.ts";
import type { FunctionId } from "../ids.ts";
import type { Builder } from "./modules/builder.ts";
import type { Imports, ModuleGraph, Trial } from "./modules/imports.ts";
import { EMPTY_LOCK, type Lock, nameOf, parseLock, versionOf } from "./packages/lock.ts";
import { type PackageAbout, readAbout } from "./packages/package_about.ts";
import type { PackageLocks } from "./packages/package_locks.ts";
import { updateLock, versionsOf } from "./package_update.ts";
import type { Findings } from "./checks/preflight.ts";
import type { RegisteredFunction, Registry } from "../core/functions/registry.ts";
import { slices } from "../slices.ts";

/** A package that functions import, or a dependency of such a package. */
export interface InstalledPackage {
  readonly name: string;
  readonly registry: "npm" | "jsr";
  /** Whether it has native code, which functions cannot run. */
  readonly native: boolean;
  /** Size of all versions in bytes. JSR modules are not counted. */
  readonly size: number;
  /** Of its newest version; null if it says nothing about itself. */
  readonly description: string | null;
  /** Newest first. */
  readonly versions: readonly InstalledVersion[];
}

export interface InstalledVersion {
  readonly version: string;
  readonly size: number;
  /** As the package writes it, such as "MIT"; null if it names none. Unknown for JSR. */
  readonly license: string | null;
  readonly functions: readonly PackageUser[];
}

export interface PackageUser {
  readonly id: FunctionId;
  readonly name: string;
  /** Specifiers by which its code imports the package; empty if only other packages import it. */
  readonly specifiers: readonly string[];
}

/** A package that the code of a function imports itself. */
export interface ImportedPackage {
  readonly name: string;
  readonly registry: "npm" | "jsr";
  readonly version: string;
}

export interface UpdateRequest {
  /** A range or version; undefined for the newest version that each import allows. */
  readonly to?: string | undefined;
  /** Functions to update; all that import the package if undefined. */
  readonly functions?: readonly FunctionId[] | undefined;
  readonly dryRun?: boolean | undefined;
}

/** What an update changed, or would change. */
export interface UpdateResult {
  readonly updated: readonly { id: FunctionId; name: string; from: readonly string[]; to: readonly string[] }[];
  /** Problems as sentences; if there are any, nothing was changed. */
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

export interface Packages {
  /** Returns all packages in order of name. Builds module graphs that are not yet known. */
  list(): Promise<InstalledPackage[]>;
  /** Returns what the code of a handler imports, in order of name; nothing while its imports are not known. */
  importedBy(handler: string): ImportedPackage[];
  /**
   * Updates a package that functions import to another version.
   * @throws AppError NotFound (404) if none of the functions imports it; InvalidInput (400)
   */
  update(actor: Actor, name: string, request: UpdateRequest): Promise<UpdateResult>;
}

export interface PackagesOptions {
  readonly imports: Imports;
  readonly builder: Builder;
  readonly locks: PackageLocks;
  readonly registry: Pick<Registry, "list" | "get">;
  /** Loads a graph as the handler of a function. */
  readonly load: (graph: ModuleGraph, entry: RegisteredFunction) => Promise<Findings>;
  readonly record: Recorder;
  /** The package of the workers, which is in every lock. */
  readonly workerPackage: string;
}

const RANGE = /^[\w.^~<>=|*+ -]{1,100}$/;

export function createPackages(options: PackagesOptions): Packages {
  return new PackageService(options);
}

class PackageService implements Packages {
  readonly #options: PackagesOptions;
  readonly #imports: Imports;
  readonly #builder: Builder;
  readonly #locks: PackageLocks;
  readonly #registry: Pick<Registry, "get" | "list">;
  readonly #load: (graph: ModuleGraph, entry: RegisteredFunction) => Promise<Findings>;
  readonly #record: Recorder;
  /** Cached by folder, as the files of a version never change. */
  readonly #folders = new Map<string, PackageAbout & { readonly size: number }>();
  readonly #parts = new WeakMap<ModuleGraph, readonly Part[]>();

  constructor(options: PackagesOptions) {
    this.#options = options;
    ({
      imports: this.#imports,
      builder: this.#builder,
      locks: this.#locks,
      registry: this.#registry,
      load: this.#load,
      record: this.#record,
    } = options);
  }

  async list(): Promise<InstalledPackage[]> {
    const found = new Map<string, Found>();
    const entries = this.#registry.list();
    const graphs = await this.#imports.graphs(entries.map(({ handler }) => handler));
    const pause = slices();
    for (const { id, name, handler } of entries) {
      await pause();
      const graph = graphs.get(handler);
      if (!graph?.lock) continue;
      for (const { key, packageName, registry, version, folder, isNative, specifiers } of this.#partsOf(graph)) {
        const one = found.get(key) ?? { name: packageName, registry, native: false, versions: new Map() };
        found.set(key, one);
        one.native ||= isNative;
        const users = one.versions.get(version)?.users ?? new Map<FunctionId, PackageUser>();
        one.versions.set(version, { folder, users });
        const known = users.get(id)?.specifiers ?? [];
        users.set(id, { id, name, specifiers: [...known, ...specifiers] });
      }
    }
    const shown = [...found.values()].sort((a, b) => a.name < b.name ? -1 : 1).map(async (one) => {
      const newestFirst = [...one.versions].sort(([a], [b]) => rcompare(a, b));
      const versions = await Promise.all(newestFirst.map(async ([version, { folder, users }]) => {
        const { size, license, description } = folder === undefined ? UNKNOWN : await this.#about(folder);
        return { version, size, license: license ?? null, description, functions: [...users.values()] };
      }));
      return {
        name: one.name,
        registry: one.registry,
        native: one.native,
        size: versions.reduce((sum, version) => sum + version.size, 0),
        description: versions[0]?.description ?? null,
        versions: versions.map(({ description: _, ...version }) => version),
      };
    });
    return await Promise.all(shown);
  }

  importedBy(handler: string): ImportedPackage[] {
    const graph = this.#imports.current(handler);
    if (!graph?.lock) return [];
    return this.#partsOf(graph).filter(({ specifiers }) => specifiers.length > 0)
      .map(({ packageName, registry, version }) => ({ name: packageName, registry, version }))
      .sort((a, b) => a.name < b.name ? -1 : 1);
  }

  async update(
    actor: Actor,
    name: string,
    { to, functions, dryRun = false }: UpdateRequest,
  ): Promise<UpdateResult> {
    if (to !== undefined && !RANGE.test(to)) {
      throw invalid("to", "must be a version or a range, such as 2.1.3 or ^2.1.0");
    }
    const chosen = functions?.map((id) => this.#registry.get(id)) ?? this.#registry.list();
    const importers = chosen.filter(({ handler }) => {
      const lock = this.#locks.find(handler);
      return lock !== undefined && versionsOf(parseLock(lock), name).length > 0 &&
        // An update must not change the version that the workers use.
        Object.keys(parseLock(lock).specifiers).some((one) =>
          nameOf(one) === name && one !== this.#options.workerPackage
        );
    });
    const without = functions && chosen.find((entry) => !importers.includes(entry));
    if (without) throw invalid("functions", `names ${without.id}, which does not import ${name}`);
    if (importers.length === 0) throw notFound("imported package", name);
    // Functions with the same handler share its lock.
    const byHandler = new Map(importers.map((entry) => [entry.handler, entry]));
    const tried = new Map(
      await Promise.all(
        [...byHandler].map(async ([handler, entry]) => [handler, await this.#tryOut(entry, name, to)] as const),
      ),
    );
    const problems = [...new Set([...tried.values()].flatMap((one) => one.problems))];
    const warnings = [...new Set([...tried.values()].flatMap((one) => one.warnings))];
    const updated = importers.map(({ id, name, handler }) => {
      const { from, to } = tried.get(handler)!;
      return { id, name, from, to };
    }).filter(({ from, to }) => from.join() !== to.join());
    if (problems.length === 0 && !dryRun && updated.length > 0) {
      const trials = [...tried.values()].flatMap(({ trial }) => trial ?? []);
      await this.#imports.adopt(trials, functions === undefined ? name : undefined, () =>
        this.#record(actor, {
          action: "package.updated",
          subject: { kind: "package", id: null, name },
          before: { functions: Object.fromEntries(updated.map((one) => [one.name, one.from.join(", ")])) },
          after: { functions: Object.fromEntries(updated.map((one) => [one.name, one.to.join(", ")])) },
        }));
    }
    return { updated: problems.length > 0 ? [] : updated, problems, warnings };
  }

  async #about(folder: string): Promise<PackageAbout & { readonly size: number }> {
    const known = this.#folders.get(folder);
    if (known !== undefined) return known;
    const about = { ...await readAbout(folder), size: await treeSize(folder) };
    this.#folders.set(folder, about);
    return about;
  }

  /** Returns the packages of a graph, as its lock says; a graph does not change. */
  #partsOf(graph: ModuleGraph): readonly Part[] {
    const known = this.#parts.get(graph);
    if (known) return known;
    const lock = parseLock(graph.lock!);
    const part = (id: string, registry: "npm" | "jsr", folder?: string): Part => ({
      key: `${registry}:${nameOf(id)}`,
      packageName: nameOf(id),
      registry,
      version: versionOf(id),
      folder,
      isNative: graph.native.includes(nameOf(id)),
      specifiers: this.#specifiersOf(lock, id),
    });
    const parts = [
      ...graph.npm.map(({ id, folder }) => part(id, "npm", folder)),
      ...Object.keys(lock.jsr).map((id) => part(id, "jsr")),
    ];
    this.#parts.set(graph, parts);
    return parts;
  }

  /** Excludes packages that only the workers import. */
  #specifiersOf(lock: Lock, id: string): string[] {
    return Object.entries(lock.specifiers).filter(([specifier, version]) =>
      `${nameOf(specifier)}@${version}` === id && specifier !== this.#options.workerPackage
    ).map(([specifier]) => specifier);
  }

  async #tryOut(
    entry: RegisteredFunction,
    name: string,
    to: string | undefined,
  ): Promise<{ trial?: Trial; from: string[]; to: string[]; problems: string[]; warnings: string[] }> {
    const stored = this.#locks.find(entry.handler);
    const lock = stored === undefined ? EMPTY_LOCK : parseLock(stored);
    const from = versionsOf(lock, name);
    const failed = (...problems: string[]) => ({ from, to: from, problems, warnings: [] });
    const updated = await updateLock(lock, { name, to }, entry.handler, this.#builder);
    if ("problem" in updated) return failed(updated.problem);
    const trial = await this.#imports.trial(entry.handler, updated.lock);
    // Only types are imported from remote modules.
    if (trial.graph.lock === undefined) return { from, to: from, problems: [], warnings: [] };
    if (trial.before !== stored) return failed(`The packages of ${entry.handler} were changed in the meantime.`);
    if (trial.graph.problems.length > 0) return failed(...trial.graph.problems);
    const found = await this.#load(trial.graph, entry);
    // Code that did not load before need not load after the update.
    const isWorse = found.problems.length > 0 &&
      (await this.#load(await this.#imports.graph(entry.handler), entry)).problems.length === 0;
    const problems = isWorse ? found.problems : [];
    const warnings = isWorse ? found.warnings : [...found.problems, ...found.warnings];
    return { trial, from, to: versionsOf(parseLock(trial.graph.lock), name), problems, warnings };
  }
}

/** Of a package of JSR, whose modules are not in a folder of its own. */
const UNKNOWN = { size: 0, license: undefined, description: undefined };

/** A version of a package in a graph. */
interface Part {
  /** The same for all versions of the package. */
  readonly key: string;
  readonly packageName: string;
  readonly registry: "npm" | "jsr";
  readonly version: string;
  readonly folder: string | undefined;
  readonly isNative: boolean;
  readonly specifiers: readonly string[];
}

interface Found {
  readonly name: string;
  readonly registry: "npm" | "jsr";
  native: boolean;
  readonly versions: Map<string, { folder: string | undefined; users: Map<FunctionId, PackageUser> }>;
}

async function treeSize(folder: string): Promise<number> {
  let size = 0;
  try {
    for await (const { name, isDirectory, isFile } of Deno.readDir(folder)) {
      const path = join(folder, name);
      if (isDirectory) size += await treeSize(path);
      else if (isFile) size += (await Deno.lstat(path)).size;
    }
  } catch (error) {
    // Removed in the meantime.
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return size;
}

/** Returns the error for an update that has problems. */
export function refusedUpdate({ problems }: UpdateResult): AppError {
  return new AppError("PackageProblems", 409, problems.join(" "));
}
