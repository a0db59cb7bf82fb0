// What a function is proposed to be allowed, from what its calls used.

import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { bucketOf, newHistogram, packHistogram } from "../../src/telemetry/histogram.ts";
import { startApp } from "./app.ts";
import { setUp } from "./admin.ts";
import { createSecret, deploy, run } from "./handlers.ts";
import type { Server } from "./server.ts";

const READER = `export default async (c, ctx) => {
  for (const name of (c.req.query("names") ?? "").split(",")) await ctx.getSecret(name);
  if (c.req.query("later")) ctx.waitUntil(Promise.resolve());
  return c.text("");
};`;

async function suggestion(server: Server, id: number, query = "") {
  const { status, body } = await server.api("GET", `/api/functions/${id}/suggestions${query}`);
  assert.equal(status, 200, JSON.stringify(body));
  return body;
}

Deno.test("a proposal has the names that were given and the time that was needed, and can be applied as it is", async () => {
  await using server = await startApp();
  const { api } = server;
  const ids: Record<string, number> = {};
  for (const name of ["STRIPE_KEY", "STRIPE_OLD", "OTHER", "UNUSED"]) {
    ids[name] = await createSecret(server, name, `value of ${name}`);
  }
  const limits = { secrets: ["STRIPE_*", "MISSING"], timeoutMs: 20_000 };
  const id = await deploy(server, "reader", READER, { ...limits, permissions: { net: ["api.example.com:443"] } });
  const before = await suggestion(server, id);
  const { since: _, permissions, ...rest } = before;
  assert.deepEqual(rest, { ...limits, memoryMb: null, wouldHaveFailed: 0, connections: null, calls: 0 });
  assert.deepEqual(permissions, { net: ["api.example.com:443"], read: "modules", env: false });

  assert.equal((await run(server, "/reader?names=STRIPE_KEY,STRIPE_OLD,OTHER,MISSING")).status, 200);
  await api("DELETE", `/api/secrets/${ids["STRIPE_OLD"]}`);
  const { since, ...proposal } = await suggestion(server, id, "?days=1");
  assert.ok(Date.parse(since) <= Date.now());
  assert.deepEqual(proposal.secrets, ["STRIPE_KEY", "STRIPE_OLD"], "neither closed nor missing names");
  assert.equal(proposal.calls, 1);
  assert.equal(proposal.wouldHaveFailed, 0);
  assert.ok(proposal.timeoutMs >= 1_000 && proposal.timeoutMs <= 20_000, `${proposal.timeoutMs}`);
  assert.deepEqual([proposal.permissions.net, proposal.connections], [false, []]);

  const { secrets, memoryMb, timeoutMs } = proposal;
  const applied = await api("PUT", `/api/functions/${id}`, { secrets, permissions, memoryMb, timeoutMs });
  assert.equal(applied.status, 200, JSON.stringify(applied.body));
  assert.deepEqual(applied.body.function.secrets, secrets);
  assert.equal((await run(server, "/reader?names=STRIPE_KEY")).status, 200);
  assert.deepEqual((await suggestion(server, id)).secrets, secrets);
});

Deno.test("work in the background leaves the time as it is, and names that nobody gave are not proposed", async () => {
  await using server = await startApp();
  const id = await deploy(server, "later", READER);
  // The end of the first call's work arrives before the second one's response.
  for (let n = 0; n < 2; n++) assert.equal((await run(server, "/later?names=NOWHERE&later=1")).status, 200);
  const { secrets, timeoutMs, calls } = await suggestion(server, id);
  assert.deepEqual({ secrets, timeoutMs, calls }, { secrets: [], timeoutMs: null, calls: 2 });
});

