// Makes one request and passes its response on, both in pieces, no faster than the other side takes them.

import type { Agent as HttpAgent, ClientRequest, IncomingMessage } from "node:http";
import { Buffer } from "node:buffer";
import http from "node:http";
import https from "node:https";
import { isIP } from "node:net";
import { BodyMode, CHUNK_MAX_BYTES, WHOLE_BODY_MAX_BYTES, WINDOW_BYTES } from "../../sandbox/wire/protocol.ts";
import type { HeadPayload, RequestPayload } from "../wire.ts";
import { type Addresses, Unreachable } from "./addresses.ts";
import type { Masker } from "./masker.ts";
import { Unsendable } from "./placeholders.ts";
import { lengthHeaders, outgoing, type OutgoingRequest } from "./request.ts";
import { decodedBody, maskedHead, Unreadable } from "./response.ts";

/** How long a connection may take. */
const CONNECT_MAX_MS = 30_000;
/** Methods that may be sent again if a kept connection turns out to be closed (RFC 9110 9.2.2). */
const REPEATABLE = ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"];
/** Errors of a connection that was never established. */
const NOT_CONNECTED = ["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "EADDRNOTAVAIL", "ETIMEDOUT"];

/** The connections that the requests of one lane share. */
export interface Lane {
  readonly plain: http.Agent;
  readonly encrypted: https.Agent;
}

/** Where the response goes. */
export interface ExchangePort {
  head(head: HeadPayload, body: Uint8Array): void;
  piece(bytes: Uint8Array): void;
  end(): void;
  /** Allows that many more bytes of the request's body. */
  credit(bytes: number): void;
  /** `message` is for the author of the handler. */
  failed(message: string): void;
}

export interface ExchangeOptions {
  readonly request: RequestPayload;
  /** The request's body, if it is sent whole. */
  readonly body: Uint8Array;
  readonly addresses: Addresses;
  readonly lane: Lane;
  readonly masker: Masker;
  readonly port: ExchangePort;
}

/** The exchange has ended. */
class Aborted extends Error {}

export class Exchange {
  readonly #options: ExchangeOptions;
  #isOver = false;
  /** Bytes of the response that may be sent. */
  #credit = WINDOW_BYTES;
  #moved: (() => void) | undefined;
  /** Pieces of the request's body that have arrived and were not sent. */
  #pieces: Uint8Array[] = [];
  #hasBodyEnded = false;
  #sent: ClientRequest | undefined;
  /** Whether anything of the request may have been sent. */
  #hasConnected = false;

  constructor(options: ExchangeOptions) {
    this.#options = options;
  }

  /** Makes the request. Never rejects. */
  async run(): Promise<void> {
    const { port } = this.#options;
    try {
      await this.#exchange();
      // The host may answer before it has the whole request.
      if (this.#sent?.writableEnded === false) this.abort();
    } catch (error) {
      if (!this.#isOver) port.failed(sentenceOf(error));
      this.abort();
    }
  }

  receiveBody(piece: Uint8Array): void {
    this.#pieces.push(piece);
    this.#wake();
  }

  endBody(): void {
    this.#hasBodyEnded = true;
    this.#wake();
  }

  receiveCredit(bytes: number): void {
    this.#credit += bytes;
    this.#wake();
  }

  abort(): void {
    this.#isOver = true;
    this.#sent?.destroy();
    this.#wake();
  }

  async #exchange(): Promise<void> {
    const { request, masker, addresses } = this.#options;
    const out = outgoing(request);
    const found = await addresses.of(out.origin, request.closed);
    const whole = await this.#wholeBody(out);
    const response = await this.#respond(out, found, whole);
    // It may fail after the exchange has ended.
    response.on("error", () => {});
    const head = maskedHead(response, out.method, masker);
    if (!head.hasBody) {
      response.resume();
      return this.#head([
        head.status,
        head.statusText,
        head.headers,
        BodyMode.None,
      ], new Uint8Array(0));
    }
    await this.#passBody(head, decodedBody(response));
  }

  /** Sends the response in one frame if it is short, which is faster. */
  async #passBody(
    { status, statusText, headers, length, isEncoded }: ReturnType<
      typeof maskedHead
    >,
    body: AsyncIterable<Uint8Array>,
  ): Promise<void> {
    const { masker, port } = this.#options;
    const pieces = body[Symbol.asyncIterator]();
    const collected: Uint8Array[] = [];
    if (length !== undefined && length <= WHOLE_BODY_MAX_BYTES) {
      let bytes = 0;
      while (true) {
        const { value, done } = await pieces.next();
        if (done) {
          const masked = masker.whole(Buffer.concat(collected));
          if (masked.length > WHOLE_BODY_MAX_BYTES) break;
          const lengths = isEncoded ? [] : ["content-length", String(masked.length)];
          const mode = masked.length === 0 ? BodyMode.None : BodyMode.Whole;
          return this.#head([
            status,
            statusText,
            [...headers, ...lengths],
            mode,
          ], masked);
        }
        collected.push(value);
        bytes += value.length;
        if (bytes > WHOLE_BODY_MAX_BYTES) break;
      }
    }
    this.#head([status, statusText, headers, BodyMode.Stream], new Uint8Array(0));
    const stream = masker.stream();
    for (const piece of collected) await this.#sendPieces(stream.push(piece));
    while (true) {
      const { value, done } = await pieces.next();
      if (done) break;
      await this.#sendPieces(stream.push(value));
    }
    await this.#sendPieces(stream.end());
    if (!this.#isOver) port.end();
  }

  #head(head: HeadPayload, body: Uint8Array): void {
    if (!this.#isOver) this.#options.port.head(head, body);
  }

  async #sendPieces(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      while (this.#credit === 0) await this.#change();
      this.#refuseOver();
      const size = Math.min(bytes.length - at, CHUNK_MAX_BYTES, this.#credit);
      this.#options.port.piece(bytes.subarray(at, at + size));
      this.#credit -= size;
      at += size;
    }
  }

  /** Returns the body with its values, if all of it is to be sent at once. */
  async #wholeBody({ filter, isCollected }: OutgoingRequest): Promise<Uint8Array | undefined> {
    const { request, body } = this.#options;
    if (request.mode === BodyMode.Whole) {
      return filter ? Buffer.concat([filter.push(body), filter.end()]) : body;
    }
    if (request.mode !== BodyMode.Stream || !isCollected) return undefined;
    const pieces: Uint8Array[] = [];
    for await (const piece of this.#body()) pieces.push(filter!.push(piece));
    return Buffer.concat([...pieces, filter!.end()]);
  }

  /** Sends the request, to the next address if one cannot be connected to. */
  async #respond(
    out: OutgoingRequest,
    addresses: readonly string[],
    whole: Uint8Array | undefined,
  ): Promise<IncomingMessage> {
    const { request } = this.#options;
    const isStreamed = request.mode === BodyMode.Stream && whole === undefined;
    let isRepeated = false;
    for (let index = 0;;) {
      this.#refuseOver();
      const sent = this.#sent = this.#open(out, addresses[index]!, whole);
      try {
        return await this.#responseTo(sent, out, whole, isStreamed);
      } catch (error) {
        this.#refuseOver();
        const code = (error as { code?: string }).code ?? "";
        if (isStreamed) throw error;
        if (!this.#hasConnected && NOT_CONNECTED.includes(code) && index + 1 < addresses.length) index++;
        else if (sent.reusedSocket && !isRepeated && REPEATABLE.includes(out.method)) isRepeated = true;
        else throw error;
      }
    }
  }

  #open(out: OutgoingRequest, address: string, whole: Uint8Array | undefined): ClientRequest {
    const { request, lane } = this.#options;
    const { origin, method, target, headers, filter } = out;
    const name = origin.host.replace(/^\[(.*)\]$/, "$1");
    const length = whole?.length ?? (filter ? null : request.length);
    const options = {
      host: address,
      port: origin.port,
      method,
      path: target,
      headers: [
        ...headers,
        ...lengthHeaders(method, request.mode, length ?? undefined),
      ],
      setHost: false,
      setDefaultHeaders: false,
      agent: (origin.isPlain ? lane.plain : lane.encrypted) as HttpAgent,
    };
    return origin.isPlain ? http.request(options) : https.request({ ...options, servername: isIP(name) ? "" : name });
  }

  #responseTo(
    sent: ClientRequest,
    { filter }: OutgoingRequest,
    whole: Uint8Array | undefined,
    isStreamed: boolean,
  ): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(
        () => sent.destroy(Object.assign(new Error("late"), { code: "ETIMEDOUT" })),
        CONNECT_MAX_MS,
      );
      const connected = (): void => {
        clearTimeout(late);
        this.#hasConnected = true;
      };
      this.#hasConnected = false;
      sent.once("socket", (socket) => {
        // It counts while a connection is idle.
        socket.setTimeout(0);
        if (!socket.connecting) connected();
        else socket.once("connect", connected);
      });
      sent.once("response", (response) => {
        clearTimeout(late);
        resolve(response);
      });
      sent.on("error", (error) => {
        clearTimeout(late);
        reject(error);
      });
      sent.once("upgrade", (_, socket) => {
        socket.destroy();
        reject(new Unreadable("The host switched to another protocol."));
      });
      if (isStreamed) {
        this.#sendBody(sent, filter).catch((error) => sent.destroy(error));
      } else if (whole) sent.end(whole);
      else sent.end();
    });
  }

  async #sendBody(sent: ClientRequest, filter: OutgoingRequest["filter"]): Promise<void> {
    const write = async (bytes: Uint8Array): Promise<void> => {
      if (bytes.length === 0 || sent.write(bytes)) return;
      await new Promise<void>((resolve) => {
        sent.once("drain", resolve);
        sent.once("close", resolve);
      });
    };
    for await (const piece of this.#body()) {
      await write(filter ? filter.push(piece) : piece);
    }
    if (filter) await write(filter.end());
    sent.end();
  }

  /** Yields the request's body. @throws Unsendable if it does not have the length that it should have */
  async *#body(): AsyncGenerator<Uint8Array> {
    const { request: { length }, port } = this.#options;
    let bytes = 0;
    while (true) {
      while (this.#pieces.length === 0 && !this.#hasBodyEnded) {
        await this.#change();
      }
      this.#refuseOver();
      const piece = this.#pieces.shift();
      bytes += piece?.length ?? 0;
      // Otherwise what is too much would be read as another request.
      if (length !== null && (bytes > length || (!piece && bytes < length))) {
        throw new Unsendable(
          "The body of the request does not have its announced length.",
        );
      }
      if (!piece) return;
      port.credit(piece.length);
      yield piece;
    }
  }

  #refuseOver(): void {
    if (this.#isOver) throw new Aborted();
  }

  async #change(): Promise<void> {
    if (this.#isOver) throw new Aborted();
    await new Promise<void>((resolve) => {
      const before = this.#moved;
      this.#moved = () => {
        before?.();
        resolve();
      };
    });
  }

  #wake(): void {
    const moved = this.#moved;
    this.#moved = undefined;
    moved?.();
  }
}

/** Returns why there is no response, without anything that could be part of a value. */
function sentenceOf(error: unknown): string {
  if (
    error instanceof Unsendable || error instanceof Unreachable ||
    error instanceof Unreadable
  ) return error.message;
  const { code } = error as { code?: unknown };
  if (typeof code !== "string" || !/^[A-Z][A-Z0-9_]{1,60}$/.test(code)) {
    return "The request failed.";
  }
  if (/^(?:ERR_TLS_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_)/.test(code)) {
    return `The certificate of the host is not valid for it (${code}).`;
  }
  return NOT_CONNECTED.includes(code) ? `The host cannot be connected to (${code}).` : `The request failed (${code}).`;
}
