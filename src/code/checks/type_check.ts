// Checks the types of a handler that is being written: runs `deno check` on a copy of the files, in a separate process
// that fetches nothing and runs none of them. Stores nothing.

import { dirname, isAbsolute, join, posix, relative, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { AppError } from "../../errors.ts";
import { LANGUAGE_FLAGS } from "../../sandbox/process/process.ts";
import type { Runtime } from "../../sandbox/process/toolchain.ts";
import { slices } from "../../slices.ts";
import { releaseUid, takeUid } from "../../sandbox/process/uid_pool.ts";
import { annotate, type Annotated } from "./handler_type_injection.ts";
import type { ConfinedDeno, ConfinedResult } from "../modules/confined_deno.ts";
import { type Diagnostic, readDiagnostics } from "./diagnostics.ts";
import type { Files } from "../files/files.ts";
import { lockText, newestLocked } from "../packages/lock.ts";
import type { PackageLocks } from "../packages/package_locks.ts";
import { candidatesFor } from "../modules/project_graph.ts";
import { isBare, ProjectConfig } from "../modules/project_config.ts";
import { specifiersOf, type TypeCheckConfig, typeCheckConfig } from "./type_check_config.ts";

/** A problem in a file of the code folder. Lines and columns count from 1. */
export interface Problem {
  readonly path: string;
  readonly line: number;
  readonly column: number;
  readonly endColumn: number;
  readonly message: string;
}

export interface Source {
  /** Path in the code folder; the file need not exist there. */
  readonly path: string;
  readonly content: string;
  /** Whether its default export must be a handler. */
  readonly isHandler: boolean;
}

export interface TypeCheckOptions {
  files: Pick<Files, "read">;
  runtime: Runtime;
  /** The folder for the copies, which other users may traverse but not list. */
  runDir: string;
  /** Runs the checks. */
  deno: ConfinedDeno;
  /** Absolute and real. */
  codeDir: string;
  locks: Pick<PackageLocks, "starting">;
  importHosts: () => readonly string[];
  /** Name of the folder for the copies, in `runDir`; checks with the same name must not run at the same time. */
  folderName?: string;
}

export interface TypeCheck {
  /**
   * Returns problems of the source, in order of lines, and of files that it imports. Checks run one at a time.
   * @throws AppError Busy (503) if too many wait; TooLarge (413) for more files or longer ones than are checked
   */
  check(source: Source): Promise<Problem[]>;
}

const CONFIG_FLAGS = ["--config=config.json", "--import-map=imports.json"];
const CHECK_MAX_MS = 60_000;
/** Checks that may wait for the running one. */
const WAITING_MAX = 8;
const FILES_MAX = 200;
/** Literals that may be paths of modules, each looked up under several names. */
const LOOKED_MAX = 10_000;
const TOTAL_MAX_BYTES = 4 * 1024 * 1024;
const OUTPUT_MAX_BYTES = 256 * 1024;
const PROBLEMS_MAX = 100;
const MESSAGE_MAX_LENGTH = 1_000;
/** For the heap of the compiler, which takes about 200 MB, and V8's reservations of address space. */
const HEAP_MB = 768;
const DATA_LIMIT_MB = 3_000;
/** In a process of a second or two, optimized code does not pay off: without it there is a third less work. */
const V8_FLAGS = `--max-old-space-size=${HEAP_MB},--no-turbofan`;

/** Matches string literals that may be relative imports. Over-approximates on purpose. */
const RELATIVE = /["'](\.{1,2}\/[^"'\n\r]{1,500})["']/g;

/** Longer than 80 lines: one check is one sequence of steps over the same folder. */
export function createTypeCheck(options: TypeCheckOptions): TypeCheck {
  const { files, runtime, runDir, codeDir, locks, importHosts, folderName = "check" } = options;
  const handlerTypes = pathToFileURL(join(runtime.appDir, "workers", "entry.ts")).href;
  const types = [0, 1].map((index) => `Parameters<import("${handlerTypes}").Handler>[${index}]`) as [string, string];
  /** Always the same folder, as Deno caches by path; checks run one at a time. */
  const folder = join(runDir, folderName);
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;

  const checkNow = async (source: Source): Promise<Problem[]> => {
    const uid = runtime.ownUsers ? takeUid() : undefined;
    try {
      const hosts = importHosts();
      const sources = await gather(source, files, new ProjectConfig({ codeDir, importHosts: hosts }), codeDir);
      const annotated = new Map<string, Annotated>();
      const pause = slices();
      for (const [path, content] of sources) {
        await pause();
        if (!/\.(?:ts|tsx|mts)$/.test(path)) continue;
        annotated.set(path, annotate(content, types, source.isHandler && path === source.path));
      }
      await removeIfThere(folder);
      const copies = new Map([...sources].map(([path, content]) => [
        `code/${path}`,
        annotated.get(path)?.source ?? content,
      ]));
      const lock = locks.starting(source.path);
      const config = await typeCheckConfig(sources, {
        codeDir,
        importHosts: hosts,
        known: (name) => newestLocked(lock, name),
        honoJsx: `${runtime.workerPackage}/jsx`,
      });
      copies.set("config.json", config.files.config).set("imports.json", config.files.importMap);
      const entry = source.isHandler ? "entry.ts" : `code/${source.path}`;
      if (source.isHandler) copies.set(entry, entryFor(source.path, handlerTypes));
      await write(folder, copies, uid);
      await writeLock(lockText(lock), join(folder, "lock"), uid);

      const start = (...args: string[]) => run(args, folder, options, uid);
      const info = await start(
        ...["info", "--json", "--no-remote", "--no-npm", "--no-lock", ...CONFIG_FLAGS, ...LANGUAGE_FLAGS, entry],
      );
      // Before anything quotes it: sources elsewhere on this machine must not be disclosed.
      if (!info.success) return [{ ...atTop(source.path), message: "Its imports cannot be determined." }];
      const foreign = foreignModules(info.stdout, [folder, runtime.appDir]);
      if (foreign.length > 0) {
        return foreign.map((path) => ({ ...atTop(source.path), message: `"${path}" is outside the code folder.` }));
      }
      const check = await start(
        "check",
        "--quiet",
        "--cached-only",
        "--node-modules-dir=none",
        "--lock=lock/imports.lock",
        ...CONFIG_FLAGS,
        ...LANGUAGE_FLAGS,
        `--v8-flags=${V8_FLAGS}`,
        hosts.length > 0 ? `--allow-import=${hosts.join(",")}` : "--deny-import",
        entry,
      );
      if (check.success) return [];
      const found = readDiagnostics(check.stderr);
      if (found.length === 0) throw new Error(`deno check failed: ${check.stderr.slice(0, MESSAGE_MAX_LENGTH)}`);
      return found.slice(0, PROBLEMS_MAX).flatMap((diagnostic) =>
        toProblem(explained(diagnostic, config, folder), source, folder, sources, annotated)
      );
    } finally {
      await removeIfThere(folder);
      if (uid !== undefined) releaseUid(uid);
    }
  };

  return {
    async check(source: Source): Promise<Problem[]> {
      if (waiting >= WAITING_MAX) throw new AppError("Busy", 503, "Too many checks are waiting. Try again.");
      waiting++;
      const turn = last.then(() => checkNow(source)).finally(() => waiting--);
      last = turn.catch(() => {});
      return await turn;
    },
  };
}

/** Returns the source and the existing files that it imports from the code folder. */
async function gather(
  source: Source,
  files: Pick<Files, "read">,
  project: ProjectConfig,
  codeDir: string,
): Promise<Map<string, string>> {
  const found = new Map([[source.path, source.content]]);
  const looked = new Set<string>();
  const pause = slices();
  let bytes = source.content.length;
  for (const [path, content] of found) {
    for (const target of targetsOf(path, content, project, codeDir)) {
      await pause();
      if (target === undefined || target.startsWith("../") || found.has(target) || looked.has(target)) continue;
      looked.add(target);
      if (looked.size > LOOKED_MAX) {
        throw new AppError("TooLarge", 413, `More than ${LOOKED_MAX} paths in the sources are not looked up.`);
      }
      // The check itself reports missing files, links and folders.
      const file = await readIfThere(target, files);
      const read = file ? [{ path: target, file }] : (await Promise.all(
        candidatesFor(target).map(async (path) => ({ path, file: await readIfThere(path, files) })),
      ));
      for (const { path, file } of read) {
        if (!file || found.has(path)) continue;
        bytes += file.content.length;
        if (found.size >= FILES_MAX || bytes > TOTAL_MAX_BYTES) {
          throw new AppError("TooLarge", 413, `More than ${FILES_MAX} files, or 4 MiB of them, are not checked.`);
        }
        found.set(path, new TextDecoder().decode(file.content));
      }
    }
  }
  return found;
}

/**
 * Returns the paths in the code folder that a source may import: relative ones, and those that deno.json maps to;
 * undefined for each specifier of anything else, so that the caller can pause among many.
 */
function* targetsOf(
  path: string,
  content: string,
  project: ProjectConfig,
  codeDir: string,
): Iterable<string | undefined> {
  for (const [, specifier] of content.matchAll(RELATIVE)) {
    yield posix.normalize(posix.join(posix.dirname(path), decoded(specifier!)));
  }
  const importer = join(codeDir, ...path.split("/"));
  for (const specifier of specifiersOf(content)) {
    const resolved = isBare(specifier) ? project.resolve(specifier, importer) : undefined;
    const isLocal = resolved && "target" in resolved && isAbsolute(resolved.target);
    yield isLocal ? relative(codeDir, resolved.target).split(sep).join("/") : undefined;
  }
}

async function readIfThere(path: string, files: Pick<Files, "read">): Promise<{ content: Uint8Array } | undefined> {
  return await files.read(path).catch((error) => {
    if (error instanceof AppError) return undefined;
    throw error;
  });
}

/** Replaces the message for a bare specifier that does not resolve by what its author can do. */
function explained(diagnostic: Diagnostic, config: TypeCheckConfig, folder: string): Diagnostic {
  const [, specifier] = /^Import "([^"]+)" not a dependency/.exec(diagnostic.message) ?? [];
  const code = pathToFileURL(join(folder, "code")).href + "/";
  if (specifier === undefined || !diagnostic.address.startsWith(code)) return diagnostic;
  const message = config.explain(specifier, decoded(diagnostic.address.slice(code.length)));
  return message === undefined ? diagnostic : { ...diagnostic, message };
}

