// Masks secrets that were disclosed to handlers in what is written about their calls. Stores nothing.

import { type Encoding, encodingsOf } from "./encodings.ts";
import { fragmentsIn } from "./fragments.ts";
import { Matcher, type Searchable, type Span } from "./matcher.ts";
import { secretPartsOf } from "./secret_parts.ts";
import { viewsOf } from "./views.ts";

/** Memory for the values of one call, and for those remembered of a function. */
const CALL_MAX_BYTES = 4 << 20;
const FUNCTION_MAX_BYTES = 2 * CALL_MAX_BYTES;
/** Memory for all functions together. Those that were given nothing new for the longest time are forgotten first. */
const ALL_MAX_BYTES = 16 << 20;
/** Memory for the values of all running calls, of one function and of all. Each value counts once. */
const CALLS_OF_FUNCTION_MAX_BYTES = 16 << 20;
const ALL_CALLS_MAX_BYTES = 64 << 20;
const KEY_PART = 64;
/** Memory of an encoding in addition to its needle, its place in a Matcher included (measured on Deno 2.9.6). */
const ENCODING_BYTES = 480;

/** A value that was disclosed to a handler, with the name by which it was asked for. */
export interface DisclosedValue extends Searchable {
  readonly name: string;
  readonly value: string;
  /** Its size in memory with all of its encodings. */
  readonly bytes: number;
  /** The number of calls that have it. */
  holders: number;
}

/** The secrets that were disclosed to one call. */
export interface DisclosedSecrets {
  readonly functionId: number;
  readonly values: ReadonlySet<DisclosedValue>;
  /** Whether more was disclosed than is kept. Nothing that the call writes is then known to be free of secrets. */
  readonly overflowed: boolean;
}

/** The pieces that a call printed, masked as one text. */
export interface MaskedPieces {
  readonly texts: string[];
  /**
   * The index of the first piece whose masking may depend on the next piece; -1 if that includes the text before the
   * first piece, and the number of pieces if all of them are final.
   */
  readonly openFrom: number;
  /** The end of the whole text that may begin a value: pass it as `before` of the next pieces. */
  readonly open: string;
}

export interface Masking {
  /** Starts a call. Call `release` at its end. */
  begin(functionId: number): DisclosedSecrets;
  /** Records that `value` was disclosed to the call. Values below 8 bytes are ignored: other text has them too often. */
  recordDisclosure(disclosed: DisclosedSecrets, name: string, value: string): void;
  /** Reports whether `host`, in lower case, contains a value that was disclosed to the function, in any encoding. */
  isInHost(functionId: number, host: string): boolean;
  /** Replaces each value that was disclosed to the function, in any encoding, by `[secret NAME]`. */
  mask(functionId: number, text: string, disclosed?: DisclosedSecrets): string;
  /** Masks `texts` as one text after `before`, so that a value that begins in one and ends in another is found. */
  maskPieces(
    functionId: number,
    disclosed: DisclosedSecrets | undefined,
    before: string,
    texts: readonly string[],
  ): MaskedPieces;
  /** Keeps the call's secrets for one more user, until that user calls `release`. */
  hold(disclosed: DisclosedSecrets): void;
  /** Forgets the call's secrets after the last user released them. */
  release(disclosed: DisclosedSecrets): void;
  /** Returns the matcher to search the call's response with; undefined if nothing was disclosed to the call. */
  matcherFor(disclosed: DisclosedSecrets): Matcher<DisclosedValue> | undefined;
  /** Forgets a function that no longer exists. */
  forget(functionId: number): void;
}

const NOT_SHOWN = "[not shown: this call has read too many secrets to search for]";
const TOO_COSTLY = "[not shown: searching it for secrets takes too long]";

interface Remembered {
  /** By `keyOf`, the newest last. */
  readonly values: Map<string, DisclosedValue>;
  readonly matcher: Matcher<DisclosedValue>;
  bytes: number;
}

interface Call extends DisclosedSecrets {
  readonly values: Set<DisclosedValue>;
  overflowed: boolean;
  bytes: number;
  /** The number of users of its secrets: its request, its process, entries of the log, its response. */
  holders: number;
}

/** The values that running calls of one function have, by `keyOf`. */
interface HeldByCalls {
  readonly values: Map<string, DisclosedValue>;
  bytes: number;
}

