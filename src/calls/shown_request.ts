// Determines what a handler sees of a request's URL and headers. API keys of this server are removed wherever the caller
// put them: the handler's author could otherwise use the key elsewhere, as the caller.

import { Buffer } from "node:buffer";
import { KEY_VALUE_MAX_LENGTH, KEY_VALUE_MIN_LENGTH, KEY_VALUE_PATTERN } from "../core/access/access.ts";
import type { KeyDirectory } from "../core/access/directory.ts";
import { withoutOwnCookies } from "../http/cookies.ts";
import { withoutApiKey } from "../http/credentials.ts";
import type { FlatHeaders } from "../sandbox/wire/protocol.ts";
import type { CallTrace } from "../telemetry/traces.ts";

/** Texts whose result is remembered: most requests consist of texts that earlier requests had, too. */
const REMEMBERED_MAX = 5_000;
const REMEMBERED_MAX_LENGTH = 512;
/** Look-ups for one request, each of about 10 µs. A text that would need more is treated as a key. */
const LOOKUPS_MAX = 256;
/** Parts of a request's texts that are searched, each for some microseconds. A text beyond that is treated as a key. */
const PARTS_MAX = 4_096;
/** Longer `Basic` credentials are treated as a key. */
const BASIC_MAX_LENGTH = 8 * 1024;

