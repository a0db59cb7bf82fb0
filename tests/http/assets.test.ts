// `files`: what else of the code folder a function may read.

import assert from "node:assert/strict";
import { join } from "node:path";
import { until } from "../hostile/processes.ts";
import { setUp } from "./admin.ts";
import { deploy, run, save } from "./handlers.ts";
import { startApp } from "./app.ts";
import { type Answer, type Server } from "./server.ts";

/** Reads the file at `?path=`, relative to its own folder, in each way that handlers do. */
const READER = `import fs from "node:fs";
import { readFile } from "node:fs/promises";
const ways = {
  deno: (url) => Deno.readTextFile(url),
  sync: (url) => Deno.readTextFileSync(url),
  node: (url) => fs.readFileSync(url, "utf8"),
  promise: (url) => readFile(url, "utf8"),
  dirname: (url, path) => fs.readFileSync(import.meta.dirname + "/" + path, "utf8"),
};
export default async (c) => {
  const path = c.req.query("path");
  try {
    return c.text(await ways[c.req.query("way") ?? "deno"](new URL("./" + path, import.meta.url), path));
  } catch (error) {
    return c.text("refused: " + error.name, 404);
  }
};`;

function read(server: Server, name: string, path: string, way = "deno"): Promise<Answer> {
  return run(server, `/${name}?${new URLSearchParams({ path, way })}`);
}

Deno.test("a function reads the files that its patterns match, in every way, and no others", async () => {
  await using server = await startApp();
  const there = [
    "templates/a.html",
    "templates/deep/er/b.html",
    "templates/x.ts",
    "data/one.json",
    "data/two.txt",
    "c.md",
  ];
  for (const path of there) await save(server, path, `content of ${path}`);
  await Deno.mkdir(join(server.codeDir, "templates/node_modules/pkg"), { recursive: true });
  await Deno.mkdir(join(server.codeDir, "templates/.git"), { recursive: true });
  const closed = [
    "templates/.env",
    "templates/.env.local",
    "templates/.git/config",
    "templates/node_modules/pkg/a.html",
  ];
  for (const path of closed) await Deno.writeTextFile(join(server.codeDir, path), "canary");
  await Deno.writeTextFile(join(server.codeDir, "..", "outside.html"), "canary");
  await Deno.symlink(join(server.codeDir, "..", "outside.html"), join(server.codeDir, "templates/link.html"));
  await Deno.symlink(join(server.codeDir, ".."), join(server.codeDir, "templates/out"));
  await deploy(server, "reader", READER, { files: ["templates/**", "data/*.json"] });

  for (const path of ["templates/a.html", "templates/deep/er/b.html", "templates/x.ts", "data/one.json"]) {
    for (const way of ["deno", "sync", "node", "promise", "dirname"]) {
      assert.equal((await read(server, "reader", path, way)).body, `content of ${path}`, `${path}, ${way}`);
    }
  }
  const refused = [
    "data/two.txt",
    "c.md",
    ...closed,
    "templates/link.html",
    "templates/out/outside.html",
    "../outside.html",
  ];
  for (const path of refused) {
    const { status, body } = await read(server, "reader", path);
    assert.match(`${status} ${body}`, /^404 refused: /, path);
  }

  await deploy(server, "plain", READER);
  assert.equal((await read(server, "plain", "templates/a.html")).status, 404);
});

Deno.test("an edit through the API counts for the next call, one on the disk a moment later", async () => {
  await using server = await startApp();
  await save(server, "t/a.txt", "1");
  await deploy(server, "reader", READER, { files: ["t/**"] });
  const now = async (path: string) => (await read(server, "reader", path)).body;
  assert.equal(await now("t/a.txt"), "1");
  for (let n = 2; n < 12; n++) {
    await save(server, "t/a.txt", String(n));
    assert.equal(await now("t/a.txt"), String(n));
  }
  await save(server, "t/new/b.txt", "new");
  assert.equal(await now("t/new/b.txt"), "new");
  assert.equal((await server.api("DELETE", "/api/files/t%2Fa.txt")).status, 200);
  assert.match(await now("t/a.txt"), /refused/);

  await Deno.writeTextFile(join(server.codeDir, "t/new/b.txt"), "edited");
  await until("the edit counts", async () => await now("t/new/b.txt") === "edited");
  await Deno.mkdir(join(server.codeDir, "t/made/deep"), { recursive: true });
  await Deno.writeTextFile(join(server.codeDir, "t/made/deep/c.txt"), "found");
  await until("a file in new folders counts", async () => await now("t/made/deep/c.txt") === "found");
  await Deno.writeTextFile(join(server.codeDir, "t/made/deep/c.txt"), "found again");
  await until("an edit there counts", async () => await now("t/made/deep/c.txt") === "found again");
  await Deno.rename(join(server.codeDir, "t/made"), join(server.codeDir, "t/moved"));
  await until("a moved folder counts", async () => await now("t/moved/deep/c.txt") === "found again");
  assert.match(await now("t/made/deep/c.txt"), /refused/);
});

