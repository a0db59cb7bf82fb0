// The request that "Try it" makes of what was typed.

import assert from "node:assert/strict";
import {
  callOnce,
  filledPath,
  parametersOf,
  requestOf,
  type TrialRequest,
} from "../../src/control/web/pages/function/try_request.ts";

const ORIGIN = "http://localhost:8000";
const TYPED: TrialRequest = { method: "GET", path: "/hello", headers: "", body: "", key: undefined };

Deno.test("a route's parameters are fields, and take their places in the path, encoded", () => {
  for (
    const [route, values, path] of [
      ["/hello/:name", { name: "Ada L/é" }, "/hello/Ada%20L%2F%C3%A9"],
      ["/orders/:id{[0-9]+}/items/:item", { id: "7", item: "a" }, "/orders/7/items/a"],
      ["/orders/:id{[0-9]{2}}", { id: "42" }, "/orders/42"],
      ["/orders/:id?", { id: "" }, "/orders"],
      ["/files/*", { "*": "a b/c.txt" }, "/files/a%20b/c.txt"],
      ["/", {}, "/"],
    ] as [string, Record<string, string>, string][]
  ) {
    assert.deepEqual(parametersOf(route), Object.keys(values), route);
    assert.equal(filledPath(route, new Map(Object.entries(values))), path);
  }
});

Deno.test("what was typed becomes a request as any other", async () => {
  const request = requestOf({
    method: "POST",
    path: "/hello?a=1",
    headers: "Accept: text/plain\n\nX-Two:  b \n",
    body: '{"é":1}',
    key: "key-0123456789abcdef",
  }, ORIGIN);
  assert.equal(request.method, "POST");
  assert.equal(request.url, "http://localhost:8000/run/hello?a=1");
  assert.deepEqual(Object.fromEntries(request.headers), {
    accept: "text/plain",
    "x-two": "b",
    "x-api-key": "key-0123456789abcdef",
    "content-type": "application/json",
    "content-length": "8",
  });
  assert.deepEqual(await request.json(), { "é": 1 });
  assert.equal(requestOf({ ...TYPED, body: "lost" }, ORIGIN).body, null);
  assert.equal(requestOf({ ...TYPED, path: "/" }, ORIGIN).url, "http://localhost:8000/run");
});

Deno.test("what leads out of /run, and what is no header, is refused by its field", () => {
  const details = (typed: Partial<TrialRequest>) => {
    try {
      return requestOf({ ...TYPED, ...typed }, ORIGIN).url;
    } catch (error) {
      return (error as { details?: unknown }).details;
    }
  };
  for (const path of ["/../api/keys", "/%2e%2e/api/keys", "/./../../api", "/..\\api"]) {
    assert.deepEqual(details({ path }), { path: "must stay below /run" }, path);
  }
  assert.deepEqual(details({ path: "hello" }), { path: 'must begin with "/"' });
  assert.equal(details({ path: "//evil.example/x" }), "http://localhost:8000/run//evil.example/x");
  assert.deepEqual(details({ headers: "nonsense" }), { headers: "has a line without a colon: nonsense" });
  assert.deepEqual(details({ headers: "a b: c" }), { headers: "has a line without a colon: a b: c" });
  assert.deepEqual(details({ headers: "a(: c" }), { headers: "has an invalid line: a(: c" });
  assert.deepEqual(details({ key: "a\u0000b" }), { pastedKey: "contains characters that keys cannot contain" });
});

Deno.test("of a long or broken answer the beginning is kept, and it is said that it is one", async () => {
  let sent = 0;
  const endless = new ReadableStream<Uint8Array>({
    pull(controller) {
      sent += 64 * 1024;
      controller.enqueue(new Uint8Array(64 * 1024));
    },
  });
  const long = await callOnce(() => Promise.resolve(new Response(endless)), new Request(ORIGIN));
  assert.equal(long.body.length, 256 * 1024);
  assert.match(long.cut!, /longer than 256 KiB/);
  assert.ok(sent < 1024 * 1024);

  const broken = new ReadableStream<Uint8Array>({
    pull(controller) {
      controller.enqueue(new TextEncoder().encode("half"));
      controller.error(new Error("gone"));
    },
  });
  const answer = await callOnce(() => Promise.resolve(new Response(broken)), new Request(ORIGIN));
  assert.match(answer.cut!, /is incomplete: gone/);
});
