// Work that goes on after a response: ctx.waitUntil.

import assert from "node:assert/strict";
import { createSecret, deploy, run, save, set } from "./handlers.ts";
import { startApp } from "./app.ts";
import { type Server } from "./server.ts";
import { type Entry, kept } from "./tail.ts";

/** What the call printed and what was told of it, oldest first, once an entry matches `until`. */
async function entries(
  server: Server,
  requestId: string,
  until: RegExp,
): Promise<Entry[]> {
  while (true) {
    const found = await kept(server, `?requestId=${requestId}`);
    if (found.some(({ message }) => until.test(message))) return found;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function background(
  server: Server,
): Promise<{ calls: number; errors: number; ms: number }> {
  const { points } = (await server.api("GET", "/api/metrics?resolution=minutes")).body;
  const total = { calls: 0, errors: 0, ms: 0 };
  for (const { backgroundCalls, backgroundErrors, backgroundMs } of points) {
    total.calls += backgroundCalls;
    total.errors += backgroundErrors;
    total.ms += backgroundMs;
  }
  return total;
}

/** Handlers wait for `open`, so that nothing here depends on the pace of the machine. */
const GATE = `const gates = globalThis.gates ??= new Map();
  const gate = (name) => { let g = gates.get(name); if (!g) gates.set(name, g = Promise.withResolvers()); return g; };
  const passed = (name) => gate(name).promise;
  const open = (name) => gate(name).resolve();`;

Deno.test("work given to waitUntil goes on after the response, with secrets and with the request's id", async () => {
  await using server = await startApp();
  const secret = await createSecret(server, "NAME", "first-value");
  const code = `${GATE}
    export default async (c, ctx) => {
      const { go, by } = ctx.query;
      if (go) { open(go); return c.text("opened"); }
      const work = async () => {
        await passed("a"); console.log("got", (await ctx.getSecret("NAME"))?.length);
        // What it starts in turn counts, too.
        ctx.waitUntil((async () => { await passed("b"); console.log("then", (await ctx.getSecret("NAME"))?.length);
          console.log("none", await ctx.getSecret("OTHER")); })());
      };
      (by === "hono" ? c.executionCtx : ctx).waitUntil(work());
      return c.text("answered");
    }`;
  await deploy(server, "work", code);
  for (const by of ["ctx", "hono"]) {
    await createSecret(server, `CHANGED_${by}`, "x");
    const { body, headers } = await run(server, `/work?by=${by}`);
    assert.equal(body, "answered");
    const requestId = headers.get("x-request-id")!;
    await run(server, "/work?go=a");
    await entries(server, requestId, /^got 11$/);
    // A change that was answered is seen by the next question.
    await server.api("PUT", `/api/secrets/${secret}`, {
      value: "second value",
    });
    await run(server, "/work?go=b");
    const found = await entries(server, requestId, /^none/);
    assert.deepEqual(
      found.filter(({ level }) => level === "info").map(({ message }) => message),
      [
        "got 11",
        "then 12",
        "none undefined",
      ],
    );
    await server.api("PUT", `/api/secrets/${secret}`, { value: "first-value" });
    // The next round begins with closed gates.
    await save(server, "work.ts", `${code}\n// ${by}`);
  }
});

Deno.test("after the response and the work, a kept ctx is refused", async () => {
  await using server = await startApp();
  await createSecret(server, "NAME", "value-of-name");
  const code = `${GATE} let kept;
    export default async (c, ctx) => {
      if (ctx.query.ask) {
        const refusals = await Promise.allSettled([kept.getSecret("NAME"), kept.getCompleteSecret("NAME"),
          (async () => kept.waitUntil(Promise.resolve()))()]);
        return c.json(refusals.map(({ reason }) => reason?.message));
      }
      kept = ctx;
      ctx.waitUntil(Promise.resolve());
      ctx.waitUntil((async () => { await null; console.log("done"); })());
      return c.text("ok");
    }`;
  await deploy(server, "kept", code);
  const { headers } = await run(server, "/kept");
  await entries(server, headers.get("x-request-id")!, /^done$/);
  const { body } = await run(server, "/kept?ask=1");
  for (const message of body) assert.match(message, /^This request has ended/);
});

Deno.test("waitUntil takes promises alone, and says so", async () => {
  await using server = await startApp();
  const code = `export default (c, ctx) => c.json([undefined, null, 7, "x", {}, async () => {}].map((wrong) => {
    try { ctx.waitUntil(wrong); return "taken"; } catch (error) { return error.name + ": " + error.message; } }))`;
  await deploy(server, "wrong", code);
  for (const message of (await run(server, "/wrong")).body) {
    assert.match(message, /^TypeError: waitUntil: .*promise/);
  }
});

Deno.test("a rejection is logged with its call, and counted, as is work that succeeds", async () => {
  await using server = await startApp();
  await createSecret(server, "NAME", "value-of-name");
  const code = `export default async (c, ctx) => {
    const { kind } = ctx.query;
    if (kind === "fails") {
      ctx.waitUntil((async () => { await null; throw new Error("no luck with " + await ctx.getSecret("NAME")); })());
    }
    if (kind === "throws") {
      ctx.waitUntil((async () => { await new Promise((r) => setTimeout(r, 5)); console.log("went on"); })());
      throw new Error("thrown");
    }
    if (kind === "succeeds") ctx.waitUntil(new Promise((r) => setTimeout(r, 300)));
    return c.text("ok");
  }`;
  await deploy(server, "counted", code);
  const failed = await run(server, "/counted?kind=fails");
  assert.equal(failed.status, 200);
  const found = await entries(
    server,
    failed.headers.get("x-request-id")!,
    /no luck/,
  );
  const line = found.find(({ message }) => /no luck/.test(message))!;
  assert.equal(line.level, "error");
  assert.match(
    line.message,
    /^Work in the background failed: Error: no luck with \[secret NAME\]/,
  );
  const thrown = await run(server, "/counted?kind=throws");
  assert.equal(thrown.status, 500);
  await entries(server, thrown.headers.get("x-request-id")!, /^went on$/);
  assert.equal((await run(server, "/counted?kind=succeeds")).status, 200);
  assert.equal((await run(server, "/counted?kind=none")).status, 200);
  let total = await background(server);
  while (total.calls < 3) total = await background(server);
  assert.deepEqual([total.calls, total.errors], [3, 1]);
  // Its time counts from the end of the response.
  assert.ok(total.ms >= 30, String(total.ms));
  const text = (await server.api("GET", "/metrics")).body;
  assert.match(
    text,
    /^crude_functions_background_total\{function="counted",function_id="1",outcome="error"\} 1$/m,
  );
});

Deno.test("work that exceeds the time limit loses its secrets, and no other call suffers", async () => {
  await using server = await startApp();
  await createSecret(server, "NAME", "value-of-name");
  const code = `${GATE} let kept; const born = crypto.randomUUID();
    export default async (c, ctx) => {
      const { hang, slow } = ctx.query;
      if (hang) { ctx.waitUntil(new Promise(() => {})); kept = ctx; return c.text(born); }
      // Under way when the other's time is up.
      if (slow) {
        return new Response(new ReadableStream({
          async pull(controller) {
            await new Promise((r) => setTimeout(r, 20));
            const refused = await kept.getSecret("NAME").then(() => undefined, (error) => error.message);
            const answer = refused ? JSON.stringify([born, refused, await ctx.getSecret("NAME")]) : " ";
            controller.enqueue(new TextEncoder().encode(answer));
            if (refused) controller.close();
          },
        }), { headers: { "content-type": "application/json" } });
      }
      return c.text(born);
    }`;
  await deploy(server, "late", code);
  // The time is not for the start of a process on a busy machine.
  await run(server, "/late");
  await set(server, { "sandbox.timeout-ms": 1_000 });
  const { body: born, headers } = await run(server, "/late?hang=1");
  const slow = await run(server, "/late?slow=1");
  assert.equal(slow.status, 200, JSON.stringify(slow.body));
  const [sameProcess, refused, secret] = slow.body;
  assert.deepEqual([sameProcess, secret], [born, "value-of-name"]);
  assert.match(refused, /^This request has ended/);
  const found = await entries(
    server,
    headers.get("x-request-id")!,
    /did not end/,
  );
  assert.match(
    found.at(-1)!.message,
    /^Work in the background did not end within \d+ ms after the response/,
  );
  assert.deepEqual(
    (({ calls, errors }) => [calls, errors])(await background(server)),
    [1, 1],
  );
  // Its process had no other call any more, and ended with what was left in it.
  assert.notEqual((await run(server, "/late")).body, born);
});

Deno.test("calls with work in the background count against sandbox.max-calls", async () => {
  await using server = await startApp();
  await set(server, { "sandbox.max-calls": 2 });
  await deploy(
    server,
    "busy",
    `export default (c, ctx) => { ctx.waitUntil(new Promise(() => {})); return c.text("ok"); }`,
    {
      timeoutMs: 5_000,
    },
  );
  assert.equal((await run(server, "/busy")).status, 200);
  assert.equal((await run(server, "/busy")).status, 200);
  const refused = await run(server, "/busy");
  assert.deepEqual([refused.status, refused.body.code], [503, "Busy"]);
});

Deno.test("an edit and SIGTERM let work in the background finish", async () => {
  await using server = await startApp();
  const code = `export default (c, ctx) => {
    ctx.waitUntil((async () => { await new Promise((r) => setTimeout(r, 300)); console.log("finished", VERSION); })());
    return c.text(VERSION);
  }; const VERSION = "old";`;
  await deploy(server, "edited", code);
  const old = await run(server, "/edited");
  assert.equal(old.body, "old");
  await save(server, "edited.ts", code.replace('"old"', '"new"'));
  assert.equal((await run(server, "/edited")).body, "new");
  await entries(server, old.headers.get("x-request-id")!, /^finished old$/);

  const { headers } = await run(server, "/edited");
  const following = server.api(
    "GET",
    `/api/logs?requestId=${headers.get("x-request-id")}`,
  );
  await following;
  assert.equal(await server.stop(), 0);
  await using again = await startApp({
    folder: server.dataDir.replace(/\/data$/, ""),
  });
  const found = await entries(again, headers.get("x-request-id")!, /./);
  assert.deepEqual(found.map(({ message }) => message), ["finished new"]);
});

Deno.test("what is given to waitUntil goes on when the caller leaves, and nothing that is given later", async () => {
  await using server = await startApp();
  await createSecret(server, "NAME", "value-of-name");
  const code = `${GATE}
    export default async (c, ctx) => {
      if (ctx.query.go) { open("a"); return c.text("opened"); }
      ctx.waitUntil((async () => { await passed("a"); console.log("secret", await ctx.getSecret("NAME")); })());
      return new Response(new ReadableStream({
        pull(controller) { controller.enqueue(new Uint8Array(1_000)); return new Promise((r) => setTimeout(r, 1)); },
        cancel() { console.log("left"); },
      }));
    }`;
  await deploy(server, "left", code);
  const response = await fetch(`${server.url}/run/left`);
  const reader = response.body!.getReader();
  await reader.read();
  await reader.cancel();
  const requestId = response.headers.get("x-request-id")!;
  await entries(server, requestId, /^left$/);
  await run(server, "/left?go=1");
  await entries(server, requestId, /^secret \[secret NAME\]$/);
});
