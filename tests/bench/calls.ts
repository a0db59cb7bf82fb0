// Calls of functions against a bare Deno.serve + hono handler, by turns in one run.

import { Hono } from "hono";
import { createGroup, createKey, createSecret, deploy, type FunctionOptions } from "../http/handlers.ts";
import { type Server, startServer } from "../http/server.ts";
import { type Load, load } from "./wrk.ts";

const ROUNDS = 3;
const SECONDS = 4;

interface Scenario {
  readonly name: string;
  readonly path: string;
  /** Lowest ratio to bare hono at 32 connections that is acceptable. */
  readonly floor?: number;
}

const SCENARIOS: Scenario[] = [
  { name: "hello", path: "/hello", floor: 0.12 },
  { name: "one secret behind an API key", path: "/one", floor: 0.09 },
  { name: "seven secrets in parallel", path: "/seven" },
];

/** Prints ratios; returns the names of scenarios below their floor. */
export async function benchCalls(): Promise<string[]> {
  const bare = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--frozen",
      "--config",
      new URL("../deno.json", import.meta.url).pathname,
      "--allow-net",
      import.meta.url,
      "bare",
    ],
    stdout: "piped",
  }).spawn();
  const reader = bare.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const bareUrl = `http://127.0.0.1:${(await reader.read()).value!.trim()}/`;
  await using server = await startServer();
  try {
    const key = await prepare(server);
    const missed: string[] = [];
    for (const connections of [1, 32]) {
      console.log(
        `\n${connections} connection${connections > 1 ? "s" : ""}, medians of ${ROUNDS} rounds of ${SECONDS} s`,
      );
      for (const { name, path, floor } of SCENARIOS) {
        const ratios: number[] = [];
        const ours: Load[] = [];
        for (let round = 0; round < ROUNDS; round++) {
          const base = await load(bareUrl, connections, SECONDS);
          const call = await load(`${server.url}/run${path}`, connections, SECONDS, { "X-API-Key": key });
          if (call.failed > 0) throw new Error(`${name}: ${call.failed} calls failed`);
          ratios.push(call.requestsPerSecond / base.requestsPerSecond);
          ours.push(call);
        }
        const ratio = median(ratios);
        const call = ours[ratios.indexOf(ratio)]!;
        const bound = connections === 32 && floor ? `, floor ${percent(floor)}` : "";
        console.log(
          `  ${name.padEnd(30)} ${percent(ratio).padStart(6)} of bare hono${bound}` +
            `   (${Math.round(call.requestsPerSecond)} req/s, p50 ${call.p50Ms.toFixed(2)} ms, p99 ${
              call.p99Ms.toFixed(2)
            } ms)`,
        );
        if (connections === 32 && floor && ratio < floor) missed.push(`${name}: ${percent(ratio)} < ${percent(floor)}`);
      }
    }
    printMemory(server);
    return missed;
  } finally {
    bare.kill("SIGKILL");
    await reader.cancel();
    await bare.status;
  }
}

/** Functions, a key and eight secrets; the key. Every function has answered once. */
async function prepare(server: Server): Promise<string> {
  const groupId = await createGroup(server, "bench");
  const { value: key } = await createKey(server, groupId, "bench");
  await createSecret(server, "ONE", "postgresql://user:password@db.internal:5432/main");
  for (let n = 0; n < 7; n++) await createSecret(server, `SECRET_${n}`, `value-of-secret-number-${n}`);
  // Their responses are secrets, and what telling of that costs is none of this benchmark's business.
  const options: FunctionOptions = { keys: [groupId], responseGuard: "off" };
  await deploy(server, "hello", `export default (c) => c.text("hello");`);
  await deploy(server, "one", `export default async (c, ctx) => c.text(await ctx.getSecret("ONE"));`, options);
  const names = JSON.stringify(Array.from({ length: 7 }, (_, n) => `SECRET_${n}`));
  const seven =
    `export default async (c, ctx) => c.json(await Promise.all(${names}.map((name) => ctx.getSecret(name))));`;
  await deploy(server, "seven", seven, options);
  for (const { path } of SCENARIOS) {
    const response = await fetch(`${server.url}/run${path}`, { headers: { "X-API-Key": key } });
    if (!response.ok) throw new Error(`${path} answers ${response.status}`);
    await response.body?.cancel();
  }
  return key;
}

/** Resident memory of the host and proportional memory of its sandboxes, from /proc. */
export function printMemory({ pid }: Server): void {
  const megabytes = (path: string, field: string): number =>
    Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(Deno.readTextFileSync(path))?.[1] ?? NaN) / 1024;
  const children = Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`).trim().split(" ").filter(Boolean);
  console.log("\nmemory after the load");
  console.log(`  host      ${megabytes(`/proc/${pid}/status`, "VmRSS").toFixed(0)} MB resident`);
  for (const child of children) {
    console.log(`  sandbox   ${megabytes(`/proc/${child}/smaps_rollup`, "Pss").toFixed(0)} MB proportional`);
  }
}

function median(numbers: number[]): number {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)]!;
}

function percent(ratio: number): string {
  return `${(ratio * 100).toFixed(1)} %`;
}

// As a program of its own: the bare server to compare with.
if (import.meta.main && Deno.args[0] === "bare") {
  const app = new Hono().get("/", (c) => c.text("hello"));
  Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: ({ port }) => console.log(port) }, app.fetch);
}
