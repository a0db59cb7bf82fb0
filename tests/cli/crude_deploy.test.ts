// `crude deploy`, `diff` and `rollback` against a real server.

import assert from "node:assert/strict";
import { join } from "node:path";
import { startApp } from "../http/app.ts";
import type { Server } from "../http/server.ts";
import { type CrudeHome, makeCrudeHome, RUNTIMES } from "./crude.ts";

const HELLO = (text: string) => `export default (c) => c.text(${JSON.stringify(text)});\n`;
const PROJECT = (functions: Record<string, unknown>) => JSON.stringify({ functions });
const ENTRY = { handler: "hello.ts", route: "/hello" };

/** What went over the wire: a proxy in front of the server counts it. */
interface Counted extends AsyncDisposable {
  readonly url: string;
  readonly requests: string[];
}

function countRequests(server: Server): Counted {
  const requests: string[] = [];
  const proxy = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    const { pathname, search } = new URL(request.url);
    requests.push(`${request.method} ${pathname}`);
    const body = request.body ? await request.bytes() : null;
    return await fetch(server.url + pathname + search, { method: request.method, headers: request.headers, body });
  });
  return {
    url: `http://127.0.0.1:${proxy.addr.port}`,
    requests,
    [Symbol.asyncDispose]: () => proxy.shutdown(),
  };
}

function runner(home: CrudeHome, { url, key }: { url: string; key: string }) {
  return (args: readonly string[]) =>
    home.crude(args, { env: { CRUDE_URL: url, CRUDE_KEY: key }, cwd: join(home.path, "shop") });
}

async function answered(server: Server, path: string): Promise<string | number> {
  const response = await fetch(`${server.url}/run${path}`);
  const text = await response.text();
  return response.status === 200 ? text : response.status;
}

for (const runtime of Object.keys(RUNTIMES)) {
  Deno.test(`on ${runtime}, a project is deployed, changed, compared and rolled back`, async () => {
    await using server = await startApp();
    await using home = makeCrudeHome(runtime);
    const crude = runner(home, server);
    home.write("shop/hello.ts", HELLO("one"));
    home.write("shop/lib/data.bin", "\u0000");
    home.write("shop/crude.json", PROJECT({ hello: ENTRY }));
    const first = await crude(["deploy", "--message", "the first"]);
    assert.equal(first.code, 0, first.stderr);
    assert.match(first.stdout, /^\+ crude\.json\n\+ hello\.ts\n\+ lib\/data\.bin\n\+ function hello\n/);
    assert.equal(await answered(server, "/hello"), "one");

    home.write("shop/hello.ts", HELLO("two"));
    const diff = await crude(["diff"]);
    assert.equal(diff.code, 0, diff.stderr);
    assert.match(diff.stdout, /~ hello\.ts\n/);
    assert.match(diff.stdout, /^-export default \(c\) => c\.text\("one"\);\n\+export default .*"two"/m);
    assert.equal(await answered(server, "/hello"), "one");
    assert.equal((await crude(["deploy"])).code, 0);
    assert.equal(await answered(server, "/hello"), "two");

    const back = await crude(["rollback", "--json"]);
    assert.equal(back.code, 0, back.stdout);
    assert.equal(back.json.deployment.rollbackOf, 1);
    assert.equal(await answered(server, "/hello"), "one");
    const none = await crude(["rollback"]);
    assert.deepEqual([none.code, none.stderr], [1, "There is no earlier deployment.\n"]);
    assert.equal((await crude(["rollback", "2"])).code, 0);
    assert.equal(await answered(server, "/hello"), "two");
  });
}

Deno.test("rollback without an id goes further back each time", async () => {
  await using server = await startApp();
  await using home = makeCrudeHome();
  const crude = runner(home, server);
  home.write("shop/crude.json", PROJECT({ hello: ENTRY }));
  for (const text of ["one", "two", "three"]) {
    home.write("shop/hello.ts", HELLO(text));
    assert.equal((await crude(["deploy"])).code, 0);
  }
  for (const text of ["two", "one"]) {
    assert.equal((await crude(["rollback"])).code, 0);
    assert.equal(await answered(server, "/hello"), text);
  }
});

