// Calls that were admitted and then lose what they were admitted by: the function, the key, or a part of their rights.

import assert from "node:assert/strict";
import { createGroup, createKey, createSecret, deploy, run, set } from "./handlers.ts";
import { startApp } from "./app.ts";
import { call, type Server } from "./server.ts";

/** Streams a line at once, then one with the secret each 100 ms. */
const STREAM = `export default (c, ctx) => {
  const encoder = new TextEncoder();
  let timer;
  return new Response(new ReadableStream({
    start(controller) {
      controller.enqueue(encoder.encode("begun\\n"));
      timer = setInterval(async () => {
        const value = await ctx.getSecret("TOKEN").catch(() => "refused");
        controller.enqueue(encoder.encode(\`\${value}\\n\`));
      }, 100);
    },
    cancel: () => clearInterval(timer),
  }));
};`;
const ECHO = `export default async (c, ctx) =>
  c.json({ body: await c.req.text(), token: await ctx.getSecret("TOKEN") ?? null });`;
const OPTIONS = { methods: ["GET", "POST"], responseGuard: "off" as const };

interface Ids {
  readonly stream: number;
  readonly echo: number;
  readonly key: { id: number; value: string };
  readonly group: number;
}

async function prepare(server: Server): Promise<Ids> {
  const group = await createGroup(server, "customers");
  const stream = await deploy(server, "stream", STREAM, { ...OPTIONS, keys: [group] });
  const echo = await deploy(server, "echo", ECHO, { ...OPTIONS, keys: [group] });
  const key = await createKey(server, group, "acme");
  await createSecret(server, "TOKEN", "the-first-value");
  return { stream, echo, key, group };
}

/** Lines of a streamed response, as they come; `ended` once it has ended, in whatever way. */
async function follow(server: Server, key: string) {
  const response = await fetch(`${server.url}/run/stream`, { headers: { "X-API-Key": key } });
  assert.equal(response.status, 200);
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  const ended = (async () => {
    try {
      for await (const text of response.body!.pipeThrough(new TextDecoderStream())) {
        lines.push(...text.split("\n").filter((line) => line !== ""));
        for (const look of waiting) look();
      }
    } catch {
      // It was broken off.
    }
  })();
  const seen = (wanted: string) =>
    new Promise<void>((resolve) => {
      const look = () => {
        if (!lines.includes(wanted)) return;
        waiting.delete(look);
        resolve();
      };
      waiting.add(look);
      look();
    });
  return { lines, ended, seen };
}

/** Sends the head and two bytes of a POST; `finish` sends the rest and gives the answer's head and body. */
async function slowPost(server: Server, path: string, key: string, body: string) {
  const { hostname, port, host } = new URL(server.url);
  const connection = await Deno.connect({ hostname, port: Number(port) });
  const head = [
    `POST /run${path} HTTP/1.1`,
    `Host: ${host}`,
    `X-API-Key: ${key}`,
    `Content-Length: ${body.length}`,
    "Connection: close",
    "",
    body.slice(0, 2),
  ];
  await connection.write(new TextEncoder().encode(head.join("\r\n")));
  // A request that came later was answered, so this one has been let in.
  assert.equal((await server.api("GET", "/api/settings")).status, 200);
  return {
    async finish(): Promise<{ status: number; text: string }> {
      await connection.write(new TextEncoder().encode(body.slice(2)));
      const text = await new Response(connection.readable).text();
      return { status: Number(text.split(" ")[1]), text };
    },
  };
}

const LOSSES: readonly [what: string, take: (server: Server, ids: Ids) => Promise<unknown>, status: number][] = [
  ["its key was revoked", (server, { key }) => server.api("DELETE", `/api/keys/${key.id}`), 401],
  ["its function was disabled", (server, { stream, echo }) => each(server, [stream, echo], "disable"), 404],
  ["its function was deleted", (server, { stream, echo }) => each(server, [stream, echo], undefined), 404],
  ["its group was taken off the function", async (server, { stream, echo }) => {
    const other = await createGroup(server, "others");
    await each(server, [stream, echo], { keys: [other] });
  }, 403],
];

async function each(server: Server, ids: readonly number[], to: "disable" | undefined | object): Promise<void> {
  for (const id of ids) {
    const answer = to === undefined
      ? await server.api("DELETE", `/api/functions/${id}`)
      : to === "disable"
      ? await server.api("PUT", `/api/functions/${id}/disable`)
      : await server.api("PUT", `/api/functions/${id}`, to);
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
  }
}

