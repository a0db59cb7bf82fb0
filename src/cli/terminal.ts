// Shows how far something is, on a terminal only. Standard output is for results, so this goes to standard error.

import type { Report } from "./command.ts";

/** Redrawing on each of a million values would take longer than the values. */
const UPDATE_INTERVAL_MS = 100;
const BAR_CELLS = 40;
/** ECMA-48: to the first column and erase the line. DEC private modes 25 and 7: the cursor, and wrapping of long lines. */
const ERASE_LINE = "\r\x1b[K";
const BEGIN = "\x1b[?25l\x1b[?7l";
const END = "\x1b[?7h\x1b[?25h";

/**
 * Runs `work` with a bar that follows its reports and is erased at the end, or without one if nobody is looking.
 * `write` draws it.
 */
export async function withProgress<T>(
  shown: boolean,
  label: string,
  work: (report: Report) => Promise<T> | T,
  write: (text: string) => void = toStandardError,
): Promise<T> {
  if (!shown) return await work(() => {});
  const startedAt = performance.now();
  let drawnAt: number | undefined;
  try {
    return await work((done, total) => {
      const now = performance.now();
      if (drawnAt !== undefined && done < total && now - drawnAt < UPDATE_INTERVAL_MS) return;
      write(
        `${drawnAt === undefined ? BEGIN : ""}${ERASE_LINE}${progressLine(label, done, total, now - startedAt)}`,
      );
      drawnAt = now;
    });
  } finally {
    if (drawnAt !== undefined) write(ERASE_LINE + END);
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

/** At once: the work may hold the event loop until it is done. */
function toStandardError(text: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(text));
}
