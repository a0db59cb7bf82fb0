// The logs of functions as the API gives them: what calls leave behind, floods, followers, kill -9.

import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { join } from "node:path";
import { createGroup, createKey, createSecret, deploy, run, save, set } from "./handlers.ts";
import { startApp } from "./app.ts";
import { startServer } from "./server.ts";
import { kept, tail } from "./tail.ts";

Deno.test("a call's lines are listed from the moment it was answered, level by level", async () => {
  await using server = await startApp();
  const code = `console.log("while loading");
  export default (c) => {
    console.debug("debug"); console.trace("trace"); console.log("log"); console.info("info", 1);
    console.dir({ a: 1 }); console.table([1]); console.warn("warn"); console.error("error"); console.assert(false, "why");
    return c.text("done");
  }`;
  const id = await deploy(server, "levels", code);
  await set(server, { "log.level": "debug" });
  const { headers } = await run(server, "/levels");
  const requestId = headers.get("x-request-id")!;
  const entries = await kept(server, `?requestId=${requestId}`);
  assert.deepEqual(
    entries.map(({ level, event, message }) => `${level} ${event} ${message.split("\n")[0]}`),
    [
      "debug exec_start GET /run/levels",
      "debug print debug",
      "debug print Trace: trace",
      "info print log",
      "info print info 1",
      "info print { a: 1 }",
      "info print ┌─────────┬────────┐",
      "warn print warn",
      "error print error",
      "error print Assertion failed: why",
      "debug exec_end Status 200.",
    ],
  );
  const end = entries.at(-1)!;
  assert.ok(end.durationMs! > 0 && end.durationMs! < 30_000);
  assert.ok(entries.every((entry, n) => entry.functionId === id && (n === 0 || entry.id > entries[n - 1]!.id)));
  const outside = (await kept(server)).filter((entry) => entry.requestId === null);
  assert.deepEqual(outside.map(({ message }) => message), ["while loading"]);
  const levels = async (query: string) => (await kept(server, query)).map(({ level }) => level);
  assert.deepEqual(await levels(`?functionId=${id}&level=warn`), ["warn", "error", "error"]);
  assert.deepEqual(await levels("?level=error"), ["error", "error"]);
  assert.equal((await kept(server, `?functionId=${id + 1}`)).length, 0);
});

Deno.test("entries name the API key that admitted their call, and no other, and are listed by it", async () => {
  await using server = await startApp();
  await set(server, { "log.level": "debug" });
  const group = await createGroup(server, "staging");
  const code = `console.log("while loading");
  export default async (c, ctx) => { console.log("printed"); if (ctx.query.fail) throw new Error("no"); return c.text("x"); }`;
  await deploy(server, "closed", code, { keys: [group] });
  await deploy(server, "open", code);
  const [acme, other] = [await createKey(server, group, "acme"), await createKey(server, group, "other")];
  for (const { value } of [acme, other]) await run(server, "/closed", value);
  await run(server, "/closed?fail=1", acme.value);
  // A public function ignores keys, and a call that is refused was admitted by none.
  await run(server, "/open", acme.value);
  await run(server, "/closed", server.key);
  const all = await kept(server);
  const of = ({ event, keyId, keyName }: (typeof all)[number]) => [event, keyId, keyName];
  const [byAcme, byOther] = [[acme.id, "staging/acme"], [other.id, "staging/other"]];
  assert.deepEqual(all.map(of).filter(([, id]) => id !== null), [
    ...[byAcme, byOther].flatMap((key) => ["exec_start", "print", "exec_end"].map((event) => [event, ...key])),
    ...["exec_start", "print", "exec_reject"].map((event) => [event, ...byAcme]),
  ]);
  const without = all.filter(({ keyId, message }) => keyId === null && message !== "while loading");
  assert.deepEqual(without.map(({ event, keyName }) => [event, keyName]), [
    ["exec_start", null],
    ["print", null],
    ["exec_end", null],
  ]);
  const ids = async (query: string) => (await kept(server, query)).map(({ id }) => id);
  const wanted = all.filter(({ keyId }) => keyId === acme.id).map(({ id }) => id);
  for (const key of [String(acme.id), "staging%2Facme"]) assert.deepEqual(await ids(`?key=${key}`), wanted);
  assert.deepEqual(
    await ids(`?key=${acme.id}&search=printed`),
    all.filter((entry) => entry.keyId === acme.id && entry.event === "print").map(({ id }) => id),
  );
  assert.deepEqual(await ids("?key=99"), []);
  assert.equal((await server.api("GET", "/api/logs?key=staging/nobody")).status, 404);
  assert.equal((await server.api("GET", "/api/logs?key=1abc")).status, 400);
  const { body: exported } = await server.api("GET", `/api/logs/export?key=${acme.id}`);
  assert.equal(exported.trim().split("\n").length, wanted.length);
  assert.ok(!JSON.stringify(all).includes(acme.value));

  await using following = await tail(server, "?key=staging/acme");
  await run(server, "/closed", other.value);
  await run(server, "/closed", acme.value);
  const entry = await following.seen(/./);
  assert.deepEqual([entry.keyId, entry.keyName], byAcme);
  await server.api("DELETE", `/api/keys/${acme.id}`);
  assert.deepEqual((await kept(server, `?key=${acme.id}`)).map(of).at(0), ["exec_start", acme.id, null]);
});

