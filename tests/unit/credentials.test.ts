// Where a request's API keys are looked for, in which order, and that nothing else of its URL is lost.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { credentials, withoutApiKey } from "../../src/http/credentials.ts";

const BARE = "http://localhost/run/a";

const found = (headers: Record<string, string>, url = BARE) =>
  credentials(new Headers(headers), url).map(({ from, value }) => [from, value]);

const basic = (text: string) => `Basic ${Buffer.from(text).toString("base64")}`;

Deno.test("X-API-Key counts before Authorization, and Authorization before ?api_key=", () => {
  const headers = { "Authorization": "Bearer second", "X-API-Key": "first" };
  const url = `${BARE}?api_key=third`;
  assert.deepEqual(found(headers, url), [["X-API-Key", "first"], ["Authorization", "second"], ["api_key", "third"]]);
  assert.deepEqual(found({ Authorization: "Bearer second" }, url), [["Authorization", "second"], ["api_key", "third"]]);
  assert.deepEqual(found({}, url), [["api_key", "third"]]);
  assert.deepEqual(found({}), []);
});

Deno.test("a credential that is present but empty is still the first one", () => {
  assert.deepEqual(found({ "X-API-Key": "" }, `${BARE}?api_key=k`), [["X-API-Key", ""], ["api_key", "k"]]);
  assert.deepEqual(found({}, `${BARE}?api_key=`), [["api_key", ""]]);
  assert.deepEqual(found({}, `${BARE}?api_key`), [["api_key", ""]]);
});

Deno.test("Authorization holds a Bearer token, the password of Basic, or the plain key", () => {
  const cases: Record<string, string> = {
    "Bearer K": "K",
    "bearer K": "K",
    "BEARER   K": "K",
    "Bearer a b": "a b",
    "K": "K",
    "cf_x-Y.z~": "cf_x-Y.z~",
    "Bearer": "Bearer",
    "Token K": "Token K",
    [basic("api:K")]: "K",
    [basic(":K")]: "K",
    [basic("user:K:with:colons")]: "K:with:colons",
    [basic("user:")]: "",
    [basic("K")]: "K",
    [basic("api:K").replace("Basic", "bAsIc")]: "K",
  };
  for (const [header, key] of Object.entries(cases)) {
    assert.deepEqual(found({ Authorization: header }), [["Authorization", key]], header);
  }
});

Deno.test("the api_key parameter is found wherever it stands, decoded, and the first one is taken", () => {
  const cases: Record<string, string> = {
    "?api_key=k": "k",
    "?a=1&api_key=k&b=2": "k",
    "?api_key=one&api_key=two": "one",
    "?api_key=a%26b%3Dc": "a&b=c",
    "?api_key=a+b": "a b",
    "?api_key=k#api_key=no": "k",
  };
  for (const [query, key] of Object.entries(cases)) {
    assert.deepEqual(found({}, BARE + query), [["api_key", key]], query);
  }
  const none = [
    "",
    "?",
    "?a=1",
    "?xapi_key=k",
    "?api_keys=k",
    "?API_KEY=k",
    "??api_key=k",
    "?a=api_key",
  ];
  for (const query of none) assert.deepEqual(found({}, BARE + query), [], query);
});

Deno.test("a host that no URL could have does not keep the key from being found", () => {
  assert.deepEqual(found({}, "http://a b/run/a?x=1&api_key=k"), [["api_key", "k"]]);
  assert.equal(withoutApiKey("http://a b/run/a?x=1&api_key=k"), "http://a b/run/a?x=1");
});

Deno.test("a URL without its api_key is otherwise as it was, byte for byte", () => {
  const cases: Record<string, string> = {
    "": "",
    "?": "?",
    "?a=1": "?a=1",
    "?api_key=k": "",
    "?api_key": "",
    "?api_key=k&a=1": "?a=1",
    "?a=1&api_key=k": "?a=1",
    "?a=1&api_key=k&b=2": "?a=1&b=2",
    "?api_key=k&a=1&api_key=l": "?a=1",
    "?a=%2f%2F+%20&api_key=k&b==&&c": "?a=%2f%2F+%20&b==&&c",
    "?api%5Fkey=k&api_key=l&a=1": "?a=1",
    "?xapi_key=k&api_keys=l": "?xapi_key=k&api_keys=l",
    "?API_KEY=k": "?API_KEY=k",
    "?a=api_key": "?a=api_key",
    "??api_key=k": "??api_key=k",
    "?a=1&?api_key=k&api_key=l": "?a=1&?api_key=k",
    "?api_key=k#part": "#part",
    "?a=1&api_key=k#part?api_key=x": "?a=1#part?api_key=x",
  };
  for (const [query, rest] of Object.entries(cases)) assert.equal(withoutApiKey(BARE + query), BARE + rest, query);
});

Deno.test("for every query, only the api_key parameters go, and no key can be found afterwards", () => {
  const part = fc.oneof(
    fc.constantFrom("api_key", "api_key=k", "api_key=a=b", "api%5Fkey=k", "?api_key=k", "a=api_key", "", "=", "a", "+"),
    fc.stringMatching(/^[a-z_=%+?.]{0,8}$/),
  );
  fc.assert(fc.property(fc.array(part, { maxLength: 6 }), (parts) => {
    const url = `${BARE}?${parts.join("&")}`;
    const rest = withoutApiKey(url);
    const pairs = (of: string) => [...new URL(of).searchParams].filter(([name]) => name !== "api_key");
    assert.deepEqual(pairs(rest), pairs(url));
    assert.deepEqual(credentials(new Headers(), rest), []);
    const kept = rest === BARE ? [] : rest.slice(BARE.length + 1).split("&");
    let at = 0;
    for (const one of kept) {
      while (at < parts.length && parts[at] !== one) at++;
      assert.ok(at++ < parts.length || one === "", `${url} became ${rest}`);
    }
  }));
});
