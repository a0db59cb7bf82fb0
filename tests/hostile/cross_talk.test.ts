// Cross-talk: what one function leaves, another must not find; with `per-key`, nor another key of the same one.

import assert from "node:assert/strict";
import { call as request } from "../http/server.ts";
import { testWithAndWithoutRoot as test } from "./arena.ts";

/** By channel: how to leave `T.token`, what must stay alive for it in `keep`, and how to look for it. */
const CHANNELS: Record<string, { leave: string; look: string }> = {
  global: { leave: `globalThis.left = T.token`, look: `return globalThis.left` },
  prototype: { leave: `Object.prototype.left = T.token`, look: `return ({}).left` },
  arrayPrototype: { leave: `Array.prototype.map.left = T.token`, look: `return [].map.left` },
  symbol: { leave: `globalThis[Symbol.for("left")] = T.token`, look: `return globalThis[Symbol.for("left")]` },
  console: { leave: `console.left = T.token`, look: `return console.left` },
  nodeModule: {
    leave: `(await import("node:os")).default.left = T.token`,
    look: `return (await import("node:os")).default.left`,
  },
  npmModule: {
    leave: `(await import("npm:hono@4.13.19")).Hono.left = T.token`,
    look: `return (await import("npm:hono@4.13.19")).Hono.left`,
  },
  internals: { leave: `Deno[Deno.internal].core.left = T.token`, look: `return Deno[Deno.internal].core.left` },
  processTitle: { leave: `process.title = T.token`, look: `return process.title === T.token ? T.token : undefined` },
  broadcast: {
    leave:
      `const channel = new BroadcastChannel("left"); channel.onmessage = () => channel.postMessage(T.token); keep.push(channel)`,
    look: `const channel = new BroadcastChannel("left"); try { return await new Promise((resolve) => {
      channel.onmessage = (e) => resolve(e.data); channel.postMessage("?"); setTimeout(resolve, 300) }) } finally { channel.close() }`,
  },
  nodeBroadcast: {
    leave: `const { BroadcastChannel: B } = await import("node:worker_threads"); const channel = new B("node-left");
      channel.onmessage = () => channel.postMessage(T.token); keep.push(channel)`,
    look: `const { BroadcastChannel: B } = await import("node:worker_threads"); const channel = new B("node-left");
      try { return await new Promise((resolve) => { channel.onmessage = (e) => resolve(e.data); channel.postMessage("?");
      setTimeout(resolve, 300) }) } finally { channel.close() }`,
  },
  environmentData: {
    leave: `(await import("node:worker_threads")).setEnvironmentData("left", T.token)`,
    look: `return (await import("node:worker_threads")).getEnvironmentData("left")`,
  },
  localStorage: {
    leave: `localStorage.setItem("left", T.token)`,
    look: `return localStorage.getItem("left") ?? undefined`,
  },
  sessionStorage: {
    leave: `sessionStorage.setItem("left", T.token)`,
    look: `return sessionStorage.getItem("left") ?? undefined`,
  },
  caches: {
    leave: `await (await caches.open("left")).put("http://left/", new Response(T.token))`,
    look: `return await (await (await caches.open("left")).match("http://left/"))?.text()`,
  },
  kv: {
    leave: `await (await Deno.openKv()).set(["left"], T.token)`,
    look: `return (await (await Deno.openKv()).get(["left"])).value ?? undefined`,
  },
  kvFile: {
    leave: `await (await Deno.openKv("/tmp/left.kv")).set(["left"], T.token)`,
    look: `return (await (await Deno.openKv("/tmp/left.kv")).get(["left"])).value ?? undefined`,
  },
  blobUrl: {
    leave: `globalThis.leftUrl ??= URL.createObjectURL(new Blob([T.token])); told.blobUrl = globalThis.leftUrl`,
    look: `return told.blobUrl && await (await fetch(told.blobUrl)).text()`,
  },
  blobModule: {
    leave:
      `told.blobModule = URL.createObjectURL(new Blob(["export default " + JSON.stringify(T.token)], { type: "text/javascript" }))`,
    look: `return told.blobModule && (await import(told.blobModule)).default`,
  },
  lock: {
    leave: `await new Promise((held) => navigator.locks.request("left", () => new Promise(() => held())))`,
    look: `return await navigator.locks.request("left", { ifAvailable: true }, (lock) => lock ? undefined : T.token)`,
  },
  sharedMemory: {
    leave: `const memory = new SharedArrayBuffer(64); const channel = new BroadcastChannel("left-memory");
      new TextEncoder().encodeInto(T.token, new Uint8Array(memory)); channel.onmessage = () => channel.postMessage(memory); keep.push(channel)`,
    look: `const channel = new BroadcastChannel("left-memory"); try { return await new Promise((resolve) => {
      channel.onmessage = (e) => resolve(new TextDecoder().decode(new Uint8Array(e.data).slice())); channel.postMessage("?"); setTimeout(resolve, 300) }) } finally { channel.close() }`,
  },
  temporaryFile: {
    leave: `Deno.writeTextFileSync("/tmp/hostile-left", T.token)`,
    look: `return Deno.readTextFileSync("/tmp/hostile-left")`,
  },
  memoryFile: {
    leave: `Deno.writeTextFileSync("/dev/shm/hostile-left", T.token)`,
    look: `return Deno.readTextFileSync("/dev/shm/hostile-left")`,
  },
  cacheFile: {
    leave: `Deno.writeTextFileSync(T.denoDir + "/hostile-left", T.token)`,
    look: `return Deno.readTextFileSync(T.denoDir + "/hostile-left")`,
  },
  cachedPackage: {
    leave:
      `(await import("node:fs")).writeFileSync(T.denoDir + "/npm/registry.npmjs.org/hono/4.13.19/left.json", JSON.stringify(T.token))`,
    look:
      `return (await import("node:module")).createRequire("file:///x.js")(T.denoDir + "/npm/registry.npmjs.org/hono/4.13.19/left.json")`,
  },
  sqliteShared: {
    leave:
      `const db = new (await import("node:sqlite")).DatabaseSync("file:left?mode=memory&cache=shared"); db.exec("create table l(x)"); db.prepare("insert into l values (?)").run(T.token); keep.push(db)`,
    look:
      `return new (await import("node:sqlite")).DatabaseSync("file:left?mode=memory&cache=shared").prepare("select x from l").get()?.x`,
  },
  abstractSocket: {
    leave: `const l = Deno.listen({ transport: "unix", path: "\\0hostile-left-" + T.token.slice(-8) }); keep.push(l);
      (async () => { for await (const k of l) { await k.write(new TextEncoder().encode(T.token)); k.close() } })().catch(() => {})`,
    look:
      `using k = await Deno.connect({ transport: "unix", path: "\\0hostile-left-" + T.hint }); const b = new Uint8Array(99);
      return new TextDecoder().decode(b.subarray(0, await k.read(b)))`,
  },
  nodeAbstractSocket: {
    leave: `const s = (await import("node:net")).createServer((k) => k.end(T.token)); keep.push(s);
      await new Promise((y, n) => { s.on("error", n); s.listen("\\0hostile-node-left-" + T.token.slice(-8), y) })`,
    look: `const net = await import("node:net"); return await new Promise((y, n) => {
      const s = net.connect("\\0hostile-node-left-" + T.hint); s.on("error", n); s.on("data", (b) => y(String(b))) })`,
  },
  tcp: {
    leave: `const l = Deno.listen({ hostname: T.address, port: 0 }); keep.push(l); told.port = l.addr.port;
      (async () => { for await (const k of l) { await k.write(new TextEncoder().encode(T.token)); k.close() } })().catch(() => {})`,
    look:
      `if (!told.port) return; using k = await Deno.connect({ hostname: T.address, port: told.port }); const b = new Uint8Array(99);
      return new TextDecoder().decode(b.subarray(0, await k.read(b)))`,
  },
  loopback: {
    leave: `const l = Deno.listen({ hostname: "127.0.0.1", port: 0 }); keep.push(l); told.loopback = l.addr.port;
      (async () => { for await (const k of l) { await k.write(new TextEncoder().encode(T.token)); k.close() } })().catch(() => {})`,
    look:
      `if (!told.loopback) return; using k = await Deno.connect({ hostname: "127.0.0.1", port: told.loopback }); const b = new Uint8Array(99);
      return new TextDecoder().decode(b.subarray(0, await k.read(b)))`,
  },
  signal: {
    leave: `told.pid = Deno.pid; Deno.addSignalListener("SIGUSR1", () => globalThis.signalled = T.token)`,
    look: `if (told.pid !== Deno.pid) { Deno.kill(told.pid, "SIGUSR1"); return "sent" }`,
  },
  process: {
    leave: `told.process = Deno.pid`,
    look: `return told.process === Deno.pid ? "the same process" : undefined`,
  },
};
/** What works within one process, so that the others' failing says something. */
const CONTROLS = [
  "global",
  "prototype",
  "broadcast",
  "symbol",
  "blobUrl",
  "blobModule",
  "lock",
  "sharedMemory",
  "process",
  "npmModule",
];

