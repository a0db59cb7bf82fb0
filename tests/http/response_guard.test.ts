// Responses that hold a secret which their call was given: sent, reported, or withheld.

import assert from "node:assert/strict";
import { createSecret, deploy, run } from "./handlers.ts";
import { startApp } from "./app.ts";
import { type Server } from "./server.ts";
import { kept } from "./tail.ts";

const VALUE = "the/value+of=the secret";

/** A handler that has read TOKEN as `token`, and answers what the query's `how` says. */
const LEAKY = `export default async (c, ctx) => {
  const token = await ctx.getSecret("TOKEN");
  const short = await ctx.getSecret("SHORT");
  const bytes = new TextEncoder().encode(token);
  const streamed = (pieces) => new Response(new ReadableStream({ async start(controller) {
    for (const piece of pieces) {
      controller.enqueue(typeof piece === "string" ? new TextEncoder().encode(piece) : piece);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    controller.close();
  } }));
  switch (ctx.query.how) {
    case "text": return c.text("here: " + token);
    case "json": return c.json({ deep: [{ token }] });
    case "base64": return c.text(btoa("user:" + token));
    case "header": return c.text("fine", 200, { "X-Token": token });
    case "cookie": return c.text("fine", 200, { "Set-Cookie": "t=" + encodeURIComponent(token) });
    case "stream": return streamed(["begin ", "x".repeat(70_000), token, " end"]);
    case "pieces": return streamed(["begin ", ...[...bytes].map((byte) => new Uint8Array([byte])), " end"]);
    case "bytes": return c.json({ data: [...bytes] });
    case "buffer": return c.json({ data: bytes });
    case "escaped": return c.text([...token].map((one) => "\\\\u00" + one.charCodeAt(0).toString(16)).join(""));
    case "percent": return c.text([...bytes].map((byte) => "%" + byte.toString(16)).join(""));
    case "entities": return c.html([...bytes].map((byte) => "&#" + byte + ";").join(""));
    case "lines": return c.text(btoa(token.repeat(3)).replace(/.{16}/g, "$&\\n"));
    case "bytes in pieces": return streamed(JSON.stringify({ data: [...bytes] }).match(/.{1,7}/g));
    case "almost": return streamed(["begin ", token.slice(0, -1), "!", token.slice(0, 10)]);
    case "encoded": return c.body("here: " + token, 200, { "Content-Encoding": "x-own" });
    case "short": return c.text(short);
    case "other": return c.text("the/value+of=another secret");
    default: return c.text("fine");
  }
}`;

const STREAMS = ["stream", "pieces", "bytes in pieces"];
const ENCODED = ["bytes", "buffer", "escaped", "percent", "entities", "lines"];
const LEAKS = ["text", "json", "base64", "header", "cookie", ...ENCODED, ...STREAMS];
const INNOCENT = ["almost", "short", "other", "nothing"];

async function leaky(server: Server, responseGuard?: "off" | "report" | "block"): Promise<number> {
  await createSecret(server, "TOKEN", VALUE);
  await createSecret(server, "SHORT", "1234567");
  return await deploy(server, "leaky", LEAKY, responseGuard && { responseGuard });
}

/** What was reported of a call. */
async function reported(server: Server, requestId: string): Promise<string[]> {
  const entries = await kept(server, `?requestId=${requestId}`);
  return entries.filter(({ event }) => event === "leak").map(({ level, message }) => `${level} ${message}`);
}

Deno.test("by default a response that holds a secret is sent, and reported in the function's log", async () => {
  await using server = await startApp();
  const id = await leaky(server);
  assert.equal((await server.api("GET", `/api/functions/${id}`)).body.function.responseGuard, "report");
  for (const how of [...LEAKS, ...INNOCENT, "encoded"]) {
    const { status, body, headers } = await run(server, `/leaky?how=${how}`);
    assert.equal(status, 200, how);
    if (how === "pieces") assert.equal(body, `begin ${VALUE} end`);
    if (how === "almost") assert.equal(body, `begin ${VALUE.slice(0, -1)}!${VALUE.slice(0, 10)}`);
    const found = LEAKS.includes(how) ? ["warn The response contains TOKEN."] : [];
    const expected = how === "encoded" ? ["warn The response could not be searched for secrets."] : found;
    assert.deepEqual(await reported(server, headers.get("x-request-id")!), expected, how);
  }
  assert.ok(!server.logs().includes(VALUE));
  const { body } = await server.api("GET", "/api/audit?action=response.leaked");
  assert.deepEqual(body.entries.at(-1).subject, { kind: "function", id, name: "leaky" });
  assert.deepEqual(body.entries.at(-1).after.secrets, ["TOKEN"]);
});

