// Values in responses, in every form that texts give them: as a whole, in pieces, and among other things.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { inspect } from "node:util";
import fc from "fast-check";
import { leakSearch } from "../../src/calls/leak_guard.ts";
import { decodingsOf } from "../../src/masking/decodings.ts";
import { createMasking } from "../../src/masking/masking.ts";
import { runs } from "../thorough.ts";

const bytesIn = (text: string): number[] => [...Buffer.from(text)];
const unitsIn = (text: string): number[] => text.split("").map((unit) => unit.charCodeAt(0));
const hex = (number: number, digits: number): string => number.toString(16).padStart(digits, "0");
const escaped = (text: string, slashes = "\\"): string =>
  unitsIn(text).map((unit) => `${slashes}u${hex(unit, 4)}`).join("");

const FORMS: Record<string, (value: string) => string> = {
  "escapes of JSON": (value) => escaped(value),
  "escapes within JSON within JSON": (value) => escaped(value, "\\\\\\\\"),
  "escapes of JSON where PHP makes them": (value) =>
    JSON.stringify(value).slice(1, -1).replaceAll("/", "\\/").replace(/[^\x20-\x7e]/g, (unit) => escaped(unit)),
  "escapes of JSON where .NET makes them": (value) =>
    value.split("").map((unit) => /[\w .-]/.test(unit) ? unit : escaped(unit)).join(""),
  "code points": (value) => [...value].map((one) => `\\u{${one.codePointAt(0)!.toString(16)}}`).join(""),
  "references in HTML": (value) => [...value].map((one) => `&#${one.codePointAt(0)};`).join(""),
  "references in HTML, hexadecimal": (value) => [...value].map((one) => `&#X${hex(one.codePointAt(0)!, 4)};`).join(""),
  "percent codes": (value) => bytesIn(value).map((byte) => `%${hex(byte, 2)}`).join(""),
  "percent codes of percent codes": (value) =>
    bytesIn(value).map((byte) => `%2525${hex(byte, 2).toUpperCase()}`).join(""),
  "an array of numbers": (value) => JSON.stringify({ data: bytesIn(value) }),
  "an indented array of numbers": (value) => JSON.stringify({ data: bytesIn(value) }, null, 4),
  "a buffer in JSON": (value) => JSON.stringify(Buffer.from(value)),
  "bytes in JSON": (value) => JSON.stringify({ ...new TextEncoder().encode(value) }),
  "indented bytes in JSON": (value) => JSON.stringify({ deep: { ...new TextEncoder().encode(value) } }, null, 4),
  "numbers in lines": (value) => bytesIn(value).join("\n"),
  "a printed buffer": (value) => inspect(Buffer.from(value), { maxStringLength: Infinity }),
  "pairs of digits": (value) => bytesIn(value).map((byte) => hex(byte, 2)).join(":"),
  "bytes in C": (value) => bytesIn(value).map((byte) => `0x${hex(byte, 2)}`).join(", "),
  "lines of Base64": (value) => Buffer.from(value.repeat(3)).toString("base64").replace(/.{20}/g, "$&\r\n  "),
  "lines of Base64 in JSON": (value) =>
    JSON.stringify(Buffer.from(value.repeat(3)).toString("base64").replace(/.{20}/g, "$&\n")),
};
/** What may stand before and after a value. */
const AROUND = ["", "a plain text ", '100% \\ & "1, 2, 3" \\u00 %4 &# &amp', "\\\\".repeat(50), '{"n":1,"m":[2,3]} '];

/** Of a buffer, the runtime prints 50 bytes. */
const value = fc.string({ unit: "binary", minLength: 8, maxLength: 40 })
  .filter((text) => Buffer.byteLength(text) <= 50)
  .filter((text) => text.trim() === text && new Set(text).size > 3 && !/[\0\r\n]/.test(text));

function search(text: string) {
  const masking = createMasking();
  const disclosed = masking.begin(1);
  masking.recordDisclosure(disclosed, "TOKEN", text);
  return leakSearch(masking, disclosed);
}

Deno.test("a value is found in a response whichever form it has", () => {
  for (const [what, form] of Object.entries(FORMS)) {
    fc.assert(
      fc.property(value, fc.constantFrom(...AROUND), (value, around) => {
        const text = new TextEncoder().encode(`${around}\t${form(value)}\t${around}`);
        assert.deepEqual(search(value).whole(text)?.names, ["TOKEN"], `${what}: ${form(value)}`);
      }),
      { numRuns: runs(40, 2_000) },
    );
  }
});

Deno.test("it is found in pieces, however they are cut", () => {
  for (const [what, form] of Object.entries(FORMS)) {
    fc.assert(
      fc.property(value, fc.integer({ min: 1, max: 40 }), (value, size) => {
        const found = search(value);
        const text = new TextEncoder().encode(`before\t${form(value)}\tafter`);
        const names: string[] = [];
        for (let at = 0; at < text.length; at += size) {
          names.push(...found.piece(text.slice(at, at + size))?.names ?? []);
        }
        assert.deepEqual(names, ["TOKEN"], `${what} in pieces of ${size}: ${form(value)}`);
      }),
      { numRuns: runs(10, 500) },
    );
  }
});

Deno.test("a text is decoded to what it says, and nothing is invented", () => {
  const decoded = (text: string) =>
    decodingsOf(new TextEncoder().encode(text)).map((bytes) => Buffer.from(bytes).toString());
  assert.deepEqual(decoded("plain text, with a comma: 1, 2, 3"), []);
  assert.deepEqual(decoded('\\u0041\\x42\\u{43} \\"\\/ \\\\ \\q'), ['ABC "/ \\ \\q']);
  assert.deepEqual(decoded("\\ud83d\\udd11 \\ud83d alone"), ["🔑 \ufffd\ufffd\ufffd alone"]);
  assert.deepEqual(decoded("&lt;a&gt; &#233; &bogus; &#xzz; &amp"), ["<a> é &bogus; &#xzz; &amp"]);
  assert.deepEqual(decoded("%C3%A9 is %2541 and 100%"), ["é is A and 100%"]);
  assert.deepEqual(decoded("72, 101, 108, 108, 111, 44, 32, 121, 111, 117"), ["Hello, you"]);
  assert.deepEqual(decoded("1.72, 101, 108, 108, 111, 44, 32, 121"), []);
  assert.deepEqual(decoded("a line\nof words, not of a code"), []);
  assert.deepEqual(decoded("\\u0041\\u0042\\u0043\0 and other bytes that are no text"), []);
});

Deno.test("no bytes make it fail", () => {
  const special = fc.constantFrom(...new TextEncoder().encode('\\&%#;ux{}0123456789abcdef"\n\r ,:-'));
  const bytes = fc.uint8Array({ maxLength: 200 });
  const shape = fc.array(fc.oneof({ weight: 4, arbitrary: special }, { weight: 1, arbitrary: fc.nat(255) }), {
    maxLength: 200,
  });
  fc.assert(
    fc.property(fc.oneof(bytes, shape.map((all) => Uint8Array.from(all))), (text) => {
      for (const decoded of decodingsOf(text)) assert.ok(decoded.length <= text.length);
    }),
    { numRuns: runs(2_000, 100_000) },
  );
});
