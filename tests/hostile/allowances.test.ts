// Allowances: what refuses in silence instead of throwing, internals that are left in reach, shapes of handlers, work
// after the response, and modules that do their harm while they are checked at saving.

import assert from "node:assert/strict";
import { join } from "node:path";
import { createSecret, set } from "../http/handlers.ts";
import { call as request } from "../http/server.ts";
import { type Arena, testWithAndWithoutRoot as test, withArena } from "./arena.ts";
import { paced, until } from "./processes.ts";
import { RAW_FRAMES } from "./raw_frames.ts";

/** Ways to learn whether something is at the path `P`: each tells by its outcome, or by what it is refused with. */
const ORACLES: Record<string, string> = {
  stat: `return Deno.statSync(P).size`,
  lstat: `return (await Deno.lstat(P)).size`,
  read: `return Deno.readTextFileSync(P).length`,
  open: `return typeof Deno.openSync(P)`,
  openNew: `return typeof Deno.openSync(P, { write: true, createNew: true })`,
  readDir: `return [...Deno.readDirSync(P)].length`,
  readLink: `return Deno.readLinkSync(P)`,
  realPath: `return Deno.realPathSync(P)`,
  mkdir: `return Deno.mkdirSync(P)`,
  remove: `return Deno.removeSync(P + "/x")`,
  rename: `return Deno.renameSync(P, P + "x")`,
  truncate: `return Deno.truncateSync(P)`,
  chmod: `return Deno.chmodSync(P, 0o600)`,
  utime: `return Deno.utimeSync(P, 0, 0)`,
  watch: `return typeof Deno.watchFs(P)`,
  command: `return new Deno.Command(P).outputSync().code`,
  library: `return typeof Deno.dlopen(P, {})`,
  fsStat: `return fs.statSync(P).size`,
  fsStatQuiet: `return fs.statSync(P, { throwIfNoEntry: false })?.size`,
  fsExists: `return fs.existsSync(P)`,
  fsAccess: `return fs.accessSync(P)`,
  fsAccessMode: `return fs.accessSync(P, fs.constants.W_OK)`,
  fsPromise: `return (await fs.promises.stat(P)).size`,
  fsCallback: `return await new Promise((y) => fs.exists(P, y))`,
  fsOpen: `return typeof fs.openSync(P)`,
  fsOpenExclusive: `return typeof fs.openSync(P, "wx")`,
  fsRealpath: `return fs.realpathSync(P)`,
  fsRealpathNative: `return fs.realpathSync.native(P)`,
  fsReaddir: `return fs.readdirSync(P).length`,
  fsOpendir: `return typeof fs.opendirSync(P)`,
  fsReadlink: `return fs.readlinkSync(P)`,
  fsStatfs: `return fs.statfsSync(P).bsize`,
  fsWatch: `return typeof fs.watch(P)`,
  fsWatchFile:
    `return await new Promise((y) => { fs.watchFile(P, { interval: 5 }, (a) => { fs.unwatchFile(P); y(a.mtimeMs) });
    setTimeout(() => { fs.unwatchFile(P); y("quiet") }, 100) })`,
  fsGlob: `return fs.globSync(P + "*").length`,
  fsCopy: `return fs.copyFileSync(P, P + "x")`,
  fsCp: `return fs.cpSync(P, P + "x")`,
  fsRm: `return fs.rmSync(P + "/x", { force: true })`,
  fsMkdtemp: `return fs.mkdtempSync(P)`,
  fsMkdir: `return fs.mkdirSync(P, { recursive: true })`,
  fsBlob: `return (await fs.openAsBlob(P)).size`,
  fsBinding: `return process.binding("fs").internalModuleStat?.(P)`,
  require: `return typeof require(P)`,
  requireBelow: `return typeof require(P + "/index.js")`,
  resolve: `return require.resolve(P)`,
  resolvePaths: `return require.resolve("x", { paths: [P] })`,
  findPackage: `return M.findPackageJSON(P)`,
  findPackageFrom: `return M.findPackageJSON("x", "file://" + P)`,
  findPath: `return M.Module._findPath(P, [P])`,
  statCache: `return M.Module._stat?.(P)`,
  import: `return Object.keys(await import("file://" + P)).length`,
  importText: `return (await import("file://" + P, { with: { type: "text" } })).default.length`,
  importJson: `return typeof (await import("file://" + P, { with: { type: "json" } })).default`,
  metaResolve: `return import.meta.resolve("file://" + P).length`,
  fetch: `return (await fetch("file://" + P)).status`,
  sqlite: `return typeof new (await import("node:sqlite")).DatabaseSync(P)`,
  sqliteReadOnly: `return typeof new (await import("node:sqlite")).DatabaseSync(P, { readOnly: true })`,
  envFile: `return process.loadEnvFile(P)`,
  chdir: `return process.chdir(P)`,
  dlopen: `return process.dlopen({ exports: {} }, P)`,
  unix: `return typeof await Deno.connect({ transport: "unix", path: P })`,
  unixListen: `return typeof Deno.listen({ transport: "unix", path: P })`,
  netConnect: `return await new Promise((y, n) => net.connect(P).on("connect", () => y("connected")).on("error", n))`,
  netListen: `return await new Promise((y, n) => net.createServer().on("error", n).listen(P, () => y("listening")))`,
  worker: `return typeof new Worker("file://" + P, { type: "module" })`,
  certificates: `return typeof Deno.createHttpClient({ caCerts: [P] })`,
  spawn:
    `return (await import("node:child_process")).spawnSync(P).status ?? String((await import("node:child_process")).spawnSync(P).error)`,
  query: `return (await Deno.permissions.query({ name: "read", path: P })).state`,
  kv: `return typeof await Deno.openKv?.(P)`,
  wasi: `return typeof new (await import("node:wasi")).WASI({ version: "preview1", preopens: { "/": P } })`,
};