/** Creates the masking. One long function, as its parts share the values of all functions and running calls. */
export function createMasking(): Masking {
  /** In the order in which they were last given something new. */
  const functions = new Map<number, Remembered>();
  let allBytes = 0;
  /** By function. */
  const held = new Map<number, HeldByCalls>();
  let heldBytes = 0;
  const encoder = new TextEncoder();
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

  const forget = (functionId: number): void => {
    allBytes -= functions.get(functionId)?.bytes ?? 0;
    functions.delete(functionId);
  };

  const remember = (functionId: number, value: DisclosedValue): Remembered => {
    const known = functions.get(functionId) ?? { values: new Map(), matcher: new Matcher(), bytes: 0 };
    forget(functionId);
    keep(known, value);
    functions.set(functionId, known);
    allBytes += known.bytes;
    for (const other of functions.keys()) {
      if (allBytes <= ALL_MAX_BYTES || other === functionId) break;
      forget(other);
    }
    return known;
  };

  const keep = (known: Remembered, value: DisclosedValue): void => {
    const key = keyOf(value.name, value.value);
    const displaced = known.values.get(key);
    if (displaced) known.bytes -= displaced.bytes;
    if (displaced) known.matcher.delete(displaced);
    known.values.set(key, value);
    known.matcher.add(value);
    known.bytes += value.bytes;
    for (const [oldKey, old] of known.values) {
      if (known.bytes <= FUNCTION_MAX_BYTES) break;
      known.values.delete(oldKey);
      known.matcher.delete(old);
      known.bytes -= old.bytes;
    }
  };

  /** Returns the function's values. Adds those of this call again if newer calls have displaced them. */
  const knownTo = (functionId: number, disclosed: DisclosedSecrets | undefined): Remembered | undefined => {
    let known = functions.get(functionId);
    for (const value of disclosed?.values ?? []) if (!known?.matcher.has(value)) known = remember(functionId, value);
    return known;
  };

  const maskPieces: Masking["maskPieces"] = (functionId, disclosed, before, texts) => {
    const instead = (text: string): MaskedPieces => ({
      texts: texts.map(() => text),
      openFrom: texts.length,
      open: "",
    });
    if (disclosed?.overflowed) return instead(NOT_SHOWN);
    const known = knownTo(functionId, disclosed);
    if (!known || known.matcher.size === 0) return { texts: [...texts], openFrom: texts.length, open: "" };
    const pieces = [before, ...texts].map((text) => encoder.encode(text));
    const whole = pieces.length === 2 && pieces[0]!.length === 0 ? pieces[1]! : concat(pieces);
    const found = known.matcher.find(whole);
    if (!found) return instead(TOO_COSTLY);
    const end = known.matcher.openEnd(whole);
    const inViews = spansInViews(known.matcher, whole);
    if (!inViews) return instead(TOO_COSTLY);
    // What the call itself was given, then what the function was given last.
    const fragments = fragmentsIn(whole, [...disclosed?.values ?? [], ...[...known.values.values()].reverse()]);
    const spans = [...found.spans, ...inViews, ...fragments, ...end.span ? [end.span] : []];
    if (inViews.length + fragments.length > 0) spans.sort((a, b) => a.start - b.start);
    const openAt = Math.min(found.cutFrom, end.from);
    const starts = [0];
    for (const { length } of pieces) starts.push(starts.at(-1)! + length);
    const masked = texts.map((text, index) => {
      const [from, to] = [starts[index + 1]!, starts[index + 2]!];
      return touches(spans, from, to) ? replace(whole, spans, from, to, decoder) : text;
    });
    const openFrom = openAt === whole.length ? texts.length : pieceOf(starts, clearBefore(starts, spans, openAt)) - 1;
    return { texts: masked, openFrom, open: decoder.decode(whole.subarray(openAt)) };
  };

  /** Counts a value for one more call. Returns false if there is no room for it. */
  const holdValue = (functionId: number, value: DisclosedValue): boolean => {
    if (value.holders > 0) return ++value.holders > 0;
    const of = held.get(functionId) ?? { values: new Map(), bytes: 0 };
    if (of.bytes + value.bytes > CALLS_OF_FUNCTION_MAX_BYTES) return false;
    if (heldBytes + value.bytes > ALL_CALLS_MAX_BYTES) return false;
    held.set(functionId, of);
    of.values.set(keyOf(value.name, value.value), value);
    of.bytes += value.bytes;
    heldBytes += value.bytes;
    value.holders = 1;
    return true;
  };

  const releaseValue = (functionId: number, value: DisclosedValue): void => {
    if (--value.holders > 0) return;
    const of = held.get(functionId)!;
    const key = keyOf(value.name, value.value);
    // Another value with the same key may have taken its place.
    if (of.values.get(key) === value) of.values.delete(key);
    of.bytes -= value.bytes;
    heldBytes -= value.bytes;
    if (of.bytes === 0) held.delete(functionId);
  };

  const releaseAll = (call: Call): void => {
    for (const value of call.values) releaseValue(call.functionId, value);
    call.values.clear();
  };

  /** Returns the function's value if it is in memory already. */
  const existing = (functionId: number, name: string, value: string): DisclosedValue | undefined => {
    const key = keyOf(name, value);
    return [functions.get(functionId)?.values.get(key), held.get(functionId)?.values.get(key)]
      .find((known) => known?.value === value);
  };

  return {
    begin: (functionId): Call => ({ functionId, values: new Set(), overflowed: false, bytes: 0, holders: 1 }),

    recordDisclosure(disclosed, name, value) {
      const call = disclosed as Call;
      if (call.overflowed) return;
      let disclosedValue = existing(call.functionId, name, value);
      if (!disclosedValue) {
        const encodings = formsOf(value);
        if (encodings.length === 0) return;
        const bytes = encodings.reduce((sum, { needle }) => sum + needle.length + ENCODING_BYTES, value.length * 2);
        disclosedValue = { name, value, encodings, bytes, holders: 0 };
        remember(call.functionId, disclosedValue);
      }
      if (call.values.has(disclosedValue)) return;
      call.bytes += disclosedValue.bytes;
      if (call.bytes <= CALL_MAX_BYTES && holdValue(call.functionId, disclosedValue)) {
        call.values.add(disclosedValue);
        return;
      }
      call.overflowed = true;
      releaseAll(call);
    },

    hold(disclosed) {
      (disclosed as Call).holders++;
    },

    release(disclosed) {
      const call = disclosed as Call;
      if (--call.holders <= 0) releaseAll(call);
    },

    mask: (functionId, text, disclosed) => maskPieces(functionId, disclosed, "", [text]).texts[0]!,
    maskPieces,
    isInHost(functionId, host) {
      if (maskPieces(functionId, undefined, "", [host]).texts[0] !== host) return true;
      const values = functions.get(functionId)?.values.values() ?? [];
      return [...values].some(({ value }) => host.includes(value.toLowerCase()));
    },
    matcherFor: (disclosed) =>
      disclosed.values.size === 0 ? undefined : knownTo(disclosed.functionId, disclosed)?.matcher,

    forget,
  };
}

