// Prepares a response for the handler: decodes its body, which could not be searched otherwise, and masks all of it.

import type { IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import { createBrotliDecompress, createGunzip, createInflate, createInflateRaw } from "node:zlib";
import { type FlatHeaders, HEADERS_MAX, HEADERS_MAX_LENGTH } from "../../sandbox/wire/protocol.ts";
import { STATUS_TEXT_MAX_LENGTH } from "../wire.ts";
import type { Masker } from "./masker.ts";

/** The response cannot be given to the handler. The message is for its author. */
export class Unreadable extends Error {}

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
/** Statuses without a body (Fetch 2.2.3, "null body status"). */
const WITHOUT_BODY = [204, 205, 304];

export interface MaskedHead {
  readonly status: number;
  readonly statusText: string;
  /** Without the length of the body. */
  readonly headers: FlatHeaders;
  /** The length that the host announces, before decoding and masking. */
  readonly length: number | undefined;
  readonly isEncoded: boolean;
  readonly hasBody: boolean;
}

/** @throws Unreadable */
export function maskedHead(response: IncomingMessage, method: string, masker: Masker): MaskedHead {
  const { statusCode: status = 0, statusMessage = "", rawHeaders } = response;
  if (status < 200 || status > 599) {
    throw new Unreadable(`The host answered with the status ${status}.`);
  }
  const headers: string[] = [];
  let length: number | undefined;
  let total = 0;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const [name, value] = [rawHeaders[i]!.toLowerCase(), rawHeaders[i + 1]!];
    if (name === "content-length" && /^\d{1,15}$/.test(value)) {
      length = Number(value);
    }
    // In the letters that the host wrote: in small ones, the value would not be found.
    if (DROPPED.has(name) || masker.occursIn(rawHeaders[i]!)) continue;
    const masked = masker.header(value);
    total += name.length + masked.length;
    headers.push(name, masked);
  }
  const hasBody = method !== "HEAD" && !WITHOUT_BODY.includes(status);
  if (method === "HEAD" && length !== undefined) {
    headers.push("content-length", String(length));
  }
  if (headers.length > 2 * HEADERS_MAX || total > HEADERS_MAX_LENGTH) {
    throw new Unreadable("The response has too many headers.");
  }
  const statusText = masker.header(statusMessage).slice(0, STATUS_TEXT_MAX_LENGTH);
  return { status, statusText, headers, length, isEncoded: encodingOf(response) !== "", hasBody };
}

/** Returns the body, decoded. @throws Unreadable */
export function decodedBody(response: IncomingMessage): AsyncIterable<Uint8Array> {
  const encoding = encodingOf(response);
  switch (encoding) {
    case "":
      return response;
    case "gzip":
    case "x-gzip":
      return decoded(response, createGunzip());
    case "br":
      return decoded(response, createBrotliDecompress());
    case "deflate":
      return inflated(response);
    default:
      throw new Unreadable(
        "The response is compressed in a way that cannot be searched for sealed secrets; gzip, br and deflate can.",
      );
  }
}

function encodingOf({ headers }: IncomingMessage): string {
  const encoding = `${headers["content-encoding"] ?? ""}`.trim().toLowerCase();
  return encoding === "identity" ? "" : encoding;
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
    throw failure ??
      new Unreadable("The compressed body of the response is damaged.");
  } finally {
    decoder.destroy();
  }
  await fed;
}

/** "deflate" means zlib's format (RFC 9110 8.4.1.2), but some hosts send the bare one. */
async function* inflated(response: IncomingMessage): AsyncGenerator<Uint8Array> {
  const pieces = response[Symbol.asyncIterator]() as AsyncIterableIterator<
    Uint8Array
  >;
  const { value: first, done } = await pieces.next();
  if (done) return;
  async function* all(): AsyncGenerator<Uint8Array> {
    yield first;
    yield* pieces;
  }
  yield* decoded(all(), (first[0]! & 0x0f) === 8 ? createInflate() : createInflateRaw());
}
