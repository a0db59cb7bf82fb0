// The pages of functions and files without a browser: forms written by hand, good ones and bad ones.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { symlink } from "node:fs/promises";
import { join } from "node:path";
import { cookieName, setUp, type Visitor } from "./admin.ts";
import { fill, fillFunctions, withFolder } from "./filled.ts";
import { createGroup, createKey, createSecret, deploy, run, save } from "./handlers.ts";
import { startApp } from "./app.ts";

const HANDLER = `export default async function (c, ctx) {
  return c.json({ group: ctx.authenticatedKeyGroup, value: await ctx.getSecret("WHO"), sent: await c.req.text() });
}
`;

/** The problem that a page tells at the field. */
function problemAt(html: string, field: string): string | undefined {
  return new RegExp(`id="${field}-problem"[^>]*>([^<]*)<`).exec(html)?.[1];
}

function notice(visitor: Visitor): string {
  return decodeURIComponent(visitor.cookies.get(cookieName(visitor, "notice")) ?? "");
}

async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

Deno.test("a function made with nothing but a name works at once, and shows how a secret is read", async () => {
  await using server = await startApp();
  const visitor = await setUp(server);
  const made = await visitor.post("/web/functions/new", { name: "Say Hello", methods: "GET", secrets: "*" });
  assert.equal(made.status, 303, made.text);
  const path = made.headers.get("location")!;
  assert.match(notice(visitor), /^Created the function Say Hello\. Its code is say-hello\.ts\./);
  const { text } = await visitor.get(path);
  assert.match(text, /ctx\.getSecret\(&quot;SIGNING_KEY&quot;\)/);
  assert.match(text, /SIGNING_KEY<\/code>\s*<span class="badge plain">not set/);

  assert.deepEqual((await run(server, "/say-hello?name=Ada")).body, { message: "Hello, Ada!", signature: null });
  await createSecret(server, "SIGNING_KEY", "a-key-to-sign-with");
  const { body } = await run(server, "/say-hello");
  assert.equal(body.signature, createHmac("sha256", "a-key-to-sign-with").update("world").digest("hex"));
  // What a newcomer tries first sets no alarm off.
  assert.deepEqual((await server.api("GET", "/api/audit?action=response.*")).body.entries, []);
  assert.match((await visitor.get(path)).text, /set: global/);

  const foreign = await visitor.post("/web/functions/new", { name: "Ünïcode 函数", methods: "GET", secrets: "*" });
  assert.equal(foreign.status, 303, foreign.text);
  assert.equal((await run(server, "/unicode")).status, 200);
});

Deno.test("a function begins with the chosen template, which works and passes the check", async () => {
  await using server = await startApp();
  const visitor = await setUp(server);
  for (const template of ["hello", "api", "webhook"]) {
    const made = await visitor.post("/web/functions/new", { name: template, methods: "GET", secrets: "*", template });
    assert.equal(made.status, 303, made.text);
    const content = (await server.api("GET", `/api/files/${template}.ts`)).body;
    const checked = await visitor.post("/web/files/check", {
      path: `${template}.ts`,
      hash: await sha256(content),
      content,
    });
    assert.match(checked.text, /No problems found/, template);
  }
  assert.equal((await run(server, "/api")).body.error, "The secret API_TOKEN is not set.");
  await createSecret(server, "WEBHOOK_SECRET", "a-key-to-sign-with");
  const send = (signature: string) =>
    run(server, "/webhook", undefined, {
      method: "POST",
      body: { paid: true },
      headers: { "X-Hub-Signature-256": signature },
    });
  const right = createHmac("sha256", "a-key-to-sign-with").update(JSON.stringify({ paid: true })).digest("hex");
  assert.deepEqual((await send(`sha256=${right}`)).body, { received: true });
  assert.equal((await send(`sha256=${"0".repeat(64)}`)).status, 401);
  assert.equal((await send("")).status, 401);
  assert.equal((await run(server, "/webhook")).status, 405);
});

