// Says how far the upgrade of a large database is, at its start and every ten seconds.

import type { UpgradeContext } from "./migrations/upgrade.ts";

/** An upgrade of fewer rows takes less than a second. */
const LARGE_ROWS = 10_000;
const INTERVAL_MS = 10_000;

/** The progress of the database at `path`, as sentences for `say`. */
export function upgradeProgress(path: string, say: (message: string) => void): UpgradeContext["progress"] {
  let step = "";
  let saidAt = 0;
  return (what, done, total) => {
    if (total < LARGE_ROWS) return;
    const now = performance.now();
    if (what === step && now - saidAt < INTERVAL_MS && done < total) return;
    [step, saidAt] = [what, now];
    say(`${path} is being upgraded, which is done once: ${counted(done)} of ${counted(total)} ${what}.`);
  };
}

function counted(n: number): string {
  return n.toLocaleString("en");
}
