// Restricts a sandbox process by Landlock (landlock(7)) and by a filter of system calls, as a second barrier after
// Deno's permissions. This file selects the rights; landlock.pl drops them.

import { seccompFilter } from "./seccomp.ts";

/** What this machine supports: Landlock, the filter, or both. */
export interface Landlock {
  readonly perl: string;
  /** The path of landlock.pl. */
  readonly script: string;
  /** The version of Landlock's interface in the kernel; 0 if there is none. */
  readonly abi: number;
  /** The filter of system calls in the format of landlock.pl; empty if there is none. */
  readonly seccomp: string;
}

/** What a process may access. */
export interface AllowedAccess {
  readonly deno: string;
  /** Files and folders that it may read, including everything below them. */
  readonly read: readonly string[];
  /** Folders that it may also write to. */
  readonly write: readonly string[];
  /** Folders that it may write to, and in which it may rename and remove folders. */
  readonly arrange?: readonly string[];
  /** TCP ports that it may connect to; all if undefined. */
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
/** All file rights that can be dropped, by version of the interface. */
const FILE_RIGHTS: readonly [abi: number, bits: number][] = [[5, 0xffff], [3, 0x7fff], [2, 0x3fff], [1, 0x1fff]];
/** LANDLOCK_ACCESS_NET_*, from version 4. */
const BIND_TCP = 1 << 0;
const CONNECT_TCP = 1 << 1;
/** LANDLOCK_SCOPE_*: abstract Unix sockets of, and signals to, other processes; from this version on. */
const SCOPES = 1 << 0 | 1 << 1;
export const SCOPES_ABI = 6;

const READ = READ_FILE | READ_DIR;
const WRITE = READ | WRITE_FILE | REMOVE_FILE | MAKE_DIR | MAKE_REG | TRUNCATE;
const ARRANGE = WRITE | REMOVE_DIR | REFER;
/** Where dlopen, getaddrinfo and time zones read. Those that do not exist are skipped. */
const LIBRARIES = ["/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/local/lib"];
const STORES = ["/nix/store", "/gnu/store"];
const SHARED = ["/etc", "/usr/share/zoneinfo", "/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager"];
/** Only the process's own entries: `self` is resolved when the rights are dropped. */
const KERNEL = [
  "/proc/self",
  "/proc/meminfo",
  "/proc/cpuinfo",
  "/proc/stat",
  "/sys/fs/cgroup",
  "/sys/devices/system/cpu",
];
const DEVICES = ["/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"];

/** X; the program that it then becomes comes behind it. */
export function landlockArgs({ perl, script, abi, seccomp }: Landlock, allowed: AllowedAccess): string[] {
  if (abi === 0) return [perl, script, seccomp, "0", "0", "0", "--"];
  const files = FILE_RIGHTS.find(([from]) => abi >= from)![1];
  const tcp = abi < 4 ? 0 : allowed.ports ? BIND_TCP | CONNECT_TCP : BIND_TCP;
  const rules = new Map<string, number>();
  const allow = (bits: number, paths: readonly string[]): void => {
    for (const path of paths) rules.set(path, (rules.get(path) ?? 0) | (bits & files));
  };
  allow(READ | EXECUTE, [...LIBRARIES, ...STORES, allowed.deno]);
  allow(READ, [...SHARED, ...KERNEL, ...allowed.read]);
  allow(READ | WRITE_FILE, DEVICES);
  allow(WRITE, allowed.write);
  allow(ARRANGE, allowed.arrange ?? []);
  return [
    perl,
    script,
    seccomp,
    ...[files, tcp, abi < SCOPES_ABI ? 0 : SCOPES].map(String),
    ...[...rules].map(([path, bits]) => `${bits}:${path}`),
    ...(tcp & CONNECT_TCP ? allowed.ports!.map((port) => `${CONNECT_TCP}:tcp:${port}`) : []),
    "--",
  ];
}

/**
 * Returns what this machine supports: Landlock, the filter, or both; undefined if neither works, or Deno does not start
 * with them. `setpriv` is the command before it: without its `--no-new-privs`, only root may drop rights. `trial` is
 * what a sandbox needs to access; `program` is a module that it may read.
 */
export async function tryLandlock(
  setpriv: readonly string[],
  found: Pick<Landlock, "perl" | "script">,
  trial: AllowedAccess,
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
