// /api/files: contents survive, and no path leads out of the code folder.

import assert from "node:assert/strict";
import { join } from "node:path";
import { startApp } from "./app.ts";

const MIB = 1024 * 1024;
const BYTES = Uint8Array.from({ length: 256 }, (_, n) => n);

Deno.test("a file comes back as it was sent, in each of the ways to send it", async () => {
  await using server = await startApp();
  const form = new FormData();
  form.set("file", new File([BYTES], "any.bin"));
  const ways: Record<string, [unknown, Record<string, string>]> = {
    "json.bin": [{ content: btoa(String.fromCharCode(...BYTES)), encoding: "base64" }, {}],
    "form.bin": [form, {}],
    "raw.bin": [BYTES, { "Content-Type": "application/octet-stream" }],
    "curl.bin": [BYTES, { "Content-Type": "application/x-www-form-urlencoded" }],
    "untyped.bin": [BYTES, {}],
  };
  for (const [name, [body, headers]] of Object.entries(ways)) {
    const saved = await server.api("PUT", `/api/files/${name}`, body, headers);
    assert.deepEqual([name, saved.status, saved.body.size], [name, 201, 256]);
    assert.deepEqual(await Deno.readFile(join(server.codeDir, name)), BYTES);
    const answer = await fetch(`${server.url}/api/files/${name}`, { headers: { "X-API-Key": server.key } });
    assert.deepEqual(await answer.bytes(), BYTES);
    assert.equal(answer.headers.get("content-type"), "application/octet-stream");
  }
});

Deno.test("text is text: with its byte order mark, line ends and emptiness", async () => {
  await using server = await startApp();
  for (const content of ["", "\ufeffconst a = 1;\r\n", "<script>alert(1)</script>", "漢字 🔑\n"]) {
    await server.api("PUT", "/api/files/page.html", { content });
    const asText = await fetch(`${server.url}/api/files/page.html`, { headers: { "X-API-Key": server.key } });
    assert.deepEqual(await asText.bytes(), new TextEncoder().encode(content));
    assert.equal(asText.headers.get("content-type"), "text/plain; charset=utf-8");
    assert.equal(asText.headers.get("content-disposition"), "attachment");
    assert.equal(asText.headers.get("x-content-type-options"), "nosniff");
    const asJson = await server.api("GET", "/api/files/page.html", undefined, { Accept: "application/json" });
    assert.deepEqual([asJson.body.content, asJson.body.encoding], [content, "utf-8"]);
  }
  await server.api("PUT", "/api/files/x.bin", BYTES);
  const binary = await server.api("GET", "/api/files/x.bin", undefined, { Accept: "application/json" });
  assert.deepEqual([binary.body.content, binary.body.encoding], [btoa(String.fromCharCode(...BYTES)), "base64"]);
});

Deno.test("a path is the same with its slashes plain or encoded", async () => {
  await using server = await startApp();
  assert.equal((await server.api("PUT", "/api/files/lib%2Fa%20b%C3%A9.txt", "1")).status, 201);
  assert.equal((await server.api("PUT", "/api/files/lib/a%20b%c3%a9.txt", "2")).status, 200);
  const { body } = await server.api("GET", "/api/files");
  assert.deepEqual(body.files.map((file: { path: string }) => file.path), ["lib/a bé.txt"]);
  assert.equal((await server.api("DELETE", "/api/files/lib%2fa%20b%C3%A9.txt")).status, 200);
  assert.deepEqual((await server.api("GET", "/api/files")).body, { files: [] });
});

Deno.test("a path that leaves the code folder is a 400, however it is written", async () => {
  await using server = await startApp();
  await Deno.mkdir(join(server.codeDir, "lib"));
  const paths = [
    "..",
    ".",
    "../data/database.db",
    "../../etc/passwd",
    "lib/../../data/database.db",
    "lib/./x",
    "lib//x",
    "lib/",
    "%2e%2e/data/database.db",
    "%2E%2E%2Fdata%2Fdatabase.db",
    "..%2f..%2fetc/passwd",
    ".%2e/x",
    "lib%2f..%2f..%2fdata",
    "/etc/passwd",
    "%2fetc%2fpasswd",
    "..\\x",
    "..%5cx",
    "C:%5cx",
    "c:/x",
    "x%00.ts",
    "x%0a.ts",
    "x%0d%0a/../y.ts",
    "%zz",
    "%",
    "%c0%ae%c0%ae/x",
    "%ff",
    ".crude-draft-x",
    "lib/.crude-draft-x",
    "x".repeat(256),
    "a/".repeat(600) + "a",
  ];
  for (const path of paths) {
    for (const method of ["GET", "PUT", "POST", "DELETE"]) {
      const { status, body } = await server.raw([
        `${method} /api/files/${path} HTTP/1.1`,
        "Host: test",
        `X-API-Key: ${server.key}`,
        "Content-Length: 0",
      ]);
      assert.equal(status, 400, `${method} ${path.slice(0, 60)}`);
      assert.ok(JSON.parse(body).details.path, path.slice(0, 60));
    }
  }
  assert.deepEqual((await server.api("GET", "/api/files")).body, { files: [] });
});

