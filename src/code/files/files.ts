// Lists, reads, replaces, moves and deletes handler files, and never leaves the code folder.

import { randomUUID } from "node:crypto";
import { basename, dirname, join, relative, sep } from "node:path";
import type { Actor, Facts, LoneRecorder, Recorder, Subject } from "../../actor.ts";
import { AppError, conflict, invalid, messageOf, notFound } from "../../errors.ts";
import { checkFilePath, DRAFT_PREFIX } from "../../core/functions/file_paths.ts";
import { sha256Of } from "../../sha256.ts";
import type { Store } from "../../store/store.ts";
import { type ExpectedVersions, requireVersion } from "../../versions.ts";

/** How often a write creates its folder again when concurrent deletes remove it. */
const FOLDER_ATTEMPTS = 20;

export interface FileInfo {
  /** Inside the code folder, with "/" between segments. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly modifiedAt: Date;
}

/** A file in a folder, or a subfolder, whose size is not known. */
export type FolderEntry = { readonly name: string; readonly path: string } & Partial<FileInfo>;

/** Keeps what files contained; see src/code/versions. */
export interface FileHistory {
  /** Records what was edited on disk if the file at `path` was. */
  settle(path: string): Promise<void>;
  /** Stores a content durably. */
  keep(path: string, sha256: string, content: Uint8Array): Promise<void>;
  /**
   * Adds a version with these files, of which null is one that was deleted; called within the transaction of the
   * change. Returns the newest version.
   */
  commit(
    actor: Actor,
    message: string,
    files: ReadonlyMap<string, { sha256: string; sizeBytes: number } | null>,
  ): number | undefined;
  /** Is called when the files have changed. */
  wrote(paths: Iterable<string>): void;
  /**
   * Is called with what prevented that the files were changed after the commit. Returns whether that is done later, as on
   * a node of a cluster, whose other nodes have the change.
   */
  putsInPlaceLater(error: unknown): boolean;
}

export interface WrittenFile {
  readonly info: FileInfo;
  readonly created: boolean;
  /** The newest version of the code; undefined while there is none. */
  readonly version: number | undefined;
}

export interface Files {
  /** Returns every regular file below the code folder, in order of path; links are omitted. */
  list(): Promise<FileInfo[]>;

  /**
   * Returns at most `limit` entries of one folder ("" is the code folder itself) from index `from` on, folders first,
   * each in order of name. Links are omitted.
   * @throws AppError InvalidInput (400), NotFound (404)
   */
  folder(path: string, from: number, limit: number): Promise<{ entries: FolderEntry[]; total: number }>;

  /** @throws AppError InvalidInput (400), NotFound (404) */
  read(path: string): Promise<{ info: FileInfo; content: Uint8Array<ArrayBuffer> }>;

  /**
   * Creates or replaces a file atomically: a reader sees either the old content or the new.
   * A file's version is its SHA-256 (see `sha256Of`). `message` describes the change in the history.
   * @throws AppError InvalidInput (400); Conflict (409) if `mustBeNew` and it exists; PreconditionFailed (412); ReadOnly (409)
   */
  write(
    actor: Actor,
    path: string,
    content: Uint8Array<ArrayBuffer>,
    mustBeNew: boolean,
    expected?: ExpectedVersions,
    message?: string,
  ): Promise<WrittenFile>;

  /**
   * Moves a file to a free path, and removes folders that become empty. When `follow` is called, which can be more than
   * once, the file exists at both paths; it changes what refers to the file in a transaction and calls `recordMove` at its
   * end. If either fails, the file stays at its old path.
   * @throws AppError InvalidInput (400), NotFound (404); Conflict (409) if the path is taken; PreconditionFailed (412)
   */
  move<T>(
    actor: Actor,
    options: { from: string; to: string; expected?: ExpectedVersions | undefined },
    follow: (recordMove: () => void) => T,
  ): Promise<{ info: FileInfo; sha256: string; followed: T }>;

  /**
   * Deletes a file, and folders that become empty. `check` is called immediately before, and throws to keep the file.
   * @throws AppError InvalidInput (400), NotFound (404), PreconditionFailed (412)
   */
  delete(actor: Actor, path: string, expected?: ExpectedVersions, check?: () => void): Promise<void>;
}

export interface FilesOptions {
  /** Absolute and real; exists. */
  readonly codeDir: string;
  /** Is called within the transaction of each change. */
  readonly record: Recorder;
  readonly recordAlone: LoneRecorder;
  readonly store: Pick<Store, "change" | "commit">;
  readonly history: FileHistory;
  /** Throws while files come from elsewhere. */
  readonly requireWritable: () => void;
}

export function createFiles(options: FilesOptions): Files {
  return new FileService(options);
}

class FileService implements Files {
  readonly #codeDir: string;
  readonly #record: Recorder;
  readonly #recordAlone: LoneRecorder;
  readonly #store: FilesOptions["store"];
  readonly #history: FileHistory;
  readonly #requireWritable: () => void;

