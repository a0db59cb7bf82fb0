// Handlers and callers that send more than anybody can take: what is over the bound is dropped or refused, and
// the server never grows by more than it says here.

import assert from "node:assert/strict";
import { createSecret, run } from "../http/handlers.ts";
import type { Server } from "../http/server.ts";
import { type Arena, type FunctionFields, type LogEntry, withArena } from "./arena.ts";
import { each, until, withinMemory } from "./processes.ts";

/** How far the server's memory may rise in any flood. */
const GROWTH_MAX_MB = 150;
/** Deno keeps some 200 KB for each upload that is under way, of about a thousand. */
const MANY_UPLOADS_GROWTH_MAX_MB = 300;
/** V8 frees the buffers of what has passed through late. */
const UPLOAD_GROWTH_MAX_MB = 250;
const LIMITS: FunctionFields = { timeoutMs: 1_000, memoryMb: 128 };
/** What is kept of what one process prints in a second (src/sandbox/host/sandbox.ts). */
const PRINTED_PER_SECOND_MAX = 256 * 1024;
/** Of all that the floods of one test leave in the functions' logs, the index of its words included. */
const STORED_MAX_MB = 64;
/** For handlers that flood for a while and then answer. */
const PATIENT: FunctionFields = { timeoutMs: 1_500, memoryMb: 128 };

async function flood(
  name: string,
  attack: (arena: Arena) => Promise<void>,
  growthMaxMb = GROWTH_MAX_MB,
): Promise<void> {
  await withArena(`floods: ${name}`, async (arena) => {
    arena.count();
    const grown = await withinMemory(arena.server, growthMaxMb, () => attack(arena));
    console.log(`floods: ${name}: the server's memory rose by at most ${grown} MB`);
  });
}

/** A handler's helpers to speak for its own process: every socket it has gets the bytes. */
const FORGE = `
const encoder = new TextEncoder();
const frame = (type, id, meta, body = new Uint8Array(0)) => {
  const bytes = new Uint8Array(13 + encoder.encode(meta).length + body.length);
  const view = new DataView(bytes.buffer);
  const text = encoder.encode(meta);
  view.setUint32(0, 4 + text.length + body.length, true);
  bytes[4] = type;
  view.setUint32(5, id, true);
  view.setUint32(9, text.length, true);
  bytes.set(text, 13);
  bytes.set(body, 13 + text.length);
  return bytes;
};
const times = (bytes, count) => {
  const all = new Uint8Array(bytes.length * count);
  for (let n = 0; n < count; n++) all.set(bytes, n * bytes.length);
  return all;
};
const sockets = async () => {
  const { Socket } = await import("node:net");
  const found = [];
  for (let fd = 3; fd < 64; fd++) {
    try {
      const socket = new Socket({ fd });
      socket.on("error", () => {});
      found.push(socket);
    } catch {}
  }
  return found;
};
const forge = async (...parts) => {
  for (const socket of await sockets()) for (const part of parts) socket.write(part);
};
const never = () => new Promise(() => {});
`;

/** What handlers print or ask for, all of them until they are done or killed. */
const PRINTED: Readonly<Record<string, string>> = {
  "a gigabyte in lines of a kilobyte": `for (let n = 0; n < 1e6; n++) console.log("x".repeat(1000));`,
  "lines of nothing": `for (let n = 0; n < 1e6; n++) console.log();`,
  "lines of nothing, in peace":
    `for (let n = 0; n < 1e5; n++) { console.log(""); if (n % 100 === 0) await new Promise((r) => setTimeout(r, 0)); }`,
  "giant lines": `for (let n = 0; n < 50; n++) console.log("x".repeat(1 << 24));`,
  "giant lines of control characters": `for (let n = 0; n < 50; n++) console.error("\\u0001\\n".repeat(1 << 20));`,
  "a table": `console.table(Array.from({ length: 1e5 }, (_, n) => ({ n })));`,
  "a gigabyte to the standard error":
    `const b = new Uint8Array(1 << 16); for (let n = 0; n < 1 << 14; n++) Deno.stderr.writeSync(b);`,
  "a gigabyte to the standard output":
    `const b = new Uint8Array(1 << 16); for (let n = 0; n < 1 << 14; n++) Deno.stdout.writeSync(b);`,
  "the standard error, in peace":
    `const b = new Uint8Array(1 << 16); const end = Date.now() + 1000; while (Date.now() < end) await Deno.stderr.write(b);`,
  "messages to the supervisor": `for (let n = 0; n < 2e5; n++) self.postMessage(n);`,
  "messages to the supervisor, in peace":
    `for (let n = 0; n < 1e5; n++) { self.postMessage("x".repeat(100)); if (n % 1000 === 0) await new Promise((r) => setTimeout(r, 0)); }`,
  "giant messages to the supervisor":
    `for (let n = 0; n < 100; n++) { self.postMessage(new Uint8Array(1 << 20)); await new Promise((r) => setTimeout(r, 1)); }`,
  "timers": `for (let n = 0; n < 1e5; n++) setInterval(() => {}, 0);`,
};

