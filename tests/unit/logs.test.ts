// The logs' service over a real database: batches, order, trimming, floods, what is found and followed.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import type { FunctionId } from "../../src/ids.ts";
import { createLogStream } from "../../src/control/api/log_stream.ts";
import { createAllLogs } from "../../src/telemetry/cluster/all_logs.ts";
import { type LogEntry, Logs, type LogsOptions } from "../../src/telemetry/logs.ts";
import { createMasking } from "../../src/masking/masking.ts";
import { parseSearch } from "../../src/telemetry/search.ts";
import { openObservations } from "../../src/store/observations.ts";
import { runs } from "../thorough.ts";
import { temporaryFolder } from "./temporary.ts";

const [ONE, TWO] = [1, 2] as FunctionId[] as [FunctionId, FunctionId];

function temporaryLogs(settings: Partial<LogsOptions["settings"]> = {}) {
  const folder = temporaryFolder();
  const observations = openObservations(join(folder.path, "observations.db"), () => new Date(0), assert.fail);
  const masking = createMasking();
  const reported: string[] = [];
  const clock = { now: 1_000_000 };
  const open = () =>
    new Logs({
      observations,
      masking,
      settings: {
        level: () => "info",
        maxBatchSize: () => 50,
        maxDelayMs: () => 50,
        maxPerFunction: () => 2_000,
        retentionSeconds: () => 7_776_000,
        ...settings,
      },
      isFunction: () => true,
      now: () => clock.now,
      report: (_level, message) => reported.push(message),
    });
  const logs = open();
  const print = (message: string, more: Partial<Parameters<typeof logs.write>[0]> = {}) =>
    logs.write({ functionId: ONE, requestId: "r", level: "info", event: "print", message, ...more });
  return {
    path: folder.path,
    logs,
    print,
    masking,
    observations,
    clock,
    reported,
    open,
    messages: (filter: Partial<Parameters<typeof logs.list>[0]> = {}) =>
      logs.list({ limit: 10_000, ...filter }).entries.map(({ message }) => message).reverse(),
    [Symbol.dispose]: () => {
      logs.close();
      observations.close();
      folder[Symbol.dispose]();
    },
  };
}

/** Settles with the next `count` entries that are stored. */
function stored(logs: Logs, count: number): Promise<LogEntry[]> {
  const entries: LogEntry[] = [];
  return new Promise((resolve) => {
    const stop = logs.follow({}, (entry) => {
      entries.push(entry);
      if (entries.length < count) return;
      stop();
      resolve(entries);
    });
  });
}

Deno.test("what was written is listed at once, newest first, in pages without a gap", () => {
  using there = temporaryLogs();
  for (let n = 0; n < 120; n++) there.print(`line ${n}`);
  const seen: string[] = [];
  let after: number | undefined;
  do {
    const page = there.logs.list({ limit: 50, ...(after !== undefined && { after }) });
    seen.push(...page.entries.map(({ message }) => message));
    after = page.next;
  } while (after !== undefined);
  assert.deepEqual(seen, Array.from({ length: 120 }, (_, n) => `line ${119 - n}`));
});

Deno.test("a full batch is stored at once, anything less when the delay is over", async () => {
  using there = temporaryLogs({ maxBatchSize: () => 3, maxDelayMs: () => 20 });
  const batch = stored(there.logs, 3);
  for (const message of ["a", "b", "c"]) there.print(message);
  assert.deepEqual((await batch).map(({ message }) => message), ["a", "b", "c"]);
  const late = stored(there.logs, 1);
  there.print("d");
  there.clock.now += 20;
  assert.deepEqual((await late).map(({ message }) => message), ["d"]);
});

Deno.test("a value in pieces is masked in each of them, also across batches and between other calls' lines", async () => {
  using there = temporaryLogs({ maxBatchSize: () => 5 });
  const disclosed = there.masking.begin(ONE);
  const value = "correct-horse-battery-staple";
  there.masking.recordDisclosure(disclosed, "PASSPHRASE", value);
  const all = stored(there.logs, 2 * value.length + 1);
  for (const character of value) {
    there.print(character, { disclosed });
    there.print("of another call", { requestId: "other" });
  }
  there.print("the end", { disclosed });
  const entries = await all;
  const own = entries.filter(({ requestId }) => requestId === "r").map(({ message }) => message);
  assert.deepEqual(own, [...[...value].map(() => "[secret PASSPHRASE]"), "the end"]);
});

