// The frames between the host and a sandbox process: their layout, types, limits, and how they are
// written to and read from a socket. Used on both sides; says nothing of who may send what.
//
//   u32 length of what follows the first nine bytes, little endian
//   u8  type
//   u32 invocation id, 0 where a frame is about the process
//   u32 length of the meta, then the meta: JSON in UTF-8 (may be empty)
//       the rest: bytes of a body (may be none)

/** From the host to the sandbox. */
export const ToSandbox = {
  /** Meta StartMeta: load the handler. */
  Start: 1,
  /** Meta CallMeta, body the request's if it is sent whole. */
  Call: 2,
  /** A piece of a request's body. */
  Body: 3,
  BodyEnd: 4,
  /** Nobody waits for the response any more. Answered by Settled, once the call has ended for the sandbox, too. */
  Abort: 5,
  /** Meta AnswerMeta: to an Ask. */
  Answer: 6,
  /** Meta: how many more bytes of the response's body may be sent. */
  Credit: 7,
  Ping: 8,
  /** Meta: a number to send back. The answers that came with calls under way are out of date. */
  Recall: 9,
  /** Meta LookedMeta: to a Lookup. */
  Looked: 10,
} as const;

/** From the sandbox to the host. None of it is believed beyond what its socket and invocation allow. */
export const ToHost = {
  /** Meta: what the sandbox's clock shows, `performance.now()`. */
  Ready: 65,
  /** Meta: text of the error that loading the handler threw. */
  LoadFailed: 66,
  /** Meta ResponseMeta, body the response's if it is sent whole. */
  Response: 67,
  /** A piece of a response's body. */
  Chunk: 68,
  ChunkEnd: 69,
  /** Meta: text of the error. The handler threw, returned no Response, or its body broke off. */
  Failed: 70,
  /** Meta AskMeta. */
  Ask: 71,
  /** Meta LogMeta. */
  Log: 72,
  /** Meta: how many more bytes of the request's body may be sent. */
  Credit: 73,
  Pong: 74,
  /** Meta: the number of the Recall. */
  Recalled: 75,
  /** Meta DroppedMeta: printed, but left out by the sandbox itself. */
  Dropped: 76,
  /** The call has work that may go on after its response (`ctx.waitUntil`): Settled will follow. Once for each call. */
  Background: 77,
  /** Meta SettledOutcome. After Background or Abort: everything of the call has ended. */
  Settled: 78,
  /** Meta LookupMeta: asks for DNS records. About the process, as code that loads may look names up, too. */
  Lookup: 79,
} as const;

/** What the handler sees of its function as `ctx.route`. */
export interface RouteInfo {
  name: string;
  description: string;
  handler: string;
  route: string;
  methods: readonly string[];
  keys: readonly number[];
}

export interface StartMeta {
  /** `file:` address of the handler. */
  entry: string;
  route: RouteInfo;
}

/** How a body comes: not at all, in this frame, in frames that follow, or in this frame as UTF-8 of a short text. */
export const BodyMode = { None: 0, Whole: 1, Stream: 2, Text: 3 } as const;
export type BodyMode = (typeof BodyMode)[keyof typeof BodyMode];

/** Names and values of headers by turns. */
export type FlatHeaders = readonly string[];

export type CallMeta = [
  method: string,
  url: string,
  path: string,
  headers: FlatHeaders,
  params: Record<string, string>,
  requestId: string,
  requestedAt: number,
  group: string | null,
  body: BodyMode,
  /** By the sandbox's clock: so long the answers are good. */
  goodUntil: number,
  /** Answers to what the function is likely to ask; each is good for one question. */
  answers: readonly ForeseenAnswer[],
];

/** `asked`: how many of the answers that came with the call were asked for. */
export type ResponseMeta = [status: number, headers: FlatHeaders, body: BodyMode, asked: number];

export type Question = readonly [kind: "get" | "complete", name: string, scope: string | null];

/** `value` as in AnswerMeta. */
export type ForeseenAnswer = readonly [...question: Question, value: unknown];

export type AskMeta = [ask: number, ...question: Question];

/** `ended`: the invocation is over; `failed`: the host could not look. `value` is null where there is no such secret. */
export type AnswerMeta = [ask: number, outcome: "ok" | "ended" | "failed", value?: unknown];

export type LogMeta = [level: "debug" | "info" | "warn" | "error", text: string];

