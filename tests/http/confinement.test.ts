// What an operator or author narrows a function to: its secrets, callers, time, memory, hosts and user, and
// the rest that a function takes whose isolates keep dying.

import assert from "node:assert/strict";
import { createGroup, createKey, createSecret, deploy, run, set } from "./handlers.ts";
import { argumentsOf, codeFolder, gone, sandboxes, statusOf } from "./processes.ts";
import { startApp } from "./app.ts";
import { type Server, startServer } from "./server.ts";

const FIRST_UID = 61_184;
/** Answers why a host could not be reached. */
const FETCH = `export default async (c, ctx) => c.text(await fetch("http://" + ctx.query.host)
  .then((response) => response.text(), (error) => \`\${error} \${error.cause}\`))`;
/** Dies when it is told to, before it answers. */
const MORTAL = `export default async (c, ctx) => {
  if (ctx.query.die) { Deno.exit(1); await new Promise(() => {}); }
  return c.text("alive");
}`;

async function healthOf(server: Server, id: number) {
  const { body } = await server.api("GET", `/api/functions/${id}`);
  return body.function.health;
}

/** Lets a function die until it is refused; how often it died, and the refusal. */
async function dieUntilRefused(server: Server, path: string, key?: string) {
  let deaths = 0;
  while (true) {
    const answer = await run(server, `${path}?die=1`, key);
    if (answer.status !== 502) return { deaths, answer };
    deaths++;
  }
}

Deno.test("`secrets` patterns close every other name, in every scope and by both methods", async () => {
  await using server = await startApp();
  const groupId = await createGroup(server, "customers");
  const key = await createKey(server, groupId, "acme");
  const code = `export default async (c, ctx) => c.json(await Promise.all(
    ["STRIPE_KEY", "STRIPE_", "OTHER", "stripe_key", "MY_STRIPE_KEY"].map(async (name) => [
      await ctx.getSecret(name) ?? null,
      await ctx.getSecret(name, "function") ?? null,
      await ctx.getSecret(name, "key") ?? null,
      await ctx.getCompleteSecret(name) ?? null,
    ])))`;
  const functionId = await deploy(server, "payer", code, {
    keys: [groupId],
    secrets: ["STRIPE_*"],
  });
  const owners = [
    { scope: "global" },
    { scope: "function", functionId },
    { scope: "group", groupId },
    { scope: "key", keyId: key.id },
  ];
  for (const name of ["STRIPE_KEY", "OTHER", "stripe_key", "MY_STRIPE_KEY"]) {
    for (const owner of owners) {
      await createSecret(server, name, `${name} of ${owner.scope}`, owner);
    }
  }
  const nothing = [null, null, null, null];
  const whole = (name: string) => [
    `${name} of key`,
    `${name} of function`,
    `${name} of key`,
    {
      global: `${name} of global`,
      function: `${name} of function`,
      group: { value: `${name} of group`, groupId, groupName: "customers" },
      key: {
        value: `${name} of key`,
        groupId,
        groupName: "customers",
        keyId: key.id,
        keyName: "acme",
      },
    },
  ];
  const first = await run(server, "/payer", key.value);
  assert.deepEqual(first.body, [
    whole("STRIPE_KEY"),
    nothing,
    nothing,
    nothing,
    nothing,
  ]);

  const change = (secrets: string[]) => server.api("PUT", `/api/functions/${functionId}`, { secrets });
  await change(["OTHER", "*_KEY"]);
  const second = await run(server, "/payer", key.value);
  assert.deepEqual(second.body, [
    whole("STRIPE_KEY"),
    nothing,
    whole("OTHER"),
    nothing,
    whole("MY_STRIPE_KEY"),
  ]);

  await change([]);
  const none = await run(server, "/payer", key.value);
  assert.deepEqual(none.body, [nothing, nothing, nothing, nothing, nothing]);
});

Deno.test("with `per-key` each key has globals and a process of its own; `shared` has one for all", async () => {
  await using server = await startApp();
  const groups = [
    await createGroup(server, "red"),
    await createGroup(server, "blue"),
  ];
  const code = `export default (c, ctx) => {
    (globalThis.callers ??= []).push(ctx.query.as);
    return c.json(globalThis.callers);
  }`;
  const keys = [
    await createKey(server, groups[0]!, "alice"),
    await createKey(server, groups[0]!, "bob"),
    await createKey(server, groups[1]!, "carol"),
  ];
  const visit = async (name: string) => {
    const answers = [];
    for (const index of [0, 1, 2, 0, 1]) {
      answers.push(
        (await run(server, `/${name}?as=${index}`, keys[index]!.value)).body,
      );
    }
    return answers;
  };
  const id = await deploy(server, "apart", code, {
    keys: groups,
    isolation: "per-key",
  });
  assert.deepEqual(await visit("apart"), [["0"], ["1"], ["2"], ["0", "0"], [
    "1",
    "1",
  ]]);
  const pids = sandboxes(server);
  assert.equal(pids.length, 3);

  await server.api("PUT", `/api/functions/${id}`, { isolation: "shared" });
  await gone(pids);
  assert.deepEqual((await visit("apart")).at(-1), ["0", "1", "2", "0", "1"]);
  assert.equal(sandboxes(server).length, 1);
});