Deno.test("at level debug, a call leaves the names of the secrets that it asked for, and no value", async () => {
  await using server = await startApp();
  await createSecret(server, "ASKED", "a-value-that-nobody-sees");
  await createSecret(server, "UNASKED", "another-value");
  const code = `export default async (c, ctx) => {
    const asked = await ctx.getSecret("ASKED");
    await ctx.getSecret("MISSING");
    await ctx.getSecret(asked);
    await ctx.getSecret("not a name: " + ctx.query.n);
    await ctx.getCompleteSecret("ASKED");
    return c.text("");
  }`;
  await deploy(server, "asks", code);
  // Not logged at the default level; and what is often asked for is sent ahead, which is no question.
  for (let n = 0; n < 5; n++) await run(server, `/asks?n=${n}`);
  assert.deepEqual(await kept(server), []);
  await set(server, { "log.level": "debug" });
  for (let n = 0; n < 2; n++) {
    const { headers } = await run(server, `/asks?n=${n}`);
    const entries = await kept(server, `?requestId=${headers.get("x-request-id")}`);
    assert.deepEqual(entries.map(({ level, event, message }) => `${level} ${event} ${message}`), [
      "debug exec_start GET /run/asks",
      "debug secret getSecret: ASKED (global)",
      "debug secret getSecret: MISSING (no value)",
      "debug secret getSecret: [secret ASKED] (no value)",
      "debug secret getSecret: an invalid name (no value)",
      "debug secret getCompleteSecret: ASKED (global)",
      "debug exec_end Status 200.",
    ]);
    assert.ok(entries.slice(1).every(({ durationMs }) => durationMs! > 0));
  }
});

Deno.test("a failure is told with the lines of the handler's own files, and none of the server's", async () => {
  await using server = await startApp();
  const code = `export default async (c, ctx) => {
    if (ctx.query.printed) console.error("seen", new Error("printed"));
    if (ctx.query.asked) await ctx.getSecret(7);
    if (ctx.query.late) await new Promise((resolve) => setTimeout(resolve));
    throw new Error("no such table", { cause: new Error("the disk is full") });
  }`;
  const id = await deploy(server, "fails", code);
  for (const query of ["", "?asked=1", "?late=1", "?printed=1"]) await run(server, `/fails${query}`);
  const entries = await kept(server, `?functionId=${id}`);
  const told = entries.map(({ message }) => message.replace(/^The handler failed: /, ""));
  const failure = [
    "Error: no such table",
    "    at default (fails.ts:5:11) {",
    "  [cause]: Error: the disk is full",
    "      at default (fails.ts:5:47)",
    "}",
  ].join("\n");
  assert.deepEqual(told, [
    failure,
    "TypeError: getSecret: the name must be a string, not number\n    at default (fails.ts:3:36)",
    failure,
    "seen Error: printed\n    at default (fails.ts:2:50)",
    failure,
  ]);
});

