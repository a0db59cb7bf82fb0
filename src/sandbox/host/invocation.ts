// Handles one call for the host: its deadline, both of its bodies, and its end.

import type { Budget } from "./budget.ts";
import type { FetchingCall } from "./fetches.ts";
import type { SealedValues } from "./sealed_values.ts";
import { CallFailure, revoked, tooMuchHeld } from "./failure.ts";
import { type AskedQuestions, questionKey, QUESTIONS_MAX } from "./prefetch.ts";
import { type BodyOwner, RequestBody } from "./request_body.ts";
import {
  BodyMode,
  type FlatHeaders,
  type FrameWriter,
  ProtocolError,
  type Question,
  type ResponsePayload,
  type SettledOutcome,
  ToSandbox,
  WINDOW_BYTES,
} from "../wire/protocol.ts";

export interface CallRequest<C> {
  readonly method: string;
  readonly url: string;
  /** The whole path including `/run`, decoded as Hono decodes it. */
  readonly path: string;
  readonly headers: FlatHeaders;
  /** As they are in the path, not decoded further. */
  readonly params: Record<string, string>;
  readonly requestId: string;
  /** Milliseconds since 1970. */
  readonly requestedAt: number;
  /** The name of the group whose key admitted the call. */
  readonly group: string | null;
  readonly body: Uint8Array | ReadableStream<Uint8Array> | null;
  /** How long the caller may pause within a streamed body. */
  readonly bodyTimeoutMs: number;
  /** The caller in whose name the handler asks for secrets. Never leaves the host. */
  readonly caller: C;
  /** Its signal is aborted when the caller disconnects. Read only in calls that take a while, as it is expensive. */
  readonly client?: { readonly signal: AbortSignal } | undefined;
}

export interface CallResponse {
  readonly status: number;
  readonly headers: FlatHeaders;
  readonly body: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | null;
  /** Only with a streamed body: resolves at its end, with the failure that aborted it, if any. */
  readonly ended?: Promise<CallFailure | undefined>;
}

/** How work in the background ended. `timeout` means that the host stopped waiting. */
export type BackgroundOutcome = SettledOutcome | "timeout";

/** How long calls may take in total, and how long they may continue after they lost their right. */
export interface CallBounds {
  readonly maxCallMs: number;
  readonly revocationGraceMs: number;
}

/** What a call's requests with sealed values depend on. */
export interface Entitlement {
  readonly isEntitled: boolean;
  readonly sealedValues?: SealedValues | undefined;
}

/** Keeps the invocations of a sandbox. */
export interface InvocationOwner<C extends Entitlement> {
  /** Called when the response has ended or failed, or is no longer awaited. */
  responseEnded(invocation: HostInvocation<C>): void;
  /** Called when the call has ended with all of its work: from now on its handler's questions are refused. */
  ended(invocation: HostInvocation<C>): void;
  /** Called when its work in the background has ended, `durationMs` after the response, and before `ended`. */
  backgroundEnded(invocation: HostInvocation<C>, outcome: BackgroundOutcome, durationMs: number): void;
}

/** Memory of a call in addition to its request and response. */
const CALL_BYTES = 4 * 1024;
/** Memory of a streamed response in addition to its bytes. */
const STREAM_BYTES = 16 * 1024;
/** Headers are held as the sandbox sent them, and as they are sent to the client. */
const HEADER_COPIES = 4;
/**
 * Bytes of a stream that may wait for a client that does not read: our window, 64 KB in the response's stream
 * (deno_core's BUFFER_BACKPRESSURE_LIMIT), and 408 KB in the HTTP library (hyper's DEFAULT_MAX_BUFFER_SIZE).
 */
const UNREAD_MAX_BYTES = WINDOW_BYTES + (64 + 408) * 1024;
/** Memory of a question in addition to its name. */
const QUESTION_BYTES = 256;

