// Reading request bodies: never more than a limit, whether or not the length was announced.

import type { MiddlewareHandler } from "hono";
import { AppError, invalid } from "../../errors.ts";

const MIB = 1024 * 1024;
export const JSON_BODY_MAX_BYTES = 1 * MIB;
export const FILE_BODY_MAX_BYTES = 32 * MIB;

/**
 * The whole body.
 * @throws AppError PayloadTooLarge (413), as soon as that is known
 */
export async function readBody(request: Request, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  if (Number(request.headers.get("content-length")) > maxBytes) throw tooLarge(maxBytes);
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  try {
    // Leaving the loop by a throw cancels the stream.
    for await (const chunk of request.body ?? []) {
      size += chunk.length;
      if (size > maxBytes) throw tooLarge(maxBytes);
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof AppError) throw error;
    // The sender went away or broke the framing.
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
 * The text of UTF-8 bytes.
 * @throws AppError InvalidInput (400): bytes that are no text would come back as others
 */
export function utf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw invalid("body", "must be JSON in UTF-8");
  }
}

/** `type/subtype` of a request in lower case, "" if it has none. */
export function mediaType(request: Request): string {
  return (request.headers.get("content-type") ?? "").split(";")[0]!.trim().toLowerCase();
}

/**
 * For every route that takes JSON, before its schema. It insists on application/json, because a page of
 * another site can make a browser send text/plain with the admin's cookie, but not this.
 */
export const jsonBody: MiddlewareHandler = async (c, next) => {
  if (mediaType(c.req.raw) !== "application/json") {
    throw new AppError("UnsupportedMediaType", 415, "The body must be sent with Content-Type: application/json.");
  }
  const text = utf8(await readBody(c.req.raw, JSON_BODY_MAX_BYTES));
  // Where Hono keeps a body that was read; it is a promise there, whatever its type says. A new Request
  // around the old one would touch its signal, for which Deno has a warning in the log.
  c.req.bodyCache.text = Promise.resolve(text) as unknown as string;
  await next();
};

/** 413. */
export function tooLarge(maxBytes: number): AppError {
  return new AppError("PayloadTooLarge", 413, `The body is larger than ${maxBytes / MIB} MiB.`);
}

/** The text that the bytes are in UTF-8, or undefined if they are none. */
export function asText(bytes: Uint8Array): string | undefined {
  if (bytes.includes(0)) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
