// Which names a sandbox may have looked up, and how many.

import assert from "node:assert/strict";
import { Lookups, type LookupsOptions, nameToAsk } from "../../src/sandbox/host/lookups.ts";
import { parseLookup } from "../../src/sandbox/wire/payloads.ts";
import { type LookedPayload, ProtocolError } from "../../src/sandbox/wire/protocol.ts";

const LISTED = [
  "db.example.com",
  "Cache.Example.com:6379",
  "xn--bcher-kva.example",
  "10.0.0.5:5432",
  "[fd00::5]",
  "box",
];

Deno.test("with a list, its hosts and their services are looked up, in lower case and absolute", () => {
  const allowed: Record<string, string> = {
    "db.example.com": "db.example.com.",
    "db.example.com.": "db.example.com.",
    "DB.eXample.COM": "db.example.com.",
    "cache.example.com": "cache.example.com.",
    "xn--bcher-kva.example": "xn--bcher-kva.example.",
    "box": "box.",
    "_mongodb._tcp.db.example.com": "_mongodb._tcp.db.example.com.",
    "_MongoDB._TCP.db.example.com.": "_mongodb._tcp.db.example.com.",
    "_redis._tcp.cache.example.com": "_redis._tcp.cache.example.com.",
    "_a._udp.db.example.com": "_a._udp.db.example.com.",
    "_sip._tls.db.example.com": "_sip._tls.db.example.com.",
    "_exactly15chars0._tcp.db.example.com": "_exactly15chars0._tcp.db.example.com.",
    "_x-y._tcp.box": "_x-y._tcp.box.",
  };
  for (const [asked, name] of Object.entries(allowed)) {
    assert.equal(nameToAsk(asked, LISTED, []), name, asked);
  }
});

Deno.test("with a list, no other name is looked up", () => {
  const refused = [
    "",
    ".",
    "example.com",
    "com",
    "sub.db.example.com",
    "_tcp.db.example.com",
    "_mongodb.db.example.com",
    "stolen._mongodb._tcp.db.example.com",
    "_a._b._tcp.db.example.com",
    "_mongodb._data.db.example.com",
    "_mongodb._tcp.sub.db.example.com",
    "_mongodb._tcp.example.com",
    "_mongodb._tcp.",
    "_sixteen-letters0._tcp.db.example.com",
    "_-a._tcp.db.example.com",
    "_a-._tcp.db.example.com",
    "__a._tcp.db.example.com",
    "_a._tcp.db.example.com..",
    "_a._tcp..db.example.com",
    "db.example.com..",
    ".db.example.com",
    "db.example.com:5432",
    "cache.example.com:6379",
    "db.example.com ",
    " db.example.com",
    "db.example.com\0",
    "db.example.com\n",
    "db.example.com.evil.example",
    "evil-db.example.com",
    "db-example.com",
    "*.example.com",
    "db%2eexample.com",
    "bücher.example",
    "db。example.com",
    "ｄb.example.com",
    "d\u212ab.example.com",
    "10.0.0.5",
    "10.0.0.5.",
    "_a._tcp.10.0.0.5",
    "5.0.0.10.in-addr.arpa",
    "[fd00::5]",
    "fd00::5",
    "http://db.example.com",
    "@db.example.com",
    "__proto__",
    `${"a".repeat(64)}.example.com`,
  ];
  for (const asked of refused) {
    assert.equal(nameToAsk(asked, LISTED, []), undefined, JSON.stringify(asked));
  }
  assert.equal(nameToAsk("db.example.com", [], []), undefined);
  assert.equal(nameToAsk("k", ["K"], []), "k.");
});

Deno.test("without network no name is looked up, and with any network every name of a host", () => {
  assert.equal(nameToAsk("db.example.com", false, []), undefined);
  assert.equal(nameToAsk("Anything.example.com", true, []), "anything.example.com.");
  assert.equal(nameToAsk("_dmarc.example.com", true, []), "_dmarc.example.com.");
  for (
    const asked of ["", "a..b", "127.0.0.1", "1.2", "0x7f.1", "a.0x", "[::1]", "a b", `${"a.".repeat(130)}b`]
  ) {
    assert.equal(nameToAsk(asked, true, []), undefined, asked);
  }
});

Deno.test("what the operator closes is not looked up, however it is spelled", () => {
  const denied = ["DB.example.com", "cache.example.com:6379", "10.0.0.0/8"];
  for (const asked of ["db.example.com", "_mongodb._tcp.db.example.com.", "DB.EXAMPLE.COM", "cache.example.com"]) {
    assert.equal(nameToAsk(asked, LISTED, denied), undefined, asked);
  }
  assert.equal(nameToAsk("box", LISTED, denied), "box.");
  assert.equal(nameToAsk("_mongodb._tcp.db.example.com", true, denied), undefined);
  // Only one of its ports is closed.
  assert.equal(nameToAsk("cache.example.com", ["cache.example.com"], denied), "cache.example.com.");
  assert.equal(nameToAsk("cache.example.com", true, denied), "cache.example.com.");
});

