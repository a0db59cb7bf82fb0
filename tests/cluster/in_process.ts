// Nodes of a cluster in the tests' own process, over a real PostgreSQL: what they store, encrypt and keep of the code,
// without anything that answers requests. They know of each other directly, not by leases.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { prepareCode } from "../../src/cluster/code/code_entries.ts";
import { ClusterBlobs } from "../../src/cluster/code/cluster_blobs.ts";
import { createKeyringChanges, type KeyringChanges } from "../../src/cluster/keyring/keyring_changes.ts";
import { openClusterKeyring } from "../../src/cluster/keyring/open_keyring.ts";
import { createChain } from "../../src/cluster/log/entry.ts";
import { Locks } from "../../src/cluster/postgres/locks.ts";
import { PostgresBlobs } from "../../src/cluster/postgres/postgres_blobs.ts";
import { openPostgresLog, uncheckedKeyring } from "../../src/cluster/postgres/postgres_log.ts";
import { clusterId } from "../../src/cluster/postgres/schema.ts";
import { Snapshots } from "../../src/cluster/postgres/snapshots.ts";
import { Replica } from "../../src/cluster/replica/replica.ts";
import { createWriter, type Writer } from "../../src/cluster/replica/writer.ts";
import { CodeFolder } from "../../src/code/files/code_folder.ts";
import { type CodeHistory, createCodeHistory } from "../../src/code/versions/history.ts";
import { WorkingCopy } from "../../src/code/versions/working_copy.ts";
import { Passphrase } from "../../src/config.ts";
import { Rotation } from "../../src/core/encryption/rotation.ts";
import { createSecrets, type Secrets } from "../../src/core/secrets/service.ts";
import type { KeyFile } from "../../src/keyring/key_file.ts";
import { type Blobs, createBlobs } from "../../src/store/blobs.ts";
import { openStore, type Store } from "../../src/store/store.ts";
import { unrecorded } from "../unit/temporary.ts";
import { openTestPostgres } from "./opened.ts";

export const PASSPHRASE_TEXT = "correct horse battery";
export const PASSPHRASE = new Passphrase(PASSPHRASE_TEXT, "KEYRING_PASSPHRASE");

export interface InProcessNode extends AsyncDisposable {
  readonly folder: string;
  readonly codeDir: string;
  readonly store: Store;
  readonly keyFile: KeyFile;
  readonly keyringChanges: KeyringChanges;
  readonly replica: Replica;
  readonly writer: Writer;
  readonly locks: Locks;
  readonly secrets: Secrets;
  readonly local: Blobs;
  readonly shared: PostgresBlobs;
  readonly blobs: ClusterBlobs;
  readonly history: CodeHistory;
  readonly workingCopy: WorkingCopy;
  readonly reports: string[];
  rotation(settings?: { keepDays?: () => number; now?: () => number; batchSize?: () => number }): Rotation;
}

export interface NodeOptions {
  readonly url: string;
  /** Everything of the node is in it. */
  readonly folder: string;
  /** All nodes of the test, which wait for each other. */
  readonly all: InProcessNode[];
  readonly passphrase?: Passphrase;
}

/** Joins the cluster in PostgreSQL, which has a snapshot, with an empty folder. */
export async function joinInProcess(
  { url, folder, all, passphrase = PASSPHRASE }: NodeOptions,
): Promise<InProcessNode> {
  await using opened = new AsyncDisposableStack();
  const codeDir = join(folder, "code");
  mkdirSync(codeDir, { recursive: true });
  const postgres = await openTestPostgres(url);
  opened.defer(() => postgres.close());
  const stored = (await uncheckedKeyring(postgres))!;
  const keyFile = openClusterKeyring({ path: join(folder, "encryption-keys.json"), stored, passphrase });
  const { keyring } = keyFile;
  const chain = createChain(keyring, await clusterId(postgres.lane("reads")));
  const log = await openPostgresLog(postgres, chain);
  opened.defer(() => log.close());
  const snapshots = new Snapshots(postgres, keyring, chain.cluster);
  const [snapshot] = await snapshots.list();
  await snapshots.fetch(snapshot!, join(folder, "database.db"));
  const store = openStore(join(folder, "database.db"), keyFile, { isRestored: true });
  opened.defer(() => store.close());
  const reports: string[] = [];
  const report = (_level: string, message: string) => void reports.push(message);

  const [local, shared] = [createBlobs(join(folder, "blobs")), new PostgresBlobs(postgres)];
  const blobs = new ClusterBlobs({
    local,
    shared,
    async peers(sha256) {
      for (const node of all) {
        const content = node.folder === folder ? undefined : await node.local.read(sha256);
        if (content) return content;
      }
    },
    purge: (body) => writer.append(() => ({ kind: "purge", body, summary: "contents purged" })),
    once: (work) => work(),
    report,
  });
  const history = createCodeHistory({
    store: store.codeVersions,
    key: keyring.derive("code versions"),
    now: Date.now,
  });
  const codeFolder = new CodeFolder({ codeDir, dataDir: folder, warn() {} });
  opened.defer(() => codeFolder.close());
  const undoneDir = join(folder, "undone-edits");
  const workingCopy = new WorkingCopy({ ...store, codeDir, folder: codeFolder, blobs, history, report, undoneDir });

  const keyringChanges = createKeyringChanges({
    append: (compose) =>
      writer.append(() => {
        const composed = compose();
        return composed && { kind: "keyring", ...composed };
      }),
    keyFile,
    report,
  });
  const replication = store.replicate();
  const replica = new Replica({
    log,
    replication,
    meta: store.meta,
    applyOther: (entry) => {
      if (entry.kind === "keyring") keyringChanges.apply(entry);
    },
    async prepare({ kind, body }) {
      if (kind === "purge") await blobs.applyPurge(body);
      if (kind !== "change") return undefined;
      return await prepareCode(body, { blobs, stage: (changes) => workingCopy.stage(changes) });
    },
    settle: () => Promise.resolve(),
    onFatal: (error) => reports.push(error.message),
  });
  const appliedEverywhere = async (seq: number) => {
    for (const node of all) await node.replica.catchUp(seq);
  };
  const writer: Writer = createWriter({ log, replication, replica, appliedEverywhere });
  store.commitThrough(writer);
  await replica.follow();
  replica.start();
  opened.defer(() => replica.stop());
  await workingCopy.recover();
  const locks = new Locks(postgres.watch, postgres.schema, (error) => reports.push(String(error)));
  const closing = opened.move();
  const node: InProcessNode = {
    ...{ folder, codeDir, store, keyFile, keyringChanges, replica, writer, locks, local, shared, blobs },
    ...{ history, workingCopy, reports },
    secrets: createSecrets({ store, keyring, now: Date.now, record: unrecorded, versionsKept: () => 3 }),
    rotation: ({ keepDays = () => 30, now = Date.now, batchSize = () => 4 } = {}) =>
      new Rotation({
        store,
        keyFile,
        settings: { intervalDays: () => 90, batchSize, batchSleepMs: () => 0, keepDays },
        busy: () => false,
        now,
        report,
        record: unrecorded,
        cluster: {
          keyChanges: keyringChanges,
          node: folder,
          async lead() {
            const lock = await locks.tryTake("rotation");
            return lock && { [Symbol.asyncDispose]: () => lock.release() };
          },
        },
      }),
    async [Symbol.asyncDispose]() {
      const at = all.indexOf(node);
      if (at >= 0) all.splice(at, 1);
      await closing.disposeAsync();
    },
  };
  all.push(node);
  return node;
}
