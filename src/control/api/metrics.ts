// Implements /api/metrics, and /metrics in the Prometheus text format.

import { z } from "@hono/zod-openapi";
import { invalid } from "../../errors.ts";
import { DAY_MS } from "../../time.ts";
import { beginning } from "../../telemetry/metrics.ts";
import { expose, PROMETHEUS_TYPE } from "../../telemetry/prometheus.ts";
import { seriesOf } from "../../telemetry/series.ts";
import { summarize, type Tally } from "../../telemetry/tally.ts";
import { keySubject, type Resolution, RESOLUTIONS } from "../../store/metrics.ts";
import type { Api, ApiDeps } from "../services.ts";
import { functionRefText, keyRefText } from "../inputs/references.ts";
import { apiRoute } from "./route.ts";
import { answer, errors, idSchema, query, time, timeSchema } from "../inputs/fields.ts";

/** The default range without `from`: a number of minutes, hours or days up to now. */
const DEFAULT_POINTS: Record<Resolution, number> = { minutes: 60, hours: 48, days: 90 };
const POINTS_MAX = 5_000;
/** Within how many days secrets are counted as due; 0 counts those that are overdue. */
const DUE_DAYS = [0, 7, 30];

const count = z.int().min(0);
const milliseconds = z.number().min(0);
const resolution = z.enum(["minutes", "hours", "days"], 'must be "minutes", "hours" or "days"');
const moment = z.iso.datetime({ error: "must be a time such as 2026-01-31T12:00:00Z", offset: true })
  .transform((text) => Date.parse(text))
  .openapi({ type: "string", format: "date-time" });

const pointSchema = z.object({
  at: timeSchema.openapi({ description: "The start of the minute, hour or day." }),
  calls: count.openapi({ description: "Calls that were admitted, whatever their outcome." }),
  errors: count.openapi({ description: "Of these, those that failed: 500, 502, or an incomplete response." }),
  timeouts: count.openapi({ description: "Of these, those that took too long." }),
  refusals: count.openapi({ description: "Not counted as calls: 401, 403, or 503 before the handler was reached." }),
  durationMs: z.object({
    mean: milliseconds,
    p50: milliseconds,
    p95: milliseconds,
    p99: milliseconds,
    max: milliseconds,
  }).nullable().openapi({
    description: "Durations of the calls; the error of percentiles is at most 1.6 %. Null without calls.",
  }),
  sandboxStarts: count,
  secretReads: count.openapi({ description: "`getSecret` and `getCompleteSecret` calls." }),
  secretReadMs: milliseconds.openapi({ description: "Total time that the server took to answer these reads." }),
  backgroundCalls: count.openapi({ description: "Calls with work after their response (`ctx.waitUntil`)." }),
  backgroundErrors: count.openapi({
    description: "Of these, those whose work failed, was cut off or exceeded its time.",
  }),
  backgroundMs: milliseconds.openapi({ description: "Total time from the responses to the end of this work." }),
}).openapi("MetricsPoint");

const list = apiRoute({
  method: "get",
  path: "/api/metrics",
  operationId: "getMetrics",
  tags: ["Metrics"],
  summary: "Get calls, errors and durations over time",
  description: "One point for every minute, hour or day, including those without calls. Minutes are kept for " +
    "two days, hours and days for `metrics.retention-days`.",
  request: {
    query: query({
      resolution: resolution.default("hours"),
      functionId: functionRefText.optional().openapi({
        description: "A function's id or name. By default, all functions together.",
      }),
      keyId: keyRefText.optional().openapi({
        description: "An API key's id or name, for the calls with it; not together with `functionId`.",
      }),
      from: moment.optional().openapi({
        description:
          "The first point is the one that contains this time. Default: 60 minutes, 48 hours or 90 days ago.",
      }),
      to: moment.optional().openapi({ description: "Not included. Default: now." }),
    }),
  },
  responses: {
    200: answer(
      "The points in order.",
      z.object({
        resolution,
        functionId: idSchema.nullable(),
        functionName: z.string().nullable(),
        keyId: idSchema.nullable(),
        keyName: z.string().nullable(),
        points: z.array(pointSchema),
      }).openapi("Metrics"),
    ),
    ...errors(400, 404),
  },
});

export function addMetrics(
  api: Api,
  { access, metrics, names, registry, secrets, now, startedAt, cluster }: ApiDeps,
): void {
  api.openapi(list, (c) => {
    const { resolution, functionId: ref, keyId: keyRef, from: wanted, to = now() } = c.req.valid("query");
    if (ref !== undefined && keyRef !== undefined) throw invalid("keyId", "must not be given with functionId");
    const entry = ref === undefined ? undefined : registry.get(names.functionId(ref, "functionId"));
    const key = keyRef === undefined ? undefined : access.key(names.keyId(keyRef, "keyId"));
    const length = RESOLUTIONS[resolution];
    const from = beginning(resolution, wanted ?? to - (DEFAULT_POINTS[resolution] - 1) * length);
    if (from >= to) throw invalid("from", "must be before to");
    if (from < 0) throw invalid("from", "must not be before 1970");
    if ((to - from) / length > POINTS_MAX) {
      throw invalid("from", `must be at most ${POINTS_MAX} ${resolution} before to`);
    }
    const points = seriesOf(metrics, resolution, key ? keySubject(key.id) : entry?.id, from, to);
    return c.json({
      resolution,
      functionId: entry?.id ?? null,
      functionName: entry?.name ?? null,
      keyId: key?.id ?? null,
      keyName: key ? names.ofKey(key.id) : null,
      points: points.map(shown),
    }, 200);
  });

  // Not part of the API document: Prometheus defines the format.
  api.get("/metrics", (c) => {
    const functions = registry.list();
    const { rss: residentBytes } = Deno.memoryUsage();
    const secretsDue = DUE_DAYS.map((days) => ({ days, count: secrets.countDue(now() + days * DAY_MS) }));
    const totals = metrics.totals();
    const { trialRefusals } = metrics;
    const text = expose({ totals, trialRefusals, functions, startedAt, residentBytes, cluster: cluster(), secretsDue });
    return c.body(text, 200, { "Content-Type": PROMETHEUS_TYPE });
  });
}

function shown({ at, tally }: { at: number; tally: Tally }): z.infer<typeof pointSchema> {
  const { calls, errors, timeouts, meanMs, p50Ms, p95Ms, p99Ms, maxMs } = summarize(tally);
  return {
    at: time(at),
    calls,
    errors,
    timeouts,
    refusals: tally.refusals,
    durationMs: meanMs === null ? null : { mean: meanMs, p50: p50Ms!, p95: p95Ms!, p99: p99Ms!, max: maxMs! },
    sandboxStarts: tally.sandboxStarts,
    secretReads: tally.secretReads,
    secretReadMs: tally.secretReadUs / 1_000,
    backgroundCalls: tally.backgroundCalls,
    backgroundErrors: tally.backgroundErrors,
    backgroundMs: tally.backgroundUs / 1_000,
  };
}
