// A Debian that systemd runs, in a container of systemd-nspawn that shares this machine's network.

import { join } from "node:path";
import { ROOT } from "../http/server.ts";
import { addNode, makeDebian, output, ROOT_PATH, shareNetwork } from "./build.ts";

const BOOT_MAX_MS = 60_000;
const POLL_MS = 100;
/** What systemd-nspawn denies by default and the walls around functions need. */
const LANDLOCK = ["landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"];

export interface Machine extends AsyncDisposable {
  readonly root: string;
  /** Runs a script of bash as root, in the project's folder. @throws Error with the output if it fails */
  run(script: string): Promise<string>;
}

/** Boots a Debian in `folder`, with Node.js and the programs that `packages` names. */
export async function bootMachine(folder: string, packages: readonly string[]): Promise<Machine> {
  const root = await makeDebian(folder);
  await addNode(root);
  const network = await shareNetwork(root);
  const install = `apt-get update -qq && apt-get install -y -qq --no-install-recommends ${packages.join(" ")}`;
  await output(["chroot", root, "/bin/sh", "-c", install]);
  await Deno.mkdir(join(root, "project"));
  const nspawn = new Deno.Command("unshare", {
    args: [
      ...["--mount", "systemd-nspawn", "--boot", "--register=no", "--keep-unit", "--console=pipe"],
      ...["--link-journal=no", `--directory=${root}`, `--bind-ro=${ROOT}:/project`],
      ...LANDLOCK.map((name) => `--system-call-filter=${name}`),
    ],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const stop = async (): Promise<void> => {
    nspawn.kill("SIGTERM");
    await nspawn.status;
  };
  const set = Object.entries({ PATH: ROOT_PATH, HOME: "/root", ...network }).map(([name, value]) => `${name}=${value}`);
  const enter = async (command: readonly string[]): Promise<string> =>
    await output([
      ...[
        "nsenter",
        `--target=${await leaderOf(nspawn.pid)}`,
        "--all",
        "--wd=/",
        "env",
        "--ignore-environment",
        ...set,
      ],
      ...command,
    ]);
  try {
    await until(() => enter(["systemctl", "is-system-running", "--wait"]));
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    root,
    run: (script) => enter(["bash", "-euo", "pipefail", "-c", `cd /project\n${script}`]),
    [Symbol.asyncDispose]: stop,
  };
}

/** Returns the id of the container's first process. @throws Error if there is none yet */
async function leaderOf(nspawn: number): Promise<number> {
  const children = await Deno.readTextFile(`/proc/${nspawn}/task/${nspawn}/children`);
  for (const pid of children.trim().split(" ").filter((pid) => pid !== "")) {
    if (/^systemd\n$/.test(await Deno.readTextFile(`/proc/${pid}/comm`))) return Number(pid);
  }
  throw new Error("systemd has not started");
}

/** Tries again until it succeeds. @throws the last Error after a minute */
async function until(attempt: () => Promise<unknown>): Promise<void> {
  const end = performance.now() + BOOT_MAX_MS;
  for (;;) {
    try {
      return void await attempt();
    } catch (error) {
      if (performance.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
}
