// Waits for what a call needs before it can be sent: a small body, and the handler's modules.

import type { ModuleGraph } from "../code/modules/imports.ts";
import { reasonOf } from "../errors.ts";
import { CallFailure } from "../sandbox/host/failure.ts";

/** Larger bodies stay with the client until their handler reads them. */
const WHOLE_REQUEST_MAX_BYTES = 16 * 1024;

/**
 * Reads a small body of known length whole, which is far cheaper than a stream; returns others as streams.
 * @throws CallFailure gone, silent
 */
export async function bodyOf(
  request: Request,
  body: ReadableStream<Uint8Array>,
  timeoutMs: number,
): Promise<Uint8Array | ReadableStream<Uint8Array>> {
  const length = Number(request.headers.get("content-length") ?? Infinity);
  if (length > WHOLE_REQUEST_MAX_BYTES) return body;
  const bytes = request.bytes().catch((error) => {
    throw new CallFailure("gone", false, `The caller broke off the request's body: ${reasonOf(error)}.`);
  });
  const silent = new CallFailure("silent", false, `The request's body did not arrive within ${timeoutMs} ms.`);
  return await within(bytes, timeoutMs, silent);
}

/** Waits for the handler's modules to be found. @throws CallFailure timeout */
export function graphInTime(graph: Promise<ModuleGraph>, timeoutMs: number): Promise<ModuleGraph> {
  return within(
    graph,
    timeoutMs,
    new CallFailure("timeout", false, `Its modules could not be found within ${timeoutMs} ms.`),
  );
}

/** Waits at most `timeoutMs`. @throws `failure` after that */
async function within<T>(awaited: Promise<T>, timeoutMs: number, failure: CallFailure): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(failure), timeoutMs);
  });
  try {
    return await Promise.race([awaited, late]);
  } finally {
    clearTimeout(timer);
  }
}
