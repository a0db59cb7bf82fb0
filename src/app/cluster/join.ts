// Starts a node of a cluster, up to where its database can be opened: connects to PostgreSQL, binds the folders to the
// cluster, and gets the keyring and, on a new node, the database.

import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { ClusterConfig } from "../../config.ts";
import { createClusterKeyring, openClusterKeyring } from "../../cluster/keyring/open_keyring.ts";
import type { ChangeLog, Head } from "../../cluster/log/change_log.ts";
import { createChain, newEntryId } from "../../cluster/log/entry.ts";
import {
  hasOwnData,
  joinFolders,
  leaveFolders,
  type NodeIdentity,
  readIdentity,
  refuseOwnData,
} from "../../cluster/node/node_folder.ts";
import { Membership } from "../../cluster/node/membership.ts";
import { RowMacs } from "../../cluster/node/node_row.ts";
import { openPostgres, type Postgres } from "../../cluster/postgres/client.ts";
import { PostgresSetupError } from "../../cluster/postgres/failures.ts";
import { type HeldLock, Locks } from "../../cluster/postgres/locks.ts";
import { PostgresNodeTable } from "../../cluster/postgres/node_table.ts";
import { openPostgresLog, uncheckedKeyring } from "../../cluster/postgres/postgres_log.ts";
import { clusterId } from "../../cluster/postgres/schema.ts";
import { hasSnapshot, Snapshots } from "../../cluster/postgres/snapshots.ts";
import { messageOf } from "../../errors.ts";
import { RECORD_FILE } from "../../keyring/generation_record.ts";
import type { KeyFile } from "../../keyring/key_file.ts";
import { HEAD_META } from "../../cluster/replica/replica.ts";
import { isUpgradeDue, upgradeSchema } from "../../cluster/replica/schema_upgrade.ts";
import { findRestart, findStart } from "../../cluster/verify_log.ts";
import { NodeDatabase } from "../../store/node_database.ts";
import { SCHEMA_VERSION } from "../../store/schema.ts";
import { openSnapshot } from "../../store/snapshot.ts";
import type { Log } from "../../telemetry/log.ts";
import { adoptDatabase } from "../../store/adopt.ts";
import type { NodeHost } from "./cluster.ts";

export interface Joined {
  readonly identity: NodeIdentity;
  readonly keyFile: KeyFile;
  readonly postgres: Postgres;
  readonly table: PostgresNodeTable;
  readonly log: ChangeLog;
  readonly snapshots: Snapshots;
  readonly locks: Locks;
  /** Whether the database was just replaced by a snapshot, so that this node has not seen all entries. */
  readonly isFromSnapshot: boolean;
  /** Bodies of the entries of kind `purge` that were applied to the database, and that its contents of code do not follow. */
  readonly purged: readonly Uint8Array[];
  /** Held by the first node of a cluster until it has stored what others start from; undefined on others. */
  readonly founding: HeldLock | undefined;
}

/** The lock under which the first node founds the cluster. */
const FOUNDING = "founding";
/** File in the data folder of a node that founds the cluster, until it has stored what others start from. */
export const FOUNDING_FILE = "cluster.founding";
const LOCK_RETRY_MS = 250;
const UPGRADE_RETRY_MS = 1_000;

/**
 * Waits as long as PostgreSQL is not available.
 * @throws PostgresSetupError, DataFolderError, KeyFileError, LogTampered for problems that an operator has to solve
 */