Deno.test("whatever a handler prints or sends to its own supervisor, the server neither grows nor slows down", async () => {
  await flood("print", async (arena) => {
    const dropped: string[] = [];
    await each(3, Object.entries(PRINTED), async ([what, statements], n) => {
      arena.count();
      const code = `export default async (c) => { ${statements}; return c.text("done"); }`;
      const id = await arena.deploy(`print${n}`, code, { fields: PATIENT });
      const began = performance.now();
      const { status } = await run(arena.server, `/print${n}`);
      assert.ok([200, 500, 502, 504].includes(status), `${what}: ${status}`);
      const entries = await arena.logs(id);
      // The second in which it began, those that were full, and the one in which it ended.
      const seconds = Math.ceil((performance.now() - began) / 1_000) + 1;
      const kept = sizeOf(entries.filter(({ event }) => event === "print"));
      assert.ok(kept <= seconds * PRINTED_PER_SECOND_MAX, `${what}: ${kept} bytes kept in ${seconds} s`);
      if (entries.some(({ event }) => event === "dropped")) dropped.push(what);
    });
    // Which of them depends on how much the machine let each print before its deadline.
    assert.ok(dropped.length > 0, "nothing tells that something is missing");
    const stored = await storedMb(arena.server);
    assert.ok(stored < STORED_MAX_MB, `${stored} MB of functions' logs on the disk`);
    assert.ok(arena.server.logs().length < 64 << 10, "the server's own log is not where handlers print");
  });
});

function sizeOf(entries: readonly LogEntry[]): number {
  return entries.reduce((sum, { message }) => sum + message.length, 0);
}

async function storedMb(server: Server): Promise<number> {
  const files = ["observations.db", "observations.db-wal"].map((name) => Deno.stat(`${server.dataDir}/${name}`));
  return (await Promise.all(files)).reduce((sum, { size }) => sum + size, 0) / 1e6;
}

const ASKED: Readonly<Record<string, string>> = {
  "a million asks, none awaited": `for (let n = 0; n < 1e6; n++) ctx.getSecret("BIG").catch(() => {});`,
  "asks in portions, not awaited":
    `for (let n = 0; n < 200_000; n++) { ctx.getSecret("BIG"); if (n % 1000 === 0) await new Promise((r) => setTimeout(r, 0)); }`,
  "names that were never asked for":
    `await Promise.all(Array.from({ length: 50_000 }, (_, n) => ctx.getSecret("N" + n)));`,
  "all values, again and again":
    `for (let n = 0; n < 20; n++) await Promise.all(Array.from({ length: 500 }, () => ctx.getCompleteSecret("BIG")));`,
  "names of a megabyte":
    `for (let n = 0; n < 20; n++) await Promise.race([ctx.getSecret("n".repeat(1_000_000)), new Promise((r) => setTimeout(r, 20))]);`,
  "names of ten megabytes": `await ctx.getSecret("n".repeat(10_000_000));`,
  "names of lone surrogates": `for (let n = 0; n < 1000; n++) await ctx.getSecret("\\ud800".repeat(n));`,
  "names of control characters": `for (let n = 0; n < 100; n++) await ctx.getSecret("\\u0000".repeat(n * 100));`,
};

