// Finds the parts of a value that are secret on their own, as a handler that uses them may print them: the password of a
// database's URL, the private key of a service account's JSON, the `AccountKey` of a connection string.

import { ENCODING_MIN_BYTES } from "./encodings.ts";

/** Parts of one value. */
const PARTS_MAX = 10;
/** Parts of one value that are looked at. */
const EXAMINED_MAX = 500;
/** Values within values, such as a URL in JSON, and lists and objects of JSON within others. */
const DEPTH_MAX = 8;

/** Names of what is secret, unless they end like those of what only belongs to it. */
const SECRET_NAME =
  /pass|pwd|secret|token|credential|private|signature|auth(?!or(?!iz))|\bsig\b|(?:api|access|account|shared|signing|encryption|master|service|license)[_.-]?key|^key$/i;
const HARMLESS_NAME =
  /(?:ur[il]|type|id|name|user|endpoint|host|port|path|region|algorithm|method|mode|expir\w*|length|ttl)$/i;

/** A word, which other texts have, too. */
const WORD = /^[a-z]{1,11}$/i;
/** The form of generated texts: letters in both cases and digits, or hexadecimal. */
const MIXED = /^(?=.*[a-z])(?=.*[A-Z])(?=.*\d)[\w+/=.~-]{16,}$/;
const HEXADECIMAL = /^[\da-f]{32,}$/i;

const URLS = /(?<![a-z\d+.-])[a-z][a-z\d+.-]{0,30}:\/\/[^\s"'<>`]{1,8192}/gi;
const URL_PARTS = /^([^:]+):\/\/([^/?#]*)([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/;
/** A name with its value, in a connection string, a file of variables, YAML, or a form. */
const PAIRS =
  /(?:^|[\s;&,?])["']?([\w.-]{1,64})["']?[ \t]{0,4}[=:][ \t]{0,4}(?:"([^"]{1,4096})"|'([^']{1,4096})'|([^\s;&"']{1,4096}))/g;
/** The same where only semicolons end a value. */
const PAIRS_WITH_SPACES = /(?:^|;)[ \t]{0,4}([\w .-]{1,64})=([^;]{1,4096})/g;
/** The credentials of `Authorization` (RFC 9110, 11.4). */
const AUTHORIZATION = /(?:^|[\s:"'])(?:bearer|basic|token)[ \t]+([^\s"',;]{8,4096})/gi;
const USER_AND_PASSWORD = /^[^\s:/@]{1,100}:([^\s:/]{1,4096})$/;

/** Returns the parts of a value that are secret on their own, each once. */
export function secretPartsOf(value: string): string[] {
  const parts = new Parts(value);
  collect(value.trim(), 0, parts);
  return parts.found;
}

class Parts {
  readonly #whole: string;
  readonly #found = new Set<string>();
  #examined = 0;

  constructor(whole: string) {
    this.#whole = whole;
  }

  get found(): string[] {
    return [...this.#found];
  }

  /** Reports whether no more are looked for. Counts the calls. */
  isFull(): boolean {
    return ++this.#examined > EXAMINED_MAX || this.#found.size >= PARTS_MAX;
  }

  add(part: string): void {
    if (part.length < ENCODING_MIN_BYTES || part === this.#whole || WORD.test(part)) return;
    if (this.#found.size < PARTS_MAX) this.#found.add(part);
  }
}

function collect(text: string, depth: number, parts: Parts): void {
  if (depth > DEPTH_MAX) return;
  const json = /^[{["]/.test(text) ? parsed(text) : undefined;
  if (json !== undefined) return ofJson(json, "", depth, parts);
  const [, password] = depth === 0 ? USER_AND_PASSWORD.exec(text) ?? [] : [];
  if (password !== undefined) parts.add(password);
  for (const [url] of text.includes("://") ? text.matchAll(URLS) : []) {
    if (parts.isFull()) return;
    ofUrl(url, parts);
  }
  for (const [, credentials] of text.matchAll(AUTHORIZATION)) parts.add(credentials!);
  for (const [, name, double, single, plain] of text.matchAll(PAIRS)) {
    if (parts.isFull()) return;
    ofPair(name!, double ?? single ?? plain!.replace(/,$/, ""), parts);
  }
  for (const [, name, given] of text.includes(";") ? text.matchAll(PAIRS_WITH_SPACES) : []) {
    if (parts.isFull()) return;
    ofPair(name!, given!, parts);
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function ofJson(value: unknown, name: string, depth: number, parts: Parts): void {
  if (depth > DEPTH_MAX || parts.isFull()) return;
  if (typeof value === "string") {
    ofPair(name, value, parts);
    collect(value, depth + 1, parts);
  } else if (typeof value === "object" && value !== null) {
    for (const [key, part] of Object.entries(value)) ofJson(part, Array.isArray(value) ? name : key, depth + 1, parts);
  }
}

function ofPair(name: string, value: string, parts: Parts): void {
  const text = value.trim();
  const isNamed = SECRET_NAME.test(name) && !HARMLESS_NAME.test(name);
  if (isNamed || isGenerated(text)) parts.add(text);
}

/** Without the URL parser, which refuses the several hosts of some databases. */
function ofUrl(url: string, parts: Parts): void {
  const [, , authority = "", path = "", query = "", hash = ""] = URL_PARTS.exec(url) ?? [];
  const at = authority.lastIndexOf("@");
  const [, user, password] = /^([^:]*):?(.*)$/s.exec(authority.slice(0, Math.max(0, at))) ?? [];
  const secret = password && password !== user ? password : user && isGenerated(user) ? user : "";
  for (const part of [secret, decoded(secret)]) parts.add(part);
  for (const pair of `${query}&${hash}`.split("&")) {
    if (parts.isFull()) return;
    const equals = pair.indexOf("=");
    const [name, given] = [pair.slice(0, Math.max(0, equals)), pair.slice(equals + 1)];
    for (const part of [given, decoded(given)]) ofPair(name, part, parts);
  }
  for (const segment of path.split("/")) {
    if (parts.isFull()) return;
    if (isGenerated(segment)) parts.add(segment);
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function isGenerated(text: string): boolean {
  return MIXED.test(text) || HEXADECIMAL.test(text);
}
