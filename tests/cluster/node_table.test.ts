// Leases and membership over a real PostgreSQL.

import assert from "node:assert/strict";
import { SYSTEM_CLOCKS } from "../../src/cluster/node/clock.ts";
import { forgetGone, forgetNode, FORGOTTEN_AFTER_MS } from "../../src/cluster/node/forgetting.ts";
import { NodeLease } from "../../src/cluster/node/lease.ts";
import { Membership } from "../../src/cluster/node/membership.ts";
import { type NodeRow, RowMacs } from "../../src/cluster/node/node_row.ts";
import { Renewal } from "../../src/cluster/node/renewal.ts";
import { PostgresNodeTable } from "../../src/cluster/postgres/node_table.ts";
import { testKeyring, TestNode } from "./opened.ts";
import { startPostgres } from "./postgres.ts";

const pause = async (ms: number, until?: Promise<void>): Promise<void> => {
  const ended = Promise.withResolvers<void>();
  const timer = setTimeout(ended.resolve, ms);
  await Promise.race([ended.promise, until ?? ended.promise]);
  clearTimeout(timer);
};

/** What a node has for its lease; it applies entries when a test says so. */
class Member implements AsyncDisposable {
  readonly lease = new NodeLease(SYSTEM_CLOCKS);
  readonly table: PostgresNodeTable;
  readonly membership: Membership;
  readonly renewal: Renewal;
  readonly fatal: unknown[] = [];
  /** What it waits for before it renews its lease, if it hangs. */
  hung: Promise<void> | undefined;
  #applied = 0;
  readonly #listeners = new Set<(seq: number) => void>();

  constructor(readonly node: TestNode, readonly id: string, instance = id) {
    const { table, macs, lease } = this.#with();
    const now = () => performance.now();
    this.table = table;
    const onTampered = (error: unknown) => this.fatal.push(error);
    this.membership = new Membership({
      table,
      macs,
      self: id,
      now,
      pause,
      onTampered,
    });
    const applied = () => this.#applied;
    this.renewal = new Renewal({
      identity: {
        id,
        instance,
        url: `http://${id}`,
        version: "1",
        schema: 1,
        startedAt: 1,
      },
      table,
      macs,
      lease,
      now,
      pause: (ms, until) => this.hung ?? pause(ms, until),
      replica: {
        get applied() {
          return applied();
        },
        catchUp: (seq) => Promise.resolve(this.apply(seq)),
        onApplied: (listener) => {
          this.#listeners.add(listener);
          return () => this.#listeners.delete(listener);
        },
      },
      onLease: () => {},
      onFatal: onTampered,
    });
  }

