// Sandbox processes from outside: their limits, their deaths, their number, and what they may not touch.

import assert from "node:assert/strict";
import { setPriority } from "node:os";
import { createGroup, createKey, createSecret, deploy, run, set } from "./handlers.ts";
import { gone, sandboxes, spareIds } from "./processes.ts";
import { startApp } from "./app.ts";
import { type Server, startServer } from "./server.ts";
import { tail } from "./tail.ts";

Deno.test("each function has a process of its own, with an empty environment and tight flags", async () => {
  await using server = await startServer({
    env: { SOME_SECRET: "in-the-environment" },
  });
  for (const name of ["a", "b"]) {
    await deploy(server, name, "export default (c) => c.text('ok')");
    await run(server, `/${name}`);
    await run(server, `/${name}`);
  }
  const pids = sandboxes(server);
  assert.equal(pids.length, 2);
  for (const pid of pids) {
    const environment = Deno.readTextFileSync(`/proc/${pid}/environ`).split(
      "\0",
    ).filter(Boolean)
      .map((entry) => entry.split("=")[0]);
    assert.deepEqual(environment.sort(), [
      "DENO_AUDIT_PERMISSIONS",
      "DENO_DIR",
      "DENO_NO_PACKAGE_JSON",
      "DENO_NO_UPDATE_CHECK",
      "NO_COLOR",
    ]);
    const flags = Deno.readTextFileSync(`/proc/${pid}/cmdline`).split("\0");
    for (
      const flag of [
        "--no-prompt",
        "--no-config",
        "--cached-only",
        "--node-modules-dir=none",
      ]
    ) {
      assert.ok(flags.includes(flag), flag);
    }
    assert.ok(
      !flags.some((flag) => /^--allow-(env|run|ffi|sys|all)|^-A$|^--allow-(read|write)$/.test(flag)),
    );
  }
});

Deno.test("a handler may read its own modules and nothing else", async () => {
  await using server = await startApp();
  await createSecret(server, "OTHERS", "secret-of-others");
  await deploy(
    server,
    "neighbour",
    "export default (c) => c.text('neighbour source')",
  );
  const attempts: Record<string, string> = {
    keyFile: `Deno.readTextFile("${server.dataDir}/encryption-keys.json")`,
    database: `Deno.readFile("${server.dataDir}/database.db")`,
    neighbour: `Deno.readTextFile("${server.codeDir}/neighbour.ts")`,
    neighbourImport: `import("./neighbour" + ".ts")`,
    keyFileImport: `import("${server.dataDir}/encryption-keys" + ".json", { with: { type: "json" } })`,
    folder: `Array.fromAsync(Deno.readDir("${server.codeDir}"))`,
    write: `Deno.writeTextFile("${server.codeDir}/x.ts", "")`,
    run: `new Deno.Command("/bin/true").output()`,
    ffi: `Deno.dlopen("libc.so.6", {})`,
    fileFetch: `fetch("file:///etc/passwd")`,
    node: `import("node:fs").then((fs) => fs.readFileSync("/etc/passwd"))`,
    child: `import("node:child_process").then((c) => c.execSync("id"))`,
    sqlite:
      `import("node:sqlite").then((s) => new s.DatabaseSync("${server.dataDir}/database.db").prepare("select 1").get())`,
    proc: `Deno.readTextFile("/proc/self/environ")`,
    listen: `Deno.listen({ port: 0 })`,
    unix: `Deno.connect({ transport: "unix", path: "/run/docker.sock" })`,
    loopback: `fetch("http://127.0.0.1:4321/")`,
    localhost: `fetch("http://localhost:4321/")`,
    loopback6: `fetch("http://[::1]:4321/")`,
    metadata: `fetch("http://169.254.169.254/latest/meta-data")`,
    server: `fetch("${server.url}/health")`,
    permission:
      `Deno.permissions.request({ name: "read" }).then((s) => { if (s.state !== "granted") throw new Error("NotCapable") })`,
  };
  const code = `const attempts = { ${
    Object.entries(attempts).map(([name, code]) => `${name}: async () => { const x = await (${code}); return x; }`)
      .join(",\n")
  } };
    export default async (c) => {
      const got = {};
      for (const [name, attempt] of Object.entries(attempts)) {
        got[name] = await attempt().then(() => "GAINED", (error) => String(error).slice(0, 200));
      }
      return c.json(got);
    }`;
  await deploy(server, "thief", code);
  const { status, body } = await run(server, "/thief");
  assert.equal(status, 200);
  assert.deepEqual(Object.keys(body), Object.keys(attempts));
  for (const [name, outcome] of Object.entries(body)) {
    assert.notEqual(outcome, "GAINED", name);
  }
  // Refused for want of a permission, not by chance.
  for (
    const name of [
      "keyFile",
      "neighbour",
      "write",
      "run",
      "loopback",
      "loopback6",
      "metadata",
      "server",
    ]
  ) {
    assert.match(
      body[name],
      /NotCapable|NotFound|PermissionDenied/,
      `${name}: ${body[name]}`,
    );
  }
});

