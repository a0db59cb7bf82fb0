// Functions answer from the same origin as the admin pages: what they are kept from by headers. That browsers act
// on them is tests/e2e/hostile_page.test.ts.

import assert from "node:assert/strict";
import { setUp } from "./admin.ts";
import { deploy, run, save, set } from "./handlers.ts";
import { startApp } from "./app.ts";
import { kept } from "./tail.ts";

const SANDBOX = /(?:^|, )sandbox (?!.*allow-same-origin)(?=.*allow-scripts)/;

Deno.test("every answer under /run is sandboxed, beside the handler's own policy", async () => {
  await using server = await startApp();
  await deploy(server, "page", "export default (c) => c.html('<p>hi</p>')");
  await deploy(
    server,
    "own",
    `export default (c) => c.html("", 200, { "Content-Security-Policy": "sandbox allow-same-origin allow-scripts" })`,
  );
  await deploy(server, "away", `export default (c) => c.redirect("/web")`);
  await deploy(server, "broken", "export default () => { throw 1 }");
  await deploy(server, "closed", "export default () => {}", { keys: [1] });
  const expected = { page: 200, own: 200, broken: 500, closed: 401, nothing: 404 };
  for (const [name, status] of Object.entries(expected)) {
    const answer = await run(server, `/${name}`);
    assert.equal(answer.status, status, name);
    assert.match(answer.headers.get("content-security-policy")!, SANDBOX, name);
  }
  const own = await run(server, "/own");
  assert.match(own.headers.get("content-security-policy")!, /^sandbox allow-same-origin allow-scripts, sandbox /);
  const away = await fetch(`${server.url}/run/away`, { redirect: "manual" });
  await away.body?.cancel();
  assert.match(away.headers.get("content-security-policy")!, SANDBOX);
});

Deno.test("a handler neither sees nor sets cookies of the server, whatever its cookies look like", async () => {
  await using server = await startApp();
  const admin = await setUp(server);
  const forged = [
    "crude_session=x",
    "CRUDE_session=x",
    " crude_session=x; Path=/",
    "=crude_session=x",
    " = crude_device=x",
    "__Host-crude_session=x; Secure; Path=/",
    "__HOST-CRUDE_notice=x",
    "crude_notice",
  ];
  await deploy(
    server,
    "cookies",
    `export default (c) => {
      for (const line of ${JSON.stringify([...forged, "mine=1", "not_crude_session=2"])}) {
        c.header("Set-Cookie", line, { append: true });
      }
      return c.json(c.req.header("cookie") ?? null);
    }`,
  );
  const cookie = `a=1; ${admin.cookie}; __Host-crude_session=x; Crude_x=1; b=2; x_crude_y=3`;
  const { body, headers } = await run(server, "/cookies", undefined, { headers: { Cookie: cookie } });
  assert.equal(body, "a=1; b=2; x_crude_y=3");
  assert.deepEqual(headers.getSetCookie(), ["mine=1", "not_crude_session=2"]);
  assert.equal((await run(server, "/cookies", undefined, { headers: { Cookie: admin.cookie } })).body, null);
});

