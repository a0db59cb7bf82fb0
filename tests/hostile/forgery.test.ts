// Forgery: frames, ids, contexts and built-ins that are not what the host or the worker takes them for.

import assert from "node:assert/strict";
import { createSecret } from "../http/handlers.ts";
import { call as request } from "../http/server.ts";
import { testWithAndWithoutRoot as test } from "./arena.ts";
import { paced } from "./processes.ts";
import { RAW_FRAMES } from "./raw_frames.ts";

/** Frames from a sandbox that knows the protocol, each sent within a call whose id is `id`. */
const FRAMES: Record<string, string> = {
  emptyFrame: `new Uint8Array([0, 0, 0, 0, 71, 1, 0, 0, 0])`,
  hugeFrame: `new Uint8Array([255, 255, 255, 255, 71, 1, 0, 0, 0, 0, 0, 0, 0])`,
  metaTooLong: `(() => { const f = frame(71, id, "[]"); f[9] = 255; return f })()`,
  random: `crypto.getRandomValues(new Uint8Array(4096))`,
  http: `encoder.encode("GET /api/secrets?includeValues=true HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")`,
  unknownType: `frame(200, id)`,
  hostsTypes: `frame(1, 0, '{"entry":"file:///etc/passwd"}')`,
  hostsCall: `frame(2, 77, '["GET","http://x/","/",[],{},"r",0,null,0]')`,
  answer: `frame(6, id, '[1,"ok","forged"]')`,
  ready: `frame(65, 0)`,
  readyClock: `frame(65, 0, "1e308")`,
  recalled:
    `new Uint8Array(["", "0", "1", "2", "-1", "NaN", "1e308", "[]"].flatMap((n) => [...frame(75, 0, n), ...frame(75, id, n)]))`,
  foreseenNegative: `frame(67, id, "[200,[],0,-1]")`,
  foreseenHuge: `frame(67, id, "[200,[],0,1e300]")`,
  foreseenText: `frame(67, id, '[200,[],0,"1"]')`,
  loadFailed: `frame(66, 0, "\\n2026 ERROR forged line")`,
  pong: `frame(74, 0)`,
  secondResponse: `new Uint8Array([...frame(67, id, "[200,[],0]"), ...frame(67, id, "[200,[],0]")])`,
  streamThenWhole:
    `new Uint8Array([...frame(67, id, "[200,[],2]"), ...frame(67, id, "[200,[],1]", encoder.encode("x"))])`,
  othersResponses:
    `new Uint8Array(Array.from({ length: 200 }, (_, n) => [...frame(67, n, '[200,["x-forged","1"],1]', encoder.encode("forged"))]).flat())`,
  othersFailures:
    `new Uint8Array(Array.from({ length: 200 }, (_, n) => n === id ? [] : [...frame(70, n, "forged")]).flat())`,
  chunkOfNothing: `frame(68, id, "", encoder.encode("x"))`,
  chunkEndOfNothing: `frame(69, id)`,
  tooMuch:
    `new Uint8Array([...frame(67, id, "[200,[],2]"), ...Array.from({ length: 6 }, () => [...frame(68, id, "", new Uint8Array(60_000))]).flat()])`,
  credits:
    `new Uint8Array(["NaN", "Infinity", "-1", "1e308", "0", "", "[]", "1;2"].flatMap((n) => [...frame(73, id + 1, n)]))`,
  ownCredit: `frame(73, id, "-1")`,
  noJson: `frame(71, id, "{")`,
  noArray: `frame(71, id, '{"0":1,"length":4}')`,
  deepJson: `frame(71, id, "[".repeat(500_000))`,
  proto: `frame(71, id, '[1,"get","__proto__",null]')`,
  scopeProto: `frame(71, id, '[1,"get","SECRET","__proto__"]')`,
  scopeConstructor: `frame(71, id, '[1,"get","SECRET","constructor"]')`,
  kind: `frame(71, id, '[1,"list","SECRET",null]')`,
  nameNumber: `frame(71, id, '[1,"get",1,null]')`,
  nameHuge: `frame(71, id, JSON.stringify([1, "get", "x".repeat(900_000), null]))`,
  moreFields: `frame(71, id, '[1,"get","SECRET",null,{"functionId":1,"keyId":1}]')`,
  badUtf8: `frame(71, id, new Uint8Array([0xff, 0xfe, 0x5b]))`,
  status0: `frame(67, id, "[0,[],0]")`,
  status101: `frame(67, id, "[101,[],0]")`,
  status999: `frame(67, id, "[999,[],0]")`,
  statusText: `frame(67, id, '["200",[],0]')`,
  statusFloat: `frame(67, id, "[200.5,[],0]")`,
  headerSplit: `frame(67, id, '[200,["x-a","1\\\\r\\\\nSet-Cookie: forged=1"],0]')`,
  headerName: `frame(67, id, '[200,["x a:\\\\r\\\\n","1"],0]')`,
  headerOdd: `frame(67, id, '[200,["x-a"],0]')`,
  headerProto: `frame(67, id, '[200,["__proto__","1","constructor","2"],0]')`,
  framing:
    `frame(67, id, '[200,["content-length","5","transfer-encoding","chunked","connection","upgrade","upgrade","x"],1]', encoder.encode("forged body, longer"))`,
  requestId: `frame(67, id, '[200,["X-Request-Id","forged"],0]')`,
  manyHeaders: `frame(67, id, JSON.stringify([200, Array.from({ length: 20_000 }, (_, n) => "h" + n), 0]))`,
  logForOthers:
    `new Uint8Array(Array.from({ length: 50 }, (_, n) => [...frame(72, n, '["error","forged\\\\n2026 INFO forged"]')]).flat())`,
  logLevel: `frame(72, id, '["fatal","x"]')`,
  logNumber: `frame(72, id, '["info",5]')`,
  background: `frame(77, id)`,
  backgroundTwice: `new Uint8Array([...frame(77, id), ...frame(77, id)])`,
  settledEarly: `frame(78, id, "ok")`,
  settledText: `frame(78, id, "fine")`,
  lookupNoJson: `frame(79, id, "{")`,
  lookupType: `frame(79, 0, '[1,"ANY","localhost"]')`,
  lookupNumber: `frame(79, 0, '[1,"TXT",1]')`,
  lookupHuge: `frame(79, 0, JSON.stringify([1, "TXT", "x".repeat(900_000)]))`,
  lookupMoreFields: `frame(79, id, '[1,"TXT","stolen.invalid",{"net":true,"functionId":1}]')`,
  lookupForOthers:
    `new Uint8Array(Array.from({ length: 200 }, (_, n) => [...frame(79, n, JSON.stringify([n, "TXT", "stolen" + n + ".invalid"]))]).flat())`,
  looked: `frame(10, 0, '[1,"ok",[["forged"]]]')`,
  othersBackground:
    `new Uint8Array(Array.from({ length: 200 }, (_, n) => n === id ? [] : [...frame(77, n), ...frame(78, n, "ok")]).flat())`,
};

