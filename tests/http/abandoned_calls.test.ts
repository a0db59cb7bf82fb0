// Callers that leave before their response has ended.

import assert from "node:assert/strict";
import { createSecret, deploy, run, set } from "./handlers.ts";
import { startApp } from "./app.ts";
import { type Server } from "./server.ts";
import { kept } from "./tail.ts";

/** Sends a request and closes the connection once `ready` has settled. */
async function leave(
  server: Server,
  head: string[],
  ready: () => Promise<unknown>,
  body = "",
): Promise<void> {
  const { hostname, port } = new URL(server.url);
  using connection = await Deno.connect({ hostname, port: Number(port) });
  const text = [...head, "Host: localhost", "", body].join("\r\n");
  await connection.write(new TextEncoder().encode(text));
  await ready();
}

/** Asks `/state` until its answer matches. */
async function state(
  server: Server,
  path: string,
  pattern: RegExp,
): Promise<string> {
  while (true) {
    const { body } = await run(server, path);
    if (pattern.test(String(body))) return body;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Remembers what the signals of its calls did. */
const WATCHING = `
  let state = "idle"; const born = crypto.randomUUID();
  const watch = (signal, ctx, how) => {
    state = "running";
    signal.addEventListener("abort", async () => {
      console.log("left");
      const secret = await ctx.getSecret("NAME").then(() => "open", (error) => error.message);
      state = ["aborted", how, signal.reason.name, secret, born].join("|");
    });
    return new Promise(() => {});
  };`;

Deno.test("a caller who leaves before the response aborts the request's signal at once", async () => {
  await using server = await startApp();
  await createSecret(server, "NAME", "value-of-name");
  const handlers: Record<string, string> = {
    raw: `export default (c, ctx) => ctx.query.ask ? c.text(state) : watch(c.req.raw.signal, ctx, "raw")`,
    cloned: `export default (c, ctx) => ctx.query.ask ? c.text(state) : watch(c.req.raw.clone().signal, ctx, "cloned")`,
    remade: `export default (c, ctx) =>
      ctx.query.ask ? c.text(state) : watch(new Request("http://x/", c.req.raw).signal, ctx, "remade")`,
    wrapped: `export default (c, ctx) =>
      ctx.query.ask ? c.text(state) : watch(new Request(c.req.raw, { headers: {} }).signal, ctx, "wrapped")`,
    app: `export default { fetch: (request, env, ctx) =>
      ctx.query.ask ? new Response(state) : watch(request.signal, ctx, "app") }`,
  };
  for (const [name, code] of Object.entries(handlers)) {
    await deploy(server, name, WATCHING + code, { timeoutMs: 30_000 });
  }
  await Promise.all(
    Object.keys(handlers).map(async (name) => {
      await leave(
        server,
        [`GET /run/${name} HTTP/1.1`],
        () => state(server, `/${name}?ask=1`, /running/),
      );
      const [, how, reason, secret] = (await state(server, `/${name}?ask=1`, /aborted/)).split("|");
      assert.deepEqual([how, reason], [name, "AbortError"]);
      assert.match(secret!, /^This request has ended/);
    }),
  );
  // What a listener prints is its call's, and the call is told of as a warning.
  const entries = await kept(server, "?functionId=1");
  const left = entries.find(({ message }) => message === "left")!;
  assert.ok(left.requestId);
  const ended = entries.find(({ event, requestId }) => event === "exec_reject" && requestId === left.requestId)!;
  assert.deepEqual([ended.level, ended.message], [
    "warn",
    "The call was abandoned: The caller closed the connection.",
  ]);
  const { points } = (await server.api("GET", "/api/metrics?resolution=minutes")).body;
  assert.ok(
    points.every(({ errors, timeouts }: Record<string, number>) => errors === 0 && timeouts === 0),
  );
});

Deno.test("an abandoned call ends neither its process nor other calls, however long it goes on", async () => {
  await using server = await startApp();
  const code = `${WATCHING}
    export default (c, ctx) => {
      const { ask, pass } = ctx.query;
      if (ask) return c.text(state);
      if (!pass) return watch(c.req.raw.signal, ctx, "raw");
      let pieces = 0;
      return new Response(new ReadableStream({ async pull(controller) {
        await new Promise((r) => setTimeout(r, 100));
        controller.enqueue(new TextEncoder().encode(++pieces < 40 ? "." : born));
        if (pieces === 40) controller.close();
      } }));
    }`;
  await deploy(server, "long", code);
  // The time is not for the start of a process on a busy machine.
  await run(server, "/long?ask=1");
  await set(server, { "sandbox.timeout-ms": 1_500 });
  await leave(
    server,
    ["GET /run/long HTTP/1.1"],
    () => state(server, "/long?ask=1", /running/),
  );
  const aborted = await state(server, "/long?ask=1", /aborted/);
  const born = aborted.split("|").at(-1)!;
  // Goes on for more than twice as long as the abandoned call may.
  const { status, body } = await run(server, "/long?pass=1");
  assert.equal(status, 200);
  assert.ok(body.endsWith(born));
  assert.equal((await run(server, "/long?ask=1")).body, aborted);
});

Deno.test("a response that was sent aborts nothing", async () => {
  await using server = await startApp();
  const code = `let aborted = 0;
    export default async (c, ctx) => {
      if (ctx.query.ask) return c.json(aborted);
      c.req.raw.signal.addEventListener("abort", () => aborted++);
      await new Promise((r) => setTimeout(r, 60));
      return ctx.query.stream ? new Response(new Blob(["x".repeat(200_000)]).stream()) : c.text("ok");
    }`;
  await deploy(server, "kept", code);
  for (const query of ["", "?stream=1", ""]) {
    assert.equal((await run(server, `/kept${query}`)).status, 200);
  }
  assert.equal((await run(server, "/kept?ask=1")).body, 0);
});
