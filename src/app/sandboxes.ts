// Opens the processes of functions, and what answers their questions.

import { RunCaller } from "../calls/caller.ts";
import { Disclosures } from "../calls/secrets/disclosures.ts";
import { SecretBroker } from "../calls/secrets/broker.ts";
import { SecretLookup } from "../calls/secrets/lookup.ts";
import { codeVersionOf } from "../calls/target.ts";
import { hostsOnTrial } from "../calls/trial.ts";
import { type Conditions, createConditions } from "../code/checks/condition.ts";
import { createEgress } from "../egress/egress.ts";
import { type Endpoint, machineHosts } from "../http/endpoint.ts";
import { reasonOf } from "../errors.ts";
import type { FunctionId } from "../ids.ts";
import type { Masking } from "../masking/masking.ts";
import { oncePerMinute } from "../once_per_minute.ts";
import { createHealth, type Healths } from "../sandbox/host/health.ts";
import { Pool, type PoolOptions } from "../sandbox/host/pool.ts";
import type { ProcessOptions } from "../sandbox/process/process.ts";
import { nameServers } from "../sandbox/process/machine_names.ts";
import { openUsageReader } from "../sandbox/process/proc_stats.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { createSandboxLog } from "../telemetry/sandbox_log.ts";
import { openTraces, type Traces } from "../telemetry/traces.ts";
import type { ClusterPart } from "./cluster/cluster.ts";
import type { Code } from "./code.ts";
import type { Data } from "./data.ts";
import type { Domain } from "./domain.ts";
import type { Host } from "./host.ts";
import type { Telemetry } from "./telemetry.ts";

export interface Sandboxes {
  /** Undefined unless calls are traced. */
  readonly traces: Traces | undefined;
  /** Determines whether functions can answer calls. */
  readonly conditions: Conditions;
  /** What every process is started with. */
  readonly process: ProcessOptions;
  readonly pool: Pool<RunCaller>;
  readonly healths: Healths;
}

/** `endpoint` is known once the server listens, before the first process starts. */
export async function openSandboxes(
  opened: AsyncDisposableStack,
  { config, log, now, startsSpares }: Host,
  parts: ClusterPart & Data & Domain & Code & Telemetry,
  endpoint: Endpoint,
): Promise<Sandboxes> {
  const { store, keyring, settings, runtime, runDir, codeDir, codeFolder, imports, metrics, masking, logs } = parts;
  const { memoryPeaks, connectedHosts, observations } = parts;
  const traces = config.traces ? await openTraces() : undefined;
  const usage = openUsageReader();
  opened.defer(() => usage.close());
  const health = createHealth(now);
  const conditions = createConditions({
    codeDir,
    imports,
    health: (id) => health.of(id),
    isAltered: (id) => store.isAltered("functions", id),
    stored: () => {
      const { tables } = store.head();
      return [tables.get("functions"), tables.get("settings"), tables.get("package_locks")];
    },
    isCodeUnchangedSince: (at) => codeFolder.isUnchangedSince(at),
  });
  const process: ProcessOptions = {
    runDir,
    codeDir,
    runtime,
    usage,
    ownAddresses: () => endpoint.addresses(),
    nodeAddresses: () => endpoint.nodeAddresses(),
    databaseAddresses: () => endpoint.databaseAddresses(),
    machineHosts,
    ...settings.view({ denyNet: "sandbox.net.deny" }),
  };
  const egress = createEgress({
    process,
    certificates: await certificatesOf(config.fetchEnv, (sentence) => log("warn", sentence)),
    refusal: () => parts.cluster?.serving.callRefusal()?.message,
    onFailure: (sentence) => log("error", sentence),
  });
  opened.defer(() => egress.close());
  connectedHosts.observe(runtime.auditsPermissions, observations.metrics.hasAny());
  const onTrial = hostsOnTrial({ logs, metrics, nameServers, isNews: oncePerMinute<string>(now) });
  const disclosures = new Disclosures({ ...parts, log, now });
  const limits = settings.view({
    maxProcesses: "sandbox.max-processes",
    maxCalls: "sandbox.max-calls",
    maxPerFunction: "sandbox.max-processes-per-function",
    spareProcesses: "sandbox.spare-processes",
    idleSeconds: "sandbox.idle-seconds",
    maxCallMs: "sandbox.max-call-ms",
    revocationGraceMs: "sandbox.revocation-grace-ms",
    callsMemoryMb: "sandbox.calls-memory-mb",
  });
  const pool = new Pool<RunCaller>({
    process,
    health,
    answerer: new SecretBroker<RunCaller>(new SecretLookup(store, keyring, now), disclosures, parts.cluster?.serving),
    sealedSender: (net) => egress.sender(net),
    limits: startsSpares ? limits : { ...limits, spareProcesses: () => 0 },
    onStart: observeStarts({ metrics, masking, conditions, traces }),
    onLog: createSandboxLog({ logs, masking, log, isNews: oncePerMinute<string>(now) }),
    onBackgroundEnd: ({ functionId }, outcome, durationMs) =>
      metrics.backgroundEnded(functionId as FunctionId, outcome === "ok", durationMs),
    onHosts(target, hosts) {
      connectedHosts.record(target.functionId as FunctionId, hosts);
      onTrial(target, hosts);
    },
    onMemory: ({ functionId }, memoryMb) => memoryPeaks.record(functionId as FunctionId, memoryMb),
  });
  opened.defer(() => pool.stop());
  return { traces, conditions, process, pool, healths: health };
}

/** Variables with paths of certificates that the operator trusts. */
const CERTIFICATES = ["DENO_CERT", "NODE_EXTRA_CA_CERTS"];

/** Reads the certificates. A file that cannot be read is reported, as only requests with sealed secrets need it here. */
async function certificatesOf(
  fetchEnv: Readonly<Record<string, string>>,
  warn: (sentence: string) => void,
): Promise<string[]> {
  const certificates: string[] = [];
  for (const name of CERTIFICATES) {
    const path = fetchEnv[name];
    if (path === undefined) continue;
    try {
      certificates.push(await Deno.readTextFile(path));
    } catch (error) {
      warn(`${name} cannot be read, so that requests with sealed secrets do not trust it: ${reasonOf(error)}.`);
    }
  }
  return certificates;
}

interface StartObservers {
  readonly metrics: Metrics;
  readonly masking: Masking;
  readonly conditions: Conditions;
  readonly traces: Traces | undefined;
}

/** Counts and traces each start of a process, and records whether the handler could be loaded. */
function observeStarts({ metrics, masking, conditions, traces }: StartObservers): PoolOptions<RunCaller>["onStart"] {
  return (target) => {
    const functionId = target.functionId as FunctionId;
    const version = codeVersionOf(target);
    metrics.sandboxStarted(functionId);
    const ended = traces?.starting(target.route.name);
    return (failure) => {
      if (!failure) conditions.found(target.route.handler, version, []);
      else if (failure.kind === "load-failed") {
        conditions.found(target.route.handler, version, [masking.mask(functionId, failure.message)]);
      }
      ended?.(failure !== undefined);
    };
  };
}