/** `error`: some of the work in the background failed. */
export type SettledOutcome = "ok" | "error";

export type DroppedMeta = [lines: number, bytes: number];

/** The types of DNS records that the host looks up. */
export const RECORD_TYPES = ["A", "AAAA", "CAA", "CNAME", "MX", "NAPTR", "NS", "PTR", "SOA", "SRV", "TXT"] as const;
export type RecordType = (typeof RECORD_TYPES)[number];

export type LookupMeta = [lookup: number, type: RecordType, name: string];

/**
 * `refused`: the function may not look the name up; `missing`: there are no such records; `late`: the name server did
 * not answer in time; `busy`: the process asks for too much.
 */
export type LookupOutcome = "ok" | "refused" | "missing" | "late" | "busy" | "failed";

/** `records`, if the outcome is `ok`, as `Deno.resolveDns` returns them. */
export type LookedMeta = [lookup: number, outcome: LookupOutcome, records?: readonly unknown[]];

const HEADER_BYTES = 9;
const META_LENGTH_BYTES = 4;

/** A frame above this is a violation of the protocol. Holds four secrets of 16 KiB in JSON's worst case. */
export const FRAME_MAX_BYTES = 1 << 20;
/** Bodies up to this go whole, in the frame of their call or response. */
export const WHOLE_BODY_MAX_BYTES = 64 * 1024;
/** Texts up to this length stay texts, which a server answers with faster than with bytes (measured on Deno 2.9.6). */
export const TEXT_BODY_MAX_LENGTH = 1_024;
/** Longest piece of a streamed body. */
export const CHUNK_MAX_BYTES = 32 * 1024;
/** From this many calls under way on, a side is busy: fewer writes are worth more than an early one. */
export const BUSY_CALLS = 4;
/** How much of a streamed body may be under way before the receiver asks for more. */
export const WINDOW_BYTES = 32 * 1024;
/** Headers of a response; many more take the host seconds to put together. */
export const HEADERS_MAX = 1_000;
/** Of all names and values of a response's headers together. */
export const HEADERS_MAX_LENGTH = 64 * 1024;
/** Longest name of a secret; the host is asked for no longer one. */
export const SECRET_NAME_MAX_LENGTH = 255;
/** Longest name to look up, with a dot at its end (RFC 1035 2.3.4: 255 octets as labels). */
export const DNS_NAME_MAX_LENGTH = 254;
/** Longest text of a log line or error. */
export const LOG_TEXT_MAX_LENGTH = 16 * 1024;

/**
 * After handling so many frames, everything else gets its turn: the other side then works on the first of what they
 * lead to while this one goes on with the rest.
 */
const FRAMES_A_SLICE = 8;

/** The longest parts of a frame, in bytes. */
export interface FrameLimits {
  readonly meta: number;
  readonly body: number;
}

/** In UTF-8, a UTF-16 unit takes at most so many bytes; in JSON, where it may be escaped, twice as many. */
const UNIT_BYTES = 3;
const JSON_UNIT_BYTES = 6;
/** Numbers, one word, or nothing. */
const SHORT: FrameLimits = { meta: 64, body: 0 };
/** For numbers, quotes, commas and words beside a meta's texts. */
const FRAMING_BYTES = 128;
const QUOTES_BYTES = 3;

/** What a sandbox may send at most, by type. More is a violation of the protocol; it is never in memory as a whole. */
export const TO_HOST_LIMITS: Readonly<Record<(typeof ToHost)[keyof typeof ToHost], FrameLimits>> = {
  [ToHost.Ready]: SHORT,
  [ToHost.LoadFailed]: { meta: LOG_TEXT_MAX_LENGTH * UNIT_BYTES, body: 0 },
  [ToHost.Response]: {
    meta: HEADERS_MAX_LENGTH * JSON_UNIT_BYTES + 2 * HEADERS_MAX * QUOTES_BYTES + FRAMING_BYTES,
    body: WHOLE_BODY_MAX_BYTES,
  },
  [ToHost.Chunk]: { meta: 0, body: CHUNK_MAX_BYTES },
  [ToHost.ChunkEnd]: SHORT,
  [ToHost.Failed]: { meta: LOG_TEXT_MAX_LENGTH * UNIT_BYTES, body: 0 },
  [ToHost.Ask]: { meta: SECRET_NAME_MAX_LENGTH * JSON_UNIT_BYTES + FRAMING_BYTES, body: 0 },
  [ToHost.Log]: { meta: LOG_TEXT_MAX_LENGTH * JSON_UNIT_BYTES + FRAMING_BYTES, body: 0 },
  [ToHost.Credit]: SHORT,
  [ToHost.Pong]: SHORT,
  [ToHost.Recalled]: SHORT,
  [ToHost.Dropped]: SHORT,
  [ToHost.Background]: SHORT,
  [ToHost.Settled]: SHORT,
  [ToHost.Lookup]: { meta: DNS_NAME_MAX_LENGTH * JSON_UNIT_BYTES + FRAMING_BYTES, body: 0 },
};

