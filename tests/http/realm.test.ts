// What a handler finds around it: environment, facts of the system, files, standard streams, and what refusals say.

import assert from "node:assert/strict";
import { type Answer, type Server, startServer } from "./server.ts";
import { deploy, type FunctionOptions, run } from "./handlers.ts";
import { kept } from "./tail.ts";

/** Deploys a handler with the lines of `body`, which returns something for JSON, and `head` before it. */
async function deployJson(
  server: Server,
  name: string,
  head: string,
  body: string,
  options: FunctionOptions = {},
): Promise<void> {
  await deploy(
    server,
    name,
    `${head}\nexport default async (c, ctx) => {\n${body}\n};`,
    options,
  );
}

/** Calls a function that has to answer with 200; its body. */
// deno-lint-ignore no-explicit-any
async function answer(server: Server, path: string): Promise<any> {
  const called: Answer = await run(server, path);
  assert.equal(
    called.status,
    200,
    `${path}: ${JSON.stringify(called.body)}\n${server.logs().slice(-2_000)}`,
  );
  return called.body;
}

const ENV_HEAD = `import process, { env as named } from "node:process";
import { createRequire } from "node:module";
const require = createRequire(import.meta.url);
const own = {
  get: (n) => Deno.env.get(n), set: (n, v) => Deno.env.set(n, v), has: (n) => Deno.env.has(n),
  delete: (n) => Deno.env.delete(n), all: () => Deno.env.toObject(),
};
const over = (env) => ({
  get: (n) => env[n], set: (n, v) => { env[n] = v; }, has: (n) => n in env,
  delete: (n) => delete env[n], all: () => ({ ...env }),
});
const ways = {
  global: over(globalThis.process.env),
  default: over(process.env),
  named: over(named),
  require: over(require("process").env),
  requireNode: over(require("node:process").env),
  builtin: over(globalThis.process.getBuiltinModule("process").env),
  deno: own,
};`;

const SYSTEM_HEAD = `import os, { cpus, freemem, homedir, hostname, loadavg, networkInterfaces, release, tmpdir,
  totalmem, uptime, userInfo, version, getPriority, machine, availableParallelism } from "node:os";
import * as osAll from "node:os";
import process, { geteuid, getegid, getuid, getgid, getgroups, umask, argv, execPath, ppid } from "node:process";
import { createRequire } from "node:module";
const require = createRequire(import.meta.url);`;

