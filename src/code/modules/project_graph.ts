// Finds the local part of a module graph: the files of the code folder that a handler consists of, their remote imports,
// and the targets of their bare and incomplete specifiers. Fetches nothing.

import { basename, relative, sep } from "node:path";
import { pathToFileURL } from "node:url";
import { type Builder, type BuilderFolder, causeOf, configFlags } from "./builder.ts";
import { readInfoAside } from "./info_aside.ts";
import { whyNotImportable } from "../files/importable.ts";
import { ImportMap, JSX_SOURCE } from "./import_map.ts";
import { isRemote, type Modules } from "./module_info.ts";
import type { FoundJsx, Jsx } from "./jsx_config.ts";
import { isBare, ProjectConfig } from "./project_config.ts";
import { slices } from "../../slices.ts";

export interface ProjectGraph {
  readonly modules: Modules;
  readonly map: ImportMap;
  /** Absolute paths of all files that the result depends on, including missing ones. */
  readonly looked: readonly string[];
  /** Sentences for the author, except those about remote modules. */
  readonly problems: readonly string[];
}

export interface ProjectGraphOptions {
  readonly codeDir: string;
  readonly builder: Builder;
  readonly folder: BuilderFolder;
  readonly importHosts: readonly string[];
  /** Returns the specifier that other handlers use for a package, such as `npm:ms@^2.1.3`, for a proposal. */
  readonly known: (name: string) => string | undefined;
  /** Such as `npm:hono@4.13.19/jsx`. */
  readonly honoJsx: string;
}

/** Each round can find files whose imports are examined in the next one. */
const ROUNDS_MAX = 100;
const BYTES_MAX = 32 * 1024 * 1024;
/** Tried for a missing extension, in the order that bundlers use. */
const ENDINGS = [".ts", ".tsx", ".mts", ".js", ".jsx", ".mjs", ".cjs", ".json"];
const INDEXES = [".ts", ".tsx", ".mts", ".js", ".jsx", ".mjs", ".cjs"].map((ending) => `/index${ending}`);
/** As in TypeScript, where an import names the extension of the output instead of that of the source. */
const SOURCES: Record<string, readonly string[]> = {
  ".js": [".ts", ".tsx"],
  ".jsx": [".tsx"],
  ".mjs": [".mts"],
  ".cjs": [".cts"],
};

export async function findProjectGraph(file: string, options: ProjectGraphOptions): Promise<ProjectGraph> {
  const { codeDir, builder, folder, importHosts, known, honoJsx } = options;
  const entry = pathToFileURL(file).href;
  const base = pathToFileURL(codeDir).href + "/";
  const project = new ProjectConfig({ codeDir, importHosts, known });
  const map = new ImportMap(codeDir);
  const looked = new Set([file]);
  // A function may be declared long before its code is there: Deno need not be started to find nothing.
  const found = isAbsent(file) ? unread(file, `Module not found "${entry}".`) : undefined;
  if (found) {
    const problems = [...await refusals(found, codeDir), ...await breaks(found, codeDir, base)];
    return { modules: found, map, looked: [...looked, ...project.looked], problems };
  }
  for (let round = 1;; round++) {
    const problems = new Set<string>();
    const flags = await configFlags(folder, map.files(base, honoJsx));
    const info = await builder.local("info", ...flags, entry);
    const modules = info.success ? await readInfoAside(info.stdout, entry) : undefined;
    const found = modules ?? unread(file, causeOf(info.stderr));
    const tooLarge = found.tooLarge ?? await sizeProblem(found.files);
    // Before anything is computed from a graph of unknown size.
    if (tooLarge) return refused(found, tooLarge, map, project);
    const isChanged = [
      await mapBareImports(found, project, map, problems),
      await completePaths(found, map, looked, problems),
      await setJsx(found, project, map, problems),
    ].some(Boolean);
    for (const path of found.files) looked.add(path);
    for (const { path } of found.broken) looked.add(path);
    if (isChanged && round < ROUNDS_MAX) continue;
    for (const problem of await refusals(found, codeDir)) problems.add(problem);
    for (const problem of await breaks(found, codeDir, base)) problems.add(problem);
    return { modules: found, map, looked: [...looked, ...project.looked], problems: [...problems] };
  }
}

