// /api/versions: each change of the code folder makes a version that can be compared, restored and read.

import assert from "node:assert/strict";
import { join } from "node:path";
import { startApp } from "./app.ts";
import { deploy, save } from "./handlers.ts";
import type { Server } from "./server.ts";

const GREET = (word: string) => `export default (c) => c.text("${word}");\n`;

interface Listed {
  id: number;
  cause: string;
  message: string;
  tree: string;
  files: number;
  actor: { kind: string; id: string | null; name: string | null };
}

async function versions(server: Server, query = ""): Promise<Listed[]> {
  const { status, body } = await server.api("GET", `/api/versions${query}`);
  assert.equal(status, 200, JSON.stringify(body));
  return body.versions;
}

Deno.test("each change through the API makes a version: who, what and when", async () => {
  await using server = await startApp();
  const before = Date.now();
  const created = await server.api("PUT", "/api/files/hello.ts", GREET("hello"), { "Content-Type": "text/plain" });
  assert.equal(created.body.version, 1);
  const changed = await server.api("PUT", "/api/files/hello.ts", GREET("hi"), { "Content-Type": "text/plain" });
  assert.equal(changed.body.version, 2);
  // The same content is no change.
  const same = await server.api("PUT", "/api/files/hello.ts", GREET("hi"), { "Content-Type": "text/plain" });
  assert.equal(same.body.version, 2);
  await server.api("POST", "/api/file-moves", { from: "hello.ts", to: "lib/hello.ts" });
  await server.api("DELETE", "/api/files/lib%2Fhello.ts");

  const all = await versions(server);
  assert.deepEqual(all.map(({ id, message, files }) => [id, message, files]), [
    [4, "Deleted lib/hello.ts", 1],
    [3, "Moved hello.ts to lib/hello.ts", 2],
    [2, "Changed hello.ts", 1],
    [1, "Created hello.ts", 1],
  ]);
  for (const { actor, cause } of all) {
    assert.deepEqual([actor.kind, actor.name, cause], ["key", "management/bootstrap", "file"]);
  }
  const { body } = await server.api("GET", "/api/versions/2");
  assert.ok(Date.parse(body.version.at) >= before && Date.parse(body.version.at) <= Date.now());
  assert.deepEqual(body.files.map(({ path, change }: { path: string; change: string }) => [path, change]), [
    ["hello.ts", "changed"],
  ]);
  assert.match(
    body.files[0].diff,
    /^--- a\/hello.ts\n\+\+\+ b\/hello.ts\n@@ -1,1 \+1,1 @@\n-export default .*hello.*\n\+.*hi/,
  );

  const ofFile = await versions(server, "?path=hello.ts");
  assert.deepEqual(ofFile.map(({ id }) => id), [3, 2, 1]);
  const first = await server.api("GET", "/api/versions?limit=3");
  assert.deepEqual(first.body.versions.length, 3);
  const second = await server.api("GET", `/api/versions?limit=3&cursor=${first.body.next}`);
  assert.deepEqual([second.body.versions.map(({ id }: Listed) => id), second.body.next], [[1], null]);
});

Deno.test("two versions compare with each other, in both directions, and a version has its files", async () => {
  await using server = await startApp();
  await save(server, "a.ts", GREET("one"));
  await save(server, "b.bin", "x");
  await server.api("PUT", "/api/files/b.bin", new Uint8Array([0, 1, 2]), {
    "Content-Type": "application/octet-stream",
  });
  await server.api("DELETE", "/api/files/a.ts");
  const compare = async (id: number, against: number) => {
    const { body } = await server.api("GET", `/api/versions/${id}?against=${against}`);
    return body.files.map(({ path, change, diff }: Record<string, string>) => [path, change, diff !== undefined]);
  };
  assert.deepEqual(await compare(4, 1), [["a.ts", "deleted", true], ["b.bin", "created", false]]);
  assert.deepEqual(await compare(1, 4), [["a.ts", "created", true], ["b.bin", "deleted", false]]);
  assert.deepEqual(await compare(3, 3), []);
  const old = await server.api("GET", "/api/versions/1/files/a.ts");
  assert.deepEqual([old.status, old.body], [200, GREET("one")]);
  assert.equal((await server.api("GET", "/api/versions/4/files/a.ts")).status, 404);
});

