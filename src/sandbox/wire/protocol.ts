// Defines the frames between the host and a sandbox process: their layout, types and limits, and how they are written
// to and read from a socket. Used on both sides. Does not decide which side may send what.
//
//   u32 length of everything after the first nine bytes, little endian
//   u8  type
//   u32 invocation id; 0 if the frame is about the process
//   u32 length of the payload, then the payload: JSON in UTF-8 (may be empty)
//       the rest: bytes of a body (may be none)

/** From the host to the sandbox. */
export const ToSandbox = {
  /** Payload StartPayload: loads the handler. */
  Start: 1,
  /** Payload CallPayload; the body is the request's if it is sent whole. */
  Call: 2,
  /** A piece of a request's body. */
  Body: 3,
  BodyEnd: 4,
  /** The response is no longer awaited. Answered by Settled once the call has ended in the sandbox, too. */
  Abort: 5,
  /** Payload AnswerPayload: answers an Ask. */
  Answer: 6,
  /** Payload: how many more bytes of the response's body the sandbox may send. */
  Credit: 7,
  Ping: 8,
  /** Payload: a number to send back. Revokes the answers that were sent with running calls. */
  Revoke: 9,
  /** Payload LookedPayload: answers a Lookup. */
  Looked: 10,
  /** Payload FetchedPayload: answers a Fetch. The body is the response's if it is sent whole, which ends it. */
  Fetched: 11,
  /** Payload FetchNumbers; a piece of the response's body. */
  FetchedBody: 12,
  /** Payload FetchNumbers. */
  FetchedEnd: 13,
  /** Payload FetchNumbers: how many more bytes of the request's body the sandbox may send. */
  FetchCredit: 14,
  /** Payload FetchFailedPayload: there is no response, or no more of it. */
  FetchFailed: 15,
} as const;

/** From the sandbox to the host. The host trusts it only as far as its socket and invocation allow. */
export const ToHost = {
  /** Payload: the sandbox's `performance.now()`. */
  Ready: 65,
  /** Payload: the text of the error that loading the handler threw. */
  LoadFailed: 66,
  /** Payload ResponsePayload; the body is the response's if it is sent whole. */
  Response: 67,
  /** A piece of a response's body. */
  Chunk: 68,
  ChunkEnd: 69,
  /** Payload: the text of the error. The handler threw, returned no Response, or its body failed. */
  Failed: 70,
  /** Payload AskPayload. */
  Ask: 71,
  /** Payload LogPayload. */
  Log: 72,
  /** Payload: how many more bytes of the request's body the host may send. */
  Credit: 73,
  Pong: 74,
  /** Payload: the number of the Revoke. */
  RevokeAck: 75,
  /** Payload DroppedPayload: output that the sandbox itself dropped. */
  Dropped: 76,
  /** The call has work that may continue after its response (`ctx.waitUntil`): Settled will follow. Once a call. */
  Background: 77,
  /** Payload SettledOutcome. After Background or Abort: the call has ended with all of its work. */
  Settled: 78,
  /** Payload LookupPayload: asks for DNS records. About the process, as modules may look up names while they load. */
  Lookup: 79,
  /** Payload FetchPayload: a request that may carry sealed values. The body is the request's if it is sent whole. */
  Fetch: 80,
  /** Payload FetchNumbers; a piece of the request's body. */
  FetchBody: 81,
  /** Payload FetchNumbers. */
  FetchBodyEnd: 82,
  /** Payload FetchNumbers: how many more bytes of the response's body the host may send. */
  FetchCredit: 83,
  /** Payload FetchNumbers. */
  FetchAbort: 84,
  /** Payload ElsewherePayload: the sandbox itself sends a request with a placeholder, to a host that is none of it. */
  Elsewhere: 85,
} as const;

/** The handler's function as it sees it in `ctx.route`. */
export interface RouteInfo {
  name: string;
  description: string;
  handler: string;
  route: string;
  methods: readonly string[];
  keys: readonly number[];
}

export interface StartPayload {
  /** The `file:` URL of the handler. */
  entry: string;
  route: RouteInfo;
}

/** How a body is sent: not at all, in this frame, in following frames, or in this frame as a short text in UTF-8. */
export const BodyMode = { None: 0, Whole: 1, Stream: 2, Text: 3 } as const;
export type BodyMode = (typeof BodyMode)[keyof typeof BodyMode];

/** Names and values of headers, alternating. */
export type FlatHeaders = readonly string[];

