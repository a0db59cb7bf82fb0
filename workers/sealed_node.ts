// Serves clients over `node:http` and `node:https`: those of their requests that may carry sealed values get a connection
// that ends in this process, and has the host send them, as `fetch` does.

import type { Duplex } from "node:stream";
import { BodyMode } from "../src/sandbox/wire/protocol.ts";
import type { Exports, Override } from "./builtins.ts";
import type { SealedExchanges, SentBody } from "./sealed_exchange.ts";
import { reportElsewhere, type SealedCall } from "./sealed_fetch.ts";

// Taken before the handler's code can replace them.
const HeadersClass = Headers;
const URLClass = URL;

/** A body of known length is collected up to this size, so that its new length can be announced. */
const COLLECTED_MAX_BYTES = 4 << 20;
/** A longer head of a request is refused, as by servers. */
const HEAD_MAX_BYTES = 128 * 1024;
const HEAD_END = "\r\n\r\n";

export interface SealedNodeOptions {
  readonly exchanges: SealedExchanges;
  /** Returns the call whose code runs, if its requests to `url` may carry sealed values. */
  callFor(url: string): SealedCall | undefined;
  /** Returns the call whose code runs, if it was given sealed values. */
  current(): SealedCall | undefined;
}

// deno-lint-ignore no-explicit-any
type Options = Record<string, any>;

export function sealedNodeOverrides(options: SealedNodeOptions): readonly Override[] {
  return ["http", "https"].map((module) => ({
    module,
    replace: (original) => replaced(options, `${module}:`, original),
  }));
}

function replaced(options: SealedNodeOptions, scheme: string, { request: original }: Exports): Exports {
  const request = (...args: unknown[]): Exports => original(...routed(options, scheme, args));
  const get = (...args: unknown[]): Exports => {
    const sent = request(...args);
    sent.end();
    return sent;
  };
  return { request, get };
}

/** Returns the arguments of a request, with a connection of ours if it may carry sealed values. */
function routed({ exchanges, callFor, current }: SealedNodeOptions, scheme: string, args: unknown[]): unknown[] {
  const [first, ...rest] = args;
  const isAddress = typeof first === "string" || first instanceof URLClass;
  const given = (isAddress ? typeof rest[0] === "object" ? rest[0] : {} : first) as Options | undefined;
  const origin = originOf(scheme, isAddress ? first : undefined, given ?? {});
  const call = origin && callFor(origin);
  if (!call) {
    const running = current();
    if (running && origin) {
      reportElsewhere(exchanges, running, urlOf(origin, first, given), headersOf(given), undefined);
    }
    return args;
  }
  const own = {
    ...given,
    agent: undefined,
    createConnection: () => new (connectionClass())(exchanges, call.id, origin),
  };
  if (!isAddress) return [own, ...rest];
  return [first, own, ...(typeof rest[0] === "object" ? rest.slice(1) : rest)];
}

/** Returns the URL of the host, without a slash at its end; undefined if there is none. */
function originOf(scheme: string, address: string | URL | undefined, options: Options): string | undefined {
  if (options.socketPath) return undefined;
  const url = address === undefined || !URLClass.canParse(address) ? undefined : new URLClass(address);
  const protocol = options.protocol ?? url?.protocol ?? options.agent?.protocol ?? scheme;
  const host = options.hostname ?? options.host ?? url?.hostname ?? "localhost";
  const port = options.port ?? url?.port ?? options.defaultPort ?? "";
  const text = `${protocol}//${`${host}`.includes(":") && !`${host}`.startsWith("[") ? `[${host}]` : host}:${port}`;
  return URLClass.canParse(text) ? new URLClass(text).origin : undefined;
}

function urlOf(origin: string, address: unknown, options: Options | undefined): URL {
  const path = options?.path ?? (`${address}`.startsWith(origin) ? `${address}`.slice(origin.length) : "/");
  return URLClass.canParse(path, origin) ? new URLClass(path, origin) : new URLClass(origin);
}

/** Returns the headers that a client gives as an object. */
function headersOf(options: Options | undefined): [string, string][] {
  return Object.entries(options?.headers ?? {}).map(([name, value]) => [name, `${value}`]);
}

type Connection = new (exchanges: SealedExchanges, callId: number, origin: string) => Duplex;