Deno.test("while nothing is changed, a process goes on, however many files it may read", async () => {
  await using server = await startApp();
  for (let n = 0; n < 1_000; n++) {
    if (n === 0) await Deno.mkdir(join(server.codeDir, "many"), { recursive: true });
    await Deno.writeTextFile(join(server.codeDir, `many/${n}.txt`), String(n));
  }
  const code = `let calls = 0; export default async (c) =>
    c.json([++calls, await Deno.readTextFile(new URL(\`./many/\${c.req.query("n")}.txt\`, import.meta.url))]);`;
  const id = await deploy(server, "many", code, { files: ["many/*"] });
  for (let n = 1; n <= 20; n++) assert.deepEqual((await run(server, "/many?n=999")).body, [n, "999"]);
  // Other files do not concern it.
  await save(server, "other.txt", "x");
  assert.deepEqual((await run(server, "/many?n=999")).body, [21, "999"]);
  await save(server, "many/999.txt", "edited");
  assert.deepEqual((await run(server, "/many?n=999")).body, [1, "edited"]);

  // One too many: refused where it is set, and told of where it came later.
  await save(server, "many/1000.txt", "one too many");
  const refused = await server.api("PUT", `/api/functions/${id}`, { files: ["many/**"] });
  assert.equal(refused.status, 400);
  assert.match(refused.body.details.files, /match 1001 files .* 1000 files of 64 MB/);
  assert.equal((await run(server, "/many?n=0")).status, 200);
  const logs = async () => (await server.api("GET", `/api/logs?functionId=${id}`)).body.logs as { message: string }[];
  await until("it is told", async () => (await logs()).some(({ message }) => /match 1001 files/.test(message)));
  const kept = await server.api("PUT", `/api/functions/${id}`, { description: "as before" });
  assert.match(kept.body.problems.join(), /match 1001 files/);
});

Deno.test("more than 64 MB are refused, and what the function has already stays as it is", async () => {
  await using server = await startApp();
  await Deno.mkdir(join(server.codeDir, "big"), { recursive: true });
  for (const name of ["a", "b"]) await Deno.writeFile(join(server.codeDir, "big", name), new Uint8Array(33 << 20));
  await save(server, "big/small", "s");
  const id = await deploy(server, "big", READER, { files: ["big/small"] });
  const refused = await server.api("PUT", `/api/functions/${id}`, { files: ["big/*"] });
  assert.deepEqual([refused.status, Object.keys(refused.body.details)], [400, ["files"]]);
  const { body } = await server.api("GET", `/api/functions/${id}`);
  assert.deepEqual(body.function.files, ["big/small"]);
  assert.equal((await read(server, "big", "big/small")).body, "s");
});

Deno.test("patterns that could lead out of the code folder, or to what no function may read, are refused by name", async () => {
  await using server = await startApp();
  await save(server, "f.ts", READER);
  const bad: unknown[] = [
    ...["../x", "/etc/*", "a/../../b", "", "a//b", "./a", "a\\b", "C:/x", "a,b", "a\u0000b"],
    ...[".env", ".ENV.local", "a/.git/*", "node_modules/**", ".crude/*", "{a,b}", "[ab]*", "!a", "a|b", "+(a)"],
    ...[7, null, ["a"]],
  ];
  for (const pattern of bad) {
    const fields = { name: "f", handler: "f.ts", route: "/f", files: [pattern] };
    const { status, body } = await server.api("POST", "/api/functions", fields);
    assert.equal(status, 400, JSON.stringify(pattern));
    assert.match(Object.keys(body.details).join(), /^files/, JSON.stringify(pattern));
  }
  for (const files of ["templates/**", null, {}, Array(101).fill("a")]) {
    const { status } = await server.api("POST", "/api/functions", { name: "f", handler: "f.ts", route: "/f", files });
    assert.equal(status, 400);
  }
});

Deno.test("files are set in the API and on the page, shown, and in the audit", async () => {
  await using server = await startApp();
  const visitor = await setUp(server);
  await save(server, "pages/a.txt", "a");
  const form = { name: "paged", handler: "paged.ts", route: "/paged", methods: "GET", net: "any", secrets: "*" };
  assert.equal((await visitor.post("/web/functions/new", { ...form, files: "pages/*\nmore/**" })).status, 303);
  const { body } = await server.api("GET", "/api/functions");
  const [{ id, files }] = body.functions;
  assert.deepEqual(files, ["pages/*", "more/**"]);
  assert.match((await visitor.get(`/web/functions/${id}/settings`)).text, /pages\/\*\nmore\/\*\*<\/textarea>/);
  const wrong = await visitor.post(`/web/functions/${id}/settings`, { ...form, files: "../x" });
  assert.equal(wrong.status, 400);
  assert.match(wrong.text, /Files it may read must not contain/);
  assert.equal((await server.api("PUT", `/api/functions/${id}`, { files: [] })).status, 200);
  const audit = await server.api("GET", "/api/audit?limit=1");
  assert.deepEqual(audit.body.entries[0].before.files, ["pages/*", "more/**"]);
  assert.deepEqual(audit.body.entries[0].after.files, []);
});