Deno.test("permissions.net opens the named hosts and no others; false closes all", async () => {
  await using server = await startApp();
  await using upstream = Deno.serve({
    port: 0,
    hostname: "127.0.0.1",
    onListen() {},
  }, () => new Response("up"));
  const host = `127.0.0.1:${(upstream.addr as Deno.NetAddr).port}`;
  const code = `export default async (c, ctx) => c.text(await fetch("http://" + ctx.query.host)
    .then((response) => response.text(), (error) => String(error)))`;
  await deploy(server, "named", code, { permissions: { net: [host] } });
  await deploy(server, "closed", code, { permissions: { net: false } });
  await deploy(server, "usual", code);
  assert.equal((await run(server, `/named?host=${host}`)).body, "up");
  assert.match((await run(server, "/named?host=192.0.2.1")).body, /NotCapable/);
  // This server's own port never, whoever names it.
  const own = new URL(server.url).host;
  await deploy(server, "selfish", code, {
    permissions: { net: [own, "127.0.0.1"] },
  });
  assert.match(
    (await run(server, `/selfish?host=${own}/health`)).body,
    /NotCapable/,
  );
  assert.match((await run(server, `/closed?host=${host}`)).body, /NotCapable/);
  assert.match((await run(server, `/usual?host=${host}`)).body, /NotCapable/);
});

Deno.test("a loop is killed at the deadline with 504, and the next call gets a new process", async () => {
  await using server = await startApp();
  await deploy(
    server,
    "loop",
    "export default (c, ctx) => { while (ctx.query.loop) ; return c.text('fine') }",
  );
  assert.equal((await run(server, "/loop")).body, "fine");
  // The deadline is for the loop, not for the start of a process on a busy machine.
  await set(server, { "sandbox.timeout-ms": 1_000 });
  const [pid] = sandboxes(server);
  const { status, body } = await run(server, "/loop?loop=1");
  assert.equal(status, 504);
  assert.deepEqual(Object.keys(body), ["error", "code", "requestId"]);
  await gone([pid!]);
  await set(server, { "sandbox.timeout-ms": 30_000 });
  assert.equal((await run(server, "/loop")).body, "fine");
  await server.logged(
    new RegExp(`request=${body.requestId}.*No response in 1000 ms`),
  );
});

Deno.test("a promise that never settles and a loop while loading end with 504, too", async () => {
  await using server = await startApp();
  await set(server, { "sandbox.timeout-ms": 500, "sandbox.load-check-ms": 100 });
  await deploy(server, "never", "export default () => new Promise(() => {})");
  await deploy(server, "import", "while (true); export default () => {}");
  await deploy(
    server,
    "await",
    "await new Promise(() => {}); export default () => {}",
  );
  for (const path of ["/never", "/import", "/await"]) {
    assert.equal((await run(server, path)).status, 504, path);
  }
  await gone(sandboxes(server));
});

Deno.test("a response that stops in the middle is broken off at the deadline", async () => {
  await using server = await startApp();
  const code = `export default (c, ctx) => ctx.query.stuck
    ? new Response(new ReadableStream({ start(controller) { controller.enqueue(new TextEncoder().encode("begin")) } }))
    : c.text("ready")`;
  await deploy(server, "stuck", code);
  // The deadline is for the response, not for the start of a process on a busy machine.
  assert.equal((await run(server, "/stuck")).body, "ready");
  await set(server, { "sandbox.timeout-ms": 500 });
  const response = await fetch(`${server.url}/run/stuck?stuck=1`);
  assert.equal(response.status, 200);
  await assert.rejects(response.text());
});

Deno.test("a call that sits in the same process as a killed one gets 503 and Retry-After", async () => {
  await using server = await startApp();
  const code = `export default async (c, ctx) => {
    if (ctx.query.loop) while (true);
    const text = await c.req.text();
    return c.text(text);
  }`;
  await deploy(server, "shared", code);
  await run(server, "/shared");
  await set(server, { "sandbox.timeout-ms": 1_000 });
  const body = new TransformStream<Uint8Array, Uint8Array>();
  const writer = body.writable.getWriter();
  const waiting = fetch(`${server.url}/run/shared`, {
    method: "POST",
    body: body.readable,
  });
  await writer.write(new Uint8Array(1));
  const looping = run(server, "/shared?loop=1");
  // A client that keeps sending is not late; the loop is.
  const sending = (async () => {
    while (true) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      await writer.write(new Uint8Array(1));
    }
  })().catch(() => {});
  const answer = await waiting;
  assert.equal(answer.status, 503);
  assert.equal(answer.headers.get("retry-after"), "1");
  await answer.body?.cancel();
  assert.equal((await looping).status, 504);
  await writer.abort().catch(() => {});
  await sending;
});

