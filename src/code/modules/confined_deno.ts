// Runs a command of Deno that runs no code of functions, such as `deno check`, confined like a sandbox.

import { landlockArgs } from "../../sandbox/process/landlock.ts";
import type { Runtime } from "../../sandbox/process/toolchain.ts";
import { setprivArgs } from "../../sandbox/process/uid_pool.ts";

export interface ConfinedCommand {
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** Files and folders that it may read, recursively. */
  readonly read: readonly string[];
  /** Folders in which it may also write. */
  readonly write: readonly string[];
  /** Folders in which it may also rename and remove folders. */
  readonly arrange?: readonly string[];
  /** Whether it may connect to other machines, or the TCP ports to which it may. */
  readonly net: boolean | readonly number[];
  /** What it reads from standard input. */
  readonly stdin?: string;
  /** The user that it runs as; the server's own if undefined. */
  readonly uid?: number | undefined;
  /** The limit for `ulimit -d`, of which V8 reserves about 600 MB. */
  readonly dataMaxMb: number;
  readonly timeoutMs: number;
  /** Limit for standard output and standard error each, in bytes; the process is killed above it. */
  readonly outputMaxBytes: number;
}

export interface ConfinedResult {
  readonly success: boolean;
  readonly stdout: string;
  readonly stderr: string;
  /** Why the process was killed, if it was. */
  readonly killedFor?: "time" | "output" | "stop";
}

/** Runs Deno with the limits that this machine supports, and ends what runs when the server ends. */
export class ConfinedDeno {
  readonly #runtime: Pick<Runtime, "deno" | "setpriv" | "landlock">;
  readonly #running = new Map<Promise<ConfinedResult>, () => void>();
  #isClosed = false;

  constructor(runtime: Pick<Runtime, "deno" | "setpriv" | "landlock">) {
    this.#runtime = runtime;
  }

  /** Resolves when the process has ended. */
  run(command: ConfinedCommand): Promise<ConfinedResult> {
    if (this.#isClosed) return Promise.resolve({ success: false, stdout: "", stderr: "", killedFor: "stop" });
    const { ended, kill } = start(this.#runtime, command);
    this.#running.set(ended, kill);
    const forget = (): void => void this.#running.delete(ended);
    ended.then(forget, forget);
    return ended;
  }

  /** Kills every process, and resolves when all have ended. No more are started. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const kill of this.#running.values()) kill();
    await Promise.allSettled(this.#running.keys());
  }
}

function start(
  { deno, setpriv, landlock }: Pick<Runtime, "deno" | "setpriv" | "landlock">,
  command: ConfinedCommand,
): { ended: Promise<ConfinedResult>; kill: () => void } {
  const { args, cwd, env, read, write, arrange = [], net, uid } = command;
  // No core dumps: they would contain code.
  const limits = Deno.build.os === "linux"
    ? `unset PWD && ulimit -c 0 && ulimit -d ${command.dataMaxMb * 1024} && exec "$@"`
    : `unset PWD && exec "$@"`;
  const confined = [
    ...(setpriv ? [setpriv, ...setprivArgs(uid)] : []),
    ...(landlock
      ? landlockArgs(landlock, { deno, read, write, arrange, ports: net === true ? undefined : net || [] })
      : []),
    deno,
  ];
  // Each program replaces the one before it by exec, so that there is only one process to kill.
  const child = new Deno.Command("/bin/sh", {
    args: ["-c", limits, "sh", ...confined, ...args],
    cwd,
    clearEnv: true,
    env: { ...env, DENO_NO_PACKAGE_JSON: "1", DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" },
    stdin: command.stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  if (command.stdin !== undefined) {
    // This fails if the process has ended already, which its status says.
    new Blob([command.stdin]).stream().pipeTo(child.stdin).catch(() => {});
  }
  let killedFor: ConfinedResult["killedFor"];
  const kill = (reason: NonNullable<ConfinedResult["killedFor"]>): void => {
    killedFor ??= reason;
    try {
      child.kill("SIGKILL");
    } catch {
      // It has already ended.
    }
  };
  const result = async (): Promise<ConfinedResult> => {
    const timer = setTimeout(() => kill("time"), command.timeoutMs);
    try {
      const beginning = (stream: ReadableStream<Uint8Array>) =>
        beginningOf(stream, command.outputMaxBytes, () => kill("output"));
      const [stdout, stderr, { success }] = await Promise.all([
        beginning(child.stdout),
        beginning(child.stderr),
        child.status,
      ]);
      return { success, stdout, stderr, ...(killedFor && { killedFor }) };
    } finally {
      clearTimeout(timer);
    }
  };
  return { ended: result(), kill: () => kill("stop") };
}

/** Reads a stream to its end and returns the beginning; `overflow` is called if there is more. */
async function beginningOf(
  stream: ReadableStream<Uint8Array>,
  maxBytes: number,
  overflow: () => void,
): Promise<string> {
  const pieces: string[] = [];
  let bytes = 0;
  const decoder = new TextDecoder();
  for await (const piece of stream) {
    bytes += piece.length;
    if (bytes > maxBytes) overflow();
    else pieces.push(decoder.decode(piece, { stream: true }));
  }
  return pieces.join("");
}
