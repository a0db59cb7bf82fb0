// What of a handler's response reaches the caller: encodings, lengths, pieces, statuses, addresses.

import assert from "node:assert/strict";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { createSecret, deploy, run, set } from "./handlers.ts";
import { startApp } from "./app.ts";
import { type Server } from "./server.ts";
import { kept } from "./tail.ts";

const VALUE = "the-value-of-the-token";

/** A server with compressed bodies, in one piece and in many. */
function startUpstream() {
  const text = `small ${VALUE}`;
  const long = `${VALUE} `.repeat(20_000);
  const bodies: Record<string, [encoding: string, bytes: Uint8Array<ArrayBuffer>]> = {
    gzip: ["gzip", new Uint8Array(gzipSync(text))],
    br: ["BR", new Uint8Array(brotliCompressSync(text))],
    long: ["gzip", new Uint8Array(gzipSync(long))],
    own: ["x-own", new TextEncoder().encode(text)],
    plain: ["identity", new TextEncoder().encode(text)],
  };
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
    const [encoding, bytes] = bodies[new URL(request.url).pathname.slice(1)]!;
    const headers = { "Content-Encoding": encoding, "Content-Length": String(bytes.length), "X-Upstream": "1" };
    return new Response(bytes, { headers });
  });
  const { port } = server.addr as Deno.NetAddr;
  return {
    text,
    long,
    address: `127.0.0.1:${port}`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** Sends the head of a request, and takes what comes byte for byte until the connection or the wait ends. */
async function raw(server: Server, head: string[]): Promise<{ head: string; body: string }> {
  const { hostname, port } = new URL(server.url);
  using connection = await Deno.connect({ hostname, port: Number(port) });
  await connection.write(
    new TextEncoder().encode([...head, "Host: localhost", "Connection: close", "", ""].join("\r\n")),
  );
  let text = "";
  for await (const piece of connection.readable.pipeThrough(new TextDecoderStream())) text += piece;
  const [, top, body] = /^(.*?)\r\n\r\n(.*)$/s.exec(text)!;
  return { head: top!.toLowerCase(), body: body! };
}

Deno.test("a response of fetch that is passed on has headers that fit its body, however it is passed on", async () => {
  await using upstream = startUpstream();
  await using server = await startApp();
  const code = `import { Hono } from "npm:hono@4.13.19";
    export default async (c, ctx) => {
      const { how, what } = ctx.query;
      const address = "http://${upstream.address}/" + what;
      const got = await fetch(how === "raw" ? new Request(address, { headers: { "Accept-Encoding": "gzip, br" } }) : address);
      switch (how) {
        case "itself": case "raw": return got;
        case "clone": return got.clone();
        case "cloneOfClone": return got.clone().clone();
        case "init": return new Response(got.body, got);
        case "headers": return new Response(got.body, { status: got.status, headers: got.headers });
        case "entries": return c.body(got.body, 200, Object.fromEntries(got.headers));
        case "buffer": return new Response(await got.arrayBuffer(), { headers: got.headers });
        case "text": return new Response(await got.text(), got);
        case "transform": return new Response(got.body.pipeThrough(new TransformStream()), got);
        case "tee": return new Response(got.body.tee()[1], got);
        case "seen": return c.json([got.url, got.headers.get("x-upstream"), got.ok, got instanceof Response]);
      }
    };`;
  await deploy(server, "proxy", code, { permissions: { net: [upstream.address] } });
  const ways = ["itself", "clone", "cloneOfClone", "init", "headers", "entries", "buffer", "text", "transform", "tee"];
  for (const what of ["gzip", "br", "long"]) {
    for (const how of ways) {
      // Deno's fetch decodes what the header announces, and fails if the body is none of it.
      const { status, body, headers } = await run(server, `/proxy?how=${how}&what=${what}`);
      assert.equal(status, 200, how);
      assert.equal(body, what === "long" ? upstream.long : upstream.text, `${how} ${what}`);
      assert.equal(headers.get("x-upstream"), "1", how);
      const sent = await raw(server, [`GET /run/proxy?how=${how}&what=${what} HTTP/1.1`]);
      assert.doesNotMatch(sent.head, /content-encoding/, how);
    }
  }
  // What Deno leaves as it came keeps its header.
  for (const what of ["own", "plain"]) {
    const { head, body } = await raw(server, [`GET /run/proxy?how=itself&what=${what} HTTP/1.1`]);
    assert.match(head, new RegExp(`content-encoding: ${what === "own" ? "x-own" : "identity"}`));
    assert.equal(body, upstream.text);
  }
  const compressed = await raw(server, ["GET /run/proxy?how=raw&what=gzip HTTP/1.1"]);
  assert.match(compressed.head, /content-encoding: gzip/);
  const seen = await run(server, "/proxy?how=seen&what=gzip");
  assert.deepEqual(seen.body, [`http://${upstream.address}/gzip`, "1", true, true]);
});

Deno.test("what a handler compresses itself is sent as it is", async () => {
  await using server = await startApp();
  const code = `export default (c, ctx) => new Response(
    new Blob(["compressed ".repeat(1_000)]).stream().pipeThrough(new CompressionStream("gzip")),
    { headers: { "Content-Encoding": "gzip", "Content-Type": "text/plain" } })`;
  await deploy(server, "own", code);
  assert.equal((await run(server, "/own")).body, "compressed ".repeat(1_000));
});

Deno.test("the guard searches what is sent, and withholds or reports what cannot be searched", async () => {
  await using upstream = startUpstream();
  await using server = await startApp();
  await createSecret(server, "TOKEN", VALUE);
  const code = `export default async (c, ctx) => {
    const token = ctx.query.without ? "" : await ctx.getSecret("TOKEN");
    const bytes = new TextEncoder().encode("innocent");
    const utf16 = (text) => new Uint8Array(new Uint16Array([...text].map((x) => x.charCodeAt(0))).buffer);
    const stream = (body) => new ReadableStream({ async pull(controller) {
      await new Promise((r) => setTimeout(r, 5)); controller.enqueue(body); controller.close(); } });
    switch (ctx.query.how) {
      case "fetched": return fetch("http://${upstream.address}/gzip");
      case "fetchedLong": return fetch("http://${upstream.address}/long");
      case "gzip": return new Response(bytes, { headers: { "Content-Encoding": "gzip" } });
      case "twice": return new Response(bytes, { headers: { "Content-Encoding": "identity, br" } });
      case "streamed": return new Response(stream(bytes), { headers: { "Content-Encoding": "x-own" } });
      case "charset": return new Response(bytes, { headers: { "Content-Type": "text/plain; charset=\\"UTF-16LE\\"" } });
      case "utf16": return new Response(utf16("it is " + token));
      case "identity": return new Response(bytes, { headers: { "Content-Encoding": "identity" } });
      case "latin": return new Response(bytes, { headers: { "Content-Type": "text/plain; charset=ISO-8859-1" } });
    }
  };`;
  const net = { permissions: { net: [upstream.address] } };
  await deploy(server, "blocks", code, { responseGuard: "block", ...net });
  await deploy(server, "reports", code, { responseGuard: "report", ...net });
  const holds = "The response contains TOKEN";
  const unsure = "The response could not be searched for secrets";
  const cases: Record<string, string | undefined> = {
    fetched: holds,
    fetchedLong: holds,
    utf16: holds,
    gzip: unsure,
    twice: unsure,
    streamed: unsure,
    charset: unsure,
    identity: undefined,
    latin: undefined,
  };
  const told = async (requestId: string) => {
    const entries = await kept(server, `?requestId=${requestId}`);
    return entries.filter(({ event }) => event === "leak").map(({ message }) => message);
  };
  for (const [how, finding] of Object.entries(cases)) {
    const answers = [];
    for (const name of ["reports", "blocks"]) {
      const response = await fetch(`${server.url}/run/${name}?how=${how}`, {
        headers: { "Accept-Encoding": "identity" },
      });
      const isWhole = await response.bytes().then(() => true, () => false);
      answers.push([response.status, isWhole, await told(response.headers.get("x-request-id")!)]);
    }
    const [reported, blocked] = answers;
    assert.deepEqual(reported, [200, true, finding ? [`${finding}.`] : []], how);
    if (!finding) assert.deepEqual(blocked, [200, true, []], how);
    else {
      assert.deepEqual(blocked![2], [`${finding} and was withheld.`], how);
      assert.ok(blocked![0] === 500 || blocked![1] === false, `${how} ${JSON.stringify(blocked)}`);
    }
  }
  // A call that was given nothing has nothing to hide.
  await deploy(server, "given_nothing", code, { responseGuard: "block" });
  assert.equal((await run(server, "/given_nothing?how=charset&without=1")).status, 200);
});

Deno.test("a stream of what is no bytes fails as in Fetch; views of bytes are taken by their bytes", async () => {
  await using server = await startApp();
  const code = `const bytes = new TextEncoder().encode("....bytes....");
    const pieces = {
      string: "text", number: 7, null: null, undefined: undefined, object: {}, array: [1, 2], bigint: 1n, blob: new Blob(["x"]),
      uint16: new Uint16Array(bytes.buffer.slice(4, 8)), view: new DataView(bytes.buffer, 4, 5),
      buffer: bytes.buffer.slice(4, 9), part: bytes.subarray(4, 9), clamped: new Uint8ClampedArray(bytes.buffer, 4, 5),
    };
    let cancelled = "";
    export default (c, ctx) => {
      const { first, second, look } = ctx.query;
      if (look) return c.text(cancelled);
      return new Response(new ReadableStream({
        async pull(controller) { for (const name of [first, second]) {
          if (name) controller.enqueue(pieces[name]); await new Promise((r) => setTimeout(r, 5)); } controller.close(); },
        cancel(reason) { cancelled += reason.name; },
      }, { highWaterMark: 0 }));
    };`;
  await deploy(server, "pieces", code);
  for (const bad of ["string", "number", "null", "undefined", "object", "array", "bigint", "blob"]) {
    const first = await run(server, `/pieces?first=${bad}`);
    assert.equal(first.status, 500, bad);
    const [entry] = (await kept(server, `?requestId=${first.headers.get("x-request-id")}`)).filter(({ level }) =>
      level === "error"
    );
    assert.match(entry!.message, /TypeError: The stream of the response's body returned .*only bytes/);
    const later = await fetch(`${server.url}/run/pieces?first=part&second=${bad}`);
    assert.equal(later.status, 200);
    await assert.rejects(later.text(), bad);
  }
  for (
    const [good, text] of Object.entries({
      uint16: "byte",
      view: "bytes",
      buffer: "bytes",
      part: "bytes",
      clamped: "bytes",
    })
  ) {
    for (const query of [`first=${good}`, `first=part&second=${good}`]) {
      const { status, body } = await run(server, `/pieces?${query}`);
      assert.deepEqual([status, body], [200, query.includes("part&") ? `bytes${text}` : text], query);
    }
  }
});

Deno.test("HEAD has the length that GET has, or none", async () => {
  await using server = await startApp();
  const code = `const stream = () => new Blob(["x".repeat(100_000)]).stream();
    export default (c, ctx) => { switch (ctx.query.how) {
      case "text": return c.text("hello");
      case "bytes": return new Response(new Uint8Array(7));
      case "large": return new Response("x".repeat(70_000));
      case "stream": return new Response(stream());
      case "announced": return new Response(stream(), { headers: { "Content-Length": "100000" } });
      case "nothing": return new Response(null);
      case "said": return new Response(null, { headers: { "Content-Length": "1234" } });
      case "none": return new Response(null, { status: 204 });
      case "same": return new Response(null, { status: 304 });
    } };`;
  await deploy(server, "lengths", code);
  const lengths: Record<string, string | undefined> = {
    text: "5",
    bytes: "7",
    large: undefined,
    stream: undefined,
    announced: "100000",
    nothing: undefined,
    said: "1234",
    none: undefined,
    same: undefined,
  };
  for (const [how, length] of Object.entries(lengths)) {
    const { head, body } = await raw(server, [`HEAD /run/lengths?how=${how} HTTP/1.1`]);
    assert.equal(/^content-length: (.*)$/m.exec(head)?.[1]?.trim(), length, `${how}: ${head}`);
    assert.equal(body, "", how);
  }
});

Deno.test("a streamed response keeps the length that it announces, and is broken off if it does not hold", async () => {
  await using server = await startApp();
  // One process counts.
  await set(server, { "sandbox.max-processes-per-function": 1 });
  const code = `let cancelled = 0;
    export default (c, ctx) => {
      const { length, count, look } = ctx.query;
      if (look) return c.json(cancelled);
      let left = Number(count);
      return new Response(new ReadableStream({
        async pull(controller) {
          await new Promise((r) => setTimeout(r, 2));
          if (left-- > 0) controller.enqueue(new Uint8Array(10)); else controller.close();
        },
        cancel() { cancelled++; },
      }), { headers: { "Content-Length": length } });
    };`;
  await deploy(server, "counted", code);
  const get = (length: string, count: number) => fetch(`${server.url}/run/counted?length=${length}&count=${count}`);
  const right = await get("50", 5);
  assert.equal(right.headers.get("content-length"), "50");
  assert.equal((await right.bytes()).length, 50);
  // The stream's end comes after its last byte: nobody has gone away.
  for (let n = 0; n < 20; n++) await (await get("50", 5)).bytes();
  assert.equal((await run(server, "/counted?look=1")).body, 0);
  const short = await get("50", 4);
  assert.equal(short.headers.get("content-length"), "50");
  await assert.rejects(short.bytes());
  const long = await get("45", 1_000);
  await assert.rejects(long.bytes());
  const [entry] = (await kept(server, `?requestId=${long.headers.get("x-request-id")}`)).filter(({ level }) =>
    level === "error"
  );
  assert.match(entry!.message, /was aborted: Its body is longer than its Content-Length says/);
  while ((await run(server, "/counted?look=1")).body !== 1);
  for (const wrong of ["", "x", "-1", "5, 5", "1e3"]) {
    const response = await get(encodeURIComponent(wrong), 5);
    assert.equal(response.headers.get("content-length"), null, wrong);
    assert.equal((await response.bytes()).length, 50, wrong);
  }
});

Deno.test("a status that would leave the caller waiting is refused, in the log too", async () => {
  await using server = await startApp();
  await deploy(server, "status", `export default (c, ctx) => new Response(null, { status: Number(ctx.query.status) })`);
  const reset = await run(server, "/status?status=205");
  assert.equal(reset.status, 500);
  await server.logged(/The handler's response cannot be sent: the status 205/);
  for (const status of [204, 304, 299, 599]) {
    assert.equal((await run(server, `/status?status=${status}`)).status, status);
  }
});

Deno.test("a relative address is invalid, and leads to no file of the server", async () => {
  await using server = await startApp();
  const code = `const ways = {
      redirect: () => Response.redirect("/x"),
      relative: () => Response.redirect("x", 301),
      request: () => Response.json(new Request("/x").url),
      fetch: () => fetch("/x"),
      empty: () => fetch(""),
      url: () => Response.json(new URL("/x").href),
      base: () => Response.json(new URL("/x", location.href).href),
      source: () => Response.json(new EventSource("/x").url),
      socket: () => Response.json(new WebSocket("/x").url),
    };
    export default async (c, ctx) => {
      if (ctx.query.absolute) return Response.redirect(new URL("/x", c.req.url));
      if (ctx.query.location) return c.text(String(location));
      try { return await ways[ctx.query.way](); } catch (error) { return c.json([error.name, error.message]); }
    };`;
  await deploy(server, "relative", code);
  for (const way of ["redirect", "relative", "request", "fetch", "empty", "url", "base", "source", "socket"]) {
    const { status, body, headers } = await run(server, `/relative?way=${way}`);
    assert.equal(status, 200, way);
    assert.match(body.join(" "), /^(?:TypeError|SyntaxError) Invalid URL/, way);
    assert.doesNotMatch(JSON.stringify([body, [...headers]]), /file:|workers|bootstrap/, way);
  }
  const { body } = await run(server, "/relative?location=1");
  assert.doesNotMatch(body, /file:|\/workers/);
  const response = await fetch(`${server.url}/run/relative?absolute=1`, { redirect: "manual" });
  await response.body?.cancel();
  assert.equal(response.headers.get("location"), `${server.url}/x`);
});

Deno.test("a name or headers that are too long fail their own call alone", async () => {
  await using server = await startApp();
  await createSecret(server, "A".repeat(255), "value-of-the-longest");
  const code = `const born = crypto.randomUUID();
    export default async (c, ctx) => {
      const { how } = ctx.query;
      if (how === "names") {
        const names = ["x".repeat(1_100_000), "A".repeat(256), "", "a b", "é", "__proto__", "a\\n"];
        return c.json(await Promise.all([...names.map((name) => ctx.getSecret(name)),
          ...names.map((name) => ctx.getCompleteSecret(name)), ctx.getSecret("A".repeat(255))]));
      }
      const response = c.text(born);
      if (how === "one") response.headers.set("x-long", "v".repeat(2_000_000));
      if (how === "sum") for (let n = 0; n < 900; n++) response.headers.set("x-" + n, "v".repeat(100));
      if (how === "fits") for (let n = 0; n < 60; n++) response.headers.set("x-" + n, "v".repeat(1_000));
      if (how === "streamed") return new Response(new Blob(["x".repeat(100_000)]).stream(), { headers: { "x-long": "v".repeat(70_000) } });
      return response;
    };`;
  await deploy(server, "long", code);
  const { body: born } = await run(server, "/long");
  const names = await run(server, "/long?how=names");
  assert.deepEqual(names.body, [...Array(14).fill(null), "value-of-the-longest"]);
  for (const how of ["one", "sum", "streamed"]) {
    const { status, headers } = await run(server, `/long?how=${how}`);
    assert.equal(status, 500, how);
    const [entry] = (await kept(server, `?requestId=${headers.get("x-request-id")}`)).filter(({ level }) =>
      level === "error"
    );
    assert.match(entry!.message, /TypeError: The headers of the response have \d+ characters, more than 65536/, how);
  }
  assert.equal((await run(server, "/long?how=fits")).body, born);
  assert.equal((await run(server, "/long")).body, born);
});

Deno.test("errors that nobody caught are logged with the request whose code made them", async () => {
  await using server = await startApp();
  const code = `import { setTimeout as delay } from "node:timers/promises";
    import timers from "node:timers";
    const ways = {
      rejection: () => void Promise.reject(new Error("rejection")),
      awaited: async () => { await delay(1); throw new Error("awaited"); },
      inTimer: () => void setTimeout(() => Promise.reject(new Error("inTimer")), 1),
      timer: () => void setTimeout((text) => { throw new Error(text); }, 1, "timer"),
      nodeTimer: () => void timers.setTimeout(() => { throw new Error("nodeTimer"); }, 1),
      interval: () => { const i = setInterval(() => { clearInterval(i); throw new Error("interval"); }, 1); },
      immediate: () => void setImmediate(() => { throw new Error("immediate"); }),
      microtask: () => queueMicrotask(() => { throw new Error("microtask"); }),
      primitive: () => void setTimeout(() => { throw "primitive"; }, 1),
    };
    export default async (c, ctx) => {
      ways[ctx.query.way]().catch?.(0);
      await delay(30);
      return c.text("ok");
    };`.replace("ways[ctx.query.way]().catch?.(0);", "void ways[ctx.query.way]();");
  await deploy(server, "uncaught", code);
  const ways = [
    "rejection",
    "awaited",
    "inTimer",
    "timer",
    "nodeTimer",
    "interval",
    "immediate",
    "microtask",
    "primitive",
  ];
  await Promise.all(ways.map(async (way) => {
    const { body, headers } = await run(server, `/uncaught?way=${way}`);
    assert.equal(body, "ok", way);
    const entries = await kept(server, `?requestId=${headers.get("x-request-id")}`);
    const errors = entries.filter(({ level }) => level === "error").map(({ message }) => message);
    assert.equal(errors.length, 1, `${way}: ${errors.join("\n")}`);
    assert.match(errors[0]!, new RegExp(`^(?:Unhandled rejection|Uncaught error): (?:Error: )?${way}\\b`));
  }));
});
