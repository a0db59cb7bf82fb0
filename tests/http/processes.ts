// A server's sandbox processes, seen from outside: /proc.

import type { Server } from "./server.ts";

/** Ids of those that are alive. */
export function sandboxes(server: Server): number[] {
  const children = Deno.readTextFileSync(`/proc/${server.pid}/task/${server.pid}/children`).trim();
  return children === "" ? [] : children.split(" ").map(Number).filter((pid) => alive(pid) && isSandbox(pid));
}

/** The shell that looks up what the others use is no sandbox. */
function isSandbox(pid: number): boolean {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/cmdline`).includes("supervisor.ts");
  } catch {
    return false;
  }
}

function alive(pid: number): boolean {
  try {
    // A zombie has ended, too.
    return !/^State:\s+Z/m.test(Deno.readTextFileSync(`/proc/${pid}/status`));
  } catch {
    return false;
  }
}

/** Resolves when none of the processes is alive; a test that waits in vain is stopped by its runner. */
export async function gone(pids: number[]): Promise<void> {
  while (pids.some(alive)) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Arguments that a process was started with. */
export function argumentsOf(pid: number): string[] {
  return Deno.readTextFileSync(`/proc/${pid}/cmdline`).split("\0");
}

/** A line of /proc/<pid>/status, such as `Uid`, split at white space. */
export function statusOf(pid: number, field: string): string[] {
  const [, value] = new RegExp(`^${field}:(.*)$`, "m").exec(Deno.readTextFileSync(`/proc/${pid}/status`))!;
  return value!.trim().split(/\s+/).filter(Boolean);
}
