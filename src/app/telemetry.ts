// Opens the metrics, read counts and logs of calls.

import { bestEffort } from "../best_effort.ts";
import { reasonOf } from "../errors.ts";
import type { FunctionId, SecretId } from "../ids.ts";
import { createMasking, type Masking } from "../masking/masking.ts";
import { Logs } from "../telemetry/logs.ts";
import { ConnectedHosts } from "../telemetry/connected_hosts.ts";
import { MemoryPeaks } from "../telemetry/memory_peaks.ts";
import { Metrics } from "../telemetry/metrics.ts";
import { Reads } from "../telemetry/reads.ts";
import type { Data } from "./data.ts";
import type { Domain } from "./domain.ts";
import type { Host } from "./host.ts";

export interface Telemetry {
  readonly metrics: Metrics;
  /** The memory that processes of functions were seen to use. */
  readonly memoryPeaks: MemoryPeaks;
  /** The hosts that functions connected to. */
  readonly connectedHosts: ConnectedHosts;
  /** Counts reads of secrets. */
  readonly reads: Reads;
  readonly masking: Masking;
  /** The logs of functions. */
  readonly logs: Logs;
}

export function openTelemetry(
  opened: AsyncDisposableStack,
  { log, now }: Host,
  { store, observations, cluster }: Data,
  { settings }: Domain,
): Telemetry {
  const counting = {
    transaction: <T>(work: () => T): T => observations.transaction(work),
    now,
    ...settings.view({ delayMs: "log.batching.max-delay-ms", retentionDays: "metrics.retention-days" }),
    attempt: bestEffort(now, (error) => log("error", `Counts were lost, or could not be read: ${reasonOf(error)}.`)),
  };
  const isFunction = (id: FunctionId) => store.functions.find(id) !== undefined;
  // Also of a secret in the bin, which may come back, and whose value may have been read by the wrong one.
  const isSecret = (id: SecretId) => (store.secrets.find(id) ?? store.deletedSecrets.find(id)) !== undefined;
  const metrics = new Metrics({ ...counting, store: observations.metrics, isFunction });
  opened.defer(() => metrics.flush());
  const memoryPeaks = new MemoryPeaks({ ...counting, store: observations.memoryPeaks, isFunction });
  const reads = new Reads({ ...counting, store: observations.secretReads, isSecret });
  opened.defer(() => reads.flush());
  const masking = createMasking();
  const connectedHosts = new ConnectedHosts({
    ...counting,
    store: observations.connectedHosts,
    isFunction,
    holdsSecret: (id, host) => masking.isInHost(id, host),
  });
  opened.defer(() => connectedHosts.flush());
  const logs = new Logs({
    observations,
    masking,
    settings: settings.view({
      level: "log.level",
      maxBatchSize: "log.batching.max-batch-size",
      maxDelayMs: "log.batching.max-delay-ms",
      maxPerFunction: "log.trimming.max-per-function",
      retentionSeconds: "log.trimming.retention-seconds",
    }),
    isFunction,
    now,
    report: log,
  });
  opened.defer(() => logs.close());
  cluster?.exchangeCounts({
    observations,
    metrics,
    reads,
    connectedHosts,
    ...settings.view({ retentionDays: "metrics.retention-days" }),
  });
  return { metrics, memoryPeaks, connectedHosts, reads, masking, logs };
}
