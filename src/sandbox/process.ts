// Starting and killing sandbox processes, and the private socket of each. Knows nothing of calls.

import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const SUPERVISOR = fileURLToPath(new URL("../../workers/supervisor.ts", import.meta.url));
const WORKERS_DIR = fileURLToPath(new URL("../../workers", import.meta.url));
const PROTOCOL = fileURLToPath(new URL("./protocol.ts", import.meta.url));
/** Of what a process prints while it loads; later nothing is read. */
const STDERR_MAX_BYTES = 4_096;
/** sun_path holds 108 bytes with its NUL (unix(7)). */
const SOCKET_PATH_MAX_LENGTH = 107;

/**
 * Where no function may connect unless it names the host: this machine (RFC 1122 3.2.1.3, RFC 4291 2.5.3),
 * unspecified and link-local addresses, where clouds answer with credentials (RFC 3927), the last one over
 * IPv6. Deno takes ranges for IPv4 only.
 */
const PRIVATE_NETS = ["127.0.0.0/8", "0.0.0.0/8", "169.254.0.0/16", "[::1]", "[::]", "[fd00:ec2::254]"];

export interface Code {
  /** Absolute paths of the files that may be read. */
  readonly files: readonly string[];
  /** Set if packages were fetched: their versions. */
  readonly lockFile: string | undefined;
  readonly importHosts: readonly string[];
  readonly net: boolean | readonly string[];
}

/** What all sandbox processes have in common. */
export interface ProcessOptions {
  /** A folder of mode 0700 for sockets. */
  readonly runDir: string;
  /** The cache that holds the workers' and the handlers' packages. */
  readonly denoDir: string;
  /** `host:port` of this server under each of its addresses: no function may ever connect to them. */
  readonly ownAddresses: () => readonly string[];
}

export interface SandboxProcess {
  /** The one connection to it. Rejects if the process ends or `kill` is called before it connects. */
  readonly connected: Promise<Deno.UnixConn>;
  /** Settles when the process is gone, with how it ended. */
  readonly ended: Promise<Deno.CommandStatus>;
  /** What it printed before it was connected; for the log. */
  stderr(): string;
  /** SIGKILL: the only signal that a loop cannot outlast. */
  kill(): void;
}

/** Starts a process that may do what `code` says and nothing else, and waits for it to connect. */
export function startProcess(code: Code, { runDir, denoDir, ownAddresses }: ProcessOptions): SandboxProcess {
  for (const path of [WORKERS_DIR, runDir, ...code.files]) {
    // Deno's flags have no way to write a comma inside a path.
    if (path.includes(",")) throw new Error(`a path of a sandbox must not contain a comma: ${path}`);
  }
  const folder = join(runDir, randomUUID());
  const socket = join(folder, "s");
  if (socket.length > SOCKET_PATH_MAX_LENGTH) throw new Error(`the path of a socket would be too long: ${socket}`);
  Deno.mkdirSync(folder, { mode: 0o700 });
  const listener = Deno.listen({ transport: "unix", path: socket });
  const task = { socket, files: code.files, importHosts: code.importHosts };
  const child = new Deno.Command(Deno.execPath(), {
    args: [...flags(code, socket, ownAddresses()), SUPERVISOR, JSON.stringify(task)],
    clearEnv: true,
    env: { DENO_DIR: denoDir, DENO_NO_PACKAGE_JSON: "1", DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" },
    stdin: "piped",
    stdout: "null",
    stderr: "piped",
  }).spawn();

  const stderr = collect(child.stderr);
  const closeSocket = (): void => {
    try {
      listener.close();
    } catch {
      // Closed already.
    }
    try {
      Deno.removeSync(folder, { recursive: true });
    } catch {
      // Removed already.
    }
  };
  const ended = child.status.finally(closeSocket);
  const gone = ended.then((): never => {
    throw new Error("the process ended before it connected");
  });
  // The socket and its folder go as soon as they have served: nobody else can connect, and the
  // permissions that the process needed for them are worth nothing from here on.
  const connected = Promise.race([listener.accept() as Promise<Deno.UnixConn>, gone]).finally(closeSocket);
  connected.catch(() => {});

  return {
    connected,
    ended,
    stderr,
    kill() {
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended by itself.
      }
    },
  };
}

function flags({ files, lockFile, importHosts, net }: Code, socket: string, ownAddresses: readonly string[]): string[] {
  const read = [WORKERS_DIR, PROTOCOL, socket, ...files];
  const allowNet = net === true ? ["--allow-net"] : [`--allow-net=${[`unix:${socket}`, ...(net || [])].join(",")}`];
  return [
    "run",
    "--quiet",
    "--no-prompt",
    "--no-config",
    "--node-modules-dir=none",
    "--cached-only",
    "--unstable-worker-options",
    ...(lockFile ? [`--lock=${lockFile}`, "--frozen"] : ["--no-lock"]),
    `--allow-read=${read.join(",")}`,
    `--allow-write=${socket}`,
    importHosts.length > 0 ? `--allow-import=${importHosts.join(",")}` : "--deny-import",
    ...allowNet,
    `--deny-net=${denied(net, ownAddresses).join(",")}`,
  ];
}

/**
 * Addresses refused after a name has been looked up, too. A function that names an address of this
 * machine gives up that network's protection, but reaches the hosts it lists only.
 */
function denied(net: boolean | readonly string[], ownAddresses: readonly string[]): string[] {
  const named = Array.isArray(net) ? net as readonly string[] : [];
  const open = named.some((entry) => isPrivate(entry));
  return [...(open ? [] : PRIVATE_NETS), ...ownAddresses];
}

function isPrivate(entry: string): boolean {
  return /^(127\.|0\.|169\.254\.|localhost(:|$)|\[(::|fe[89ab]))/i.test(entry);
}

/** Reads a stream to its end, so that nobody blocks on it, and keeps its beginning. */
function collect(stream: ReadableStream<Uint8Array>): () => string {
  let text = "";
  const decoder = new TextDecoder();
  (async () => {
    for await (const bytes of stream) {
      if (text.length < STDERR_MAX_BYTES) {
        text = (text + decoder.decode(bytes, { stream: true })).slice(0, STDERR_MAX_BYTES);
      }
    }
  })().catch(() => {});
  return () => text;
}
