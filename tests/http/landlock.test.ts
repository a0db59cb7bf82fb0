// The second lock, behind Deno's permissions: what a sandbox's process is refused by the kernel, even if its Deno
// may do everything. That stands for a handler that runs native code by a hole in Deno.

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { makeRunFolder, makeSandboxFolder } from "../../src/sandbox/folder.ts";
import { type Code, confinedDeno } from "../../src/sandbox/process.ts";
import { prepareRuntime } from "../../src/sandbox/runtime.ts";
import { giveBackUid, takeUid } from "../../src/sandbox/users.ts";
import { deploy, run } from "./handlers.ts";
import { startServer } from "./server.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const runtime = await prepareRuntime(ROOT);
/** Linux 6.12 has all of it; older ones, and systems without perl, have a part or none. */
const ignore = (runtime.landlock?.abi ?? 0) < 6;

const CODE: Omit<Code, "files"> = {
  lockFile: undefined,
  packages: [],
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
  { code = {} }: { code?: Partial<Code> } = {},
): Promise<Outcomes> {
  const codeDir = await Deno.makeTempDir({ prefix: "crude-functions-test-" });
  const handler = join(codeDir, "handler.ts");
  const runFolder = makeRunFolder(codeDir, runtime.denoDir);
  const uid = runtime.ownUsers ? takeUid() : undefined;
  try {
    await Deno.writeTextFile(
      handler,
      `const outcomes = {};
      for (const [name, attempt] of Object.entries({ ${
        Object.entries(attempts).map(([name, body]) => `${name}: async () => { ${body} }`).join(",\n")
      } })) outcomes[name] = await attempt().then((value) => "got " + value, (error) => "refused " + error.name);
      console.log(JSON.stringify(outcomes));
      Deno.exit();`,
    );
    const folder = makeSandboxFolder(
      { ...runtime, runDir: runFolder.path, codeDir },
      undefined,
      uid,
    );
    const entry = folder.give([handler]);
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
    folder.remove();
    const text = new TextDecoder().decode(stdout);
    assert.notEqual(text, "", new TextDecoder().decode(stderr));
    return JSON.parse(text);
  } finally {
    if (uid !== undefined) giveBackUid(uid);
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
