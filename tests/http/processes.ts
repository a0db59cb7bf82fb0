// A server's sandbox processes, seen from outside: /proc.

import { createHash } from "node:crypto";
import type { Server } from "./server.ts";

/** Ids of those that are alive and run a function. */
export function sandboxes(server: Server): number[] {
  return supervised(server).filter((pid) => codeFolder(argumentsOf(pid)) !== undefined);
}

/** Ids of those that are alive and were started ahead, for no function yet. */
export function spareIds(server: Server): number[] {
  return supervised(server).filter((pid) => codeFolder(argumentsOf(pid)) === undefined);
}

/** Ids of both. The shell that looks up what the others use is none of them. */
export function supervised({ pid: host, dataDir }: Server): number[] {
  // Other servers may run in the same process. Each has a folder of its own for its sandboxes, named by its data's.
  const runDir = `crude-functions-${createHash("sha256").update(dataDir).digest("hex").slice(0, 16)}/`;
  return childrenOf(host).filter((pid) => {
    const args = argumentsOf(pid);
    return alive(pid) && args.some((arg) => arg.endsWith("/supervisor.ts")) && args.some((arg) => arg.includes(runDir));
  });
}

/** Ids of the processes that any thread of `pid` has started. */
export function childrenOf(pid: number): number[] {
  // Twice: a list that is read while one of them ends may lack another, proc_pid_children(5).
  return [...new Set([...listed(pid), ...listed(pid)])];
}

function listed(pid: number): number[] {
  return [...Deno.readDirSync(`/proc/${pid}/task`)].flatMap(({ name }) => {
    try {
      return Deno.readTextFileSync(`/proc/${pid}/task/${name}/children`).trim().split(" ").filter(Boolean).map(Number);
    } catch {
      return []; // The thread has ended.
    }
  });
}

/** The folder with the code of the sandbox that was started with `args`; undefined if it has none. */
export function codeFolder(args: readonly string[]): string | undefined {
  const task = args[args.findIndex((arg) => arg.endsWith("/supervisor.ts")) + 1];
  const code = task?.startsWith("{") ? JSON.parse(task).read[0] as string : undefined;
  try {
    return code && [...Deno.readDirSync(code)].length > 0 ? code : undefined;
  } catch {
    return undefined;
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

/** Arguments that a process was started with; none if it is gone. */
export function argumentsOf(pid: number): string[] {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/cmdline`).split("\0");
  } catch {
    return [];
  }
}

/** A line of /proc/<pid>/status, such as `Uid`, split at white space. */
export function statusOf(pid: number, field: string): string[] {
  const [, value] = new RegExp(`^${field}:(.*)$`, "m").exec(Deno.readTextFileSync(`/proc/${pid}/status`))!;
  return value!.trim().split(/\s+/).filter(Boolean);
}
