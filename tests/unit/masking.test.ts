// Values in texts: every form, cut in pieces, by the thousand, and never slowly.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { inspect } from "node:util";
import fc from "fast-check";
import { html } from "hono/html";
import { createMasking, type DisclosedSecrets, type Masking } from "../../src/masking/masking.ts";
import type { FunctionId } from "../../src/ids.ts";
import { leakSearch } from "../../src/calls/leak_guard.ts";
import { LogQueue } from "../../src/telemetry/log_queue.ts";
import { runs } from "../thorough.ts";

const SECRET = 's3cr3t/t0ken+= "quoted" it\'s\nand more';
/** What URL and HTML treat differently from place to place. */
const SIGNS = "a!b$c&d'e(f)g*h+i,j;k=l:m/n?o@p#q[r]s%t^u`v{w|x}y<z>é\\";

function masked(value: string, text: string, name = "TOKEN"): string {
  const masking = createMasking();
  const disclosed = masking.begin(1);
  masking.recordDisclosure(disclosed, name, value);
  return masking.mask(1, text, disclosed);
}

/** What a response with this text is found to contain. */
function searched(value: string, text: string) {
  const masking = createMasking();
  return leakSearch(masking, given(masking, { TOKEN: value })).whole(new TextEncoder().encode(text));
}

function given(masking: Masking, values: Record<string, string>): DisclosedSecrets {
  const disclosed = masking.begin(1);
  for (const [name, value] of Object.entries(values)) masking.recordDisclosure(disclosed, name, value);
  return disclosed;
}

Deno.test("a value is masked in each form that programs give it", () => {
  const forms: Record<string, string> = {
    "as it is": SECRET,
    "in JSON": JSON.stringify({ SECRET }).slice(11, -2),
    "as an object is printed": inspect({ SECRET }).slice(11, -3),
    "in a URL": encodeURIComponent(SECRET),
    "in a URL, small letters": encodeURIComponent(SECRET).replace(/%../g, (code) => code.toLowerCase()),
    "in a form": new URLSearchParams({ SECRET }).toString().slice(7),
    "Base64": Buffer.from(SECRET).toString("base64"),
    "Base64 of URLs": Buffer.from(SECRET).toString("base64url"),
    "hexadecimal": Buffer.from(SECRET).toString("hex"),
    "HEXADECIMAL": Buffer.from(SECRET).toString("hex").toUpperCase(),
    "without line breaks": SECRET.replace("\n", ""),
    "in JSON within JSON": JSON.stringify({ body: JSON.stringify({ SECRET }) }).slice(23, -5),
    "in HTML": `${html`${SECRET}`}`,
  };
  for (const [how, form] of Object.entries(forms)) {
    assert.equal(masked(SECRET, `<${form}>`), "<[secret TOKEN]>", how);
    assert.equal(
      masked(`${SECRET}\n`, `<${form}>`),
      "<[secret TOKEN]>",
      `${how}, of a value with a line break at its end`,
    );
  }
});

Deno.test("a value is masked in each part of a URL", () => {
  const url = new URL("https://user@host/");
  url.password = SIGNS;
  url.searchParams.set("form", SIGNS);
  const query = new URL(`https://host/?${SIGNS.replace("#", "").replace("'", "")}`).search.slice(1);
  for (const form of [encodeURI(SIGNS), encodeURIComponent(SIGNS), url.password, url.search.slice(6)]) {
    assert.equal(masked(SIGNS, `<${form}>`), "<[secret TOKEN]>", form);
  }
  assert.equal(masked(SIGNS, url.href), "https://user:[secret TOKEN]@host/?form=[secret TOKEN]");
  assert.equal(masked(SIGNS.replace("#", "").replace("'", ""), query), "[secret TOKEN]", query);
});

