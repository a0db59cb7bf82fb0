// What a cluster costs: calls on a node against calls on a server of its own, by turns, and changes with three nodes as
// multiples of one commit of PostgreSQL.

import postgres from "postgres";
import { TestCluster } from "../cluster/nodes.ts";
import { startPostgres, type TestPostgres } from "../cluster/postgres.ts";
import { createSecret, deploy } from "../http/handlers.ts";
import { type Server, startServer } from "../http/server.ts";
import { load } from "./wrk.ts";

const ROUNDS = 9;
const SECONDS = 2;
const CONNECTIONS = 32;
/** Lowest ratio of the throughput of a node to that of a server of its own. */
const READS_FLOOR = 0.97;
/** Highest median of a change with three nodes, in commits of PostgreSQL on a disk. */
const CHANGE_CEILING = 4;
/** Of a round. */
const CHANGES = 100;
const WRITERS = 16;
/**
 * How long a disk of a data centre takes to make a commit durable, in microseconds. On a machine whose disk answers at once,
 * commits are delayed by it for a second measurement.
 */
const DISK_US = 1_400;
const CODE = `export default async (c, ctx) => c.text((await ctx.getSecret("TOKEN")).slice(0, 1));`;

/** Prints the figures; returns those that are missed. */
export async function benchCluster(): Promise<string[]> {
  const reads = await withCluster({}, async ([first]) => {
    await deployTo(first!);
    return await compareReads(first!);
  });
  const here = await withCluster({}, measureChanges);
  // Waits at each commit, also if no other transaction is active.
  const delayed = { commit_delay: String(DISK_US), commit_siblings: "0" };
  const onDisk = await withCluster(delayed, measureChanges);
  console.log(
    `
a cluster of three nodes and PostgreSQL, all on this machine
  calls with a secret on one node: ${(reads * 100).toFixed(1)} % of a server of its own, floor ${READS_FLOOR * 100} %
${describe("this disk", here)}
${describe(`a disk that takes ${DISK_US / 1_000} ms`, onDisk)}, ceiling ${CHANGE_CEILING}`,
  );
  return [
    ...(reads < READS_FLOOR ? [`cluster reads: ${reads.toFixed(3)} < ${READS_FLOOR}`] : []),
    ...(onDisk.ratio > CHANGE_CEILING ? [`a change: ${onDisk.ratio.toFixed(1)} > ${CHANGE_CEILING}`] : []),
  ];
}

interface Changes {
  readonly commitMs: number;
  readonly changeMs: number;
  /** Median of the rounds. */
  readonly ratio: number;
  readonly perSecond: number;
}

function describe(
  disk: string,
  { commitMs, changeMs, ratio, perSecond }: Changes,
): string {
  return `  with ${disk}: one commit of PostgreSQL ${commitMs.toFixed(2)} ms, ` +
    `one change, in force on all nodes, ${changeMs.toFixed(2)} ms, ` +
    `${perSecond.toFixed(0)} changes per second of ${WRITERS} clients; a change takes ${ratio.toFixed(1)} commits`;
}

async function withCluster<T>(
  settings: Record<string, string>,
  measure: (servers: readonly Server[], database: TestPostgres) => Promise<T>,
): Promise<T> {
  // As durable as in production, as commits are what is compared with.
  await using database = await startPostgres({
    settings: { fsync: "on", ...settings },
  });
  await using cluster = await TestCluster.start(database, 3, {
    isDirect: true,
  });
  return await measure(cluster.nodes.map(({ server }) => server), database);
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
      const { requestsPerSecond, failed } = await load(
        `${server.url}/run/read`,
        CONNECTIONS,
        SECONDS,
      );
      if (failed > 0) throw new Error(`${failed} calls failed`);
      rates.set(server, requestsPerSecond);
    }
    // The first round warms up.
    if (round >= 0) ratios.push(rates.get(node)! / rates.get(single)!);
  }
  return median(ratios);
}

/** Commits and changes by turns. */
async function measureChanges(
  servers: readonly Server[],
  { url }: TestPostgres,
): Promise<Changes> {
  const sql = postgres(url, { max: 1, fetch_types: false, onnotice: () => {} });
  try {
    await sql`CREATE TABLE crude_functions.bench (n int, body bytea)`;
    // As large as a change.
    const body = crypto.getRandomValues(new Uint8Array(2_600));
    const rounds: [commitMs: number, changeMs: number][] = [];
    for (let round = -2; round < ROUNDS; round++) {
      const commitMs = await medianOf(() => sql`INSERT INTO crude_functions.bench VALUES (1, ${body})`);
      const changeMs = await medianOf((n) => change(servers[0]!, "CHANGED", `value-${round}-${n}`));
      // The first ones warm up.
      if (round >= 0) rounds.push([commitMs, changeMs]);
    }
    return {
      commitMs: median(rounds.map(([commitMs]) => commitMs)),
      changeMs: median(rounds.map(([, changeMs]) => changeMs)),
      ratio: median(rounds.map(([commitMs, changeMs]) => changeMs / commitMs)),
      perSecond: await changesPerSecond(servers),
    };
  } finally {
    await sql.end();
  }
}

async function medianOf(
  work: (n: number) => PromiseLike<unknown>,
): Promise<number> {
  const times: number[] = [];
  for (let n = 0; n < CHANGES; n++) {
    const began = performance.now();
    await work(n);
    times.push(performance.now() - began);
  }
  return median(times);
}

async function changesPerSecond(servers: readonly Server[]): Promise<number> {
  let left = CHANGES * 6;
  const began = performance.now();
  await Promise.all(Array.from({ length: WRITERS }, async (_, writer) => {
    for (let n = 0; left-- > 0; n++) {
      await change(
        servers[writer % servers.length]!,
        `W${writer}`,
        `value-${n}`,
      );
    }
  }));
  return (CHANGES * 6) / ((performance.now() - began) / 1_000);
}

async function change(
  server: Server,
  name: string,
  value: string,
): Promise<void> {
  const { status, body } = await server.api(
    "PUT",
    `/api/secrets/by-name/${name}`,
    { scope: "global", value },
  );
  if (status !== 200 && status !== 201) {
    throw new Error(`${status} ${JSON.stringify(body)}`);
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