Deno.test("a handler cannot speak for the whole origin", async () => {
  await using server = await startApp();
  const wide = {
    "Service-Worker-Allowed": "/",
    "Clear-Site-Data": '"*"',
    "Strict-Transport-Security": "max-age=1000",
    "Alt-Svc": 'h3="evil.example:443"',
    NEL: "{}",
    "Report-To": "{}",
    "Set-Login": "logged-in",
    "Accept-CH": "Sec-CH-UA-Model",
    "Critical-CH": "Sec-CH-UA-Model",
    "Use-As-Dictionary": 'match="/*"',
    "Sec-Session-Registration": '(ES256); path="/run/x"',
    "Sec-Session-Challenge": '"x"',
    "Public-Key-Pins": "max-age=1000",
    "Activate-Storage-Access": "load",
    "Attribution-Reporting-Register-Source": "{}",
    "Observe-Browsing-Topics": "?1",
    "Origin-Agent-Cluster": "?1",
    "X-Permitted-Cross-Domain-Policies": "all",
    "X-Accel-Redirect": "/internal/file",
    "X-Sendfile": "/etc/passwd",
    "Anything-New": "1",
    "WWW-Authenticate": 'Bearer realm="a", Basic realm="b"',
  };
  const own = {
    "X-Mine": "1",
    "X-Accel-Buffering": "yes",
    "Access-Control-Allow-Origin": "*",
    "Cache-Control": "max-age=60",
    "Content-Disposition": "inline",
    ETag: '"1"',
    Link: "</a>; rel=next",
    "RateLimit-Remaining": "9",
    "Mcp-Session-Id": "abc",
    "HX-Redirect": "/run/x",
    "Server-Timing": "db;dur=1",
  };
  await deploy(
    server,
    "wide",
    `export default () => new Response("self", { headers: ${
      JSON.stringify({ ...wide, ...own, "Content-Type": "text/javascript" })
    } })`,
  );
  const { headers } = await run(server, "/wide");
  for (const name of Object.keys(wide)) assert.equal(headers.get(name), null, name);
  for (const [name, value] of Object.entries(own)) assert.equal(headers.get(name), value, name);
  await deploy(
    server,
    "asks",
    `export default () => new Response("", { status: 401, headers: {
    "WWW-Authenticate": 'Bearer realm="basic"' } })`,
  );
  assert.equal((await run(server, "/asks")).headers.get("www-authenticate"), 'Bearer realm="basic"');
  const worker = await run(server, "/wide", undefined, { headers: { "Service-Worker": "script" } });
  assert.deepEqual([worker.status, worker.body.code], [403, "Forbidden"]);
});

Deno.test("a response in parts, each with headers that nothing checks, is not shown by browsers", async () => {
  await using server = await startApp();
  await set(server, { "run.hosts": ["functions.example"] });
  await deploy(
    server,
    "parts",
    `export default (c) => new Response("--b\\r\\nSet-Cookie: crude_session=1\\r\\n\\r\\n--b--", {
      headers: [["Content-Type", c.req.query("type")], ["Content-Disposition", "inline"]] })`,
  );
  const headersOf = async (type: string, host: string) => {
    const target = `/run/parts?type=${encodeURIComponent(type)}`;
    const { head } = await server.raw([`GET ${target} HTTP/1.1`, `Host: ${host}`]);
    return ["content-type", "content-disposition"].map((name) =>
      new RegExp(`^${name}: (.*?)\\r?$`, "im").exec(head)?.[1]
    );
  };
  for (const host of ["localhost", "functions.example"]) {
    for (const type of ["multipart/x-mixed-replace;boundary=b", "Multipart/X-Mixed-Replace; boundary=b"]) {
      assert.deepEqual(await headersOf(type, host), [undefined, "inline"], type);
    }
    for (
      const type of ["multipart/mixed; boundary=b", "multipart/byteranges; boundary=b", "text/html, multipart/mixed"]
    ) {
      assert.deepEqual(await headersOf(type, host), [type, "attachment"], type);
    }
    for (const type of ["multipart/form-data; boundary=b", "text/plain"]) {
      assert.deepEqual(await headersOf(type, host), [type, "inline"], type);
    }
  }
  const [warning] = (await kept(server)).filter(({ level }) => level === "warn");
  assert.match(warning!.message, /multipart\/x-mixed-replace was not sent/);
});