Deno.test("one slow call in many is counted as failing, and the most memory on any node decides", async () => {
  await using server = await startApp();
  const id = await deploy(server, "busy", READER);
  const histogram = newHistogram();
  histogram[bucketOf(40_000)] = 4_999;
  histogram[bucketOf(9_000_000)] = 1;
  {
    using db = new DatabaseSync(join(server.dataDir, "observations.db"));
    const today = Date.now() - Date.now() % 86_400_000;
    db.prepare(
      `INSERT INTO metrics (length_ms, function_id, at, calls, errors, timeouts, refusals, duration_us, longest_us,
         sandbox_starts, secret_reads, secret_read_us, background_calls, background_errors, background_us, histogram)
       VALUES (86400000, ?, ?, 5000, 0, 0, 0, 0, 9000000, 0, 0, 0, 0, 0, 0, ?)`,
    ).run(id, today, packHistogram(histogram));
    db.prepare("INSERT INTO memory_peaks VALUES (?, ?, 20)").run(id, today);
    db.prepare("INSERT INTO node_memory_peaks VALUES ('other', ?, ?, 50)").run(id, today);
  }
  const { secrets, memoryMb, timeoutMs, wouldHaveFailed, calls } = await suggestion(server, id);
  const expected = { secrets: [], memoryMb: 80, timeoutMs: 1_000, wouldHaveFailed: 1, calls: 5_000 };
  assert.deepEqual({ secrets, memoryMb, timeoutMs, wouldHaveFailed, calls }, expected);

  const visitor = await setUp(server);
  const shown = (await visitor.get(`/web/functions/${id}/suggestions`)).text;
  assert.match(shown, /From 5,000 calls since[\s\S]*1 of these calls would have taken too long/);
  const fieldsOf = (text: string, button: string) => {
    const [, version] = text.match(/name="version" value="([^"]*)"/)!;
    const [, proposal] = text.match(new RegExp(`name="proposal" value="([^"]*)"[^>]*>\\s*${button}`))!;
    return { version: version!, proposal: proposal!.replaceAll("&quot;", '"') };
  };
  const fields = fieldsOf(shown, "Apply");
  assert.equal((await visitor.post(`/web/functions/${id}/suggestions`, { ...fields, version: '"old"' })).status, 412);
  assert.equal((await visitor.post(`/web/functions/${id}/suggestions`, { ...fields, proposal: "{" })).status, 400);
  const review = (...parts: string[]) =>
    visitor.request("POST", `/web/functions/${id}/suggestions`, {
      body: new URLSearchParams([...Object.entries(fields), ["review", "yes"], ...parts.map((part) => ["part", part])]),
    });
  assert.match((await review()).text, /Check at least one proposal/);
  assert.match(shown, /name="part" value="memoryMb" checked/);
  assert.equal((await review("memoryMb")).status, 303);
  const { function: partly } = (await server.api("GET", `/api/functions/${id}`)).body;
  assert.deepEqual([partly.secrets, partly.memoryMb], [["*"], 80]);
  await server.api("PUT", `/api/functions/${id}`, { memoryMb: partly.timeoutMs === null ? null : 128 });
  fields.version = fieldsOf((await visitor.get(`/web/functions/${id}/suggestions`)).text, "Apply").version;
  assert.equal((await visitor.post(`/web/functions/${id}/suggestions`, fields)).status, 303);
  const { function: narrowed } = (await server.api("GET", `/api/functions/${id}`)).body;
  assert.deepEqual([narrowed.secrets, narrowed.memoryMb, narrowed.timeoutMs], [[], 80, 1_000]);
  assert.match((await visitor.get(`/web/functions/${id}/suggestions`)).text, /It uses all that it may do/);
  assert.equal(narrowed.trial, undefined);
  await server.api("PUT", `/api/functions/${id}`, { secrets: ["*"] });
  const path = `/web/functions/${id}/suggestions`;
  assert.equal((await visitor.post(path, fieldsOf((await visitor.get(path)).text, "Try it first"))).status, 303);
  const onTrial = (await server.api("GET", `/api/functions/${id}`)).body.function;
  assert.deepEqual([onTrial.trial, onTrial.secrets], [{ secrets: [] }, ["*"]]);
  assert.equal((await visitor.post(path, fieldsOf((await visitor.get(path)).text, "End the trial"))).status, 303);
  assert.equal((await server.api("GET", `/api/functions/${id}`)).body.function.trial, undefined);
  assert.match((await visitor.get(`/web/functions/${id}/settings`)).text, /\/suggestions"/);

  await server.api("PUT", `/api/functions/${id}`, { memoryMb: 64, timeoutMs: 500 });
  const narrow = await suggestion(server, id);
  assert.deepEqual([narrow.memoryMb, narrow.timeoutMs], [64, 500], "never more than it has");
  await server.api("DELETE", `/api/functions/${id}`);
  using db = new DatabaseSync(join(server.dataDir, "observations.db"));
  for (const table of ["memory_peaks", "node_memory_peaks"]) {
    assert.deepEqual(db.prepare(`SELECT * FROM ${table}`).all(), [], "a deleted function leaves nothing");
  }
});