Deno.test("a call that fails leaves its cause and duration, masked, in the function's log and in the server's", async () => {
  await using server = await startApp();
  await createSecret(server, "PASSWORD", "hunter2-hunter2");
  const code = `export default async (c, ctx) => {
    const password = await ctx.getSecret("PASSWORD");
    if (ctx.query.stream) return new Response(new ReadableStream({ start(controller) {
      controller.enqueue(new TextEncoder().encode("begin"));
      setTimeout(() => controller.error(new Error("lost " + password)), 20);
    } }));
    throw new Error("boom " + btoa(password));
  }`;
  await deploy(server, "fails", code);
  const { body } = await run(server, "/fails");
  const [entry, ...others] = await kept(server, `?requestId=${body.requestId}`);
  assert.deepEqual(others, []);
  assert.deepEqual([entry!.event, entry!.level], ["exec_reject", "error"]);
  assert.match(entry!.message, /^The handler failed: Error: boom \[secret PASSWORD\]/);
  assert.ok(entry!.durationMs! > 0);
  await server.logged(new RegExp(`ERROR .*request=${body.requestId}.*boom \\[secret PASSWORD\\]`));

  await using log = await tail(server);
  const response = await fetch(`${server.url}/run/fails?stream=1`);
  await assert.rejects(response.text());
  const broken = await log.seen(/was aborted/);
  assert.match(broken.message, /lost \[secret PASSWORD\]/);
  assert.equal(broken.requestId, response.headers.get("x-request-id"));
  assert.equal(broken.event, "exec_reject");
});

Deno.test("a value is masked however a handler cuts it up", async () => {
  await using server = await startApp();
  const value = "the-value-of-this-secret-0123456789\nwith a second line";
  await createSecret(server, "SPLIT", value);
  const code = `export default async (c, ctx) => {
    const value = await ctx.getSecret("SPLIT");
    console.log(value.slice(0, 20));
    console.log(value.slice(20));
    for (const character of value) console.log(character);
    for (const line of value.split("\\n")) console.error(line);
    const slowly = value.match(/.{1,12}/gs);
    for (const piece of slowly) {
      console.log(piece);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    console.log(JSON.stringify({ value }), { value }, btoa(value), btoa("x" + value), encodeURIComponent(value));
    return c.text("done");
  }`;
  await deploy(server, "splits", code);
  assert.equal((await run(server, "/splits")).status, 200);
  const entries = await kept(server, "?limit=1000");
  assert.ok(entries.length > value.length);
  const left = entries.map(({ message }) => message.replaceAll("[secret SPLIT]", "")).join("");
  for (let n = 0; n + 8 <= value.length; n++) assert.ok(!left.includes(value.slice(n, n + 8)), value.slice(n, n + 8));
});

Deno.test("a value is in no file and no line of the server's log, whatever way a handler lets it out", async () => {
  await using server = await startApp();
  const value = `p@ss/"w0rd"+<of>&'the'=handler`;
  await createSecret(server, "DB", value);
  await save(server, "bad.ts", "throw globalThis.leaked;");
  const code = `export default async (c, ctx) => {
    const db = await ctx.getSecret("DB");
    const error = new Error("cannot open " + db, { cause: new AggregateError([new TypeError(db)], btoa(db)) });
    for (let n = 0; n < 20; n++) {
      console.log(db, [db], { db }, new Map([[db, new Set([db])]]), error);
      console.table([{ db }]); console.dir({ deep: { db } }); console.trace(db); console.assert(false, db);
      console.warn("%s and %o", db, { db }); console.error(new URL("https://u:" + encodeURIComponent(db) + "@host/"));
      console.debug(JSON.stringify({ body: JSON.stringify({ db }) }));
      console.info(Symbol(db), () => db, Object.assign(new Error(), { [db]: db }));
    }
    switch (ctx.query.how) {
      case "throw": throw error;
      case "text": throw db;
      case "object": throw { db };
      case "reject": return Promise.reject(error);
      case "header": return c.text("", 200, { "X-Bad": db + "\\n" });
      case "status": return { status: db };
      case "stream": return new Response(new ReadableStream({ pull() { throw error; } }));
      case "import": globalThis.leaked = error; return await import("./bad.ts");
      case "late": setTimeout(() => { throw error; }, 0); return c.text("");
      case "unhandled": Promise.reject(error); return c.text("");
      case "name": await ctx.getSecret(db); return c.text("");
      case "scope": return await ctx.getSecret("DB", db);
      case "exit": console.log(db); Deno.exit(1);
    }
  }`;
  await deploy(server, "leaky", code, { responseGuard: "off" });
  await set(server, { "log.level": "debug" });
  const ways = ["throw", "text", "object", "reject", "header", "status", "stream", "import", "late", "unhandled"];
  for (const how of [...ways, "name", "scope", "exit"]) {
    await fetch(`${server.url}/run/leaky?how=${how}`).then((response) => response.text()).catch(() => {});
  }
  const entries = await kept(server, "?limit=1000");
  assert.ok(entries.length > 500);
  // On a busy machine more of what is printed is kept, so the newest thousand of all entries are of fewer calls.
  const errors = await kept(server, "?limit=1000&level=error");
  assert.ok(errors.filter(({ event }) => event === "exec_reject").length >= 8);
  assert.equal(await server.stop(), 0);
  const files = [...Deno.readDirSync(server.dataDir)].filter(({ isFile }) => isFile).map(({ name }) => name);
  const texts = { "the server's log": server.logs() } as Record<string, string>;
  for (const name of files) texts[name] = Deno.readTextFileSync(join(server.dataDir, name));
  assert.ok(texts["observations.db"]!.includes("[secret DB]"));
  const html = value.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
  const parts = [value.slice(0, 12), value.slice(-12)];
  const forms = [value, html, encodeURIComponent(value), encodeURI(value), JSON.stringify(value), ...parts];
  const encoded = [btoa(value), btoa(`..${value}`).slice(3, -4), new TextEncoder().encode(value).toHex()];
  for (const [name, text] of Object.entries(texts)) {
    for (const form of [...forms, ...encoded]) assert.ok(!text.includes(form), `${form} in ${name}`);
  }
});

