// What is read from Deno's record of permission checks, whatever a process writes into it.

import assert from "node:assert/strict";
import fc from "fast-check";
import { coversHost, NET_ENTRY_PATTERN } from "../../src/core/functions/permissions.ts";
import { type NetRules, reachable } from "../../src/sandbox/process/net_flags.ts";
import { hostsIn, OTHER_HOSTS, readChecks } from "../../src/sandbox/process/permission_audit.ts";

const mayReach = (rules: NetRules, host: string): boolean => reachable(rules)(host);

const line = (value: string, permission = "net"): string =>
  `${JSON.stringify({ v: 1, datetime: "2026-11-30T05:43:11Z", permission, value })}\n`;

/** Returns the hosts of a stream of these pieces; `onHosts` is called before they are counted. */
async function read(pieces: readonly Uint8Array[], onHosts = (): void => {}): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  const left = [...pieces];
  const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
    type: "bytes",
    pull(controller) {
      const piece = left.shift();
      if (piece) return controller.enqueue(piece as Uint8Array<ArrayBuffer>);
      controller.close();
      (controller as ReadableByteStreamController).byobRequest?.respond(0);
    },
  });
  const reader = readChecks(stream, (hosts) => {
    onHosts();
    for (const [host, checks] of hosts) found[host] = (found[host] ?? 0) + checks;
  });
  reader.finish();
  await reader.ended;
  return found;
}

Deno.test("hosts with a port are read in lower case; URLs, look-ups, files and any port are not", () => {
  const text = [
    ...[line("https://api.example.com/path?key=hidden"), line("API.example.com:443"), line("api.example.com:443")],
    ...[line("[::1]:80"), line("10.0.0.1:5432"), line("api.example.com"), line("0.0.0.0:0"), line("/a:1", "read")],
    ...[line("unix:/run/x.sock"), line("under_score.example:1"), line("a.example:99999"), line("a.example:000443")],
    ...[line("[::ffff:192.0.2.1]:443"), line("[0:0:0:0:0:FFFF:c000:201]:443")],
  ].join("");
  assert.deepEqual(Object.fromEntries(hostsIn(text)), {
    "api.example.com:443": 2,
    "[::1]:80": 1,
    "10.0.0.1:5432": 1,
    [OTHER_HOSTS]: 4,
  });
  // In a URL that a handler chooses, quotes are escaped.
  assert.equal(hostsIn(line(`x"permission":"net","value":"forged.example:1"}\n`)).size, 0);
});

Deno.test("whatever is written, each host can be listed, and where it is cut into pieces does not matter", async () => {
  const value = fc.oneof(
    fc.constantFrom(
      "a.example:1",
      "B.example:2",
      "[fd00::1]:3",
      "[::ffff:1.2.3.4]:5",
      "a.example",
      "a:0",
      "x:y:1",
      "é:1",
      "\0:1",
    ),
    fc.webUrl(),
    fc.string({ maxLength: 20 }),
    fc.constant("https://a.example/" + "long".repeat(400)),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(value.map((value) => line(value)), fc.string({ maxLength: 30 }))),
      fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 3 }),
      async (lines, [first, ...sizes]) => {
        const text = lines.join("");
        const bytes = new TextEncoder().encode(text);
        const expected = Object.fromEntries(hostsIn(new TextDecoder("latin1").decode(bytes)));
        const pieces = [];
        for (let at = 0, n = 0; at < bytes.length && n < 3; n++) {
          const size = n === 2 ? bytes.length : [first!, ...sizes][n] ?? bytes.length;
          pieces.push(bytes.subarray(at, at + size).slice());
          at += size;
        }
        const found = await read(pieces);
        assert.deepEqual(found, expected);
        for (const host of Object.keys(found)) assert.ok(host === OTHER_HOSTS || NET_ENTRY_PATTERN.test(host), host);
      },
    ),
    { numRuns: 20 },
  );
});

Deno.test("what is done with hosts may fail, and the stream is read to its end", async () => {
  const encoder = new TextEncoder();
  const pieces = ["a.example:1", "b.example:2", "c.example:3"].map((host) => encoder.encode(line(host)));
  let calls = 0;
  const found = await read(pieces, () => {
    if (++calls < 3) throw new Error("the disk is full");
  });
  assert.deepEqual(found, { "c.example:3": 1 });
});