const SEPARATORS = /[\s,;=&?#"'<>()[\]{}|\\]+/;
const FINER_SEPARATORS = /[:/@]+/;
const ANY_SEPARATOR = /[\s,;=&?#"'<>()[\]{}|\\:/@]/g;
/** Shorter texts count as one part. */
const PARTS_MIN_LENGTH = 64;

export interface KeyRemoval {
  /** Starts a new request, to which the following calls belong. */
  begin(): void;
  /** Returns the value of a header without keys; undefined if the handler must not see the header. */
  header(name: string, value: string): string | undefined;
  /** Returns `url` without parameters that contain a key, and without `api_key`. The rest of the query is unchanged. */
  url(url: string): string;
}

export function createKeyRemoval(access: Pick<KeyDirectory, "isStored" | "generation">): KeyRemoval {
  const remembered = new Map<string, boolean>();
  let generation = access.generation;
  let lookups = 0;
  let parts = 0;

  const search = (text: string): boolean => {
    for (const form of formsOf(text)) {
      parts += form === undefined ? Infinity : partsOf(form);
      if (form === undefined || parts > PARTS_MAX) return true;
      for (const candidate of candidatesOf(form)) {
        if (++lookups > LOOKUPS_MAX || access.isStored(candidate)) return true;
      }
    }
    return false;
  };

  const holdsKey = (text: string): boolean => {
    if (text.length < KEY_VALUE_MIN_LENGTH) return false;
    const known = remembered.get(text);
    if (known !== undefined) return known;
    const found = search(text);
    if (text.length <= REMEMBERED_MAX_LENGTH && lookups <= LOOKUPS_MAX && parts <= PARTS_MAX) {
      if (remembered.size >= REMEMBERED_MAX) remembered.clear();
      remembered.set(text, found);
    }
    return found;
  };

  const pairHoldsKey = (pair: string): boolean => {
    if (pair.length < KEY_VALUE_MIN_LENGTH) return false;
    // URLSearchParams drops one leading "?", so this one protects a "?" of the pair.
    const [[name, value] = ["", ""]] = new URLSearchParams(`?${pair}`);
    return holdsKey(value) || holdsKey(name) || holdsKey(pair);
  };

  const withoutKeys = (url: string): string => {
    const shown = withoutApiKey(url);
    const start = shown.indexOf("?");
    if (start === -1 || shown.length - start <= KEY_VALUE_MIN_LENGTH) return shown;
    const hash = shown.indexOf("#", start);
    const pairs = shown.slice(start + 1, hash === -1 ? undefined : hash).split("&");
    const kept = pairs.filter((pair) => !pairHoldsKey(pair));
    if (kept.length === pairs.length) return shown;
    const query = kept.length > 0 ? `?${kept.join("&")}` : "";
    return shown.slice(0, start) + query + (hash === -1 ? "" : shown.slice(hash));
  };

  return {
    begin() {
      lookups = parts = 0;
      if (generation === access.generation) return;
      generation = access.generation;
      remembered.clear();
    },
    header(name, value) {
      if (name === "cookie") return withoutKeyPairs(value, holdsKey);
      // A page that was opened with a key in its address sends the key as the referrer of every request.
      const shown = name === "referer" && partsOf(value) <= PARTS_MAX ? withoutKeys(value) : value;
      return holdsKey(shown) ? undefined : shown;
    },
    url: withoutKeys,
  };
}

/** Returns what the handler sees of the request's headers. */
export function headersFor(headers: Headers, keys: KeyRemoval, trace: CallTrace | undefined): FlatHeaders {
  const flat: string[] = [];
  // Not by for-of, which takes twice as long (measured on Deno 2.9.6).
  headers.forEach((value, name) => {
    if (trace && name === "traceparent") return;
    const shown = name === "cookie" ? withoutOwnCookies(value) : value;
    if (shown === undefined) return;
    const withoutKey = keys.header(name, shown);
    if (withoutKey !== undefined) flat.push(name, withoutKey);
  });
  // Requests that the handler makes belong to this call's trace.
  if (trace) flat.push("traceparent", trace.traceparent);
  return flat;
}

/** Returns a `Cookie` header without the cookies that contain a key; undefined if none is left. */
function withoutKeyPairs(header: string, holdsKey: (text: string) => boolean): string | undefined {
  if (!holdsKey(header)) return header;
  const kept = header.split(";").filter((pair) => !holdsKey(pair));
  return kept.length === 0 ? undefined : kept.join(";").trim();
}

/** Yields a text as it is, percent-decoded, and its `Basic` credentials decoded; undefined for what is too long. */
function* formsOf(text: string): Generator<string | undefined> {
  yield text;
  if (text.includes("%")) yield decoded(text);
  for (const [, pair] of text.matchAll(/\bbasic\s+([\w+/=-]+)/gi)) {
    yield pair!.length > BASIC_MAX_LENGTH ? undefined : Buffer.from(pair!, "base64").toString();
  }
}

/** Returns the number of parts that a text has at most, counted by its separators. */
function partsOf(text: string): number {
  if (text.length <= PARTS_MIN_LENGTH) return 1;
  let parts = 1;
  for (const _ of text.matchAll(ANY_SEPARATOR)) if (++parts > PARTS_MAX) break;
  return parts;
}

/** Returns the parts of a text that may be an API key. */
function candidatesOf(text: string): Set<string> {
  const candidates = new Set<string>();
  const add = (candidate: string): void => {
    const { length } = candidate;
    if (length < KEY_VALUE_MIN_LENGTH || length > KEY_VALUE_MAX_LENGTH) return;
    if (KEY_VALUE_PATTERN.test(candidate)) candidates.add(candidate);
  };
  // A key that a user chose may contain any separator. These parts end where the ways to send a key end it.
  for (const part of [text, ...text.split(", "), ...text.split(";"), ...text.split(/\s+/)]) {
    for (const end of [part, after(part, " "), after(part, "="), after(part, ":"), beforeLast(part, ":")]) {
      const bare = end.trim();
      add(bare);
      if (bare.startsWith('"')) add(bare.replace(/^"(.*)"$/, "$1"));
    }
  }
  for (const token of text.split(SEPARATORS)) {
    add(token);
    if (FINER_SEPARATORS.test(token)) token.split(FINER_SEPARATORS).forEach(add);
  }
  return candidates;
}

function after(text: string, separator: string): string {
  return text.slice(text.indexOf(separator) + 1);
}

function beforeLast(text: string, separator: string): string {
  const end = text.lastIndexOf(separator);
  return end === -1 ? text : text.slice(0, end);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
