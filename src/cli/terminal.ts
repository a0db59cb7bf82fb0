// Shows how far something is, on a terminal only. Standard output is for results, so this goes to standard error.

import type { Report } from "./command.ts";

/** Redrawing on each of a million values would take longer than the values. */
const UPDATE_INTERVAL_MS = 100;
const BAR_CELLS = 40;
/** To the first column, and erase the line (ECMA-48). No mode of the terminal is changed, which an interrupt would leave. */
const ERASE_LINE = "\r\x1b[K";

/** Where the bar is drawn. */
export interface Screen {
  /** How many characters fit on a line. */
  columns(): number;
  write(text: string): void;
}

/** Runs `work` with a bar that follows its reports and is erased at the end; without one if not `shown`. */
export async function withProgress<T>(
  shown: boolean,
  label: string,
  work: (report: Report) => Promise<T> | T,
  screen: Screen = standardError,
): Promise<T> {
  if (!shown) return await work(() => {});
  const startedAt = performance.now();
  let drawnAt: number | undefined;
  try {
    return await work((done, total) => {
      const now = performance.now();
      if (drawnAt !== undefined && done < total && now - drawnAt < UPDATE_INTERVAL_MS) return;
      const line = progressLine(label, done, total, now - startedAt);
      // One that is wrapped would be erased in part only.
      screen.write(ERASE_LINE + line.slice(0, screen.columns() - 1));
      drawnAt = now;
    });
  } finally {
    if (drawnAt !== undefined) screen.write(ERASE_LINE);
  }
}

/** Such as `Reading values ████░░░░ 50% | 10/20 | 3 s left`; the time left is unknown as long as nothing is done. */
export function progressLine(label: string, done: number, total: number, elapsedMs: number): string {
  const part = total > 0 ? Math.min(1, done / total) : 1;
  const cells = Math.floor(part * BAR_CELLS);
  const line = `${label} ${"█".repeat(cells)}${"░".repeat(BAR_CELLS - cells)} ${
    Math.floor(part * 100)
  }% | ${done}/${total}`;
  return done > 0 ? `${line} | ${Math.ceil((elapsedMs * (1 / part - 1)) / 1_000)} s left` : line;
}

const standardError: Screen = {
  columns: () => Deno.consoleSize().columns,
  /** Synchronous: the work may hold the event loop until it is done. */
  write: (text) => void Deno.stderr.writeSync(new TextEncoder().encode(text)),
};
