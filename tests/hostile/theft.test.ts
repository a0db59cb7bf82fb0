// Theft: files, environment, other functions' sources and secrets, callers' keys; programs, signals, the network.

import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import { createSecret } from "../http/handlers.ts";
import { call as request } from "../http/server.ts";
import { type Arena, type AttemptOptions, type Outcome, testWithAndWithoutRoot as test } from "./arena.ts";

/** Ways to read a file at the path `P`. */
const READERS: Record<string, string> = {
  readTextFile: `return await Deno.readTextFile(P)`,
  readFileSync: `return Deno.readFileSync(P)`,
  open: `using f = await Deno.open(P); const b = new Uint8Array(4000); return b.subarray(0, await f.read(b))`,
  fsSync: `return (await import("node:fs")).readFileSync(P)`,
  fsPromises: `return await (await import("node:fs/promises")).readFile(P, "utf8")`,
  fsOpen: `const fs = await import("node:fs"); const fd = fs.openSync(P, "r"); const b = Buffer.alloc(4000);
    return b.subarray(0, fs.readSync(fd, b, 0, 4000, 0))`,
  stream: `for await (const b of (await import("node:fs")).createReadStream(P)) return b`,
  blob: `return await (await (await import("node:fs")).openAsBlob(P)).text()`,
  text: `return (await import("file://" + P, { with: { type: "text" } })).default`,
  dataUrl: `return (await import("data:text/javascript," + encodeURIComponent(
    "export { default } from " + JSON.stringify("file://" + P) + " with { type: 'text' }"))).default`,
  blobUrl: `return (await import(URL.createObjectURL(new Blob(
    ["export { default } from " + JSON.stringify("file://" + P) + " with { type: 'text' }"],
    { type: "text/javascript" })))).default`,
  fetch: `return await (await fetch("file://" + P)).text()`,
  copy: `const to = "/tmp/hostile-" + crypto.randomUUID(); await Deno.copyFile(P, to); Deno.removeSync(to); return to`,
  link: `const to = "/tmp/hostile-" + crypto.randomUUID(); await Deno.symlink(P, to); Deno.removeSync(to); return to`,
  bytes: `return (await import("file://" + P, { with: { type: "bytes" } })).default`,
  css: `return (await import("file://" + P, { with: { type: "css" } })).default`,
  otherType: `return (await import("file://" + P, { with: { type: "other" } })).default`,
  stat: `return (await Deno.stat(P)).mode`,
  fsStat: `return (await import("node:fs")).statSync(P).mode`,
  exists: `return (await import("node:fs")).existsSync(P) || undefined`,
  access: `return (await import("node:fs")).accessSync(P) ?? "there"`,
  realPath: `return (await import("node:fs")).realpathSync(P)`,
};
/** What Deno cannot read in that way even if it may: files of /proc have no length, and a blob has one. */
const HOPELESS = /^proc\w*\.blob$|^\w+Mem\.|^database\.(text|dataUrl|blobUrl)$|\.(bytes|css|otherType)$/;

const JSON_READERS: Record<string, string> = {
  json: `return (await import("file://" + P, { with: { type: "json" } })).default`,
  require: `return (await import("node:module")).createRequire("file:///x.js")(P)`,
  requireFromHere: `return (await import("node:module")).createRequire(import.meta.url)(P)`,
  getBuiltin: `return process.getBuiltinModule("module").createRequire("file:///x.js")(P)`,
  dataUrl: `return (await import("data:text/javascript," + encodeURIComponent(
    "export { default } from " + JSON.stringify("file://" + P) + " with { type: 'json' }"))).default`,
};

