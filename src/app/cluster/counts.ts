// Opens the exchange of counts between nodes, and removes old ones from PostgreSQL.

import { CountsExchange } from "../../cluster/counts/exchange.ts";
import type { Postgres } from "../../cluster/postgres/client.ts";
import { PostgresCountTable } from "../../cluster/postgres/count_table.ts";
import { messageOf } from "../../errors.ts";
import type { Keyring } from "../../keyring/keyring.ts";
import { oncePerMinute } from "../../once_per_minute.ts";
import type { Observations } from "../../store/observations.ts";
import type { Log } from "../../telemetry/log.ts";
import type { ConnectedHosts } from "../../telemetry/connected_hosts.ts";
import type { Metrics } from "../../telemetry/metrics.ts";
import type { Reads } from "../../telemetry/reads.ts";
import { DAY_MS, HOUR_MS, SECOND_MS } from "../../time.ts";

/** As long as nodes keep them, and some hours more. */
const MINUTES_KEPT_MS = 2 * DAY_MS + 6 * HOUR_MS;
/** As long as reads of secrets are kept whatever the setting. */
const DAYS_KEPT_MIN = 30;
/** What was counted last is passed on when a node stops, unless PostgreSQL is away. */
const LAST_MAX_MS = 2 * SECOND_MS;

/** What is counted on this node. */
export interface Counts {
  readonly observations: Observations;
  readonly metrics: Metrics;
  readonly reads: Reads;
  readonly connectedHosts: ConnectedHosts;
  readonly retentionDays: () => number;
}

export interface CountsOptions extends Counts {
  readonly node: string;
  /** Identifies the cluster. */
  readonly cluster: string;
  readonly keyring: Keyring;
  readonly postgres: Postgres;
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number;
  readonly log: Log;
}

/** Exchanges counts once a minute, the first time at once. */
export function openCounts(opened: AsyncDisposableStack, options: CountsOptions): void {
  const { node, cluster, keyring, postgres, observations, metrics, reads, connectedHosts, retentionDays, now, log } =
    options;
  const isNews = oncePerMinute<string>(now);
  const warn = (message: string) => isNews(message) && log("warn", message);
  const table = new PostgresCountTable(postgres);
  const exchange = new CountsExchange({
    node,
    cluster,
    key: keyring.derive("cluster counts"),
    store: observations.nodeCounts,
    transaction: (work) => observations.transaction(work),
    table,
    flush() {
      metrics.flush();
      reads.flush();
      connectedHosts.flush();
    },
    warn,
  });
  opened.defer(() => exchange.close(LAST_MAX_MS));
  const prune = () => {
    const old = now() - (Math.max(retentionDays(), DAYS_KEPT_MIN) + 1) * DAY_MS;
    const before = {
      "metrics 60000 ": now() - MINUTES_KEPT_MS,
      "metrics ": old,
      "reads ": old,
      "days ": old,
      "memory ": old,
      "hosts ": old,
    };
    table.prune(before).catch((error) => warn(`Old counts were not removed from PostgreSQL: ${messageOf(error)}`));
  };
  const timer = setInterval(prune, HOUR_MS);
  Deno.unrefTimer(timer);
  opened.defer(() => clearInterval(timer));
  void exchange.run();
}
