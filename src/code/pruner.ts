// Removes unused package locks, unused parts of the module cache and contents of code that no kept version has, once a
// day, so that they do not grow without bound.

import { DAY_MS, HOUR_MS } from "../time.ts";
import { join } from "node:path";
import { reasonOf } from "../errors.ts";
import type { Level } from "../telemetry/log.ts";
import { pruneCache, type Pruned, type PruningAges } from "./packages/cache_pruning.ts";
import type { Imports } from "./modules/imports.ts";
import type { ModuleCache } from "./packages/module_cache.ts";
import { isThere } from "./packages/package_files.ts";
import type { PackageLocks } from "./packages/package_locks.ts";
import type { Blobs } from "../store/blobs.ts";

export interface PrunerOptions {
  /** Absolute and real. */
  readonly codeDir: string;
  readonly runtime: { readonly cacheDir: string; readonly denoDir: string };
  readonly cache: ModuleCache;
  readonly locks: PackageLocks;
  readonly imports: Pick<Imports, "forget">;
  readonly blobs: Pick<Blobs, "sweep">;
  /** Returns what reports whether a version of the code that is kept as of now has a content. */
  readonly blobUses: () => (sha256: string) => boolean;
  /** Handlers of all functions, as paths in the code folder. */
  readonly handlers: () => Iterable<string>;
  readonly now: () => number;
  readonly report: (level: Level, message: string) => void;
  readonly ages?: PruningAges;
}

const EVERY_MS = DAY_MS;
const NAMES_MAX = 20;
/** How long a content waits for the deployment that it was sent for. */
const BLOB_AGE_MS = DAY_MS;

export class Pruner {
  readonly #options: PrunerOptions;
  readonly #timers: ReturnType<typeof setTimeout>[] = [];
  readonly #underWay = new Set<Promise<void>>();
  #isStopping = false;

  constructor(options: PrunerOptions) {
    this.#options = options;
  }

  /** Writes the lease now and every hour; prunes an hour from now and then every day. */
  start(): void {
    const { cache } = this.#options;
    const renew = () => this.#attempt("The lease of the module cache could not be renewed", () => cache.renew());
    const keep = () => this.#attempt("The use of packages could not be recorded", () => cache.touch());
    const hourly = () => void renew().then(keep);
    const prune = () => void this.run();
    this.#timers.push(setInterval(hourly, HOUR_MS), setTimeout(prune, HOUR_MS), setInterval(prune, EVERY_MS));
    for (const timer of this.#timers) Deno.unrefTimer(timer);
    void renew();
  }

  /** Stops; resolves when current work has ended, which is soon. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    for (const timer of this.#timers) clearTimeout(timer);
    await Promise.all(this.#underWay);
  }

  /** Prunes now; never throws. */
  run(): Promise<void> {
    return this.#attempt("Unused packages could not be removed", () => this.#prune());
  }

  async #prune(): Promise<void> {
    const { runtime, cache, now, ages, report, blobs, blobUses } = this.#options;
    await blobs.sweep(now() - BLOB_AGE_MS, blobUses());
    const locks = await this.#pruneLocks();
    if (this.#isStopping) return;
    await cache.renew();
    const pruned = await pruneCache({ ...runtime, now, ...(ages && { ages }), isStopping: () => this.#isStopping });
    const sentence = summary(locks, pruned);
    if (sentence) report("info", sentence);
  }

  /** Removes locks of handlers that no function uses and whose file does not exist. */
  async #pruneLocks(): Promise<number> {
    const { codeDir, locks, imports, handlers } = this.#options;
    const fileOf = (handler: string) => join(codeDir, ...handler.split("/"));
    const gone: string[] = [];
    for (const handler of locks.handlers()) {
      if (this.#isStopping) return 0;
      if (!await Deno.lstat(fileOf(handler)).then(() => true, () => false)) gone.push(handler);
    }
    // Checked again, as the state may have changed meanwhile.
    const used = new Set(handlers());
    const removed = gone.filter((handler) => !used.has(handler) && !isThere(fileOf(handler)));
    imports.forget(removed);
    await locks.remove(removed);
    return removed.length;
  }

  /** Runs work and reports its error in a message that begins with `failure`; never throws. */
  #attempt(failure: string, work: () => Promise<void>): Promise<void> {
    if (this.#isStopping) return Promise.resolve();
    const attempt = work().catch((error) => this.#options.report("warn", `${failure}: ${reasonOf(error)}.`))
      .finally(() => this.#underWay.delete(attempt));
    this.#underWay.add(attempt);
    return attempt;
  }
}

function summary(locks: number, { packages, programs, transpiled }: Pruned): string | undefined {
  const more = packages.length > NAMES_MAX ? `, and ${packages.length - NAMES_MAX} more` : "";
  const parts = [
    locks > 0 && `the package versions of ${locks} deleted ${locks === 1 ? "handler" : "handlers"}`,
    packages.length > 0 && `packages that nothing uses (${packages.slice(0, NAMES_MAX).join(", ")}${more})`,
    programs.length > 0 && `programs of other versions (${programs.join(", ")})`,
    transpiled > 0 && `${transpiled} folders of transpiled modules`,
  ].filter((part) => part !== false);
  return parts.length > 0 ? `Removed ${parts.join("; ")}.` : undefined;
}