Deno.test("an entry cannot pass for another's or for several, whatever is printed", async () => {
  await using server = await startApp();
  const text = "2026-01-31T12:00:00.000Z ERROR [function=other] forged\r\n\x1b[2J\u2028<script>\0end";
  const id = await deploy(
    server,
    "forger",
    `export default (c) => { console.log(${JSON.stringify(text)}); return c.text(""); }`,
  );
  await run(server, "/forger");
  const [entry, ...others] = await kept(server);
  assert.deepEqual(others, []);
  assert.equal(entry!.functionId, id);
  assert.equal(entry!.message, text.replace("\0", "\u2400"));
  assert.ok(!server.logs().includes("forged"));
});

Deno.test("a function that prints without end costs bounded memory and disk, and what is missing is told", async () => {
  await using server = await startServer();
  const code = `export default (c, ctx) => {
    const line = "x".repeat(16_000);
    for (let n = 0; n < Number(ctx.query.lines); n++) console.log(n, line);
    return c.text("a gigabyte");
  }`;
  const id = await deploy(server, "gigabyte", code);
  await using log = await tail(server, `?functionId=${id}&level=warn`);
  // Its process is there before the time is short.
  await run(server, "/gigabyte?lines=1");
  await set(server, { "sandbox.timeout-ms": 4_000 });
  const before = residentMb(server.pid);
  const { status } = await run(server, "/gigabyte?lines=65536");
  assert.ok([200, 502, 504].includes(status), `${status}`);
  const dropped = await log.seen(/^Dropped \d+ lines? \(\d+ bytes\): output limit exceeded\.$/);
  assert.equal(dropped.event, "dropped");
  assert.ok((await kept(server, `?functionId=${id}&limit=1000`)).length < 200);
  const bytes = ["", "-wal"].map((end) => statSync(join(server.dataDir, `observations.db${end}`)).size);
  assert.ok(bytes[0]! + bytes[1]! < 32 << 20, `${bytes} bytes`);
  const grown = residentMb(server.pid) - before;
  assert.ok(grown < 150, `${grown} MB`);
});

Deno.test("what is printed right before a loop without end is kept", async () => {
  await using server = await startApp();
  const code = `export default (c, ctx) => {
    if (!ctx.query.loop) return c.text("started");
    console.log("got here");
    while (true);
  }`;
  const id = await deploy(server, "stuck", code, { timeoutMs: 30_000 });
  // The start of the process takes a part of the time of its first call.
  assert.equal((await run(server, "/stuck")).body, "started");
  await server.api("PUT", `/api/functions/${id}`, { timeoutMs: 1_000 });
  assert.equal((await run(server, "/stuck?loop=1")).status, 504);
  const messages = (await kept(server, `?functionId=${id}`)).map(({ message }) => message);
  assert.equal(messages[0], "got here");
});

