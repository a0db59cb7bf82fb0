import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { createKeyRemoval } from "../../src/calls/shown_request.ts";

function removalOf(...keys: string[]) {
  let lookups = 0;
  const access = {
    generation: 0,
    keys,
    isStored(value: string) {
      lookups++;
      return access.keys.includes(value);
    },
  };
  const removal = createKeyRemoval(access);
  const request = (work: typeof removal) => {
    removal.begin();
    return work;
  };
  return { access, removal, request, lookups: () => lookups };
}

const base64 = (text: string) => Buffer.from(text).toString("base64");

/** Chosen keys may hold any visible ASCII. */
const key = fc.string({
  unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)),
  minLength: 16,
  maxLength: 60,
});

const HEADERS: Record<string, (key: string) => string> = {
  plain: (key) => key,
  "Bearer": (key) => `Bearer ${key}`,
  "another scheme": (key) => `Token ${key}`,
  "two schemes": (key) => `Bearer Bearer ${key}`,
  "Basic with the key as password": (key) => `Basic ${base64(`user:${key}`)}`,
  "Basic with the key as user": (key) => `basic ${base64(`${key}:`)}`,
  "Basic without a colon": (key) => `Basic ${base64(key)}`,
  "sent twice": (key) => `other, ${key}`,
  "sent twice, first": (key) => `${key}, other`,
  quoted: (key) => `"${key}"`,
  "percent-encoded": (key) => encodeURIComponent(key),
};

Deno.test("a header that holds a known key is removed, whatever the key and the way it is sent", () => {
  fc.assert(fc.property(key, fc.constantFrom(...Object.keys(HEADERS)), (key, way) => {
    const { request, removal } = removalOf(key);
    assert.equal(request(removal).header("x-any", HEADERS[way]!(key)), undefined, way);
  }));
});

Deno.test("a key without separators is found inside parameters, addresses and lists", () => {
  const key = "cf_0123456789abcdefABCDEF-xyz";
  const { request, removal } = removalOf(key);
  for (
    const value of [
      `Digest username="u", response="${key}"`,
      `AWS4-HMAC-SHA256 Credential=${key}/20260101`,
      `https://example.com/page?token=${key}#top`,
      `/run/a/${key}/b`,
      `for=10.0.0.1;by=${key}`,
      `user:${key}`,
      `{"key":"${key}"}`,
    ]
  ) {
    assert.equal(request(removal).header("x-any", value), undefined, value);
  }
});

Deno.test("a query loses the parameters that hold a key, whatever their names, and nothing else", () => {
  fc.assert(fc.property(key, fc.constantFrom("API_KEY", "Api_Key", "token", "a[]", ""), (key, name) => {
    const { request, removal } = removalOf(key);
    const encoded = encodeURIComponent(key);
    const url = (query: string) => request(removal).url(`http://h/run/a${query}`);
    assert.equal(url(`?a=%20b&${name}=${encoded}&c`), "http://h/run/a?a=%20b&c");
    assert.equal(url(`?${name}=Bearer+${encoded}`), "http://h/run/a");
    assert.equal(url(`?${encoded}`), "http://h/run/a");
    assert.equal(url(`?x=1&${encoded}=#top`), "http://h/run/a?x=1#top");
  }));
});

Deno.test("of cookies, those that hold a key are removed", () => {
  fc.assert(fc.property(key.filter((key) => !/[;"\s]/.test(key)), (key) => {
    const { request, removal } = removalOf(key);
    assert.equal(request(removal).header("cookie", `a=1; token=${key}; b=2`), "a=1; b=2");
    assert.equal(request(removal).header("cookie", `token=${encodeURIComponent(key)}`), undefined);
  }));
});

Deno.test("what is no key is left as it is, and is looked up once", () => {
  const { access, request, removal, lookups } = removalOf("a-key-of-this-server-000");
  const values = [
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Bearer an-upstream-token-0123456789",
    "Basic " + base64("user:a password that is long enough"),
  ];
  for (const value of values) assert.equal(request(removal).header("x", value), value);
  assert.equal(
    request(removal).url("http://h/?a=an-upstream-token-0123456789"),
    "http://h/?a=an-upstream-token-0123456789",
  );
  const before = lookups();
  for (const value of values) assert.equal(request(removal).header("x", value), value);
  assert.equal(lookups(), before);

  access.keys.push("an-upstream-token-0123456789");
  access.generation++;
  assert.equal(request(removal).header("x", values[2]!), undefined);
});

Deno.test("a request costs a bounded number of look-ups; what is beyond is removed", () => {
  const { request, removal, lookups } = removalOf();
  const tokens = (from: number) => Array.from({ length: 20 }, (_, n) => `token-0123456789-${from + n}`).join(" ");
  const work = request(removal);
  const kept = Array.from({ length: 100 }, (_, n) => work.header("x", tokens(n * 20))).filter((value) =>
    value !== undefined
  );
  assert.ok(lookups() <= 300, String(lookups()));
  assert.ok(kept.length > 5 && kept.length < 100, String(kept.length));
  assert.notEqual(request(removal).header("x", tokens(5_000)), undefined);
});

Deno.test("a request with more parts than are looked through loses what may hold a key, and no other request does", () => {
  const key = "cf_0123456789abcdefABCDEF-xyz";
  const { request, removal, lookups } = removalOf(key);
  const many = { spaces: "ab ", semicolons: "ab;", quotes: '"ab;', percents: "%20ab", basics: "basic QUI6 " };
  for (const [what, part] of Object.entries(many)) {
    const before = lookups();
    const long = part.repeat(5_000);
    assert.equal(request(removal).header("x-any", long + key), undefined, what);
    assert.equal(request(removal).header("x-any", long), undefined, `${what} alone`);
    const agent = `A browser with ${what}`;
    assert.equal(removal.header("user-agent", agent), undefined, "what follows is not looked through");
    assert.equal(request(removal).header("user-agent", agent), agent);
    assert.ok(lookups() - before <= 3 * 256, what);
  }
  assert.equal(request(removal).header("referer", `https://x/?${"a&".repeat(5_000)}`), undefined);
  assert.equal(request(removal).header("cookie", `${"a=b; ".repeat(5_000)}k=${key}; c=d`)?.includes(key), false);
  assert.equal(request(removal).header("authorization", `Basic ${base64("x".repeat(20_000) + `:${key}`)}`), undefined);
});
