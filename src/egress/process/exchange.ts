// Makes one request and passes its response on, both in pieces, no faster than the other side takes them.

import { Buffer } from "node:buffer";
import { BodyMode, CHUNK_MAX_BYTES, WHOLE_BODY_MAX_BYTES, WINDOW_BYTES } from "../../sandbox/wire/protocol.ts";
import type { SealedUse } from "../../sealed.ts";
import type { HeadPayload, RequestPayload } from "../wire.ts";
import { type Addresses, Unreachable } from "./addresses.ts";
import { connect, type Connection, NotTrusted } from "./connection.ts";
import { readHead, ResponseBody, type ResponseHead, Unanswered, Unreadable } from "./http1.ts";
import type { Lane } from "./lane.ts";
import type { Masker } from "./masker.ts";
import { Unsendable } from "./placeholders.ts";
import { Watch } from "./watch.ts";
import { headBytes, outgoing, type OutgoingRequest } from "./request.ts";
import { decodedAtOnce, decodedBody, type MaskedHead, maskedHead } from "./response.ts";

/** How long a connection may take, with its TLS handshake. */
const CONNECT_MAX_MS = 30_000;
/** Methods that may be sent again if a kept connection turns out to be closed (RFC 9110 9.2.2). */
const REPEATABLE = ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"];
/** Errors of a connection that was never established. */
const NOT_CONNECTED = ["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "EADDRNOTAVAIL", "ETIMEDOUT"];

/** Where the response goes. */
export interface ExchangePort {
  head(head: HeadPayload, body: Uint8Array): void;
  piece(bytes: Uint8Array): void;
  end(): void;
  /** Allows that many more bytes of the request's body. */
  credit(bytes: number): void;
  /** The placeholder of a value that is watched has left. */
  used(placeholder: string, use: SealedUse): void;
  /** `message` is for the author of the handler; `code` is one of Node's, or empty. */
  failed(message: string, code: string): void;
}

export interface ExchangeOptions {
  readonly request: RequestPayload;
  /** The request's body, if it is sent whole. */
  readonly body: Uint8Array;
  readonly addresses: Addresses;
  readonly lane: Lane;
  /** What must not be connected to. */
  readonly closed: readonly string[];
  readonly masker: Masker;
  readonly port: ExchangePort;
}

/** The exchange has ended. */
class Aborted extends Error {}

export class Exchange {
  readonly #options: ExchangeOptions;
  /** Undefined unless a value is watched. */
  readonly #watch: Watch | undefined;
  #isOver = false;
  /** Bytes of the response that may be sent. */
  #credit = WINDOW_BYTES;
  #moved: (() => void) | undefined;
  /** Pieces of the request's body that have arrived and were not sent. */
  #pieces: Uint8Array[] = [];
  #hasBodyEnded = false;
  #connecting: AbortController | undefined;
  #connection: Connection | undefined;
  /** Why the request could not be sent. */
  #unsent: unknown;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    const { request, port } = options;
    if (request.sealed.every(({ isWatched }) => !isWatched)) return;
    this.#watch = new Watch(request.sealed, (placeholder, use) => this.#isOver || port.used(placeholder, use));
  }

  /** Makes the request. Never rejects. */
  async run(): Promise<void> {
    const { port } = this.#options;
    try {
      await this.#exchange();
    } catch (error) {
      if (!this.#isOver) port.failed(...failureOf(error));
    }
    this.abort();
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
    this.#connecting?.abort();
    this.#connection?.close();
    this.#connection = undefined;
    this.#wake();
  }

  async #exchange(): Promise<void> {
    const { request, addresses, closed } = this.#options;
    const out = outgoing(request);
    this.#watch?.head(request);
    const found = await addresses.of(out.origin, closed);
    const whole = await this.#wholeBody(out);
    let hasFailed = false;
    for (let index = 0;;) {
      this.#refuseOver();
      const key = keyOf(out, found[index]!);
      // After one that was closed, the others are likely to be closed, too.
      const kept = hasFailed ? undefined : this.#options.lane.take(key);
      try {
        this.#connection = kept ?? await this.#connect(found[index]!, out);
      } catch (error) {
        if (!NOT_CONNECTED.includes(codeOf(error)) || ++index >= found.length) throw error;
        continue;
      }
      try {
        return await this.#exchangeOn(this.#connection, key, out, whole);
      } catch (error) {
        const isStale = error instanceof Unanswered || codeOf(error) === "ECONNRESET" || codeOf(error) === "EPIPE";
        if (this.#isOver || !kept || !isStale || whole === undefined || !REPEATABLE.includes(out.method)) throw error;
        hasFailed = true;
        kept.close();
      }
    }
  }

  /** @throws errors of connecting; `Aborted` */
  async #connect(address: string, { origin }: OutgoingRequest): Promise<Connection> {
    const connecting = this.#connecting = new AbortController();
    let isLate = false;
    const late = setTimeout(() => {
      isLate = true;
      connecting.abort();
    }, CONNECT_MAX_MS);
    try {
      const connection = await connect(address, origin, connecting.signal);
      if (!this.#isOver) return connection;
      connection.close();
      throw new Aborted();
    } catch (error) {
      throw isLate ? Object.assign(new Error("late"), { code: "ETIMEDOUT" }) : error;
    } finally {
      clearTimeout(late);
      this.#connecting = undefined;
    }
  }

  /** Sends the request and passes the response on. `whole` is its body if all of it is there; otherwise it is streamed. */
  async #exchangeOn(
    connection: Connection,
    key: string,
    out: OutgoingRequest,
    whole: Uint8Array | undefined,
  ): Promise<void> {
    const { masker, lane } = this.#options;
    let isSent = false;
    this.#unsent = undefined;
    const sending = this.#send(connection, out, whole).then(() => {
      isSent = true;
    }, (error) => {
      this.#unsent = error;
      // The host may have answered before it closed the connection. Otherwise there is nothing to wait for.
      if (codeOf(error) !== "EPIPE" && codeOf(error) !== "ECONNRESET") connection.close();
    });
    try {
      const head = await readHead(connection, out.method);
      const body = new ResponseBody(connection, head);
      const masked = maskedHead(head, out.method, masker);
      if (!isSent && whole !== undefined) await isSettledSoon(sending);
      await this.#passBody(masked, head.framing, body);
      // The host may answer before it has the whole request.
      if (!isSent || !body.isOver || !head.mayStay || connection.unread.length > 0 || this.#isOver) return;
      this.#connection = undefined;
      lane.keep(key, connection);
    } catch (error) {
      throw this.#unsent instanceof Unsendable ? this.#unsent : error;
    }
  }

  /** Sends the response in one frame if it is short and there at once, which is faster. */
  async #passBody(
    { status, statusText, headers, encoding, hasBody }: MaskedHead,
    framing: ResponseHead["framing"],
    body: ResponseBody,
  ): Promise<void> {
    const { masker, port } = this.#options;
    if (!hasBody) return this.#head([status, statusText, headers, BodyMode.None], NOTHING);
    const begun = await beginningOf(body, framing);
    const decoded = body.isOver ? decodedAtOnce(encoding, begun) : undefined;
    const whole = decoded && masker.whole(decoded);
    if (whole && whole.length <= WHOLE_BODY_MAX_BYTES) {
      const lengths = encoding === "" ? ["content-length", String(whole.length)] : [];
      const mode = whole.length === 0 ? BodyMode.None : BodyMode.Whole;
      return this.#head([status, statusText, [...headers, ...lengths], mode], whole);
    }
    this.#head([status, statusText, headers, BodyMode.Stream], NOTHING);
    const stream = masker.stream();
    for await (const piece of decodedBody(encoding, begun, body)) await this.#sendPieces(stream.push(piece));
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

  /** Returns the body with its values, if all of it is to be sent at once; undefined if it is streamed. */
  async #wholeBody({ filter, isCollected }: OutgoingRequest): Promise<Uint8Array | undefined> {
    const { request, body } = this.#options;
    if (request.mode !== BodyMode.Stream) {
      this.#watch?.body(body, filter !== undefined);
      return filter ? Buffer.concat([filter.push(body), filter.end()]) : body;
    }
    if (!isCollected) return undefined;
    const pieces: Uint8Array[] = [];
    for await (const piece of this.#body(filter)) pieces.push(filter!.push(piece));
    return Buffer.concat([...pieces, filter!.end()]);
  }

  async #send(connection: Connection, out: OutgoingRequest, whole: Uint8Array | undefined): Promise<void> {
    const { request } = this.#options;
    const { filter } = out;
    const length = whole?.length ?? (filter ? undefined : request.length ?? undefined);
    const head = headBytes(out, request.mode, length);
    if (whole) {
      await connection.write(whole.length === 0 ? head : Buffer.concat([head, whole]));
      this.#watch?.sent();
      return;
    }
    await connection.write(head);
    this.#watch?.sent();
    const write = async (bytes: Uint8Array): Promise<void> => {
      if (bytes.length === 0) return;
      await connection.write(length === undefined ? chunkOf(bytes) : bytes);
      this.#watch?.sent();
    };
    for await (const piece of this.#body(filter)) await write(filter ? filter.push(piece) : piece);
    if (filter) await write(filter.end());
    if (length === undefined) await connection.write(LAST_CHUNK);
  }

  /** Yields the request's body. @throws Unsendable if it does not have the length that it should have */
  async *#body(filter: OutgoingRequest["filter"]): AsyncGenerator<Uint8Array> {
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
      this.#watch?.body(piece, filter !== undefined);
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

const NOTHING = new Uint8Array(0);
const LAST_CHUNK = Buffer.from("0\r\n\r\n");

/**
 * Returns the beginning of a body: all of it if it is announced to be short, otherwise what arrives without further
 * waiting than for a turn of the event loop.
 */
async function beginningOf(body: ResponseBody, framing: ResponseHead["framing"]): Promise<Uint8Array> {
  const isAnnounced = typeof framing === "number";
  const first = body.arrived();
  if (body.isOver || first.length >= WHOLE_BODY_MAX_BYTES || (isAnnounced && framing > WHOLE_BODY_MAX_BYTES)) {
    return body.isOver ? first : first.slice();
  }
  // Copies, as more is read into the same memory.
  const pieces = [first.slice()];
  do {
    const more = body.more();
    if (!isAnnounced && !await isSettledSoon(more)) break;
    await more;
    pieces.push(body.arrived().slice());
  } while (!body.isOver && isAnnounced);
  return Buffer.concat(pieces);
}

function chunkOf(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from("\r\n")]);
}

