// What saving code finds out by loading it once: what it throws, with its place, and what it could not find out.

import assert from "node:assert/strict";
import { setUp } from "./admin.ts";
import { createSecret, run, set } from "./handlers.ts";
import { supervised } from "./processes.ts";
import { startApp } from "./app.ts";
import { type Answer, type Server } from "./server.ts";

interface Findings {
  problems: string[];
  warnings: string[];
}

const GOOD = "export default (c) => c.text('ok')";

async function save(server: Server, path: string, code: string): Promise<Findings> {
  const saved = await server.api("PUT", `/api/files/${encodeURIComponent(path)}`, code, {
    "Content-Type": "text/plain",
  });
  return findings(saved);
}

/** Registers `<name>.ts` under `/<name>`. */
async function register(server: Server, name: string, more: Record<string, unknown> = {}): Promise<Findings> {
  const fields = { name, handler: `${name}.ts`, route: `/${name}`, ...more };
  return findings(await server.api("POST", "/api/functions", fields));
}

function findings({ status, body }: Answer): Findings {
  assert.ok(status === 200 || status === 201, JSON.stringify(body));
  return { problems: body.problems, warnings: body.warnings };
}

const NONE: Findings = { problems: [], warnings: [] };

Deno.test("what a module throws when it is loaded is a problem at saving, with its file and line", async () => {
  await using server = await startApp({ checksLoads: true });
  await register(server, "handler");
  await save(server, "lib/broken.ts", "export const settings = 1;\n\nthrow new TypeError('no settings');\n");
  const modules: Record<string, [code: string, problem: RegExp]> = {
    "a throw": [
      "const n = 1;\nthrow new Error('not today');\n",
      /does not load: Error: not today \(handler\.ts:2:7\)$/,
    ],
    "a call of nothing": ["export default undefined.x;", /does not load: TypeError: .*undefined.* \(handler\.ts:1:/],
    "no error at all": ["throw 'a text';", /does not load: .*a text/],
    "a rejection": [
      "await Promise.reject(new RangeError('late'));",
      /does not load: RangeError: late \(handler\.ts:1:/,
    ],
    "a module of its own": [
      "import './lib/broken.ts';\nexport default () => {};",
      /does not load: TypeError: no settings \(lib\/broken\.ts:3:7\)$/,
    ],
    "a name that is not exported": [
      "import { missing } from './lib/fine.ts'; export default () => missing;",
      /does not load: SyntaxError: .*missing.*handler\.ts:1:/,
    ],
    "an exit": ["Deno.exit(3);", /cannot answer calls: |does not load: /],
    "no handler": ["export const x = 1;", /cannot answer calls: .*no default export/],
    "memory": [
      "const all = []; for (let n = 0; ; n++) all.push({ n, text: 'x' + n });",
      /ran out of memory \(limit 64 MB\)/,
    ],
  };
  await save(server, "lib/fine.ts", "export const there = 1;");
  await set(server, { "sandbox.memory-mb": 64 });
  for (const [what, [code, problem]] of Object.entries(modules)) {
    const { problems, warnings } = await save(server, "handler.ts", code);
    assert.equal(problems.length, 1, `${what}: ${problems}`);
    assert.match(problems[0]!, problem, `${what}: ${problems[0]}`);
    assert.deepEqual(warnings, [], what);
  }
  assert.deepEqual(await save(server, "handler.ts", GOOD), NONE);
  assert.equal((await run(server, "/handler")).body, "ok");
});

Deno.test("a load that needs the network, or never ends, is a warning", async () => {
  await using server = await startApp({ checksLoads: true });
  await using upstream = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, () => new Response("up"));
  const host = `127.0.0.1:${(upstream.addr as Deno.NetAddr).port}`;
  await set(server, { "sandbox.load-check-ms": 1_500 });
  await register(server, "net", { permissions: { net: [host] } });
  const modules: Record<string, string> = {
    fetch: `const text = await (await fetch("http://${host}")).text();`,
    connect: `const text = (await Deno.connect({ hostname: "127.0.0.1", port: ${
      host.split(":")[1]
    } })).close() ?? "up";`,
    "a socket of Node": `import net from "node:net"; const text = await new Promise((resolve, reject) =>
      net.connect(${
      host.split(":")[1]
    }, "127.0.0.1").on("error", reject).on("connect", function () { this.destroy(); resolve("up"); }));`,
  };
  for (const [what, statements] of Object.entries(modules)) {
    const found = await save(server, "net.ts", `${statements} export default (c) => c.text(text);`);
    assert.deepEqual(found.problems, [], what);
    assert.match(found.warnings.join(), /^The module does not load without network: /, what);
    // Its calls have the network.
    assert.equal((await run(server, "/net")).body, "up", what);
  }
  const endless = ["await new Promise(() => {}); " + GOOD, "for (;;); " + GOOD];
  for (const code of endless) {
    const found = await save(server, "net.ts", code);
    assert.deepEqual(found.problems, []);
    assert.match(found.warnings.join(), /not known whether .+ loads\. It did not finish loading in 1500 ms/);
  }
});

Deno.test("a file that is no function's handler needs no default export, and a broken one is told of its handlers", async () => {
  await using server = await startApp({ checksLoads: true });
  assert.deepEqual(await save(server, "lib.ts", "export const greeting = 'hello';"), NONE);
  assert.match((await save(server, "alone.ts", "throw new Error('alone');")).problems.join(), /Error: alone/);
  assert.deepEqual(await save(server, "types.d.ts", "export interface A { b: string }"), NONE);
  assert.deepEqual(await save(server, "note.md", "throw"), NONE);
  for (const name of ["one", "two"]) {
    await save(server, `${name}.ts`, "import { greeting } from './lib.ts'; export default (c) => c.text(greeting);");
    assert.deepEqual(await register(server, name), NONE);
  }
  // It loads by itself; what imports it does not.
  const { problems } = await save(server, "lib.ts", "export const salutation = 'hello';");
  assert.equal(problems.length, 2, problems.join());
  for (const name of ["one", "two"]) {
    assert.ok(problems.some((problem) => problem.startsWith(`${name}.ts, which imports it, does not load: `)), name);
  }
  assert.deepEqual(await save(server, "lib.ts", "export const greeting = 'hello again';"), NONE);
  assert.equal((await run(server, "/two")).body, "hello again");
});

Deno.test("a handler is saved before what it imports, and a function is made of one that does not load", async () => {
  await using server = await startApp({ checksLoads: true });
  const early = "import { name } from './later.ts'; export default (c) => c.text(name);";
  assert.match((await save(server, "early.ts", early)).problems.join(), /later\.ts/);
  assert.match((await register(server, "early")).problems.join(), /later\.ts/);
  assert.deepEqual(await save(server, "later.ts", "export const name = 'now';"), NONE);
  assert.equal((await run(server, "/early")).body, "now");

  await save(server, "late.ts", "throw new Error('not yet');");
  assert.match((await register(server, "late")).problems.join(), /^The handler does not load: Error: not yet/);
  const { body } = await server.api("GET", "/api/functions");
  const { id } = body.functions.find(({ name }: { name: string }) => name === "late");
  const changed = await server.api("PUT", `/api/functions/${id}`, { handler: "early.ts" });
  assert.deepEqual(findings(changed), NONE);
});

Deno.test("a module that is being checked gets no secret, no network and no file, and leaves no process", async () => {
  await using server = await startApp({ checksLoads: true });
  await createSecret(server, "TOKEN", "canary-of-the-check");
  await Deno.writeTextFile(`${server.codeDir}/other.txt`, "canary-of-a-file");
  const code = `const found = [];
    const attempts = {
      file: () => Deno.readTextFile(new URL("./other.txt", import.meta.url)),
      keys: () => Deno.readTextFile(${JSON.stringify(server.dataDir + "/encryption-keys.json")}),
      net: () => fetch(${JSON.stringify(server.url + "/health")}),
      env: () => { if (Deno.env.get("BOOTSTRAP_API_KEY")) return "env"; throw 0; },
      run: () => new Deno.Command("/bin/true").output(),
      ctx: () => globalThis.ctx.getSecret("TOKEN"),
    };
    for (const [name, attempt] of Object.entries(attempts)) try { await attempt(); found.push(name); } catch {}
    throw new Error("got: " + found.join() + ".");`;
  const { problems, warnings } = await save(server, "prying.ts", code);
  assert.match([...problems, ...warnings].join(), /Error: got: \./);
  assert.doesNotMatch(JSON.stringify([problems, warnings]) + server.logs(), /canary/);
});

Deno.test("forty files saved at once start two processes at a time, and the same code is loaded once", async () => {
  await using server = await startApp({ checksLoads: true });
  await set(server, { "sandbox.spare-processes": 0, "sandbox.max-processes": 1, "sandbox.load-check-ms": 60_000 });
  await save(server, "busy.ts", GOOD);
  await register(server, "busy");
  assert.equal((await run(server, "/busy")).body, "ok");
  const own = supervised(server).length;
  let most = 0;
  const watch = setInterval(() => most = Math.max(most, supervised(server).length), 2);
  try {
    const saved = Array.from({ length: 40 }, (_, n) => save(server, `f${n}.ts`, `export const n = ${n};`));
    // The only process there may be is not taken from its function.
    for (let n = 0; n < 20; n++) assert.equal((await run(server, "/busy")).body, "ok");
    for (const found of await Promise.all(saved)) assert.deepEqual(found, NONE);
  } finally {
    clearInterval(watch);
  }
  assert.ok(most > own && most <= own + 2, `${most} processes, ${own} of the function`);
  assert.equal(supervised(server).length, own);

  // Its process would be found, were there another.
  const seen = new Set<number>();
  const again = setInterval(() => supervised(server).forEach((pid) => seen.add(pid)), 1);
  try {
    for (let n = 0; n < 5; n++) assert.deepEqual(await save(server, "f7.ts", "export const n = 7;"), NONE);
  } finally {
    clearInterval(again);
  }
  assert.ok(seen.size <= own, `${seen.size} processes`);
});

Deno.test("pages that save code show what was found", async () => {
  await using server = await startApp({ checksLoads: true });
  const visitor = await setUp(server);
  const content = "throw new Error('seen on a page');";
  const fields = { path: "paged.ts", hash: "", content, eol: "lf" };
  const saved = await visitor.post("/web/files/edit", fields, { Accept: "application/json" });
  assert.match(JSON.parse(saved.text).problems.join(), /does not load: Error: seen on a page \(paged\.ts:1:7\)/);
  assert.deepEqual(JSON.parse(saved.text).warnings, []);
  const moved = await visitor.post("/web/files/move", { path: "paged.ts", to: "moved.ts" });
  assert.equal(moved.status, 303);
  const form = { name: "paged", handler: "moved.ts", route: "/paged", methods: "GET", net: "any", secrets: "*" };
  assert.equal((await visitor.post("/web/functions/new", form)).status, 303);
  const { text } = await visitor.get("/web/functions");
  assert.match(text, /The handler does not load: Error: seen on a page/);
});
