// Manages a server's use of this machine's module cache, which several servers may share. Each server has a lease there:
// a file that names the packages and programs that it uses, so that no other server removes them. A fetch takes a shared
// lock, a removal an exclusive one.

import { DAY_MS } from "../../time.ts";
import { createHash, randomUUID } from "node:crypto";
import { basename, dirname, join } from "node:path";
import { valid } from "semver";
import type { Runtime } from "../../sandbox/process/toolchain.ts";
import { nameOf, versionOf } from "./lock.ts";

/** What one server uses in the module cache. */
export interface Lease {
  readonly dataDir: string;
  /** Id of the data folder; null if the system has none. */
  readonly inode: number | null;
  /** Milliseconds since 1970. */
  readonly renewedAt: number;
  /** Names of folders and files next to Deno's cache: the sandboxes' program, and their Deno. */
  readonly programs: readonly string[];
  /** Such as `ms@2.1.3`, from any registry. */
  readonly packages: readonly string[];
}

/** A version of a package in the module cache. */
export interface PackageFolder {
  /** See `folderKey`. */
  readonly key: string;
  readonly path: string;
}

/** A package in the module cache, with the registry's metadata and the fetched versions. */
export interface PackageIndex {
  /** As spelled in the cache. */
  readonly name: string;
  readonly path: string;
  readonly versions: readonly PackageFolder[];
}

export interface ModuleCacheOptions {
  readonly runtime: Pick<Runtime, "cacheDir" | "denoDir" | "appDir" | "deno" | "workerPackage">;
  /** Absolute and real. */
  readonly dataDir: string;
  /** Returns the ids of all packages that functions of this server use, such as `ms@2.1.3`. */
  readonly used: () => Promise<Iterable<string>>;
  readonly now: () => number;
}

/** A lease includes fetched packages that are in no lock for this long: processes may still use them. */
const CLAIM_MS = DAY_MS;

export class ModuleCache {
  readonly #options: ModuleCacheOptions;
  readonly #claimed = new Map<string, number>();
  /** Undefined until the first look-up. */
  #used: ReadonlySet<string> | undefined;
  #leased: ReadonlySet<string> = new Set();
  #writing: Promise<void> = Promise.resolve();
  #running: () => Iterable<string> = () => [];

  constructor(options: ModuleCacheOptions) {
    this.#options = options;
  }

  /** Adds what `running` returns to the lease: packages that processes may use without a lock that names them. */
  alsoUsed(running: () => Iterable<string>): void {
    this.#running = running;
  }

