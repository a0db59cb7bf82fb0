// Calling functions over HTTP: routes, keys, requests and responses of every kind, and what goes wrong.

import assert from "node:assert/strict";
import { createGroup, createKey, createSecret, deploy, run, save, set } from "./handlers.ts";
import { startNpmRegistry } from "./npm_registry.ts";
import { startApp } from "./app.ts";
import { call } from "./server.ts";
import { kept } from "./tail.ts";

Deno.test("ctx tells a handler of its route, parameters, query, request id, time and group", async () => {
  await using server = await startApp();
  const groupId = await createGroup(server, "team");
  const { value: key } = await createKey(server, groupId, "one");
  const code = `export default (c, ctx) => c.json({ ...ctx, params: ctx.params, query: ctx.query,
    isDate: ctx.requestedAt instanceof Date, honoParam: c.req.param("id"), path: c.req.path, url: c.req.url })`;
  await deploy(server, "about", code, {
    route: "/orders/:id",
    methods: ["GET"],
    keys: [groupId],
  });
  const before = Date.now();
  const { status, body, headers } = await run(
    server,
    "/orders/a%2Fb?x=1&x=2&y=%20",
    key,
  );
  assert.equal(status, 200);
  assert.deepEqual(body.route, {
    name: "about",
    description: "",
    handler: "about.ts",
    route: "/orders/:id",
    methods: ["GET"],
    keys: [groupId],
  });
  assert.deepEqual(body.params, { id: "a/b" });
  assert.equal(body.honoParam, "a/b");
  assert.deepEqual(body.query, { x: "1", y: " " });
  assert.match(
    body.requestId,
    /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  );
  assert.equal(headers.get("x-request-id"), body.requestId);
  assert.ok(
    body.isDate && Date.parse(body.requestedAt) >= before &&
      Date.parse(body.requestedAt) <= Date.now(),
  );
  assert.equal(body.authenticatedKeyGroup, "team");
  assert.equal(body.url, `${server.url}/run/orders/a%2Fb?x=1&x=2&y=%20`);
});

Deno.test("a key is taken from X-API-Key, Authorization and api_key, in this order, and the first decides", async () => {
  await using server = await startApp();
  const groupId = await createGroup(server, "team");
  const other = await createGroup(server, "other");
  const { value: key } = await createKey(server, groupId, "one");
  const { value: foreign } = await createKey(server, other, "two");
  await deploy(server, "guarded", "export default (c) => c.text('in')", {
    keys: [groupId],
  });
  const basic = (password: string) => `Basic ${btoa(`anyone:${password}`)}`;
  const cases: [
    headers: Record<string, string>,
    query: string,
    status: number,
  ][] = [
    [{}, "", 401],
    [{ "X-API-Key": key }, "", 200],
    [{ "X-API-Key": "unknown" }, "", 401],
    [{ "X-API-Key": "" }, `?api_key=${key}`, 401],
    [{ "X-API-Key": foreign }, "", 403],
    [{ Authorization: `Bearer ${key}` }, "", 200],
    [{ Authorization: `bearer ${key}` }, "", 200],
    [{ Authorization: basic(key) }, "", 200],
    [{ Authorization: basic("no") }, "", 401],
    [{ Authorization: key }, "", 200],
    [{}, `?api_key=${key}`, 200],
    [{}, `?api_key=${foreign}`, 403],
    [
      { "X-API-Key": "unknown", Authorization: `Bearer ${key}` },
      `?api_key=${key}`,
      401,
    ],
    [{ Authorization: "Bearer unknown" }, `?api_key=${key}`, 401],
    [{ "X-API-Key": key, Authorization: "Bearer unknown" }, "", 200],
  ];
  for (const [headers, query, status] of cases) {
    const answer = await call(
      "GET",
      `${server.url}/run/guarded${query}`,
      undefined,
      headers,
    );
    assert.equal(answer.status, status, JSON.stringify([headers, query]));
    if (status !== 200) {
      assert.deepEqual(Object.keys(answer.body), [
        "error",
        "code",
        "requestId",
      ]);
    }
  }
});

