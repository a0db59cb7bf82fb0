// Runs what must run once per cluster, by locks of PostgreSQL.

import type { HeldLock, Locks } from "../../cluster/postgres/locks.ts";
import type { OncePerCluster } from "../../once_per_cluster.ts";

/** The lock of the node that does what is done at intervals. */
const SCHEDULES = "schedules";
const RETRY_MS = 250;

export function createOncePerCluster(
  opened: AsyncDisposableStack,
  locks: Pick<Locks, "lead" | "tryTake">,
): OncePerCluster {
  let lock: HeldLock | undefined;
  opened.use(locks.lead(SCHEDULES, (held) => {
    lock = held;
  }));
  return {
    get leads() {
      return lock?.isHeld ?? false;
    },
    async exclusively(name, work, signal) {
      for (;;) {
        signal.throwIfAborted();
        const held = await locks.tryTake(name);
        if (held) {
          try {
            return await work();
          } finally {
            await held.release();
          }
        }
        await pause(RETRY_MS, signal);
      }
    },
  };
}

/** Resolves after `ms`, or when `signal` is aborted. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}
