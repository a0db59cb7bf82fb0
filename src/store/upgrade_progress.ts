// Reports the progress of an upgrade of a large database, at its start and every ten seconds.

import type { UpgradeContext } from "./migrations/upgrade.ts";

/** An upgrade of fewer rows takes less than a second. */
const LARGE_ROWS = 10_000;
const INTERVAL_MS = 10_000;

/** Creates a progress reporter for the database at `path`, which passes sentences to `say`. */
export function createUpgradeProgress(path: string, say: (message: string) => void): UpgradeContext["progress"] {
  let step = "";
  let saidAt = 0;
  return (what, done, total) => {
    if (total < LARGE_ROWS) return;
    const now = performance.now();
    if (what === step && now - saidAt < INTERVAL_MS && done < total) return;
    [step, saidAt] = [what, now];
    say(`Upgrading ${path}, once: ${counted(done)} of ${counted(total)} ${what}.`);
  };
}

function counted(n: number): string {
  return n.toLocaleString("en");
}