/** Returns the result for a graph that is too large. Nothing of it is fetched. */
function refused(found: Modules, problem: string, map: ImportMap, project: ProjectConfig): ProjectGraph {
  const modules: Modules = { ...found, broken: [], imports: [], remote: [] };
  return { modules, map, looked: [...modules.files, ...project.looked], problems: [problem] };
}

/** Returns the result for a handler that Deno returned nothing about. */
function unread(file: string, error: string): Modules {
  const none: never[] = [];
  return {
    files: [],
    broken: [{ path: file, error }],
    imports: none,
    remote: none,
    remoteErrors: none,
    npm: none,
    npmFolders: new Map(),
    cached: none,
    tooLarge: undefined,
  };
}

/** Returns whether entries were added to the map. */
async function mapBareImports(
  { imports }: Modules,
  project: ProjectConfig,
  map: ImportMap,
  problems: Set<string>,
): Promise<boolean> {
  let isChanged = false;
  const pause = slices();
  for (const { specifier, importer, target, isType } of imports) {
    await pause();
    if (!isBare(specifier) || specifier.startsWith(`${JSX_SOURCE}/`)) continue;
    for (const problem of project.problemsOf(importer)) problems.add(problem);
    if (target !== undefined || map.has(importer, specifier)) continue;
    const resolved = project.resolve(specifier, importer);
    if ("target" in resolved) {
      map.add(importer, specifier, resolved.target);
      isChanged = true;
    } else if (!isType) problems.add(resolved.problem);
  }
  return isChanged;
}

/** Finds files for paths without an extension, or with the extension of a source's output. */
async function completePaths(
  { broken }: Modules,
  map: ImportMap,
  looked: Set<string>,
  problems: Set<string>,
): Promise<boolean> {
  let isChanged = false;
  const pause = slices();
  for (const { path } of broken) {
    await pause();
    if (isFile(path) || map.aliased(path) !== undefined) continue;
    const candidates = candidatesFor(path);
    for (const candidate of candidates) looked.add(candidate);
    const found = candidates.filter(isFile);
    if (found.length > 1) {
      problems.add(
        `"${basename(path)}" could be ${found.map((one) => `"${basename(one)}"`).join(" or ")}; write the extension.`,
      );
    } else if (found.length === 1) {
      map.alias(path, found[0]!);
      isChanged = true;
    }
  }
  return isChanged;
}

/** Returns the files that a path without a file may refer to. */
export function candidatesFor(path: string): string[] {
  const [ending = ""] = /\.[cm]?[jt]sx?$/.exec(path) ?? [];
  const sources = (SOURCES[ending] ?? []).map((source) => path.slice(0, -ending.length) + source);
  return [...sources, ...ENDINGS.map((one) => path + one), ...INDEXES.map((one) => path.replace(/\/$/, "") + one)];
}

export function isFile(path: string): boolean {
  try {
    return Deno.lstatSync(path).isFile;
  } catch {
    return false;
  }
}

/** Reports whether there is nothing at a path. */
function isAbsent(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return false;
  } catch (error) {
    return error instanceof Deno.errors.NotFound;
  }
}

