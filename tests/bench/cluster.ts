// What a cluster costs: calls on a node against calls on a server of its own, by turns, and changes with three nodes as
// multiples of one commit of PostgreSQL.

import postgres from "postgres";
import { TestCluster } from "../cluster/nodes.ts";
import { startPostgres } from "../cluster/postgres.ts";
import { createSecret, deploy } from "../http/handlers.ts";
import { type Server, startServer } from "../http/server.ts";
import { load } from "./wrk.ts";

const ROUNDS = 9;
const SECONDS = 2;
const CONNECTIONS = 32;
/** Lowest ratio of the throughput of a node to that of a server of its own. */
const READS_FLOOR = 0.97;
/** Highest median of a change with three nodes, in commits of PostgreSQL. */
const CHANGE_CEILING = 4;
const CHANGES = 300;
const WRITERS = 16;
const CODE = `export default async (c, ctx) => c.text((await ctx.getSecret("TOKEN")).slice(0, 1));`;

/** Prints the figures; returns those that are missed. */
export async function benchCluster(): Promise<string[]> {
  // As durable as in production, as commits are what is compared with.
  await using database = await startPostgres({ settings: { fsync: "on" } });
  await using cluster = await TestCluster.start(database, 3);
  const [first] = cluster.nodes.map(({ server }) => server);
  await deployTo(first!);
  const ratio = await compareReads(first!);
  const commitMs = await medianCommit(database.url);
  const changeMs = await medianChange(first!);
  const perSecond = await changesPerSecond(cluster.nodes.map(({ server }) => server));
  console.log(
    `
a cluster of three nodes and PostgreSQL, all on this machine
  calls with a secret on one node: ${(ratio * 100).toFixed(1)} % of a server of its own, floor ${READS_FLOOR * 100} %
  one commit of PostgreSQL: ${commitMs.toFixed(2)} ms
  one change, in force on all nodes: ${changeMs.toFixed(2)} ms, ${(changeMs / commitMs).toFixed(1)} commits, ` +
      `ceiling ${CHANGE_CEILING}
  changes of ${WRITERS} clients on all nodes: ${perSecond.toFixed(0)} per second`,
  );
  return [
    ...(ratio < READS_FLOOR ? [`cluster reads: ${ratio.toFixed(3)} < ${READS_FLOOR}`] : []),
    ...(changeMs / commitMs > CHANGE_CEILING
      ? [`a change: ${(changeMs / commitMs).toFixed(1)} > ${CHANGE_CEILING}`]
      : []),
  ];
}

async function deployTo(server: Server): Promise<void> {
  await createSecret(server, "TOKEN", "the-value-of-a-token");
  await deploy(server, "read", CODE);
}

/** Returns the median ratio of a node's throughput to that of a server of its own. */
async function compareReads(node: Server): Promise<number> {
  await using single = await startServer();
  await deployTo(single);
  const ratios: number[] = [];
  for (let round = -1; round < ROUNDS; round++) {
    const rates = new Map<Server, number>();
    for (const server of round % 2 === 0 ? [node, single] : [single, node]) {
      const { requestsPerSecond, failed } = await load(`${server.url}/run/read`, CONNECTIONS, SECONDS);
      if (failed > 0) throw new Error(`${failed} calls failed`);
      rates.set(server, requestsPerSecond);
    }
    // The first round warms up.
    if (round >= 0) ratios.push(rates.get(node)! / rates.get(single)!);
  }
  return median(ratios);
}

/** Returns how long one row takes to be durable in PostgreSQL. */
async function medianCommit(url: string): Promise<number> {
  const sql = postgres(url, { max: 1, fetch_types: false, onnotice: () => {} });
  try {
    await sql`CREATE TABLE crude_functions.bench (n int, body bytea)`;
    const body = crypto.getRandomValues(new Uint8Array(700));
    const times: number[] = [];
    for (let n = 0; n < CHANGES; n++) {
      const began = performance.now();
      await sql`INSERT INTO crude_functions.bench VALUES (${n}, ${body})`;
      times.push(performance.now() - began);
    }
    return median(times);
  } finally {
    await sql.end();
  }
}

async function medianChange(server: Server): Promise<number> {
  const times: number[] = [];
  for (let n = 0; n < CHANGES; n++) {
    const began = performance.now();
    await change(server, "CHANGED", `value-${n}`);
    times.push(performance.now() - began);
  }
  return median(times);
}

async function changesPerSecond(servers: readonly Server[]): Promise<number> {
  let left = CHANGES * 2;
  const began = performance.now();
  await Promise.all(Array.from({ length: WRITERS }, async (_, writer) => {
    for (let n = 0; left-- > 0; n++) await change(servers[writer % servers.length]!, `W${writer}`, `value-${n}`);
  }));
  return (CHANGES * 2) / ((performance.now() - began) / 1_000);
}

async function change(server: Server, name: string, value: string): Promise<void> {
  const { status, body } = await server.api("PUT", `/api/secrets/by-name/${name}`, { scope: "global", value });
  if (status !== 200 && status !== 201) throw new Error(`${status} ${JSON.stringify(body)}`);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