/** Everything else that a program may do to a machine. */
const OTHERS: Record<string, string> = {
  environment: `const all = Deno.env.toObject(); return Object.keys(all).join() === "NODE_ENV,HOME" ? undefined : all`,
  variable: `return Deno.env.get("HOSTILE_CANARY") ?? Deno.env.get("PATH")`,
  environmentPrototype: `const { env } = process; env.__proto__ = "x"; Object.setPrototypeOf(env, { PATH: "own" });
    const poisoned = ({}).PATH; Object.setPrototypeOf(env, Object.prototype); delete env.__proto__;
    return poisoned ?? Deno.env.get("HOSTILE_CANARY")`,
  environmentGetter:
    `let seen; Object.defineProperty(process.env, "PATH", { get() { seen = this; return "x" }, configurable: true });
    void process.env.PATH; return seen`,
  environmentOp: `const { ops } = Deno[Deno.internal].core; return ops.op_get_env?.("PATH") ?? ops.op_env?.()`,
  environmentBinding:
    `return process.binding("os").getHostname?.() ?? process.binding("credentials").safeGetenv("PATH")`,
  proxyVariable: `for (const name of ["HTTP_PROXY", "http_proxy", "ALL_PROXY"]) {
      Deno.env.set(name, T.origin); process.env[name] = T.origin; process.env.NO_PROXY = "";
    }
    return (await (await fetch("http://192.0.2.1/health", { signal: AbortSignal.timeout(800) })).text()) || undefined`,
  processEnv: `return { ...process.env }.PATH`,
  processEnvOne: `return process.env.PATH`,
  loadEnvFile: `process.loadEnvFile(T.keyFile); return 1`,
  sqlite:
    `return new (await import("node:sqlite")).DatabaseSync(T.database).prepare("select count(*) n from sqlite_master").get()`,
  sqliteReadOnly: `return new (await import("node:sqlite")).DatabaseSync(T.database, { readOnly: true })
    .prepare("select count(*) n from sqlite_master").get()`,
  sqliteUri: `return new (await import("node:sqlite")).DatabaseSync("file:" + T.database + "?mode=ro")
    .prepare("select count(*) n from sqlite_master").get()`,
  sqliteAttach: `const db = new (await import("node:sqlite")).DatabaseSync(":memory:");
    db.exec("attach '" + T.database + "' as stolen"); return db.prepare("select count(*) n from stolen.sqlite_master").get()`,
  sqliteVacuum: `const to = "/tmp/hostile-" + crypto.randomUUID();
    new (await import("node:sqlite")).DatabaseSync(":memory:").exec("vacuum into '" + to + "'"); Deno.removeSync(to); return to`,
  sqliteExtension: `return typeof new (await import("node:sqlite")).DatabaseSync(":memory:", { allowExtension: true })`,
  folder: `return (await Array.fromAsync(Deno.readDir(T.codeDir))).map((e) => e.name)`,
  runFolder: `return (await Array.fromAsync(Deno.readDir(T.runDir))).map((e) => e.name)`,
  fsFolder: `return (await import("node:fs")).readdirSync(T.dataDir)`,
  glob: `return (await import("node:fs")).globSync(T.codeDir + "/*")[0]`,
  watch: `return typeof Deno.watchFs(T.codeDir)`,
  realPath: `return Deno.realPathSync(T.codeDir)`,
  readLink: `return Deno.readLinkSync("/proc/self/exe")`,
  findPackage:
    `return (await import("node:module")).findPackageJSON("hono", "file://" + T.codeDir + "/x.js") ?? "looked"`,
  write:
    `const to = T.codeDir + "/hostile-" + crypto.randomUUID(); Deno.writeTextFileSync(to, ""); Deno.removeSync(to); return to`,
  temporary: `const to = Deno.makeTempFileSync(); Deno.removeSync(to); return to`,
  makeFolder:
    `const to = "/tmp/hostile-" + crypto.randomUUID(); (await import("node:fs")).mkdirSync(to); Deno.removeSync(to); return to`,
  sharedMemory:
    `const to = "/dev/shm/hostile-" + crypto.randomUUID(); Deno.writeTextFileSync(to, ""); Deno.removeSync(to); return to`,
  heapSnapshot:
    `const to = "/tmp/hostile-" + crypto.randomUUID(); (await import("node:v8")).writeHeapSnapshot(to); Deno.removeSync(to); return to`,
  wasi: `return typeof new (await import("node:wasi")).WASI({ version: "preview1", preopens: { "/": "/etc" } })`,
  command: `return (await new Deno.Command("/bin/echo", { args: ["ran"] }).output()).stdout`,
  commandSelf: `return (await new Deno.Command(Deno.execPath(), { args: ["--version"] }).output()).stdout`,
  execSync: `return (await import("node:child_process")).execSync("echo ran")`,
  spawnSync: `return (await import("node:child_process")).spawnSync("/bin/echo", ["ran"]).stdout ?? undefined`,
  fork: `return (await import("node:child_process")).fork("/dev/null").pid`,
  cluster: `return (await import("node:cluster")).default.fork().process.pid`,
  ffi: `return typeof Deno.dlopen(T.library, {})`,
  processDlopen: `process.dlopen({ exports: {} }, T.library); return 1`,
  napi: `const f = () => {};
    return String(Deno[Deno.internal].core.ops.op_napi_open(T.library, globalThis, f, f, f, f, f, f, f, f, f))`,
  pointer: `return typeof Deno.UnsafePointer.create(4096n)`,
  signalOther: `Deno.kill(T.victimPid, "SIGCONT"); return 1`,
  signalHost: `process.kill(T.hostPid, 0); return 1`,
  signalGroup: `process.kill(0, "SIGCONT"); return 1`,
  priority: `(await import("node:os")).setPriority(T.victimPid, 1); return 1`,
  setuid: `process.setuid(0); return 1`,
  umask: `const was = process.umask(0o77); return process.umask() === 0o77 ? was : undefined`,
  chdir: `process.chdir("/"); return 1`,
  hostname: `const name = Deno.hostname(); return name === "localhost" ? undefined : name`,
  interfaces:
    `const all = Deno.networkInterfaces(); return all.length === 1 && all[0].address === "127.0.0.1" ? undefined : all`,
  memory: `const { total } = Deno.systemMemoryInfo(); return total === 128 << 20 ? undefined : total`,
  userInfo: `const user = (await import("node:os")).userInfo(); return user.username === "handler" ? undefined : user`,
  cpuNamed: `const { cpus } = await import("node:os"); return cpus()[0].model === "cpu" ? undefined : cpus()`,
  cpuDataUrl: `const { cpus } = await import("data:text/javascript,export { cpus } from 'node:os'");
    return cpus()[0].model === "cpu" ? undefined : cpus()`,
  cpuQuery: `const { cpus } = await import("node:os?fresh"); return cpus()`,
  cpuUnhooked: `const { registerHooks } = await import("node:module");
    const hooks = registerHooks({ resolve: (s, c, next) => s.startsWith("node:") ? { url: s, shortCircuit: true } : next(s, c) });
    try { const { cpus } = await import("node:os"); return cpus()[0].model === "cpu" ? undefined : cpus() } finally { hooks.deregister() }`,
  cpuCache: `const { default: M } = await import("node:module");
    for (const name of Object.keys(M._cache)) delete M._cache[name];
    const { cpus } = M.createRequire("file:///x.js")("os"); return cpus()[0].model === "cpu" ? undefined : cpus()`,
  cpuParent:
    `const { cpus } = await import("node:os"); try { Object.setPrototypeOf(Deno.errors.NotCapable, Error) } catch {}
    return cpus()[0].model === "cpu" ? undefined : cpus()`,
  idsNamed: `const { geteuid } = await import("node:process"); return geteuid() === 1000 ? undefined : geteuid()`,
  report: `const { header } = process.report.getReport(); return header.host ?? header.cpus ?? header.cwd`,
  arguments: `const all = [...process.argv, ...Deno.args].join(); return all.includes("socket") ? all : undefined`,
  grant: `return (await Deno.permissions.request({ name: "read" })).state === "granted" || undefined`,
  granted: `for (const name of ["read", "write", "env", "run", "ffi", "sys"]) {
    if ((await Deno.permissions.query({ name })).state === "granted") return name }`,
  revokeAndAsk: `await Deno.permissions.revoke({ name: "net" });
    for (const path of [T.keyFile, "/"]) if ((await Deno.permissions.request({ name: "read", path })).state === "granted") return path`,
  inspector:
    `const i = await import("node:inspector"); i.open(0, "127.0.0.1"); const url = i.url(); i.close(); return url`,
  binding: `return process.binding("fs").open(T.keyFile, 0, 0o666)`,
  vm: `return (await import("node:vm")).runInNewContext("f('/etc/passwd')", { f: Deno.readTextFileSync })`,
  vmConstructor:
    `return (await import("node:vm")).runInNewContext("this.constructor.constructor('return Deno')()").readTextFileSync("/etc/passwd")`,
  desktopPatch:
    `return Deno[Deno.internal].core.ops.op_desktop_apply_patch(new Uint8Array(9), "1", new Uint8Array(9)) ?? "patched"`,
  core: `return Deno[Deno.internal].core.ops.op_fs_read_file_sync && 'reachable'`,
  stackFrames: `Error.prepareStackTrace = (_, frames) => frames; const f = {}; Error.captureStackTrace(f);
    for (const frame of f.stack) { const t = frame.getThis?.(); const g = frame.getFunction?.(); if (t && t !== globalThis && t.host || g?.host) return "frames" }`,
};
/** Refused, absent or harmless even in a Deno that may do everything. */
const OTHERS_HOPELESS = new Set([
  "environmentPrototype",
  "environmentGetter",
  "environmentOp",
  "environmentBinding",
  "cpuQuery",
  "cpuParent",
  "idsNamed",
  "arguments",
  "loadEnvFile",
  "findPackage",
  "sqliteUri",
  "cluster",
  "fork",
  "napi",
  "processDlopen",
  "signalGroup",
  "setuid",
  "chdir",
  "inspector",
  "binding",
  "desktopPatch",
  "core",
  "stackFrames",
  "revokeAndAsk",
  "vmConstructor",
  "priority",
]);

