// Rotation with an overlap, expiry, references and canaries, as handlers and operators see them.

import assert from "node:assert/strict";
import { createGroup, createKey, createSecret, deploy, run } from "./handlers.ts";
import { startApp } from "./app.ts";
import { setUp } from "./admin.ts";

const DAY_MS = 86_400_000;

Deno.test("while a rotation overlaps, handlers get the value before, too, and only then", async () => {
  await using server = await startApp();
  const { api } = server;
  await deploy(
    server,
    "hello",
    `export default async (c, ctx) => c.json({
      now: await ctx.getSecret("SIGNING") ?? null,
      before: await ctx.getSecret("SIGNING", { version: "previous" }) ?? null,
      global: await ctx.getSecret("SIGNING", { scope: "global", version: "previous" }) ?? null,
      versions: await ctx.getSecretVersions("SIGNING") ?? null,
      none: await ctx.getSecretVersions("NONE") ?? null,
    });`,
  );
  const wide = await createSecret(server, "SIGNING", "wide 1");
  await api("PUT", `/api/secrets/${wide}`, { value: "wide 2", keepPrevious: "24h" });
  const id = await createSecret(server, "SIGNING", "one", { scope: "function", functionId: 1 });
  const read = async () => (await run(server, "/hello")).body;
  // Often enough that answers are sent ahead.
  for (let n = 0; n < 6; n++) {
    const { now, before, global, versions, none } = await read();
    // The previous value of a wider scope does not count for a narrower one.
    assert.deepEqual([now, before, global, none], ["one", null, "wide 1", null]);
    assert.deepEqual(versions, [{ version: 1, value: "one", current: true }]);
  }
  const change = (body: unknown) => api("PUT", `/api/secrets/${id}`, body);
  assert.equal((await change({ value: "two", keepPrevious: "24h" })).status, 200);
  assert.equal((await change({ value: "two", keepPrevious: "24h" })).status, 200, "again: nothing changes");
  assert.equal((await change({ value: "three", keepPrevious: "2d" })).status, 200);
  for (let n = 0; n < 6; n++) {
    const { now, before, versions } = await read();
    assert.deepEqual([now, before], ["three", "two"]);
    assert.deepEqual(
      versions.map(({ version, value, current }: Record<string, unknown>) => [version, value, current]),
      [[3, "three", true], [2, "two", false], [1, "one", false]],
    );
    const inDays = versions.slice(1).map(({ until }: { until: string }) =>
      Math.round((Date.parse(until) - Date.now()) / DAY_MS)
    );
    assert.deepEqual(inDays, [2, 1]);
  }
  const listed = (await api("GET", `/api/secrets/${id}/versions`)).body.versions;
  assert.deepEqual(listed.map(({ previousUntil }: { previousUntil: unknown }) => previousUntil !== null), [
    false,
    true,
    true,
  ]);
  const { entries: [entry] } = (await api("GET", `/api/audit?subject=secret:${id}&limit=1`)).body;
  assert.equal(entry.after.value, "changed");
  assert.ok(Date.parse(entry.after.previousUntil) > Date.now());

  // A purged version counts no more, and a value that is set without an overlap ends all others.
  await api("DELETE", `/api/secrets/${id}/versions/2`);
  assert.deepEqual([(await read()).before], ["one"]);
  await change({ value: "four" });
  const after = await read();
  assert.deepEqual([after.now, after.before, after.versions.length], ["four", null, 1]);
  for (const bad of ["", "24", "1w", "0h", "366d", "-1h", 24, null]) {
    const refused = await change({ value: "five", keepPrevious: bad });
    assert.deepEqual([refused.status, Object.keys(refused.body.details)], [400, ["keepPrevious"]], String(bad));
  }
  const alone = await change({ keepPrevious: "24h" });
  assert.deepEqual([alone.status, Object.keys(alone.body.details)], [400, ["keepPrevious"]]);
});

Deno.test("getSecret refuses options that it does not know", async () => {
  await using server = await startApp();
  await deploy(
    server,
    "hello",
    `export default async (c, ctx) => {
      const errors = [];
      for (const option of [{ version: "next" }, { versions: "previous" }, { scope: "team" }, null, 5, "previous"]) {
        await ctx.getSecret("A", option).catch((error) => errors.push(error.constructor.name));
      }
      await ctx.getSecretVersions(5).catch((error) => errors.push(error.constructor.name));
      return c.json({ errors, plain: await ctx.getSecret("A", {}) });
    };`,
  );
  await createSecret(server, "A", "value");
  const { errors, plain } = (await run(server, "/hello")).body;
  assert.deepEqual([errors, plain], [Array(7).fill("TypeError"), "value"]);
});

