// Has the host send requests that may carry sealed values, and makes responses of what it passes on.

import {
  BodyMode,
  CHUNK_MAX_BYTES,
  ELSEWHERE_HOST,
  type ElsewherePayload,
  FETCH_METHOD_MAX_LENGTH,
  FETCH_URL_MAX_LENGTH,
  type FetchedPayload,
  type FetchFailedPayload,
  type FetchNumbers,
  type FetchPayload,
  type FrameWriter,
  HEADERS_MAX,
  HEADERS_MAX_LENGTH,
  ToHost,
  ToSandbox,
  WHOLE_BODY_MAX_BYTES,
  WINDOW_BYTES,
} from "../src/sandbox/wire/protocol.ts";

// Taken before the handler's code can replace them.
const { parse, stringify } = JSON;
const ResponseClass = Response;
const { defineProperties } = Object;
const PRINTABLE = /^[\t\x20-\x7e]*$/;

/** A request's body as it is sent. */
export type SentBody =
  | { readonly mode: typeof BodyMode.None }
  /** In memory, so that it can be sent again after a redirect. */
  | { readonly mode: typeof BodyMode.Whole; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly mode: typeof BodyMode.Stream; readonly next: () => Promise<Uint8Array | undefined> };

export interface SentRequest {
  readonly method: string;
  readonly url: string;
  /** Whether a redirect led to it. */
  readonly redirected: boolean;
  readonly headers: Headers;
  readonly body: SentBody;
  readonly signal: AbortSignal | undefined;
}

interface Exchange {
  readonly callId: number;
  readonly request: SentRequest;
  readonly onAbort: () => void;
  readonly response: PromiseWithResolvers<Response>;
  body: ReadableStreamDefaultController<Uint8Array> | undefined;
  /** Bytes of the response that the host may still send. */
  granted: number;
  /** Bytes of the request's body that may be sent. */
  credit: number;
  creditArrived: (() => void) | undefined;
  isOver: boolean;
}

export class SealedExchanges {
  readonly #writer: FrameWriter;
  readonly #exchanges = new Map<number, Exchange>();
  #last = 0;

  constructor(writer: FrameWriter) {
    this.#writer = writer;
  }

  /** Sends a request of a call. Rejects as `fetch` does. */
  send(callId: number, request: SentRequest): Promise<Response> {
    const { method, url, headers, body, signal } = request;
    if (signal?.aborted) return Promise.reject(signal.reason);
    const flat: string[] = [];
    headers.forEach((value, name) => flat.push(name, value));
    const problem = oversized(method, url, flat);
    if (problem !== undefined) return Promise.reject(new TypeError(problem));
    const number = ++this.#last;
    const exchange: Exchange = {
      callId,
      request,
      onAbort: () => {
        this.#send(ToHost.FetchAbort, number);
        this.#fail(number, signal?.reason);
      },
      response: Promise.withResolvers(),
      body: undefined,
      granted: WINDOW_BYTES,
      credit: WINDOW_BYTES,
      creditArrived: undefined,
      isOver: false,
    };
    this.#exchanges.set(number, exchange);
    signal?.addEventListener("abort", exchange.onAbort);
    const isWhole = body.mode === BodyMode.Whole && body.bytes.length <= WHOLE_BODY_MAX_BYTES;
    const mode = body.mode === BodyMode.Whole && !isWhole ? BodyMode.Stream : body.mode;
    const length = body.mode === BodyMode.Whole ? body.bytes.length : null;
    const payload: FetchPayload = [number, method, url, flat, mode, length];
    this.#writer.send(ToHost.Fetch, callId, stringify(payload), isWhole ? body.bytes : "");
    if (body.mode === BodyMode.Stream) void this.#sendStream(number, exchange, body.next);
    else if (body.mode === BodyMode.Whole && !isWhole) void this.#sendStream(number, exchange, once(body.bytes));
    return exchange.response.promise;
  }

  /** Handles a frame of the host about an exchange. */
  receive(type: number, payload: string, bytes: Uint8Array): void {
    const parsed = parse(payload) as [number, ...unknown[]];
    const [number] = parsed;
    const exchange = this.#exchanges.get(number);
    if (!exchange) return;
    switch (type) {
      case ToSandbox.Fetched: {
        const [, status, statusText, headers, mode] = parsed as unknown as FetchedPayload;
        const isStream = mode === BodyMode.Stream;
        // Of bytes, the response has a copy.
        const body = isStream
          ? this.#openBody(number, exchange)
          : mode === BodyMode.None
          ? null
          : bytes as Uint8Array<ArrayBuffer>;
        try {
          exchange.response.resolve(new ReceivedResponse(exchange.request, status, statusText, headers, body));
        } catch (error) {
          exchange.response.reject(error);
        }
        if (!isStream) this.#end(number, exchange);
        break;
      }
      case ToSandbox.FetchedBody:
        exchange.granted -= bytes.length;
        exchange.body?.enqueue(bytes.slice());
        break;
      case ToSandbox.FetchedEnd:
        exchange.body?.close();
        this.#end(number, exchange);
        break;
      case ToSandbox.FetchCredit:
        exchange.credit += parsed[1] as number;
        exchange.creditArrived?.();
        break;
      case ToSandbox.FetchFailed:
        this.#fail(number, failureOf(parsed as unknown as FetchFailedPayload));
        break;
    }
  }

  /** Reports that a placeholder is sent to a host that is none of its own. */
  reportElsewhere(callId: number, placeholder: string, host: string): void {
    // The host ends the process that reports another one.
    if (!ELSEWHERE_HOST.test(host)) return;
    this.#writer.send(ToHost.Elsewhere, callId, stringify([placeholder, host] satisfies ElsewherePayload));
  }

