// Decodes what the views of a text show (views.ts) without the places, in a fraction of the time: to find out whether a
// response contains a value in such a form. Codes within codes are left out.

import { mayHoldList } from "./matcher.ts";

/** The shortest value that is searched for. */
const LEAST_BYTES = 8;
/** The digits of a code before a line break within it. */
const WRAPPED_MIN = 16;
/** Of an index in a list, and of a number that may be a byte. */
const [INDEX_MAX_DIGITS, BYTE_MAX_DIGITS] = [9, 3];
/** How often a percent code may be encoded again. */
const PERCENTS_MAX = 3;

const [TAB, LINE_FEED, RETURN, SPACE, QUOTE, PERCENT, AMPERSAND, COMMA, DOT] = bytesOf('\t\n\r "%&,.');
const [ZERO, TWO, FIVE, COLON, SEMICOLON, BACKSLASH, LOW_N, LOW_R, LOW_U, LOW_X] = bytesOf("025:;\\nrux");
const [HASH, OPEN, CLOSE, UNDERSCORE, PLUS] = bytesOf("#{}_+");
const ENTITIES = ([["amp", "&"], ["lt", "<"], ["gt", ">"], ["quot", '"'], ["apos", "'"]] as const)
  .map(([name, character]) => ({ name: bytesOf(`${name};`), byte: bytesOf(character)[0]! }));
/** What follows a backslash, and what both mean. */
const SHORT = new Map(
  ([['"', '"'], ["'", "'"], ["/", "/"], ["b", "\b"], ["f", "\f"], ["n", "\n"], ["r", "\r"], ["t", "\t"]] as const)
    .map(([character, meaning]) => [bytesOf(character)[0]!, bytesOf(meaning)[0]!]),
);
/** The value of each hexadecimal digit; 16 for other bytes. */
const HEX = Uint8Array.from({ length: 256 }, (_, byte) => {
  const value = parseInt(String.fromCharCode(byte), 16);
  return Number.isNaN(value) ? 16 : value;
});
const CODE_DIGITS = Uint8Array.from({ length: 256 }, (_, byte) => /[\w+/=-]/.test(String.fromCharCode(byte)) ? 1 : 0);

const ESCAPES = among("\\&");
const PERCENTS = among("%");
const QUOTES = among("\"'`");
const EITHER = among("\\&%");
/** What a number in a list begins with, with its index or prefix. */
const DECIMAL = among('0123456789"');
const HEXADECIMAL = among("0123456789abcdefABCDEF\\");
const SEPARATORS = among(" \t\r\n,:-");

/** NULs before and after a text, so that no byte is looked for outside of the array, which is slow. */
const MARGIN = 16;

/** Returns the text decoded in each way that changes it; nothing for bytes that are no text, such as a picture's. */
export function decodingsOf(given: Uint8Array): Uint8Array[] {
  if (given.includes(0)) return [];
  const hasList = mayHoldList(given);
  const text = new Uint8Array(given.length + 2 * MARGIN);
  text.set(given, MARGIN);
  const hasEscapes = text.includes(BACKSLASH!) || text.includes(AMPERSAND!);
  const hasPercents = text.includes(PERCENT!);
  const mayBeWrapped = hasEscapes || text.includes(LINE_FEED!);
  const decodings = [
    hasEscapes ? new Decoder(text).run(true, false) : undefined,
    hasPercents ? new Decoder(text).run(false, true) : undefined,
    hasEscapes && hasPercents ? new Decoder(text).run(true, true) : undefined,
    mayBeWrapped ? unwrapped(text) : undefined,
    ...hasList ? listsIn(text) : [],
  ];
  return decodings.filter((bytes) => bytes !== undefined && bytes.length >= LEAST_BYTES) as Uint8Array[];
}

/** Decodes escapes of JSON, JavaScript and HTML, even if they were escaped again, and percent codes. */
class Decoder {
  readonly #text: Uint8Array;
  /** No escape is shorter than what it means. */
  readonly #out: Uint8Array;
  #at = MARGIN;
  #length = 0;

