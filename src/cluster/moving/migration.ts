// Moves the data of a single server into an empty cluster: its keyring becomes the first entry of the log, its database
// the snapshot after that entry. Changes nothing of the source.

import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { ClusterConfig, Passphrase } from "../../config.ts";
import type { KeyFile } from "../../keyring/key_file.ts";
import { replaceFile } from "../../keyring/durable_file.ts";
import { BLOBS, createBlobs } from "../../store/blobs.ts";
import { SCHEMA_VERSION } from "../../store/schema.ts";
import { openSnapshot } from "../../store/snapshot.ts";
import { createClusterKeyring } from "../keyring/open_keyring.ts";
import type { Head } from "../log/change_log.ts";
import { createChain, newEntryId } from "../log/entry.ts";
import { openPostgres } from "../postgres/client.ts";
import type { Postgres } from "../postgres/client.ts";
import { beginMove, endMove, movedCluster } from "../postgres/moving.ts";
import { PostgresBlobs } from "../postgres/postgres_blobs.ts";
import { openPostgresLog } from "../postgres/postgres_log.ts";
import { Snapshots } from "../postgres/snapshots.ts";

export interface MigrationOptions {
  /** The data folder, which is locked. Its database has the current schema. */
  readonly dataDir: string;
  readonly database: string;
  /** The opened key file of the data folder. */
  readonly keyFile: KeyFile;
  readonly cluster: ClusterConfig;
  readonly passphrase: Passphrase | undefined;
  readonly now: Date;
  /** Is called once everything is in PostgreSQL, before nodes can use it. */
  readonly onMoved: (cluster: string) => void;
  readonly onProgress: (done: number, total: number) => void;
  /** Is called with a sentence while PostgreSQL is not available. */
  readonly onWaiting: (message: string) => void;
}

export interface Migrated {
  readonly cluster: string;
  readonly head: Head;
  /** Number of contents of code. */
  readonly contents: number;
}

/** Folder in the data folder that a migration prepares its copies in. */
const DRAFT = "migrate.draft";

/**
 * @throws KeyFileError without a passphrase; PostgresSetupError if the cluster has data; StoreUnavailable. It can then be
 *   called again.
 */
export async function moveIntoCluster(options: MigrationOptions): Promise<Migrated> {
  const { dataDir, keyFile, cluster: config, passphrase, now, onMoved, onProgress, onWaiting } = options;
  const draft = join(dataDir, DRAFT);
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft, { mode: 0o700 });
  await using postgres = disposable(await openPostgres(config, { onWaiting }));
  try {
    const path = join(draft, "encryption-keys.json");
    replaceFile(path, Deno.readTextFileSync(keyFile.path));
    const { keyFile: { keyring }, body } = createClusterKeyring({ path, passphrase, now });
    const cluster = await beginMove(postgres, keyring.fingerprint());
    const contents = await copyContents(postgres, dataDir, onProgress);

    const chain = createChain(keyring, cluster);
    await using log = disposable(await openPostgresLog(postgres, chain));
    const entry = { id: newEntryId(), kind: "keyring" as const, body, summary: "keyring revision 1: moved" };
    const { seq, mac } = await log.exclusively((locked) => locked.append(chain.start, entry));
    const head = { seq, mac };

    const copy = join(draft, "database.db");
    {
      using snapshot = openSnapshot(options.database);
      await snapshot.copyTo(copy, () => {});
    }
    await new Snapshots(postgres, keyring, cluster).store(head, SCHEMA_VERSION, copy);
    onMoved(cluster);
    await endMove(postgres);
    return { cluster, head, contents };
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

/** Reports whether a move into the cluster with this id was completed. */
export async function isMoved(
  config: ClusterConfig,
  cluster: string,
  onWaiting: (message: string) => void,
): Promise<boolean> {
  await using postgres = disposable(await openPostgres(config, { onWaiting }));
  return await movedCluster(postgres) === cluster;
}

/** Stores the contents of all versions of the code; returns their number. */
async function copyContents(
  postgres: Postgres,
  dataDir: string,
  onProgress: (done: number, total: number) => void,
): Promise<number> {
  const [local, shared] = [createBlobs(join(dataDir, BLOBS)), new PostgresBlobs(postgres)];
  const all = await local.list();
  let done = 0;
  for (const sha256 of all) {
    // A damaged one is of no use to anybody.
    const content = await local.read(sha256);
    if (content) await shared.put(sha256, content);
    onProgress(++done, all.length);
  }
  return all.length;
}

function disposable<T extends { close(): Promise<void> }>(one: T): T & AsyncDisposable {
  return Object.assign(one, { [Symbol.asyncDispose]: () => one.close() });
}
