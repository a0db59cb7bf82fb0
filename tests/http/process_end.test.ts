// Why and when sandbox processes end: no memory left, or nothing to do.

import assert from "node:assert/strict";
import { startApp } from "./app.ts";
import { deploy, run, set } from "./handlers.ts";
import { gone, sandboxes } from "./processes.ts";

/** Ways to use up memory, each in a part of the process that fails in its own way. */
const HUNGRY: Readonly<Record<string, string>> = {
  "objects on the heap": `for (let n = 0; ; n++) kept.push({ n, text: "x" + n });`,
  "objects on the heap, in turns":
    `for (let n = 0; ; n++) { kept.push(Array.from({ length: 1_000 }, (_, m) => ({ m }))); if (n % 10 === 0) await null; }`,
  "texts": `for (let n = 0; ; n++) kept.push(String(n).repeat(1_000).split("").join("-"));`,
  "blobs": `for (;;) kept.push(new Blob([new Uint8Array(1 << 20).fill(1)]));`,
};

Deno.test("a process that ran out of memory says so, with its limit, in the log and in the function's health", async () => {
  await using server = await startApp();
  await Promise.all(
    Object.entries(HUNGRY).map(async ([what, statements], n) => {
      const code = `const kept = []; export default async (c) => {
      if (c.req.query("eat")) { ${statements} }
      return c.text("fine");
    }`;
      const id = await deploy(server, `hungry${n}`, code, { memoryMb: 64, timeoutMs: 60_000 });
      assert.equal((await run(server, `/hungry${n}`)).body, "fine");
      const { status, body } = await run(server, `/hungry${n}?eat=1`);
      assert.deepEqual([status, body.code], [502, "IsolateDied"], what);
      const cause = "It ran out of memory (limit 64 MB); raise memoryMb.";
      const { body: found } = await server.api("GET", `/api/functions/${id}`);
      assert.equal(found.function.health.lastDeath, cause, what);
      assert.ok(server.logs().includes(`The function's process died: ${cause}`), what);
      assert.equal((await run(server, `/hungry${n}`)).body, "fine", `${what}, afterwards`);
    }),
  );
});

Deno.test("memory that runs out while the handler is loaded is named, too", async () => {
  await using server = await startApp();
  const code = `const kept = []; for (let n = 0; ; n++) kept.push({ n, text: "x" + n }); export default () => {};`;
  const id = await deploy(server, "heavy", code, { memoryMb: 64, timeoutMs: 60_000 });
  assert.equal((await run(server, "/heavy")).status, 502);
  const { body } = await server.api("GET", `/api/functions/${id}`);
  assert.match(body.function.health.lastDeath, /ran out of memory \(limit 64 MB\); raise memoryMb/);
});

Deno.test("an exit, a crash and a closed worker are not taken for a lack of memory", async () => {
  await using server = await startApp();
  const ends: Record<string, string> = {
    exit: `Deno.exit(7);`,
    closed: `self.close(); await new Promise(() => {});`,
    killed:
      `console.log("out of memory"); Deno.stderr.writeSync(new TextEncoder().encode("out of memory")); Deno.exit(1);`,
  };
  for (const [name, statements] of Object.entries(ends)) {
    const id = await deploy(server, name, `export default async () => { ${statements} }`);
    assert.equal((await run(server, `/${name}`)).status, 502, name);
    const { body } = await server.api("GET", `/api/functions/${id}`);
    assert.doesNotMatch(body.function.health.lastDeath, /memory/, name);
  }
});

Deno.test("a process without calls for sandbox.idle-seconds ends, and one with a call does not", async () => {
  await using server = await startApp();
  const begun = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  await using upstream = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async () => {
    begun.resolve();
    await release.promise;
    return new Response("done");
  });
  const host = `127.0.0.1:${(upstream.addr as Deno.NetAddr).port}`;
  await deploy(server, "rare", `let n = 0; export default (c) => c.text(String(++n))`);
  await deploy(server, "long", `export default () => fetch("http://${host}")`, {
    permissions: { net: [host] },
    timeoutMs: 300_000,
  });
  assert.equal((await run(server, "/rare")).body, "1");
  assert.equal((await run(server, "/rare")).body, "2");
  const idle = sandboxes(server);
  const long = run(server, "/long");
  await begun.promise;
  await set(server, { "sandbox.idle-seconds": 1 });
  await gone(idle);
  release.resolve();
  assert.equal((await long).body, "done");
  await gone(sandboxes(server));
  // A new process, as its module's variable shows; neither end was a death.
  assert.equal((await run(server, "/rare")).body, "1");
  const { body } = await server.api("GET", "/api/functions");
  for (const { health } of body.functions) assert.equal(health.recentDeaths, 0);
});
