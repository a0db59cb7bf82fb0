// Counts of several nodes, which each shows as one: calls, reads of secrets, last uses, over a real PostgreSQL.

import assert from "node:assert/strict";
import { join } from "node:path";
import { CountsExchange } from "../../src/cluster/counts/exchange.ts";
import type { Postgres } from "../../src/cluster/postgres/client.ts";
import { PostgresCountTable } from "../../src/cluster/postgres/count_table.ts";
import { observeUses } from "../../src/core/access/uses.ts";
import type { FunctionId, KeyId, SecretId } from "../../src/ids.ts";
import { openObservations } from "../../src/store/observations.ts";
import { ConnectedHosts } from "../../src/telemetry/connected_hosts.ts";
import { Metrics } from "../../src/telemetry/metrics.ts";
import { Reads } from "../../src/telemetry/reads.ts";
import { temporaryFolder } from "../unit/temporary.ts";
import { openTestPostgres, testKeyring } from "./opened.ts";
import { startPostgres, type TestPostgres } from "./postgres.ts";

const [MINUTE, HOUR, DAY] = [60_000, 3_600_000, 86_400_000];
const START = Date.UTC(2026, 0, 5, 12);
const [f, g] = [1, 2] as [FunctionId, FunctionId];
const [s, k] = [11 as SecretId, 7 as KeyId];