/** An id of as many digits as `pid` that no process has. */
function noProcess(pid: number): number {
  let other = 10 ** (String(pid).length - 1);
  while (isThere(`/proc/${other}`)) other++;
  return other;
}

function isThere(path: string): boolean {
  try {
    return Deno.lstatSync(path) !== undefined;
  } catch {
    return false;
  }
}

/** What the oracles use beside `P`. */
const ORACLES_HEAD = `const fs = (await import("node:fs")).default, net = (await import("node:net")).default;
  const M = await import("node:module"), require = M.createRequire(import.meta.url);`;

test("what is refused tells nothing of this machine's files", (withArena) =>
  withArena("existence oracles", async (arena) => {
    const { server } = arena;
    // Pairs of a path that is there and one that is not, of the same length, kind of ending and folder.
    const pairs: [there: string, missing: string][] = [
      [join(server.dataDir, "encryption-keys.json"), join(server.dataDir, "encryption-keyz.json")],
      ["/etc/passwd", "/etc/passwx"],
      [server.dataDir, `${server.dataDir.slice(0, -1)}q`],
      [join(server.codeDir, "innocent.ts"), join(server.codeDir, "innocenx.ts")],
      [`/proc/${server.pid}`, `/proc/${noProcess(server.pid)}`],
      [`/proc/${server.pid}/cmdline`, `/proc/${server.pid}/cmdlinx`],
    ];
    const attempts: Record<string, string> = {};
    for (const [there, missing] of pairs) {
      for (const [way, code] of Object.entries(ORACLES)) {
        attempts[`${way} ${there}`] = `const outcome = async (P) => {
            ${ORACLES_HEAD}
            try { return "got " + await (async () => { ${code} })() } catch (e) { return [e.name, e.code, e.message].join() }
          };
          const outcomes = [];
          // The first of all may differ, as it loads what the others find loaded.
          for (const path of ${JSON.stringify([`${missing.slice(0, -1)}z`, there, missing])}) {
            // What is named in a message is what was asked for.
            outcomes.push((await outcome(path)).replaceAll(path, "_").replaceAll(path.split("/").at(-1), "_"));
          }
          return outcomes[1] === outcomes[2] ? undefined : outcomes`;
      }
    }
    const outcomes = await arena.attempts("oracles", attempts, { atOnce: false, eachMs: 3_000 });
    assert.deepEqual(Object.entries(outcomes).filter(([, outcome]) => "hung" in outcome), []);
  }));

