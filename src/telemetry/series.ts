// Returns metrics of a period without gaps: a point for every minute, hour or day.

import type { FunctionId } from "../ids.ts";
import { type Resolution, RESOLUTIONS } from "../store/metrics.ts";
import type { Metrics, Point } from "./metrics.ts";
import { newTally } from "./tally.ts";

/** Returns the points from `from`, the beginning of a point, up to `to`, which is not included. */
export function seriesOf(
  metrics: Metrics,
  resolution: Resolution,
  functionId: FunctionId | undefined,
  from: number,
  to: number,
): Point[] {
  const known = new Map(metrics.points(resolution, functionId, from, to).map((point) => [point.at, point]));
  const nothing = newTally();
  const all: Point[] = [];
  for (let at = from; at < to; at += RESOLUTIONS[resolution]) all.push(known.get(at) ?? { at, tally: nothing });
  return all;
}