const START_BUFFER_BYTES = 16 * 1024;
/** A buffer that grew beyond this is given back once it is empty. */
const KEPT_BUFFER_BYTES = 256 * 1024;

/**
 * Collects frames and writes many at once. While `busy` is true it waits for the end of the event loop's
 * turn, so that what other calls send goes along; otherwise for the running function only, which is faster
 * for a single call.
 */
export class FrameWriter {
  readonly #write: (bytes: Uint8Array) => Promise<number>;
  readonly #busy: () => boolean;
  readonly #onQueued: ((bytes: number) => void) | undefined;
  readonly #encoder = new TextEncoder();
  #buffer = new Uint8Array(START_BUFFER_BYTES);
  #length = 0;
  #spare = new Uint8Array(START_BUFFER_BYTES);
  #inFlightBytes = 0;
  #flushing: Promise<void> | undefined;
  #broken = false;

  /** `onQueued` is called with how many more bytes are queued, or with how many fewer as a negative number. */
  constructor(
    write: (bytes: Uint8Array) => Promise<number>,
    busy: () => boolean,
    onQueued?: (bytes: number) => void,
  ) {
    this.#write = write;
    this.#busy = busy;
    this.#onQueued = onQueued;
  }

  /** Bytes taken but not yet accepted by the socket. */
  get queuedBytes(): number {
    return this.#length + this.#inFlightBytes;
  }