Deno.test("a line whose end may begin a value is stored when the delay is over, masked from 8 bytes on", async () => {
  using there = temporaryLogs({ maxBatchSize: () => 1, maxDelayMs: () => 20 });
  const disclosed = there.masking.begin(ONE);
  there.masking.recordDisclosure(disclosed, "KEY", "abcdefghijklmnopqrst");
  const first = stored(there.logs, 2);
  there.print("x", { disclosed });
  there.print("ends with abcdefghij", { disclosed });
  there.clock.now += 20;
  assert.deepEqual((await first).map(({ message }) => message), ["x", "ends with [secret KEY]"]);
  there.print("klmnopqrst goes on", { disclosed });
  assert.deepEqual(there.messages().slice(2), ["[secret KEY] goes on"]);
});

Deno.test("whatever is printed in whatever pieces, no value is in the database's bytes or the words of its index", () => {
  const forms: ((value: string) => string)[] = [
    (value) => value,
    (value) => JSON.stringify({ value }),
    (value) => JSON.stringify(JSON.stringify([value])),
    (value) => Deno.inspect({ value }),
    (value) => `${new Error(value)}`,
    encodeURIComponent,
    (value) => `${new URLSearchParams({ value })}`,
    (value) => Buffer.from(`u:${value}`).toString("base64"),
    (value) => Buffer.from(`${value}.`).toString("base64url"),
    (value) => Buffer.from(value).toString("hex"),
  ];
  const print = fc.record({ form: fc.constantFrom(...forms), cuts: fc.array(fc.nat(80), { maxLength: 6 }) });
  // Longer than what may be left of a beginning, so that the parts looked for below are parts of nothing else.
  const value = fc.string({ minLength: 8, maxLength: 60 }).filter((text) => text.trim().length >= 16);
  using there = temporaryLogs({ maxPerFunction: () => 100_000 });
  const values = new Set<string>();
  let calls = 0;
  fc.assert(
    fc.property(value, fc.array(print, { minLength: 1, maxLength: 12 }), fc.nat(30), (value, prints, stop) => {
      values.add(value.trim());
      const disclosed = there.masking.begin(ONE);
      there.masking.recordDisclosure(disclosed, "VALUE", value);
      const requestId = `${++calls}`;
      for (const { form, cuts } of prints) {
        const text = form(value);
        const ends = [...cuts.filter((cut) => cut < text.length).sort((a, b) => a - b), text.length];
        let at = 0;
        for (const end of ends) {
          there.print(text.slice(at, end), { disclosed, requestId });
          there.print("of another call", { requestId: `other ${calls}` });
          at = end;
          // Some are stored in the middle of a value.
          if ((end + stop) % 3 === 0) there.logs.flush();
        }
      }
      there.clock.now += 1_000;
      there.logs.flush();
    }),
    { numRuns: runs(15, 300) },
  );
  assert.ok(there.messages().length > 100);
  const path = join(there.path, "observations.db");
  const stored = ["", "-wal"].map((end) => Deno.readTextFileSync(path + end)).join("\n");
  assert.ok(stored.includes("of another call") && stored.includes("[secret VALUE]"));
  for (const value of values) {
    // A beginning of up to seven bytes may be there.
    const parts = [value, value.slice(0, 16), value.slice(-16)];
    for (const form of [...forms.slice(0, 7), inBase64, (text: string) => Buffer.from(text).toString("hex")]) {
      for (const part of parts) {
        const text = form(part).replace(/^\W*value\W*|^Error: /, "");
        assert.ok(!stored.includes(text), `${JSON.stringify(text)} of ${JSON.stringify(value)}`);
      }
    }
  }
  using db = new DatabaseSync(path);
  db.exec("CREATE VIRTUAL TABLE temp.words USING fts5vocab(main, logs_search, row)");
  const words = new Set(db.prepare("SELECT term FROM words").all().map(({ term }) => term));
  assert.ok(words.has("another"));
  for (const value of values) {
    for (const word of value.toLowerCase().match(/[a-z0-9]{9,}/g) ?? []) assert.ok(!words.has(word), word);
  }
});

