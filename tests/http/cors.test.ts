// Calls from pages of other sites: preflights, and which responses their scripts may read.

import assert from "node:assert/strict";
import { createGroup, createKey, deploy, run } from "./handlers.ts";
import { startApp } from "./app.ts";
import { call, type Server } from "./server.ts";

const APP = "https://app.example.com";
const HANDLER = `export default (c) => c.json({ method: c.req.method, key: c.req.header("x-api-key") ?? null }, 200, {
  "Access-Control-Allow-Origin": "https://mallory.example",
  "Access-Control-Allow-Credentials": "true",
});`;

async function setCors(server: Server, id: number, cors: unknown): Promise<void> {
  const { status, body } = await server.api("PUT", `/api/functions/${id}`, { cors });
  assert.equal(status, 200, JSON.stringify(body));
}

const preflight = (server: Server, path: string, origin: string, headers: Record<string, string> = {}) =>
  call("OPTIONS", `${server.url}/run${path}`, undefined, {
    Origin: origin,
    "Access-Control-Request-Method": "POST",
    ...headers,
  });

/** The CORS headers of an answer, in lower case, without those that are not there. */
function corsOf({ headers }: { headers: Headers }): Record<string, string> {
  return Object.fromEntries([...headers].filter(([name]) => name.startsWith("access-control-") || name === "vary"));
}

