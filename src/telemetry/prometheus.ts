// Writes metrics in the text format that Prometheus and compatible collectors read, version 0.0.4:
// https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format

import { type ClusterState, lagOf } from "../cluster_state.ts";
import type { FunctionId } from "../ids.ts";
import { bucketOf, type Histogram } from "./histogram.ts";
import type { Tally } from "./tally.ts";

export const PROMETHEUS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** Powers of two of a microsecond, from 0.5 ms to 67 s: bounds of our own buckets, so that the counts are exact. */
const BOUNDS_US = Array.from({ length: 18 }, (_, n) => 2 ** (n + 9));

export interface Exposition {
  /** Counts since the process started. */
  readonly totals: ReadonlyMap<FunctionId, Readonly<Tally>>;
  /** Values that rights on trial would have refused, since the process started. */
  readonly trialRefusals: ReadonlyMap<FunctionId, number>;
  /** The functions that exist. Others are left out. */
  readonly functions: readonly { readonly id: FunctionId; readonly name: string }[];
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly residentBytes: number;
  readonly cluster: ClusterState;
  /** How many secrets are due, by within how many days. */
  readonly secretsDue: readonly { readonly days: number; readonly count: number }[];
}

type Labels = Record<string, string>;
type Sample = { readonly suffix?: string; readonly labels?: Labels; readonly value: number };

/** Returns the metrics of all functions and of the server. Longer than 80 lines: it is their list. */
export function expose(
  { totals, trialRefusals, functions, startedAt, residentBytes, cluster, secretsDue }: Exposition,
): string {
  const counted = functions.flatMap(({ id, name }) => {
    const tally = totals.get(id);
    return tally ? [{ labels: { function: name, function_id: String(id) }, tally }] : [];
  });
  const each = (value: (tally: Readonly<Tally>) => number): Sample[] =>
    counted.map(({ labels, tally }) => ({ labels, value: value(tally) }));

  return [
    family(
      "crude_functions_calls_total",
      "counter",
      "Calls by outcome: ok, error, timeout, or refused before the handler.",
      counted.flatMap(({ labels, tally }) =>
        outcomes(tally).map(([outcome, value]) => ({ labels: { ...labels, outcome }, value }))
      ),
    ),
    family(
      "crude_functions_call_duration_seconds",
      "histogram",
      "Durations of calls that were not refused, until the end of their response.",
      counted.flatMap(({ labels, tally }) => histogramSamples(labels, tally)),
    ),
    family(
      "crude_functions_sandbox_starts_total",
      "counter",
      "Sandbox processes started.",
      each(({ sandboxStarts }) => sandboxStarts),
    ),
    family(
      "crude_functions_secret_reads_total",
      "counter",
      "getSecret and getCompleteSecret calls of handlers.",
      each(({ secretReads }) => secretReads),
    ),
    family(
      "crude_functions_secret_read_seconds_total",
      "counter",
      "Time the server took to answer them.",
      each(({ secretReadUs }) => secretReadUs / 1e6),
    ),
    family(
      "crude_functions_background_total",
      "counter",
      "Calls with work after their response (ctx.waitUntil) by outcome.",
      counted.flatMap(({ labels, tally: { backgroundCalls, backgroundErrors } }) => [
        { labels: { ...labels, outcome: "ok" }, value: backgroundCalls - backgroundErrors },
        { labels: { ...labels, outcome: "error" }, value: backgroundErrors },
      ]),
    ),
    family(
      "crude_functions_background_seconds_total",
      "counter",
      "Time that this work took after the responses.",
      each(({ backgroundUs }) => backgroundUs / 1e6),
    ),
    family(
      "crude_functions_trial_refusals_total",
      "counter",
      "Values of secrets that rights on trial would have refused.",
      functions.flatMap(({ id, name }) => {
        const value = trialRefusals.get(id);
        return value === undefined ? [] : [{ labels: { function: name, function_id: String(id) }, value }];
      }),
    ),
    family(
      "crude_functions_secrets_due",
      "gauge",
      "Secrets that expire or are to be replaced, by within how many days; 0: overdue.",
      secretsDue.map(({ days, count }) => ({ labels: { days: String(days) }, value: count })),
    ),
    family("process_start_time_seconds", "gauge", "When the server started, in seconds since 1970.", [
      { value: startedAt / 1000 },
    ]),
    family("process_resident_memory_bytes", "gauge", "Memory of the server, without its sandboxes.", [
      { value: residentBytes },
    ]),
    ...(cluster.mode === "cluster" ? nodeFamilies(cluster) : []),
  ].join("");
}

/** Returns the metrics of a node of a cluster. */
function nodeFamilies(state: ClusterState): string[] {
  const { node, head, nodes, problem, leaseMs } = state;
  const own = nodes.find(({ id }) => id === node);
  return [
    family(
      "crude_functions_node_serving",
      "gauge",
      "Whether this node of the cluster serves: 1, or 0 if it is cut off.",
      [
        { value: problem ? 0 : 1 },
      ],
    ),
    family(
      "crude_functions_node_lease_seconds",
      "gauge",
      "Time until the node is cut off unless it renews its lease.",
      [
        { value: leaseMs / 1_000 },
      ],
    ),
    family("crude_functions_cluster_head", "gauge", "Sequence number of the last change that the node knows of.", [
      { value: head ?? 0 },
    ]),
    family("crude_functions_node_lag", "gauge", "Changes that the node has yet to apply.", [
      { value: own ? lagOf(state, own) : 0 },
    ]),
    family("crude_functions_cluster_nodes", "gauge", "Nodes of the cluster, by whether they serve.", [
      { labels: { live: "true" }, value: nodes.filter(({ live }) => live).length },
      { labels: { live: "false" }, value: nodes.filter(({ live }) => live === false).length },
      { labels: { live: "unknown" }, value: nodes.filter(({ live }) => live === undefined).length },
    ]),
  ];
}

function outcomes({ calls, errors, timeouts, refusals }: Readonly<Tally>): [string, number][] {
  return [["ok", calls - errors - timeouts], ["error", errors], ["timeout", timeouts], ["refused", refusals]];
}

function histogramSamples(labels: Labels, { calls, durationUs, histogram }: Readonly<Tally>): Sample[] {
  return [
    ...BOUNDS_US.map((us) => ({
      suffix: "_bucket",
      labels: { ...labels, le: String(us / 1e6) },
      value: countBelow(histogram, us),
    })),
    { suffix: "_bucket", labels: { ...labels, le: "+Inf" }, value: calls },
    { suffix: "_sum", labels, value: durationUs / 1e6 },
    { suffix: "_count", labels, value: calls },
  ];
}

function countBelow(histogram: Histogram, us: number): number {
  let count = 0;
  for (let bucket = bucketOf(us) - 1; bucket >= 0; bucket--) count += histogram[bucket]!;
  return count;
}

function family(name: string, type: "counter" | "gauge" | "histogram", help: string, samples: Sample[]): string {
  const lines = samples.map(({ suffix = "", labels = {}, value }) => `${name}${suffix}${labelText(labels)} ${value}\n`);
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("")}`;
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
