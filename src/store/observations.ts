// The second database, of what was observed or found out: logs and the like. Apart from the first, so that it neither
// delays nor endangers what must not be lost: nothing in it is needed to serve, and it is made anew if need be.

import { existsSync, renameSync } from "node:fs";
import { messageOf } from "../errors.ts";
import { Database } from "./database.ts";
import { type LogStore, logStore } from "./logs.ts";
import { type MetricStore, metricStore } from "./metrics.ts";
import { sql as logs } from "./migrations/observations/001_logs.ts";
import { sql as metrics } from "./migrations/observations/002_metrics.ts";
import { sql as moduleGraphs } from "./migrations/observations/003_module_graphs.ts";
import { sql as background } from "./migrations/observations/004_background.ts";
import { sql as uses } from "./migrations/observations/005_uses.ts";
import { type ModuleGraphStore, moduleGraphStore } from "./module_graphs.ts";
import { type SecretReadStore, secretReadStore } from "./secret_reads.ts";
import { type UseStore, useStore } from "./uses.ts";

/** In order; the position is the version. Never edit one that has been released: append. */
export const MIGRATIONS = [logs, metrics, moduleGraphs, background, uses];

/** SQLITE_CORRUPT and SQLITE_NOTADB, https://www.sqlite.org/rescode.html */
const DAMAGED = [11, 26];

export interface Observations {
  readonly logs: LogStore;
  readonly metrics: MetricStore;
  readonly secretReads: SecretReadStore;
  readonly moduleGraphs: ModuleGraphStore;
  readonly uses: UseStore;
  /** All of `work` or, after a throw, nothing; `work` is synchronous. A power cut may undo the last ones. */
  transaction<T>(work: () => T): T;
  close(): void;
}

/**
 * Opens or creates the file at `path`. One that cannot be used is moved aside and made anew, and so is, at the
 * next start, one that turns out to be damaged later; `warn` hears of both.
 */
export function openObservations(path: string, now: () => Date, warn: (message: string) => void): Observations {
  const setAside = (why: string): void => {
    const aside = `${path}.broken-${now().toISOString().replaceAll(":", "-")}`;
    for (const end of ["", "-wal", "-shm"]) if (existsSync(path + end)) renameSync(path + end, aside + end);
    warn(`${why} It is now ${aside}; logs begin anew. Secrets, keys and functions are not affected.`);
  };
  let opened: ReturnType<typeof open>;
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
          setAside(`${path} is damaged and will be made anew at the next start.`);
        }
        throw error;
      }
    },
    close: () => db.close(),
  };
}

/** 16 MB: under load the same pages are written again and again, and reach the disk a quarter as often. */
const CHECKPOINT_PAGES = 4_000;

function open(path: string) {
  const schema = { migrations: MIGRATIONS, synchronous: "NORMAL", checkpointPages: CHECKPOINT_PAGES } as const;
  const db = Database.open(path, schema);
  try {
    const entities = {
      logs: logStore(db),
      metrics: metricStore(db),
      secretReads: secretReadStore(db),
      moduleGraphs: moduleGraphStore(db),
      uses: useStore(db),
    };
    return { db, entities };
  } catch (error) {
    db.close();
    throw new Error(`${path} does not hold what it should: ${messageOf(error)}.`, { cause: error });
  }
}
