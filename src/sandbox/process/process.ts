// Starts and kills sandbox processes: sets their permissions, user and memory limit. Knows nothing of calls.

import { join } from "node:path";
import { acceptAuthenticated, createToken, TOKEN_BYTES } from "./channel.ts";
import { type CodeConfig, type KeptContent, makeSandboxFolder, type SandboxFolder } from "./sandbox_dir.ts";
import { type AllowedAccess, landlockArgs } from "./landlock.ts";
import { machineNames } from "./machine_names.ts";
import { netFlags, type NetRules, reachable, tcpPorts } from "./net_flags.ts";
import { auditCommands, type CheckedHosts, OTHER_HOSTS, readChecks } from "./permission_audit.ts";
import { withoutFramesOf } from "./stack_filter.ts";
import { isAnalysisCache, type Runtime } from "./toolchain.ts";
import { settledWithin } from "./settled.ts";
import { readTail } from "./stream_tail.ts";
import type { Usage, UsageReader } from "./proc_stats.ts";
import { releaseUid, setprivArgs, takeUid } from "./uid_pool.ts";

/** A process that has not connected by then is killed. It takes well under a second on an idle machine. */
const CONNECT_MAX_MS = 60_000;

/**
 * The address space that V8 and Deno reserve for the process and for one worker (measured on Deno 2.9.6). RLIMIT_DATA
 * counts it, so the function's own memory is added to it.
 */
const RESERVED_MB = 555 + 535;
/** Threads and processes that a sandbox's user may have; Deno has 20 to 50 (measured on Deno 2.9.6, 2 cores). */
const THREADS_MAX = 256;
/** How long to wait for the rest of an ended process's output: a process that it started may hold the pipe. */
const OUTPUT_WAIT_MS = 100;
/** Memory that a process may use in addition to its handler's before it is stopped. */
const RESIDENT_ALLOWANCE_MB = 128;

const READ_MAX_BYTES = 120_000;
/** Detects CommonJS by its syntax, and lets files be imported as bytes and text. The builder has the same flags. */
export const LANGUAGE_FLAGS = ["--unstable-detect-cjs", "--unstable-raw-imports"];

/** The permissions and limits of a process, for any function. */
export interface Profile {
  /** The text of the lock file with the versions of fetched packages, if there are any. */
  readonly lock: string | undefined;
  /** The texts of config files for the folder with the code, if it needs them. */
  readonly config: CodeConfig | undefined;
  /** Folders of the module cache with the packages that the modules import, directly or not. */
  readonly packages: readonly string[];
  /** Those of them whose files the packages' code may read. */
  readonly packageFiles: readonly string[];
  readonly importHosts: readonly string[];
  readonly net: boolean | readonly string[];
  readonly memoryMb: number;
}

export interface Code extends Profile {
  /** Absolute paths of the modules, the handler first. */
  readonly files: readonly string[];
  /** What reads the contents of `files`, in the same order; undefined for those that are in the code folder only. */
  readonly sources?: readonly (KeptContent | undefined)[];
}

/** Options of all sandbox processes. */
export interface ProcessOptions {
  /** The server's folder for sockets and code. Other users may enter it, but not list it. */
  readonly runDir: string;
  readonly codeDir: string;
  readonly runtime: Runtime;
  readonly usage: UsageReader;
  /** Returns `host:port` of this server for each of its addresses. No function may connect to them. */
  readonly ownAddresses: () => readonly string[];
  /** Returns `host:port` of each address of the cluster's nodes, to which no function may connect either. */
  readonly nodeAddresses: () => readonly string[];
  /** Returns `host:port` of each address of the cluster's PostgreSQL. */
  readonly databaseAddresses: () => readonly string[];
  /** Returns the addresses of this machine, IPv6 in brackets. */
  readonly machineHosts: () => readonly string[];
  /** Returns what the operator denies to every function. */
  readonly denyNet: () => readonly string[];
}

