// Calls of functions against a bare Deno.serve + hono handler, by turns in one run.

import { Hono } from "hono";
import { createGroup, createKey, createSecret, deploy, type FunctionOptions } from "../http/handlers.ts";
import { type Server, startServer } from "../http/server.ts";
import { median } from "./ratios.ts";
import { load } from "./wrk.ts";

/** Short and many: the pace of a shared machine changes from one second to the next. */
const ROUNDS = 21;
const SECONDS = 1;
/** Highest p99 at 32 connections, as a multiple of the p50. */
const TAIL_CEILING = 8;
/** Highest time of a call with one secret at one connection, as a multiple of one without. */
const SECRET_CEILING = 1.25;
/** Connections of which none may fail. */
const CROWD = 1_000;
const CROWD_SECONDS = 3;
/** Highest p50 of a function's first call, in ms beyond that of a later one. */
const FIRST_CALL_CEILING_MS = 25;
const FIRST_CALLS = 15;

interface Scenario {
  readonly name: string;
  readonly path: string;
  /** Lowest ratio to bare hono at 32 connections that is acceptable, and the one that is wanted. */
  readonly floor: number;
  readonly goal: number;
}

const SCENARIOS: Scenario[] = [
  { name: "hello", path: "/hello", floor: 0.2, goal: 0.25 },
  { name: "one secret behind an API key", path: "/one", floor: 0.18, goal: 0.2 },
  { name: "seven secrets in parallel", path: "/seven", floor: 0.14, goal: 0.15 },
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
        `\n${connections} connection${connections > 1 ? "s" : ""}, medians of ${ROUNDS} rounds`,
      );
      for (const { name, path, floor, goal } of SCENARIOS) {
        const { ratio, rate, p50Ms, tail } = await compare(bareUrl, `${server.url}/run${path}`, connections, key);
        console.log(
          `  ${name.padEnd(30)} ${percent(ratio).padStart(6)} of bare hono` +
            (connections === 32 ? `, floor ${percent(floor)}, goal ${percent(goal)}` : "") +
            `   (${Math.round(rate)} req/s, p50 ${p50Ms.toFixed(2)} ms, p99 ${tail.toFixed(1)} times that)`,
        );
        if (connections === 1) continue;
        if (ratio < floor) missed.push(`${name}: ${percent(ratio)} < ${percent(floor)}`);
        if (tail > TAIL_CEILING) missed.push(`${name}: p99 is ${tail.toFixed(1)} times the p50`);
      }
      if (connections > 1) continue;
      const dearer = 1 / (await compare(`${server.url}/run/hello`, `${server.url}/run/one`, connections, key)).ratio;
      console.log(`  one secret costs ${dearer.toFixed(2)} times a call without, ceiling ${SECRET_CEILING}`);
      if (dearer > SECRET_CEILING) missed.push(`one secret at one connection: ${dearer.toFixed(2)} times hello`);
    }
    for (const { name, path } of SCENARIOS) {
      const { requestsPerSecond, failed } = await load(`${server.url}/run${path}`, CROWD, CROWD_SECONDS, {
        "X-API-Key": key,
      });
      console.log(`  ${CROWD} connections, ${name}: ${Math.round(requestsPerSecond)} req/s, ${failed} failed`);
      if (failed > 0) missed.push(`${name}: ${failed} calls failed at ${CROWD} connections`);
    }
    missed.push(...await benchFirstCalls(server));
    printMemory(server);
    return missed;
  } finally {
    bare.kill("SIGKILL");
    await reader.cancel();
    await bare.status;
  }
}

interface Compared {
  /** Of the rates. */
  readonly ratio: number;
  /** Requests a second. */
  readonly rate: number;
  readonly p50Ms: number;
  /** The p99 as a multiple of the p50. */
  readonly tail: number;
}

/** Loads `url` and another by turns: medians of the rounds' ratios and of what `url` came to. */
async function compare(otherUrl: string, url: string, connections: number, key: string): Promise<Compared> {
  const rounds: Compared[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const base = await load(otherUrl, connections, SECONDS);
    const { requestsPerSecond: rate, p50Ms, p99Ms, failed } = await load(url, connections, SECONDS, {
      "X-API-Key": key,
    });
    if (failed > 0) throw new Error(`${url}: ${failed} calls failed`);
    rounds.push({ ratio: rate / base.requestsPerSecond, rate, p50Ms, tail: p99Ms / p50Ms });
  }
  return {
    ratio: median(rounds.map(({ ratio }) => ratio)),
    rate: median(rounds.map(({ rate }) => rate)),
    p50Ms: median(rounds.map(({ p50Ms }) => p50Ms)),
    tail: median(rounds.map(({ tail }) => tail)),
  };
}

/** First calls of functions that were saved a moment ago, against later ones. */
async function benchFirstCalls(server: Server): Promise<string[]> {
  const first: number[] = [];
  const later: number[] = [];
  const timed = async (path: string): Promise<number> => {
    const began = performance.now();
    const response = await fetch(`${server.url}/run${path}`);
    await response.body?.cancel();
    if (!response.ok) throw new Error(`${path} answers ${response.status}`);
    return performance.now() - began;
  };
  for (let n = 0; n < FIRST_CALLS; n++) {
    await deploy(server, `first${n}`, `export default (c: { text(text: string): Response }) => c.text("first");`);
    // As people do between saving and calling; a spare process is there again by then.
    await new Promise((resolve) => setTimeout(resolve, 700));
    first.push(await timed(`/first${n}`));
    for (let calls = 0; calls < 5; calls++) later.push(await timed(`/first${n}`));
  }
  const beyondMs = median(first) - median(later);
  console.log(
    `  a function's first call takes ${beyondMs.toFixed(1)} ms more than a later one (p50), ` +
      `ceiling ${FIRST_CALL_CEILING_MS} ms`,
  );
  return beyondMs > FIRST_CALL_CEILING_MS ? [`first calls: ${beyondMs.toFixed(1)} ms more`] : [];
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

function percent(ratio: number): string {
  return `${(ratio * 100).toFixed(1)} %`;
}

// As a program of its own: the bare server to compare with.
if (import.meta.main && Deno.args[0] === "bare") {
  const app = new Hono().get("/", (c) => c.text("hello"));
  Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: ({ port }) => console.log(port) }, app.fetch);
}