Deno.test("with a name and all below it, these are looked up, except what the operator closes, and no others", () => {
  const net = ["*.Example.com:443", "db.example.org"];
  const denied = ["bad.example.com", "example.com:25"];
  for (const asked of ["example.com", "a.example.com", "A.b.EXAMPLE.com.", "_smtp._tcp.a.example.com"]) {
    assert.equal(nameToAsk(asked, net, denied), `${asked.toLowerCase().replace(/\.$/, "")}.`, asked);
  }
  for (const asked of ["bad.example.com", "notexample.com", "com", "example.com.evil.org", "a.example.org"]) {
    assert.equal(nameToAsk(asked, net, denied), undefined, asked);
  }
  assert.equal(nameToAsk("a.example.com", net, ["*.example.com:443"]), undefined);
});

Deno.test("a malformed look-up breaks the protocol", () => {
  assert.deepEqual(parseLookup('[1,"TXT","a"]'), [1, "TXT", "a"]);
  const malformed = [
    "",
    "{}",
    "[]",
    '["1","TXT","a"]',
    '[1.5,"TXT","a"]',
    '[1,"ANY","a"]',
    '[1,"txt","a"]',
    '[1,"__proto__","a"]',
    '[1,1,"a"]',
    '[1,"TXT",null]',
    '[1,"TXT",["a"]]',
    `[1,"TXT","${"a".repeat(255)}"]`,
  ];
  for (const payload of malformed) {
    assert.throws(() => parseLookup(payload), ProtocolError, payload.slice(0, 40));
  }
});

/** Look-ups of a function that may reach `a.example`, by `resolve`. */
function lookupsBy(resolve: LookupsOptions["resolve"]): { lookups: Lookups; answers: LookedPayload[] } {
  const answers: LookedPayload[] = [];
  const lookups = new Lookups({
    net: ["a.example"],
    denied: () => [],
    resolve,
    answer: (payload) => answers.push(JSON.parse(payload)),
  });
  return { lookups, answers };
}

const settled = () => new Promise((resolve) => setTimeout(resolve));

Deno.test("only so many look-ups of a process are under way, and only so many are made in a short time", async () => {
  const open: PromiseWithResolvers<unknown[]>[] = [];
  const asked: string[] = [];
  const { lookups, answers } = lookupsBy((name, type) => {
    asked.push(`${type} ${name}`);
    open.push(Promise.withResolvers());
    return open.at(-1)!.promise;
  });
  for (let n = 0; n < 20; n++) lookups.take([n, "TXT", "a.example"]);
  assert.deepEqual(answers, [16, 17, 18, 19].map((n) => [n, "busy"]));
  open.splice(0).forEach(({ resolve }) => resolve([["x"]]));
  await settled();
  assert.deepEqual(
    answers.slice(4),
    Array.from({ length: 16 }, (_, n) => [n, "ok", [["x"]]]),
  );
  answers.length = 0;
  // What is refused is not asked for, and does not count.
  for (let n = 0; n < 1_000; n++) lookups.take([n, "TXT", "other.example"]);
  assert.ok(answers.every(([, outcome]) => outcome === "refused"));
  answers.length = 0;
  for (let n = 0; n < 1_000; n++) {
    lookups.take([n, "TXT", "a.example"]);
    open.splice(0).forEach(({ resolve }) => resolve([]));
    if (n % 8 === 0) await settled();
  }
  await settled();
  const made = answers.filter(([, outcome]) => outcome === "ok").length;
  assert.ok(made >= 16 && made < 100, String(made));
  assert.equal(answers.length, 1_000);
  assert.deepEqual([...new Set(asked)], ["TXT a.example."]);
});

Deno.test("an answer says why there are no records, and a long one is not passed on", async () => {
  const outcomes: Record<string, () => Promise<unknown[]>> = {
    missing: () => Promise.reject(new Deno.errors.NotFound("no records found")),
    late: () => Promise.reject(new Deno.errors.TimedOut("request timed out")),
    failed: () => Promise.reject(new Error("SERVFAIL at 10.0.0.53")),
    "failed ": () => Promise.resolve([["x".repeat(17_000)]]),
  };
  for (const [outcome, resolve] of Object.entries(outcomes)) {
    const { lookups, answers } = lookupsBy(resolve);
    lookups.take([7, "TXT", "a.example"]);
    await settled();
    assert.deepEqual(answers, [[7, outcome.trim()]]);
  }
});

Deno.test("a process that is over gets no answer, and what it asked for is given up", async () => {
  let given: AbortSignal | undefined;
  const { lookups, answers } = lookupsBy((_name, _type, { signal }) => {
    given = signal;
    return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  });
  lookups.take([1, "SRV", "_mongodb._tcp.a.example"]);
  lookups.end();
  await settled();
  assert.deepEqual([given!.aborted, answers], [true, []]);
});
