// What the kernel itself takes from a sandbox process by Landlock (landlock(7)) and by a filter of system calls, as a
// second lock behind Deno's permissions. Which rights these are, and the program that gives them up; landlock.pl does it.

import { seccompFilter } from "./seccomp.ts";

/** What this machine has of it: one or both. */
export interface Landlock {
  readonly perl: string;
  /** Path of landlock.pl. */
  readonly script: string;
  /** Version of Landlock's interface in the kernel; 0 if there is none. */
  readonly abi: number;
  /** The filter of system calls as landlock.pl takes it; empty if there is none. */
  readonly seccomp: string;
}

/** What a process keeps. */
export interface Kept {
  readonly deno: string;
  /** Files and folders that it may read, with all below them. */
  readonly read: readonly string[];
  /** Folders that it may also write in. */
  readonly write: readonly string[];
  /** Folders that it may write in, and rename and remove folders in. */
  readonly arrange?: readonly string[];
  /** TCP ports that it may connect to; all of them if undefined. */
  readonly ports: readonly number[] | undefined;
}

/** landlock(7): LANDLOCK_ACCESS_FS_*. */
const EXECUTE = 1 << 0;
const WRITE_FILE = 1 << 1;
const READ_FILE = 1 << 2;
const READ_DIR = 1 << 3;
const REMOVE_DIR = 1 << 4;
const REMOVE_FILE = 1 << 5;
const MAKE_DIR = 1 << 7;
const MAKE_REG = 1 << 8;
/** Renaming from one folder to another. */
const REFER = 1 << 13;
const TRUNCATE = 1 << 14;
/** Of files, by version of the interface: all that there is to take. */
const FILE_RIGHTS: readonly [abi: number, bits: number][] = [[5, 0xffff], [3, 0x7fff], [2, 0x3fff], [1, 0x1fff]];
/** LANDLOCK_ACCESS_NET_*, from version 4. */
const BIND_TCP = 1 << 0;
const CONNECT_TCP = 1 << 1;
/** LANDLOCK_SCOPE_*: abstract Unix sockets of, and signals to, processes outside; from this version on. */
const SCOPES = 1 << 0 | 1 << 1;
export const SCOPES_ABI = 6;

const READ = READ_FILE | READ_DIR;
const WRITE = READ | WRITE_FILE | REMOVE_FILE | MAKE_DIR | MAKE_REG | TRUNCATE;
const ARRANGE = WRITE | REMOVE_DIR | REFER;
/** Those of these that exist. What dlopen, getaddrinfo and the clock of a time zone look into. */
const LIBRARIES = ["/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/local/lib"];
const STORES = ["/nix/store", "/gnu/store"];
const SHARED = ["/etc", "/usr/share/zoneinfo", "/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager"];
/** The process's own entries only: `self` is looked up when the right is given up. */
const KERNEL = [
  "/proc/self",
  "/proc/meminfo",
  "/proc/cpuinfo",
  "/proc/stat",
  "/sys/fs/cgroup",
  "/sys/devices/system/cpu",
];
const DEVICES = ["/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"];

/** A command that gives up everything but `kept`; the program that it then becomes comes behind it. */
export function landlockArgs({ perl, script, abi, seccomp }: Landlock, kept: Kept): string[] {
  if (abi === 0) return [perl, script, seccomp, "0", "0", "0", "--"];
  const files = FILE_RIGHTS.find(([from]) => abi >= from)![1];
  const tcp = abi < 4 ? 0 : kept.ports ? BIND_TCP | CONNECT_TCP : BIND_TCP;
  const rules = new Map<string, number>();
  const give = (bits: number, paths: readonly string[]): void => {
    for (const path of paths) rules.set(path, (rules.get(path) ?? 0) | (bits & files));
  };
  give(READ | EXECUTE, [...LIBRARIES, ...STORES, kept.deno]);
  give(READ, [...SHARED, ...KERNEL, ...kept.read]);
  give(READ | WRITE_FILE, DEVICES);
  give(WRITE, kept.write);
  give(ARRANGE, kept.arrange ?? []);
  return [
    perl,
    script,
    seccomp,
    ...[files, tcp, abi < SCOPES_ABI ? 0 : SCOPES].map(String),
    ...[...rules].map(([path, bits]) => `${bits}:${path}`),
    ...(tcp & CONNECT_TCP ? kept.ports!.map((port) => `${CONNECT_TCP}:tcp:${port}`) : []),
    "--",
  ];
}

/**
 * Returns what this machine can do: Landlock, the filter, or both; undefined if neither, or not by these means, or if
 * Deno does not start with so little. `setpriv` is the command before it: without its `--no-new-privs` nobody but root may give up rights.
 * `trial` is what a sandbox needs; `program` a module that it may read.
 */
export async function tryLandlock(
  setpriv: readonly string[],
  found: Pick<Landlock, "perl" | "script">,
  trial: Kept,
  program: string,
  env: Record<string, string>,
): Promise<Landlock | undefined> {
  const run = async (...command: string[]): Promise<{ success: boolean; stdout: Uint8Array }> =>
    await new Deno.Command(command[0]!, { args: command.slice(1), cwd: "/", clearEnv: true, env, stdin: "null" })
      .output();
  const { stdout } = await run(found.perl, found.script);
  const abi = Number(new TextDecoder().decode(stdout)) || 0;
  const filter = seccompFilter();
  const seccomp = filter ? `${filter.number}:${filter.program}` : "";
  const deno = [trial.deno, "run", "--quiet", "--no-prompt", "--no-config", "--no-lock", "--cached-only", program];
  for (const part of [{ abi, seccomp }, { abi, seccomp: "" }, { abi: 0, seccomp }]) {
    if (part.abi === 0 && part.seccomp === "") continue;
    const landlock = { ...found, ...part };
    if ((await run(...setpriv, ...landlockArgs(landlock, trial), ...deno)).success) return landlock;
  }
  return undefined;
}
