// Starts the egress process, confined like a sandbox: a user of its own, no files but its program, no way to this server.

import { join } from "node:path";
import { acceptAuthenticated, createToken } from "../sandbox/process/channel.ts";
import { confinedDeno, type ProcessOptions } from "../sandbox/process/process.ts";
import { makeSandboxFolder } from "../sandbox/process/sandbox_dir.ts";
import { settledWithin } from "../sandbox/process/settled.ts";
import { readTail } from "../sandbox/process/stream_tail.ts";
import { releaseUid, takeUid } from "../sandbox/process/uid_pool.ts";

/** Address space that V8 reserves (measured on Deno 2.9.6), and what the process may use in addition. */
const RESERVED_MB = 555;
const MEMORY_MB = 768;
const HEAP_MB = 256;
const CONNECT_MAX_MS = 60_000;
const STDERR_WAIT_MS = 100;
/** It has its program and nothing of a function. */
const PROFILE = {
  lock: undefined,
  config: undefined,
  packages: [],
  packageFiles: [],
  importHosts: [],
  net: true,
  memoryMb: MEMORY_MB,
} as const;

export type EgressProcessOptions = Pick<ProcessOptions, "runDir" | "runtime">;

export interface EgressProcess {
  /** Rejects if the process ends before it connects. */
  readonly connected: Promise<Deno.UnixConn>;
  /** Resolves with the end of its output when it is gone. */
  readonly ended: Promise<string>;
  kill(): void;
}

/** `closed` is what no function may connect to; `certificates`, as PEM, are trusted in addition to the usual ones. */
export function startEgress(
  { runDir, runtime }: EgressProcessOptions,
  closed: readonly string[],
  certificates: readonly string[],
): EgressProcess {
  const { denoDir, appDir, registryEnv } = runtime;
  const uid = runtime.ownUsers ? takeUid() : undefined;
  const folder = makeSandboxFolder({ runDir, codeDir: runDir, denoDir }, PROFILE, uid);
  const trusted = join(folder.path, "certificates.pem");
  if (certificates.length > 0) Deno.writeTextFileSync(trusted, certificates.join("\n"), { mode: 0o644 });
  const program = [
    ...confinedDeno(PROFILE, folder, runtime, uid),
    ...["run", "--quiet", "--no-prompt", "--no-config", "--no-lock", "--no-npm", "--no-remote", "--cached-only"],
    ...["--node-modules-dir=none", "--ignore-env", `--v8-flags=--max-old-space-size=${HEAP_MB}`],
    ...[`--allow-read=${folder.socket}`, `--allow-write=${folder.socket}`, "--allow-net"],
    ...(closed.length > 0 ? [`--deny-net=${closed.join(",")}`] : []),
    join(appDir, "src/egress/process/main.ts"),
    folder.socket,
  ];
  // No core dumps, as they would contain values.
  const limits = Deno.build.os === "linux"
    ? `unset PWD && ulimit -c 0 && ulimit -d ${(RESERVED_MB + MEMORY_MB) * 1024} && exec "$@"`
    : `unset PWD && exec "$@"`;
  const child = new Deno.Command("/bin/sh", {
    args: ["-c", limits, "sh", ...program],
    cwd: "/",
    clearEnv: true,
    env: {
      ...{ ...registryEnv, DENO_DIR: denoDir, DENO_NO_PACKAGE_JSON: "1", DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" },
      ...(certificates.length > 0 && { DENO_CERT: trusted }),
    },
    stdin: "piped",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const kill = (): void => {
    try {
      child.kill("SIGKILL");
    } catch {
      // It has ended already.
    }
  };
  const token = createToken();
  const stdin = child.stdin.getWriter();
  // This fails if the process has ended already, which `ended` reports.
  stdin.write(token).catch(() => {});
  stdin.releaseLock();
  const stderr = readTail(child.stderr);
  const ended = child.status.then(async () => {
    child.stdin.abort().catch(() => {});
    await folder.remove();
    if (uid !== undefined) releaseUid(uid);
    await settledWithin(stderr.ended, STDERR_WAIT_MS);
    return stderr.text();
  });
  const gone = ended.then((): never => {
    throw new Error("the process ended before it connected");
  });
  const late = setTimeout(kill, CONNECT_MAX_MS);
  const connected = Promise.race([acceptAuthenticated(folder.listener, token), gone]).finally(() => {
    clearTimeout(late);
    folder.closeSocket();
  });
  connected.catch(() => {});
  return { connected, ended, kill };
}