Deno.test("a key of this server never reaches a handler, whatever way it was sent", async () => {
  await using server = await startApp();
  const groupId = await createGroup(server, "team");
  const { value: key } = await createKey(server, groupId, "one");
  const code = "export default (c, ctx) => c.json({ headers: c.req.header(), url: c.req.url, query: ctx.query })";
  await deploy(server, "guarded", code, { keys: [groupId] });
  await deploy(server, "open", code, { keys: [] });
  for (const path of ["/guarded", "/open"]) {
    for (const secret of [key, server.key]) {
      if (path === "/guarded" && secret === server.key) continue;
      const ways: [Record<string, string>, string][] = [
        [{ "X-API-Key": secret }, ""],
        [{ Authorization: `Bearer ${secret}` }, ""],
        [{ Authorization: `Basic ${btoa(`u:${secret}`)}` }, ""],
        [{}, `?api_key=${secret}&a=1`],
        [{ "X-API-Key": secret, Authorization: secret }, `?api_key=${secret}`],
        [{ "X-API-Key": secret, Authorization: `Basic ${btoa(`${secret}:`)}` }, ""],
        [{ "X-API-Key": secret, Authorization: `Token ${secret}` }, `?API_KEY=${secret}&token=Bearer+${secret}`],
        [{ "X-API-Key": secret, "X-Other": `Bearer ${secret}`, Cookie: `a=1; key=${secret}` }, ""],
        [{ "X-API-Key": secret, Referer: `${server.url}/run/open?k=${secret}` }, ""],
      ];
      for (const [headers, query] of ways) {
        const { status, body } = await call(
          "GET",
          `${server.url}/run${path}${query}`,
          undefined,
          headers,
        );
        assert.equal(status, 200);
        assert.ok(
          !JSON.stringify(body).includes(secret),
          JSON.stringify([path, headers, query]),
        );
        for (const pair of [`u:${secret}`, `${secret}:`]) assert.ok(!JSON.stringify(body).includes(btoa(pair)));
        assert.ok(!("api_key" in body.query));
      }
    }
  }
  const twice = await server.raw([
    "GET /run/open?a=1 HTTP/1.1",
    "Host: localhost",
    `X-API-Key: ${key}`,
    `X-API-Key: ${server.key}`,
    `X-Api-Key: Bearer ${key}`,
  ]);
  assert.equal(twice.status, 200);
  assert.ok(!twice.body.includes(key) && !twice.body.includes(server.key), twice.body);
  // What is no key of this server belongs to the handler.
  const { body } = await call("GET", `${server.url}/run/open`, undefined, {
    Authorization: "Bearer upstream",
  });
  assert.equal(body.headers.authorization, "Bearer upstream");
  assert.ok(!server.logs().includes(key));
});

Deno.test("unknown paths are 404, disabled functions too, other methods 405 with Allow", async () => {
  await using server = await startApp();
  const id = await deploy(
    server,
    "hello",
    "export default (c) => c.text('hello')",
    { methods: ["GET"] },
  );
  assert.equal((await run(server, "/nowhere")).status, 404);
  const posted = await run(server, "/hello", undefined, { method: "POST" });
  assert.equal(posted.status, 405);
  assert.equal(posted.headers.get("allow"), "GET, HEAD");
  const head = await run(server, "/hello", undefined, { method: "HEAD" });
  assert.equal(head.status, 200);
  assert.equal(head.body, "");
  await server.api("PUT", `/api/functions/${id}/disable`);
  assert.equal((await run(server, "/hello")).status, 404);
  await server.api("PUT", `/api/functions/${id}/enable`);
  assert.equal((await run(server, "/hello")).body, "hello");
  await server.api("DELETE", `/api/functions/${id}`);
  assert.equal((await run(server, "/hello")).status, 404);
});

Deno.test("binary bodies of every size come back as they were sent", async () => {
  await using server = await startApp();
  await deploy(
    server,
    "buffered",
    "export default async (c) => new Response(await c.req.arrayBuffer())",
  );
  await deploy(
    server,
    "streamed",
    "export default (c) => new Response(c.req.raw.body)",
  );
  for (const size of [0, 1, 65_535, 65_536, 65_537, 262_145, 3_000_000]) {
    const bytes = new Uint8Array(size);
    for (let i = 0; i < size; i++) bytes[i] = (i * 2_654_435_761) >>> 24;
    for (const path of ["/buffered", "/streamed"]) {
      const response = await fetch(`${server.url}/run${path}`, {
        method: "POST",
        body: bytes,
      });
      assert.equal(response.status, 200);
      assert.deepEqual(await response.bytes(), bytes, `${path} ${size}`);
    }
  }
});