function keyOf({ origin: { isPlain, host, port } }: OutgoingRequest, address: string): string {
  return `${isPlain ? "http" : "https"} ${host} ${port} ${address}`;
}

/** Reports whether `promise` settles within a turn of the event loop. */
async function isSettledSoon(promise: Promise<unknown>): Promise<boolean> {
  const late = new Promise<false>((resolve) => setImmediate(() => resolve(false)));
  return await Promise.race([promise.then(() => true, () => true), late]);
}

function codeOf(error: unknown): string {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === "string" && /^[A-Z][A-Z0-9_]{1,60}$/.test(code) ? code : "";
}

/** Returns why there is no response, without anything that could be part of a value, and Node's code for it. */
function failureOf(error: unknown): [message: string, code: string] {
  if (error instanceof Unsendable) return [error.message, ""];
  if (error instanceof Unreachable) return [error.message, error.code];
  if (error instanceof Unreadable) return [error.message, error.code];
  if (error instanceof NotTrusted) {
    return [`The certificate of the host is not valid for it (${error.message}).`, "CERT_INVALID"];
  }
  const code = codeOf(error);
  if (code === "ETIMEDOUT") return ["The host did not accept a connection in time (ETIMEDOUT).", code];
  if (NOT_CONNECTED.includes(code)) return [`The host cannot be connected to (${code}).`, code];
  if (error instanceof Deno.errors.UnexpectedEof) {
    return ["The host closed the connection before its response was complete.", "ECONNRESET"];
  }
  if (error instanceof Deno.errors.InvalidData) return ["The TLS handshake with the host failed.", "EPROTO"];
  return [code === "" ? "The request failed." : `The request failed (${code}).`, code];
}
