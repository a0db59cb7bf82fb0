// Maintains the list of files in the code folder by watching its folders instead of checking each file.

import { join } from "node:path";
import { isClosedName } from "./importable.ts";

export interface FoundFile {
  /** Inside the code folder, with "/" between segments. */
  readonly path: string;
  readonly sizeBytes: number;
  /** Changes with the content. */
  readonly state: string;
}

/** The state of the folder at one moment. */
export interface Look {
  /** In order of path; without links and closed names. */
  readonly files: readonly FoundFile[];
}

export interface CodeFolderOptions {
  /** Absolute and real. */
  readonly codeDir: string;
  /** A folder that is excluded, if it is inside. */
  readonly dataDir: string;
  /** Is called with a sentence for the operator if folders cannot be watched. */
  readonly warn: (message: string) => void;
  /** How often to check that the watcher misses nothing; by default every 10 seconds of use. */
  readonly checkMs?: number;
}

/** After a change, each use scans again for this long: a new folder is watched only after its first file may exist. */
const SETTLE_MS = 250;
/** How long a scan stays valid where no watcher reports changes, or while files are still changing. */
const UNWATCHED_MS = 1_000;
const UNSETTLED_MS = 20;
const CHECK_MS = 10_000;
/** Scans repeated because folders appeared meanwhile; the next use scans again. */
const LOOKS_MAX = 5;

export class CodeFolder {
  readonly #options: CodeFolderOptions;
  #last: { readonly look: Look; readonly at: number } | undefined;
  #looking: Promise<Look> | undefined;
  #changedAt = -Infinity;
  #watcher: Deno.FsWatcher | undefined;
  #watched = new Set<string>();
  /**
   * Set once there is a FIFO or the like: Deno's watcher opens each file that is created, which never ends for a FIFO,
   * reports nothing more, and the next watcher would stop the whole process.
   */
  #isUnwatchable = false;
  #checkedAt = performance.now();
  /** A scan for which nothing waits. */
  #refresh: Promise<void> | undefined;
  #hasWarned = false;
  readonly #closing = Promise.withResolvers<void>();
  #closed = false;
  #checking: Promise<void> | undefined;

  constructor(options: CodeFolderOptions) {
    this.#options = options;
  }

  /** Returns the current state; immediately if nothing has changed since the last scan. */
  current(): Look | Promise<Look> {
    if (this.#last && this.#isCurrent(this.#last.at)) {
      this.#checkNowAndThen();
      return this.#last.look;
    }
    if (this.#looking) return this.#looking;
    const looking = this.#look().finally(() => {
      if (this.#looking === looking) this.#looking = undefined;
    });
    return this.#looking = looking;
  }

  /** Invalidates the state because this program changed a file. */
  changed(): void {
    this.#changedAt = performance.now();
    // A scan that started before may have missed it.
    this.#looking = undefined;
  }

  /**
   * Reports whether nothing has changed since `at`, by the clock of `performance.now()`. False if that is not known:
   * folders cannot be watched, or were not looked at since the last change, which this starts.
   */
  isUnchangedSince(at: number): boolean {
    if (!this.#last || this.#last.at <= this.#changedAt) {
      this.#refresh ??= Promise.resolve(this.current()).then(() => {}, () => {
        // The next scan fails with it, too.
      }).finally(() => this.#refresh = undefined);
      return false;
    }
    this.#checkNowAndThen();
    return this.#watcher !== undefined && at > this.#changedAt + SETTLE_MS;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#closing.resolve();
    this.#unwatch();
    await Promise.all([this.#refresh, this.#checking]);
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
      const { files, folders, special } = await this.#walk();
      if (special !== undefined) this.#giveUpWatching(special);
      const isWatched = [...folders].every((folder) => this.#watched.has(folder));
      // Files created in a folder before it was watched may have been missed.
      if (!isWatched && looks < LOOKS_MAX && this.#watch(folders)) continue;
      const look = { files };
      if (this.#changedAt < at && (isWatched || !this.#watcher)) this.#last = { look, at };
      return look;
    }
  }

  #checkNowAndThen(): void {
    const now = performance.now();
    if (!this.#watcher || now - this.#checkedAt < (this.#options.checkMs ?? CHECK_MS)) return;
    this.#checkedAt = now;
    this.#checking = this.#check().catch(() => {
      // The next scan fails with it, too.
    });
  }

  /** Scans, and compares with what the watcher made this program believe. */
  async #check(): Promise<void> {
    const { look, at } = this.#last!;
    const { files, special } = await this.#walk();
    const isSame = JSON.stringify(files) === JSON.stringify(look.files);
    if (isSame && special === undefined) return;
    // The watcher may report it yet.
    let timer: ReturnType<typeof setTimeout>;
    const settled = new Promise<void>((resolve) => timer = setTimeout(resolve, SETTLE_MS));
    await Promise.race([settled, this.#closing.promise]).finally(() => clearTimeout(timer));
    if (this.#closed || this.#changedAt > at) return;
    this.#giveUpWatching(special);
  }

  #giveUpWatching(special: string | undefined): void {
    if (this.#isUnwatchable) return;
    this.#isUnwatchable = true;
    // Not closed, which would wait for it for as long as the server runs.
    [this.#watcher, this.#watched] = [undefined, new Set()];
    this.changed();
    this.#options.warn(
      `Folders are no longer watched, so edits of functions' files take effect a second later: ${
        special === undefined ? "a change was not reported" : `${special} is no file, folder or link`
      }. ${special === undefined ? "R" : "Remove it and r"}estart the server to watch them again.`,
    );
  }

  /** `special` is the path of something that is no file, folder or link, if there is any. */
  async #walk(): Promise<{ files: FoundFile[]; folders: Set<string>; special: string | undefined }> {
    const { codeDir, dataDir } = this.#options;
    let special: string | undefined;
    const files: FoundFile[] = [];
    const folders = new Set<string>();
    const visit = async (inside: string): Promise<void> => {
      const folder = join(codeDir, inside);
      if (folder === dataDir) return;
      folders.add(folder);
      for await (const { name, isDirectory, isFile, isSymlink } of Deno.readDir(folder)) {
        const path = inside === "" ? name : `${inside}/${name}`;
        if (!isDirectory && !isFile && !isSymlink) special ??= path;
        if (isClosedName(name)) continue;
        // Deleted in the meantime.
        if (isDirectory) await visit(path).catch(ignoreMissing);
        if (!isFile) continue;
        const info = await Deno.lstat(join(codeDir, path)).catch(ignoreMissing);
        if (!info?.isFile) continue;
        files.push({ path, sizeBytes: info.size, state: `${info.mtime?.getTime()} ${info.size} ${info.ino}` });
      }
    };
    await visit("");
    files.sort((a, b) => a.path < b.path ? -1 : 1);
    return { files, folders, special };
  }

  /** Watches exactly these folders and returns whether that is possible. Not recursively, which would follow links. */
  #watch(folders: Set<string>): boolean {
    this.#unwatch();
    if (this.#closed || this.#isUnwatchable) return false;
    try {
      const watcher = Deno.watchFs([...folders], { recursive: false });
      this.#watcher = watcher;
      this.#watched = folders;
      void this.#follow(watcher);
      return true;
    } catch (error) {
      // A folder was deleted meanwhile: the next scan excludes it.
      if (!(error instanceof Deno.errors.NotFound) && !this.#hasWarned) {
        this.#hasWarned = true;
        const why = error instanceof Error ? error.message : String(error);
        this.#options.warn(
          `Folders cannot be watched, so edits of functions' files take effect a second later: ${why}`,
        );
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
