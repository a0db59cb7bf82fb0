// Binds a data folder to a cluster and to one of its nodes, by a file in it, and sets files of code aside that the cluster's
// code would replace.

import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { reasonOf } from "../../errors.ts";
import { replaceFile } from "../../keyring/durable_file.ts";
import { CLUSTER_FILE, DataFolderError } from "../../store/data_folder.ts";

/** What a data folder belongs to. */
export interface NodeIdentity {
  /** The id of the cluster. */
  readonly cluster: string;
  /** The id of the node. */
  readonly node: string;
}

const identitySchema = z.strictObject({ cluster: z.uuid(), node: z.uuid() });

/** What a server leaves in its data folder that a node cannot take over. */
const OWN_DATA = ["database.db", "encryption-keys.json"];

/** Returns undefined for the folder of a server of its own, or an empty one. @throws DataFolderError */
export function readIdentity(dataDir: string): NodeIdentity | undefined {
  const path = join(dataDir, CLUSTER_FILE);
  if (!existsSync(path)) return undefined;
  const parsed = identitySchema.safeParse(parseJson(readFileSync(path, "utf8")));
  if (parsed.success) return parsed.data;
  throw new DataFolderError(
    `${path} is damaged. To make a new node, start it with an empty DATA_DIR: it gets everything from PostgreSQL.`,
  );
}

/** Binds the folder to a node. */
export function writeIdentity(dataDir: string, identity: NodeIdentity): void {
  replaceFile(join(dataDir, CLUSTER_FILE), `${JSON.stringify(identity)}\n`);
}

export interface JoiningFolders {
  readonly dataDir: string;
  readonly codeDir: string;
  /** The id of the cluster that DATABASE_URL leads to. */
  readonly cluster: string;
  readonly now: Date;
}

export interface JoinedFolders extends NodeIdentity {
  /** Where the files are that were in the folder of code of a new node. */
  readonly codeSetAside: string | undefined;
}

/**
 * Returns what the data folder belongs to. An empty one becomes that of a new node, whose code comes from the cluster.
 * @throws DataFolderError if it belongs to another cluster, or has data of a server of its own
 */
export function joinFolders({ dataDir, codeDir, cluster, now }: JoiningFolders): JoinedFolders {
  const identity = readIdentity(dataDir);
  if (identity?.cluster === cluster) return { ...identity, codeSetAside: undefined };
  // The one of a start that failed before the folder had any data does not count.
  if (identity && hasOwnData(dataDir)) {
    throw new DataFolderError(
      `DATA_DIR ${dataDir} belongs to another cluster than the one that DATABASE_URL leads to. Correct DATABASE_URL or ` +
        "DATABASE_SCHEMA, or start with an empty DATA_DIR.",
    );
  }
  refuseOwnData(dataDir);
  // First: a node's files of code are the cluster's.
  const codeSetAside = setAside(codeDir, now);
  const joined = { cluster, node: crypto.randomUUID() };
  writeIdentity(dataDir, joined);
  return { ...joined, codeSetAside };
}

/** Undoes what `joinFolders` did to the folders of a new node. */
export function leaveFolders(
  { dataDir, codeDir }: Pick<JoiningFolders, "dataDir" | "codeDir">,
  codeSetAside: string | undefined,
): void {
  rmSync(join(dataDir, CLUSTER_FILE), { force: true });
  if (codeSetAside !== undefined && !existsSync(codeDir)) renameSync(codeSetAside, codeDir);
}

/** Reports whether the folder has a database or keys. */
export function hasOwnData(dataDir: string): boolean {
  return OWN_DATA.some((name) => existsSync(join(dataDir, name)));
}

/** @throws DataFolderError if the folder has data of a server of its own */
export function refuseOwnData(dataDir: string): void {
  if (readIdentity(dataDir)) return;
  const own = OWN_DATA.find((name) => existsSync(join(dataDir, name)));
  if (own === undefined) return;
  throw new DataFolderError(
    `DATA_DIR ${dataDir} has data of its own (${own}), which a cluster would not use. To make a cluster of it, run ` +
      '"deno task cli migrate-to-cluster"; to join the cluster, start with an empty DATA_DIR.',
  );
}

/** Renames the folder of code. Returns its new path; undefined if it was empty. @throws DataFolderError */
function setAside(codeDir: string, now: Date): string | undefined {
  if (!existsSync(codeDir) || readdirSync(codeDir).length === 0) return undefined;
  const time = now.toISOString().replace(/\.\d+/, "").replaceAll(":", "-");
  let target = `${codeDir}.before-cluster-${time}`;
  for (let n = 2; existsSync(target); n++) target = `${codeDir}.before-cluster-${time}-${n}`;
  try {
    renameSync(codeDir, target);
  } catch (error) {
    throw new DataFolderError(
      `CODE_DIR ${codeDir} has files that the cluster's code would replace, and cannot be renamed to ${target}: ` +
        `${reasonOf(error)}. Move the files away.`,
    );
  }
  return target;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
