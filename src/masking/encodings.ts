// Lists the encodings in which a value can appear in a text: as it is, and as the usual encodings write it.

import { Buffer } from "node:buffer";

/** Shorter values are not searched for, as they occur in harmless text too often. */
export const ENCODING_MIN_BYTES = 8;
/** Bytes of an encoded value that are searched for. Where they are found, the rest is compared. */
export const NEEDLE_MAX_BYTES = 256;

/** A line of Base64 or hexadecimal digits. */
const ENCODED_LINE = /^[\w+/=-]{16,}$/;
/** The least number of different characters in such a line. It excludes rules such as "----------------". */
const LINE_CHARACTERS_MIN = 8;

type Encode = (value: string) => string;

/** Whether the characters next to an encoded value contain some of its bits. */
interface SharedBits {
  readonly before: boolean;
  readonly after: boolean;
}

/** One encoding of a value. Thousands exist at a time, so that each holds no more than it needs. */
export class Encoding {
  /** The beginning of the encoded value, or all of it. */
  readonly needle: Uint8Array;
  /** Whether the encoded value is longer than the needle. */
  readonly isLong: boolean;
  /** In Base64, a value shares characters with the bytes around it. */
  readonly sharedBits: SharedBits;
  readonly #encode: Encode;
  readonly #value: string;

  constructor(value: string, encode: Encode, sharedBits: SharedBits, needle: Uint8Array, isLong: boolean) {
    this.needle = needle;
    this.isLong = isLong;
    this.sharedBits = sharedBits;
    this.#encode = encode;
    this.#value = value;
  }

  /** Returns the whole encoded value. */
  whole(): Uint8Array {
    return encoder.encode(this.#encode(this.#value));
  }
}

const encoder = new TextEncoder();

const PLAIN = { before: false, after: false };

/** Texts of only these characters look the same in all of `TEXTS`. */
const PLAIN_TEXT = /^[\w.-]*$/;

const TEXTS: Encode[] = [
  (value) => value,
  // A value that is printed line by line.
  (value) => value.replace(/\r?\n/g, ""),
  inJson,
  // JSON within JSON, as in an event whose body is a text.
  (value) => inJson(inJson(value)),
  // As Deno and Node print a text inside an object, in single quotes or other quotes.
  (value) => inJson(value).replaceAll('\\"', '"'),
  (value) => inJson(value).replaceAll('\\"', '"').replaceAll("'", "\\'"),
  encodeURIComponent,
  (value) => encodeURIComponent(value).replace(/%../g, (code) => code.toLowerCase()),
  (value) => new URLSearchParams({ v: value }).toString().slice(2),
  // A form of other programs, once its percent codes are decoded.
  (value) => value.replaceAll(" ", "+"),
  // `encodeURI`, and `URL` for a password or user name, and for a query or path (https://url.spec.whatwg.org).
  (value) => inUrl(value, "#$&+,/:;=?@"),
  (value) => inUrl(value, "$%&+,"),
  (value) => inUrl(value, "$%&+,/:;=?@[\\]^`{|}"),
  inHtml,
];

/** In headers, host names and the like. */
const IN_OTHER_CASE: Encode[] = [(value) => value.toLowerCase(), (value) => value.toUpperCase()];
/** The least length of a value that is searched for in other cases: shorter ones, and those without digits, may be words. */
const OTHER_CASE_MIN_LENGTH = 16;

const IN_HEX: Encode[] = [inHex, (value) => inHex(value).toUpperCase()];

/** By the number of bytes before the value, modulo 3; each in the usual alphabet and in that of URLs. */
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

/**
 * Returns the encodings of `value` that have at least 8 bytes; none if the value itself is shorter. With a needle that
 * is shorter than the encoded value, its beginning alone is found as well.
 */
export function encodingsOf(value: string, needleMaxBytes = NEEDLE_MAX_BYTES): Encoding[] {
  // Files end with a line break, which handlers cut off. A search without it finds the value in both cases.
  const trimmed = value.trim();
  const core = Buffer.byteLength(trimmed) < ENCODING_MIN_BYTES ? value : trimmed;
  if (Buffer.byteLength(core) < ENCODING_MIN_BYTES) return [];
  // Every encoding of a beginning is a beginning of the encoding.
  const head = core.length <= needleMaxBytes ? core : beginning(core, needleMaxBytes);
  const encodings = new Map<string, Encoding>();
  const add = (encode: Encode, sharedBits: SharedBits): void => {
    const text = encode(head);
    if (encodings.has(text)) return;
    const bytes = encoder.encode(text);
    if (bytes.length < ENCODING_MIN_BYTES) return;
    const isLong = head !== core || bytes.length > needleMaxBytes;
    encodings.set(text, new Encoding(core, encode, sharedBits, bytes.slice(0, needleMaxBytes), isLong));
  };
  const isPlain = head === core && PLAIN_TEXT.test(core);
  for (const encode of isPlain ? TEXTS.slice(0, 1) : TEXTS) add(encode, PLAIN);
  if (core.length >= OTHER_CASE_MIN_LENGTH && /\d/.test(core)) {
    for (const encode of IN_OTHER_CASE) add(encode, PLAIN);
  }
  for (const encode of IN_HEX) add(encode, PLAIN);
  const size = Buffer.byteLength(core);
  IN_BASE64.forEach((alphabets, before) => {
    const sharedBits = { before: before > 0, after: (before + size) * 8 % 6 > 0 };
    for (const encode of alphabets) add(encode, sharedBits);
  });
  for (const line of encodedLines(core)) {
    const bytes = encoder.encode(line);
    encodings.set(
      line,
      new Encoding(line, (line) => line, PLAIN, bytes.slice(0, needleMaxBytes), bytes.length > needleMaxBytes),
    );
  }
  return [...encodings.values()];
}

/** Returns the lines of a value that are secret on their own, as those of a PEM file are (RFC 7468). */
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

/** Percent-encodes a value, except for the ASCII characters in `kept`. */
function inUrl(value: string, kept: string): string {
  return encodeURIComponent(value).replace(/%[0-7]./g, (code) => {
    const character = decodeURIComponent(code);
    return kept.includes(character) ? character : code;
  });
}

function inHtml(value: string): string {
  return value.replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}

/** Returns the Base64 characters that depend on `value` only. `before` is the number of bytes before it, modulo 3. */
function inBase64(value: string, before: number): string {
  const bytes = encoder.encode("\0".repeat(before) + value);
  return bytes.toBase64().slice(Math.ceil(before * 8 / 6), Math.floor(bytes.length * 8 / 6));
}

/** Returns enough of a long value for a needle in every encoding, without half of a character. */
function beginning(value: string, maxLength: number): string {
  const head = value.slice(0, maxLength);
  return head.isWellFormed() ? head : head.slice(0, -1);
}
