// Messages between nodes, and everything that somebody on the way between them can do to one.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createSecretKey, randomBytes } from "node:crypto";
import { HEAD_MAX_BYTES } from "../../src/cluster/peers/envelope.ts";
import { CONTENT_MAX_BYTES, Messages, type Received, type Sent } from "../../src/cluster/peers/messages.ts";
import { Replays, WINDOW_MS } from "../../src/cluster/peers/replays.ts";
import { DerivedKey } from "../../src/keyring/derived_key.ts";

const PATH = "/internal/logs";
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const bytesOf = (text: string) => new TextEncoder().encode(text);
const newKey = (root = randomBytes(32)) => new DerivedKey(createSecretKey(root), "cluster messages");

/** Two nodes with the same key, which know each other's runs. */
function nodes() {
  let now = 1_800_000_000_000;
  const root = randomBytes(32);
  const make = (node: string) => new Messages({ key: newKey(root), node, now: () => now });
  const [a, b] = [make("node-a"), make("node-b")];
  const bootOf = (node: Messages, from: Messages) => {
    const refusal = node.receive(from.seal(node.node, PATH, bytesOf("hello")).bytes, PATH)!.refusal!;
    assert.equal(refusal.refused, "boot");
    return (refusal as { boot: string }).boot;
  };
  return {
    a,
    b,
    make,
    bootOfB: bootOf(b, a),
    bootOf,
    passes: (ms: number) => now += ms,
    send: (content = "question", path = PATH): Sent => a.seal("node-b", path, bytesOf(content), bootOf(b, a)),
  };
}

/** Returns the bytes of a response, in chunks of `size`. */
function responseOf({ response }: Received, frames: string[], size = Infinity): Uint8Array[] {
  const sealed = frames.map((frame, n) => response.seal(bytesOf(frame), n === frames.length - 1));
  const all = Buffer.concat([response.begin, ...sealed]);
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < all.length; at += Math.min(size, all.length)) chunks.push(all.subarray(at, at + size));
  return chunks;
}

async function* streamOf(chunks: Iterable<Uint8Array>) {
  yield* chunks;
}

async function opened(sent: Sent, chunks: Iterable<Uint8Array>): Promise<string[]> {
  const found: string[] = [];
  for await (const content of sent.open(streamOf(chunks))) found.push(text(content));
  return found;
}

Deno.test("a request reaches its receiver, and the response its sender, in whatever pieces they arrive", async () => {
  const { b, send } = nodes();
  for (const size of [1, 3, 17, Infinity]) {
    const sent = send("question");
    const received = b.receive(sent.bytes, PATH)!;
    assert.equal(received.refusal, undefined);
    assert.equal(received.sender, "node-a");
    assert.equal(text(received.content), "question");
    assert.deepEqual(await opened(sent, responseOf(received, ["one", "", "two"], size)), ["one", "", "two"]);
  }
});

Deno.test("nothing of the content is visible, and equal messages look different", () => {
  const { send } = nodes();
  const [one, other] = [send("a very visible question").bytes, send("a very visible question").bytes];
  assert.ok(!Buffer.from(one).includes("visible"));
  assert.notDeepEqual(one.subarray(-30), other.subarray(-30));
});

Deno.test("every flipped bit, and every cut, makes a request one of a stranger", () => {
  const { b, send } = nodes();
  const { bytes } = send();
  for (let at = 0; at < bytes.length; at++) {
    for (let bit = 0; bit < 8; bit++) {
      const altered = Uint8Array.from(bytes);
      altered[at]! ^= 1 << bit;
      assert.equal(b.receive(altered, PATH), undefined, `byte ${at}, bit ${bit}`);
    }
    assert.equal(b.receive(bytes.subarray(0, at), PATH), undefined, `${at} bytes`);
  }
  assert.equal(b.receive(Uint8Array.from([...bytes, 0]), PATH), undefined);
  assert.equal(text(b.receive(bytes, PATH)!.content), "question", "it was good before");
});

Deno.test("a request counts only under the path, for the node and under the key that it was made for", () => {
  const { a, b, make, send, bootOfB } = nodes();
  const { bytes } = send();
  assert.equal(b.receive(bytes, "/internal/clear-logs"), undefined, "another path");
  assert.equal(make("node-c").receive(bytes, PATH), undefined, "another node");
  assert.equal(a.receive(bytes, PATH), undefined, "back to its sender");
  assert.equal(a.receive(a.seal("node-a", PATH, bytesOf("x")).bytes, PATH), undefined, "of the node itself");
  const stranger = new Messages({ key: newKey(), node: "node-a", now: () => 1_800_000_000_000 });
  assert.equal(b.receive(stranger.seal("node-b", PATH, bytesOf("x"), bootOfB).bytes, PATH), undefined, "another key");
});

Deno.test("a request is accepted once, within half a minute of both clocks, by one run of the receiver", () => {
  const { b, make, send, passes, bootOf, a } = nodes();
  const { bytes } = send();
  assert.equal(b.receive(bytes, PATH)!.refusal, undefined);
  assert.deepEqual(b.receive(bytes, PATH)!.refusal, { refused: "replay" });
  const late = send().bytes;
  passes(WINDOW_MS + 1);
  assert.deepEqual(b.receive(late, PATH)!.refusal, { refused: "clock", at: 1_800_000_000_000 + WINDOW_MS + 1 });
  passes(-2 * WINDOW_MS - 1);
  assert.equal(b.receive(late, PATH)!.refusal?.refused, "clock");
  const restarted = make("node-b");
  const sent = send().bytes;
  assert.equal(restarted.receive(sent, PATH)!.refusal?.refused, "boot");
  assert.notEqual(bootOf(restarted, a), bootOf(b, a));
});

