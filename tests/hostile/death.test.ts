// Handlers that end their process, on purpose or by taking too much: the process dies, nobody else.

import assert from "node:assert/strict";
import { run, set } from "../http/handlers.ts";
import { alive, type FunctionFields, withArena } from "./arena.ts";
import { each, paced, residentMb, until, withinMemory } from "./processes.ts";

const MEMORY_MB = 64;
const LIMITS: FunctionFields = { timeoutMs: paced(1_500), memoryMb: MEMORY_MB };
/** What must end by itself has time to, also on a busy machine; what may go on is stopped soon. */
const limitsFor = (statuses: readonly number[]): FunctionFields =>
  statuses.includes(504) ? LIMITS : { ...LIMITS, timeoutMs: paced(15_000) };
/** What a process may take at most while it dies: its memory, what Deno itself needs, and what a poll lets through. */
const PROCESS_MAX_MB = MEMORY_MB + 400;
const HOST_GROWTH_MAX_MB = 150;
const AT_ONCE = 5;
const GONE_MS = paced(10_000);

/** Statements that end the process. The statuses that the caller may get: 502, or what the case allows besides. */
const DEATHS: Readonly<Record<string, [statements: string, ...others: number[]]>> = {
  "Deno.exit": [`Deno.exit(0);`],
  "Deno.exit with a code": [`Deno.exit(255);`],
  "self.close": [`self.close();`],
  "close, then a loop": [`self.close(); while (true);`, 504],
  "process.exit": [`(await import("node:process")).exit(1);`],
  "process.reallyExit": [`(await import("node:process")).reallyExit(1);`, 500],
  "process.abort": [`(await import("node:process")).abort();`],
  "process.kill": [`const p = await import("node:process"); p.kill(p.pid, "SIGKILL");`, 500],
  "process.kill with SIGSEGV": [`const p = await import("node:process"); p.kill(p.pid, "SIGSEGV");`, 500, 504],
  "Deno.kill with SIGKILL": [`Deno.kill(Deno.pid, "SIGKILL");`, 500],
  "Deno.kill with SIGSTOP": [`Deno.kill(Deno.pid, "SIGSTOP");`, 500, 504],
  "Deno.kill with SIGABRT": [`Deno.kill(Deno.pid, "SIGABRT");`, 500],
  "Deno.kill with SIGTERM": [`Deno.kill(Deno.pid, "SIGTERM");`, 500],
  "process.kill with SIGSTOP": [`const p = await import("node:process"); p.kill(p.pid, "SIGSTOP");`, 500, 504],
  "every internal op with nonsense": [
    `const { ops } = Deno[Deno.internal].core; for (const name of Object.keys(ops)) if (!/exit|sleep|read|wait/.test(name)) for (const args of [[], [{}], [-1, -1, -1]]) try { await Promise.race([ops[name](...args), 0]); } catch {}`,
    200,
    500,
    504,
  ],
  "the op of a window": [`Deno[Deno.internal].core.ops.BrowserWindow();`, 500],
  "a new window": [`new (Deno[Deno.internal].core.ops.BrowserWindow)();`, 500],
  "the op of a panic": [`Deno[Deno.internal].core.ops.op_panic("x");`, 500],
  "closing every descriptor": [
    `const { Socket } = await import("node:net"); for (let fd = 0; fd < 64; fd++) try { new Socket({ fd }).destroy(); } catch {}`,
    500,
    504,
  ],
  "destroying every resource": [
    `const { core } = Deno[Deno.internal]; for (let id = 0; id < 64; id++) try { core.close(id); } catch {}`,
    500,
    504,
  ],
  "a prime of a million digits": [`(await import("node:crypto")).generatePrimeSync(2 ** 31 - 1);`, 500, 504],
  "a SharedArrayBuffer of 4 GB": [`new Uint8Array(new SharedArrayBuffer(2 ** 32)).fill(1);`, 500],
  "a stack that overflows": [`const f = () => f() + 1; f();`, 500],
  "a stack that overflows in toString": [`const o = { toString: () => String(o) }; String(o);`, 500],
  "a stack that overflows in a regular expression": [
    `new RegExp("(".repeat(200_000) + ")".repeat(200_000)).test("x");`,
    500,
  ],
  "JSON of a deep object": [`let o = {}; for (let n = 0; n < 5e5; n++) o = { o }; JSON.stringify(o);`, 500, 504],
  "parsing deep JSON": [`JSON.parse("[".repeat(5e6) + "]".repeat(5e6));`, 200, 500],
  "a clone of a deep object": [`let o = {}; for (let n = 0; n < 5e5; n++) o = { o }; structuredClone(o);`, 500],
  "printing a deep object": [
    `let o = {}; for (let n = 0; n < 5e5; n++) o = { o }; console.log(o); console.dir(o, { depth: Infinity });`,
    200,
    500,
    504,
  ],
  "evaluating deep code": [`eval("(".repeat(1e6) + ")".repeat(1e6));`, 500],
  "an error with endless causes": [`const e = new Error("x"); e.cause = e; e.errors = [e, e]; throw e;`, 500],
  "an error whose stack throws": [
    `throw Object.defineProperty(new Error("x"), "stack", { get() { throw this; } });`,
    500,
  ],
  "an error whose inspection loops": [`throw { [Symbol.for("Deno.customInspect")]() { while (true); } };`, 504],
  "throwing undefined": [`throw undefined;`, 500],
  "throwing a revoked proxy": [`const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); throw proxy;`, 500],
  "a response that is a proxy": [`return new Proxy(new Response("x"), { get() { throw new Error("x"); } });`, 500],
  "a status no response can have": [
    `return new (class extends Response { get status() { return 99; } })("x");`,
    500,
  ],
};