Deno.test("a path is decoded once: an encoded percent sign is one", async () => {
  await using server = await startApp();
  const put = await server.raw([
    "PUT /api/files/%252e%252e%252fx HTTP/1.1",
    "Host: test",
    `X-API-Key: ${server.key}`,
    "Content-Length: 0",
  ]);
  assert.equal(put.status, 201);
  assert.deepEqual(await Array.fromAsync(Deno.readDir(server.codeDir), ({ name }) => name), ["%2e%2e%2fx"]);
});

Deno.test("links are neither followed nor listed", async () => {
  await using server = await startApp();
  await Deno.symlink(server.dataDir, join(server.codeDir, "folder"));
  await Deno.symlink(join(server.dataDir, "database.db"), join(server.codeDir, "file.ts"));
  await Deno.symlink("/nowhere/at/all", join(server.codeDir, "dangling.ts"));
  for (const path of ["folder/database.db", "folder/new.ts", "file.ts", "dangling.ts"]) {
    for (const method of ["GET", "PUT", "POST", "DELETE"]) {
      const body = method === "PUT" || method === "POST" ? "x" : undefined;
      const answer = await server.api(method, `/api/files/${path}`, body);
      assert.deepEqual([path, answer.status], [path, 400]);
      assert.deepEqual(answer.body.details, { path: "must not lead through a link" });
    }
  }
  assert.deepEqual((await server.api("GET", "/api/files")).body, { files: [] });
});

Deno.test("a folder is no file, and a file no folder", async () => {
  await using server = await startApp();
  await server.api("PUT", "/api/files/lib/util.ts", "export {};");
  for (const path of ["lib", "lib/util.ts/more.ts"]) {
    for (const method of ["GET", "PUT", "DELETE"]) {
      const answer = await server.api(method, `/api/files/${path}`, method === "PUT" ? "x" : undefined);
      assert.deepEqual([path, method, answer.status], [path, method, 400]);
    }
  }
});

Deno.test("saving code that lacks an import succeeds and says which", async () => {
  await using server = await startApp();
  const saved = await server.api("PUT", "/api/files/a.ts", { content: "import './b.ts';\n" });
  assert.equal(saved.status, 201);
  assert.match(saved.body.problems[0], /b\.ts/);
  const text = await server.api("PUT", "/api/files/a.txt", { content: "import './b.ts';\n" });
  assert.deepEqual(text.body.problems, []);
});

Deno.test("content in a wrong form is a 400 that names what is wrong", async () => {
  await using server = await startApp();
  const json = { "Content-Type": "application/json" };
  const form = new FormData();
  form.set("other", new File(["x"], "x"));
  const cases: [unknown, Record<string, string>, string][] = [
    ["{", json, "body"],
    ["null", json, "body"],
    ["{}", json, "content"],
    ['{"content":5}', json, "content"],
    ['{"content":"\\ud800"}', json, "content"],
    ['{"content":"x","encoding":"latin1"}', json, "encoding"],
    ['{"content":"x","encodng":"utf-8"}', json, "encodng"],
    ['{"content":"A","encoding":"base64"}', json, "content"],
    ['{"content":"AA==\\n","encoding":"base64"}', json, "content"],
    [new Uint8Array([0xff]), json, "body"],
    [form, {}, "file"],
    ["x", { "Content-Type": "multipart/form-data" }, "body"],
    ["x", { "Content-Type": "multipart/form-data; boundary=b" }, "body"],
  ];
  for (const [body, headers, field] of cases) {
    const answer = await server.api("PUT", "/api/files/x.txt", body, headers);
    assert.deepEqual([String(body), answer.status, Object.keys(answer.body.details)], [String(body), 400, [field]]);
  }
  assert.deepEqual((await server.api("GET", "/api/files")).body, { files: [] });
});

Deno.test("a file of 32 MiB is taken and one byte more is a 413, with and without its length announced", async () => {
  await using server = await startApp();
  const largest = new Uint8Array(32 * MIB);
  assert.equal((await server.api("PUT", "/api/files/large.bin", largest)).status, 201);
  const tooLarge = new Uint8Array(32 * MIB + 1);
  for (const body of [tooLarge, new Blob([tooLarge]).stream()]) {
    const answer = await server.api("PUT", "/api/files/large.bin", body);
    assert.deepEqual([answer.status, answer.body.code], [413, "PayloadTooLarge"]);
  }
  assert.equal((await Deno.stat(join(server.codeDir, "large.bin"))).size, 32 * MIB);
});

Deno.test("of a hundred creates of one file at once, one succeeds", async () => {
  await using server = await startApp();
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, n) => server.api("POST", "/api/files/lib/race.txt", `content ${n}`)),
  );
  const created = answers.flatMap(({ status }, n) => status === 201 ? [n] : []);
  assert.equal(created.length, 1);
  assert.equal(answers.filter(({ status }) => status === 409).length, 99);
  const { body } = await server.api("GET", "/api/files/lib/race.txt");
  assert.equal(body, `content ${created[0]}`);
});