/** Attempts of a worker with more rights than its parent's. */
const WORKERS: Record<string, string> = Object.fromEntries(
  Object.entries({
    inherit: `{ permissions: "inherit" }`,
    nothing: `undefined`,
    null: `{ permissions: null }`,
    all:
      `{ permissions: { read: true, env: true, run: true, write: true, ffi: true, sys: true, net: true, import: true } }`,
    read: `{ permissions: { read: true } }`,
    env: `{ permissions: { env: ["PATH"] } }`,
    net: `{ permissions: { net: ["127.0.0.1"] } }`,
    netAll: `{ permissions: { net: true } }`,
  }).map(([name, deno]) => [
    name,
    `const run = (depth) => "(async () => { try { postMessage({ got: [Deno.readTextFileSync('/etc/passwd'), Deno.env.get('PATH')] }) } catch (e) {" +
      "try { const r = await fetch(" + JSON.stringify(T.loopback) + "); postMessage({ got: await r.text() }) } catch (f) { " +
      (depth ? "const w = new Worker('data:text/javascript,' + encodeURIComponent(" + JSON.stringify(run(depth - 1)) + "), { type: 'module', deno: { permissions: 'inherit' } });" +
        "w.onmessage = (m) => postMessage(m.data)" : "postMessage({ no: String(e) + String(f) })") + " } } })()";
    const w = new Worker("data:text/javascript," + encodeURIComponent(run(1)), { type: "module", deno: ${deno} });
    try { return await new Promise((resolve, reject) => {
      w.onmessage = ({ data }) => "got" in data ? resolve(data.got) : reject(new Error(data.no));
      w.onerror = (e) => { e.preventDefault(); reject(new Error(e.message)) };
    }) } finally { w.terminate() }`,
  ]),
);
WORKERS.node = `const { Worker: W } = await import("node:worker_threads");
  const w = new W("require('node:worker_threads').parentPort.postMessage(require('fs').readFileSync('/etc/passwd', 'utf8'))",
    { eval: true, env: (await import("node:worker_threads")).SHARE_ENV });
  try { return await new Promise((resolve, reject) => { w.on("message", resolve); w.on("error", reject) }) } finally { await w.terminate() }`;
WORKERS.nodeFile = `const { Worker: W } = await import("node:worker_threads");
  const w = new W(T.keyFile); try { return await new Promise((resolve, reject) => { w.on("message", resolve); w.on("error", reject); w.on("exit", () => reject(new Error("exit"))) }) } finally { await w.terminate() }`;

function assertReal(control: Record<string, Outcome>, hopeless: (name: string) => boolean): void {
  const failed = Object.entries(control).filter(([name, outcome]) => !("got" in outcome) && !hopeless(name))
    .map(([name, outcome]) => `${name}: ${JSON.stringify(outcome)}`);
  assert.deepEqual(failed, [], "attempts that fail for whoever makes them prove nothing");
}

async function tryAll(
  arena: Arena,
  name: string,
  attempts: Record<string, string>,
  hopeless: (name: string) => boolean,
  options: AttemptOptions = {},
): Promise<Record<string, Outcome>> {
  const [control, outcomes] = await Promise.all([
    // Beside the arena's own load, a first attempt that could succeed takes more than a second at times.
    arena.control(attempts, { ...options, eachMs: Math.max(options.eachMs ?? 0, 3_000) }),
    arena.attempts(name, attempts, options),
  ]);
  assertReal(control, hopeless);
  return outcomes;
}