Deno.test("a loop that prints more than its process can hold ends as any other", async () => {
  await using server = await startApp();
  const code = `export default (c) => {
    for (let n = 0; n < 100_000; n++) console.log("x".repeat(16_000));
    return c.text("done");
  }`;
  const id = await deploy(server, "loop", code, { memoryMb: 64 });
  await using log = await tail(server, `?functionId=${id}`);
  assert.deepEqual(await run(server, "/loop").then(({ status, body }) => [status, body]), [200, "done"]);
  let lines = 0;
  let dropped = 0;
  while (lines + dropped < 100_000) {
    const { event, message } = await log.seen(/^x|^Dropped/);
    if (event === "print") lines++;
    else dropped += Number(/\d+/.exec(message)![0]);
  }
  assert.equal(lines + dropped, 100_000);
  assert.ok(lines > 0);
});

Deno.test("what was printed more than log.batching.max-delay-ms before a kill -9 is there after it", async () => {
  const home = await Deno.makeTempDir({ prefix: "crude-functions-test-" });
  try {
    let id: number;
    {
      await using server = await startServer({ folder: home });
      id = await deploy(
        server,
        "printer",
        `export default (c, ctx) => { console.log("line " + ctx.query.n); return c.text(""); }`,
      );
      await using log = await tail(server, `?functionId=${id}`);
      for (let n = 0; n < 20; n++) await run(server, `/printer?n=${n}`);
      // What a follower is shown is stored already.
      await log.seen(/line 19/);
      Deno.kill(server.pid, "SIGKILL");
    }
    await using server = await startApp({ folder: home });
    const messages = (await kept(server, `?functionId=${id}`)).map(({ message }) => message);
    assert.deepEqual(messages, Array.from({ length: 20 }, (_, n) => `line ${n}`));
  } finally {
    await Deno.remove(home, { recursive: true });
  }
});

Deno.test("an entry is shown to followers while its call is still going on", async () => {
  await using server = await startApp();
  const code = `export default async (c) => {
    console.log("under way");
    return new Response(new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(1)) }));
  }`;
  await deploy(server, "open", code);
  await using log = await tail(server);
  const abort = new AbortController();
  const response = await fetch(`${server.url}/run/open`, { signal: abort.signal });
  // The response stays open until this has been seen.
  await log.seen(/^under way$/);
  abort.abort();
  await response.body?.cancel().catch(() => {});
});

Deno.test("a stream goes on where its reader left off, tells what it missed, and ends with the server", async () => {
  await using server = await startApp();
  const code = `export default (c, ctx) => {
    for (let n = 0; n < Number(ctx.query.n); n++) console.log("line " + n);
    return c.text("");
  }`;
  await deploy(server, "lines", code);
  let last: string | undefined;
  {
    await using log = await tail(server);
    await run(server, "/lines?n=3");
    for (const n of [0, 1]) {
      const { data, id } = await log.next("log");
      assert.equal(JSON.parse(data).message, `line ${n}`);
      assert.equal(String(JSON.parse(data).id), id);
      last = id;
    }
  }
  {
    await using log = await tail(server, "", { "Last-Event-ID": last! });
    await run(server, "/lines?n=1");
    assert.deepEqual([(await log.seen(/./)).message, (await log.seen(/./)).message], ["line 2", "line 0"]);
  }
  // More than a reader who comes back is given, by two processes, as each may print so much in a second.
  await deploy(server, "more", code);
  for (let n = 0; n < 2; n++) for (const path of ["/lines", "/more"]) await run(server, `${path}?n=350`);
  await using log = await tail(server, "", { "Last-Event-ID": last! });
  assert.deepEqual(JSON.parse((await log.next("lost")).data), { lines: null });
  assert.match((await log.seen(/./)).message, /^line \d+$/);
  const ended = log.ended;
  assert.equal(await server.stop(), 0);
  await ended;
});

