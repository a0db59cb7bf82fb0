// What the server tells of its calls: counts and durations by time, in Prometheus' form, and who read which secret.

import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { createGroup, createKey, createSecret, deploy, run, set } from "./handlers.ts";
import { startApp } from "./app.ts";
import { call, type Server, startServer } from "./server.ts";

const HANDLER = `export default async (c, ctx) => {
  await ctx.getSecret("TOKEN");
  await ctx.getSecret("MISSING");
  await ctx.getCompleteSecret("TOKEN");
  const what = c.req.query("do");
  if (what === "throw") throw new Error("no");
  if (what === "hang") await new Promise(() => {});
  if (what === "break") {
    let n = 0;
    return new Response(new ReadableStream({ pull(controller) {
      if (n++ > 1) controller.error(new Error("broken")); else controller.enqueue(new Uint8Array(10));
    }}));
  }
  if (what === "stream") return new Response(new Blob(["x".repeat(100_000)]).stream());
  return c.text("ok");
}`;

// deno-lint-ignore no-explicit-any
async function total(server: Server, query = ""): Promise<any> {
  const { status, body } = await server.api("GET", `/api/metrics?resolution=days${query}`);
  assert.equal(status, 200, JSON.stringify(body));
  return body.points.at(-1);
}

Deno.test("calls, errors, timeouts and refusals are counted, by function and in all, and survive a restart", async () => {
  const folder = await Deno.makeTempDir({ prefix: "crude-functions-test-" });
  try {
    let id: number;
    {
      await using server = await startApp({ folder });
      await createSecret(server, "TOKEN", "a-value-of-a-token");
      const keys = [await createGroup(server, "callers")];
      const { value } = await createKey(server, keys[0]!, "caller");
      const other = await createKey(server, await createGroup(server, "others"), "other");
      id = await deploy(server, "f", HANDLER, { keys });
      await deploy(server, "other", "export default (c) => c.text('')");
      const statuses = [];
      for (const what of ["", "", "stream", "throw"]) statuses.push((await run(server, `/f?do=${what}`, value)).status);
      await assert.rejects(run(server, "/f?do=break", value));
      await set(server, { "sandbox.timeout-ms": 1_000 });
      statuses.push((await run(server, "/f?do=hang", value)).status);
      await set(server, { "sandbox.timeout-ms": 30_000 });
      statuses.push((await run(server, "/f")).status, (await run(server, "/f", other.value)).status);
      statuses.push((await run(server, "/other")).status, (await run(server, "/none")).status);
      assert.deepEqual(statuses, [200, 200, 200, 500, 504, 401, 403, 200, 404]);

      const { calls, errors, timeouts, refusals, durationMs, sandboxStarts, secretReads, secretReadMs } = await total(
        server,
        `&functionId=${id}`,
      );
      assert.deepEqual([calls, errors, timeouts, refusals], [6, 2, 1, 2]);
      assert.deepEqual([sandboxStarts, secretReads], [1, 18]);
      // Each read is a part of a call.
      assert.ok(secretReadMs > 0 && secretReadMs < secretReads * durationMs.max, `${secretReadMs}`);
      const { mean, p50, p95, p99, max } = durationMs;
      assert.ok(max >= 1_000 && p95 > 900 && p99 <= max && p50 <= p95 && mean >= max / 6, JSON.stringify(durationMs));
      assert.deepEqual((await total(server)).calls, 7);
      const ofKey = await total(server, "&keyId=callers/caller");
      assert.deepEqual([ofKey.calls, ofKey.errors, ofKey.timeouts, ofKey.refusals], [6, 2, 1, 0]);
      assert.deepEqual(ofKey.durationMs, durationMs);
      assert.equal(ofKey.secretReads, 0);
      const refused = await total(server, `&keyId=${other.id}`);
      assert.deepEqual([refused.calls, refused.refusals], [0, 1]);
    }
    await using server = await startApp({ folder });
    assert.equal((await total(server, "&keyId=callers/caller")).calls, 6);
    assert.equal((await total(server, `&functionId=${id}`)).calls, 6);
    assert.equal((await total(server)).calls, 7);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a series has a point for each minute, also where nothing happened", async () => {
  await using server = await startApp();
  const id = await deploy(server, "f", "export default (c) => c.text('')");
  await run(server, "/f");
  const to = Date.now() + 60_000;
  const from = new Date(to - 10 * 60_000).toISOString();
  const { body } = await server.api(
    "GET",
    `/api/metrics?resolution=minutes&functionId=${id}&from=${from}&to=${new Date(to).toISOString()}`,
  );
  assert.equal(body.functionId, id);
  assert.equal(body.resolution, "minutes");
  assert.ok(body.points.length === 10 || body.points.length === 11, `${body.points.length}`);
  const times = body.points.map(({ at }: { at: string }) => Date.parse(at));
  times.forEach((at: number, n: number) => assert.equal(at, times[0] + n * 60_000));
  const called = body.points.filter(({ calls }: { calls: number }) => calls > 0);
  assert.equal(called.length, 1);
  assert.deepEqual(body.points[0], {
    at: new Date(times[0]).toISOString(),
    calls: 0,
    errors: 0,
    timeouts: 0,
    refusals: 0,
    durationMs: null,
    sandboxStarts: 0,
    secretReads: 0,
    secretReadMs: 0,
    backgroundCalls: 0,
    backgroundErrors: 0,
    backgroundMs: 0,
  });
  for (const [resolution, points] of [["minutes", 60], ["hours", 48], ["days", 90]] as const) {
    assert.equal((await server.api("GET", `/api/metrics?resolution=${resolution}`)).body.points.length, points);
  }
});

Deno.test("a bad question for metrics names the parameter", async () => {
  await using server = await startApp();
  for (
    const [query, field] of [
      ["resolution=weeks", "resolution"],
      ["functionId=0", "functionId"],
      ["from=yesterday", "from"],
      ["to=1", "to"],
      ["from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "from"],
      ["resolution=minutes&from=2020-01-02T00:00:00Z", "from"],
      ["days=3", "days"],
      ["functionId=1&keyId=1", "keyId"],
      ["keyId=nameless", "keyId"],
    ]
  ) {
    const { status, body } = await server.api("GET", `/api/metrics?${query}`);
    assert.equal(status, 400, query);
    assert.deepEqual(Object.keys(body.details), [field], JSON.stringify(body));
  }
  for (const id of ["7", "x"]) {
    assert.equal((await server.api("GET", `/api/metrics?functionId=${id}`)).status, 404, id);
  }
  for (const id of ["77", "no/such"]) {
    assert.equal((await server.api("GET", `/api/metrics?keyId=${id}`)).status, 404, id);
  }
});

Deno.test("a deleted function is in no metrics but the sum", async () => {
  await using server = await startApp();
  const id = await deploy(server, "f", "export default (c) => c.text('')");
  await run(server, "/f");
  await server.api("DELETE", `/api/functions/${id}`);
  assert.equal((await server.api("GET", `/api/metrics?functionId=${id}`)).status, 404);
  assert.equal((await total(server)).calls, 1);
  assert.doesNotMatch((await server.api("GET", "/metrics")).body, /crude_functions_calls_total\{/);
});

Deno.test("/metrics is for who may use the API, and well formed whatever a function is called", async () => {
  await using server = await startApp();
  const { value } = await createKey(server, await createGroup(server, "others"), "other");
  const answers = [
    await call("GET", `${server.url}/metrics`),
    await call("GET", `${server.url}/metrics`, undefined, { "X-API-Key": value }),
    await server.api("POST", "/metrics"),
  ];
  assert.deepEqual(answers.map(({ status }) => status), [401, 403, 405]);

  const created = await server.api("PUT", "/api/files/f.ts", "export default (c) => c.text('')", {
    "Content-Type": "text/plain",
  });
  assert.equal(created.status, 201);
  await server.api("POST", "/api/functions", { name: 'a "b" \\c', handler: "f.ts", route: "/f", methods: ["GET"] });
  for (let n = 0; n < 3; n++) await run(server, "/f");
  const { status, headers, body } = await call("GET", `${server.url}/metrics`, undefined, {
    Authorization: `Bearer ${server.key}`,
  });
  assert.equal(status, 200);
  assert.equal(headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  const samples = parse(body);
  const labels = 'function="a \\"b\\" \\\\c",function_id="1"';
  assert.equal(samples.get(`crude_functions_calls_total{${labels},outcome="ok"}`), 3);
  assert.equal(samples.get(`crude_functions_calls_total{${labels},outcome="error"}`), 0);
  assert.equal(samples.get(`crude_functions_sandbox_starts_total{${labels}}`), 1);
  assert.equal(samples.get(`crude_functions_call_duration_seconds_count{${labels}}`), 3);
  assert.equal(samples.get(`crude_functions_call_duration_seconds_bucket{${labels},le="+Inf"}`), 3);
  const counts = [...samples].filter(([name]) => name.includes("_bucket")).map(([, value]) => value);
  assert.deepEqual(counts, counts.toSorted((a, b) => a - b));
  assert.ok(samples.get(`crude_functions_call_duration_seconds_sum{${labels}}`)! > 0);
  assert.ok(Math.abs(samples.get("process_start_time_seconds")! - Date.now() / 1000) < 600);
});

/** Samples by name and labels; every line has to be one, or HELP or TYPE of what follows. */
function parse(text: string): Map<string, number> {
  assert.ok(text.endsWith("\n"));
  const samples = new Map<string, number>();
  let family = "";
  for (const line of text.slice(0, -1).split("\n")) {
    const comment = /^# (HELP|TYPE) ([a-z_]+) .+$/.exec(line);
    if (comment) {
      family = comment[2]!;
      continue;
    }
    const sample = /^(([a-z_]+)(?:\{(?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)+\})?) ([\d.e+-]+)$/.exec(line);
    assert.ok(sample, line);
    assert.ok(sample[2]!.startsWith(family), line);
    samples.set(sample[1]!, Number(sample[3]));
  }
  return samples;
}

Deno.test("it is told which function read a secret, with which key, when and how often, and never what", async () => {
  await using server = await startApp();
  const groupId = await createGroup(server, "callers");
  const key = await createKey(server, groupId, "caller");
  const ofAll = await createSecret(server, "TOKEN", "the-value-for-everybody");
  const ofKey = await createSecret(server, "TOKEN", "the-value-of-one-caller", { scope: "key", keyId: key.id });
  const unread = await createSecret(server, "UNREAD", "never-asked-for");
  const one = `export default async (c, ctx) => c.text(await ctx.getSecret("TOKEN"))`;
  const f = await deploy(server, "f", one);
  const g = await deploy(server, "g", one, { keys: [groupId] });
  const h = await deploy(server, "h", `export default async (c, ctx) => c.json(await ctx.getCompleteSecret("TOKEN"))`, {
    keys: [groupId],
  });
  await run(server, "/f");
  await run(server, "/f");
  await run(server, "/g", key.value);
  await run(server, "/h", key.value);

  const of = async (id: number) => (await server.api("GET", `/api/secrets/${id}/reads`)).body;
  const global = await of(ofAll);
  assert.equal(global.last30Days, 3);
  assert.equal(global.lastFunctionId, h);
  assert.ok(Math.abs(Date.parse(global.lastReadAt) - Date.now()) < 60_000);
  // deno-lint-ignore no-explicit-any
  const who = ({ reads }: any) => reads.map((read: any) => [read.functionId, read.keyId, read.per]).sort();
  assert.deepEqual(who(global), [[f, null, "minute"], [h, key.id, "minute"]]);
  const winning = await of(ofKey);
  assert.equal(winning.last30Days, 2);
  assert.deepEqual(who(winning), [[g, key.id, "minute"], [h, key.id, "minute"]]);
  const none = await of(unread);
  assert.deepEqual([none.lastReadAt, none.lastFunctionId, none.last30Days, none.reads, none.next], [
    null,
    null,
    0,
    [],
    null,
  ]);
  assert.doesNotMatch(JSON.stringify([global, winning]), /the-value/);

  const first = (await server.api("GET", `/api/secrets/${ofKey}/reads?limit=1`)).body;
  const second = (await server.api("GET", `/api/secrets/${ofKey}/reads?limit=1&cursor=${first.next}`)).body;
  assert.deepEqual([...first.reads, ...second.reads], winning.reads);
  assert.equal((await server.api("GET", `/api/secrets/${unread + 1}/reads`)).status, 404);
  assert.equal((await server.api("GET", `/api/secrets/${ofAll}/reads?cursor=x`)).status, 400);
  assert.equal((await server.api("GET", `/api/secrets/${ofAll}/reads?limit=0`)).status, 400);
});

Deno.test("what was counted is written without being asked for, and outlives a kill", async () => {
  const folder = await Deno.makeTempDir({ prefix: "crude-functions-test-" });
  try {
    {
      await using server = await startServer({ folder });
      await createSecret(server, "TOKEN", "a-value-of-a-token");
      await deploy(server, "f", `export default async (c, ctx) => c.text(await ctx.getSecret("TOKEN"))`);
      for (let n = 0; n < 5; n++) await run(server, "/f");
      using db = new DatabaseSync(`${server.dataDir}/observations.db`, { readOnly: true, timeout: 5_000 });
      const [calls, reads] = [
        db.prepare("SELECT sum(calls) AS n FROM metrics WHERE length_ms = 60000 AND function_id = 1"),
        db.prepare("SELECT sum(reads) AS n FROM secret_reads WHERE secret_id = 1"),
      ];
      while (calls.get()!.n !== 5 || reads.get()!.n !== 5) await new Promise((resolve) => setTimeout(resolve, 0));
      Deno.kill(server.pid, "SIGKILL");
    }
    await using server = await startApp({ folder });
    assert.equal((await total(server)).calls, 5);
    assert.equal((await server.api("GET", "/api/secrets/1/reads")).body.last30Days, 5);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