test(
  "theft of files, environment, sources and secrets; programs, signals, permissions",
  (withArena) =>
    withArena("theft", async (arena) => {
      const { server } = arena;
      const victimSource = arena.plant("source");
      await arena.deploy("victim", `// ${victimSource}\nexport default (c) => c.text("ok")`, {
        files: { "victim_data.json": JSON.stringify(arena.plant("data-file")) },
      });
      const victimPid = await (async () => {
        await server.api("GET", "/health");
        await request("GET", `${server.url}/run/victim`);
        return arena.sandboxes("victim")[0]!;
      })();
      const task = JSON.parse(Deno.readTextFileSync(`/proc/${victimPid}/cmdline`).split("\0").at(-2)!);
      const copy = `${task.read[0]}/victim.ts`;
      const runDir = copy.replace(/\/[^/]+\/code\/.*$/, "");
      const library = ["/lib/x86_64-linux-gnu/libc.so.6", "/lib/aarch64-linux-gnu/libc.so.6", "/lib64/libc.so.6"]
        .find((path) => exists(path)) ?? "/lib/libc.so";
      const targets = {
        dataDir: server.dataDir,
        codeDir: server.codeDir,
        runDir,
        keyFile: `${server.dataDir}/encryption-keys.json`,
        database: `${server.dataDir}/database.db`,
        hostPid: server.pid,
        victimPid,
        library,
        loopback: `${server.url}/health`,
        origin: server.url,
      };
      const paths: Record<string, string> = {
        keyFile: targets.keyFile,
        database: targets.database,
        passwd: "/etc/passwd",
        victim: `${server.codeDir}/victim.ts`,
        victimData: `${server.codeDir}/victim_data.json`,
        victimCopy: copy,
        procSelf: "/proc/self/environ",
        procHost: `/proc/${server.pid}/environ`,
        procHostLine: `/proc/${server.pid}/cmdline`,
        procVictim: `/proc/${victimPid}/cmdline`,
        procRoot: `/proc/${server.pid}/root${targets.keyFile}`,
        procNet: "/proc/net/unix",
        dots: `${copy.replace(/\/[^/]*$/, "")}/../../../..${targets.keyFile}`,
      };
      const reading: Record<string, string> = {};
      for (const [place, path] of Object.entries(paths)) {
        for (const [way, code] of Object.entries(READERS)) {
          reading[`${place}.${way}`] = `const P = ${JSON.stringify(path)}; ${code}`;
        }
      }
      const readingJson: Record<string, string> = {};
      for (const [way, code] of Object.entries(JSON_READERS)) {
        readingJson[`keyFile.json.${way}`] = `const P = T.keyFile; ${code}`;
      }
      // Apart: a Deno that may read a file, and is asked for it as text and as JSON at once, now and then panics
      // ("entered unreachable code: JSON", cli/module_loader.rs of 2.9.6), and its control run yields nothing.
      const readings = await Promise.all([
        tryAll(arena, "reader", reading, (name) => HOPELESS.test(name), { targets, atOnce: true }),
        tryAll(arena, "jsonReader", readingJson, () => false, { targets, atOnce: true }),
      ]);
      const notRefused = readings.flatMap(Object.entries).filter(([, outcome]) => !("refused" in outcome));
      assert.deepEqual(notRefused, []);
      await tryAll(arena, "other", OTHERS, (name) => OTHERS_HOPELESS.has(name), {
        targets,
        fields: { memoryMb: 512 },
      });
      // Room for the workers' heaps: they must be refused, not fail for want of memory.
      const workers = await tryAll(
        arena,
        "workers",
        WORKERS,
        (name) => ["nodeFile", "net", "read", "env"].includes(name),
        {
          targets,
          eachMs: 5_000,
          fields: { memoryMb: 2_048 },
        },
      );
      for (const [name, outcome] of Object.entries(workers)) {
        assert.match(
          "refused" in outcome ? outcome.refused : "",
          /NotCapable|Requires|Can't escalate|cannot start workers/,
          name,
        );
      }
    }),
  { isOfUsers: true },
);