Deno.test("a value is masked whichever of its characters a program percent-encodes", () => {
  const code = (byte: number) => `%${byte.toString(16).padStart(2, "0").toUpperCase()}`;
  const encoded = (kept: RegExp) =>
    [...new TextEncoder().encode(SIGNS)].map((byte) => {
      const character = String.fromCharCode(byte);
      return kept.test(character) ? character : code(byte);
    }).join("");
  // RFC 3986 3.3, Python's `quote`, Java's and PHP's encoders, and a program that encodes all of it.
  for (const kept of [/[\w.~!$&'()*+,;=:@-]/, /[\w.~/-]/, /[\w.*-]/, /[\w.-]/, /[^]{2}/]) {
    const form = encoded(kept);
    assert.equal(masked(SIGNS, `<${form}>`), "<[secret TOKEN]>", form);
    const small = form.replace(/%../g, (one) => one.toLowerCase());
    assert.equal(masked(SIGNS, `<${small}>`), "<[secret TOKEN]>", small);
    assert.equal(masked(SIGNS, `<${form.replaceAll("%", "%25")}>`), "<[secret TOKEN]>", `${form}, again`);
    assert.equal(masked(SIGNS, `%3D${form}%2F%22`), "%3D[secret TOKEN]%2F%22", `${form}, within others`);
    const inJson = JSON.stringify(form).slice(1, -1).replaceAll("/", "\\/");
    assert.equal(masked(SIGNS, `"<${inJson}>"`), '"<[secret TOKEN]>"', `${form}, in JSON`);
  }
  assert.equal(masked("two words*", "<two+words%2A>"), "<[secret TOKEN]>");
});

Deno.test("a value inside a longer Base64 text is masked wherever it begins", () => {
  const property = fc.property(
    fc.uint8Array({ maxLength: 20 }),
    fc.string({ unit: "grapheme", minLength: 8, maxLength: 40 }).filter((text) => text.trim() === text),
    fc.uint8Array({ maxLength: 20 }),
    (before, value, after) => {
      const bytes = Buffer.concat([before, Buffer.from(value), after]);
      for (const encoding of ["base64", "base64url"] as const) {
        const text = masked(value, bytes.toString(encoding));
        assert.match(text, /\[secret TOKEN\]/);
        // What is left decides no byte of the value.
        const left = text.length - "[secret TOKEN]".length;
        assert.ok(left <= Math.ceil((before.length + after.length) * 4 / 3) + 4, `${left} of ${text}`);
      }
    },
  );
  fc.assert(property, { numRuns: 300 });
});

Deno.test("what is found is what a plain search would find", () => {
  const alphabet = fc.constantFrom("a", "b", "é", "\u{1f600}");
  const word = (min: number, max: number) => fc.string({ unit: alphabet, minLength: min, maxLength: max });
  const property = fc.property(fc.array(word(8, 12), { minLength: 1, maxLength: 30 }), word(0, 400), (values, text) => {
    const masking = createMasking();
    const disclosed = given(masking, Object.fromEntries(values.map((value, n) => [`S${n}`, value])));
    const findings = leakSearch(masking, disclosed).whole(new TextEncoder().encode(text));
    const expected = values.some((value) => text.includes(value));
    assert.equal(findings !== undefined, expected);
    for (const name of findings?.names ?? []) assert.ok(text.includes(values[Number(name.slice(1))]!));
    const left = masking.mask(1, text, disclosed);
    for (const value of values) assert.ok(!left.includes(value), left);
    // Only what a value covers, or a beginning of one at the end, is taken away.
    if (!expected && left !== text) assert.ok(left.endsWith("]") && text.startsWith(left.split("[secret")[0]!));
  });
  fc.assert(property, { numRuns: 500 });
});

Deno.test("a value in pieces, however it is cut, is masked in all of them", () => {
  const value = "the-quick-brown-fox-jumps-over-the-lazy-dog";
  const property = fc.property(
    fc.array(fc.integer({ min: 1, max: value.length - 1 }), { maxLength: 50 }),
    fc.nat(60),
    (cuts, at) => {
      const masking = createMasking();
      const disclosed = given(masking, { FOX: value });
      const points = [0, ...new Set(cuts.sort((a, b) => a - b)), value.length];
      const texts = points.slice(1).map((end, n) => value.slice(points[n], end));
      const pieces = ["before", ...texts, "after"];
      const all = masking.maskPieces(1, disclosed, "", pieces).texts;
      assert.deepEqual(all, ["before", ...texts.map(() => "[secret FOX]"), "after"]);

      // In two batches, what follows is masked, and of what came before at most seven bytes are left.
      const cut = at % pieces.length;
      const first = masking.maskPieces(1, disclosed, "", pieces.slice(0, cut));
      const second = masking.maskPieces(1, disclosed, first.open, pieces.slice(cut));
      const left = [...first.texts, ...second.texts].map((text) => text.replaceAll("[secret FOX]", ""));
      assert.ok(left.join("").length <= "beforeafter".length + 7, left.join());
      assert.equal(left.at(-1), cut === pieces.length - 1 || second.texts.length > 0 ? "after" : left.at(-1));
    },
  );
  fc.assert(property, { numRuns: 300 });
});

Deno.test("a beginning at the end of a text is open, and tells from which piece on", () => {
  const masking = createMasking();
  const disclosed = given(masking, { KEY: "abcdefghijklmnop" });
  const pieces = (before: string, ...texts: string[]) => masking.maskPieces(1, disclosed, before, texts);
  assert.deepEqual(pieces("", "x", "yab", "cd"), { texts: ["x", "yab", "cd"], openFrom: 1, open: "abcd" });
  assert.deepEqual(pieces("", "x", "y"), { texts: ["x", "y"], openFrom: 2, open: "" });
  assert.deepEqual(pieces("abcd", "ef"), { texts: ["ef"], openFrom: -1, open: "abcdef" });
  assert.deepEqual(pieces("abcdef", "gh"), { texts: ["[secret KEY]"], openFrom: -1, open: "abcdefgh" });
  assert.deepEqual(pieces("abcdefgh", "ijklmnop!"), { texts: ["[secret KEY]!"], openFrom: 1, open: "" });
  assert.deepEqual(pieces("abcdefgh", "?"), { texts: ["?"], openFrom: 1, open: "" });
});

Deno.test("of a long value a cut-off text shows nothing that a reader could use", () => {
  const value = Array.from({ length: 1_600 }, (_, n) => `${n * 7919 % 10_000}`.padStart(10, "x")).join("").slice(
    0,
    16_384,
  );
  for (const form of [value, encodeURIComponent(value), Buffer.from(value).toString("base64")]) {
    assert.equal(masked(value, `<${form}>`), "<[secret TOKEN]>");
    for (const kept of [300, 5_000, 16_000]) {
      assert.equal(masked(value, `key: ${form.slice(0, kept)}`), "key: [secret TOKEN]");
      assert.equal(masked(value, `key: ${form.slice(0, kept)}... more`), "key: [secret TOKEN]... more");
    }
    assert.equal(masked(value, `key: ${form.slice(0, 100)}`), "key: [secret TOKEN]");
  }
});

Deno.test("values of less than 8 bytes stay, those of 8 bytes in fewer characters do not", () => {
  assert.equal(masked("1234567", "1234567"), "1234567");
  assert.equal(masked("12345678", "12345678"), "[secret TOKEN]");
  assert.equal(masked("ключ", "<ключ>"), "<[secret TOKEN]>");
  assert.equal(masked("abc\n\n\n\n\n", "abc"), "abc");
});

Deno.test("overlapping values are masked together, the longest first", () => {
  const masking = createMasking();
  const disclosed = given(masking, { A: "abcdefgh", B: "efghijkl", LONG: "0123456789abcdef", SHORT: "12345678" });
  assert.equal(masking.mask(1, "<abcdefghijkl>", disclosed), "<[secret A][secret B]>");
  assert.equal(masking.mask(1, "<0123456789abcdef>", disclosed), "<[secret LONG]>");
  assert.equal(masking.mask(1, "<12345678>", disclosed), "<[secret SHORT]>");
});

Deno.test("what one call was given is masked in the others of its function, and in no other function", () => {
  const masking = createMasking();
  given(masking, { TOKEN: "a-value-of-one-call" });
  const other = masking.begin(1);
  assert.equal(masking.mask(1, "a-value-of-one-call", other), "[secret TOKEN]");
  assert.equal(masking.mask(2, "a-value-of-one-call"), "a-value-of-one-call");
  const answer = new TextEncoder().encode("a-value-of-one-call");
  assert.equal(leakSearch(masking, other).whole(answer), undefined, "but it is no leak of that call");
  masking.forget(1);
  assert.equal(masking.mask(1, "a-value-of-one-call"), "a-value-of-one-call");
});

Deno.test("a call's own values are masked however many other calls were given since", () => {
  const masking = createMasking();
  const disclosed = given(masking, { MINE: "the-value-of-a-long-call" });
  for (let n = 0; n < 1_000; n++) given(masking, { [`S${n}`]: `${n} `.repeat(4_000) });
  assert.equal(masking.mask(1, "the-value-of-a-long-call", disclosed), "[secret MINE]");
  assert.deepEqual(leakSearch(masking, disclosed).whole(new TextEncoder().encode("<the-value-of-a-long-call>")), {
    names: ["MINE"],
    certain: true,
  });
});

Deno.test("however many functions were given values since, a call's own are masked, and not all others are kept", () => {
  const masking = createMasking();
  const early = masking.begin(1);
  masking.recordDisclosure(early, "EARLY", "early-value-0123456789");
  const long = (n: number) => `${n}-`.padEnd(16_384, "long");
  // Beyond what all functions together may take, far below what each may.
  for (let functionId = 2; functionId < 3_000; functionId++) {
    masking.recordDisclosure(masking.begin(functionId), "LONG", long(functionId));
  }
  assert.equal(masking.mask(1, "it is early-value-0123456789", early), "it is [secret EARLY]");
  assert.equal(masking.mask(2_999, `it is ${long(2_999)}`), "it is [secret LONG]");
  assert.equal(masking.mask(2, `it is ${long(2)}`), `it is ${long(2)}`);
});

Deno.test("a call that was given more than is kept prints nothing that is shown", () => {
  const masking = createMasking();
  const disclosed = masking.begin(1);
  for (let n = 0; n < 5_000; n++) masking.recordDisclosure(disclosed, `S${n}`, `${n} `.repeat(3_000));
  assert.match(masking.mask(1, "0 ".repeat(3_000), disclosed), /^\[not shown: /);
  assert.deepEqual(leakSearch(masking, disclosed).whole(new Uint8Array(10)), { names: [], certain: false });
});

/** As long as a value may be, and different for each `n`. */
const longValue = (n: number): string => `${n}-`.padEnd(16_384, "long");
const isShown = (masking: Masking, disclosed: DisclosedSecrets): boolean =>
  masking.mask(1, "a text", disclosed) === "a text";

Deno.test("calls that are given the same values have them in memory once, however many calls there are", () => {
  const masking = createMasking();
  const calls = Array.from({ length: 1_000 }, () => {
    const disclosed = masking.begin(1);
    for (let n = 0; n < 50; n++) masking.recordDisclosure(disclosed, `S${n}`, longValue(n));
    return disclosed;
  });
  assert.ok(calls.every((disclosed) => isShown(masking, disclosed)));
});

Deno.test("the values of all calls under way are bounded: a call beyond that is shown nowhere, until others end", () => {
  const masking = createMasking();
  let next = 0;
  const begin = (functionId: number): DisclosedSecrets => {
    const disclosed = masking.begin(functionId);
    for (let n = 0; n < 50; n++) masking.recordDisclosure(disclosed, "S", longValue(next++));
    return disclosed;
  };
  const mine = Array.from({ length: 20 }, () => begin(1));
  assert.ok(isShown(masking, mine[0]!) && !isShown(masking, mine.at(-1)!));
  const other = begin(2);
  assert.equal(masking.mask(2, longValue(next - 1), other), "[secret S]", "one function leaves room to others");
  for (let functionId = 3; functionId < 8; functionId++) for (let n = 0; n < 20; n++) begin(functionId);
  assert.match(masking.mask(9, "a text", begin(9)), /^\[not shown: /, "all of them together have an end");
  mine.forEach(masking.release);
  assert.equal(masking.mask(9, "a text", begin(9)), "a text");
});

Deno.test("what a call printed is masked by its own values after it has ended, then they are forgotten", () => {
  const masking = createMasking();
  const queue = new LogQueue(masking);
  const disclosed = given(masking, { MINE: "the-value-of-a-call-that-ended" });
  const entry = {
    functionId: 1 as FunctionId,
    requestId: "r",
    level: "info",
    event: "print",
    at: 1,
    disclosed,
  } as const;
  queue.push({ ...entry, message: "<the-value-of-a-call-that-ended>" });
  masking.release(disclosed);
  // The function forgets what it was given before.
  for (let n = 0; n < 500; n++) masking.release(given(masking, { [`S${n}`]: longValue(n) }));
  assert.equal(masking.mask(1, "the-value-of-a-call-that-ended"), "the-value-of-a-call-that-ended");
  assert.equal(disclosed.values.size, 1);
  assert.deepEqual(queue.take(10, 2, 2).map(({ message }) => message), ["<[secret MINE]>"]);
  assert.equal(disclosed.values.size, 0);
});

Deno.test("a response's value is found across pieces, and its beginning can be held back", () => {
  const masking = createMasking();
  const disclosed = given(masking, { A: "abcdefghijklmnop", B: "b-value-of-some-length" });
  const search = leakSearch(masking, disclosed);
  const encode = (text: string) => new TextEncoder().encode(text);
  assert.deepEqual([search.piece(encode("hello abc")), search.openBytes], [undefined, 0]);
  assert.deepEqual([search.piece(encode("def")), search.openBytes], [undefined, 6]);
  assert.deepEqual([search.piece(encode("ghijklmnop")), search.openBytes], [{ names: ["A"], certain: true }, 0]);
  assert.equal(search.piece(encode("abcdefghijklmnop again")), undefined, "it was told");
  assert.deepEqual(search.piece(encode("b-value-of-some-length")), { names: ["B"], certain: true });
});

Deno.test("masking takes time by the length of a text, not by its square, whatever text and values are made of", () => {
  const alike = (n: number) =>
    `-----BEGIN PRIVATE KEY-----\n${`${n}`.padStart(6, "0")}${"MIIEvQIBADANBgkqhkiG".repeat(80)}`;
  const same = (n: number) => "a".repeat(15_000) + n;
  const patterns = ["a", "-----BEGIN PRIVATE KEY-----\n", "MIIEvQIBADANBgkqhkiG"];
  for (const valueOf of [alike, same]) {
    const masking = createMasking();
    let disclosed = masking.begin(1);
    for (let n = 0; n < runs(500, 3_000); n++) {
      if (n % 100 === 0) {
        masking.release(disclosed);
        disclosed = masking.begin(1);
      }
      masking.recordDisclosure(disclosed, `S${n}`, valueOf(n));
    }
    const fastest = (text: string): number => {
      const times = [1, 2, 3].map(() => {
        const began = performance.now();
        masking.mask(1, text, disclosed);
        leakSearch(masking, disclosed).piece(new TextEncoder().encode(text));
        return performance.now() - began;
      });
      return Math.min(...times);
    };
    for (const pattern of patterns) {
      const text = pattern.repeat(Math.ceil(runs(1 << 17, 1 << 19) / pattern.length));
      // 8 if the time goes by the length, 64 if by its square. A busy machine may stretch a time, but not all of them.
      let ratio = Infinity;
      for (let attempt = 0; attempt < 5 && ratio >= 32; attempt++) {
        ratio = fastest(text) / fastest(text.slice(0, text.length / 8));
      }
      assert.ok(ratio < 32, `${ratio} times as long for 8 times ${pattern.slice(0, 20)}`);
    }
  }
});

const UMLAUTS = "Grüße-aus-Köln 🔑 & <mehr>";

Deno.test("a value is masked where the runtime prints its bytes, however they are laid out", () => {
  const long = Array.from({ length: 40 }, (_, index) => `part-${index}`).join("/");
  for (const value of [SECRET, "s3cr3t-t0ken", UMLAUTS, long]) {
    const bytes = new TextEncoder().encode(value);
    const buffer = Buffer.from(value);
    const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0"));
    const printed: Record<string, string> = {
      "Buffer, by Deno": Deno.inspect(buffer),
      "Buffer, by Node": inspect(buffer),
      "bytes, by Deno": Deno.inspect(bytes),
      "bytes, by Node": inspect(bytes),
      "bytes in an object": Deno.inspect({ a: { b: bytes, c: 1 } }),
      "bytes in an object, by Node": inspect({ a: { b: bytes, c: 1 } }),
      "a list": inspect([...bytes]),
      "ArrayBuffer, by Node": inspect(bytes.buffer),
      "JSON of bytes": JSON.stringify(bytes),
      "JSON of bytes, indented": JSON.stringify(bytes, null, 2),
      "JSON of a Buffer": JSON.stringify(buffer),
      "a text": String(bytes),
      "hexadecimal with spaces": hex.join(" "),
      "with colons": hex.join(":"),
      "WITH COLONS": hex.join(":").toUpperCase(),
      "as in C": hex.map((pair) => `0x${pair}`).join(", "),
    };
    for (const [how, text] of Object.entries(printed)) {
      const result = masked(value, `before ${text} after`);
      assert.match(result, /^before .*\[secret TOKEN\].* after$/s, `${how}: ${result}`);
      // What is left is the frame: no number of the value.
      const left = result.replace(/\[secret TOKEN\]/g, "").replace(/\(\d+\)|byteLength: \d+|\d+ more \w+|c: 1/g, "");
      assert.doesNotMatch(left, /(?:[0-9a-fA-F]{2}[\s,:]+){3}/, `${how}: ${result}`);
    }
  }
});

Deno.test("a value is masked where its characters are escaped", () => {
  const asciiJson = (text: string) =>
    JSON.stringify(text).slice(1, -1).replace(
      /[^ -~]/g,
      (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
  const each = (text: string, escape: (code: number) => string, which = /[^]/gu) =>
    text.replace(which, (character) => escape(character.codePointAt(0)!));
  for (const value of [UMLAUTS, SECRET]) {
    const forms: Record<string, string> = {
      "JSON in ASCII": asciiJson(value),
      "JSON in ASCII, capitals": asciiJson(value).replace(/u[0-9a-f]{4}/g, (code) => "u" + code.slice(1).toUpperCase()),
      "JSON in ASCII within JSON": JSON.stringify(asciiJson(value)).slice(1, -1),
      "entities": each(value, (code) => `&#${code};`),
      "entities of signs": each(value, (code) => `&#x${code.toString(16)};`, /[^\w ]/gu),
      "entities of signs, capitals": each(value, (code) => `&#X${code.toString(16).toUpperCase()};`, /[^\w ]/gu),
      "escapes of code points": each(value, (code) => `\\u{${code.toString(16)}}`),
      "JSON by PHP": asciiJson(value).replaceAll("/", "\\/"),
      "JSON by PHP, not in ASCII": JSON.stringify(value).slice(1, -1).replaceAll("/", "\\/"),
    };
    for (const [how, form] of Object.entries(forms)) {
      if (how === "JSON in ASCII within JSON" && value === SECRET) continue;
      assert.equal(masked(value, `<${form}>`), "<[secret TOKEN]>", how);
    }
  }
  const value = `s3cr3t<"t0ken"> & it's`;
  for (
    const form of [
      value.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;"),
      value.replaceAll("&", "&amp;").replaceAll("<", "&lt;"),
      value.replaceAll("&", "&amp;").replaceAll('"', "&quot;"),
      value.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;").replaceAll("'", "&apos;"),
    ]
  ) {
    assert.equal(masked(value, `<b>${form}</b>`), "<b>[secret TOKEN]</b>", form);
  }
});

Deno.test("a value is masked where its encoding is wrapped into lines", () => {
  const value = Array.from({ length: 30 }, (_, index) => `piece ${index * 7919}`).join(" ");
  for (const ending of ["\n", "\r\n", "\n    ", "\\n"]) {
    for (const encoding of ["base64", "hex"] as const) {
      const lines = Buffer.from(value).toString(encoding).match(/.{1,76}/g)!.join(ending);
      assert.equal(masked(value, `<${lines}>`), "<[secret TOKEN]>", JSON.stringify([ending, encoding]));
    }
  }
});

Deno.test("a text of several lines is masked as the runtime prints it within an object", () => {
  const text = [
    "users:",
    `- name: it's "me"`,
    "  key: one two three four five six seven eight nine ten eleven twelve",
    "# `Grüße` from ${somebody}",
  ].join("\n");
  for (const value of [text, text.replaceAll("'", ""), text.replaceAll(/[`$]/g, "")]) {
    for (const print of [inspect, Deno.inspect]) {
      for (
        const printed of [print({ value }), print([[{ a: 1, value: `${value}\n` }]]), print(new Map([["a", value]]))]
      ) {
        assert.match(printed, /\+\n/);
        const shown = masked(value, printed);
        assert.match(shown, /\[secret TOKEN\]/, printed);
        assert.doesNotMatch(shown, /users|name|seven|from/, printed);
        assert.deepEqual(searched(value, printed)?.names, ["TOKEN"], printed);
      }
    }
  }
});

Deno.test("each line of a PEM is masked by itself, indented or not; its frame is not", () => {
  const body = Buffer.from(Array.from({ length: 200 }, (_, index) => (index * 7919) % 256)).toString("base64");
  const lines = ["-----BEGIN PRIVATE KEY-----", ...body.match(/.{1,64}/g)!, "-----END PRIVATE KEY-----"];
  const pem = lines.join("\n") + "\n";
  for (const line of lines.slice(1, -1)) {
    if (line.length < 16) continue;
    assert.equal(masked(pem, `>${line}<`), ">[secret TOKEN]<");
    assert.equal(masked(pem, `  key: |\n    ${line}\n`), "  key: |\n    [secret TOKEN]\n");
  }
  assert.equal(masked(pem, `${lines[0]} of it`), `${lines[0]} of it`);
  const indented = masked(pem, lines.map((line) => `    ${line}`).join("\n"));
  for (const line of lines.slice(1, -1)) assert.ok(line.length < 16 || !indented.includes(line), indented);
  assert.equal(masked("first rule\n--------------------\nlast rule", "--------------------"), "--------------------");
});

Deno.test("numbers and escapes that are no value's stay as they are", () => {
  for (
    const text of [
      "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 300, 400, 999",
      "12:34:56:78:9a:bc:de:f0:12",
      "10.0.0.1 10.0.0.2 2026-11-29 10:11:12",
      "&#65;&#66; \\u0041\\x42 \\n",
      "a".repeat(80) + "\n" + "b".repeat(80),
    ]
  ) {
    assert.equal(masked(SECRET, text), text);
  }
});