Deno.test("texts of every kind come as the bytes that a Response makes of them, with the type that it has", async () => {
  await using server = await startApp();
  const texts = [
    "x",
    "\ufeffmark",
    "\0",
    "\u00e9\u6f22\u{1f600}",
    "\ud800 alone",
    "x".repeat(1_024),
    "\u6f22".repeat(1_025),
  ];
  const code = `const texts = ${JSON.stringify(texts)};
  export default (c, ctx) => {
    const { type, n } = ctx.query;
    const response = new Response(texts[n], { headers: type ? { "Content-Type": type } : {} });
    if (type === "") response.headers.delete("Content-Type");
    return response;
  };`;
  await deploy(server, "texts", code);
  for (const [n, text] of texts.entries()) {
    const expected = await new Response(text).bytes();
    const types = { "": null, "?": "text/plain;charset=UTF-8", "text/html": "text/html" };
    for (const [type, sent] of Object.entries(types)) {
      // The second one goes by what is kept of the first.
      for (let round = 0; round < 3; round++) {
        const query = type === "?" ? "" : `&type=${encodeURIComponent(type)}`;
        const response = await fetch(`${server.url}/run/texts?n=${n}${query}`);
        assert.deepEqual(await response.bytes(), expected, `${n} ${type}`);
        assert.equal(response.headers.get("content-type"), sent, `${n} ${type}`);
        assert.equal(response.headers.get("content-length"), String(expected.length));
      }
    }
  }
});

Deno.test("a response streams: its first piece arrives while the handler is still waiting for the second", async () => {
  await using server = await startApp();
  await deploy(
    server,
    "echo",
    `export default (c) => new Response(c.req.raw.body.pipeThrough(new TransformStream()), {
      headers: { "content-type": "text/event-stream" } })`,
  );
  const body = new TransformStream<Uint8Array, Uint8Array>();
  const writer = body.writable.getWriter();
  const pending = fetch(`${server.url}/run/echo`, {
    method: "POST",
    body: body.readable,
  });
  await writer.write(new TextEncoder().encode("one"));
  const response = await pending;
  const reader = response.body!.pipeThrough(new TextDecoderStream())
    .getReader();
  assert.equal((await reader.read()).value, "one");
  // Only now does the second piece exist.
  await writer.write(new TextEncoder().encode("two"));
  assert.equal((await reader.read()).value, "two");
  await writer.close();
  assert.equal((await reader.read()).done, true);
});

Deno.test("a client that goes away ends the handler's stream and the reading of secrets", async () => {
  await using server = await startApp();
  await createSecret(server, "NAME", "value-of-name");
  const code = `let state = "idle";
    export default async (c, ctx) => {
      if (ctx.query.ask) return c.text(state);
      state = "running";
      return new Response(new ReadableStream({
        pull(controller) { controller.enqueue(new Uint8Array(1000)); return new Promise((r) => setTimeout(r, 1)); },
        async cancel() { state = await ctx.getSecret("NAME").then(() => "still open", (error) => error.message); },
      }));
    }`;
  await deploy(server, "endless", code);
  const response = await fetch(`${server.url}/run/endless`);
  const reader = response.body!.getReader();
  await reader.read();
  await reader.cancel();
  let state = "running";
  while (state === "running") {
    state = (await run(server, "/endless?ask=1")).body;
  }
  assert.equal(
    state,
    "This request has ended; its secrets can no longer be read.",
  );
});

