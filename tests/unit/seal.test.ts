// The rules of seals: hosts and their patterns, and which changes need the value again.

import assert from "node:assert/strict";
import fc from "fast-check";
import { AppError } from "../../src/errors.ts";
import { changedSeal, checkNotWidened, newSeal, type SealInput, UNSEALED } from "../../src/core/secrets/seal.ts";
import { coversOrigin, isCoveredBy, originOf, parseHostPattern } from "../../src/sealed.ts";
import type { Seal } from "../../src/store/secrets.ts";

const VALUE = "sk_live_12345678";

Deno.test("an entry of hosts has one form, and what could be read in two ways is none", () => {
  const forms: Record<string, string | undefined> = {
    "api.stripe.com": "api.stripe.com",
    "API.Stripe.com.:443": "api.stripe.com",
    "https://api.stripe.com": "api.stripe.com",
    "*.example.com:8443": "*.example.com:8443",
    "http://127.0.0.1:8080": "http://127.0.0.1:8080",
    "http://example.com:80": "http://example.com",
    "bücher.example": "xn--bcher-kva.example",
    "[2001:DB8::1]:8443": "[2001:db8::1]:8443",
    "0x7f.1": "127.0.0.1",
    localhost: "localhost",
  };
  for (const [entry, form] of Object.entries(forms)) assert.equal(parseHostPattern(entry), form, entry);
  const wrong = [
    ...["", "*", "*.com", "*.*.example.com", "a.*.example.com", "http://*.example.com", "*.127.0.0.1", "*.[::1]"],
    ...[
      "user@example.com",
      "user:pass@example.com",
      "example.com/",
      "example.com/path",
      "example.com?x",
      "example.com#x",
    ],
    ...[
      "ftp://example.com",
      "https://",
      "example.com:0",
      "example.com:65536",
      "example.com:",
      "a b",
      "a..b",
      "x.com..",
    ],
    ...["[::ffff:127.0.0.1]", "example.com\\", "example.com\n", " example.com", "exa\0mple.com", "%65xample.com"],
    ...["example.com\0", "\x1fexample.com", "example.com\x7f", `${"a".repeat(250)}.com`],
  ];
  for (const entry of wrong) assert.equal(parseHostPattern(entry), undefined, JSON.stringify(entry));
});

Deno.test("a host is covered by its own entry, and by a wildcard at every depth below", () => {
  const covers = (pattern: string, url: string): boolean => {
    const origin = originOf(new URL(url));
    return origin !== undefined && coversOrigin([parseHostPattern(pattern)!], origin);
  };
  for (
    const [pattern, url] of [
      ["api.example.com", "https://api.example.com/x"],
      ["api.example.com", "https://API.example.com.:443/"],
      ["bücher.example", "https://BÜCHER.example/"],
      ["*.example.com", "https://a.example.com/"],
      ["*.example.com", "https://a.b.c.example.com/"],
      ["*.example.com:8443", "https://a.example.com:8443/"],
      ["http://127.0.0.1:8080", "http://127.0.0.1:8080/"],
      ["http://127.0.0.1:8080", "http://0x7f000001:8080/"],
    ] as const
  ) assert.ok(covers(pattern, url), `${pattern} ${url}`);
  for (
    const [pattern, url] of [
      ["api.example.com", "http://api.example.com/"],
      ["api.example.com", "http://api.example.com:443/"],
      ["api.example.com", "https://api.example.com:8443/"],
      ["api.example.com", "https://api.example.com.evil.test/"],
      ["api.example.com", "https://evil-api.example.com/"],
      ["api.example.com", "https://a.api.example.com/"],
      ["api.example.com", "https://api.example.com@evil.test/"],
      ["*.example.com", "https://example.com/"],
      ["*.example.com", "https://evilexample.com/"],
      ["*.example.com", "https://a.example.com.evil.test/"],
      ["http://127.0.0.1:8080", "https://127.0.0.1:8080/"],
      ["http://127.0.0.1:8080", "ws://127.0.0.1:8080/"],
    ] as const
  ) assert.ok(!covers(pattern, url), `${pattern} ${url}`);
});

