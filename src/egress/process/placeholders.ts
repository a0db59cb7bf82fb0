// Puts sealed values in place of their placeholders, each encoded as its place in the request requires. A placeholder
// consists of characters that no encoding changes.

import { Buffer } from "node:buffer";
import type { SealedEntry, SendPlace } from "../../sealed.ts";

/** The value cannot be sent in this place. The message is for the author of the handler. */
export class Unsendable extends Error {}

type Encode = (value: string) => Buffer;

/** Other characters have no agreed encoding in headers, so a host could echo them in one that is not searched. */
const NOT_IN_HEADER = /[^\t\x20-\x7e]/;
const BASIC = /^(basic +)([a-z0-9+/_-]+=*) *$/i;

/** Returns the entries whose values may be put in this place. */
export function entriesFor(sealed: readonly SealedEntry[], place: SendPlace): SealedEntry[] {
  return sealed.filter(({ places }) => places.includes(place));
}

/** Returns the header's value with the values in it, also within `Basic`. @throws Unsendable */
export function inHeader(name: string, text: string, entries: readonly SealedEntry[]): string {
  const basic = BASIC.exec(text);
  if (basic) {
    const given = Buffer.from(basic[2]!, "base64");
    const filled = replaceIn(given, entries, (value) => Buffer.from(value));
    return filled === given ? text : basic[1] + filled.toString("base64");
  }
  let filled = text;
  for (const { placeholder, value, name: secret } of entries) {
    if (!filled.includes(placeholder)) continue;
    if (NOT_IN_HEADER.test(value)) {
      throw new Unsendable(
        `The secret "${secret}" cannot be sent in the header ${name}: ` +
          "its value has line breaks or characters outside of ASCII.",
      );
    }
    filled = filled.replaceAll(placeholder, () => value);
  }
  return filled;
}

/** Returns the path with the values in it, each encoded as a part of one segment (RFC 3986 3.3). */
export function inPath(path: string, entries: readonly SealedEntry[]): string {
  return replaceText(
    path,
    entries,
    (value) =>
      percentEncoded(value).replace(
        /%(?:3A|40|21|24|26|27|28|29|2A|2B|2C|3B|3D)/g,
        decodeURIComponent,
      ),
  );
}

export function inQuery(query: string, entries: readonly SealedEntry[]): string {
  return replaceText(query, entries, percentEncoded);
}

/** Replaces placeholders in a body, which may be split over its pieces. */
export interface BodyFilter {
  /** Returns what can be sent so far. */
  push(piece: Uint8Array): Uint8Array;
  /** Returns the rest. */
  end(): Uint8Array;
}

/**
 * Returns a filter for a body of this type; undefined if values are not put into such a body: a compressed one, one that
 * is no text, or text in an encoding that is no superset of ASCII.
 */
export function bodyFilter(
  contentType: string,
  isEncoded: boolean,
  entries: readonly SealedEntry[],
): BodyFilter | undefined {
  if (entries.length === 0 || isEncoded || !hasSearchableCharset(contentType)) {
    return undefined;
  }
  const type = contentType.split(";", 1)[0]!.trim().toLowerCase();
  if (
    type === "application/json" || type.endsWith("+json") ||
    type === "application/x-ndjson"
  ) {
    return new TextFilter(
      entries,
      (value) => Buffer.from(JSON.stringify(value).slice(1, -1)),
    );
  }
  if (type === "application/x-www-form-urlencoded") {
    return new TextFilter(
      entries,
      (value) => Buffer.from(percentEncoded(value)),
    );
  }
  if (type === "multipart/form-data") {
    const boundary = /;\s*boundary=(?:"([^"]+)"|([^\s;"]+))/i.exec(contentType);
    return boundary ? new MultipartFilter(boundary[1] ?? boundary[2]!, entries) : undefined;
  }
  const isText = type.startsWith("text/") || type.endsWith("+xml") ||
    type === "application/xml" ||
    type === "application/graphql" || type === "application/javascript";
  return isText ? new TextFilter(entries, asItIs) : undefined;
}

const asItIs: Encode = (value) => Buffer.from(value);

/** Holds back the end of the text that may begin a placeholder, which the handler knows anyway. */
class TextFilter implements BodyFilter {
  readonly #entries: readonly SealedEntry[];
  readonly #encode: Encode;
  #held: Uint8Array = new Uint8Array(0);

  constructor(entries: readonly SealedEntry[], encode: Encode) {
    this.#entries = entries;
    this.#encode = encode;
  }

