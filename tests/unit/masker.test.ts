// Sealed values in streams: masked however the stream is cut, and without searching all that is held for each piece.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { Masker } from "../../src/egress/process/masker.ts";

const VALUE = "sk_live_51Habcd+/=~efGH";

/** Returns what a stream of pieces of `size` bytes becomes, and the most bytes that it held back. */
function streamed(masker: Masker, text: string, size: number): { text: string; held: number } {
  const stream = masker.stream();
  const bytes = Buffer.from(text, "latin1");
  const out: Uint8Array[] = [];
  let held = 0;
  let passed = 0;
  for (let at = 0; at < bytes.length; at += size) {
    const masked = stream.push(bytes.subarray(at, at + size));
    out.push(masked);
    passed += masked.length;
    if (!text.includes("sk_")) held = Math.max(held, Math.min(at + size, bytes.length) - passed);
  }
  out.push(stream.end());
  return { text: Buffer.concat(out).toString("latin1"), held };
}

Deno.test("a value in a stream is masked in every form, however the stream is cut", () => {
  const masker = new Masker([{ name: "KEY", value: VALUE }]);
  const forms = [
    VALUE,
    encodeURIComponent(VALUE),
    VALUE.replaceAll("/", "\\/"),
    Buffer.from(VALUE).toString("base64"),
    Buffer.from(VALUE).toString("hex"),
    JSON.stringify([...Buffer.from(VALUE)]).slice(1, -1),
  ];
  for (const form of forms) {
    const text = `${"before ".repeat(60)}<${form}>${" after".repeat(60)}`;
    const expected = Buffer.from(masker.whole(Buffer.from(text))).toString();
    assert.ok(expected.includes("[secret KEY]"), form);
    for (const size of [1, 2, 7, 64, 1_000]) {
      assert.equal(streamed(masker, text, size).text, expected, `${form} ${size}`);
    }
  }
});

const twice = (text: string, one: BufferEncoding, other: BufferEncoding) =>
  Buffer.from(Buffer.from(text).toString(one)).toString(other);

/** Forms of a value that hosts answer with, each with what may stand around it. */
const FORMS: Record<string, string | Uint8Array> = {
  "in capitals": VALUE.toUpperCase(),
  "in small letters": VALUE.toLowerCase(),
  "Base64 twice": twice(VALUE, "base64", "base64"),
  "Base64 twice, among other text": twice(`user:${VALUE}:`, "base64", "base64url"),
  "Base64 three times": Buffer.from(twice(VALUE, "base64", "base64")).toString("base64"),
  "hexadecimal of Base64": twice(VALUE, "base64", "hex"),
  "Base64 of hexadecimal": twice(VALUE, "hex", "base64"),
  "hexadecimal twice": twice(VALUE, "hex", "hex"),
  "Base64 twice with escaped slashes": twice(`???${VALUE}???`, "base64", "base64").replaceAll("/", "\\/"),
  "Base64 of UTF-16": Buffer.from(VALUE, "utf16le").toString("base64"),
  "UTF-16": Buffer.from(VALUE, "utf16le"),
  "UTF-16, big endian": Buffer.from(VALUE, "utf16le").swap16(),
  "UTF-32": Uint8Array.from(Buffer.from(VALUE), (byte) => byte).toHex().replace(/../g, "$&000000"),
  "lines of Base64 after other text": `key: ${Buffer.from(VALUE).toString("base64").replace(/.{20}/g, "$&\n")}`,
  "lines of Base64": Buffer.from(`${"x".repeat(50)}${VALUE}`).toString("base64").replace(/.{64}/g, "$&\r\n"),
  "a list of numbers as the runtime prints it": Deno.inspect(new Uint8Array(Buffer.from(VALUE))),
  "an object of numbers": JSON.stringify({ a: { ...Buffer.from(VALUE) } }, null, 10),
};
for (const indent of [0, 2, 8, 9, 10]) {
  FORMS[`a list of numbers, indented by ${indent}`] = JSON.stringify([...Buffer.from(VALUE)], null, indent);
  FORMS[`a list of numbers in objects, indented by ${indent}`] = JSON.stringify(
    { a: { b: { c: [...Buffer.from(VALUE)] } } },
    null,
    indent,
  );
}
FORMS["UTF-32"] = Uint8Array.fromHex(FORMS["UTF-32"] as string);