Deno.test("Hono's helpers work: json, text, html, body, redirect, status, headers, cookies, notFound", async () => {
  await using server = await startApp();
  const code = `export default async (c, ctx) => {
    c.header("x-set", "1");
    switch (ctx.query.kind) {
      case "json": return c.json({ a: 1 }, 201);
      case "text": return c.text("t", 202, { "x-more": "2" });
      case "html": return c.html("<p>h</p>");
      case "body": c.status(203); return c.body("b");
      case "redirect": return c.redirect("/elsewhere", 307);
      case "empty": return c.body(null, 204);
      case "notFound": return c.notFound();
      case "form": return c.json(await c.req.parseBody());
      case "cookies": c.header("set-cookie", "a=1", { append: true }); c.header("set-cookie", "b=2", { append: true });
        return c.text("");
      case "set": c.set("k", "v"); return c.json({ k: c.get("k"), v: c.var.k });
      case "raw": return Response.json({ raw: true });
    }
  }`;
  await deploy(server, "helpers", code);
  const get = (kind: string) => fetch(`${server.url}/run/helpers?kind=${kind}`, { redirect: "manual" });
  const expected: Record<
    string,
    [status: number, text: string, header?: [string, string]]
  > = {
    json: [201, '{"a":1}', ["content-type", "application/json"]],
    text: [202, "t", ["x-more", "2"]],
    html: [200, "<p>h</p>", ["content-type", "text/html; charset=UTF-8"]],
    body: [203, "b", ["x-set", "1"]],
    redirect: [307, "", ["location", "/elsewhere"]],
    empty: [204, ""],
    notFound: [404, "404 Not Found"],
    set: [200, '{"k":"v","v":"v"}'],
    raw: [200, '{"raw":true}'],
  };
  for (const [kind, [status, text, header]] of Object.entries(expected)) {
    const response = await get(kind);
    assert.equal(response.status, status, kind);
    assert.equal(await response.text(), text, kind);
    if (header) assert.equal(response.headers.get(header[0]), header[1], kind);
  }
  const cookies = await get("cookies");
  await cookies.body?.cancel();
  assert.deepEqual(cookies.headers.getSetCookie(), ["a=1", "b=2"]);
  const form = new FormData();
  form.set("field", "value");
  const posted = await fetch(`${server.url}/run/helpers?kind=form`, {
    method: "POST",
    body: form,
  });
  assert.deepEqual(await posted.json(), { field: "value" });
});

Deno.test("what a handler throws or returns wrongly is a bare 500; the cause is in the log with the request id", async () => {
  await using server = await startApp();
  await createSecret(server, "PASSWORD", "hunter2-hunter2");
  const handlers: Record<string, [code: string, logged: RegExp]> = {
    throws: [
      "export default async (c, ctx) => { throw new Error('boom ' + await ctx.getSecret('PASSWORD')) }",
      /boom \[secret PASSWORD\]/,
    ],
    throwsnothing: ["export default () => { throw undefined }", /undefined/],
    returnsnothing: ["export default () => {}", /returned no Response/],
    returnsobject: [
      "export default () => ({ status: 200 })",
      /returned no Response/,
    ],
    isbroken: ["export default function (", /could not be loaded/],
    throwsatimport: [
      "throw new Error('at import'); export default () => {}",
      /at import/,
    ],
    hasnodefault: ["export const handler = () => {}", /no default export/],
    importsmissing: [
      "import './missing.ts'; export default () => new Response()",
      /missing\.ts/,
    ],
    badstatus: ["export default () => Response.error()", /cannot be sent/],
    breaksoff: [
      "export default async (c, ctx) => c.text(await ctx.getSecret(1))",
      /TypeError: getSecret: the name must be a string/,
    ],
    badscope: [
      "export default async (c, ctx) => c.text(await ctx.getSecret('A', 'world'))",
      /TypeError: getSecret: unknown scope/,
    ],
  };
  for (const [name, [code, logged]] of Object.entries(handlers)) {
    await deploy(server, name, code);
    const { status, body, headers } = await run(server, `/${name}`);
    assert.equal(status, 500, name);
    assert.deepEqual(Object.keys(body), ["error", "requestId"], name);
    assert.equal(body.error, "Internal Server Error");
    assert.equal(headers.get("x-request-id"), body.requestId);
    const [line] = await server.logged(new RegExp(`ERROR .*request=${body.requestId}.*\n`));
    assert.match(line, logged, name);
  }
  assert.ok(!server.logs().includes("hunter2"));
});

