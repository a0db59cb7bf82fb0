// Handlers that answer and go on: a loop that begins after the response, and one that hides beside a worker that
// answers the host's questions. Neither keeps a core.

import assert from "node:assert/strict";
import { run } from "../http/handlers.ts";
import { alive, type Arena, type FunctionFields, withArena } from "./arena.ts";
import { cpuMs, each, paced, until } from "./processes.ts";
import { WASM_LOOP } from "./wasm_loop.ts";

const TIMEOUT_MS = paced(1_000);
const LIMITS: FunctionFields = { timeoutMs: TIMEOUT_MS };
/** Killing and reaping takes milliseconds; this allows for a machine that is busy with the other attacks. */
const REAPED_MS = paced(10_000);

/** Started by a call that is answered; nothing of it may go on for long. */
const AFTERWARDS: Readonly<Record<string, string>> = {
  "a loop in a timer": `setTimeout(() => { while (true); }, 300);`,
  "a microtask loop in a timer": `setTimeout(() => { const turn = () => queueMicrotask(turn); turn(); }, 300);`,
  "waiting in a timer": `setTimeout(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0), 300);`,
  "wasm in a timer":
    `setTimeout(() => new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array([${WASM_LOOP}]))).exports.f(), 300);`,
};

Deno.test("a loop that begins after the response was sent is found and killed", async () => {
  await withArena("runaway: after the response", async (arena) => {
    arena.count(Object.keys(AFTERWARDS).length);
    const pids = await startAfterwards(arena, "late", AFTERWARDS);
    // The host asks for a sign of life every 5 s.
    for (const [what, pid] of pids) {
      await until(`${what}: the process is gone`, () => !alive(pid), 5_000 + TIMEOUT_MS + REAPED_MS);
    }
  });
});

/** These answer the host's question for a sign of life, and burn a core all the same. */
const HIDDEN: Readonly<Record<string, string>> = {
  "a worker of its own that loops": `new Worker("data:text/javascript,while(true);", { type: "module" });`,
  "a worker of a blob that loops":
    `new Worker(URL.createObjectURL(new Blob(["while(true);"], { type: "text/javascript" })), { type: "module" });`,
  "a worker of Node that loops": `new (await import("node:worker_threads")).Worker("while(true);", { eval: true });`,
  "a timer that works nearly all the time":
    `setInterval(() => { const end = Date.now() + 200; while (Date.now() < end); }, 1);`,
  "a chain of hashes in the background":
    `const big = new Uint8Array(1 << 25); (async () => { for (;;) await crypto.subtle.digest("SHA-512", big); })();`,
};

Deno.test("a process that burns a core while no call of it is under way is ended", async () => {
  await withArena("runaway: hidden", async (arena) => {
    await each(2, Object.entries(HIDDEN), async ([what, statements], n) => {
      arena.count();
      for (const [, pid] of await startAfterwards(arena, `hidden${n}x`, { [what]: statements })) {
        // Two looks of the host's, 5 s apart, lie in any such time. What it got less in, it may get.
        const began = performance.now();
        const before = cpuMs(pid);
        let used = 0;
        const over = (): boolean => {
          if (!alive(pid)) return true;
          used = cpuMs(pid) - before;
          return performance.now() - began > 12_000 && used < (performance.now() - began) / 2;
        };
        await until(`${what}: gone, or quiet`, over, 13_000).catch((error) => {
          Deno.kill(pid, "SIGKILL");
          assert.fail(`${error.message}; it has used ${used} ms of CPU`);
        });
      }
    });
  });
});

/** Deploys and calls each; the ids of their processes, by what they do. */
async function startAfterwards(
  arena: Arena,
  prefix: string,
  cases: Readonly<Record<string, string>>,
): Promise<[what: string, pid: number][]> {
  const found: [string, number][] = [];
  for (const [n, [what, statements]] of Object.entries(cases).entries()) {
    const name = `${prefix}${n}`;
    const code =
      `export default async (c) => { try { ${statements} } catch (e) { return c.text("refused: " + e); } return c.text("sent"); }`;
    await arena.deploy(name, code, { fields: LIMITS });
    const { status, body } = await run(arena.server, `/${name}`);
    // Refused, or its process did not survive the attempt.
    if (status === 502 || String(body).startsWith("refused")) continue;
    assert.equal(body, "sent", what);
    const [pid] = arena.sandboxes(name);
    assert.ok(pid, what);
    found.push([what, pid]);
  }
  return found;
}
