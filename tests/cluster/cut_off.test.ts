// A node that is cut off answers nothing that may be out of date, and serves again once it has every change.

import assert from "node:assert/strict";
import { setUp } from "../http/admin.ts";
import { deploy, set } from "../http/handlers.ts";
import { TestCluster, type TestNode } from "./nodes.ts";
import { startPostgres } from "./postgres.ts";

/** One request, which is not sent again as those of other tests are. */
async function once({ server }: TestNode, path: string): Promise<{ status: number; code: string }> {
  const response = await fetch(server.url + path, { headers: { "X-API-Key": server.key } });
  const text = await response.text();
  return { status: response.status, code: text.startsWith("{") ? JSON.parse(text).code : "" };
}

/** Waits until `/health` of a node has this status. */
async function healthIs(node: TestNode, status: number): Promise<void> {
  while ((await once(node, "/health")).status !== status) await new Promise((resolve) => setTimeout(resolve, 20));
}

const READ = `export default async (c, ctx) => c.text((await ctx.getSecret("TOKEN")) ?? "none");`;
/** Sends a secret, and asks for it again until that is refused. */
const READ_ON = `export default (c, ctx) => new Response(new ReadableStream({
  async start(controller) {
    const send = (text) => controller.enqueue(new TextEncoder().encode(text));
    send(await ctx.getSecret("TOKEN"));
    try {
      while (true) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        await ctx.getSecret("TOKEN");
      }
    } catch {
      send(" refused");
      controller.close();
    }
  },
}));`;

/** Asks for a secret until that is refused, and does not expect it. */
const READ_ALWAYS = `export default async (c, ctx) => {
  while (true) {
    await ctx.getSecret("TOKEN");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};`;

