// Keeps the history of the code folder: each change makes a version, which names the files that it changed, and the
// hash of all files as they were then. Versions never change.

import { Buffer } from "node:buffer";
import { AppError, notFound } from "../../errors.ts";
import { pageOf } from "../../paging.ts";
import type { Sha256 } from "../../sha256.ts";
import type { CodeVersionStore, VersionFileRow, VersionRow } from "../../store/code_versions.ts";
import type { Author } from "./author.ts";
import { changed, changesBetween, type Tree, type TreeChanges, type TreeFile, treeHash } from "./tree.ts";

/** Makes MACs; see DerivedKey. */
export interface MacKey {
  mac(text: string): Uint8Array;
}

/** What made a version. */
export const CAUSES = ["start", "disk", "file", "deployment", "restore", "git"] as const;
export type Cause = (typeof CAUSES)[number];

export interface Version {
  readonly id: number;
  /** Milliseconds since 1970 UTC. */
  readonly at: number;
  readonly author: Author;
  readonly cause: Cause;
  readonly message: string;
  /** Hash of all files. */
  readonly tree: Sha256;
}

export type ChangeKind = "created" | "changed" | "deleted";

export interface FileChange {
  readonly path: string;
  readonly change: ChangeKind;
  readonly before: TreeFile | undefined;
  readonly after: TreeFile | undefined;
}

export interface VersionOfFile extends Version {
  /** Undefined if the version deleted the file. */
  readonly file: TreeFile | undefined;
}

/** The newest version, and its files. */
export interface Head {
  /** Undefined while there is no version. */
  readonly version: number | undefined;
  readonly tree: Tree;
}

export interface CodeHistory {
  head(): Head;
  /** @throws AppError NotFound (404), TamperedVersion (409) */
  get(id: number): Version;
  /** Returns at most `limit` versions with an id below `before`, newest first, each with its number of changed files. */
  list(before: number, limit: number): { versions: (Version & { files: number })[]; next: number | undefined };
  /** Returns at most `limit` versions that changed the file at `path`, with an id below `before`, newest first. */
  ofFile(path: string, before: number, limit: number): { versions: VersionOfFile[]; next: number | undefined };
  /** Returns all files as of a version. @throws AppError NotFound (404), TamperedVersion (409) */
  tree(id: number): Tree;
  /** Returns the files that differ between two versions; without `from`, those that the version changed. */
  diff(id: number, from?: number): FileChange[];
  /**
   * Adds a version, within the transaction of the change that it describes, and returns its id; without changes, the id
   * of the newest version.
   */
  commit(author: Author, cause: Cause, message: string, changes: TreeChanges): number | undefined;
}

export interface CodeHistoryOptions {
  readonly store: CodeVersionStore;
  /** Authenticates versions. */
  readonly key: MacKey;
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number;
}

export function createCodeHistory(options: CodeHistoryOptions): CodeHistory {
  return new CodeHistoryService(options);
}

class CodeHistoryService implements CodeHistory {
  readonly #store: CodeVersionStore;
  readonly #key: MacKey;
  readonly #now: () => number;
  #head: Head & { readonly hash: Sha256 | undefined } = { version: undefined, tree: new Map(), hash: undefined };

  constructor({ store, key, now }: CodeHistoryOptions) {
    this.#store = store;
    this.#key = key;
    this.#now = now;
  }

  head(): Head {
    const last = this.#store.last();
    // A transaction that was rolled back may have had the same id.
    if (last?.id !== this.#head.version || last?.tree !== this.#head.hash) {
      this.#head = last
        ? { version: last.id, tree: treeOf(this.#store.files(last.id)), hash: last.tree }
        : { version: undefined, tree: new Map(), hash: undefined };
    }
    return this.#head;
  }

  get(id: number): Version {
    const row = this.#store.find(id);
    if (!row) throw notFound("version", id);
    this.#requireAuthentic(row);
    return toVersion(row);
  }

  list(before: number, limit: number): { versions: (Version & { files: number })[]; next: number | undefined } {
    const { rows, next } = pageOf(this.#store.list(before, limit + 1), limit, ({ id }) => id);
    const counts = rows.length === 0 ? new Map() : this.#store.fileCounts(rows.at(-1)!.id, rows[0]!.id);
    return { versions: rows.map((row) => ({ ...toVersion(row), files: counts.get(row.id) ?? 0 })), next };
  }

  ofFile(path: string, before: number, limit: number): { versions: VersionOfFile[]; next: number | undefined } {
    const { rows, next } = pageOf(this.#store.ofFile(path, before, limit + 1), limit, ({ id }) => id);
    return { versions: rows.map((row) => ({ ...toVersion(row), file: toFile(row) })), next };
  }

  tree(id: number): Tree {
    const { tree } = this.get(id);
    const files = treeOf(this.#store.files(id));
    if (treeHash(files) !== tree) throw tampered(id);
    return files;
  }

  diff(id: number, from?: number): FileChange[] {
    this.get(id);
    const [before, after] = from === undefined
      ? [this.#treeBefore(id), this.tree(id)]
      : [this.tree(from), this.tree(id)];
    return [...changesBetween(before, after).keys()].map((path) => {
      const change = { path, before: before.get(path), after: after.get(path) };
      return { ...change, change: !change.before ? "created" : !change.after ? "deleted" : "changed" };
    });
  }

  commit({ kind, id: actorId, name: actorName }: Author, cause: Cause, message: string, changes: TreeChanges) {
    const { tree, version } = this.head();
    const after = changed(tree, changes);
    const different = changesBetween(tree, after);
    if (different.size === 0) return version;
    const id = this.#store.nextId();
    const hash = treeHash(after);
    const fields = { id, at: this.#now(), actorKind: kind, actorId, actorName, cause, message, tree: hash };
    const rows = [...different].map(([path, file]) => ({
      path,
      sha256: file?.sha256 ?? null,
      sizeBytes: file?.sizeBytes ?? null,
    }));
    this.#store.add({ ...fields, mac: this.#macOf(fields) }, rows);
    this.#head = { version: id, tree: after, hash };
    return id;
  }

  #treeBefore(id: number): Tree {
    const [previous] = this.#store.list(id, 1);
    return previous ? this.tree(previous.id) : new Map();
  }

  #requireAuthentic({ mac, ...fields }: VersionRow): void {
    // Its duration gives nothing away: who can alter rows can also read the MACs.
    if (Buffer.compare(mac, this.#macOf(fields)) !== 0) throw tampered(fields.id);
  }

  #macOf({ id, at, actorKind, actorId, actorName, cause, message, tree }: Omit<VersionRow, "mac">): Uint8Array {
    return this.#key.mac(JSON.stringify(["version", id, at, actorKind, actorId, actorName, cause, message, tree]));
  }
}

function tampered(id: number): AppError {
  return new AppError(
    "TamperedVersion",
    409,
    `Version ${id} was altered by something other than this program, and cannot be used.`,
  );
}

function toVersion({ id, at, actorKind, actorId, actorName, cause, message, tree }: VersionRow): Version {
  const author = { kind: actorKind as Author["kind"], id: actorId, name: actorName };
  return { id, at, author, cause: cause as Cause, message, tree };
}

function toFile({ sha256, sizeBytes }: VersionFileRow): TreeFile | undefined {
  return sha256 === null ? undefined : { sha256, sizeBytes: sizeBytes! };
}

function treeOf(rows: readonly VersionFileRow[]): Tree {
  return new Map(rows.map((row) => [row.path, toFile(row)!]));
}