Deno.test("a process that dies is a 502 and is replaced on the next call; the others serve on", async () => {
  await using server = await startApp();
  const deaths: Record<string, string> = {
    exit: "Deno.exit(3)",
    close: "self.close()",
    kill: "Deno.kill(Deno.pid, 'SIGKILL')",
  };
  await deploy(server, "innocent", "export default (c) => c.text('ok')");
  for (const [name, code] of Object.entries(deaths)) {
    await deploy(
      server,
      name,
      `export default async (c, ctx) => {
      if (ctx.query.die) { ${code}; await new Promise(() => {}); }
      return c.text("alive");
    }`,
    );
    const { status } = await run(server, `/${name}?die=1`);
    assert.equal(status, 502, name);
    assert.equal((await run(server, `/${name}`)).body, "alive", name);
    assert.equal((await run(server, "/innocent")).body, "ok", name);
  }
});

Deno.test("unhandled rejections and throws in timers are logged and end nothing", async () => {
  await using server = await startApp();
  const code = `export default async (c) => {
    Promise.reject(new Error("nobody awaits me"));
    setTimeout(() => { throw new Error("thrown late"); }, 0);
    await new Promise((resolve) => setTimeout(resolve, 20));
    return c.text("still here");
  }`;
  await deploy(server, "loose", code);
  await using log = await tail(server, "?level=error");
  assert.equal((await run(server, "/loose")).body, "still here");
  const [pid] = sandboxes(server);
  await log.seen(/nobody awaits me/);
  await log.seen(/thrown late/);
  assert.equal((await run(server, "/loose")).body, "still here");
  assert.deepEqual(sandboxes(server), [pid]);
});

Deno.test("at most sandbox.max-processes live; the least recently used ends first", async () => {
  await using server = await startApp();
  await set(server, { "sandbox.max-processes": 2 });
  // Each answers with a number that its process drew when it was loaded.
  for (const name of ["a", "b", "c"]) {
    await deploy(
      server,
      name,
      "const drawn = crypto.randomUUID(); export default (c) => c.text(drawn)",
    );
  }
  const a = (await run(server, "/a")).body;
  const b = (await run(server, "/b")).body;
  assert.equal((await run(server, "/a")).body, a);
  await run(server, "/c");
  assert.ok(sandboxes(server).length <= 2);
  assert.equal((await run(server, "/a")).body, a);
  assert.notEqual((await run(server, "/b")).body, b);
  const answers = await Promise.all(
    Array.from({ length: 30 }, (_, n) => run(server, `/${"abc"[n % 3]}`)),
  );
  assert.deepEqual(answers.map(({ status }) => status), answers.map(() => 200));
  assert.ok(sandboxes(server).length <= 2);
});

Deno.test("with every process busy, another function's call gets 503 with Retry-After", async () => {
  await using server = await startApp();
  await set(server, { "sandbox.max-processes": 1 });
  await deploy(
    server,
    "busy",
    "export default async (c) => c.text(await c.req.text())",
  );
  await deploy(server, "other", "export default (c) => c.text('other')");
  const body = new TransformStream<Uint8Array, Uint8Array>();
  const writer = body.writable.getWriter();
  const busy = fetch(`${server.url}/run/busy`, {
    method: "POST",
    body: body.readable,
  });
  await writer.write(new Uint8Array([97]));
  await run(server, "/busy");
  const { status, headers } = await run(server, "/other");
  assert.equal(status, 503);
  assert.equal(headers.get("retry-after"), "1");
  const waiting = run(server, "/other");
  await writer.close();
  assert.equal(await (await busy).text(), "a");
  assert.equal((await waiting).body, "other");
});

