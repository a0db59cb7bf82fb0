// Memory of a server and its sandboxes over time, from /proc.

import { statusOf } from "../http/processes.ts";
import type { Server } from "../http/server.ts";
import { median } from "../bench/ratios.ts";

export interface Sample {
  readonly at: number;
  readonly hostMb: number;
  /** Of all child processes; what they share is counted once. */
  readonly sandboxesMb: number;
  readonly processes: number;
}

export function sample({ pid }: Server): Sample {
  const children = Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`)
    .trim().split(" ").filter(Boolean);
  const sandboxes = children.map((child) => proportionalMb(Number(child)))
    .filter((mb) => mb > 0);
  return {
    at: performance.now(),
    hostMb: Number(statusOf(pid, "VmRSS")[0]) / 1024,
    sandboxesMb: sandboxes.reduce((sum, mb) => sum + mb, 0),
    processes: sandboxes.length,
  };
}

/** 0 for a process that has ended. */
function proportionalMb(pid: number): number {
  try {
    const text = Deno.readTextFileSync(`/proc/${pid}/smaps_rollup`);
    return Number(/^Pss:\s+(\d+) kB/m.exec(text)?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}

/** The medians of the samples between two times. */
export function typical(samples: readonly Sample[], from: number, to: number) {
  const some = samples.filter(({ at }) => at >= from && at <= to);
  const of = (value: (sample: Sample) => number) => median(some.map(value));
  return {
    hostMb: of(({ hostMb }) => hostMb),
    sandboxesMb: of(({ sandboxesMb }) => sandboxesMb),
    totalMb: of(({ hostMb, sandboxesMb }) => hostMb + sandboxesMb),
    processes: of(({ processes }) => processes),
  };
}