test("forged frames, ids and contexts", (withArena) =>
  withArena("forgery of frames", async (arena) => {
    const { server } = arena;
    const mine = await arena.plantHolder("mine");
    const other = await arena.plantHolder("other");
    const victim = await arena.deploy(
      "victim",
      `export default async (c, ctx) => {
      await ctx.getSecret("SECRET"); await new Promise((r) => setTimeout(r, 500)); return c.text("ok") }`,
      {
        fields: { keys: [other.groupId] },
      },
    );
    await createSecret(server, "VICTIM", arena.plant("victim-function"), { scope: "function", functionId: victim });
    /** The attacker's answer, searched for what does not belong to the key it was called with. */
    const searched = (attack: string, text: string, own: string) => {
      for (const [, label] of text.matchAll(/planted-([a-z-]+)-[0-9a-f]{32}/g)) {
        if (!label!.startsWith(own)) arena.gained(attack, label!);
      }
    };

    // Questions under every id that others could have, while others' calls are under way.
    const victimCalls = [1, 2, 3].map(() =>
      request("GET", `${server.url}/run/victim`, undefined, { "X-API-Key": other.key })
    );
    await arena.deploy(
      "asker",
      `${RAW_FRAMES}
      export default async (c, ctx) => {
        answers.length = 0;
        const own = await ctx.getSecret("SECRET");
        const current = answers[0][0];
        const ids = [...Array(300).keys(), 0xffff, 0xfffffffe, 0xffffffff, 0x80000000];
        let asked = answers.length;
        for (const id of ids) {
          for (const name of ["SECRET", "VICTIM", "INNOCENT", "innocent", "other"]) {
            await write(frame(71, id, JSON.stringify([1e6 + asked++, name === "other" ? "complete" : "get", name, null])));
          }
        }
        await answered(asked);
        return Response.json({ own, current, asked, answers });
      }`,
      { fields: { keys: [mine.groupId] } },
    );
    const asked = await request("GET", `${server.url}/run/asker`, undefined, { "X-API-Key": mine.key });
    assert.equal(asked.status, 200, JSON.stringify(asked.body));
    assert.equal(asked.body.answers.length, asked.body.asked);
    assert.match(asked.body.own, /^planted-mine-key-/);
    arena.count(asked.body.asked);
    searched("asker", JSON.stringify(asked.body), "mine-");
    for (const [id, , outcome] of asked.body.answers) {
      if (id !== asked.body.current && outcome !== "ended") arena.gained(`asker, id ${id}`, outcome);
    }
    for (const { status, body } of await Promise.all(victimCalls)) assert.deepEqual([status, body], [200, "ok"]);

    // A context kept from an earlier call, by the worker's way and past it.
    await arena.deploy(
      "keeper",
      `${RAW_FRAMES}
      const kept = globalThis.keptContexts ??= [];
      export default async (c, ctx) => {
        if (ctx.query.keep) { kept.push(ctx); await ctx.getSecret("NOTHING"); return new Response(String(seen.at(-1))); }
        const got = [];
        for (const old of kept) {
          for (const name of ["SECRET", "other", "mine"]) {
            got.push(await old.getSecret(name).catch(String), await old.getCompleteSecret(name).catch(String));
          }
        }
        answers.length = 0;
        const old = [...seen];
        for (const id of old) await write(frame(71, id, JSON.stringify([5e6 + id, "complete", "SECRET", null])));
        await answered(old.length);
        return Response.json({ got, old, answers });
      }`,
      { fields: { keys: [mine.groupId, other.groupId] } },
    );
    for (let n = 0; n < 3; n++) {
      const kept = await request("GET", `${server.url}/run/keeper?keep=1`, undefined, { "X-API-Key": other.key });
      assert.equal(kept.status, 200);
    }
    const kept = await request("GET", `${server.url}/run/keeper`, undefined, { "X-API-Key": mine.key });
    assert.equal(kept.status, 200, JSON.stringify(kept.body));
    arena.count(kept.body.got.length + kept.body.old.length);
    assert.ok(kept.body.got.length === 18 && kept.body.old.length === 3 && kept.body.answers.length === 3);
    searched("keeper", JSON.stringify(kept.body), "mine-");
    for (const got of kept.body.got) if (!/has ended/.test(got)) arena.gained("keeper", got);
    for (const [, , outcome] of kept.body.answers) if (outcome !== "ended") arena.gained("keeper, raw", outcome);
    // While its response is streamed the call has not ended; after that it has, also for its own questions.
    const late = await arena.attack(
      "late",
      `globalThis.late ??= [];
      export default (c, ctx) => {
        if (ctx.query.look) return Response.json(globalThis.late);
        setTimeout(() => ctx.getSecret("SECRET").then((v) => late.push("got " + v), (e) => late.push(String(e))), 50);
        queueMicrotask(() => {}); return new Response("gone");
      }`,
    );
    assert.equal(late.body, "gone");
    let looked: string[] = [];
    while (looked.length === 0) {
      await arena.innocentCalls(1);
      looked = (await arena.call("late", { query: "?look=1" })).body;
    }
    if (!/has ended/.test(looked[0]!)) arena.gained("late", looked[0]!);

    // Every malformed or impertinent frame, within a call; then a plain call of the same function.
    const forger = await arena.deploy(
      "forger",
      `${RAW_FRAMES}
      const forged = { ${Object.entries(FRAMES).map(([name, code]) => `${name}: (id) => ${code}`).join(",\n")} };
      export default async (c, ctx) => {
        const attack = ctx.query.attack;
        if (!attack) return new Response("plain");
        await ctx.getSecret("NOTHING");
        await write(forged[attack](seen.at(-1)));
        await new Promise((resolve) => setTimeout(resolve, 20));
        return new Response("done");
      }`,
      { fields: { timeoutMs: 5_000 } },
    );
    const outcomes: Record<string, string> = {};
    for (const attack of Object.keys(FRAMES)) {
      arena.count();
      // A response that was cut off in the middle ends in an error.
      const { status, headers, body } = await arena.call("forger", { query: `?attack=${attack}` })
        .catch(() => ({ status: 502, headers: new Headers(), body: "cut off" }));
      outcomes[attack] = `${status} ${String(typeof body === "string" ? body : body.code ?? body.error).slice(0, 20)}`;
      assert.notEqual(headers.get("x-request-id"), "forged", attack);
      assert.equal(headers.get("set-cookie"), null, attack);
      // Whoever stands between would take 101 for a tunnel, and what follows for no requests of its concern.
      if (![200, 500, 502, 503, 504].includes(status)) arena.gained(attack, `the status ${status}`);
      // A changed function is not taken for one that keeps dying.
      if (status !== 200) await server.api("PUT", `/api/functions/${forger}`, { description: attack });
      assert.deepEqual([(await arena.call("forger")).body], ["plain"], attack);
    }
    // What is no frame ends the process that sent it; that alone shows that the frames arrived.
    for (
      const attack of [
        "emptyFrame",
        "hugeFrame",
        "metaTooLong",
        "unknownType",
        "hostsTypes",
        "ready",
        "noJson",
        "kind",
        "logLevel",
        "headerOdd",
        "backgroundTwice",
        "settledEarly",
        "settledText",
      ]
    ) {
      assert.match(outcomes[attack]!, /^502/, attack);
    }
    // A frame that never ends, sent in pieces: the call is late, nothing else is.
    const half = await arena.attack(
      "half",
      `${RAW_FRAMES} export default async (c) => { await write(frame(71, 1, "x".repeat(1000)).subarray(0, 500)); return new Response("x") }`,
      { fields: { timeoutMs: 1_000 } },
    );
    assert.ok(half.status >= 500, String(half.status));
    assert.doesNotMatch(server.logs(), /^2026 (ERROR|INFO) forged/m);
    // A flood of questions under ids that do not exist.
    const flood = await arena.attack(
      "questions",
      `${RAW_FRAMES} export default async () => { const one = frame(71, 9999, '[1,"get","SECRET",null]');
        const many = new Uint8Array(one.length * 2000); for (let i = 0; i < 2000; i++) many.set(one, i * one.length);
        for (let i = 0; i < 10; i++) await write(many); return new Response("x") }`,
    );
    assert.equal(flood.status, 200);
  }));

