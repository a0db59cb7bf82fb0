// Showing how far something is, on a terminal only. Standard output is for results, so this goes to standard error.

import type { Report } from "./command.ts";

/** What is used of cli-progress, which comes without types. */
interface Bar {
  readonly isActive: boolean;
  start(total: number, done: number): void;
  update(done: number): void;
  stop(): void;
}

/** Redrawing on each of a million values would take longer than the values. */
const UPDATE_INTERVAL_MS = 100;

/** Runs `work` with a bar that follows its reports, or without one if nobody is looking. */
export async function withProgress<T>(
  shown: boolean,
  label: string,
  work: (report: Report) => Promise<T> | T,
): Promise<T> {
  if (!shown) return await work(() => {});
  const { default: { Presets, SingleBar } } = await import("cli-progress");
  const format = `${label} {bar} {percentage}% | {value}/{total} | {eta_formatted}`;
  const bar: Bar = new SingleBar({ format, hideCursor: true, clearOnComplete: true }, Presets.shades_classic);
  let drawnAt = 0;
  try {
    return await work((done, total) => {
      if (!bar.isActive) bar.start(total, done);
      const now = performance.now();
      if (done < total && now - drawnAt < UPDATE_INTERVAL_MS) return;
      drawnAt = now;
      bar.update(done);
    });
  } finally {
    bar.stop();
  }
}
