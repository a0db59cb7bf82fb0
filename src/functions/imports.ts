// The modules that a handler consists of: found and fetched by a builder process (`deno info`,
// `deno cache`) that runs none of them, and watched for edits. Sandboxes never fetch anything.

import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { KeptGraphs } from "./kept_graphs.ts";

/** The code of one handler, as of one moment. */
export interface ModuleGraph {
  /** Changes whenever any of the files does. */
  readonly version: number;
  /** `file:` address of the handler. */
  readonly entry: string;
  /** Absolute paths of all local modules, the handler first. */
  readonly files: readonly string[];
  /** Whether something was fetched from elsewhere, so that versions come from the lock file. */
  readonly remote: boolean;
  /** Folders of the module cache with the packages that they import, and what these import. */
  readonly packages: readonly string[];
  /** What will keep the handler, or a part of it, from loading; sentences for its author. */
  readonly problems: readonly string[];
}

export interface ImportsOptions {
  /** Absolute and real. */
  codeDir: string;
  /** Where the versions of fetched packages are kept; created when the first one is fetched. */
  lockFile: string;
  /** A module that every sandbox loads; its packages belong in the lock file too. */
  bootstrap: string;
  /** Environment of the builder: the cache folder, and how to reach registries. */
  env: Record<string, string>;
  importHosts: () => readonly string[];
  kept: KeptGraphs;
}

export type Imports = ReturnType<typeof importsService>;

const BUILDER_TIMEOUT_MS = 120_000;
const PROBLEM_MAX_LENGTH = 500;
/** In place of an empty list, which the builder refuses: a name that no host has (RFC 6761, 6.4). */
const NO_HOST = "none.invalid";

interface Known {
  graph: ModuleGraph;
  /** State of each file that the graph was made from, also of those that were missing. */
  states: Map<string, string>;
  importHosts: readonly string[];
  /** Whether a file may have been written after the builder began to read. */
  touchedMeanwhile: boolean;
  /** The last turn in which no file was found to have changed. */
  currentIn?: number | undefined;
}

