// Lets clients work on a cluster while one nemesis after the other troubles it, and decides whether what they were answered
// is what one server would have answered.

import assert from "node:assert/strict";
import { messageOf } from "../../src/errors.ts";
import { NEMESES, type Nemesis } from "./nemeses.ts";
import { TestCluster, type TestNode } from "./nodes.ts";
import { startPostgres } from "./postgres.ts";
import { Workload } from "./workload.ts";

export interface HistoryOptions {
  /** How many operations are to be answered. */
  readonly operations: number;
  readonly nodes?: number;
  readonly clients?: number;
  /** How long each nemesis lasts, in milliseconds. */
  readonly troubleMs: number;
  readonly seed: number;
  readonly nemeses?: readonly Nemesis[];
  readonly report?: (line: string) => void;
}

export interface HistoryFigures {
  readonly operations: number;
  readonly seconds: number;
  /** The longest time from the end of a nemesis until every node served again. */
  readonly recoveryMs: number;
}

/** How long nodes may take to serve again after a nemesis has ended. */
const RECOVERY_MAX_MS = 5_000;
const QUIET_MS = 500;
/** Operations that are shown before and after one that violates the promise. */
const SHOWN_MS = 5_000;

/** Runs the nemeses in order, and again, until there are enough operations. @throws AssertionError naming what is wrong */
export async function checkHistory(options: HistoryOptions): Promise<HistoryFigures> {
  const { operations, nodes = 3, clients = 8, troubleMs, seed, report = () => {} } = options;
  const random = randomFrom(seed);
  const began = performance.now();
  await using postgres = await startPostgres();
  const nemeses = new Set(options.nemeses ?? NEMESES);
  const prepare = async (node: TestNode) => {
    for (const nemesis of nemeses) {
      try {
        await nemesis.prepare?.(node);
      } catch (error) {
        report(`${nemesis.name}: left out, as this machine cannot: ${messageOf(error)}`);
        nemeses.delete(nemesis);
      }
    }
  };
  await using cluster = await TestCluster.start(postgres, nodes, { prepare });
  const workload = new Workload({ nodes: cluster.nodes, random, registers: 6 });
  await workload.prepare();
  let isOver = false;
  let recoveryMs = 0;
  const slow: string[] = [];
  const clientsDone = workload.run(clients, () => isOver);
  try {
    for (let round = 0; workload.answered < operations || round < nemeses.size; round++) {
      const nemesis = [...nemeses][round % nemeses.size]!;
      const before = workload.answered;
      await pause(QUIET_MS);
      const end = await nemesis.begin({ cluster, postgres, random });
      await pause(troubleMs);
      await end();
      const ms = await recovery(cluster.nodes);
      recoveryMs = Math.max(recoveryMs, ms);
      report(`${nemesis.name}: ${workload.answered - before} operations, all serve again after ${Math.round(ms)} ms`);
      if (ms <= RECOVERY_MAX_MS) continue;
      report(cluster.nodes.map((node) => `${node.name}:\n${node.logs()}`).join("\n"));
      slow.push(`after ${nemesis.name}, a node took ${Math.round(ms)} ms to serve again`);
    }
  } finally {
    isOver = true;
    await clientsDone;
  }
  await workload.readAll();
  for (const { register, node, violation } of workload.violations()) {
    const { from } = violation.operations[0]!;
    report(`${register} on ${node}, after the value ${violation.value}:`);
    for (const one of workload.history(register)) {
      if (Math.abs(one.from - from) > SHOWN_MS && Math.abs(one.to - from) > SHOWN_MS) continue;
      report(`  ${one.from.toFixed(1)} to ${one.to.toFixed(1)}: ${one.by} ${one.kind} ${one.value}`);
    }
  }
  assert.deepEqual(workload.violations(), []);
  assert.deepEqual(workload.surprises, []);
  // Last, as it is what a busy machine can cause.
  assert.deepEqual(slow, []);
  return { operations: workload.operations, seconds: (performance.now() - began) / 1_000, recoveryMs };
}

/** Returns how long it takes until every node says that it serves. */
async function recovery(nodes: readonly TestNode[]): Promise<number> {
  const began = performance.now();
  await Promise.all(nodes.map(async ({ server }) => {
    while (performance.now() - began < 4 * RECOVERY_MAX_MS) {
      const serves = await fetch(`${server.url}/health`, { signal: AbortSignal.timeout(1_000) })
        .then(async (response) => (await response.body?.cancel(), response.ok), () => false);
      if (serves) return;
      await pause(50);
    }
  }));
  return performance.now() - began;
}

/** Returns a random number after the other, by mulberry32. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