/** The characters that the value alone decides, where two bytes are before it. */
function inBase64(value: string): string {
  return Buffer.from(`..${value}`).toString("base64").slice(3, -4);
}

Deno.test("of each function the newest entries stay, and those that are too old go", async () => {
  using there = temporaryLogs({ maxPerFunction: () => 10 });
  there.print("of the other", { functionId: TWO });
  for (let n = 0; n < 25; n++) there.print(`${n}`);
  assert.deepEqual(there.messages({ functionId: ONE }), Array.from({ length: 10 }, (_, n) => `${n + 15}`));
  assert.deepEqual(there.messages({ functionId: TWO }), ["of the other"]);
  assert.deepEqual(there.messages({ search: "3" }), [], "what is trimmed is not found");
  there.clock.now += 7_776_000_001;
  // A new one begins by looking for what is too old.
  const later = there.open();
  later.write({ functionId: ONE, requestId: null, level: "info", event: "print", message: "new" });
  await later.clear(99 as FunctionId);
  assert.deepEqual(later.list({ limit: 100 }).entries.map(({ message }) => message), ["new"]);
  later.close();
});

Deno.test("a tenth too many may be there while nobody looks, and no more than the setting says when somebody does", async () => {
  using there = temporaryLogs({ maxPerFunction: () => 100, maxBatchSize: () => 7 });
  for (let round = 0; round < 4; round++) {
    const all = stored(there.logs, 70);
    for (let n = 0; n < 70; n++) there.print(`${round} ${n}`);
    await all;
    const rows = there.observations.logs.counts().get(ONE)!;
    assert.ok(rows <= 110, `${rows} rows`);
    there.clock.now += 1_000;
  }
  assert.equal(there.messages().length, 100);
  assert.equal(there.observations.logs.counts().get(ONE), 100);
});

Deno.test("a flood is dropped, counted and told, and the queue stays small", () => {
  using there = temporaryLogs();
  for (let n = 0; n < 20_000; n++) there.print("x".repeat(1_000));
  const kept = there.messages();
  assert.ok(kept.length <= 2_001, `${kept.length}`);
  const [, lines, bytes] = /^Dropped (\d+) lines \((\d+) bytes\)/.exec(kept.find((m) => m.startsWith("Dropped"))!)!;
  assert.ok(Number(lines) > 14_000 && Number(bytes) === Number(lines) * 1_000, `${lines} ${bytes}`);
});

Deno.test("levels below log.level are not kept", () => {
  using there = temporaryLogs({ level: () => "warn" });
  for (const level of ["debug", "info", "warn", "error"] as const) there.print(level, { level });
  assert.deepEqual(there.messages(), ["warn", "error"]);
  assert.deepEqual(["debug", "info", "warn", "error"].map((level) => there.logs.keeps(level as "info")), [
    false,
    false,
    true,
    true,
  ]);
});

Deno.test("what is cleared is gone, what waits included, and a deleted function leaves nothing more", async () => {
  using there = temporaryLogs();
  there.print("kept", { functionId: TWO });
  there.print("stored");
  assert.equal(there.messages().length, 2);
  there.print("waiting");
  await there.logs.clear(ONE);
  assert.deepEqual(there.messages(), ["kept"]);
  await there.logs.forget(ONE);
  there.print("of a call that was still under way");
  assert.deepEqual(there.messages(), ["kept"]);
});

Deno.test("entries that cannot be stored are counted and reported, and the next ones are stored", () => {
  using there = temporaryLogs();
  const { observations } = there;
  const { transaction } = observations;
  Object.assign(observations, {
    transaction: () => {
      throw new Error("the disk is full");
    },
  });
  there.print("lost");
  assert.deepEqual(there.messages(), []);
  assert.deepEqual(there.reported, ["1 entries of functions' logs could not be stored: the disk is full."]);
  Object.assign(observations, { transaction });
  there.print("stored");
  assert.deepEqual(there.messages(), ["stored"]);
});

