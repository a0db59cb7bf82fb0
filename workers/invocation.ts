// One call inside the worker: its request, its handler's context, its response on the way back.

import type { Context } from "npm:hono@4.13.19";
import {
  type AnswerMeta,
  type AskMeta,
  BodyMode,
  type CallMeta,
  CHUNK_MAX_BYTES,
  type ForeseenAnswer,
  type FrameWriter,
  HEADERS_MAX,
  type ResponseMeta,
  type RouteInfo,
  TEXT_BODY_MAX_LENGTH,
  ToHost,
  WHOLE_BODY_MAX_BYTES,
  WINDOW_BYTES,
} from "../src/sandbox/protocol.ts";
import { CallContext } from "./call_context.ts";
import { createHandlerContext, type HandlerContext } from "./context.ts";
import { wholeBody } from "./whole_body.ts";

export type Handler = (c: Context, ctx: HandlerContext) => unknown;

// Taken before the handler's code can replace them.
const { stringify } = JSON;
const now = performance.now.bind(performance);
const ResponseClass = Response;
/** A UTF-16 unit takes at most 3 bytes in UTF-8. */
const WHOLE_TEXT_MAX_LENGTH = Math.floor(WHOLE_BODY_MAX_BYTES / 3);

export class Invocation {
  readonly id: number;
  readonly #writer: FrameWriter;
  readonly #call: CallMeta;
  readonly #route: RouteInfo;
  readonly #onEnd: () => void;
  readonly #asks = new Map<number, PromiseWithResolvers<unknown>>();
  #nextAsk = 1;
  #ended = false;
  /** Answers that came with the call, each until it is used or recalled. */
  readonly #foreseen: (ForeseenAnswer | undefined)[];
  /** By `performance.now()`. */
  readonly #foreseenUntil: number;
  /** A bit for each answer of these that was asked for. */
  #foreseenAsked = 0;
  #requestBody: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | null = null;
  #requestStream: ReadableStreamDefaultController<Uint8Array> | undefined;
  /** Bytes of the request's body that the host may send before it is told of more room. */
  #requestedBytes = WINDOW_BYTES;
  /** Bytes of the response's body that may still be sent. */
  #credit = WINDOW_BYTES;
  #creditArrived: (() => void) | undefined;
  #responseReader: ReadableStreamDefaultReader<Uint8Array> | undefined;

  constructor(
    writer: FrameWriter,
    id: number,
    call: CallMeta,
    body: Uint8Array,
    route: RouteInfo,
    onEnd: () => void,
  ) {
    this.id = id;
    this.#writer = writer;
    this.#call = call;
    this.#route = route;
    this.#onEnd = onEnd;
    const mode = call[8];
    this.#foreseenUntil = call[9];
    this.#foreseen = [...call[10]];
    if (mode === BodyMode.Whole) this.#requestBody = body.slice();
    else if (mode === BodyMode.Stream) this.#requestBody = this.#openRequestStream();
  }