  constructor(text: Uint8Array) {
    this.#text = text;
    this.#out = new Uint8Array(text.length);
  }

  /** Returns the decoded text; undefined if there is nothing to decode. */
  run(escapes: boolean, percents: boolean): Uint8Array | undefined {
    const text = this.#text;
    const end = text.length - MARGIN;
    const kinds = escapes && percents ? EITHER : escapes ? ESCAPES : PERCENTS;
    let isChanged = false;
    while (this.#at < end) {
      const from = this.#at;
      let at = from;
      while (at < end && kinds[text[at]!] === 0) at++;
      this.#copy(from, at);
      if (at === end) break;
      const byte = text[at];
      const isDecoded = byte === BACKSLASH
        ? this.#backslashes()
        : byte === AMPERSAND
        ? this.#entity()
        : this.#percentCode();
      if (isDecoded) isChanged = true;
      else if (this.#at === at) this.#copy(at, at + 1);
    }
    return isChanged ? this.#out.subarray(0, this.#length) : undefined;
  }

  #copy(from: number, to: number): void {
    if (to - from > 64) this.#out.set(this.#text.subarray(from, to), this.#length);
    else for (let at = from; at < to; at++) this.#out[this.#length + at - from] = this.#text[at]!;
    this.#length += to - from;
    this.#at = to;
  }

  /** Reads a run of backslashes with what it escapes. */
  #backslashes(): boolean {
    const end = this.#afterBackslashes(this.#at);
    const kind = this.#text[end]!;
    if (kind === LOW_U && this.#unicode(end + 1)) return true;
    if (kind === LOW_X) {
      const code = this.#hex(end + 1, 2);
      if (code !== undefined) return this.#put(code, end + 3);
    }
    const count = end - this.#at;
    for (let n = 0; n < count >> 1; n++) this.#out[this.#length++] = BACKSLASH!;
    const meaning = count % 2 === 1 ? SHORT.get(kind) : undefined;
    if (meaning !== undefined) this.#out[this.#length++] = meaning;
    else if (count % 2 === 1) this.#out[this.#length++] = BACKSLASH!;
    this.#at = meaning === undefined ? end : this.#afterJoin(end + 1);
    return count > 1 || meaning !== undefined;
  }