export type CallPayload = [
  method: string,
  url: string,
  path: string,
  headers: FlatHeaders,
  params: Record<string, string>,
  requestId: string,
  requestedAt: number,
  group: string | null,
  body: BodyMode,
  /** Until when the answers are valid, by the sandbox's clock. */
  validUntil: number,
  /** Answers to questions that the function is likely to ask. Each is valid for one question. */
  answers: readonly PrefetchedAnswer[],
];

/** `asked` has a bit for each answer that came with the call and was used. */
export type ResponsePayload = [status: number, headers: FlatHeaders, body: BodyMode, asked: number];

export const QUESTION_KINDS = ["get", "previous", "versions", "complete"] as const;
export type Question = readonly [kind: (typeof QUESTION_KINDS)[number], name: string, scope: string | null];

/** `value` is as in AnswerPayload. */
export type PrefetchedAnswer = readonly [...question: Question, value: unknown];

export type AskPayload = [ask: number, ...question: Question];

/** `ended`: the invocation is over. `failed`: the look-up failed. `value` is missing if there is no such secret. */
export type AnswerPayload = [ask: number, outcome: "ok" | "ended" | "failed", value?: unknown];

export type LogPayload = [level: "debug" | "info" | "warn" | "error", text: string];

/** `error` means that some of the work in the background failed. */
export type SettledOutcome = "ok" | "error";

export type DroppedPayload = [lines: number, bytes: number];

/** The types of DNS records that the host looks up. */
export const RECORD_TYPES = ["A", "AAAA", "CAA", "CNAME", "MX", "NAPTR", "NS", "PTR", "SOA", "SRV", "TXT"] as const;
export type RecordType = (typeof RECORD_TYPES)[number];

export type LookupPayload = [lookup: number, type: RecordType, name: string];

/**
 * `refused`: the function may not look up the name; `missing`: there are no such records; `late`: the name server did
 * not answer in time; `busy`: the process makes too many look-ups.
 */
export type LookupOutcome = "ok" | "refused" | "missing" | "late" | "busy" | "failed";

/** `records`, if the outcome is `ok`, as `Deno.resolveDns` returns them. */
export type LookedPayload = [lookup: number, outcome: LookupOutcome, records?: readonly unknown[]];

/** `length` is that of a streamed body, if it is known. Requests of a process have different numbers. */
export type FetchPayload = [
  fetch: number,
  method: string,
  url: string,
  headers: FlatHeaders,
  body: BodyMode,
  length: number | null,
];

/** `count` is in credits only. */
export type FetchNumbers = [fetch: number, count?: number];

export type FetchedPayload = [fetch: number, status: number, statusText: string, headers: FlatHeaders, body: BodyMode];

/** `code` is the one that Node has for it, or empty. */
export type FetchFailedPayload = [fetch: number, message: string, code: string];

/** Hosts of URLs, with a port, that are reported: those of `data:` and the like have none. */
export const ELSEWHERE_HOST = /^[a-z0-9._:[\]-]{1,270}$/;

/** `host` is that of a URL, with its port. */
export type ElsewherePayload = [placeholder: string, host: string];

/** A placeholder in the place of a sealed value in an answer, and the hosts to which its requests are sent by the host. */
export interface SealedAnswer {
  readonly sealed: string;
  readonly hosts: readonly string[];
}

const HEADER_BYTES = 9;
const PAYLOAD_LENGTH_BYTES = 4;

/** A larger frame violates the protocol. Four secrets of 16 KiB fit, in JSON's worst case. */
export const FRAME_MAX_BYTES = 1 << 20;
/** Bodies up to this size are sent whole, in the frame of their call or response. */
export const WHOLE_BODY_MAX_BYTES = 64 * 1024;
/** Texts up to this length stay texts, which a server sends faster than bytes (measured on Deno 2.9.6). */
export const TEXT_BODY_MAX_LENGTH = 1_024;
/** The longest piece of a streamed body. */
export const CHUNK_MAX_BYTES = 32 * 1024;
/** With this many running calls, a side is busy: fewer writes are then worth more than an early one. */
export const BUSY_CALLS = 4;
/** Bytes of a streamed body that may be sent before the receiver asks for more. */
export const WINDOW_BYTES = 32 * 1024;
/** Headers of a response. Many more would take the host seconds to build. */
export const HEADERS_MAX = 1_000;
/** The length of all names and values of a response's headers together. */
export const HEADERS_MAX_LENGTH = 64 * 1024;
/** The longest name of a secret. The sandbox does not ask the host for longer ones. */
export const SECRET_NAME_MAX_LENGTH = 255;
/** The longest name to look up, with a dot at its end (RFC 1035 2.3.4: 255 octets as labels). */
export const DNS_NAME_MAX_LENGTH = 254;
/** The longest URL of a request that may carry sealed values. */
export const FETCH_URL_MAX_LENGTH = 16 * 1024;
/** The longest method of such a request. */
export const FETCH_METHOD_MAX_LENGTH = 64;
/** The longest text of a log line or error. */
export const LOG_TEXT_MAX_LENGTH = 16 * 1024;