Deno.test("a node that is cut off refuses calls and the questions of running ones, and recovers", async (t) => {
  await using postgres = await startPostgres();
  await using cluster = await TestCluster.start(postgres, 2);
  const [a, b] = cluster.nodes as [TestNode, TestNode];
  const put = async (node: TestNode, value: string) => {
    const answer = await node.server.api("PUT", "/api/secrets/by-name/TOKEN", { scope: "global", value });
    assert.ok([200, 201].includes(answer.status), JSON.stringify(answer.body));
  };
  await put(a, "value-one");
  await deploy(a.server, "read", READ, { responseGuard: "off" });
  await deploy(a.server, "on", READ_ON, { responseGuard: "off" });
  await deploy(a.server, "always", READ_ALWAYS, { responseGuard: "off" });
  const admin = await setUp(b.server);
  await t.step("calls, API and pages are refused, health says so, metrics and the state are served", async () => {
    const running = once(b, "/run/always");
    const { body } = await fetch(`${b.server.url}/run/on`);
    const chunks = body!.pipeThrough(new TextDecoderStream())[Symbol.asyncIterator]();
    let text = (await chunks.next()).value;
    const followed = await fetch(`${b.server.url}/api/logs/stream`, { headers: { "X-API-Key": b.server.key } });
    assert.equal(followed.status, 200);
    b.proxy.hold();
    for (let chunk = await chunks.next(); !chunk.done; chunk = await chunks.next()) text += chunk.value;
    assert.equal(text, "value-one refused");
    assert.deepEqual(await running, { status: 503, code: "CutOff" });
    await healthIs(b, 503);
    // It would not know that the key was revoked.
    assert.match(await followed.text(), /^retry: /);
    for (const path of ["/run/read", "/api/secrets", "/web"]) {
      assert.deepEqual(await once(b, path), { status: 503, code: "CutOff" }, path);
    }
    const state = await b.server.api("GET", "/api/cluster");
    assert.deepEqual([state.status, state.body.problem.code], [200, "CutOff"]);
    let { body: seen } = state;
    while (!seen.unknownSince) ({ body: seen } = await b.server.api("GET", "/api/cluster"));
    const live = new Map(seen.nodes.map(({ id, live }: { id: string; live: boolean | null }) => [id, live]));
    assert.deepEqual([live.size, live.get(seen.node), [...live.values()].includes(true)], [2, false, false]);
    assert.ok(Date.parse(seen.unknownSince) < Date.now(), seen.unknownSince);
    const page = await admin.get("/web/cluster");
    assert.equal(page.status, 200);
    assert.match(page.text, /unknown since <time/);
    assert.match((await b.server.api("GET", "/metrics")).body, /^crude_functions_node_serving 0$/m);
  });
  await t.step("a change is answered without it, and it has that change when it serves again", async () => {
    await put(a, "value-two");
    assert.equal((await a.server.api("GET", "/run/read")).body, "value-two");
    const { nodes } = (await a.server.api("GET", "/api/cluster")).body;
    assert.equal(nodes.filter(({ live }: { live: boolean }) => live).length, 1);
    b.proxy.heal();
    await healthIs(b, 200);
    assert.equal((await b.server.api("GET", "/run/read")).body, "value-two");
  });
  await t.step("with serve-stale, calls alone are answered with what it knows", async () => {
    await set(a.server, { "cluster.when-cut-off": "serve-stale" });
    b.proxy.cut();
    await healthIs(b, 503);
    await put(a, "value-three");
    assert.equal((await b.server.api("GET", "/run/read")).body, "value-two");
    assert.equal((await once(b, "/api/secrets")).code, "CutOff");
    b.proxy.heal();
    await healthIs(b, 200);
    assert.equal((await b.server.api("GET", "/run/read")).body, "value-three");
  });
  await t.step("a change on a node that cannot reach PostgreSQL is refused within five seconds", async () => {
    b.proxy.cut();
    const began = performance.now();
    const { status, body } = await b.server.api("PUT", "/api/secrets/by-name/X", {
      scope: "global",
      value: "value-x",
    });
    assert.equal(status, 503);
    assert.ok(["StoreUnavailable", "CutOff"].includes(body.code), body.code);
    assert.ok(performance.now() - began < 6_000);
    b.proxy.heal();
    await healthIs(b, 200);
    assert.equal((await a.server.api("GET", "/api/secrets/by-name/X?scope=global")).status, 404);
  });
  await t.step(
    "an error that something else has caused cuts nodes off, which serve again when it is undone",
    async () => {
      for (
        const [cause, undo, message] of [
          ["ALTER TABLE log_head RENAME TO gone", "ALTER TABLE gone RENAME TO log_head", /a table is missing/],
          ["ALTER TABLE nodes RENAME mac TO mc", "ALTER TABLE nodes RENAME mc TO mac", /tables were altered/],
          [
            `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''no''; END';
           CREATE TRIGGER refuse BEFORE UPDATE ON nodes EXECUTE FUNCTION refuse()`,
            "DROP FUNCTION refuse CASCADE",
            /a trigger refuses a statement \(no\)/,
          ],
        ] as const
      ) {
        await postgres.query(`SET search_path = crude_functions; ${cause}`);
        for (const node of [a, b]) await healthIs(node, 503);
        assert.deepEqual(await once(a, "/api/secrets"), { status: 503, code: "CutOff" }, cause);
        while (!message.test(b.server.logs())) await new Promise((resolve) => setTimeout(resolve, 20));
        await postgres.query(`SET search_path = crude_functions; ${undo}`);
        for (const node of [a, b]) await healthIs(node, 200);
      }
      assert.equal((await b.server.api("GET", "/run/read")).body, "value-three");
    },
  );
  await t.step("a node that is stopped says so, and no change waits for it", async () => {
    await b.stop();
    const { nodes } = (await a.server.api("GET", "/api/cluster")).body;
    assert.equal(nodes.length, 2);
    await put(a, "value-four");
    await b.start();
    assert.equal((await b.server.api("GET", "/run/read")).body, "value-four");
  });
});
