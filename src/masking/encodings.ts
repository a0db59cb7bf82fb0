// The forms in which a value can turn up in a text: as it is, and as the usual encodings write it.

import { Buffer } from "node:buffer";

/** Shorter values occur in innocent text too often to be looked for. */
export const FORM_MIN_BYTES = 8;
/** So much of a form is looked for; where it is found, the rest is compared. */
export const NEEDLE_MAX_BYTES = 256;

/** A line of Base64 or hexadecimal digits. */
const ENCODED_LINE = /^[\w+/=-]{16,}$/;
/** Different characters, so that a rule such as "--------" is none. */
const LINE_CHARACTERS_MIN = 8;

type Encode = (value: string) => string;

/** Whether characters on either side of a form hold some of its bits. */
interface Frayed {
  readonly before: boolean;
  readonly after: boolean;
}

/** One way in which a value may be written. Thousands are kept at a time, so that each holds no more than it needs. */
export class Form {
  /** The beginning of the form, or all of it. */
  readonly needle: Uint8Array;
  /** Whether there is more of it than the needle. */
  readonly isLong: boolean;
  /** In Base64 the bytes around a value share characters with it. */
  readonly frayed: Frayed;
  readonly #encode: Encode;
  readonly #value: string;

  constructor(value: string, encode: Encode, frayed: Frayed, needle: Uint8Array, isLong: boolean) {
    this.needle = needle;
    this.isLong = isLong;
    this.frayed = frayed;
    this.#encode = encode;
    this.#value = value;
  }

  /** All of it. */
  whole(): Uint8Array {
    return encoder.encode(this.#encode(this.#value));
  }
}

const encoder = new TextEncoder();

const PLAIN = { before: false, after: false };

/** Texts of these characters alone look the same in all of `TEXTS`. */
const PLAIN_TEXT = /^[\w.-]*$/;

const TEXTS: Encode[] = [
  (value) => value,
  // Printed line by line.
  (value) => value.replace(/\r?\n/g, ""),
  inJson,
  // JSON within JSON, as in an event whose body is a text.
  (value) => inJson(inJson(value)),
  // As Deno and Node print a text inside an object, in single quotes or others.
  (value) => inJson(value).replaceAll('\\"', '"'),
  (value) => inJson(value).replaceAll('\\"', '"').replaceAll("'", "\\'"),
  encodeURIComponent,
  (value) => encodeURIComponent(value).replace(/%../g, (code) => code.toLowerCase()),
  (value) => new URLSearchParams({ v: value }).toString().slice(2),
  // `encodeURI`, and `URL` for a password or user name, and for a query or path (https://url.spec.whatwg.org).
  (value) => inUrl(value, "#$&+,/:;=?@"),
  (value) => inUrl(value, "$%&+,"),
  (value) => inUrl(value, "$%&+,/:;=?@[\\]^`{|}"),
  inHtml,
];

const IN_HEX: Encode[] = [inHex, (value) => inHex(value).toUpperCase()];

/** By the number of bytes that come before it, modulo 3; each in the usual alphabet and in that of URLs. */
const IN_BASE64: Encode[][] = [0, 1, 2].map((before) => [
  (value) => inBase64(value, before),
  (value) => inBase64(value, before).replaceAll("+", "-").replaceAll("/", "_"),
]);

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** The forms of `value` that have at least 8 bytes; none if the value itself is shorter. */
export function formsOf(value: string): Form[] {
  // Files end with a line break that a handler cuts off; what is found without it is found with it, too.
  const trimmed = value.trim();
  const core = Buffer.byteLength(trimmed) < FORM_MIN_BYTES ? value : trimmed;
  if (Buffer.byteLength(core) < FORM_MIN_BYTES) return [];
  // Every encoding of a beginning is a beginning of the encoding.
  const head = core.length <= NEEDLE_MAX_BYTES ? core : beginning(core);
  const forms = new Map<string, Form>();
  const add = (encode: Encode, frayed: Frayed): void => {
    const text = encode(head);
    if (forms.has(text)) return;
    const bytes = encoder.encode(text);
    if (bytes.length < FORM_MIN_BYTES) return;
    const isLong = head !== core || bytes.length > NEEDLE_MAX_BYTES;
    forms.set(text, new Form(core, encode, frayed, bytes.slice(0, NEEDLE_MAX_BYTES), isLong));
  };
  const isPlain = head === core && PLAIN_TEXT.test(core);
  for (const encode of isPlain ? TEXTS.slice(0, 1) : TEXTS) add(encode, PLAIN);
  for (const encode of IN_HEX) add(encode, PLAIN);
  const size = Buffer.byteLength(core);
  IN_BASE64.forEach((encodings, before) => {
    const frayed = { before: before > 0, after: (before + size) * 8 % 6 > 0 };
    for (const encode of encodings) add(encode, frayed);
  });
  for (const line of encodedLines(core)) {
    const bytes = encoder.encode(line);
    forms.set(
      line,
      new Form(line, (line) => line, PLAIN, bytes.slice(0, NEEDLE_MAX_BYTES), bytes.length > NEEDLE_MAX_BYTES),
    );
  }
  return [...forms.values()];
}

/** The lines of a value that hold a part of it by themselves, as those of a PEM file do (RFC 7468). */
function encodedLines(value: string): string[] {
  if (!value.includes("\n")) return [];
  return value.split("\n").map((line) => line.trim())
    .filter((line) => ENCODED_LINE.test(line) && new Set(line).size >= LINE_CHARACTERS_MIN);
}

function inHex(value: string): string {
  return encoder.encode(value).toHex();
}

function inJson(value: string): string {
  return JSON.stringify(value).slice(1, -1);
}

/** Percent-encoded, but for `kept` of the ASCII characters. */
function inUrl(value: string, kept: string): string {
  return encodeURIComponent(value).replace(/%[0-7]./g, (code) => {
    const character = decodeURIComponent(code);
    return kept.includes(character) ? character : code;
  });
}

function inHtml(value: string): string {
  return value.replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}

/** The characters of Base64 that `value` alone decides when so many bytes, modulo 3, come before it. */
function inBase64(value: string, before: number): string {
  const bytes = encoder.encode("\0".repeat(before) + value);
  return bytes.toBase64().slice(Math.ceil(before * 8 / 6), Math.floor(bytes.length * 8 / 6));
}

/** Enough of a long value for a needle in every encoding, without half of a character. */
function beginning(value: string): string {
  const head = value.slice(0, NEEDLE_MAX_BYTES);
  return head.isWellFormed() ? head : head.slice(0, -1);
}
