// Implements a picture of a day in a row of a table: a bar for each hour, with what failed at its foot.

import { count, plural } from "./format.ts";

/** In pixels of the picture. */
const BAR_WIDTH = 2;
const GAP = 1;
const HEIGHT = 18;
/** Of an hour that has anything, so that one call among thousands of others is seen. */
const LEAST_HEIGHT = 2;

export interface Hour {
  readonly calls: number;
  /** Calls that failed or timed out. */
  readonly failures: number;
}

/** The calls of hours, the last one at the right, in proportion to the busiest of them. */
export function Sparkline({ hours }: { hours: readonly Hour[] }) {
  const most = Math.max(...hours.map(({ calls }) => calls), 0);
  const heightOf = (value: number) =>
    value === 0 ? 0 : Math.max(LEAST_HEIGHT, Math.min(HEIGHT, Math.round(value / most * HEIGHT)));
  const width = hours.length * (BAR_WIDTH + GAP);
  return (
    <svg class="sparkline" role="img" viewBox={`0 0 ${width} ${HEIGHT}`} width={width} height={HEIGHT}>
      <title>{wordsOf(hours, most)}</title>
      {most > 0 && <path class="calls" d={barsOf(hours.map(({ calls }) => heightOf(calls)))} />}
      {hours.some(({ failures }) => failures > 0) && (
        <path
          class="failures"
          d={barsOf(hours.map(({ failures }) => heightOf(failures)))}
        />
      )}
    </svg>
  );
}

function wordsOf(hours: readonly Hour[], most: number): string {
  const [calls, failures] = [sumOf(hours, "calls"), sumOf(hours, "failures")];
  const when = `in the last ${hours.length} hours`;
  if (calls === 0) return `No calls ${when}`;
  return `${plural(calls, "call")} ${when}, at most ${count(most)} in one; ${
    failures === 0 ? "none" : count(failures)
  } failed`;
}

function sumOf(hours: readonly Hour[], what: keyof Hour): number {
  return hours.reduce((sum, hour) => sum + hour[what], 0);
}

/** Vertical lines from the bottom up, each as wide as a bar: shorter than rectangles, of which a page has a thousand. */
function barsOf(heights: readonly number[]): string {
  return heights.map((height, index) =>
    height === 0 ? "" : `M${index * (BAR_WIDTH + GAP) + BAR_WIDTH / 2} ${HEIGHT}v-${height}`
  ).join("");
}
