// Moving files and deleting those that something needs, through the API: what names a file follows it, what depends on
// it is named, and nothing is done by halves.

import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setUp } from "./admin.ts";
import { startApp } from "./app.ts";
import { deploy, run, save } from "./handlers.ts";
import { type Answer, type Server } from "./server.ts";

const HELLO = "export default (c) => c.text('hello')";
const RATE = "export const rate = 1.19;\n";

function move(server: Server, from: unknown, to: unknown, headers?: Record<string, string>): Promise<Answer> {
  return server.api("POST", "/api/file-moves", { from, to }, headers);
}

async function paths(server: Server): Promise<string[]> {
  return (await server.api("GET", "/api/files")).body.files.map(({ path }: { path: string }) => path);
}

async function handlers(server: Server): Promise<string[]> {
  return (await server.api("GET", "/api/functions")).body.functions.map(({ handler }: { handler: string }) => handler);
}

/** Files and functions, as the API shows them. */
async function stateOf(server: Server): Promise<unknown> {
  const [files, functions] = await Promise.all([
    server.api("GET", "/api/files"),
    server.api("GET", "/api/functions"),
  ]);
  return [files.body, functions.body];
}

/** Two handlers that import a module, one of them through another. */
async function deployImporters(server: Server): Promise<void> {
  await save(server, "lib/rates.ts", RATE);
  await save(server, "lib/prices.ts", `export { rate } from "./rates.ts";\n`);
  await deploy(server, "one", `import { rate } from "./lib/rates.ts"; export default (c) => c.text("1 " + rate)`);
  await deploy(server, "two", `import { rate } from "./lib/prices.ts"; export default (c) => c.text("2 " + rate)`);
}

Deno.test("a handler is moved together with the functions that have it, and their calls go on", async () => {
  await using server = await startApp();
  const first = await deploy(server, "hello", HELLO);
  const other = await deploy(server, "other", "export default (c) => c.text('other')");
  const { body: made } = await server.api("POST", "/api/functions", {
    name: "second",
    handler: "hello.ts",
    route: "/second",
    enabled: false,
  });
  const second = made.function.id;
  const before = await server.api("GET", "/api/files/hello.ts");

  const moved = await move(server, "hello.ts", "greetings/en/hello.mts");
  assert.equal(moved.status, 200, JSON.stringify(moved.body));
  const { path, size, functions, importers, problems, warnings } = moved.body;
  assert.deepEqual([path, size], ["greetings/en/hello.mts", HELLO.length]);
  assert.deepEqual(functions, [{ id: first, name: "hello" }, { id: second, name: "second" }]);
  assert.deepEqual([importers, problems, warnings], [[], [], []]);
  assert.equal(moved.headers.get("etag"), before.headers.get("etag"));
  assert.deepEqual(await paths(server), ["greetings/en/hello.mts", "other.ts"]);
  assert.deepEqual(await handlers(server), ["greetings/en/hello.mts", "other.ts", "greetings/en/hello.mts"]);
  assert.equal((await run(server, "/hello")).body, "hello");

  const { body: { entries } } = await server.api("GET", "/api/audit?limit=4");
  assert.deepEqual(
    entries.reverse().map(({ action, subject }: { action: string; subject: { name: string } }) =>
      `${action} ${subject.name}`
    ),
    [
      "file.created greetings/en/hello.mts",
      "function.updated hello",
      "function.updated second",
      "file.deleted hello.ts",
    ],
  );

  // The folders that it leaves empty are gone.
  assert.equal((await move(server, "greetings/en/hello.mts", "hello.ts")).status, 200);
  assert.deepEqual([...Deno.readDirSync(server.codeDir)].map(({ name }) => name).sort(), ["hello.ts", "other.ts"]);
  assert.equal((await run(server, "/hello")).body, "hello");
  assert.equal((await server.api("GET", `/api/functions/${other}`)).body.function.handler, "other.ts");
});

Deno.test("who imports a module that is moved is named, and not changed", async () => {
  await using server = await startApp();
  await deployImporters(server);
  const { status, body } = await move(server, "lib/rates.ts", "lib/taxes.ts");
  assert.deepEqual([status, body.functions], [200, []]);
  assert.deepEqual(body.importers.toSorted(), ["lib/prices.ts", "one.ts", "two.ts"]);
  assert.deepEqual([(await run(server, "/one")).status, (await run(server, "/two")).status], [500, 500]);
  assert.equal((await server.api("GET", "/api/files/lib%2Ftaxes.ts")).body, RATE);

  const back = await move(server, "lib/taxes.ts", "lib/rates.ts");
  assert.deepEqual([back.status, back.body.problems], [200, []]);
  assert.deepEqual([(await run(server, "/one")).body, (await run(server, "/two")).body], ["1 1.19", "2 1.19"]);

  // What nothing is known to import, and what is no code.
  await save(server, "notes.txt", "notes");
  const notes = await move(server, "notes.txt", "docs/notes.txt");
  assert.deepEqual([notes.body.functions, notes.body.importers, notes.body.problems], [[], [], []]);
});

