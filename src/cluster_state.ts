// Declares what a server says about its cluster, for the API, the pages and the metrics.

export interface NodeState {
  readonly id: string;
  /** How other nodes reach it. */
  readonly url: string;
  /** The version of the program. */
  readonly version: string;
  /** The sequence number of the last change that it is known to have applied. */
  readonly applied: number;
  /** Whether it may serve, so that changes wait for it; undefined if that is not known, see `unknownSince`. */
  readonly live: boolean | undefined;
  /** Whether it said that it was stopped. */
  readonly left: boolean;
  /** How long ago it renewed its lease, in milliseconds, by PostgreSQL's clock. */
  readonly renewedMsAgo: number;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
}

export interface ClusterState {
  readonly mode: "single" | "cluster";
  /** The id of the node that says this; null on a server of its own. */
  readonly node: string | null;
  /** The sequence number of the last change that this node knows of; null on a server of its own. */
  readonly head: number | null;
  /** As this node read them last; a node that is cut off cannot read them. */
  readonly nodes: readonly NodeState[];
  /** When the other nodes were read last, in milliseconds since 1970, if that is too long ago to know how they are. */
  readonly unknownSince: number | undefined;
  /** When and in which schema of PostgreSQL it began, once that was recorded. At is in milliseconds since 1970. */
  readonly founded: { readonly at: number; readonly schema: string } | undefined;
  /** Why this node does not serve now; undefined while it does. */
  readonly problem: ClusterProblem | undefined;
  /** Milliseconds until this node's lease lapses unless it is renewed; 0 if it has lapsed. */
  readonly leaseMs: number;
}

export interface ClusterProblem {
  readonly code: string;
  /** A sentence. */
  readonly message: string;
  /** The sequence number of the entry of the log that is wrong, if one is. */
  readonly seq: number | undefined;
}

/** The state of a server without a cluster. */
export const SINGLE_SERVER: ClusterState = {
  mode: "single",
  node: null,
  head: null,
  nodes: [],
  unknownSince: undefined,
  founded: undefined,
  problem: undefined,
  leaseMs: 0,
};

/** Returns how many changes `node` has yet to apply. */
export function lagOf({ head }: Pick<ClusterState, "head">, { applied }: Pick<NodeState, "applied">): number {
  return Math.max(0, (head ?? 0) - applied);
}