/** Of the function whose work in the background is forged. */
const BACKGROUND_MS = 1_000;

test("work in the background that never ends, or is forged, gets secrets for the function's time limit at most", (withArena) =>
  withArena("forgery of background work", async (arena) => {
    const { server } = arena;
    const mine = await arena.plantHolder("mine");
    const other = await arena.plantHolder("other");
    const ask = (id: string) =>
      `write(frame(71, ${id}, JSON.stringify([1e6 + answers.length, "get", "SECRET", null])))`;
    const code = `${RAW_FRAMES}
      const ways = {
        honest: (ctx) => ctx.waitUntil(new Promise(() => {})),
        forged: (ctx, id) => write(frame(77, id)),
        afterwards: (ctx, id) => { setTimeout(() => write(frame(77, id)), 100); },
        none: () => {},
      };
      const results = globalThis.results ??= {};
      export default async (c, ctx) => {
        const { way, look } = ctx.query;
        if (look) {
          return new Response(new ReadableStream({
            async pull(controller) {
              await new Promise((r) => setTimeout(r, 20));
              controller.enqueue(encoder.encode(results[look] ? JSON.stringify(results[look]) : " "));
              if (results[look]) controller.close();
            },
          }), { headers: { "content-type": "application/json" } });
        }
        await ctx.getSecret("SECRET");
        const id = seen.at(-1);
        await ways[way](ctx, id);
        setTimeout(async () => {
          const began = performance.now();
          const found = [];
          while (performance.now() - began < ${2.5 * BACKGROUND_MS}) {
            const ms = performance.now() - began;
            const kept = await ctx.getSecret("SECRET").catch((error) => "refused: " + error.message);
            const from = answers.length;
            await ${ask("id")};
            await answered(from + 1);
            found.push([ms, kept, ...answers.slice(from).map(([, , outcome, value]) => outcome + " " + value)]);
            await new Promise((r) => setTimeout(r, 50));
          }
          results[way] = found;
        }, 50);
        return new Response("ok");
      }`;
    for (const way of ["honest", "forged", "afterwards", "none"]) {
      // A function each: a process is ended once it has no other call than those that left something behind.
      await arena.deploy(way, code, { fields: { keys: [mine.groupId, other.groupId], timeoutMs: BACKGROUND_MS } });
      const address = `${server.url}/run/${way}`;
      assert.equal((await request("GET", `${address}?way=${way}`, undefined, { "X-API-Key": mine.key })).status, 200);
      // Another caller's call keeps the process: nothing that it may have may be given to the first one's.
      const looked = await request("GET", `${address}?look=${way}`, undefined, { "X-API-Key": other.key });
      const found: [number, ...string[]][] = looked.body;
      assert.ok(found.at(-1)![0] > 2 * BACKGROUND_MS, way);
      arena.count(found.length);
      for (const [ms, ...outcomes] of found) {
        for (const outcome of outcomes) {
          if (outcome.includes("planted-other")) arena.gained(`${way}, another's`, outcome);
          const mayStill = (way === "honest" || way === "forged") && ms < BACKGROUND_MS + 500;
          if (!mayStill && outcome.includes("planted-")) arena.gained(`${way} after ${Math.round(ms)} ms`, outcome);
        }
      }
    }
  }));

