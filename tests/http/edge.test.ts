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
  const { success, stdout, stderr } = await new Deno.Command("curl", {
    args: ["-sS", "-i", "--http2-prior-knowledge", "-H", `Host: ${authority}`, ...args, url],
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
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

/** Types and flags of HTTP/2 frames (RFC 9113, 6). */
const [DATA, HEADERS, RST_STREAM, SETTINGS, PING] = [0, 1, 3, 4, 6];
const [END_STREAM, ACK, END_HEADERS] = [1, 1, 4];

/** One connection that speaks HTTP/2 frame by frame. `types` are those of the frames of stream 1 so far. */
async function openFrames(server: Server): Promise<{
  types: Set<number>;
  /** Returns once a frame of the type has arrived on stream 1. */
  received(type: number): Promise<void>;
  send(type: number, flags: number, stream: number, payload?: Uint8Array): Promise<void>;
  /** Returns once the server has handled everything that was sent before. */
  ping(): Promise<void>;
  [Symbol.dispose](): void;
}> {
  const { hostname, port } = new URL(server.url);
  const connection = await Deno.connect({ hostname, port: Number(port) });
  const writer = connection.writable.getWriter();
  const types = new Set<number>();
  const waiting = new Map<number, () => void>();
  const pongs: (() => void)[] = [];
  (async () => {
    let left = new Uint8Array();
    for await (const chunk of connection.readable) {
      left = Uint8Array.from([...left, ...chunk]);
      while (left.length >= 9) {
        const end = 9 + (left[0]! << 16) + (left[1]! << 8) + left[2]!;
        if (left.length < end) break;
        const [type, flags, stream] = [left[3]!, left[4]!, left[8]!];
        if (stream === 1) {
          types.add(type);
          waiting.get(type)?.();
        }
        if (type === PING && flags & ACK) pongs.shift()!();
        left = left.slice(end);
      }
    }
  })().catch(() => {});
  const send = (type: number, flags: number, stream: number, payload = new Uint8Array()) =>
    writer.write(
      Uint8Array.from([0, payload.length >> 8, payload.length & 255, type, flags, 0, 0, 0, stream, ...payload]),
    );
  await writer.write(new TextEncoder().encode("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
  await send(SETTINGS, 0, 0);
  return {
    types,
    received: (type) => types.has(type) ? Promise.resolve() : new Promise((resolve) => waiting.set(type, resolve)),
    send,
    async ping() {
      const pong = new Promise<void>((resolve) => pongs.push(resolve));
      await send(PING, 0, 0, new Uint8Array(8));
      await pong;
    },
    [Symbol.dispose]: () => connection.close(),
  };
}

/** The fields of a POST request as HPACK literals (RFC 7541, 6.2.2 and its table of static names). */
function postHead(path: string, authority: string): Uint8Array {
  const text = (value: string) => [value.length, ...new TextEncoder().encode(value)];
  const field = (name: string, value: string) => [0, ...text(name), ...text(value)];
  return Uint8Array.from([
    ...field(":method", "POST"),
    ...field(":scheme", "http"),
    ...field(":path", path),
    ...field(":authority", authority),
    ...field("origin", "http://evil.example"),
  ]);
}

Deno.test("a refused request's body is read first, so that its stream is not reset", async () => {
  await using server = await startEcho();
  for (const path of ["/web/sign-in", "/api/files/a.txt", "/run/unknown", "/health"]) {
    using frames = await openFrames(server);
    await frames.send(HEADERS, END_HEADERS, 1, postHead(path, new URL(server.url).host));
    await frames.ping();
    assert.equal(frames.types.size, 0, `${path} was answered before its body arrived`);
    await frames.send(DATA, END_STREAM, 1, new Uint8Array(1_000));
    await frames.received(DATA);
    await frames.ping();
    assert.ok(!frames.types.has(RST_STREAM), path);
  }
});

Deno.test("a refused request whose body is long, or never arrives, is answered without it", async () => {
  await using server = await startEcho();
  const host = new URL(server.url).host;
  for (const sent of [66_000, 1]) {
    using frames = await openFrames(server);
    await frames.send(HEADERS, END_HEADERS, 1, postHead("/api/files/a.txt", host));
    for (let left = sent; left > 0; left -= 10_000) {
      await frames.send(DATA, 0, 1, new Uint8Array(Math.min(left, 10_000)));
      await frames.ping();
    }
    await frames.received(HEADERS);
  }
  const announced = await server.raw([
    "POST /api/files/a.txt HTTP/1.1",
    `Host: ${host}`,
    "Content-Length: 1000000",
  ]);
  assert.equal(announced.status, 401);
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