/** Statements that take ever more memory. */
const BOMBS: Readonly<Record<string, [statements: string, ...others: number[]]>> = {
  "a heap of objects": [`const kept = []; for (;;) kept.push({ a: kept.length, b: [1, 2, 3] });`],
  "a heap, slowly": [
    `const kept = []; for (;;) { for (let n = 0; n < 1e4; n++) kept.push({ n }); await new Promise((r) => setTimeout(r, 1)); }`,
    // The nearer the limit, the slower: the deadline may come first.
    504,
  ],
  "an array of 2^28 elements": [`new Array(2 ** 28).fill({});`, 500],
  "an array that grows": [`let a = [1]; for (;;) a = a.concat(a);`, 500],
  "a map": [`const m = new Map(); for (let n = 0;; n++) m.set(n, n);`, 500],
  "a set of symbols": [`const s = new Set(); for (;;) s.add(Symbol());`, 500],
  "a string": [`let s = "x"; for (;;) { s += s; s.at(-1); }`, 500],
  "strings": [
    `const kept = []; for (;;) kept.push("x".repeat(1e6) + kept.length), kept.at(-1).charCodeAt(5), JSON.stringify(kept.at(-1));`,
    500,
  ],
  "ArrayBuffers": [`const kept = []; for (;;) kept.push(new Uint8Array(1 << 20).fill(1));`, 500],
  "one big ArrayBuffer": [`new Uint8Array(2 ** 32).fill(1); for (;;);`, 500],
  "an ArrayBuffer that is resized": [
    `const b = new ArrayBuffer(1, { maxByteLength: 2 ** 31 }); for (let n = 2;; n *= 2) { b.resize(n); new Uint8Array(b).fill(1); }`,
    500,
  ],
  "wasm memory": [
    `const kept = []; for (;;) { const m = new WebAssembly.Memory({ initial: 256 }); new Uint8Array(m.buffer).fill(1); kept.push(m); }`,
    500,
  ],
  "wasm memory that grows": [
    `const m = new WebAssembly.Memory({ initial: 1 }); for (;;) { m.grow(64); new Uint8Array(m.buffer).fill(1); }`,
    500,
  ],
  "blobs": [`const kept = []; for (;;) kept.push(new Blob([new Uint8Array(1 << 20).fill(1)]));`, 500],
  "blob addresses": [`for (;;) URL.createObjectURL(new Blob([new Uint8Array(1 << 20).fill(1)]));`, 500],
  "Node's buffers": [
    `const { Buffer } = await import("node:buffer"); const kept = []; for (;;) kept.push(Buffer.alloc(1 << 20, 1));`,
    500,
  ],
  "clones": [`const kept = []; for (;;) kept.push(structuredClone(new Uint8Array(1 << 20).fill(1)));`, 500],
  "a clone that doubles": [
    `let o = [new Uint8Array(1024).fill(1)]; for (;;) o = structuredClone([o, structuredClone(o)]);`,
    500,
  ],
  "timers": [`for (;;) setTimeout(() => {}, 1e9, new Array(100).fill(1));`, 500, 504],
  "promises": [`const kept = []; for (;;) kept.push(new Promise(() => {}).then(() => {}));`, 500],
  "promises of which each waits for the next": [
    `const turn = () => Promise.resolve().then(turn); await turn();`,
    500,
    504,
  ],
  "unhandled rejections": [`for (;;) Promise.reject(new Error("x".repeat(1000)));`, 500, 504],
  "messages to oneself": [
    `const { port1, port2 } = new MessageChannel(); for (;;) port1.postMessage(new Uint8Array(1 << 16).fill(1));`,
    500,
  ],
  "messages to the supervisor": [`for (;;) self.postMessage(new Uint8Array(1 << 16).fill(1));`, 500, 504],
  "small messages to the supervisor": [`for (;;) self.postMessage("x");`, 500, 504],
  "a stream that is never read": [
    `const { writable } = new TransformStream(undefined, { highWaterMark: Infinity }, { highWaterMark: Infinity }); const w = writable.getWriter(); for (;;) w.write(new Uint8Array(1 << 16).fill(1));`,
    500,
    504,
  ],
  "decompression": [
    `const { gzipSync, gunzipSync } = await import("node:zlib"); const kept = []; const bomb = gzipSync(new Uint8Array(1 << 24)); for (;;) kept.push(gunzipSync(bomb).fill(1));`,
    500,
  ],
  "workers": [
    `const kept = []; for (;;) { kept.push(new Worker("data:text/javascript,setInterval(()=>{},1)", { type: "module" })); await new Promise((r) => setTimeout(r, 1)); }`,
    500,
    504,
  ],
  "workers of Node": [
    `const { Worker } = await import("node:worker_threads"); const kept = []; for (;;) { kept.push(new Worker("setInterval(()=>{},1)", { eval: true })); await new Promise((r) => setTimeout(r, 1)); }`,
    500,
    504,
  ],
  "code": [
    `for (let n = 0;; n++) await import("data:text/javascript,export default '" + n + "x".repeat(1e6) + "'");`,
    500,
    504,
  ],
  "functions": [
    `const kept = []; for (let n = 0;; n++) kept.push(new Function("return " + n + "/*" + "x".repeat(1e5) + n + "*/"));`,
    500,
  ],
  "regular expressions": [
    `const kept = []; for (let n = 0;; n++) { const r = new RegExp("(a|b|" + n + "){1,200}"); r.test("ab"); kept.push(r); }`,
    500,
    504,
  ],
  "numbers of many digits": [`let n = 3n; for (;;) n *= n;`, 500, 504],
  "secrets asked for and not awaited": [`for (let n = 0;; n++) ctx.getSecret("S" + n);`, 500, 504],
};