Deno.test("a bad form comes back with what was typed, and each problem at its field; nothing is made", async () => {
  await using server = await startApp();
  await deploy(server, "taken", HANDLER);
  const visitor = await setUp(server);
  const typed = new URLSearchParams([
    ["name", "new one"],
    ["route", "no-slash"],
    ["handler", "../outside.ts"],
    ["keys", "x"],
    ["net", "hosts"],
    ["hosts", "not a host!"],
    ["secrets", "A*\nb c"],
    ["timeoutMs", "soon"],
    ["memoryMb", "1"],
  ]);
  const { status, text } = await visitor.request("POST", "/web/functions/new", { body: typed });
  assert.equal(status, 400);
  for (
    const [field, problem] of [
      ["route", /must begin with/],
      ["handler", /segment/],
      ["methods", /at least one/],
      ["keys", /must be a positive whole number|list of ids/],
      ["hosts", /must be a host|1 to 100 hosts/],
      ["secrets", /must be names of secrets/],
      ["timeoutMs", /must be 100 ms to 1 h, or empty/],
      ["memoryMb", /must be 32 to 4,096 MB, or empty/],
    ] as const
  ) {
    assert.match(problemAt(text, field) ?? `nothing at ${field}`, problem);
  }
  assert.match(text, /value="new one"/);
  assert.match(text, /not a host!/);

  const duplicate = await visitor.post("/web/functions/new", { name: "taken", methods: "GET", handler: "fresh.ts" });
  assert.match(problemAt(duplicate.text, "name") ?? "", /is taken/);
  const link = join(server.codeDir, "link");
  await symlink("/tmp", link);
  const through = await visitor.post("/web/functions/new", { name: "linked", methods: "GET", handler: "link/a.ts" });
  assert.match(problemAt(through.text, "handler") ?? "", /link/);
  const { body: files } = await server.api("GET", "/api/files");
  assert.deepEqual(files.files.map(({ path }: { path: string }) => path), ["taken.ts"]);
  assert.equal((await server.api("GET", "/api/functions")).body.functions.length, 1);
});

Deno.test("settings of a function are saved as they are typed; a switch takes effect at once", async () => {
  await using server = await startApp();
  const group = await createGroup(server, "customers");
  const id = await deploy(server, "orders", HANDLER);
  await run(server, "/orders");
  const visitor = await setUp(server);
  const typed = new URLSearchParams([
    ["name", "orders"],
    ["description", "two\r\nlines"],
    ["route", "/orders/:id"],
    ["handler", "orders.ts"],
    ["methods", "GET"],
    ["methods", "PUT"],
    ["keys", String(group)],
    ["net", "hosts"],
    ["hosts", "api.example.com:443\r\n10.0.0.5"],
    ["secrets", ""],
    ["isolation", "per-key"],
    ["timeoutMs", "2.5 s"],
    ["memoryMb", ""],
  ]);
  const saved = await visitor.request("POST", `/web/functions/${id}/settings`, { body: typed });
  assert.equal(saved.status, 303, saved.text);
  const { body } = await server.api("GET", `/api/functions/${id}`);
  const { description, route, methods, keys, permissions, secrets, isolation, timeoutMs, memoryMb, enabled } =
    body.function;
  assert.deepEqual(
    { description, route, methods, keys, net: permissions.net, secrets, isolation, timeoutMs, memoryMb, enabled },
    {
      description: "two\nlines",
      route: "/orders/:id",
      methods: ["GET", "PUT"],
      keys: [group],
      net: ["api.example.com:443", "10.0.0.5"],
      secrets: [],
      isolation: "per-key",
      timeoutMs: 2500,
      memoryMb: null,
      enabled: true,
    },
  );
  const form = (await visitor.get(`/web/functions/${id}/settings`)).text;
  assert.match(form, /value="per-key" checked/);
  assert.match(form, /value="hosts" checked/);
  assert.match(form, /value="2500 ms"/);

  const asked = (await visitor.get(`/web/functions/${id}/disable?back=list`)).text;
  assert.match(asked, /<strong>1 call<\/strong> came in the last hour/);
  assert.match(asked, /name="back" value="list"/);
  assert.equal(
    (await visitor.post(`/web/functions/${id}/disable`, { back: "list" })).headers.get("location"),
    "/web/functions",
  );
  assert.equal((await run(server, "/orders/7")).status, 404);
  assert.match((await visitor.get("/web/functions")).text, /disabled/);
  await visitor.post(`/web/functions/${id}/enable`, {});
  assert.equal((await run(server, "/orders/7")).status, 401);
});