export interface SandboxProcess {
  /** The only connection to the process. Rejects if the process ends before it connects. */
  readonly connected: Promise<Deno.UnixConn>;
  /** Resolves with the exit status when the process is gone. */
  readonly ended: Promise<Deno.CommandStatus>;
  /** Copies the code for the process. Returns the `file:` URL of the copied handler. Called once. */
  installCode(files: readonly string[], sources?: readonly (KeptContent | undefined)[]): Promise<string>;
  /** Returns the end of its output; complete once `ended` has resolved. */
  stderr(): string;
  /** Calls `onHosts` with the hosts that the process may connect to and asked for, some of them at a time. Called once. */
  watchHosts(onHosts: (hosts: CheckedHosts) => void): void;
  /** Replaces paths of the process's folder by those that the author knows, and removes the platform's stack frames. */
  toAuthorPaths(text: string): string;
  /** Returns its usage, and whether that is more memory than its profile allows; undefined if this is unknown. */
  sampleUsage(): Promise<Usage & { oversized: boolean } | undefined>;
  /** Sends SIGKILL, the only signal that ends a process in a loop. */
  kill(): void;
}

/** Starts a process with the permissions of `profile` and without code. */
export function startProcess(profile: Profile, options: ProcessOptions): SandboxProcess {
  const { runDir, codeDir, runtime } = options;
  const { denoDir } = runtime;
  const withoutOwnFrames = withoutFramesOf(runtime.appDir);
  // Each process has its own user, so that one that escaped from Deno could still not access others.
  const uid = runtime.ownUsers ? takeUid() : undefined;
  const giveBack = (): void => {
    if (uid !== undefined) releaseUid(uid);
  };
  const folder = orUndo(
    () => makeSandboxFolder({ runDir, codeDir, denoDir }, profile, uid),
    giveBack,
  );
  const release = async (): Promise<void> => {
    await folder.remove();
    giveBack();
  };
  const rules = netRules(profile, options);
  const child = orUndo(() => spawn(profile, folder, options, rules, uid), () => void release().catch(() => {}));
  const token = createToken();
  const stdin = child.stdin.getWriter();
  // This fails if the process has ended already, which `ended` reports.
  stdin.write(token).catch(() => {});
  stdin.releaseLock();
  const stderr = readTail(child.stderr);
  let onHosts = (_: CheckedHosts): void => {};
  const allowed = allowedHosts(rules);
  const checks = !runtime.auditsPermissions ? undefined : readChecks(child.stdout, (hosts) => {
    const reached = allowed(hosts);
    if (reached.size > 0) onHosts(reached);
  });
  const ended = child.status.finally(async () => {
    // The host's end would stay open until it is garbage collected.
    child.stdin.abort().catch(() => {});
    checks?.finish();
    await release();
    await settledWithin(Promise.all([stderr.ended, checks?.ended]), OUTPUT_WAIT_MS);
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
    installCode: folder.installCode,
    stderr: stderr.text,
    watchHosts: (listener) => void (onHosts = listener),
    toAuthorPaths: (text) => withoutOwnFrames(folder.toAuthorPaths(text)),
    async sampleUsage() {
      const usage = await options.usage.of(child.pid);
      return usage && { ...usage, oversized: usage.memoryMb > residentMaxMb };
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

/** Hosts of one process of which it is remembered whether it may connect to them. */
const HOSTS_REMEMBERED_MAX = 500;

/** Returns a filter for hosts to which the rules allow connections. */
function allowedHosts(rules: NetRules): (hosts: CheckedHosts) => CheckedHosts {
  let isReachable: ((host: string) => boolean) | undefined;
  const verdicts = new Map<string, boolean>([[OTHER_HOSTS, true]]);
  return (hosts) => {
    const allowed = new Map<string, number>();
    for (const [host, checks] of hosts) {
      const isNew = !verdicts.has(host);
      if (isNew && verdicts.size < HOSTS_REMEMBERED_MAX) verdicts.set(host, (isReachable ??= reachable(rules))(host));
      const name = verdicts.has(host) ? host : OTHER_HOSTS;
      if (verdicts.get(name)) allowed.set(name, (allowed.get(name) ?? 0) + checks);
    }
    return allowed;
  };
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
  rules: NetRules,
  uid: number | undefined,
): Deno.ChildProcess {
  const { denoDir, appDir, registryEnv, auditsPermissions } = options.runtime;
  const task = {
    socket: folder.socket,
    tokenBytes: TOKEN_BYTES,
    read: [folder.code, ...readablePackages(profile)],
    importHosts: profile.importHosts,
    hosts: typeof profile.net === "boolean" ? [] : profile.net,
  };
  const program = [
    ...confinedDeno(profile, folder, options.runtime, uid),
    ...flags(profile, folder, options.runtime, rules),
    join(appDir, "workers", "supervisor.ts"),
    JSON.stringify(task),
  ];
  // No core dumps, as they would contain secrets.
  const audit = auditsPermissions ? auditCommands(uid) : "";
  const limits = Deno.build.os === "linux"
    ? `${audit}unset PWD && ulimit -c 0 && ulimit -d ${(RESERVED_MB + profile.memoryMb) * 1024}` +
      // The limit counts by user, so it is set only for separate users. dash names it p, bash u.
      (uid === undefined ? "" : ` && { ulimit -u ${THREADS_MAX} || ulimit -p ${THREADS_MAX}; } 2>/dev/null`) +
      ` && exec "$@"`
    : `${audit}unset PWD && exec "$@"`;
  return new Deno.Command("/bin/sh", {
    args: ["-c", limits, "sh", ...program],
    cwd: "/",
    clearEnv: true,
    env: { ...registryEnv, DENO_DIR: denoDir, DENO_NO_PACKAGE_JSON: "1", DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" },
    stdin: "piped",
    stdout: auditsPermissions ? "piped" : "null",
    stderr: "piped",
  }).spawn();
}

/**
 * Returns the command that starts Deno with only the rights in the operating system that a sandbox may have. Append the
 * arguments of Deno.
 */
export function confinedDeno(
  profile: Profile,
  folder: SandboxFolder,
  runtime: Runtime,
  uid: number | undefined,
): string[] {
  const { deno, setpriv, landlock } = runtime;
  return [
    // Deno's own `uid` option would leave the process in root's groups.
    ...(setpriv ? [setpriv, ...setprivArgs(uid)] : []),
    ...(landlock ? landlockArgs(landlock, allowed(profile, folder, runtime)) : []),
    deno,
  ];
}

/** Returns what the kernel allows a sandbox to access: Deno, its own code, the packages that it imports. */
function allowed(profile: Profile, folder: SandboxFolder, { deno, denoDir, appDir, packages }: Runtime): AllowedAccess {
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
  { appDir }: Runtime,
  rules: NetRules,
): string[] {
  const { importHosts, memoryMb } = profile;
  const read = [appDir, socket, code, ...readablePackages(profile)];
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
    // Files that may not be read then look as if they did not exist, as packages expect, instead of throwing.
    "--ignore-read",
    "--ignore-env",
    `--allow-write=${socket}`,
    importHosts.length > 0 ? `--allow-import=${importHosts.join(",")}` : "--deny-import",
    ...netFlags(rules, socket),
  ];
}

/** Returns where a process that is started now may connect. */
function netRules(
  { net }: Profile,
  { ownAddresses, nodeAddresses, databaseAddresses, machineHosts, denyNet }: ProcessOptions,
): NetRules {
  const addresses = machineHosts();
  return {
    net,
    ownAddresses: [...ownAddresses(), ...nodeAddresses()],
    databaseAddresses: databaseAddresses(),
    machineHosts: addresses,
    machineNames: machineNames(addresses),
    denied: denyNet(),
  };
}

/** Returns as many folders of packages as fit in one argument (MAX_ARG_STRLEN, execve(2)). A thousand fit. */
function readablePackages({ packageFiles }: Profile): string[] {
  let bytes = 0;
  return packageFiles.filter((path) => (bytes += path.length + 3) < READ_MAX_BYTES);
}
