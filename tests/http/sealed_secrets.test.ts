// Sealed secrets from a handler's side: what it is given, which of its requests carry the value, and what comes back.

import assert from "node:assert/strict";
import { startApp } from "./app.ts";
import { createGroup, createKey, deploy, run } from "./handlers.ts";
import { CA_PATH, startHost } from "./sealed_host.ts";
import type { Server } from "./server.ts";

const VALUE = "sk_live_51Habcdefghijklmnop";
const OTHER = "other-Value_0123456789";
const MASKED = "[secret STRIPE_KEY]";

async function seal(server: Server, name: string, value: string, hosts: string[], more: object = {}): Promise<number> {
  const body = { name, value, scope: "global", sealed: true, hosts, ...more };
  const created = await server.api("POST", "/api/secrets", body);
  assert.equal(created.status, 201, JSON.stringify(created.body));
  return created.body.id;
}

const trusting = () => startApp({ env: { DENO_CERT: CA_PATH } });

Deno.test("a handler gets a placeholder, and its fetch sends the value to the secret's host only", async () => {
  await using server = await trusting();
  await using host = startHost();
  await using other = startHost();
  await seal(server, "STRIPE_KEY", VALUE, [`localhost:${host.port}`]);
  const net = [`localhost:${host.port}`, `localhost:${other.port}`];
  await deploy(
    server,
    "pay",
    `export default async function (c, ctx) {
      const key = await ctx.getSecret("STRIPE_KEY");
      const again = await ctx.getSecret("STRIPE_KEY", "global");
      const all = await ctx.getCompleteSecret("STRIPE_KEY");
      const headers = { authorization: "Bearer " + key };
      const answer = await fetch("https://localhost:${host.port}/v1?x=1#part", { method: "POST", headers, body: "a=1" });
      const echo = await answer.json();
      let elsewhere;
      try { await fetch("https://localhost:${other.port}/", { headers }); } catch (error) { elsewhere = error.name; }
      return c.json({
        key, same: key === again && key === all.global, status: answer.status, ok: answer.ok, url: answer.url,
        redirected: answer.redirected, type: answer.headers.get("content-type"), echo, elsewhere,
        cloned: (await fetch("https://localhost:${host.port}/")).clone().url,
      });
    }`,
    { permissions: { net } },
  );
  const { status, body } = await run(server, "/pay");
  assert.equal(status, 200, JSON.stringify(body));
  assert.match(body.key, /^sealed_STRIPE_KEY_[\w-]{32}$/);
  assert.equal(body.same, true);
  assert.equal(host.received[0]!.headers.authorization, `Bearer ${VALUE}`);
  assert.equal(host.received[0]!.headers["content-length"], "3");
  assert.equal(host.received[0]!.body, "a=1");
  assert.equal(body.echo.headers.authorization, `Bearer ${MASKED}`);
  assert.deepEqual(
    [body.status, body.ok, body.url, body.redirected, body.type],
    [200, true, `https://localhost:${host.port}/v1?x=1`, false, "application/json"],
  );
  assert.equal(body.cloned, `https://localhost:${host.port}/`);
  // The sandbox itself does not trust the certificate, so nothing arrived there.
  assert.equal(body.elsewhere, "TypeError");
  assert.equal(other.received.length, 0);
  assert.ok(!server.logs().includes(VALUE));
  const second = await run(server, "/pay");
  assert.notEqual(second.body.key, body.key);
});