Deno.test("due secrets are listed, shown and counted, and an expired one is given or closed", async () => {
  await using server = await startApp();
  const { api } = server;
  const functionId = await deploy(
    server,
    "hello",
    `export default async (c, ctx) => c.json([
      await ctx.getSecret("WARNED") ?? null, await ctx.getSecret("CLOSED") ?? null, await ctx.getCompleteSecret("CLOSED"),
    ]);`,
  );
  const soon = (days: number) => new Date(Date.now() + days * DAY_MS).toISOString();
  const create = async (name: string, fields: Record<string, unknown>) => {
    const { status, body } = await api("POST", "/api/secrets", { name, value: name, scope: "global", ...fields });
    assert.equal(status, 201, JSON.stringify(body));
    return body.id as number;
  };
  await create("NEVER", {});
  const rotated = await create("ROTATED", { rotateEveryDays: 20 });
  await create("LATER", { expiresAt: soon(60), rotateEveryDays: 365 });
  const warned = await create("WARNED", { expiresAt: "2020-01-01T00:00:00Z" });
  const owner = { scope: "function", functionId };
  const closed = await create("CLOSED", { ...owner, expiresAt: "2020-01-01T00:00:00+00:00", onExpiry: "close" });
  await create("CLOSED", { value: "wider" });
  const due = async (within: string) =>
    (await api("GET", `/api/secrets?due=${within}`)).body.secrets.map(({ name }: { name: string }) => name);
  assert.deepEqual(await due("0d"), ["WARNED", "CLOSED"]);
  assert.deepEqual(await due("480h"), ["WARNED", "CLOSED", "ROTATED"]);
  assert.deepEqual(await due("61d"), ["WARNED", "CLOSED", "ROTATED", "LATER"]);
  const paged: string[] = [];
  for (let cursor = "";;) {
    const { body } = await api("GET", `/api/secrets?due=61d&limit=1${cursor}`);
    paged.push(...body.secrets.map(({ name }: { name: string }) => name));
    if (body.next === null) break;
    cursor = `&cursor=${body.next}`;
    assert.equal((await api("GET", `/api/secrets?limit=1${cursor}`)).status, 400, "of another list");
  }
  assert.deepEqual(paged, ["WARNED", "CLOSED", "ROTATED", "LATER"]);
  const { next } = (await api("GET", "/api/secrets?limit=1")).body;
  assert.equal((await api("GET", `/api/secrets?due=61d&cursor=${next}`)).status, 400);
  assert.deepEqual((await api("GET", "/api/secrets?due=61d&scope=group")).body.secrets, []);
  for (const bad of ["", "30", "x", "-1d", "99999d"]) {
    assert.equal((await api("GET", `/api/secrets?due=${bad}`)).status, 400);
  }

  const { body } = await api("GET", "/metrics");
  assert.match(body, /^crude_functions_secrets_due\{days="0"\} 2$/m);
  assert.match(body, /^crude_functions_secrets_due\{days="30"\} 3$/m);

  // A narrower value that is closed does not give way.
  const [given, gone, complete] = (await run(server, "/hello")).body;
  assert.deepEqual([given, gone], ["WARNED", null]);
  const problem = "It expired at 2020-01-01T00:00:00.000Z.";
  assert.deepEqual(complete, { global: "wider", decryptionErrors: { function: problem } });
  await server.logged(new RegExp(`Secret ${warned} "WARNED" expired at 2020-01-01.* is still given`));
  await server.logged(new RegExp(`Secret ${closed} is not given to functions. It expired at 2020-01-01`));

  // Another value is no renewal of a fixed time, but of an interval.
  const before = (await api("GET", `/api/secrets/${rotated}`)).body;
  await api("PUT", `/api/secrets/${rotated}`, { comment: "x" });
  assert.equal((await api("GET", `/api/secrets/${rotated}`)).body.dueAt, before.dueAt);
  await api("PUT", `/api/secrets/${rotated}`, { value: "new" });
  assert.ok((await api("GET", `/api/secrets/${rotated}`)).body.dueAt > before.dueAt);
  await api("PUT", `/api/secrets/${closed}`, { expiresAt: null });
  assert.equal((await run(server, "/hello")).body[1], "CLOSED");
  assert.deepEqual(await due("0d"), ["WARNED"]);
});

Deno.test("a value that expires while its answers are sent ahead is closed in time", async () => {
  await using server = await startApp();
  const { api } = server;
  await deploy(server, "hello", `export default async (c, ctx) => c.text(await ctx.getSecret("A") ?? "closed");`);
  const id = await createSecret(server, "A", "open");
  for (let n = 0; n < 5; n++) assert.equal((await run(server, "/hello")).body, "open");
  const expiresAt = Date.now() + 400;
  await api("PUT", `/api/secrets/${id}`, { expiresAt: new Date(expiresAt).toISOString(), onExpiry: "close" });
  for (let over = false; !over;) {
    const began = Date.now();
    const { body } = await run(server, "/hello");
    // A call that began after the time gets nothing.
    if (began >= expiresAt) assert.equal(body, "closed");
    over = began >= expiresAt;
  }
});

