// The second lock, behind Deno's permissions: what a sandbox's process is refused by the kernel (Landlock and the
// filter of system calls), even if its Deno may do everything. That stands for a handler that runs native code by a hole in Deno.

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { makeRunFolder, makeSandboxFolder } from "../../src/sandbox/process/sandbox_dir.ts";
import { type Code, confinedDeno } from "../../src/sandbox/process/process.ts";
import { prepareRuntime } from "../../src/sandbox/process/toolchain.ts";
import { releaseUid, takeUid } from "../../src/sandbox/process/uid_pool.ts";
import { deploy, run } from "./handlers.ts";
import { startServer } from "./server.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const runtime = await prepareRuntime(ROOT);
/** Linux 6.12 has all of it; older ones, and systems without perl, have a part or none. */
const ignore = (runtime.landlock?.abi ?? 0) < 6;

const CODE: Omit<Code, "files"> = {
  lock: undefined,
  config: undefined,
  packages: [],
  packageFiles: [],
  importHosts: [],
  net: true,
  memoryMb: 128,
};

interface Outcomes {
  [attempt: string]: string;
}

/** Runs the attempts as statements of async functions in a sandbox's Deno that has all permissions. */
async function attempt(
  attempts: Record<string, string>,
  { code = {}, prelude = "", ownUser = true }: { code?: Partial<Code>; prelude?: string; ownUser?: boolean } = {},
): Promise<Outcomes> {
  const codeDir = await Deno.makeTempDir({ prefix: "crude-functions-test-" });
  const handler = join(codeDir, "handler.ts");
  const runFolder = makeRunFolder(codeDir, runtime.denoDir);
  const uid = runtime.ownUsers && ownUser ? takeUid() : undefined;
  try {
    await Deno.writeTextFile(
      handler,
      `${prelude}
      const outcomes = {};
      for (const [name, attempt] of Object.entries({ ${
        Object.entries(attempts).map(([name, body]) => `${name}: async () => { ${body} }`).join(",\n")
      } })) outcomes[name] = await attempt().then((value) => "got " + value, (error) => "refused " + error.name);
      console.log(JSON.stringify(outcomes));
      Deno.exit();`,
    );
    const folder = makeSandboxFolder(
      { ...runtime, runDir: runFolder.path, codeDir },
      CODE,
      uid,
    );
    const entry = await folder.installCode([handler]);
    const [command, ...args] = confinedDeno(
      { ...CODE, ...code },
      folder,
      runtime,
      uid,
    );
    const { stdout, stderr } = await new Deno.Command(command!, {
      args: [
        ...args,
        "run",
        "-A",
        "--quiet",
        "--no-config",
        "--no-lock",
        "--cached-only",
        entry,
      ],
      cwd: "/",
      env: { DENO_DIR: runtime.denoDir, NO_COLOR: "1" },
    }).output();
    await folder.remove();
    const text = new TextDecoder().decode(stdout);
    assert.notEqual(text, "", new TextDecoder().decode(stderr));
    return JSON.parse(text);
  } finally {
    if (uid !== undefined) releaseUid(uid);
    runFolder.remove();
    await Deno.remove(codeDir, { recursive: true });
  }
}

Deno.test({
  name: "with every permission of Deno, a sandbox reads no other files, runs no program and sees no other process",
  ignore,
  async fn() {
    await using server = await startServer();
    await deploy(server, "neighbour", "export default (c) => c.text('ok')");
    assert.equal((await run(server, "/neighbour")).body, "ok");
    const open = await Deno.makeTempFile({ prefix: "crude-functions-test-" });
    await Deno.chmod(open, 0o666);
    const outcomes = await attempt({
      itself: `return (await Deno.readTextFile(new URL(import.meta.url))).length > 0`,
      libraries: `return (await Deno.readTextFile("/etc/nsswitch.conf")).length > 0`,
      null: `await Deno.writeTextFile("/dev/null", "x"); return "written"`,
      keyFile: `return await Deno.readTextFile("${server.dataDir}/encryption-keys.json")`,
      database: `return await Deno.readFile("${server.dataDir}/database.db")`,
      source: `return await Deno.readTextFile("${server.codeDir}/neighbour.ts")`,
      temporary: `return await Deno.readTextFile("${open}")`,
      write: `await Deno.writeTextFile("${open}", "left"); return "written"`,
      create: `await Deno.writeTextFile("/tmp/crude-functions-left", "left"); return "written"`,
      shared: `await Deno.writeTextFile("/dev/shm/crude-functions-left", "left"); return "written"`,
      folder: `return [...Deno.readDirSync("/tmp")].length`,
      home: `return [...Deno.readDirSync("/")].length`,
      processes: `return [...Deno.readDirSync("/proc")].length`,
      arguments: `return Deno.readTextFileSync("/proc/${server.pid}/cmdline")`,
      environment: `return Deno.readTextFileSync("/proc/${server.pid}/environ")`,
      packages: `return [...Deno.readDirSync("${runtime.denoDir}/npm")].length`,
      cache: `await Deno.writeTextFile("${runtime.denoDir}/left", "left"); return "written"`,
      shell:
        `return new TextDecoder().decode(new Deno.Command("/bin/sh", { args: ["-c", "echo run"] }).outputSync().stdout)`,
      perl: `return new Deno.Command("perl", { args: ["-e", "1"] }).outputSync().success`,
      signal: `Deno.kill(${server.pid}, "SIGUSR1"); return "sent"`,
      listen: `Deno.listen({ hostname: "127.0.0.1", port: 0 }).close(); return "listening"`,
    });
    await Deno.remove(open);
    const { itself, libraries, null: devNull, ...refused } = outcomes;
    assert.deepEqual([itself, libraries, devNull], [
      "got true",
      "got true",
      "got written",
    ]);
    for (const [name, outcome] of Object.entries(refused)) {
      assert.match(outcome, /^refused/, `${name}: ${outcome}`);
    }
    assert.equal((await run(server, "/neighbour")).body, "ok");
  },
});

