// Stores a snapshot of the database when the log has grown enough since the last one, and removes what is no longer
// needed. One node at a time does.

import { join } from "node:path";
import { messageOf } from "../errors.ts";
import { MINUTE_MS } from "../time.ts";
import type { CopyAnswer, CopyRequest } from "./copy_worker.ts";
import type { Head } from "./log/change_log.ts";
import { StoreUnavailable } from "./log/errors.ts";
import type { Locks } from "./postgres/locks.ts";
import { HEAD_META } from "./replica/replica.ts";
import type { SnapshotInfo, Snapshots } from "./postgres/snapshots.ts";

export interface SnapshotJobOptions {
  readonly snapshots: Pick<Snapshots, "list" | "growth" | "store" | "prune">;
  readonly locks: Pick<Locks, "once">;
  /** The data folder of this node. */
  readonly dataDir: string;
  /** A log smaller than this is applied within a few seconds, and needs no snapshot. Default 20 MiB. */
  readonly growthMinBytes?: number;
  readonly report: (level: "info" | "warn", message: string) => void;
}

/** The lock of the node that stores a snapshot. */
const LOCK = "snapshots";
const INTERVAL_MS = 10 * MINUTE_MS;
/**
 * Bytes that applying an entry is worth in addition to its own: it takes about a millisecond, in which a node reads and
 * writes this much of a snapshot.
 */
const ENTRY_BYTES = 4_096;
const GROWTH_MIN_BYTES = 20 * 1_024 * 1_024;

/**
 * Reports whether a new node takes longer to apply the log after the newest snapshot than to fetch a snapshot. Over time,
 * PostgreSQL is then written as much for snapshots as for changes.
 */
export function isDue(
  newest: Pick<SnapshotInfo, "size"> | undefined,
  growth: { entries: number; bytes: number },
  growthMinBytes = GROWTH_MIN_BYTES,
): boolean {
  return growth.bytes + growth.entries * ENTRY_BYTES >= Math.max(growthMinBytes, newest?.size ?? 0);
}

export class SnapshotJob implements AsyncDisposable {
  readonly #options: SnapshotJobOptions;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(options: SnapshotJobOptions) {
    this.#options = options;
  }

  /** Looks every ten minutes whether a snapshot is due. */
  start(): void {
    // At another time on each node.
    this.#timer = setTimeout(() => {
      this.#running = this.#runAndReport();
      this.start();
    }, INTERVAL_MS * (0.5 + Math.random()));
    Deno.unrefTimer(this.#timer);
  }

  /**
   * Stores a snapshot, and removes old ones and the entries that they contain, unless another node does or none is due.
   * @throws StoreUnavailable, LogTampered
   */
  async run(): Promise<void> {
    const { snapshots, locks, growthMinBytes, report } = this.#options;
    await locks.once(LOCK, async (lock) => {
      const newest = (await snapshots.list()).at(0);
      if (!isDue(newest, await snapshots.growth(), growthMinBytes)) return;
      const taken = await this.#take(newest?.head.seq ?? 0);
      if (!taken || !lock.isHeld) return;
      const { seq, size } = taken;
      const pruned = await snapshots.prune();
      report(
        "info",
        `A snapshot after change ${seq} was stored (${size} bytes), and ${pruned} changes before were removed.`,
      );
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer);
    await this.#running;
  }

  async #runAndReport(): Promise<void> {
    try {
      await this.run();
    } catch (error) {
      // It is tried again; a node that PostgreSQL is not available for says so elsewhere.
      if (!(error instanceof StoreUnavailable)) {
        this.#options.report("warn", `A snapshot of the database could not be stored: ${messageOf(error)}`);
      }
    }
  }

  /**
   * Copies the database as it is after one entry, while others are applied, and stores the copy. Returns undefined if
   * this node has not applied an entry after `newest`.
   */
  async #take(newest: number): Promise<{ seq: number; size: number } | undefined> {
    const { snapshots, dataDir } = this.#options;
    const copy = join(dataDir, "database.db.copy");
    await removeIfThere(copy);
    try {
      const { schema, meta } = await copyInWorker({ from: join(dataDir, "database.db"), to: copy, meta: HEAD_META });
      const head: Head | undefined = meta === undefined ? undefined : JSON.parse(meta);
      if (!head || head.seq <= newest) return undefined;
      const { size } = await snapshots.store(head, schema, copy);
      return { seq: head.seq, size };
    } finally {
      await removeIfThere(copy);
    }
  }
}

function copyInWorker(request: CopyRequest): Promise<Exclude<CopyAnswer, { error: string }>> {
  const worker = new Worker(new URL("./copy_worker.ts", import.meta.url), { type: "module" });
  return new Promise<Exclude<CopyAnswer, { error: string }>>((resolve, reject) => {
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(event.message));
    };
    worker.onmessage = ({ data }: MessageEvent<CopyAnswer>) =>
      "error" in data ? reject(new Error(data.error)) : resolve(data);
    worker.postMessage(request);
  }).finally(() => worker.terminate());
}

async function removeIfThere(path: string): Promise<void> {
  await Deno.remove(path).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}