Deno.test("a function's own timeoutMs counts instead of the setting, whichever is longer", async () => {
  await using server = await startApp();
  const never = "export default () => new Promise(() => {})";
  await deploy(server, "brief", never, { timeoutMs: 200 });
  const start = performance.now();
  assert.equal((await run(server, "/brief")).status, 504);
  assert.ok(
    performance.now() - start < 10_000,
    "a third of the setting at most",
  );

  await set(server, { "sandbox.timeout-ms": 300 });
  const slow = `export default async (c) => {
    await new Promise((resolve) => setTimeout(resolve, 600));
    return c.text("done");
  }`;
  const id = await deploy(server, "slow", slow, { timeoutMs: 20_000 });
  assert.equal((await run(server, "/slow")).body, "done");
  await server.api("PUT", `/api/functions/${id}`, { timeoutMs: null });
  assert.equal((await run(server, "/slow")).status, 504);
});

Deno.test("memory beyond memoryMb is refused or ends the isolate with 502; the others serve on", async () => {
  await using server = await startApp();
  const bombs: Record<string, string> = {
    array: "new Uint8Array(256 << 20).fill(1)",
    heap: "for (let n = 0; ; n++) kept.push({ n, text: 'x' + n })",
    text: "for (let n = 0; n < 256; n++) kept.push(String.fromCharCode(65 + n).repeat(1 << 20).split('').join('-'))",
  };
  await deploy(server, "innocent", "export default (c) => c.text('ok')");
  for (const [name, bomb] of Object.entries(bombs)) {
    const code = `const kept = []; export default (c) => {
      try { ${bomb}; } catch (error) { return c.text(error.name); }
      return c.text("had it all");
    }`;
    await deploy(server, name, code, { memoryMb: 64 });
    const { status, body } = await run(server, `/${name}`);
    assert.ok(
      status === 502 || body === "RangeError",
      `${name}: ${status} ${JSON.stringify(body)}`,
    );
    assert.equal((await run(server, "/innocent")).body, "ok", name);
  }

  // It is this function's limit, and the setting's where it has none.
  const roomy = `export default (c) => c.json(new Uint8Array(256 << 20).fill(1).length)`;
  const id = await deploy(server, "roomy", roomy, { memoryMb: 512 });
  assert.equal((await run(server, "/roomy")).body, 256 << 20);
  await server.api("PUT", `/api/functions/${id}`, { memoryMb: null });
  assert.notEqual((await run(server, "/roomy")).status, 200);
  await set(server, { "sandbox.memory-mb": 512 });
  assert.equal((await run(server, "/roomy")).body, 256 << 20);
});

Deno.test("sandbox.net.deny closes a host that the function names, and opens it again", async () => {
  await using server = await startApp();
  await using upstream = Deno.serve({
    port: 0,
    hostname: "127.0.0.1",
    onListen() {},
  }, () => new Response("up"));
  const host = `127.0.0.1:${(upstream.addr as Deno.NetAddr).port}`;
  await deploy(server, "named", FETCH, {
    permissions: { net: [host, "localhost"] },
  });
  const reach = async (name: string) => (await run(server, `/named?host=${name}`)).body;
  assert.equal(await reach(host), "up");
  for (const entry of [host, "127.0.0.1", "127.0.0.0/8"]) {
    await set(server, { "sandbox.net.deny": [entry] });
    assert.match(await reach(host), /NotCapable: This function may not connect to .*permissions\.net/, entry);
    // By another name for the same address, too.
    if (entry !== host) {
      assert.match(
        await reach(host.replace("127.0.0.1", "localhost")),
        /This function may not connect to .*permissions\.net/,
        entry,
      );
    }
  }
  await set(server, { "sandbox.net.deny": ["192.0.2.0/24"] });
  assert.equal(await reach(host), "up");
});