export function importsService(options: ImportsOptions) {
  const { codeDir, lockFile, bootstrap, env, importHosts, kept } = options;
  const known = new Map<string, Known>();
  const underWay = new Map<string, Promise<ModuleGraph>>();
  let lastVersion = 0;
  // The lock file is read, completed and written by each run.
  let builderQueue: Promise<unknown> = Promise.resolve();

  const build = (...args: string[]): Promise<{ success: boolean; stdout: string; stderr: string }> => {
    const run = builderQueue.then(() => runBuilder(args, env));
    builderQueue = run.catch(() => {});
    return run;
  };

  const fileOf = (handler: string): string => join(codeDir, ...handler.split("/"));

  const inspectOnce = async (handler: string): Promise<Known> => {
    const hosts = importHosts();
    const began = Date.now();
    const file = fileOf(handler);
    const entry = pathToFileURL(file).href;
    const common = [
      "--no-config",
      "--node-modules-dir=none",
      `--lock=${lockFile}`,
      `--allow-import=${hosts.join(",") || NO_HOST}`,
    ];
    const info = await build("info", "--json", ...common, entry);
    const found = info.success ? readInfo(JSON.parse(info.stdout), entry, codeDir) : {
      files: [file],
      missing: [],
      remote: false,
      packages: [],
      problems: [lastLine(info.stderr)],
    };
    const problems = found.problems.map((problem) => problem.replaceAll(pathToFileURL(codeDir).href + "/", ""));
    const files = [...found.files, ...found.missing].filter((path) => {
      const problem = outside(path, codeDir);
      if (problem) problems.push(problem);
      return !problem;
    });
    if (found.remote) {
      // The workers first and by themselves: a handler that cannot be had must not keep them out of the lock file.
      await build("cache", "--quiet", ...common, bootstrap);
      const cache = await build("cache", "--quiet", ...common, entry);
      if (!cache.success && problems.length === 0) problems.push(lastLine(cache.stderr));
    }
    const watched = [file, ...found.files, ...found.missing];
    return {
      states: new Map(watched.map((path) => [path, stateOf(path)])),
      importHosts: hosts,
      touchedMeanwhile: watched.some((path) => modifiedSince(path, began)),
      graph: {
        version: ++lastVersion,
        entry,
        files,
        remote: found.remote,
        packages: found.packages,
        problems: problems.map((problem) => problem.slice(0, PROBLEM_MAX_LENGTH)),
      },
    };
  };

  const inspect = async (handler: string): Promise<ModuleGraph> => {
    const stale = known.get(handler);
    let next = await inspectOnce(handler);
    // A file that was saved while the builder may have been reading it is read again; a few times at
    // most, so that a file which never rests cannot keep the builder busy for ever.
    for (let again = 0; again < 5 && next.touchedMeanwhile; again++) next = await inspectOnce(handler);
    if (stale && sameCode(stale, next)) next = { ...next, graph: stale.graph };
    known.set(handler, next);
    keep(handler, next);
    return next.graph;
  };

  /** Not with packages: those may be gone from the module cache at the next start. */
  const keep = (handler: string, { graph, states, touchedMeanwhile }: Known): void => {
    if (graph.remote || graph.problems.length > 0 || touchedMeanwhile) return kept.remove(handler);
    kept.put(handler, { files: graph.files, states: [...states] });
  };

  /** What was found before this process began, if no file was touched since. */
  const recall = (handler: string): Known | undefined => {
    const found = kept.find(handler);
    const file = fileOf(handler);
    // Another code folder may have held a handler of the same path.
    if (found?.files[0] !== file) return undefined;
    const { files, states } = found;
    const entry = pathToFileURL(file).href;
    const recalled: Known = {
      graph: { version: ++lastVersion, entry, files, remote: false, packages: [], problems: [] },
      states: new Map(states),
      importHosts: importHosts(),
      touchedMeanwhile: false,
    };
    if (!isCurrent(recalled)) return undefined;
    known.set(handler, recalled);
    return recalled;
  };

  const isCurrent = ({ states, importHosts: hosts }: Known): boolean => {
    if (hosts !== importHosts()) return false;
    for (const [path, state] of states) if (stateOf(path) !== state) return false;
    return true;
  };

  return {
    /**
     * The graph of the handler at `path` in the code folder. At once if it is known and no file of it has
     * been touched since; each call looks, so that an edit counts from the moment it is written. Calls with the
     * same `turn` look once: all of them came before the first of them looks.
     */
    graph(path: string, turn?: number): ModuleGraph | Promise<ModuleGraph> {
      const current = known.get(path);
      if (current && ((turn !== undefined && turn === current.currentIn) || isCurrent(current))) {
        current.currentIn = turn;
        return current.graph;
      }
      let run = underWay.get(path);
      if (!run) {
        const recalled = current ? undefined : recall(path);
        if (recalled) return recalled.graph;
        run = inspect(path).finally(() => underWay.delete(path));
        underWay.set(path, run);
      }
      return run;
    },

    /** Fetches what the module at `path` imports, after it was saved; tells what cannot be had. */
    async prepare(path: string): Promise<{ problems: string[] }> {
      await underWay.get(path);
      return { problems: [...(await this.graph(path)).problems] };
    },

    /** Modules that were looked at before and consist of the file at `path` among others. */
    importers(path: string): string[] {
      const file = fileOf(path);
      const current = [...known].filter(([, { states }]) => states.has(file)).map(([handler]) => handler);
      return [...new Set([...current, ...kept.consistingOf(file)])].filter((handler) => handler !== path);
    },

    lockFile,
  };
}

function sameCode(a: Known, b: Known): boolean {
  return a.states.size === b.states.size && a.graph.problems.join() === b.graph.problems.join() &&
    [...a.states].every(([path, state]) => b.states.get(path) === state);
}

