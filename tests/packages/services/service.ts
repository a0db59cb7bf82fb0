// What every service of the package tests has in common: a Debian program that is started for the run, or a server
// within the test's own process; on loopback, with its data in a folder that goes with it.

import { existsSync } from "node:fs";
import { createConnection, createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

export interface Service extends AsyncDisposable {
  /** Where handlers may connect to, as in `permissions.net`. */
  readonly hosts: readonly string[];
  /** What a user would store as secrets: connection strings and passwords, by name. */
  readonly secrets: Readonly<Record<string, string>>;
  /** Messages that the service received, for one that only takes in. */
  received?(): readonly string[];
}

export interface DaemonOptions {
  /** Absolute path of the program. */
  program: string;
  /** Debian's package that has it. */
  debianPackage: string;
  args: readonly string[];
  env?: Record<string, string>;
  /** User that runs it where the tests are root; most databases refuse to run as root. */
  user?: string;
  /** Throws, or rejects, as long as the service does not answer. */
  probe: () => unknown;
}

const START_TIMEOUT_MS = 60_000;
const PROBE_INTERVAL_MS = 50;
const isRoot = Deno.uid() === 0;

/** Starts a program and waits until it answers; disposing of it ends the program. */
export async function startDaemon(options: DaemonOptions): Promise<AsyncDisposable> {
  const { program, debianPackage, args, env = {}, user, probe } = options;
  requireProgram(program, debianPackage);
  const child = new Deno.Command(program, {
    args: [...args],
    env: { LC_ALL: "C.UTF-8", ...env },
    ...(user === undefined ? {} : identityOf(user)),
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let printed = "";
  const collect = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>) => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      printed += text;
    }
  };
  let exitCode: number | undefined;
  const ended = Promise.all([
    child.status.then(({ code }) => exitCode = code),
    collect(child.stdout),
    collect(child.stderr),
  ]);
  const stop = async () => {
    if (exitCode === undefined) child.kill("SIGTERM");
    await ended;
  };
  const deadline = performance.now() + START_TIMEOUT_MS;
  for (;;) {
    try {
      await probe();
      return { [Symbol.asyncDispose]: stop };
    } catch (error) {
      if (exitCode !== undefined) {
        throw new Error(`${program} ended with ${exitCode}:\n${printed}`);
      }
      if (performance.now() > deadline) {
        await stop();
        throw new Error(`${program} did not answer within ${START_TIMEOUT_MS} ms:\n${printed}`, { cause: error });
      }
      await new Promise((resolve) => setTimeout(resolve, PROBE_INTERVAL_MS));
    }
  }
}

/** Runs a program to its end; throws with what it printed if it fails. */
export async function runProgram(
  { program, debianPackage, args, user }: Pick<
    DaemonOptions,
    "program" | "debianPackage" | "args" | "user"
  >,
): Promise<void> {
  requireProgram(program, debianPackage);
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args: [...args],
    env: { LC_ALL: "C.UTF-8" },
    cwd: "/",
    ...(user === undefined ? {} : identityOf(user)),
  }).output();
  if (success) return;
  const decoder = new TextDecoder();
  throw new Error(`${program} failed:\n${decoder.decode(stdout)}${decoder.decode(stderr)}`);
}

function requireProgram(program: string, debianPackage: string): void {
  if (!existsSync(program)) {
    throw new Error(`${program} is missing: apt-get install ${debianPackage}`);
  }
}

/** Ids of a user of the system, where the tests may become that user. */
function identityOf(user: string): { uid?: number; gid?: number } {
  if (!isRoot) return {};
  const entry = Deno.readTextFileSync("/etc/passwd").split("\n").find((line) => line.startsWith(`${user}:`));
  if (entry === undefined) throw new Error(`The user ${user} is missing.`);
  const [, , uid, gid] = entry.split(":");
  return { uid: Number(uid), gid: Number(gid) };
}

/** Makes a folder for a service's data; owned by `user` where the tests are root. */
export async function dataFolder(service: string, user?: string): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: `crude-functions-test-${service}-` });
  const { uid, gid } = user === undefined ? {} : identityOf(user);
  if (uid !== undefined) await Deno.chown(folder, uid, gid ?? null);
  return folder;
}

/** Writes a file into a service's folder; its path. */
export async function writeConfig(folder: string, name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await Deno.writeTextFile(path, text);
  return path;
}

/** A port of loopback that nothing listens on at the moment. */
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

/** Resolves once something accepts connections on the port. */
export function connects(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(port, "127.0.0.1", () => {
      socket.destroy();
      resolve();
    });
    socket.once("error", reject);
  });
}

/** Ends the parts in the order given, then removes the folder. */
export async function disposeAll(parts: readonly AsyncDisposable[], folder?: string): Promise<void> {
  for (const part of parts) await part[Symbol.asyncDispose]();
  if (folder !== undefined) await Deno.remove(folder, { recursive: true });
}