/** The counts of one node, whose clock the test sets. */
class CountingNode implements AsyncDisposable {
  readonly clock = { at: 0 };
  readonly warnings: string[] = [];
  readonly folder = temporaryFolder();
  readonly observations = openObservations(join(this.folder.path, "o.db"), () => new Date(0), assert.fail);
  readonly #counting = {
    transaction: <T>(work: () => T): T => this.observations.transaction(work),
    now: () => START + this.clock.at,
    delayMs: () => 60_000,
    retentionDays: () => 90,
    attempt: <T>(work: () => T): T => work(),
  };
  readonly metrics = new Metrics({ ...this.#counting, store: this.observations.metrics, isFunction: () => true });
  readonly reads = new Reads({ ...this.#counting, store: this.observations.secretReads, isSecret: () => true });
  readonly hosts = new ConnectedHosts({
    ...this.#counting,
    store: this.observations.connectedHosts,
    isFunction: () => true,
    holdsSecret: () => false,
  });
  readonly uses = observeUses<KeyId>("key", { ...this.#counting, store: this.observations.uses });
  exchange: CountsExchange;

  private constructor(readonly id: string, readonly postgres: Postgres) {
    this.exchange = this.#open();
  }

  static async open(there: TestPostgres, id: string): Promise<CountingNode> {
    return new CountingNode(id, await openTestPostgres(there.url));
  }

  #open(): CountsExchange {
    return new CountsExchange({
      node: this.id,
      cluster: "c",
      key: testKeyring().derive("cluster counts"),
      store: this.observations.nodeCounts,
      transaction: this.#counting.transaction,
      table: new PostgresCountTable(this.postgres),
      flush: () => this.flush(),
      warn: (message) => this.warnings.push(message),
    });
  }

  flush(): void {
    this.metrics.flush();
    this.reads.flush();
    this.uses.count();
    this.hosts.flush();
  }

  calls(functionId: FunctionId | undefined, resolution: "minutes" | "hours" | "days"): number {
    return this.metrics.points(resolution, functionId, 0, Infinity).reduce((sum, { tally }) => sum + tally.calls, 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.exchange.close(10_000);
    this.uses.close();
    this.flush();
    this.observations.close();
    await this.postgres.close();
    this.folder[Symbol.dispose]();
  }
}

/** Exchanges until each knows what the others had. */
async function exchange(nodes: readonly CountingNode[]): Promise<void> {
  for (const node of [...nodes, ...nodes]) await node.exchange.run();
  assert.deepEqual(nodes.flatMap(({ warnings }) => warnings), []);
}

Deno.test("each node shows the calls, reads and last uses of all, as often as they are exchanged", async () => {
  await using postgres = await startPostgres();
  await using a = await CountingNode.open(postgres, "a");
  await using b = await CountingNode.open(postgres, "b");
  // A node without calls has missed no host; one that cannot observe them makes them unknown on all.
  a.hosts.observe(true, false);
  b.hosts.observe(false, true);
  for (let round = 1; round <= 3; round++) {
    for (const node of [a, b]) node.clock.at = round * 10 * MINUTE;
    for (let n = 0; n < 5; n++) a.metrics.ended(f, "ok", 10);
    for (let n = 0; n < 2; n++) b.metrics.ended(f, n === 0 ? "error" : "ok", 1_000, k);
    b.metrics.ended(g, "ok", 1);
    a.reads.record(s, f, k);
    b.reads.record(s, g, k);
    b.reads.record(s, f, k);
    b.uses.record(k);
    a.hosts.record(f, new Map([["a.example:443", 2]]));
    b.hosts.record(f, new Map([["a.example:443", 1], ["[fd00::1]:80", 1]]));
    await exchange([a, b]);
    await exchange([a, b]);
    for (const { clock } of [a, b]) clock.at += 2 * MINUTE;
    await exchange([a, b]);
    for (const node of [a, b]) {
      for (const resolution of ["minutes", "hours", "days"] as const) {
        assert.equal(node.calls(f, resolution), 7 * round, `${node.id} ${resolution}`);
        assert.equal(node.calls(undefined, resolution), 8 * round, `${node.id} ${resolution}`);
      }
      assert.equal(node.reads.of([s]).get(s)!.last30Days, 3 * round);
      assert.equal(node.uses.last([k]).get(k), START + round * 10 * MINUTE);
      const hosts = node.hosts.since(f, 0).map(({ host, checks }) => [host, checks]);
      assert.deepEqual(hosts, [["[fd00::1]:80", round], ["a.example:443", 3 * round]], node.id);
      assert.equal(node.hosts.begin, undefined);
    }
  }
  const now = START + 35 * MINUTE;
  assert.deepEqual(a.metrics.failing(now - HOUR, 10).map((row) => ({ ...row })), [{
    functionId: f,
    calls: 21,
    failures: 3,
  }]);
  assert.deepEqual({ ...a.metrics.callsSince(f, now - HOUR) }, { calls: 21, errors: 3 });
  for (const { metrics } of [a, b]) {
    assert.deepEqual(
      metrics.busiest(now - HOUR, 10).keys.listed.map(([id, { calls, errors }]) => [id, calls, errors]),
      [
        [k, 6, 3],
      ],
    );
  }
  const summary = b.metrics.summary(f, now - HOUR);
  assert.ok(Math.abs(summary.p50Ms! - 10) < 1 && summary.maxMs === 1_000, JSON.stringify(summary));
  assert.deepEqual(a.metrics.busiest(now - HOUR, 10).functions.listed.map(([id, { calls }]) => [id, calls]), [[f, 21], [
    g,
    3,
  ]]);
  const listed = b.reads.list(s, undefined, 100).map((
    { at, functionId, reads },
  ) => [(at - START) / MINUTE, functionId, reads]);
  assert.deepEqual(listed, [[30, g, 1], [30, f, 2], [20, g, 1], [20, f, 2], [10, g, 1], [10, f, 2]]);
  b.hosts.observe(true, false);
  await exchange([b, a]);
  assert.deepEqual([a.hosts.begin, b.hosts.begin], [1, 1]);
  // What a collector computes rates from is of this node alone.
  assert.equal(a.metrics.totals().get(f)!.calls, 15);
});

Deno.test("a commit in doubt counts nothing twice, and what could not be passed on is passed on later", async () => {
  await using postgres = await startPostgres();
  await using a = await CountingNode.open(postgres, "a");
  await using b = await CountingNode.open(postgres, "b");
  a.metrics.ended(f, "ok", 10);
  a.flush();
  // As if the answer of the commit had been lost.
  const { rows, to } = a.observations.nodeCounts.unpublished(100);
  assert.ok(rows.length > 0 && to > 0);
  await a.exchange.run();
  for (const identity of ["c other", "c a"]) {
    a.observations.transaction(() => a.observations.nodeCounts.track(identity));
  }
  await exchange([a, b]);
  assert.equal(b.calls(f, "minutes"), 1);
  assert.equal(a.calls(f, "minutes"), 1);
  await postgres.stop();
  a.metrics.ended(f, "ok", 10);
  const running = a.exchange.run();
  await postgres.restart();
  await running;
  a.warnings.splice(0);
  await exchange([a, b]);
  assert.equal(b.calls(f, "minutes"), 2);
});

Deno.test("a new node knows what was counted before it, also of nodes that are gone, and minutes become days once", async () => {
  await using postgres = await startPostgres();
  await using b = await CountingNode.open(postgres, "b");
  {
    await using a = await CountingNode.open(postgres, "a");
    for (const node of [a, b]) {
      node.metrics.ended(f, "ok", 10);
      node.reads.record(s, f, k);
      node.reads.record(s, f, k);
    }
    await exchange([a, b]);
    for (const node of [a, b]) {
      node.clock.at = 3 * DAY;
      node.reads.flush();
    }
    await exchange([a, b]);
    for (const { reads } of [a, b]) {
      assert.deepEqual(reads.list(s, undefined, 10).map(({ per, reads }) => [per, reads]), [["day", 4]]);
    }
  }
  await using c = await CountingNode.open(postgres, "c");
  c.clock.at = 3 * DAY;
  const begin = Math.min(b.observations.secretReads.begin(), c.observations.secretReads.begin());
  await exchange([b, c]);
  assert.deepEqual(c.reads.list(s, undefined, 10).map(({ per, reads }) => [per, reads]), [["day", 4]]);
  assert.equal(c.calls(f, "days"), 2);
  assert.ok(c.observations.secretReads.begin() <= begin, "it missed nothing of the time before it existed");
});

Deno.test("what was deleted on a node is deleted everywhere, and forged counts are ignored and named", async () => {
  await using postgres = await startPostgres();
  await using a = await CountingNode.open(postgres, "a");
  await using b = await CountingNode.open(postgres, "b");
  a.metrics.ended(f, "ok", 10);
  a.uses.record(k);
  await exchange([a, b]);
  assert.equal(b.uses.count(), 1);
  a.uses.forget(k);
  a.metrics.forget(f);
  await exchange([a, b]);
  assert.equal(b.uses.count(), 0);
  assert.equal(b.calls(f, "minutes"), 0);
  a.uses.record(k);
  await a.exchange.run();
  await postgres.query(
    `UPDATE crude_functions.counts SET body = '[1]', change = nextval('crude_functions.counts_change') WHERE kind = 'uses'`,
  );
  await b.exchange.run();
  assert.equal(b.uses.count(), 0);
  assert.match(b.warnings.join(), /Counts of node a in PostgreSQL were altered or forged/);
});

Deno.test("old rows and marks of deleted ones are removed, of nodes that are gone, too", async () => {
  await using postgres = await startPostgres();
  await using a = await CountingNode.open(postgres, "a");
  a.metrics.ended(f, "ok", 10);
  await exchange([a]);
  const kept = async () => {
    const rows = await postgres.query<{ key: string }>(
      "SELECT key FROM crude_functions.counts WHERE kind = 'metrics' AND body IS NOT NULL",
    );
    return new Set(rows.map(({ key }) => key.split(" ")[0]));
  };
  assert.deepEqual(await kept(), new Set(["60000"]));
  a.clock.at = 2 * MINUTE;
  await exchange([a]);
  assert.deepEqual(await kept(), new Set(["60000", "3600000", "86400000"]));
  const table = new PostgresCountTable(a.postgres);
  await table.prune({ "metrics 60000 ": START + HOUR, "metrics 3600000 ": START - HOUR });
  assert.deepEqual(await kept(), new Set(["3600000", "86400000"]));
});

Deno.test("a forged number of a change hides no later counts", async () => {
  await using postgres = await startPostgres();
  await using a = await CountingNode.open(postgres, "a");
  await using b = await CountingNode.open(postgres, "b");
  const ended = async (calls: number) => {
    a.metrics.ended(f, "ok", 10);
    await a.exchange.run();
    await b.exchange.run();
    assert.equal(b.calls(f, "minutes"), calls);
  };
  await ended(1);
  const far = Number.MAX_SAFE_INTEGER;
  await postgres.query(
    `INSERT INTO crude_functions.counts VALUES ('uses', 'evil', 'key 1', 0, '[1]', '00', ${far})`,
  );
  await ended(2);
  // A row that its node has written, with another number.
  await postgres.query(`UPDATE crude_functions.counts SET change = ${far - 1} WHERE change IN (
    SELECT change FROM crude_functions.counts WHERE node = 'a' AND kind = 'metrics' ORDER BY change LIMIT 1)`);
  await ended(3);
  // As an earlier version of this program has remembered it.
  b.observations.transaction(() => b.observations.nodeCounts.receive([], far));
  await ended(4);
});