Deno.test("after five deaths within a minute a function answers 503, and a change lifts that", async () => {
  await using server = await startApp();
  const id = await deploy(server, "mortal", MORTAL);
  await deploy(server, "innocent", "export default (c) => c.text('ok')");
  assert.deepEqual(await healthOf(server, id), {
    recentDeaths: 0,
    lastDeath: null,
    suspendedUntil: null,
  });
  assert.equal((await run(server, "/mortal?die=1")).status, 502);
  assert.equal((await run(server, "/mortal")).body, "alive");

  const { deaths, answer } = await dieUntilRefused(server, "/mortal");
  // A call may have come in between the last death and its being counted.
  assert.ok(deaths === 4 || deaths === 5, `${deaths + 1} deaths`);
  assert.deepEqual([answer.status, answer.body.code], [503, "Busy"]);
  const retryAfter = Number(answer.headers.get("retry-after"));
  assert.ok(retryAfter >= 1 && retryAfter <= 10, `${retryAfter}`);
  assert.equal((await run(server, "/mortal")).status, 503);
  await gone(sandboxes(server));
  assert.equal((await run(server, "/innocent")).body, "ok");

  const health = await healthOf(server, id);
  assert.match(health.lastDeath, /ended|closed|broke|failed/);
  const left = Date.parse(health.suspendedUntil) - Date.now();
  assert.ok(left > 0 && left <= 10_000, `${left}`);
  const { body: list } = await server.api("GET", "/api/functions");
  assert.deepEqual(list.functions[0].health, health);
  await server.logged(
    /The call was refused: Its processes died too often\. It is suspended until/,
  );

  await server.api("PUT", `/api/functions/${id}`, { description: "mended" });
  assert.equal((await run(server, "/mortal")).body, "alive");
  assert.equal((await healthOf(server, id)).suspendedUntil, null);
});

Deno.test("the names of all functions' modules, which Deno remembers, are for the server's user alone", async () => {
  const cacheDir = await Deno.makeTempDir({ prefix: "crude-functions-test-" });
  await Deno.chmod(cacheDir, 0o755);
  try {
    await using server = await startApp({ env: { CACHE_DIR: cacheDir } });
    await deploy(server, "listed", "export default (c) => c.text('ok')");
    assert.equal((await run(server, "/listed")).body, "ok");
    const caches = [...Deno.readDirSync(`${cacheDir}/deno`)].filter(({ name }) => name.includes("analysis_cache"));
    assert.ok(caches.some(({ name }) => name === "dep_analysis_cache_v2"));
    for (const { name } of caches) {
      assert.equal((Deno.statSync(`${cacheDir}/deno/${name}`).mode! & 0o777).toString(8), "600", name);
    }
  } finally {
    await Deno.remove(cacheDir, { recursive: true });
  }
});

Deno.test("the Cache API is closed, so that functions cannot leave each other messages", async () => {
  await using server = await startApp();
  const code = `export default async (c) => c.text(await caches.open("shared")
    .then((cache) => cache.put("http://x/", new Response("message")))
    .then(() => "stored", (error) => "refused: " + error.name))`;
  await deploy(server, "writer", code);
  assert.match((await run(server, "/writer")).body, /^refused/);
});

Deno.test("a handler cannot start workers, whatever it asks for them, and undo nothing of that", async () => {
  await using server = await startApp();
  const attempts = {
    web: `new Worker("data:text/javascript,1", { type: "module" })`,
    node: `new NodeWorker("1", { eval: true })`,
    required: `new (process.getBuiltinModule("node:worker_threads").Worker)("1", { eval: true })`,
    derived: `new (class extends NodeWorker {})("1", { eval: true })`,
    constructed: `Reflect.construct(Worker, ["data:text/javascript,1", { type: "module" }], EventTarget)`,
    another: `Reflect.construct(NodeWorker, ["1", { eval: true }], Object)`,
    undone: `new (Object.setPrototypeOf(Worker, EventTarget))("data:text/javascript,1", { type: "module" })`,
    emptied: `Object.setPrototypeOf(Object.getPrototypeOf(NodeWorker), Object); new NodeWorker("1", { eval: true })`,
    prototype: `new Worker.prototype.constructor("data:text/javascript,1", { type: "module" })`,
    inspector: `new (process.getBuiltinModule("node:inspector").Session)().connect()`,
  };
  const code = `import { Worker as NodeWorker } from "node:worker_threads"; import process from "node:process";
    const attempts = { ${Object.entries(attempts).map(([name, body]) => `${name}: () => { ${body} }`).join(",\n")} };
    export default (c) => c.json(Object.fromEntries(Object.entries(attempts).map(([name, attempt]) => {
      try { attempt(); return [name, "worked"]; } catch (error) { return [name, String(error)]; }
    })));`;
  // With so much memory, nothing but the refusal would keep them from starting.
  await deploy(server, "workers", code, { memoryMb: 1_024 });
  const { body } = await run(server, "/workers");
  for (const name of Object.keys(attempts)) {
    assert.notEqual(body[name], "worked", name);
  }
  for (const name of ["web", "node", "required", "derived"]) {
    assert.equal(body[name], "Error: A handler cannot start workers.", name);
  }
});

