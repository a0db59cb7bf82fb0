// 500 functions that are called once each: how many processes stay, and the memory of those that ended.

import { fill, fillFunctions, withFolder } from "../http/filled.ts";
import { run, save } from "../http/handlers.ts";
import { supervised } from "../http/processes.ts";
import { type Server, startServer } from "../http/server.ts";
import { sample } from "../soak/memory.ts";

const FUNCTIONS = 500;
/** Calls at a time. */
const AT_ONCE = 4;
/** All of them, against the first ones, which fill every process there may be. */
const CEILING = 1.1;

/** Prints processes and memory; returns what is above its ceiling. */
export async function benchFunctions(): Promise<string[]> {
  const missed: string[] = [];
  await withFolder(async (folder) => {
    fill(folder, 0);
    fillFunctions(folder, FUNCTIONS);
    await using server = await startServer({ folder });
    await save(server, "shared.ts", `export default (c, ctx) => c.text(ctx.route.name);\n`);
    const most = await maxProcesses(server);

    const first = await callOnce(server, 0, most);
    const before = sample(server);
    const rest = await callOnce(server, most, FUNCTIONS);
    const after = sample(server);
    const ratio = after.sandboxesMb / before.sandboxesMb;
    const highest = Math.max(first.highest, rest.highest);
    console.log(`\n${FUNCTIONS} functions called once each, ${AT_ONCE} at a time`);
    console.log(`  ${first.failed + rest.failed} calls failed; at most ${highest} processes, of ${most}`);
    console.log(
      `  memory of the processes ${ratio.toFixed(2)} times that after the first ${most}, ceiling ${CEILING}` +
        `   (${after.sandboxesMb.toFixed(0)} against ${before.sandboxesMb.toFixed(0)} MB;` +
        ` host ${after.hostMb.toFixed(0)} against ${before.hostMb.toFixed(0)} MB)`,
    );
    if (first.failed + rest.failed > 0) missed.push(`functions: ${first.failed + rest.failed} calls failed`);
    if (highest > most) missed.push(`functions: ${highest} processes > ${most}`);
    if (ratio > CEILING) missed.push(`functions: ${ratio.toFixed(2)} times the memory > ${CEILING}`);
  });
  return missed;
}

async function maxProcesses(server: Server): Promise<number> {
  const { body } = await server.api("GET", "/api/settings");
  return body.settings.find(({ name }: { name: string }) => name === "sandbox.max-processes").value;
}

/** Calls functions `from` to `to`; how many did not answer rightly, and how many processes there were at most. */
async function callOnce(server: Server, from: number, to: number): Promise<{ failed: number; highest: number }> {
  let [next, failed, highest] = [from, 0, 0];
  const caller = async () => {
    while (next < to) {
      const name = `f-${next++}`;
      const { status, body } = await run(server, `/${name}`);
      if (status !== 200 || body !== name) failed++;
      highest = Math.max(highest, supervised(server).length);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, caller));
  return { failed, highest };
}
