// `crude pull` against a real server.

import assert from "node:assert/strict";
import { join } from "node:path";
import { startApp } from "../http/app.ts";
import { deploy } from "../http/handlers.ts";
import { makeCrudeHome } from "./crude.ts";

Deno.test("pull writes the server's files and functions, and replaces nothing without a question", async () => {
  await using server = await startApp();
  await using home = makeCrudeHome();
  const env = { CRUDE_URL: server.url, CRUDE_KEY: server.key };
  const pull = (...args: string[]) => home.crude(["pull", "copy", ...args], { env });
  const read = (path: string) => Deno.readTextFile(join(home.path, "copy", path));
  const { body: { id } } = await server.api("POST", "/api/key-groups", { name: "staging" });
  await deploy(server, "hello", `export default (c) => c.text("one");`, {
    route: "/hello",
    methods: ["GET"],
    keys: [id],
    timeoutMs: 500,
  });
  await server.api("PUT", "/api/files/lib/umlaut%20ä.txt", new Uint8Array([0, 255, 10]));

  const first = await pull("--json");
  assert.equal(first.code, 0, first.stdout + first.stderr);
  assert.deepEqual(first.json.files, {
    created: ["crude.json", "hello.ts", "lib/umlaut ä.txt"],
    changed: [],
    unchanged: 0,
  });
  assert.deepEqual(JSON.parse(await read("crude.json")), {
    functions: { hello: { handler: "hello.ts", route: "/hello", keys: ["staging"], timeoutMs: 500 } },
  });
  assert.deepEqual([...await Deno.readFile(join(home.path, "copy/lib/umlaut ä.txt"))], [0, 255, 10]);
  assert.deepEqual((await pull("--json")).json.files, { created: [], changed: [], unchanged: 3 });

  home.write("copy/.crudeignore", "hello.ts\n");
  home.write("copy/hello.ts", "// mine");
  home.write("copy/only_here.ts", "// mine");
  const refused = await pull();
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /~ hello\.ts\n.*--yes/s);
  assert.equal(await read("hello.ts"), "// mine");
  assert.equal((await pull("--yes")).code, 0);
  assert.match(await read("hello.ts"), /one/);
  assert.equal(await read("only_here.ts"), "// mine");
});

Deno.test("pull writes only inside of its folder, whatever a server names", async () => {
  const names = ["../out.ts", "a/../../out.ts", "/out.ts", "C:\\out.ts", "a\\b.ts", ".git/hooks/x", ".env", "ok.ts"];
  await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/api/files") return Response.json({ files: names.map((path) => ({ path })) });
    if (pathname === "/api/functions") return Response.json({ functions: [] });
    if (pathname === "/api/key-groups") return Response.json({ groups: [] });
    return new Response("content");
  });
  await using home = makeCrudeHome();
  const env = { CRUDE_URL: `http://127.0.0.1:${server.addr.port}`, CRUDE_KEY: "some-key" };
  const { json } = await home.crude(["pull", "copy", "--json"], { env });
  assert.deepEqual(json.files.created, ["crude.json", "ok.ts"]);
});