Deno.test("what a handler prints is kept with its function, request id and level, without secrets", async () => {
  await using server = await startApp();
  await createSecret(server, "TOKEN", "s3cr3t/t0ken+=");
  const code = `export default async (c, ctx) => {
    const token = await ctx.getSecret("TOKEN");
    console.log("plain", token, { token }, "line\\nbreak");
    console.warn("base64", btoa(token));
    console.error("url", encodeURIComponent(token));
    return c.text(ctx.requestId);
  }`;
  const functionId = await deploy(server, "printer", code);
  const { body: requestId } = await run(server, "/printer");
  const entries = await kept(server, `?requestId=${requestId}`);
  const caller = { keyId: null, keyName: null };
  const printed = { functionId, functionName: "printer", requestId, ...caller, event: "print", durationMs: null };
  assert.deepEqual(entries.map(({ id: _, at: __, ...entry }) => entry), [
    { ...printed, level: "info", message: "plain [secret TOKEN] { token: '[secret TOKEN]' } line\nbreak" },
    { ...printed, level: "warn", message: "base64 [secret TOKEN]" },
    { ...printed, level: "error", message: "url [secret TOKEN]" },
  ]);
  assert.ok(!server.logs().includes(requestId), "the server's own log is for what the operator has to know");
});

Deno.test("a change of a secret is seen by the next getSecret, also within one call", async () => {
  await using server = await startApp();
  const id = await createSecret(server, "FLAG", "old");
  const code = `export default async (c, ctx) => {
    const first = await ctx.getSecret("FLAG");
    await c.req.text(); // Ends when the client says so.
    return c.json([first, await ctx.getSecret("FLAG") ?? null]);
  }`;
  await deploy(server, "flag", code);
  const body = new TransformStream<Uint8Array, Uint8Array>();
  const pending = fetch(`${server.url}/run/flag`, {
    method: "POST",
    body: body.readable,
  });
  const writer = body.writable.getWriter();
  await writer.write(new Uint8Array(1));
  // The first value has been read once another call, sent later, has been answered by the same process.
  await run(server, "/flag");
  await server.api("PUT", `/api/secrets/${id}`, { value: "new" });
  await writer.close();
  assert.deepEqual(await (await pending).json(), ["old", "new"]);
  await server.api("DELETE", `/api/secrets/${id}`);
  assert.deepEqual((await run(server, "/flag")).body, [null, null]);
});

Deno.test("ctx kept from an earlier request is refused once that response has ended", async () => {
  await using server = await startApp();
  await createSecret(server, "NAME", "value");
  const code = `let kept;
    export default async (c, ctx) => {
      if (!kept) { kept = ctx; return c.text(await ctx.getSecret("NAME")); }
      return c.text(await kept.getSecret("NAME").then(() => "read", (error) => error.message));
    }`;
  await deploy(server, "keeper", code);
  assert.equal((await run(server, "/keeper")).body, "value");
  assert.equal(
    (await run(server, "/keeper")).body,
    "This request has ended; its secrets can no longer be read.",
  );
});

Deno.test("values of 1 to 16,384 bytes with any characters come back unchanged", async () => {
  await using server = await startApp();
  const values = [
    "x",
    "\0",
    'a"b\\c\n\r\t\u2028',
    "🔑".repeat(4_096),
    "é".repeat(8_192),
    "x".repeat(16_384),
  ];
  await deploy(
    server,
    "read",
    "export default async (c, ctx) => c.json(await ctx.getSecret(ctx.query.name))",
  );
  for (const [index, value] of values.entries()) {
    await createSecret(server, `V${index}`, value);
    assert.equal((await run(server, `/read?name=V${index}`)).body, value);
  }
  const tooLarge = await server.api("POST", "/api/secrets", {
    name: "L",
    value: "é".repeat(8_193),
    scope: "global",
  });
  assert.equal(tooLarge.status, 413);
  assert.equal(tooLarge.body.code, "OversizedPlaintextError");
});