Deno.test("200 unchanged files cost one request, and a changed one is uploaded alone", async () => {
  await using server = await startApp();
  await using counted = countRequests(server);
  await using home = makeCrudeHome();
  const crude = runner(home, { url: counted.url, key: server.key });
  home.write("shop/hello.ts", HELLO("one"));
  home.write("shop/crude.json", PROJECT({ hello: ENTRY }));
  for (let n = 0; n < 200; n++) home.write(`shop/data/${n}.txt`, `file ${n}`);
  assert.equal((await crude(["deploy"])).code, 0);
  assert.equal(counted.requests.filter((one) => one.startsWith("PUT /api/blobs/")).length, 202);

  counted.requests.length = 0;
  assert.equal((await crude(["deploy"])).code, 0);
  assert.deepEqual(counted.requests, ["POST /api/deployments"]);

  counted.requests.length = 0;
  home.write("shop/data/7.txt", "changed");
  home.write("shop/data/8.txt", "changed");
  assert.equal((await crude(["deploy"])).code, 0);
  assert.deepEqual(counted.requests.map((one) => one.replace(/[0-9a-f]{64}/, "…")), [
    "POST /api/deployments",
    "PUT /api/blobs/…",
    "POST /api/deployments",
  ]);
});

Deno.test("what is ignored, or never uploaded, stays here", async () => {
  await using server = await startApp();
  await using home = makeCrudeHome();
  const crude = runner(home, server);
  for (const path of [".env", ".env.local", ".git/config", "node_modules/a/index.js", "lib/.crude/x", "a.log"]) {
    home.write(`shop/${path}`, "secret");
  }
  home.write("shop/.crudeignore", "*.log\nlib/*\n!lib/kept.ts\n");
  home.write("shop/lib/left.ts", "");
  home.write("shop/lib/kept.ts", "");
  await Deno.symlink("/etc/hostname", join(home.path, "shop/link.ts"));
  const { code, json } = await crude(["deploy", "--json"]);
  assert.equal(code, 0);
  assert.deepEqual(json.deployment.plan.files.created, [".crudeignore", "lib/kept.ts"]);
});

Deno.test("problems stop a deployment, are listed with their places, and --force deploys in spite of them", async () => {
  await using server = await startApp({ checksLoads: true });
  await using home = makeCrudeHome();
  const crude = runner(home, server);
  home.write("shop/crude.json", PROJECT({ hello: ENTRY }));
  home.write("shop/hello.ts", "const a = 1;\nthrow new Error('broken at start');\n");
  const dry = await crude(["deploy", "--dry-run"]);
  assert.equal(dry.code, 1);
  assert.match(dry.stdout, /^\+ hello\.ts\n[\s\S]*1 problem:\n {2}hello\.ts:2: .*broken at start.*\(load\)\nNothing/m);
  const refused = await crude(["deploy"]);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /hello\.ts:2: .*broken at start/);
  const { stdout } = await crude(["deploy", "--json"]);
  assert.equal(JSON.parse(stdout).code, "DeploymentProblems");
  assert.equal(await answered(server, "/hello"), 404);
  assert.equal((await crude(["deploy", "--force"])).code, 0);
});

Deno.test("--types checks types on the server, too, with those of the project", async () => {
  await using server = await startApp();
  await using home = makeCrudeHome();
  await home.crude(["init", "shop"]);
  const crude = runner(home, server);
  assert.equal((await crude(["deploy", "--types"])).code, 0);
  const file = join(home.path, "shop/hello.ts");
  await Deno.writeTextFile(file, (await Deno.readTextFile(file)).replace("c.json(", "c.jsn("));
  const wrong = await crude(["deploy", "--types"]);
  assert.equal(wrong.code, 1, wrong.stdout);
  assert.match(wrong.stderr, /hello\.ts:\d+: .*Property 'jsn' does not exist.*\(type\)/);
});

