// What handlers see when a request with a sealed value fails, ends early or is very long: the same kinds of errors as
// from `fetch` and `node:http` themselves.

import assert from "node:assert/strict";
import { startApp } from "./app.ts";
import { deploy, run } from "./handlers.ts";
import { startHost } from "./sealed_host.ts";
import type { Server } from "./server.ts";

const VALUE = "sk_live_51Habcdefghijklmnop";

/** A host that does with each connection what `answer` does. */
function rawHost(answer: (socket: Deno.TcpConn) => Promise<void>) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const served = (async () => {
    for await (const socket of listener) {
      void (async () => {
        await socket.read(new Uint8Array(65_536));
        await answer(socket);
      })().catch(() => {});
    }
  })();
  return {
    port: listener.addr.port,
    async [Symbol.asyncDispose]() {
      listener.close();
      await served;
    },
  };
}

async function sealFor(server: Server, hosts: readonly string[]): Promise<void> {
  const body = { name: "KEY", value: VALUE, scope: "global", sealed: true, hosts, in: ["header", "body"] };
  assert.equal((await server.api("POST", "/api/secrets", body)).status, 201);
}

/** Asks by `fetch` and by `node:http`, and answers with what these say of the failure. */
const ASKING = (net: string[]) =>
  [
    `import http from "node:http"; import https from "node:https";
    const shown = ({ name, message, code }) => ({ name, message, code });
    export default async (c, ctx) => {
      const headers = { authorization: "Bearer " + await ctx.getSecret("KEY") };
      const url = c.req.query("url");
      const byFetch = await fetch(url, { headers }).then((answer) => answer.text()).then((text) => ({ text }), shown);
      const module = url.startsWith("https:") ? https : http;
      const byNode = await new Promise((done) => module.get(url, { headers }, (answer) => {
        let text = ""; answer.on("data", (piece) => text += piece).on("end", () => done({ text })).on("error", (error) => done(shown(error)));
      }).on("error", (error) => done(shown(error))));
      return c.json({ byFetch, byNode });
    }`,
    { permissions: { net } },
  ] as const;

Deno.test("each failure of a host is an error that says what happened, with Node's code", async () => {
  await using server = await startApp();
  await using secure = startHost();
  await using silent = rawHost((socket) => Promise.resolve(socket.close()));
  await using partial = rawHost(async (socket) => {
    await socket.write(new TextEncoder().encode("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\nabc"));
    socket.close();
  });
  await using odd = rawHost(async (socket) => {
    await socket.write(new TextEncoder().encode("SSH-2.0-OpenSSH_9\r\n\r\n"));
    socket.close();
  });
  const closed = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const closedPort = closed.addr.port;
  closed.close();
  const cases: readonly (readonly [url: string, code: string | undefined, message: RegExp])[] = [
    [`http://127.0.0.1:${closedPort}`, "ECONNREFUSED", /cannot be connected to \(ECONNREFUSED\)/],
    ["https://no-such-name.invalid:4443", "ENOTFOUND", /"no-such-name\.invalid" has no address/],
    [
      `https://localhost:${secure.port}`,
      "CERT_INVALID",
      /certificate of the host is not valid for it \(UnknownIssuer\)/,
    ],
    [`https://127.0.0.1:${odd.port}`, "EPROTO", /TLS handshake with the host failed/],
    [`http://127.0.0.1:${silent.port}`, "ECONNRESET", /closed the connection without a response/],
    [`http://127.0.0.1:${partial.port}`, "ECONNRESET", /before its response was complete/],
    [`http://127.0.0.1:${odd.port}`, undefined, /did not answer with HTTP\/1\.1/],
  ];
  await sealFor(server, cases.map(([url]) => url));
  await deploy(server, "ask", ...ASKING(cases.map(([url]) => new URL(url).host)));
  for (const [url, code, message] of cases) {
    const { body } = await run(server, `/ask?url=${encodeURIComponent(url)}`);
    for (const error of [body.byFetch, body.byNode]) {
      assert.match(error.message ?? JSON.stringify(error), message, url);
      assert.equal(error.code, code, url);
    }
    assert.equal(body.byFetch.name, "TypeError");
  }
});