/** Returns the encodings of a value, and of its parts that are secret on their own. */
function formsOf(value: string): Encoding[] {
  return [value, ...secretPartsOf(value)].flatMap((text) => encodingsOf(text));
}

/** Returns a key with only the ends of a long value, which costs less. Values with the same ends displace each other. */
function keyOf(name: string, value: string): string {
  const { length } = value;
  // Names contain no "=".
  if (length <= 2 * KEY_PART) return `${name}=${value}`;
  return `${name}=${length}=${value.slice(0, KEY_PART)}${value.slice(-KEY_PART)}`;
}

/** Returns where values are in the views of the bytes; undefined if the search would take too long. */
function spansInViews(matcher: Matcher<DisclosedValue>, bytes: Uint8Array): Span<DisclosedValue>[] | undefined {
  const spans: Span<DisclosedValue>[] = [];
  for (const view of viewsOf(bytes)) {
    const found = matcher.find(view.bytes);
    if (!found) return undefined;
    // Deno prints the first 50 bytes of a buffer and the first 100 numbers of other lists.
    const { span: cut } = matcher.openEnd(view.bytes);
    for (const { start, end, of } of cut ? [...found.spans, cut] : found.spans) {
      spans.push({ start: view.startOf(start), end: view.endOf(end - 1), of });
    }
  }
  return spans;
}

function concat(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** Returns the index of the piece that contains byte `at`. Of several that start there, only the last is not empty. */
function pieceOf(starts: readonly number[], at: number): number {
  return starts.findLastIndex((start) => start <= at);
}

/** Returns the last start of a piece at or before `at` that no span crosses. */
function clearBefore(starts: readonly number[], spans: readonly Span<DisclosedValue>[], at: number): number {
  let clear = starts[pieceOf(starts, at)]!;
  for (const { start, end } of spans.toReversed()) {
    if (start < clear && end > clear) clear = starts[pieceOf(starts, start)]!;
  }
  return clear;
}

function touches(spans: readonly Span<DisclosedValue>[], from: number, to: number): boolean {
  return spans.some(({ start, end }) => start < to && end > from);
}

/** Returns the bytes between `from` and `to` as text, with the name of its secret in place of each span. */
function replace(
  bytes: Uint8Array,
  spans: readonly Span<DisclosedValue>[],
  from: number,
  to: number,
  decoder: TextDecoder,
): string {
  let text = "";
  let at = from;
  for (const { start, end, of } of spans) {
    if (start >= to || end <= at) continue;
    if (start > at) text += decoder.decode(bytes.subarray(at, start));
    text += `[secret ${of.name}]`;
    at = Math.min(end, to);
  }
  return text + decoder.decode(bytes.subarray(at, to));
}