  constructor({ codeDir, record, recordAlone, store, history, requireWritable }: FilesOptions) {
    this.#codeDir = codeDir;
    this.#record = record;
    this.#recordAlone = recordAlone;
    this.#store = store;
    this.#history = history;
    this.#requireWritable = requireWritable;
  }

  async list(): Promise<FileInfo[]> {
    const found: FileInfo[] = [];
    const walk = async (folder: string): Promise<void> => {
      for await (const entry of Deno.readDir(folder)) {
        const file = join(folder, entry.name);
        // Deleted while the list is created.
        if (entry.name.startsWith(DRAFT_PREFIX)) continue;
        if (entry.isDirectory) await walk(file).catch(ignoreMissing);
        else if (entry.isFile) {
          const info = await lstat(file);
          if (info) found.push(toInfo(relative(this.#codeDir, file).split(sep).join("/"), info));
        }
      }
    };
    await walk(this.#codeDir);
    return found.sort((a, b) => a.path < b.path ? -1 : 1);
  }

  async folder(path: string, from: number, limit: number): Promise<{ entries: FolderEntry[]; total: number }> {
    const names: { name: string; isFolder: boolean }[] = [];
    const place = path === "" ? this.#codeDir : await this.#locate(path, "folder");
    try {
      for await (const { name, isDirectory, isFile } of Deno.readDir(place)) {
        if ((isDirectory || isFile) && !name.startsWith(DRAFT_PREFIX)) names.push({ name, isFolder: isDirectory });
      }
    } catch (error) {
      throw error instanceof Deno.errors.NotFound ? notFound("folder", path) : error;
    }
    names.sort((a, b) => Number(b.isFolder) - Number(a.isFolder) || (a.name < b.name ? -1 : 1));
    const entries = names.slice(from, from + limit).map(async ({ name, isFolder }): Promise<FolderEntry[]> => {
      const inside = path === "" ? name : `${path}/${name}`;
      if (isFolder) return [{ name, path: inside }];
      const info = await lstat(join(place, name));
      // Deleted while the list is created.
      return info ? [{ name, ...toInfo(inside, info) }] : [];
    });
    return { entries: (await Promise.all(entries)).flat(), total: names.length };
  }

  async read(path: string): Promise<{ info: FileInfo; content: Uint8Array<ArrayBuffer> }> {
    const file = await this.#locate(path);
    const info = await this.#stat(path, file);
    const content = await Deno.readFile(file).catch((error) => {
      throw error instanceof Deno.errors.NotFound ? notFound("file", path) : error;
    });
    return { info, content };
  }

  async write(
    actor: Actor,
    path: string,
    content: Uint8Array<ArrayBuffer>,
    mustBeNew: boolean,
    expected?: ExpectedVersions,
    message?: string,
  ): Promise<WrittenFile> {
    this.#requireWritable();
    const file = await this.#locate(path);
    const sha256 = sha256Of(content);
    await this.#history.settle(path);
    await this.#history.keep(path, sha256, content);
    const draft = await this.#writeDraft(file, content);
    try {
      // Nothing is awaited from here until the file is in place, so that audit entries and files have the same order.
      const check = () => {
        const sizeBytes = sizeOf(file);
        if (mustBeNew && sizeBytes !== undefined) throw conflict(`The file ${path} already exists.`);
        if (expected !== undefined) {
          const found = sizeBytes === undefined ? undefined : sha256Of(Deno.readFileSync(file));
          requireVersion(expected, found, `the file ${path}`);
        }
        return sizeBytes;
      };
      const sizeBytes = check();
      const created = sizeBytes === undefined;
      const facts = { ...(!created && { before: { sizeBytes } }), after: { sizeBytes: content.length, sha256 } };
      const files = new Map([[path, { sha256, sizeBytes: content.length }]]);
      const version = await this.#recorded(
        actor,
        path,
        created ? "file.created" : "file.updated",
        { ...facts, files, check, ...(message !== undefined && { message }) },
        () => {
          // Unlike a rename, a link fails if the name is taken.
          if (mustBeNew) Deno.linkSync(draft, file);
          else Deno.renameSync(draft, file);
        },
      );
      const info = await lstat(file);
      // On a node of a cluster, a file that could not be put in place follows.
      const later = { path, sizeBytes: content.length, modifiedAt: new Date() };
      return { info: info?.isFile ? toInfo(path, info) : later, created, version };
    } finally {
      await Deno.remove(draft).catch(ignoreMissing);
    }
  }

  async move<T>(
    actor: Actor,
    { from, to, expected }: { from: string; to: string; expected?: ExpectedVersions | undefined },
    follow: (recordMove: () => void) => T,
  ): Promise<{ info: FileInfo; sha256: string; followed: T }> {
    this.#requireWritable();
    if (to === from) throw invalid("to", "is the current path of the file");
    const file = await this.#locate(from, "file", "from");
    const target = await this.#locate(to, "file", "to");
    if (sizeOf(file) === undefined) throw notFound("file", from);
    await this.#history.settle(from);
    const content = await Deno.readFile(file);
    const kept = sha256Of(content);
    await this.#history.keep(to, kept, content);
    // Prevents its folder from being removed meanwhile.
    const draft = await this.#writeDraft(target, new Uint8Array());
    try {
      // Nothing is awaited before the change begins.
      const sizeBytes = sizeOf(file);
      if (sizeBytes === undefined) throw notFound("file", from);
      const sha256 = sha256Of(Deno.readFileSync(file));
      requireVersion(expected, sha256, `the file ${from}`);
      if (sha256 !== kept) throw conflict(`The file ${from} was changed in the meantime.`);
      if (sizeOf(target) !== undefined) throw conflict(`The file ${to} already exists.`, { to: "is taken" });
      Deno.copyFileSync(file, draft);
      const created = { after: { sizeBytes, sha256 } };
      await this.#recorded(actor, to, "file.created", created, () => Deno.linkSync(draft, target));
      // One version for both paths.
      const files = new Map([[from, null], [to, { sha256, sizeBytes }]]);
      const recordMove = () => {
        this.#record(actor, { action: "file.deleted", subject: subjectOf(from), before: { sizeBytes } });
        this.#history.commit(actor, `Moved ${from} to ${to}`, files);
      };
      const change = () => {
        this.#requireWritable();
        // Another node may have changed it.
        if (sizeOf(file) === undefined || sha256Of(Deno.readFileSync(file)) !== sha256) {
          throw conflict(`The file ${from} was changed in the meantime.`);
        }
        return follow(recordMove);
      };
      let isFollowed = false;
      let followed: T;
      try {
        followed = await this.#store.commit(() => this.#store.change(actor, change), (followed) => {
          isFollowed = true;
          try {
            removeIfThere(file);
          } catch (error) {
            if (!this.#history.putsInPlaceLater(error)) throw error;
          } finally {
            this.#history.wrote(files.keys());
          }
          return followed;
        });
      } catch (error) {
        // What refers to the file may name its new path: then only the old one is left over.
        if (!isFollowed && !(error instanceof AppError && error.details?.outcome === "unknown")) {
          Deno.removeSync(target);
        }
        this.#history.wrote([from, to]);
        await (isFollowed
          ? this.#recordFailure(actor, from, "file.deleted", error)
          : this.#recordFailure(actor, to, "file.created", error));
        throw error;
      }
      return { info: await this.#stat(to, target), sha256, followed };
    } finally {
      await Deno.remove(draft).catch(ignoreMissing);
      await this.#removeEmptyFolders(sizeOf(file) === undefined ? file : target);
    }
  }

  async delete(actor: Actor, path: string, expected?: ExpectedVersions, check: () => void = () => {}): Promise<void> {
    this.#requireWritable();
    const file = await this.#locate(path);
    if (sizeOf(file) === undefined) throw notFound("file", path);
    await this.#history.settle(path);
    const sizeBytes = sizeOf(file);
    if (sizeBytes === undefined) throw notFound("file", path);
    const checkAll = () => {
      if (sizeOf(file) === undefined) throw notFound("file", path);
      if (expected !== undefined) requireVersion(expected, sha256Of(Deno.readFileSync(file)), `the file ${path}`);
      check();
    };
    checkAll();
    const recorded = { before: { sizeBytes }, files: new Map([[path, null]]), check: checkAll };
    await this.#recorded(actor, path, "file.deleted", recorded, () => Deno.removeSync(file));
    await this.#removeEmptyFolders(file);
  }

  /**
   * Returns the absolute path of `path`, after a check that no existing part of it is a link: a link could lead out of
   * the folder, and a sandbox would follow it.
   */
  async #locate(path: string, wanted: "file" | "folder" = "file", field: string = "path"): Promise<string> {
    checkFilePath(path, field);
    const segments = path.split("/");
    for (let depth = 1; depth <= segments.length; depth++) {
      const part = join(this.#codeDir, ...segments.slice(0, depth));
      const info = await lstat(part);
      if (!info) break;
      if (info.isSymlink) throw invalid(field, "must not lead through a link");
      if (depth < segments.length && !info.isDirectory) {
        throw invalid(field, `leads through "${segments[depth - 1]}", which is not a folder`);
      }
      if (depth < segments.length) continue;
      if (wanted === "file" && !info.isFile) throw invalid(field, "is a folder, not a file");
      if (wanted === "folder" && !info.isDirectory) throw invalid(field, "is a file, not a folder");
    }
    return join(this.#codeDir, ...segments);
  }

  async #stat(path: string, file: string): Promise<FileInfo> {
    const info = await lstat(file);
    if (!info) throw notFound("file", path);
    return toInfo(path, info);
  }

  /** Removes folders that became empty without `file`. */
  async #removeEmptyFolders(file: string): Promise<void> {
    for (let folder = dirname(file); folder !== this.#codeDir; folder = dirname(folder)) {
      try {
        await Deno.remove(folder);
      } catch {
        break; // Not empty.
      }
    }
  }

  /** Writes a temporary file next to `file`, creating folders as needed, and returns its path. */
  async #writeDraft(file: string, content: Uint8Array): Promise<string> {
    for (let attempt = 1;; attempt++) {
      const draft = join(dirname(file), DRAFT_PREFIX + randomUUID());
      try {
        await Deno.mkdir(dirname(file), { recursive: true });
        await Deno.writeFile(draft, content, { createNew: true });
        return draft;
      } catch (error) {
        await Deno.remove(draft).catch(ignoreMissing);
        // A concurrent delete can remove the folder while it is empty, but not once the temporary file is in it.
        // Deno's mkdir reports "exists" for a folder that was removed a moment later.
        const gone = error instanceof Deno.errors.NotFound || error instanceof Deno.errors.AlreadyExists;
        if (!gone || attempt === FOLDER_ATTEMPTS) throw error;
      }
    }
  }

  /**
   * Makes a change that the database cannot roll back, and returns the newest version. The audit entry and the version
   * are stored first, so that every change is recorded; a failure is then recorded as such.
   */
  async #recorded(
    actor: Actor,
    path: string,
    action: keyof typeof MESSAGES,
    { before, after, files = new Map(), check, message = `${MESSAGES[action]} ${path}` }: RecordedChange,
    work: () => void,
  ): Promise<number | undefined> {
    const change = () => {
      // Again, as a source may have been set meanwhile, or another node may have changed the file.
      this.#requireWritable();
      check?.();
      this.#record(actor, { action, subject: subjectOf(path), before, after });
      return files.size === 0 ? undefined : this.#history.commit(actor, message, files);
    };
    const made = await this.#store.commit(() => this.#store.change(actor, change), (version) => {
      try {
        work();
        this.#history.wrote(files.size === 0 ? [path] : files.keys());
        return { version };
      } catch (error) {
        return files.size > 0 && this.#history.putsInPlaceLater(error) ? { version } : { version, error };
      }
    });
    if (!("error" in made)) return made.version;
    await this.#recordFailure(actor, path, action, made.error);
    throw made.error;
  }

