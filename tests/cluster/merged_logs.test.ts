// The logs of several nodes as one: pages, readers that follow, nodes that do not answer.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import fc from "fast-check";
import { logHandlers, logsOf } from "../../src/app/cluster/node_logs.ts";
import type { FunctionId } from "../../src/ids.ts";
import { createMasking } from "../../src/masking/masking.ts";
import { openObservations } from "../../src/store/observations.ts";
import { type AllLogs, createAllLogs, type MergedPage } from "../../src/telemetry/cluster/all_logs.ts";
import type { MergedEntry, SilentNode } from "../../src/telemetry/cluster/node_logs.ts";
import { readCursor, readPositions, writeCursor, writePositions } from "../../src/telemetry/cluster/positions.ts";
import { Logs } from "../../src/telemetry/logs.ts";
import { temporaryFolder } from "../unit/temporary.ts";
import { type PeerNode, startPeerNode } from "./peer_nodes.ts";

const FUNCTION = 1 as FunctionId;

/** A node with its own logs, which knows the others that are running. */
interface LogNode extends AsyncDisposable {
  readonly id: string;
  readonly all: AllLogs;
  readonly logs: Logs;
  print(message: string, at: number, requestId?: string): void;
  /** Does not answer others any more, or answers again. */
  disconnect(): PromiseLike<void>;
  connect(): void;
}

function startLogNodes(ids: readonly string[]): { nodes: LogNode[] } & AsyncDisposable {
  const root = randomBytes(32);
  const peers = new Map<string, PeerNode>();
  const ports = new Map<string, number>();
  const nodes = ids.map((id): LogNode => {
    const folder = temporaryFolder();
    const observations = openObservations(join(folder.path, "observations.db"), () => new Date(0), assert.fail);
    let now = 1_000;
    const logs = new Logs({
      observations,
      masking: createMasking(),
      settings: {
        level: () => "debug",
        maxBatchSize: () => 50,
        maxDelayMs: () => 1,
        maxPerFunction: () => 10_000,
        retentionSeconds: () => 1_000_000,
      },
      isFunction: () => true,
      now: () => now,
      report: (_, message) => assert.fail(message),
    });
    const connect = () => {
      const port = ports.get(id) ?? 0;
      peers.set(id, startPeerNode(id, { root, handlers: new Map(logHandlers(logs)), port }));
      ports.set(id, Number(new URL(peers.get(id)!.peer.url).port));
    };
    connect();
    const client = peers.get(id)!.client;
    const others = () => ids.filter((other) => other !== id).map((other) => logsOf(peers.get(other)!.peer, client));
    return {
      id,
      logs,
      all: createAllLogs(logs, { own: id, others, now: () => now }),
      print(message, at, requestId = "r") {
        now = at;
        logs.write({ functionId: FUNCTION, requestId, level: "info", event: "print", message });
      },
      connect,
      disconnect: () => peers.get(id)![Symbol.asyncDispose](),
      async [Symbol.asyncDispose]() {
        logs.endFollowing();
        await peers.get(id)![Symbol.asyncDispose]();
        logs.close();
        observations.close();
        folder[Symbol.dispose]();
      },
    };
  });
  return {
    nodes,
    async [Symbol.asyncDispose]() {
      for (const node of nodes) await node[Symbol.asyncDispose]();
    },
  };
}

const messagesOf = (entries: readonly MergedEntry[]) => entries.map(({ message }) => message);

async function pagesOf(all: AllLogs, limit: number): Promise<MergedPage[]> {
  const pages: MergedPage[] = [];
  let cursor: string | undefined;
  do {
    const page = await all.list({}, { limit, cursor });
    pages.push(page);
    cursor = page.next;
  } while (cursor !== undefined);
  return pages;
}

/** What a reader who follows has got. */
function reader(all: AllLogs, since?: string) {
  const entries: MergedEntry[] = [];
  const ids: string[] = [];
  let silent: readonly SilentNode[] = [];
  let lost = 0;
  let changed = Promise.withResolvers<void>();
  const tell = () => {
    changed.resolve();
    changed = Promise.withResolvers();
  };
  const stop = all.follow({ filter: {}, since }, {
    entry: (entry, id) => (entries.push(entry), ids.push(id), tell()),
    lost: (count) => (lost += count ?? 1, tell()),
    silent: (nodes) => (silent = nodes, tell()),
    end: () => tell(),
  });
  return {
    entries,
    ids,
    silent: () => silent.map(({ node }) => node),
    lost: () => lost,
    async until(is: () => boolean) {
      while (!is()) await changed.promise;
    },
    [Symbol.dispose]: stop,
  };
}

