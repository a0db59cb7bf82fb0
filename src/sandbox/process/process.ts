// Starting and killing sandbox processes: what they may do, as whom they run, how much memory they get.
// Knows nothing of calls.

import { join } from "node:path";
import { acceptAuthenticated, createToken, TOKEN_BYTES } from "./channel.ts";
import { type CodeConfig, makeSandboxFolder, type SandboxFolder } from "./sandbox_dir.ts";
import { type Kept, landlockArgs } from "./landlock.ts";
import { machineNames } from "./machine_names.ts";
import { netFlags, tcpPorts } from "./net_flags.ts";
import { withoutFramesOf } from "./stack_filter.ts";
import { isAnalysisCache, type Runtime } from "./toolchain.ts";
import { settledWithin } from "./settled.ts";
import { readTail } from "./stream_tail.ts";
import type { UsageReader } from "./proc_stats.ts";
import { giveBackUid, setprivArgs, takeUid } from "./uid_pool.ts";

/** A process that has not connected by then is ended: it takes well under a second on an idle machine. */
const CONNECT_MAX_MS = 60_000;

/**
 * Address space that V8 and Deno reserve for the process and for one worker (measured on Deno 2.9.6);
 * RLIMIT_DATA counts it, so a function's own memory comes on top.
 */
const RESERVED_MB = 555 + 535;
/** Threads and processes that a sandbox's user may have; Deno has 20 to 50 (measured on Deno 2.9.6, 2 cores). */
const THREADS_MAX = 256;
/** How long the rest of what an ended process printed is waited for: a process that it started may hold the pipe. */
const STDERR_WAIT_MS = 100;
/** Memory of a process beside its handler's, before the poll takes it for a runaway. */
const RESIDENT_ALLOWANCE_MB = 128;

const READ_MAX_BYTES = 120_000;
/** CommonJS is recognized by its syntax, and files can be imported as bytes and text. The builder has the same flags. */
export const LANGUAGE_FLAGS = ["--unstable-detect-cjs", "--unstable-raw-imports"];

/** What a process may do, whichever function it runs. */
export interface Profile {
  /** Text of the lock file with the versions of fetched packages, if there are any. */
  readonly lock: string | undefined;
  /** Texts of config files for the folder that holds the code, if it needs them. */
  readonly config: CodeConfig | undefined;
  /** Folders of the module cache with the packages that the modules import, and what these import. */
  readonly packages: readonly string[];
  /** Of these, the folders whose files the packages' code may read. */
  readonly packageFiles: readonly string[];
  readonly importHosts: readonly string[];
  readonly net: boolean | readonly string[];
  readonly memoryMb: number;
}

export interface Code extends Profile {
  /** Absolute paths of the modules, the handler first. */
  readonly files: readonly string[];
}

/** What all sandbox processes have in common. */
export interface ProcessOptions {
  /** A folder of our own for sockets and code; others may enter it, not list it. */
  readonly runDir: string;
  readonly codeDir: string;
  readonly runtime: Runtime;
  readonly usage: UsageReader;
  /** `host:port` of this server under each of its addresses: no function may ever connect to them. */
  readonly ownAddresses: () => readonly string[];
  /** The addresses of this machine, IPv6 in brackets. */
  readonly machineHosts: () => readonly string[];
  /** What the operator closes to every function, whatever it names. */
  readonly denyNet: () => readonly string[];
}

export interface SandboxProcess {
  /** The one connection to it. Rejects if the process ends before it connects. */
  readonly connected: Promise<Deno.UnixConn>;
  /** Settles when the process is gone, with how it ended. */
  readonly ended: Promise<Deno.CommandStatus>;
  /** Gives it copies of `files`, the handler first, once; the `file:` address of the handler as it sees it. */
  give(files: readonly string[]): Promise<string>;
  /** The end of what it printed; all of it once `ended` has settled. */
  stderr(): string;
  /** Paths of the process's folder as its author knows them, and no stack frames of ours. */
  readable(text: string): string;
  /** What it uses, and whether that is more memory than its profile allows; undefined where the system does not say. */
  look(): Promise<{ cpuMs: number; oversized: boolean } | undefined>;
  /** SIGKILL: the only signal that a loop cannot outlast. */
  kill(): void;
}

/** Starts a process that may do what `profile` says and nothing else; it has no code yet. */
export function startProcess(profile: Profile, options: ProcessOptions): SandboxProcess {
  const { runDir, codeDir, runtime } = options;
  const { denoDir } = runtime;
  const withoutOwnFrames = withoutFramesOf(runtime.appDir);
  // One for each, so that a process that escaped from Deno could still not touch another's.
  const uid = runtime.ownUsers ? takeUid() : undefined;
  const giveBack = (): void => {
    if (uid !== undefined) giveBackUid(uid);
  };
  const folder = orUndo(
    () => makeSandboxFolder({ runDir, codeDir, denoDir }, profile, uid),
    giveBack,
  );
  const release = async (): Promise<void> => {
    await folder.remove();
    giveBack();
  };
  const child = orUndo(() => spawn(profile, folder, options, uid), () => void release().catch(() => {}));
  const token = createToken();
  const stdin = child.stdin.getWriter();
  // It fails if the process has ended already, which `ended` reports.
  stdin.write(token).catch(() => {});
  stdin.releaseLock();
  const stderr = readTail(child.stderr);
  const ended = child.status.finally(async () => {
    // Our end of it would stay open until it is collected as garbage.
    child.stdin.abort().catch(() => {});
    await release();
    await settledWithin(stderr.ended, STDERR_WAIT_MS);
  });
  const gone = ended.then((): never => {
    throw new Error("the process ended before it connected");
  });
  const late = setTimeout(() => kill(child), CONNECT_MAX_MS);
  const connected = Promise.race([acceptAuthenticated(folder.listener, token), gone]).finally(() => {
    clearTimeout(late);
    folder.closeSocket();
  });
  connected.catch(() => {});
  const residentMaxMb = profile.memoryMb + RESIDENT_ALLOWANCE_MB;

  return {
    connected,
    ended,
    give: folder.give,
    stderr: stderr.text,
    readable: (text) => withoutOwnFrames(folder.readable(text)),
    async look() {
      const usage = await options.usage.of(child.pid);
      return usage && { cpuMs: usage.cpuMs, oversized: usage.memoryMb > residentMaxMb };
    },
    kill: () => kill(child),
  };
}

