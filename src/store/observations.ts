// Opens the second database, which holds logs, metrics and caches. It is separate from the main one so that it neither
// delays nor endangers data that must not be lost: the server can run without its content, and recreates it if needed.

import { existsSync, renameSync } from "node:fs";
import { messageOf, reasonOf } from "../errors.ts";
import { Database } from "./database.ts";
import { type ConnectedHostStore, createConnectedHostStore } from "./connected_hosts.ts";
import { createLogStore, type LogStore } from "./logs.ts";
import { createMemoryPeakStore, type MemoryPeakStore } from "./memory_peaks.ts";
import { createMetricStore, type MetricStore } from "./metrics.ts";
import { sql as logs } from "./migrations/observations/001_logs.ts";
import { sql as metrics } from "./migrations/observations/002_metrics.ts";
import { sql as moduleGraphs } from "./migrations/observations/003_module_graphs.ts";
import { sql as background } from "./migrations/observations/004_background.ts";
import { sql as uses } from "./migrations/observations/005_uses.ts";
import { sql as nodes } from "./migrations/observations/006_nodes.ts";
import { sql as memory } from "./migrations/observations/007_memory.ts";
import { sql as logCounts } from "./migrations/observations/008_log_counts.ts";
import { sql as hosts } from "./migrations/observations/009_hosts.ts";
import { sql as failedCalls } from "./migrations/observations/010_failed_calls.ts";
import { sql as logKeys } from "./migrations/observations/011_log_keys.ts";
import { createModuleGraphStore, type ModuleGraphStore } from "./module_graphs.ts";
import { createNodeCountStore, type NodeCountStore } from "./node_counts.ts";
import { createSecretReadStore, type SecretReadStore } from "./secret_reads.ts";
import { createUseStore, type UseStore } from "./uses.ts";

/** In order; the version is the number of migrations applied. Never edit a released one: append. */
export const MIGRATIONS = [
  logs,
  metrics,
  moduleGraphs,
  background,
  uses,
  nodes,
  memory,
  logCounts,
  hosts,
  failedCalls,
  logKeys,
];

/** SQLITE_CORRUPT and SQLITE_NOTADB, https://www.sqlite.org/rescode.html */
const DAMAGED = [11, 26];

export interface Observations {
  readonly logs: LogStore;
  readonly metrics: MetricStore;
  readonly secretReads: SecretReadStore;
  readonly memoryPeaks: MemoryPeakStore;
  readonly connectedHosts: ConnectedHostStore;
  readonly moduleGraphs: ModuleGraphStore;
  readonly uses: UseStore;
  /** Exchanges counts with the other nodes of a cluster. */
  readonly nodeCounts: NodeCountStore;
  /** Stores all of `work`, or nothing if it throws; `work` is synchronous. A power cut may undo the last transactions. */
  transaction<T>(work: () => T): T;
  /** Removes from the disk what was deleted and is still in the WAL. */
  truncateWal(): void;
  close(): void;
}

/**
 * Opens or creates the file at `path`. A file that cannot be used is renamed and recreated; one that turns out to be
 * damaged later is recreated at the next start. `warn` is called in both cases.
 */
export function openObservations(path: string, now: () => Date, warn: (message: string) => void): Observations {
  const setAside = (why: string): void => {
    const aside = `${path}.broken-${now().toISOString().replaceAll(":", "-")}`;
    for (const end of ["", "-wal", "-shm"]) if (existsSync(path + end)) renameSync(path + end, aside + end);
    warn(`${why} It was renamed to ${aside}; logs start empty. Secrets, keys and functions are not affected.`);
  };
  let opened: Opened;
  try {
    opened = open(path);
  } catch (error) {
    setAside(messageOf(error));
    opened = open(path);
  }
  const { db, entities } = opened;
  let damaged = false;
  return {
    ...entities,
    transaction(work) {
      try {
        return db.transaction(work);
      } catch (error) {
        if (!damaged && DAMAGED.includes(((error as { errcode?: number }).errcode ?? 0) & 0xff)) {
          damaged = true;
          setAside(`${path} is damaged and will be recreated at the next start.`);
        }
        throw error;
      }
    },
    truncateWal: () => db.truncateWal(),
    close: () => db.close(),
  };
}

/** 16 MB: under load the same pages are rewritten many times, and this writes them to disk a quarter as often. */
const CHECKPOINT_PAGES = 4_000;

/** The database and its tables. */
interface Opened {
  readonly db: Database;
  readonly entities: Omit<Observations, "transaction" | "truncateWal" | "close">;
}

function open(path: string): Opened {
  const schema = { migrations: MIGRATIONS, synchronous: "NORMAL", checkpointPages: CHECKPOINT_PAGES } as const;
  const db = Database.open(path, schema);
  try {
    const entities = {
      logs: createLogStore(db),
      metrics: createMetricStore(db),
      secretReads: createSecretReadStore(db),
      memoryPeaks: createMemoryPeakStore(db),
      connectedHosts: createConnectedHostStore(db),
      moduleGraphs: createModuleGraphStore(db),
      uses: createUseStore(db),
      nodeCounts: createNodeCountStore(db),
    };
    return { db, entities };
  } catch (error) {
    db.close();
    throw new Error(`${path} has unexpected content: ${reasonOf(error)}.`, { cause: error });
  }
}
