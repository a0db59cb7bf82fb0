// The admin pages with 10,000 secrets and 1,000 functions: the CPU time that each takes, as a multiple of a page that lists
// nothing. Unlike the time on the clock, it does not depend on what else the machine does.

import { join } from "node:path";
import { setUp, type Visitor } from "../http/admin.ts";
import { fillObservations, fillWithOwners, withFolder } from "../http/filled.ts";
import { startServer } from "../http/server.ts";
import { report } from "./ratios.ts";

const FUNCTIONS = 1_000;
const GROUPS = 20;
const SECRETS = 10_000;
/** In each of the last ones, every function was called. */
const BUSY_MINUTES = 60;
/** In the log. */
const LINES = 100_000;
const HANDLER = `export default async (c, ctx) => c.text(await ctx.getSecret("NAME_7") ?? "none");\n`;
/** Has the frame, and a form. */
const BARE = "/web/users/new";
/** A page that takes more than so many times the CPU time of the bare one is too slow. */
const CEILING = 50;
const WARM_UPS = 8;
const ROUNDS = 20;
/** The kernel counts in steps of 10 ms, which is little beside this many visits of the bare page. */
const BARE_ROUNDS = 200;

/** A line for each page. */
const PAGES = [
  "/web",
  "/web/secrets",
  "/web/secrets?after=NAME_500",
  "/web/secrets?q=999",
  "/web/secrets?q=nothing-has-this-name",
  "/web/secrets?scope=function&functionId=700",
  "/web/secrets?scope=key&keyId=150&q=22",
  "/web/secrets?unused=30",
  "/web/secrets/names/SHARED",
  "/web/secrets/names/SHARED?scope=function&after=function-700",
  "/web/secrets/new",
  "/web/secrets/new?scope=function&functionId=700",
  "/web/secrets/1/edit",
  "/web/secrets/1/delete",
  "/web/secrets/resolve?functionId=21&keyId=10",
  "/web/secrets/owners?scope=function&find=99",
  "/web/functions",
  "/web/functions?search=f9",
  "/web/functions?skip=500",
  "/web/functions?sort=calls",
  "/web/functions?sort=-changed",
  "/web/functions?state=failing",
  "/web/functions/new",
  "/web/functions/700",
  "/web/functions/700/settings",
  "/web/functions/700/delete",
  "/web/functions/700/keys?find=k9",
  "/web/functions/700/secret-names?search=NAME",
  "/web/functions/700/logs",
  "/web/functions/700/metrics",
  "/web/files",
  "/web/files/edit?path=f699.ts",
  "/web/packages",
  "/web/keys",
  "/web/keys?after=10",
  "/web/keys?q=k9",
  "/web/keys/new?functionId=700",
  "/web/keys/150",
  "/web/keys/150/revoke",
  "/web/keys/groups/new",
  "/web/keys/groups/10",
  "/web/keys/groups/10/delete",
  "/web/logs",
  "/web/logs?functionId=700",
  "/web/logs?search=line+77",
  "/web/metrics",
  "/web/metrics?range=six-hours",
  "/web/metrics?range=two-weeks",
  "/web/metrics?function=700",
  "/web/audit",
  "/web/audit?subject=SHARED",
  "/web/users",
  "/web/users/new",
  "/web/users/1",
  "/web/account",
  "/web/settings",
  "/web/settings/encryption",
];

/** Prints how many times as long as the bare page each takes; returns those above the ceiling. */
export async function benchPages(): Promise<string[]> {
  const missed: string[] = [];
  await withFolder(async (folder) => {
    fillWithOwners(folder, { functions: FUNCTIONS, groups: GROUPS, secrets: SECRETS });
    fillObservations(folder, { functions: FUNCTIONS, minutes: BUSY_MINUTES, lines: LINES });
    await Deno.mkdir(join(folder, "code"), { recursive: true });
    for (let n = 0; n < FUNCTIONS; n++) await Deno.writeTextFile(join(folder, "code", `f${n}.ts`), HANDLER);
    await using server = await startServer({ folder });
    const visitor = await setUp(server);
    const cpuMs = async (page: string, rounds: number): Promise<number> => {
      for (let n = 0; n < WARM_UPS; n++) await got(visitor, page);
      const before = cpuMsOf(server.pid);
      for (let n = 0; n < rounds; n++) await got(visitor, page);
      return (cpuMsOf(server.pid) - before) / rounds;
    };
    await cpuMs(BARE, BARE_ROUNDS);
    const baseMs = await cpuMs(BARE, BARE_ROUNDS);
    console.log(`\npages with ${SECRETS} secrets and ${FUNCTIONS} functions: CPU time, against ${BARE}`);
    for (const page of PAGES) {
      const ms = await cpuMs(page, ROUNDS);
      missed.push(...report(page, { ms, baseMs, ratio: ms / baseMs }, CEILING));
    }
  });
  return missed;
}

/** The CPU time of a process so far, in milliseconds (proc_pid_stat(5), in steps of 1/100 s). */
function cpuMsOf(pid: number): number {
  const fields = Deno.readTextFileSync(`/proc/${pid}/stat`).split(") ").at(-1)!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** Waits until the whole answer is there. */
async function got(visitor: Visitor, path: string): Promise<void> {
  const { status } = await visitor.get(path);
  if (status !== 200) throw new Error(`${path} answers ${status}`);
}