Deno.test("a value in a stream is masked like one in a whole text, in every form that is", () => {
  const masker = new Masker([{ name: "KEY", value: VALUE }]);
  for (const [how, form] of Object.entries(FORMS)) {
    const around = ["first line\n".repeat(60), "\nlast line".repeat(60)].map((text) => Buffer.from(text));
    const bytes = Buffer.concat([around[0]!, Buffer.from(form as string), around[1]!]);
    const text = bytes.toString("latin1");
    const expected = Buffer.from(masker.whole(bytes)).toString("latin1");
    assert.ok(expected.includes("[secret KEY]"), how);
    for (const size of [1, 3, 17, 64, 700]) {
      assert.equal(streamed(masker, text, size).text, expected, `${how} ${size}`);
    }
    // Line by line, as many hosts send.
    const stream = masker.stream();
    const lines = text.split(/(?<=\n)/).map((line) => stream.push(Buffer.from(line, "latin1")));
    assert.equal(Buffer.concat([...lines, stream.end()]).toString("latin1"), expected, `${how}, in lines`);
  }
});

Deno.test("a word in other letters is not taken for a value", () => {
  const values = ["Password", "PRODUCTION-DATABASE", "Pa55word"];
  const masker = new Masker(values.map((value) => ({ name: "KEY", value })));
  const text = "password production-database pa55word";
  assert.equal(Buffer.from(masker.whole(Buffer.from(text))).toString(), text);
});

Deno.test("a long list of numbers in a stream is passed on but for its end", () => {
  const masker = new Masker([{ name: "KEY", value: VALUE }]);
  const list = JSON.stringify(Array.from({ length: 20_000 }, (_, n) => n % 200), null, 2);
  const { text, held } = streamed(masker, list, 500);
  assert.equal(text, list);
  assert.ok(held <= 64 * VALUE.length + 500, String(held));
});

Deno.test("a value that is not ASCII is masked in other character encodings, too", () => {
  const value = "p\u00e4ssw\u00f6rd \u00dcber/geheim";
  const masker = new Masker([{ name: "KEY", value }, { name: "OTHER", value: "\u5bc6\u7801-12345678" }]);
  const texts: Record<string, Uint8Array> = {
    "UTF-8": Buffer.from(`\u00e9<${value}>\u00e9`),
    "Latin-1": Buffer.from(`\u00e9<${value}>\u00e9`, "latin1"),
    "UTF-8 encoded again": Buffer.from(Buffer.from(`\u00e9<${value}>\u00e9`).toString("latin1")),
  };
  for (const [how, bytes] of Object.entries(texts)) {
    const masked = Buffer.from(masker.whole(bytes)).toString("latin1");
    assert.match(masked, /^[^<]{1,4}<\[secret KEY\]>[^>]{1,4}$/, how);
  }
  const twice = Buffer.from(Buffer.from("<\u5bc6\u7801-12345678>").toString("latin1"));
  assert.equal(Buffer.from(masker.whole(twice)).toString(), "<[secret OTHER]>");
  const untouched = Buffer.from("\u00e4\u00f6 \u5bc6 text", "utf8");
  assert.deepEqual(Buffer.from(masker.whole(untouched)), untouched);
});

Deno.test("no more is held back than the longest form, and a line is passed on at once", () => {
  const masker = new Masker([{ name: "KEY", value: VALUE }]);
  const { text, held } = streamed(masker, "x y ".repeat(1_000), 1);
  assert.equal(text, "x y ".repeat(1_000));
  assert.ok(held <= 13 * VALUE.length, String(held));
  const stream = masker.stream();
  assert.equal(Buffer.from(stream.push(Buffer.from("data: 1\n\n"))).toString(), "data: 1\n\n");
});

Deno.test("a long value in a stream of single bytes is not searched for at each of them", () => {
  const value = crypto.getRandomValues(new Uint8Array(8_000)).toHex();
  const masker = new Masker([{ name: "KEY", value }]);
  const stream = masker.stream();
  // What takes longest to search: at each of the bytes that follow, this would take an hour.
  stream.push(Buffer.from("%41\\/".repeat(38_000)));
  for (let n = 0; n < 11_000; n++) assert.equal(stream.push(Buffer.from("a")).length, 0);
  const rest = Buffer.concat([stream.push(Buffer.from(value)), stream.end()]).toString();
  assert.ok(!rest.includes(value.slice(0, 100)) && rest.endsWith("[secret KEY]"), rest.slice(-100));
});
