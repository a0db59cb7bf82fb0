// Reads request bodies up to a limit, with or without a declared length.

import type { MiddlewareHandler } from "hono";
import { AppError, invalid } from "../../errors.ts";

const MIB = 1024 * 1024;
export const JSON_BODY_MAX_BYTES = 1 * MIB;
export const FILE_BODY_MAX_BYTES = 32 * MIB;

/**
 * Returns the whole body.
 * @throws AppError PayloadTooLarge (413), as soon as that is known
 */
export async function readBody(request: Request, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  if (Number(request.headers.get("content-length")) > maxBytes) throw tooLarge(maxBytes);
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  try {
    // A throw out of the loop cancels the stream.
    for await (const chunk of request.body ?? []) {
      size += chunk.length;
      if (size > maxBytes) throw tooLarge(maxBytes);
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof AppError) throw error;
    // The client disconnected or violated the framing.
    throw invalid("body", "could not be read to its end");
  }
  const body = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    body.set(chunk, at);
    at += chunk.length;
  }
  return body;
}

/**
 * Returns the text of UTF-8 bytes.
 * @throws AppError InvalidInput (400): other bytes would not survive the conversion
 */
export function utf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw invalid("body", "must be JSON in UTF-8");
  }
}

/** Returns the `type/subtype` of a request in lower case; "" if it has none. */
export function mediaType(request: Request): string {
  return (request.headers.get("content-type") ?? "").split(";")[0]!.trim().toLowerCase();
}

/**
 * Checks the body of a route that takes JSON, before its schema does. Requires application/json: a page of another
 * site can make a browser send text/plain with the admin's cookie, but not application/json.
 */
export const jsonBody = (maxBytes = JSON_BODY_MAX_BYTES): MiddlewareHandler => async (c, next) => {
  if (mediaType(c.req.raw) !== "application/json") {
    throw noMediaType();
  }
  const text = utf8(await readBody(c.req.raw, maxBytes));
  // Hono caches the body here; it is a promise, whatever its type says. A new Request around the old one would touch
  // its signal, for which Deno logs a warning.
  c.req.bodyCache.text = Promise.resolve(text) as unknown as string;
  await next();
};

/** The same for a route whose body may be missing, or empty: some clients declare the type of a body that is not there. */
export const optionalJsonBody: MiddlewareHandler = async (c, next) => {
  const text = utf8(await readBody(c.req.raw, JSON_BODY_MAX_BYTES));
  const isJson = mediaType(c.req.raw) === "application/json";
  if (text !== "" && !isJson) throw noMediaType();
  if (isJson) c.req.bodyCache.text = Promise.resolve(text || "{}") as unknown as string;
  else c.req.bodyCache.arrayBuffer = Promise.resolve(new ArrayBuffer()) as unknown as ArrayBuffer;
  await next();
};

function noMediaType(): AppError {
  return new AppError("UnsupportedMediaType", 415, "The body must be sent with Content-Type: application/json.");
}

/** Returns the error for a body above a limit (413). */
export function tooLarge(maxBytes: number): AppError {
  return new AppError("PayloadTooLarge", 413, `The body is larger than ${maxBytes / MIB} MiB.`);
}

/** Returns the text of UTF-8 bytes; undefined for other bytes. */
export function asText(bytes: Uint8Array): string | undefined {
  if (bytes.includes(0)) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
