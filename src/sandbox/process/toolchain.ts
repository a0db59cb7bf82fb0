// What every sandbox process needs of this machine: a Deno it may run, the workers' code, a module cache.
// Prepared once for each version and kept between starts, where other users may read it if need be.

import { createHash, randomUUID } from "node:crypto";
import { dirname, join } from "node:path";
import { type Landlock, SCOPES_ABI, tryLandlock } from "./landlock.ts";
import { SANDBOX_UID, setprivArgs, trySetpriv } from "./uid_pool.ts";

/** Relative to the program's root; the sandbox keeps the same layout, as the workers import by relative paths. */
const APP_FILES = [
  "workers/supervisor.ts",
  "workers/bootstrap.ts",
  "workers/entry.ts",
  "workers/fetched.ts",
  "workers/uncaught.ts",
  "workers/invocation.ts",
  "workers/realm.ts",
  "workers/builtins.ts",
  "workers/environment.ts",
  "workers/network.ts",
  "workers/host_lookups.ts",
  "workers/refusals.ts",
  "workers/standard_streams.ts",
  "workers/system.ts",
  "workers/context.ts",
  "workers/call_context.ts",
  "workers/console.ts",
  "workers/whole_body.ts",
  "src/sandbox/wire/protocol.ts",
  "src/sandbox/wire/id_table.ts",
  "src/sandbox/process/landlock.pl",
];
/** Where root keeps it: not under its home, which other users cannot enter. */
const SYSTEM_CACHE = "/var/cache/crude-functions";
/** Its folder in Deno's cache. */
const DEFAULT_REGISTRY = "registry.npmjs.org";
/** https://docs.deno.com/runtime/reference/env_variables/ */
const REGISTRY_VARIABLES = ["NPM_CONFIG_REGISTRY", "JSR_URL"];

export interface Runtime {
  /** Folder of all of this; other servers of this machine may share it. */
  readonly cacheDir: string;
  /** Path of the Deno that sandboxes run. */
  readonly deno: string;
  /** DENO_DIR of sandboxes and of the builder that fetches modules for them. */
  readonly denoDir: string;
  /** Folder with `workers/` and the files of `src/sandbox/` that they share with the host. */
  readonly appDir: string;
  /** Whether each sandbox gets a user id of its own; only root can give them, by setpriv. */
  readonly ownUsers: boolean;
  /** Path of setpriv(1), where there is one. */
  readonly setpriv: string | undefined;
  /** What takes further rights from sandboxes, by Landlock and seccomp, where the kernel has them. */
  readonly landlock: Landlock | undefined;
  /** Folders in `denoDir` with the packages that the workers import. */
  readonly packages: readonly string[];
  /** The package that the workers import, such as `npm:hono@4.13.19`. */
  readonly workerPackage: string;
  /** Variables by which Deno finds in `denoDir` what was fetched from a registry; without credentials. */
  readonly registryEnv: Readonly<Record<string, string>>;
}

export interface RuntimeOptions {
  /** Where to keep it; undefined for the usual place. */
  readonly cacheDir?: string | undefined;
  /** Variables that say how to reach registries. */
  readonly fetchEnv?: Readonly<Record<string, string>>;
}

/**
 * Prepares the runtime from the program in `root`, or finds it prepared by an earlier start.
 * Where this process is root, everything in it can be read by other users, and nothing written.
 */
