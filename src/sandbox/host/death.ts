// Names the cause of a sandbox process's death, for the author of its function.

/** Signals with which V8 and Rust end their process when they get no memory. */
const ABORTS: readonly (Deno.Signal | null)[] = ["SIGTRAP", "SIGABRT", "SIGILL", "SIGSEGV"];
/** The text that V8 ("Fatal JavaScript out of memory", "heap limit") and Rust print before (measured on Deno 2.9.6). */
const OUT_OF_MEMORY = /out of memory|heap limit|memory allocation of \d+ bytes failed/i;
/** The text that Deno prints before it exits with 1 when there is no memory for the stack of a thread. */
const NO_THREAD = /unable to create worker threads/;

export interface Death {
  readonly status: Deno.CommandStatus;
  /** The end of what the process printed. */
  readonly stderr: string;
  /** Whether it had connected to the host, and so may have run its handler. */
  readonly connected: boolean;
  readonly memoryMb: number;
}

export function outOfMemory(memoryMb: number): string {
  return `It ran out of memory (limit ${memoryMb} MB); raise memoryMb.`;
}

/** Returns a sentence. Output of a process that ran its handler is only searched: it may contain secrets. */
export function causeOfDeath({ status, stderr, connected, memoryMb }: Death): string {
  const { signal, code } = status;
  const aborted = ABORTS.includes(signal) && OUT_OF_MEMORY.test(stderr);
  // Before it connects, the machine lacks threads or memory, not the handler.
  const noThread = connected && code === 1 && NO_THREAD.test(stderr);
  if (aborted || noThread) return outOfMemory(memoryMb);
  const how = `The sandbox process ended (${signal ?? `exit code ${code}`}).`;
  const printed = stderr.trim();
  return connected || printed === "" ? how : `${how} It printed: ${printed}`;
}
