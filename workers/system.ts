// Replaces system information that a handler sees by constants, as packages read it without needing it. Deno's
// permission stays denied, so the original functions would reveal nothing either.

import type { Override } from "./builtins.ts";

/** Milliseconds since the process was started. Taken before the handler's code can replace it. */
const now = performance.now.bind(performance);

const HOST = "localhost";
const HOME = "/";
const USER = "handler";
const ID = 1000;
const UMASK = 0o022;
/** The oldest long-term Linux kernel that Deno supports. Only its format matters. */
const RELEASE = "6.1.0";
const EXECUTABLE = "/usr/bin/deno";
const MEMORY_BYTES = 128 << 20;

const memory = (): Deno.SystemMemoryInfo => ({
  total: MEMORY_BYTES,
  free: MEMORY_BYTES / 2,
  available: MEMORY_BYTES / 2,
  buffers: 0,
  cached: 0,
  swapTotal: 0,
  swapFree: 0,
});
const loopback = (): Deno.NetworkInterfaceInfo => ({
  family: "IPv4",
  name: "lo",
  address: "127.0.0.1",
  netmask: "255.0.0.0",
  scopeid: null,
  cidr: "127.0.0.1/8",
  mac: "00:00:00:00:00:00",
});
const uptimeSeconds = (): number => Math.floor(now() / 1000);

/** Replaces functions of `Deno` and `navigator`, which much of `node:os` and `node:process` calls. */
export function hideSystem(): void {
  Object.assign(Deno, {
    hostname: () => HOST,
    osRelease: () => RELEASE,
    osUptime: uptimeSeconds,
    loadavg: () => [0, 0, 0],
    networkInterfaces: () => [loopback()],
    systemMemoryInfo: memory,
    uid: () => ID,
    gid: () => ID,
    umask: () => UMASK,
    execPath: () => EXECUTABLE,
  });
  constant(Deno, "ppid", 1);
  constant(Deno, "args", []);
  constant(navigator, "hardwareConcurrency", 1);
  hideArguments();
}

/** Overrides of Node's functions that query the system themselves. */
export const SYSTEM_OVERRIDES: readonly Override[] = [
  {
    module: "os",
    replace: () => ({
      cpus: () => [{ model: "cpu", speed: 0, times: { user: 0, nice: 0, sys: 0, idle: 0, irq: 0 } }],
      homedir: () => HOME,
      uptime: uptimeSeconds,
      userInfo: () => ({ uid: ID, gid: ID, username: USER, homedir: HOME, shell: null }),
      getPriority: () => 0,
    }),
  },
  {
    module: "process",
    replace: (process) => {
      (process.report as { getReport: unknown }).getReport = () => ({ header: {}, sharedObjects: [] });
      return {
        umask: () => UMASK,
        geteuid: () => ID,
        getegid: () => ID,
        getgroups: () => [ID],
        constrainedMemory: () => MEMORY_BYTES,
      };
    },
  },
];

function constant(target: object, name: string, value: unknown): void {
  Object.defineProperty(target, name, { get: () => value, enumerable: true, configurable: true });
}

/** Clears the supervisor's arguments, which contain paths of the server. `process.argv` is built from them later. */
function hideArguments(): void {
  const { internal } = Deno as unknown as { internal: symbol };
  const internals = (Deno as unknown as Record<symbol, { __nodeBootstrapArgs?: { denoArgs: string[] } }>)[internal];
  if (internals?.__nodeBootstrapArgs) internals.__nodeBootstrapArgs.denoArgs = [];
}