export async function prepareRuntime(
  root: string,
  { cacheDir, fetchEnv = {} }: RuntimeOptions = {},
): Promise<Runtime> {
  const found = await findProgram("setpriv");
  const able = found ? await trySetpriv(found) : "nothing";
  const setpriv = able === "nothing" ? undefined : found;
  const ownUsers = able === "switch";
  // What we make for other users to read must not be hidden by a strict umask; private files name their modes.
  if (ownUsers) Deno.umask(0o022);
  const base = cacheDir !== undefined
    ? await openFolder(cacheDir)
    : await makeFolder(ownUsers ? SYSTEM_CACHE : join(dirname(await findDenoDir()), "crude-functions"));
  const lock = await Deno.open(join(base, "lock"), { create: true, write: true });
  await lock.lock(true);
  try {
    const denoDir = join(base, "deno");
    await Deno.mkdir(denoDir, { recursive: true });
    await closeSharedStorage(denoDir);
    await closeAnalysisCaches(denoDir);
    await seedPackages(root, denoDir);
    const appDir = await copyApp(root, base, denoDir);
    const deno = ownUsers ? await publicDeno(base) : await Deno.realPath(Deno.execPath());
    const packages = await workerPackages(root, denoDir, fetchEnv);
    const workerPackage = `npm:${(await findWorkerPackage(root)).join("@")}`;
    const registryEnv = withoutCredentials(fetchEnv);
    const landlock = setpriv ? await findLandlock(setpriv, ownUsers, { deno, denoDir, appDir }) : undefined;
    return { cacheDir: base, deno, denoDir, appDir, ownUsers, setpriv, landlock, packages, workerPackage, registryEnv };
  } finally {
    lock.close();
  }
}

/** What this machine lacks that would hold sandboxes better, in sentences for the operator. */
export function missingWalls({ ownUsers, landlock }: Runtime): string[] {
  if (Deno.build.os !== "linux") return [];
  const missing: string[] = [];
  if (Deno.uid() === 0 && !ownUsers) {
    missing.push("setpriv(1) of util-linux is missing or may not change users here: sandboxes run as root, too.");
  }
  if (!landlock?.abi) {
    missing.push("Landlock does not work here (it takes Linux 5.13, setpriv and perl): sandboxes go without.");
  } else if (landlock.abi < SCOPES_ABI) {
    missing.push("Landlock of this kernel, before Linux 6.12, leaves abstract Unix sockets open between sandboxes.");
  }
  if (!landlock?.seccomp) {
    missing.push(
      "System calls of sandboxes are not filtered (it takes seccomp, setpriv, perl, and an x86-64 or ARM64 processor).",
    );
  }
  return missing;
}

/** Where this Deno keeps its cache. @throws Error if Deno does not say */
async function findDenoDir(): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json", "--no-config"], stdin: "null" })
    .output();
  const { denoDir } = JSON.parse(new TextDecoder().decode(stdout)) as { denoDir?: string };
  if (!denoDir) throw new Error("`deno info` names no cache folder");
  return denoDir;
}

/** The folder at `wanted`, which must be ours alone to write; a fresh one where it cannot be had. */
async function makeFolder(wanted: string): Promise<string> {
  try {
    await Deno.mkdir(wanted, { recursive: true, mode: 0o755 });
    const { uid, mode, isDirectory } = await Deno.lstat(wanted);
    if (isDirectory && uid === Deno.uid() && (mode! & 0o022) === 0) return wanted;
  } catch {
    // A read-only file system, say.
  }
  const path = await Deno.makeTempDir({ prefix: "crude-functions-runtime-" });
  await Deno.chmod(path, 0o755);
  return path;
}

/** Where Deno remembers what modules import, all functions' together. SQLite puts more files next to each. */
const ANALYSIS_CACHES = ["dep_analysis_cache_v2", "node_analysis_cache_v2"];

export function isAnalysisCache(name: string): boolean {
  return ANALYSIS_CACHES.some((cache) => name.startsWith(cache));
}

/**
 * Keeps the names of all functions' modules from other users, sandboxes among them: Deno then analyses what it runs
 * itself, which takes no time that can be measured. SQLite gives its other files the mode of the first.
 */
async function closeAnalysisCaches(denoDir: string): Promise<void> {
  for (const name of ANALYSIS_CACHES) (await Deno.open(join(denoDir, name), { create: true, append: true })).close();
  for await (const { name } of Deno.readDir(denoDir)) {
    if (isAnalysisCache(name)) await Deno.chmod(join(denoDir, name), 0o600).catch(ignoreMissing);
  }
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}

/**
 * Deno keeps what the Cache API and the like store in this folder, for all programs together. A file in its
 * place makes them fail, so that functions cannot leave each other messages.
 */
async function closeSharedStorage(denoDir: string): Promise<void> {
  await Deno.writeTextFile(join(denoDir, "location_data"), "");
}