Deno.test("other origins call a function as its cors says", async (t) => {
  await using server = await startApp();
  const group = await createGroup(server, "web");
  const key = await createKey(server, group, "app");
  const id = await deploy(server, "orders", HANDLER, { methods: ["GET", "POST"], keys: [group] });
  const own = await deploy(
    server,
    "own",
    `export default (c) => c.text("mine", 200, { "Access-Control-Allow-Origin": "https://x.example" });`,
    { methods: ["OPTIONS", "GET"] },
  );

  await t.step("without cors nothing is added, and a preflight reaches the key check or the handler", async () => {
    assert.deepEqual(corsOf(await preflight(server, "/orders", APP)), {});
    assert.equal((await preflight(server, "/orders", APP)).status, 405);
    const answer = await preflight(server, "/own", APP, { "Access-Control-Request-Method": "GET" });
    assert.equal(answer.body, "mine");
    assert.equal(answer.headers.get("access-control-allow-origin"), "https://x.example");
  });

  await t.step("a preflight of an allowed origin is answered before a key is asked for", async () => {
    await setCors(server, id, { origins: [APP], headers: ["X-API-Key", "Content-Type"], maxAgeSeconds: 30 });
    const answer = await preflight(server, "/orders", APP, { "Access-Control-Request-Headers": "x-api-key" });
    assert.equal(answer.status, 204);
    assert.deepEqual(corsOf(answer), {
      "access-control-allow-origin": APP,
      "access-control-allow-methods": "GET, POST",
      "access-control-allow-headers": "X-API-Key, Content-Type",
      "access-control-max-age": "30",
      vary: "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
    });
  });

  await t.step("other origins are told nothing, however similar they look", async () => {
    const others = [
      "https://mallory.example",
      "http://app.example.com",
      "https://app.example.com:8443",
      "https://app.example.com.mallory.example",
      "null",
    ];
    for (const origin of others) {
      const answer = await preflight(server, "/orders", origin);
      assert.equal(answer.status, 204, origin);
      assert.equal(answer.headers.get("access-control-allow-origin"), null, origin);
      const called = await run(server, "/orders", key.value, { headers: { Origin: origin } });
      assert.equal(called.status, 200);
      // The handler's own headers do not count beside the function's cors.
      assert.deepEqual(corsOf(called), { vary: "Origin" }, origin);
    }
  });

  await t.step("responses and the platform's own errors are readable for an allowed origin", async () => {
    const headers = { Origin: APP };
    const readable = { "access-control-allow-origin": APP, vary: "Origin" };
    const answers = [
      [200, await run(server, "/orders", key.value, { headers })],
      [200, await run(server, "/orders", key.value, { headers, method: "POST", body: "{}" })],
      [401, await run(server, "/orders", undefined, { headers })],
      [401, await run(server, "/orders", "no-such-key-0123456789", { headers })],
      [403, await run(server, "/orders", server.key, { headers })],
      [405, await run(server, "/orders", key.value, { headers, method: "PUT", body: "{}" })],
    ] as const;
    for (const [status, answer] of answers) {
      assert.equal(answer.status, status);
      const { "access-control-expose-headers": exposed, ...others } = corsOf(answer);
      assert.deepEqual(others, readable, String(status));
      assert.match(exposed!, /X-Request-Id/);
    }
  });

  await t.step("errors of a handler that throws or takes too long are readable, too", async () => {
    const bad = await deploy(server, "bad", `export default () => { throw new Error("x") };`);
    await setCors(server, bad, { origins: [APP] });
    const thrown = await run(server, "/bad", undefined, { headers: { Origin: APP } });
    assert.equal(thrown.status, 500);
    assert.equal(thrown.headers.get("access-control-allow-origin"), APP);
    const slow = await deploy(server, "slow", `export default () => new Promise(() => {});`, { timeoutMs: 300 });
    await setCors(server, slow, { origins: [APP] });
    const late = await run(server, "/slow", undefined, { headers: { Origin: APP } });
    assert.equal(late.status, 504);
    assert.equal(late.headers.get("access-control-allow-origin"), APP);
  });

  await t.step("without a list of headers, those that are asked for are allowed", async () => {
    await setCors(server, id, { origins: [APP], credentials: true });
    const answer = await preflight(server, "/orders", APP, {
      "Access-Control-Request-Headers": "authorization,x-trace",
    });
    assert.equal(answer.headers.get("access-control-allow-headers"), "authorization,x-trace");
    assert.equal(answer.headers.get("access-control-allow-credentials"), "true");
    assert.equal(answer.headers.get("access-control-max-age"), "600");
  });

  await t.step("with * any origin may read, without credentials", async () => {
    await setCors(server, id, { origins: ["*"] });
    const called = await run(server, "/orders", key.value, { headers: { Origin: "https://any.example" } });
    const { "access-control-expose-headers": _, ...others } = corsOf(called);
    assert.deepEqual(others, { "access-control-allow-origin": "*" });
  });

  await t.step("a function with cors answers preflights itself, also if it takes OPTIONS", async () => {
    await setCors(server, own, { origins: [APP] });
    const answer = await preflight(server, "/own", APP, { "Access-Control-Request-Method": "GET" });
    assert.equal(answer.status, 204);
    // Any other OPTIONS request is the handler's.
    assert.equal((await run(server, "/own", undefined, { method: "OPTIONS" })).body, "mine");
  });

  await t.step("null takes it away again", async () => {
    await setCors(server, id, null);
    assert.equal((await preflight(server, "/orders", APP)).status, 405);
    assert.equal((await server.api("GET", `/api/functions/${id}`)).body.function.cors, null);
  });

  await t.step("what cannot be meant is refused, by field, and nothing is changed", async () => {
    const bad: [unknown, string][] = [
      [{ origins: [] }, "cors.origins"],
      [{}, "cors.origins"],
      [{ origins: ["*", APP] }, "cors.origins"],
      [{ origins: ["https://app.example.com/"] }, "cors.origins.0"],
      [{ origins: ["https://App.Example.com"] }, "cors.origins.0"],
      [{ origins: ["https://*.example.com"] }, "cors.origins.0"],
      [{ origins: ["app.example.com"] }, "cors.origins.0"],
      [{ origins: ["file:///"] }, "cors.origins.0"],
      [{ origins: ["null"] }, "cors.origins.0"],
      [{ origins: [APP], headers: ["a b"] }, "cors.headers.0"],
      [{ origins: [APP], maxAgeSeconds: -1 }, "cors.maxAgeSeconds"],
      [{ origins: [APP], maxAgeSeconds: "60" }, "cors.maxAgeSeconds"],
      [{ origins: ["*"], credentials: true }, "cors.credentials"],
      [{ origins: [APP], credentials: "yes" }, "cors.credentials"],
      [{ origins: [APP], methods: ["GET"] }, "cors.methods"],
      ["*", "cors"],
    ];
    for (const [cors, field] of bad) {
      const { status, body } = await server.api("PUT", `/api/functions/${id}`, { cors });
      assert.equal(status, 400, JSON.stringify(cors));
      assert.deepEqual(Object.keys(body.details), [field], JSON.stringify([cors, body]));
    }
    assert.equal((await server.api("GET", `/api/functions/${id}`)).body.function.cors, null);
  });
});
