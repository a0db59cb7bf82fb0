// A process that sends everything it can, as long as it may be and never the same twice, for as many calls as there
// may be: the server's memory stays within the budget that docs/security-model.md gives, and others are answered.

import assert from "node:assert/strict";
import {
  CHUNK_MAX_BYTES,
  DNS_NAME_MAX_LENGTH,
  FETCH_URL_MAX_LENGTH,
  HEADERS_MAX,
  HEADERS_MAX_LENGTH,
  LOG_TEXT_MAX_LENGTH,
  SECRET_NAME_MAX_LENGTH,
  ToHost,
} from "../../src/sandbox/wire/protocol.ts";
import { createSecret, run } from "../http/handlers.ts";
import type { Server } from "../http/server.ts";
import { withArena } from "./arena.ts";
import { withinMemory } from "./processes.ts";
import { OWN_WRITER } from "./raw_frames.ts";

/** `sandbox.max-calls`, and `sandbox.calls-memory-mb`, far less than so many calls would like to hold. */
const CALLS = 400;
const CALLS_MEMORY_MB = 64;
/** What the server may hold beside that for all functions together, and what of it is not collected yet. */
const CACHES_MB = 208;
const GARBAGE_MB = 100;

/** Secrets of the function, each as long as one may be: more than are remembered of a function. */
const SECRETS = 40;
const SECRETS_A_CALL = 12;

/**
 * For each type of frame, code that returns its payloads, distinct for each `n`, and the ids that they are sent for.
 * `each` sends while the calls are under way, for each of them; `last` once they are, and ends them.
 */
const MAXIMAL: Readonly<Record<keyof typeof ToHost, { each?: string; last?: string; own?: true }>> = {
  Ask: {
    each: `[
      ...Array.from({ length: 40 }, (_, k) => JSON.stringify([2 ** 53 - 1 - k, "complete", text(n + "-" + k, ${SECRET_NAME_MAX_LENGTH}), text(k, 16)])),
      ...Array.from({ length: ${SECRETS_A_CALL} }, (_, k) => JSON.stringify([2 ** 52 + k, "get", "BIG" + (n * ${SECRETS_A_CALL} + k) % ${SECRETS}, null])),
    ]`,
  },
  // A process that prints more than a megabyte a second is not read from: those of a few calls.
  Log: { each: `n % 50 === 0 ? [JSON.stringify(["error", text(n, ${LOG_TEXT_MAX_LENGTH})])] : []` },
  Credit: { each: `[String(2 ** 53 - 1 - n)]` },
  Pong: { each: `["x".repeat(64)]` },
  RevokeAck: { each: `[text(n, 60)]` },
  Dropped: { each: `[JSON.stringify([2 ** 53 - 1 - n, 2 ** 53 - 1])]` },
  Background: { each: `["x".repeat(64)]` },
  Lookup: {
    each: `["A", "TXT"].map((type) => JSON.stringify([2 ** 53 - 1 - n, type, text(n, ${DNS_NAME_MAX_LENGTH})]))`,
  },
  Fetch: {
    each:
      `[JSON.stringify([n, "GET", "https://localhost/" + "x".repeat(${FETCH_URL_MAX_LENGTH} - 20), ["h", "v".repeat(${HEADERS_MAX_LENGTH} - 1)], 0, null])]`,
  },
  FetchBody: { each: `[JSON.stringify([n])]` },
  FetchBodyEnd: { each: `[JSON.stringify([n])]` },
  FetchCredit: { each: `[JSON.stringify([n, 2 ** 32 - 1])]` },
  FetchAbort: { each: `[JSON.stringify([n])]` },
  Elsewhere: { each: `[JSON.stringify([text(n, 290), "host.example:" + n])]` },
  // By the handler's own response, which follows the credit that it is given.
  Response: { own: true },
  Chunk: { own: true },
  Failed: { last: `n % 50 === 0 ? [wide(n, ${LOG_TEXT_MAX_LENGTH})] : []` },
  ChunkEnd: { last: `n % 50 === 1 ? [""] : []` },
  Settled: { last: `n % 50 <= 1 ? ["error"] : []` },
  Ready: { last: `n === ${CALLS + 10} ? [text(n, 60)] : []` },
  // In a process of its own, before it is ready.
  LoadFailed: { own: true },
};

const TEXTS = `
const text = (n, length) => (n + "\\u0001".repeat(length)).slice(0, length);
const wide = (n, length) => (n + "\\u4e00".repeat(length)).slice(0, length);
`;

