// Keeps the code folder and the newest version the same: puts the files of a new version in place, and records edits
// on disk as versions of their own.

import { randomUUID } from "node:crypto";
import { accessSync, constants } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { AppError, conflict, messageOf } from "../../errors.ts";
import { DRAFT_PREFIX } from "../../core/functions/file_paths.ts";
import type { Level } from "../../telemetry/log.ts";
import { sha256Of } from "../../sha256.ts";
import type { Blobs } from "../../store/blobs.ts";
import { eachOf } from "../../store/blobs.ts";
import { CODE_APPLIED as APPLIED, type MetaStore } from "../../store/settings.ts";
import type { Store } from "../../store/store.ts";
import type { KeptContent } from "../../sandbox/process/sandbox_dir.ts";
import type { CodeFolder, FoundFile, Look } from "../files/code_folder.ts";
import { DISK } from "./author.ts";
import type { CodeHistory, Head } from "./history.ts";
import { changesBetween, type Tree, type TreeChanges, type TreeFile, VERSIONED_MAX_BYTES } from "./tree.ts";

export interface WorkingCopyOptions {
  /** Absolute and real. */
  readonly codeDir: string;
  readonly folder: CodeFolder;
  readonly blobs: Blobs;
  readonly history: CodeHistory;
  readonly meta: MetaStore;
  readonly commit: Store["commit"];
  /** Stores which version is in the folder. */
  readonly local: Store["local"];
  readonly report: (level: Level, message: string) => void;
  /**
   * Absolute. If given, the folder never has other files than the newest version: edits on disk are undone, and kept
   * here.
   */
  readonly undoneDir?: string | undefined;
  /**
   * With `undoneDir`: is called when the folder does not have the newest version and cannot be brought to it, with the
   * reason, and without one when it has it again.
   */
  readonly onBehind?: ((reason: AppError | undefined) => void) | undefined;
}

/** New contents that wait in the code folder, under names that are never part of a function. */
export interface Staged extends AsyncDisposable {
  /**
   * Checks that nothing is in the way. Called in the transaction of the change.
   * @throws AppError Conflict (409) for a link, a folder with files that stay, a file that is not part of the newest
   *   version, and a folder that the server may not write to
   */
  check(): void;
  /**
   * Puts the files in place and deletes others, synchronously, so that no call sees a part of the change. Called after
   * the commit: if the server ends before this does, the next start completes it. On a node of a cluster, what cannot be
   * put in place is tried again; see `WorkingCopyOptions.onBehind`.
   */
  apply(): void;
}

/** Edits that are recorded again because a version was added meanwhile. */
const LOOKS_MAX = 5;
const WATCH_MS = 2_000;
/** What could not be put in place is tried again after this time. */
const RETRY_MS = 250;
/** Times of files advance every few milliseconds. */
const YOUNG_MS = 50;

/** The content of a file is stored nowhere. */
class ContentLost extends AppError {
  constructor(path: string) {
    super("Conflict", 409, `The content of ${path} is no longer stored.`, { [path]: "is no longer stored" });
  }
}

export class WorkingCopy {
  readonly #options: WorkingCopyOptions;
  /** The content of each file as of its last state. */
  readonly #known = new Map<string, { readonly state: string; readonly file: TreeFile }>();
  #settled: { readonly look: Look; readonly head: Head } | undefined;
  #recording: Promise<void> | undefined;
  #following: Promise<void> | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  #lastFailure = "";
  /** Why the folder does not have the newest version; only with `undoneDir`. */
  #behind: AppError | undefined;
  /** Counts what could not be put in place. */
  #failures = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #isStopped = false;

  constructor(options: WorkingCopyOptions) {
    this.#options = options;
  }

