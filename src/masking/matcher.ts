// Searches bytes for many strings at once by the algorithm of Wu and Manber ("A fast algorithm for multi-pattern
// searching", 1994): where no string has the last bytes of a window, the window moves by several bytes. Strings are
// added without a rebuild, as values come one by one.

import { type Encoding, ENCODING_MIN_BYTES, NEEDLE_MAX_BYTES } from "./encodings.ts";

const BLOCK_BYTES = 3;
const SHIFT_MAX = ENCODING_MIN_BYTES - BLOCK_BYTES + 1;
const TABLE_MIN = 1 << 12;
const TABLE_MAX = 1 << 18;
/** Entries of the table for each needle, so that most windows can be skipped at once. */
const ENTRIES_PER_NEEDLE = 32;
/** Comparisons of single bytes for each byte searched, beyond which the search is given up. */
const EFFORT_PER_BYTE = 64;
const EFFORT_MIN = 1 << 16;

/** A value whose encodings are searched for. */
export interface Searchable {
  readonly encodings: readonly Encoding[];
}

export interface Span<T> {
  readonly start: number;
  /** After its last byte. */
  end: number;
  readonly of: T;
}

export interface Found<T> {
  /** Ordered by start. They may overlap. */
  readonly spans: Span<T>[];
  /** The start of the first span whose encoding may continue after the bytes; the bytes' length if there is none. */
  readonly cutFrom: number;
}

/** An encoding that may continue after the end of the bytes. */
export interface OpenEnd<T> {
  /** The start of the first one; the bytes' length if there is none. */
  readonly from: number;
  /** The span, if enough of the encoding is there to treat it as found. */
  readonly span: Span<T> | undefined;
}

/** The beginning of an encoding at the end of a text is treated as found from this length on. */
const OPEN_MIN_BYTES = 8;

interface Needle<T> {
  readonly encoding: Encoding;
  readonly bytes: Uint8Array;
  readonly of: T;
}

export class Matcher<T extends Searchable> {
  readonly #effortPerByte: number;
  #values = new Set<T>();
  #needles = 0;
  #mask = TABLE_MIN - 1;
  #shifts = new Uint8Array(TABLE_MIN).fill(SHIFT_MAX);
  #buckets = new Map<number, Needle<T>[]>();
  /** All needles in the order of their bytes. */
  #sorted: Needle<T>[] = [];
  /** The number of needles in the table that are no longer searched for. */
  #stale = 0;

  /** With an infinite `effortPerByte`, no search is given up. */
  constructor(effortPerByte = EFFORT_PER_BYTE) {
    this.#effortPerByte = effortPerByte;
  }

  get size(): number {
    return this.#values.size;
  }

  has(of: T): boolean {
    return this.#values.has(of);
  }