Deno.test({
  name: "with every permission of Deno, a sandbox connects by TCP where its function's ports allow it only",
  ignore,
  async fn() {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr as Deno.NetAddr;
    const connect = {
      connect: `(await Deno.connect({ hostname: "127.0.0.1", port: ${port} })).close(); return "connected"`,
    };
    const reached = async (net: Code["net"]) => (await attempt(connect, { code: { net } })).connect!;
    assert.match(await reached(true), /^got/);
    assert.match(await reached(["api.example.com"]), /^got/);
    assert.match(
      await reached([`a.example.com:443`, `b.example.com:${port}`]),
      /^got/,
    );
    assert.match(await reached(["api.example.com:443"]), /^refused/);
    assert.match(await reached(false), /^refused/);
    listener.close();
  },
});

Deno.test({
  name: "an abstract socket of one sandbox, or of another program, cannot be reached from another",
  ignore,
  async fn() {
    await using server = await startServer();
    const name = `\\0crude-functions-${crypto.randomUUID()}`;
    const foreign = Deno.listen({
      transport: "unix",
      path: `${name.replace("\\0", "\0")}-foreign`,
    });
    await deploy(
      server,
      "listens",
      `const listener = Deno.listen({ transport: "unix", path: "${name}" });
      export default async (c) => {
        const [ours] = await Promise.all([listener.accept(), Deno.connect({ transport: "unix", path: "${name}" })]);
        ours.close();
        return c.text("reached itself");
      };`,
    );
    await deploy(
      server,
      "connects",
      `export default async (c) => c.json(await Promise.all(["", "-foreign"].map((end) =>
      Deno.connect({ transport: "unix", path: "${name}" + end }).then(() => "connected", (error) => error.name))));`,
    );
    assert.equal((await run(server, "/listens")).body, "reached itself");
    assert.deepEqual((await run(server, "/connects")).body, [
      "PermissionDenied",
      "PermissionDenied",
    ]);
    foreign.close();
  },
});

Deno.test({
  name: "a function loads the packages that its modules import, also when put together, and no other function's",
  ignore,
  async fn() {
    await using server = await startServer();
    const load = `export default async (c) => c.json(await Promise.all(["is-odd@3.0.1", "ms@2.1.3"].map((name) =>
      import("npm:" + name).then(() => "loaded", (error) => error.message))));`;
    const ids = [
      await deploy(server, "odd", `import "npm:is-odd@3.0.1"; ${load}`),
      await deploy(server, "time", `import "npm:ms@2.1.3"; ${load}`),
    ];
    // Now both are in the lock file and the cache, so that nothing but the kernel keeps them apart.
    for (const id of ids) {
      await server.api("PUT", `/api/functions/${id}`, { description: "again" });
    }
    const [own, others] = (await run(server, "/odd")).body;
    assert.equal(own, "loaded");
    assert.match(others, /Permission denied|ms.*package\.json/);
    const [foreign, ours] = (await run(server, "/time")).body;
    assert.equal(ours, "loaded");
    assert.match(foreign, /Permission denied|is-odd.*package\.json/);
  },
});

/** Makes system calls by their numbers; the result, or the negative error number. */
const SYSTEM_CALLS = `
const libc = Deno.dlopen("libc.so.6", {
  syscall: { parameters: ["i64", "i64", "i64", "i64", "i64", "i64"], result: "i64" },
  __errno_location: { parameters: [], result: "pointer" },
});
const errno = new Deno.UnsafePointerView(libc.symbols.__errno_location());
const once = (number, a, b, c, d, e) => {
  const result = Number(libc.symbols.syscall(number, a, b, c, d, e));
  return result === -1 ? -errno.getInt32() : result;
};
// What the runtime does between the call and the look at errno may change errno: the same result twice counts.
const call = (number, ...args) => {
  const values = [number, ...args, 0, 0, 0, 0, 0].slice(0, 6).map(BigInt);
  let result = once(...values);
  for (let last; result < 0 && result !== last;) [last, result] = [result, once(...values)];
  return result;
};
const memory = new Uint8Array(4096);
const pointer = Deno.UnsafePointer.value(Deno.UnsafePointer.of(memory));
`;
const EPERM = 1;
const EAFNOSUPPORT = 97;

