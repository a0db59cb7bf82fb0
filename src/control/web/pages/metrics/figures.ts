// Defines the numbers of the metrics' page: its times, the columns of its table, and the charts that are drawn from them.

import type { Point as SeriesPoint } from "../../../../telemetry/metrics.ts";
import { summarize, type Summary, type Tally } from "../../../../telemetry/tally.ts";
import { significant, took } from "../../ui/format.ts";

/** Ranges to choose from: the last `count` minutes, hours or days. */
export const RANGES = {
  hour: { label: "Last hour", before: "the hour before", resolution: "minutes", count: 60 },
  "six-hours": { label: "Last 6 hours", before: "the 6 hours before", resolution: "minutes", count: 360 },
  "two-days": { label: "Last 2 days", before: "the 2 days before", resolution: "hours", count: 48 },
  "two-weeks": { label: "Last 14 days", before: "the 14 days before", resolution: "hours", count: 336 },
  "ninety-days": { label: "Last 90 days", before: "the 90 days before", resolution: "days", count: 90 },
} as const;
export type Range = keyof typeof RANGES;

/** A row of the table. */
export interface Point {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly tally: Tally;
  readonly summary: Summary;
}

/** A column of the table; charts take theirs by `id`. */
export interface Figure {
  readonly id: string;
  readonly label: string;
  readonly unit: "" | "ms";
  readonly value: (tally: Tally, summary: Summary) => number | null;
}

export const COLUMNS: readonly Figure[] = [
  { id: "calls", label: "Calls", unit: "", value: ({ calls }) => calls },
  { id: "errors", label: "Errors", unit: "", value: ({ errors }) => errors },
  { id: "timeouts", label: "Timeouts", unit: "", value: ({ timeouts }) => timeouts },
  { id: "refusals", label: "Refusals", unit: "", value: ({ refusals }) => refusals },
  { id: "mean", label: "Mean", unit: "ms", value: (_, { meanMs }) => meanMs },
  { id: "p50", label: "p50", unit: "ms", value: (_, { p50Ms }) => p50Ms },
  { id: "p95", label: "p95", unit: "ms", value: (_, { p95Ms }) => p95Ms },
  { id: "p99", label: "p99", unit: "ms", value: (_, { p99Ms }) => p99Ms },
  { id: "max", label: "Longest", unit: "ms", value: (_, { maxMs }) => maxMs },
  { id: "starts", label: "Sandbox starts", unit: "", value: ({ sandboxStarts }) => sandboxStarts },
  { id: "reads", label: "Secret reads", unit: "", value: ({ secretReads }) => secretReads },
  { id: "background", label: "Calls with background work", unit: "", value: ({ backgroundCalls }) => backgroundCalls },
];

export interface Chart {
  readonly title: string;
  readonly unit: Figure["unit"];
  /** Numbers are bars, durations are lines. */
  readonly kind: "bars" | "lines";
  /** The first one is what the others are a part of. */
  readonly columns: readonly string[];
}

export const CHARTS: readonly Chart[] = [
  { title: "Calls", unit: "", kind: "bars", columns: ["calls", "errors", "timeouts", "refusals"] },
  { title: "Durations", unit: "ms", kind: "lines", columns: ["p50", "p95", "p99"] },
  { title: "Sandbox starts", unit: "", kind: "bars", columns: ["starts"] },
  { title: "Secret reads", unit: "", kind: "bars", columns: ["reads"] },
  { title: "Calls with background work", unit: "", kind: "bars", columns: ["background"] },
];

export function rowsOf(points: readonly SeriesPoint[]): Point[] {
  return points.map(({ at, tally }) => ({ at, tally, summary: summarize(tally) }));
}

/** Returns the columns of a chart with more than zeros. */
export function drawnColumns({ columns }: Chart, rows: readonly Point[]): Figure[] {
  return COLUMNS.filter(({ id, value }) =>
    columns.includes(id) && rows.some(({ tally, summary }) => (value(tally, summary) ?? 0) > 0)
  );
}

/** Formats a number with its significant digits; null is a dash. */
export function text(value: number | null): string {
  return value === null ? "–" : significant(value);
}

/** Formats a duration in milliseconds, such as "12.5 ms" or "1.25 s"; null is a dash. */
export function duration(ms: number | null): string {
  return ms === null ? "–" : took(ms);
}