Deno.test("edits on disk work at once and become a version of their own, also those made while the server was stopped", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.mkdir(join(folder, "code", "lib"), { recursive: true });
    await Deno.writeTextFile(join(folder, "code", "old.ts"), GREET("old"));
    await Deno.writeTextFile(join(folder, "code", ".env"), "SECRET=1");
    await Deno.mkdir(join(folder, "code", "node_modules"));
    await Deno.writeTextFile(join(folder, "code", "node_modules", "x.js"), "1");
    {
      await using server = await startApp({ folder });
      const [start] = await versions(server);
      assert.deepEqual([start!.id, start!.cause, start!.actor.kind, start!.files], [1, "start", "disk", 1]);
      await deploy(server, "hello", GREET("hello"));
      await Deno.writeTextFile(join(server.codeDir, "hello.ts"), GREET("edited"));
      assert.equal((await server.api("GET", "/run/hello")).body, "edited");
      const [edited] = await versions(server);
      assert.deepEqual([edited!.cause, edited!.message], ["disk", "Edited on disk: hello.ts"]);
      // What was edited just before a save is not lost.
      await Deno.writeTextFile(join(server.codeDir, "hello.ts"), GREET("second edit"));
      await save(server, "hello.ts", GREET("saved"));
      const [saved, second] = await versions(server);
      assert.deepEqual([saved!.cause, second!.cause], ["file", "disk"]);
      const kept = await server.api("GET", `/api/versions/${second!.id}/files/hello.ts`);
      assert.equal(kept.body, GREET("second edit"));
    }
    await Deno.remove(join(folder, "code", "old.ts"));
    await Deno.writeTextFile(join(folder, "code", "new.ts"), GREET("new"));
    await using again = await startApp({ folder });
    const [newest] = await versions(again);
    const { body } = await again.api("GET", `/api/versions/${newest!.id}`);
    assert.deepEqual(body.files.map(({ path, change }: Record<string, string>) => [path, change]), [
      ["new.ts", "created"],
      ["old.ts", "deleted"],
    ]);
    await again.stop();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("restoring a version brings its files back as a new version, and calls run them", async () => {
  await using server = await startApp();
  await deploy(server, "hello", `import { word } from "./lib/word.ts";\nexport default (c) => c.text(word);\n`);
  await save(server, "lib/word.ts", `export const word = "first";\n`);
  const { version: good } =
    (await server.api("PUT", "/api/files/notes.txt", "keep", { "Content-Type": "text/plain" })).body;
  await save(server, "lib/word.ts", `export const word = "second";\n`);
  await server.api("DELETE", "/api/files/notes.txt");
  await save(server, "later.ts", GREET("later"));
  assert.equal((await server.api("GET", "/run/hello")).body, "second");

  const { status, body } = await server.api("POST", `/api/versions/${good}/restore`, { message: "Back to the first" });
  assert.equal(status, 200, JSON.stringify(body));
  assert.deepEqual(body.files, [
    { path: "later.ts", change: "deleted" },
    { path: "lib/word.ts", change: "changed" },
    { path: "notes.txt", change: "created" },
  ]);
  assert.equal((await server.api("GET", "/run/hello")).body, "first");
  assert.equal(await Deno.readTextFile(join(server.codeDir, "notes.txt")), "keep");
  const [newest, ...others] = await versions(server);
  assert.deepEqual([newest!.id, newest!.cause, newest!.message], [body.version, "restore", "Back to the first"]);
  assert.equal(newest!.tree, others.find(({ id }) => id === good)!.tree);
  // Nothing is left to restore.
  const again = await server.api("POST", `/api/versions/${good}/restore`);
  assert.deepEqual([again.status, again.body.version, again.body.files], [200, body.version, []]);
  const names = [...Deno.readDirSync(server.codeDir)].map(({ name }) => name).sort();
  assert.deepEqual(names, ["hello.ts", "lib", "notes.txt"]);
  const audit = await server.api("GET", "/api/audit?action=code.restored");
  assert.deepEqual(audit.body.entries.map(({ subject }: { subject: { id: unknown } }) => Number(subject.id)), [
    good,
    good,
  ]);
});

Deno.test("a content that was purged is gone from the history, and its versions cannot be restored", async () => {
  await using server = await startApp();
  await save(server, "config.ts", `export const key = "sk_live_pasted_by_mistake";\n`);
  const used = await server.api("DELETE", "/api/versions/1/files/config.ts");
  assert.deepEqual([used.status, used.body.code], [409, "Conflict"]);
  await save(server, "config.ts", `export const key = await 0;\n`);
  assert.equal((await server.api("DELETE", "/api/versions/1/files/config.ts")).status, 200);
  assert.equal((await server.api("GET", "/api/versions/1/files/config.ts")).status, 404);
  const { body } = await server.api("GET", "/api/versions/2");
  assert.deepEqual(body.files, [{ path: "config.ts", change: "changed" }]);
  assert.equal((await server.api("POST", "/api/versions/1/restore")).status, 409);
  for await (const { name } of Deno.readDir(join(server.dataDir, "blobs"))) {
    for await (const file of Deno.readDir(join(server.dataDir, "blobs", name))) {
      assert.doesNotMatch(await Deno.readTextFile(join(server.dataDir, "blobs", name, file.name)), /sk_live/);
    }
  }
});

Deno.test("what is not a version is refused with an error that says so, and changes nothing", async () => {
  await using server = await startApp();
  await save(server, "a.ts", GREET("a"));
  const cases: [method: string, path: string, body: unknown, status: number, field?: string][] = [
    ["GET", "/api/versions/2", undefined, 404],
    ["GET", "/api/versions/1abc", undefined, 400, "id"],
    ["GET", "/api/versions/0", undefined, 400, "id"],
    ["GET", "/api/versions/1?against=9", undefined, 404],
    ["GET", "/api/versions/1?against=x", undefined, 400, "against"],
    ["GET", "/api/versions?limit=0", undefined, 400, "limit"],
    ["GET", "/api/versions?cursor=zzz", undefined, 400, "cursor"],
    ["GET", "/api/versions?path=../x", undefined, 400, "path"],
    ["GET", "/api/versions?unknown=1", undefined, 400, "unknown"],
    ["POST", "/api/versions/7/restore", undefined, 404],
    ["POST", "/api/versions/1/restore", { message: "two\nlines" }, 400, "message"],
    ["POST", "/api/versions/1/restore", { other: 1 }, 400, "other"],
    ["GET", "/api/versions/1/files/..%2Fa.ts", undefined, 400, "path"],
    ["GET", "/api/versions/1/files/none.ts", undefined, 404],
    ["DELETE", "/api/versions/1/files/none.ts", undefined, 404],
    ["PUT", "/api/versions/1", {}, 405],
  ];
  for (const [method, path, body, status, field] of cases) {
    const answer = await server.api(method, path, body);
    assert.equal(answer.status, status, `${method} ${path}: ${JSON.stringify(answer.body)}`);
    if (field) assert.ok(field in answer.body.details, `${method} ${path}: ${JSON.stringify(answer.body)}`);
  }
  assert.equal((await versions(server)).length, 1);
});
