// The admin pages with 10,000 secrets and 1,000 functions: how long each takes, as a multiple of /health.

import { setUp, type Visitor } from "../http/admin.ts";
import { fillWithOwners, withFolder } from "../http/filled.ts";
import { startServer } from "../http/server.ts";

const FUNCTIONS = 1_000;
const GROUPS = 20;
const SECRETS = 10_000;
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
  "/web/keys",
  "/web/logs",
  "/web/metrics",
  "/web/audit",
  "/web/users",
  "/web/settings",
];

/** Prints each page's median and its ratio to /health; returns those above the ceiling. */
export async function benchPages(): Promise<string[]> {
  const missed: string[] = [];
  await withFolder(async (folder) => {
    fillWithOwners(folder, { functions: FUNCTIONS, groups: GROUPS, secrets: SECRETS });
    await using server = await startServer({ folder });
    const visitor = await setUp(server);
    const health = await median(visitor, "/health");
    console.log(
      `\npages with ${SECRETS} secrets and ${FUNCTIONS} functions; /health takes ${health!.ms.toFixed(2)} ms`,
    );
    for (const page of PAGES) {
      const taken = await median(visitor, page);
      // A section that this version does not have.
      if (!taken) continue;
      const { ms, kilobytes } = taken;
      const ratio = `${(ms / health!.ms).toFixed(0)} times`;
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

/** Milliseconds until the whole answer is there, one request after the other; undefined for a page that is not there. */
async function median(visitor: Visitor, path: string): Promise<{ ms: number; kilobytes: number } | undefined> {
  const taken: number[] = [];
  let kilobytes = 0;
  for (let round = 0; round < WARM_UPS + ROUNDS; round++) {
    const began = performance.now();
    const { status, text } = await visitor.get(path);
    if (status === 404) return undefined;
    if (status !== 200) throw new Error(`${path} answers ${status}`);
    if (round >= WARM_UPS) taken.push(performance.now() - began);
    kilobytes = text.length / 1024;
  }
  return { ms: taken.sort((a, b) => a - b)[ROUNDS / 2]!, kilobytes };
}
