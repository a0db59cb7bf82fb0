// Executes the steps of the Dockerfile in folders that hold a minimal Debian, as a container engine does in layers.

import { dirname, join } from "node:path";
import { ROOT } from "../http/server.ts";
import { type Dockerfile, type Instruction, type Stage, variablesOf } from "./dockerfile.ts";

const DEBIAN = "bookworm";
/** How this machine reaches registries; a container engine is given the like as build arguments. */
const NETWORK = /^(HTTPS?_PROXY|NO_PROXY|NODE_EXTRA_CA_CERTS|DENO_CERT|SSL_CERT_FILE|NPM_CONFIG_REGISTRY)$/i;

export const ROOT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Runs a command and resolves to what it printed. @throws Error with that if it fails */
export async function output(command: readonly string[], env: Record<string, string> = {}): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command[0]!, {
    args: command.slice(1),
    env: { DEBIAN_FRONTEND: "noninteractive", ...env },
    stdin: "null",
  }).output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  if (!success) throw new Error(`${command.join(" ")}\n${out}${err}`);
  return out!;
}

/** Makes a minimal Debian in `folder`; resolves to its root. */
export async function makeDebian(folder: string): Promise<string> {
  const root = join(folder, "debian");
  await output(["debootstrap", "--variant=minbase", DEBIAN, root, "http://deb.debian.org/debian"]);
  return root;
}

/** Builds the image in `folder`; resolves to the root of its file system. */
export async function buildImage(dockerfile: Dockerfile, folder: string): Promise<string> {
  const debian = await makeDebian(folder);
  const roots = new Map<string, string>();
  let root = debian;
  for (const [index, stage] of dockerfile.stages.entries()) {
    root = join(folder, `stage-${index}`);
    await output(["cp", "--archive", "--reflink=auto", debian, root]);
    await prepare(stage, root);
    if (stage.name) roots.set(stage.name, root);
    await buildStage(stage, root, roots);
  }
  return root;
}

/** Adds to Debian what the image has that a stage begins with. */
async function prepare({ from }: Stage, root: string): Promise<void> {
  if (from === `debian:${DEBIAN}-slim`) return;
  if (!/^node:\d+-bookworm-slim$/.test(from)) throw new Error(`${from} cannot be made of ${DEBIAN}`);
  await addNode(root);
}

/** Adds this machine's Node.js and npm. */
export async function addNode(root: string): Promise<void> {
  const node = await Deno.realPath(await which("node"));
  const npm = dirname(dirname(await Deno.realPath(await which("npm"))));
  const [bin, modules] = [join(root, "usr/local/bin"), join(root, "usr/local/lib/node_modules")];
  await Deno.mkdir(modules, { recursive: true });
  await Deno.copyFile(node, join(bin, "node"));
  await output(["cp", "--archive", npm, modules]);
  await Deno.symlink("../lib/node_modules/npm/bin/npm-cli.js", join(bin, "npm"));
}

async function which(program: string): Promise<string> {
  return (await output(["/bin/sh", "-c", `command -v ${program}`])).trim();
}

async function buildStage({ instructions }: Stage, root: string, roots: Map<string, string>): Promise<void> {
  const env: Record<string, string> = {};
  let cwd = "/";
  for (const instruction of instructions) {
    const { name, text, line } = instruction;
    if (name === "ENV") Object.assign(env, variablesOf(text));
    else if (name === "WORKDIR") await Deno.mkdir(join(root, cwd = text), { recursive: true });
    else if (name === "COPY") await copy(instruction, root, cwd, roots);
    else if (name === "RUN") await run(text, root, cwd, env);
    else if (!["USER", "VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT"].includes(name)) {
      throw new Error(`Dockerfile:${line}: this test does not know ${name}`);
    }
  }
}

/** COPY [--from=STAGE] SOURCE… TARGET: a folder's content, or files, which belong to root. */
async function copy({ text, line }: Instruction, root: string, cwd: string, roots: Map<string, string>): Promise<void> {
  const words = text.split(/\s+/);
  const stage = /^--from=(.+)$/.exec(words[0]!)?.[1];
  if (stage) words.shift();
  const target = words.pop()!;
  const to = target.startsWith("/") ? join(root, target) : join(root, cwd, target);
  const sent = (await Deno.readTextFile(join(ROOT, ".dockerignore"))).split("\n");
  for (const source of words) {
    if (!stage && !sent.includes(`!${source}`)) {
      throw new Error(`Dockerfile:${line}: .dockerignore leaves out ${source}`);
    }
    const from = join(stage ? roots.get(stage)! : ROOT, source);
    if ((await Deno.stat(from)).isDirectory) {
      await Deno.mkdir(to, { recursive: true });
      await output(["cp", "--archive", "--no-preserve=ownership", `${from}/.`, to]);
    } else {
      if (target.endsWith("/")) await Deno.mkdir(to, { recursive: true });
      await output(["cp", "--archive", "--no-preserve=ownership", from, to]);
    }
  }
}

/** RUN as root, with this machine's network. */
async function run(script: string, root: string, cwd: string, env: Record<string, string>): Promise<void> {
  const mounts = 'mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" && exec chroot "$1" /bin/sh -c "$2"';
  const set = Object.entries({ PATH: ROOT_PATH, ...await shareNetwork(root), ...env })
    .map(([name, value]) => `${name}=${value}`);
  await output([
    ...["unshare", "--mount", "--pid", "--fork", "env", "--ignore-environment", ...set],
    ...["/bin/sh", "-c", mounts, "sh", root, `cd ${cwd} && ${script}`],
  ]);
}

/** Copies into `root` what reaching registries takes here; resolves to the variables for it. */
export async function shareNetwork(root: string): Promise<Record<string, string>> {
  const variables: Record<string, string> = {};
  for (const [name, value] of Object.entries(Deno.env.toObject())) {
    if (!NETWORK.test(name)) continue;
    variables[name] = value;
    if (!value.startsWith("/")) continue;
    await Deno.mkdir(join(root, dirname(value)), { recursive: true });
    await Deno.copyFile(value, join(root, value));
    // Deno has a name of its own for the same.
    variables.DENO_CERT ??= value;
  }
  for (const name of ["resolv.conf", "hosts"]) await Deno.copyFile(`/etc/${name}`, join(root, "etc", name));
  return variables;
}
