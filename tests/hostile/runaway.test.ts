// Handlers that never give their core or their caller back: each is killed at its deadline, and nobody waits
// for it longer than that.

import assert from "node:assert/strict";
import { join } from "node:path";
import { run, set } from "../http/handlers.ts";
import { alive, type FunctionFields, withArena } from "./arena.ts";
import { cpuMs, each, paced, until } from "./processes.ts";
import { WASM_LOOP } from "./wasm_loop.ts";

const TIMEOUT_MS = paced(1_000);
const LIMITS: FunctionFields = { timeoutMs: TIMEOUT_MS };
/** Killing and reaping takes milliseconds; this allows for a machine that is busy, and is less than any other limit. */
const REAPED_MS = paced(10_000);
/** Nothing need come of these within their time, not even a process that is ready. */
const LOADING_LIMITS: FunctionFields = { timeoutMs: paced(500) };
/** Two cores have to do for the attackers, the server and the innocent. */
const AT_ONCE = 6;

/** Statements of a handler, and where they differ when the same runs while the module is loaded. */
const RUNAWAYS: Readonly<Record<string, string>> = {
  "an empty loop": `while (true);`,
  "a loop that allocates": `while (true) JSON.parse(JSON.stringify({ a: [1, 2, 3] }));`,
  "a loop of loops that catches everything": `while (true) try { while (true); } finally { continue; }`,
  "a regular expression that backtracks": `/^(a+)+$/.test("a".repeat(60) + "b");`,
  "a replacement that backtracks": `"x".repeat(100_000).replace(/(x+x+)+y/g, "");`,
  // None waits for the next one: such a chain would run out of memory before its deadline if it had a core of its own.
  "promises that feed the microtask queue":
    `const turn = () => void Promise.resolve().then(turn); turn(); await new Promise(() => {});`,
  "an async loop that never leaves the microtask queue": `for (;;) await null;`,
  "queueMicrotask": `const turn = () => queueMicrotask(turn); turn(); await new Promise(() => {});`,
  "process.nextTick":
    `const { nextTick } = await import("node:process"); const turn = () => nextTick(turn); turn(); await new Promise(() => {});`,
  "wasm": `new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array([${WASM_LOOP}]))).exports.f();`,
  "wasm that is streamed": `(await WebAssembly.instantiate(new Uint8Array([${WASM_LOOP}]))).instance.exports.f();`,
  "pbkdf2Sync": `(await import("node:crypto")).pbkdf2Sync("p", "s", 2_000_000_000, 64, "sha512");`,
  "scryptSync":
    `const { scryptSync } = await import("node:crypto"); for (;;) scryptSync("p", "s", 64, { N: 1 << 14 });`,
  "generatePrimeSync": `(await import("node:crypto")).generatePrimeSync(16_384);`,
  "brotliCompressSync":
    `const { brotliCompressSync } = await import("node:zlib"); for (;;) brotliCompressSync(new Uint8Array(1 << 22));`,
  "a number of many digits": `let n = 3n; for (;;) n = n ** 2n % (1n << 200_000n);`,
  "sorting without end": `for (;;) Array.from({ length: 100_000 }, Math.random).sort();`,
  "an iterator without end": `new Set((function* () { for (;;) yield 1; })());`,
  "a proxy that sends toString round": `for (;;) String(new Proxy({}, { get: () => () => "x" }));`,
  "Atomics.wait": `Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);`,
  "Atomics.wait, again and again": `for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);`,
  "a promise that never settles": `await new Promise(() => {});`,
  "a body that is never read to its end": `await new Response(new ReadableStream({})).text();`,
  "a lock that is never let go":
    `await navigator.locks?.request("x", () => new Promise(() => {})); await new Promise(() => {});`,
  "prompt()": `for (;;) globalThis.prompt?.("password?");`,
  "alert()": `for (;;) globalThis.alert?.("x");`,
  "confirm()": `for (;;) globalThis.confirm?.("sure?");`,
  "reading the standard input": `const b = new Uint8Array(1); for (;;) Deno.stdin.readSync(b);`,
  "reading the standard input of Node":
    `const { default: { stdin } } = await import("node:process"); for await (const _ of stdin); await new Promise(() => {});`,
  "a SIGTERM that is swallowed":
    `try { Deno.addSignalListener("SIGTERM", () => {}); } catch {} try { (await import("node:process")).on("SIGTERM", () => {}); } catch {} while (true);`,
  "reading files in a loop": `for (;;) try { Deno.readTextFileSync(new URL(import.meta.url)); } catch {}`,
  "reading files of Node in a loop":
    `const { readFileSync } = await import("node:fs"); for (;;) try { readFileSync(new URL(import.meta.url)); } catch {}`,
  "asking for permissions in a loop": `for (;;) try { Deno.permissions.requestSync({ name: "read" }); } catch {}`,
  "asking for secrets in a loop": `for (;;) await ctx.getSecret("NONE");`,
  "a getter that never returns": `return new (class extends Response { get status() { while (true); } })("x");`,
  "a thenable that calls back without end": `await { then(next) { next(this); } };`,
  "a response whose body never begins":
    `return new Response(new ReadableStream({ pull: () => new Promise(() => {}) }));`,
  "a response whose body loops": `return new Response(new ReadableStream({ pull() { while (true); } }));`,
};

