// The admin pages with 10,000 secrets and 1,000 functions: how long each takes, as a multiple of /health.

import { setUp, type Visitor } from "../http/admin.ts";
import { fillObservations, fillWithOwners, withFolder } from "../http/filled.ts";
import { save } from "../http/handlers.ts";
import { startServer } from "../http/server.ts";

const FUNCTIONS = 1_000;
const GROUPS = 20;
const SECRETS = 10_000;
/** In each of the last ones, every function was called. */
const BUSY_MINUTES = 60;
/** In the log. */
const LINES = 20_000;
const HANDLER = `export default async (c, ctx) => c.text(await ctx.getSecret("NAME_7") ?? "none");\n`;
/** A page that takes longer, by its median, is too slow. */
const CEILING_MS = 50;
const WARM_UPS = 5;
const ROUNDS = 40;

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
  "/web/settings/sandbox",
  "/web/settings/encryption",
];

/** Prints each page's median and its ratio to /health; returns those above the ceiling. */
export async function benchPages(): Promise<string[]> {
  const missed: string[] = [];
  await withFolder(async (folder) => {
    fillWithOwners(folder, { functions: FUNCTIONS, groups: GROUPS, secrets: SECRETS });
    fillObservations(folder, { functions: FUNCTIONS, minutes: BUSY_MINUTES, lines: LINES });
    await using server = await startServer({ folder });
    await save(server, "f699.ts", HANDLER);
    const visitor = await setUp(server);
    const health = await median(visitor, "/health");
    console.log(
      `\npages with ${SECRETS} secrets and ${FUNCTIONS} functions; /health takes ${health.ms.toFixed(2)} ms`,
    );
    for (const page of PAGES) {
      const { ms, kilobytes } = await median(visitor, page);
      const ratio = `${(ms / health.ms).toFixed(0)} times`;
      console.log(
        `  ${page.padEnd(60)} ${ratio.padStart(10)} ${ms.toFixed(1).padStart(7)} ms ${
          kilobytes.toFixed(0).padStart(5)
        } KB`,
      );
      if (ms > CEILING_MS) missed.push(`${page}: ${ms.toFixed(1)} ms > ${CEILING_MS}`);
    }
  });
  return missed;
}

/** Milliseconds until the whole answer is there, one request after the other. */
async function median(visitor: Visitor, path: string): Promise<{ ms: number; kilobytes: number }> {
  const taken: number[] = [];
  let kilobytes = 0;
  for (let round = 0; round < WARM_UPS + ROUNDS; round++) {
    const began = performance.now();
    const { status, text } = await visitor.get(path);
    if (status !== 200) throw new Error(`${path} answers ${status}`);
    if (round >= WARM_UPS) taken.push(performance.now() - began);
    kilobytes = text.length / 1024;
  }
  return { ms: taken.sort((a, b) => a - b)[ROUNDS / 2]!, kilobytes };
}
