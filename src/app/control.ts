// Creates the control plane: the API, and the pages when one is first opened.

import manifest from "../../deno.json" with { type: "json" };
import { createTypeCheck } from "../code/checks/type_check.ts";
import { createFileUses } from "../code/file_uses.ts";
import { createPackages } from "../code/packages.ts";
import { createVersions } from "../code/versions/versions.ts";
import { createApi } from "../control/api/api.ts";
import { CLI_PATH, createCliDownload } from "../control/cli_download.ts";
import type { Api, ApiDeps } from "../control/services.ts";
import { nameServers } from "../sandbox/process/machine_names.ts";
import { createSuggestions } from "../control/suggestions.ts";
import type { Web } from "../control/web/shell/deps.ts";
import { createNames } from "../core/access/names.ts";
import { createSecretEffects } from "../core/secrets/effect.ts";
import { createExposure } from "../core/secrets/exposure.ts";
import { createExplainer } from "../core/secrets/explain.ts";
import { createSecretMatrix } from "../core/secrets/matrix.ts";
import { createSecretReferences } from "../core/secrets/references.ts";
import { createSecretTransfer } from "../core/secrets/transfer.ts";
import type { FunctionId } from "../ids.ts";
import { SINGLE_SERVER } from "../cluster_state.ts";
import { createAllLogs, type LogNodes } from "../telemetry/cluster/all_logs.ts";
import type { Host } from "./host.ts";
import type { Parts } from "./parts.ts";

export interface ControlPlane {
  readonly api: Api;
  /** Loads the pages at the first call: most servers mostly answer calls. */
  readonly openWeb: () => Promise<Web>;
  /** Answers requests for a file that needs no sign-in, by its path. */
  readonly files: ReadonlyMap<string, (request: Request) => Promise<Response>>;
}

/** What the pages show or use in addition to the parts. */
export interface PageParts {
  /** Answers a request under /run, as one that arrives over HTTP. */
  readonly run: (request: Request) => Promise<Response>;
  /** What this machine or this process lacks, as sentences. */
  readonly warnings: readonly string[];
  /** Aborted when the server ends. */
  readonly closing: AbortSignal;
  /** The logs of the other nodes of a cluster. */
  readonly logNodes: LogNodes | undefined;
}

export function createControlPlane(host: Host, parts: Parts, pages: PageParts): ControlPlane {
  const services = servicesOf(host, parts, pages);
  let web: Promise<Web> | undefined;
  return {
    api: createApi(services),
    openWeb: () => web ??= loadWeb(host, parts, services, pages),
    files: new Map([[CLI_PATH, createCliDownload(host.log)]]),
  };
}

/** Returns what the API and the pages manage. */
function servicesOf({ log, now, startedAt }: Host, parts: Parts, { logNodes }: PageParts): ApiDeps {
  const { store, imports, builder, locks, registry, files, preflight, record, runtime, pool, settings } = parts;
  return {
    ...parts,
    commit: store.commit,
    serving: parts.cluster?.serving,
    names: createNames(store),
    fileUses: createFileUses({ files, registry, importers: (path) => imports.importers(path) }),
    versions: createVersions(parts),
    transfer: createSecretTransfer({
      store,
      keyring: parts.keyring,
      alerts: parts.alerts,
      now,
      record,
      ...settings.view({ versionsKept: "secrets.versions-kept" }),
    }),
    allLogs: createAllLogs(parts.logs, logNodes),
    exposure: createExposure({ ...parts, reads: parts.observations.secretReads, flush: () => parts.reads.flush() }),
    suggestions: createSuggestions({
      ...parts,
      reads: parts.observations.secretReads,
      nameServers,
      countedSince: () => parts.reads.begin,
      flush: () => parts.reads.flush(),
      now,
    }),
    effects: createSecretEffects({ store, keyring: parts.keyring, functions: () => registry.list(), now }),
    explainer: createExplainer(store),
    packages: createPackages({
      imports,
      builder,
      locks,
      registry,
      load: preflight.trial,
      record,
      workerPackage: runtime.workerPackage,
    }),
    health: (id) => pool.health(id),
    now,
    startedAt,
    log,
    newRequestId: () => crypto.randomUUID(),
    version: manifest.version,
    cluster: () => parts.cluster?.state() ?? SINGLE_SERVER,
  };
}

async function loadWeb(
  { config }: Host,
  parts: Parts,
  services: ApiDeps,
  { run, warnings, closing }: PageParts,
): Promise<Web> {
  const { createWeb } = await import("../control/web/web.tsx");
  const { store, secrets, imports, pool, integrity, keyring, settings } = parts;
  return createWeb({
    ...services,
    matrix: createSecretMatrix(store, secrets),
    nameSearch: store.nameSearch,
    suspended: () => pool.suspended() as FunctionId[],
    sandboxWarnings: warnings,
    alterations: () => integrity.findings,
    isAltered: store.isAltered,
    closing,
    run,
    devPages: config.devPages,
    references: createSecretReferences(store),
    noticeKey: keyring.derive("notices"),
    importers: (path) => imports.importers(path),
    importersOfEach: (paths) => imports.importersOfEach(paths),
    typeCheck: createTypeCheck({
      ...parts,
      deno: parts.checkers,
      ...settings.view({ importHosts: "sandbox.import-hosts" }),
    }),
  });
}