test("theft by way of the code folder: imports, links, configuration files", (withArena) =>
  withArena("theft through uploads", async (arena) => {
    const { server } = arena;
    const other = arena.plant("other-source");
    await arena.deploy("neighbour", `export const stolen = "${other}"; export default (c) => c.text("ok")`);
    // Made by hand, by whoever has a shell: not even these are followed.
    await Deno.symlink(`${server.dataDir}/encryption-keys.json`, `${server.codeDir}/link.json`);
    await Deno.symlink(server.dataDir, `${server.codeDir}/linked`);
    await Deno.symlink(`${server.codeDir}/neighbour.ts`, `${server.codeDir}/linked_neighbour.ts`);
    const key = `${server.dataDir}/encryption-keys.json`;
    const sources: Record<string, string> = {
      link: `import x from "./link.json" with { type: "json" }; export default () => Response.json(x)`,
      linkText: `import x from "./link.json" with { type: "text" }; export default () => Response.json(x)`,
      linkFolder:
        `import x from "./linked/encryption-keys.json" with { type: "json" }; export default () => Response.json(x)`,
      absolute: `import x from "${key}" with { type: "json" }; export default () => Response.json(x)`,
      fileUrl: `import x from "file://${key}" with { type: "json" }; export default () => Response.json(x)`,
      dots: `import x from "${"../".repeat(12)}${
        key.slice(1)
      }" with { type: "json" }; export default () => Response.json(x)`,
      encoded:
        `import x from "./%2e%2e/data/encryption-keys.json" with { type: "json" }; export default () => Response.json(x)`,
      encodedSlash:
        `import x from "./..%2fdata%2fencryption-keys.json" with { type: "json" }; export default () => Response.json(x)`,
      text: `import x from "/etc/passwd" with { type: "text" }; export default () => new Response(x)`,
      bytes: `import x from "/etc/passwd" with { type: "bytes" }; export default () => new Response(x)`,
      module: `import "/etc/passwd"; export default () => new Response("x")`,
      typeOnly: `import type X from "/etc/passwd"; export default () => new Response("x")`,
      reference:
        `/// <reference path="/etc/passwd" />\n// @deno-types="/etc/passwd"\nimport "./neighbour.ts"; export default () => new Response("x")`,
      jsx: `/** @jsxImportSource file:///etc */ export default () => new Response(String(<a/>))`,
      dataUrl:
        `import x from "data:text/javascript,export { default } from 'file://${key}' with { type: 'json' }"; export default () => Response.json(x)`,
      sourceMap: `export default () => { throw new Error("mapped") }\n//# sourceMappingURL=file://${key}`,
      dynamic: `export default async () => Response.json((await import("${key}", { with: { type: "json" } })).default)`,
      template: "export default async () => Response.json((await import(`" + key +
        "`, { with: { type: 'json' } })).default)",
      worker: `export default async () => { const w = new Worker(new URL("file://${key}"), { type: "module" });
        return new Response(await new Promise((r) => { w.onerror = (e) => { e.preventDefault(); r(e.message) } })) }`,
      nodeModules: `import x from "stolen"; export default () => Response.json(x)`,
      nodeModulesFile:
        `export default async () => Response.json((await import("node:module")).createRequire(import.meta.url)("./node_modules/stolen/../../neighbour.ts"))`,
      importMap: `import x from "stolen-map"; export default () => Response.json(x)`,
      notFetched:
        `export default async () => { const n = "npm:" + "left-pad@1.3.0"; return Response.json(Object.keys(await import(n))) }`,
      notFetchedJsr:
        `export default async () => { const n = "jsr:" + "@std/path@1.0.0"; return Response.json(Object.keys(await import(n))) }`,
      notFetchedHttps:
        `export default async () => { const n = "https:" + "//esm.sh/left-pad@1.3.0"; return Response.json(Object.keys(await import(n))) }`,
      loopbackImport:
        `export default async () => { const n = "${server.url}" + "/health"; return Response.json((await import(n, { with: { type: "json" } })).default) }`,
    };
    const configuration: Record<string, string | Uint8Array> = {
      "package.json": JSON.stringify({ dependencies: { stolen: `file:${server.dataDir}` }, type: "module" }),
      "deno.json": JSON.stringify({
        imports: { "stolen-map": `file://${key}` },
        permissions: { default: { read: true, env: true, run: true } },
        tasks: { start: "cat /etc/passwd" },
        nodeModulesDir: "manual",
        lock: "/tmp/hostile.lock",
        unstable: ["kv", "ffi", "raw-imports", "broadcast-channel"],
      }),
      ".npmrc": "registry=http://127.0.0.1:1/\n//127.0.0.1:1/:_authToken=${HOSTILE_CANARY}\n",
      ".env": "X=${HOSTILE_CANARY}\n",
      "node_modules/stolen/package.json": JSON.stringify({ name: "stolen", version: "1.0.0", main: "index.js" }),
      "node_modules/stolen/index.js": `module.exports = require("fs").readFileSync("/etc/passwd", "utf8")`,
    };
    for (const [path, content] of Object.entries(configuration)) {
      const saved = await server.api("PUT", `/api/files/${encodeURIComponent(path)}`, content, {
        "Content-Type": "text/plain",
      });
      arena.search(`upload ${path}`, JSON.stringify(saved.body));
    }
    const names = Object.keys(sources);
    await Promise.all(names.map(async (name) => {
      const path = `${name}.${name === "jsx" ? "tsx" : "ts"}`;
      const saved = await server.api("PUT", `/api/files/${path}`, sources[name], { "Content-Type": "text/plain" });
      // The complaint about an import must not quote what it would have read.
      arena.search(`problems of ${name}`, JSON.stringify(saved.body));
      const created = await server.api("POST", "/api/functions", { name, handler: path, route: `/${name}` });
      arena.search(`registering ${name}`, JSON.stringify(created.body));
    }));
    for (const name of names) {
      arena.count();
      const { status, body } = await arena.call(name);
      const harmless = ["typeOnly", "reference", "worker"].includes(name);
      if (status === 200 && !harmless) arena.gained(name, JSON.stringify(body));
    }
    // Another function's file through a link, or beside: its author's modules are not everybody's.
    await arena.attack(
      "beside",
      `export default async () => { const n = "./neighbour" + ".ts"; return Response.json((await import(n)).stolen) }`,
    );
    await arena.attack(
      "besideLink",
      `import { stolen } from "./linked_neighbour.ts"; export default () => new Response(stolen)`,
    );
    // Links cannot be uploaded, nor made through a path.
    for (
      const path of ["linked/x.ts", "../x.ts", "/etc/x", "a/../../x", "link.json", "..%2fx", "linked_neighbour.ts"]
    ) {
      arena.count();
      const { status, body } = await server.api("PUT", `/api/files/${encodeURIComponent(path)}`, "x", {
        "Content-Type": "text/plain",
      });
      if (status < 400 && path !== "..%2fx") arena.gained(`upload to ${path}`, String(status));
      arena.search(`upload to ${path}`, JSON.stringify(body));
      const read = await server.api("GET", `/api/files/${encodeURIComponent(path)}`);
      arena.search(`read of ${path}`, JSON.stringify(read.body));
    }
  }));

