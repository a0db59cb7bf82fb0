// A node serves only while no change can be answered that it has not applied, whatever stops, delays or suspends it.

import assert from "node:assert/strict";
import { createSecretKey } from "node:crypto";
import fc from "fast-check";
import { type Clocks, elapsedMs } from "../../src/cluster/node/clock.ts";
import { GONE_MS, LEASE_MS, NodeLease } from "../../src/cluster/node/lease.ts";
import { RowMacs } from "../../src/cluster/node/node_row.ts";
import { Renewal } from "../../src/cluster/node/renewal.ts";
import { NodeServing } from "../../src/cluster/node/serving.ts";
import { AppError } from "../../src/errors.ts";
import { DerivedKey } from "../../src/keyring/derived_key.ts";
import { runs } from "../thorough.ts";
import { Simulation } from "./simulated_cluster.ts";

/** Clocks that a test sets. */
function setClocks(): Clocks & { pass(ms: number): void; suspend(ms: number): void; wall: number } {
  let [steady, real] = [5_000, 100_300];
  const clocks = {
    wall: 1_700_000_000_000,
    steadyMs: () => steady,
    uptimeS: () => Math.ceil(real / 1_000),
    wallMs: () => clocks.wall,
    pass(ms: number) {
      steady += ms;
      clocks.suspend(ms);
    },
    suspend(ms: number) {
      real += ms;
      clocks.wall += ms;
    },
  };
  return clocks;
}

function begun(): { clocks: ReturnType<typeof setClocks>; lease: NodeLease } {
  const clocks = setClocks();
  const lease = new NodeLease(clocks);
  assert.equal(lease.begin(lease.now()), true);
  return { clocks, lease };
}

Deno.test("a lease lapses two seconds after its renewal was sent, not after it was answered", () => {
  const { clocks, lease } = begun();
  const sent = lease.now();
  clocks.pass(1_500);
  assert.equal(lease.extend(sent), true);
  assert.equal(lease.remainingMs, LEASE_MS - 1_500);
  clocks.pass(499);
  assert.equal(lease.isLive, true);
  clocks.pass(1);
  assert.equal(lease.isLive, false);
});

Deno.test("a renewal that is answered after the lease lapsed does not extend it", () => {
  const { clocks, lease } = begun();
  clocks.pass(1_900);
  const sent = lease.now();
  clocks.pass(200);
  assert.equal(lease.extend(sent), false);
  assert.equal(lease.isLive, false);
  assert.equal(lease.begin(lease.now()), true);
  assert.equal(lease.isLive, true);
});

Deno.test("looks within a millisecond read one clock, and see at once that the lease was extended or ended", () => {
  const { clocks, lease } = begun();
  let reads = 0;
  const { steadyMs } = clocks;
  clocks.steadyMs = () => {
    reads++;
    return steadyMs();
  };
  clocks.pass(500);
  assert.equal(lease.remainingMs, LEASE_MS - 500);
  reads = 0;
  assert.equal(lease.remainingMs, LEASE_MS - 500);
  assert.equal(reads, 0);
  assert.equal(lease.extend(lease.now()), true);
  assert.equal(lease.remainingMs, LEASE_MS);
  lease.end();
  assert.equal(lease.remainingMs, 0);
});

Deno.test("a lease lapses while the machine is suspended", () => {
  for (const ms of [LEASE_MS, 60_000]) {
    const { clocks, lease } = begun();
    clocks.suspend(ms);
    assert.equal(lease.isLive, false);
  }
});

Deno.test("a lease lapses in a suspend whose time is taken from the wall clock again", () => {
  const { clocks, lease } = begun();
  assert.equal(lease.isLive, true);
  clocks.suspend(3_300);
  clocks.wall -= 3_300;
  // The uptime is read at intervals of the steady clock.
  clocks.pass(100);
  assert.equal(lease.isLive, false);
});

Deno.test("a lease ends when a clock is set, as that can hide a suspend", () => {
  for (const ms of [-10_000, -300, 300, 10_000]) {
    const { clocks, lease } = begun();
    assert.equal(lease.isLive, true);
    clocks.wall += ms;
    assert.equal(lease.isLive, false);
  }
});

Deno.test("a lease that has lapsed is not live again because a clock was set back", () => {
  const { clocks, lease } = begun();
  clocks.wall += 3_600_000;
  assert.equal(lease.isLive, false);
  clocks.wall -= 3_600_000;
  assert.equal(lease.isLive, false);
});

Deno.test("a wall clock that is slowed down does not lengthen a lease", () => {
  const { clocks, lease } = begun();
  for (let ms = 0; ms < LEASE_MS; ms += 100) {
    assert.equal(lease.isLive, true);
    clocks.pass(100);
    clocks.wall -= 50;
  }
  assert.equal(lease.isLive, false);
});

Deno.test("without suspends and set clocks a lease has exactly its time, in whatever part of a second it begins", () => {
  fc.assert(fc.property(fc.nat(5_000), fc.nat(LEASE_MS - 1), (before, ms) => {
    const clocks = setClocks();
    clocks.pass(before);
    const lease = new NodeLease(clocks);
    const sent = lease.now();
    lease.begin(sent);
    clocks.pass(ms);
    assert.equal(elapsedMs(sent, lease.now()), ms);
    assert.equal(lease.isLive, true);
  }));
});

