// Declares what makes a server a node of a cluster.

import type { Recorder } from "../../actor.ts";
import type { ClusterState } from "../../cluster_state.ts";
import type { WhenCutOff } from "../../cluster/node/serving.ts";
import type { WorkingCopy } from "../../code/versions/working_copy.ts";
import type { RotationInCluster } from "../../core/encryption/rotation.ts";
import type { AppError } from "../../errors.ts";
import type { Blobs } from "../../store/blobs.ts";
import type { Config } from "../../config.ts";
import type { Log } from "../../telemetry/log.ts";
import type { OncePerCluster } from "../../once_per_cluster.ts";
import type { Sha256 } from "../../sha256.ts";
import type { Serving } from "../../serving.ts";
import type { SharedState } from "../../shared_state.ts";
import type { Counts } from "./counts.ts";
import type { Peers } from "./peers.ts";

export interface ClusterPart {
  /** Undefined on a server of its own, for which nothing of the cluster is loaded. */
  readonly cluster: Cluster | undefined;
}

/** What a node needs of the process that runs it. */
export interface NodeHost {
  readonly config: Config;
  readonly log: Log;
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number;
  readonly startedAt: number;
}

export interface Cluster {
  readonly serving: Serving;
  /** Rejects with an AppError if this node has to be started again, which solves it. */
  readonly lost: Promise<never>;
  /** What this node says to the others, and answers them. */
  readonly peers: Peers;
  /** What requests leave for later ones. */
  readonly shared: SharedState;
  /** For what runs once per cluster. */
  readonly once: OncePerCluster;
  /** For the rotation of encryption keys. */
  readonly rotation: RotationInCluster;
  /** Absolute folder of edits on disk that were undone. */
  readonly undoneDir: string;
  /** Exchanges counts with the other nodes from now on. */
  exchangeCounts(counts: Counts): void;
  /** Returns the contents of code of all nodes, of which `local` are this node's. */
  blobsOver(local: Blobs): Blobs;
  /** Records in the audit what becomes of the cluster, from now on. */
  auditBy(record: Recorder): void;
  /** Removes contents that were purged while this node had no part in the cluster, unless they are `used`. */
  forgetPurged(blobs: Blobs, used: (sha256: Sha256) => boolean): Promise<void>;
  /** Sets what brings the code along before the node takes part; it returns false if contents are missing. */
  bringCode(bring: () => Promise<boolean>): void;
  /**
   * Gives up the lease, and serves nothing as long as there is a reason, such as that the newest version of the code is not
   * in place; undefined ends that.
   */
  holdBack(reason: AppError | undefined): void;
  /** Sets how files of an entry are put in place. */
  stageCode(stage: WorkingCopy["stage"]): void;
  /** Sets what calls get while the node is cut off. */
  whenCutOff(read: () => WhenCutOff): void;
  /** Sets what has to end before everything on this node follows the entries that were just applied. */
  settleBy(work: () => Promise<void>): void;
  /** Takes part, once the node listens on `port`. Resolves when it serves. @throws AppError */
  start(port: number): Promise<void>;
  /** Says that the node has left. */
  stop(): Promise<void>;
  /** Returns the state of the cluster as this node sees it. */
  state(): ClusterState;
}