Deno.test("a NUL does not cut a message, and half of a surrogate pair does not spoil it", () => {
  using there = temporaryLogs();
  there.print("before\0after");
  there.print("half \ud83d");
  assert.deepEqual(there.messages(), ["before\u2400after", "half \ufffd"]);
});

Deno.test("a search means the same in the database and for one message, whatever is typed", () => {
  using there = temporaryLogs();
  const messages = [
    "Order-123 was shipped",
    "café im Viertel",
    'say "hello" AND (goodbye) NOT * NEAR',
    "한국어 로그",
    "path/to/file.ts:12:7",
    "ÅNGSTRÖM",
  ];
  for (const message of messages) there.print(message);
  const searches: Record<string, string[]> = {
    "order": [messages[0]!],
    "ORDER-12": [messages[0]!],
    "shipped order": [messages[0]!],
    "hipped": [],
    "cafe VIERTEL": [messages[1]!],
    "café": [messages[1]!],
    '"hello" and': [messages[2]!],
    '"': [],
    "AND": [messages[2]!],
    "(goodbye) NOT": [messages[2]!],
    "hello* -x ^a": [],
    "한국": [messages[3]!],
    "file.ts:12": [messages[4]!],
    "message:order": [],
    "angstrom": [messages[5]!],
  };
  for (const [search, expected] of Object.entries(searches)) {
    if (search === '"') {
      assert.throws(() => there.messages({ search }), /search must have a letter or digit/);
      continue;
    }
    assert.deepEqual(there.messages({ search }), expected, search);
    assert.deepEqual(messages.filter((message) => parseSearch(search).test(message)), expected, search);
  }
});

Deno.test("the words that a search finds are known by their places in the message", () => {
  const marked: [search: string, message: string, marked: string][] = [
    ["order", "Order-123 was ordered", "<Order>-123 was <ordered>"],
    ["ORDER-12", "order-99 order-123", "order-99 <order>-<123>"],
    ["shipped or", "Order-123 was shipped", "<Order>-123 was <shipped>"],
    ["cafe", "im Cafe\u0301, im café", "im <Cafe\u0301>, im <café>"],
    ["file.ts:1", "path/to/file.ts:12:7", "path/to/<file>.<ts>:<12>:7"],
    ["nothing", "a message", "a message"],
    ["<b>", "<b>&amp;", "<<b>>&amp;"],
  ];
  for (const [search, message, expected] of marked) {
    const found = parseSearch(search).found(message);
    let shown = "";
    let at = 0;
    for (const [from, to] of found) {
      shown += `${message.slice(at, from)}<${message.slice(from, to)}>`;
      at = to;
    }
    assert.equal(shown + message.slice(at), expected, search);
  }
});

Deno.test("who follows gets what fits the filter, until it stops or the server does", () => {
  using there = temporaryLogs();
  const seen: string[] = [];
  let ends = 0;
  const filter = { functionId: ONE, level: "warn", search: "disk" } as const;
  const stop = there.logs.follow(filter, ({ message }) => seen.push(message), () => ends++);
  const lines = () => {
    there.print("disk full", { level: "error" });
    there.print("disk full");
    there.print("disk full", { level: "error", functionId: TWO });
    there.print("all is well", { level: "warn" });
    there.logs.flush();
  };
  lines();
  assert.deepEqual(seen, ["disk full"]);
  stop();
  lines();
  assert.deepEqual(seen, ["disk full"]);
  there.logs.follow({}, () => {}, () => ends++);
  there.logs.endFollowing();
  assert.equal(ends, 1);
});