/** Keeps a byte order mark as a part of the text. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

export class HostInvocation<C extends Entitlement> implements AskedQuestions, BodyOwner, FetchingCall {
  readonly id: number;
  readonly request: CallRequest<C>;
  prefetched: readonly Question[] = [];
  prefetchedUsed = 0;
  #otherQuestions: Map<string, Question> | undefined;
  readonly #timeoutMs: number;
  readonly #owner: InvocationOwner<C>;
  readonly #budget: Budget;
  /** The bytes taken from the budget. */
  #heldBytes: number;
  /** The counted bytes of a streamed response. */
  #passedBytes = 0;
  readonly #onUnsent: ((failure: CallFailure) => Promise<CallResponse>) | undefined;
  readonly #response = Promise.withResolvers<CallResponse>();
  /** When the handler times out, by `performance.now()`. */
  #deadline = 0;
  #writer: FrameWriter | undefined;
  #over = false;
  #responded = false;
  #responseOver = false;
  /** By `performance.now()`; set with `#responseOver`. */
  #responseOverAt = 0;
  /** Whether the sandbox has reported work that continues after the response. */
  #hasBackground = false;
  /** The bytes of a streamed response that its announced length still expects. */
  #expectedBytes: number | undefined;
  #clientWatched = false;
  readonly #startedAt = performance.now();
  /** When the loss of the call's right was noticed, by `performance.now()`. */
  #revokedAt: number | undefined;
  /** Set once a streamed body is being sent. */
  #body: RequestBody | undefined;
  #chunks: ReadableStreamDefaultController<Uint8Array> | undefined;
  /** Whether the client has the whole response and the server released its stream before the handler ended it. */
  #isDelivered = false;
  #streamEnded: ((failure: CallFailure | undefined) => void) | undefined;
  /** Bytes of the response that the sandbox may still send. */
  #granted = WINDOW_BYTES;

  /**
   * Takes the memory that the call uses in the host from `budget` until its end.
   * @throws CallFailure no-room
   */
  constructor(
    id: number,
    request: CallRequest<C>,
    timeoutMs: number,
    owner: InvocationOwner<C>,
    budget: Budget,
    onUnsent?: (failure: CallFailure) => Promise<CallResponse>,
  ) {
    this.#heldBytes = heldBy(request);
    if (!budget.take(this.#heldBytes)) throw tooMuchHeld(false);
    this.#budget = budget;
    this.id = id;
    this.request = request;
    this.#timeoutMs = timeoutMs;
    this.#owner = owner;
    this.#onUnsent = onUnsent;
    this.#restartClock();
  }

  /** @throws CallFailure, by rejecting */
  get response(): Promise<CallResponse> {
    return this.#response.promise;
  }

  get over(): boolean {
    return this.#over;
  }

  /** Whether its response has begun. */
  get responded(): boolean {
    return this.#responded;
  }

  /** Whether its handler may ask for secrets, by the host's own record. */
  get mayAsk(): boolean {
    return !this.#over && (!this.#responseOver || this.#hasBackground);
  }

  /** Whether it may use the sealed values that it was given. */
  get mayFetch(): boolean {
    return this.mayAsk && this.request.caller.isEntitled;
  }

  get sealed(): SealedValues | undefined {
    return this.request.caller.sealedValues;
  }

  /** Takes memory for a request that it makes; returns false if there is none. */
  hold(bytes: number): boolean {
    return !this.#over && this.#hold(bytes);
  }

  release(bytes: number): void {
    // At its end, the call returned everything.
    if (this.#over) return;
    this.#heldBytes -= bytes;
    this.#budget.give(bytes);
  }

  get responseOver(): boolean {
    return this.#responseOver;
  }

  /** Records that its handler asked the host. */
  recordQuestion(question: Question): void {
    this.#otherQuestions ??= new Map();
    const key = questionKey(question);
    if (this.#otherQuestions.size >= QUESTIONS_MAX || this.#otherQuestions.has(key)) return;
    // A question that cannot be recorded is answered as well.
    if (this.#hold(QUESTION_BYTES + 4 * key.length)) this.#otherQuestions.set(key, question);
  }

  #hold(bytes: number): boolean {
    if (!this.#budget.take(bytes)) return false;
    this.#heldBytes += bytes;
    return true;
  }

  /** Ends the call, as the budget has no room for its response. */
  #refuseMore(): void {
    this.#writer?.send(ToSandbox.Abort, this.id);
    this.#abort(tooMuchHeld(true), true);
  }

  get otherQuestions(): ReadonlyMap<string, Question> | undefined {
    return this.#otherQuestions;
  }

  /** Records that the call's frame was sent, and sends a streamed body. */
  sent(writer: FrameWriter): void {
    this.#writer = writer;
    const { body, bodyTimeoutMs } = this.request;
    if (!(body instanceof ReadableStream)) return;
    this.#body = new RequestBody(body, writer, this, bodyTimeoutMs);
    void this.#body.send();
  }

  respond([status, headers, mode, asked]: ResponsePayload, body: Uint8Array, writer: FrameWriter): void {
    // The sandbox sent it before it received the abort.
    if (this.#responseOver) return;
    if (this.#responded) throw new ProtocolError("a second response to one call");
    this.#responded = true;
    this.prefetchedUsed = asked;
    if (mode !== BodyMode.Stream) {
      this.#endResponse();
      return this.#response.resolve({ status, headers, body: wholeBody(mode, body) });
    }
    if (!this.#hold(STREAM_BYTES + HEADER_COPIES * lengthOf(headers))) return this.#refuseMore();
    this.#expectedBytes = contentLength(headers);
    this.#restartClock();
    const ended = new Promise<CallFailure | undefined>((resolve) => this.#streamEnded = resolve);
    this.#response.resolve({ status, headers, body: this.#openChunkStream(writer), ended });
  }

  receiveChunk(bytes: Uint8Array): void {
    if (this.#responseOver) return;
    if (!this.#chunks) throw new ProtocolError("a piece of a response that was not begun");
    // The window does not count empty pieces, so they could fill the host's memory.
    if (bytes.byteLength === 0) throw new ProtocolError("an empty piece");
    this.#granted -= bytes.byteLength;
    if (this.#granted < 0) throw new ProtocolError("more of a response than was requested");
    if (this.#expectedBytes !== undefined) {
      this.#expectedBytes -= bytes.byteLength;
      if (this.#expectedBytes < 0) return this.#abortWrongLength("longer");
    }
    const passed = this.#passedBytes;
    this.#passedBytes = Math.min(passed + bytes.byteLength, UNREAD_MAX_BYTES);
    if (this.#passedBytes > passed && !this.#hold(this.#passedBytes - passed)) return this.#refuseMore();
    this.#chunks.enqueue(bytes.slice());
    // With a full window the client is slow, not the handler.
    if (this.#granted === 0) this.#deadline = Infinity;
    else this.#restartClock();
  }

  endChunks(): void {
    if (this.#responseOver) return;
    if (!this.#chunks) throw new ProtocolError("the end of a response that was not begun");
    if ((this.#expectedBytes ?? 0) > 0) return this.#abortWrongLength("shorter");
    this.#endResponse();
    if (!this.#isDelivered) this.#chunks.close();
  }

  #abortWrongLength(how: "longer" | "shorter"): void {
    this.#writer?.send(ToSandbox.Abort, this.id);
    this.#abort(new CallFailure("nonsense", true, `Its body is ${how} than its Content-Length says.`), true);
  }

  failed(text: string): void {
    this.#abort(new CallFailure("threw", true, text));
  }

  /** Records that work will continue after the response. */
  backgroundBegan(): void {
    if (this.#hasBackground) throw new ProtocolError("a second start of work in the background");
    // Once the response is over, work can no longer start.
    if (!this.#responseOver) this.#hasBackground = true;
  }

  /** Ends the call, which has ended with all of its work in the sandbox. */
  settled(outcome: SettledOutcome): void {
    if (!this.#responseOver) throw new ProtocolError("the end of a call before the end of its response");
    this.#end(outcome);
  }

  receiveCredit(bytes: number): void {
    if (!Number.isSafeInteger(bytes) || bytes <= 0) throw new ProtocolError("a credit that is not a positive number");
    this.#body?.receiveCredit(bytes);
  }

  /** Except with a full window, when the client is slow. */
  bodyArrived(): void {
    if (!this.#responseOver && this.#deadline !== Infinity) this.#restartClock();
  }

  /** Ends the call with all of its work, because its process ends. */
  fail(failure: CallFailure): void {
    // Set first, so that nothing waits for the sandbox.
    const isResponseOver = this.#responseOver;
    if (!isResponseOver) {
      this.#responseOver = true;
      this.#owner.responseEnded(this);
    }
    this.#end("error");
    if (!isResponseOver) this.#rejectResponse(failure);
  }

  /** Ends the response, as the caller disconnected. Aborts the call in the sandbox, and waits for its end there. */
  abandon(): void {
    if (this.#responseOver) return;
    if (this.#wasDelivered()) return;
    this.#writer?.send(ToSandbox.Abort, this.id);
    this.#abort(new CallFailure("gone", this.#writer !== undefined, "The caller closed the connection."), true);
  }

  /**
   * Reports whether the client has all bytes that the response's head announced. The server then releases the stream
   * before the handler ends it.
   */
  #wasDelivered(): boolean {
    this.#isDelivered ||= this.#expectedBytes === 0;
    return this.#isDelivered;
  }

  /** Ends a call that lost its right. Like `abandon`, but the caller is still connected. */
  revoke(): void {
    if (this.#responseOver) return;
    this.#writer?.send(ToSandbox.Abort, this.id);
    this.#abort(revoked(), true);
  }

  /** Fails a response that has not begun, or aborts one that has. */
  #abort(failure: CallFailure, isAborted = false): void {
    if (this.#responseOver) return;
    this.#endResponse(failure, isAborted);
    this.#rejectResponse(failure);
  }

  #rejectResponse(failure: CallFailure): void {
    this.#streamEnded?.(failure);
    // The failure may quote a secret, and the reader of the stream may log it.
    this.#chunks?.error(new CallFailure(failure.kind, true, "The response was aborted."));
    if (this.#onUnsent && !this.#responded) this.#response.resolve(this.#onUnsent(failure));
    else this.#response.reject(failure);
  }

  /** Ends the response. After an abort, or with work in the background, the sandbox still has to report the end. */
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
    this.#body?.callEnded();
    if (this.#hasBackground && this.#responseOverAt > 0) {
      this.#owner.backgroundEnded(this, outcome, performance.now() - this.#responseOverAt);
    }
    this.#owner.ended(this);
  }

  /** Reports whether the call timed out. While the next piece of the request is awaited, the caller's time counts. */
  isLate(now: number): boolean {
    const clientDeadline = this.#body?.deadline ?? Infinity;
    if (clientDeadline !== Infinity && !this.#responseOver) return now > clientDeadline;
    return now > this.#deadline;
  }

  /** Ends a late call. Returns whether its process has to end, as nothing else stops a running handler. */
  timedOut(): boolean {
    if (this.#responseOver) {
      this.#end("timeout");
      return false;
    }
    if (this.#body && this.#body.deadline !== Infinity) {
      const { bodyTimeoutMs } = this.request;
      this.#writer!.send(ToSandbox.Abort, this.id);
      this.#abort(new CallFailure("silent", true, `The caller sent nothing for ${bodyTimeoutMs} ms.`), true);
      this.#body.cancel();
      return false;
    }
    const sent = this.#writer !== undefined;
    const missing = this.#responded ? "progress" : "response";
    this.fail(new CallFailure("timeout", sent, `No ${missing} in ${this.#timeoutMs} ms.`));
    return true;
  }

  /**
   * Ends the response of a call that lost its right, after a grace period in which it may finish, or that exceeds the
   * maximum duration. `now` is `performance.now()`.
   */
  enforce(isEntitled: boolean, now: number, { revocationGraceMs, maxCallMs }: CallBounds): void {
    if (!isEntitled) this.#revokedAt ??= now;
    if (this.#revokedAt !== undefined && now - this.#revokedAt >= revocationGraceMs) this.revoke();
    else if (now - this.#startedAt > maxCallMs) this.#abortTooLong(maxCallMs);
  }

  #abortTooLong(maxCallMs: number): void {
    if (this.#responseOver) return;
    this.#writer?.send(ToSandbox.Abort, this.id);
    const failure = new CallFailure("timeout", true, `The call ran for ${maxCallMs} ms (sandbox.max-call-ms).`);
    this.#abort(failure, true);
  }

  /** Starts to watch for a disconnect of the caller. */
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

/** Returns the length that the headers of a response announce; undefined if there is none, or more than one. */
export function contentLength(headers: FlatHeaders): number | undefined {
  let length: number | undefined;
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i]!.toLowerCase() !== "content-length") continue;
    if (length !== undefined || !/^\d{1,15}$/.test(headers[i + 1]!)) return undefined;
    length = Number(headers[i + 1]);
  }
  return length;
}

/** Returns a body that was in the frame of its response. */
function wholeBody(mode: BodyMode, body: Uint8Array): string | Uint8Array<ArrayBuffer> | null {
  if (mode === BodyMode.Text) return decoder.decode(body);
  // A copy, as the frame's bytes are in the reader's buffer.
  return mode === BodyMode.Whole ? body.slice() : null;
}