Deno.test("a response header that is not sent is named in the function's log, once for each version of it", async () => {
  await using server = await startApp();
  const unsent = ["Set-Login", "anything-new", "X-Accel-Redirect", "WWW-Authenticate"];
  const code = (more: string) =>
    `let n = 0; export default (c) => {
    const headers = new Headers({ "X-Mine": "1", "Content-Language": "de", "Connection": "close" });
    ${more}
    return new Response(String(++n), { headers });
  }`;
  const fixed = unsent.map((name) => `headers.set("${name}", "Basic");`).join("") +
    'headers.append("Set-Cookie", "crude_session=x"); headers.append("Set-Cookie", "mine=1");';
  const id = await deploy(server, "sends", code(fixed));
  await deploy(server, "other", code('headers.set("Anything-New", "1");'));
  await deploy(server, "fine", code('headers.set("X-Other", "2"); headers.set("Vary", "a");'));
  await deploy(server, "many", code('for (let i = 0; i < 50; i++) headers.set(`Made-Up-${n}-${i}`, "1");'));
  const warnings = async (name: string): Promise<string[]> => {
    const { body } = await server.api("GET", "/api/functions");
    const { id } = body.functions.find((entry: { name: string }) => entry.name === name);
    return (await kept(server, `?functionId=${id}&level=warn&limit=1000`)).map(({ message }) => message);
  };
  const named = (messages: string[]) =>
    messages.map((message) => /^(?:The response header|A) (\S+) .*was not sent/.exec(message)?.[1]?.toLowerCase())
      .sort();
  const call = async (...names: string[]) => {
    for (const name of names) for (let i = 0; i < 3; i++) assert.equal((await run(server, `/${name}`)).status, 200);
  };

  await call("sends", "other", "fine", "many");
  const first = await warnings("sends");
  assert.deepEqual(named(first), [...unsent, "Set-Cookie"].map((name) => name.toLowerCase()).sort());
  for (const message of first) assert.match(message, /run\.hosts|cookies whose names begin with crude_/);
  assert.deepEqual(named(await warnings("other")), ["anything-new"]);
  assert.deepEqual(await warnings("fine"), []);
  assert.equal((await warnings("many")).length, 20);

  // Another version of the code, or of the entry, is warned of again.
  await save(server, "sends.ts", code('headers.set("Anything-New", "1");'));
  await call("sends");
  assert.deepEqual(named((await warnings("sends")).slice(first.length)), ["anything-new"]);
  await server.api("PUT", `/api/functions/${id}`, { description: "again" });
  await call("sends");
  assert.deepEqual(named((await warnings("sends")).slice(first.length)), ["anything-new", "anything-new"]);

  // Under a name of their own, functions may send them.
  await set(server, { "run.hosts": ["fn.example.com"] });
  await save(server, "sends.ts", code(fixed));
  const before = (await warnings("sends")).length;
  const { head } = await server.raw(["GET /run/sends HTTP/1.1", "Host: fn.example.com"]);
  assert.match(head, /^set-login: Basic\r?$/im);
  assert.deepEqual(named((await warnings("sends")).slice(before)), ["set-cookie"]);
});

Deno.test("a name that functions have to themselves leads to nothing else, and their pages are not sandboxed there", async () => {
  await using server = await startApp();
  await setUp(server);
  await deploy(
    server,
    "page",
    `export default (c) => {
      c.header("Set-Cookie", "crude_session=x", { append: true });
      c.header("Set-Cookie", "mine=1", { append: true });
      return c.text(c.req.header("cookie") ?? "", 200, { "Service-Worker-Allowed": "/" });
    }`,
  );
  await set(server, { "run.hosts": ["fn.example.com"] });
  const get = (path: string, host: string) =>
    server.raw([`GET ${path} HTTP/1.1`, `Host: ${host}`, "Cookie: crude_session=x; a=1", `X-API-Key: ${server.key}`]);
  for (const host of ["fn.example.com", "FN.example.com:8000", "fn.example.com.", "fn.example.com.:8000"]) {
    const { status, head, body } = await get("/run/page", host);
    assert.deepEqual([status, body], [200, "a=1"]);
    assert.match(head, /^service-worker-allowed: \/\r?$/im);
    assert.doesNotMatch(head, /sandbox|crude_session/i);
    for (const path of ["/", "/web", "/web/setup", "/web/sign-in", "/api/secrets", "/api/docs", "/metrics"]) {
      assert.equal((await get(path, host)).status, 404, path);
    }
    assert.equal((await get("/health", host)).status, 200);
  }
  const other = await get("/run/page", "www.example.com");
  assert.match(other.head, /sandbox/);
  for (
    const wrong of ["localhost", "127.0.0.1", "a", "fn.example.com:80", "[::1]", "FN.example.com", "-.example.com"]
  ) {
    const { status } = await server.api("PUT", "/api/settings", { settings: { "run.hosts": [wrong] } });
    assert.equal(status, 400, wrong);
  }
});
