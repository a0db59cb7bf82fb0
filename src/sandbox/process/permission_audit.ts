// Reads which hosts a sandbox process asks Deno's permissions for, from Deno's own record of all checks. It is written to
// a pipe, not a file: it contains URLs, and with them whatever a handler puts there. What comes is data of a process
// that may have been taken over; the most that it can do is to invent hosts of its own function.

/** The process's standard output, which is not used otherwise. */
const PIPE = "/proc/self/fd/1";
const VARIABLE = "DENO_AUDIT_PERMISSIONS";

/** Stands for hosts that cannot be listed in `permissions.net`, and for those beyond a limit. */
export const OTHER_HOSTS = "*";
/** A host that can be listed, with its port: no IPv4-mapped IPv6 address. */
const LISTABLE = /^(?!\[[0:]*ffff:)(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\]):[0-9]{1,5}$/;

/** A check of a host; those of URLs are followed by one of these, as there are always denied hosts (Deno 2.9.6). */
const CHECK = /"permission":"net","value":"([^"\/]{1,300}):([0-9]{1,5})"\}\n/g;
const LINE_MAX_LENGTH = 600;

/** A process that is idle waits with a small buffer. */
const IDLE_BYTES = 1_024;
const READ_MAX_BYTES = 64 * 1024;
/**
 * The pause after each read, and after one that filled its buffer: some 35,000 checks a second. Until it is over, a
 * process that checks more waits for its own pipe, so that a flood costs the server little.
 */
const PAUSE_MS = 50;
const FULL_PAUSE_MS = 20;

/** How often each host was asked for, by its name in lower case with its port. */
export type CheckedHosts = ReadonlyMap<string, number>;

/**
 * Returns commands for /bin/sh, which end in `&&`, after which Deno records checks. A process with a user of its own may
 * open the pipe again only if it belongs to that user.
 */
export function auditCommands(uid: number | undefined): string {
  const enable = `export ${VARIABLE}=${PIPE}`;
  return uid === undefined ? `${enable} && ` : `{ chown ${uid} ${PIPE} && ${enable} || :; } 2>/dev/null && `;
}

export interface CheckReader {
  /** Resolves when the stream has ended. */
  readonly ended: Promise<void>;
  /** Reads the rest without pauses, as the process has ended. */
  finish(): void;
}

/**
 * Calls `onHosts` with the hosts that were asked for, some of them at a time, until the stream ends. If it throws, these
 * are lost and the stream is read on, as a process whose pipe is full would wait for ever.
 */
export function readChecks(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  onHosts: (hosts: CheckedHosts) => void,
): CheckReader {
  const reader = stream.getReader({ mode: "byob" });
  let finished = false;
  let endPause = (): void => {};
  const pause = (ms: number): Promise<void> | undefined => {
    if (finished) return undefined;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    endPause = () => {
      clearTimeout(timer);
      resolve();
    };
    return promise;
  };
  const read = async (): Promise<void> => {
    let rest = "";
    for (let size = IDLE_BYTES;;) {
      const { value, done } = await reader.read(new Uint8Array(size));
      if (done || !value) return;
      const text = rest + latin1(value);
      const hosts = hostsIn(text);
      if (hosts.size > 0) attempt(() => onHosts(hosts));
      rest = text.slice(text.lastIndexOf("\n") + 1).slice(-LINE_MAX_LENGTH);
      const isFull = value.length === size;
      size = isFull ? Math.min(READ_MAX_BYTES, size * 8) : IDLE_BYTES;
      await pause(isFull ? FULL_PAUSE_MS : PAUSE_MS);
    }
  };
  return {
    ended: read().catch(() => {}),
    finish() {
      finished = true;
      endPause();
    },
  };
}

/** Returns the hosts in complete lines of Deno's record. */
export function hostsIn(text: string): CheckedHosts {
  const hosts = new Map<string, number>();
  for (const [, name, port] of text.matchAll(CHECK)) {
    // Any port, to listen on or to send datagrams from.
    if (port === "0") continue;
    const entry = `${name!.toLowerCase()}:${Number(port)}`;
    const host = LISTABLE.test(entry) && Number(port) < 65_536 ? entry : OTHER_HOSTS;
    hosts.set(host, (hosts.get(host) ?? 0) + 1);
  }
  return hosts;
}

/**
 * Reports whether a process that is started by `command`, the arguments of Deno's `run` included, records checks so
 * that they can be read here.
 */
export async function tryAudit(
  command: readonly string[],
  uid: number | undefined,
  env: Readonly<Record<string, string>>,
): Promise<boolean> {
  const program = `try { Deno.listen({ hostname: "127.0.0.1", port: 1 }); } catch { /* It is denied. */ }`;
  const { success, stdout } = await new Deno.Command("/bin/sh", {
    args: [
      ...["-c", `${auditCommands(uid)}exec "$@"`, "sh", ...command],
      ...["--allow-net", "--deny-net=127.0.0.1", `data:text/javascript,${encodeURIComponent(program)}`],
    ],
    cwd: "/",
    clearEnv: true,
    env: { ...env },
    stdin: "null",
    stderr: "null",
  }).output();
  return success && hostsIn(latin1(stdout)).has("127.0.0.1:1");
}

function attempt(work: () => void): void {
  try {
    work();
  } catch {
    // What is observed is less than what runs.
  }
}

function latin1(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

const decoder = new TextDecoder("latin1");
