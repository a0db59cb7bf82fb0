// What it costs to watch: the same server with everything that is observed on and off, by turns in one run.

import { createSecret, deploy, set } from "../http/handlers.ts";
import { type Server, startServer } from "../http/server.ts";
import { load } from "./wrk.ts";

const ROUNDS = 7;
const SECONDS = 3;
const CONNECTIONS = 32;
/** Lowest ratio of "on" to "off" that is acceptable. */
const FLOOR = 0.9;

/** Settings that this server has, of those that turn observation up and down. */
const SWITCHES: Record<string, { on: unknown; off: unknown }> = {
  "metrics.retention-days": { on: 90, off: 0 },
  // At debug, the beginning and the end of each call are entries.
  "log.level": { on: "debug", off: "error" },
};

const SCENARIOS = [
  { name: "hello", path: "/hello", code: `export default (c) => c.text("hello")` },
  {
    name: "seven secrets in parallel",
    path: "/seven",
    code: `const names = Array.from({ length: 7 }, (_, n) => "SECRET_" + n);
      export default async (c, ctx) => c.json(await Promise.all(names.map((name) => ctx.getSecret(name))))`,
  },
];

/** Prints the ratios; returns the names of scenarios below the floor. */
export async function benchObserve(): Promise<string[]> {
  await using server = await startServer();
  for (let n = 0; n < 7; n++) await createSecret(server, `SECRET_${n}`, `value-of-secret-number-${n}`);
  const missed: string[] = [];
  console.log(
    `\nobserved against not observed, ${CONNECTIONS} connections, medians of ${ROUNDS} rounds of ${SECONDS} s`,
  );
  for (const { name, path, code } of SCENARIOS) {
    await deploy(server, path.slice(1), code);
    const rounds = [];
    for (let round = -1; round < ROUNDS; round++) {
      // Which comes first changes, as a machine can be slower by the second.
      const both: Record<string, { requestsPerSecond: number; p99Ms: number }> = {};
      for (const turn of round % 2 === 0 ? ["on", "off"] as const : ["off", "on"] as const) {
        await turnTo(server, turn);
        const measured = await load(`${server.url}/run${path}`, CONNECTIONS, SECONDS);
        if (measured.failed > 0) throw new Error(`${name}: ${measured.failed} calls failed`);
        both[turn] = measured;
      }
      const { on, off } = both;
      // The first round warms up.
      if (round >= 0) rounds.push({ ratio: on!.requestsPerSecond / off!.requestsPerSecond, on: on!, off: off! });
    }
    const { ratio, on, off } = rounds.sort((a, b) => a.ratio - b.ratio)[Math.floor(ROUNDS / 2)]!;
    console.log(
      `  ${name.padEnd(30)} ${(ratio * 100).toFixed(1)} %, floor ${FLOOR * 100} %   ` +
        `(${on.requestsPerSecond.toFixed(0)} against ${off.requestsPerSecond.toFixed(0)} req/s, ` +
        `p99 ${on.p99Ms.toFixed(2)} against ${off.p99Ms.toFixed(2)} ms)`,
    );
    if (ratio < FLOOR) missed.push(`observing ${name}: ${ratio.toFixed(2)} < ${FLOOR}`);
  }
  return missed;
}

async function turnTo(server: Server, turn: "on" | "off"): Promise<void> {
  const { body } = await server.api("GET", "/api/settings");
  const known = body.settings.map(({ name }: { name: string }) => name);
  const wanted = Object.entries(SWITCHES).filter(([name]) => known.includes(name));
  await set(server, Object.fromEntries(wanted.map(([name, values]) => [name, values[turn]])));
}