Deno.test("pages have the entries of all nodes by time, each once, with its node, asked of any node", async () => {
  await using there = startLogNodes(["a", "b", "c"]);
  const { nodes } = there;
  for (let n = 0; n < 60; n++) nodes[n * 7 % 3]!.print(`line ${n}`, 2_000 + n);
  for (const { all } of nodes) {
    for (const limit of [1, 7, 60, 100]) {
      const pages = await pagesOf(all, limit);
      const entries = pages.flatMap(({ entries }) => entries);
      assert.deepEqual(messagesOf(entries), Array.from({ length: 60 }, (_, n) => `line ${59 - n}`), `${limit}`);
      assert.ok(entries.every(({ node, message }) => node === nodes[Number(message.slice(5)) * 7 % 3]!.id));
      assert.deepEqual(pages.flatMap(({ silent }) => silent), []);
      assert.ok(pages.slice(0, -1).every((page) => page.entries.length === limit));
    }
  }
});

Deno.test("no entry is lost or repeated over pages, whatever is logged between them, in whatever order of clocks", async () => {
  await using there = startLogNodes(["a", "b"]);
  const step = fc.record({ node: fc.nat(1), at: fc.nat(1_000), pages: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 30 }),
      fc.integer({ min: 1, max: 5 }),
      async (steps, limit) => {
        for (const { logs } of there.nodes) await logs.clear(FUNCTION);
        const before = steps.filter(({ pages }) => !pages);
        before.forEach(({ node, at }, n) => there.nodes[node]!.print(`before ${n}`, 10_000 + at));
        const { all } = there.nodes[0]!;
        const seen: string[] = [];
        let cursor: string | undefined;
        let later = steps.filter(({ pages }) => pages);
        do {
          const page = await all.list({}, { limit, cursor });
          seen.push(...messagesOf(page.entries));
          cursor = page.next;
          later.slice(0, 2).forEach(({ node, at }) => there.nodes[node]!.print("later", 20_000 + at));
          later = later.slice(2);
        } while (cursor !== undefined);
        assert.equal(
          new Set(seen.filter((text) => text !== "later")).size,
          seen.filter((text) => text !== "later").length,
        );
        assert.deepEqual(seen.filter((text) => text !== "later").sort(), before.map((_, n) => `before ${n}`).sort());
        for (const node of ["a", "b"]) {
          const own = (await pagesOf(all, 100)).flatMap(({ entries }) => entries).filter((one) => one.node === node);
          assert.deepEqual(own.map(({ id }) => id), own.map(({ id }) => id).toSorted((a, b) => b - a), "its own order");
        }
      },
    ),
    { numRuns: 30 },
  );
});

Deno.test("a node that does not answer is named, and its entries come once it answers again, none twice", async () => {
  await using there = startLogNodes(["a", "b"]);
  const [a, b] = there.nodes as [LogNode, LogNode];
  for (let n = 0; n < 10; n++) (n % 2 ? b : a).print(`line ${n}`, 2_000 + n);
  await b.disconnect();
  const first = await a.all.list({}, { limit: 2, cursor: undefined });
  assert.deepEqual(messagesOf(first.entries), ["line 8", "line 6"]);
  assert.deepEqual(first.silent.map(({ node }) => node), ["b"]);
  assert.match(first.silent[0]!.why, /^Node b could not be asked at http/);
  b.connect();
  const second = await a.all.list({}, { limit: 10, cursor: first.next });
  // Lines 9 and 7 of the missing node belong on the first page, which says that it is not complete.
  assert.deepEqual(messagesOf(second.entries), ["line 5", "line 4", "line 3", "line 2", "line 1", "line 0"]);
  assert.deepEqual(second.silent, []);
});

Deno.test("a log is cleared on all nodes, and a node that has not done so is named", async () => {
  await using there = startLogNodes(["a", "b"]);
  const [a, b] = there.nodes as [LogNode, LogNode];
  const fill = () => there.nodes.forEach(({ print }) => print("line", 2_000));
  fill();
  assert.deepEqual(await a.all.clear(FUNCTION), []);
  assert.deepEqual((await b.all.list({}, { limit: 10, cursor: undefined })).entries, []);
  fill();
  await b.disconnect();
  assert.deepEqual((await a.all.clear(FUNCTION)).map(({ node }) => node), ["b"]);
  assert.equal(a.logs.list({ limit: 10 }).entries.length, 0);
  b.connect();
  assert.equal((await a.all.list({}, { limit: 10, cursor: undefined })).entries.length, 1);
});