const NOT_WHILE_LOADING = /\bctx\b|\breturn (?!")/;

function handler(statements: string): string {
  return `export default async (c, ctx) => { if (ctx.query.attack) { ${statements}\n await new Promise(() => {}); } return c.text("alive"); }`;
}

Deno.test("a handler that ends its process gives its caller 502, or no more than an error, and the next call a new process", async () => {
  await withArena("death: exits and crashes", async (arena) => {
    const { server } = arena;
    await withinMemory(
      server,
      HOST_GROWTH_MAX_MB,
      () =>
        each(AT_ONCE, Object.entries(DEATHS), async ([what, [statements, ...others]], n) => {
          const name = `death${n}`;
          arena.count();
          await arena.deploy(name, handler(statements), { fields: limitsFor(others) });
          const works = async (): Promise<boolean> => (await run(server, `/${name}`)).body === "alive";
          await until(`${what}: it works`, works, paced(10_000));
          const [pid] = arena.sandboxes(name);
          const { status, body } = await run(server, `/${name}?attack=1`);
          assert.ok(status === 502 || others.includes(status), `${what}: ${status} ${JSON.stringify(body)}`);
          // What ended the call with an error may leave the process as it was.
          if (status >= 502) await until(`${what}: the process is gone`, () => !alive(pid!), GONE_MS);
          await until(`${what}: it works afterwards`, works, paced(10_000));
        }),
    );
  });
});

Deno.test("a handler that takes ever more memory ends by its limit, and the server does not grow", async () => {
  await withArena("death: bombs", async (arena) => {
    const { server } = arena;
    await withinMemory(
      server,
      HOST_GROWTH_MAX_MB,
      () =>
        each(AT_ONCE, Object.entries(BOMBS), async ([what, [statements, ...others]], n) => {
          const name = `bomb${n}`;
          arena.count();
          await arena.deploy(name, handler(statements), { fields: limitsFor(others) });
          let pid: number | undefined;
          let peak = 0;
          const watch = setInterval(() => {
            pid ??= arena.sandboxes(name)[0];
            if (pid !== undefined) peak = Math.max(peak, residentMb(pid));
          }, 5);
          const { status, body } = await run(server, `/${name}?attack=1`).finally(() => clearInterval(watch));
          assert.ok(status === 502 || others.includes(status), `${what}: ${status} ${JSON.stringify(body)}`);
          assert.ok(peak < PROCESS_MAX_MB, `${what}: its process took ${peak} MB`);
          assert.ok(pid, `${what}: its process was not seen`);
          if (status >= 502) await until(`${what}: the process is gone`, () => !alive(pid!), GONE_MS);
        }),
    );
  });
});

Deno.test("a module that dies or takes ever more memory while it is loaded harms its callers only", async () => {
  await withArena("death: imports", async (arena) => {
    const { server } = arena;
    // What a check at saving finds is tried in allowances.test.ts; here it would only take its time.
    await set(server, { "sandbox.load-check-ms": 100 });
    const cases = [...Object.entries(DEATHS), ...Object.entries(BOMBS)]
      .filter(([, [statements]]) => !NOT_WHILE_LOADING.test(statements));
    await withinMemory(server, HOST_GROWTH_MAX_MB, () =>
      each(AT_ONCE, cases, async ([what, [statements]], n) => {
        const name = `load${n}`;
        arena.count();
        await arena.deploy(name, `${statements}\nexport default (c) => c.text("alive");`, { fields: LIMITS });
        const { status } = await run(server, `/${name}`);
        assert.ok([200, 500, 502, 504].includes(status), `${what}: ${status}`);
        const pids = arena.sandboxes(name);
        if (status >= 502) await until(`${what}: the process is gone`, () => !pids.some(alive), GONE_MS);
        for (const pid of pids) {
          assert.ok(residentMb(pid) < PROCESS_MAX_MB, `${what}: its process holds ${residentMb(pid)} MB`);
        }
      }));
  });
});

Deno.test("throws in timers, rejections that nobody awaits and broken event handlers end nothing", async () => {
  await withArena("death: loose ends", async (arena) => {
    const { server } = arena;
    arena.count();
    const code = `export default async (c) => {
      for (let n = 0; n < 10; n++) {
        Promise.reject(new Error("nobody awaits me"));
        Promise.reject(Promise.reject(1));
        setTimeout(() => { throw new Error("thrown late"); }, 0);
        queueMicrotask(() => { throw null; });
        addEventListener("x", () => { throw new Error("in a listener"); });
        dispatchEvent(new Event("x"));
        reportError(new Error("reported"));
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
      return c.text("still here");
    }`;
    await arena.deploy("loose", code, { fields: LIMITS });
    for (let n = 0; n < 3; n++) assert.equal((await run(server, "/loose")).body, "still here");
  });
});

Deno.test("a process that stops itself is found, with a call under way and without", async () => {
  await withArena("death: stopped", async (arena) => {
    const { server } = arena;
    arena.count();
    // From outside, as Deno may not let it: what counts is that the host notices.
    await arena.deploy(
      "frozen",
      `export default async (c, ctx) => {
      if (ctx.query.wait) await new Promise(() => {});
      return c.text("alive");
    }`,
      { fields: { timeoutMs: 700 } },
    );
    await until("it works", async () => (await run(server, "/frozen")).body === "alive");
    const freeze = async (): Promise<number> => {
      const pid = arena.sandboxes("frozen").at(-1)!;
      Deno.kill(pid, "SIGSTOP");
      // On a busy machine that takes a while.
      await until("it stands still", () => /^State:\s+T/m.test(Deno.readTextFileSync(`/proc/${pid}/status`)));
      return pid;
    };
    const first = await freeze();
    assert.equal((await run(server, "/frozen")).status, 504);
    await until("the first is gone", () => !alive(first));
    await until("it works again", async () => (await run(server, "/frozen")).body === "alive");
    const second = await freeze();
    await until("the second is gone", () => !alive(second), 13_000);
    await until("it works again", async () => (await run(server, "/frozen")).body === "alive");
  });
});

Deno.test("after five deaths in a minute a function answers 503 with Retry-After, its admin sees why, and a change forgives it", async () => {
  await withArena("death: suspended", async (arena) => {
    const { server } = arena;
    arena.count();
    const id = await arena.deploy("dying", `export default () => Deno.exit(7);`, { fields: LIMITS });
    const other = await arena.deploy("exits", `Deno.exit(8); export default () => {};`, { fields: LIMITS });
    for (const name of ["dying", "exits"]) {
      // A death counts once the process is gone, which may be a call later.
      let calls = 0;
      let answer = await run(server, `/${name}`);
      for (; answer.status === 502 && calls < 8; calls++) answer = await run(server, `/${name}`);
      assert.ok(calls >= 5 && calls < 8, `${name}: ${calls} deaths`);
      const { status, headers } = answer;
      assert.equal(status, 503, name);
      const seconds = Number(headers.get("retry-after"));
      assert.ok(seconds >= 1 && seconds <= 600, `Retry-After: ${seconds}`);
      assert.deepEqual(arena.sandboxes(name), []);
    }
    const { body } = await server.api("GET", `/api/functions/${id}`);
    assert.match(body.function.health.lastDeath, /exit code 7|connection/);
    assert.ok(Date.parse(body.function.health.suspendedUntil) > Date.now());
    await server.api("PUT", `/api/functions/${id}`, { description: "mended" });
    assert.equal((await run(server, "/dying")).status, 502);
    assert.equal((await run(server, "/exits")).status, 503);
    await server.api("DELETE", `/api/functions/${other}`);
  });
});

Deno.test("a function whose deaths are spread over many callers at once is suspended, too, and starts one process at a time", async () => {
  await withArena("death: crowd", async (arena) => {
    const { server } = arena;
    arena.count();
    await arena.deploy("crowd", `export default () => Deno.exit(1);`, { fields: LIMITS });
    let most = 0;
    const watch = setInterval(() => most = Math.max(most, arena.sandboxes("crowd").length), 5);
    const statuses: number[] = [];
    await Promise.all(Array.from({ length: 40 }, async () => {
      for (let n = 0; n < 12; n++) statuses.push((await run(server, "/crowd")).status);
    })).finally(() => clearInterval(watch));
    assert.ok(statuses.every((status) => status === 502 || status === 503), String(new Set(statuses)));
    assert.ok(statuses.includes(503));
    assert.ok(most <= 2, `${most} processes at once`);
  });
});