Deno.test("the value goes over plain HTTP only to a host that is written out so, and nowhere without permission", async () => {
  await using server = await startApp();
  await using host = startHost(false);
  const url = `http://127.0.0.1:${host.port}`;
  await seal(server, "STRIPE_KEY", VALUE, [url]);
  await seal(server, "SECURE", OTHER, [`127.0.0.1:${host.port}`]);
  const code = `export default async function (c, ctx) {
    const [key, secure] = [await ctx.getSecret("STRIPE_KEY"), await ctx.getSecret("SECURE")];
    try {
      const answer = await fetch("${url}/", { headers: { "x-key": key, "x-secure": secure } });
      return c.json({ status: answer.status, secure });
    } catch (error) { return c.json({ name: error.name, message: error.message }); }
  }`;
  await deploy(server, "named", code, { permissions: { net: [`127.0.0.1:${host.port}`] } });
  await deploy(server, "default", code);
  await deploy(server, "elsewhere", code, { permissions: { net: ["api.example.com"] } });
  const { body } = await run(server, "/named");
  assert.equal(body.status, 200, JSON.stringify(body));
  assert.deepEqual([host.last.headers["x-key"], host.last.headers["x-secure"]], [VALUE, body.secure]);
  for (const name of ["default", "elsewhere"]) {
    const { body } = await run(server, `/${name}`);
    assert.equal(body.name, "TypeError", JSON.stringify(body));
    assert.match(body.message, /may not connect to "127\.0\.0\.1/);
  }
  assert.equal(host.received.length, 1);
});

Deno.test("a value is masked in every form in which a host repeats where it was put", async () => {
  await using server = await startApp();
  await using host = startHost(false, ({ url }, { target, headers }) => {
    const value = headers["x-key"] ?? "";
    if (url.endsWith("/php")) return new Response(JSON.stringify({ value }).replaceAll("/", "\\/"));
    if (url.endsWith("/name")) return new Response("", { headers: { [`X-${headers["x-name"]}`]: "1" } });
    return new Response(`Cannot GET ${target}`, { status: 404 });
  });
  const value = "sk_live/51Habcd+/=~:efGH";
  const url = `http://127.0.0.1:${host.port}`;
  await seal(server, "STRIPE_KEY", value, [url], { in: ["header", "query", "path"] });
  await seal(server, "NAME", VALUE, [url]);
  await deploy(
    server,
    "echoes",
    `export default async function (c, ctx) {
      const [key, name] = [await ctx.getSecret("STRIPE_KEY"), await ctx.getSecret("NAME")];
      const text = async (path, headers = {}) => (await fetch("${url}" + path, { headers })).text();
      const named = await fetch("${url}/name", { headers: { "x-name": name } });
      return c.json({
        path: await text("/a/" + key + "/b"),
        query: await text("/?q=" + key),
        php: await text("/php", { "x-key": key }),
        names: [...named.headers].map(([name]) => name),
      });
    }`,
    { permissions: { net: [`127.0.0.1:${host.port}`] } },
  );
  const { body } = await run(server, "/echoes");
  assert.deepEqual([body.path, body.query, body.php], [
    `Cannot GET /a/${MASKED}/b`,
    `Cannot GET /?q=${MASKED}`,
    `{"value":"${MASKED}"}`,
  ]);
  assert.deepEqual(body.names.filter((name: string) => name.startsWith("x-")), []);
  assert.equal(host.last.headers["x-key"], value);
});

Deno.test("a request that is too large fails by itself, and the process and its calls go on", async () => {
  await using server = await startApp();
  await using host = startHost(false);
  const url = `http://127.0.0.1:${host.port}`;
  await seal(server, "STRIPE_KEY", VALUE, [url]);
  await deploy(
    server,
    "large",
    `import http from "node:http";
    export default async function (c, ctx) {
      const key = await ctx.getSecret("STRIPE_KEY");
      const failed = async (request) => { try { await request; return "sent"; } catch (error) { return error.name + ": " + error.message; } };
      const ask = (path, options) => failed(fetch("${url}" + path, options));
      const many = Object.fromEntries(Array.from({ length: 1_001 }, (_, index) => ["x-" + index, "1"]));
      return c.json([
        await ask("/" + "a".repeat(17_000), { headers: { key } }),
        await ask("/", { method: "M".repeat(65), headers: { key } }),
        await ask("/", { headers: { key, large: "a".repeat(66_000) } }),
        await ask("/", { headers: many }),
        await failed(new Promise((resolve, reject) => http.get("${url}/" + "a".repeat(17_000), resolve).on("error", reject))),
        await ask("/", { headers: { key } }),
      ]);
    }`,
    { permissions: { net: [`127.0.0.1:${host.port}`] } },
  );
  const { status, body } = await run(server, "/large");
  assert.equal(status, 200, JSON.stringify(body));
  const expected = [/The URL .* 16384/, /The method .* 64/, /The headers .* 65536/, /The headers .* 1000/, /The URL/];
  for (const [index, pattern] of expected.entries()) {
    assert.match(body[index], /^TypeError: /);
    assert.match(body[index], pattern);
  }
  assert.equal(body[5], "sent");
  assert.equal(host.received.length, 1);
});

Deno.test("redirects are followed by fetch's rules: with the value within the list, without it to other hosts", async () => {
  await using server = await startApp();
  await using host = startHost(false);
  await using second = startHost(false);
  await using outside = startHost(false);
  const [a, b, c] = [host, second, outside].map(({ port }) => `http://127.0.0.1:${port}`) as [string, string, string];
  await seal(server, "STRIPE_KEY", VALUE, [a, b], { in: ["header", "body", "query"] });
  await deploy(
    server,
    "go",
    `export default async function (c, ctx) {
      const key = await ctx.getSecret("STRIPE_KEY");
      const { url, method = "GET", redirect = "follow", stream } = await c.req.json();
      const body = method === "GET" ? undefined
        : stream ? new Blob([key]).stream().pipeThrough(new TransformStream({
          async transform(piece, out) { await new Promise((done) => setTimeout(done, 20)); out.enqueue(piece); } })) : key;
      try {
        const answer = await fetch(url.replace("KEY", key), {
          method, redirect, body, headers: { authorization: "Bearer " + key, "content-type": "text/plain" },
        });
        return c.json({
          key, status: answer.status, url: answer.url, redirected: answer.redirected,
          location: answer.headers.get("location"), text: await answer.text(),
        });
      } catch (error) { return c.json({ key, name: error.name, message: error.message }); }
    }`,
    { permissions: { net: [a, b, c].map((url) => url.slice(7)) } },
  );
  const go = async (input: object) =>
    (await run(server, "/go", undefined, { method: "POST", body: JSON.stringify(input) })).body;
  const to = (location: string, status = 307) => `${a}/?status=${status}&location=${encodeURIComponent(location)}`;

  const within = await go({ url: to(`${b}/next`), method: "POST" });
  assert.deepEqual([within.status, within.url, within.redirected], [200, `${b}/next`, true], JSON.stringify(within));
  assert.equal(second.last.method, "POST");
  assert.equal(second.last.headers.authorization, `Bearer ${VALUE}`);
  assert.equal(second.last.body, VALUE);

  const out = await go({ url: to(`${c}/next`), method: "POST" });
  assert.equal(out.status, 200, JSON.stringify(out));
  assert.equal(outside.last.headers.authorization, undefined);
  assert.equal(outside.last.body, out.key);

  await go({ url: to(`${b}/see`, 303), method: "POST" });
  assert.deepEqual([second.last.method, second.last.body], ["GET", ""]);

  // The host puts the value into the address that it redirects to.
  const query = await go({
    url: `${a}/?status=302&location=KEY`.replace("KEY", encodeURIComponent(`${c}/?leak=`) + "KEY"),
  });
  assert.ok(!JSON.stringify(outside.received).includes(VALUE));
  assert.match(outside.last.target, /%5Bsecret%20STRIPE_KEY%5D|\[secret/, JSON.stringify(query));

  assert.equal((await go({ url: to(`${b}/`), redirect: "error" })).name, "TypeError");
  const manual = await go({ url: to(`${b}/`), redirect: "manual" });
  assert.deepEqual([manual.status, manual.location], [307, `${b}/`]);
  assert.equal((await go({ url: to("file:///etc/passwd") })).name, "TypeError");
  assert.match((await go({ url: to(`${b}/`), method: "POST", stream: true })).message, /stream/);
});

Deno.test("bodies stream in both directions, and an aborted request ends at the host", async () => {
  await using server = await startApp();
  const ended = Promise.withResolvers<void>();
  await using host = startHost(false, (request, { body }) => {
    if (request.url.endsWith("/endless")) {
      request.signal.addEventListener("abort", () => ended.resolve());
      return new Response(
        new ReadableStream({
          start: (controller) => controller.enqueue(new TextEncoder().encode("first\n")),
          cancel: () => ended.resolve(),
        }),
      );
    }
    return new Response(new Blob([body]).stream(), { headers: { "x-bytes": String(body.length) } });
  });
  const url = `http://127.0.0.1:${host.port}`;
  await seal(server, "STRIPE_KEY", VALUE, [url], { in: ["body"] });
  await deploy(
    server,
    "stream",
    `export default async function (c, ctx) {
      const key = await ctx.getSecret("STRIPE_KEY");
      const piece = "x".repeat(50_000);
      const pieces = [piece, key.slice(0, 10), key.slice(10), piece, piece];
      const body = new ReadableStream({ async pull(out) {
        await new Promise((done) => setTimeout(done, 5));
        const next = pieces.shift();
        if (next === undefined) out.close(); else out.enqueue(new TextEncoder().encode(next));
      } });
      const answer = await fetch("${url}/", { method: "POST", body, headers: { "content-type": "text/plain" } });
      const text = await answer.text();
      const stopped = new AbortController();
      const endless = await fetch("${url}/endless", { signal: stopped.signal });
      const reader = endless.body.getReader();
      const first = new TextDecoder().decode((await reader.read()).value);
      const pending = reader.read().catch((error) => error.name);
      stopped.abort();
      return c.json({ bytes: answer.headers.get("x-bytes"), length: text.length, masked: text.includes("${MASKED}"),
        plain: text.replaceAll("x", ""), first, aborted: await pending });
    }`,
    { permissions: { net: [`127.0.0.1:${host.port}`] } },
  );
  const { body } = await run(server, "/stream");
  assert.deepEqual(body, {
    bytes: String(150_000 + VALUE.length),
    length: 150_000 + MASKED.length,
    masked: true,
    plain: MASKED,
    first: "first\n",
    aborted: "AbortError",
  });
  await ended.promise;
});

Deno.test("each scope's sealed value has a placeholder of its own, and plain values stay as they are", async () => {
  await using server = await startApp();
  await using host = startHost(false);
  const url = `http://127.0.0.1:${host.port}`;
  const groupId = await createGroup(server, "team");
  const { value: key } = await createKey(server, groupId, "one");
  await seal(server, "TOKEN", VALUE, [url]);
  await seal(server, "TOKEN", OTHER, [url], { scope: "group", groupId });
  await server.api("POST", "/api/secrets", { name: "PLAIN", value: "a plain value", scope: "global" });
  await deploy(
    server,
    "all",
    `export default async function (c, ctx) {
      const all = await ctx.getCompleteSecret("TOKEN");
      await fetch("${url}/", { headers: { a: all.global, b: all.group.value } });
      return c.json({ all, won: await ctx.getSecret("TOKEN"), plain: await ctx.getSecret("PLAIN") });
    }`,
    { keys: [groupId], permissions: { net: [`127.0.0.1:${host.port}`] } },
  );
  const { body } = await run(server, "/all", key);
  assert.deepEqual([host.last.headers.a, host.last.headers.b], [VALUE, OTHER]);
  assert.equal(body.won, body.all.group.value);
  assert.notEqual(body.all.global, body.won);
  assert.equal(body.plain, "a plain value");
});

Deno.test("clients over node:http and node:https send the value, too, with bodies, streams, errors and aborts", async () => {
  await using server = await trusting();
  await using host = startHost(false);
  await using secure = startHost();
  await using other = startHost(false);
  const [url, secureUrl, otherUrl] = [
    `http://127.0.0.1:${host.port}`,
    `https://localhost:${secure.port}`,
    `http://127.0.0.1:${other.port}`,
  ];
  await seal(server, "STRIPE_KEY", VALUE, [url, `localhost:${secure.port}`], { in: ["header", "body"] });
  await deploy(
    server,
    "node",
    `import http, { request as named } from "node:http";
    import * as https from "node:https";
    import { createRequire } from "node:module";
    const read = (answer) => new Promise((done, fail) => {
      let text = ""; answer.setEncoding("utf8").on("data", (d) => text += d).on("end", () => done({ status: answer.statusCode,
        message: answer.statusMessage, type: answer.headers["content-type"], length: answer.headers["content-length"], text })).on("error", fail);
    });
    const send = (request, write = (r) => r.end()) => new Promise((done, fail) => {
      request.on("response", (answer) => read(answer).then(done, fail)).on("error", fail); write(request);
    });
    export default async function (c, ctx) {
      const key = await ctx.getSecret("STRIPE_KEY");
      const headers = { authorization: "Bearer " + key };
      const agent = new http.Agent({ keepAlive: true });
      const results = {};
      results.get = await new Promise((done) => http.get("${url}/get?x=1", { headers, agent }, (answer) => done(read(answer))));
      results.post = await send(named({ hostname: "127.0.0.1", port: ${host.port}, path: "/post", method: "POST", headers:
        { ...headers, "content-type": "text/plain", "content-length": Buffer.byteLength(key) } }), (r) => r.end(key));
      results.chunked = await send(http.request(new URL("${url}/chunked"), { method: "PUT", headers: { ...headers, "content-type": "text/plain" } }),
        (r) => { r.write("a".repeat(70_000)); r.write(key.slice(0, 9)); setTimeout(() => r.end(key.slice(9)), 5); });
      results.head = await send(http.request("${url}/head", { method: "HEAD", headers }));
      results.empty = await send(http.request("${url}/?status=204", { headers }));
      results.redirect = await send(http.request("${url}/?status=302&location=/next", { headers }));
      results.tls = await send(https.request("${secureUrl}/tls", { headers, auth: "user:" + key }));
      results.required = await send(createRequire(import.meta.url)("http").request("${url}/required", { headers }));
      results.other = await send(http.request("${otherUrl}/other", { headers }));
      results.closed = await send(https.request("https://127.0.0.1:${host.port}/", { headers })).catch(({ name }) => name);
      const aborted = http.request("${url}/aborted", { method: "POST", headers: { ...headers, "content-length": 10 } });
      results.aborted = await send(aborted, (r) => { r.write("x"); r.destroy(new Error("stopped")); }).catch(({ message }) => message);
      return c.json({ key, ...results });
    }`,
    { permissions: { net: [host, other].map(({ port }) => `127.0.0.1:${port}`).concat(`localhost:${secure.port}`) } },
  );
  const { status, body } = await run(server, "/node");
  assert.equal(status, 200, JSON.stringify(body));
  const of = (received: typeof host.received, path: string) => received.find(({ target }) => target.startsWith(path))!;
  assert.equal(of(host.received, "/get").headers.authorization, `Bearer ${VALUE}`);
  assert.equal(JSON.parse(body.get.text).headers.authorization, `Bearer ${MASKED}`);
  assert.equal(of(host.received, "/post").body, VALUE);
  assert.equal(of(host.received, "/post").headers["content-length"], String(VALUE.length));
  assert.equal(of(host.received, "/chunked").body, "a".repeat(70_000) + VALUE);
  assert.deepEqual([body.head.status, body.head.text], [200, ""]);
  assert.deepEqual([body.empty.status, body.empty.text], [204, ""]);
  assert.equal(body.redirect.status, 302);
  assert.equal(of(secure.received, "/tls").headers.authorization, `Bearer ${VALUE}`);
  assert.equal(of(host.received, "/required").headers.authorization, `Bearer ${VALUE}`);
  assert.equal(of(other.received, "/other").headers.authorization, `Bearer ${body.key}`);
  assert.equal(body.closed, "Error");
  assert.equal(body.aborted, "stopped");
  assert.equal(of(host.received, "/aborted"), undefined);
});

Deno.test("a file of certificates that cannot be read is reported, and the server starts", async () => {
  await using server = await startApp({ env: { DENO_CERT: "/no/such/file.pem" } });
  assert.match(server.logs(), /WARN +DENO_CERT cannot be read/);
  assert.equal((await server.api("GET", "/health")).status, 200);
});
