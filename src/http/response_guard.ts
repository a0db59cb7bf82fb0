// A response on its way out, looked through for values that its call was given: told of, or withheld.

import type { Findings, LeakSearch } from "../observe/leaks.ts";
import { CallFailure } from "../sandbox/failure.ts";
import type { CallResponse } from "../sandbox/invocation.ts";
import type { FlatHeaders } from "../sandbox/protocol.ts";

export interface GuardOptions {
  readonly search: LeakSearch;
  /** Whether a response that holds a value is withheld, or broken off if it has begun. */
  readonly blocks: boolean;
  /** Hears of what is found, once for each value. */
  readonly onFound: (findings: Findings) => void;
}

const encoder = new TextEncoder();
const NOTHING = new Uint8Array(0);

/**
 * The response, perhaps with a stream that is looked through as it passes. A body with a Content-Encoding is
 * compressed or worse, so only the headers beside it are looked into.
 * @throws CallFailure withheld
 */
export function guardResponse(response: CallResponse, options: GuardOptions): CallResponse {
  const { search, blocks, onFound } = options;
  const { headers, body } = response;
  const isReadable = !isEncoded(headers);
  const found = [
    search.whole(encoder.encode(headers.join("\n"))),
    isReadable && typeof body === "string" ? search.whole(encoder.encode(body)) : undefined,
    isReadable && body instanceof Uint8Array ? search.whole(body) : undefined,
  ].filter((findings) => findings !== undefined);
  if (found.length > 0) {
    onFound({
      names: [...new Set(found.flatMap(({ names }) => names))],
      certain: found.every(({ certain }) => certain),
    });
    if (blocks) {
      // That it may have broken off already does not matter.
      if (body instanceof ReadableStream) body.cancel().catch(() => {});
      throw withheld();
    }
  }
  return isReadable && body instanceof ReadableStream ? { ...response, body: guardStream(body, options) } : response;
}

/** What may be the beginning of a value is held back until it is clear, if the stream is to be broken off. */
function guardStream(
  body: ReadableStream<Uint8Array>,
  { search, blocks, onFound }: GuardOptions,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  let held: Uint8Array = NOTHING;
  /** What of `held` and `piece` may be sent, or undefined after a value. */
  const pass = (piece: Uint8Array): Uint8Array | undefined => {
    const findings = search.piece(piece);
    if (findings) onFound(findings);
    if (!blocks) return piece;
    if (findings) return undefined;
    const ready = held.length === 0 ? piece : joined(held, piece);
    const kept = Math.max(0, ready.length - search.openBytes);
    held = ready.slice(kept);
    return ready.subarray(0, kept);
  };
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      for (let passed: Uint8Array = NOTHING; passed.length === 0;) {
        const { done, value } = await reader.read();
        if (done) {
          if (held.length > 0) controller.enqueue(held);
          return controller.close();
        }
        const next = pass(value);
        if (!next) {
          reader.cancel().catch(() => {});
          return controller.error(withheld());
        }
        passed = next;
        if (passed.length > 0) controller.enqueue(passed);
      }
    },
    cancel: (reason) => reader.cancel(reason),
  }, { highWaterMark: 0 });
}

function withheld(): CallFailure {
  return new CallFailure("withheld", true, "It holds secrets.");
}

function isEncoded(headers: FlatHeaders): boolean {
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i]!.toLowerCase() === "content-encoding") return headers[i + 1]!.trim().toLowerCase() !== "identity";
  }
  return false;
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