/** The folder at `path`, of the operator's choice, which must be ours alone to write. @throws Error naming CACHE_DIR */
async function openFolder(path: string): Promise<string> {
  await Deno.mkdir(path, { recursive: true, mode: 0o755 });
  const { uid, mode } = await Deno.stat(path);
  if (uid !== Deno.uid() || (mode! & 0o022) !== 0) {
    throw new Error(`CACHE_DIR (${path}) must belong to the user of the server, and nobody else may write to it.`);
  }
  return await Deno.realPath(path);
}

/** The name of the registry, by which the cache is sorted; sandboxes never reach the registry itself. */
function withoutCredentials(fetchEnv: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(fetchEnv).filter(([name]) => REGISTRY_VARIABLES.includes(name)).map(([name, value]) => {
      if (!URL.canParse(value)) return [name, value];
      const url = new URL(value);
      url.username = url.password = "";
      return [name, url.href];
    }),
  );
}

/** The one package that the workers import. */
async function findWorkerPackage(root: string): Promise<[name: string, version: string]> {
  const source = await Deno.readTextFile(join(root, "workers/invocation.ts"));
  const [, name, version] = /"npm:([\w-]+)@([\d.]+)"/.exec(source)!;
  return [name!, version!];
}

/** Where it is. From another registry than the usual one, it is fetched if need be. */
async function workerPackages(
  root: string,
  denoDir: string,
  fetchEnv: Readonly<Record<string, string>>,
): Promise<string[]> {
  const [name, version] = await findWorkerPackage(root);
  if (fetchEnv.NPM_CONFIG_REGISTRY === undefined) return [join(denoDir, "npm", DEFAULT_REGISTRY, name)];
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", "--no-config", "--no-lock", `npm:${name}@${version}`],
    cwd: denoDir,
    clearEnv: true,
    env: { ...fetchEnv, DENO_DIR: denoDir, DENO_NO_PACKAGE_JSON: "1", DENO_NO_UPDATE_CHECK: "1" },
    stdin: "null",
    stderr: "null",
  }).output();
  try {
    const { npmPackages } = JSON.parse(new TextDecoder().decode(stdout)) as Info;
    return Object.values(npmPackages).map(({ localPath }) => dirname(localPath));
  } catch {
    // The registry is away. The first call will say so.
    return [];
  }
}

interface Info {
  npmPackages: Record<string, { localPath: string }>;
}

/** Returns what the kernel can take from a sandbox that then still starts. */
async function findLandlock(
  setpriv: string,
  ownUsers: boolean,
  { deno, denoDir, appDir }: { deno: string; denoDir: string; appDir: string },
): Promise<Landlock | undefined> {
  const perl = await findProgram("perl");
  if (!perl) return undefined;
  return await tryLandlock(
    [setpriv, ...setprivArgs(ownUsers ? SANDBOX_UID : undefined)],
    { perl, script: join(appDir, "src/sandbox/process/landlock.pl") },
    { deno, read: [denoDir, appDir], write: [], ports: [] },
    join(appDir, "src/sandbox/wire/protocol.ts"),
    { DENO_DIR: denoDir, DENO_NO_PACKAGE_JSON: "1" },
  );
}

/** Copies the packages that the workers import from the host's own cache, so that none is fetched again. */
async function seedPackages(root: string, to: string): Promise<void> {
  const [name, version] = await findWorkerPackage(root);
  const folder = join("npm", DEFAULT_REGISTRY, name);
  if (await exists(join(to, folder, version))) return void await inUse(join(to, folder, version));
  const from = await findDenoDir();
  // From another registry, say: then it is fetched when the workers are started for the first time.
  if (!await exists(join(from, folder, version)) || !await exists(join(from, folder, "registry.json"))) return;
  await copyTree(join(from, folder, version), join(to, folder, version));
  await Deno.copyFile(join(from, folder, "registry.json"), join(to, folder, "registry.json"));
}