function decoded(specifier: string): string {
  try {
    return decodeURIComponent(specifier.replace(/[?#].*$/, ""));
  } catch {
    return specifier;
  }
}

/** Requires the default export to be a handler, or an app if it has `fetch`; the compiler reports errors there. */
function entryFor(path: string, handlerTypes: string): string {
  const address = "./code/" + path.split("/").map(encodeURIComponent).join("/");
  return `import handler from ${JSON.stringify(address)};
import type { Handler } from ${JSON.stringify(handlerTypes)};
type Answering<Call extends unknown[]> = (...call: Call) => Response | Promise<Response>;
type Shape<T> = T extends { fetch: unknown } ? { fetch: Answering<[Request, any, any]> } : Answering<Parameters<Handler>>;
handler satisfies Shape<typeof handler>;
`;
}

async function write(folder: string, copies: ReadonlyMap<string, string>, uid: number | undefined): Promise<void> {
  const mayLook = async (path: string): Promise<void> => {
    if (uid !== undefined) await Deno.chown(path, null, uid);
  };
  const made = new Set<string>();
  const makeFolder = async (path: string): Promise<void> => {
    if (made.has(path)) return;
    if (path !== folder) await makeFolder(dirname(path));
    await Deno.mkdir(path, { mode: 0o750 });
    await mayLook(path);
    made.add(path);
  };
  for (const [name, content] of copies) {
    const path = join(folder, ...name.split("/"));
    await makeFolder(dirname(path));
    await Deno.writeTextFile(path, content, { mode: 0o640 });
    await mayLook(path);
  }
}

/** Deno completes the lock by a temporary file next to it, so both must belong to the user that runs it. */
async function writeLock(text: string, folder: string, uid: number | undefined): Promise<void> {
  const copy = join(folder, "imports.lock");
  await Deno.mkdir(folder, { mode: 0o700 });
  await Deno.writeTextFile(copy, text, { mode: 0o600 });
  if (uid === undefined) return;
  for (const path of [folder, copy]) await Deno.chown(path, uid, uid);
}

/** Runs Deno in `cwd` with access only to the copies, the workers' types and the module cache, and no network. */
async function run(
  args: string[],
  cwd: string,
  { deno, runtime }: Pick<TypeCheckOptions, "deno" | "runtime">,
  uid: number | undefined,
): Promise<ConfinedResult> {
  const { denoDir, appDir, registryEnv } = runtime;
  const result = await deno.run({
    args,
    cwd,
    env: { ...registryEnv, DENO_DIR: denoDir },
    read: [cwd, appDir, denoDir],
    write: [join(cwd, "lock")],
    net: false,
    uid,
    dataMaxMb: DATA_LIMIT_MB,
    timeoutMs: CHECK_MAX_MS,
    outputMaxBytes: OUTPUT_MAX_BYTES,
  });
  if (result.killedFor === "time") {
    throw new AppError("Timeout", 503, `The check took more than ${CHECK_MAX_MS / 1000} s.`);
  }
  if (result.killedFor === "stop") throw new AppError("Stopping", 503, "The server is stopping.");
  return result;
}

/** Returns the paths of local modules outside of `folders`. */
function foreignModules(infoJson: string, folders: readonly string[]): string[] {
  const { modules } = JSON.parse(infoJson) as { modules: { specifier: string }[] };
  return modules.map(({ specifier }) => specifier)
    .filter((specifier) => specifier.startsWith("file:"))
    .map((specifier) => fileURLToPath(specifier))
    .filter((path) => folders.every((folder) => relative(folder, path).startsWith("..")));
}

function toProblem(
  { address, line, column, endColumn, message: text }: Diagnostic,
  source: Source,
  folder: string,
  sources: ReadonlyMap<string, string>,
  annotated: ReadonlyMap<string, Annotated>,
): Problem[] {
  const code = pathToFileURL(join(folder, "code")).href + "/";
  const message = text.replaceAll(code, "").replaceAll(join(folder, "code") + "/", "").slice(0, MESSAGE_MAX_LENGTH);
  if (address.startsWith(code)) {
    const path = decoded(address.slice(code.length));
    const original = (at: number) => (annotated.get(path)?.originalColumn(line - 1, at - 1) ?? at - 1) + 1;
    const start = original(column);
    const word = /^[\w$]+/.exec(sources.get(path)?.split("\n")[line - 1]?.slice(start - 1) ?? "")?.[0] ?? "";
    const end = endColumn === undefined ? start + word.length : original(endColumn);
    return [{ path, line, column: start, endColumn: Math.max(end, start + 1), message }];
  }
  // For code that they did not write, authors need to know only that the default export is not a handler.
  if (address !== "" && !address.endsWith("/check/entry.ts")) return [];
  const exportLine = (annotated.get(source.path)?.exportLine ?? 0) + 1;
  const at = { path: source.path, line: exportLine, column: 1, endColumn: 2 };
  if (address === "") return [{ ...atTop(source.path), message }];
  const missing = /has no default export/.test(message);
  return [{
    ...at,
    message: missing
      ? "A handler is the default export: export default async function (c, ctx) { … }, or an app: export default app"
      : `The default export is not a handler that returns a Response. ${message}`,
  }];
}

function atTop(path: string): Omit<Problem, "message"> {
  return { path, line: 1, column: 1, endColumn: 2 };
}

async function removeIfThere(path: string): Promise<void> {
  await Deno.remove(path, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}