Deno.test("an abort or a time limit in the handler ends the request at the host, and its error is that of fetch", async () => {
  await using server = await startApp();
  const ended: PromiseWithResolvers<string>[] = [];
  await using host = startHost(false, (request) => {
    const ending = Promise.withResolvers<string>();
    ended.push(ending);
    const { pathname } = new URL(request.url);
    const body = new ReadableStream({
      pull: () => new Promise(() => {}),
      start: (controller) => controller.enqueue(new TextEncoder().encode("first line\n")),
      cancel: () => ending.resolve(pathname),
    });
    return new Response(body);
  });
  const origin = `http://127.0.0.1:${host.port}`;
  await sealFor(server, [origin]);
  await deploy(
    server,
    "abort",
    `export default async (c, ctx) => {
      const headers = { authorization: "Bearer " + await ctx.getSecret("KEY") };
      const results = {};
      const seen = async (name, work) => { try { results[name] = await work(); } catch (error) { results[name] = error.name ?? String(error); } };
      await seen("timeout", async () => await (await fetch("${origin}/timeout", { headers, signal: AbortSignal.timeout(200) })).text());
      await seen("cancelled", async () => { const { body } = await fetch("${origin}/cancelled", { headers }); await body.cancel(); return "cancelled"; });
      await seen("aborted", async () => {
        const aborting = new AbortController();
        const reader = (await fetch("${origin}/aborted", { headers, signal: aborting.signal })).body.getReader();
        await reader.read(); aborting.abort(); await reader.read();
      });
      await seen("before", async () => await fetch("${origin}/before", { headers, signal: AbortSignal.abort() }));
      await seen("reason", async () => await fetch(new Request("${origin}/reason", { headers, signal: AbortSignal.abort("my reason") })));
      return c.json(results);
    }`,
    { permissions: { net: [new URL(origin).host] } },
  );
  const { body } = await run(server, "/abort");
  assert.deepEqual(body, {
    timeout: "TimeoutError",
    cancelled: "cancelled",
    aborted: "AbortError",
    before: "AbortError",
    reason: "my reason",
  });
  const paths = await Promise.all(ended.map(({ promise }) => promise));
  // The one with a time limit may not have arrived in time.
  assert.deepEqual(paths.slice(-2), ["/cancelled", "/aborted"]);
});

Deno.test("100 MB pass in both directions, by a stream, in a process that could not hold them", async () => {
  await using server = await startApp();
  const LENGTH = 100 << 20;
  await using host = startHost(false);
  await using counting = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    let length = 0;
    for await (const piece of request.body ?? []) length += piece.length;
    const piece = new Uint8Array(1 << 16).fill(97);
    let left = LENGTH;
    return new Response(
      new ReadableStream({
        pull(controller) {
          if (left === 0) return controller.close();
          controller.enqueue(piece);
          left -= piece.length;
        },
      }),
      { headers: { "x-length": String(length), "x-key": request.headers.get("authorization")! } },
    );
  });
  const origin = `http://127.0.0.1:${counting.addr.port}`;
  await sealFor(server, [origin, `http://127.0.0.1:${host.port}`]);
  await deploy(
    server,
    "large",
    `export default async (c, ctx) => {
      const headers = { authorization: "Bearer " + await ctx.getSecret("KEY") };
      const piece = new Uint8Array(1 << 16);
      let left = ${LENGTH};
      const body = new ReadableStream({ pull(controller) { if (left === 0) return controller.close(); controller.enqueue(piece); left -= piece.length; } });
      const answer = await fetch("${origin}", { method: "POST", headers, body });
      let length = 0;
      for await (const piece of answer.body) length += piece.length;
      return c.json({ sent: answer.headers.get("x-length"), key: answer.headers.get("x-key"), length });
    }`,
    { permissions: { net: [new URL(origin).host] }, memoryMb: 64, timeoutMs: 120_000 },
  );
  const { body } = await run(server, "/large");
  assert.deepEqual(body, { sent: String(LENGTH), key: "Bearer [secret KEY]", length: LENGTH });
});