/** These end or stop the process, or wait for what never comes. */
const DEADLY =
  /exit|panic|abort|kill|sleep|wait|poll|accept|window|desktop|signal|close|print|stdin|write|inspector|worker|eventLoop/i;
const BINDINGS = [
  ...["async_wrap", "buffer", "builtins", "cares_wrap", "config", "constants", "contextify", "credentials", "crypto"],
  ...[
    "errors",
    "fs",
    "fs_dir",
    "fs_event_wrap",
    "http_parser",
    "icu",
    "inspector",
    "js_stream",
    "module_wrap",
    "modules",
  ],
  ...[
    "natives",
    "options",
    "os",
    "performance",
    "pipe_wrap",
    "process_methods",
    "report",
    "serdes",
    "spawn_sync",
    "symbols",
  ],
  ...[
    "task_queue",
    "tcp_wrap",
    "timers",
    "trace_events",
    "tty_wrap",
    "types",
    "udp_wrap",
    "url",
    "util",
    "uv",
    "v8",
    "wasi",
  ],
];

/** How many of them one call tries: few, as one that ends the process hides those after it. */
const PART = 20;

test("internals of the runtime, called one by one with paths and names, give nothing", (withArena) =>
  withArena("internals", async (arena) => {
    const { server } = arena;
    const key = join(server.dataDir, "encryption-keys.json");
    await arena.deploy(
      "internals",
      `const { core, ...others } = Deno[Deno.internal];
      const owners = { core, ...others, ops: core.ops };
      for (const name of ${JSON.stringify(BINDINGS)}) try { owners["binding " + name] = process.binding(name) } catch {}
      const members = Object.values(owners).filter((owner) => typeof owner === "object" && owner !== null).flatMap((owner) =>
        Reflect.ownKeys(owner).filter((name) => !${DEADLY}.test(String(name))).map((name) => [owner, name]));
      const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms, ""));
      const text = (value) => {
        if (value instanceof Uint8Array) return new TextDecoder("latin1").decode(value.subarray(0, 9000));
        try { return typeof value === "function" ? "" : (JSON.stringify(value) ?? String(value)).slice(0, 9000) } catch { return "" }
      };
      const tried = async (act) => { try { return text(await Promise.race([act(), later(2)])) } catch { return "" } };
      export default async (c, ctx) => {
        const found = new Set();
        const part = members.slice(Number(ctx.query.from), Number(ctx.query.from) + ${PART});
        for (const [owner, name] of part) {
          if (typeof owner[name] !== "function") { found.add(text(owner[name])); continue; }
          for (const path of ${JSON.stringify([key, "/etc/passwd", "HOSTILE_CANARY"])}) {
            for (const args of [[path], ["", path], [path, "utf8"], [path, 0, 0o666], [[path]], [{ path, file: path }]]) {
              found.add(await tried(() => owner[name](...args)));
            }
          }
        }
        return Response.json({ count: members.length, found: [...found] });
      };`,
      { fields: { timeoutMs: paced(5_000) } },
    );
    let tried = 0;
    for (let from = 0, count = 1; from < count; from += PART) {
      const { status, body } = await arena.call("internals", { query: `?from=${from}` });
      arena.count(PART);
      // One that ends the process gains nothing; what stands after it in its part is not tried.
      if (status === 200) [count, tried] = [body.count, tried + PART];
      else count = Math.max(count, from + PART + 1);
      assert.ok(from < 10_000);
    }
    assert.ok(tried > 200, `${tried} internals were tried`);
  }));

