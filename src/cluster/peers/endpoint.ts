// Answers other nodes under /internal/. A client without the cluster's key learns nothing and costs little.

import { Buffer } from "node:buffer";
import { AppError, messageOf } from "../../errors.ts";
import { FRAME_OVERHEAD_BYTES } from "../../keyring/frame_cipher.ts";
import { HEAD_MAX_BYTES, readHead } from "./envelope.ts";
import { CONTENT_MAX_BYTES, type Messages, type Received, type ResponseSealer } from "./messages.ts";
import { type Begin, fromBytes, INTERNAL_PREFIX, type PeerHandler, toBytes } from "./questions.ts";

/** Questions are short; answers may be long. */
export const QUESTION_MAX_BYTES = 64 * 1_024;
const BODY_MAX_BYTES = HEAD_MAX_BYTES + QUESTION_MAX_BYTES + FRAME_OVERHEAD_BYTES;
const BODY_MAX_MS = 5_000;
/** Bodies that are read at a time, of anybody. */
const READING_MAX = 64;
/** An open stream is never silent for longer, so that the other side notices when this node is gone. */
export const HEARTBEAT_MS = 2_000;

export interface EndpointOptions {
  readonly messages: Messages;
  /** By the path after the prefix. */
  readonly handlers: ReadonlyMap<string, PeerHandler>;
  /** Is called with the error of a stream, which the asking node only sees break off. */
  readonly onStreamError: (error: unknown) => void;
}

/** Answers the requests whose paths begin with `INTERNAL_PREFIX`. */
export type PeerEndpoint = (request: Request) => Promise<Response>;

export function createPeerEndpoint({ messages, handlers, onStreamError }: EndpointOptions): PeerEndpoint {
  let reading = 0;

  const read = async (request: Request): Promise<Uint8Array | undefined> => {
    const announced = Number(request.headers.get("content-length") ?? NaN);
    if (request.method !== "POST" || !request.body || !(announced <= BODY_MAX_BYTES) || reading >= READING_MAX) {
      return undefined;
    }
    reading++;
    try {
      return await bodyOf(request.body, announced, messages.node);
    } finally {
      reading--;
    }
  };

  return async (request) => {
    const { pathname } = new URL(request.url);
    const bytes = await read(request);
    const received = bytes && messages.receive(bytes, pathname);
    if (!received) return new Response(null, { status: 404 });
    const handler = handlers.get(pathname.slice(INTERNAL_PREFIX.length));
    const ended = new AbortController();
    return new Response(asStream(framesOf(received, handler, ended), ended, onStreamError), {
      headers: { "Content-Type": "application/octet-stream", "Cache-Control": "no-store, no-transform" },
    });
  };
}

/** Returns the whole body; undefined if it is not for `node`, is longer than announced, or does not come in time. */
async function bodyOf(
  body: ReadableStream<Uint8Array>,
  announced: number,
  node: string,
): Promise<Uint8Array | undefined> {
  const reader = body.getReader();
  const cancel = () => void reader.cancel().catch(() => {});
  const timer = setTimeout(cancel, BODY_MAX_MS);
  const bytes = Buffer.alloc(announced);
  let length = 0;
  try {
    while (true) {
      const { done, value } = await reader.read();
      if (done) return length === announced ? bytes : undefined;
      if (length + value.length > announced) break;
      bytes.set(value, length);
      length += value.length;
      // Long before it is complete: the ids stand at its beginning.
      if (length >= Math.min(HEAD_MAX_BYTES, announced) && readHead(bytes)?.head.receiver !== node) break;
    }
    cancel();
    return undefined;
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

async function* framesOf(
  { refusal, content, sender, response }: Received,
  handler: PeerHandler | undefined,
  ended: AbortController,
): AsyncGenerator<Uint8Array> {
  yield response.begin;
  const begin = (value: Begin, isLast: boolean) => response.seal(toBytes(value), isLast);
  if (refusal) {
    const { refused, ...more } = refusal;
    return yield begin({ kind: refused, ...more } as Begin, true);
  }
  const failure = (error: unknown): Begin => ({
    kind: "error",
    code: error instanceof AppError ? error.code : "InternalError",
    message: messageOf(error),
  });
  if (!handler) {
    // For example one of an older version.
    return yield begin({ kind: "error", code: "NotFound", message: "It does not know this question." }, true);
  }
  if ("stream" in handler) {
    return yield* streamed(handler.stream(fromBytes(content), sender, ended.signal), response, ended);
  }
  let value: unknown;
  try {
    value = await handler.answer(fromBytes(content), sender);
  } catch (error) {
    return yield begin(failure(error), true);
  }
  yield begin({ kind: "value" }, false);
  const bytes = toBytes(value);
  for (let at = 0; at < bytes.length; at += CONTENT_MAX_BYTES) {
    const end = at + CONTENT_MAX_BYTES;
    yield response.seal(bytes.subarray(at, end), end >= bytes.length);
  }
}

/** A frame without content is a sign of life. An error breaks the stream off, which the reader notices. */
async function* streamed(
  stream: AsyncIterable<unknown>,
  response: ResponseSealer,
  ended: AbortController,
): AsyncGenerator<Uint8Array> {
  const items = stream[Symbol.asyncIterator]();
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    yield response.seal(toBytes({ kind: "stream" } satisfies Begin), false);
    let next = items.next();
    while (true) {
      const silence = new Promise<"silence">((resolve) => timer = setTimeout(() => resolve("silence"), HEARTBEAT_MS));
      const item = await Promise.race([next, silence]);
      clearTimeout(timer);
      if (item === "silence") {
        yield response.seal(new Uint8Array(), false);
      } else if (item.done) {
        return yield response.seal(new Uint8Array(), true);
      } else {
        yield response.seal(toBytes(item.value), false);
        next = items.next();
      }
    }
  } finally {
    clearTimeout(timer);
    ended.abort();
  }
}

/** A reader that leaves aborts `ended`, which ends what is streamed even while nothing comes. */
function asStream(
  frames: AsyncGenerator<Uint8Array>,
  ended: AbortController,
  onError: (error: unknown) => void,
): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async pull(controller) {
      try {
        const { done, value } = await frames.next();
        if (done) controller.close();
        else controller.enqueue(value);
      } catch (error) {
        // Without its last frame, the response is not complete.
        controller.close();
        onError(error);
      }
    },
    cancel() {
      ended.abort();
      void frames.return(undefined).catch(() => {});
    },
  });
}
