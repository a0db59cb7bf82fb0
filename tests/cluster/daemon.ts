// Starts programs of Debian for tests, as the user `postgres` where the tests are root, and ends them: also if the tests
// themselves are killed.

import { createServer } from "node:net";
import type { AddressInfo } from "node:net";

/** Returns the ids of the user that runs the programs, which refuse to run as root; none if the tests are not root. */
export function identity(): { uid?: number; gid?: number } {
  if (Deno.uid() !== 0) return {};
  const entry = Deno.readTextFileSync("/etc/passwd").split("\n").find((line) => line.startsWith("postgres:"));
  if (entry === undefined) throw new Error("The user postgres is missing: apt-get install postgresql");
  const [, , uid, gid] = entry.split(":");
  return { uid: Number(uid), gid: Number(gid) };
}

export interface Daemon {
  /** Sends a signal and waits until the program has ended. */
  end(signal: Deno.Signal): Promise<void>;
  /** Kills the program and its children at once. */
  killAll(): Promise<void>;
  /** Sends a signal to the program and its children. */
  signalAll(signal: Deno.Signal): void;
}

/** Starts a program and waits for a line that matches `ready`. */
export async function startDaemon(program: string, args: readonly string[], ready: RegExp): Promise<Daemon> {
  const child = new Deno.Command(program, {
    args: [...args],
    env: { LC_ALL: "C.UTF-8" },
    cwd: "/",
    ...identity(),
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  // Ends the program when this process ends, however it does.
  const guard = new Deno.Command("/bin/sh", {
    args: ["-c", 'read _; kill -QUIT "$1" 2>/dev/null', "sh", String(child.pid)],
    stdin: "piped",
    stdout: "null",
    stderr: "null",
  }).spawn();
  let printed = "";
  const { promise: isReady, resolve } = Promise.withResolvers<void>();
  const reading = (async () => {
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
      printed += text;
      if (ready.test(printed)) resolve();
    }
  })();
  const ended = (async () => {
    await Promise.all([child.status, reading]);
    guard.kill("SIGKILL");
    await Promise.all([guard.status, guard.stdin.close().catch(() => {})]);
  })();
  const failed = ended.then(() => {
    throw new Error(`${program} has ended:\n${printed}`);
  });
  failed.catch(() => {});
  await Promise.race([isReady, failed]);

  const family = (): number[] => {
    const children = Deno.readTextFileSync(`/proc/${child.pid}/task/${child.pid}/children`);
    return [child.pid, ...children.split(" ").filter((pid) => pid !== "").map(Number)];
  };
  const signalAll = (signal: Deno.Signal): void => {
    for (const pid of family()) {
      try {
        Deno.kill(pid, signal);
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    }
  };
  return {
    async end(signal) {
      try {
        child.kill(signal);
      } catch (error) {
        if (!(error instanceof TypeError)) throw error; // It has ended.
      }
      await ended;
    },
    async killAll() {
      signalAll("SIGKILL");
      await ended;
    },
    signalAll,
  };
}

export interface RunOptions {
  readonly input?: string;
  /** Whether root stays root. */
  readonly asRoot?: boolean;
}

/** Runs a program to its end; throws with what it printed if it fails. */
export async function runProgram(program: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const child = new Deno.Command(program, {
    args: [...args],
    env: { LC_ALL: "C.UTF-8" },
    cwd: "/",
    ...(options.asRoot ? {} : identity()),
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const output = child.output();
  const writer = child.stdin.getWriter();
  if (options.input !== undefined) await writer.write(new TextEncoder().encode(options.input));
  await writer.close();
  const { success, stdout, stderr } = await output;
  const decoder = new TextDecoder();
  if (success) return decoder.decode(stdout);
  throw new Error(`${program} failed:\n${decoder.decode(stdout)}${decoder.decode(stderr)}`);
}

/** Returns a port of loopback that nothing listens on at the moment. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