/** Default exports that try to learn more, or to be taken for something else, by the way they are called. */
const SHAPES: Record<string, string> = {
  getter: `export default { get fetch() { kept.push(this); return (...all) => answer(...all) } };`,
  changing: `let n = 0; export default { get fetch() { return n++ % 2 ? 7 : (...all) => answer(...all) } };`,
  proxy:
    `export default new Proxy({}, { get: (t, name, receiver) => { kept.push(receiver); return name === "fetch" ? (...all) => answer(...all) : undefined } });`,
  callableProxy:
    `export default new Proxy(() => {}, { apply: (t, self, all) => { kept.push(self); return answer(...all) }, get: () => undefined });`,
  classOfApps: `export default class { static fetch(...all) { kept.push(this); return answer(...all) } }`,
  inherited: `export default Object.create({ fetch(...all) { kept.push(this); return answer(...all) } });`,
  router:
    `export default { fetch: (...all) => answer(...all), routes: [], router: { name: "x", add() {}, match(...all) { kept.push(all, this); return [[], []] } } };`,
  hono: `import { Hono } from "npm:hono@4.13.19"; const app = new Hono(); const { match } = app.router;
    app.all("*", (c) => answer(c.req.raw, c.env, c.executionCtx)); export default app;`,
  handler: `export default function (...all) { kept.push(this); return answer(...all) }`,
  basePath: `Object.defineProperty(Object.prototype, "basePath", { set(v) { kept.push(this) }, configurable: true });
    export default { fetch: (...all) => answer(...all) };`,
  thenable:
    `export default { fetch: (...all) => ({ then(y, n) { kept.push(y, n); Promise.resolve(answer(...all)).then(y, n) } }) };`,
};

test("whatever a handler is, and whatever it keeps of its calls, each call has its own caller's secrets alone", (withArena) =>
  withArena("handler shapes", async (arena) => {
    const { server } = arena;
    const holders = { red: await arena.plantHolder("red"), blue: await arena.plantHolder("blue") };
    const keys = [holders.red.groupId, holders.blue.groupId];
    for (const [name, code] of Object.entries(SHAPES)) {
      await arena.deploy(
        name,
        `const kept = globalThis.kept ??= [], contexts = globalThis.contexts ??= [];
        const seen = new Set();
        /** Everything that can be reached from what was kept, and may answer questions. */
        const reach = async (value, found, depth = 0) => {
          if (value === null || typeof value !== "object" && typeof value !== "function" || seen.has(value) || depth > 4) return;
          seen.add(value);
          for (const ask of ["getSecret", "getCompleteSecret"]) {
            try { if (typeof value[ask] === "function") found.push(JSON.stringify(await value[ask]("SECRET"))) } catch {}
          }
          for (const own of [...Reflect.ownKeys(value), "__proto__", "constructor"]) {
            try { await reach(value[own], found, depth + 1) } catch {}
          }
        };
        const answer = async (...all) => {
          const context = all.find((one) => typeof one?.getSecret === "function");
          const others = [];
          for (const other of contexts) others.push(await other.getSecret("SECRET").catch(() => "refused"));
          contexts.push(context);
          kept.push(...all);
          seen.clear();
          await reach(kept, others);
          return Response.json({ own: await context.getSecret("SECRET"), others });
        };
        ${code}`,
        { fields: { keys } },
      );
      for (const colour of ["red", "blue", "red"] as const) {
        arena.count();
        const { status, body } = await request("GET", `${server.url}/run/${name}`, undefined, {
          "X-API-Key": holders[colour].key,
        });
        if (name === "changing" && status !== 200) continue;
        assert.equal(status, 200, `${name}: ${JSON.stringify(body)}`);
        assert.match(body.own, new RegExp(`^planted-${colour}-key-`), name);
        const text = JSON.stringify(body);
        for (const [, label] of text.matchAll(/planted-([a-z]+)-/g)) {
          if (label !== colour) arena.gained(`${name}, called by ${colour}`, text);
        }
      }
    }
  }));