  add(of: T): void {
    if (this.#values.has(of)) return;
    this.#values.add(of);
    this.#needles += of.encodings.length;
    if (this.#needles * ENTRIES_PER_NEEDLE > this.#shifts.length && this.#shifts.length < TABLE_MAX) this.#build();
    else this.#enter(of);
  }

  delete(of: T): void {
    if (!this.#values.delete(of)) return;
    this.#needles -= of.encodings.length;
    this.#stale += of.encodings.length;
    if (this.#stale > this.#needles) this.#build();
  }

  /**
   * Finds the values, or those that are in `among`, in `bytes`. Returns undefined if that would take too long, which
   * happens only with texts and values that repeat the same pieces many times.
   */
  find(bytes: Uint8Array, among: ReadonlySet<T> = this.#values): Found<T> | undefined {
    const spans: Span<T>[] = [];
    const length = bytes.length;
    const last = length - ENCODING_MIN_BYTES;
    const effort = { left: EFFORT_MIN + this.#effortPerByte * length };
    const [shifts, mask] = [this.#shifts, this.#mask];
    let cutFrom = length;
    for (let at = 0; at <= last;) {
      const block = hash(bytes[at + 5]!, bytes[at + 6]!, bytes[at + 7]!) & mask;
      const shift = shifts[block]!;
      if (shift > 0) {
        at += shift;
        continue;
      }
      const span = this.#longestAt(bytes, at, block, among, effort);
      if (effort.left < 0) return undefined;
      if (span && span.end > (spans.at(-1)?.end ?? 0)) spans.push(span);
      if (span?.isCut && at < cutFrom) cutFrom = at;
      at++;
    }
    return { spans, cutFrom };
  }

  /** Finds an encoding that begins in the last bytes, with less than its needle, and may continue after them. */
  openEnd(bytes: Uint8Array, among: ReadonlySet<T> = this.#values): OpenEnd<T> {
    let from = bytes.length;
    for (let at = Math.max(0, bytes.length - NEEDLE_MAX_BYTES + 1); at < bytes.length; at++) {
      const needle = this.#beginningWith(bytes, at, among);
      if (!needle) continue;
      if (at < from) from = at;
      const least = Math.min(OPEN_MIN_BYTES, Math.ceil(needle.bytes.length / 2));
      if (bytes.length - at >= least) return { from, span: { start: at, end: bytes.length, of: needle.of } };
    }
    return { from, span: undefined };
  }

  #longestAt(bytes: Uint8Array, at: number, block: number, among: ReadonlySet<T>, effort: { left: number }) {
    let longest: (Span<T> & { isCut: boolean }) | undefined;
    for (const { encoding, bytes: needle, of } of this.#buckets.get(block) ?? []) {
      const equal = commonLength(bytes, at, needle, 0);
      effort.left -= equal + 1;
      if (effort.left < 0) return undefined;
      if (equal < needle.length || !among.has(of)) continue;
      let [start, end, isCut] = [at, at + needle.length, false];
      if (encoding.isLong) {
        const whole = encoding.whole();
        effort.left -= whole.length;
        end += commonLength(bytes, end, whole, needle.length);
        isCut = end === bytes.length && end - at < whole.length;
      }
      if (!isCut) [start, end] = withSharedBits(bytes, start, end, encoding);
      if (!longest || end > longest.end) longest = { start, end, of, isCut };
    }
    return longest;
  }

  /** Returns a needle that is longer than the bytes from `at` on, and begins with all of them. */
  #beginningWith(bytes: Uint8Array, at: number, among: ReadonlySet<T>): Needle<T> | undefined {
    const size = bytes.length - at;
    for (let index = this.#place(bytes, at); index < this.#sorted.length; index++) {
      const needle = this.#sorted[index]!;
      if (commonLength(bytes, at, needle.bytes, 0) < size) return undefined;
      if (needle.bytes.length > size && among.has(needle.of)) return needle;
    }
    return undefined;
  }

  /** Returns the index of the first needle that does not sort before the bytes from `at` on. */
  #place(bytes: Uint8Array, at: number): number {
    let [low, high] = [0, this.#sorted.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const needle = this.#sorted[middle]!.bytes;
      const equal = commonLength(bytes, at, needle, 0);
      const isBefore = at + equal < bytes.length && (equal === needle.length || needle[equal]! < bytes[at + equal]!);
      if (isBefore) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #build(): void {
    let size = TABLE_MIN;
    while (size < TABLE_MAX && size < this.#needles * ENTRIES_PER_NEEDLE) size *= 2;
    this.#shifts = new Uint8Array(size).fill(SHIFT_MAX);
    this.#mask = size - 1;
    this.#buckets = new Map();
    this.#stale = 0;
    this.#sorted = this.#sorted.filter(({ of }) => this.#values.has(of));
    const sorted = new Set(this.#sorted.map(({ of }) => of));
    for (const needle of this.#sorted) this.#tabulate(needle);
    for (const of of this.#values) if (!sorted.has(of)) this.#enter(of);
  }

  #enter(of: T): void {
    for (const encoding of of.encodings) {
      const needle = { encoding, bytes: encoding.needle, of };
      this.#sorted.splice(this.#place(needle.bytes, 0), 0, needle);
      this.#tabulate(needle);
    }
  }

  #tabulate(needle: Needle<T>): void {
    const { bytes } = needle;
    for (let at = 0; at + BLOCK_BYTES <= ENCODING_MIN_BYTES; at++) {
      const block = hash(bytes[at]!, bytes[at + 1]!, bytes[at + 2]!) & this.#mask;
      const shift = ENCODING_MIN_BYTES - BLOCK_BYTES - at;
      if (shift < this.#shifts[block]!) this.#shifts[block] = shift;
      if (shift > 0) continue;
      const bucket = this.#buckets.get(block);
      if (bucket) bucket.push(needle);
      else this.#buckets.set(block, [needle]);
    }
  }
}

function hash(a: number, b: number, c: number): number {
  // The lower bits of the bytes of a text differ most.
  return (a << 10) ^ (b << 5) ^ c ^ (a >>> 2);
}

/** Returns how many bytes of `a` from `at` on equal those of `b` from `from` on. */
function commonLength(a: Uint8Array, at: number, b: Uint8Array, from: number): number {
  const most = Math.min(a.length - at, b.length - from);
  let equal = 0;
  while (equal < most && a[at + equal] === b[from + equal]) equal++;
  return equal;
}

/** Returns the span extended by the characters on both sides that contain bits of the value. */
function withSharedBits(bytes: Uint8Array, start: number, end: number, { sharedBits }: Encoding): [number, number] {
  if (sharedBits.before && start > 0 && isBase64(bytes[start - 1]!)) start--;
  if (sharedBits.after && end < bytes.length && isBase64(bytes[end]!)) {
    end++;
    for (let n = 0; n < 2 && bytes[end] === 0x3d; n++) end++;
  }
  return [start, end];
}

function isBase64(byte: number): boolean {
  return (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a) ||
    byte === 0x2b || byte === 0x2f || byte === 0x2d || byte === 0x5f;
}

/** `\`, `&`, `%` and a line feed: of escapes, entities, percent codes and codes in lines. */
const CODE_BYTES = new TextEncoder().encode("\\&%\n");
/** Of a number in a list, with its index and the white space before it. */
const LIST_NUMBER_MAX_BYTES = 60;
/** Of the shortest value that is searched for. */
const LIST_MIN_NUMBERS = 8;
const [HEX_DIGIT, SEPARATOR] = [1, 2];
const LIST_KINDS = Uint8Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte);
  return /[0-9a-f]/i.test(character) ? HEX_DIGIT : /[ \t\r\n,:-]/.test(character) ? SEPARATOR : 0;
});

/** Reports whether bytes may hold a value in a form that has to be decoded (decodings.ts). */
export function mayBeEncoded(bytes: Uint8Array): boolean {
  return CODE_BYTES.some((byte) => bytes.includes(byte)) || mayHoldList(bytes);
}

/** Reports whether there are as many numbers near each other as a value has bytes. */
export function mayHoldList(text: Uint8Array): boolean {
  let [count, last, isDigit] = [0, 0, false];
  for (let at = 0; at < text.length; at++) {
    const kind = LIST_KINDS[text[at]!]!;
    if (isDigit && kind === SEPARATOR) {
      count = at - last <= LIST_NUMBER_MAX_BYTES ? count + 1 : 1;
      last = at;
      if (count === LIST_MIN_NUMBERS - 1) return true;
    }
    isDigit = kind === HEX_DIGIT;
  }
  return false;
}
