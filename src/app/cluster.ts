// Declares what makes a server a node of a cluster.

import type { ClusterState } from "../cluster_state.ts";
import type { Serving } from "../serving.ts";
import type { Peers } from "./cluster/peers.ts";

export interface ClusterPart {
  /** Undefined on a server of its own, for which nothing of the cluster is loaded. */
  readonly cluster: Cluster | undefined;
}

export interface Cluster {
  readonly serving: Serving;
  /** What this node says to the others, and answers them. */
  readonly peers: Peers;
  /** Returns the state of the cluster as this node sees it. */
  state(): ClusterState;
}