test("work after the response gets no secrets once its caller's key is revoked", (withArena) =>
  withArena("revoked work", async (arena) => {
    const { server } = arena;
    const mine = await arena.plantHolder("mine");
    const other = await arena.plantHolder("other");
    const code = `${RAW_FRAMES}
      const told = { found: [], rounds: 0 };
      export default async (c, ctx) => {
        if (ctx.query.look) return Response.json(told);
        await ctx.getSecret("SECRET");
        const id = seen.at(-1);
        ctx.waitUntil((async () => {
          for (;;) {
            const from = answers.length;
            const got = [
              await ctx.getSecret("SECRET").catch(() => "refused"),
              await ctx.getCompleteSecret("SECRET").catch(() => "refused"),
              await write(frame(71, id, JSON.stringify([1e6 + told.rounds, "get", "SECRET", null]))),
            ];
            await answered(from + 1);
            told.found.push([told.rounds++, JSON.stringify([...got, ...answers.slice(from)])]);
            await new Promise((resolve) => setTimeout(resolve, 5));
          }
        })());
        return new Response("ok");
      };`;
    await arena.deploy("worker", code, { fields: { keys: [mine.groupId, other.groupId], timeoutMs: 60_000 } });
    const look = () => request("GET", `${server.url}/run/worker?look=1`, undefined, { "X-API-Key": other.key });
    assert.equal((await request("GET", `${server.url}/run/worker`, undefined, { "X-API-Key": mine.key })).status, 200);
    await until("the work asks", async () => JSON.stringify((await look()).body).includes("planted-mine-key"));
    assert.equal((await server.api("DELETE", `/api/keys/${mine.keyId}`)).status, 200);
    // The round that was under way may have been answered before.
    const last: number = (await look()).body.rounds;
    let found: [round: number, text: string][] = [];
    for (let rounds = last; rounds < last + 5;) {
      const { status, body } = await look();
      // Its process is ended at last, with the call of the key, and another one takes its place.
      if (status !== 200 || body.rounds < rounds) break;
      ({ rounds, found } = body);
    }
    arena.count(found.length);
    assert.ok(found.length > 1);
    for (const [round, text] of found) {
      if (round > last && text.includes("planted-")) arena.gained("after the key was revoked", text);
    }
  }));

/** What a module does when it is loaded to be checked. `T` throws its text. */
const LOADS: Record<string, string> = {
  loop: `for (;;);`,
  asyncLoop: `for (;;) await null;`,
  microtasks: `await new Promise(() => { const turn = () => queueMicrotask(turn); turn(); });`,
  timers: `await new Promise(() => setInterval(() => { const end = Date.now() + 50; while (Date.now() < end); }));`,
  objects: `const all = []; for (let n = 0;; n++) all.push({ n, text: "x" + n });`,
  buffers: `const all = []; for (;;) all.push(new Uint8Array(1 << 24).fill(1));`,
  strings: `let text = "x"; for (;;) text += text + Math.random();`,
  stack: `const f = () => f() + 1; f();`,
  exit: `Deno.exit(0);`,
  exitLater: `process.on("exit", () => { for (;;); }); process.exit(0);`,
  kill: `process.kill(process.pid, "SIGKILL");`,
  stop: `process.kill(process.pid, "SIGSTOP");`,
  close: `self.close(); for (;;);`,
  ready: `await write(frame(65, 0, "0")); T("not ready");`,
  readyAndLoop: `await write(frame(65, 0, "0")); for (;;);`,
  readyTwice: `await write(new Uint8Array([...frame(65, 0, "0"), ...frame(65, 0, "0")]));`,
  failedForged: `await write(frame(66, 0, "\\u001b[2J\\n2026 ERROR forged\\nfile:///etc/passwd"));`,
  nonsense: `await write(crypto.getRandomValues(new Uint8Array(9000)));`,
  asks: `for (let id = 0; id < 40; id++) for (const kind of ["get", "complete"]) {
      await write(frame(71, id, JSON.stringify([1e6 + id, kind, "GLOBAL", null])));
    }
    await answered(1); T(JSON.stringify(answers));`,
  responds:
    `for (let id = 0; id < 40; id++) await write(frame(67, id, "[200,[],1]", encoder.encode("forged"))); T("responded");`,
  logs: `for (let n = 0; n < 500; n++) console.log("2026 ERROR forged".repeat(100)); T("logged");`,
  logsForged: `for (let id = 0; id < 40; id++) await write(frame(72, id, '["error","forged"]')); T("logged");`,
  network: `T(await (await fetch(ORIGIN + "/health")).text());`,
  networkOfPage: `T(await (await fetch("http://127.0.0.1:1/")).text());`,
  reads: `T(Deno.readTextFileSync(KEY));`,
  imports: `const n = "file://" + KEY; T(JSON.stringify((await import(n, { with: { type: "json" } })).default));`,
  environment: `T(JSON.stringify([Deno.env.toObject(), process.argv, Deno.args]));`,
  context: `T(JSON.stringify(Object.keys(globalThis).map((name) => String(globalThis[name]).slice(0, 200))));`,
  longText: `throw new Error("x".repeat(10_000_000));`,
  steering: `throw new Error("\\u001b]0;x\\u0007\\r\\n<script>alert(1)</script>\\u202e");`,
  oddError: `throw new Proxy({}, { get() { for (;;); }, ownKeys() { for (;;); } });`,
  hostileInspect:
    `throw { [Symbol.for("Deno.customInspect")]() { for (;;); }, [Symbol.for("nodejs.util.inspect.custom")]() { for (;;); } };`,
  stackGetter:
    `const e = new Error("x"); Object.defineProperty(e, "stack", { get() { return "    at /etc/passwd:1:1\\n" + "y".repeat(1e7) } }); throw e;`,
  prepared:
    `Error.prepareStackTrace = (e, frames) => frames.map((f) => f.getFileName() + f.getThis()).join(); throw new Error("x");`,
  workers:
    `for (let n = 0; n < 50; n++) try { new Worker("data:text/javascript,for(;;);", { type: "module" }) } catch {} T("none");`,
  handles: `for (let n = 0; n < 500; n++) setInterval(() => {}, 1);`,
  thenable: `export const then = (y) => { for (;;); };`,
};

