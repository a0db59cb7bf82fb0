// Functions with packages that are all called at once after a restart, against their starts one by one; and what a
// process takes with and without a large tree of packages.

import assert from "node:assert/strict";
import { withFolder } from "../http/filled.ts";
import { deploy, run, set } from "../http/handlers.ts";
import { type Server, startServer } from "../http/server.ts";
import { sample } from "../soak/memory.ts";

const FUNCTIONS = 40;
/** Elapsed time of all starts at once, against the sum of them one by one divided by the processors. */
const CEILING = 1.5;
/** On a machine with other work, too, each call is answered. */
const PATIENCE_MS = 300_000;
/** For the processes whose memory is measured. */
const PROCESSES = 8;

/** Small and middling packages that need nothing of the system; functions take turns. */
const PACKAGES: readonly string[] = [
  "ms@2.1.3",
  "zod@4.6.7",
  "date-fns@4.4.0",
  "lodash@4.18.1",
  "semver@7.8.6",
  "nanoid@6.0.2",
  "yaml@2.9.1",
  "uuid@14.0.3",
];
const LARGE = "@aws-sdk/client-s3@3.1169.0";

function handlerOf(specifier: string): string {
  return `import * as imported from "npm:${specifier}";
    export default (c) => c.text(String(Object.keys(imported).length > 0));`;
}

/** Prints times and memory; returns what is above its ceiling. */
export async function benchColdStarts(): Promise<string[]> {
  const missed: string[] = [];
  await withFolder(async (folder) => {
    let oneByOneMs = 0;
    {
      await using server = await startServer({ folder });
      for (let n = 0; n < FUNCTIONS; n++) {
        await deploy(server, `cold${n}`, handlerOf(PACKAGES[n % PACKAGES.length]!), { timeoutMs: PATIENCE_MS });
      }
      for (let n = 0; n < FUNCTIONS; n++) oneByOneMs += await timed(() => callOne(server, n));
    }
    await using server = await startServer({ folder });
    const atOnceMs = await timed(() => Promise.all(Array.from({ length: FUNCTIONS }, (_, n) => callOne(server, n))));
    const idealMs = oneByOneMs / navigator.hardwareConcurrency;
    const ratio = atOnceMs / idealMs;
    console.log(`\n${FUNCTIONS} functions with packages, called at once after a restart`);
    console.log(
      `  ${ratio.toFixed(2)} times their warm starts one by one on ${navigator.hardwareConcurrency} processors, ` +
        `ceiling ${CEILING}   (${seconds(atOnceMs)} against ${seconds(oneByOneMs)} s in all)`,
    );
    if (ratio > CEILING) missed.push(`cold starts: ${ratio.toFixed(2)} > ${CEILING}`);
  });
  console.log(`\nmemory of a process (Pss), of ${PROCESSES} that have answered once`);
  await printMemory("no package", `export default (c) => c.text("true");`);
  await printMemory(LARGE, handlerOf(LARGE));
  return missed;
}

async function callOne(server: Server, n: number): Promise<void> {
  const { status, body } = await run(server, `/cold${n}`);
  assert.deepEqual([status, body], [200, "true"], `cold${n}: ${status} ${JSON.stringify(body)}\n${server.logs()}`);
}

async function printMemory(what: string, code: string): Promise<void> {
  await using server = await startServer();
  await set(server, { "sandbox.spare-processes": 0 });
  for (let n = 0; n < PROCESSES; n++) {
    await deploy(server, `f${n}`, code, { memoryMb: 256 });
    const { status, body } = await run(server, `/f${n}`);
    if (status !== 200 || body !== "true") return console.log(`  ${what}: not measured, as it does not load here`);
  }
  const { sandboxesMb, processes } = sample(server);
  console.log(`  ${what}: ${(sandboxesMb / processes).toFixed(1)} MB`);
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

function seconds(ms: number): string {
  return (ms / 1_000).toFixed(1);
}