Deno.test("--prune deletes what the project does not have, after a question or with --yes", async () => {
  await using server = await startApp();
  await using home = makeCrudeHome();
  const crude = runner(home, server);
  home.write("shop/hello.ts", HELLO("one"));
  home.write("shop/old.ts", HELLO("old"));
  home.write("shop/crude.json", PROJECT({ hello: ENTRY, old: { handler: "old.ts", route: "/old" } }));
  assert.equal((await crude(["deploy", "--prune"])).code, 0, "nothing is deleted, so nothing is asked");
  await Deno.remove(join(home.path, "shop/old.ts"));
  home.write("shop/crude.json", PROJECT({ hello: ENTRY }));
  assert.equal((await crude(["deploy"])).code, 0);
  assert.equal(await answered(server, "/old"), "old", "without --prune, what is not listed stays");
  const asked = await crude(["deploy", "--prune"]);
  assert.equal(asked.code, 2);
  assert.match(asked.stderr, /- old\.ts\n- function old\n[\s\S]*--yes/);
  assert.equal((await crude(["deploy", "--prune", "--yes"])).code, 0);
  assert.equal(await answered(server, "/old"), 404);
  assert.equal(await answered(server, "/hello"), "one");
});

Deno.test("a deployment for a version that is not the newest any more is refused", async () => {
  await using server = await startApp();
  await using home = makeCrudeHome();
  const crude = runner(home, server);
  home.write("shop/hello.ts", HELLO("one"));
  const { json } = await crude(["deploy", "--json"]);
  home.write("shop/hello.ts", HELLO("two"));
  assert.equal((await crude(["deploy", "--if-version", String(json.deployment.version)])).code, 0);
  home.write("shop/hello.ts", HELLO("three"));
  const late = await crude(["deploy", "--if-version", String(json.deployment.version), "--json"]);
  assert.deepEqual([late.code, late.json.code], [1, "PreconditionFailed"]);
});

Deno.test("what was pulled deploys without a change", async () => {
  await using server = await startApp();
  await using home = makeCrudeHome();
  const crude = runner(home, server);
  await server.api("POST", "/api/key-groups", { name: "staging" });
  home.write("shop/hello.ts", HELLO("one"));
  const hello = {
    ...ENTRY,
    description: "says hello",
    methods: ["GET", "POST"],
    keys: ["staging"],
    permissions: { net: ["api.example.com:443"] },
    secrets: ["A_*"],
    isolation: "per-key",
    responseGuard: "block",
    cors: { origins: ["https://app.example.com"], headers: ["x-a"], credentials: true, maxAgeSeconds: 60 },
    timeoutMs: 500,
    memoryMb: 64,
    files: ["data/*.txt"],
  };
  home.write("shop/data/a.txt", "a");
  home.write("shop/crude.json", PROJECT({ hello }));
  assert.equal((await crude(["deploy"])).code, 0);
  const copy = (args: readonly string[]) => home.crude(args, { env: { CRUDE_URL: server.url, CRUDE_KEY: server.key } });
  assert.equal((await copy(["pull", "copy"])).code, 0);
  const pulled = await Deno.readTextFile(join(home.path, "copy/crude.json"));
  assert.equal(pulled, PROJECT({ hello }), "it says the same, so it is left as it was written");
  await Deno.remove(join(home.path, "copy/crude.json"));
  await server.api("DELETE", "/api/files/crude.json");
  assert.equal((await copy(["pull", "copy", "--yes"])).code, 0);
  const { json } = await copy(["deploy", "copy", "--dry-run", "--prune", "--json"]);
  assert.deepEqual(json.plan.functions, { created: [], changed: [], deleted: [], unchanged: 1 });
  assert.deepEqual(json.plan.files, { created: ["crude.json"], changed: [], deleted: [], unchanged: 2 });
});

Deno.test("a new project deploys and answers", async () => {
  await using server = await startApp();
  await using home = makeCrudeHome();
  const env = { CRUDE_URL: server.url, CRUDE_KEY: server.key };
  assert.equal((await home.crude(["init", "shop"], { env })).code, 0);
  const { code, stdout, stderr } = await home.crude(["deploy", "shop"], { env });
  assert.equal(code, 0, stdout + stderr);
  const { json } = await home.crude(["call", "hello", "-p", "name=ada", "--json"], { env });
  assert.equal(JSON.parse(json.body).message, "Hello, ada!");
  assert.equal((await home.crude(["diff", "shop", "--json"], { env })).json.plan.files.changed.length, 0);
});