Deno.test("a reader gets what was missed by time, then what comes from any node, and continues after a page", async () => {
  await using there = startLogNodes(["a", "b", "c"]);
  const { nodes } = there;
  nodes[0]!.print("old", 2_000);
  const { newest } = await nodes[1]!.all.list({}, { limit: 10, cursor: undefined });
  for (let n = 0; n < 9; n++) nodes[n * 2 % 3]!.print(`missed ${n}`, 2_100 + n);
  using first = reader(nodes[1]!.all, newest);
  await first.until(() => first.entries.length === 9);
  assert.deepEqual(messagesOf(first.entries), Array.from({ length: 9 }, (_, n) => `missed ${n}`));
  for (const { print, id } of nodes) print(`from ${id}`, 3_000);
  await first.until(() => first.entries.length === 12);
  assert.deepEqual(messagesOf(first.entries.slice(9)).sort(), ["from a", "from b", "from c"]);
  // From each event, another reader, of another node, gets exactly what came after it.
  for (const at of [0, 4, 8, 11]) {
    using again = reader(nodes[2]!.all, first.ids[at]);
    await again.until(() => again.entries.length === 11 - at);
    assert.deepEqual(messagesOf(again.entries).sort(), messagesOf(first.entries.slice(at + 1)).sort());
  }
  using fromNow = reader(nodes[0]!.all);
  await new Promise((resolve) => setTimeout(resolve, 0));
  nodes[0]!.print("new", 4_000);
  await fromNow.until(() => fromNow.entries.length === 1);
  assert.deepEqual(messagesOf(fromNow.entries), ["new"]);
});

Deno.test("a reader is told which node it does not get entries of, and gets them once it is back", async () => {
  await using there = startLogNodes(["a", "b"]);
  const [a, b] = there.nodes as [LogNode, LogNode];
  const { newest } = await a.all.list({}, { limit: 1, cursor: undefined });
  using reading = reader(a.all, newest);
  b.print("one", 2_000);
  await reading.until(() => reading.entries.length === 1);
  b.logs.endFollowing();
  await b.disconnect();
  await reading.until(() => reading.silent().join() === "b");
  b.print("two", 2_001);
  b.connect();
  await reading.until(() => reading.entries.length === 2);
  assert.deepEqual(messagesOf(reading.entries), ["one", "two"]);
  assert.deepEqual(reading.silent(), []);
});

Deno.test("positions are texts that fit into headers and addresses, and no other text is one", () => {
  const node = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/);
  fc.assert(fc.property(fc.dictionary(node, fc.nat()), fc.nat(), (byNode, at) => {
    const positions = { byNode: new Map(Object.entries(byNode)), at };
    assert.deepEqual(readPositions(writePositions(positions)), positions);
    assert.deepEqual(readCursor(writeCursor(positions)), positions);
    assert.match(writePositions(positions), /^[\w.~-]+$/);
  }));
  for (const text of ["", "x", "1~", "1~a", "1~a.x", "1~a.1.2", "1~a.1~a.1", "01", "1~a.-1", "1~ä.1", "1~.1"]) {
    assert.equal(readPositions(text), undefined, text);
  }
  assert.equal(readCursor("after 1"), undefined);
});

Deno.test("requests of all nodes are found by the beginnings of their ids, the newest first", async () => {
  await using there = startLogNodes(["a", "b"]);
  const { nodes } = there;
  for (const [n, { print }] of nodes.entries()) print(`line ${n}`, 1_000 * n, `abcdef0${n}-1`);
  for (const { all } of nodes) {
    const found = await all.requests("abcdef", 10);
    assert.deepEqual(found.map(({ requestId }) => requestId), ["abcdef01-1", "abcdef00-1"]);
    assert.equal((await all.requests("abcdef", 1))[0]!.requestId, "abcdef01-1");
  }
  await nodes[1]!.disconnect();
  assert.deepEqual((await nodes[0]!.all.requests("abcdef", 10)).map(({ requestId }) => requestId), ["abcdef00-1"]);
});

Deno.test("a histogram has the entries of all nodes, and a span of time is of all of them", async () => {
  await using there = startLogNodes(["a", "b", "c"]);
  const { nodes } = there;
  for (let n = 0; n < 30; n++) nodes[n % 3]!.print(`line ${n}`, 60_000 * n);
  const bars = { from: 0, widthMs: 600_000, count: 3 };
  for (const { all } of nodes) {
    const { bars: counts, isComplete } = await all.histogram({}, bars);
    assert.deepEqual(counts.map(([, info]) => info), [10, 10, 10]);
    assert.ok(isComplete);
    assert.equal(await all.beginning(), 0);
    const seen: string[] = [];
    for (let cursor: string | undefined, isFirst = true; isFirst || cursor !== undefined; isFirst = false) {
      const page = await all.list({ from: 300_000, until: 900_000 }, { limit: 4, cursor });
      seen.push(...messagesOf(page.entries));
      cursor = page.next;
    }
    assert.deepEqual(seen, Array.from({ length: 11 }, (_, n) => `line ${15 - n}`));
  }
  await nodes[2]!.disconnect();
  const { bars: left } = await nodes[0]!.all.histogram({ search: "line" }, bars);
  assert.equal(left.flat().reduce((sum, count) => sum + count, 0), 20);
});
