// Callers that are slow, silent or gone while they send the body of a request.

import assert from "node:assert/strict";
import { deploy, run, set } from "./handlers.ts";
import { startApp } from "./app.ts";
import { type Server } from "./server.ts";
import { kept } from "./tail.ts";

/** More than the handlers have for themselves, which is enough for them to answer on a busy machine. */
const SILENCE_MS = 3_500;
const TIMEOUT_MS = 1_500;

/** Sends the head of a POST and the beginning of its body, then nothing more. */
async function begin(server: Server, path: string, length: number, body: string): Promise<Deno.TcpConn> {
  const { hostname, port } = new URL(server.url);
  const connection = await Deno.connect({ hostname, port: Number(port) });
  const head = [`POST /run${path} HTTP/1.1`, "Host: localhost", `Content-Length: ${length}`, "", body].join("\r\n");
  await connection.write(new TextEncoder().encode(head));
  return connection;
}

/** The response, which ends with a line of JSON; closes the connection. */
async function answerOf(connection: Deno.TcpConn): Promise<string> {
  let text = "";
  for await (const piece of connection.readable.pipeThrough(new TextDecoderStream())) {
    text += piece;
    if (/\r\n\r\n[^]*\}\n$/.test(text)) break;
  }
  return text;
}

async function counted(server: Server): Promise<number[]> {
  const sum = [0, 0, 0];
  for (const point of (await server.api("GET", "/api/metrics?resolution=minutes")).body.points) {
    [point.calls, point.errors, point.timeouts].forEach((count, index) => sum[index]! += count);
  }
  return sum;
}

const ECHO = `const born = crypto.randomUUID(); let state = "idle";
  export default async (c, ctx) => {
    if (ctx.query.ask) return c.json([born, state]);
    state = "reading";
    try {
      const text = await c.req.text();
      state = "read";
      return c.text(born + " " + text.length);
    } catch (error) {
      state = error.name;
      throw error;
    }
  }`;

Deno.test("a caller who falls silent within a body gets 408, and no other call is disturbed", async () => {
  await using server = await startApp();
  await deploy(server, "echo", ECHO);
  const { body: [born] } = await run(server, "/echo?ask=1");
  await set(server, { "run.body-timeout-ms": SILENCE_MS, "sandbox.timeout-ms": TIMEOUT_MS });
  // Of one body, the handler reads a stream; the other is too short to become one.
  await Promise.all([100_000, 1_000].map(async (length) => {
    const began = performance.now();
    const connection = await begin(server, "/echo", length, "beginning ");
    // Its handler waits for longer than the time that it has for itself.
    const answer = await answerOf(connection);
    assert.match(answer, /^HTTP\/1\.1 408 /, `${length}: ${answer}`);
    assert.match(answer, /"code":"RequestTimeout"/);
    assert.ok(performance.now() - began >= SILENCE_MS);
    assert.equal((await run(server, "/echo?ask=1")).body[0], born, "the process was ended");
  }));
  while ((await run(server, "/echo?ask=1")).body[1] !== "AbortError");
  const entries = await kept(server, "?functionId=1");
  assert.deepEqual(entries.filter(({ event }) => event === "exec_reject").map(({ level }) => level), ["warn", "warn"]);
  assert.deepEqual((await counted(server)).slice(1), [0, 0]);
});

Deno.test("a caller who is slow but not silent is waited for", async () => {
  await using server = await startApp();
  await deploy(server, "echo", ECHO);
  const { body: [born] } = await run(server, "/echo?ask=1");
  await set(server, { "sandbox.timeout-ms": TIMEOUT_MS });
  const connection = await begin(server, "/echo", 20_000, "x".repeat(10_000));
  await new Promise((resolve) => setTimeout(resolve, 2 * TIMEOUT_MS));
  await connection.write(new TextEncoder().encode("x".repeat(10_000)));
  const reader = connection.readable.getReader();
  const text = new TextDecoder().decode((await reader.read()).value);
  assert.match(text, new RegExp(`^HTTP/1\\.1 200 [^]*${born} 20000$`));
  await reader.cancel();
});

Deno.test("a handler that is late with a whole request in its hands is late all the same", async () => {
  await using server = await startApp();
  const code = `export default async (c) => { await c.req.text(); await new Promise(() => {}); }`;
  await deploy(server, "late", code, { timeoutMs: 300 });
  for (const length of [100, 100_000]) {
    const { status } = await run(server, "/late", undefined, { method: "POST", body: "x".repeat(length) });
    assert.equal(status, 504, String(length));
  }
});

Deno.test("a caller who leaves within a body is a warning, and no error of the function", async () => {
  await using server = await startApp();
  await deploy(server, "echo", ECHO);
  const { body: [born] } = await run(server, "/echo?ask=1");
  for (const length of [100_000, 1_000]) (await begin(server, "/echo", length, "beginning ")).close();
  let warnings: string[] = [];
  while (warnings.length < 2) {
    const entries = await kept(server, "?functionId=1");
    assert.deepEqual(entries.filter(({ level, event }) => level === "error" && event !== "print"), []);
    warnings = entries.filter(({ event }) => event === "exec_reject").map(({ message }) => message);
  }
  for (const warning of warnings) assert.match(warning, /^The call was abandoned: The caller /);
  assert.doesNotMatch(server.logs(), /^\S+ ERROR/m);
  assert.deepEqual((await counted(server)).slice(1), [0, 0]);
  assert.equal((await run(server, "/echo?ask=1")).body[0], born);
});