Deno.test("an edited handler is served on the next request, an edited module it imports too", async () => {
  await using server = await startApp();
  await save(server, "lib/greeting.ts", "export const greeting = 'hello';");
  await deploy(
    server,
    "greet",
    "import { greeting } from './lib/greeting.ts'; export default (c) => c.text(greeting + 1)",
  );
  assert.equal((await run(server, "/greet")).body, "hello1");
  for (let edit = 0; edit < 3; edit++) {
    // By hand, as with an editor: the API hears nothing of it.
    await Deno.writeTextFile(
      `${server.codeDir}/lib/greeting.ts`,
      `export const greeting = 'hello${edit}';`,
    );
    assert.equal((await run(server, "/greet")).body, `hello${edit}1`);
  }
  await save(
    server,
    "greet.ts",
    "import { greeting } from './lib/greeting.ts'; export default (c) => c.text(greeting + 2)",
  );
  assert.equal((await run(server, "/greet")).body, "hello22");
  // A module that was missing and is written later mends the handler.
  await save(
    server,
    "greet.ts",
    "import x from './late.ts'; export default (c) => c.text(x)",
  );
  assert.equal((await run(server, "/greet")).status, 500);
  await Deno.writeTextFile(
    `${server.codeDir}/late.ts`,
    "export default 'late'",
  );
  assert.equal((await run(server, "/greet")).body, "late");
});

Deno.test("requests in flight finish on the code they began with when a file is edited", async () => {
  await using server = await startApp();
  const code = (answer: string) => `export default async (c) => c.text(await c.req.text() + " ${answer}")`;
  await deploy(server, "slow", code("old"));
  const body = new TransformStream<Uint8Array, Uint8Array>();
  const writer = body.writable.getWriter();
  await run(server, "/slow");
  const pending = fetch(`${server.url}/run/slow`, {
    method: "POST",
    body: body.readable,
  });
  await writer.write(new TextEncoder().encode("sent"));
  await run(server, "/slow");
  await save(server, "slow.ts", code("new"));
  assert.equal(
    (await run(server, "/slow", undefined, { method: "POST", body: "sent" }))
      .body,
    "sent new",
  );
  await writer.close();
  assert.equal(await (await pending).text(), "sent old");
});

Deno.test("fifty edits under load: no call fails and none is answered by code older than the last edit", async () => {
  await using server = await startApp();
  const code = (version: number) => `export default (c) => c.text("${version}")`;
  await deploy(server, "versions", code(0));
  let written = 0;
  let done = false;
  const failures: string[] = [];
  const clients = Array.from({ length: 4 }, async () => {
    while (!done) {
      const atLeast = written;
      const { status, body } = await run(server, "/versions");
      if (status !== 200 || Number(body) < atLeast) {
        failures.push(`${status} ${body} after ${atLeast}`);
      }
    }
  });
  for (let version = 1; version <= 50; version++) {
    await Deno.writeTextFile(`${server.codeDir}/draft`, code(version));
    await Deno.rename(
      `${server.codeDir}/draft`,
      `${server.codeDir}/versions.ts`,
    );
    written = version;
    assert.equal((await run(server, "/versions")).body, String(version));
  }
  done = true;
  await Promise.all(clients);
  assert.deepEqual(failures, []);
});

Deno.test("npm packages are fetched when code is saved; what cannot be had is told on saving and by the call", async () => {
  await using registry = startNpmRegistry();
  const file = { "index.js": "module.exports = (n) => n % 2 === 1;" };
  for (const name of ["crude-odd", "crude-sly"]) await registry.publish({ name, version: "1.0.0", files: file });
  const fetched = (name: string) => registry.asked.filter((path) => path.includes(name)).length;
  // A cache of its own, in which none of them can be.
  const cacheDir = await Deno.makeTempDir({ prefix: "crude-functions-cache-" });
  await Deno.chmod(cacheDir, 0o711);
  try {
    await using server = await startApp({ env: { CACHE_DIR: cacheDir, NPM_CONFIG_REGISTRY: registry.url } });
    const odd = "import isOdd from 'npm:crude-odd@1'; export default (c) => c.json(isOdd(3))";
    assert.deepEqual(await save(server, "odd.ts", odd), []);
    const asked = fetched("crude-odd");
    assert.ok(asked > 0);
    await deploy(server, "odd", odd);
    assert.equal((await run(server, "/odd")).body, true);
    assert.equal(fetched("crude-odd"), asked, "nothing is left for the call to fetch");

    const missing = "import x from 'npm:@crude-functions/there-is-no-such-package@1'; export default (c) => c.text(x)";
    const problems = await save(server, "gone.ts", missing);
    assert.match(problems.join(), /there-is-no-such-package/);
    await deploy(server, "gone", missing);
    const { status, body } = await run(server, "/gone");
    assert.equal(status, 500);
    await server.logged(new RegExp(`request=${body.requestId}.*could not be loaded.*there-is-no-such-package`));
    // A package that no save fetched is not fetched by a call either.
    const sly = "export default async (c) => c.json((await import('npm:' + 'crude-sly@1')).default(2))";
    await deploy(server, "sly", sly);
    assert.equal((await run(server, "/sly")).status, 500);
    assert.equal(fetched("crude-sly"), 0);
  } finally {
    await Deno.remove(cacheDir, { recursive: true });
  }
});