Deno.test("what a handler finds around it", async (t) => {
  await using server = await startServer({
    env: { HOST_ONLY: "of-the-host", HTTP_PROXY: "", TZ: "Asia/Tokyo" },
  });

  await t.step("every way to the environment leads to one object with NODE_ENV and HOME alone", async () => {
    await deployJson(
      server,
      "env",
      ENV_HEAD,
      `const got = { first: {}, seen: {} };
      for (const [name, way] of Object.entries(ways)) {
        got.first[name] = [way.all(), way.get("HOST_ONLY") ?? null, way.get("PATH") ?? null, way.has("HOST_ONLY"), way.has("HOME")];
      }
      for (const [writer, way] of Object.entries(ways)) {
        way.set("WRITTEN", writer);
        const seen = Object.values(ways).every((w) => w.get("WRITTEN") === writer && w.has("WRITTEN") &&
          w.all().WRITTEN === writer && Object.keys(w.all()).join() === "NODE_ENV,HOME,WRITTEN");
        way.delete("WRITTEN");
        const gone = Object.values(ways).every((w) => w.get("WRITTEN") === undefined && !w.has("WRITTEN") &&
          !("WRITTEN" in w.all()));
        got.seen[writer] = [seen, gone];
      }
      process.env.NUMBER = 5; process.env.NOTHING = undefined; process.env.NO = false;
      got.coerced = Deno.env.toObject();
      got.entries = Object.entries(named); got.json = JSON.stringify(process.env);
      got.own = [process.env.hasOwnProperty("HOME"), Object.hasOwn(named, "HOST_ONLY")];
      Object.assign(process.env, { FROM_ASSIGN: "a" }); Reflect.deleteProperty(named, "NUMBER");
      const { HOME, ...others } = process.env;
      got.others = others;
      for (const name of ["NUMBER", "NOTHING", "NO", "FROM_ASSIGN"]) delete process.env[name];
      got.refused = ["", "a=b"].map((name) => { try { Deno.env.set(name, "x"); return "set"; } catch (e) { return e.name; } });
      return Response.json(got);`,
    );
    const { first, seen, coerced, entries, json, own, others, refused } = await answer(server, "/env");
    for (const [name, found] of Object.entries(first)) {
      assert.deepEqual(found, [
        { NODE_ENV: "production", HOME: "/" },
        null,
        null,
        false,
        true,
      ], name);
    }
    for (const [name, found] of Object.entries(seen)) {
      assert.deepEqual(found, [true, true], name);
    }
    const all = {
      NODE_ENV: "production",
      HOME: "/",
      NUMBER: "5",
      NOTHING: "undefined",
      NO: "false",
    };
    assert.deepEqual(coerced, all);
    assert.deepEqual(entries, Object.entries(all));
    assert.deepEqual(JSON.parse(json), all);
    assert.deepEqual(own, [true, false]);
    assert.deepEqual(others, {
      NODE_ENV: "production",
      NOTHING: "undefined",
      NO: "false",
      FROM_ASSIGN: "a",
    });
    assert.deepEqual(refused, ["TypeError", "TypeError"]);
  });

  await t.step("a variable that Deno obeys elsewhere changes nothing outside of the object", async () => {
    const asked: string[] = [];
    await using proxy = Deno.serve({
      port: 0,
      hostname: "127.0.0.1",
      onListen() {},
    }, (request) => {
      asked.push(new URL(request.url).pathname);
      return new Response("by the proxy");
    });
    const address = `127.0.0.1:${(proxy.addr as Deno.NetAddr).port}`;
    await deployJson(
      server,
      "proxied",
      ENV_HEAD,
      `const before = [new Date(0).getHours(), Intl.DateTimeFormat().resolvedOptions().timeZone];
      for (const way of Object.values(ways)) {
        for (const name of ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"]) {
          way.set(name, "http://${address}");
        }
        way.set("NO_PROXY", ""); way.set("DENO_DIR", "/tmp"); way.set("DENO_TLS_CA_STORE", "system");
        way.set("NPM_CONFIG_REGISTRY", "http://${address}/npm/"); way.set("JSR_URL", "http://${address}/jsr/");
        way.set("NODE_EXTRA_CA_CERTS", "/x"); way.set("DENO_CERT", "/x"); way.set("TZ", "America/New_York");
      }
      const fetched = await fetch("http://192.0.2.1:9/", { signal: AbortSignal.timeout(300) }).then((r) => r.text(), (e) => e.name);
      const direct = await fetch("http://${address}/direct").then((r) => r.text(), String);
      const imported = await import("npm:left" + "-pad@1.3.0").then(() => "imported", () => "refused");
      return Response.json({ fetched, direct, imported,
        same: JSON.stringify(before) === JSON.stringify([new Date(0).getHours(), Intl.DateTimeFormat().resolvedOptions().timeZone]) });`,
      { permissions: { net: ["192.0.2.1", address] } },
    );
    const { fetched, direct, imported, same } = await answer(
      server,
      "/proxied",
    );
    assert.notEqual(fetched, "by the proxy");
    // The listener works, and only what was sent to it itself arrived.
    assert.equal(direct, "by the proxy");
    assert.equal(imported, "refused");
    assert.deepEqual(asked, ["/direct"]);
    assert.equal(same, true);
  });

  await t.step("facts of the system are constants, by every way to them", async () => {
    await deployJson(
      server,
      "system",
      SYSTEM_HEAD,
      `const of = (m) => ({ hostname: m.hostname(), homedir: m.homedir(), tmpdir: m.tmpdir(), release: m.release(),
          version: m.version(), cpus: m.cpus(), loadavg: m.loadavg(), total: m.totalmem(), free: m.freemem(),
          interfaces: m.networkInterfaces(), user: m.userInfo(), priority: m.getPriority(), parallel: m.availableParallelism(),
          up: m.uptime() < 100, type: m.type(), platform: m.platform() });
      const named = { hostname, homedir, tmpdir, release, version, cpus, loadavg, totalmem, freemem, networkInterfaces,
        userInfo, getPriority, availableParallelism, uptime, type: os.type, platform: os.platform };
      const ids = (p) => ({ uid: p.getuid(), euid: p.geteuid(), gid: p.getgid(), egid: p.getegid(), groups: p.getgroups(),
        umask: p.umask(), ppid: p.ppid, execPath: p.execPath, title: p.title, argv: p.argv, cwd: p.cwd() });
      const rest = [process.resourceUsage(), process.memoryUsage(), process.cpuUsage()].map((x) => typeof x);
      return Response.json({
        os: [of(os), of(osAll), of(named), of(require("os")), of(require("node:os")), of(process.getBuiltinModule("os")),
          of(await import("node:os"))],
        process: [ids(process), ids(globalThis.process), ids(require("process")),
          ids({ ...process, getuid, geteuid, getgid, getegid, getgroups, umask, ppid, execPath, argv, title: process.title, cwd: process.cwd })],
        deno: [Deno.hostname(), Deno.osRelease(), Deno.loadavg(), Deno.systemMemoryInfo().total, Deno.networkInterfaces().length,
          Deno.uid(), Deno.gid(), Deno.umask(), Deno.cwd(), Deno.execPath(), Deno.ppid, Deno.args, Deno.osUptime() < 100, navigator.hardwareConcurrency],
        rest, report: typeof process.report.getReport(), memory: [process.availableMemory(), process.constrainedMemory()],
        machine: machine(), same: os.cpus === cpus && require("os").cpus === cpus && osAll.default === os,
      });`,
    );
    const got = await answer(server, "/system");
    const MB = 1 << 20;
    const expected = {
      hostname: "localhost",
      homedir: "/",
      tmpdir: "/tmp",
      release: "6.1.0",
      version: "6.1.0",
      cpus: [{
        model: "cpu",
        speed: 0,
        times: { user: 0, nice: 0, sys: 0, idle: 0, irq: 0 },
      }],
      loadavg: [0, 0, 0],
      total: 128 * MB,
      free: 64 * MB,
      user: {
        uid: 1000,
        gid: 1000,
        username: "handler",
        homedir: "/",
        shell: null,
      },
      priority: 0,
      parallel: 1,
      up: true,
    };
    for (const [index, facts] of got.os.entries()) {
      const { interfaces, type, platform, ...others } = facts;
      assert.deepEqual(others, expected, `way ${index}`);
      assert.deepEqual(Object.keys(interfaces), ["lo"]);
      assert.deepEqual(
        [type, platform],
        got.os[0].type ? [got.os[0].type, got.os[0].platform] : [],
      );
    }
    for (const [index, facts] of got.process.entries()) {
      const { argv, title, ...ids } = facts;
      assert.deepEqual(ids, {
        uid: 1000,
        euid: 1000,
        gid: 1000,
        egid: 1000,
        groups: [1000],
        umask: 0o022,
        ppid: 1,
        execPath: "/usr/bin/deno",
        cwd: "/",
      }, `way ${index}`);
      assert.equal(title, "/usr/bin/deno");
      assert.equal(argv.length, 2);
    }
    assert.deepEqual(got.deno, [
      "localhost",
      "6.1.0",
      [0, 0, 0],
      128 * MB,
      1,
      1000,
      1000,
      0o022,
      "/",
      "/usr/bin/deno",
      1,
      [],
      true,
      1,
    ]);
    assert.deepEqual(got.rest, ["object", "object", "object"]);
    assert.deepEqual([got.report, got.memory, got.same], ["object", [
      64 * MB,
      128 * MB,
    ], true]);
    assert.ok(
      !JSON.stringify(got).includes(Deno.hostname()) ||
        Deno.hostname() === "localhost",
    );
  });

  await t.step("a file that may not be read is one that is not there, whether it is or not", async () => {
    await deployJson(
      server,
      "files",
      `import fs, { existsSync, statSync, promises } from "node:fs"; import * as fsp from "node:fs/promises";`,
      `const shown = (e) => [e.name, e.code, e.errno, e.syscall, e.path && "path"];
      const tried = async (f) => { try { return ["got", await f()]; } catch (e) { return shown(e); } };
      const back = (f) => new Promise((resolve, reject) => f((e, v) => e ? reject(e) : resolve(v)));
      const of = async (P) => Object.fromEntries(await Promise.all(Object.entries({
        exists: () => existsSync(P), access: () => fs.accessSync(P), stat: () => statSync(P),
        statQuiet: () => fs.statSync(P, { throwIfNoEntry: false }) ?? null, lstat: () => fs.lstatSync(P),
        readFile: () => fs.readFileSync(P, "utf8"), open: () => fs.openSync(P, "r"), readdir: () => fs.readdirSync(P),
        realpath: () => fs.realpathSync(P), readlink: () => fs.readlinkSync(P), opendir: () => fs.opendirSync(P),
        promiseRead: () => promises.readFile(P), promiseStat: () => fsp.stat(P), promiseAccess: () => fsp.access(P),
        backRead: () => back((cb) => fs.readFile(P, cb)), backAccess: () => back((cb) => fs.access(P, cb)),
        backExists: () => new Promise((r) => fs.exists(P, r)),
        stream: async () => { for await (const piece of fs.createReadStream(P)) return piece; },
        denoStat: () => Deno.stat(P), denoRead: () => Deno.readTextFile(P), denoOpen: () => Deno.openSync(P), denoDir: () => Array.fromAsync(Deno.readDir(P)),
      }).map(async ([name, f]) => [name, await tried(f)])));
      const there = await of(ctx.query.there), missing = await of(ctx.query.missing);
      const own = [existsSync(import.meta.filename), fs.readFileSync(new URL(import.meta.url), "utf8").length > 100, existsSync(import.meta.dirname + "/x")];
      return Response.json({ there, missing, own });`,
    );
    const there = `${server.dataDir}/database.db`;
    const { own, ...got } = await answer(
      server,
      `/files?there=${encodeURIComponent(there)}&missing=${encodeURIComponent("/no/such/file")}`,
    );
    assert.deepEqual(got.there, got.missing);
    assert.deepEqual(own, [true, true, false]);
    const { exists, statQuiet, backExists, ...others } = got.there;
    assert.deepEqual([exists, statQuiet, backExists], [["got", false], [
      "got",
      null,
    ], ["got", false]]);
    for (
      const [name, [, code, errno, syscall]] of Object.entries<unknown[]>(
        others,
      )
    ) {
      assert.equal(code, "ENOENT", name);
      if (!name.startsWith("deno")) {
        assert.ok(
          errno === -2 && typeof syscall === "string",
          `${name} ${errno} ${syscall}`,
        );
      }
    }
  });

  await t.step("the file system is read-only", async () => {
    await deployJson(
      server,
      "writes",
      `import fs from "node:fs";`,
      `const P = "/tmp/hello", own = import.meta.filename, got = {};
      const tries = { writeFile: () => fs.writeFileSync(P, ""), append: () => fs.appendFileSync(P, ""), mkdir: () => fs.mkdirSync(P),
        mkdirAll: () => fs.mkdirSync(P + "/x", { recursive: true }), temporary: () => fs.mkdtempSync(P), unlink: () => fs.unlinkSync(own),
        rename: () => fs.renameSync(own, P), chmod: () => fs.chmodSync(own, 0o777), utimes: () => fs.utimesSync(own, 1, 1),
        truncate: () => fs.truncateSync(own), promise: () => fs.promises.writeFile(P, ""), callback: () => new Promise((_, no) => fs.writeFile(P, "", no)),
        stream: () => new Promise((_, no) => fs.createWriteStream(P).on("error", no)),
        symlink: () => fs.symlinkSync(own, P), deno: () => Deno.writeTextFile(P, ""), denoTemp: () => Deno.makeTempFile(), denoMkdir: () => Deno.mkdirSync(P) };
      for (const [name, f] of Object.entries(tries)) got[name] = await (async () => f())().then(() => ["done"], (e) => [e.code, e.message]);
      return Response.json(got);`,
    );
    for (
      const [name, [code, message]] of Object.entries<string[]>(
        await answer(server, "/writes"),
      )
    ) {
      assert.equal(code, "EROFS", name);
      assert.match(
        message!,
        /^A handler cannot write files|^EROFS: read-only file system, /,
        name,
      );
    }
  });

  await t.step("what is written to standard output and error is in the log, line by line, with its call", async () => {
    await deployJson(
      server,
      "streams",
      `import fs, { writeSync } from "node:fs"; import process, { stdout } from "node:process"; import { promisify } from "node:util";
import consoleOfNode, { log } from "node:console";`,
      `const text = (s) => new TextEncoder().encode(s);
      process.stdout.write("one\\ntwo\\n"); process.stdout.write("be"); process.stdout.write("gun\\r\\n");
      await new Promise((done) => process.stdout.write("back\\n", done));
      process.stdout.write("6d6f72650a", "hex"); process.stdout.write(text("bytes\\n")); stdout.write("named\\n");
      process.stderr.write("wrong\\n");
      Deno.stdout.writeSync(text("deno sync\\n")); await Deno.stdout.write(text("deno\\n")); Deno.stderr.writeSync(text("deno wrong\\n"));
      const writer = Deno.stdout.writable.getWriter(); await writer.write(text("web\\n")); writer.releaseLock();
      writeSync(1, "fs sync\\n"); fs.writeSync(2, Buffer.from("xxfs wrong\\nyy"), 2, 9);
      await new Promise((done, no) => fs.write(1, "fs\\n", (e) => e ? no(e) : done()));
      const { bytesWritten } = await promisify(fs.write)(1, Buffer.from("promised\\n"));
      fs.writevSync(1, [text("vec"), text("tor\\n")]);
      consoleOfNode.log("node console"); log("named log"); new console.Console(process.stdout).log("own console");
      process._rawDebug("raw", 1); process.emitWarning("be warned");
      await new Promise((done) => setTimeout(done, 1));
      process.stdout.write("euro "); process.stdout.write(new Uint8Array([0xe2, 0x82])); process.stdout.write(new Uint8Array([0xac, 10]));
      process.stdout.write("unfinished");
      return Response.json([process.stdout.isTTY ?? false, process.stdout.columns ?? 0, bytesWritten, Deno.stdout.isTerminal()]);`,
    );
    const called = await run(server, "/streams");
    assert.deepEqual(called.body, [false, 0, 9, false]);
    const entries = await kept(
      server,
      `?requestId=${called.headers.get("x-request-id")}`,
    );
    const printed = entries.filter(({ event }) => event === "print").map((
      { level, message },
    ) => `${level} ${message}`);
    assert.deepEqual(printed.filter((line) => !line.includes("be warned")), [
      ...["one", "two", "begun", "back", "more", "bytes", "named"].map((
        line,
      ) => `info ${line}`),
      "error wrong",
      ...["deno sync", "deno"].map((line) => `info ${line}`),
      "error deno wrong",
      ...["web", "fs sync"].map((line) => `info ${line}`),
      "error fs wrong",
      ...[
        "fs",
        "promised",
        "vector",
        "node console",
        "named log",
        "own console",
      ].map((line) => `info ${line}`),
      "error raw 1",
      "info euro €",
      "info unfinished",
    ]);
    assert.equal(
      printed.filter((line) => line.includes("Warning: be warned")).length,
      1,
    );
  });

  await t.step("the whole console prints to the log", async () => {
    await deployJson(
      server,
      "consoles",
      "",
      `console.count(); console.count("x"); console.count(); console.countReset(); console.count();
      console.time("t"); console.timeLog("t", "so far"); console.timeEnd("t");
      console.group("outer"); console.log("in\\nside"); console.groupCollapsed("inner"); console.warn("deep"); console.groupEnd(); console.groupEnd();
      console.log("out %s %d", "side", 5); console.dirxml({ a: 1 }); console.table([{ a: 1 }]); console.error(new Error("shown").message);
      return Response.json(1);`,
    );
    const called = await run(server, "/consoles");
    const entries = await kept(
      server,
      `?requestId=${called.headers.get("x-request-id")}`,
    );
    const printed = entries.filter(({ event }) => event === "print")
      .map(({ level, message }) => `${level} ${message.replace(/[\d.]+m?s/, "N ms")}`);
    assert.deepEqual(printed, [
      ...[
        "default: 1",
        "x: 1",
        "default: 2",
        "default: 1",
        "t: N ms so far",
        "t: N ms",
      ].map((line) => `info ${line}`),
      "info outer",
      "info   in\n  side",
      "info   inner",
      "warn     deep",
      "info out side 5",
      "info { a: 1 }",
      "info ┌─────────┬───┐\n│ (index) │ a │\n├─────────┼───┤\n│ 0       │ 1 │\n└─────────┴───┘",
      "error shown",
    ]);
  });

  await t.step("unfinished lines of several calls are not mixed, and are kept without an end", async () => {
    await deployJson(
      server,
      "mixed",
      `let waiting; `,
      `if (ctx.query.n === "a") { process.stdout.write("a begins"); await new Promise((done) => waiting = done); process.stdout.write("a ends\\n"); }
      else { while (!waiting) await new Promise((done) => setTimeout(done, 5)); process.stdout.write("b alone\\n"); waiting(); }
      return Response.json(1);`,
    );
    const calls = await Promise.all([
      run(server, "/mixed?n=a"),
      run(server, "/mixed?n=b"),
    ]);
    const of = async (index: number) =>
      (await kept(
        server,
        `?requestId=${calls[index]!.headers.get("x-request-id")}`,
      ))
        .filter(({ event }) => event === "print").map(({ message }) => message).join("|");
    assert.match(await of(0), /^a begins\|?a ends$/);
    assert.equal(await of(1), "b alone");
  });

  await t.step("a refusal is said in this program's terms, to the handler and in the log", async () => {
    await deployJson(
      server,
      "refusals",
      `import net from "node:net"; import cp from "node:child_process";`,
      `const tries = {
        net: () => Deno.connect({ hostname: "192.0.2.1", port: 9 }), fetch: () => fetch("http://192.0.2.1:9999/"),
        nodeNet: () => new Promise((_, no) => net.connect(9, "192.0.2.1").on("error", no)), own: () => fetch("${server.url}/health"),
        run: () => new Deno.Command("/bin/ls").output(), nodeRun: () => cp.execSync("ls"), runByName: () => new Deno.Command("ls").output(), ffi: () => Deno.dlopen("libc.so.6", {}),
        write: () => Deno.writeTextFileSync("/tmp/x", ""), link: () => Deno.symlinkSync("/tmp/x", "/tmp/y"), sys: () => (process.binding, Deno.kill(1, "SIGTERM")),
        import: () => import("https://esm.example.com" + "/x.js"), listen: () => Deno.listen({ port: 0 }), worker: () => new Worker("data:text/javascript,"),
        cause: () => Deno.dlopen("x", {}) };
      const got = {};
      for (const [name, f] of Object.entries(tries)) {
        if (ctx.query.throw === name) await f();
        got[name] = await (async () => f())().then(() => "done", (e) => e.message + "\\n" + e.stack);
      }
      return Response.json(got);`,
      { permissions: { net: ["api.example.com"] } },
    );
    const got = await answer(server, "/refusals");
    const own = new URL(server.url).host;
    for (
      const [name, expected] of Object.entries({
        net: /^This function may not connect to "192\.0\.2\.1:9"; permissions\.net/,
        fetch: /^This function may not connect to "192\.0\.2\.1:9999"; permissions\.net/,
        nodeNet: /This function may not connect to "192\.0\.2\.1:9"; permissions\.net/,
        own: new RegExp(
          `^This function may not connect to "${own}"; permissions\\.net`,
        ),
        run: /^A handler cannot run programs: "\/bin\/ls"/,
        nodeRun: /A handler cannot run programs/,
        ffi: /^A handler cannot load native libraries: "libc\.so\.6"/,
        write: /^A handler cannot write files: "\/tmp\/x"/,
        link: /^A handler cannot write files/,
        sys: /^A handler cannot run programs/,
        import: /esm\.example\.com/,
        listen: /^(A handler|Permission denied: a handler) cannot listen/,
        worker: /^A handler cannot start workers/,
      })
    ) assert.match(got[name], expected, `${name}: ${got[name]}`);
    for (const [name, said] of Object.entries<string>(got)) {
      // The loader's own errors cannot be reached before the log.
      if (name !== "import" && name !== "runByName") {
        assert.doesNotMatch(said, /--allow|run again|os error|no path/, name);
      }
    }
    for (const name of Object.keys(got)) {
      const { status, headers } = await run(
        server,
        `/refusals?throw=${name}`,
      );
      assert.equal(status, 500, name);
      const entries = await kept(
        server,
        `?requestId=${headers.get("x-request-id")}&level=error`,
      );
      assert.ok(entries.length > 0, name);
      const log = entries.map(({ message }) => message).join();
      assert.doesNotMatch(log, /--allow|run again|os error|no path/, name);
      if (name === "import") {
        assert.match(log, /Modules of "esm\.example\.com:443" may not be imported.*sandbox\.import-hosts/);
      }
    }
  });

  await t.step("names are looked up as far as the list goes; anything else fails at once", async () => {
    const head = `import dns, { lookup, promises } from "node:dns"; import * as dnsPromises from "node:dns/promises";
import dgram from "node:dgram"; import net from "node:net"; import http from "node:http"; import { promisify } from "node:util";
const back = (f) => new Promise((resolve, reject) => f((error, ...values) => error ? reject(error) : resolve(values)));
const socket = (f) => new Promise((resolve, reject) => f(dgram.createSocket("udp4").on("error", reject), (e) => e ? reject(e) : resolve("sent"), resolve));
const tries = (host) => ({
  lookup: () => back((cb) => lookup(host, cb)), lookupAll: () => back((cb) => dns.lookup(host, { all: true, family: 4 }, cb)),
  lookupFamily: () => back((cb) => dns.lookup(host, 4, cb)), promise: () => promises.lookup(host),
  promiseNamed: () => dnsPromises.lookup(host, { family: 4 }), promisified: () => promisify(lookup)(host),
  resolve4: () => back((cb) => dns.resolve4(host, cb)), resolve: () => dnsPromises.resolve(host), ttl: () => promises.resolve4(host, { ttl: true }),
  resolver: () => back((cb) => new dns.Resolver().resolve4(host, cb)), resolverPromise: () => new promises.Resolver().resolve4(host),
});
const others = {
  srv: () => promises.resolveSrv("_mongodb._tcp.localhost"), txt: () => back((cb) => dns.resolveTxt("localhost", cb)), mx: () => back((cb) => dns.resolve("localhost", "MX", cb)),
  reverse: () => back((cb) => dns.reverse("192.0.2.1", cb)), send: () => socket((s, cb) => s.send("x", 9999, "192.0.2.1", cb)),
  bind: () => socket((s, _, done) => s.bind(0, done)), connect: () => socket((s, cb) => s.connect(9999, "192.0.2.1", cb)), sendQuietly: () => socket((s) => s.send("x", 9999, "192.0.2.1")),
  listen: () => new Promise((done, no) => net.createServer().on("error", no).listen(0, done)), serve: () => new Promise((done, no) => http.createServer().on("error", no).listen(0, done)),
};
const outcome = async (f) => {
  let timer;
  const late = new Promise((resolve) => timer = setTimeout(resolve, 5000, "HUNG"));
  try { return await Promise.race([(async () => f())(), late]); } catch (e) { return e.code ?? e.message; } finally { clearTimeout(timer); }
};
const all = async (tried) => Object.fromEntries(await Promise.all(Object.entries(tried).map(async ([name, f]) => [name, await outcome(f)])));`;
    const body =
      `return Response.json({ found: await all(tries("localhost")), missing: await all(tries("unlisted.invalid")),
        others: await all(others), servers: dns.getServers(), set: await outcome(() => new dns.Resolver().setServers(["192.0.2.1"]) ?? "set") });`;
    await deployJson(server, "listed", head, body, { permissions: { net: ["localhost:5432"] } });
    await deployJson(server, "open", head, body);
    await deployJson(server, "shut", head, body, { permissions: { net: false } });
    const address = "127.0.0.1";
    const listed = await answer(server, "/listed");
    assert.deepEqual(listed.found, {
      lookup: [address, 4],
      lookupAll: [[{ address, family: 4 }]],
      lookupFamily: [address, 4],
      promise: { address, family: 4 },
      promiseNamed: { address, family: 4 },
      promisified: { address, family: 4 },
      resolve4: [[address]],
      resolve: [address],
      ttl: [{ address, ttl: 0 }],
      resolver: [[address]],
      resolverPromise: [address],
    });
    const open = await answer(server, "/open");
    assert.deepEqual([open.found.lookup, open.found.promise], [[address, 4], { address, family: 4 }]);
    const shut = await answer(server, "/shut");
    for (const [mode, { found, missing, others, servers, set }] of Object.entries({ listed, open, shut })) {
      for (const [name, outcome] of Object.entries({ ...missing, ...(mode === "shut" ? found : {}) })) {
        assert.match(
          String(outcome),
          /^(ENOTFOUND|EAI_AGAIN|EREFUSED|EPERM|ESERVFAIL|ETIMEOUT|ECONNREFUSED|ENODATA)$/,
          `${mode} ${name}`,
        );
        if (mode !== "open") assert.match(String(outcome), /^(EREFUSED|EPERM)$/, `${mode} ${name}`);
      }
      for (const [name, outcome] of Object.entries(others)) {
        assert.equal(typeof outcome, "string", `${mode} ${name} ${JSON.stringify(outcome)}`);
        assert.doesNotMatch(outcome as string, /HUNG|sent|--allow/, `${mode} ${name}`);
      }
      assert.deepEqual([servers, set], [[], "set"], mode);
    }
  });

  await t.step("a listed name of this machine opens its addresses, with its port and never the server's", async () => {
    await using upstream = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, () => new Response("up"));
    await using other = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, () => new Response("other"));
    const port = (upstream.addr as Deno.NetAddr).port;
    const otherPort = (other.addr as Deno.NetAddr).port;
    const own = new URL(server.url).port;
    const head = `import net from "node:net";
const connect = (host, port) => new Promise((resolve) => {
  const socket = net.connect(port, host, () => { socket.destroy(); resolve("connected"); }).on("error", (e) => resolve(e.message));
});`;
    const body = `const { host, port } = ctx.query;
      const fetched = await fetch("http://" + host + ":" + port + "/").then((r) => r.text(), (e) => e.message);
      return Response.json([fetched, await connect(host, Number(port))]);`;
    const deployed = async (name: string, net: string[]) =>
      await deployJson(server, name, head, body, { permissions: { net } });
    await deployed("local", [`localhost:${port}`]);
    await deployed("self", [`localhost:${own}`, "localhost"]);
    await deployed("elsewhere", [`127.example.com:${port}`, "0.pool.ntp.org:123"]);
    const call = async (name: string, host: string, at: string | number) =>
      await answer(server, `/${name}?host=${host}&port=${at}`);
    assert.deepEqual(await call("local", "localhost", port), ["up", "connected"]);
    assert.deepEqual(await call("local", "127.0.0.1", port), ["up", "connected"]);
    for (const host of ["localhost", "127.0.0.1"]) {
      for (const outcome of await call("local", host, otherPort)) assert.match(outcome, /permissions\.net|EPERM/, host);
      for (const outcome of await call("self", host, own)) assert.match(outcome, /permissions\.net|EPERM/, host);
      for (const outcome of await call("elsewhere", host, port)) assert.match(outcome, /permissions\.net|EPERM/, host);
    }
    assert.deepEqual(await call("self", "localhost", port), ["up", "connected"]);
    for (const outcome of await call("elsewhere", "0.0.0.0", port)) assert.match(outcome, /permissions\.net|listen/);
    const name = Deno.hostname();
    const leads = await Deno.resolveDns(name, "A").catch(() => [] as string[]);
    if (leads.includes("127.0.0.1")) {
      await deployed("named", [`${name}:${port}`]);
      assert.deepEqual(await call("named", name, port), ["up", "connected"]);
    }
  });
});
