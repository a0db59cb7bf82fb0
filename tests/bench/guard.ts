// What it costs to look into responses: one function that is guarded and one that is not, by turns in one run.

import { createSecret, deploy } from "../http/handlers.ts";
import { startServer } from "../http/server.ts";
import { load } from "./wrk.ts";

const ROUNDS = 7;
const SECONDS = 3;
const CONNECTIONS = 32;
/** Lowest ratio of the guarded function's throughput to the other's that is acceptable. */
const FLOOR = 0.9;

/** Reads seven secrets and answers 2 KB that hold none of them. */
const CODE = `const names = Array.from({ length: 7 }, (_, n) => "SECRET_" + n);
  const rows = Array.from({ length: 20 }, (_, id) => ({ id, name: "customer " + id, state: "active", note: "x".repeat(50) }));
  export default async (c, ctx) => {
    const values = await Promise.all(names.map((name) => ctx.getSecret(name)));
    return c.json({ rows, count: values.length });
  }`;

/** Prints the ratio; returns it as missed if it is below the floor. */
export async function benchGuard(): Promise<string[]> {
  await using server = await startServer();
  for (let n = 0; n < 7; n++) await createSecret(server, `SECRET_${n}`, `value-of-secret-number-${n}`);
  await deploy(server, "guarded", CODE, { responseGuard: "block" });
  await deploy(server, "open", CODE, { responseGuard: "off" });
  const ratios: number[] = [];
  for (let round = -1; round < ROUNDS; round++) {
    const rates: Record<string, number> = {};
    for (const name of round % 2 === 0 ? ["guarded", "open"] : ["open", "guarded"]) {
      const measured = await load(`${server.url}/run/${name}`, CONNECTIONS, SECONDS);
      if (measured.failed > 0) throw new Error(`${name}: ${measured.failed} calls failed`);
      rates[name] = measured.requestsPerSecond;
    }
    // The first round warms up.
    if (round >= 0) ratios.push(rates.guarded! / rates.open!);
  }
  const ratio = ratios.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)]!;
  console.log(
    `\nresponses of 2 KB looked into for seven secrets, ${CONNECTIONS} connections, median of ${ROUNDS} rounds\n` +
      `  ${(ratio * 100).toFixed(1)} % of the throughput without, floor ${FLOOR * 100} %`,
  );
  return ratio < FLOOR ? [`guard: ${ratio.toFixed(2)} < ${FLOOR}`] : [];
}
