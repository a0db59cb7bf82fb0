// Replaces sealed values in responses by `[secret NAME]`. What is found, and when bytes are passed on, depends on whole
// values only: otherwise a handler could guess a value byte by byte, by having its guesses echoed and watching what is
// masked or held back.

import { Buffer } from "node:buffer";
import { type Encoding, encodingsOf } from "../../masking/encodings.ts";
import { Matcher } from "../../masking/matcher.ts";
import { type View, within } from "../../masking/codes.ts";
import { viewsOf } from "../../masking/views.ts";
import { charsetViewsOf } from "./charset_views.ts";

export interface MaskedValue {
  readonly name: string;
  readonly value: string;
}

/** No form in which values are found has more bytes for each byte of the value, but lists with much white space. */
const FORM_BYTES_MAX = 12;
/** Of a list of numbers, each with its index, that many bytes are held back for each byte of the value. */
const LIST_BYTES_MAX = 64;
/** Bytes are searched when at least this part of the longest form can be passed on, not again for each of them. */
const SEARCHED_PART = 1 / 16;
const NOTHING = new Uint8Array(0);
const NEW_LINE = 0x0a;
/** A line after which an encoded value may continue in the next one: it ends with digits of a code. */
const CODE_LINE = /[\w+/=-]{16,}["',\s\]]*$/;
/** A line after which a list of numbers may continue: it has nothing else, or ends with one and a comma. */
const LIST_LINE = /^[\s"'[]*[\da-fx,\s:"\\]*["',\s\]]*$|\d["']?,\s*$/i;
/** Bytes of a line that are looked at. */
const LINE_BYTES = 256;

interface Named {
  readonly name: string;
  readonly encodings: readonly Encoding[];
}

interface Replaced {
  readonly start: number;
  readonly end: number;
  readonly name: string;
}

export class Masker {
  readonly #matcher = new Matcher<Named>(Infinity);
  /** The bytes of the longest value. */
  readonly #valueBytes: number;
  /** The bytes that its longest form may have, if it is no list with much white space. */
  readonly #longest: number;
  readonly #hasLines: boolean;
  readonly #hasOnlyAscii: boolean;

  constructor(values: readonly MaskedValue[]) {
    for (const { name, value } of values) {
      this.#matcher.add({ name, encodings: encodingsOf(value, Infinity) });
    }
    this.#valueBytes = Math.max(0, ...values.map(({ value }) => Buffer.byteLength(value)));
    this.#longest = FORM_BYTES_MAX * this.#valueBytes;
    this.#hasOnlyAscii = values.every(({ value }) => /^[\0-\x7f]*$/.test(value));
    this.#hasLines = values.some(({ value }) => value.trim().includes("\n"));
  }

  /** Returns a whole text with its values replaced, byte for byte. */
  whole(bytes: Uint8Array): Uint8Array {
    return replaceIn(bytes, this.#find(bytes), bytes.length);
  }

  /** Returns a header with its values replaced; its characters are bytes. */
  header(text: string): string {
    const bytes = Buffer.from(text, "latin1");
    const found = this.#find(bytes);
    return found.length === 0 ? text : Buffer.from(replaceIn(bytes, found, bytes.length)).toString("latin1");
  }

  /** Reports whether the text contains a value. */
  occursIn(text: string): boolean {
    return this.#find(Buffer.from(text, "latin1")).length > 0;
  }

  stream(): MaskedStream {
    return new MaskedStream(
      (bytes) => this.#find(bytes),
      (bytes) => this.#decidedTo(bytes),
      this.#longest,
    );
  }

  #find(bytes: Uint8Array): Replaced[] {
    const found: Replaced[] = this.#matcher.find(bytes)!.spans.map((
      { start, end, of },
    ) => ({ start, end, name: of.name }));
    const inCharsets = (of: Uint8Array): View[] => charsetViewsOf(of, this.#hasOnlyAscii);
    const views = viewsOf(bytes).flatMap((view) => [view, ...within(view, inCharsets(view.bytes))]);
    for (const view of [...views, ...inCharsets(bytes)]) {
      for (const { start, end, of } of this.#matcher.find(view.bytes)!.spans) {
        found.push({
          start: view.startOf(start),
          end: view.endOf(end - 1),
          name: of.name,
        });
      }
    }
    return found.sort((a, b) => a.start - b.start || b.end - a.end);
  }

  /**
   * Returns up to where bytes may be passed on before more arrive. That depends on their number alone, and on line
   * breaks, so that events of a stream are not delayed: no value that has no line break continues after one.
   */
  #decidedTo(bytes: Uint8Array): number {
    if (!this.#hasLines && bytes.at(-1) === NEW_LINE && !mayContinue(bytes)) return bytes.length;
    const decided = Math.max(0, bytes.length - this.#longest + 1);
    return Math.min(decided, listStart(bytes, 2 * this.#valueBytes, LIST_BYTES_MAX * this.#valueBytes));
  }
}

/** Masks one body in pieces. */
export class MaskedStream {
  readonly #find: (bytes: Uint8Array) => Replaced[];
  readonly #decidedTo: (bytes: Uint8Array) => number;
  /** Fewer bytes are not passed on, unless they are all that there are. */
  readonly #least: number;
  /** Fewer bytes are not looked at unless a line ends. */
  #enough: number;
  readonly #longest: number;
  #held: Uint8Array[] = [];
  #length = 0;

  /** `longest` is how many bytes the longest form may have. */
  constructor(find: (bytes: Uint8Array) => Replaced[], decidedTo: (bytes: Uint8Array) => number, longest: number) {
    this.#find = find;
    this.#decidedTo = decidedTo;
    this.#least = Math.ceil(longest * SEARCHED_PART);
    this.#longest = longest;
    this.#enough = longest + this.#least - 1;
  }

  /** Returns what can be passed on, possibly nothing. */
  push(piece: Uint8Array): Uint8Array {
    this.#length += piece.length;
    if (this.#length < this.#enough && piece.at(-1) !== NEW_LINE) {
      // A copy: who gave the piece may use its memory again.
      this.#held.push(new Uint8Array(piece));
      return NOTHING;
    }
    this.#held.push(piece);
    const bytes = this.#all();
    let to = this.#decidedTo(bytes);
    if (to < this.#least && to < bytes.length) {
      this.#hold(bytes);
      return NOTHING;
    }
    const found = this.#find(bytes);
    for (const { start, end } of found) if (start < to && end > to) to = end;
    this.#hold(bytes.slice(to));
    return replaceIn(bytes, found, to);
  }

  /** Returns the rest. */
  end(): Uint8Array {
    const rest = this.#all();
    this.#hold(NOTHING);
    return replaceIn(rest, this.#find(rest), rest.length);
  }

  #all(): Uint8Array {
    return this.#held.length === 1 ? this.#held[0]! : Buffer.concat(this.#held);
  }

  #hold(bytes: Uint8Array): void {
    this.#held = bytes.length === 0 ? [] : [bytes];
    this.#length = bytes.length;
    this.#enough = Math.max(this.#longest - 1, bytes.length) + this.#least;
  }
}

/** Returns the bytes up to `to` with the name of its secret in place of each value. */
function replaceIn(bytes: Uint8Array, found: readonly Replaced[], to: number): Uint8Array {
  if (found.length === 0) return bytes.subarray(0, to);
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const { start, end, name } of found) {
    if (start >= to || end <= at) continue;
    if (start > at) parts.push(bytes.subarray(at, start));
    parts.push(Buffer.from(`[secret ${name}]`));
    at = end;
  }
  if (at < to) parts.push(bytes.subarray(at, to));
  return Buffer.concat(parts);
}

/** Reports whether a value may continue after the line break at the end. */
function mayContinue(bytes: Uint8Array): boolean {
  const end = Buffer.from(bytes.subarray(-LINE_BYTES)).toString("latin1");
  const text = end.trimEnd();
  const line = text.slice(text.lastIndexOf("\n") + 1);
  // A code does not continue after an empty line.
  const isEmpty = /\n[ \t\r]*\n[ \t\r]*$/.test(end);
  return LIST_LINE.test(line) || (!isEmpty && CODE_LINE.test(line));
}

/**
 * Returns where the list of numbers at the end begins, or its last `numbers`, or its last `most` bytes; the number of
 * bytes if there is none at the end. A list is whatever looks like one.
 */
function listStart(bytes: Uint8Array, numbers: number, most: number): number {
  const least = Math.max(0, bytes.length - most);
  let left = numbers;
  let start = bytes.length;
  for (let at = bytes.length - 1; at >= least && left > 0; at--) {
    const kind = LIST_KINDS[bytes[at]!];
    if (kind === 0) break;
    if (kind === DIGIT) start = at;
    else if (start === at + 1) left--;
  }
  return start;
}

const DIGIT = 1;
const SEPARATOR = 2;
/** What a byte is in a list of numbers. */
const LIST_KINDS = new Uint8Array(256);
for (const character of "0123456789abcdefABCDEFxX") LIST_KINDS[character.charCodeAt(0)] = DIGIT;
for (const character of ' \t\r\n,:-"\\[]') LIST_KINDS[character.charCodeAt(0)] = SEPARATOR;