  async #recordFailure(actor: Actor, path: string, failed: keyof typeof MESSAGES, error: unknown): Promise<void> {
    const after = { failed, why: messageOf(error) };
    await this.#recordAlone(actor, { action: "file.failed", subject: subjectOf(path), after });
  }
}

const MESSAGES = { "file.created": "Created", "file.updated": "Changed", "file.deleted": "Deleted" } as const;

interface RecordedChange {
  readonly before?: Facts;
  readonly after?: Facts;
  /** The files of the version; none if a later step makes it. */
  readonly files?: ReadonlyMap<string, { sha256: string; sizeBytes: number } | null>;
  /** Of the version. */
  readonly message?: string;
  /** Is called before each attempt to make the change; an error prevents it. */
  readonly check?: () => void;
}

function subjectOf(path: string): Subject {
  return { kind: "file", id: null, name: path };
}

function toInfo(path: string, { size, mtime }: Deno.FileInfo): FileInfo {
  return { path, sizeBytes: size, modifiedAt: mtime ?? new Date(0) };
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    ignoreMissing(error);
  }
}

/** Returns undefined if there is no such file. */
function sizeOf(path: string): number | undefined {
  try {
    return Deno.lstatSync(path).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function lstat(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.lstat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    if (error instanceof Deno.errors.NotADirectory) {
      throw new AppError("InvalidInput", 400, `path leads through "${basename(dirname(path))}", which is not a folder`);
    }
    throw error;
  }
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