Deno.test("what was accepted is not accepted again after the clock was set forward and back", () => {
  let now = 1_800_000_000_000;
  const replays = new Replays(() => now);
  assert.equal(replays.accept("first", now), "accepted");
  const sent = now;
  now += 10 * WINDOW_MS;
  assert.equal(replays.accept("second", now), "accepted");
  now = sent;
  assert.equal(replays.accept("first", sent), "clock");
});

Deno.test("what is remembered of messages is bounded, and room comes back as their time is over", () => {
  let now = 1_800_000_000_000;
  const replays = new Replays(() => now, 3);
  for (const nonce of ["1", "2", "3"]) assert.equal(replays.accept(nonce, now), "accepted");
  assert.equal(replays.accept("4", now), "full");
  now += WINDOW_MS + 1;
  assert.equal(replays.accept("4", now), "accepted");
});

Deno.test("a response is refused if any bit of it differs", async () => {
  const { b, send } = nodes();
  const sent = send();
  const whole = Buffer.concat(responseOf(b.receive(sent.bytes, PATH)!, ["first", "second"]));
  for (let at = 0; at < whole.length; at++) {
    const altered = Uint8Array.from(whole);
    altered[at]! ^= 1 << (at % 8);
    await assert.rejects(opened(sent, [altered]), /not authentic|too long|not complete|after its end/, `byte ${at}`);
  }
  assert.deepEqual(await opened(sent, [whole]), ["first", "second"]);
});

Deno.test("a response cannot be cut off, continued, or have its frames left out, repeated or reordered", async () => {
  const { b, send } = nodes();
  const sent = send();
  const { response } = b.receive(sent.bytes, PATH)!;
  const frames = ["1", "2", "3"].map((content, n) => response.seal(bytesOf(content), n === 2));
  const [one, two, three] = frames as [Uint8Array, Uint8Array, Uint8Array];
  const { begin } = response;
  const fails = async (chunks: Uint8Array[], why: RegExp) => await assert.rejects(opened(sent, chunks), why);
  await fails([], /not complete/);
  await fails([begin], /not complete/);
  await fails([begin, one], /not complete/);
  await fails([begin, one, two], /not complete/);
  await fails([begin, one, two, three.subarray(0, -1)], /not complete/);
  await fails([begin, one, three], /not authentic/);
  await fails([begin, two, one, three], /not authentic/);
  await fails([begin, one, one, two, three], /not authentic/);
  await fails([Buffer.concat([begin, one, two, three, three])], /after its end/);
  // The mark of the last frame, set on another one or taken from it.
  const marked = (frame: Uint8Array) => Uint8Array.from([frame[0]! ^ 0x80, ...frame.subarray(1)]);
  await fails([begin, one, marked(two)], /not authentic/);
  await fails([begin, one, two, marked(three)], /not authentic/);
  assert.deepEqual(await opened(sent, [begin, one, two, three]), ["1", "2", "3"]);
});

Deno.test("a response belongs to one request: swapped, older and reflected ones are refused", async () => {
  const { a, b, send, bootOf } = nodes();
  const [one, other] = [send("one"), send("other")];
  const ofOther = responseOf(b.receive(other.bytes, PATH)!, ["answer"]);
  await assert.rejects(opened(one, ofOther), /not authentic/);
  // A request is no response, not even to itself or to one that goes the other way.
  await assert.rejects(opened(one, [one.bytes]), /not authentic|too long/);
  const back = b.seal("node-a", PATH, bytesOf("one"), bootOf(a, b));
  await assert.rejects(opened(one, responseOf(a.receive(back.bytes, PATH)!, ["answer"])), /not authentic/);
  assert.deepEqual(await opened(other, ofOther), ["answer"]);
});

Deno.test("a request that is answered twice is answered under two keys", async () => {
  const { a, b, make, bootOf } = nodes();
  const sent = a.seal("node-b", PATH, bytesOf("x"), bootOf(b, a));
  const first = b.receive(sent.bytes, PATH)!.response;
  const second = b.receive(sent.bytes, PATH)!.response;
  assert.notDeepEqual(first.begin, second.begin);
  await assert.rejects(opened(sent, [first.begin, second.seal(bytesOf("answer"), true)]), /not authentic/);
  assert.ok(make("node-c"));
});

Deno.test("sizes are limited on both sides, and ids of nodes, too", async () => {
  const { a, b, send } = nodes();
  assert.throws(() => a.seal("node-b", PATH, new Uint8Array(CONTENT_MAX_BYTES + 1)), /too long/);
  assert.throws(() => a.seal("n".repeat(65), PATH, new Uint8Array()), /too long/);
  const sent = send();
  const { response } = b.receive(sent.bytes, PATH)!;
  assert.throws(() => response.seal(new Uint8Array(CONTENT_MAX_BYTES + 1), false), /too long/);
  // Read no further than the length: nobody waits for 2 GB.
  await assert.rejects(opened(sent, [response.begin, Uint8Array.of(0x7f, 0xff, 0xff, 0xff)]), /too long/);
  assert.ok(HEAD_MAX_BYTES < 200);
});

Deno.test("random bytes are never a request, and no length in them is believed", () => {
  const { b } = nodes();
  for (let n = 0; n < 2_000; n++) {
    const bytes = randomBytes(n % 300);
    if (bytes.length > 0) bytes[0] = 1;
    assert.equal(b.receive(bytes, PATH), undefined);
  }
});
