// Offers the history of the code to the API and the pages: lists it, compares, restores and purges.

import type { Actor, Recorder } from "../../actor.ts";
import { conflict, invalid, notFound } from "../../errors.ts";
import type { Blobs } from "../../store/blobs.ts";
import type { Store } from "../../store/store.ts";
import { slices } from "../../slices.ts";
import { preconditionFailed } from "../../versions.ts";
import { authorOf } from "./author.ts";
import { unifiedDiff } from "./diff.ts";
import type { CodeHistory, FileChange, Version, VersionOfFile } from "./history.ts";
import { changesBetween, type TreeFile } from "./tree.ts";
import type { WorkingCopy } from "./working_copy.ts";

export interface ComparedFile {
  readonly path: string;
  readonly change: FileChange["change"];
  /** A unified diff; undefined for what is no text, too long, or no longer stored. */
  readonly diff: string | undefined;
}

export interface Versions {
  /** Returns the newest version, after edits on disk were recorded; undefined while there is none. */
  current(): Promise<number | undefined>;
  list(before: number, limit: number): Promise<{ versions: (Version & { files: number })[]; next: number | undefined }>;
  ofFile(path: string, before: number, limit: number): Promise<
    { versions: VersionOfFile[]; next: number | undefined }
  >;
  /** @throws AppError NotFound (404), TamperedVersion (409) */
  get(id: number): Version;
  /** Returns what differs from the version before, or from `against`. @throws as `get` */
  compare(id: number, against?: number): Promise<ComparedFile[]>;
  /** Returns the same without contents. @throws as `get` */
  changes(id: number, against?: number): FileChange[];
  /** Returns the unified diff of a change; undefined as in `ComparedFile`. */
  diffOf(change: FileChange): Promise<string | undefined>;
  /** Returns a file as of a version. @throws AppError NotFound (404), also for a content that was purged */
  file(id: number, path: string): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * Makes the files of a version the current ones, as a new version; functions stay as they are. With `ifVersion`, only
   * if that is the newest version.
   * @throws as `get`; AppError Conflict (409) if a content was purged, PreconditionFailed (412)
   */
  restore(
    actor: Actor,
    id: number,
    message?: string,
    ifVersion?: number,
  ): Promise<{ version: number; files: FileChange[] }>;
  /**
   * Removes the content that a file had in a version from the history, wherever it occurs.
   * @throws as `get`; AppError NotFound (404), and Conflict (409) if a file has it now
   */
  purge(actor: Actor, id: number, path: string): Promise<void>;
}

export interface VersionsOptions {
  readonly store: Pick<Store, "change" | "commit">;
  readonly blobs: Blobs;
  readonly history: CodeHistory;
  readonly workingCopy: WorkingCopy;
  readonly record: Recorder;
}

/** Of the diffs of a comparison in total, in UTF-16 units; later files are listed without. */
const DIFFS_MAX_LENGTH = 4 * 1024 * 1024;

/** Longer than 80 lines: all methods work on the same history. */
export function createVersions({ store, blobs, history, workingCopy, record }: VersionsOptions): Versions {
  const contentOf = async (file: TreeFile | undefined) => {
    const content = file && await blobs.read(file.sha256);
    return { content, isMissing: file !== undefined && content === undefined };
  };

  const compared = async ({ path, change, before, after }: FileChange): Promise<ComparedFile> => {
    const [old, current] = [await contentOf(before), await contentOf(after)];
    const diff = old.isMissing || current.isMissing ? undefined : unifiedDiff(path, old.content, current.content);
    return { path, change, diff };
  };

  const fileIn = (id: number, path: string): TreeFile => {
    const file = history.tree(id).get(path);
    if (!file) throw notFound(`file in version ${id}:`, path);
    return file;
  };

  return {
    async current() {
      await workingCopy.recordAllEdits();
      return history.head().version;
    },
    async list(before, limit) {
      await workingCopy.recordAllEdits();
      return history.list(before, limit);
    },
    async ofFile(path, before, limit) {
      await workingCopy.recordEditsOf(path);
      return history.ofFile(path, before, limit);
    },
    get: (id) => history.get(id),
    changes: (id, against) => history.diff(id, against),
    diffOf: async (change) => (await compared(change)).diff,

    async compare(id, against) {
      const files: ComparedFile[] = [];
      const pause = slices();
      let left = DIFFS_MAX_LENGTH;
      for (const change of history.diff(id, against)) {
        await pause();
        const file = left > 0 ? await compared(change) : { ...change, diff: undefined };
        left -= file.diff?.length ?? 0;
        files.push(file);
      }
      return files;
    },

    async file(id, path) {
      const content = await blobs.read(fileIn(id, path).sha256);
      if (!content) throw notFound("content of", `${path} in version ${id} any more: it was purged or damaged`);
      return content;
    },

    async restore(actor, id, message = `Restored version ${id}`, ifVersion) {
      await workingCopy.recordAllEdits();
      const { version: before, tree } = history.head();
      if (ifVersion !== undefined && ifVersion !== before) {
        throw preconditionFailed(`Version ${ifVersion} is not the newest: the newest is ${before}.`);
      }
      const changes = changesBetween(tree, history.tree(id));
      // Contents that are used from now on count as used meanwhile, too: a removal of old ones may be under way.
      await blobs.missing([...changes.values()].flatMap((file) => file ? [file.sha256] : []));
      await using staged = await workingCopy.stage(changes);
      const change = () => {
        if (history.head().version !== before) throw conflict("The code was changed in the meantime.");
        staged.check();
        const version = history.commit(authorOf(actor), "restore", message, changes);
        const subject = { kind: "version", id, name: message };
        record(actor, { action: "code.restored", subject, after: { version, files: changes.size } });
        return version;
      };
      const version = await store.commit(() => store.change(actor, change), (version) => {
        staged.apply();
        return version;
      });
      if (version === undefined) throw invalid("id", "is no version");
      return { version, files: version === before ? [] : history.diff(version) };
    },

    async purge(actor, id, path) {
      const { sha256 } = fileIn(id, path);
      await workingCopy.recordAllEdits();
      const current = [...history.head().tree].find(([, file]) => file.sha256 === sha256);
      if (current) throw conflict(`${current[0]} has this content now. Delete or change it first.`);
      const subject = { kind: "version", id, name: path };
      const change = () => record(actor, { action: "code.purged", subject, before: { sha256 } });
      await store.commit(() => store.change(actor, change));
      await blobs.remove(sha256);
    },
  };
}
