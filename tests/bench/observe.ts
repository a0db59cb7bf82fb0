// What it costs to watch: the same server with everything that is observed on and off, by turns in one run.

import { createSecret, deploy, set } from "../http/handlers.ts";
import { type Server, startServer } from "../http/server.ts";
import { load } from "./wrk.ts";

const ROUNDS = 7;
const SECONDS = 3;
const CONNECTIONS = 32;
/** Lowest ratio of "on" to "off" that is acceptable. */
const FLOOR = 0.9;

/** Settings that turn observation up and down: as a server has them by default, and as little as there can be. */
const SWITCHES: Record<string, { on: unknown; off: unknown }> = {
  "metrics.retention-days": { on: 90, off: 0 },
  "log.level": { on: "info", off: "error" },
};

interface Scenario {
  readonly name: string;
  readonly path: string;
  readonly code: string;
  /** In place of the default, for what is on. */
  readonly level?: string;
  /** Whether the floor holds for it; else it is told what it costs. */
  readonly bound: boolean;
}

const HELLO = `export default (c) => c.text("hello")`;
const SCENARIOS: Scenario[] = [
  { name: "hello", path: "/hello", code: HELLO, bound: true },
  // Each call is two entries then.
  { name: "hello at log.level debug", path: "/told", code: HELLO, level: "debug", bound: false },
  {
    name: "hello that prints a line",
    path: "/printing",
    code: `export default (c) => { console.log("a line of the log"); return c.text("hello"); }`,
    bound: false,
  },
  {
    name: "seven secrets in parallel",
    path: "/seven",
    code: `const names = Array.from({ length: 7 }, (_, n) => "SECRET_" + n);
      export default async (c, ctx) => c.json(await Promise.all(names.map((name) => ctx.getSecret(name))))`,
    bound: true,
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
  for (const { name, path, code, level, bound } of SCENARIOS) {
    await deploy(server, path.slice(1), code);
    const rounds = [];
    for (let round = -1; round < ROUNDS; round++) {
      // Which comes first changes, as a machine can be slower by the second.
      const both: Record<string, { requestsPerSecond: number; p99Ms: number }> = {};
      for (const turn of round % 2 === 0 ? ["on", "off"] as const : ["off", "on"] as const) {
        await turnTo(server, turn);
        if (level && turn === "on") await set(server, { "log.level": level });
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
      `  ${name.padEnd(30)} ${(ratio * 100).toFixed(1)} %${bound ? `, floor ${FLOOR * 100} %` : ""}   ` +
        `(${on.requestsPerSecond.toFixed(0)} against ${off.requestsPerSecond.toFixed(0)} req/s, ` +
        `p99 ${on.p99Ms.toFixed(2)} against ${off.p99Ms.toFixed(2)} ms)`,
    );
    if (bound && ratio < FLOOR) missed.push(`observing ${name}: ${ratio.toFixed(2)} < ${FLOOR}`);
  }
  return missed;
}

async function turnTo(server: Server, turn: "on" | "off"): Promise<void> {
  await set(server, Object.fromEntries(Object.entries(SWITCHES).map(([name, values]) => [name, values[turn]])));
}
