// Nodes that ask each other over HTTP: answers, streams, restarts, strangers.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { AppError } from "../../src/errors.ts";
import { QUESTION_MAX_BYTES } from "../../src/cluster/peers/endpoint.ts";
import { PeerError, type PeerHandler } from "../../src/cluster/peers/questions.ts";
import { startPeerNode } from "./peer_nodes.ts";

const root = randomBytes(32);

const echo: PeerHandler = { answer: (input, from) => ({ input, from }) };

/** Resolves with the error that `work` is rejected with. */
async function errorOf(work: Promise<unknown>): Promise<PeerError> {
  const error = await work.then(() => assert.fail("it should fail"), (error) => error);
  assert.ok(error instanceof PeerError, String(error));
  return error;
}

Deno.test("a node is asked and answers, with long answers, nothing and errors", async () => {
  const long = "ä".repeat(3_000_000);
  const handlers = new Map<string, PeerHandler>([
    ["echo", echo],
    ["long", { answer: () => long }],
    ["nothing", { answer: () => undefined }],
    ["wrong", {
      answer: () => {
        throw new AppError("Conflict", 409, "No.");
      },
    }],
  ]);
  await using a = startPeerNode("a", { root });
  await using b = startPeerNode("b", { root, handlers });
  assert.deepEqual(await a.client.ask(b.peer, "echo", { x: [1] }), { input: { x: [1] }, from: "a" });
  assert.equal(await a.client.ask(b.peer, "long"), long);
  assert.equal(await a.client.ask(b.peer, "nothing"), null);
  const error = await errorOf(a.client.ask(b.peer, "wrong"));
  assert.deepEqual([error.kind, error.answeredCode], ["failed", "Conflict"]);
  assert.match(error.message, /^Node b answered: No\.$/);
  assert.equal((await errorOf(a.client.ask(b.peer, "unheard-of"))).answeredCode, "NotFound");
});

Deno.test("a client that is closed ends what it asks and follows, and asks no more", async () => {
  const begun = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const handlers = new Map<string, PeerHandler>([
    ["echo", echo],
    ["never", { answer: () => (begun.resolve(), release.promise) }],
    ["lines", {
      stream: async function* (_input, _from, signal) {
        yield "first";
        await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
      },
    }],
  ]);
  await using a = startPeerNode("a", { root });
  await using b = startPeerNode("b", { root, handlers });
  const never = errorOf(a.client.ask(b.peer, "never", null, { timeoutMs: 60_000 }));
  const lines = a.client.follow(b.peer, "lines", null, { signal: new AbortController().signal });
  assert.equal((await lines.next()).value, "first");
  const next = errorOf(lines.next());
  await begun.promise;
  await a.client.close();
  for (const error of [await never, await next, await errorOf(a.client.ask(b.peer, "echo"))]) {
    assert.equal(error.kind, "unreachable");
  }
  release.resolve();
});

Deno.test("a node that was restarted is asked anew, once", async () => {
  const handlers = new Map([["echo", echo]]);
  await using a = startPeerNode("a", { root });
  const first = startPeerNode("b", { root, handlers });
  await a.client.ask(first.peer, "echo");
  await a.client.ask(first.peer, "echo");
  assert.equal(first.requests(), 3, "one to learn its run, then one for each question");
  await first[Symbol.asyncDispose]();
  const { port } = new URL(first.peer.url);
  await using second = startPeerNode("b", { root, handlers, port: Number(port) });
  assert.deepEqual(await a.client.ask(second.peer, "echo", 1), { input: 1, from: "a" });
  assert.equal(second.requests(), 2);
});

Deno.test("what cannot be reached says why, and does not keep the others from answering", async () => {
  await using a = startPeerNode("a", { root });
  await using b = startPeerNode("b", { root, handlers: new Map([["echo", echo]]) });
  await using stranger = startPeerNode("c");
  const gone = startPeerNode("d", { root });
  await gone[Symbol.asyncDispose]();
  await using late = startPeerNode("e", { root, now: () => Date.now() - 95_000, handlers: new Map([["echo", echo]]) });
  const peers = [b.peer, stranger.peer, gone.peer, late.peer, { id: "f", url: b.peer.url }];
  const answers = await a.client.askAll(peers, "echo", 1);
  const shown = answers.map((answer) => "error" in answer ? answer.error.kind : answer.value);
  assert.deepEqual(shown, [{ input: 1, from: "a" }, "unknown", "unreachable", "clock", "unknown"]);
  const clock = answers[3] as { error: PeerError };
  assert.match(clock.error.message, /^Node e has a clock that is 9[45] s behind that of this node\./);
});

Deno.test("a node that does not answer in time is given up", async () => {
  const asked = Promise.withResolvers<void>();
  const answered = Promise.withResolvers<void>();
  const handlers = new Map<string, PeerHandler>([["slow", { answer: () => (asked.resolve(), answered.promise) }]]);
  await using a = startPeerNode("a", { root });
  await using b = startPeerNode("b", { root, handlers });
  const error = await errorOf(a.client.ask(b.peer, "slow", null, { timeoutMs: 200 }));
  assert.equal(error.kind, "unreachable");
  await asked.promise;
  answered.resolve();
});

Deno.test("a stream brings each item, ends with its end, and ends at the other side when its reader leaves", async () => {
  const ended = Promise.withResolvers<void>();
  const handlers = new Map<string, PeerHandler>([
    ["three", {
      async *stream(input) {
        for (const n of [1, 2, 3]) yield [input, n];
      },
    }],
    ["endless", {
      async *stream(_, __, signal) {
        yield 1;
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        ended.resolve();
      },
    }],
    ["broken", {
      async *stream() {
        yield 1;
        throw new Error("broken");
      },
    }],
  ]);
  await using a = startPeerNode("a", { root });
  await using b = startPeerNode("b", { root, handlers });
  const { signal } = new AbortController();
  const all = await Array.fromAsync(a.client.follow(b.peer, "three", "x", { signal }));
  assert.deepEqual(all, [["x", 1], ["x", 2], ["x", 3]]);
  let opened = false;
  for await (const item of a.client.follow(b.peer, "endless", null, { signal, onOpen: () => opened = true })) {
    assert.equal(item, 1);
    break;
  }
  assert.ok(opened);
  await ended.promise;
  const items: unknown[] = [];
  const broken = await errorOf((async () => {
    for await (const item of a.client.follow(b.peer, "broken", null, { signal })) items.push(item);
  })());
  assert.deepEqual([items, broken.kind], [[1], "unreachable"]);
  assert.deepEqual(b.errors.map(String), ["Error: broken"]);
});

Deno.test("strangers get a bare 404, whatever they send", async () => {
  await using b = startPeerNode("b", { root, handlers: new Map([["echo", echo]]) });
  const url = `${b.peer.url}/internal/echo`;
  const sent = async (init: RequestInit) => {
    const response = await fetch(url, init);
    return [response.status, await response.text(), response.headers.get("content-type")];
  };
  const bare = [404, "", null];
  assert.deepEqual(await sent({}), bare);
  assert.deepEqual(await sent({ method: "DELETE" }), bare);
  assert.deepEqual(await sent({ method: "POST", body: "" }), bare);
  assert.deepEqual(await sent({ method: "POST", body: Uint8Array.from(randomBytes(500)) }), bare);
  assert.deepEqual(await sent({ method: "POST", body: new Blob(["x"]).stream() }), bare, "without a length");
  const long = new Uint8Array(QUESTION_MAX_BYTES + 1_000);
  assert.deepEqual(await sent({ method: "POST", body: long }), bare);
});