Deno.test("rights on trial refuse nothing, and the log and metrics say what they would refuse", async () => {
  await using server = await startApp();
  const { api } = server;
  for (const name of ["STRIPE_KEY", "OTHER"]) await createSecret(server, name, `value of ${name}`);
  const expanded = { name: "URL", value: "x ${OTHER}", scope: "global", expand: true };
  assert.equal((await api("POST", "/api/secrets", expanded)).status, 201);
  const code = `export default async (c, ctx) =>
    c.json([await ctx.getSecret("STRIPE_KEY"), await ctx.getSecret("OTHER"), await ctx.getSecret(c.req.query("name"))]);`;
  const id = await deploy(server, "reader", code, { responseGuard: "off" });
  const call = async (name: string) => await (await run(server, `/reader?name=${name}`)).body;
  const all = ["value of STRIPE_KEY", "value of OTHER"];
  // From the second call on, values are sent ahead.
  for (let n = 0; n < 3; n++) assert.deepEqual(await call("OTHER"), [...all, all[1]]);
  const warnings = async () => {
    const { logs: entries } = (await api("GET", `/api/logs?functionId=${id}`)).body;
    return entries.filter(({ level }: { level: string }) => level === "warn").map(({ message }: { message: string }) =>
      message
    );
  };
  const refusals = async () =>
    ((await api("GET", "/metrics")).body as string)
      .match(/trial_refusals_total{function="reader"[^}]*} (\d+)/)?.[1];
  assert.deepEqual([await warnings(), await refusals()], [[], undefined]);
  const tried = await api("PUT", `/api/functions/${id}`, { trial: { secrets: ["STRIPE_*"] } });
  assert.deepEqual(tried.body.function.trial, { secrets: ["STRIPE_*"] });
  const line = (name: string) => `On trial: the secret ${name} would be refused. It was given.`;
  assert.deepEqual(await call("OTHER"), [...all, all[1]]);
  assert.deepEqual([await warnings(), await refusals()], [[line("OTHER")], "1"], "each name once");
  assert.deepEqual(await call("URL"), [...all, "x value of OTHER"]);
  assert.deepEqual((await warnings()).sort(), [line("OTHER"), line("OTHER"), line("URL")]);
  const entry = { handler: "reader.ts", route: "/reader", responseGuard: "off", trial: { secrets: ["STRIPE_*"] } };
  assert.deepEqual((await api("PUT", "/api/functions/by-name/reader", entry)).body.function.trial, entry.trial);
  const ended = await api("PUT", `/api/functions/${id}`, { trial: null });
  assert.equal(ended.body.function.trial, undefined);
  assert.deepEqual(await call("OTHER"), [...all, all[1]]);
  assert.equal((await warnings()).length, 3);
  for (const trial of [{}, { secrets: "*" }, { secrets: ["a b"] }, { secrets: [], net: false }, [], "x"]) {
    assert.equal((await api("PUT", `/api/functions/${id}`, { trial })).status, 400, JSON.stringify(trial));
  }
});

Deno.test("a proposal is of a function that exists, and of 1 to 3650 days", async () => {
  await using server = await startApp();
  const id = await deploy(server, "reader", READER);
  for (const query of ["?days=0", "?days=3651", "?days=1.5", "?days=", "?days=1&days=2", "?day=1"]) {
    assert.equal((await server.api("GET", `/api/functions/${id}/suggestions${query}`)).status, 400, query);
  }
  assert.equal((await server.api("GET", "/api/functions/999/suggestions")).status, 404);
  assert.equal((await server.api("GET", "/api/functions/1abc/suggestions")).status, 400);
});
