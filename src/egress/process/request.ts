// Builds the request that is sent from the one that the handler made: checks it, sets the headers that are not the
// handler's, and puts sealed values in.

import { Buffer } from "node:buffer";
import { type Origin, originOf } from "../../sealed.ts";
import { BodyMode } from "../../sandbox/wire/protocol.ts";
import type { RequestPayload } from "../wire.ts";
import { type BodyFilter, bodyFilter, entriesFor, inHeader, inPath, inQuery, Unsendable } from "./placeholders.ts";

/** The most bytes of a body of known length that are collected, so that their new length can be announced. */
const COLLECTED_MAX_BYTES = 4 << 20;

const TOKEN = /^[!#$%&'*+.^_`|~0-9a-z-]+$/i;
const TARGET = /^\/[\x21-\x7e]*$/;
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
/** Methods that Fetch forbids (2.2.1). A TRACE would be answered with the request itself. */
const FORBIDDEN_METHODS = ["CONNECT", "TRACE", "TRACK"];
/**
 * Headers that the handler does not set: those of the connection (RFC 9110 7.6.1), the host and the body's length, and
 * those by which it would get an answer in parts or in an encoding that cannot be searched.
 */
const OWN_HEADERS = new Set([
  ...[
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
  ],
  ...["proxy-authorization", "proxy-authenticate", "host", "content-length", "expect", "referer"],
  ...["range", "if-range", "accept-encoding"],
]);
/** What `fetch` sends if the handler says nothing else (Deno 2.9.6). */
const DEFAULT_HEADERS: readonly [string, string][] = [
  ["accept", "*/*"],
  ["accept-language", "*"],
  ["user-agent", `Deno/${Deno.version.deno}`],
];
const ACCEPT_ENCODING = "gzip, br";
/** Methods that announce a body even if there is none (RFC 9110 8.6). */
const WITH_BODY = ["POST", "PUT", "PATCH"];

export interface OutgoingRequest {
  readonly origin: Origin;
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  /** Names and values, alternating, without `Content-Length`. */
  readonly headers: readonly string[];
  /** Undefined if the body is sent as it is. */
  readonly filter: BodyFilter | undefined;
  /** Whether the whole body is collected before it is sent. */
  readonly isCollected: boolean;
}

/** @throws Unsendable */
export function outgoing({ method, url, headers, mode, length, sealed }: RequestPayload): OutgoingRequest {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const origin = parsed && originOf(parsed);
  if (!parsed || !origin || parsed.username !== "" || parsed.password !== "") {
    throw new Unsendable(
      "The URL is not one that a sealed secret can be sent to.",
    );
  }
  if (!TOKEN.test(method) || FORBIDDEN_METHODS.includes(method.toUpperCase())) {
    throw new Unsendable("The method is not allowed.");
  }
  const target = inPath(parsed.pathname, entriesFor(sealed, "path")) +
    inQuery(parsed.search, entriesFor(sealed, "query"));
  // Neither a URL nor an encoded value has others. One of them would end the line.
  if (!TARGET.test(target)) throw new Unsendable("The URL is not one that a sealed secret can be sent to.");
  const inHeaders = entriesFor(sealed, "header");
  const sent: string[] = ["host", hostHeader(origin)];
  const names = new Set<string>();
  let [type, encoding] = ["", ""];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const [name, value] = [headers[i]!.toLowerCase(), headers[i + 1]!];
    if (OWN_HEADERS.has(name)) continue;
    if (!TOKEN.test(name) || !HEADER_VALUE.test(value)) {
      throw new Unsendable("A header is malformed.");
    }
    names.add(name);
    if (name === "content-type") type = value;
    else if (name === "content-encoding") encoding = value;
    sent.push(name, inHeader(name, value, inHeaders));
  }
  for (const [name, value] of DEFAULT_HEADERS) {
    if (!names.has(name)) sent.push(name, value);
  }
  sent.push("accept-encoding", ACCEPT_ENCODING);
  const isEncoded = encoding !== "" && encoding.trim().toLowerCase() !== "identity";
  const filter = mode === BodyMode.None ? undefined : bodyFilter(type, isEncoded, entriesFor(sealed, "body"));
  const isCollected = filter !== undefined && length !== null &&
    length <= COLLECTED_MAX_BYTES;
  return { origin, method, target, headers: sent, filter, isCollected };
}

/** Returns the head of the request in the form of HTTP/1.1. `length` is that of its body; undefined if it is not known. */
export function headBytes({ method, target, headers }: OutgoingRequest, mode: BodyMode, length: number | undefined) {
  let text = `${method} ${target} HTTP/1.1\r\n`;
  const all = [...headers, ...lengthHeaders(method, mode, length)];
  for (let i = 0; i + 1 < all.length; i += 2) text += `${all[i]}: ${all[i + 1]}\r\n`;
  return Buffer.from(`${text}\r\n`, "latin1");
}

/** Returns the headers that say how the body is sent. `length` is undefined if it is not known. */
function lengthHeaders(method: string, mode: BodyMode, length: number | undefined): string[] {
  if (mode === BodyMode.None) {
    return WITH_BODY.includes(method) ? ["content-length", "0"] : [];
  }
  return length === undefined ? ["transfer-encoding", "chunked"] : ["content-length", String(length)];
}

function hostHeader({ isPlain, host, port }: Origin): string {
  return port === (isPlain ? 80 : 443) ? host : `${host}:${port}`;
}