  /** Fails the exchanges of a call that has ended. */
  callEnded(callId: number): void {
    for (const [number, exchange] of this.#exchanges) {
      if (exchange.callId === callId) this.#fail(number, new TypeError("The call that made this request has ended."));
    }
  }

  #send(type: number, number: number, count?: number): void {
    const { callId } = this.#exchanges.get(number)!;
    const payload: FetchNumbers = count === undefined ? [number] : [number, count];
    this.#writer.send(type, callId, stringify(payload));
  }

  async #sendStream(number: number, exchange: Exchange, next: () => Promise<Uint8Array | undefined>): Promise<void> {
    try {
      for (let piece = await next(); piece && !exchange.isOver; piece = await next()) {
        for (let at = 0; at < piece.length && !exchange.isOver;) {
          while (exchange.credit === 0 && !exchange.isOver) {
            await new Promise<void>((resolve) => exchange.creditArrived = resolve);
          }
          if (exchange.isOver) return;
          const size = Math.min(piece.length - at, CHUNK_MAX_BYTES, exchange.credit);
          const payload = stringify([number] satisfies FetchNumbers);
          this.#writer.send(ToHost.FetchBody, exchange.callId, payload, piece.subarray(at, at + size));
          exchange.credit -= size;
          at += size;
        }
      }
      if (!exchange.isOver) this.#send(ToHost.FetchBodyEnd, number);
    } catch (error) {
      if (exchange.isOver) return;
      this.#send(ToHost.FetchAbort, number);
      this.#fail(number, error);
    }
  }

  #openBody(number: number, exchange: Exchange): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>({
      start: (controller) => {
        exchange.body = controller;
      },
      pull: (controller) => {
        const room = (controller.desiredSize ?? 0) - exchange.granted;
        if (room <= 0 || exchange.isOver) return;
        exchange.granted += room;
        this.#send(ToHost.FetchCredit, number, room);
      },
      cancel: () => {
        if (exchange.isOver) return;
        this.#send(ToHost.FetchAbort, number);
        this.#end(number, exchange);
      },
    }, { highWaterMark: WINDOW_BYTES, size: (bytes) => bytes?.byteLength ?? 0 });
  }

  #fail(number: number, error: unknown): void {
    const exchange = this.#exchanges.get(number);
    if (!exchange) return;
    exchange.response.reject(error);
    exchange.body?.error(error);
    this.#end(number, exchange);
  }

  #end(number: number, exchange: Exchange): void {
    exchange.isOver = true;
    exchange.request.signal?.removeEventListener("abort", exchange.onAbort);
    exchange.creditArrived?.();
    this.#exchanges.delete(number);
  }
}

/** Returns why the host would not take a request: it ends a process that sends it one beyond its limits. */
function oversized(method: string, url: string, headers: readonly string[]): string | undefined {
  const what = "of a request to a host of a sealed secret";
  if (method.length > FETCH_METHOD_MAX_LENGTH) {
    return `The method ${what} has more than ${FETCH_METHOD_MAX_LENGTH} characters.`;
  }
  if (url.length > FETCH_URL_MAX_LENGTH) return `The URL ${what} has more than ${FETCH_URL_MAX_LENGTH} characters.`;
  if (headers.length > 2 * HEADERS_MAX) return `The headers ${what} are more than ${HEADERS_MAX}.`;
  let length = 0;
  for (const text of headers) length += text.length;
  return length > HEADERS_MAX_LENGTH
    ? `The headers ${what} have more than ${HEADERS_MAX_LENGTH} characters.`
    : undefined;
}

/** As of `fetch`, with the code that clients over `node:http` look at. */
function failureOf([, message, code]: FetchFailedPayload): TypeError {
  const error = new TypeError(message);
  return code === "" ? error : Object.assign(error, { code });
}

function once(bytes: Uint8Array): () => Promise<Uint8Array | undefined> {
  let left: Uint8Array | undefined = bytes;
  return () => {
    const next = left;
    left = undefined;
    return Promise.resolve(next);
  };
}

/** A response that knows which URL it came from, unlike one that is constructed. */
class ReceivedResponse extends ResponseClass {
  readonly #url: string;
  readonly #redirected: boolean;

  constructor(
    { url, redirected }: SentRequest,
    status: number,
    statusText: string,
    flat: readonly string[],
    body: ReadableStream<Uint8Array> | Uint8Array<ArrayBuffer> | null,
  ) {
    const headers: [string, string][] = [];
    for (let i = 0; i + 1 < flat.length; i += 2) headers.push([flat[i]!, flat[i + 1]!]);
    // Only ASCII is accepted by the class.
    super(body, { status, statusText: PRINTABLE.test(statusText) ? statusText : "", headers });
    const hash = url.indexOf("#");
    this.#url = hash === -1 ? url : url.slice(0, hash);
    this.#redirected = redirected;
  }

  override get url(): string {
    return this.#url;
  }

  override get redirected(): boolean {
    return this.#redirected;
  }

  override clone(): Response {
    return withUrl(super.clone(), this.#url, this.#redirected);
  }
}

/** Gives a response the URL that it came from, and those that are cloned from it. */
export function withUrl(response: Response, url: string, redirected: boolean): Response {
  const clone = response.clone.bind(response);
  return defineProperties(response, {
    url: { value: url, configurable: true },
    redirected: { value: redirected, configurable: true },
    clone: { value: () => withUrl(clone(), url, redirected), configurable: true },
  });
}
