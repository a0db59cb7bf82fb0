// What it takes to start the server as an ordinary user where the tests run as root: a copy of the program and of the
// packages that it imports, as root's own may be closed to others.

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ServerOptions } from "../http/server.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** The user `nobody`, whom nothing belongs to. */
const UID = 65_534;
/** What the server reads of its own folder. */
const PROGRAM = ["deno.json", "deno.lock", "main.ts", "src", "static", "workers"];

/** Whether this process may start programs as another user. */
export const canSwitchUser = Deno.uid() === 0;

let installation: string | undefined;

/** Returns options by which `startServer` runs the server as `nobody`, in a new folder; disposing removes it. */
export async function asOrdinaryUser(): Promise<ServerOptions & AsyncDisposable> {
  installation ??= await install();
  const folder = await Deno.makeTempDir({ prefix: "crude-functions-test-" });
  await Deno.chown(folder, UID, UID);
  const { program, deno } = places(installation);
  return {
    folder,
    // The first argument is the Deno of these tests.
    prepare: `cd ${program} && shift && set -- setpriv --reuid=${UID} --regid=${UID} --clear-groups ${deno} "$@"`,
    env: { HOME: installation, DENO_DIR: join(installation, "cache", "deno") },
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

function places(home: string): { program: string; deno: string } {
  return { program: join(home, "program"), deno: join(home, "deno") };
}

async function install(): Promise<string> {
  const home = await Deno.makeTempDir({ prefix: "crude-functions-test-" });
  addEventListener("unload", () => Deno.removeSync(home, { recursive: true }));
  const { program, deno } = places(home);
  const packages = join(home, "cache", "deno", "npm", "registry.npmjs.org");
  const { npm } = JSON.parse(await Deno.readTextFile(join(ROOT, "deno.lock"))) as { npm: Record<string, unknown> };
  const from = join(await denoDir(), "npm", "registry.npmjs.org");
  const copies = new Map(PROGRAM.map((name) => [join(ROOT, name), join(program, name)]));
  for (const entry of Object.keys(npm)) {
    const [, name, version] = /^(.+?)@(\d[^_]*)/.exec(entry)!;
    copies.set(join(from, name!, version!), join(packages, name!, version!));
    // Deno keeps it only if it once asked for the package's versions.
    const index = join(from, name!, "registry.json");
    if (await Deno.stat(index).catch(() => null)) copies.set(index, join(packages, name!, "registry.json"));
  }
  for (const [source, target] of copies) await copy(source, target);
  await copy(await Deno.realPath(Deno.execPath()), deno);
  await shell(`chmod -R a+rX ${home} && chown -R ${UID}:${UID} ${join(home, "cache")} && chown ${UID}:${UID} ${home}`);
  return home;
}

async function denoDir(): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json", "--no-config"] }).output();
  return JSON.parse(new TextDecoder().decode(stdout)).denoDir;
}

async function copy(source: string, target: string): Promise<void> {
  await shell(`mkdir -p "$(dirname ${target})" && cp -r ${source} ${target}`);
}

async function shell(command: string): Promise<void> {
  const { success, stderr } = await new Deno.Command("/bin/sh", { args: ["-c", command] }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}
