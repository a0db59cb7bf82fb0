// Nodes that compare the heads of their logs.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import type { Head } from "../../src/cluster/log/change_log.ts";
import { LogTampered } from "../../src/cluster/log/errors.ts";
import { HEAD_QUESTION, Heads } from "../../src/cluster/peers/heads.ts";
import type { PeerHandler } from "../../src/cluster/peers/questions.ts";
import { startPeerNode } from "./peer_nodes.ts";

const root = randomBytes(32);
const LOG = Array.from({ length: 20 }, (_, seq): Head => ({ seq, mac: `mac ${seq}` }));
const FORKED = LOG.map(({ seq, mac }): Head => ({ seq, mac: seq < 10 ? mac : `other mac ${seq}` }));

/** A node that has applied `log` up to `seq`. */
function nodeWith(id: string, log: readonly Head[], seq: number) {
  const forks: LogTampered[] = [];
  const handlers = new Map<string, PeerHandler>();
  const node = startPeerNode(id, { root, handlers });
  const heads = new Heads(log[0]!, { client: node.client, onFork: (error) => forks.push(error) });
  for (const head of log.slice(1, seq + 1)) heads.applied(head);
  handlers.set(HEAD_QUESTION, heads.handler);
  return { ...node, heads, forks };
}

Deno.test("nodes of one log agree, whichever is ahead, and learn how far the others are", async () => {
  await using a = nodeWith("a", LOG, 12);
  await using b = nodeWith("b", LOG, 15);
  await using c = nodeWith("c", LOG, 9);
  const gone = startPeerNode("d", { root });
  await gone[Symbol.asyncDispose]();
  const found = await a.heads.compare([b.peer, c.peer, gone.peer], 2_000);
  assert.deepEqual(found.agreed, ["b", "c"]);
  assert.equal(found.highest, 15);
  assert.deepEqual(found.unreachable.map(({ node }) => node), ["d"]);
  assert.deepEqual((await c.heads.compare([a.peer, b.peer], 2_000)).agreed, ["a", "b"]);
  assert.deepEqual([a, b, c].flatMap(({ forks }) => forks), []);
});

Deno.test("a forked log is found from both sides, with the node and the first number at which they differ for sure", async () => {
  for (const [own, theirs] of [[12, 15], [15, 12], [12, 12]] as const) {
    await using a = nodeWith("a", LOG, own);
    await using b = nodeWith("b", FORKED, theirs);
    const error = await a.heads.compare([b.peer], 2_000).then(() => undefined, (error) => error);
    assert.ok(error instanceof LogTampered, `${own} and ${theirs}`);
    assert.equal(error.seq, 12);
    assert.match(error.message, /node b/);
    // The asked node knows it at once if it has the entry.
    assert.deepEqual(b.forks.map(({ seq }) => seq), own <= theirs ? [12] : []);
  }
});

Deno.test("a fork before which both stand is none yet", async () => {
  await using a = nodeWith("a", LOG, 8);
  await using b = nodeWith("b", FORKED, 15);
  assert.deepEqual((await a.heads.compare([b.peer], 2_000)).agreed, ["b"]);
});

Deno.test("only the last entries are remembered, and a snapshot may skip some", async () => {
  await using a = nodeWith("a", LOG, 3);
  await using b = nodeWith("b", LOG, 3);
  a.heads.applied({ seq: 50_000, mac: "of a snapshot" });
  for (let seq = 50_001; seq <= 61_000; seq++) a.heads.applied({ seq, mac: `mac ${seq}` });
  assert.deepEqual((await b.heads.compare([a.peer], 2_000)).highest, 61_000);
  b.heads.applied({ seq: 61_000, mac: "mac of another" });
  await assert.rejects(b.heads.compare([a.peer], 2_000), LogTampered);
});