Deno.test("more than sandbox.max-calls at once get 503, and the rest are answered", async () => {
  await using server = await startApp();
  await set(server, { "sandbox.max-calls": 3 });
  const code = `export default async (c, ctx) => {
    console.log("begun " + ctx.query.n);
    return c.text(await c.req.text());
  }`;
  await deploy(server, "few", code);
  await using log = await tail(server);
  const bodies = Array.from({ length: 3 }, () => new TransformStream<Uint8Array, Uint8Array>());
  const writers = bodies.map((body) => body.writable.getWriter());
  const calls: Promise<Response>[] = [];
  for (const [n, body] of bodies.entries()) {
    calls.push(fetch(`${server.url}/run/few?n=${n}`, { method: "POST", body: body.readable }));
    await writers[n]!.write(new Uint8Array([98]));
    await log.seen(new RegExp(`begun ${n}`));
  }
  const refused = await run(server, "/few");
  assert.equal(refused.status, 503);
  assert.equal(refused.headers.get("retry-after"), "1");
  for (const writer of writers) await writer.close();
  for (const call of calls) assert.equal(await (await call).text(), "b");
  assert.equal((await run(server, "/few")).status, 200);
});

Deno.test("a changed, disabled or deleted function's process ends when its calls have", async () => {
  await using server = await startApp();
  const id = await deploy(
    server,
    "brief",
    "export default (c, ctx) => c.text(ctx.route.description)",
  );
  for (const change of [{ description: "one" }, { description: "two" }]) {
    await run(server, "/brief");
    const pids = sandboxes(server);
    await server.api("PUT", `/api/functions/${id}`, change);
    await gone(pids);
    assert.equal((await run(server, "/brief")).body, change.description);
  }
  const pids = sandboxes(server);
  await server.api("DELETE", `/api/functions/${id}`);
  await gone(pids);
  assert.deepEqual(sandboxes(server), []);
});

Deno.test("a process that has ended leaves no descriptor open in the host", async () => {
  await using server = await startServer();
  const id = await deploy(server, "again", "export default (c) => c.text('ok')");
  const renew = async (): Promise<void> => {
    const before = sandboxes(server);
    await server.api("PUT", `/api/functions/${id}`, { description: crypto.randomUUID() });
    assert.equal((await run(server, "/again")).body, "ok");
    await gone(before);
    // Those have descriptors, too.
    await spares(server, 2);
  };
  const descriptors = (): number => [...Deno.readDirSync(`/proc/${server.pid}/fd`)].length;
  await renew();
  const before = descriptors();
  for (let n = 0; n < 12; n++) await renew();
  // Others come and go: connections of clients, say.
  assert.ok(descriptors() < before + 6, `${before} descriptors have become ${descriptors()}`);
});

Deno.test("a host that is killed leaves no sandbox behind for five seconds, not even a looping one", async () => {
  await using server = await startServer();
  await deploy(server, "idle", "export default (c) => c.text('ok')");
  await deploy(
    server,
    "loop",
    "export default (c, ctx) => { while (ctx.query.loop) ; return c.text('ok') }",
  );
  await run(server, "/idle");
  await run(server, "/loop");
  const pids = sandboxes(server);
  assert.equal(pids.length, 2);
  const broken = run(server, "/loop?loop=1").catch(() => {});
  await run(server, "/idle");
  Deno.kill(server.pid, "SIGKILL");
  const killed = performance.now();
  await gone(pids);
  const took = performance.now() - killed;
  assert.ok(took < 5_000, `${took} ms`);
  await broken;
});

Deno.test("an entitlement is the invocation's own: concurrent callers of one process get their own values", async () => {
  await using server = await startApp();
  const groups = [
    await createGroup(server, "red"),
    await createGroup(server, "blue"),
  ];
  const code = `export default async (c, ctx) => {
    const first = await ctx.getSecret("COLOUR");
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 3));
    return c.json([ctx.authenticatedKeyGroup, first, await ctx.getSecret("COLOUR", "group"), await ctx.getCompleteSecret("COLOUR")]);
  }`;
  await deploy(server, "colours", code, { keys: groups });
  const callers: { key: string; expected: unknown }[] = [];
  for (const [index, groupId] of groups.entries()) {
    const { value: key } = await createKey(server, groupId, "k");
    const groupName = ["red", "blue"][index]!;
    await createSecret(server, "COLOUR", `${groupName}-value`, {
      scope: "group",
      groupId,
    });
    const value = `${groupName}-value`;
    callers.push({
      key,
      expected: [groupName, value, value, {
        group: { value, groupId, groupName },
      }],
    });
  }
  const answers = await Promise.all(
    Array.from({ length: 100 }, async (_, n) => {
      const { key, expected } = callers[n % 2]!;
      return { got: (await run(server, "/colours", key)).body, expected };
    }),
  );
  for (const { got, expected } of answers) assert.deepEqual(got, expected);
  assert.equal(sandboxes(server).length, 1);
});