async function setJsx(
  { files }: Modules,
  project: ProjectConfig,
  map: ImportMap,
  problems: Set<string>,
): Promise<boolean> {
  const pause = slices();
  const found: ({ path: string } & FoundJsx)[] = [];
  for (const path of files) {
    await pause();
    if (/\.[jt]sx$/.test(path)) found.push({ path, ...project.jsx(path) });
  }
  const [first] = found;
  if (!first) return false;
  let isChanged = false;
  for (const { path, jsx, problems: wrong } of found) {
    await pause();
    for (const problem of wrong) problems.add(problem);
    if (jsx.jsx === "react") continue;
    const source = jsx.jsxImportSource ?? "hono/jsx";
    const runtime = jsx.jsx === "react-jsxdev" ? "jsx-dev-runtime" : "jsx-runtime";
    if (map.has(path, `${JSX_SOURCE}/${runtime}`)) continue;
    const resolved = project.resolveJsxSource(source, runtime, path);
    if (!resolved) continue;
    if ("problem" in resolved) problems.add(resolved.problem);
    else {
      for (const name of ["jsx-runtime", "jsx-dev-runtime"]) {
        map.add(path, `${JSX_SOURCE}/${name}`, resolved.target.replace(/jsx(?:-dev)?-runtime$/, name));
      }
      isChanged = true;
    }
  }
  const jsx = combined(found.map((one) => one.jsx));
  if (jsx) {
    isChanged ||= jsx.jsx !== (map.jsx?.jsx ?? "precompile");
    map.jsx = jsx;
  } else {
    const other = found.find((one) => (one.jsx.jsx === "react") !== (first.jsx.jsx === "react"))!;
    problems.add(
      `"${basename(first.path)}" and "${basename(other.path)}" compile JSX in different ways ` +
        `("${first.jsx.jsx}" and "${other.jsx.jsx}"), which one function cannot do.`,
    );
  }
  return isChanged;
}

/** Returns one JSX configuration for all modules, or undefined if there is none. */
function combined(all: readonly Jsx[]): Jsx | undefined {
  const modes = new Set(all.map(({ jsx }) => jsx));
  if (modes.size === 1) return all[0];
  // Everything that works with `precompile` also works with the general transform.
  return modes.has("react") ? undefined : { ...all[0]!, jsx: "react-jsx" };
}

/** Returns problems of files that no sandbox may read, by their paths alone. */
async function refusals({ files, broken }: Modules, codeDir: string): Promise<string[]> {
  const problems: string[] = [];
  const pause = slices();
  for (const path of [...files, ...broken.map(({ path }) => path)]) {
    await pause();
    const problem = whyNotImportable(path, codeDir);
    if (problem !== undefined) problems.push(problem);
  }
  return problems;
}

/** Returns errors in files that a sandbox may read; such errors quote the source. */
async function breaks({ broken, imports }: Modules, codeDir: string, base: string): Promise<string[]> {
  const problems: string[] = [];
  const pause = slices();
  for (const { path, error } of broken) {
    await pause();
    if (whyNotImportable(path, codeDir) === undefined) problems.push(error.replaceAll(base, ""));
  }
  for (const { target, error, isType, specifier, importer, line } of imports) {
    await pause();
    if (target !== undefined || error === undefined || isType || isBare(specifier)) continue;
    const why = specifier.startsWith("#") ? privateName(specifier) : error.replaceAll(base, "");
    problems.push(`${inCodeFolder(importer, codeDir)}:${line}: ${why}`);
  }
  return problems;
}

/** Returns the message for names of Node's "imports", which package.json cannot declare here. */
function privateName(specifier: string): string {
  const name = specifier.slice(1);
  return `"${specifier}" cannot be declared because it begins with "#". Import it by a relative path, or name it ` +
    `"@${name}" and declare that in "imports" of deno.json.`;
}

export function inCodeFolder(path: string, codeDir: string): string {
  return relative(codeDir, path).split(sep).join("/");
}

async function sizeProblem(files: readonly string[]): Promise<string | undefined> {
  const pause = slices();
  let bytes = 0;
  for (const path of files) {
    await pause();
    try {
      bytes += Deno.statSync(path).size;
    } catch {
      // Deleted meanwhile: the next look detects that.
    }
  }
  const megabytes = BYTES_MAX / 1024 / 1024;
  if (bytes > BYTES_MAX) return `The files that the handler imports have more than ${megabytes} MB in total.`;
}

/** Reports whether the graph has remote code or remote types. */
export function reach({ imports }: Modules): { code: boolean; types: boolean } {
  const remote = imports.filter(({ target }) => target !== undefined && isRemote(target));
  return { code: remote.some(({ isType }) => !isType), types: remote.length > 0 };
}