Deno.test("references count as reads, are masked, and an incomplete one gives undefined and an entry of the log", async () => {
  await using server = await startApp();
  const { api } = server;
  await deploy(
    server,
    "hello",
    `export default async (c, ctx) => {
      console.log("password is", "planted-password");
      const url = await ctx.getSecret("URL");
      console.log("password is", "planted-password");
      return c.json({ ok: url === "postgres://planted-password@db", broken: await ctx.getSecret("BROKEN") ?? null });
    };`,
  );
  const password = await createSecret(server, "PASSWORD", "planted-password");
  await api("POST", "/api/secrets", { name: "URL", value: "postgres://${PASSWORD}@db", scope: "global", expand: true });
  const broken = await api("POST", "/api/secrets", { name: "BROKEN", value: "${LOST}", scope: "global", expand: true });
  for (let n = 0; n < 6; n++) assert.deepEqual((await run(server, "/hello")).body, { ok: true, broken: null });
  await server.logged(
    new RegExp(`Secret ${broken.body.id} is not given to functions. It refers to LOST, which has no value`),
  );
  const reads = (await api("GET", `/api/secrets/${password}/reads`)).body;
  assert.match(JSON.stringify(reads), /"total":6|"reads":6|:6\b/);
  const { logs } = (await api("GET", "/api/logs?limit=100")).body;
  assert.ok(logs.some(({ message }: { message: string }) => message === "password is [secret PASSWORD]"), "masked");
});

Deno.test("a canary alerts when it is read, sent out or revealed, also through a reference", async () => {
  await using server = await startApp();
  const { api } = server;
  const groupId = await createGroup(server, "staging");
  const key = await createKey(server, groupId, "acme");
  const functionId = await deploy(
    server,
    "hello",
    `export default async (c, ctx) => {
      let value;
      // Alerts once for the call.
      for (let n = 0; n < 3; n++) value = await ctx.getSecret(c.req.query("name"));
      return c.text(c.req.query("send") ? value : "kept");
    };`,
    { keys: [groupId] },
  );
  const made = await api("POST", "/api/secrets", {
    ...{ name: "BAIT", value: "planted-bait-value", scope: "global", canary: true },
  });
  const id = made.body.id;
  await api("POST", "/api/secrets", { name: "VIA", value: "<${BAIT}>", scope: "global", expand: true });
  const alerts = async () => {
    const { entries } = (await api("GET", "/api/audit?action=secret.canary")).body;
    return entries.map(({ subject, after, actor }: Record<string, Record<string, unknown>>) => [
      subject!.id,
      after!.how,
      after!.functionId ?? null,
      after!.keyName ?? null,
      actor!.kind,
    ]);
  };
  await run(server, "/hello?name=BAIT", key.value);
  await server.logged(
    new RegExp(`The canary secret ${id} "BAIT" was read by the function "hello" for the key "staging/acme"`),
  );
  assert.deepEqual(await alerts(), [[id, "read", functionId, "staging/acme", "server"]]);
  // Never sent ahead: that would be a false alarm.
  for (let n = 0; n < 5; n++) await run(server, "/hello?name=VIA", key.value);
  await run(server, "/hello?name=BAIT&send=1", key.value);
  await server.logged(/The canary secret \d+ "BAIT" was sent out in a response of the function "hello"/);
  await api("GET", "/api/secrets?includeValues=true");
  await server.logged(/The canary secret \d+ "BAIT" was revealed to key "management\/bootstrap"/);
  await api("GET", "/api/secrets/export?format=env&scope=global");
  assert.ok((await alerts()).some(([, how, , , actor]: unknown[]) => how === "revealed" && actor === "key"));
  // What is a canary stays one when it is replaced without a word about it.
  await api("PUT", "/api/secrets/by-name/BAIT", { value: "other", scope: "global" });
  assert.equal((await api("GET", `/api/secrets/${id}`)).body.canary, true);
  await api("PUT", "/api/secrets/by-name/BAIT", { value: "other", scope: "global", canary: false });
  assert.equal((await api("GET", `/api/secrets/${id}`)).body.canary, false);
  const visitor = await setUp(server);
  assert.match((await visitor.get("/web/audit")).text, /canary/);
  assert.match((await visitor.get("/web")).text, /The canary\s+<code>BAIT<\/code>\s+was read/);
});