Deno.test("a move that cannot be made is refused with its field, and changes nothing", async () => {
  await using server = await startApp();
  await deploy(server, "hello", HELLO);
  await save(server, "lib/rates.ts", RATE);
  const before = await stateOf(server);
  const refused: [from: unknown, to: unknown, status: number, field: string | undefined][] = [
    ["hello.ts", "lib/rates.ts", 409, "to"],
    ["hello.ts", "hello.ts", 400, "to"],
    ["hello.ts", "hello.txt", 400, "to"],
    ["hello.ts", "../hello.ts", 400, "to"],
    ["hello.ts", "/hello.ts", 400, "to"],
    ["hello.ts", "", 400, "to"],
    ["hello.ts", 1, 400, "to"],
    ["hello.ts", "lib", 400, "to"],
    ["hello.ts", "lib/rates.ts/hello.ts", 400, "to"],
    ["lib", "library", 400, "from"],
    [undefined, "library", 400, "from"],
    ["none.ts", "some.ts", 404, undefined],
    ["../data/encryption-keys.json", "keys.json", 400, "from"],
  ];
  for (const [path, to, status, field] of refused) {
    const answer = await move(server, path, to);
    assert.equal(answer.status, status, `${path} to ${to}: ${JSON.stringify(answer.body)}`);
    if (field) assert.deepEqual(Object.keys(answer.body.details), [field], `${path} to ${to}`);
  }
  const stale = await move(server, "hello.ts", "moved.ts", { "If-Match": `"${"0".repeat(64)}"` });
  assert.equal(stale.status, 412);
  assert.deepEqual(await stateOf(server), before);

  const { headers } = await server.api("GET", "/api/files/hello.ts");
  assert.equal((await move(server, "hello.ts", "moved.ts", { "If-Match": headers.get("etag")! })).status, 200);
});

Deno.test("a handler whose function cannot follow stays where it is", async () => {
  await using server = await startApp();
  await deploy(server, "hello", HELLO);
  await deploy(server, "other", HELLO);
  await server.api("POST", "/api/functions", { name: "second", handler: "hello.ts", route: "/second" });
  {
    using db = new DatabaseSync(join(server.dataDir, "database.db"), { timeout: 5_000 });
    db.exec("UPDATE functions SET description = 'altered' WHERE name = 'second'");
  }
  const { status, body } = await move(server, "hello.ts", "lib/hello.ts");
  assert.deepEqual([status, body.code], [409, "TamperedRow"]);
  assert.deepEqual(await paths(server), ["hello.ts", "other.ts"]);
  assert.deepEqual([...Deno.readDirSync(server.codeDir)].map(({ name }) => name).sort(), ["hello.ts", "other.ts"]);
  assert.deepEqual(await handlers(server), ["hello.ts", "other.ts", "hello.ts"]);
  assert.equal((await run(server, "/hello")).body, "hello");
  assert.equal((await move(server, "other.ts", "lib/other.ts")).status, 200);
});

Deno.test("with ifUnused, a file that functions or files need is kept, and these are named", async () => {
  await using server = await startApp();
  await deployImporters(server);
  await server.api("POST", "/api/functions", { name: "again", handler: "one.ts", route: "/again", enabled: false });
  await save(server, "unused.ts", "export const x = 1;");
  const remove = (path: string, query: string) =>
    server.api("DELETE", `/api/files/${encodeURIComponent(path)}${query}`);
  const before = await stateOf(server);
  const named: [path: string, functions: string[], importers: string[]][] = [
    ["one.ts", ["one", "again"], []],
    ["lib/rates.ts", ["one", "again", "two"], ["lib/prices.ts", "one.ts", "two.ts"]],
    ["lib/prices.ts", ["two"], ["two.ts"]],
  ];
  for (const [path, functions, importers] of named) {
    const { status, body } = await remove(path, "?ifUnused=true");
    assert.deepEqual([status, body.code], [409, "Conflict"], path);
    const list = (text: string | undefined) => (text ?? "").split(", ").filter((name) => name !== "").sort();
    assert.deepEqual(list(body.details.functions), functions.toSorted(), path);
    assert.deepEqual(list(body.details.importers), importers.toSorted(), path);
    for (const name of importers) assert.ok(body.error.includes(name), body.error);
  }
  for (const query of ["?ifUnused=1", "?ifUnused", "?ifunused=true"]) {
    assert.equal((await remove("unused.ts", query)).status, 400, query);
  }
  assert.equal((await remove("none.ts", "?ifUnused=true")).status, 404);
  assert.deepEqual(await stateOf(server), before);

  assert.deepEqual((await remove("unused.ts", "?ifUnused=true")).body, { success: true });
  // What needed it went first.
  const { body: { functions } } = await server.api("GET", "/api/functions");
  for (const { id } of functions) assert.equal((await server.api("DELETE", `/api/functions/${id}`)).status, 200);
  for (const path of ["one.ts", "two.ts", "lib/prices.ts", "lib/rates.ts"]) {
    assert.equal((await remove(path, "?ifUnused=true")).status, 200, path);
  }
  assert.deepEqual(await paths(server), []);
});

Deno.test("without ifUnused, a file is deleted whatever needs it, and what does is shown as broken", async () => {
  await using server = await startApp();
  const id = await deploy(server, "hello", HELLO);
  for (const query of ["", "?ifUnused=false"]) {
    await save(server, "hello.ts", HELLO);
    assert.deepEqual((await server.api("DELETE", `/api/files/hello.ts${query}`)).body, { success: true });
    assert.equal((await server.api("GET", `/api/functions/${id}`)).body.function.state, "broken");
  }
});

Deno.test("the page moves a handler as the API does", async () => {
  await using server = await startApp();
  await deployImporters(server);
  const visitor = await setUp(server);
  const { text } = await visitor.submit("/web/files/move", { path: "lib/rates.ts", to: "rates.ts" });
  assert.match(text, /Moved lib\/rates\.ts to rates\.ts\..*still imports lib\/rates\.ts/s);
  const handler = await visitor.submit("/web/files/move", { path: "one.ts", to: "lib/one.ts" });
  assert.match(handler.text, /It is now the handler file of one\./);
  assert.deepEqual(await handlers(server), ["lib/one.ts", "two.ts"]);
  const taken = await visitor.submit("/web/files/move", { path: "lib/one.ts", to: "two.ts" });
  assert.equal(taken.status, 409);
  assert.match(taken.text, /is taken|already exists/);
});
