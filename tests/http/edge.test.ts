// Requests as other clients and proxies send them: HTTP/2 without TLS, targets with a host, other forms of addresses.

import assert from "node:assert/strict";
import { setUp, setupForm, Visitor } from "./admin.ts";
import { deploy, set } from "./handlers.ts";
import { startApp } from "./app.ts";
import { type Server } from "./server.ts";

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
  const server = await startApp();
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
    await using server = await startApp({ env: { TRUSTED_PROXIES: trusted } });
    const visitor = new Visitor(server.url, { "X-Forwarded-Proto": "https" });
    await visitor.post("/web/setup", await setupForm(server), { Origin: server.url.replace("http:", "https:") });
    assert.ok([...visitor.cookies.keys()].some((name) => name.startsWith("__Host-crude_session")), trusted);
  }
});