  /** Runs work that fetches packages. No server removes packages meanwhile. */
  async fetching<T>(work: () => Promise<T>): Promise<T> {
    const lock = await openLock(this.#options.runtime.cacheDir);
    try {
      await lock.lock(false);
      return await work();
    } finally {
      lock.close();
    }
  }

  /** Adds packages to the lease for at least a day, even if they are in no lock. Called within `fetching`. */
  async claim(ids: Iterable<string>): Promise<void> {
    const claimed = [...ids];
    const at = this.#options.now();
    for (const id of claimed) this.#claimed.set(id, at);
    if (!claimed.every((id) => this.#leased.has(plainId(id)))) await this.#write();
  }

  /** Writes the lease with everything in use now. */
  async renew(): Promise<void> {
    this.#used = undefined;
    await this.#write();
  }

  /** Updates the time of use of everything that the lease names. */
  async touch(): Promise<void> {
    const { runtime: { cacheDir, denoDir } } = this.#options;
    const keys = new Set([...this.#leased].map(folderKey));
    for await (const { versions } of packageIndexes(denoDir)) {
      for (const { key, path } of versions) if (keys.has(key)) await touch(path);
    }
    for (const name of this.#programs()) await touch(join(cacheDir, name));
  }

  #programs(): string[] {
    const { cacheDir, appDir, deno } = this.#options.runtime;
    return [appDir, deno].filter((path) => path.startsWith(`${cacheDir}/`)).map((path) =>
      path.slice(cacheDir.length + 1)
    );
  }

  /** Writes are sequential, each with the state at its start. */
  #write(): Promise<void> {
    const write = async (): Promise<void> => {
      const { runtime, dataDir, used, now } = this.#options;
      // Packages that are fetched meanwhile are claimed.
      const current = this.#used ?? new Set([...await used(), ...this.#running()].map(plainId));
      for (const [id, at] of this.#claimed) if (now() - at > CLAIM_MS) this.#claimed.delete(id);
      const worker = runtime.workerPackage.replace(/^npm:/, "");
      const packages = new Set([worker, ...current, ...this.#claimed.keys()].map(plainId));
      const { ino } = await Deno.stat(dataDir);
      const lease: Lease = {
        dataDir,
        inode: ino,
        renewedAt: now(),
        programs: this.#programs(),
        packages: [...packages].sort(),
      };
      const folder = leasesFolder(runtime.cacheDir);
      await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
      // Servers in different containers may use the same path for different folders.
      const name = createHash("sha256").update(`${dataDir}\0${ino}`).digest("hex").slice(0, 16);
      const draft = join(folder, `${name}.${randomUUID()}`);
      await Deno.writeTextFile(draft, JSON.stringify(lease), { mode: 0o600 });
      await Deno.rename(draft, join(folder, `${name}.json`));
      this.#used = current;
      this.#leased = packages;
    };
    const written = this.#writing.then(write);
    this.#writing = written.catch(() => {});
    return written;
  }
}

export function leasesFolder(cacheDir: string): string {
  return join(cacheDir, "leases");
}

/** Opens the lock, which is shared for a fetch and exclusive for a removal. */
export async function openLock(cacheDir: string): Promise<Deno.FsFile> {
  return await Deno.open(join(cacheDir, "fetching.lock"), { create: true, write: true, mode: 0o600 });
}

/**
 * Finds all packages in Deno's cache: `npm/<host>/<name>/<version>`, with the path of the registry's URL, if any, before
 * the name.
 */
export async function* packageIndexes(denoDir: string): AsyncGenerator<PackageIndex> {
  yield* indexesIn(join(denoDir, "npm"));
}

async function* indexesIn(path: string): AsyncGenerator<PackageIndex> {
  const entries = await entriesOf(path);
  const folders = entries.filter(({ isDirectory }) => isDirectory).map(({ name }) => name);
  const isVersion = (name: string): boolean => /^\d/.test(name) && valid(withoutCopy(name)) !== null;
  if (!entries.some(({ name }) => name === "registry.json") && !folders.some(isVersion)) {
    for (const name of folders) yield* indexesIn(join(path, name));
    return;
  }
  const scope = basename(dirname(path));
  const name = scope.startsWith("@") ? `${scope}/${basename(path)}` : basename(path);
  const versions = folders.map((version) => ({
    key: `${name}@${withoutCopy(version)}`,
    path: join(path, version),
  }));
  yield { name, path, versions };
}

/** Deno numbers additional copies of a version: `2.1.3_1`. */
function withoutCopy(version: string): string {
  return version.replace(/_\d+$/, "");
}

async function entriesOf(path: string): Promise<Deno.DirEntry[]> {
  try {
    return await Array.fromAsync(Deno.readDir(path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** Returns the name and version of a package as spelled in folders of Deno's cache. */
export function folderKey(id: string): string {
  return `${folderName(nameOf(id))}@${versionOf(id)}`;
}

/** Returns a name as Deno spells it: in base32 (RFC 4648) if it has capitals, as some file systems ignore case. */
export function folderName(name: string): string {
  if (name === name.toLowerCase()) return name;
  const alphabet = "abcdefghijklmnopqrstuvwxyz234567";
  const bits = [...new TextEncoder().encode(name)].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  const groups = bits.match(/.{1,5}/g) ?? [];
  return `_${groups.map((group) => alphabet[parseInt(group.padEnd(5, "0"), 2)]).join("")}`;
}

/** Returns an id without the versions of its peers. */
function plainId(id: string): string {
  return `${nameOf(id)}@${versionOf(id)}`;
}

async function touch(path: string): Promise<void> {
  const time = new Date();
  await Deno.utime(path, time, time).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}