function handler(targets: Record<string, unknown>): string {
  const entries = (part: "leave" | "look") =>
    Object.entries(CHANNELS).map(([name, channel]) => `${name}: async (told) => { ${channel[part]} }`).join(",\n");
  return `const T = ${JSON.stringify(targets)}; const keep = globalThis.kept ??= [];
const leave = { ${entries("leave")} };
const look = { ${entries("look")} };
export default async (c, ctx) => {
  const told = JSON.parse(await c.req.raw.text() || "{}");
  const outcomes = {};
  await Promise.all(Object.entries(ctx.query.do === "leave" ? leave : look).map(async ([name, act]) => {
    let timer;
    const late = new Promise((_, reject) => timer = setTimeout(() => reject(new Error("late")), 1000));
    outcomes[name] = await Promise.race([act(told), late]).then(
      (value) => value === undefined ? {} : { got: String(value) }, (error) => ({ refused: String(error).slice(0, 150) }));
    clearTimeout(timer);
  }));
  return Response.json({ outcomes, told });
};`;
}

test(
  "cross-talk between functions, and between the keys of one that is isolated per key",
  (withArena) =>
    withArena("cross-talk", async (arena) => {
      const { server } = arena;
      const token = `token-${crypto.randomUUID().replaceAll("-", "")}`;
      const address = Deno.networkInterfaces().find(({ address, family }) =>
        family === "IPv4" && !address.startsWith("127.")
      )?.address ?? "127.0.0.1";
      const base = { hint: token.slice(-8), address, denoDir: "/var/cache/crude-functions/deno" };
      const act = async (name: string, what: string, told: unknown, key?: string) => {
        const { status, body } = await request(
          "POST",
          `${server.url}/run/${name}?do=${what}`,
          JSON.stringify(told),
          key ? { "X-API-Key": key } : {},
        );
        assert.equal(status, 200, JSON.stringify(body) + server.logs().slice(-2_000));
        return body as { outcomes: Record<string, { got?: string }>; told: Record<string, unknown> };
      };
      const expectNothing = (name: string, { outcomes }: { outcomes: Record<string, { got?: string }> }) => {
        arena.count(Object.keys(outcomes).length);
        for (const [channel, { got }] of Object.entries(outcomes)) {
          // A lock that is held elsewhere shows as the token, too.
          if (got !== undefined) arena.gained(`${name}.${channel}`, got);
        }
      };
      await arena.deploy("leaver", handler({ ...base, token }));
      await arena.deploy("finder", handler({ ...base, token: "the finder's own" }));
      const { told } = await act("leaver", "leave", {});
      const control = (await act("leaver", "look", told)).outcomes;
      for (const channel of CONTROLS) assert.ok(control[channel]?.got, `${channel} does not work at all`);
      expectNothing("finder", await act("finder", "look", told));
      // Together in time, too: the leaver is busy while the finder looks.
      const [, found] = await Promise.all([act("leaver", "leave", told), act("finder", "look", told)]);
      expectNothing("finder at once", found);
      // The innocent function's process knows nothing of it either.
      assert.equal(arena.sandboxes("innocent").length, 1);
      assert.notDeepEqual(arena.sandboxes("innocent"), arena.sandboxes("leaver"));

      // One function, two keys.
      const [red, blue] = [await arena.plantHolder("red"), await arena.plantHolder("blue")];
      const keys = [red.groupId, blue.groupId];
      await arena.deploy("tenants", handler({ ...base, token, hint: `${base.hint}` }), {
        fields: { keys, isolation: "per-key" },
      });
      const left = (await act("tenants", "leave", {}, red.key)).told;
      const own = (await act("tenants", "look", left, red.key)).outcomes;
      assert.ok(own.global?.got && own.process?.got, "one key keeps its process");
      expectNothing("other key", await act("tenants", "look", left, blue.key));
      const [again, other] = await Promise.all([
        act("tenants", "look", left, red.key),
        act("tenants", "look", left, blue.key),
      ]);
      assert.ok(again.outcomes.global?.got);
      expectNothing("other key at once", other);
      assert.notEqual((await act("tenants", "leave", {}, blue.key)).told.process, left.process);
      // Edited code starts clean: nothing of the old process is left.
      await arena.server.api("PUT", "/api/files/leaver.ts", handler({ ...base, token: "edited" }), {
        "Content-Type": "text/plain",
      });
      const fresh = (await act("leaver", "look", {})).outcomes;
      arena.count(2);
      if (fresh.global?.got) arena.gained("edited.global", fresh.global.got);
      if (fresh.prototype?.got) arena.gained("edited.prototype", fresh.prototype.got);
    }),
  { isOfUsers: true },
);
