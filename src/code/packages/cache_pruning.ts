// Removes from the module cache what no server on this machine has used for some time.

import { DAY_MS } from "../../time.ts";
import { randomUUID } from "node:crypto";
import { dirname, join } from "node:path";
import { folderKey, folderName, type Lease, leasesFolder, openLock, packageIndexes } from "./module_cache.ts";
import { nameOf } from "./lock.ts";

/** How long unused things are kept, in milliseconds. */
export interface PruningAges {
  /** A lease that was not renewed and whose data folder does not exist. */
  readonly leaseMs: number;
  /** Packages, and transpiled modules of deleted files. */
  readonly packageMs: number;
  /** Sandbox programs and copies of Deno of other versions of the server. */
  readonly programMs: number;
}

export interface PruningOptions {
  readonly cacheDir: string;
  readonly denoDir: string;
  readonly ages?: PruningAges;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Whether to end early. */
  readonly isStopping?: () => boolean;
}

export interface Pruned {
  /** Such as `ms@2.1.3`, as spelled in the cache. */
  readonly packages: readonly string[];
  /** Names of folders and files. */
  readonly programs: readonly string[];
  /** Folders of transpiled modules. */
  readonly transpiled: number;
}

export const DEFAULT_AGES: PruningAges = { leaseMs: 7 * DAY_MS, packageMs: DAY_MS, programMs: 30 * DAY_MS };
const NOTHING: Pruned = { packages: [], programs: [], transpiled: 0 };
/** A download may take two minutes. */
const LOCK_ATTEMPTS = 180;
const LOCK_ATTEMPT_MS = 1_000;

interface Candidate {
  readonly path: string;
  readonly ageMs: number;
}

/**
 * Removes packages, programs and transpiled modules that are in no live lease and have not been used for some time.
 * Nothing is removed while a server fetches. Folders are renamed first, so that no process sees a part of one.
 */
export async function pruneCache(options: PruningOptions): Promise<Pruned> {
  const { cacheDir, ages = DEFAULT_AGES } = options;
  const removed = join(cacheDir, "removed");
  await Deno.mkdir(removed, { recursive: true, mode: 0o700 });
  const lock = await openLock(cacheDir);
  try {
    if (!await lockAlone(lock, options)) return NOTHING;
    const leases = await liveLeases(options, ages.leaseMs);
    const setAside = async ({ path, ageMs }: Candidate): Promise<boolean> => {
      if (options.isStopping?.() || !await isOlder(path, ageMs, options.now())) return false;
      return await renameIfThere(path, join(removed, randomUUID()));
    };
    const packages = await setPackagesAside(options, leases, ages.packageMs, setAside);
    const programs: string[] = [];
    const kept = new Set(leases.flatMap((lease) => lease.programs));
    for await (const { name } of Deno.readDir(cacheDir)) {
      if (!/^(?:app|deno)-/.test(name) || kept.has(name)) continue;
      if (await setAside({ path: join(cacheDir, name), ageMs: ages.programMs })) programs.push(name);
    }
    let transpiled = 0;
    for await (const path of orphans(join(options.denoDir, "gen", "file"), "/")) {
      if (await setAside({ path, ageMs: ages.packageMs })) transpiled++;
    }
    return { packages, programs, transpiled };
  } finally {
    lock.close();
    // Includes the remains of an interrupted pruning.
    for await (const { name } of Deno.readDir(removed)) {
      await Deno.remove(join(removed, name), { recursive: true }).catch(ignoreMissing);
    }
  }
}

async function setPackagesAside(
  { denoDir, now }: PruningOptions,
  leases: readonly Lease[],
  ageMs: number,
  setAside: (candidate: Candidate) => Promise<boolean>,
): Promise<string[]> {
  const kept = new Set(leases.flatMap((lease) => lease.packages.map(folderKey)));
  // Deno may need the index of a package of which no version is fetched.
  const keptNames = new Set(leases.flatMap((lease) => lease.packages.map((id) => folderName(nameOf(id)))));
  const found: string[] = [];
  for await (const { name, path, versions } of packageIndexes(denoDir)) {
    let left = versions.length;
    for (const version of versions) {
      if (kept.has(version.key) || !await setAside({ path: version.path, ageMs })) continue;
      found.push(version.key);
      left--;
    }
    if (left > 0 || keptNames.has(name) || !await isOlder(join(path, "registry.json"), ageMs, now())) continue;
    await setAside({ path, ageMs: -Infinity });
    // The scope's folder, if this was its last package.
    if (name.includes("/")) await Deno.remove(dirname(path)).catch(() => {});
  }
  return [...new Set(found)];
}

/** Reports whether no server fetches now; none can start to before the lock is closed. */
async function lockAlone(lock: Deno.FsFile, { isStopping }: PruningOptions): Promise<boolean> {
  for (let attempt = 1; attempt <= LOCK_ATTEMPTS && !isStopping?.(); attempt++) {
    if (await lock.tryLock(true)) return true;
    await new Promise((resolve) => Deno.unrefTimer(setTimeout(resolve, LOCK_ATTEMPT_MS)));
  }
  return false;
}

/** Returns the leases of servers that may still run or start again, and removes the others. */
async function liveLeases({ cacheDir, now }: PruningOptions, leaseMs: number): Promise<Lease[]> {
  const folder = leasesFolder(cacheDir);
  await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
  const live: Lease[] = [];
  for await (const { name } of Deno.readDir(folder)) {
    const path = join(folder, name);
    if (!name.endsWith(".json")) {
      // The temporary file of a server that was killed.
      if (await isOlder(path, leaseMs, now())) await Deno.remove(path).catch(ignoreMissing);
      continue;
    }
    const lease = JSON.parse(await Deno.readTextFile(path)) as Lease;
    if (now() - lease.renewedAt < leaseMs || await isSameFolder(lease)) live.push(lease);
    else await Deno.remove(path);
  }
  return live;
}

async function isSameFolder({ dataDir, inode }: Lease): Promise<boolean> {
  try {
    return (await Deno.stat(dataDir)).ino === inode;
  } catch (error) {
    // What cannot be read may be in use.
    return !(error instanceof Deno.errors.NotFound);
  }
}

/** Finds the topmost folders of `transpiled` whose counterparts in `source` no longer exist. */
async function* orphans(transpiled: string, source: string): AsyncGenerator<string> {
  let entries: Deno.DirEntry[];
  try {
    entries = await Array.fromAsync(Deno.readDir(transpiled));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw error;
  }
  for (const { name, isDirectory } of entries) {
    if (!isDirectory) continue;
    const [path, original] = [join(transpiled, name), join(source, name)];
    if (await isThere(original)) yield* orphans(path, original);
    else yield path;
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    return !(error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory);
  }
}

async function isOlder(path: string, ageMs: number, now: number): Promise<boolean> {
  try {
    const { mtime } = await Deno.lstat(path);
    return now - (mtime?.getTime() ?? now) > ageMs;
  } catch (error) {
    ignoreMissing(error);
    return true;
  }
}

async function renameIfThere(from: string, to: string): Promise<boolean> {
  try {
    await Deno.rename(from, to);
    return true;
  } catch (error) {
    ignoreMissing(error);
    return false;
  }
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
