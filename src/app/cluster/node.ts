// Connects what makes a server a node: its lease, the other nodes, and its copy of the log.

import type { ClusterState } from "../../cluster_state.ts";
import type { Head } from "../../cluster/log/change_log.ts";
import { EntryPending, StoreUnavailable } from "../../cluster/log/errors.ts";
import { SYSTEM_CLOCKS } from "../../cluster/node/clock.ts";
import { forgetGone } from "../../cluster/node/forgetting.ts";
import { GONE_MS, NodeLease } from "../../cluster/node/lease.ts";
import { Membership, type NodeView } from "../../cluster/node/membership.ts";
import { RowMacs } from "../../cluster/node/node_row.ts";
import { Renewal, RENEWAL_MS, type Replica } from "../../cluster/node/renewal.ts";
import { NodeServing, type WhenCutOff } from "../../cluster/node/serving.ts";
import type { PostgresNodeTable } from "../../cluster/postgres/node_table.ts";
import { AppError, messageOf } from "../../errors.ts";
import { HOUR_MS } from "../../time.ts";
import type { Log } from "../../telemetry/log.ts";
import type { Peers } from "./peers.ts";
import type { Joined } from "./join.ts";

export interface NodeOptions {
  readonly joined: Pick<Joined, "identity" | "keyFile" | "table">;
  readonly version: string;
  /** The newest version of the database's schema that this program knows. */
  readonly schema: number;
  readonly startedAt: number;
  readonly report: Log;
  /** Is called with the rows of all nodes, each time that they were read. */
  readonly onNodes: (nodes: readonly NodeView[]) => void;
}

/** What a node needs before its copy of the log is open. */
export interface NodeMembership {
  readonly lease: NodeLease;
  readonly serving: NodeServing;
  readonly membership: Membership;
  readonly table: PostgresNodeTable;
  readonly macs: RowMacs;
  /** Makes the node refuse everything from now on. */
  stopServing(error: unknown): void;
  /** Serves nothing, and gives up the lease, as long as there is a reason. */
  holdBack(reason: AppError | undefined): void;
  /** Sets what calls get while the node is cut off. */
  whenCutOff(read: () => WhenCutOff): void;
}

export function createMembership(opened: AsyncDisposableStack, { joined, report }: NodeOptions): NodeMembership {
  const { identity, keyFile, table } = joined;
  const lease = new NodeLease(SYSTEM_CLOCKS);
  let readWhenCutOff: () => WhenCutOff = () => "refuse";
  const serving = new NodeServing(lease, () => readWhenCutOff());
  const stopServing = (error: unknown): void => {
    if (serving.stoppedBy) return;
    serving.stop(
      error instanceof AppError
        ? error
        : new AppError("CutOff", 503, `This node cannot apply changes: ${messageOf(error)}`),
    );
    report("error", `This node has stopped serving: ${messageOf(error)}`);
  };
  const macs = new RowMacs(keyFile.keyring.derive("cluster nodes"), identity.cluster);
  const membership = new Membership({
    table,
    macs,
    self: identity.node,
    now: () => performance.now(),
    pause: pauseUntil,
    onTampered: stopServing,
  });
  opened.defer(() => membership.close());
  return {
    lease,
    serving,
    membership,
    table,
    macs,
    stopServing,
    holdBack(reason) {
      serving.holdBack(reason);
      if (reason) lease.end();
    },
    whenCutOff: (read) => readWhenCutOff = read,
  };
}

export interface RunningNode {
  /**
   * Takes part: resolves when the lease began. `bringCode` returns false if contents of code are missing, for which the
   * node waits as long as another one is live.
   * @throws AppError
   */
  start(url: string, bringCode: () => Promise<boolean>): Promise<void>;
  /** Renews the lease, if there is one, before work that lets nothing else run for long. */
  refresh(): Promise<void>;
  /** Says that the node has left. */
  stop(): Promise<void>;
  state(): Omit<ClusterState, "founded">;
}

/**
 * `replica` is this node's copy of the log. Longer than 80 lines: its parts call each other, and are connected here.
 */