/** Built-ins that the worker, its libraries or the runtime use. */
const PATCHED = [
  "Promise.prototype.then",
  "Promise.resolve",
  "Promise.withResolvers",
  "Promise.all",
  "Promise.race",
  "Array.prototype.push",
  "Array.prototype.map",
  "Array.prototype.slice",
  "Array.prototype[Symbol.iterator]",
  "Array.isArray",
  "Array.prototype.includes",
  "Array.prototype.fill",
  "Array.prototype.filter",
  "Map.prototype.get",
  "Map.prototype.set",
  "Map.prototype.delete",
  "Map.prototype.values",
  "JSON.parse",
  "JSON.stringify",
  "Object.assign",
  "Object.entries",
  "Object.hasOwn",
  "Object.keys",
  "Reflect.apply",
  "Uint8Array.prototype.set",
  "Uint8Array.prototype.subarray",
  "Uint8Array.prototype.slice",
  "Uint8Array.prototype.copyWithin",
  "TextEncoder.prototype.encodeInto",
  "TextDecoder.prototype.decode",
  "Number",
  "String",
  "Error",
  "Date.now",
  "Function.prototype.call",
  "Function.prototype.apply",
  "Function.prototype.bind",
  "queueMicrotask",
  "setImmediate",
  "setTimeout",
  "structuredClone",
  "crypto.randomUUID",
  "MessagePort.prototype.postMessage",
  "EventTarget.prototype.dispatchEvent",
  "Headers.prototype.append",
  "URL",
  "URLSearchParams",
  "Request",
  "Response",
  "Response.prototype.text",
  "ReadableStream",
  "ReadableStream.prototype.getReader",
  "ReadableStreamDefaultReader.prototype.read",
  "AsyncLocalStorage.prototype.run",
  "AsyncLocalStorage.prototype.getStore",
];
const STYLES: Record<string, string> = {
  throws: `function () { throw new Error("patched") }`,
  nothing: `function () {}`,
  echoes: `function (...a) { globalThis.heard.push(a); return original.apply(this, a) }`,
};
const POLLUTIONS: Record<string, string> = {
  then:
    `Object.defineProperty(Object.prototype, "then", { value(f) { globalThis.heard.push([this]); f("polluted") }, configurable: true })`,
  toJSON: `Object.prototype.toJSON = () => "polluted"`,
  arrayToJSON:
    `Array.prototype.toJSON = function () { globalThis.heard.push([...this]); return this.length ? ["polluted"] : [] }`,
  get: `Object.prototype.get = () => "polluted"`,
  value: `Object.prototype.value = "polluted"`,
  scope:
    `Object.prototype.scope = "global"; Object.prototype.holder = {}; Object.prototype.keyId = 1; Object.prototype.functionId = 1`,
  type:
    `Object.prototype.type = 71; Object.prototype.id = 1; Object.prototype.body = "polluted"; Object.prototype.headers = {}`,
  index:
    `Object.defineProperty(Array.prototype, 0, { set(v) { globalThis.heard.push([v]) }, get() { return "polluted" }, configurable: true })`,
  objectIndex: `Object.prototype[0] = "polluted"; Object.prototype[1] = "polluted"; Object.prototype[2] = "polluted"`,
  iterator: `Array.prototype[Symbol.iterator] = function* () { yield "polluted" }`,
  species:
    `Object.defineProperty(Promise, Symbol.species, { value: function (f) { globalThis.heard.push([f]); return new Promise(f) } })`,
  instance: `Object.defineProperty(Response, Symbol.hasInstance, { value: () => true })`,
  null: `Object.setPrototypeOf(Object.prototype.__proto__ ?? {}, null); Object.setPrototypeOf(Array.prototype, null)`,
};