test("theft of secrets and keys of others", (withArena) =>
  withArena("theft of secrets", async (arena) => {
    const { server } = arena;
    const mine = await arena.plantHolder("mine");
    const theirs = await arena.plantHolder("theirs");
    const other = await arena.deploy("other", `export default (c) => c.text("ok")`);
    await createSecret(server, "THEIRS", arena.plant("other-function"), { scope: "function", functionId: other });
    const ask = `export default async (c, ctx) => {
      const got = {};
      for (const name of ["SECRET", "INNOCENT", "THEIRS", "innocent", "theirs", "mine", "STRIPE_KEY", "HIDDEN", "__proto__", "constructor",
        "SECRET\\0", "SECRET ", "secret", "%", "*", "' or 1=1 --", "", "a".repeat(100000), "${theirs.keyId} SECRET"]) {
        for (const scope of [undefined, "key", "group", "function", "global"]) {
          try { got[name + " " + scope] = await ctx.getSecret(name, scope) } catch (e) { got[name + " " + scope] = String(e).slice(0, 99) }
        }
        for (const scope of ["__proto__", "KEY", null, 0, {}, ["key"], { toString: () => "key" }]) {
          try { got["odd " + name] = await ctx.getSecret(name, scope) } catch {}
        }
        try { got[name + " all"] = await ctx.getCompleteSecret(name) } catch {}
      }
      return Response.json(got);
    }`;
    // On a public route no key counts, not even a good one.
    const open = await arena.attack("public", ask, { key: theirs.key });
    assert.equal(open.status, 200);
    await arena.attack("publicQuery", ask, { query: `?api_key=${theirs.key}` });
    // With a key of its own: what that entitles to, and nothing of others. (Its own values are planted, too.)
    arena.count();
    await arena.deploy("keyed", ask, { fields: { keys: [mine.groupId] } });
    const { body } = await request("GET", `${server.url}/run/keyed`, undefined, { "X-API-Key": mine.key });
    const text = JSON.stringify(body);
    assert.match(text, /planted-mine-key-/, "the control: what it may have it gets");
    for (const [, label] of text.matchAll(/planted-([a-z-]+)-[0-9a-f]{32}/g)) {
      if (!label!.startsWith("mine-")) arena.gained("keyed", label!);
    }
    // Narrowed by patterns: the function's own secrets, but not by names that it does not declare.
    const narrow = await arena.deploy("narrow", ask, { fields: { secrets: ["STRIPE_*"] } });
    await createSecret(server, "STRIPE_KEY", "stripe-value-that-it-may-have", {
      scope: "function",
      functionId: narrow,
    });
    await createSecret(server, "HIDDEN", arena.plant("undeclared"), { scope: "function", functionId: narrow });
    await createSecret(server, "SECRET", arena.plant("undeclared-global"), { scope: "global" });
    arena.count();
    assert.match(JSON.stringify((await arena.call("narrow")).body), /stripe-value-that-it-may-have/);
    await arena.deploy("none", ask, { fields: { secrets: [] } });
    arena.count();
    await arena.call("none");

    // The callers' keys, wherever a caller can put one.
    const echo =
      `export default async (c) => Response.json([c.req.url, c.req.raw.url, [...c.req.raw.headers], c.req.query(),
      c.req.queries(), c.req.header(), c.env, await c.req.text()])`;
    await arena.deploy("echo", echo);
    await arena.deploy("echoKeyed", echo, { fields: { keys: [theirs.groupId] } });
    const basic = (name: string) => `Basic ${btoa(`${name}:${theirs.key}`)}`;
    const places: [string, Record<string, string>, string?][] = [
      ["X-API-Key", { "X-API-Key": theirs.key }],
      ["x-api-key, padded", { "x-api-key": `  ${theirs.key}  ` }],
      ["Bearer", { Authorization: `Bearer ${theirs.key}` }],
      ["bearer, spaced", { Authorization: `bearer    ${theirs.key}` }],
      ["Basic", { Authorization: basic("user") }],
      ["Basic without a name", { Authorization: basic("") }],
      ["plain", { Authorization: theirs.key }],
      ["query", {}, `?api_key=${theirs.key}`],
      ["query, encoded", {}, `?%61pi_key=${theirs.key}&a=1`],
      ["query, twice", {}, `?api_key=${theirs.key}&api_key=${theirs.key}`],
      ["all at once", { "X-API-Key": theirs.key, Authorization: `Bearer ${theirs.key}` }, `?api_key=${theirs.key}`],
      // A page opened with ?api_key= names its own address to every function it then calls.
      ["Referer", { "X-API-Key": theirs.key, Referer: `${server.url}/run/page?a=1&api_key=${theirs.key}` }],
    ];
    for (const name of ["echo", "echoKeyed"]) {
      for (const [place, headers, query = ""] of places) {
        arena.count();
        const answer = await request("GET", `${server.url}/run/${name}${query}`, undefined, headers);
        assert.equal(answer.status, 200, `${name}, ${place}: ${JSON.stringify(answer.body)}`);
        arena.search(`${name}: key in ${place}`, JSON.stringify(answer.body));
      }
    }
  }));

/** Ways to reach `H`, a host as URLs write it, `B` without brackets, at `T.port`. */
const CLIENTS: Record<string, string> = {
  fetch: `return await (await fetch("http://" + H + ":" + T.port + "/health")).text()`,
  connect: `using k = await Deno.connect({ hostname: B, port: T.port }); return k.remoteAddr`,
  tls:
    `using k = await Deno.connectTls({ hostname: B, port: T.port, unsafelyIgnoreCertificateErrors: [B] }); await k.handshake(); return 1`,
  node: `const net = await import("node:net"); return await new Promise((y, n) => {
    const s = net.connect({ host: B, port: T.port }, () => { y("connected"); s.destroy() }); s.on("error", n) })`,
  http: `const http = await import("node:http"); return await new Promise((y, n) =>
    http.get({ host: B, port: T.port, path: "/health", agent: false }, (r) => { r.resume(); y(r.statusCode) }).on("error", n))`,
  https: `const https = await import("node:https"); return await new Promise((y, n) =>
    https.get({ host: B, port: T.port, rejectUnauthorized: false }, (r) => { r.resume(); y(r.statusCode) }).on("error", n))`,
  http2: `const h2 = await import("node:http2"); return await new Promise((y, n) => {
    const s = h2.connect("http://" + H + ":" + T.port); s.on("connect", () => { y("connected"); s.destroy() }); s.on("error", n) })`,
  webSocket: `return await new Promise((y, n) => { const w = new WebSocket("ws://" + H + ":" + T.port + "/");
    w.onopen = () => y("open"); w.onerror = (e) => n(e.message) })`,
  eventSource:
    `return await new Promise((y, n) => { const s = new EventSource("http://" + H + ":" + T.port + "/health");
    s.onopen = () => { s.close(); y("open") }; s.onerror = () => { s.close(); n("closed") } })`,
  proxy: `using client = Deno.createHttpClient({ proxy: { url: "http://" + H + ":" + T.port } });
    return (await fetch("http://192.0.2.99/health", { client })).status`,
  socks: `using client = Deno.createHttpClient({ proxy: { url: "socks5://" + H + ":" + T.port } });
    return (await fetch("http://192.0.2.99/health", { client })).status`,
  tcpProxy: `using client = Deno.createHttpClient({ proxy: { transport: "tcp", hostname: B, port: T.port } });
    return (await fetch("http://192.0.2.99/health", { client })).status`,
};
const LOOPBACK = [
  ...["127.0.0.1", "127.0.0.2", "127.1", "0x7f000001", "2130706433", "017700000001", "127.0.0.1.", "0.0.0.0", "0"],
  ...["localhost", "LOCALHOST", "localhost.", "a.localhost", "ip6-localhost"],
  ...[
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::ffff:0.0.0.0]",
    "[::127.0.0.1]",
  ],
];