Deno.test("a changed sandbox.timeout-ms is in force for a process that is there already", async () => {
  await using server = await startApp();
  const code = "export default (c, ctx) => { while (ctx.query.loop) ; return c.text('fine') }";
  await deploy(server, "loop", code);
  assert.equal((await run(server, "/loop")).body, "fine");
  await set(server, { "sandbox.timeout-ms": 300 });
  const began = performance.now();
  assert.equal((await run(server, "/loop?loop=1")).status, 504);
  assert.ok(performance.now() - began < 15_000, "and not after the 30 seconds that it was started with");
});

Deno.test("a function's first call is given a process that was started ahead, and others are started", async () => {
  await using server = await startApp({ startsSpares: true });
  await deploy(server, "first", `export default (c) => c.text("first")`);
  await deploy(server, "second", `export default (c) => c.text("second")`);
  await run(server, "/first");
  const ready = await spares(server, 2);
  assert.equal((await run(server, "/second")).body, "second");
  assert.ok(sandboxes(server).some((pid) => ready.includes(pid)), "a new process was started");
  // At once, by the call that needs them: a process that is nobody's makes room.
  await set(server, { "sandbox.max-processes": 3 });
  await deploy(server, "third", `export default (c) => c.text("third")`, { memoryMb: 200 });
  assert.equal((await run(server, "/third")).body, "third");
  assert.equal(sandboxes(server).length, 3);
});

Deno.test("with sandbox.spare-processes at 0 no process is started ahead", async () => {
  await using server = await startApp({ startsSpares: true });
  await set(server, { "sandbox.spare-processes": 0 });
  await deploy(server, "only", `export default (c) => c.text("only")`);
  for (let n = 0; n < 2; n++) {
    // Beyond the delay after which spares would be started, by calls that each take a while.
    for (const end = performance.now() + 500; performance.now() < end;) await run(server, "/only");
    assert.deepEqual(spareIds(server), []);
  }
});

/** Returns the ids of the processes without a function, once there are `count`. */
async function spares(server: Server, count: number): Promise<number[]> {
  while (true) {
    // Looked up once: a process in execve(2) has no arguments for a moment, so the next look may not see it.
    const ids = spareIds(server);
    if (ids.length === count) return ids;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

Deno.test({
  name: "a function that keeps its process busy gets a second one, and gives it back",
  ignore: navigator.hardwareConcurrency < 2,
  async fn() {
    await using server = await startApp();
    await set(server, { "sandbox.spare-processes": 0 });
    const code = `
      const id = crypto.randomUUID();
      export default (c, ctx) => {
        for (const end = Date.now() + Number(ctx.query.ms ?? 0); Date.now() < end;);
        return c.text(id);
      }`;
    await deploy(server, "busy", code);
    const answered = new Set<string>();
    let enough = false;
    const caller = async (): Promise<void> => {
      while (!enough) answered.add((await run(server, "/busy?ms=20")).body);
    };
    assert.equal((await run(server, "/busy")).status, 200);
    sandboxes(server).forEach(prefer);
    const callers = Array.from({ length: 6 }, caller);
    while (answered.size < 2) await run(server, "/busy");
    assert.equal(sandboxes(server).length, 2);
    enough = true;
    await Promise.all(callers);
    // Of the function, not of each process.
    await set(server, { "sandbox.max-calls": 4 });
    const crowd = await Promise.all(Array.from({ length: 8 }, () => run(server, "/busy?ms=300")));
    assert.deepEqual(crowd.map(({ status }) => status).sort(), [200, 200, 200, 200, 503, 503, 503, 503]);
    // None of them fails by being given to the process that goes.
    while (sandboxes(server).length > 1) {
      assert.equal((await run(server, "/busy")).status, 200);
      // Calls without a pause would keep it busy.
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.equal(answered.size, 2);
  },
});

/**
 * Gives a process a processor whatever else is at work on this machine, if this user may: its load does not count as
 * that of a busy process while it waits for one.
 */
function prefer(pid: number): void {
  for (const { name } of Deno.readDirSync(`/proc/${pid}/task`)) {
    try {
      setPriority(Number(name), -15);
    } catch {
      // Only root may.
    }
  }
}

Deno.test("a function that loops without answering gets no second process", async () => {
  await using server = await startApp();
  await set(server, { "sandbox.spare-processes": 0 });
  await deploy(server, "loops", "export default () => { while (true); }", { timeoutMs: 3_000 });
  const calls = Array.from({ length: 5 }, () => run(server, "/loops"));
  let isOver = false;
  const over = Promise.all(calls).then(() => isOver = true);
  let most = 0;
  while (!isOver) {
    most = Math.max(most, sandboxes(server).length);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await over;
  assert.equal(most, 1);
});