function kill(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGKILL");
  } catch {
    // It has ended already.
  }
}

function orUndo<T>(work: () => T, undo: () => void): T {
  try {
    return work();
  } catch (error) {
    undo();
    throw error;
  }
}

function spawn(
  profile: Profile,
  folder: SandboxFolder,
  options: ProcessOptions,
  uid: number | undefined,
): Deno.ChildProcess {
  const { denoDir, appDir, registryEnv } = options.runtime;
  const task = {
    socket: folder.socket,
    tokenBytes: TOKEN_BYTES,
    read: [folder.code, ...readablePackages(profile)],
    importHosts: profile.importHosts,
    hosts: typeof profile.net === "boolean" ? [] : profile.net,
  };
  const program = [
    ...confinedDeno(profile, folder, options.runtime, uid),
    ...flags(profile, folder, options),
    join(appDir, "workers", "supervisor.ts"),
    JSON.stringify(task),
  ];
  // No core dumps: they would hold secrets.
  const limits = Deno.build.os === "linux"
    ? `unset PWD && ulimit -c 0 && ulimit -d ${(RESERVED_MB + profile.memoryMb) * 1024}` +
      // Counted by user, so for those of their own only. dash calls it p, where bash has u.
      (uid === undefined ? "" : ` && { ulimit -u ${THREADS_MAX} || ulimit -p ${THREADS_MAX}; } 2>/dev/null`) +
      ` && exec "$@"`
    : `unset PWD && exec "$@"`;
  return new Deno.Command("/bin/sh", {
    args: ["-c", limits, "sh", ...program],
    cwd: "/",
    clearEnv: true,
    env: { ...registryEnv, DENO_DIR: denoDir, DENO_NO_PACKAGE_JSON: "1", DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" },
    stdin: "piped",
    stdout: "null",
    stderr: "piped",
  }).spawn();
}

/**
 * The command that starts Deno with no more of the system's rights than a sandbox may have; its arguments come
 * behind it.
 */
export function confinedDeno(
  profile: Profile,
  folder: SandboxFolder,
  runtime: Runtime,
  uid: number | undefined,
): string[] {
  const { deno, setpriv, landlock } = runtime;
  return [
    // Not Deno's own `uid` option: it leaves the process in root's groups.
    ...(setpriv ? [setpriv, ...setprivArgs(uid)] : []),
    ...(landlock ? landlockArgs(landlock, kept(profile, folder, runtime)) : []),
    deno,
  ];
}

/** What the kernel leaves to a sandbox: Deno, its own code, the packages that it imports. */
function kept(profile: Profile, folder: SandboxFolder, { deno, denoDir, appDir, packages }: Runtime): Kept {
  const caches = [...Deno.readDirSync(denoDir)].map(({ name }) => name)
    .filter((name) => name !== "npm" && name !== "gen" && !isAnalysisCache(name));
  return {
    deno,
    read: [
      appDir,
      folder.path,
      ...caches.map((name) => join(denoDir, name)),
      ...["http", "https", join("file", appDir)].map((name) => join(denoDir, "gen", name)),
      ...packages,
      ...profile.packages,
    ],
    write: [folder.transpiled],
    ports: tcpPorts(profile.net),
  };
}

function flags(
  profile: Profile,
  { socket, code, lockFile, configFiles }: SandboxFolder,
  { runtime, ownAddresses, machineHosts, denyNet }: ProcessOptions,
): string[] {
  const { importHosts, net, memoryMb } = profile;
  const read = [runtime.appDir, socket, code, ...readablePackages(profile)];
  const addresses = machineHosts();
  for (const path of read) {
    // Deno's flags have no way to write a comma inside a path.
    if (path.includes(",")) throw new Error(`a path of a sandbox must not contain a comma: ${path}`);
  }
  return [
    "run",
    "--quiet",
    "--no-prompt",
    ...(configFiles ? [`--config=${configFiles.config}`, `--import-map=${configFiles.importMap}`] : ["--no-config"]),
    "--node-modules-dir=none",
    "--cached-only",
    "--unstable-worker-options",
    ...LANGUAGE_FLAGS,
    `--v8-flags=--max-old-space-size=${memoryMb}`,
    ...(lockFile ? [`--lock=${lockFile}`, "--frozen"] : ["--no-lock"]),
    `--allow-read=${read.join(",")}`,
    // Without it, whatever cannot be read throws; so it is as if it were not there, as packages expect.
    "--ignore-read",
    "--ignore-env",
    `--allow-write=${socket}`,
    importHosts.length > 0 ? `--allow-import=${importHosts.join(",")}` : "--deny-import",
    ...netFlags({
      net,
      ownAddresses: ownAddresses(),
      machineHosts: addresses,
      machineNames: machineNames(addresses),
      denied: denyNet(),
    }, socket),
  ];
}

/** Folders of packages, as many as fit into one argument (MAX_ARG_STRLEN, execve(2)); graphs of a thousand do. */
function readablePackages({ packageFiles }: Profile): string[] {
  let bytes = 0;
  return packageFiles.filter((path) => (bytes += path.length + 3) < READ_MAX_BYTES);
}