test("patched built-ins and polluted prototypes give nobody a wrong secret", (withArena) =>
  withArena("forgery of built-ins", async (arena) => {
    const { server } = arena;
    const holders = { red: await arena.plantHolder("red"), blue: await arena.plantHolder("blue") };
    const code = `import { AsyncLocalStorage } from "node:async_hooks";
      globalThis.AsyncLocalStorage = AsyncLocalStorage; globalThis.heard = [];
      const targets = { ${
      PATCHED.map((target) => {
        const [, owner, property] = /^(?:(.*)\.)?(\w+|prototype\[Symbol\.iterator\])$/.exec(target)!;
        const iterator = property!.startsWith("prototype[");
        return `${JSON.stringify(target)}: [() => ${iterator ? `${owner}.prototype` : owner ?? "globalThis"}, ${
          iterator ? "Symbol.iterator" : JSON.stringify(property)
        }]`;
      }).join(", ")
    } };
      const styles = { ${Object.entries(STYLES).map(([name, code]) => `${name}: (original) => ${code}`).join(", ")} };
      const pollutions = { ${
      Object.entries(POLLUTIONS).map(([name, code]) => `${name}: () => { ${code} }`).join(", ")
    } };
      export default async (c, ctx) => {
        const { patch, style, pollute } = ctx.query;
        if (pollute) setTimeout(() => pollutions[pollute](), 5);
        if (patch) { const [owner, name] = targets[patch]; const o = owner(); const make = styles[style];
          setTimeout(() => Object.defineProperty(o, name, { value: make(o[name]), configurable: true, writable: true }), 5); }
        if (patch || pollute) return new Response("patched");
        const first = await ctx.getSecret("SECRET");
        return new Response(first + " " + await ctx.getSecret("SECRET", "group"));
      }`;
    const attacks = [
      // What the worker itself lives on in every style, the rest in one.
      ...PATCHED.flatMap((target, index) => {
        const styles = Object.keys(STYLES);
        const vital = /^(Promise|Map|JSON|TextDecoder|Uint8Array\.prototype\.s)/.test(target);
        return (vital ? styles : [styles[index % styles.length]!])
          .map((style) => `patch=${encodeURIComponent(target)}&style=${style}`);
      }),
      ...Object.keys(POLLUTIONS).map((name) => `pollute=${name}`),
    ];
    const ask = (name: string, colour: "red" | "blue") =>
      request("GET", `${server.url}/run/${name}`, undefined, { "X-API-Key": holders[colour].key })
        .catch((error) => ({ status: 0, body: String(error) }));
    let right = 0;
    let wrong = 0;
    const attackBy = async (name: string, id: number, attack: string): Promise<void> => {
      arena.count();
      // Changed: so the process is a new one, and its predecessor's deaths are forgotten.
      const { status } = await server.api("PUT", `/api/functions/${id}`, { description: attack });
      assert.equal(status, 200);
      // On a busy machine the new process may not be there in time for its first call.
      let done = "";
      for (let attempt = 0; attempt < 20 && done !== "patched"; attempt++) {
        const headers = { "X-API-Key": holders.red.key };
        done = (await request("GET", `${server.url}/run/${name}?${attack}`, undefined, headers)).body;
      }
      assert.equal(done, "patched", attack);
      await new Promise((resolve) => setTimeout(resolve, 8));
      const answers = await Promise.all((["red", "blue", "blue", "red"] as const).map(async (colour) => ({
        colour,
        ...await ask(name, colour),
      })));
      for (const { colour, status, body } of answers) {
        const text = JSON.stringify(body);
        const other = colour === "red" ? "blue" : "red";
        if (text.includes(`planted-${other}-`) || text.includes("planted-innocent")) {
          arena.gained(attack, `${colour} was given ${text}`);
        }
        if (status === 200 && text.includes(`planted-${colour}-key`)) right++;
        else wrong++;
      }
      assert.equal(arena.sandboxes("innocent").length, 1);
    };
    const fields = { keys: [holders.red.groupId, holders.blue.groupId], timeoutMs: paced(400) };
    await Promise.all(["patched0", "patched1", "patched2"].map(async (name, lane, lanes) => {
      const id = await arena.deploy(name, code, { fields });
      for (let n = lane; n < attacks.length; n += lanes.length) await attackBy(name, id, attacks[n]!);
    }));
    // Both kinds must occur: patches that break nothing, and patches that the worker does feel.
    assert.ok(right > 0 && wrong > 0, `${right} right, ${wrong} failed`);
    // No other process has any of it.
    const clean = await arena.attack(
      "clean",
      `export default () => Response.json([({}).polluted, ({}).toJSON, [].toJSON, ({})[0], ({}).then, Array.prototype.map.toString()].map(String))`,
    );
    assert.deepEqual(clean.body, [...Array(5).fill("undefined"), "function map() { [native code] }"]);
  }));