/** While loading there is no ctx, and nothing to return. */
const NOT_WHILE_LOADING = /\bctx\b|\breturn\b/;

function handler(statements: string): string {
  return `export default async (c, ctx) => { if (ctx.query.attack) { ${statements} } return c.text("fine"); }`;
}

Deno.test("a handler that never comes back is killed at its deadline, its caller gets 504, and its core is free", async () => {
  await withArena("runaway: handlers", async (arena) => {
    const { server } = arena;
    await each(AT_ONCE, Object.entries(RUNAWAYS), async ([what, statements], n) => {
      const name = `runaway${n}`;
      arena.count();
      await arena.deploy(name, handler(statements), { fields: LIMITS });
      await until(`${what}: it works`, async () => (await run(server, `/${name}`)).body === "fine", paced(10_000));
      const [pid] = arena.sandboxes(name);
      assert.ok(pid, `${what}: its process is not seen`);
      const began = performance.now();
      const { status, body } = await run(server, `/${name}?attack=1`);
      const took = performance.now() - began;
      assert.equal(status, 504, `${what}: ${JSON.stringify(body)}`);
      assert.ok(took < TIMEOUT_MS + REAPED_MS, `${what}: 504 after ${took} ms`);
      await until(`${what}: the process is gone`, () => !alive(pid), REAPED_MS);
      await until(
        `${what}: it works afterwards`,
        async () => (await run(server, `/${name}`)).body === "fine",
        paced(10_000),
      );
    });
  });
});

Deno.test("a handler that never finishes loading is killed at its deadline, and its caller gets 504", async () => {
  await withArena("runaway: imports", async (arena) => {
    const { server } = arena;
    // What a check at saving finds is tried in allowances.test.ts; here it would only take its time.
    await set(server, { "sandbox.load-check-ms": 100 });
    const cases = Object.entries(RUNAWAYS).filter(([, statements]) => !NOT_WHILE_LOADING.test(statements));
    await each(AT_ONCE, cases, async ([what, statements], n) => {
      const name = `import${n}`;
      arena.count();
      await arena.deploy(name, `${statements}\nexport default (c) => c.text("fine");`, { fields: LOADING_LIMITS });
      assert.equal((await run(server, `/${name}`)).status, 504, what);
      await until(`${what}: the process is gone`, () => arena.sandboxes(name).length === 0, REAPED_MS);
    });
  });
});

Deno.test("a call of which nothing was sent to a killed process is answered by a new one", async () => {
  await withArena("runaway: retried", async (arena) => {
    const { server } = arena;
    arena.count();
    const timeoutMs = paced(3_000);
    const fine = `export default (c) => c.text("fine");`;
    await arena.deploy("stuck", fine, { fields: { timeoutMs } });
    // Loads after this moment only, so that the first process is stuck and the next one is not.
    const good = Date.now() + timeoutMs + 1_000;
    const stuck = `while (Date.now() < ${good}); ${fine}`;
    // Past the API, which would answer after it has been loaded once.
    await Deno.writeTextFile(join(server.codeDir, "stuck.ts"), stuck);
    const first = run(server, "/stuck");
    await until("the process exists", () => arena.sandboxes("stuck").length === 1);
    const [pid] = arena.sandboxes("stuck");
    // The first call's deadline passes while these, which came later, still wait for the handler to load.
    await arena.innocentCalls(20);
    const later = Array.from({ length: 5 }, () => run(server, "/stuck"));
    assert.equal((await first).status, 504);
    await until("the first process is gone", () => !alive(pid!), REAPED_MS);
    assert.deepEqual((await Promise.all(later)).map(({ body }) => body), Array(5).fill("fine"));
  });
});

Deno.test("calls that a killed process was busy with get 503 and Retry-After, only the late one 504", async () => {
  await withArena("runaway: bystanders", async (arena) => {
    const { server } = arena;
    arena.count();
    const code = `export default async (c, ctx) => {
      if (ctx.query.loop) while (true);
      await new Promise((resolve) => setTimeout(resolve, 60_000));
    }`;
    await arena.deploy("shared", code, { fields: { timeoutMs: 4 * TIMEOUT_MS } });
    const looping = run(server, "/shared?loop=1");
    // So much later that no pause of the machine makes the others late, too.
    await until("the loop has run", () => arena.sandboxes("shared").some((pid) => cpuMs(pid) > TIMEOUT_MS));
    const others = Array.from({ length: 20 }, () => run(server, "/shared"));
    assert.equal((await looping).status, 504);
    for (const { status, headers } of await Promise.all(others)) {
      assert.equal(status, 503);
      assert.equal(headers.get("retry-after"), "1");
    }
  });
});

Deno.test("a function's own timeoutMs counts, shorter or longer than the setting", async () => {
  await withArena("runaway: deadlines", async (arena) => {
    const { server } = arena;
    arena.count();
    const code = `export default async (c) => { await new Promise((r) => setTimeout(r, 800)); return c.text("fine"); }`;
    await arena.deploy("short", code, { fields: { timeoutMs: 300 } });
    await arena.deploy("long", code, { fields: { timeoutMs: 20_000 } });
    const [short, long] = await Promise.all([run(server, "/short"), run(server, "/long")]);
    assert.equal(short.status, 504);
    assert.equal(long.body, "fine");
  });
});