Deno.test("no more than a hundred follow at once; the next one gets 503, and places become free again", async () => {
  await using server = await startApp();
  const aborts: AbortController[] = [];
  const open = async () => {
    const abort = new AbortController();
    const headers = { "X-API-Key": server.key };
    const response = await fetch(`${server.url}/api/logs/stream`, { headers, signal: abort.signal });
    aborts.push(abort);
    return response;
  };
  const responses = await Promise.all(Array.from({ length: 100 }, open));
  assert.ok(responses.every(({ status }) => status === 200));
  const refused = await open();
  assert.equal(refused.status, 503);
  assert.equal((await refused.json()).code, "TooManyStreams");
  assert.ok(refused.headers.has("retry-after"));
  for (const abort of aborts) abort.abort();
  await Promise.allSettled(responses.map(({ body }) => body?.cancel()));
  let again = await open();
  // The server learns of a closed connection when it looks.
  while (again.status === 503) {
    await again.body!.cancel();
    again = await open();
  }
  assert.equal(again.status, 200);
  const head = await server.api("HEAD", "/api/logs/stream");
  assert.deepEqual([head.status, head.body], [200, ""]);
  aborts.at(-1)!.abort();
  await again.body!.cancel().catch(() => {});
});

Deno.test("the logs of a deleted function are deleted, and the API takes no other's for it", async () => {
  await using server = await startApp();
  const code = `export default (c) => { console.log("here"); return c.text(""); }`;
  const id = await deploy(server, "short", code);
  await run(server, "/short");
  assert.equal((await kept(server, `?functionId=${id}`)).length, 1);
  assert.equal((await server.api("DELETE", `/api/logs/${id}`)).status, 200);
  assert.equal((await kept(server, `?functionId=${id}`)).length, 0);
  await run(server, "/short");
  assert.equal((await server.api("DELETE", `/api/functions/${id}`)).status, 200);
  assert.equal((await kept(server)).length, 0);
  assert.equal((await server.api("DELETE", `/api/logs/${id}`)).status, 404);
});

Deno.test("entries of a time are listed and downloaded, a line each, and none looks like another", async () => {
  await using server = await startApp();
  const code = `export default (c, ctx) => {
    for (let n = 0; n < Number(ctx.query.n); n++) console.log("line " + n + (n % 2 ? "" : "\\n2026 ERROR forged"));
    return c.text("");
  }`;
  const id = await deploy(server, "lines", code);
  // Each may print so much in a second.
  await deploy(server, "others", code);
  await run(server, "/others?n=600");
  while ((await kept(server, "?limit=1000")).length < 600);
  const before = new Date().toISOString();
  while (new Date().toISOString() === before);
  await run(server, "/lines?n=600");
  const [oldest] = (await kept(server, `?from=${before}&limit=1000&search=0`)).slice(0, 1);
  assert.match(oldest!.message, /^line 0\b/);
  assert.equal((await kept(server, `?from=${before}&limit=1000`)).length, 600);
  assert.equal((await kept(server, `?to=${before}&limit=1000`)).length, 600);
  assert.equal((await kept(server, `?from=2020-01-01T00:00:00Z&to=2021-01-01T00:00:00Z`)).length, 0);
  assert.equal((await server.api("GET", "/api/logs?from=yesterday")).status, 400);

  const download = async (query: string) => {
    const { status, headers, body } = await server.api("GET", `/api/logs/export?${query}`);
    assert.equal(status, 200);
    return { type: headers.get("content-type"), lines: String(body).trimEnd().split("\n") };
  };
  const jsonl = await download("");
  assert.equal(jsonl.type, "application/x-ndjson");
  assert.equal(jsonl.lines.length, 1_200);
  const entries = jsonl.lines.map((line) => JSON.parse(line));
  assert.ok(entries.every(({ id }, n) => n === 0 || id < entries[n - 1]!.id));
  assert.deepEqual(entries[0], (await kept(server, "?limit=1"))[0]);
  const text = await download(`format=text&functionId=${id}&to=2100-01-01T00:00:00Z`);
  assert.equal(text.type, "text/plain; charset=utf-8");
  assert.equal(text.lines.length, 600);
  for (const line of text.lines) {
    assert.match(line, /^\d{4}-\d\d-\d\dT[\d:.]+Z INFO {2}lines [0-9a-f-]{36} line \d+(\\n2026 ERROR forged)?$/);
  }
  assert.deepEqual(await download("search=nothing"), { type: "application/x-ndjson", lines: [""] });
  for (const query of ["search=...", "format=pdf", "limit=5", "level=fatal"]) {
    assert.equal((await server.api("GET", `/api/logs/export?${query}`)).status, 400, query);
  }
});

function residentMb(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`))![1]) / 1024;
}