Deno.test("whatever a handler asks for, it gets its own secrets or an error, and the server does not grow", async () => {
  await flood("asks", async (arena) => {
    // In JSON six times as long.
    await createSecret(arena.server, "BIG", "\u0001".repeat(16_384));
    await each(3, Object.entries(ASKED), async ([what, statements], n) => {
      arena.count();
      const code = `export default async (c, ctx) => { ${statements}; return c.text("done"); }`;
      await arena.deploy(`ask${n}`, code, { fields: LIMITS });
      const { status } = await run(arena.server, `/ask${n}`);
      assert.ok([200, 500, 502, 504].includes(status), `${what}: ${status}`);
    });
  });
});

const FORGED: Readonly<Record<string, string>> = {
  "questions with giant answers": `await forge(times(frame(71, 1, '[1,"get","BIG",null]'), 30_000)); await never();`,
  "questions with giant answers, in one portion":
    `await forge(frame(74, 0, "", new Uint8Array(1_000_000)), times(frame(71, 1, '[1,"complete","BIG",null]'), 20_000)); await never();`,
  "signs of life":
    `const some = times(frame(74, 0, ""), 50_000); for (const socket of await sockets()) socket.on("drain", () => socket.write(some)).write(some); await never();`,
  "lines of nothing":
    `const some = times(frame(72, 1, '["info",""]'), 50_000); for (const socket of await sockets()) socket.on("drain", () => socket.write(some)).write(some); await never();`,
  "frames that never end":
    `await forge(new Uint8Array([0xff, 0xff, 0x0f, 0, 72, 0, 0, 0, 0]), new Uint8Array(900_000)); await never();`,
  "a response of seventy thousand headers": `
    const headers = []; for (let n = 0; n < 70_000; n++) headers.push("h" + n, "");
    await forge(frame(67, 1, JSON.stringify([200, headers, 0]))); await never();`,
  "a response without a body, and nonsense after it": `
    const parts = []; for (let id = 1; id < 9; id++) parts.push(...frame(67, id, "[204,[],2]"));
    await forge(new Uint8Array([...parts, ...frame(255, 0, "")])); await never();`,
  "a response that cannot be sent, and nonsense after it": `
    const parts = []; for (let id = 1; id < 9; id++) parts.push(...frame(67, id, "[101,[],2]"));
    await forge(new Uint8Array([...parts, ...frame(255, 0, "")])); await never();`,
  "credit without end": `await forge(times(frame(73, 1, "9007199254740991"), 100_000)); await never();`,
};

Deno.test("frames forged on the process's own socket cost nobody else anything", async () => {
  await flood("forged frames", async (arena) => {
    await createSecret(arena.server, "BIG", "\u0001".repeat(16_384));
    await each(3, Object.entries(FORGED), async ([what, statements], n) => {
      arena.count();
      const code = `${FORGE}\nexport default async (c, ctx) => { ${statements} }`;
      await arena.deploy(`forge${n}`, code, { fields: LIMITS });
      const answer = await run(arena.server, `/forge${n}`).catch((error) => ({ status: String(error) }));
      assert.ok([101, 200, 204, 500, 502, 503, 504].includes(answer.status as number), `${what}: ${answer.status}`);
    });
  });
});

Deno.test("pieces of nothing that a handler sends to a client who does not read are not kept", async () => {
  await flood("pieces of nothing", async (arena) => {
    // Once the client's window is full, nothing of the queue leaves any more; five million pieces follow.
    const code = `${FORGE}
      const big = new Uint8Array(1 << 20);
      const some = times(frame(68, 1, ""), 50_000);
      export default () => {
        setTimeout(async () => {
          for (const socket of await sockets()) {
            let turns = 0;
            socket.on("drain", () => turns++ < 100 && socket.write(some)).write(some);
          }
        }, 1_000);
        return new Response(new ReadableStream({ pull: (controller) => controller.enqueue(big) }));
      };`;
    await arena.deploy("nothing", code, { fields: LIMITS });
    const client = await deaf(arena.server, "/nothing");
    await arena.innocentCalls(50);
    client.close();
  });
});

Deno.test("a body in pieces of one byte for clients who do not read costs no more than its bytes", async () => {
  await flood("pieces of one byte", async (arena) => {
    const code = `const byte = new Uint8Array(1);
      export default () => new Response(new ReadableStream({
        pull(controller) { for (let n = 0; n < 1000; n++) controller.enqueue(byte); },
      }));`;
    await arena.deploy("small", code, { fields: PATIENT });
    const clients = await Promise.all(Array.from({ length: 8 }, () => deaf(arena.server, "/small")));
    await arena.innocentCalls(60);
    for (const client of clients) client.close();
  });
});