Deno.test("a proxy by SOCKS, which Deno does not check by address, is refused, however it is put", async () => {
  await using server = await startApp();
  let reached = 0;
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepting = (async () => {
    for await (const connection of listener) {
      reached++;
      connection.close();
    }
  })();
  const { port } = listener.addr as Deno.NetAddr;
  const proxies = {
    plain: `{ url: SOCKS }`,
    resolving: `{ url: SOCKS.replace("socks5", "socks5h") }`,
    capital: `{ url: SOCKS.toUpperCase() }`,
    padded: `{ url: " \\t\\n" + SOCKS }`,
    named: `{ transport: "socks5", url: SOCKS }`,
    asHttp: `{ transport: "http", url: SOCKS }`,
    object: `{ url: { toString: () => SOCKS } }`,
    address: `{ url: new URL(SOCKS) }`,
    changing: `{ n: 0, get url() { return this.n++ ? SOCKS : "http://192.0.2.1" } }`,
    changingText: `{ url: { n: 0, toString() { return this.n++ ? SOCKS : "http://192.0.2.1" } } }`,
    inherited: `Object.create({ url: SOCKS })`,
    local: `{ url: "http://localhost:${port}" }`,
    tcp: `{ transport: "tcp", hostname: "localhost", port: ${port} }`,
  };
  const code = `const SOCKS = "socks5://localhost:${port}";
    const of = async (options) => {
      using client = Deno.createHttpClient(options);
      await fetch("http://192.0.2.99/", { client, signal: AbortSignal.timeout(200) });
    };
    export default async (c) => {
      for (const proxy of [${Object.values(proxies).join(", ")}]) await of({ proxy }).catch(() => {});
      let n = 0;
      await of({ get proxy() { return n++ ? { url: SOCKS } : undefined; } }).catch(() => {});
      Object.prototype.proxy = { url: SOCKS };
      await of({}).catch(() => {});
      delete Object.prototype.proxy;
      String.prototype.startsWith = () => true;
      Reflect.apply = () => true;
      await of({ proxy: { url: SOCKS } }).catch(() => {});
      Deno.createHttpClient({}).close();
      return c.text("done");
    };`;
  await deploy(server, "proxies", code);
  assert.equal((await run(server, "/proxies")).body, "done");
  listener.close();
  await accepting.catch(() => {});
  assert.equal(reached, 0);
});

Deno.test({
  name: "a server that is root gives each sandbox a user of its own, who can read nothing of the others'",
  ignore: Deno.uid() !== 0,
  async fn() {
    await using server = await startServer();
    for (const name of ["a", "b"]) {
      await deploy(server, name, "export default (c) => c.text('ok')");
      assert.equal((await run(server, `/${name}`)).body, "ok");
    }
    const processes = sandboxes(server).map((pid) => {
      const [uid] = statusOf(pid, "Uid");
      const code = codeFolder(argumentsOf(pid))!;
      const copy = `${code}/${[...Deno.readDirSync(code)][0]!.name}`;
      return { pid, uid: Number(uid), copy };
    });
    assert.equal(new Set(processes.map(({ uid }) => uid)).size, 2);
    for (const { pid, uid, copy } of processes) {
      assert.ok(uid >= FIRST_UID, `${uid}`);
      for (const field of ["Uid", "Gid"]) {
        assert.deepEqual(statusOf(pid, field), Array(4).fill(String(uid)));
      }
      assert.deepEqual(statusOf(pid, "Groups"), []);
      assert.deepEqual(statusOf(pid, "NoNewPrivs"), ["1"]);
      assert.match(
        Deno.readTextFileSync(`/proc/${pid}/limits`),
        /^Max processes +256 +256 /m,
      );
      for (const set of ["CapInh", "CapPrm", "CapEff", "CapAmb"]) {
        assert.match(statusOf(pid, set)[0]!, /^0+$/, set);
      }

      // What a handler that escaped from Deno would be able to read.
      const others = processes.filter((other) => other.pid !== pid);
      const tempting = [
        `${server.dataDir}/encryption-keys.json`,
        `${server.dataDir}/database.db`,
        `/proc/${server.pid}/environ`,
        ...others.flatMap((
          other,
        ) => [other.copy, `/proc/${other.pid}/environ`]),
      ];
      assert.equal(await readableAs(uid, copy), true);
      for (const path of tempting) {
        assert.equal(await readableAs(uid, path), false, path);
      }
    }
  },
});

async function readableAs(uid: number, path: string): Promise<boolean> {
  const { success } = await new Deno.Command("setpriv", {
    args: [`--reuid=${uid}`, `--regid=${uid}`, "--clear-groups", "cat", path],
    stdout: "null",
    stderr: "null",
  }).output();
  return success;
}
