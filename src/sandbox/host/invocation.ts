// One call as the host sees it: its deadline, its bodies both ways, and how it ended.

import type { Budget } from "./budget.ts";
import { CallFailure, revoked, tooMuchHeld } from "./failure.ts";
import { type Asked, questionKey, QUESTIONS_MAX } from "./prefetch_predictor.ts";
import {
  BodyMode,
  CHUNK_MAX_BYTES,
  type FlatHeaders,
  type FrameWriter,
  ProtocolError,
  type Question,
  type ResponseMeta,
  type SettledOutcome,
  ToSandbox,
  WINDOW_BYTES,
} from "../wire/protocol.ts";

export interface CallRequest<C> {
  readonly method: string;
  readonly url: string;
  /** The whole path, `/run` included, decoded as Hono does. */
  readonly path: string;
  readonly headers: FlatHeaders;
  /** As in the path, not decoded further. */
  readonly params: Record<string, string>;
  readonly requestId: string;
  /** Milliseconds since 1970. */
  readonly requestedAt: number;
  /** Name of the group whose key let the call in. */
  readonly group: string | null;
  readonly body: Uint8Array | ReadableStream<Uint8Array> | null;
  /** How long the caller may pause within a streamed body. */
  readonly bodyTimeoutMs: number;
  /** Who asks, when the handler asks for secrets. Never leaves the host. */
  readonly caller: C;
  /** Its signal is aborted when the caller has gone. Looked at in calls that take a while only, for its price. */
  readonly client?: { readonly signal: AbortSignal } | undefined;
}

export interface CallResponse {
  readonly status: number;
  readonly headers: FlatHeaders;
  readonly body: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | null;
  /** Of a streamed body alone: resolves when it has ended, to what broke it off if something did. */
  readonly ended?: Promise<CallFailure | undefined>;
}

/** How work in the background ended. `timeout`: the host waited for it no longer. */
export type BackgroundOutcome = SettledOutcome | "timeout";

/** How long calls may take in all, and how long they may go on once their right to is gone. */
export interface CallBounds {
  readonly maxCallMs: number;
  readonly revocationGraceMs: number;
}

/** What keeps the invocations of a sandbox. */
export interface InvocationOwner<C> {
  /** Its response has ended, in whatever way, or nobody waits for it any more. */
  responseEnded(invocation: HostInvocation<C>): void;
  /** Everything of it has ended: from now on its handler's questions are refused. */
  ended(invocation: HostInvocation<C>): void;
  /** Its work in the background ended, `durationMs` after the response. Called before `ended`. */
  backgroundEnded(invocation: HostInvocation<C>, outcome: BackgroundOutcome, durationMs: number): void;
}

/** What a call costs beside what its request and response hold. */
const CALL_BYTES = 4 * 1024;
/** What a streamed response costs beside its bytes. */
const STREAM_BYTES = 16 * 1024;
/** Headers are held as the sandbox sent them and as they are sent on. */
const HEADER_COPIES = 4;
/**
 * Of a stream's bytes, so many may wait for a client that does not read: our window, 64 KB in the response's stream
 * (deno_core's BUFFER_BACKPRESSURE_LIMIT) and 408 KB in the HTTP library (hyper's DEFAULT_MAX_BUFFER_SIZE).
 */
const UNREAD_MAX_BYTES = WINDOW_BYTES + (64 + 408) * 1024;
/** A question that is remembered, beside its name. */
const QUESTION_BYTES = 256;

/** A byte order mark is a part of the text as any other. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
/** With so much waiting for a process, no more of a request's body is given to it. */
const SEND_QUEUE_MAX_BYTES = 1 << 20;