Deno.test("endless bodies for clients who are slow, fast, absent or gone do not pile up", async () => {
  await flood("endless bodies", async (arena) => {
    const code = `const piece = new Uint8Array(1 << 20);
      export default () => new Response(new ReadableStream({ pull: (controller) => controller.enqueue(piece) }));`;
    await arena.deploy("endless", code, { fields: LIMITS });
    const absent = await Promise.all(Array.from({ length: 50 }, () => deaf(arena.server, "/endless")));
    const fast = await Promise.all(Array.from({ length: 2 }, () => fetch(`${arena.server.url}/run/endless`)));
    const readers = fast.map(({ body }) => body!.getReader());
    const reading = readers.map(async (reader) => {
      for (let read = 0; read < 100 << 20;) read += (await reader.read()).value!.byteLength;
      await reader.cancel();
    });
    const slow = fetch(`${arena.server.url}/run/endless`).then(async ({ body }) => {
      const reader = body!.getReader();
      for (let n = 0; n < 10; n++) {
        await reader.read();
        await arena.innocentCalls(1);
      }
      await reader.cancel();
    });
    const leaving = async () => {
      for (let n = 0; n < 20; n++) await (await fetch(`${arena.server.url}/run/endless`)).body!.cancel();
    };
    // At once: one that breaks off before it is awaited would be an uncaught error.
    await Promise.all([...reading, slow, leaving()]);
    for (const client of absent) client.close();
  });
});

/**
 * What Deno keeps for a client who does not read, beside our window of 32 KB: up to 408 KB in the HTTP library
 * (hyper's DEFAULT_MAX_BUFFER_SIZE) and 64 KB of the response's stream (deno_core's BUFFER_BACKPRESSURE_LIMIT).
 */
const UNREAD_MAX_MB = 0.5;

Deno.test("hundreds of clients who do not read get a bounded share of memory together, by sandbox.max-calls", async () => {
  const maxCalls = 200;
  await flood("a crowd that does not read", async (arena) => {
    await arena.server.api("PUT", "/api/settings", { settings: { "sandbox.max-calls": maxCalls } });
    const code = `const piece = new Uint8Array(1 << 16);
      export default () => new Response(new ReadableStream({ pull: (controller) => controller.enqueue(piece) }));`;
    await arena.deploy("crowd", code, { fields: { timeoutMs: 20_000, memoryMb: 1_024 } });
    const clients: Deaf[] = [];
    await each(50, Array.from({ length: 600 }), async () => {
      clients.push(await deaf(arena.server, "/crowd"));
    });
    await arena.innocentCalls(20);
    const served = clients.filter(({ began }) => began === "HTTP/1.1 200").length;
    const refused = clients.filter(({ began }) => began === "HTTP/1.1 503").length;
    assert.deepEqual([served, refused], [maxCalls, clients.length - maxCalls]);
    for (const client of clients) client.close();
  }, UNREAD_MAX_MB * maxCalls + 50);
});

interface Deaf {
  /** The first bytes of its response. */
  readonly began: string;
  close(): void;
}

/** A client that sends a request, waits for the first bytes of its response, and reads no more. */
async function deaf(server: Server, path: string): Promise<Deaf> {
  const { hostname, port } = new URL(server.url);
  const connection = await Deno.connect({ hostname, port: Number(port) });
  await connection.write(new TextEncoder().encode(`GET /run${path} HTTP/1.1\r\nHost: x\r\n\r\n`));
  const bytes = new Uint8Array("HTTP/1.1 200".length);
  const read = await connection.read(bytes);
  return { began: new TextDecoder().decode(bytes.subarray(0, read ?? 0)), close: () => connection.close() };
}

