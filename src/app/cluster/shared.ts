// Opens what requests leave in PostgreSQL for later ones, and removes what is over.

import type { Postgres } from "../../cluster/postgres/client.ts";
import { createSharedState, pruneSharedState } from "../../cluster/postgres/shared_state.ts";
import { messageOf } from "../../errors.ts";
import type { Keyring } from "../../keyring/keyring.ts";
import type { OncePerCluster } from "../../once_per_cluster.ts";
import type { SharedState } from "../../shared_state.ts";
import type { Log } from "../../telemetry/log.ts";
import { MINUTE_MS } from "../../time.ts";

const PRUNE_INTERVAL_MS = 10 * MINUTE_MS;

export interface SharedStateParts {
  readonly postgres: Postgres;
  /** Identifies the cluster. */
  readonly cluster: string;
  readonly keyring: Keyring;
  readonly once: OncePerCluster;
  readonly log: Log;
}

export function openSharedState(opened: AsyncDisposableStack, parts: SharedStateParts): SharedState {
  const { postgres, cluster, keyring, once, log } = parts;
  const prune = () => {
    if (!once.leads) return;
    pruneSharedState(postgres).catch((error) => log("warn", `Old rows were not removed: ${messageOf(error)}`));
  };
  const timer = setInterval(prune, PRUNE_INTERVAL_MS);
  Deno.unrefTimer(timer);
  opened.defer(() => clearInterval(timer));
  return createSharedState({
    postgres,
    cluster,
    attemptsKey: keyring.derive("cluster attempts"),
    handoversKey: keyring.derive("cluster handovers"),
    setupToken: keyring.derive("set-up link").hexMac(cluster),
  });
}