for (const [what, take, status] of LOSSES) {
  Deno.test(`a call ends soon, and gets no more secrets at once, after ${what}`, async () => {
    await using server = await startApp();
    await set(server, { "sandbox.revocation-grace-ms": 1_000 });
    const ids = await prepare(server);
    const stream = await follow(server, ids.key.value);
    const post = await slowPost(server, "/echo", ids.key.value, "hello");
    await stream.seen("the-first-value");

    await take(server, ids);
    const secret = (await server.api("GET", "/api/secrets")).body.secrets[0].id;
    // Whatever is stored from now on is none of the call's business.
    assert.equal((await server.api("PUT", `/api/secrets/${secret}`, { value: "the-second-value" })).status, 200);
    await stream.ended;
    assert(!stream.lines.includes("the-second-value"), stream.lines.join());
    assert(stream.lines.includes("refused") || stream.lines.at(-1) === "the-first-value", stream.lines.join());

    const answer = await post.finish();
    assert.equal(answer.status, status, answer.text);
    assert(!answer.text.includes("value"), answer.text);
  });
}

Deno.test("a call ends soon, and gets no more secrets at once, after its key expired, which nothing stores", async () => {
  let now = Date.now();
  await using server = await startApp({ now: () => now });
  await set(server, { "sandbox.revocation-grace-ms": 1_000 });
  const { key } = await prepare(server);
  const expiry = now + 60_000;
  const { status } = await server.api("PUT", `/api/keys/${key.id}`, { expiresAt: new Date(expiry).toISOString() });
  assert.equal(status, 200);
  const stream = await follow(server, key.value);
  const post = await slowPost(server, "/echo", key.value, "hello");
  await stream.seen("the-first-value");
  now = expiry - 1;
  assert.equal((await run(server, "/echo", key.value)).status, 200);
  now = expiry;
  await stream.ended;
  const after = stream.lines.slice(stream.lines.indexOf("refused"));
  assert(stream.lines.at(-1) === "the-first-value" || after.every((line) => line === "refused"), stream.lines.join());

  const answer = await post.finish();
  const unknown = await run(server, "/echo", "no-key-of-this-server");
  const expired = await run(server, "/echo", key.value);
  assert.deepEqual([answer.status, expired.status], [401, 401], answer.text);
  assert.deepEqual({ ...expired.body, requestId: "" }, { ...unknown.body, requestId: "" });
  const { body: { logs } } = await server.api("GET", "/api/logs?search=expired");
  assert.match(logs[0].message, /or the key expired, while it ran/);
});

Deno.test("a call whose function was narrowed ends, and one whose function was only described anew goes on", async () => {
  await using server = await startApp();
  await set(server, { "sandbox.revocation-grace-ms": 0 });
  const { stream: id, key } = await prepare(server);
  const narrowings = [{ secrets: ["OTHER_*"] }, { permissions: { net: false } }, { isolation: "per-key" }];
  for (const narrowing of narrowings) {
    await each(server, [id], { secrets: ["*"], permissions: { net: true }, isolation: "shared" });
    const stream = await follow(server, key.value);
    await stream.seen("the-first-value");
    await each(server, [id], narrowing);
    await stream.ended;
  }
  await each(server, [id], { secrets: ["*"], permissions: { net: ["example.com"] }, isolation: "shared" });
  const stream = await follow(server, key.value);
  await stream.seen("the-first-value");
  await each(server, [id], { description: "new", permissions: { net: true } });
  const secret = (await server.api("GET", "/api/secrets")).body.secrets[0].id;
  await server.api("PUT", `/api/secrets/${secret}`, { value: "the-second-value" });
  await stream.seen("the-second-value");
  await server.api("DELETE", `/api/keys/${key.id}`);
  await stream.ended;
});

Deno.test("a call that waited for its body runs the function as it is when the body is there", async () => {
  await using server = await startApp();
  const { echo, key } = await prepare(server);
  const post = await slowPost(server, "/echo", key.value, "hello");
  await server.api("PUT", "/api/files/other.ts", `export default async (c) => c.text("other " + await c.req.text());`, {
    "Content-Type": "application/octet-stream",
  });
  await each(server, [echo], { handler: "other.ts" });
  const { status, text } = await post.finish();
  assert.equal(status, 200, text);
  assert.match(text, /other hello$/);
});

Deno.test("no process is started for a function that was deleted while its call waited", async () => {
  await using server = await startApp();
  const { echo, key } = await prepare(server);
  const post = await slowPost(server, "/echo", key.value, "hello");
  await server.api("DELETE", `/api/functions/${echo}`);
  const before = (await call("GET", `${server.url}/metrics`, undefined, { "X-API-Key": server.key })).body as string;
  assert.equal((await post.finish()).status, 404);
  const after = (await call("GET", `${server.url}/metrics`, undefined, { "X-API-Key": server.key })).body as string;
  const starts = (text: string) =>
    text.split("\n").filter((line) => /^crude_functions_sandbox_starts_total/.test(line)).join();
  assert.equal(starts(after), starts(before));
});

Deno.test("a call that streams for longer than any may is ended, and the next one runs", async () => {
  await using server = await startApp();
  await set(server, { "sandbox.max-call-ms": 1_000 });
  const { key } = await prepare(server);
  const stream = await follow(server, key.value);
  await stream.ended;
  assert.equal(stream.lines[0], "begun");
  const { status, body } = await run(server, "/echo", key.value);
  assert.equal(status, 200);
  assert.equal(body.token, "the-first-value");
});