  /** Queues a frame; a text becomes UTF-8. After the socket broke, frames go nowhere. */
  send(type: number, id: number, meta = "", body: Uint8Array | string = ""): void {
    if (this.#broken) return;
    this.#queue(type, id, meta, body);
    this.#flushing ??= this.#flush(this.#busy() ? turn() : Promise.resolve());
  }

  /**
   * As `send`; but if nothing else is on its way, the frame goes to the socket before this returns, so that it
   * arrives even if the running function never ends. While `busy` is true it waits as any other.
   */
  sendAtOnce(type: number, id: number, meta: string): void {
    if (this.#broken) return;
    if (this.#flushing || this.#busy()) return this.send(type, id, meta);
    this.#queue(type, id, meta, "");
    this.#flushing = this.#flush();
  }

  #queue(type: number, id: number, meta: string, body: Uint8Array | string): void {
    // A UTF-16 unit takes at most 3 bytes in UTF-8.
    const bodyMaxBytes = typeof body === "string" ? body.length * 3 : body.length;
    this.#reserve(HEADER_BYTES + META_LENGTH_BYTES + meta.length * 3 + bodyMaxBytes);
    const buffer = this.#buffer;
    const start = this.#length;
    const metaStart = start + HEADER_BYTES + META_LENGTH_BYTES;
    const bodyStart = metaStart + this.#encode(meta, metaStart);
    let end = bodyStart;
    if (typeof body === "string") {
      end += this.#encode(body, bodyStart);
    } else {
      buffer.set(body, bodyStart);
      end += body.length;
    }
    writeU32(buffer, start, end - start - HEADER_BYTES);
    buffer[start + 4] = type;
    writeU32(buffer, start + 5, id);
    writeU32(buffer, start + HEADER_BYTES, bodyStart - metaStart);
    this.#length = end;
    this.#onQueued?.(end - start);
  }

  /** How many bytes it takes. */
  #encode(text: string, at: number): number {
    return text === "" ? 0 : this.#encoder.encodeInto(text, this.#buffer.subarray(at)).written;
  }

  /** Settles when everything queued so far has been accepted by the socket, or never will be. */
  async drained(): Promise<void> {
    await this.#flushing;
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#buffer.length) return;
    const larger = new Uint8Array(Math.max(needed, this.#buffer.length * 2));
    larger.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = larger;
  }

  async #flush(begin?: Promise<void>): Promise<void> {
    if (begin) await begin;
    try {
      while (this.#length > 0) {
        const full = this.#buffer;
        const length = this.#length;
        this.#buffer = this.#spare;
        this.#length = 0;
        this.#inFlightBytes = length;
        for (let at = 0; at < length;) at += await this.#write(full.subarray(at, length));
        this.#inFlightBytes = 0;
        this.#onQueued?.(-length);
        this.#spare = full.length > KEPT_BUFFER_BYTES ? new Uint8Array(START_BUFFER_BYTES) : full;
      }
    } catch {
      // The reading side sees the end of the socket and acts on it.
      this.#broken = true;
      this.#onQueued?.(-this.queuedBytes);
      this.#length = this.#inFlightBytes = 0;
    } finally {
      this.#flushing = undefined;
    }
  }
}

/** The other side sent what no frame looks like. */
export class ProtocolError extends Error {}

/**
 * Hands each frame to `onFrame` until the socket ends. `body` is valid during the call only.
 * After each frame `pause`, if given, may hold up further reading. `limitsOf`, if given, returns how long the parts of a
 * frame of a type may be.
 * @throws ProtocolError; whatever `read` and `onFrame` throw
 */
export async function readFrames(
  read: (into: Uint8Array) => Promise<number | null>,
  onFrame: (type: number, id: number, meta: string, body: Uint8Array) => void,
  pause?: () => Promise<void> | undefined,
  limitsOf?: (type: number) => FrameLimits | undefined,
): Promise<void> {
  const decoder = new TextDecoder();
  let buffer = new Uint8Array(START_BUFFER_BYTES);
  let length = 0;
  while (true) {
    const count = await read(buffer.subarray(length));
    if (count === null) return;
    length += count;
    const isFull = length === buffer.length;
    let at = 0;
    let inSlice = 0;
    while (length - at >= HEADER_BYTES) {
      const size = readU32(buffer, at);
      if (size > FRAME_MAX_BYTES || size < META_LENGTH_BYTES) throw new ProtocolError("a frame of impossible length");
      const limits = limitsOf?.(buffer[at + 4]!);
      if (limits && size > META_LENGTH_BYTES + limits.meta + limits.body) throw tooLong(buffer[at + 4]!);
      const end = at + HEADER_BYTES + size;
      if (end > length) {
        if (end - at > buffer.length) buffer = grow(buffer, end - at);
        break;
      }
      const metaStart = at + HEADER_BYTES + META_LENGTH_BYTES;
      const metaEnd = metaStart + readU32(buffer, at + HEADER_BYTES);
      if (metaEnd > end) throw new ProtocolError("a frame whose meta is longer than itself");
      if (limits && (metaEnd - metaStart > limits.meta || end - metaEnd > limits.body)) throw tooLong(buffer[at + 4]!);
      const meta = metaEnd === metaStart ? "" : decoder.decode(buffer.subarray(metaStart, metaEnd));
      onFrame(buffer[at + 4]!, readU32(buffer, at + 5), meta, buffer.subarray(metaEnd, end));
      at = end;
      const wait = pause?.() ?? (++inSlice >= FRAMES_A_SLICE ? turn() : undefined);
      if (wait) {
        await wait;
        inSlice = 0;
      }
    }
    buffer.copyWithin(0, at, length);
    length -= at;
    if (length === 0 && buffer.length > KEPT_BUFFER_BYTES) buffer = new Uint8Array(START_BUFFER_BYTES);
    // There is likely more to be read at once.
    else if (isFull && buffer.length < KEPT_BUFFER_BYTES) buffer = grow(buffer, buffer.length * 2);
  }
}

function tooLong(type: number): ProtocolError {
  return new ProtocolError(`a frame of type ${type} that is too long`);
}

/** Settles at the end of the event loop's turn. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function grow(buffer: Uint8Array<ArrayBuffer>, size: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(size);
  larger.set(buffer);
  return larger;
}

function writeU32(buffer: Uint8Array, at: number, value: number): void {
  buffer[at] = value;
  buffer[at + 1] = value >>> 8;
  buffer[at + 2] = value >>> 16;
  buffer[at + 3] = value >>> 24;
}

function readU32(buffer: Uint8Array, at: number): number {
  return (buffer[at]! | buffer[at + 1]! << 8 | buffer[at + 2]! << 16 | buffer[at + 3]! << 24) >>> 0;
}
