// What a handler sees of the system: constants, as packages ask for such facts without needing them. Deno's
// permission stays closed, so that the functions which are replaced here would tell nothing either.

import type { Override } from "./builtins.ts";

/** Milliseconds since the process was started. Taken before the handler's code can replace it. */
const now = performance.now.bind(performance);

const HOST = "localhost";
const HOME = "/";
const USER = "handler";
const ID = 1000;
const UMASK = 0o022;
/** Linux's oldest long-term kernel that Deno supports; only its form matters. */
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

/** Replaces what `Deno` and `navigator` tell. Much of `node:os` and `node:process` asks these when it is called. */
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

/** Overrides of those functions of Node's that ask the system itself. */
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

/** `process.argv` is made of these when it is first needed: they are the supervisor's, and name paths of the server. */
function hideArguments(): void {
  const { internal } = Deno as unknown as { internal: symbol };
  const internals = (Deno as unknown as Record<symbol, { __nodeBootstrapArgs?: { denoArgs: string[] } }>)[internal];
  if (internals?.__nodeBootstrapArgs) internals.__nodeBootstrapArgs.denoArgs = [];
}