Deno.test("deleting says what goes with it and what stays", async () => {
  await using server = await startApp();
  const id = await deploy(server, "orders", HANDLER);
  await createSecret(server, "OWN", "x".repeat(20), { scope: "function", functionId: id });
  const visitor = await setUp(server);
  const { text } = await visitor.get(`/web/functions/${id}/delete`);
  assert.match(text, /1 secret of its own<\/strong>\s*will be deleted with it: OWN/);
  assert.match(text, /Its files, including/);
  assert.equal((await visitor.post(`/web/functions/${id}/delete`, {})).status, 303);
  assert.equal((await visitor.get(`/web/functions/${id}`)).status, 404);
  assert.equal((await server.api("GET", "/api/secrets")).body.secrets.length, 0);
  assert.equal((await server.api("GET", "/api/files/orders.ts")).status, 200);
});

Deno.test("the list is searched and paged, and says when a function is suspended", async () => {
  await using server = await startApp();
  const visitor = await setUp(server);
  await deploy(server, "exits", "export default () => Deno.exit(1);\n");
  for (let n = 0; n < 60; n++) {
    const name = `f-${String(n).padStart(2, "0")}`;
    const made = await server.api("POST", "/api/functions", { name, handler: "exits.ts", route: `/${name}/100%_x` });
    assert.equal(made.status, 201);
  }
  const first = await visitor.get("/web/functions");
  assert.match(first.text, /61 functions/);
  const [, next] = /href="(\/web\/functions\?skip=[^"]*)"/.exec(first.text)!;
  const second = await visitor.get(next!.replaceAll("&amp;", "&"));
  assert.equal(first.text.match(/<tr id=/g)!.length + second.text.match(/<tr id=/g)!.length, 61);

  const found = await visitor.get("/web/functions?search=F-07", { "HX-Request": "true" });
  assert.match(found.text, /^<section id="functions"/);
  assert.equal(found.text.match(/<tr id=/g)!.length, 1);
  assert.match((await visitor.get("/web/functions?search=%25_X")).text, /60 functions with “%_X”/);
  assert.match((await visitor.get("/web/functions?search=none")).text, /No function has “none”/);

  const names = async (query: string) => {
    const { text } = await visitor.get(`/web/functions?search=f-0&${query}`);
    return [...text.matchAll(/<a href="\/web\/functions\/\d+">([^<]*)<\/a>/g)].map(([, name]) => name);
  };
  assert.deepEqual((await names("sort=-name")).slice(0, 2), ["f-09", "f-08"]);
  await server.api("PUT", "/api/functions/4", { description: "changed" });
  assert.equal((await names("sort=changed"))[0], "f-02");
  assert.equal((await names("sort=-changed")).at(-1), "f-02");
  await server.api("PUT", "/api/functions/5/disable");
  assert.deepEqual(await names("state=disabled"), ["f-03"]);
  assert.deepEqual((await names("sort=nonsense&state=nonsense&skip=x")).length, 10);

  for (let n = 0; n < 5; n++) assert.equal((await run(server, "/exits")).status, 502);
  assert.equal((await run(server, "/exits")).status, 503);
  assert.match((await visitor.get("/web/functions?search=exits")).text, /suspended[\s\S]*until[\s\S]*kept ending/);
});