Deno.test("a reader that does not read loses entries and is told how many, and nothing grows", async () => {
  using there = temporaryLogs();
  const open = createLogStream(createAllLogs(there.logs), ({ message }) => ({ message }));
  const reader = open({ filter: {}, since: undefined, isEntitled: () => true }, false).body!.pipeThrough(
    new TextDecoderStream(),
  ).getReader();
  for (let n = 0; n < 100; n++) {
    there.print(`${n} ${"x".repeat(16_000)}`);
    there.logs.flush();
  }
  let [text, read] = ["", 0];
  const until = async (pattern: RegExp): Promise<RegExpExecArray> => {
    for (let match = pattern.exec(text);; match = pattern.exec(text)) {
      if (match) return match;
      const { value } = await reader.read();
      text += value;
      read += value!.length;
      // It is told with the next entry that it has room for.
      if (read > 200_000) {
        there.print("next");
        there.logs.flush();
      }
    }
  };
  const lost = Number((await until(/event: lost\ndata: \{"lines":(\d+)\}/))[1]);
  assert.match((await until(/"message":"next"/))[0]!, /next/);
  const shown = text.match(/"message":"\d+ x/g)!.length;
  assert.ok(lost > 50 && shown + lost >= 99, `${shown} shown, ${lost} lost`);
  assert.ok(read < 600_000, `${read}`);
  await reader.cancel();
});

Deno.test("requests are found by the beginning of their ids, once each, whatever they have left", async () => {
  using there = temporaryLogs();
  const ids = ["aaaaaa00-1", "aaaaaa00-2", "aaaaab00-1", "b", "aaaaa9ff-1"];
  for (let n = 0; n < 30; n++) {
    there.clock.now++;
    for (const requestId of ids) there.print(`line ${n}`, { requestId, functionId: requestId === "b" ? ONE : TWO });
  }
  there.print("outside of any call", { requestId: null });
  const all = createAllLogs(there.logs);
  const found = async (beginning: string, limit = 10) =>
    (await all.requests(beginning, limit)).map(({ requestId }) => requestId).sort();
  assert.deepEqual(await found("aaaaaa"), ["aaaaaa00-1", "aaaaaa00-2"]);
  assert.deepEqual(await found("aaaaa"), ["aaaaa9ff-1", "aaaaaa00-1", "aaaaaa00-2", "aaaaab00-1"]);
  assert.equal((await found("aaaaa", 2)).length, 2);
  assert.deepEqual([await found("aaaaac"), await found("c")], [[], []]);
  const [first] = await all.requests("aaaaab", 10);
  assert.deepEqual(first, { requestId: "aaaaab00-1", functionId: TWO, at: 1_000_001 });
});

Deno.test("a stream ends when its reader may no longer manage the server", async () => {
  using there = temporaryLogs();
  const allowed = { still: true };
  const open = createLogStream(createAllLogs(there.logs), ({ message }) => ({ message }), 5);
  const wanted = { filter: {}, since: undefined, isEntitled: () => allowed.still };
  const reader = open(wanted, false).body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.includes(": still here")) text += (await reader.read()).value;
  allowed.still = false;
  while (!(await reader.read()).done);
});

Deno.test("a log that was deleted is on the disk no longer, not even its words", async () => {
  using there = temporaryLogs();
  const { logs, print, path } = there;
  const isOnDisk = (word: string): boolean =>
    ["observations.db", "observations.db-wal"]
      .some((name) => Buffer.from(Deno.readFileSync(join(path, name))).includes(word));
  for (let n = 0; n < 300; n++) print(`of another function ${n}`, { functionId: TWO });
  print("the forgotten zqxleakedvalue was printed");
  for (let n = 0; n < 300; n++) print(`a line after it ${n}`);
  logs.flush();
  assert.ok(isOnDisk("zqxleakedvalue"));
  await logs.clear(ONE);
  await logs.erased;
  // An index has the end of a word alone where the word before it begins alike.
  for (const part of ["zqxleakedvalue", "qxleakedvalue", "leakedvalue", "forgotten", "orgotten"]) {
    assert.ok(!isOnDisk(part), part);
  }
  assert.equal(there.messages({ search: "another function" }).length, 300);
  print("later");
  await logs.clear(ONE);
  await logs.erased;
  assert.deepEqual(there.messages({ functionId: ONE }), []);
});
