// Opens a node of a cluster on its database: follows the log, makes changes through it, and shares the first state.

import { join } from "node:path";
import manifest from "../../../deno.json" with { type: "json" };
import { ClusterBlobs } from "../../cluster/code/cluster_blobs.ts";
import { prepareCode, type StagedFiles } from "../../cluster/code/code_entries.ts";
import { ClusterAudit, type ClusterFacts } from "../../cluster/node/cluster_audit.ts";
import { createKeyringChanges, type KeyringChanges } from "../../cluster/keyring/keyring_changes.ts";
import { requireNewestKeyring } from "../../cluster/keyring/open_keyring.ts";
import type { Entry } from "../../cluster/log/change_log.ts";
import { LogPruned } from "../../cluster/log/errors.ts";
import { PostgresSetupError } from "../../cluster/postgres/failures.ts";
import { PostgresBlobs } from "../../cluster/postgres/postgres_blobs.ts";
import { Replica } from "../../cluster/replica/replica.ts";
import { SnapshotJob } from "../../cluster/snapshot_job.ts";
import { upgradeRequired } from "../../cluster/replica/schema_upgrade.ts";
import { createWriter } from "../../cluster/replica/writer.ts";
import { nodeUrlOf } from "../../config.ts";
import type { RotationInCluster } from "../../core/encryption/rotation.ts";
import { AppError, messageOf } from "../../errors.ts";
import type { Endpoint } from "../../http/endpoint.ts";
import { inspectKeyFile } from "../../keyring/key_file.ts";
import type { Sha256 } from "../../sha256.ts";
import type { AuditStore } from "../../store/audit.ts";
import { SCHEMA_VERSION } from "../../store/schema.ts";
import { openSnapshot } from "../../store/snapshot.ts";
import type { Store } from "../../store/store.ts";
import type { Cluster, NodeHost } from "./cluster.ts";
import { FOUNDING_FILE, type Joined } from "./join.ts";
import { createMembership, createNode, type NodeOptions } from "./node.ts";
import { contentHandler, readFromPeers } from "./node_contents.ts";
import { createOncePerCluster } from "./once.ts";
import { openPeers } from "./peers.ts";
import { openSharedState } from "./shared.ts";
import { openCounts } from "./counts.ts";

/** Where edits on disk are kept that were undone, in the data folder. */
const UNDONE = "undone-code";
/** Entries of the audit that are read at a time. */
const AUDIT_PAGE = 1_000;

/**
 * Longer than 80 lines: it opens the parts of a node in order, each with those before it.
 * @throws AppError LogTampered (503), StoreUnavailable (503), KeyFileError
 */