export async function joinCluster(
  opened: AsyncDisposableStack,
  { config, log: report, now }: NodeHost,
  cluster: ClusterConfig,
): Promise<Joined> {
  const { dataDir, codeDir } = config;
  // Otherwise, its first start has failed.
  const isMember = readIdentity(dataDir) !== undefined && hasOwnData(dataDir);
  // Before anything is made in PostgreSQL.
  if (!isMember) refuseOwnData(dataDir);
  const postgres = await openPostgres(cluster, {
    founding: isMember ? "refused" : "unless-others",
    onWaiting: (message) => report("warn", message),
  }).catch((error) => {
    if (!isMember || !(error instanceof PostgresSetupError)) throw error;
    throw new PostgresSetupError(`${error.message} DATA_DIR ${dataDir} is of a node of a cluster.`);
  });
  opened.defer(() => postgres.close());
  const id = await clusterId(postgres.lane("reads"));
  const identity = joinFolders({ dataDir, codeDir, cluster: id, now: new Date(now()) });
  if (identity.codeSetAside !== undefined) {
    report("warn", `The files of ${codeDir} are now in ${identity.codeSetAside}: the code of a node is the cluster's.`);
  }
  const locks = new Locks(postgres.watch, postgres.schema, (error) => report("error", messageOf(error)));
  for (;;) {
    const founding = await foundingLock(postgres, locks);
    try {
      const joined = await open(founding);
      if (joined) return joined;
    } catch (error) {
      await founding?.release();
      // Such as one with a wrong passphrase: it may be started again for another cluster.
      if (!isMember && !hasOwnData(dataDir)) leaveFolders({ dataDir, codeDir }, identity.codeSetAside);
      throw error;
    }
    await founding?.release();
  }

  /** Returns undefined if another node has founded the cluster meanwhile, as the lock was lost. */
  async function open(founding: HeldLock | undefined): Promise<Joined | undefined> {
    const path = join(dataDir, "database.db");
    const mark = join(dataDir, FOUNDING_FILE);
    const wasFounding = existsSync(mark);
    if (wasFounding) {
      // What an attempt to found left here, no other node has seen.
      removeDatabase(path);
      rmSync(join(dataDir, RECORD_FILE), { force: true });
    }
    if (founding) Deno.writeTextFileSync(mark, "");
    else rmSync(mark, { force: true });
    const { keyFile, body } = await keyringOf(postgres, join(dataDir, "encryption-keys.json"), wasFounding);
    const table = new PostgresNodeTable(postgres);
    const log = await openPostgresLog(postgres, createChain(keyFile.keyring, id), table);
    opened.defer(() => log.close());
    if (body && !await found(log, body)) return undefined;
    if (body) {
      report(
        "warn",
        `A new cluster was founded, in the schema ${cluster.schema} of the database ${cluster.database.database}, as ` +
          "there was none. If this node was to join another one: stop it, correct DATABASE_URL or DATABASE_SCHEMA, " +
          `empty DATA_DIR, and DROP SCHEMA "${cluster.schema}" CASCADE.`,
      );
    }
    const snapshots = new Snapshots(postgres, keyFile.keyring, id);
    const isFromSnapshot = await ensureDatabase({ log, snapshots, path, keyFile, report });
    const purged: Uint8Array[] = [];
    if (existsSync(path)) await upgradeDatabase(path, { identity, keyFile, table, log, report, purged });
    return { identity, keyFile, postgres, table, log, snapshots, locks, isFromSnapshot, purged, founding };
  }

  /** Returns the node's key file; with a body, it is that of a new cluster. */
  async function keyringOf(
    postgres: Postgres,
    path: string,
    wasFounding: boolean,
  ): Promise<{ keyFile: KeyFile; body?: Uint8Array }> {
    const passphrase = config.keyringPassphrase;
    const stored = await uncheckedKeyring(postgres);
    // Another node may have founded the cluster.
    if (stored && wasFounding) rmSync(path, { force: true });
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

/** Appends the first entry, which has the keyring; returns false if there is one. */
async function found(log: ChangeLog, body: Uint8Array): Promise<boolean> {
  return await log.exclusively(async (locked) => {
    if (locked.head.seq > 0) return false;
    await locked.append(log.start, { id: newEntryId(), kind: "keyring", body, summary: "keyring of a new cluster" });
    return true;
  });
}

/**
 * Waits until the database has the schema that this program needs, as long as nodes run an earlier version. Adds to `purged`
 * what is to be purged then.
 */
async function upgradeDatabase(
  path: string,
  { identity, keyFile, table, log, report, purged }: Pick<Joined, "identity" | "keyFile" | "table" | "log"> & {
    report: Log;
    purged: Uint8Array[];
  },
): Promise<void> {
  using database = new NodeDatabase(path, {
    keyFile,
    warn: (message) => report("warn", message),
    note: (message) => report("info", message),
  });
  if (!isUpgradeDue(database, SCHEMA_VERSION)) return;
  const { cluster, node } = identity;
  const membership = new Membership({
    table,
    macs: new RowMacs(keyFile.keyring.derive("cluster nodes"), cluster),
    self: node,
    now: () => performance.now(),
    pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    // The reading throws it.
    onTampered() {},
  });
  try {
    await upgradeSchema({
      log,
      database,
      schema: SCHEMA_VERSION,
      applyOther({ kind, body }) {
        if (kind === "keyring") keyFile.adopt(new TextDecoder().decode(body));
        else if (kind === "purge") purged.push(body);
      },
      async nodesBehind(schema) {
        const others = (await membership.read()).filter(({ id, isLive }) => id !== node && isLive);
        return others.filter((other) => other.schema < schema).map(({ url, version }) => `${url} (${version})`);
      },
      report,
      pause: () => new Promise((resolve) => setTimeout(resolve, UPGRADE_RETRY_MS)),
    });
  } finally {
    membership.close();
  }
}

interface DatabaseOptions extends Pick<Joined, "log" | "snapshots" | "keyFile"> {
  /** Of this node's database. */
  readonly path: string;
  readonly report: Log;
}

/**
 * Puts the newest snapshot at `path` if there is no database, or one that lacks changes which were removed. Returns whether
 * it did.
 */
async function ensureDatabase({ log, snapshots, path, keyFile, report }: DatabaseOptions): Promise<boolean> {
  const draft = `${path}.snapshot`;
  while (true) {
    const start = existsSync(path)
      ? await findRestart(log, snapshots, headOf(path) ?? log.start)
      : await findStart(log, snapshots);
    rmSync(draft, { force: true });
    if (!start) return false;
    // False if it was removed meanwhile because there are newer ones.
    if (!await snapshots.fetch(start, draft)) continue;
    if (existsSync(path)) {
      report(
        "info",
        `The database lacks changes that were removed; it is replaced by the one after ${start.head.seq}.`,
      );
      removeDatabase(path);
    }
    adoptDatabase(draft, path, keyFile);
    return true;
  }
}

function removeDatabase(path: string): void {
  for (const suffix of ["", "-wal", "-shm"]) rmSync(path + suffix, { force: true });
}

/** Returns the last entry that a database contains. */
function headOf(path: string): Head | undefined {
  using snapshot = openSnapshot(path);
  const text = snapshot.meta(HEAD_META);
  return text === undefined ? undefined : JSON.parse(text);
}