Deno.test({
  name: "native code in a sandbox cannot touch another process of the same user, watch files or leave messages",
  ignore: !runtime.landlock?.seccomp || Deno.build.arch !== "x86_64",
  async fn() {
    const victim = new Deno.Command("/bin/sleep", { args: ["1000"] }).spawn();
    const { pid } = victim;
    try {
      const refused: Record<string, string> = {
        ptrace: `call(101, 16, ${pid})`,
        memory: `call(310, ${pid}, pointer, 1, pointer, 1)`,
        memoryWrite: `call(311, ${pid}, pointer, 1, pointer, 1)`,
        descriptor: `call(434, ${pid}, 0)`,
        limits: `call(302, ${pid}, 7, 0, pointer)`,
        affinity: `call(203, ${pid}, 8, pointer)`,
        priority: `call(141, 0, ${pid}, 19)`,
        priorityOfGroup: `call(141, 1, 0, 19)`,
        scheduler: `call(144, ${pid}, 0, pointer)`,
        ioPriority: `call(251, 1, ${pid}, 16384)`,
        signal: `call(62, ${pid}, 0)`,
        signalGroup: `call(62, 0, 0)`,
        signalThread: `call(234, ${pid}, ${pid}, 0)`,
        inotify: `call(294, 0)`,
        fanotify: `call(300, 0, 0)`,
        ioUring: `call(425, 1, pointer)`,
        perf: `call(298, pointer, 0, -1, -1, 0)`,
        bpf: `call(321, 0, pointer, 128)`,
        userfaultfd: `call(323, 1)`,
        key: `call(250, 0, -3, 0)`,
        sharedMemory: `call(29, 77, 4096, 0o1666)`,
        semaphore: `call(64, 77, 1, 0o1666)`,
        messages: `call(68, 77, 0o1666)`,
        namespace: `call(272, 0x10000000)`,
        mount: `call(165, pointer, pointer, pointer, 0, 0)`,
        filter: `call(317, 1, 0, pointer)`,
      };
      const families: Record<string, string> = {
        netlink: `call(41, 16, 3, 0)`,
        packet: `call(41, 17, 3, 0)`,
        crypto: `call(41, 38, 5, 0)`,
        vsock: `call(41, 40, 1, 0)`,
      };
      const own: Record<string, string> = {
        limits: `call(302, 0, 7, 0, pointer)`,
        affinity: `call(204, 0, 128, pointer) > 0`,
        priority: `call(141, 0, 0, 5)`,
        signal: `call(62, Deno.pid, 0)`,
        inet: `call(41, 2, 1, 0) > 0`,
        inet6: `call(41, 10, 1, 0) > 0`,
        unix: `call(41, 1, 1, 0) > 0`,
      };
      const attempts = Object.fromEntries(
        [["refused", refused], ["families", families], ["own", own]].flatMap(([kind, calls]) =>
          Object.entries(calls as Record<string, string>).map(([name, code]) => [`${kind}_${name}`, `return ${code}`])
        ),
      );
      // With the server's own user, so that nothing but the filter is in the way; for root, least of all.
      const outcomes = await attempt(attempts, { prelude: SYSTEM_CALLS, ownUser: false });
      for (const name of Object.keys(refused)) assert.equal(outcomes[`refused_${name}`], `got ${-EPERM}`, name);
      for (const name of Object.keys(families)) {
        assert.equal(outcomes[`families_${name}`], `got ${-EAFNOSUPPORT}`, name);
      }
      for (const name of Object.keys(own)) assert.match(outcomes[`own_${name}`]!, /^got (0|true)$/, name);
    } finally {
      victim.kill("SIGKILL");
      await victim.status;
    }
  },
});

Deno.test({
  name: "names are looked up, threads start and pages are fetched under the filter of system calls",
  ignore: !runtime.landlock?.seccomp,
  async fn() {
    await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => new Response("page"));
    const { port } = server.addr as Deno.NetAddr;
    const outcomes = await attempt({
      fetch: `return await (await fetch("http://localhost:${port}/")).text()`,
      lookup: `return (await (await import("node:dns/promises")).lookup("localhost")).address.length > 0`,
      hash:
        `return (await (await import("node:util")).promisify((await import("node:crypto")).scrypt)("a", "b", 8)).length`,
      worker: `const worker = new Worker("data:text/javascript,postMessage(1)", { type: "module" });
        const data = await new Promise((resolve) => worker.onmessage = ({ data }) => resolve(data));
        worker.terminate();
        return data`,
      timer: `return await new Promise((resolve) => setTimeout(resolve, 1, "done"))`,
    });
    assert.deepEqual(outcomes, {
      fetch: "got page",
      lookup: "got true",
      hash: "got 8",
      worker: "got 1",
      timer: "got done",
    });
  },
});