function exists(path: string): boolean {
  try {
    return Deno.lstatSync(path) !== undefined;
  } catch {
    return false;
  }
}

test("theft by way of the network: this machine's services, this server, listening", (withArena) =>
  withArena("theft through the network", async (arena) => {
    const { server } = arena;
    const port = Number(new URL(server.url).port);
    const addresses = Deno.networkInterfaces().filter(({ address }) => !/^(127\.|::1$)/.test(address));
    const own = addresses.map(({ address, family }) => family === "IPv6" ? `[${address}]` : address);
    const mapped = addresses.filter(({ family }) => family === "IPv4").map(({ address }) => `[::ffff:${address}]`);
    const zoned = addresses.filter(({ address }) => address.startsWith("fe80")).map(({ address, name }) =>
      `[${address}%${name}]`
    );
    const hosts = [...LOOPBACK, Deno.hostname(), ...own, ...mapped, ...zoned];

    let reached: string[] = [];
    const planted = arena.plant("local-service");
    const answer = `HTTP/1.1 200 OK\r\nContent-Length: ${planted.length}\r\n\r\n${planted}`;
    // Reached by a connection already: a client that speaks TLS or SOCKS would get no answer from it.
    const open = new Set<Socket>();
    const local = createServer((socket) => {
      open.add(socket);
      reached.push("a connection");
      socket.on("error", () => {});
      socket.once("data", () => socket.end(answer));
    });
    const abstract = createServer((socket) => {
      open.add(socket);
      reached.push("a connection to an abstract socket");
      socket.on("error", () => {});
      socket.end(answer);
    });
    const abstractName = `\0hostile-${crypto.randomUUID()}`;
    await new Promise<void>((resolve) => local.listen(0, "127.0.0.1", resolve));
    await new Promise<void>((resolve) => abstract.listen(abstractName, resolve));
    const localPort = (local.address() as { port: number }).port;
    try {
      const at = (hosts: string[]) => {
        const attempts: Record<string, string> = {};
        for (const host of hosts) {
          for (const [way, code] of Object.entries(CLIENTS)) {
            const known = `const H = ${JSON.stringify(host)}, B = H.replace(/[\\[\\]]/g, "");`;
            attempts[`${host} ${way}`] = `${known} ${code}`;
          }
        }
        return attempts;
      };
      // This server's own port under every address and name of the machine; and a service on loopback.
      await arena.attempts("own", at(hosts), { targets: { port }, atOnce: true, eachMs: 1_000 });
      const control = await arena.control(at(LOOPBACK), { targets: { port: localPort }, atOnce: true, eachMs: 2_500 });
      for (const way of Object.keys(CLIENTS)) {
        const worked = "got" in control[`127.0.0.1 ${way}`]!;
        const needsMore = ["tls", "https", "webSocket", "eventSource", "http2", "socks"].includes(way);
        assert.ok(worked || needsMore, `${way}: ${JSON.stringify(control[`127.0.0.1 ${way}`])}`);
      }
      for (const host of ["127.1", "0x7f000001", "2130706433", "localhost", "0.0.0.0", "[::ffff:7f00:1]"]) {
        assert.ok("got" in control[`${host} fetch`]!, `${host}: ${JSON.stringify(control[`${host} fetch`])}`);
      }
      assert.ok(reached.length > 0);
      reached = [];
      await arena.attempts("local", at(LOOPBACK), { targets: { port: localPort }, atOnce: true, eachMs: 1_000 });
      if (reached.length > 0) arena.gained("local", `${reached.length} connections to a loopback service`);
      reached = [];

      // Hosts that it names open themselves, and not this server, nor what a redirect leads to.
      using redirecting = Object.assign(
        Deno.serve(
          { port: 0, hostname: "127.0.0.1", onListen() {} },
          () => Response.redirect(`http://127.0.0.1:${localPort}/`),
        ),
        { [Symbol.dispose]() {} },
      );
      const named = `127.0.0.1:${(redirecting.addr as Deno.NetAddr).port}`;
      await arena.attempts("redirect", {
        redirect: `return await (await fetch("http://${named}/")).text()`,
        follow:
          `const r = await fetch("http://${named}/", { redirect: "manual" }); return await (await fetch(r.headers.get("location"))).text()`,
        other: `return await (await fetch("http://127.0.0.1:${localPort}/")).text()`,
      }, { fields: { permissions: { net: [named] } } });
      await redirecting.shutdown();
      for (
        const [name, net] of Object.entries({ a: ["127.0.0.1"], b: ["localhost"], c: ["127.0.0.2"], d: ["0.0.0.0"] })
      ) {
        await arena.attempts(
          `selfish-${name}`,
          at(["127.0.0.1", "127.0.0.2", "localhost", "localhost.", "0.0.0.0", "[::ffff:7f00:1]"]),
          {
            targets: { port },
            atOnce: true,
            fields: { permissions: { net } },
          },
        );
      }
      // The operator's list stands above what a function names.
      const put = (denied: string[]) =>
        server.api("PUT", "/api/settings", { settings: { "sandbox.net.deny": denied } });
      assert.equal((await put(["127.0.0.0/8", "denied.example"])).status, 200);
      await arena.attempts(
        "denied",
        at(["127.0.0.1", "127.1", "localhost", "[::ffff:7f00:1]", "denied.example", "DENIED.example."]),
        {
          targets: { port: localPort },
          atOnce: true,
          fields: { permissions: { net: ["127.0.0.1", "localhost", "denied.example"] } },
        },
      );
      assert.equal((await put([])).status, 200);
      if (reached.length > 0) arena.gained("named hosts", `${reached.length} connections to a loopback service`);
      reached = [];

      // Without the network: not even a name is looked up.
      await arena.attempts("offline", {
        resolve: `return await Deno.resolveDns("stolen.example.com", "A")`,
        resolveAt:
          `return await Deno.resolveDns("stolen.example.com", "A", { nameServer: { ipAddr: "127.0.0.1", port: ${localPort} } })`,
        lookup: `return await (await import("node:dns/promises")).lookup("localhost")`,
        lookupService: `return await (await import("node:dns/promises")).lookupService("127.0.0.1", 22)`,
        reverse: `return await (await import("node:dns/promises")).reverse("127.0.0.1")`,
        fetch: `return (await fetch("http://stolen.example.com/")).status`,
        abstract: `using k = await Deno.connect({ transport: "unix", path: T.name }); return 1`,
        abstractListen: `using l = Deno.listen({ transport: "unix", path: T.name + "x" }); return 1`,
      }, { targets: { name: abstractName }, fields: { permissions: { net: false } }, atOnce: true });

      const unix = (way: string) =>
        ({
          deno: `using k = await Deno.connect({ transport: "unix", path: P }); return "connected"`,
          node:
            `const net = await import("node:net"); return await new Promise((y, n) => { const s = net.connect(P, () => { y("connected"); s.destroy() }); s.on("error", n) })`,
          http:
            `const http = await import("node:http"); return await new Promise((y, n) => http.get({ socketPath: P }, (r) => { r.resume(); y(r.statusCode) }).on("error", n))`,
          proxy:
            `using client = Deno.createHttpClient({ proxy: { transport: "unix", path: P } }); return (await fetch("http://192.0.2.99/", { client })).status`,
        })[way]!;
      const sockets: Record<string, string> = {};
      for (const path of [abstractName, "/run/docker.sock", "/run/dbus/system_bus_socket"]) {
        for (const way of ["deno", "node", "http", "proxy"]) {
          sockets[`${JSON.stringify(path)} ${way}`] = `const P = ${JSON.stringify(path)}; ${unix(way)}`;
        }
      }
      const socketsControl = await arena.control(sockets);
      assert.ok("got" in socketsControl[`${JSON.stringify(abstractName)} deno`]!);
      reached = [];
      await arena.attempts("sockets", sockets);
      if (reached.length > 0) arena.gained("sockets", reached.join());

      // Listening: on any address, in any way.
      const listening: Record<string, string> = {};
      for (
        const host of [
          "0.0.0.0",
          "127.0.0.1",
          "localhost",
          "::",
          "::1",
          ...[...own, ...mapped, ...zoned].map((h) => h.replace(/[\[\]]/g, "")),
        ]
      ) {
        const known = `const B = ${JSON.stringify(host)};`;
        Object.assign(listening, {
          [`${host} listen`]: `${known} using l = Deno.listen({ hostname: B, port: 0 }); return l.addr`,
          [`${host} serve`]:
            `${known} const s = Deno.serve({ hostname: B, port: 0, onListen() {} }, () => new Response()); s.shutdown(); return s.addr`,
          [`${host} node`]: `${known} const net = await import("node:net"); return await new Promise((y, n) => {
            const s = net.createServer(); s.on("error", n); s.listen(0, B, () => { y(s.address()); s.close() }) })`,
          [`${host} http`]: `${known} const http = await import("node:http"); return await new Promise((y, n) => {
            const s = http.createServer(); s.on("error", n); s.listen(0, B, () => { y(s.address()); s.close() }) })`,
          [`${host} udp`]:
            `${known} const { createSocket } = await import("node:dgram"); return await new Promise((y, n) => {
            const s = createSocket(B.includes(":") ? "udp6" : "udp4"); s.on("error", n); s.bind(0, B, () => { y(s.address()); s.close() }) })`,
        });
      }
      listening.nodeAnywhere = `const net = await import("node:net"); return await new Promise((y, n) => {
        const s = net.createServer(); s.on("error", n); s.listen(0, () => { y(s.address()); s.close() }) })`;
      listening.udpSend = `const { createSocket } = await import("node:dgram"); return await new Promise((y, n) => {
        const s = createSocket("udp4"); s.on("error", n); s.send("x", ${localPort}, "127.0.0.1", (e) => e ? n(e) : y("sent")) })`;
      listening.unixFile =
        `using l = Deno.listen({ transport: "unix", path: "/tmp/hostile-" + crypto.randomUUID() }); return l.addr`;
      const listened = await arena.control(listening, { atOnce: true });
      assert.ok("got" in listened["127.0.0.1 listen"]! && "got" in listened["0.0.0.0 node"]!);
      await arena.attempts("listener", listening, { atOnce: true, eachMs: 500 });
      await arena.attempts("namedListener", listening, {
        atOnce: true,
        eachMs: 500,
        fields: { permissions: { net: ["example.com", "192.0.2.50:443"] } },
      });
    } finally {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => local.close(resolve));
      await new Promise((resolve) => abstract.close(resolve));
    }
  }, { env: { HOST: "0.0.0.0" } }));