/** Node's modules are loaded when the handler first loads one of its clients, and not before its facts are replaced. */
let known: Connection | undefined;
const connectionClass = (): Connection =>
  known ??= createConnectionClass((process.getBuiltinModule("stream") as Exports).Duplex);

/**
 * One request in the form of HTTP/1.1, as Node's client writes it, and its response. Longer than 80 lines: it is one
 * class, made once Node's module is there.
 */
function createConnectionClass(DuplexClass: typeof Duplex): Connection {
  return class SealedConnection extends DuplexClass {
    readonly #exchanges: SealedExchanges;
    readonly #callId: number;
    readonly #origin: string;
    readonly #aborted = new AbortController();
    /** What was written and not read yet. */
    #held: Buffer = Buffer.alloc(0);
    #body: RequestBody | undefined;
    #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
    #isChunked = false;
    #timer: ReturnType<typeof setTimeout> | undefined;
    #timeoutMs = 0;

    constructor(exchanges: SealedExchanges, callId: number, origin: string) {
      super({ allowHalfOpen: true });
      this.#exchanges = exchanges;
      this.#callId = callId;
      this.#origin = origin;
    }

    override _write(piece: Uint8Array, _encoding: string, done: (error?: Error) => void): void {
      this.#moved();
      if (this.#body) return this.#body.write(piece, done);
      this.#held = Buffer.concat([this.#held, piece]);
      const end = this.#held.indexOf(HEAD_END);
      if (end === -1) {
        return done(this.#held.length > HEAD_MAX_BYTES ? new Error("The request's head is too long") : undefined);
      }
      const rest = this.#held.subarray(end + HEAD_END.length);
      try {
        this.#begin(this.#held.toString("latin1", 0, end));
      } catch (error) {
        return done(error as Error);
      }
      if (rest.length === 0) done();
      else this.#body!.write(rest, done);
    }

    override _final(done: () => void): void {
      this.#body?.end();
      done();
    }

    override _read(): void {
      const reader = this.#reader;
      if (!reader) return;
      this.#reader = undefined;
      reader.read().then(({ done, value }) => {
        this.#moved();
        if (done) {
          if (this.#isChunked) this.push("0\r\n\r\n");
          return this.push(null);
        }
        this.#reader = reader;
        this.push(
          this.#isChunked
            ? Buffer.concat([Buffer.from(`${value.length.toString(16)}\r\n`), value, Buffer.from("\r\n")])
            : value,
        );
      }).catch((error) => this.destroy(error as Error));
    }

    override _destroy(error: Error | null, done: (error: Error | null) => void): void {
      clearTimeout(this.#timer);
      this.#aborted.abort();
      done(error);
    }

    #begin(head: string): void {
      const [line, ...lines] = head.split("\r\n");
      const [, method, target] = /^(\S+) (\/\S*) HTTP\/1\.1$/.exec(line!) ?? [];
      if (method === undefined) throw new Error("A request with sealed secrets needs a path");
      const headers = new HeadersClass();
      for (const one of lines) {
        const colon = one.indexOf(":");
        headers.append(one.slice(0, colon), one.slice(colon + 1).trim());
      }
      this.#body = new RequestBody(headers);
      if (headers.get("expect")?.toLowerCase() === "100-continue") this.push("HTTP/1.1 100 Continue\r\n\r\n");
      void this.#exchange(method, `${this.#origin}${target}`, headers, this.#body);
    }

    async #exchange(method: string, url: string, headers: Headers, body: RequestBody): Promise<void> {
      try {
        const sent = await body.sent();
        const { signal } = this.#aborted;
        const request = { method, url, redirected: false, headers, body: sent, signal };
        this.#respond(method, await this.#exchanges.send(this.#callId, request));
      } catch (error) {
        this.destroy(error as Error);
      }
    }

    #respond(method: string, { status, statusText, headers, body }: Response): void {
      const hasBody = body !== null && method !== "HEAD" && ![204, 304].includes(status);
      this.#isChunked = hasBody && !headers.has("content-length");
      const lines = [`HTTP/1.1 ${status} ${statusText}`, ...[...headers].map(([name, value]) => `${name}: ${value}`)];
      if (this.#isChunked) lines.push("transfer-encoding: chunked");
      else if (!hasBody && method !== "HEAD" && !headers.has("content-length")) lines.push("content-length: 0");
      this.#reader = hasBody ? body.getReader() : undefined;
      this.push(Buffer.from(`${lines.join("\r\n")}\r\nconnection: close${HEAD_END}`, "latin1"));
      if (!hasBody) this.push(null);
    }

    // What clients expect of a socket.

    setTimeout(ms: number, onTimeout?: () => void): this {
      this.#timeoutMs = ms;
      if (onTimeout) this.once("timeout", onTimeout);
      this.#moved();
      return this;
    }

    setKeepAlive(): this {
      return this;
    }

    setNoDelay(): this {
      return this;
    }

    ref(): this {
      return this;
    }

    unref(): this {
      return this;
    }

    destroySoon(): void {
      if (this.writable) this.end();
      if (this.writableFinished) this.destroy();
      else this.once("finish", () => this.destroy());
    }

    #moved(): void {
      clearTimeout(this.#timer);
      if (this.#timeoutMs > 0) this.#timer = setTimeout(() => this.emit("timeout"), this.#timeoutMs);
    }
  };
}

/** Reads the body of a request in the form of HTTP/1.1. */
class RequestBody {
  /** Undefined if it comes in chunks. */
  readonly #length: number | undefined;
  readonly #pieces: Uint8Array[] = [];
  #bytes = 0;
  #held: Buffer = Buffer.alloc(0);
  #isOver: boolean;
  #moved: (() => void) | undefined;
  /** Called when a piece was taken. */
  #taken: (() => void) | undefined;

  constructor(headers: Headers) {
    const isChunked = /chunked/i.test(headers.get("transfer-encoding") ?? "");
    this.#length = isChunked ? undefined : Number(headers.get("content-length") ?? 0);
    this.#isOver = this.#length === 0;
  }

  write(piece: Uint8Array, done: () => void): void {
    const pieces = this.#length === undefined ? this.#chunksOf(piece) : [piece];
    for (const one of pieces) {
      // What is written is in a buffer that is used again.
      this.#pieces.push(one.slice());
      this.#bytes += one.length;
    }
    if (this.#length !== undefined && this.#bytes >= this.#length) this.#isOver = true;
    this.#wake();
    if (this.#isOver || this.#pieces.length === 0 || this.#isCollected) done();
    else this.#taken = done;
  }

  end(): void {
    this.#isOver = true;
    this.#wake();
  }

  /** Resolves when the body can be sent. */
  async sent(): Promise<SentBody> {
    if (this.#length === 0) return { mode: BodyMode.None };
    if (!this.#isCollected) return { mode: BodyMode.Stream, next: () => this.#next() };
    const pieces: Uint8Array[] = [];
    for (let piece = await this.#next(); piece; piece = await this.#next()) pieces.push(piece);
    return { mode: BodyMode.Whole, bytes: new Uint8Array(Buffer.concat(pieces)) };
  }

  get #isCollected(): boolean {
    return this.#length !== undefined && this.#length <= COLLECTED_MAX_BYTES;
  }

  async #next(): Promise<Uint8Array | undefined> {
    while (this.#pieces.length === 0 && !this.#isOver) await new Promise<void>((resolve) => this.#moved = resolve);
    const piece = this.#pieces.shift();
    const taken = this.#taken;
    this.#taken = undefined;
    taken?.();
    return piece;
  }

  #wake(): void {
    this.#moved?.();
  }

  /** Returns the bytes of complete chunks (RFC 9112 7.1). */
  #chunksOf(piece: Uint8Array): Uint8Array[] {
    this.#held = Buffer.concat([this.#held, piece]);
    const chunks: Uint8Array[] = [];
    while (true) {
      const line = this.#held.indexOf("\r\n");
      if (line === -1) return chunks;
      const size = parseInt(this.#held.toString("latin1", 0, line), 16);
      const end = line + 2 + size;
      if (this.#held.length < end + 2) return chunks;
      if (size === 0) {
        this.#isOver = true;
        return chunks;
      }
      chunks.push(this.#held.subarray(line + 2, end));
      this.#held = this.#held.subarray(end + 2);
    }
  }
}
