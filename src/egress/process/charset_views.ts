// Decodes a response into the views of other character encodings than UTF-8, in which values are searched for, too.

import type { View } from "../../masking/codes.ts";

/** Returns the views of bytes that are searched for values; `isAscii` if all of these consist of ASCII characters. */
export function charsetViewsOf(bytes: Uint8Array, isAscii: boolean): View[] {
  const views = bytes.includes(0) ? [viewOf(bytes, withoutNuls)] : [];
  if (!isAscii && bytes.some((byte) => byte >= 0x80)) {
    views.push(viewOf(bytes, fromLatin1), viewOf(bytes, encodedTwice));
  }
  return views;
}

/** Calls `emit` for each byte of a view, with the place from which it was decoded. */
type Decode = (bytes: Uint8Array, emit: (byte: number, start: number, end: number) => void) => void;

function viewOf(bytes: Uint8Array, decode: Decode): View {
  const [decoded, starts, ends]: number[][] = [[], [], []];
  decode(bytes, (byte, start, end) => {
    decoded!.push(byte);
    starts!.push(start);
    ends!.push(end);
  });
  return {
    bytes: Uint8Array.from(decoded!),
    startOf: (index) => starts![index]!,
    endOf: (index) => ends![index]!,
  };
}

/** UTF-16 or UTF-32, which has NULs next to each ASCII character. */
const withoutNuls: Decode = (bytes, emit) => {
  for (let at = 0; at < bytes.length; at++) {
    if (bytes[at] !== 0) emit(bytes[at]!, at, at + 1);
  }
};

/** Latin-1, of which each byte is a character. */
const fromLatin1: Decode = (bytes, emit) => {
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte >= 0x80) emit(0xc0 | byte >> 6, at, at + 1);
    emit(byte >= 0x80 ? 0x80 | byte & 0x3f : byte, at, at + 1);
  }
};

/** UTF-8 whose bytes were taken for characters of Latin-1 and encoded again. */
const encodedTwice: Decode = (bytes, emit) => {
  for (let at = 0; at < bytes.length; at++) {
    const [byte, next = 0] = [bytes[at]!, bytes[at + 1]];
    const isPair = (byte === 0xc2 || byte === 0xc3) && next >= 0x80 && next < 0xc0;
    emit(isPair ? (byte & 0x03) << 6 | next & 0x3f : byte, at, at + (isPair ? 2 : 1));
    if (isPair) at++;
  }
};