Deno.test("the list says what calls did in the last hour, sorts by that, and leads to the last error", async () => {
  await using server = await startApp();
  const visitor = await setUp(server);
  await deploy(server, "quiet", HANDLER);
  await deploy(server, "busy", HANDLER);
  await deploy(server, "failing", "export default () => { throw new Error('no luck'); };\n");
  for (let n = 0; n < 3; n++) await run(server, "/busy");
  const failed = await run(server, "/failing");
  const rows = async (query: string) => {
    const { text } = await visitor.get(`/web/functions?${query}`);
    return text.split("<tr id=").slice(1);
  };
  const names = async (query: string) =>
    (await rows(query)).map((row) => /<a href="\/web\/functions\/\d+">([^<]*)/.exec(row)?.[1]);
  assert.deepEqual(await names("sort=calls"), ["busy", "failing", "quiet"]);
  assert.deepEqual(await names("sort=-calls"), ["quiet", "failing", "busy"]);
  assert.deepEqual(await names("sort=errors"), ["failing", "busy", "quiet"]);
  assert.deepEqual(await names("state=failing"), ["failing"]);
  const [busy, failing, quiet] = await rows("");
  assert.match(busy!, /class="figure"[^>]*>3<[\s\S]*>0<[\s\S]*\d ms</);
  assert.match(failing!, /<span class="badge bad">1</);
  const requestId = failed.headers.get("x-request-id");
  assert.match(failing!, new RegExp(`href="/web/logs\\?requestId=${requestId}" title="[^"]*no luck`));
  assert.doesNotMatch(quiet!, / ms<|level=error|requestId/);
});

Deno.test("a broken function says in the list what is wrong, and is found among the broken ones", async () => {
  await using server = await startApp();
  const visitor = await setUp(server);
  await deploy(server, "fine", HANDLER);
  await server.api("POST", "/api/functions", { name: "gone", handler: "gone.ts", route: "/gone", methods: ["GET"] });
  const { text } = await visitor.get("/web/functions?state=broken");
  assert.equal(text.match(/<tr id=/g)!.length, 1);
  assert.match(text, /gone<\/a>[\s\S]*broken[\s\S]*There is no file gone\.ts/);
  assert.match((await visitor.get("/web/functions?state=disabled")).text, /No function is disabled/);
});