/** Copies a folder so that it appears whole or not at all. */
async function copyTree(from: string, to: string): Promise<void> {
  const draft = `${to}.${randomUUID()}`;
  const copy = async (source: string, target: string): Promise<void> => {
    await Deno.mkdir(target, { recursive: true });
    for await (const { name, isDirectory } of Deno.readDir(source)) {
      if (isDirectory) await copy(join(source, name), join(target, name));
      else await Deno.copyFile(join(source, name), join(target, name));
    }
  };
  await copy(from, draft);
  await Deno.rename(draft, to);
}

/** The workers' files in a folder named by their content, so that versions do not mix. */
async function copyApp(root: string, base: string, denoDir: string): Promise<string> {
  const contents = await Promise.all(APP_FILES.map((path) => Deno.readFile(join(root, path))));
  const hash = createHash("sha256").update(Deno.version.deno);
  for (const content of contents) hash.update(content);
  const folder = join(base, `app-${hash.digest("hex").slice(0, 16)}`);
  const marker = join(folder, "complete");
  if (await exists(marker)) return await inUse(folder);
  for (const [index, path] of APP_FILES.entries()) {
    await Deno.mkdir(dirname(join(folder, path)), { recursive: true });
    await Deno.writeFile(join(folder, path), contents[index]!);
  }
  await warm(folder, denoDir);
  await Deno.writeTextFile(marker, "");
  return folder;
}

/**
 * Starts the workers' code as it is started in a sandbox, so that Deno's caches hold it transpiled and
 * compiled: sandboxes of other users can read those caches, not write them, and start three times as fast.
 * Deno stores what it compiled on the second run.
 */
async function warm(appDir: string, denoDir: string): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "crude-functions-warm-" });
  for (let run = 0; run < 2; run++) {
    const socket = join(folder, String(run));
    const listener = Deno.listen({ transport: "unix", path: socket });
    const task = JSON.stringify({ socket, tokenBytes: 0, read: [folder], importHosts: [], hosts: [] });
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--quiet", "--no-prompt", "--no-config", "--node-modules-dir=none", "--no-lock"],
        ...["--unstable-worker-options", "--allow-read", "--allow-write", "--allow-net"],
        ...[join(appDir, "workers", "supervisor.ts"), task],
      ],
      env: { DENO_DIR: denoDir, DENO_NO_PACKAGE_JSON: "1" },
      stdin: "piped",
      stdout: "null",
      stderr: "null",
    }).spawn();
    // It connects when all of its code has run; if it ends without, the first call will say why.
    const connection = await Promise.race([listener.accept(), child.status]);
    listener.close();
    await child.stdin.close();
    await child.status;
    if ("close" in connection) connection.close();
  }
  await Deno.remove(folder, { recursive: true });
}

/** A path under which other users can run this Deno: its own, or else a link or copy beside the cache. */
async function publicDeno(base: string): Promise<string> {
  const own = await Deno.realPath(Deno.execPath());
  if (await isPublic(own)) return own;
  const { size, mtime } = await Deno.stat(own);
  const path = join(base, `deno-${Deno.version.deno}-${size}-${mtime?.getTime()}`);
  if (await exists(path)) return await inUse(path);
  const draft = `${path}.${randomUUID()}`;
  await Deno.link(own, draft).catch(() => Deno.copyFile(own, draft));
  await Deno.chmod(draft, 0o755);
  await Deno.rename(draft, path);
  return path;
}

/** Notes at `path` that it is still used, so that no server removes it as one of an old version. */
async function inUse(path: string): Promise<string> {
  const time = new Date();
  await Deno.utime(path, time, time);
  return path;
}

/** Whether others may enter every folder on the way to `path` and run it. */
async function isPublic(path: string): Promise<boolean> {
  for (let part = path;; part = dirname(part)) {
    if (((await Deno.stat(part)).mode! & 0o001) === 0) return false;
    if (part === dirname(part)) return true;
  }
}

async function findProgram(name: string): Promise<string | undefined> {
  for (const folder of ["/usr/bin", "/bin", "/usr/local/bin", "/usr/sbin", "/sbin"]) {
    if (await exists(join(folder, name))) return join(folder, name);
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch {
    return false;
  }
}