const FLOOD = `${OWN_WRITER}${TEXTS}
const phase = async (metasOf) => {
  for (let n = 1; n <= ${CALLS} + 10; n++) {
    for (const [type, payloads] of metasOf(n)) for (const payload of payloads) own.writer.send(type, n, payload);
    await own.writer.drained();
  }
};
const each = (n) => [${frames("each")}];
const last = (n) => [${frames("last")}];
const flooded = Promise.withResolvers();
const headersOf = (n) => Array.from({ length: ${HEADERS_MAX} }, (_, k) => {
  const name = "h" + n + "-" + k;
  return [name, "v".repeat(${Math.floor(HEADERS_MAX_LENGTH / HEADERS_MAX)} - name.length)];
});
let calls = 0;
export default async (c) => {
  if (c.req.query("end")) {
    void phase(last);
    return await new Promise(() => {});
  }
  const n = calls++;
  if (n === 0) return c.text("ready");
  if (n === ${CALLS}) void phase(each).then(flooded.resolve);
  await flooded.promise;
  const pull = (controller) => controller.enqueue(crypto.getRandomValues(new Uint8Array(${CHUNK_MAX_BYTES})));
  return new Response(new ReadableStream({ pull }), { headers: headersOf(n) });
};`;

const LOAD_FAILED = `${OWN_WRITER}${TEXTS}
own.writer.send(${ToHost.LoadFailed}, 0, wide(Math.random(), ${LOG_TEXT_MAX_LENGTH}));
await new Promise(() => {});
export default () => new Response("never");`;

function frames(when: "each" | "last"): string {
  return Object.entries(MAXIMAL).flatMap(([name, { [when]: code }]) =>
    code === undefined ? [] : [`[${ToHost[name as keyof typeof ToHost]}, ${code}]`]
  ).join(",\n");
}

Deno.test("distinct frames as long as may be, of every type, for sandbox.max-calls calls stay within the budget", async () => {
  assert.deepEqual(Object.keys(MAXIMAL).sort(), Object.keys(ToHost).sort(), "a type of frame is not sent");
  await withArena("budget", async (arena) => {
    const { server } = arena;
    await server.api("PUT", "/api/settings", {
      settings: {
        "sandbox.max-calls": CALLS + 10,
        "sandbox.calls-memory-mb": CALLS_MEMORY_MB,
        "sandbox.max-processes-per-function": 1,
      },
    });
    const fields = { timeoutMs: 60_000, memoryMb: 1_024 };
    const functionId = await arena.deploy("budget", FLOOD, { fields });
    for (let n = 0; n < SECRETS; n++) {
      await createSecret(server, `BIG${n}`, `${n}-`.padEnd(16_384, "x"), { scope: "function", functionId });
    }
    await arena.deploy("load-failed", LOAD_FAILED, { fields });
    assert.equal((await run(server, "/budget")).body, "ready");
    const grown = await withinMemory(server, CALLS_MEMORY_MB + CACHES_MB + GARBAGE_MB, async () => {
      arena.count(Object.keys(MAXIMAL).length);
      const clients: Deaf[] = [];
      for (let n = 0; n < CALLS; n++) clients.push(await deaf(server, "/budget"));
      const statuses = await Promise.all(clients.map(({ status }) => status));
      const served = statuses.filter((status) => status === 200).length;
      assert.deepEqual(new Set(statuses), new Set([200, 503]));
      assert.ok(served >= CALLS_MEMORY_MB / 4, `only ${served} calls were answered`);
      // While they wait with as much as may wait for them.
      await arena.innocentCalls(20);
      // What they held is free for others.
      clients.forEach(({ close }, n) => n % 50 > 1 && close());
      await arena.innocentCalls(20);
      assert.equal((await run(server, "/budget?end=1")).status, 502);
      assert.equal((await run(server, "/load-failed")).status, 500);
      clients.forEach(({ close }, n) => n % 50 <= 1 && close());
      assert.equal((await run(server, "/budget")).body, "ready");
    });
    console.log(`budget: the server's memory rose by at most ${grown} MB`);
  });
});

interface Deaf {
  readonly status: Promise<number>;
  close(): void;
}

/** A client that reads the status of its response and nothing more. */
async function deaf({ url }: Server, path: string): Promise<Deaf> {
  const { hostname, port } = new URL(url);
  const connection = await Deno.connect({ hostname, port: Number(port) });
  await connection.write(new TextEncoder().encode(`GET /run${path} HTTP/1.1\r\nHost: x\r\n\r\n`));
  const status = (async () => {
    const bytes = new Uint8Array("HTTP/1.1 200".length);
    const count = await connection.read(bytes);
    return Number(new TextDecoder().decode(bytes.subarray(0, count ?? 0)).split(" ")[1]);
  })();
  return { status, close: () => connection.close() };
}