Deno.test("a host is reached only if the flags of its process allow it, and what is proposed covers it", () => {
  const rules = (net: NetRules["net"]): NetRules => ({
    net,
    ownAddresses: ["10.0.0.5:8000"],
    databaseAddresses: [],
    machineHosts: ["10.0.0.5"],
    machineNames: new Map([["localhost", ["127.0.0.1", "[::1]"]], ["me", ["10.0.0.5"]]]),
    denied: ["10.9.0.0/16", "bad.example", "half.example:25"],
  });
  const open = ["a.example:443", "10.0.0.6:1", "half.example:443", "[fd00::1]:80"];
  const closed = [
    ...["127.0.0.1:1", "127.8.0.1:1", "[::1]:1", "169.254.169.254:80", "localhost:1", "me:1", "10.0.0.5:8000"],
    ...["10.0.0.5:22", "10.9.1.1:1", "bad.example:443", "half.example:25", "0.0.0.0:80"],
  ];
  for (const host of open) assert.ok(mayReach(rules(true), host), host);
  for (const host of closed) assert.ok(!mayReach(rules(true), host), host);
  for (const host of [...open, ...closed]) assert.ok(!mayReach(rules(false), host), host);
  const listed = rules(["A.example:443", "b.example", "localhost:5432", "[fd00::1]", "bad.example", "me:8000"]);
  const reached = ["a.example:443", "b.example:1", "localhost:5432", "127.0.0.1:5432", "[fd00::1]:9", "me:8000"];
  for (const host of reached) assert.ok(mayReach(listed, host), host);
  const not = ["a.example:80", "c.b.example:1", "localhost:1", "bad.example:1", "10.0.0.5:8000", "127.0.0.1:1"];
  for (const host of not) assert.ok(!mayReach(listed, host), host);
  const below = rules(["*.Example.org:443", "*.bad.example", "*.b.example"]);
  for (const host of ["example.org:443", "a.b.example.org:443", "b.example:1", "x.bad.example:1"]) {
    assert.ok(mayReach(below, host), host);
  }
  for (const host of ["example.org:80", "notexample.org:443", "bad.example:1", "b.example.evil:1"]) {
    assert.ok(!mayReach(below, host), host);
  }
  for (
    const [net, host, covered] of [
      [["A.example:443"], "a.example:443", true],
      [["a.example"], "a.example:1", true],
      [["a.example:443"], "a.example:80", false],
      [["[fd00::1]"], "[fd00::1]:80", true],
      [["a.example"], "b.a.example:80", false],
      [["*.A.example"], "b.c.a.example:80", true],
      [["*.a.example"], "a.example:80", true],
      [["*.a.example:443"], "b.a.example:443", true],
      [["*.a.example:443"], "b.a.example:80", false],
      [["*.a.example"], "ba.example:80", false],
      [["*.a.example"], "b.a.example.evil:80", false],
      [true, "a.example:1", true],
      [false, "a.example:1", false],
    ] as const
  ) assert.equal(coversHost(net, host), covered, `${net} ${host}`);
});

Deno.test("the rules are read once, however many hosts a process asks for", () => {
  let reads = 0;
  const net = Array.from({ length: 100 }, (_, n) => `10.1.${n}.7:443`);
  const rules: NetRules = {
    get net() {
      reads++;
      return net;
    },
    get denied() {
      reads++;
      return ["192.0.2.0/24", "Bad.example"];
    },
    ownAddresses: ["10.0.0.5:8000"],
    databaseAddresses: [],
    machineHosts: ["10.0.0.5"],
    machineNames: new Map(),
  };
  const isReachable = reachable(rules);
  const atFirst = reads;
  for (let n = 0; n < 300; n++) {
    for (const host of [`h${n}.example:443`, "bad.example:1", "192.0.2.9:1", `[fd00::${n}]:1`]) {
      assert.ok(!isReachable(host), host);
    }
    assert.equal(isReachable(`10.1.${n}.7:443`), n < 100);
  }
  for (const odd of ["[::::]:1", "[...]:1", "999.999.999.999:1", "[1.2.3]:1", "1.2.3:4", "a..b:1"]) {
    assert.ok(!isReachable(odd), odd);
  }
  assert.equal(reads, atFirst);
});
