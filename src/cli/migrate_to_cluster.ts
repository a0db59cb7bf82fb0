// Implements `migrate-to-cluster`: moves the data of a single server into an empty cluster.

import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { replaceFile, syncPath } from "../keyring/durable_file.ts";
import { KeyFile } from "../keyring/key_file.ts";
import { describeFinding } from "../store/authenticated_tables.ts";
import { BLOBS } from "../store/blobs.ts";
import { DataFolderError, lockDataFolder, MOVE_FILE, RESTORE_FOLDER } from "../store/data_folder.ts";
import { openSnapshot } from "../store/snapshot.ts";
import type { ClusterConfig } from "../config.ts";
import { BACKED_UP, DATABASE } from "./backup.ts";
import { type Command, type Context, type Result, UsageError } from "./command.ts";
import { counted, missingLines, missingVersions, refuseNode, requirePair, takeLock } from "./folder.ts";
import { unrecordedEdits } from "./unrecorded_edits.ts";
import { verifyDatabase } from "./verify.ts";

/** Logs and metrics stay for the node that starts on this folder. */
const MOVED = [...BACKED_UP, BLOBS, `${DATABASE}-wal`, `${DATABASE}-shm`];
const EDITS_NAMED_MAX = 5;
/** Of the folder that keeps what was moved. */
const ASIDE_PREFIX = "before-cluster-";

export const migrateCommand: Command = {
  name: "migrate-to-cluster",
  help: [
    "Move the data of this server into an empty cluster.",
    "The server must be stopped. DATABASE_URL names the PostgreSQL of the cluster, and KEYRING_PASSPHRASE or its file is",
    "the passphrase of all its nodes. Database, encryption keys, and all versions of the code are moved; logs and metrics",
    "stay with the node that starts on this folder. What was moved is kept in a folder next to it. If this is interrupted,",
    "run it again.",
  ],
  async run(context) {
    const { config, keyFile } = context;
    const cluster = requireCluster(context);
    if (!existsSync(keyFile) && !existsSync(join(config.dataDir, MOVE_FILE))) throw nothingToMove(config.dataDir);
    const unlock = takeLock(() => lockDataFolder(config.dataDir), "Stop the server before you move its data.");
    try {
      if (existsSync(join(config.dataDir, RESTORE_FOLDER))) {
        throw new DataFolderError(`A restore into DATA_DIR ${config.dataDir} was interrupted. Run it again first.`);
      }
      return await move(context, cluster);
    } finally {
      unlock();
    }
  },
};

function nothingToMove(dataDir: string): DataFolderError {
  const kept = existsSync(dataDir)
    ? [...readdirSync(dataDir)].find((name) => name.startsWith(ASIDE_PREFIX))
    : undefined;
  return new DataFolderError(
    kept === undefined
      ? `DATA_DIR ${dataDir} has no data of a server. Set DATA_DIR to that of the server; to found a cluster without data, ` +
        "start a node instead."
      : `The data of DATA_DIR ${dataDir} was moved into a cluster before, and is kept in ${
        join(dataDir, kept)
      }. Start the ` +
        "server with the same DATABASE_URL and passphrase.",
  );
}

/** @throws UsageError without DATABASE_URL */
export function requireCluster({ config }: Context): ClusterConfig {
  if (config.cluster) return config.cluster;
  throw new UsageError(
    "DATABASE_URL is missing: it names the PostgreSQL of the cluster. A server without one is part of no cluster.",
  );
}

async function move(context: Context, cluster: ClusterConfig): Promise<Result> {
  const { config: { dataDir, keyringPassphrase: passphrase }, database, now } = context;
  const mark = join(dataDir, MOVE_FILE);
  const { moveIntoCluster, isMoved } = await import("../cluster/moving/migration.ts");
  const onWaiting = context.note;
  if (existsSync(mark) && await isMoved(cluster, readFileSync(mark, "utf8").trim(), onWaiting)) {
    return done(context, setAside(dataDir));
  }
  const keyFile = await requireMovable(context);
  const { contents } = await context.progress("Moving", (onProgress) =>
    moveIntoCluster({
      dataDir,
      database,
      keyFile,
      cluster,
      passphrase,
      now: now(),
      onMoved: (id) => replaceFile(mark, `${id}\n`),
      onProgress,
      onWaiting,
    }));
  using snapshot = openSnapshot(database);
  const values = snapshot.count();
  return done(context, setAside(dataDir), { values, contents });
}

function done({ config }: Context, aside: string, moved?: { values: number; contents: number }): Result {
  const what = moved
    ? `Moved ${counted(moved.values, "value")} and ${counted(moved.contents, "content")} of code into the cluster.`
    : "The data had been moved into the cluster.";
  return {
    json: { moved: config.dataDir, kept: aside, ...moved },
    lines: [
      what,
      `What was in ${config.dataDir} is kept in ${aside}; remove it once the cluster works.`,
      "Start this server, and others, with the same DATABASE_URL and passphrase.",
    ],
  };
}

/** Checks that nothing would get lost, and opens the key file. @throws DataFolderError, KeyFileError */
async function requireMovable(context: Context): Promise<KeyFile> {
  const { database, keyFile: path, config } = context;
  refuseNode(
    context,
    "It has nothing to move: start the node with DATABASE_URL. To copy the cluster, see leave-cluster.",
  );
  const keyFile = new KeyFile(path, config.keyringPassphrase);
  {
    using snapshot = openSnapshot(database);
    if (!snapshot.isCurrent || existsSync(join(config.dataDir, "imports.lock"))) {
      throw new DataFolderError(
        `${database} is from an older version of this program; start the server on it first, without DATABASE_URL.`,
      );
    }
    requirePair(snapshot, keyFile.keyring, path);
    const missing = missingVersions(snapshot.countByVersion(), keyFile.versions().map(({ version }) => version));
    if (missing.length > 0) throw new DataFolderError(`Nothing was moved. ${missingLines(missing).join(" ")}`);
    const edits = await unrecordedEdits(config.codeDir, snapshot.codeFiles());
    if (edits.length > 0) {
      const more = edits.length > EDITS_NAMED_MAX ? ` and ${edits.length - EDITS_NAMED_MAX} more` : "";
      throw new DataFolderError(
        `Nothing was moved: files of ${config.codeDir} were edited since the server was stopped (` +
          `${
            edits.slice(0, EDITS_NAMED_MAX).join(", ")
          }${more}). Start it once without DATABASE_URL, which makes a version ` +
          "of them, and stop it again.",
      );
    }
  }
  const { findings } = await verifyDatabase(context, database, keyFile.keyring);
  if (findings.length > 0) {
    throw new DataFolderError(
      `Nothing was moved: ${database} was altered by something other than this program: ${
        findings.map(describeFinding).join("; ")
      }.`,
    );
  }
  return keyFile;
}

/**
 * Moves the data into a folder that is named after the cluster, which is returned, so that this can be continued; the data
 * folder is then one that a node can start on.
 */
function setAside(dataDir: string): string {
  const mark = join(dataDir, MOVE_FILE);
  const aside = join(dataDir, `${ASIDE_PREFIX}${readFileSync(mark, "utf8").slice(0, 8)}`);
  mkdirSync(aside, { recursive: true, mode: 0o700 });
  for (const one of MOVED) {
    if (existsSync(join(dataDir, one))) renameSync(join(dataDir, one), join(aside, one));
  }
  syncPath(aside);
  rmSync(mark);
  syncPath(dataDir);
  return aside;
}
