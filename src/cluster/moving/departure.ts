// Writes the data of a cluster as the data folder of a single server: the newest snapshot, with all later entries applied,
// the keys, and the contents of the code. Changes nothing in the cluster.

import { join } from "node:path";
import { OPERATOR } from "../../actor.ts";
import { createAudit } from "../../core/audit/audit.ts";
import type { ClusterConfig, Passphrase } from "../../config.ts";
import { RECORD_FILE, RecordFile } from "../../keyring/generation_record.ts";
import { type KeyFile, leaveRevisions } from "../../keyring/key_file.ts";
import { sha256Of } from "../../sha256.ts";
import { BLOBS, createBlobs } from "../../store/blobs.ts";
import { DataFolderError } from "../../store/data_folder.ts";
import { NodeDatabase } from "../../store/node_database.ts";
import { LOCAL_META } from "../../store/replication.ts";
import { SCHEMA_VERSION } from "../../store/schema.ts";
import { openStore, type Store } from "../../store/store.ts";
import { CLUSTER_META } from "../node/cluster_audit.ts";
import { openClusterKeyring } from "../keyring/open_keyring.ts";
import type { Entry, Head } from "../log/change_log.ts";
import { type OpenCluster, openCluster } from "../open_cluster.ts";
import { HEAD_META } from "../replica/replica.ts";
import { applyUpgrade, isUpgradeDue, upgradeRequired } from "../replica/schema_upgrade.ts";

export interface DepartureOptions {
  readonly cluster: ClusterConfig;
  readonly passphrase: Passphrase | undefined;
  /** An empty folder. */
  readonly folder: string;
  readonly onProgress: (done: number, total: number) => void;
}

export interface Departed {
  /** The last entry of the log that the folder has. */
  readonly head: Head;
  /** Contents of code. */
  readonly contents: number;
  /** Contents that neither PostgreSQL nor, because they were purged, any version of the code needs. */
  readonly missing: readonly string[];
}

const ENTRIES_AT_ONCE = 200;

/**
 * @throws KeyFileError for a wrong passphrase; LogTampered if what PostgreSQL has was altered; StoreUnavailable;
 *   DataFolderError if there is no cluster. What is then in the folder is of no use.
 */
export async function writeDataFolder(options: DepartureOptions): Promise<Departed> {
  const { cluster: config, passphrase, folder, onProgress } = options;
  const path = join(folder, "encryption-keys.json");
  let keyFile: KeyFile | undefined;
  await using cluster = await openCluster(config, (stored) => {
    keyFile = openClusterKeyring({ path, stored, passphrase });
    return keyFile.keyring;
  });
  const database = join(folder, "database.db");
  let head = await upgrade(cluster, await fetchSnapshot(cluster, database), database, keyFile!);
  const store = openStore(database, keyFile!, { isRestored: true });
  let departed: Departed;
  try {
    head = await applyLog(cluster, head, store, keyFile!);
    for (const name of [...LOCAL_META, HEAD_META, CLUSTER_META]) store.meta.delete(name);
    recordDeparture(store, keyFile!, { cluster, schema: config.schema, head });
    departed = { head, ...await fetchContents(cluster, store, folder, onProgress) };
    new RecordFile(join(folder, RECORD_FILE), keyFile!.keyring).write(store.head());
  } finally {
    store.close();
  }
  leaveRevisions(path);
  return departed;
}

/** In the audit of the folder alone: the cluster is not changed. */
function recordDeparture(
  store: Store,
  { keyring }: KeyFile,
  { cluster, schema, head }: { cluster: OpenCluster; schema: string; head: Head },
): void {
  const { record } = createAudit({ store, keyring, now: Date.now, warn: () => {} });
  const subject = { kind: "cluster", id: null, name: schema };
  record(OPERATOR, { action: "cluster.left", subject, after: { cluster: cluster.id, change: head.seq } });
}

async function fetchSnapshot({ snapshots }: OpenCluster, path: string): Promise<Head> {
  // One that is removed meanwhile has a newer one in its place.
  for (const snapshot of await snapshots.list()) {
    if (await snapshots.fetch(snapshot, path)) return snapshot.head;
  }
  throw new DataFolderError("The cluster has no snapshot yet: start a node, and try again.");
}

/**
 * Applies the log as far as the database is of an earlier schema than this program's, which then upgrades it if no node has.
 * Returns the last entry.
 */
async function upgrade({ log }: OpenCluster, from: Head, path: string, keyFile: KeyFile): Promise<Head> {
  using database = new NodeDatabase(path, { keyFile, isCopy: true });
  const applyOther = ({ kind, body }: Entry) => {
    if (kind === "keyring") keyFile.adopt(new TextDecoder().decode(body));
  };
  const head = await applyUpgrade({ log, database, schema: SCHEMA_VERSION, applyOther }, from);
  if (isUpgradeDue(database, database.schema)) {
    throw new DataFolderError("The cluster is being upgraded: try again when a node serves.");
  }
  return head;
}

async function applyLog({ log }: OpenCluster, from: Head, store: Store, keyFile: KeyFile): Promise<Head> {
  const replication = store.replicate();
  let head = from;
  for (;;) {
    const entries = await log.read(head, ENTRIES_AT_ONCE);
    if (entries.length === 0) return head;
    for (const { kind, body, seq, mac } of entries) {
      if (kind === "change") replication.apply(body, () => {});
      else if (kind === "keyring") keyFile.adopt(new TextDecoder().decode(body));
      else if (kind === "migration") throw upgradeRequired({ seq });
      head = { seq, mac };
    }
  }
}

async function fetchContents(
  { contents: shared }: OpenCluster,
  { codeVersions }: Store,
  folder: string,
  onProgress: (done: number, total: number) => void,
): Promise<Pick<Departed, "contents" | "missing">> {
  const local = createBlobs(join(folder, BLOBS));
  const wanted = codeVersions.contents();
  const missing: string[] = [];
  let done = 0;
  for (const sha256 of wanted) {
    const content = await shared.read(sha256);
    if (content && sha256Of(content) === sha256) await local.put(sha256, content);
    else missing.push(sha256);
    onProgress(++done, wanted.length);
  }
  return { contents: wanted.length - missing.length, missing };
}