async function runBuilder(
  args: string[],
  env: Record<string, string>,
): Promise<{ success: boolean; stdout: string; stderr: string }> {
  const command = new Deno.Command(Deno.execPath(), {
    args,
    clearEnv: true,
    env: { ...env, NO_COLOR: "1", DENO_NO_PACKAGE_JSON: "1", DENO_NO_UPDATE_CHECK: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(BUILDER_TIMEOUT_MS),
  });
  const { success, stdout, stderr } = await command.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { success, stdout: text(stdout), stderr: text(stderr) };
}

interface Info {
  modules: {
    specifier: string;
    kind?: string;
    local?: string;
    error?: string;
    npmPackage?: string;
    dependencies?: { specifier: string; code?: { specifier?: string; error?: string } }[];
  }[];
  redirects: Record<string, string>;
  /** Of everything in the lock file. */
  npmPackages?: Record<string, { dependencies: string[]; localPath?: string }>;
}

interface Found {
  files: string[];
  missing: string[];
  remote: boolean;
  packages: string[];
  problems: string[];
}

/** What `deno info --json` lists, less the modules that only types are imported from. */
function readInfo(info: Info, entry: string, codeDir: string): Found {
  const modules = new Map(info.modules.map((module) => [module.specifier, module]));
  const found: Found = { files: [], missing: [], remote: false, packages: [], problems: [] };
  const seen = new Set<string>();
  const visit = (specifier: string): void => {
    const target = info.redirects[specifier] ?? specifier;
    if (seen.has(target)) return;
    seen.add(target);
    const local = target.startsWith("file:");
    if (/^(npm|jsr|https?):/.test(target)) found.remote = true;
    const module = modules.get(target);
    if (!module) return;
    if (module.error) {
      // An error quotes the source. What lies outside is refused below, by its path alone.
      const foreign = local && outside(fileURLToPath(target), codeDir) !== undefined;
      if (!foreign) found.problems.push(module.error.split("\n    at ")[0]!);
      if (local) found.missing.push(fileURLToPath(target));
    } else if (local) {
      found.files.push(fileURLToPath(target));
    }
    for (const { code } of module.dependencies ?? []) {
      if (code?.error) found.problems.push(code.error);
      if (code?.specifier) visit(code.specifier);
    }
  };
  visit(entry);
  const imported = [...seen].map((specifier) => modules.get(specifier)?.npmPackage);
  found.packages = packageFolders(imported.filter((id) => id !== undefined), info.npmPackages ?? {});
  return found;
}

/** Where the packages are, and all that they depend on: one folder for each, with its versions and its index. */
function packageFolders(ids: readonly string[], known: NonNullable<Info["npmPackages"]>): string[] {
  const reached = new Set(ids);
  for (const id of reached) for (const dependency of known[id]?.dependencies ?? []) reached.add(dependency);
  const folders = [...reached].map((id) => known[id]?.localPath).filter((path) => path !== undefined);
  return [...new Set(folders.map((path) => dirname(path)))];
}

/** Why a sandbox must not read `path`, or undefined. */
function outside(path: string, codeDir: string): string | undefined {
  const inside = relative(codeDir, path);
  if (inside.startsWith("..") || inside === "") return `"${path}" is outside the code folder.`;
  if (path.includes(",")) return `"${inside}" has a comma in its path, which a sandbox cannot be given.`;
  try {
    // A link could lead anywhere, also after this check.
    if (Deno.realPathSync(path) !== path) return `"${inside.split(sep).join("/")}" leads through a link.`;
  } catch (error) {
    // One that is missing may be asked for: the import then says that it is missing.
    if (!(error instanceof Deno.errors.NotFound)) return `"${inside}" cannot be read.`;
  }
}

function stateOf(path: string): string {
  try {
    const { mtime, size, ino } = Deno.lstatSync(path);
    return `${mtime?.getTime()} ${size} ${ino}`;
  } catch {
    return "missing";
  }
}

/** Whether the file may have been written after `time`; the clock of files ticks every few milliseconds. */
function modifiedSince(path: string, time: number): boolean {
  try {
    return (Deno.lstatSync(path).mtime?.getTime() ?? 0) >= time - 10;
  } catch {
    return false;
  }
}

function lastLine(stderr: string): string {
  const lines = stderr.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  const error = lines.find((line) => /^error:/i.test(line)) ?? lines.at(-1) ?? "The module cannot be read.";
  return error.replace(/^error: */i, "");
}
