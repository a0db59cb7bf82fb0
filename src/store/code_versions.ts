// Stores the versions of the code folder, the files that each changed, and the deployments. Rows are never updated;
// their MACs are made and checked by their readers.

import type { RowChange } from "./changeset.ts";
import { all, type Database, first, insert, type Row } from "./database.ts";

export interface VersionRow {
  readonly id: number;
  /** Milliseconds since 1970 UTC. */
  readonly at: number;
  readonly actorKind: string;
  readonly actorId: string | null;
  readonly actorName: string | null;
  readonly cause: string;
  readonly message: string;
  /** SHA-256 of the list of all files, in hexadecimal. */
  readonly tree: string;
  readonly mac: Uint8Array;
}

export interface VersionFileRow {
  readonly path: string;
  /** SHA-256 of the content in hexadecimal; null if the version deleted the file. */
  readonly sha256: string | null;
  readonly sizeBytes: number | null;
}

/** A file that a version wrote. */
export interface ChangedFile {
  /** In hexadecimal. */
  readonly sha256: string;
  readonly sizeBytes: number;
}

/** The table with the files that each version changes. */
export const FILES_TABLE = "version_files";

/** Returns the files that new versions among `rows` changed, by path; null for one that the last of them deleted. */
export function changedFiles(rows: Iterable<RowChange>): Map<string, ChangedFile | null> {
  const newest = new Map<string, { readonly version: bigint; readonly file: ChangedFile | null }>();
  for (const { table, kind, values } of rows) {
    if (table !== FILES_TABLE || kind !== "insert") continue;
    const [path, version, sha256, sizeBytes] = values as [string, bigint, string | null, bigint | null];
    if (newest.has(path) && newest.get(path)!.version > version) continue;
    newest.set(path, { version, file: sha256 === null ? null : { sha256, sizeBytes: Number(sizeBytes) } });
  }
  return new Map([...newest].map(([path, { file }]) => [path, file]));
}

export interface DeploymentRow {
  readonly id: number;
  /** The version that calls ran from after it; null if there has never been a file. */
  readonly versionId: number | null;
  readonly rollbackOf: number | null;
  readonly at: number;
  readonly actorKind: string;
  readonly actorId: string | null;
  readonly actorName: string | null;
  readonly message: string;
  /** JSON. */
  readonly plan: string;
  /** SHA-256 of the list of all functions after it, in hexadecimal. */
  readonly functions: string;
  readonly mac: Uint8Array;
}

export interface CodeVersionStore {
  /** Returns the newest version. */
  last(): VersionRow | undefined;
  /** Returns the id that the next version gets. */
  nextId(): number;
  find(id: number): VersionRow | undefined;
  /** Returns at most `limit` versions with an id below `before`, newest first. */
  list(before: number, limit: number): VersionRow[];
  /** Returns at most `limit` versions that changed the file, with an id below `before`, newest first. */
  ofFile(path: string, before: number, limit: number): (VersionRow & VersionFileRow)[];
  /** Returns the number of files that each of the versions changed. */
  fileCounts(from: number, to: number): Map<number, number>;
  /** Returns the files that a version changed, in order of path. */
  changes(id: number): VersionFileRow[];
  /** Returns all files as of a version, in order of path. */
  files(id: number): VersionFileRow[];
  /** Adds a version with an id of `nextId`. */
  add(version: VersionRow, changes: readonly VersionFileRow[]): void;
  /** Returns the version that was the newest at a time, in milliseconds since 1970; 0 if there was none. */
  idAt(time: number): number;
  /** Reports whether a version from `from` on has a file with a content. */
  isUsed(sha256: string, from: number): boolean;
  /** Returns every content that a version refers to. */
  contents(): string[];
  lastDeployment(): DeploymentRow | undefined;
  nextDeploymentId(): number;
  findDeployment(id: number): DeploymentRow | undefined;
  /** Returns at most `limit` deployments with an id below `before`, newest first. */
  deployments(before: number, limit: number): DeploymentRow[];
  /** Returns at most `limit` deployments with an id of at least `from`, oldest first, with their versions alone. */
  deployedVersions(from: number, limit: number): { id: number; versionId: number | null }[];
  /** Adds a deployment with an id of `nextDeploymentId`; `functions` is the list of all functions after it, as JSON. */
  addDeployment(deployment: DeploymentRow, functions: string): void;
  /** Returns a list of functions as JSON. */
  functionList(sha256: string): string | undefined;
}

const VERSION = "v.id, v.at, v.actor_kind AS actorKind, v.actor_id AS actorId, v.actor_name AS actorName, v.cause," +
  " v.message, v.tree, v.mac";
const FILE = "f.path, f.sha256, f.size_bytes AS sizeBytes";
const DEPLOYMENT = "SELECT id, version_id AS versionId, rollback_of AS rollbackOf, at, actor_kind AS actorKind," +
  " actor_id AS actorId, actor_name AS actorName, message, plan, functions, mac FROM deployments";