const RESPONSES: Readonly<Record<string, string>> = {
  "a body of 64 MB at once": `return new Response(new Uint8Array(64 << 20));`,
  "a thousand headers":
    `const h = new Headers(); for (let n = 0; n < 1000; n++) h.append("h" + n, "v"); return new Response("x", { headers: h });`,
  "ten thousand headers":
    `const h = []; for (let n = 0; n < 10_000; n++) h.push(["h" + n, "v"]); return new Response("x", { headers: h });`,
  "a thousand cookies":
    `const h = new Headers(); for (let n = 0; n < 1000; n++) h.append("set-cookie", "a" + n + "=b"); return new Response("x", { headers: h });`,
  "a header of 100 KB": `return new Response("x", { headers: { a: "v".repeat(100_000) } });`,
  "a header of 2 MB": `return new Response("x", { headers: { a: "v".repeat(2_000_000) } });`,
  "the name of a header of 1 MB": `return new Response("x", { headers: { ["a".repeat(1_000_000)]: "v" } });`,
  "headers that no response can have":
    `class R extends Response { get headers() { return [["a b", "x"], ["a", "b\\r\\nc: d"], ["", ""]]; } } return new R("x");`,
  "headers without end":
    `class R extends Response { get headers() { return { *[Symbol.iterator]() { for (;;) yield ["a", "b"]; } }; } } return new R("x");`,
  "a content-length that lies": `return new Response("x", { headers: { "content-length": "1000000" } });`,
  "a transfer-encoding that lies":
    `return new Response("x", { headers: { "transfer-encoding": "chunked, gzip", connection: "upgrade", upgrade: "x" } });`,
  "a status no response can have, with a body without end":
    `class R extends Response { get status() { return 99; } } return new R(new ReadableStream({ pull: (c) => c.enqueue(new Uint8Array(65_536)) }));`,
  "pieces that are no bytes": `return new Response(new ReadableStream({ pull: (c) => c.enqueue("text") }));`,
  "a body that breaks off":
    `let n = 0; return new Response(new ReadableStream({ pull: (c) => { if (n++ > 3) throw new Error("x"); c.enqueue(new Uint8Array(1000)); } }));`,
  "a body that is locked": `const r = new Response("x"); r.body.getReader(); return r;`,
  "a body that was read": `const r = new Response("x"); await r.text(); return r;`,
  "an error response": `return Response.error();`,
  "a redirect to nowhere": `return Response.redirect("http://192.0.2.1/");`,
};

Deno.test("a response that is too much or cannot be sent is an error of its call alone, also for HEAD", async () => {
  await flood("responses", async (arena) => {
    await each(3, Object.entries(RESPONSES), async ([what, statements], n) => {
      arena.count();
      const name = `respond${n}`;
      const fields = { ...LIMITS, methods: ["GET", "HEAD", "POST"] };
      await arena.deploy(name, `export default async (c) => { ${statements} }`, { fields });
      for (const method of ["GET", "HEAD", "POST"]) {
        const response = await fetch(`${arena.server.url}/run/${name}`, { method, redirect: "manual" }).catch(String);
        if (typeof response === "string") continue; // Broken off within its head.
        assert.ok(response.status < 600, `${what}: ${response.status}`);
        await response.bytes().catch(() => {});
      }
      // Nothing of it is left: changed, the function's process has no call to wait for.
      const id = (await arena.server.api("GET", "/api/functions")).body.functions
        .find((found: { name: string }) => found.name === name).id;
      const pids = arena.sandboxes(name);
      await arena.server.api("PUT", `/api/functions/${id}`, { description: "changed" });
      await until(`${what}: no call is left`, () => arena.sandboxes(name).every((pid) => !pids.includes(pid)));
    });
  });
});

Deno.test("HEAD requests to a body that breaks off, many at once, end none but themselves", async () => {
  await flood("HEAD", async (arena) => {
    const code = `export default () => { let n = 0; return new Response(new ReadableStream({
      pull(controller) { if (n++) throw new Error("broken"); controller.enqueue(new Uint8Array(10)); },
    }, { highWaterMark: 0 })); }`;
    await arena.deploy("head", code, { fields: { ...LIMITS, methods: ["GET", "HEAD"] } });
    for (let round = 0; round < 5; round++) {
      const heads = Array.from({ length: 30 }, () => fetch(`${arena.server.url}/run/head`, { method: "HEAD" }));
      for (const { status } of await Promise.all(heads)) assert.ok(status === 200 || status === 500);
    }
  });
});

