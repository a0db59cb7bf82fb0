// Prepares a response for the handler: decodes its body, which could not be searched otherwise, and masks all of it.

import type { Readable } from "node:stream";
import {
  brotliDecompressSync,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createInflateRaw,
  gunzipSync,
  inflateRawSync,
  inflateSync,
} from "node:zlib";
import {
  type FlatHeaders,
  HEADERS_MAX,
  HEADERS_MAX_LENGTH,
  WHOLE_BODY_MAX_BYTES,
} from "../../sandbox/wire/protocol.ts";
import { STATUS_TEXT_MAX_LENGTH } from "../wire.ts";
import { type ResponseBody, type ResponseHead, Unreadable } from "./http1.ts";
import type { Masker } from "./masker.ts";

/** Headers of the connection (RFC 9110 7.6.1), and those of a body that is decoded and masked. */
const DROPPED = new Set([
  ...[
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "te",
    "trailer",
    "transfer-encoding",
  ],
  ...["upgrade", "content-encoding", "content-length"],
]);
/** Between texts that are searched as one: no form of a value continues over it. */
const CLEAR = "\n|\n";
/** Statuses without a body (Fetch 2.2.3, "null body status"). */
const WITHOUT_BODY = [204, 205, 304];

export interface MaskedHead {
  readonly status: number;
  readonly statusText: string;
  /** Without the length of the body. */
  readonly headers: FlatHeaders;
  /** How the body is encoded; empty if it is not. */
  readonly encoding: string;
  readonly hasBody: boolean;
}

/** @throws Unreadable */
export function maskedHead(head: ResponseHead, method: string, masker: Masker): MaskedHead {
  const { status, headers: received } = head;
  if (status > 599) throw new Unreadable(`The host answered with the status ${status}.`);
  // Most responses have no value in their head, which one search shows.
  const isClear = !masker.occursIn([head.statusText, ...received].join(CLEAR));
  const headers: string[] = [];
  let encoding = "";
  let total = 0;
  for (let i = 0; i + 1 < received.length; i += 2) {
    const [name, value] = [received[i]!.toLowerCase(), received[i + 1]!];
    if (name === "content-encoding") encoding = encoding === "" ? value : `${encoding}, ${value}`;
    const isKept = method === "HEAD" && name === "content-length";
    // In the letters that the host wrote: in small ones, the value would not be found.
    if ((DROPPED.has(name) && !isKept) || (!isClear && masker.occursIn(received[i]!))) continue;
    const masked = isClear ? value : masker.header(value);
    total += name.length + masked.length;
    headers.push(name, masked);
  }
  if (headers.length > 2 * HEADERS_MAX || total > HEADERS_MAX_LENGTH) {
    throw new Unreadable("The response has too many headers.");
  }
  encoding = encoding.trim().toLowerCase();
  const statusText = isClear ? head.statusText : masker.header(head.statusText);
  return {
    status,
    statusText: statusText.slice(0, STATUS_TEXT_MAX_LENGTH),
    headers,
    encoding: encoding === "identity" ? "" : encoding,
    hasBody: method !== "HEAD" && !WITHOUT_BODY.includes(status),
  };
}

/**
 * Returns a whole body, decoded; undefined if that is too long to be had at once.
 * @throws Unreadable
 */
export function decodedAtOnce(encoding: string, bytes: Uint8Array): Uint8Array | undefined {
  if (encoding === "" || bytes.length === 0) return bytes;
  const limit = { maxOutputLength: WHOLE_BODY_MAX_BYTES };
  try {
    switch (encoding) {
      case "gzip":
      case "x-gzip":
        return gunzipSync(bytes, limit);
      case "br":
        return brotliDecompressSync(bytes, limit);
      case "deflate":
        return isZlib(bytes) ? inflateSync(bytes, limit) : inflateRawSync(bytes, limit);
    }
  } catch (error) {
    if ((error as { code?: string }).code === "ERR_BUFFER_TOO_LARGE") return undefined;
    throw damaged();
  }
  throw notSearchable();
}

/** Yields a body, decoded. `begun` is what has arrived of it, and is not in `body` any more. @throws Unreadable */
export async function* decodedBody(
  encoding: string,
  begun: Uint8Array,
  body: ResponseBody,
): AsyncGenerator<Uint8Array> {
  async function* all(): AsyncGenerator<Uint8Array> {
    if (begun.length > 0) yield begun;
    yield* body.pieces();
  }
  switch (encoding) {
    case "":
      return yield* all();
    case "gzip":
    case "x-gzip":
      return yield* decoded(all(), createGunzip());
    case "br":
      return yield* decoded(all(), createBrotliDecompress());
    case "deflate":
      return yield* inflated(all());
    default:
      throw notSearchable();
  }
}

function damaged(): Unreadable {
  return new Unreadable("The compressed body of the response is damaged.");
}

function notSearchable(): Unreadable {
  return new Unreadable(
    "The response is compressed in a way that cannot be searched for sealed secrets; gzip, br and deflate can.",
  );
}

/** "deflate" means zlib's format (RFC 9110 8.4.1.2), but some hosts send the bare one. */
function isZlib(bytes: Uint8Array): boolean {
  return (bytes[0]! & 0x0f) === 8;
}

async function* decoded(
  response: AsyncIterable<Uint8Array>,
  decoder: NodeJS.ReadWriteStream & Readable,
): AsyncGenerator<Uint8Array> {
  let failure: unknown;
  // It may be destroyed while a piece is on its way.
  decoder.on("error", () => {});
  const feed = async (): Promise<void> => {
    try {
      for await (const piece of response) {
        if (!decoder.write(piece)) {
          await new Promise((resolve) => decoder.once("drain", resolve).once("close", resolve));
        }
      }
      decoder.end();
    } catch (error) {
      failure = error;
      decoder.destroy();
    }
  };
  const fed = feed();
  try {
    yield* decoder as AsyncIterable<Uint8Array>;
  } catch {
    throw failure ?? damaged();
  } finally {
    decoder.destroy();
  }
  await fed;
}

async function* inflated(body: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  const { value: first, done } = await body.next();
  if (done) return;
  async function* all(): AsyncGenerator<Uint8Array> {
    yield first!;
    yield* body;
  }
  yield* decoded(all(), isZlib(first) ? createInflate() : createInflateRaw());
}