Deno.test("with block the caller gets 500, or a stream that breaks off before the value is complete", async () => {
  await using server = await startApp();
  await leaky(server, "block");
  for (const how of LEAKS) {
    const response = await fetch(`${server.url}/run/leaky?how=${how}`);
    const requestId = response.headers.get("x-request-id")!;
    if (STREAMS.includes(how)) {
      assert.equal(response.status, 200);
      let got = "";
      await assert.rejects(async () => {
        for await (const text of response.body!.pipeThrough(new TextDecoderStream())) got += text;
      });
      assert.match(got, /^(?:begin|\{"data":)/);
      assert.doesNotMatch(got, /\]|end/);
      assert.ok(!got.includes(VALUE.slice(0, 4)), got.slice(-50));
    } else {
      assert.equal(response.status, 500, how);
      assert.deepEqual(await response.json(), { error: "Internal Server Error", requestId });
    }
    assert.deepEqual(await reported(server, requestId), ["warn The response contains TOKEN and was withheld."], how);
  }
  for (const how of INNOCENT) {
    const { status, body } = await run(server, `/leaky?how=${how}`);
    assert.equal(status, 200, how);
    if (how === "almost") assert.equal(body, `begin ${VALUE.slice(0, -1)}!${VALUE.slice(0, 10)}`);
  }
  assert.equal((await run(server, "/leaky?how=encoded")).status, 500);
});

Deno.test("with off nothing is looked into", async () => {
  await using server = await startApp();
  await leaky(server, "off");
  for (const how of LEAKS) {
    const { status, headers } = await run(server, `/leaky?how=${how}`);
    assert.equal(status, 200);
    assert.deepEqual(await reported(server, headers.get("x-request-id")!), []);
  }
});

Deno.test("only values that the call itself was given count, also those it is given while it streams", async () => {
  await using server = await startApp();
  await createSecret(server, "TOKEN", VALUE);
  const code = `let token;
  export default async (c, ctx) => {
    if (ctx.query.how === "given") token = await ctx.getSecret("TOKEN");
    if (ctx.query.how === "late") return new Response(new ReadableStream({ async start(controller) {
      controller.enqueue(new TextEncoder().encode("begin "));
      controller.enqueue(new TextEncoder().encode(await ctx.getSecret("TOKEN")));
      controller.close();
    } }));
    return c.text(token);
  }`;
  await deploy(server, "keeps", code);
  const given = await run(server, "/keeps?how=given");
  assert.deepEqual(await reported(server, given.headers.get("x-request-id")!), ["warn The response contains TOKEN."]);
  const later = await run(server, "/keeps");
  assert.equal(later.body, VALUE);
  assert.deepEqual(await reported(server, later.headers.get("x-request-id")!), []);
  const late = await run(server, "/keeps?how=late");
  assert.equal(late.body, `begin ${VALUE}`);
  assert.deepEqual(await reported(server, late.headers.get("x-request-id")!), ["warn The response contains TOKEN."]);
});

Deno.test("a response that could not be searched says so, and is withheld where leaks are", async () => {
  await using server = await startApp();
  for (let n = 0; n < 200; n++) await createSecret(server, `BIG_${n}`, `${n} `.repeat(8_000).slice(0, 16_000));
  const code = `export default async (c, ctx) => {
    for (let n = 0; n < 200; n++) await ctx.getSecret("BIG_" + n);
    console.log("a line");
    return c.text("fine");
  }`;
  await deploy(server, "greedy", code);
  await deploy(server, "guarded", code, { responseGuard: "block" });
  const open = await run(server, "/greedy");
  assert.equal(open.body, "fine");
  const entries = await kept(server, `?requestId=${open.headers.get("x-request-id")}`);
  assert.deepEqual(entries.map(({ message }) => message), [
    "[not shown: this call has read too many secrets to search for]",
    "The response could not be searched for secrets.",
  ]);
  assert.equal((await run(server, "/guarded")).status, 500);
});

Deno.test("a guard that does not exist is refused by name", async () => {
  await using server = await startApp();
  const id = await deploy(server, "plain", "export default (c) => c.text('')");
  const { status, body } = await server.api("PUT", `/api/functions/${id}`, { responseGuard: "maybe" });
  assert.equal(status, 400);
  assert.deepEqual(body.details, { responseGuard: "must be one of off, report, block" });
});
