// The files of the code folder as of now, kept up to date by watching its folders rather than by looking at each file.

import { join } from "node:path";
import { isClosedName } from "./importable.ts";

export interface FoundFile {
  /** Inside the code folder, with "/" between segments. */
  readonly path: string;
  readonly sizeBytes: number;
  /** Changes with the content. */
  readonly state: string;
}

/** One look at the folder. */
export interface Look {
  /** In order of path; without links, and without what has a closed name. */
  readonly files: readonly FoundFile[];
}

export interface CodeFolderOptions {
  /** Absolute and real. */
  readonly codeDir: string;
  /** A folder that is left out, wherever it is. */
  readonly dataDir: string;
  /** Called when folders cannot be watched, with a sentence for the operator. */
  readonly warn: (message: string) => void;
}

/** After a change each use looks again for so long: a folder that was just made is watched a moment after its first file. */
const SETTLE_MS = 250;
/** How long a scan stays valid where no watcher reports changes, or while files are still changing. */
const UNWATCHED_MS = 1_000;
const UNSETTLED_MS = 20;
/** Folders that appear while they are looked for; the next use looks again. */
const LOOKS_MAX = 5;

export class CodeFolder {
  readonly #options: CodeFolderOptions;
  #last: { readonly look: Look; readonly at: number } | undefined;
  #looking: Promise<Look> | undefined;
  #changedAt = -Infinity;
  #watcher: Deno.FsWatcher | undefined;
  #watched = new Set<string>();
  #hasWarned = false;
  #closed = false;

  constructor(options: CodeFolderOptions) {
    this.#options = options;
  }

  /** What is there now; at once if nothing was changed since the last look. */
  current(): Look | Promise<Look> {
    if (this.#last && this.#isCurrent(this.#last.at)) return this.#last.look;
    if (this.#looking) return this.#looking;
    const looking = this.#look().finally(() => {
      if (this.#looking === looking) this.#looking = undefined;
    });
    return this.#looking = looking;
  }

  /** A file was changed by this program: what is known of it no longer holds. */
  changed(): void {
    this.#changedAt = performance.now();
    // One that began before may have missed it.
    this.#looking = undefined;
  }

  close(): void {
    this.#closed = true;
    this.#unwatch();
  }

  #isCurrent(lookedAt: number): boolean {
    if (lookedAt <= this.#changedAt) return false;
    const now = performance.now();
    if (!this.#watcher) return now - lookedAt < UNWATCHED_MS;
    return lookedAt > this.#changedAt + SETTLE_MS || now - lookedAt < UNSETTLED_MS;
  }

  async #look(): Promise<Look> {
    for (let looks = 1;; looks++) {
      const at = performance.now();
      const { files, folders } = await this.#walk();
      const isWatched = [...folders].every((folder) => this.#watched.has(folder));
      // What is made in a folder that was not watched yet may have been missed.
      if (!isWatched && looks < LOOKS_MAX && this.#watch(folders)) continue;
      const look = { files };
      if (this.#changedAt < at && (isWatched || !this.#watcher)) this.#last = { look, at };
      return look;
    }
  }

  async #walk(): Promise<{ files: FoundFile[]; folders: Set<string> }> {
    const { codeDir, dataDir } = this.#options;
    const files: FoundFile[] = [];
    const folders = new Set<string>();
    const visit = async (inside: string): Promise<void> => {
      const folder = join(codeDir, inside);
      if (folder === dataDir) return;
      folders.add(folder);
      for await (const { name, isDirectory, isFile } of Deno.readDir(folder)) {
        if (isClosedName(name)) continue;
        const path = inside === "" ? name : `${inside}/${name}`;
        // What is deleted meanwhile is not there.
        if (isDirectory) await visit(path).catch(ignoreMissing);
        if (!isFile) continue;
        const info = await Deno.lstat(join(codeDir, path)).catch(ignoreMissing);
        if (!info?.isFile) continue;
        files.push({ path, sizeBytes: info.size, state: `${info.mtime?.getTime()} ${info.size} ${info.ino}` });
      }
    };
    await visit("");
    files.sort((a, b) => a.path < b.path ? -1 : 1);
    return { files, folders };
  }

  /** Watches exactly these folders; whether that could be done. Not recursively, which would follow links. */
  #watch(folders: Set<string>): boolean {
    this.#unwatch();
    if (this.#closed) return false;
    try {
      const watcher = Deno.watchFs([...folders], { recursive: false });
      this.#watcher = watcher;
      this.#watched = folders;
      void this.#follow(watcher);
      return true;
    } catch (error) {
      // A folder was deleted meanwhile: the next look does without it.
      if (!(error instanceof Deno.errors.NotFound) && !this.#hasWarned) {
        this.#hasWarned = true;
        const why = error instanceof Error ? error.message : String(error);
        this.#options.warn(`Folders cannot be watched, so that edits of functions' files count a second late: ${why}`);
      }
      return false;
    }
  }

  async #follow(watcher: Deno.FsWatcher): Promise<void> {
    for await (const { kind } of watcher) if (kind !== "access") this.#changedAt = performance.now();
  }

  #unwatch(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    this.#watched = new Set();
  }
}

function ignoreMissing(error: unknown): undefined {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