Deno.test("a module outside the code folder is named as such, never quoted and never loaded", async () => {
  await using server = await startApp();
  const outside = `${server.codeDir}/../outside.ts`;
  await Deno.writeTextFile(outside, "CANARY is no (statement\n");
  for (const path of ["../outside.ts", await Deno.realPath(outside), "../data/encryption-keys.json"]) {
    const code = `import "${path}"; export default (c) => c.text("loaded")`;
    const problems = await save(server, "prying.ts", code);
    assert.match(problems.join(), /is outside the code folder/);
    assert.doesNotMatch(problems.join(), /CANARY/);
  }
  await deploy(
    server,
    "prying",
    'import t from "../outside.ts" with { type: "text" }; export default (c) => c.text(t)',
  );
  assert.equal((await run(server, "/prying")).status, 500);
  assert.doesNotMatch(server.logs(), /CANARY/);
});

Deno.test("a module by its address is fetched when code is saved, from the hosts in sandbox.import-hosts alone", async () => {
  await using server = await startApp();
  const upstream = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    () => new Response("export const answer: number = 42;", { headers: { "Content-Type": "application/typescript" } }),
  );
  const host = `127.0.0.1:${upstream.addr.port}`;
  const code = `import { answer } from "http://${host}/module.ts"; export default (c) => c.json(answer)`;
  assert.match((await save(server, "remote.ts", code)).join(), /setting sandbox.import-hosts names the hosts/);
  await set(server, { "sandbox.import-hosts": [host] });
  assert.deepEqual(await save(server, "remote.ts", code), []);
  await deploy(server, "remote", code);
  await upstream.shutdown();
  assert.equal((await run(server, "/remote")).body, 42);
});

Deno.test("a host that is no address is a 400, and no handler is blamed", async () => {
  await using server = await startApp();
  await deploy(server, "plain", "export default (_, ctx) => Response.json(ctx.query)");
  const query = "GET /run/plain?a=1&b=x%20y&a=2 HTTP/1.1";
  assert.equal((await server.raw([query, "Host: 999.999.999.999"])).status, 400);
  const { status, body } = await server.raw([query, "Host: 192.0.2.1"]);
  assert.deepEqual([status, JSON.parse(body)], [200, { a: "1", b: "x y" }]);
});

Deno.test("where modules may come from nowhere, those of the code folder still work", async () => {
  await using server = await startApp();
  await set(server, { "sandbox.import-hosts": [] });
  assert.match(
    (await save(server, "remote.ts", `import "http://127.0.0.1:1/module.ts";`)).join(),
    /setting sandbox.import-hosts names the hosts/,
  );
  await save(server, "part.ts", "export const answer = 42;");
  await deploy(server, "whole", `import { answer } from "./part.ts"; export default (c) => c.json(answer)`);
  assert.equal((await run(server, "/whole")).body, 42);
});

Deno.test("a body that breaks off tells its cause in the log with secrets masked", async () => {
  await using server = await startApp();
  await createSecret(server, "PASSWORD", "hunter2-hunter2");
  const code = `export default async (c, ctx) => {
    const password = await ctx.getSecret("PASSWORD");
    return new Response(new ReadableStream({ async pull(controller) {
      controller.enqueue(new TextEncoder().encode("begin"));
      await new Promise((resolve) => setTimeout(resolve, 20));
      controller.error(new Error("lost " + password));
    } }));
  }`;
  await deploy(server, "breaks", code);
  const response = await fetch(`${server.url}/run/breaks`);
  await assert.rejects(response.text());
  await server.logged(/was aborted: .*lost \[secret PASSWORD\]/);
  assert.equal(await server.stop(), 0);
  assert.ok(!server.logs().includes("hunter2"));
});
