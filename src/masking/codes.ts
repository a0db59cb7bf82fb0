// Decodes runs of Base64 and hexadecimal digits in a text, in which a value may be encoded once more.

import { Buffer } from "node:buffer";

/** Bytes that were decoded from a text, with the place of each of them in the text. */
export interface View {
  readonly bytes: Uint8Array;
  /** Returns the place in the text from which byte `index` was decoded. */
  startOf(index: number): number;
  endOf(index: number): number;
}

/** Codes within codes that are decoded. The innermost one is among the encodings of a value. */
const DEPTH_MAX = 2;
/** No value of 8 bytes that is encoded twice is shorter. Most texts have no such run. */
const RUN_MIN = 15;
const RUN = new RegExp(`[\\w+/-]{${RUN_MIN},}`);
const RUNS = new RegExp(RUN.source, "g");
const HEX = /[\da-f]{22,}/gi;
/** Of what a run decodes to, as many characters of a code must follow one another; most runs are words or numbers. */
const INNER_MIN = 11;

interface Code {
  /** By character. */
  readonly digits: Uint8Array;
  /** Characters of a group, of which any may be the first of a run. */
  readonly group: number;
  readonly bitsPerCharacter: number;
}

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const BASE64: Code = { digits: digitsOf(`${DIGITS}+/`, `${DIGITS}-_`), group: 4, bitsPerCharacter: 6 };
const HEXADECIMAL: Code = { digits: digitsOf("0123456789abcdef", "0123456789ABCDEF"), group: 2, bitsPerCharacter: 4 };

/** What a decoded byte is: a character of a code, maybe one of a run, what UTF-16 has next to it, or something else. */
const INNER = 1;
const PADDING = 2;
const IN_RUN = 4;
const KINDS = new Uint8Array(256);
KINDS[0] = PADDING;
for (let byte = 0x21; byte < 0x7f; byte++) {
  KINDS[byte] = /[\w+/-]/.test(String.fromCharCode(byte)) ? INNER | IN_RUN : INNER;
}

/** `alphabets` have the digits in the order of their values. */
function digitsOf(...alphabets: readonly string[]): Uint8Array {
  const digits = new Uint8Array(128);
  for (const alphabet of alphabets) [...alphabet].forEach((digit, value) => digits[digit.charCodeAt(0)] = value);
  return digits;
}

/** Returns views of the runs that may hold a code; `text` has one character for each byte. */
export function codeViewsOf(text: string, depth = 1): View[] {
  if (!RUN.test(text)) return [];
  const views: View[] = [];
  for (const { 0: run, index } of text.matchAll(RUNS)) {
    addViews(views, run, index, BASE64, depth);
    if (run.length < 22) continue;
    for (const hex of run.matchAll(HEX)) addViews(views, hex[0], index + hex.index, HEXADECIMAL, depth);
  }
  return views;
}

/** Returns views of what a view shows as views of the text itself. */
export function within(outer: View, inner: readonly View[]): View[] {
  return inner.map(({ bytes, startOf, endOf }) => ({
    bytes,
    startOf: (index) => outer.startOf(startOf(index)),
    endOf: (index) => outer.endOf(endOf(index) - 1),
  }));
}

function addViews(views: View[], run: string, at: number, code: Code, depth: number): void {
  for (let skipped = 0; skipped < code.group; skipped++) {
    const decoded = decode(run, skipped, code);
    if (!decoded) continue;
    const view = viewOfRun(decoded.bytes, at + skipped, code);
    views.push(view);
    if (depth < DEPTH_MAX && decoded.mayHoldRun) {
      views.push(...within(view, codeViewsOf(latin1(view.bytes), depth + 1)));
    }
  }
}

function viewOfRun(bytes: Uint8Array, at: number, { bitsPerCharacter: bits }: Code): View {
  return {
    bytes,
    startOf: (index) => at + Math.floor(index * 8 / bits),
    endOf: (index) => at + Math.floor((index * 8 + 7) / bits) + 1,
  };
}

/** Where runs are decoded, unless they are long. Most of them hold nothing, and a handler can print many. */
const SCRATCH = new Uint8Array(16 * 1_024);

/**
 * Returns the whole bytes of a run from character `from` on; undefined if they cannot hold a value in a code. `mayHoldRun`
 * is whether they may hold a run themselves.
 */
function decode(run: string, from: number, { digits, bitsPerCharacter: bits }: Code) {
  const bytes = run.length > SCRATCH.length ? new Uint8Array(run.length) : SCRATCH;
  let [collected, count, length, inner, mostInner, inRun, longestRun] = [0, 0, 0, 0, 0, 0, 0];
  for (let at = from; at < run.length; at++) {
    collected = (collected << bits | digits[run.charCodeAt(at)]!) & 0xffff;
    count += bits;
    if (count < 8) continue;
    count -= 8;
    const byte = collected >> count & 0xff;
    bytes[length++] = byte;
    const kind = KINDS[byte]!;
    inner = kind & INNER ? inner + 1 : kind & PADDING ? inner : 0;
    if (inner > mostInner) mostInner = inner;
    inRun = kind & IN_RUN ? inRun + 1 : 0;
    if (inRun > longestRun) longestRun = inRun;
  }
  if (mostInner < INNER_MIN) return undefined;
  return { bytes: bytes.slice(0, length), mayHoldRun: longestRun >= RUN_MIN };
}

export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}