/**
 * Frames handled before other work gets its turn: the other side can then start on the first results while this side
 * handles the rest.
 */
const FRAMES_PER_SLICE = 8;

/** The largest sizes of the parts of a frame, in bytes. */
export interface FrameLimits {
  readonly payload: number;
  readonly body: number;
}

/** The most bytes that a UTF-16 unit takes in UTF-8, and in JSON, where it may be escaped. */
const UNIT_BYTES = 3;
const JSON_UNIT_BYTES = 6;
/** Numbers, one word, or an empty payload. */
const SHORT: FrameLimits = { payload: 64, body: 0 };
/** For numbers, quotes, commas and words in addition to a payload's texts. */
const FRAMING_BYTES = 128;
const QUOTES_BYTES = 3;
/** The characters of a placeholder with the name of its secret, and of a host with its port. */
const ELSEWHERE_MAX_LENGTH = 600;

/** The limits for frames from a sandbox. A larger frame violates the protocol, and is never read into memory whole. */
export const TO_HOST_LIMITS: Readonly<Record<(typeof ToHost)[keyof typeof ToHost], FrameLimits>> = {
  [ToHost.Ready]: SHORT,
  [ToHost.LoadFailed]: { payload: LOG_TEXT_MAX_LENGTH * UNIT_BYTES, body: 0 },
  [ToHost.Response]: {
    payload: HEADERS_MAX_LENGTH * JSON_UNIT_BYTES + 2 * HEADERS_MAX * QUOTES_BYTES + FRAMING_BYTES,
    body: WHOLE_BODY_MAX_BYTES,
  },
  [ToHost.Chunk]: { payload: 0, body: CHUNK_MAX_BYTES },
  [ToHost.ChunkEnd]: SHORT,
  [ToHost.Failed]: { payload: LOG_TEXT_MAX_LENGTH * UNIT_BYTES, body: 0 },
  [ToHost.Ask]: { payload: SECRET_NAME_MAX_LENGTH * JSON_UNIT_BYTES + FRAMING_BYTES, body: 0 },
  [ToHost.Log]: { payload: LOG_TEXT_MAX_LENGTH * JSON_UNIT_BYTES + FRAMING_BYTES, body: 0 },
  [ToHost.Credit]: SHORT,
  [ToHost.Pong]: SHORT,
  [ToHost.RevokeAck]: SHORT,
  [ToHost.Dropped]: SHORT,
  [ToHost.Background]: SHORT,
  [ToHost.Settled]: SHORT,
  [ToHost.Lookup]: { payload: DNS_NAME_MAX_LENGTH * JSON_UNIT_BYTES + FRAMING_BYTES, body: 0 },
  [ToHost.Fetch]: {
    payload: (HEADERS_MAX_LENGTH + FETCH_URL_MAX_LENGTH) * UNIT_BYTES + 2 * HEADERS_MAX * QUOTES_BYTES + FRAMING_BYTES,
    body: WHOLE_BODY_MAX_BYTES,
  },
  [ToHost.FetchBody]: { payload: SHORT.payload, body: CHUNK_MAX_BYTES },
  [ToHost.FetchBodyEnd]: SHORT,
  [ToHost.FetchCredit]: SHORT,
  [ToHost.FetchAbort]: SHORT,
  [ToHost.Elsewhere]: { payload: ELSEWHERE_MAX_LENGTH * JSON_UNIT_BYTES + FRAMING_BYTES, body: 0 },
};

const START_BUFFER_BYTES = 16 * 1024;
/** A buffer that grew beyond this is replaced by a small one once it is empty. */
const KEPT_BUFFER_BYTES = 256 * 1024;