Deno.test("an entry is covered by others only if each of its hosts is", () => {
  assert.ok(isCoveredBy("a.example.com", ["*.example.com"]));
  assert.ok(isCoveredBy("*.a.example.com", ["*.example.com"]));
  assert.ok(!isCoveredBy("*.example.com", ["x.example.com", "*.a.example.com"]));
  assert.ok(!isCoveredBy("example.com", ["*.example.com"]));
  assert.ok(!isCoveredBy("a.example.com:8443", ["*.example.com"]));
  const label = fc.constantFrom("a", "b", "*");
  const pattern = fc.tuple(fc.array(label, { minLength: 1, maxLength: 3 }), fc.constantFrom("", ":8443"))
    .map(([labels, port]) => parseHostPattern(`${labels.join(".")}.example.com${port}`))
    .filter((parsed) => parsed !== undefined);
  const host = fc.tuple(fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 4 }), fc.constantFrom("", ":8443"))
    .map(([labels, port]) => originOf(new URL(`https://${[...labels, "example.com"].join(".")}${port}`))!);
  fc.assert(fc.property(pattern, fc.array(pattern, { maxLength: 3 }), host, (one, others, origin) => {
    if (isCoveredBy(one, others) && coversOrigin([one], origin)) assert.ok(coversOrigin(others, origin));
  }));
});

const sealed = (hosts: string[], places: Seal["places"] = ["header"]): Seal => ({ sealed: true, hosts, places });

function refused(work: () => unknown, field: string): void {
  assert.throws(work, (error) => error instanceof AppError && error.status === 400 && field in error.details!, field);
}

Deno.test("a new seal needs hosts, and a value of at least 8 bytes; hosts need a seal", () => {
  assert.deepEqual(
    newSeal({ sealed: true, hosts: ["A.example.com", "a.example.com:443"] }, VALUE),
    sealed(["a.example.com"]),
  );
  assert.deepEqual(newSeal({}, "short"), UNSEALED);
  assert.deepEqual(newSeal({ sealed: false, hosts: [] }, "short"), UNSEALED);
  assert.deepEqual(newSeal({ sealed: true, hosts: ["a.example"], places: ["body", "header", "body"] }, VALUE).places, [
    "header",
    "body",
  ]);
  newSeal({ sealed: true, hosts: ["a.example"] }, "éééé");
  refused(() => newSeal({ sealed: true, hosts: ["a.example"] }, "1234567"), "value");
  // A host that drops the white space would echo what is too short to be found.
  refused(() => newSeal({ sealed: true, hosts: ["a.example"] }, "  1234567\n"), "value");
  newSeal({ sealed: true, hosts: ["a.example"] }, " 12345678\n");
  refused(() => newSeal({ sealed: true }, VALUE), "hosts");
  refused(() => newSeal({ sealed: true, hosts: [] }, VALUE), "hosts");
  refused(() => newSeal({ sealed: true, hosts: ["a.example", "*"] }, VALUE), "hosts.1");
  refused(() => newSeal({ sealed: true, hosts: ["a.example"], places: [] }, VALUE), "in");
  refused(() => newSeal({ hosts: ["a.example"] }, VALUE), "hosts");
  refused(() => newSeal({ places: ["body"] }, VALUE), "in");
});

Deno.test("what lets a sealed value go further needs the value again, what takes back does not", () => {
  const before = sealed(["*.example.com", "api.test"], ["header", "query"]);
  const change = (input: SealInput, more: { value?: string; isRenamed?: boolean } = {}) =>
    changedSeal(before, input, {
      value: more.value,
      isRenamed: more.isRenamed ?? false,
      current: () => "stored value",
    });
  const wider: SealInput[] = [
    { sealed: false },
    { hosts: ["*.example.com", "api.test", "other.test"] },
    { hosts: ["example.com"] },
    { hosts: ["api.test:8443"] },
    { hosts: ["http://api.test"] },
    { places: ["header", "body"] },
    { places: ["path"] },
  ];
  for (const input of wider) {
    refused(() => change(input), "value");
    change(input, { value: VALUE });
  }
  refused(() => change({}, { isRenamed: true }), "value");
  change({}, { isRenamed: true, value: VALUE });
  assert.deepEqual(change({ hosts: ["a.example.com"] }), sealed(["a.example.com"], ["header", "query"]));
  assert.deepEqual(change({ places: ["query"] }).places, ["query"]);
  assert.deepEqual(change({}), before);
  refused(() => change({}, { value: "short" }), "value");
  refused(() => change({ hosts: [] }), "hosts");
  // Sealing what was not sealed takes back.
  const open = (current: string) =>
    changedSeal(UNSEALED, { sealed: true, hosts: ["a.test"] }, {
      value: undefined,
      isRenamed: true,
      current: () => current,
    });
  assert.deepEqual(open(VALUE), sealed(["a.test"]));
  refused(() => open("short"), "value");
});

Deno.test("a sealed secret gets no wider scope", () => {
  checkNotWidened(sealed(["a.test"]), "group", "key");
  checkNotWidened(sealed(["a.test"]), "group", "group");
  checkNotWidened(UNSEALED, "key", "global");
  for (const [from, to] of [["key", "group"], ["group", "function"], ["function", "global"]] as const) {
    refused(() => checkNotWidened(sealed(["a.test"]), from, to), "scope");
  }
});