  /** Completes a change that a killed server began. Called before anything reads the code folder. */
  async recover(): Promise<void> {
    const { history, meta, codeDir } = this.#options;
    for (const { name, isDirectory } of Deno.readDirSync(codeDir)) {
      if (isDirectory && name.startsWith(DRAFT_PREFIX)) await Deno.remove(join(codeDir, name), { recursive: true });
    }
    if (this.#options.undoneDir !== undefined) return void await this.#attemptEdits();
    const applied = Number(meta.get(APPLIED) ?? NaN);
    const { version, tree } = history.head();
    if (version === undefined || applied === version) return;
    try {
      const before: Tree = Number.isSafeInteger(applied) && applied > 0 ? history.tree(applied) : new Map();
      const changes = new Map<string, TreeFile | null>();
      for (const [path, file] of changesBetween(before, tree)) {
        const found = await this.#contentOf(path);
        // What is neither the old nor the new content is an edit of the user's.
        if (this.#leadsThroughLink(path)) continue;
        if (found?.sha256 === before.get(path)?.sha256) changes.set(path, file);
      }
      if (changes.size === 0) return this.#markApplied(version);
      await using staged = await this.stage(changes);
      staged.apply();
      this.#options.report("info", `The code folder was brought to version ${version}.`);
    } catch (error) {
      // Calls then run what is in the folder, which becomes a version.
      this.#options.report("error", `The code folder could not be brought to version ${version}: ${messageOf(error)}`);
    }
  }

  /** Records edits now and every two seconds, until `stop`. */
  start(): void {
    void this.#attemptEdits();
    this.#timer = setInterval(() => void this.#attemptEdits(), WATCH_MS);
    Deno.unrefTimer(this.#timer);
  }

  /** Brings the folder along now. Returns false if that cannot be, as contents of the newest version are missing. */
  async hasContents(): Promise<boolean> {
    const { history, blobs } = this.#options;
    if (await this.#attemptEdits()) return true;
    for (const { sha256 } of history.head().tree.values()) if (!await blobs.read(sha256)) return false;
    await this.#attemptEdits();
    return true;
  }

  /** Returns whether it succeeded. */
  async #attemptEdits(): Promise<boolean> {
    const { undoneDir, history, report } = this.#options;
    const failures = this.#failures;
    try {
      await this.recordEdits();
      this.#lastFailure = "";
      // Otherwise, it was about an earlier version, or something else failed meanwhile.
      if (failures === this.#failures && this.#settled?.head === history.head()) this.#isCurrent();
      return true;
    } catch (error) {
      // A content that is nowhere is reported, and waited for, where it is needed.
      if (undoneDir !== undefined && !(error instanceof ContentLost)) this.putsInPlaceLater(error);
      const why = messageOf(error);
      const isNews = why !== this.#lastFailure;
      this.#lastFailure = why;
      if (this.#behind) return false;
      if (isNews) {
        report("error", `Edits of code could not be ${undoneDir === undefined ? "recorded" : "undone"}: ${why}`);
      }
      return false;
    }
  }

  /**
   * Is to be called with what prevents that the newest version is put in place after the commit. Returns whether that is
   * tried again until it succeeds.
   */
  putsInPlaceLater(error: unknown): boolean {
    const { undoneDir, history, folder, onBehind, report } = this.#options;
    if (undoneDir === undefined) return false;
    if (this.#isStopped) return true;
    this.#failures++;
    const reason = new AppError(
      "CodeNotInPlace",
      503,
      `Version ${history.head().version} of the code cannot be put in place on this node: ${messageOf(error)}`,
    );
    const isNews = reason.message !== this.#behind?.message;
    this.#behind = reason;
    onBehind?.(reason);
    if (isNews) report("error", `${reason.message} The node does not serve until it is; it tries again all the time.`);
    folder.changed();
    this.#retry ??= setTimeout(() => {
      this.#retry = undefined;
      void this.#attemptEdits();
    }, RETRY_MS);
    Deno.unrefTimer(this.#retry);
    return true;
  }

  #isCurrent(): void {
    if (!this.#behind) return;
    this.#behind = undefined;
    this.#options.report("info", "The newest version of the code is in place.");
    this.#options.onBehind?.(undefined);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#timer);
    clearTimeout(this.#retry);
    await this.#recording?.catch(() => {});
  }

  /** Makes a version of what was edited on disk before the call, if anything was. */
  recordEdits(): Promise<void> {
    if (!this.#recording) {
      return this.#recording = this.#recordEdits().finally(() => this.#recording = undefined);
    }
    // That one may have looked before the last edit.
    return this.#following ??= this.#recording.catch(() => {}).then(() => {
      this.#following = undefined;
      return this.recordEdits();
    });
  }

  /** The same, without relying on notices of the operating system, which may arrive later than a request. */
  recordAllEdits(): Promise<void> {
    this.#options.folder.changed();
    return this.recordEdits();
  }

  /** Makes versions of edits on disk if the file at `path` is not as the newest version has it. */
  async recordEditsOf(path: string): Promise<void> {
    const state = this.#stateOf(path);
    const known = this.#known.get(path);
    const isKnown = state === undefined ? known === undefined : known?.state === state;
    const found = isKnown ? known?.file : await this.#contentOf(path);
    if (found?.sha256 !== this.#options.history.head().tree.get(path)?.sha256) await this.recordAllEdits();
  }

  /**
   * Writes new contents to the code folder, under other names.
   * @throws AppError Conflict (409) if a content is no longer stored
   */
  async stage(changes: TreeChanges): Promise<Staged> {
    const staged = await this.#draft(changes);
    return {
      ...staged,
      apply: () => {
        try {
          staged.apply();
        } catch (error) {
          if (!this.putsInPlaceLater(error)) throw error;
        }
      },
    };
  }

  /** As `stage`. The files of `kept`, which are not part of a version, may be replaced. `apply` throws if it fails. */
  async #draft(changes: TreeChanges, kept?: ReadonlySet<string>): Promise<Staged> {
    const { codeDir, blobs } = this.#options;
    const drafts = join(codeDir, `${DRAFT_PREFIX}${randomUUID()}`);
    const draftOf = new Map<string, Draft>();
    const dispose = async () => await Deno.remove(drafts, { recursive: true }).catch(ignoreMissing);
    try {
      const written = [...changes.keys()].filter((path) => changes.get(path));
      if (written.length > 0) await Deno.mkdir(drafts, { mode: 0o700 });
      await eachOf(written, async (path) => {
        const content = await blobs.read(changes.get(path)!.sha256);
        if (!content) throw new ContentLost(path);
        const draft = join(drafts, `${draftOf.size}`);
        draftOf.set(path, { path: draft, state: "" });
        await Deno.writeFile(draft, content);
        draftOf.set(path, { path: draft, state: stateOf(await Deno.lstat(draft)) });
      });
      return {
        check: () => this.#check(changes, kept),
        apply: () => this.#apply(changes, draftOf),
        [Symbol.asyncDispose]: dispose,
      };
    } catch (error) {
      await dispose();
      throw error;
    }
  }

  /** Returns what reads the content that a file has in this state; undefined if it is not part of a version. */
  sourceOf(file: string, state: string): KeptContent | undefined {
    const { codeDir, blobs } = this.#options;
    const known = this.#known.get(relative(codeDir, file).split(sep).join("/"));
    return known?.state === state ? () => blobs.read(known.file.sha256) : undefined;
  }

  /** Remembers the content of a file that was just written, and that the folder has the newest version. */
  wrote(paths: Iterable<string>): void {
    const { history, folder } = this.#options;
    const { version, tree } = history.head();
    for (const path of paths) {
      const file = tree.get(path);
      const state = this.#stateOf(path);
      if (file && state !== undefined) this.#known.set(path, { state, file });
      else this.#known.delete(path);
    }
    folder.changed();
    this.#markApplied(version);
  }

  #check(changes: TreeChanges, kept?: ReadonlySet<string>): void {
    const { tree } = this.#options.history.head();
    const kinds = new Map<string, Kind | undefined>();
    const writable = new Set<string>();
    for (const [path, file] of changes) {
      const segments = path.split("/");
      let folder = "";
      for (let depth = 1; depth <= segments.length; depth++) {
        const at = segments.slice(0, depth).join("/");
        if (!kinds.has(at)) kinds.set(at, this.#kindOf(at));
        const found = kinds.get(at);
        // A file that is deleted first may become a folder.
        if (found === undefined || (found === "file" && changes.get(at) === null)) break;
        const isExpected = depth < segments.length
          ? found === "folder"
          : found === "file"
          ? tree.has(path) || kept?.has(path) === true
          : file === null;
        if (isExpected && found === "folder" && depth < segments.length) folder = at;
        if (isExpected || (found === "folder" && this.#isEmptiedBy(changes, at, kept !== undefined))) continue;
        const what = found === "file" ? "a file that is not part of the newest version" : describedKind(found);
        throw conflict(`${path} cannot be ${file ? "written" : "deleted"}: ${at} is ${what}.`, {
          [path]: `${at} is in the way`,
        });
      }
      if (!writable.has(folder)) this.#requireWritable(folder);
      writable.add(folder);
    }
  }

  /** After the commit it would be too late: the files would stay as they are. */
  #requireWritable(folder: string): void {
    const { codeDir } = this.#options;
    const name = folder === "" ? "The code folder" : `The folder ${folder}`;
    try {
      accessSync(join(codeDir, folder), constants.W_OK | constants.X_OK);
    } catch (error) {
      throw conflict(`${name} cannot be written to by the server: ${messageOf(error)}`);
    }
    // A rename leads to no other file system.
    if (Deno.statSync(join(codeDir, folder)).dev !== Deno.statSync(codeDir).dev) {
      throw conflict(`${name} is on another file system than the code folder, so that no file of it can be replaced.`);
    }
  }

  /**
   * Reports whether a folder has nothing but files that are deleted, in it and in folders of its own; `orEmpty` says what
   * is reported of one that has nothing.
   */
  #isEmptiedBy(changes: TreeChanges, folder: string, orEmpty: boolean): boolean {
    const entries = [...Deno.readDirSync(join(this.#options.codeDir, folder))];
    return (orEmpty || entries.length > 0) && entries.every(({ name, isDirectory }) => {
      const path = `${folder}/${name}`;
      return isDirectory ? this.#isEmptiedBy(changes, path, orEmpty) : changes.get(path) === null;
    });
  }

  #apply(changes: TreeChanges, draftOf: ReadonlyMap<string, Draft>): void {
    const { codeDir, folder, history } = this.#options;
    const deleted = [...changes.keys()].filter((path) => !changes.get(path));
    try {
      removeFiles(codeDir, deleted);
      for (const path of deleted) this.#known.delete(path);
      for (const [path, draft] of draftOf) {
        const target = join(codeDir, path);
        Deno.mkdirSync(dirname(target), { recursive: true });
        moveTo(target, draft.path);
        this.#known.set(path, { state: draft.state, file: changes.get(path)! });
      }
    } finally {
      folder.changed();
    }
    this.#markApplied(history.head().version);
  }

  /** Brings the files that differ from a version back to it, unless there is a newer one meanwhile. */
  async #undo(edits: TreeChanges, { version, tree }: Head, undoneDir: string): Promise<void> {
    const { codeDir, history, report } = this.#options;
    const edited = [...edits].filter(([path, file]) => file && !this.#leadsThroughLink(path)).map(([path]) => path);
    const back = new Map<string, TreeFile | null>(edited.map((path) => [path, null]));
    for (const path of edits.keys()) if (tree.has(path)) back.set(path, tree.get(path)!);
    await using staged = await this.#draft(back, new Set(edited));
    if (history.head().version !== version) return;
    staged.check();
    const kept = keepCopies(codeDir, edited, undoneDir);
    staged.apply();
    if (edited.length === 0) return report("info", `The code folder was brought to version ${version}.`);
    report(
      "warn",
      `${
        messageFor(new Map(edited.map((path) => [path, null])), false)
      }. This was undone, as the code of a cluster is ` +
        `changed by deployments and the API. What was there is in ${kept}.`,
    );
  }

  #markApplied(version: number | undefined): void {
    if (version === undefined || this.#options.undoneDir !== undefined) return;
    const { meta, local } = this.#options;
    local(() => meta.put(APPLIED, String(version)));
  }

  async #recordEdits(): Promise<void> {
    const { history, folder, commit, undoneDir } = this.#options;
    for (let look = 1; look <= LOOKS_MAX; look++) {
      const head = history.head();
      const found = await folder.current();
      if (this.#settled?.look === found && this.#settled.head === head) return;
      const changes = await this.#editsSince(head, found);
      if (undoneDir !== undefined && changes.size > 0) {
        await this.#undo(changes, head, undoneDir);
        continue;
      }
      await eachOf([...changes], async ([path, file]) => {
        if (file && !await this.#keep(path, file)) changes.delete(path);
      });
      // What was changed through the server meanwhile may be among the edits.
      const isOutdated = () => history.head().version !== head.version;
      if (isOutdated()) continue;
      if (changes.size > 0) {
        const isFirst = head.version === undefined;
        const isDone = await commit(() => {
          if (isOutdated()) return false;
          history.commit(DISK, isFirst ? "start" : "disk", messageFor(changes, isFirst), changes);
          return true;
        }, (isDone) => {
          if (isDone) this.#settle(found);
          return isDone;
        });
        if (isDone) return;
        continue;
      }
      this.#settle(found);
      return;
    }
  }

  /** Remembers that the newest version is what was found in the folder. */
  #settle(look: Look): void {
    const head = this.#options.history.head();
    this.#markApplied(head.version);
    this.#settled = { look, head };
  }

  /** Returns how the files on disk differ from a version. */
  async #editsSince({ tree }: Head, { files }: Look): Promise<Map<string, TreeFile | null>> {
    const changes = new Map<string, TreeFile | null>();
    const seen = new Set<string>();
    const unknown: FoundFile[] = [];
    const compare = (path: string, file: TreeFile) => {
      if (tree.get(path)?.sha256 !== file.sha256) changes.set(path, file);
    };
    for (const file of files) {
      if (file.sizeBytes > VERSIONED_MAX_BYTES) continue;
      seen.add(file.path);
      const known = this.#known.get(file.path);
      if (known?.state === file.state) compare(file.path, known.file);
      else unknown.push(file);
    }
    await eachOf(unknown, async ({ path, state }) => {
      const file = await this.#contentOf(path);
      if (!file) return void seen.delete(path);
      // Of two edits within a few milliseconds, the second one may not change the state.
      if (Date.now() - Number.parseInt(state) > YOUNG_MS) this.#known.set(path, { state, file });
      compare(path, file);
    });
    // A file that another one is just replacing may be missing in the list.
    for (const path of tree.keys()) if (!seen.has(path) && !this.#isVersioned(path)) changes.set(path, null);
    return changes;
  }

  /** Stores the content of a file; returns false if it was changed since it was read. */
  async #keep(path: string, { sha256 }: TreeFile): Promise<boolean> {
    const { blobs, codeDir } = this.#options;
    if ((await blobs.missing([sha256])).length === 0) return true;
    const content = await Deno.readFile(join(codeDir, path)).catch(ignoreMissing);
    if (!content || sha256Of(content) !== sha256) {
      this.#known.delete(path);
      return false;
    }
    await blobs.put(sha256, content);
    return true;
  }

  async #contentOf(path: string): Promise<TreeFile | undefined> {
    if (this.#kindOf(path) !== "file" || this.#leadsThroughLink(path)) return undefined;
    const content = await Deno.readFile(join(this.#options.codeDir, path)).catch(ignoreMissing);
    return content && { sha256: sha256Of(content), sizeBytes: content.length };
  }

  /** Reports whether there is a file that can be part of a version. */
  #isVersioned(path: string): boolean {
    const info = this.#lstat(path);
    return info?.isFile === true && info.size <= VERSIONED_MAX_BYTES && !this.#leadsThroughLink(path);
  }

  /** Reports whether a folder of the path is a link: what is behind it is not in the code folder. */
  #leadsThroughLink(path: string): boolean {
    let folder = dirname(path);
    let kind = this.#kindOf(folder);
    for (; kind === undefined && folder !== "."; kind = this.#kindOf(folder)) folder = dirname(folder);
    const absolute = join(this.#options.codeDir, folder);
    return kind === "link" || Deno.realPathSync(absolute) !== absolute;
  }

  #kindOf(path: string): Kind | undefined {
    const info = this.#lstat(path);
    if (!info) return undefined;
    return info.isDirectory ? "folder" : info.isSymlink ? "link" : info.isFile ? "file" : "special file";
  }

  #stateOf(path: string): string | undefined {
    const info = this.#lstat(path);
    return info?.isFile ? stateOf(info) : undefined;
  }

  #lstat(path: string): Deno.FileInfo | undefined {
    try {
      return Deno.lstatSync(join(this.#options.codeDir, path));
    } catch {
      return undefined;
    }
  }
}

/** A new content that waits in the code folder. */
interface Draft {
  /** Absolute. */
  readonly path: string;
  /** A rename does not change it. */
  readonly state: string;
}

/** As in the list of the code folder. */
function stateOf({ mtime, size, ino }: Deno.FileInfo): string {
  return `${mtime?.getTime()} ${size} ${ino}`;
}

/** What a path is on disk; a special file is a pipe, a socket or a device. */
type Kind = "file" | "folder" | "link" | "special file";

function describedKind(kind: Exclude<Kind, "file">): string {
  return kind === "folder" ? "a folder that stays" : `a ${kind}`;
}

const NAMES_MAX = 3;

/** Returns a clause such as "a.ts and b.ts were edited on disk". */
function messageFor(changes: TreeChanges, isFirst: boolean): string {
  if (isFirst) return "Files that were in the code folder";
  const paths = [...changes.keys()].sort();
  const named = paths.slice(0, NAMES_MAX).join(", ");
  return paths.length <= NAMES_MAX ? `Edited on disk: ${named}` : `Edited on disk: ${named} and others`;
}

/** Copies of edits that are kept. */
const KEPT_MAX = 20;

/** Copies files into a new folder in `undoneDir`, which is returned. */
function keepCopies(codeDir: string, paths: readonly string[], undoneDir: string): string {
  const folder = join(undoneDir, new Date().toISOString().replaceAll(":", "-"));
  for (const path of paths) {
    try {
      Deno.mkdirSync(dirname(join(folder, path)), { recursive: true, mode: 0o700 });
      Deno.copyFileSync(join(codeDir, path), join(folder, path));
    } catch (error) {
      // It is gone meanwhile.
      ignoreMissing(error);
    }
  }
  const all = paths.length === 0 ? [] : [...Deno.readDirSync(undoneDir)].map(({ name }) => name).sort();
  for (const name of all.slice(0, -KEPT_MAX)) Deno.removeSync(join(undoneDir, name), { recursive: true });
  return folder;
}

/** Removes files, and folders that become empty. */
function removeFiles(codeDir: string, paths: readonly string[]): void {
  const folders = new Set<string>();
  for (const path of paths) {
    for (let folder = dirname(path); folder !== "."; folder = dirname(folder)) folders.add(folder);
    try {
      Deno.removeSync(join(codeDir, path));
    } catch {
      // It does not exist.
    }
  }
  // What is in a folder comes first. An attempt that fails takes longer than a look.
  for (const folder of [...folders].sort().reverse()) {
    try {
      if (Deno.readDirSync(join(codeDir, folder)).next().done) Deno.removeSync(join(codeDir, folder));
    } catch {
      // It does not exist, or something was just put into it.
    }
  }
}

/** Renames a file to `target`; a server that was killed may have left an empty folder there. */
function moveTo(target: string, draft: string): void {
  try {
    Deno.renameSync(draft, target);
  } catch (error) {
    if (!(error instanceof Deno.errors.IsADirectory)) throw error;
    removeEmptyFolder(target);
    Deno.renameSync(draft, target);
  }
}

/** Removes a folder and the folders in it. @throws if there is a file */
function removeEmptyFolder(path: string): void {
  for (const { name } of Deno.readDirSync(path)) removeEmptyFolder(join(path, name));
  Deno.removeSync(path);
}

function ignoreMissing(error: unknown): undefined {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