/**
 * Collects frames and writes many at once. While `busy` returns true, it waits for the end of the event loop's turn, so
 * that frames of other calls are written together; otherwise only for the running function, which is faster for a
 * single call.
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

  /** `onQueued` is called with the number of bytes that were queued, or written, then as a negative number. */
  constructor(
    write: (bytes: Uint8Array) => Promise<number>,
    busy: () => boolean,
    onQueued?: (bytes: number) => void,
  ) {
    this.#write = write;
    this.#busy = busy;
    this.#onQueued = onQueued;
  }

  /** Bytes that the socket has not accepted yet. */
  get queuedBytes(): number {
    return this.#length + this.#inFlightBytes;
  }

  /** Queues a frame; texts become UTF-8. After an error of the socket, frames are ignored. */
  send(type: number, id: number, payload = "", body: Uint8Array | string = ""): void {
    if (this.#broken) return;
    this.#queue(type, id, payload, body);
    this.#flushing ??= this.#flush(this.#busy() ? nextTurn() : Promise.resolve());
  }

  /**
   * Like `send`, but writes the frame before it returns if no other frame is being written, so that it arrives even if
   * the running function never ends. While `busy` returns true, it waits like any other frame.
   */
  sendAtOnce(type: number, id: number, payload: string): void {
    if (this.#broken) return;
    if (this.#flushing || this.#busy()) return this.send(type, id, payload);
    this.#queue(type, id, payload, "");
    this.#flushing = this.#flush();
  }

  #queue(type: number, id: number, payload: string, body: Uint8Array | string): void {
    // A UTF-16 unit takes at most 3 bytes in UTF-8.
    const bodyMaxBytes = typeof body === "string" ? body.length * 3 : body.length;
    this.#reserve(HEADER_BYTES + PAYLOAD_LENGTH_BYTES + payload.length * 3 + bodyMaxBytes);
    const buffer = this.#buffer;
    const start = this.#length;
    const payloadStart = start + HEADER_BYTES + PAYLOAD_LENGTH_BYTES;
    const bodyStart = payloadStart + this.#encode(payload, payloadStart);
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
    writeU32(buffer, start + HEADER_BYTES, bodyStart - payloadStart);
    this.#length = end;
    this.#onQueued?.(end - start);
  }

  /** Writes the text in UTF-8 and returns its number of bytes. */
  #encode(text: string, at: number): number {
    return text === "" ? 0 : this.#encoder.encodeInto(text, this.#buffer.subarray(at)).written;
  }

  /** Waits until the socket has accepted everything that was queued so far, or has failed. */
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
      // The reading side notices the end of the socket and handles it.
      this.#broken = true;
      this.#onQueued?.(-this.queuedBytes);
      this.#length = this.#inFlightBytes = 0;
    } finally {
      this.#flushing = undefined;
    }
  }
}

/** The other side violated the protocol. */
export class ProtocolError extends Error {}

/**
 * Calls `onFrame` with each frame until the socket ends. `body` is valid only during the call. `pause` can delay
 * further reading after each frame. `limitsOf` returns the limits for frames of a type.
 * @throws ProtocolError; errors of `read` and `onFrame`
 */
export async function readFrames(
  read: (into: Uint8Array) => Promise<number | null>,
  onFrame: (type: number, id: number, payload: string, body: Uint8Array) => void,
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
      if (size > FRAME_MAX_BYTES || size < PAYLOAD_LENGTH_BYTES) {
        throw new ProtocolError("a frame of impossible length");
      }
      const limits = limitsOf?.(buffer[at + 4]!);
      if (limits && size > PAYLOAD_LENGTH_BYTES + limits.payload + limits.body) throw tooLong(buffer[at + 4]!);
      const end = at + HEADER_BYTES + size;
      if (end > length) {
        if (end - at > buffer.length) buffer = grow(buffer, end - at);
        break;
      }
      const payloadStart = at + HEADER_BYTES + PAYLOAD_LENGTH_BYTES;
      const payloadEnd = payloadStart + readU32(buffer, at + HEADER_BYTES);
      if (payloadEnd > end) throw new ProtocolError("a frame whose payload is longer than itself");
      if (limits && (payloadEnd - payloadStart > limits.payload || end - payloadEnd > limits.body)) {
        throw tooLong(buffer[at + 4]!);
      }
      const payload = payloadEnd === payloadStart ? "" : decoder.decode(buffer.subarray(payloadStart, payloadEnd));
      onFrame(buffer[at + 4]!, readU32(buffer, at + 5), payload, buffer.subarray(payloadEnd, end));
      at = end;
      const wait = pause?.() ?? (++inSlice >= FRAMES_PER_SLICE ? nextTurn() : undefined);
      if (wait) {
        await wait;
        inSlice = 0;
      }
    }
    buffer.copyWithin(0, at, length);
    length -= at;
    if (length === 0 && buffer.length > KEPT_BUFFER_BYTES) buffer = new Uint8Array(START_BUFFER_BYTES);
    // More data is probably available at once.
    else if (isFull && buffer.length < KEPT_BUFFER_BYTES) buffer = grow(buffer, buffer.length * 2);
  }
}

function tooLong(type: number): ProtocolError {
  return new ProtocolError(`a frame of type ${type} that is too long`);
}

/** Resolves at the end of the event loop's turn. */
function nextTurn(): Promise<void> {
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
