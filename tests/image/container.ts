// Runs an image as compose.yaml says: as its user, without capabilities, on a file system that cannot be written to,
// and, unlike there, without any network but its own loopback, where nothing can be fetched.

import { join } from "node:path";
import { Printed } from "../http/server.ts";
import { output } from "./build.ts";
import { type Dockerfile, variablesOf } from "./dockerfile.ts";

export interface Container extends AsyncDisposable {
  /** The id of the server's process on this machine. */
  readonly pid: number;
  logged(pattern: RegExp): Promise<RegExpExecArray>;
  logs(): string;
  /** Runs a command in it as its user, as `docker compose exec` does. @throws Error with the output if it fails */
  exec(...command: string[]): Promise<string>;
  /** Sends a request to the server from inside; the status and the body. */
  request(method: string, path: string, body?: unknown): Promise<{ status: number; body: string }>;
  /** Sends the image's stop signal; the exit code. */
  stop(): Promise<number>;
}

export interface ContainerOptions {
  /** Variables besides those of the image. */
  readonly env: Record<string, string>;
  /** Options of mount(8) for /tmp. */
  readonly tmp: string;
  /** Holds a folder for each volume, filled from the image if it is new. */
  readonly volumes: string;
  /** Sent with requests. */
  readonly key: string;
}

/** Mounts what a container engine mounts, and becomes the image's user without any right. $1: root; then user, group. */
const START = `set -e
root=$1 user=$2 group=$3 tmp=$4 volumes=$5; shift 5
mount --make-rprivate / && mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o "noexec,nosuid,nodev,$tmp" tmpfs "$root/tmp"
for volume in "$volumes"/*; do mount --bind "$volume" "$root/$(basename "$volume")"; done
mount -o remount,bind,ro "$root"
perl -e 'socket(my $socket, 2, 2, 0); my $up = pack("a16 s x14", "lo", 1); ioctl($socket, 0x8914, $up) or die $!'
ulimit -c 0
exec chroot "$root" /bin/sh -c 'cd "$1" && shift && exec "$@"' sh "$WORKDIR" \\
  setpriv --reuid="$user" --regid="$group" --clear-groups --bounding-set=-all --inh-caps=-all --no-new-privs "$@"`;

/** Starts the image in `root`. */
export async function startContainer(
  dockerfile: Dockerfile,
  root: string,
  { env, tmp, volumes, key }: ContainerOptions,
): Promise<Container> {
  const [user, group] = dockerfile.text("USER").split(":") as [string, string];
  await fillVolumes(dockerfile.list("VOLUME"), root, volumes);
  const workdir = dockerfile.text("WORKDIR");
  const variables: Record<string, string> = {
    PATH: "/usr/local/bin:/usr/bin:/bin",
    ...variablesOf(dockerfile.text("ENV")),
    ...env,
  };
  const set = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
  const child = new Deno.Command("unshare", {
    args: [
      ...["--mount", "--pid", "--net", "--ipc", "--uts", "--fork", "--kill-child"],
      ...["/bin/sh", "-c", START, "sh", root, user, group, tmp, volumes],
      ...["env", "--ignore-environment", ...set, ...dockerfile.list("ENTRYPOINT")],
    ],
    env: { WORKDIR: workdir },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const printed = new Printed();
  const collect = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>) => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) printed.add(text);
  };
  const ended = Promise.all([child.status, collect(child.stdout), collect(child.stderr)]);
  await Promise.race([
    printed.match(/^Listening on /m),
    ended.then(([{ code }]) => Promise.reject(new Error(`The server ended with ${code}:\n${printed.text}`))),
  ]);
  const pid = Number((await Deno.readTextFile(`/proc/${child.pid}/task/${child.pid}/children`)).trim());

  const exec = (...command: string[]): Promise<string> =>
    output([
      ...["nsenter", `--target=${pid}`, "--mount", "--net", "--pid", "--root", `--wd=/proc/${pid}/cwd`],
      ...["setpriv", `--reuid=${user}`, `--regid=${group}`, "--clear-groups", "--bounding-set=-all"],
      ...["--inh-caps=-all", "--no-new-privs", "env", "--ignore-environment", ...set, ...command],
    ]);
  const stop = async (): Promise<number> => {
    try {
      Deno.kill(pid, dockerfile.text("STOPSIGNAL") as Deno.Signal);
    } catch {
      // It has ended already.
    }
    return (await ended)[0].code;
  };
  return {
    pid,
    logged: (pattern) => printed.match(pattern),
    logs: () => printed.text,
    exec,
    async request(method, path, body) {
      const sent = body === undefined ? [] : [
        ...["--header", `Content-Type: ${typeof body === "string" ? "text/plain" : "application/json"}`],
        ...["--data-binary", typeof body === "string" ? body : JSON.stringify(body)],
      ];
      const text = await output([
        ...["nsenter", `--target=${pid}`, "--net", "curl", "--silent", "--show-error", "--request", method],
        ...["--write-out", "\n%{http_code}", "--header", `X-API-Key: ${key}`, ...sent],
        `http://127.0.0.1:${variables.PORT}${path}`,
      ]);
      const end = text.lastIndexOf("\n");
      return { status: Number(text.slice(end + 1)), body: text.slice(0, end) };
    },
    stop,
    async [Symbol.asyncDispose]() {
      await stop();
    },
  };
}

/** A new volume begins as the image's folder, with its owner and mode. */
async function fillVolumes(paths: readonly string[], root: string, volumes: string): Promise<void> {
  for (const path of paths) {
    if (await Deno.stat(join(volumes, path)).catch(() => undefined)) continue;
    await output(["cp", "--archive", join(root, path), join(volumes, path)]);
  }
}
