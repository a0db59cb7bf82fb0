// Runs one call in the worker: gives the handler its request and context, and sends its response to the host.

import type { Context } from "npm:hono@4.13.19";
import {
  type AnswerPayload,
  type AskPayload,
  BodyMode,
  type CallPayload,
  CHUNK_MAX_BYTES,
  type FlatHeaders,
  type FrameWriter,
  HEADERS_MAX,
  HEADERS_MAX_LENGTH,
  LOG_TEXT_MAX_LENGTH,
  type LogPayload,
  type PrefetchedAnswer,
  type ResponsePayload,
  type RouteInfo,
  type SealedAnswer,
  type SettledOutcome,
  TEXT_BODY_MAX_LENGTH,
  ToHost,
  WHOLE_BODY_MAX_BYTES,
  WINDOW_BYTES,
} from "../src/sandbox/wire/protocol.ts";
import { CallContext, type Incoming, openRequest } from "./call_context.ts";
import { type CallPort, createHandlerContext, type HandlerContext } from "./context.ts";
import type { Entry, Parts } from "./entry.ts";
import { textOf } from "./response_text.ts";

// Taken before the handler's code can replace them.
const { stringify } = JSON;
const now = performance.now.bind(performance);
const ResponseClass = Response;
/** A UTF-16 unit takes at most 3 bytes in UTF-8. */
const WHOLE_TEXT_MAX_LENGTH = Math.floor(WHOLE_BODY_MAX_BYTES / 3);

export class Invocation implements CallPort, Parts {
  readonly id: number;
  readonly #writer: FrameWriter;
  readonly #method: string;
  readonly url: string;
  readonly #path: string;
  readonly #headers: FlatHeaders;
  readonly #params: Record<string, string>;
  readonly #requestId: string;
  readonly #requestedAt: number;
  readonly #group: string | null;
  readonly #route: RouteInfo;
  readonly #onEnd: () => void;
  readonly #asks = new Map<number, PromiseWithResolvers<unknown>>();
  #sealed: Map<string, readonly string[]> | undefined;
  #nextAsk = 1;
  /** Whether the response was sent completely, or is no longer awaited. */
  #responseOver = false;
  /** Whether the call has ended with all of its work. */
  #ended = false;
  #aborted = false;
  #abortController: AbortController | undefined;
  /** Promises of `waitUntil` that have not settled. */
  #pending = 0;
  /** Whether the host was informed of them. */
  #announced = false;
  #background: SettledOutcome = "ok";
  /** Whether the handler runs, or its response is being sent. */
  #runs = true;
  #errorText: (error: unknown) => string = String;
  #context: Context | undefined;
  /** Answers that came with the call, each until it is used or revoked. */
  readonly #prefetched: (PrefetchedAnswer | undefined)[];
  /** By `performance.now()`. */
  readonly #validUntil: number;
  /** A bit for each of them that was used. */
  #prefetchedUsed = 0;
  #requestBody: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | null = null;
  #requestStream: ReadableStreamDefaultController<Uint8Array> | undefined;
  /** Bytes of the request's body that the host may send without another credit. */
  #requestedBytes = WINDOW_BYTES;
  /** Bytes of the response's body that may still be sent. */
  #credit = WINDOW_BYTES;
  #creditArrived: (() => void) | undefined;
  #responseReader: ReadableStreamDefaultReader<unknown> | undefined;

  constructor(
    writer: FrameWriter,
    id: number,
    call: CallPayload,
    requestBody: Uint8Array,
    route: RouteInfo,
    onEnd: () => void,
  ) {
    this.id = id;
    this.#writer = writer;
    const [method, url, path, headers, params, requestId, requestedAt, group, mode, validUntil, answers] = call;
    this.#method = method;
    this.url = url;
    this.#path = path;
    this.#headers = headers;
    this.#params = params;
    this.#requestId = requestId;
    this.#requestedAt = requestedAt;
    this.#group = group;
    this.#route = route;
    this.#onEnd = onEnd;
    this.#validUntil = validUntil;
    this.#prefetched = [...answers];
    if (mode === BodyMode.Whole) this.#requestBody = requestBody.slice();
    else if (mode === BodyMode.Stream) this.#requestBody = this.#openRequestStream();
  }