Deno.test("a node without a lease refuses, and calls only where that is set", () => {
  const { clocks, lease } = begun();
  let whenCutOff: "refuse" | "serve-stale" = "refuse";
  const serving = new NodeServing(lease, () => whenCutOff);
  assert.equal(serving.refusal(), undefined);
  assert.equal(serving.callRefusal(), undefined);
  clocks.pass(1_200);
  assert.equal(serving.usableMs, LEASE_MS - 1_200);
  clocks.pass(LEASE_MS);
  assert.equal(serving.refusal()?.code, "CutOff");
  assert.equal(serving.callRefusal()?.code, "CutOff");
  assert.equal(serving.usableMs, 0);
  whenCutOff = "serve-stale";
  assert.equal(serving.refusal()?.code, "CutOff");
  assert.equal(serving.callRefusal(), undefined);
  assert.equal(serving.usableMs, Infinity);
  serving.stop(new AppError("LogTampered", 503, "Entry 7 …"));
  serving.stop(new AppError("LogTampered", 503, "Entry 8 …"));
  assert.equal(serving.callRefusal()?.message, "Entry 7 …");
});

/** A random number of 32 bits after the other, by mulberry32. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Lets three nodes change and suffer for half a minute, and then ends the trouble. */
async function troubled(seed: number, drift: number): Promise<Simulation> {
  const random = randomFrom(seed);
  const world = new Simulation({ random, nodes: 3, drift });
  await world.run(100);
  const nodes = world.nodes;
  for (let second = 0; second < 30; second++) {
    for (let change = 0; change < 4; change++) {
      const node = nodes[Math.floor(random() * nodes.length)]!;
      world.schedule(random() * 1_000, () => void node.change());
    }
    if (random() < 0.5) trouble(world, random);
    await world.run(1_000);
  }
  world.databaseDown = false;
  world.latencyMs = 5;
  for (const node of nodes) Object.assign(node, { isPartitioned: false, isDiskFull: false, applyMs: 2 });
  return world;
}

function trouble(world: Simulation, random: () => number): void {
  const node = world.nodes[Math.floor(random() * world.nodes.length)]!;
  const ms = random() * 5_000;
  const forAWhile = (begin: () => void, end: () => void): void => {
    begin();
    world.schedule(ms, end);
  };
  const kinds = [
    () => node.freeze(ms),
    () => node.suspend(ms),
    () => node.start(),
    () => node.setClock((random() - 0.5) * 20_000),
    () => forAWhile(() => node.isPartitioned = true, () => node.isPartitioned = false),
    () => forAWhile(() => world.databaseDown = true, () => world.databaseDown = false),
    () => forAWhile(() => world.latencyMs = 400, () => world.latencyMs = 5),
    () => forAWhile(() => node.applyMs = 6_000, () => node.applyMs = 2),
    () => forAWhile(() => node.isDiskFull = true, () => node.isDiskFull = false),
  ];
  kinds[Math.floor(random() * kinds.length)]!();
}

Deno.test("no node serves without a change that was answered, and all serve again when the trouble is over", async () => {
  let answered = 0;
  for (let seed = 1; seed <= runs(30, 500); seed++) {
    const world = await troubled(seed, 1.1);
    assert.deepEqual(world.violations, [], `seed ${seed}`);
    await world.run(5_000 + GONE_MS);
    for (const { name, lease, applied, fatal } of world.nodes) {
      assert.deepEqual([name, lease.isLive, applied, fatal], [name, true, world.head, []], `seed ${seed}`);
    }
    answered += world.answered;
  }
  assert.ok(answered > 30, "changes are answered");
});

Deno.test("the simulation finds nodes whose clocks run too differently for leases", async () => {
  let found = 0;
  for (let seed = 1; seed <= 40 && found === 0; seed++) found = (await troubled(seed, 1.8)).violations.length;
  assert.ok(found > 0);
});

Deno.test("a lease is renewed before work that lets nothing else run, unless it was renewed just now", async () => {
  const clocks = setClocks();
  const lease = new NodeLease(clocks);
  const head = { seq: 0, mac: "" };
  let renewals = 0;
  const ended = new AbortController();
  const renewal = new Renewal({
    identity: { id: "a", instance: "a 1", url: "", version: "1", schema: 1, startedAt: 0 },
    table: {
      list: () => Promise.resolve([]),
      acknowledge: () => Promise.resolve(),
      join: () => Promise.resolve(head),
      renew() {
        renewals++;
        return Promise.resolve(head);
      },
    },
    macs: new RowMacs(new DerivedKey(createSecretKey(new Uint8Array(32).fill(7)), "cluster nodes"), "c1"),
    lease,
    replica: { applied: 0, catchUp: () => Promise.resolve(), onApplied: () => () => {} },
    now: () => clocks.steadyMs(),
    // Only what wakes it lets it go on.
    pause: (_ms, until) =>
      Promise.race([until, new Promise<void>((resolve) => (ended.signal.onabort = () => resolve()))]),
    onLease() {},
    onFatal: (error) => assert.fail(String(error)),
  });
  await renewal.start();
  await renewal.refresh();
  assert.equal(renewals, 0, "it has just begun");
  clocks.pass(1_500);
  await renewal.refresh();
  assert.deepEqual([renewals, lease.remainingMs], [1, LEASE_MS]);
  clocks.pass(LEASE_MS);
  await renewal.refresh();
  assert.deepEqual([renewals, lease.isLive], [1, false], "one that has lapsed takes longer to begin again");
  ended.abort();
  await renewal.stop();
});