export async function openNode(
  opened: AsyncDisposableStack,
  host: NodeHost,
  joined: Joined,
  store: Store,
  endpoint: Endpoint,
): Promise<Cluster> {
  const { log: report, now, startedAt, config } = host;
  const { identity, keyFile, postgres, log, locks, snapshots } = joined;
  const options: NodeOptions = {
    ...{ joined, version: manifest.version, schema: SCHEMA_VERSION, startedAt, report },
    onNodes: (nodes) => member.lease.isLive && clusterAudit.see(nodes),
  };
  const member = createMembership(opened, options);
  const code = createCode(report, joined.purged);
  let settle = (): Promise<void> => Promise.resolve();
  let refresh = (): Promise<void> => Promise.resolve();
  let bringCode = (): Promise<boolean> => Promise.resolve(true);

  const lost = Promise.withResolvers<never>();
  lost.promise.catch(() => {});
  const replication = store.replicate();
  const replica: Replica = new Replica({
    log,
    replication,
    meta: store.meta,
    applyOther(entry) {
      if (entry.kind === "keyring") keyring.apply(entry);
      // Of this node's own, which are not prepared.
      else if (entry.kind === "purge") void code.purge(entry.body);
      else if (entry.kind === "migration") throw upgradeRequired(entry);
      else throw unknownEntry(entry);
    },
    prepare: (entry) => code.prepare(entry),
    settle: () => settle(),
    beforeLong: () => refresh(),
    onFatal(error) {
      member.stopServing(error);
      if (error instanceof LogPruned) lost.reject(error);
    },
  });
  const writer = createWriter({
    log,
    replication,
    replica,
    appliedEverywhere: (seq) => member.membership.applied(seq),
    beforeLong: () => refresh(),
  });
  const keyring: KeyringChanges = createKeyringChanges({
    append: (compose) =>
      writer.append(() => {
        const composed = compose();
        return composed && { kind: "keyring", ...composed };
      }),
    keyFile,
    report,
  });
  store.commitThrough(writer);
  await replica.follow();
  requireNewestKeyring(keyFile.keyring, store.meta);
  await share(joined, replica, config.dataDir);
  opened.defer(() => replica.stop());
  replica.start();
  opened.use(new SnapshotJob({ snapshots, locks, dataDir: config.dataDir, report })).start();
  const peers = openPeers(opened, {
    node: identity.node,
    keyring: keyFile.keyring,
    database: config.cluster!.database,
    head: replica.head,
    now,
    log: report,
    endpoint,
    onFork: member.stopServing,
  });
  opened.defer(replica.onApplied(() => peers.heads.applied(replica.head)));
  const node = createNode(options, member, replica, peers);
  opened.defer(() => node.stop());
  refresh = () => node.refresh();

  const rotation: RotationInCluster = {
    node: identity.node,
    keyChanges: keyring,
    async lead() {
      const lock = await locks.tryTake("rotation");
      return lock && { [Symbol.asyncDispose]: () => lock.release() };
    },
  };
  const { cluster } = identity;
  const once = createOncePerCluster(opened, locks);
  const clusterAudit = new ClusterAudit({
    store,
    facts: clusterFacts(joined, postgres.schema),
    isFounded: joined.founding !== undefined,
    leads: () => once.leads,
    now,
    warn: (message) => report("error", message),
  });
  opened.defer(() => clusterAudit.close());
  return {
    serving: member.serving,
    lost: lost.promise,
    peers,
    once,
    shared: openSharedState(opened, { postgres, cluster, keyring: keyFile.keyring, once, log: report }),
    exchangeCounts: (counts) =>
      openCounts(opened, {
        ...counts,
        node: identity.node,
        cluster,
        keyring: keyFile.keyring,
        postgres,
        now,
        log: report,
      }),
    rotation,
    undoneDir: join(config.dataDir, UNDONE),
    auditBy: (record) => clusterAudit.recordWith(record),
    state() {
      const { recorded } = clusterAudit;
      return { ...node.state(), founded: recorded && { at: recorded.since, schema: recorded.schemaName } };
    },
    blobsOver(local) {
      peers.answer(...contentHandler(local));
      const blobs = new ClusterBlobs({
        local,
        shared: new PostgresBlobs(postgres),
        peers: readFromPeers(peers.client, () => peers.others()),
        purge: (body) => writer.append(() => ({ kind: "purge", body, summary: "contents of code purged" })),
        once: async (work) => {
          if (member.lease.isLive) await locks.once("blobs", work);
        },
        report,
      });
      code.open(blobs);
      return blobs;
    },
    async forgetPurged(blobs, used) {
      // Otherwise, the log had the entries of all contents that were purged. The audit has them for ever.
      if (joined.isFromSnapshot) await (blobs as ClusterBlobs).forgetPurged(purgedContents(store.audit), used);
    },
    bringCode: (bring) => bringCode = bring,
    holdBack: member.holdBack,
    stageCode: (stage) => code.stage = stage,
    whenCutOff: member.whenCutOff,
    settleBy: (work) => settle = work,
    start: (port) => node.start(nodeUrlOf(config, port, Deno.hostname()), bringCode),
    stop: () => node.stop(),
  };
}