export function createCodeVersionStore(db: Database): CodeVersionStore {
  const last = db.prepare(`SELECT ${VERSION} FROM versions v ORDER BY v.id DESC LIMIT 1`);
  const sequence = db.prepare("SELECT seq FROM sqlite_sequence WHERE name = ?");
  const find = db.prepare(`SELECT ${VERSION} FROM versions v WHERE v.id = ?`);
  const list = db.prepare(`SELECT ${VERSION} FROM versions v WHERE v.id < ? ORDER BY v.id DESC LIMIT ?`);
  const ofFile = db.prepare(
    `SELECT ${VERSION}, ${FILE} FROM version_files f JOIN versions v ON v.id = f.version_id
     WHERE f.path = ? AND f.version_id < ? ORDER BY f.version_id DESC LIMIT ?`,
  );
  const counts = db.prepare(
    "SELECT version_id AS id, count(*) AS n FROM version_files WHERE version_id BETWEEN ? AND ? GROUP BY version_id",
  );
  const changes = db.prepare(`SELECT ${FILE} FROM version_files f WHERE f.version_id = ? ORDER BY f.path`);
  const files = db.prepare(
    `SELECT ${FILE} FROM version_files f WHERE f.sha256 IS NOT NULL AND f.version_id =
       (SELECT max(version_id) FROM version_files WHERE path = f.path AND version_id <= ?) ORDER BY f.path`,
  );
  const addVersion = db.prepareChange(
    "INSERT INTO versions (id, at, actor_kind, actor_id, actor_name, cause, message, tree, mac)" +
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
  );
  const addFile = db.prepareChange(
    "INSERT INTO version_files (path, version_id, sha256, size_bytes) VALUES (?, ?, ?, ?)",
  );
  const idAt = db.prepare("SELECT id FROM versions WHERE at <= ? ORDER BY id DESC LIMIT 1");
  const isUsed = db.prepare(
    `SELECT EXISTS (SELECT 1 FROM version_files f WHERE f.sha256 = ?1 AND (f.version_id >= ?2 OR NOT EXISTS (
       SELECT 1 FROM version_files l WHERE l.path = f.path AND l.version_id > f.version_id AND l.version_id <= ?2
     ))) AS used`,
  );
  const contents = db.prepare("SELECT DISTINCT sha256 FROM version_files WHERE sha256 IS NOT NULL ORDER BY sha256");
  const lastDeployment = db.prepare(`${DEPLOYMENT} ORDER BY id DESC LIMIT 1`);
  const findDeployment = db.prepare(`${DEPLOYMENT} WHERE id = ?`);
  const deployments = db.prepare(`${DEPLOYMENT} WHERE id < ? ORDER BY id DESC LIMIT ?`);
  const deployedVersions = db.prepare(
    "SELECT id, version_id AS versionId FROM deployments WHERE id >= ? ORDER BY id LIMIT ?",
  );
  const addDeployment = db.prepareChange(
    "INSERT INTO deployments (id, version_id, rollback_of, at, actor_kind, actor_id, actor_name, message, plan," +
      " functions, mac) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
  );
  const addList = db.prepareChange("INSERT OR IGNORE INTO function_lists (sha256, entries) VALUES (?, ?)");
  const functionList = db.prepare("SELECT entries FROM function_lists WHERE sha256 = ?");
  const next = (table: string): number => (first<{ seq: number }>(sequence, table)?.seq ?? 0) + 1;

  return {
    last: () => first<VersionRow & Row>(last),
    nextId: () => next("versions"),
    find: (id) => first<VersionRow & Row>(find, id),
    list: (before, limit) => all<VersionRow & Row>(list, before, limit),
    ofFile: (path, before, limit) => all<VersionRow & VersionFileRow & Row>(ofFile, path, before, limit),
    fileCounts: (from, to) => new Map(all<{ id: number; n: number }>(counts, from, to).map(({ id, n }) => [id, n])),
    changes: (id) => all<VersionFileRow & Row>(changes, id),
    files: (id) => all<VersionFileRow & Row>(files, id),
    add({ id, at, actorKind, actorId, actorName, cause, message, tree, mac }, changes) {
      insert(addVersion, id, at, actorKind, actorId, actorName, cause, message, tree, mac);
      for (const { path, sha256, sizeBytes } of changes) addFile.run(path, id, sha256, sizeBytes);
    },
    idAt: (time) => first<{ id: number }>(idAt, time)?.id ?? 0,
    isUsed: (sha256, from) => first<{ used: number }>(isUsed, sha256, from)!.used === 1,
    contents: () => all<{ sha256: string }>(contents).map(({ sha256 }) => sha256),
    lastDeployment: () => first<DeploymentRow & Row>(lastDeployment),
    nextDeploymentId: () => next("deployments"),
    findDeployment: (id) => first<DeploymentRow & Row>(findDeployment, id),
    deployments: (before, limit) => all<DeploymentRow & Row>(deployments, before, limit),
    deployedVersions: (from, limit) => all<{ id: number; versionId: number | null }>(deployedVersions, from, limit),
    functionList: (sha256) => first<{ entries: string }>(functionList, sha256)?.entries,
    addDeployment(row, entries) {
      addList.run(row.functions, entries);
      const { id, versionId, rollbackOf, at, actorKind, actorId, actorName, message, plan, functions, mac } = row;
      addDeployment.run(
        id,
        versionId,
        rollbackOf,
        at,
        actorKind,
        actorId,
        actorName,
        message,
        plan,
        functions,
        mac,
      );
    },
  };
}