  /** Runs the handler and sends what it returns. Never rejects. */
  async run(handler: Handler, errorText: (error: unknown) => string): Promise<void> {
    try {
      const response = await handler(this.#createContext(), this.#createHandlerContext());
      if (!(response instanceof ResponseClass)) throw new TypeError("The handler returned no Response.");
      const whole = wholeBody(response);
      if (whole === undefined || (whole !== null && whole.length > WHOLE_TEXT_MAX_LENGTH)) {
        await this.#respond(response);
      } else if (whole === null || whole === "") this.#sendHead(response, BodyMode.None);
      else this.#sendHead(response, modeOf(whole, response), whole);
    } catch (error) {
      if (!this.#ended) this.#writer.send(ToHost.Failed, this.id, errorText(error));
    }
    this.#end();
  }

  receiveBody(piece: Uint8Array): void {
    this.#requestedBytes -= piece.byteLength;
    this.#requestStream?.enqueue(piece.slice());
  }

  endBody(): void {
    this.#requestStream?.close();
    this.#requestStream = undefined;
  }

  receiveAnswer([ask, outcome, value]: AnswerMeta): void {
    const waiting = this.#asks.get(ask);
    this.#asks.delete(ask);
    // In JSON, "there is none" arrives as null; no value is null.
    if (outcome === "ok") waiting?.resolve(value ?? undefined);
    else waiting?.reject(outcome === "ended" ? requestEnded() : new Error("The secret could not be looked up."));
  }

  /** What came with the call may be out of date. */
  recall(): void {
    this.#foreseen.fill(undefined);
  }

  receiveCredit(bytes: number): void {
    this.#credit += bytes;
    this.#creditArrived?.();
  }

  /** The caller has gone: what the handler still produces goes nowhere. */
  abort(): void {
    const gone = new DOMException("The caller has closed the connection.", "AbortError");
    this.#requestStream?.error(gone);
    this.#responseReader?.cancel(gone).catch(() => {});
    this.#end();
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#requestStream = undefined;
    for (const waiting of this.#asks.values()) waiting.reject(requestEnded());
    this.#asks.clear();
    this.#creditArrived?.();
    this.#onEnd();
  }

  #createContext(): Context {
    const [method, url, path, headers, params] = this.#call;
    return new CallContext({
      method,
      url,
      path,
      headers,
      params,
      body: this.#requestBody,
      route: this.#route.route,
    });
  }

  #createHandlerContext(): HandlerContext {
    const [, url, , , params, requestId, requestedAt, group] = this.#call;
    return createHandlerContext(
      { route: this.#route, url, params, requestId, requestedAt, group },
      (kind, name, scope) => this.#ask(kind, name, scope),
    );
  }

  #ask(kind: AskMeta[1], name: string, scope: string | null): Promise<unknown> {
    if (this.#ended) return Promise.reject(requestEnded());
    const answer = this.#takeForeseen(kind, name, scope);
    // In JSON, "there is none" is null.
    if (answer) return Promise.resolve(answer[3] ?? undefined);
    const waiting = Promise.withResolvers<unknown>();
    const ask = this.#nextAsk++;
    this.#asks.set(ask, waiting);
    this.#writer.send(ToHost.Ask, this.id, stringify([ask, kind, name, scope] satisfies AskMeta));
    return waiting.promise;
  }

  #takeForeseen(kind: AskMeta[1], name: string, scope: string | null): ForeseenAnswer | undefined {
    const foreseen = this.#foreseen;
    for (let index = 0; index < foreseen.length; index++) {
      const answer = foreseen[index];
      if (!answer || answer[1] !== name || answer[0] !== kind || answer[2] !== scope) continue;
      if (now() >= this.#foreseenUntil) return undefined;
      foreseen[index] = undefined;
      this.#foreseenAsked |= 1 << index;
      return answer;
    }
  }

  #openRequestStream(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#requestStream = controller;
      },
      pull: (controller) => {
        const room = controller.desiredSize ?? 0;
        const bytes = Math.floor(room) - this.#requestedBytes;
        if (bytes <= 0) return;
        this.#requestedBytes += bytes;
        this.#writer.send(ToHost.Credit, this.id, String(bytes));
      },
    }, { highWaterMark: WINDOW_BYTES, size: (piece) => piece.byteLength });
  }
  async #respond(response: Response): Promise<void> {
    const { body } = response;
    if (body === null) return this.#sendHead(response, BodyMode.None);
    const reader = body.getReader();
    this.#responseReader = reader;
    const first = await reader.read();
    if (first.done) return this.#sendHead(response, BodyMode.None);
    // A body that was made from a string or bytes is over after its first piece; then all goes in one frame.
    const second = reader.read();
    const atOnce = first.value.byteLength <= WHOLE_BODY_MAX_BYTES ? await settledSoon(second) : undefined;
    if (atOnce?.done) return this.#sendHead(response, BodyMode.Whole, first.value);
    this.#sendHead(response, BodyMode.Stream);
    await this.#sendPieces(first.value);
    for (let piece = await second; !piece.done && !this.#ended; piece = await reader.read()) {
      await this.#sendPieces(piece.value);
    }
    if (!this.#ended) this.#writer.send(ToHost.ChunkEnd, this.id);
  }

  #sendHead(response: Response, mode: BodyMode, body?: Uint8Array | string): void {
    if (this.#ended) return;
    const headers: string[] = [];
    response.headers.forEach((value, name) => void headers.push(name, value));
    if (headers.length > 2 * HEADERS_MAX) throw new TypeError(`The response has more than ${HEADERS_MAX} headers.`);
    this.#writer.send(
      ToHost.Response,
      this.id,
      stringify([response.status, headers, mode, this.#foreseenAsked] satisfies ResponseMeta),
      body,
    );
  }

  async #sendPieces(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.byteLength && !this.#ended;) {
      while (this.#credit === 0 && !this.#ended) {
        await new Promise<void>((resolve) => this.#creditArrived = resolve);
      }
      const size = Math.min(bytes.byteLength - at, CHUNK_MAX_BYTES, this.#credit);
      if (this.#ended) return;
      this.#writer.send(ToHost.Chunk, this.id, "", bytes.subarray(at, at + size));
      this.#credit -= size;
      at += size;
    }
  }
}

/** A text without a type would be given one. */
function modeOf(text: string, { headers }: Response): BodyMode {
  return text.length <= TEXT_BODY_MAX_LENGTH && headers.has("content-type") ? BodyMode.Text : BodyMode.Whole;
}

/** What `promise` gives if it settles within a few microtasks, else undefined. */
async function settledSoon<T>(promise: Promise<T>): Promise<T | undefined> {
  let result: T | undefined;
  promise.then((value) => result = value, () => {});
  for (let turn = 0; turn < 4 && result === undefined; turn++) await undefined;
  return result;
}

function requestEnded(): Error {
  return new Error("This request has ended; its secrets can no longer be read.");
}
