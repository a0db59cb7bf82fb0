// Requests as other clients and proxies send them: HTTP/2 without TLS, targets with a host, other forms of addresses.

import assert from "node:assert/strict";
import { join } from "node:path";
import { setUp, setupForm, Visitor } from "./admin.ts";
import { deploy, set } from "./handlers.ts";
import { type Server, startServer } from "./server.ts";

const ECHO = `export default async (c) => c.json({
  host: c.req.header("host"), url: c.req.url, method: c.req.method, body: await c.req.text() })`;

/** What curl receives by HTTP/2, without an upgrade, for `url` under the host `authority`. */
async function http2(url: string, authority: string, ...args: string[]): Promise<{ head: string; body: string }> {
  const { stdout } = await new Deno.Command("curl", {
    args: ["-s", "-i", "--http2-prior-knowledge", "-H", `Host: ${authority}`, ...args, url],
  }).output();
  const [, head, body] = /^(.*?)\r\n\r\n(.*)$/s.exec(new TextDecoder().decode(stdout))!;
  return { head: head!, body: body! };
}

async function startEcho(): Promise<Server> {
  const server = await startServer();
  await deploy(server, "echo", ECHO, { methods: ["GET", "POST"] });
  await set(server, { "run.hosts": ["fn.example.com"] });
  return server;
}

Deno.test("by HTTP/2, the host is the one of the request: for handlers, run.hosts, policies and forms", async () => {
  await using server = await startEcho();
  const plain = await http2(`${server.url}/run/echo?a=1`, "www.example.com:81");
  assert.match(plain.head, /^HTTP\/2 200/);
  assert.match(plain.head, /sandbox/);
  assert.deepEqual(JSON.parse(plain.body), {
    host: "www.example.com:81",
    url: "http://www.example.com:81/run/echo?a=1",
    method: "GET",
    body: "",
  });
  const posted = await http2(`${server.url}/run/echo`, "fn.example.com", "-d", "x".repeat(50_000));
  assert.doesNotMatch(posted.head, /sandbox/);
  assert.equal(JSON.parse(posted.body).body.length, 50_000);
  assert.match((await http2(`${server.url}/web`, "fn.example.com.")).head, /^HTTP\/2 404/);
  assert.match((await http2(`${server.url}/health`, "localhost:99999")).head, /^HTTP\/2 400/);

  const { host } = new URL(server.url);
  const page = await http2(`${server.url}/web/sign-in`, host);
  assert.match(page.head, new RegExp(`content-security-policy: [^\\n]*${host}`));
  await setUp(server);
  const form = ["-d", "email=a@example.com&password=wrong", "-H"];
  const own = await http2(`${server.url}/web/sign-in`, host, ...form, `Origin: ${server.url}`);
  assert.doesNotMatch(own.head, /^HTTP\/2 403/);
  const foreign = await http2(`${server.url}/web/sign-in`, host, ...form, "Origin: http://evil.example");
  assert.match(foreign.head, /^HTTP\/2 403/);
});

Deno.test("the host of an absolute target counts before the Host header", async () => {
  await using server = await startEcho();
  const get = (target: string, host: string) => server.raw([`GET ${target} HTTP/1.1`, `Host: ${host}`]);
  const { status, body, head } = await get("http://fn.example.com:81/run/echo?a=1", "other.example.com");
  assert.equal(status, 200);
  assert.doesNotMatch(head, /sandbox/);
  const { host, url } = JSON.parse(body);
  assert.deepEqual([host, url], ["fn.example.com:81", "http://fn.example.com:81/run/echo?a=1"]);
  // Under that name there is nothing else, whatever the header says.
  assert.equal((await get("http://fn.example.com/web", "localhost")).status, 404);
  assert.equal((await get("http://u:p@fn.example.com/web", "localhost")).status, 404);
  assert.equal((await get("http://localhost/health", "fn.example.com")).status, 200);
  assert.equal((await get("http://256.1.1.1/health", "localhost")).status, 400);
  assert.equal((await get("http://a..%00/health", "localhost")).status, 400);
});

Deno.test("proxies are trusted by address or network, in whichever form it is written", async () => {
  for (
    const trusted of ["::ffff:127.0.0.1", "127.0.0.0/8", "0:0:0:0:0:ffff:7f00:1", "10.0.0.0/8, ::ffff:127.0.0.0/104"]
  ) {
    await using server = await startServer({ env: { TRUSTED_PROXIES: trusted } });
    const visitor = new Visitor(server.url, { "X-Forwarded-Proto": "https" });
    await visitor.post("/web/setup", await setupForm(server), { Origin: server.url.replace("http:", "https:") });
    assert.ok([...visitor.cookies.keys()].some((name) => name.startsWith("__Host-crude_session")), trusted);
  }
});

Deno.test("event streams pass nginx with its defaults at once: the log's, and a function's", async () => {
  await using server = await startServer();
  await deploy(
    server,
    "ticks",
    `export default () => new Response(new ReadableStream({
      start(controller) { controller.enqueue(new TextEncoder().encode("data: first\\n\\n")); },
    }), { headers: { "Content-Type": "text/event-stream" } })`,
  );
  const folder = await Deno.makeTempDir({ prefix: "crude-functions-nginx-" });
  await Deno.chmod(folder, 0o755);
  const socket = join(folder, "socket");
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) =>
    `${name}_temp_path ${folder}/${name};`
  );
  await Deno.writeTextFile(
    join(folder, "nginx.conf"),
    `daemon off; pid ${folder}/pid; error_log stderr; events {}
     http { access_log off; ${temporary.join(" ")}
       server { listen unix:${socket}; location / { proxy_pass ${server.url}; } } }`,
  );
  const nginx = new Deno.Command("/usr/sbin/nginx", {
    args: ["-c", join(folder, "nginx.conf"), "-p", folder],
    stdout: "null",
    stderr: "null",
  }).spawn();
  try {
    while (!await Deno.stat(socket).catch(() => undefined)) await new Promise((resolve) => setTimeout(resolve, 10));
    for (const path of ["/run/ticks", "/api/logs/stream"]) {
      using connection = await Deno.connect({ transport: "unix", path: socket });
      await connection.write(
        new TextEncoder().encode(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nX-API-Key: ${server.key}\r\n\r\n`),
      );
      let text = "";
      const buffer = new Uint8Array(4_096);
      while (!/\r\n\r\n.*(?:data: first|retry: \d)/s.test(text)) {
        const count = await connection.read(buffer);
        assert.notEqual(count, null, `${path}: ${text}`);
        text += new TextDecoder().decode(buffer.subarray(0, count!));
      }
      assert.match(text, /^HTTP\/1\.1 200 /);
    }
  } finally {
    nginx.kill("SIGTERM");
    await nginx.status;
    await Deno.remove(folder, { recursive: true });
  }
});