Deno.test("a module that is loaded to be checked gets no secret and no network, and leaves nothing running", () =>
  withArena("load check", async (arena) => {
    const { server } = arena;
    const limitMs = paced(1_000);
    await createSecret(server, "GLOBAL", arena.plant("global-at-load"), { scope: "global" });
    await set(server, { "sandbox.load-check-ms": limitMs, "sandbox.memory-mb": 64 });
    const head = `${RAW_FRAMES}
      const T = (text) => { throw new Error("T " + String(text).slice(0, 400)) };
      const ORIGIN = ${JSON.stringify(server.url)}, KEY = ${
      JSON.stringify(join(server.dataDir, "encryption-keys.json"))
    };`;
    await Promise.all(
      Object.entries(LOADS).map(async ([name, statements]) => {
        arena.count();
        const path = `load_${name}.ts`;
        const code = `${head}\n${statements}\nexport default (c) => c.text("loaded");`;
        const { status, body } = await server.api("PUT", `/api/files/${path}`, code, { "Content-Type": "text/plain" });
        const text = JSON.stringify(body);
        arena.search(`load of ${name}`, text);
        assert.ok(status === 201, `${name}: ${status} ${text.slice(0, 300)}`);
        const told: string[] = [...body.problems, ...body.warnings];
        assert.ok(told.every((one) => one.length < 1_000), `${name}: ${text.length}`);
        // deno-lint-ignore no-control-regex
        assert.doesNotMatch(told.join(), /[\x00-\x08\x0b-\x1f\x7f\u202e]/, `${name}: ${text}`);
        if (/"ok"|healthy|"status"/.test(told.join())) arena.gained(name, text);
      }),
    );
    await nothingRuns(arena, Object.keys(LOADS).map((name) => `load_${name}`));
    assert.doesNotMatch(server.logs(), /^2026 ERROR forged/m);
  }));

async function nothingRuns(arena: Arena, names: readonly string[]): Promise<void> {
  await until(
    "every checked module's process is gone",
    () => names.every((name) => arena.sandboxes(name).length === 0),
  );
}