/** What entries need of the code of this node, which is opened later. */
interface Code {
  /** Sets the contents of code; those that were purged before are removed. */
  open(blobs: ClusterBlobs): void;
  stage: Parameters<typeof prepareCode>[1]["stage"] | undefined;
  purge(body: Uint8Array): Promise<void>;
  prepare(entry: Entry): Promise<StagedFiles | undefined>;
}

/** `purgedBefore` are bodies of entries of kind `purge`. */
function createCode(report: NodeHost["log"], purgedBefore: readonly Uint8Array[]): Code {
  let blobs: ClusterBlobs | undefined;
  let failure = "";
  const purged = [...purgedBefore];
  return {
    stage: undefined,
    open(opened) {
      blobs = opened;
      for (const body of purged.splice(0)) void this.purge(body);
    },
    async purge(body) {
      if (!blobs) return void purged.push(body);
      await blobs.applyPurge(body).catch((error) =>
        report("error", `A content could not be purged: ${messageOf(error)}`)
      );
    },
    async prepare({ kind, seq, body }) {
      if (kind === "purge") await this.purge(body);
      // Before the code is open, nothing runs it, and the folder is brought to the newest version then.
      if (kind !== "change" || !blobs || !this.stage) return undefined;
      try {
        return await prepareCode(body, { blobs, stage: this.stage });
      } catch (error) {
        // It is tried again, every second.
        const why = `Change ${seq} is not applied yet: ${messageOf(error)}`;
        if (why !== failure) report("error", why);
        failure = why;
        throw error;
      }
    },
  };
}

/** The key file is read again after each change of the keyring. */
function clusterFacts({ identity: { cluster }, keyFile }: Joined, schemaName: string): () => ClusterFacts {
  let known: { readonly revision: number; readonly facts: ClusterFacts } | undefined;
  return () => {
    const { revision } = keyFile;
    if (known?.revision !== revision) {
      const { kdf } = inspectKeyFile(keyFile.path);
      known = { revision, facts: { cluster, schemaName, schema: SCHEMA_VERSION, salt: kdf?.salt ?? "" } };
    }
    return known.facts;
  };
}

/** Returns the contents that were purged, by the audit. */
function purgedContents(audit: Pick<AuditStore, "page">): Sha256[] {
  const contents = new Set<Sha256>();
  for (let before = Number.MAX_SAFE_INTEGER;;) {
    const entries = audit.page({ action: "code.purged" }, before, AUDIT_PAGE);
    for (const entry of entries) contents.add(JSON.parse(entry.before!).sha256);
    if (entries.length < AUDIT_PAGE) return [...contents];
    before = entries.at(-1)!.id;
  }
}

/** Stores the database of the first node, from which all others start, and lets them. */
async function share({ founding, snapshots }: Joined, replica: Replica, dataDir: string): Promise<void> {
  if (!founding) return;
  const copy = join(dataDir, "database.db.copy");
  try {
    await Deno.remove(copy).catch(() => {});
    using snapshot = openSnapshot(join(dataDir, "database.db"));
    await snapshot.copyTo(copy, () => {});
    if (!await snapshots.storeFirst(replica.head, SCHEMA_VERSION, copy)) throw foundedByAnother();
    await Deno.remove(join(dataDir, FOUNDING_FILE));
  } finally {
    await Deno.remove(copy).catch(() => {});
    await founding.release();
  }
}

/** This node's own database, which no other has, is then replaced at the next start. */
function foundedByAnother(): PostgresSetupError {
  return new PostgresSetupError(
    "Another node has founded the cluster at the same time, as this one was slow. Start this node again: it then joins.",
  );
}

function unknownEntry({ seq, kind }: Entry): AppError {
  return new AppError(
    "UpgradeRequired",
    503,
    `Entry ${seq} of the log of changes (${kind}) was written by a newer version of this program. Upgrade this node.`,
  );
}
