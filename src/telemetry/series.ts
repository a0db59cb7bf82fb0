// Returns metrics of a period without gaps: a point for every minute, hour or day.

import type { FunctionId } from "../ids.ts";
import { type KeySubject, type Resolution, RESOLUTIONS } from "../store/metrics.ts";
import type { Metrics, Point } from "./metrics.ts";
import { addTally, newTally, type Tally } from "./tally.ts";

/** Returns the points from `from`, the beginning of a point, up to `to`, which is not included. */
export function seriesOf(
  metrics: Metrics,
  resolution: Resolution,
  of: FunctionId | KeySubject | undefined,
  from: number,
  to: number,
): Point[] {
  const known = new Map(metrics.points(resolution, of, from, to).map((point) => [point.at, point]));
  const nothing = newTally();
  const all: Point[] = [];
  for (let at = from; at < to; at += RESOLUTIONS[resolution]) all.push(known.get(at) ?? { at, tally: nothing });
  return all;
}

/** Returns the sum of all points, whose percentiles are those of all calls. */
export function totalOf(points: readonly Point[]): Tally {
  const total = newTally();
  for (const { tally } of points) if (tally.calls + tally.refusals + tally.sandboxStarts > 0) addTally(total, tally);
  return total;
}