Deno.test("thousands of requests to a function that never answers: the ones over sandbox.max-calls get 503 at once", async () => {
  await flood("open requests", async (arena) => {
    await arena.server.api("PUT", "/api/settings", { settings: { "sandbox.max-calls": 200 } });
    await arena.deploy("silent", "export default () => new Promise(() => {})", { fields: LIMITS });
    const statuses = new Map<number, number>();
    await each(1_000, Array.from({ length: 3_000 }), async () => {
      const { status } = await run(arena.server, "/silent");
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    });
    assert.deepEqual([...statuses.keys()].sort(), [503, 504], JSON.stringify([...statuses]));
  });
});

Deno.test("large bodies for a handler that is still loading are not piled up", async () => {
  await flood("bodies while loading", async (arena) => {
    await arena.deploy("loading", "await new Promise(() => {}); export default () => {}", { fields: LIMITS });
    const body = new Uint8Array(60_000);
    await each(1_500, Array.from({ length: 1_500 }), async () => {
      const { status } = await run(arena.server, "/loading", undefined, { method: "POST", body });
      assert.ok(status === 503 || status === 504, String(status));
    });
  });
});

Deno.test("more functions than sandbox.max-processes, none of which ever answers, do not take the innocent's place", async () => {
  await flood("many functions", async (arena) => {
    await arena.server.api("PUT", "/api/settings", { settings: { "sandbox.max-processes": 4 } });
    const names = Array.from({ length: 10 }, (_, n) => `greedy${n}`);
    for (const name of names) {
      await arena.deploy(name, "export default () => new Promise(() => {})", { fields: { timeoutMs: 500 } });
    }
    await Promise.all(
      names.flatMap((name) => [name, name, name]).map(async (name) => {
        for (let n = 0; n < 2; n++) {
          const { status } = await run(arena.server, `/${name}`);
          assert.ok(status === 503 || status === 504, String(status));
        }
      }),
    );
  });
});

Deno.test("a gigabyte of request that the handler never reads stays with the client", async () => {
  await flood("request bodies", async (arena) => {
    const handlers: Record<string, string> = {
      ignores: `export default (c) => c.text("not read")`,
      hangs: `export default () => new Promise(() => {})`,
      loops: `export default () => { while (true); }`,
      peeks: `export default async (c) => { await c.req.raw.body.getReader().read(); return c.text("enough"); }`,
      keeps:
        `export default async (c) => { const kept = []; for await (const piece of c.req.raw.body) kept.push(piece); return c.text("all"); }`,
    };
    for (const [name, code] of Object.entries(handlers)) await arena.deploy(name, code, { fields: LIMITS });
    await Promise.all(
      Object.keys(handlers).map(async (name) => {
        arena.count();
        let left = name === "keeps" ? 48 : 1 << 10;
        const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
          pull(controller) {
            if (left-- > 0) controller.enqueue(new Uint8Array(1 << 20));
            else controller.close();
          },
        });
        // Broken off while it was sending, or answered.
        const status = await run(arena.server, `/${name}`, undefined, { method: "POST", body }).then(
          (a) => a.status,
          () => 0,
        );
        assert.ok([0, 200, 500, 502, 503, 504].includes(status), `${name}: ${status}`);
      }),
    );
  }, UPLOAD_GROWTH_MAX_MB);
});

Deno.test("a crowd that sends bodies to a process that does not read is held up, not kept in memory", async () => {
  await flood("bodies nobody reads", async (arena) => {
    const code =
      `export default async (c, ctx) => { if (ctx.query.stop) { await new Promise((r) => setTimeout(r, 100)); while (true); } await new Promise(() => {}); }`;
    await arena.deploy("unread", code, { fields: { ...LIMITS, timeoutMs: 2_000 } });
    const { hostname, port } = new URL(arena.server.url);
    const clients = await Promise.all(Array.from({ length: 800 }, async () => {
      const connection = await Deno.connect({ hostname, port: Number(port) });
      await connection.write(
        new TextEncoder().encode("POST /run/unread HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"),
      );
      return connection;
    }));
    await arena.innocentCalls(5);
    const looping = run(arena.server, "/unread?stop=1").catch(() => {});
    await arena.innocentCalls(5);
    const piece = new TextEncoder().encode(`10000\r\n${"x".repeat(65_536)}\r\n`);
    await Promise.all(
      clients.map(async (client) => {
        try {
          for (let n = 0; n < 8; n++) for (let at = 0; at < piece.length;) at += await client.write(piece.subarray(at));
        } catch {
          // The server has answered and closed.
        }
      }).map((sent) => Promise.race([sent, arena.innocentCalls(40)])),
    );
    await looping;
    for (const client of clients) client.close();
  }, MANY_UPLOADS_GROWTH_MAX_MB);
});