  push(piece: Uint8Array): Uint8Array {
    const bytes = this.#held.length === 0 ? Buffer.from(piece) : Buffer.concat([this.#held, piece]);
    const open = openFrom(bytes, this.#entries);
    this.#held = bytes.subarray(open);
    return replaceIn(bytes.subarray(0, open), this.#entries, this.#encode);
  }

  end(): Uint8Array {
    const rest = this.#held;
    this.#held = new Uint8Array(0);
    return rest;
  }
}

const HEAD_END = Buffer.from("\r\n\r\n");
/** A longer head of a part is none of a text field. */
const HEAD_MAX_BYTES = 8 * 1024;

/** Replaces placeholders in the fields of a form that are texts, not in files. */
class MultipartFilter implements BodyFilter {
  readonly #entries: readonly SealedEntry[];
  readonly #delimiter: Buffer;
  #state: "outside" | "head" | "field" | "file" = "outside";
  // The first delimiter may begin the body, without the line break before it.
  #held: Buffer = Buffer.from("\r\n");
  #hasBegun = false;

  constructor(boundary: string, entries: readonly SealedEntry[]) {
    this.#entries = entries;
    this.#delimiter = Buffer.from(`\r\n--${boundary}`, "latin1");
  }

  push(piece: Uint8Array): Uint8Array {
    this.#held = Buffer.concat([this.#held, piece]);
    const out: Uint8Array[] = [];
    while (this.#step(out));
    return this.#withoutLead(out);
  }

  end(): Uint8Array {
    const rest = this.#take(this.#held.length);
    return this.#withoutLead([rest]);
  }

  /** Moves what is decided to `out`. Returns whether there may be more. */
  #step(out: Uint8Array[]): boolean {
    if (this.#state === "head") {
      const end = this.#held.indexOf(HEAD_END);
      if (end === -1 && this.#held.length < HEAD_MAX_BYTES) return false;
      const head = this.#take(
        end === -1 ? this.#held.length : end + HEAD_END.length,
      );
      out.push(head);
      this.#state = end !== -1 && isTextField(head.toString("latin1")) ? "field" : "file";
      return true;
    }
    const at = this.#held.indexOf(this.#delimiter);
    if (at === -1) {
      const open = this.#held.length - openLengthOf(this.#held, this.#delimiter);
      out.push(
        this.#filled(
          this.#take(this.#state === "field" ? openFrom(this.#held.subarray(0, open), this.#entries) : open),
        ),
      );
      return false;
    }
    out.push(this.#filled(this.#take(at)), this.#take(this.#delimiter.length));
    this.#state = "head";
    return true;
  }

  #filled(bytes: Buffer): Uint8Array {
    return this.#state === "field" ? replaceIn(bytes, this.#entries, asItIs) : bytes;
  }

  #take(length: number): Buffer {
    const taken = this.#held.subarray(0, length);
    this.#held = this.#held.subarray(length);
    return taken;
  }

  /** Removes the line break that was added before the body. */
  #withoutLead(out: readonly Uint8Array[]): Uint8Array {
    const bytes = Buffer.concat(out);
    if (this.#hasBegun || bytes.length === 0) return bytes;
    this.#hasBegun = true;
    return bytes.subarray("\r\n".length);
  }
}

function isTextField(head: string): boolean {
  const [, type] = /^content-type:\s*([^\r\n]*)/im.exec(head) ?? [];
  if (/^content-disposition:[^\r\n]*;\s*filename\*?\s*=/im.test(head)) {
    return false;
  }
  if (/^content-transfer-encoding:/im.test(head)) return false;
  return type === undefined ||
    (/^text\/plain/i.test(type) && hasSearchableCharset(type));
}

function hasSearchableCharset(contentType: string): boolean {
  const [, charset] = /;\s*charset\s*=\s*["']?([^"';\s]+)/i.exec(contentType) ??
    [];
  return charset === undefined || /^(?:utf-?8|(?:us-)?ascii)$/i.test(charset);
}

function percentEncoded(value: string): string {
  return encodeURIComponent(value).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function replaceText(text: string, entries: readonly SealedEntry[], encode: (value: string) => string): string {
  let filled = text;
  for (const { placeholder, value } of entries) {
    if (filled.includes(placeholder)) {
      filled = filled.replaceAll(placeholder, () => encode(value));
    }
  }
  return filled;
}

/** Returns the same buffer if it has no placeholder. */
function replaceIn(bytes: Buffer, entries: readonly SealedEntry[], encode: Encode): Buffer {
  const found: { at: number; entry: SealedEntry }[] = [];
  for (const entry of entries) {
    for (
      let at = bytes.indexOf(entry.placeholder);
      at !== -1;
      at = bytes.indexOf(entry.placeholder, at + 1)
    ) {
      found.push({ at, entry });
    }
  }
  if (found.length === 0) return bytes;
  found.sort((a, b) => a.at - b.at);
  const parts: Uint8Array[] = [];
  let from = 0;
  for (const { at, entry } of found) {
    parts.push(bytes.subarray(from, at), encode(entry.value));
    from = at + entry.placeholder.length;
  }
  parts.push(bytes.subarray(from));
  return Buffer.concat(parts);
}

/** Returns from where on the bytes may begin a placeholder that continues after them. */
function openFrom(bytes: Buffer, entries: readonly SealedEntry[]): number {
  const open = entries.map(({ placeholder }) => openLengthOf(bytes, Buffer.from(placeholder)));
  const from = bytes.length - Math.max(0, ...open);
  // The end of a whole placeholder may look like the beginning of one.
  for (const { placeholder } of entries) {
    const at = bytes.indexOf(placeholder, Math.max(0, from - placeholder.length + 1));
    if (at === -1 || at >= from) continue;
    const end = at + placeholder.length;
    return end + openFrom(bytes.subarray(end), entries);
  }
  return from;
}

/** Returns how many of the last bytes are the beginning of `text`, without all of it. */
function openLengthOf(bytes: Uint8Array, text: Uint8Array): number {
  for (
    let length = Math.min(text.length - 1, bytes.length);
    length > 0;
    length--
  ) {
    const from = bytes.length - length;
    let equal = 0;
    while (equal < length && bytes[from + equal] === text[equal]) equal++;
    if (equal === length) return length;
  }
  return 0;
}