  #with() {
    const table = new PostgresNodeTable(this.node.postgres);
    const macs = new RowMacs(
      testKeyring().derive("cluster nodes"),
      this.node.log.cluster,
    );
    return { table, macs, lease: this.lease };
  }

  apply(seq: number): void {
    if (seq <= this.#applied) return;
    this.#applied = seq;
    for (const listener of this.#listeners) listener(seq);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.renewal.stop();
    this.membership.close();
    await this.node[Symbol.asyncDispose]();
  }
}

async function member(
  url: string,
  id: string,
  instance?: string,
): Promise<Member> {
  return new Member(await TestNode.open(url), id, instance);
}

Deno.test("a change waits for each live node, and not for one that was stopped", async () => {
  await using postgres = await startPostgres();
  await using a = await member(postgres.url, "a");
  await using b = await member(postgres.url, "b");
  await using c = await member(postgres.url, "c");
  for (const { renewal } of [a, b, c]) await renewal.start();
  assert.deepEqual([a, b, c].map(({ lease }) => lease.isLive), [
    true,
    true,
    true,
  ]);
  const { seq } = await a.node.append("x");
  a.apply(seq);
  let isInForce = false;
  const inForce = a.membership.applied(seq).then(() => isInForce = true);
  b.apply(seq);
  await b.renewal.stop();
  assert.equal(isInForce, false, "c has not applied it");
  c.apply(seq);
  await inForce;
  const nodes = await a.membership.read();
  assert.deepEqual(nodes.map(({ id, isLive, left }) => [id, isLive, left]), [
    ["a", true, false],
    ["b", false, true],
    ["c", true, false],
  ]);
  assert.deepEqual(
    await a.table.list().then((rows) => rows.map(({ renewedMsAgo }) => renewedMsAgo < 60_000)),
    [
      true,
      true,
      true,
    ],
  );
});

Deno.test("a node whose connection ends with it is waited for until its lease has lapsed", async () => {
  await using postgres = await startPostgres();
  await using a = await member(postgres.url, "a");
  await a.renewal.start();
  {
    const b = await member(postgres.url, "b");
    await b.renewal.start();
    // As after `kill -9`: without a word.
    await b.node[Symbol.asyncDispose]();
    const { seq } = await a.node.append("x");
    a.apply(seq);
    await a.membership.applied(seq);
    assert.equal(
      b.lease.isLive,
      false,
      "its lease has lapsed before the change was answered",
    );
    await b.renewal.stop();
  }
});

Deno.test("a process with the id of a live node is refused; one that hangs is replaced, and then stops", async () => {
  await using postgres = await startPostgres();
  await using first = await member(postgres.url, "a", "first");
  await using copied = await member(postgres.url, "a", "copied");
  await first.renewal.start();
  await assert.rejects(copied.renewal.start(), /Another process takes part as node a/);
  assert.equal(first.lease.isLive, true);

  const hung = Promise.withResolvers<void>();
  first.hung = hung.promise;
  await using second = await member(postgres.url, "a", "second");
  await second.renewal.start();
  assert.equal(first.lease.isLive, false, "its lease has lapsed before the row was another's");
  hung.resolve();
  while (first.fatal.length === 0) await pause(20);
  assert.match(String(first.fatal[0]), /Another process takes part as node a/);
  assert.equal(second.lease.isLive, true);
  await postgres.query(
    "UPDATE crude_functions.nodes SET applied = applied + 1000",
  );
  await assert.rejects(
    second.membership.read(),
    /node a in the table of nodes does not match its MAC/,
  );
  assert.equal(second.fatal.length, 1);
});

Deno.test("a node that was killed is replaced by its next process, however the last renewal ended", async () => {
  await using postgres = await startPostgres();
  await using killed = await member(postgres.url, "a", "killed");
  await killed.renewal.start();
  const hung = Promise.withResolvers<void>();
  killed.hung = hung.promise;
  await using next = await member(postgres.url, "a", "next");
  const started = next.renewal.start();
  await pause(300);
  const [row] = await killed.table.list();
  const late = { ...row!, counter: row!.counter + 1 };
  const macs = new RowMacs(testKeyring().derive("cluster nodes"), killed.node.log.cluster);
  assert.ok(await killed.table.renew(late, macs.of(late), false), "it was on its way");
  await started;
  assert.equal(next.lease.isLive, true);
  hung.resolve();
});

Deno.test("the row of another cluster, of a later time or with an unreadable state is not believed", async () => {
  const row: NodeRow = {
    id: "a",
    instance: "1",
    url: "http://a",
    version: "1",
    schema: 1,
    startedAt: 1,
    counter: 1,
    applied: 1,
    left: false,
  };
  const key = testKeyring().derive("cluster nodes");
  const macs = new RowMacs(key, "one");
  const mac = macs.of(row);
  macs.check([{ ...row, mac }]);
  const forged: Partial<NodeRow>[] = [
    { counter: 2 },
    { applied: 2 },
    { left: true },
    { url: "http://b" },
    { id: "b" },
  ];
  for (const change of forged) {
    assert.throws(() => macs.check([{ ...row, ...change, mac }]));
  }
  assert.throws(() => new RowMacs(key, "two").check([{ ...row, mac }]));
  assert.throws(() => macs.check([{ ...row, mac: "" }]));

  await using postgres = await startPostgres();
  await using a = await member(postgres.url, "a");
  await a.renewal.start();
  await postgres.query("UPDATE crude_functions.nodes SET state = 'x'");
  await assert.rejects(a.membership.read(), /does not match its MAC/);
});

Deno.test("nodes are forgotten after a day, or when an operator says so, but never while they renew their lease", async () => {
  await using postgres = await startPostgres();
  await using a = await member(postgres.url, "a");
  await using b = await member(postgres.url, "b");
  await a.renewal.start();
  await b.renewal.start();
  await b.renewal.stop();
  await assert.rejects(forgetNode(a.table, "a", pause), /Node a \(.*\) is live/);
  await assert.rejects(forgetNode(a.table, "x", pause), /There is no node x/);
  assert.deepEqual(await forgetGone(a.table, await a.membership.read()), []);
  await postgres.query(
    "UPDATE crude_functions.nodes SET renewed_at = renewed_at - $1::float8 * interval '1 ms'",
    [
      FORGOTTEN_AFTER_MS as never,
    ],
  );
  assert.deepEqual(await forgetGone(a.table, await a.membership.read()), ["b"]);
  assert.deepEqual((await a.table.list()).map(({ id }) => id), ["a"]);
  // Forgotten against the rules, it takes part again.
  assert.equal(
    await a.table.forget("a", (await a.table.list())[0]!.counter),
    true,
  );
  while ((await a.table.list()).length === 0) await pause(50);
  assert.deepEqual(a.fatal, []);
});
