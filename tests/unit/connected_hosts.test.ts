// The hosts that functions connected to, by day.

import assert from "node:assert/strict";
import { join } from "node:path";
import type { FunctionId } from "../../src/ids.ts";
import { OTHER_HOSTS } from "../../src/store/connected_hosts.ts";
import { openObservations } from "../../src/store/observations.ts";
import { ConnectedHosts, HOSTS_MAX } from "../../src/telemetry/connected_hosts.ts";
import { temporaryFolder } from "./temporary.ts";

const DAY = 86_400_000;
const START = Date.UTC(2026, 0, 5, 12);
const [f, g] = [1, 2] as FunctionId[] as [FunctionId, FunctionId];

function opened(path: string) {
  const observations = openObservations(join(path, "o.db"), () => new Date(START), assert.fail);
  const state = { now: START, days: 30, fails: false, isFunction: (_: FunctionId) => true };
  const open = () =>
    new ConnectedHosts({
      store: observations.connectedHosts,
      transaction: (work) => observations.transaction(work),
      now: () => state.now,
      delayMs: () => 1_000_000,
      retentionDays: () => state.days,
      isFunction: (id) => state.isFunction(id),
      holdsSecret: (_, host) => host.includes("secret"),
      attempt: (work) => state.fails ? undefined : work(),
    });
  return { observations, state, open, [Symbol.dispose]: () => observations.close() };
}

const counted = (...hosts: string[]) => new Map(hosts.map((host) => [host, 1]));
const namesOf = (hosts: ConnectedHosts, id: FunctionId, since = 0) =>
  hosts.since(id, since).map(({ host, checks }) => `${host} ${checks}`);

Deno.test("hosts are added up by day, passed on to other nodes, and deleted when they are old", () => {
  using folder = temporaryFolder();
  using it = opened(folder.path);
  const { observations, state } = it;
  observations.transaction(() => observations.nodeCounts.track("a cluster and node"));
  const hosts = it.open();
  hosts.record(f, new Map([["a.example:443", 2], ["b.example:1", 1]]));
  hosts.record(g, counted("[::1]:80"));
  state.now += DAY;
  // A new day writes what was counted on the day before.
  hosts.record(f, counted("a.example:443"));
  assert.deepEqual(namesOf(hosts, f), ["a.example:443 3", "b.example:1 1"]);
  assert.deepEqual(namesOf(hosts, f, state.now), ["a.example:443 1"]);
  assert.equal(hosts.since(f, 0)[0]!.lastDay, state.now - state.now % DAY);
  const rows = observations.nodeCounts.unpublished(10).rows.filter(({ kind }) => kind === "hosts");
  assert.equal(rows.length, 4);
  observations.transaction(() =>
    observations.nodeCounts.receive(rows.map((row) => ({ ...row, node: "other", values: [10] })), 1)
  );
  assert.deepEqual(namesOf(hosts, g), ["[::1]:80 11"]);

  state.days = 0;
  hosts.record(f, counted("c.example:1"));
  assert.equal(namesOf(hosts, f).length, 2, "nothing is recorded");
  state.days = 2;
  state.now += 2 * DAY;
  hosts.record(f, counted("a.example:443"));
  assert.deepEqual(namesOf(hosts, g), [], "the first day is gone");
  hosts.forget(f);
  assert.deepEqual(observations.connectedHosts.functionIds(), []);
  hosts.record(g, counted("a.example:443"));
  hosts.flush();
  state.isFunction = () => false;
  it.open();
  assert.deepEqual(observations.connectedHosts.functionIds(), []);
});

Deno.test("of each function, a limited number is recorded by name on a day, also by the next start; secrets never are", () => {
  using folder = temporaryFolder();
  using it = opened(folder.path);
  const hosts = it.open();
  hosts.record(f, counted("with-secret.example:1", OTHER_HOSTS));
  for (let n = 0; n < HOSTS_MAX + 50; n++) hosts.record(f, counted(`h${n}.example:1`));
  hosts.record(g, counted("a.example:1"));
  const all = hosts.since(f, 0);
  assert.equal(all.length, HOSTS_MAX + 1);
  assert.deepEqual(all.find(({ host }) => host === OTHER_HOSTS)!.checks, 52);
  const later = it.open();
  later.record(f, counted("more.example:1", "h0.example:1"));
  assert.equal(later.since(f, 0).length, HOSTS_MAX + 1);
  assert.equal(later.since(f, 0).find(({ host }) => host === "h0.example:1")!.checks, 2);
});

Deno.test("what cannot be written is kept until it can", () => {
  using folder = temporaryFolder();
  using it = opened(folder.path);
  const hosts = it.open();
  hosts.record(f, counted("a.example:1"));
  it.state.fails = true;
  hosts.flush();
  assert.deepEqual(hosts.since(f, 0), []);
  it.state.fails = false;
  assert.deepEqual(namesOf(hosts, f), ["a.example:1 1"]);
});

Deno.test("hosts are known since the day after calls without them, and only if all nodes know theirs", () => {
  using folder = temporaryFolder();
  using it = opened(folder.path);
  const { observations, state } = it;
  const hosts = it.open();
  const midnight = state.now - state.now % DAY;
  assert.equal(hosts.begin, undefined);
  hosts.observe(true, true);
  assert.equal(hosts.begin, midnight + DAY);
  state.now += 5 * DAY;
  hosts.observe(true, true);
  assert.equal(hosts.begin, midnight + DAY, "a restart changes nothing");
  hosts.observe(false, true);
  assert.equal(hosts.begin, undefined);
  hosts.observe(true, false);
  assert.equal(hosts.begin, 1, "a new server has missed nothing");
  const other = (at: number) =>
    observations.transaction(() =>
      observations.nodeCounts.receive([{ kind: "hostsBegin", key: "", at: 0, node: "other", values: [at] }], 1)
    );
  other(midnight + 9 * DAY);
  assert.equal(hosts.begin, midnight + 9 * DAY);
  other(0);
  assert.equal(hosts.begin, undefined);
});
