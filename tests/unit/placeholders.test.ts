// Values in the bodies of requests, however these are cut and whatever placeholders end with.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { bodyFilter } from "../../src/egress/process/placeholders.ts";
import type { SealedEntry } from "../../src/sealed.ts";

const entry = (name: string, end: string): SealedEntry => ({
  placeholder: `sealed_${name}_${"0123456789abcdefghijklmnopqrstuv".slice(end.length)}${end}`,
  name,
  value: `<value of ${name}>`,
  places: ["body"],
});

function filtered(type: string, body: string, entries: readonly SealedEntry[], size: number): string {
  const filter = bodyFilter(type, false, entries)!;
  const bytes = Buffer.from(body);
  const out: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += size) out.push(filter.push(bytes.subarray(at, at + size)));
  return Buffer.concat([...out, filter.end()]).toString();
}

Deno.test("a placeholder is replaced wherever a body is cut, also if its end looks like the beginning of one", () => {
  for (const end of ["v", "s", "se", "sealed_", "sealed_A", "sealed_A_0"]) {
    const [a, b] = [entry("A", end), entry("AB", end)];
    const form = (text: (one: SealedEntry) => string) =>
      `--xx\r\ncontent-disposition: form-data; name="a"\r\n\r\n${text(a)}\r\n` +
      `--xx\r\ncontent-disposition: form-data; name="b"\r\n\r\n${text(b)}${text(a)}s\r\n--xx--\r\n`;
    const plain = (text: (one: SealedEntry) => string) =>
      `${text(a)}sealed_${text(b)}${text(a)}${text(a)}s${text(b)}se${text(a)}`;
    const bodies = [["text/plain", plain], ["multipart/form-data; boundary=xx", form]] as const;
    for (const [type, body] of bodies) {
      const expected = body(({ value }) => value);
      const given = body(({ placeholder }) => placeholder);
      for (const size of [1, 2, 5, 39, 40, 41, given.length]) {
        assert.equal(filtered(type, given, [a, b], size), expected, `${type} ${end} ${size}`);
      }
    }
  }
});
