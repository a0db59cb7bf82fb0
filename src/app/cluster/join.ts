// Starts a node of a cluster, up to where its database can be opened: connects to PostgreSQL, binds the folders to the
// cluster, and gets the keyring and, on a new node, the database.

import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { ClusterConfig } from "../../config.ts";
import { createClusterKeyring, openClusterKeyring } from "../../cluster/keyring/open_keyring.ts";
import type { ChangeLog, Head } from "../../cluster/log/change_log.ts";
import { createChain, newEntryId } from "../../cluster/log/entry.ts";
import { joinFolders, type NodeIdentity } from "../../cluster/node/node_folder.ts";
import { openPostgres, type Postgres } from "../../cluster/postgres/client.ts";
import { type HeldLock, Locks } from "../../cluster/postgres/locks.ts";
import { openPostgresLog, uncheckedKeyring } from "../../cluster/postgres/postgres_log.ts";
import { clusterId } from "../../cluster/postgres/schema.ts";
import { hasSnapshot, Snapshots } from "../../cluster/postgres/snapshots.ts";
import { messageOf } from "../../errors.ts";
import type { KeyFile } from "../../keyring/key_file.ts";
import { adoptDatabase } from "../../store/adopt.ts";
import type { NodeHost } from "./cluster.ts";

export interface Joined {
  readonly identity: NodeIdentity;
  readonly keyFile: KeyFile;
  readonly postgres: Postgres;
  readonly log: ChangeLog;
  readonly snapshots: Snapshots;
  readonly locks: Locks;
  /** The entry up to which a database that came from a snapshot contains the log; undefined for one of this node's own. */
  readonly from: Head | undefined;
  /** Held by the first node of a cluster until it has stored what others start from; undefined on others. */
  readonly founding: HeldLock | undefined;
}

/** The lock under which the first node founds the cluster. */
const FOUNDING = "founding";
const LOCK_RETRY_MS = 250;

/**
 * Waits as long as PostgreSQL is not available.
 * @throws PostgresSetupError, DataFolderError, KeyFileError, LogTampered for problems that an operator has to solve
 */
export async function joinCluster(
  opened: AsyncDisposableStack,
  { config, log: report, now }: NodeHost,
  cluster: ClusterConfig,
): Promise<Joined> {
  const postgres = await openPostgres(cluster, { onWaiting: (message) => report("warn", message) });
  opened.defer(() => postgres.close());
  const id = await clusterId(postgres.lane("reads"));
  const { dataDir, codeDir } = config;
  const identity = joinFolders({ dataDir, codeDir, cluster: id, now: new Date(now()) });
  if (identity.codeSetAside !== undefined) {
    report("warn", `The files of ${codeDir} are now in ${identity.codeSetAside}: the code of a node is the cluster's.`);
  }
  const locks = new Locks(postgres.watch, postgres.schema, (error) => report("error", messageOf(error)));
  const founding = await foundingLock(postgres, locks);
  try {
    return await open();
  } catch (error) {
    await founding?.release();
    throw error;
  }

  async function open(): Promise<Joined> {
    const { keyFile, body } = await keyringOf(postgres, join(dataDir, "encryption-keys.json"));
    const log = await openPostgresLog(postgres, createChain(keyFile.keyring, id));
    opened.defer(() => log.close());
    if (body) await found(log, body);
    const snapshots = new Snapshots(postgres, keyFile.keyring, id);
    const from = await databaseFrom(snapshots, join(dataDir, "database.db"), keyFile);
    return { identity, keyFile, postgres, log, snapshots, locks, from, founding };
  }

  /** Returns the node's key file; with a body, it is that of a new cluster. */
  async function keyringOf(postgres: Postgres, path: string): Promise<{ keyFile: KeyFile; body?: Uint8Array }> {
    const passphrase = config.keyringPassphrase;
    const stored = await uncheckedKeyring(postgres);
    if (stored) return { keyFile: openClusterKeyring({ path, stored, passphrase }) };
    return createClusterKeyring({ path, passphrase, now: new Date(now()) });
  }
}

/**
 * Waits until no other node is founding the cluster. Returns the lock if it is to be founded by this one: until there is a
 * snapshot, no other node can start.
 */
async function foundingLock(postgres: Postgres, locks: Locks): Promise<HeldLock | undefined> {
  while (true) {
    if (await hasSnapshot(postgres)) return undefined;
    const lock = await locks.tryTake(FOUNDING);
    if (lock && !await hasSnapshot(postgres)) return lock;
    await lock?.release();
    await new Promise((resolve) => setTimeout(resolve, LOCK_RETRY_MS));
  }
}

/** Appends the first entry, which has the keyring. */
async function found(log: ChangeLog, body: Uint8Array): Promise<void> {
  await log.exclusively(async (locked) => {
    if (locked.head.seq > 0) return;
    await locked.append(log.start, { id: newEntryId(), kind: "keyring", body, summary: "keyring of a new cluster" });
  });
}

/** Puts the newest snapshot at `path` if there is no database. Returns up to where it contains the log. */
async function databaseFrom(
  snapshots: Snapshots,
  path: string,
  keyFile: KeyFile,
): Promise<Head | undefined> {
  if (existsSync(path)) return undefined;
  const draft = `${path}.snapshot`;
  while (true) {
    const [newest] = await snapshots.list();
    if (!newest) return undefined;
    rmSync(draft, { force: true });
    // False if it was removed meanwhile because there are newer ones.
    if (!await snapshots.fetch(newest, draft)) continue;
    adoptDatabase(draft, path, keyFile);
    return newest.head;
  }
}