  /** Returns where a text continues that the runtime printed line by line, each in quotes of its own, joined by `+`. */
  #afterJoin(at: number): number {
    const text = this.#text;
    if (QUOTES[text[at]!] === 0 || text[at + 1] !== SPACE || text[at + 2] !== PLUS || text[at + 3] !== LINE_FEED) {
      return at;
    }
    let next = at + 4;
    while (text[next] === SPACE) next++;
    return QUOTES[text[next]!] === 1 ? next + 1 : at;
  }

  #afterBackslashes(at: number): number {
    while (this.#text[at] === BACKSLASH) at++;
    return at;
  }

  /** Reads the digits of a Unicode escape, or of two that make one character. */
  #unicode(at: number): boolean {
    if (this.#text[at] === OPEN) {
      let end = at + 1;
      while (end < at + 7 && HEX[this.#text[end]!]! < 16) end++;
      const code = end > at + 1 && this.#text[end] === CLOSE ? this.#hex(at + 1, end - at - 1) : undefined;
      return code !== undefined && this.#put(code, end + 1);
    }
    const code = this.#hex(at, 4);
    if (code === undefined) return false;
    const next = this.#afterBackslashes(at + 4);
    const low = code >= 0xd800 && code < 0xdc00 && next > at + 4 && this.#text[next] === LOW_U
      ? this.#hex(next + 1, 4)
      : undefined;
    if (low === undefined || low < 0xdc00 || low > 0xdfff) return this.#put(code, at + 4);
    return this.#put(0x10000 + ((code - 0xd800) << 10) + low - 0xdc00, next + 5);
  }

  #entity(): boolean {
    const [text, at] = [this.#text, this.#at + 1];
    if (text[at] === HASH) {
      const isHex = text[at + 1] === LOW_X || text[at + 1] === LOW_X! - 32;
      const [first, most, radix] = isHex ? [at + 2, 6, 16] : [at + 1, 7, 10];
      let [end, code] = [first, 0];
      for (; end < first + most && HEX[text[end]!]! < radix; end++) code = code * radix + HEX[text[end]!]!;
      return end > first && text[end] === SEMICOLON && this.#put(code, end + 1);
    }
    const named = ENTITIES.find(({ name }) => name.every((byte, n) => text[at + n] === byte));
    return named !== undefined && this.#put(named.byte, at + named.name.length);
  }

  #percentCode(): boolean {
    const text = this.#text;
    let at = this.#at + 1;
    for (let n = 0; n < PERCENTS_MAX && text[at] === TWO && text[at + 1] === FIVE; n++) {
      if (this.#hex(at + 2, 2) === undefined) break;
      at += 2;
    }
    const byte = this.#hex(at, 2);
    if (byte === undefined) return false;
    this.#out[this.#length++] = byte;
    this.#at = at + 2;
    return true;
  }

  /** Returns the number of `digits` hexadecimal digits; undefined if there are fewer. */
  #hex(at: number, digits: number): number | undefined {
    let code = 0;
    for (let n = 0; n < digits; n++) {
      const digit = HEX[this.#text[at + n]!]!;
      if (digit > 15) return undefined;
      code = code * 16 + digit;
    }
    return code;
  }

  /** Writes a character in UTF-8, and continues at `next`. */
  #put(code: number, next: number): true {
    const out = this.#out;
    if (code < 0x80) out[this.#length++] = code;
    else {
      const [size, lead] = code < 0x800 ? [1, 0xc0] : code < 0x10000 ? [2, 0xe0] : [3, 0xf0];
      out[this.#length++] = lead | code >> 6 * size;
      for (let n = size - 1; n >= 0; n--) out[this.#length++] = 0x80 | code >> 6 * n & 0x3f;
    }
    this.#at = next;
    return true;
  }
}

/** Returns the text without line breaks within lines of a code, as they are or escaped; undefined if there are none. */
function unwrapped(text: Uint8Array): Uint8Array | undefined {
  let out: Uint8Array | undefined;
  let [copied, length, digits] = [MARGIN, 0, 0];
  for (let at = MARGIN; at < text.length - MARGIN; at++) {
    const byte = text[at]!;
    const next = digits >= WRAPPED_MIN ? afterBreak(text, at) : at;
    if (next > at && CODE_DIGITS[text[next]!] === 1) {
      out ??= new Uint8Array(text.length);
      out.set(text.subarray(copied, at), length);
      length += at - copied;
      copied = next;
      at = next - 1;
    } else digits = CODE_DIGITS[byte] === 1 ? digits + 1 : 0;
  }
  const rest = text.subarray(copied, text.length - MARGIN);
  out?.set(rest, length);
  return out?.subarray(0, length + rest.length);
}

/** Returns where the text continues after a line break at `at` and the indentation that follows; `at` if there is none. */
function afterBreak(text: Uint8Array, at: number): number {
  let next = at;
  if (text[next] === RETURN) next++;
  else if (text[next] === BACKSLASH && text[next + 1] === LOW_R) next += 2;
  if (text[next] === LINE_FEED) next++;
  else if (text[next] === BACKSLASH && text[next + 1] === LOW_N) next += 2;
  else return at;
  while (text[next] === SPACE || text[next] === TAB) next++;
  return next;
}

/** Returns the bytes of lists of numbers: decimal ones, with or without their indexes, and pairs of hexadecimal digits. */
function listsIn(text: Uint8Array): Uint8Array[] {
  return [
    ...listsOf(text, DECIMAL, readDecimal, isDecimalSeparator),
    ...listsOf(text, HEXADECIMAL, readHexadecimal, isHexSeparator),
  ];
}

/** What a number is, and where the text continues after it. */
interface Read {
  value: number;
  next: number;
}

/** Reads a number into `read`; returns false if there is none. */
type ReadNumber = (text: Uint8Array, at: number, read: Read) => boolean;

function listsOf(
  text: Uint8Array,
  beginnings: Uint8Array,
  readNumber: ReadNumber,
  isSeparator: (byte: number) => boolean,
): Uint8Array[] {
  const lists: Uint8Array[] = [];
  const read: Read = { value: 0, next: 0 };
  const numbers: number[] = [];
  const end = (): void => {
    if (numbers.length >= LEAST_BYTES) lists.push(Uint8Array.from(numbers));
    numbers.length = 0;
  };
  const textEnd = text.length - MARGIN;
  for (let at = MARGIN; at < textEnd;) {
    if (beginnings[text[at]!] === 0 || !readNumber(text, at, read)) {
      if (numbers.length > 0) end();
      at++;
      continue;
    }
    // A number that is no byte ends a value, which cannot continue after it.
    numbers.push(Math.min(read.value, 0xff));
    at = read.next;
    if (!isSeparator(text[at]!)) end();
    while (isSeparator(text[at]!)) at++;
  }
  end();
  return lists;
}

/** Reads a number of at most three digits, which may have its index before it, such as `"12": 255`. */
function readDecimal(text: Uint8Array, at: number, read: Read): boolean {
  if (isWord(text[at - 1]!) || text[at - 1] === DOT) return false;
  const first = text[at] === QUOTE ? at + 1 : at;
  if (!readDigits(text, first, INDEX_MAX_DIGITS, read)) return false;
  const digits = read.next - first;
  let next = text[read.next] === QUOTE ? read.next + 1 : read.next;
  if (text[next] === SPACE) next++;
  if (text[next] !== COLON) return first === at && digits <= BYTE_MAX_DIGITS;
  return readDigits(text, text[next + 1] === SPACE ? next + 2 : next + 1, BYTE_MAX_DIGITS, read);
}

function readDigits(text: Uint8Array, at: number, most: number, read: Read): boolean {
  let [next, value] = [at, 0];
  for (; next < at + most && HEX[text[next]!]! < 10; next++) value = value * 10 + HEX[text[next]!]!;
  read.value = value;
  read.next = next;
  return next > at && !isWord(text[next]!);
}

/** Reads two hexadecimal digits, which may have `0x` or `\x` before them. */
function readHexadecimal(text: Uint8Array, at: number, read: Read): boolean {
  if (isWord(text[at - 1]!)) return false;
  const hasPrefix = text[at + 1] === LOW_X && (text[at] === ZERO || text[at] === BACKSLASH);
  const first = hasPrefix ? at + 2 : at;
  const [high, low] = [HEX[text[first]!]!, HEX[text[first + 1]!]!];
  if (high > 15 || low > 15 || isWord(text[first + 2]!)) return false;
  read.value = high * 16 + low;
  read.next = first + 2;
  return true;
}

function isDecimalSeparator(byte: number): boolean {
  return byte === COMMA || byte === SPACE || byte === LINE_FEED || byte === RETURN || byte === TAB;
}

function isHexSeparator(byte: number): boolean {
  return SEPARATORS[byte] === 1;
}

function isWord(byte: number): boolean {
  return HEX[byte]! < 16 || (byte >= 0x61 && byte <= 0x7a) || (byte >= 0x41 && byte <= 0x5a) || byte === UNDERSCORE;
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Returns 1 for each byte that is one of the characters, 0 for others. */
function among(characters: string): Uint8Array {
  const kinds = new Uint8Array(256);
  for (const byte of bytesOf(characters)) kinds[byte] = 1;
  return kinds;
}