export function createNode(
  { joined, version, schema, startedAt, report, onNodes }: NodeOptions,
  { lease, serving, membership, table, macs, stopServing }: NodeMembership,
  replica: Replica & { readonly head: Head },
  peers: Peers,
): RunningNode {
  const { identity: { node: id } } = joined;
  const identity = { id, instance: crypto.randomUUID(), version, schema, startedAt };
  let renewal: Renewal | undefined;
  let readAt = performance.now();
  const ending = new AbortController();
  const aborted = new Promise<void>((resolve) => ending.signal.addEventListener("abort", () => resolve()));
  /** By node: whether it was live when the rows were read last. */
  const wasLive = new Map<string, boolean>();
  const reportOthers = (nodes: readonly NodeView[]): void => {
    for (const { id: other, url, version, isLive, left } of nodes) {
      if (other === id || wasLive.get(other) === isLive) continue;
      const isKnown = wasLive.has(other);
      wasLive.set(other, isLive);
      if (isLive) report("info", `Node ${url} (version ${version}) takes part in the cluster.`);
      else if (isKnown) report("info", `Node ${url} ${left ? "was stopped" : "has not renewed its lease"}.`);
    }
  };
  /** Reads the rows of all nodes, and compares this one's log with theirs. @throws LogTampered, StoreUnavailable */
  const look = async (): Promise<void> => {
    const nodes = await membership.read();
    readAt = performance.now();
    reportOthers(nodes);
    onNodes(nodes);
    peers.follow(nodes.filter(({ left }) => !left));
    // Those that seem to be gone, too: they may be live in another PostgreSQL.
    const { highest } = await peers.heads.compare(peers.others(), RENEWAL_MS);
    // What another node has applied is in the log, or PostgreSQL withholds it.
    await replica.catchUp(highest);
  };
  const lookIfPossible = async (): Promise<void> => {
    await look().catch((error) => {
      if (!(error instanceof StoreUnavailable || error instanceof EntryPending)) throw error;
    });
  };
  /** Now that the others are known, contents that PostgreSQL has lost come from them. */
  const waitForCode = async (bringCode: () => Promise<boolean>): Promise<void> => {
    for (let attempt = 1; !await bringCode(); attempt++) {
      // Otherwise, none could serve, nor take the content again.
      if (ending.signal.aborted || !membership.nodes.some(({ id: other, isLive }) => other !== id && isLive)) return;
      if (attempt === 1) report("warn", "This node does not serve yet: contents of code are missing, see above.");
      await pauseUntil(RENEWAL_MS, aborted);
      await lookIfPossible();
    }
  };
  let pending = "";
  /** Why the lease is not renewed, if that is known; a sentence. */
  let obstacle = "";
  /** The same, as the attempts to renew it have found. */
  let refusedBy = "";
  const reasonOf = (error: StoreUnavailable) => error.message.replace(" Nothing was changed.", "");
  const follow = async (): Promise<void> => {
    try {
      await look();
      [pending, obstacle] = ["", ""];
    } catch (error) {
      // The lease lapses until it is solved.
      if (error instanceof EntryPending) {
        if (error.message !== pending) report("error", error.message);
        obstacle = pending = error.message;
      } else if (error instanceof StoreUnavailable) {
        // Without PostgreSQL the rows stay as they were, and the lease lapses.
        if (lease.isLive) return;
        const why = reasonOf(error);
        if (why !== obstacle) report("warn", why);
        obstacle = why;
      } else stopServing(error);
    }
  };
  /** Returns why the node does not serve, for those who may know it. */
  const problemNow = (): AppError | undefined => {
    const refusal = serving.refusal();
    if (serving.stoppedBy) return refusal;
    if (refusal && serving.heldBackBy) return serving.heldBackBy;
    const why = obstacle || refusedBy;
    if (refusal?.code !== "CutOff" || why === "") return refusal;
    return new AppError(refusal.code, refusal.status, `This node is cut off: ${why}`);
  };
  const forget = async (): Promise<void> => {
    try {
      for (const gone of await forgetGone(table, membership.nodes)) {
        report("info", `Node ${gone} has been gone for a day and was forgotten.`);
      }
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
    }
  };

  return {
    async start(url, bringCode) {
      const started = new Renewal({
        identity: { ...identity, url },
        table,
        macs,
        lease,
        replica,
        now: () => performance.now(),
        pause: pauseUntil,
        onLease: (isLive) =>
          isLive ? report("info", "This node takes part in the cluster.") : report(
            "warn",
            serving.heldBackBy
              ? "This node has given up its lease."
              : "This node is cut off: it has not renewed its lease in time.",
          ),
        onAttempt(error) {
          if (error && lease.isLive) return;
          const why = error ? reasonOf(error) : "";
          // Otherwise it was reported.
          if (why !== refusedBy && why !== "" && why !== obstacle) report("warn", why);
          refusedBy = why;
        },
        onFatal: stopServing,
        isHeldBack: () => serving.heldBackBy !== undefined,
      });
      renewal = started;
      // Before it serves: only live nodes know whether PostgreSQL was put back to an earlier state.
      await lookIfPossible();
      await waitForCode(bringCode);
      if (ending.signal.aborted) return;
      await started.start();
      void repeat(follow, RENEWAL_MS, ending.signal);
      void repeat(forget, HOUR_MS, ending.signal);
    },
    async refresh() {
      await renewal?.refresh();
    },
    async stop() {
      ending.abort();
      await renewal?.stop();
    },
    state() {
      const ageMs = performance.now() - readAt;
      const isKnown = ageMs < GONE_MS;
      const problem = problemNow();
      return {
        mode: "cluster",
        node: id,
        head: Math.max(replica.applied, ...membership.nodes.map(({ applied }) => applied)),
        nodes: membership.nodes.map((node) => ({
          id: node.id,
          url: node.url,
          version: node.version,
          applied: node.id === id ? replica.applied : node.applied,
          live: node.id === id ? lease.isLive : isKnown ? node.isLive : undefined,
          left: node.left,
          renewedMsAgo: node.renewedMsAgo + ageMs,
          startedAt: node.startedAt,
        })),
        unknownSince: isKnown ? undefined : Date.now() - ageMs,
        problem: problem && {
          code: problem.code,
          message: problem.message,
          seq: (problem as { seq?: number }).seq,
        },
        leaseMs: lease.remainingMs,
      };
    },
  };
}

/** Calls `work` now and then with `ms` between, until `signal` is aborted. */
async function repeat(work: () => Promise<void>, ms: number, signal: AbortSignal): Promise<void> {
  const aborted = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
  while (!signal.aborted) {
    await work();
    await pauseUntil(ms, aborted);
  }
}

/** Resolves after `ms`, or when `until` resolves. */
async function pauseUntil(ms: number, until: Promise<void>): Promise<void> {
  const ended = Promise.withResolvers<void>();
  const timer = setTimeout(ended.resolve, ms);
  try {
    await Promise.race([ended.promise, until]);
  } finally {
    clearTimeout(timer);
  }
}