Deno.test("clients that are gone at any stage leave no call behind", async () => {
  await flood("clients that go", async (arena) => {
    const code = `export default async (c, ctx) => {
      if (ctx.query.slow) await new Promise((resolve) => setTimeout(resolve, 200));
      if (ctx.query.read) await c.req.text();
      return new Response(new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(65_536)) }));
    }`;
    const id = await arena.deploy("left", code, { fields: { ...LIMITS, timeoutMs: 60_000 } });
    const { hostname, port } = new URL(arena.server.url);
    const heads = [
      "GET",
      "GET /run/left HTTP/1.1\r\nHost: x\r\n",
      "GET /run/left HTTP/1.1\r\nHost: x\r\n\r\n",
      "GET /run/left?slow=1 HTTP/1.1\r\nHost: x\r\n\r\n",
      "POST /run/left?read=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc",
      "POST /run/left?read=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nabc",
      "POST /run/left?read=1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
      "POST /run/left?slow=1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
      "POST /run/left HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ];
    await each(20, heads.flatMap((head) => new Array<string>(20).fill(head)), async (head, n) => {
      const connection = await Deno.connect({ hostname, port: Number(port) });
      await connection.write(new TextEncoder().encode(head));
      if (n % 4 === 1) await arena.innocentCalls(1);
      if (n % 4 === 2 && head.startsWith("GET /") && head.endsWith("\r\n\r\n")) {
        await connection.read(new Uint8Array(100_000));
      }
      connection.close();
    });
    await run(arena.server, "/innocent");
    const pids = arena.sandboxes("left");
    await arena.server.api("PUT", `/api/functions/${id}`, { description: "changed" });
    await until("no call is left", () => arena.sandboxes("left").every((pid) => !pids.includes(pid)));
  });
});

Deno.test("slow clients by the thousand are no burden", async () => {
  await flood("slow clients", async (arena) => {
    await arena.deploy("reads", `export default async (c) => c.text(String((await c.req.bytes()).length))`, {
      fields: LIMITS,
    });
    const { hostname, port } = new URL(arena.server.url);
    const text = "POST /run/reads HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n";
    const clients = await Promise.all(Array.from({ length: 1_000 }, async () => {
      const connection = await Deno.connect({ hostname, port: Number(port) });
      await connection.write(new TextEncoder().encode(text));
      return connection;
    }));
    await arena.innocentCalls(40);
    for (const client of clients) client.close();
  }, MANY_UPLOADS_GROWTH_MAX_MB);
});

Deno.test("a handler that fails at once, called without pause, does not fill the log or slow the others", async () => {
  await flood("errors", async (arena) => {
    await arena.deploy("fails", `export default () => { throw new Error("x".repeat(16_000)); }`, { fields: LIMITS });
    await arena.deploy("broken", `throw new Error("x".repeat(16_000));`, { fields: LIMITS });
    const end = performance.now() + 1_500;
    let calls = 0;
    await Promise.all(Array.from({ length: 20 }, async (_, n) => {
      while (performance.now() < end) {
        calls++;
        await run(arena.server, n % 2 ? "/fails" : "/broken");
      }
    }));
    const logged = arena.server.logs().length / 1e6;
    const kept = sizeOf(await arena.logs()) / 1e6;
    const stored = await storedMb(arena.server);
    const sizes = `${logged.toFixed(1)} MB of the server's log, ${kept.toFixed(1)} MB of the functions' (${
      stored.toFixed(1)
    } MB on the disk)`;
    console.log(`floods: errors: ${calls} calls, ${sizes}`);
    assert.ok(logged < 16 && kept < 16 && stored < STORED_MAX_MB, `${sizes} from ${calls} calls`);
  });
});
