// Finds pieces of values next to an ellipsis, as errors quote what they were given: `Received type string ('sk_live_51Ha...)`,
// `Unexpected token 's', "sk_live_51"... is not valid JSON`.

import { Buffer } from "node:buffer";
import type { Span } from "./matcher.ts";
import { latin1 } from "./codes.ts";

/** Shorter pieces are not taken for some of a value. */
const FRAGMENT_MIN_BYTES = 8;
/** Ellipses of one text that are looked at. */
const ELLIPSES_MAX = 1_000;
/** Bytes of values that are searched for all ellipses together, which takes some milliseconds. */
const EFFORT_MAX_BYTES = 8 << 20;
/** Three dots, or one character of them in UTF-8. */
const ELLIPSIS = /\.{3,}|\xe2\x80\xa6/g;
const QUOTES = `"'\`)]`;

/** Returns where pieces of `values` stand directly before or after an ellipsis, ordered by start. */
export function fragmentsIn<T extends { readonly value: string }>(bytes: Uint8Array, values: Iterable<T>): Span<T>[] {
  if (!bytes.includes(0x2e) && !bytes.includes(0xe2)) return [];
  const text = latin1(bytes);
  const ellipses = [...first(text.matchAll(ELLIPSIS), ELLIPSES_MAX)];
  if (ellipses.length === 0) return [];
  const spans: Span<T>[] = [];
  let searched = 0;
  for (const of of values) {
    const value = latin1(Buffer.from(of.value));
    searched += 2 * value.length * ellipses.length;
    if (searched > EFFORT_MAX_BYTES) break;
    for (const { 0: dots, index } of ellipses) {
      const before = fragmentBefore(text, index, value);
      if (before) spans.push({ ...before, of });
      const after = fragmentAfter(text, index + dots.length, value);
      if (after) spans.push({ ...after, of });
    }
  }
  return spans.sort((a, b) => a.start - b.start);
}

function* first<T>(all: Iterable<T>, count: number): Generator<T> {
  for (const one of all) {
    if (count-- === 0) return;
    yield one;
  }
}

function fragmentBefore(text: string, end: number, value: string): { start: number; end: number } | undefined {
  if (QUOTES.includes(text[end - 1] ?? "-")) end--;
  let start = end - FRAGMENT_MIN_BYTES;
  let at = start < 0 ? -1 : value.indexOf(text.slice(start, end));
  if (at === -1) return undefined;
  while (start > 0 && at > 0 && text[start - 1] === value[at - 1]) {
    start--;
    at--;
  }
  return { start, end };
}

function fragmentAfter(text: string, start: number, value: string): { start: number; end: number } | undefined {
  if (QUOTES.includes(text[start] ?? "-")) start++;
  let end = start + FRAGMENT_MIN_BYTES;
  let at = end > text.length ? -1 : value.indexOf(text.slice(start, end));
  if (at === -1) return undefined;
  at += FRAGMENT_MIN_BYTES;
  while (end < text.length && at < value.length && text[end] === value[at]) {
    end++;
    at++;
  }
  return { start, end };
}