Deno.test("a call is tried with a stored key that never reaches the page, by the same checks as any", async () => {
  await using server = await startApp();
  const group = await createGroup(server, "customers");
  const key = await createKey(server, group, "acme");
  await createSecret(server, "WHO", "the customer's own", { scope: "key", keyId: key.id });
  const id = await deploy(server, "orders", HANDLER, { route: "/orders/:id", keys: [group] });
  const visitor = await setUp(server);
  const page = await visitor.get(`/web/functions/${id}`);
  assert.match(page.text, /acme \(customers\)/);
  assert.ok(!page.text.includes(key.value));

  const attempt = (fields: Record<string, string>, headers: Record<string, string> = {}) =>
    visitor.post(
      `/web/functions/${id}/try`,
      { method: "POST", path: "/orders/:id", "param.id": "7", ...fields },
      headers,
    );
  const answered = await attempt({ key: String(key.id), body: "a <b>body</b>" }, { "HX-Request": "true" });
  assert.equal(answered.status, 200);
  assert.match(answered.text, /POST \/run\/orders\/7/);
  assert.match(answered.text, /Status 200/);
  assert.match(answered.text, /&quot;group&quot;: &quot;customers&quot;/);
  assert.match(answered.text, /the customer&#39;s own/);
  assert.match(answered.text, /a &lt;b&gt;body&lt;\/b&gt;/);
  assert.ok(!answered.text.includes(key.value));

  assert.match((await attempt({ key: "" })).text, /Status 401/);
  assert.match((await attempt({ key: "pasted", pastedKey: server.key })).text, /Status 403/);
  assert.match((await attempt({ key: "pasted", pastedKey: key.value })).text, /Status 200/);
  assert.match((await attempt({ method: "DELETE" })).text, /Status 405/);
  assert.match((await attempt({ path: "/elsewhere" })).text, /Status 404/);
  assert.match((await attempt({ "param.id": "" })).text, /:id is empty/);
  const escaping = await attempt({ path: "/../api/keys" });
  assert.equal(escaping.status, 400);
  assert.match(escaping.text, /Path must stay below \/run/);
  assert.equal((await attempt({ key: "999" })).status, 400);
});

Deno.test("of a function's many keys some can be chosen, and typing finds the others", async () => {
  await using server = await startApp();
  const [first, second, closed] = await Promise.all(["a", "b", "c"].map((name) => createGroup(server, name)));
  for (let n = 0; n < 110; n++) await createKey(server, first!, `key-${n}`);
  const last = await createKey(server, second!, "Zoe");
  await createKey(server, closed!, "Zoe's other");
  const id = await deploy(server, "orders", HANDLER, { keys: [first!, second!] });
  const visitor = await setUp(server);
  const optionsOf = (html: string) =>
    [...html.matchAll(/<option value="([^"]*)"[^>]*>([^<]*?)\s*</g)].map(([, value, name]) => `${value} ${name}`);

  const { text } = await visitor.get(`/web/functions/${id}`);
  const [select] = /<select id="try-key"[\s\S]*?<\/select>/.exec(text)!;
  assert.equal(optionsOf(select).length, 102, "a hundred, none, and a pasted one");
  assert.match(text, /There are more: type a part of the name/);
  const find = async (query: string) => optionsOf((await visitor.get(`/web/functions/${id}/keys?${query}`)).text);
  assert.deepEqual(await find("find=zoe"), [" None", `${last.id} Zoe (b)`, "pasted The key pasted below"]);
  assert.deepEqual(await find(`find=key-99&key=${last.id}`), [
    " None",
    `${last.id} Zoe (b)`,
    `${last.id - 11} key-99 (a)`,
    "pasted The key pasted below",
  ]);
});

Deno.test("what a tried function answers is text here, whatever it is", async () => {
  await using server = await startApp();
  const html = await deploy(server, "html", 'export default (c) => c.html("<script>alert(1)</script>");\n');
  const binary = await deploy(
    server,
    "binary",
    'export default () => new Response(new Uint8Array([0, 255, 1]), { headers: { "Content-Type": "image/png" } });\n',
  );
  const visitor = await setUp(server);
  const attempt = (id: number, path: string) => visitor.post(`/web/functions/${id}/try`, { method: "GET", path });
  const page = await attempt(html, "/html");
  assert.match(page.text, /&lt;script&gt;alert\(1\)&lt;\/script&gt;/);
  assert.ok(!page.text.includes("<script>alert"));
  assert.match((await attempt(binary, "/binary")).text, /base64,AP8B[\s\S]*Binary, 3 bytes of image\/png/);
});

Deno.test("names of secrets that a function may ask for are told, values and other names are not", async () => {
  await using server = await startApp();
  const [own, other] = [await createGroup(server, "own"), await createGroup(server, "other")];
  const key = await createKey(server, own, "k");
  const id = await deploy(server, "orders", HANDLER, { keys: [own], secrets: ["DB_*", "KEY_*"] });
  const stranger = await deploy(server, "stranger", HANDLER);
  await createSecret(server, "DB_GLOBAL", "value-1");
  await createSecret(server, "DB_OWN", "value-2", { scope: "function", functionId: id });
  await createSecret(server, "DB_GROUP", "value-3", { scope: "group", groupId: own });
  await createSecret(server, "KEY_ONE", "value-4", { scope: "key", keyId: key.id });
  await createSecret(server, "DB_OTHER", "value-5", { scope: "group", groupId: other });
  await createSecret(server, "DB_STRANGER", "value-6", { scope: "function", functionId: stranger });
  await createSecret(server, "SMTP", "value-7");
  const visitor = await setUp(server);
  const names = async (id: number, search: string) => {
    const { text } = await visitor.get(`/web/functions/${id}/secret-names?search=${search}`);
    assert.ok(!text.includes("value-"));
    return JSON.parse(text).names;
  };
  assert.deepEqual(await names(id, ""), ["DB_GLOBAL", "DB_GROUP", "DB_OWN", "KEY_ONE"]);
  assert.deepEqual(await names(id, "gr"), ["DB_GROUP"]);
  assert.deepEqual(await names(stranger, ""), ["DB_GLOBAL", "DB_STRANGER", "SMTP"]);
});

Deno.test("code is saved under the hash of what was opened, and never over somebody else's change", async () => {
  await using server = await startApp();
  await save(server, "a.ts", "one\n");
  const visitor = await setUp(server);
  const edit = (hash: string, content: string, headers: Record<string, string> = {}) =>
    visitor.post("/web/files/edit", { path: "a.ts", hash, content, eol: "lf" }, headers);
  const stored = async () => (await server.api("GET", "/api/files/a.ts")).body;

  assert.equal((await edit(await sha256("one\n"), "two\r\n")).status, 303);
  assert.equal(await stored(), "two\n");
  const late = await edit(await sha256("one\n"), "three\n");
  assert.equal(late.status, 409);
  assert.match(late.text, /changed by another user/);
  assert.match(late.text, /three/);
  assert.equal(await stored(), "two\n");
  const [, hash] = /name="hash" value="([0-9a-f]{64})"/.exec(late.text)!;
  assert.equal((await edit(hash!, "three\n")).status, 303);
  assert.equal(await stored(), "three\n");

  const json = { Accept: "application/json" };
  const conflict = await edit(await sha256("two\n"), "four\n", json);
  assert.equal(conflict.status, 409);
  assert.equal(JSON.parse(conflict.text).hash, await sha256("three\n"));
  await server.api("DELETE", "/api/files/a.ts");
  const gone = await edit(await sha256("three\n"), "four\n", json);
  assert.deepEqual([gone.status, JSON.parse(gone.text).hash], [409, ""]);
  assert.equal((await edit("", "four\n", json)).status, 200);
  assert.equal((await edit("", "five\n", json)).status, 409);
  assert.equal(await stored(), "four\n");
});

Deno.test("a file keeps the line breaks that it had", async () => {
  await using server = await startApp();
  await save(server, "dos.ts", "a\r\nb\r\n");
  const visitor = await setUp(server);
  const { text } = await visitor.get("/web/files/edit?path=dos.ts");
  assert.match(text, /name="eol" value="crlf"/);
  await visitor.post("/web/files/edit", {
    path: "dos.ts",
    hash: await sha256("a\r\nb\r\n"),
    eol: "crlf",
    content: "a\r\nB\r\nc",
  });
  assert.equal((await server.api("GET", "/api/files/dos.ts")).body, "a\r\nB\r\nc");
});

Deno.test("without JavaScript a check is a page that tells each problem with its line", async () => {
  await using server = await startApp();
  const id = await deploy(server, "orders", HANDLER);
  const visitor = await setUp(server);
  const { text } = await visitor.post("/web/files/check", {
    path: "orders.ts",
    functionId: String(id),
    hash: await sha256(HANDLER),
    content: "export default (c) => {\n  return c.texd('a');\n};\n",
  });
  assert.match(text, /1 problem:[\s\S]*line 2, column 12:[\s\S]*Property &#39;texd&#39; does not exist/);
  assert.match(text, /c\.texd\(/);
  assert.equal((await server.api("GET", "/api/files/orders.ts")).body, HANDLER);
});

async function upload(visitor: Visitor, folder: string, files: [string, Uint8Array<ArrayBuffer>][], replace = false) {
  const form = new FormData();
  form.set("folder", folder);
  for (const [name, content] of files) form.append("file", new File([content], name));
  if (replace) form.set("replace", "on");
  return await visitor.request("POST", "/web/files/upload", { body: form });
}

Deno.test("files are uploaded, moved, downloaded and deleted byte for byte, inside the code folder only", async () => {
  await using server = await startApp();
  const visitor = await setUp(server);
  const bytes = Uint8Array.from({ length: 70_000 }, (_, n) => n * 31 + (n >> 8));
  const sent = await upload(visitor, "pictures", [["a b.bin", bytes], [
    "c.ts",
    new TextEncoder().encode("export {};\n"),
  ]]);
  assert.deepEqual([sent.status, sent.headers.get("location")], [303, "/web/files?folder=pictures"]);
  const listed = (await visitor.get("/web/files?folder=pictures")).text;
  assert.match(listed, /a b\.bin[\s\S]*68 KiB/);
  assert.match((await visitor.get("/web/files/edit?path=pictures/a%20b.bin")).text, /This file is binary: 68 KiB/);

  const again = await upload(visitor, "pictures", [["a b.bin", new Uint8Array(3)]]);
  assert.equal(again.status, 400);
  assert.match(again.text, /already exists/);

  const moved = await visitor.post("/web/files/move", { path: "pictures/a b.bin", to: "deep/er/a.bin" });
  assert.equal(moved.status, 303, moved.text);
  const response = await fetch(`${server.url}/web/files/download?path=deep/er/a.bin`, {
    headers: { Cookie: visitor.cookie },
  });
  assert.equal(response.headers.get("content-type"), "application/octet-stream");
  assert.match(response.headers.get("content-disposition")!, /^attachment/);
  assert.deepEqual(await response.bytes(), bytes);
  assert.equal((await upload(visitor, "deep/er", [["a.bin", new Uint8Array(3)]], true)).status, 303);

  await visitor.post("/web/files/delete", { path: "deep/er/a.bin" });
  assert.equal((await visitor.get("/web/files/edit?path=deep/er/a.bin")).status, 404);

  for (
    const refused of [
      await upload(visitor, "..", [["evil.ts", bytes]]),
      await upload(visitor, "", [["../evil.ts", bytes]]),
      await upload(visitor, "/etc", [["evil.ts", bytes]]),
      await visitor.post("/web/files/new", { folder: "", path: "a/../../evil.ts" }),
      await visitor.post("/web/files/move", { path: "pictures/c.ts", to: "../evil.ts" }),
      await visitor.post("/web/files/move", { path: "pictures/c.ts", to: "pictures/c.ts" }),
      await visitor.get("/web/files?folder=../"),
      await visitor.get("/web/files/edit?path=../data/database.db"),
      await visitor.get("/web/files/download?path=%2Fetc%2Fpasswd"),
      await visitor.post("/web/files/edit", { path: "../evil.ts", hash: "", content: "x", eol: "lf" }),
      await visitor.post("/web/files/check", { path: "../evil.ts", content: "x" }),
    ]
  ) {
    assert.equal(refused.status, 400, refused.text);
  }
  assert.equal((await visitor.get("/web/files/edit?path=pictures/c.ts")).status, 200);
});

// What a page takes at this size is measured by `deno task bench pages`.
Deno.test("no page grows with the number of functions and secrets", async () => {
  const paths = [
    "/web",
    "/web/functions",
    "/web/functions?search=f-1",
    "/web/functions/50",
    "/web/functions/50/secret-names?search=S",
    "/web/files",
    "/web/secrets",
    "/web/keys",
  ];
  const sizes = async (secrets: number, functions: number) => {
    let result: number[] = [];
    await withFolder(async (folder) => {
      fill(folder, secrets);
      fillFunctions(folder, functions);
      await using server = await startApp({ folder });
      await save(server, "shared.ts", HANDLER);
      const visitor = await setUp(server);
      result = await Array.fromAsync(paths, async (path) => {
        const { status, text } = await visitor.get(path);
        assert.equal(status, 200, path);
        return text.length;
      });
    });
    return result;
  };
  const few = await sizes(1_000, 200);
  const many = await sizes(10_000, 1_000);
  paths.forEach((path, n) => {
    // Counts and names have a digit more.
    assert.ok(
      many[n]! < few[n]! * 1.1 + 200,
      `${path} has ${few[n]} characters with 200 functions, ${many[n]} with 1,000`,
    );
  });
});

Deno.test("the list of functions says for each what its calls of a day were, in words and in a picture", async () => {
  await using server = await startApp();
  const code = "export default (c) => { if (c.req.query('fail')) throw new Error('asked'); return c.text('ok'); };";
  await deploy(server, "busy", code);
  await deploy(server, "idle", code);
  await run(server, "/busy");
  await run(server, "/busy?fail=1");
  const visitor = await setUp(server);
  for (const path of ["/web/functions", "/web"]) {
    const { text } = await visitor.get(path);
    const [busy] = /<svg class="sparkline"[\s\S]*?<\/svg>/.exec(text)!;
    assert.match(busy, /<title>2 calls in the last 24 hours, at most [12] in one; 1 failed<\/title>/, path);
    assert.match(busy, /class="calls" d="M[\s\S]*class="failures" d="M/);
  }
  assert.match((await visitor.get("/web/functions")).text, /<title>No calls in the last 24 hours<\/title><\/svg>/);
});
