// What processes use, as the kernel sees it, and waiting for what has no event.

import assert from "node:assert/strict";
import type { Server } from "../http/server.ts";

/** Clock ticks in a second, of which /proc counts CPU time (USER_HZ, proc(5)). */
const TICKS_PER_SECOND = 100;

/** How many processes of this suite want each core, as two of its files are run at a time. */
const OWN_CROWD = 3;
/** How many others want each core beside this suite; 1 if none does. */
const CROWD = Math.max(1, Deno.loadavg()[0]! / navigator.hardwareConcurrency - OWN_CROWD);

/** A time limit that is meant for a machine which has nothing else to do, for this one as it is now. */
export function paced(ms: number): number {
  return Math.round(ms * CROWD);
}

/** CPU time that a process has used so far; 0 if it is gone. */
export function cpuMs(pid: number): number {
  // What follows the name in parentheses, which may hold anything.
  const fields = read(`/proc/${pid}/stat`).split(") ").at(-1)!.split(" ");
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * 1_000 / TICKS_PER_SECOND;
}

/** Memory of a process that is in RAM. */
export function residentMb(pid: number): number {
  return Math.round(Number(/^VmRSS:\s+(\d+) kB/m.exec(read(`/proc/${pid}/status`))?.[1] ?? 0) / 1024);
}

/** Resolves when `holds`; fails after `ms`. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, ms = 10_000): Promise<void> {
  const end = performance.now() + ms;
  while (!await holds()) {
    assert.ok(performance.now() < end, `not within ${ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/**
 * Runs `flood` and fails if the server's memory rises by more than `boundMb` meanwhile, or stays there.
 * Returns by how many MB it rose at most.
 */
export async function withinMemory(server: Server, boundMb: number, flood: () => Promise<void>): Promise<number> {
  const before = residentMb(server.pid);
  let peak = before;
  const watch = setInterval(() => peak = Math.max(peak, residentMb(server.pid)), 10);
  try {
    await flood();
  } finally {
    clearInterval(watch);
  }
  const grown = Math.max(peak, residentMb(server.pid)) - before;
  assert.ok(grown <= boundMb, `the server's memory rose by ${grown} MB, from ${before} MB (bound ${boundMb} MB)`);
  return grown;
}

/** Runs `task` for each, `atOnce` at a time, all of them even if some fail; then fails with what failed. */
export async function each<T>(
  atOnce: number,
  items: readonly T[],
  task: (item: T, index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const failures: string[] = [];
  const worker = async (): Promise<void> => {
    while (next < items.length) {
      const index = next++;
      await task(items[index]!, index).catch((error) => failures.push(error.message));
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  assert.equal(failures.length, 0, `${failures.length} of ${items.length} failed:\n${failures.join("\n")}`);
}

function read(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}