  /** Runs the handler and sends what it returns. Never rejects. */
  async run(entry: Entry, errorText: (error: unknown) => string): Promise<void> {
    this.#errorText = errorText;
    try {
      let response: unknown;
      try {
        response = await entry(this);
      } catch (error) {
        response = await this.#thrownResponse(error);
      }
      if (!(response instanceof ResponseClass)) throw new TypeError("The handler returned no Response.");
      const whole = textOf(response);
      if (whole === undefined || (whole !== null && whole.length > WHOLE_TEXT_MAX_LENGTH)) {
        await this.#respond(response);
      } else if (whole === null || whole === "") this.#sendHead(response, BodyMode.None);
      else this.#sendHead(response, modeOf(whole, response), whole);
    } catch (error) {
      if (!this.#responseOver) this.#writer.send(ToHost.Failed, this.id, errorText(error));
    }
    this.#runs = false;
    this.#responseOver = true;
    if (this.#pending === 0) this.#end();
  }

  get route(): string {
    return this.#route.route;
  }

  context(ctx: HandlerContext): Context {
    return this.#context = new CallContext(this.#incoming(), ctx);
  }

  handlerContext(): HandlerContext {
    return createHandlerContext({
      route: this.#route,
      url: this.url,
      params: this.#params,
      requestId: this.#requestId,
      requestedAt: this.#requestedAt,
      group: this.#group,
    }, this);
  }

  request(url: string): Request {
    return openRequest(this.#incoming(), url);
  }

  /** Keeps the call alive until `promise` settles. @throws TypeError; Error once the call has ended */
  waitUntil(promise: unknown): void {
    if (!this.#mayAsk) throw requestEnded();
    if (typeof (promise as PromiseLike<unknown> | null | undefined)?.then !== "function") {
      throw new TypeError("waitUntil: the argument must be a promise, such as the result of an async function");
    }
    if (!this.#announced) this.#writer.send(ToHost.Background, this.id);
    this.#announced = true;
    this.#pending++;
    void this.#settle(promise as PromiseLike<unknown>);
  }

  receiveBody(piece: Uint8Array): void {
    this.#requestedBytes -= piece.byteLength;
    this.#requestStream?.enqueue(piece.slice());
  }

  endBody(): void {
    this.#requestStream?.close();
    this.#requestStream = undefined;
  }

  receiveAnswer([ask, outcome, value]: AnswerPayload): void {
    const waiting = this.#asks.get(ask);
    this.#asks.delete(ask);
    // JSON has null for a missing secret. No value is null.
    if (outcome === "ok") waiting?.resolve(this.#withPlaceholders(value) ?? undefined);
    else waiting?.reject(outcome === "ended" ? requestEnded() : new Error("The secret could not be looked up."));
  }

  /** By placeholder: where its sealed value may be sent; undefined if the call was given none. */
  get sealed(): ReadonlyMap<string, readonly string[]> | undefined {
    return this.#sealed;
  }

  /** Returns an answer with placeholders in place of what the host sends of sealed values. */
  #withPlaceholders(value: unknown): unknown {
    if (typeof value !== "object" || value === null) return value;
    const { sealed, hosts } = value as SealedAnswer;
    if (typeof sealed === "string") {
      this.#sealed ??= new Map();
      this.#sealed.set(sealed, hosts);
      return sealed;
    }
    // The result of getCompleteSecret.
    for (const [name, part] of Object.entries(value)) {
      (value as Record<string, unknown>)[name] = this.#withPlaceholders(part);
    }
    return value;
  }

  /** Drops the answers that came with the call, which may be out of date. */
  revokeAnswers(): void {
    this.#prefetched.fill(undefined);
  }

  receiveCredit(bytes: number): void {
    this.#credit += bytes;
    this.#creditArrived?.();
  }

  /** Aborts the call, as its response is no longer awaited: further output of the handler is dropped. */
  abort(): void {
    const gone = callerGone();
    this.#aborted = true;
    this.#responseOver = true;
    this.#abortController?.abort(gone);
    this.#requestStream?.error(gone);
    this.#requestStream = undefined;
    this.#responseReader?.cancel(gone).catch(() => {});
    this.#creditArrived?.();
    if (!this.#mayAsk) this.#refuseAsks();
    // The handler may still run. The call ends with it.
  }

  /** Whether the response or a promise of `waitUntil` is still awaited. */
  get #mayAsk(): boolean {
    return !this.#responseOver || this.#pending > 0;
  }

  /** Returns the response of an error that has one, such as Hono's HTTPException. @throws `error` otherwise */
  async #thrownResponse(error: unknown): Promise<unknown> {
    const { getResponse } = (error ?? {}) as { getResponse?: unknown };
    if (typeof getResponse !== "function") throw error;
    const response: unknown = await getResponse.call(error);
    if (!(response instanceof ResponseClass)) throw error;
    // Adds the headers that were set on the context before, as Hono does.
    return this.#context ? this.#context.newResponse(response.body, response) : response;
  }

  async #settle(promise: PromiseLike<unknown>): Promise<void> {
    try {
      await promise;
    } catch (error) {
      this.#background = "error";
      const text = `Work in the background failed: ${this.#errorText(error)}`.slice(0, LOG_TEXT_MAX_LENGTH);
      this.#writer.send(ToHost.Log, this.id, stringify(["error", text] satisfies LogPayload));
    }
    this.#pending--;
    if (!this.#mayAsk) this.#refuseAsks();
    if (this.#responseOver && this.#pending === 0 && !this.#runs) this.#end();
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#requestStream = undefined;
    this.#refuseAsks();
    if (this.#announced || this.#aborted) this.#writer.send(ToHost.Settled, this.id, this.#background);
    this.#onEnd();
  }

  #refuseAsks(): void {
    for (const waiting of this.#asks.values()) waiting.reject(requestEnded());
    this.#asks.clear();
  }

  #incoming(): Incoming {
    return {
      method: this.#method,
      url: this.url,
      path: this.#path,
      headers: this.#headers,
      params: this.#params,
      body: this.#requestBody,
      route: this.#route.route,
      signal: () => this.#signal(),
    };
  }

  #signal(): AbortSignal {
    if (!this.#abortController) {
      this.#abortController = new AbortController();
      if (this.#aborted) this.#abortController.abort(callerGone());
    }
    return this.#abortController.signal;
  }

  ask(kind: AskPayload[1], name: string, scope: string | null): Promise<unknown> {
    if (!this.#mayAsk) return Promise.reject(requestEnded());
    const answer = this.#takePrefetched(kind, name, scope);
    // JSON has null for a missing secret.
    if (answer) return Promise.resolve(this.#withPlaceholders(answer[3]) ?? undefined);
    const waiting = Promise.withResolvers<unknown>();
    const ask = this.#nextAsk++;
    this.#asks.set(ask, waiting);
    this.#writer.send(ToHost.Ask, this.id, stringify([ask, kind, name, scope] satisfies AskPayload));
    return waiting.promise;
  }

  #takePrefetched(kind: AskPayload[1], name: string, scope: string | null): PrefetchedAnswer | undefined {
    const prefetched = this.#prefetched;
    for (let index = 0; index < prefetched.length; index++) {
      const answer = prefetched[index];
      if (!answer || answer[1] !== name || answer[0] !== kind || answer[2] !== scope) continue;
      if (now() >= this.#validUntil) return undefined;
      prefetched[index] = undefined;
      this.#prefetchedUsed |= 1 << index;
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
    const reader: ReadableStreamDefaultReader<unknown> = body.getReader();
    this.#responseReader = reader;
    try {
      // The caller disconnected while the handler ran.
      if (this.#responseOver) throw callerGone();
      await this.#sendBody(response, reader);
    } catch (error) {
      reader.cancel(error).catch(() => {});
      throw error;
    }
  }

  async #sendBody(response: Response, reader: ReadableStreamDefaultReader<unknown>): Promise<void> {
    const first = await reader.read();
    if (first.done) return this.#sendHead(response, BodyMode.None);
    const bytes = bytesOf(first.value);
    // A body of a string or bytes ends after its first piece, and is then sent in one frame.
    const second = reader.read();
    const end = bytes.byteLength <= WHOLE_BODY_MAX_BYTES ? await settledSoon(second) : undefined;
    if (end?.done) return this.#sendHead(response, BodyMode.Whole, bytes);
    this.#sendHead(response, BodyMode.Stream);
    await this.#sendPieces(bytes);
    for (let piece = await second; !piece.done && !this.#responseOver; piece = await reader.read()) {
      await this.#sendPieces(bytesOf(piece.value));
    }
    if (!this.#responseOver) this.#writer.send(ToHost.ChunkEnd, this.id);
  }

  #sendHead(response: Response, mode: BodyMode, body?: Uint8Array | string): void {
    if (this.#responseOver) return;
    const headers: string[] = [];
    let length = 0;
    response.headers.forEach((value, name) => {
      headers.push(name, value);
      length += name.length + value.length;
    });
    if (headers.length > 2 * HEADERS_MAX) throw new TypeError(`The response has more than ${HEADERS_MAX} headers.`);
    if (length > HEADERS_MAX_LENGTH) {
      throw new TypeError(`The headers of the response have ${length} characters, more than ${HEADERS_MAX_LENGTH}.`);
    }
    this.#writer.send(
      ToHost.Response,
      this.id,
      stringify([response.status, headers, mode, this.#prefetchedUsed] satisfies ResponsePayload),
      body,
    );
  }

  async #sendPieces(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.byteLength && !this.#responseOver;) {
      while (this.#credit === 0 && !this.#responseOver) {
        await new Promise<void>((resolve) => this.#creditArrived = resolve);
      }
      const size = Math.min(bytes.byteLength - at, CHUNK_MAX_BYTES, this.#credit);
      if (this.#responseOver) return;
      this.#writer.send(ToHost.Chunk, this.id, "", bytes.subarray(at, at + size));
      this.#credit -= size;
      at += size;
    }
  }
}

/** Returns the bytes of a piece. @throws TypeError for other values, as in Fetch (4.7, "process body chunk") */
function bytesOf(piece: unknown): Uint8Array {
  if (piece instanceof Uint8Array) return piece;
  if (ArrayBuffer.isView(piece)) return new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength);
  if (piece instanceof ArrayBuffer) return new Uint8Array(piece);
  const kind = piece === null ? "null" : typeof piece === "object" ? "an object" : `a ${typeof piece}`;
  throw new TypeError(
    `The stream of the response's body returned ${kind}; it may return only bytes: ` +
      "a Uint8Array, or a stream of text through new TextEncoderStream().",
  );
}

/** Returns how to send a text. As a text, it would get a content type if it has none. */
function modeOf(text: string, { headers }: Response): BodyMode {
  return text.length <= TEXT_BODY_MAX_LENGTH && headers.has("content-type") ? BodyMode.Text : BodyMode.Whole;
}

/** Returns the result of `promise` if it resolves within a few microtasks, else undefined. */
async function settledSoon<T>(promise: Promise<T>): Promise<T | undefined> {
  let result: T | undefined;
  promise.then((value) => result = value, () => {});
  for (let turn = 0; turn < 4 && result === undefined; turn++) await undefined;
  return result;
}

function callerGone(): DOMException {
  return new DOMException("The caller has closed the connection.", "AbortError");
}

function requestEnded(): Error {
  return new Error("This request has ended; its secrets can no longer be read.");
}