export class HostInvocation<C> implements Asked {
  readonly id: number;
  readonly request: CallRequest<C>;
  told: readonly Question[] = [];
  toldAsked = 0;
  #others: Map<string, Question> | undefined;
  readonly #timeoutMs: number;
  readonly #owner: InvocationOwner<C>;
  readonly #budget: Budget;
  /** Taken from the budget. */
  #heldBytes: number;
  /** Of a streamed response's bytes. */
  #passedBytes = 0;
  readonly #instead: ((failure: CallFailure) => Promise<CallResponse>) | undefined;
  readonly #response = Promise.withResolvers<CallResponse>();
  /** When the handler will have been silent for too long, by `performance.now()`. */
  #deadline = 0;
  #writer: FrameWriter | undefined;
  #over = false;
  #responded = false;
  #responseOver = false;
  /** By `performance.now()`; once `#responseOver`. */
  #responseOverAt = 0;
  /** The sandbox has reported work that continues after the response. */
  #hasBackground = false;
  /** Of a streamed response: what of its announced length is still to come. */
  #expectedBytes: number | undefined;
  #clientWatched = false;
  readonly #startedAt = performance.now();
  /** When it was noticed that the call may not go on, by `performance.now()`. */
  #revokedAt: number | undefined;
  /** When the caller will have been silent for too long, by `performance.now()`; Infinity if nothing is awaited of it. */
  #clientDeadline = Infinity;
  #bodyReader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  #chunks: ReadableStreamDefaultController<Uint8Array> | undefined;
  /** Whether the whole response was taken, and its stream let go of, before the handler ended it. */
  #isDelivered = false;
  #streamEnded: ((failure: CallFailure | undefined) => void) | undefined;
  /** Bytes of the response that the sandbox may still send. */
  #granted = WINDOW_BYTES;
  /** Bytes of the request that may still be sent. */
  #credit = WINDOW_BYTES;
  #creditArrived: (() => void) | undefined;

