// Opens the registry of functions, the checks of their code, and the rotation of encryption keys, which pauses for calls.

import { join } from "node:path";
import { LoadChecks, NO_LOAD_CHECKS } from "../code/checks/load_check.ts";
import { createPreflight, type Preflight } from "../code/checks/preflight.ts";
import { createTypeCheck } from "../code/checks/type_check.ts";
import { createDeployments, type Deployments } from "../code/deployments/deployments.ts";
import { createSecretCheck } from "../code/deployments/secret_check.ts";
import { stageCode, type StagingOptions } from "../code/deployments/staged_code.ts";
import { createGitSync, type GitSync } from "../code/git/sync.ts";
import { Pruner } from "../code/pruner.ts";
import { parseCrudeJson } from "../control/inputs/crude_json.ts";
import { Rotation } from "../core/encryption/rotation.ts";
import { ALONE } from "../once_per_cluster.ts";
import { DAY_MS } from "../time.ts";
import { createRegistry, type Registry } from "../core/functions/registry.ts";
import type { Code } from "./code.ts";
import type { Data } from "./data.ts";
import type { Domain } from "./domain.ts";
import type { Host } from "./host.ts";
import type { Sandboxes } from "./sandboxes.ts";
import type { Telemetry } from "./telemetry.ts";

export interface Functions {
  readonly registry: Registry;
  readonly preflight: Preflight;
  readonly deployments: Deployments;
  /** Deploys commits of the git source. */
  readonly gitSync: GitSync;
  /** Removes packages and folders that nothing uses. */
  readonly pruner: Pruner;
  readonly rotation: Rotation;
}

/** What is opened before. */
type Before = Data & Domain & Code & Telemetry & Sandboxes;

export function openFunctions(
  opened: AsyncDisposableStack,
  host: Host,
  parts: Before,
): Functions {
  const { log, now } = host;
  const {
    store,
    settings,
    runtime,
    blobs,
    codeDir,
    locks,
    cache,
    imports,
    assets,
    metrics,
    memoryPeaks,
    connectedHosts,
    logs,
    record,
  } = parts;
  const { conditions, pool, process } = parts;
  const registry = createRegistry({
    store,
    now,
    record,
    onChange: (id, deleted) => {
      pool.retire(id);
      if (deleted) metrics.forget(id);
      if (deleted) memoryPeaks.forget(id);
      if (deleted) connectedHosts.forget(id);
      if (deleted) void logs.forget(id);
    },
  });
  const handlers = () => registry.list().map(({ handler }) => handler);
  const { historyDays } = settings.view({ historyDays: "history.retention-days" });
  const blobUses = () => {
    const days = historyDays();
    const from = days === 0 ? 0 : store.codeVersions.idAt(now() - days * DAY_MS);
    return (sha256: string) => store.codeVersions.isUsed(sha256, from);
  };
  const pruner = new Pruner({
    codeDir,
    runtime,
    cache,
    locks,
    imports,
    blobs,
    blobUses,
    handlers,
    now,
    report: log,
  });
  opened.defer(() => pruner.stop());
  const rotation = openRotation(opened, host, parts);
  const loads = host.checksLoads
    ? new LoadChecks({ process, ...settings.view({ limitMs: "sandbox.load-check-ms" }) })
    : NO_LOAD_CHECKS;
  const limits = () => ({
    importHosts: settings.get("sandbox.import-hosts"),
    memoryMb: settings.get("sandbox.memory-mb"),
  });
  const preflight = createPreflight({ imports, assets, registry, conditions, loads, limits });
  const deployments = createDeploymentsOf(host, parts, { registry, loads, limits });
  const gitSync = openGitSync(opened, host, parts, deployments);
  return { registry, preflight, deployments, gitSync, pruner, rotation };
}

/** Opens the rotation of encryption keys, which leaves most time to calls. */
function openRotation(opened: AsyncDisposableStack, { log, now }: Host, parts: Before): Rotation {
  const { store, keyFile, settings, pool, record } = parts;
  const rotation = new Rotation({
    store,
    keyFile,
    settings: settings.view({
      intervalDays: "encryption.key-rotation.interval-days",
      batchSize: "encryption.key-rotation.batch-size",
      batchSleepMs: "encryption.key-rotation.batch-sleep-ms",
      keepDays: "encryption.retired-keys.keep-days",
    }),
    busy: () => pool.busy,
    now,
    report: log,
    record,
    cluster: parts.cluster?.rotation,
  });
  opened.defer(() => rotation.stop());
  return rotation;
}

/** Creates the deployments, which check code before it is stored. */
function createDeploymentsOf(
  { now }: Host,
  parts: Before,
  { registry, loads, limits }: Pick<Functions, "registry"> & Pick<StagingOptions, "loads" | "limits">,
): Deployments {
  const { store, keyring, settings, runDir, blobs, locks, imports, conditions } = parts;
  const checkSecrets = createSecretCheck(store);
  const folder = join(runDir, "build");
  const typeCheckOf: StagingOptions["typeCheckOf"] = (codeDir, files) =>
    createTypeCheck({
      ...parts,
      ...settings.view({ importHosts: "sandbox.import-hosts" }),
      codeDir,
      files,
      deno: parts.checkers,
      folderName: "check-deployment",
    });
  const lockStore = store.packageLocks;
  const staging = { folder, blobs, imports, lockStore, locks, loads, limits, checkSecrets, typeCheckOf };
  return createDeployments({
    ...parts,
    registry,
    importers: (path) => imports.importers(path),
    isKnown: (handler) => imports.current(handler) !== undefined,
    stage: (tree) => stageCode(tree, staging),
    found: (handler, version, problems) => conditions.found(handler, version, problems),
    key: keyring.derive("code versions"),
    now,
    requireWritable: () => parts.gitSources.requireWritable(),
  });
}

/** Opens what deploys commits of the git source. */
function openGitSync(
  opened: AsyncDisposableStack,
  { log, now }: Host,
  { gitSources, gitFetcher, blobs, secrets, cluster }: Before,
  deployments: Deployments,
): GitSync {
  const gitSync = createGitSync({
    sources: gitSources,
    fetcher: gitFetcher,
    blobs,
    deployments,
    secretValue: (name) => secrets.forServer(name).reveal(),
    parseFunctions: (source) => parseCrudeJson(source).functions,
    once: cluster?.once ?? ALONE,
    now,
    report: log,
  });
  opened.defer(() => gitSync.stop());
  return gitSync;
}
