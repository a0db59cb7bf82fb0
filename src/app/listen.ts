// Starts to answer requests: creates the planes, listens, and starts what runs at intervals.

import manifest from "../../deno.json" with { type: "json" };
import { createRun, type Run } from "../calls/handler.ts";
import { DEFAULT_CONFINEMENT } from "../core/functions/permissions.ts";
import { HourlyPruner } from "../hourly_pruner.ts";
import type { Settings } from "../core/settings/settings.ts";
import { denoWarning } from "../deno_versions.ts";
import { createChangeBarrier } from "../http/change_barrier.ts";
import type { Endpoint } from "../http/endpoint.ts";
import { serve, type Server } from "../http/server.ts";
import type { Profile } from "../sandbox/process/process.ts";
import { createControlPlane } from "./control.ts";
import type { Development, Host } from "./host.ts";
import type { Parts } from "./parts.ts";

export interface Listening {
  readonly server: Server;
  /** Stops what runs at intervals, and waits at most ten seconds for running requests. */
  drain(): Promise<void>;
}

/** @throws AppError CannotListen */
export function listen(
  opened: AsyncDisposableStack,
  host: Host,
  parts: Parts,
  endpoint: Endpoint,
  warnings: readonly string[],
): Listening {
  const { settings, pool, rotation, pruner, integrity, store, logs, checkers, workingCopy, gitSync } = parts;
  const run = createCalls(host, parts);
  parts.cluster?.peers.addLogs(logs);
  parts.cluster?.settleBy(createChangeBarrier(store.changes, () => pool.revokeAnswers()));
  parts.cluster?.whenCutOff(settings.view({ whenCutOff: "cluster.when-cut-off" }).whenCutOff);
  const ending = new AbortController();
  opened.defer(() => ending.abort());
  const control = createControlPlane(host, parts, {
    run: run.answer,
    warnings,
    closing: ending.signal,
    logNodes: parts.cluster?.peers.logNodes,
  });
  const server = serve(host.config, {
    api: (request, client) => control.api.fetch(request, client),
    web: async (request, client) => (await control.openWeb()).fetch(request, client),
    files: control.files,
    run: host.development ? observed(run, host.development) : run.answer,
    ...settings.view({ runHosts: "run.hosts" }),
    health: publicHealth(),
    internal: parts.cluster?.peers.endpoint,
    serving: parts.cluster?.serving,
    running: () => run.underWay > 0 || pool.busy,
    barrier: createChangeBarrier(store.changes, () => pool.revokeAnswers()),
  }, host.log);
  opened.defer(() => server.close());
  endpoint.listensOn(server);
  pool.prepare(emptyProfile(settings));
  workingCopy.start();
  pruner.start();
  gitSync.start();
  rotation.start();
  parts.deliveries.start();
  parts.announcer.start();
  const warn = (message: string): void => host.log("warn", message);
  const pruned = [
    { what: "Deleted secrets", of: parts.secrets.bin },
    { what: "Replaced values of API keys", of: parts.access.rolling },
  ];
  for (const { what, of } of pruned) {
    const hourly = new HourlyPruner({ what, of, commit: (work) => store.commit(work), warn });
    opened.defer(() => hourly.stop());
    hourly.start();
  }
  integrity.start(store, () => pool.busy);
  return {
    server,
    async drain() {
      await rotation.stop();
      await pruner.stop();
      await gitSync.stop();
      await parts.announcer.stop();
      await parts.deliveries.stop();
      logs.endFollowing();
      // A check changes nothing, and may take longer than is waited for.
      await checkers.close();
      await server.drain();
      // Ends responses that are still streamed before their connections are closed.
      await pool.stop();
      await parts.cluster?.stop();
    },
  };
}

/** Creates the data plane. */
function createCalls({ log }: Host, parts: Parts): Run {
  return createRun({
    ...parts,
    access: parts.access.directory,
    changes: parts.store.changes,
    serving: parts.cluster?.serving,
    log,
  });
}

/** Reports each call, for a developer. */
function observed(run: Run, { onCall }: Development): Run["answer"] {
  return async (request, ownHost) => {
    const began = performance.now();
    const response = await run.answer(request, ownHost);
    const { pathname, searchParams } = new URL(request.url);
    searchParams.delete("api_key");
    const path = searchParams.size === 0 ? pathname : `${pathname}?${searchParams}`;
    onCall({ method: request.method, path, status: response.status, durationMs: performance.now() - began });
    return response;
  };
}

/** Returns what `/health` answers to any client. */
function publicHealth(): { version: string; warnings: string[] } {
  const warnings = denoWarning() ? ["This version of Deno has not been tested with this server."] : [];
  return { version: manifest.version, warnings };
}

/** Returns the profile of most functions: without packages, with the default permissions. */
function emptyProfile(settings: Settings): Profile {
  return {
    lock: undefined,
    config: undefined,
    packages: [],
    packageFiles: [],
    importHosts: settings.get("sandbox.import-hosts"),
    net: DEFAULT_CONFINEMENT.permissions.net,
    memoryMb: settings.get("sandbox.memory-mb"),
  };
}