  /**
   * What it makes the host hold is taken from `budget` until its end.
   * @throws CallFailure no-room
   */
  constructor(
    id: number,
    request: CallRequest<C>,
    timeoutMs: number,
    owner: InvocationOwner<C>,
    budget: Budget,
    instead?: (failure: CallFailure) => Promise<CallResponse>,
  ) {
    this.#heldBytes = heldBy(request);
    if (!budget.take(this.#heldBytes)) throw tooMuchHeld(false);
    this.#budget = budget;
    this.id = id;
    this.request = request;
    this.#timeoutMs = timeoutMs;
    this.#owner = owner;
    this.#instead = instead;
    this.#restartClock();
  }

  /** @throws CallFailure, by rejecting */
  get response(): Promise<CallResponse> {
    return this.#response.promise;
  }

  get over(): boolean {
    return this.#over;
  }

  /** Whether its response has at least begun. */
  get responded(): boolean {
    return this.#responded;
  }

  /** Whether its handler may ask for secrets: by the host's own record, whatever the sandbox says. */
  get mayAsk(): boolean {
    return !this.#over && (!this.#responseOver || this.#hasBackground);
  }

  get responseOver(): boolean {
    return this.#responseOver;
  }

  /** Its handler asked the host. */
  asks(question: Question): void {
    this.#others ??= new Map();
    const key = questionKey(question);
    if (this.#others.size >= QUESTIONS_MAX || this.#others.has(key)) return;
    // A question that is not remembered is answered all the same.
    if (this.#hold(QUESTION_BYTES + 4 * key.length)) this.#others.set(key, question);
  }

  #hold(bytes: number): boolean {
    if (!this.#budget.take(bytes)) return false;
    this.#heldBytes += bytes;
    return true;
  }

  /** It would make the host hold more than there is room for. */
  #refuseMore(): void {
    this.#writer?.send(ToSandbox.Abort, this.id);
    this.#breakOff(tooMuchHeld(true), true);
  }

  get others(): ReadonlyMap<string, Question> | undefined {
    return this.#others;
  }

  /** The call's frame is on its way; a streamed body follows. */
  sent(writer: FrameWriter): void {
    this.#writer = writer;
    if (this.request.body instanceof ReadableStream) void this.#sendBody(this.request.body, writer);
  }

  respond([status, headers, mode, asked]: ResponseMeta, body: Uint8Array, writer: FrameWriter): void {
    // It has crossed the news that the caller has gone.
    if (this.#responseOver) return;
    if (this.#responded) throw new ProtocolError("a second response to one call");
    this.#responded = true;
    this.toldAsked = asked;
    if (mode !== BodyMode.Stream) {
      this.#endResponse();
      return this.#response.resolve({ status, headers, body: atOnce(mode, body) });
    }
    if (!this.#hold(STREAM_BYTES + HEADER_COPIES * lengthOf(headers))) return this.#refuseMore();
    this.#expectedBytes = contentLength(headers);
    this.#restartClock();
    const ended = new Promise<CallFailure | undefined>((resolve) => this.#streamEnded = resolve);
    this.#response.resolve({ status, headers, body: this.#openChunkStream(writer), ended });
  }

  receiveChunk(bytes: Uint8Array): void {
    if (this.#responseOver) return;
    if (!this.#chunks) throw new ProtocolError("a piece of no response");
    // Counted by no window, so that they could fill our memory.
    if (bytes.byteLength === 0) throw new ProtocolError("an empty piece");
    this.#granted -= bytes.byteLength;
    if (this.#granted < 0) throw new ProtocolError("more of a response than was asked for");
    if (this.#expectedBytes !== undefined) {
      this.#expectedBytes -= bytes.byteLength;
      if (this.#expectedBytes < 0) return this.#breakOffWrongLength("longer");
    }
    const passed = this.#passedBytes;
    this.#passedBytes = Math.min(passed + bytes.byteLength, UNREAD_MAX_BYTES);
    if (this.#passedBytes > passed && !this.#hold(this.#passedBytes - passed)) return this.#refuseMore();
    this.#chunks.enqueue(bytes.slice());
    // With the window full it is the client who is slow, not the handler.
    if (this.#granted === 0) this.#deadline = Infinity;
    else this.#restartClock();
  }

  endChunks(): void {
    if (this.#responseOver) return;
    if (!this.#chunks) throw new ProtocolError("the end of no response");
    if ((this.#expectedBytes ?? 0) > 0) return this.#breakOffWrongLength("shorter");
    this.#endResponse();
    if (!this.#isDelivered) this.#chunks.close();
  }

  #breakOffWrongLength(how: "longer" | "shorter"): void {
    this.#writer?.send(ToSandbox.Abort, this.id);
    this.#breakOff(new CallFailure("nonsense", true, `Its body is ${how} than its Content-Length says.`), true);
  }

  failed(text: string): void {
    this.#breakOff(new CallFailure("threw", true, text));
  }

  /** Something will go on after the response. */
  backgroundBegan(): void {
    if (this.#hasBackground) throw new ProtocolError("a second beginning of work in the background");
    // Once the caller has gone, it is too late to begin.
    if (!this.#responseOver) this.#hasBackground = true;
  }

  /** Everything of the call has ended in the sandbox. */
  settled(outcome: SettledOutcome): void {
    if (!this.#responseOver) throw new ProtocolError("the end of a call before its response's");
    this.#end(outcome);
  }

  receiveCredit(bytes: number): void {
    if (!Number.isSafeInteger(bytes) || bytes <= 0) throw new ProtocolError("a credit that is no number");
    // However much it says: no more than a window lies in our memory.
    this.#credit = Math.min(this.#credit + bytes, WINDOW_BYTES);
    this.#creditArrived?.();
  }

  /** Ends the call with all of its work, because its process ends. */
  fail(failure: CallFailure): void {
    // First, so that nothing is waited for.
    const isResponseOver = this.#responseOver;
    if (!isResponseOver) {
      this.#responseOver = true;
      this.#owner.responseEnded(this);
    }
    this.#end("error");
    if (!isResponseOver) this.#rejectResponse(failure);
  }

  /** The caller has gone: sends an abort to the sandbox and waits until the call has ended there. */
  abandon(): void {
    if (this.#responseOver) return;
    if (this.#wasDelivered()) return;
    this.#writer?.send(ToSandbox.Abort, this.id);
    this.#breakOff(new CallFailure("gone", this.#writer !== undefined, "The caller closed the connection."), true);
  }

  /**
   * Whether the client has everything that the response's head announced. The server lets go of the stream then,
   * though its end is still to come from the handler.
   */
  #wasDelivered(): boolean {
    this.#isDelivered ||= this.#expectedBytes === 0;
    return this.#isDelivered;
  }

  /** It may not go on: as `abandon`, with the caller still there. */
  revoke(): void {
    if (this.#responseOver) return;
    this.#writer?.send(ToSandbox.Abort, this.id);
    this.#breakOff(revoked(), true);
  }

  /** Ends the response without the handler's, or breaks off the one that has begun. */
  #breakOff(failure: CallFailure, isAborted = false): void {
    if (this.#responseOver) return;
    this.#endResponse(failure, isAborted);
    this.#rejectResponse(failure);
  }

  #rejectResponse(failure: CallFailure): void {
    this.#streamEnded?.(failure);
    // What made it fail may quote a secret, and whoever reads the stream may print it.
    this.#chunks?.error(new CallFailure(failure.kind, true, "The response broke off."));
    if (this.#instead && !this.#responded) this.#response.resolve(this.#instead(failure));
    else this.#response.reject(failure);
  }

  /** With work in the background, or after an abort was sent, the sandbox still has to report the end. */
  #endResponse(failure?: CallFailure, isAborted = false): void {
    this.#responseOver = true;
    if (this.#hasBackground) this.#responseOverAt = performance.now();
    if (!failure) this.#streamEnded?.(undefined);
    this.#owner.responseEnded(this);
    if (this.#writer && (this.#hasBackground || isAborted)) this.#restartClock();
    else this.#end("ok");
  }

  #end(outcome: BackgroundOutcome): void {
    if (this.#over) return;
    this.#over = true;
    this.#budget.give(this.#heldBytes);
    this.#creditArrived?.();
    if (this.#hasBackground && this.#responseOverAt > 0) {
      this.#owner.backgroundEnded(this, outcome, performance.now() - this.#responseOverAt);
    }
    this.#owner.ended(this);
  }

  /** While the next piece of the request is awaited, it is the caller who is slow, not the handler. */
  isLate(now: number): boolean {
    if (this.#clientDeadline !== Infinity && !this.#responseOver) return now > this.#clientDeadline;
    return now > this.#deadline;
  }

  /** Its time is up. Whether its process has to end, because nothing gentler stops a handler. */
  timedOut(): boolean {
    if (this.#responseOver) {
      this.#end("timeout");
      return false;
    }
    if (this.#clientDeadline !== Infinity) {
      const { bodyTimeoutMs } = this.request;
      this.#writer!.send(ToSandbox.Abort, this.id);
      this.#breakOff(new CallFailure("silent", true, `The caller sent nothing for ${bodyTimeoutMs} ms.`), true);
      this.#bodyReader!.cancel().catch(() => {});
      return false;
    }
    const sent = this.#writer !== undefined;
    const missing = this.#responded ? "progress" : "response";
    this.fail(new CallFailure("timeout", sent, `No ${missing} in ${this.#timeoutMs} ms.`));
    return true;
  }

  /**
   * Ends the response of a call that may not go on, after a grace in which it may still finish, or that has run for
   * longer than any call may. `now` is `performance.now()`.
   */
  enforce(isEntitled: boolean, now: number, { revocationGraceMs, maxCallMs }: CallBounds): void {
    if (!isEntitled) this.#revokedAt ??= now;
    if (this.#revokedAt !== undefined && now - this.#revokedAt >= revocationGraceMs) this.revoke();
    else if (now - this.#startedAt > maxCallMs) this.#cutOff(maxCallMs);
  }

  #cutOff(maxCallMs: number): void {
    if (this.#responseOver) return;
    this.#writer?.send(ToSandbox.Abort, this.id);
    const failure = new CallFailure("timeout", true, `The call ran for ${maxCallMs} ms (sandbox.max-call-ms).`);
    this.#breakOff(failure, true);
  }

  /** Notices from now on when the caller goes away. */
  watchClient(): void {
    if (this.#clientWatched || this.#responseOver) return;
    this.#clientWatched = true;
    const signal = this.request.client?.signal;
    if (signal?.aborted) this.abandon();
    else signal?.addEventListener("abort", () => this.abandon());
  }

  #restartClock(): void {
    this.#deadline = performance.now() + this.#timeoutMs;
  }

  #openChunkStream(writer: FrameWriter): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#chunks = controller;
      },
      pull: (controller) => {
        const room = (controller.desiredSize ?? 0) - this.#granted;
        if (room <= 0 || this.#responseOver) return;
        if (this.#granted === 0) this.#restartClock();
        this.#granted += room;
        writer.send(ToSandbox.Credit, this.id, String(room));
      },
      cancel: () => {
        if (this.#responseOver || this.#wasDelivered()) return;
        writer.send(ToSandbox.Abort, this.id);
        this.#endResponse(undefined, true);
      },
    }, { highWaterMark: WINDOW_BYTES, size: (bytes) => bytes?.byteLength ?? 0 });
  }

  /** Looks again after each wait: whoever else waited may have filled the queue. */
  async #roomIn(writer: FrameWriter): Promise<void> {
    while (writer.queuedBytes > SEND_QUEUE_MAX_BYTES && !this.#over) await writer.drained();
  }

  async #sendBody(body: ReadableStream<Uint8Array>, writer: FrameWriter): Promise<void> {
    const reader = this.#bodyReader = body.getReader();
    try {
      while (!this.#over) {
        // What is not read from the client is not in our memory.
        await this.#roomIn(writer);
        this.#clientDeadline = performance.now() + this.request.bodyTimeoutMs;
        const piece = await reader.read();
        this.#clientDeadline = Infinity;
        // The handler's time begins with what it has been waiting for. With its window full, it is the reader's.
        if (!this.#responseOver && this.#deadline !== Infinity) this.#restartClock();
        if (piece.done) break;
        for (let at = 0; at < piece.value.byteLength && !this.#over;) {
          while (this.#credit === 0 && !this.#over) {
            await new Promise<void>((resolve) => this.#creditArrived = resolve);
          }
          const size = Math.min(piece.value.byteLength - at, CHUNK_MAX_BYTES, this.#credit);
          await this.#roomIn(writer);
          if (this.#over) break;
          writer.send(ToSandbox.Body, this.id, "", piece.value.subarray(at, at + size));
          this.#credit -= size;
          at += size;
        }
      }
      if (!this.#over) writer.send(ToSandbox.BodyEnd, this.id);
      // Nobody will read the rest; the client may stop sending it.
      else await reader.cancel();
    } catch {
      this.#clientDeadline = Infinity;
      // The client broke off: there is nobody left to answer, and the handler must not wait for the rest.
      if (this.#responseOver && !this.#over) writer.send(ToSandbox.Abort, this.id);
      else this.abandon();
    }
  }
}

function heldBy<C>({ url, path, headers, params, body }: CallRequest<C>): number {
  const texts = url.length + path.length + lengthOf(headers) + lengthOf(Object.values(params));
  return CALL_BYTES + HEADER_COPIES * texts + (body instanceof Uint8Array ? body.byteLength : 0);
}

function lengthOf(texts: readonly string[]): number {
  let length = 0;
  for (const text of texts) length += text.length;
  return length;
}

/** The one length that the headers of a response announce; undefined if there is none, or more than one. */
export function contentLength(headers: FlatHeaders): number | undefined {
  let length: number | undefined;
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i]!.toLowerCase() !== "content-length") continue;
    if (length !== undefined || !/^\d{1,15}$/.test(headers[i + 1]!)) return undefined;
    length = Number(headers[i + 1]);
  }
  return length;
}

/** A body that came in the frame of its response. */
function atOnce(mode: BodyMode, body: Uint8Array): string | Uint8Array<ArrayBuffer> | null {
  if (mode === BodyMode.Text) return decoder.decode(body);
  // A copy: the frame's bytes lie in the reader's buffer.
  return mode === BodyMode.Whole ? body.slice() : null;
}
