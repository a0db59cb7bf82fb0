// One sandbox process as the host sees it: it is started, loads a handler, answers calls, is killed.
// What comes from the process is data from a stranger: it is checked, bounded, and gains it nothing.

import { messageOf } from "../../errors.ts";
import type { Budget } from "./budget.ts";
import { causeOfDeath, outOfMemory } from "./death.ts";
import { CallFailure, outdated } from "./failure.ts";
import { Foresight } from "./prefetch_predictor.ts";
import { InFlight } from "../wire/id_table.ts";
import {
  type BackgroundOutcome,
  type CallBounds,
  type CallRequest,
  type CallResponse,
  HostInvocation,
  type InvocationOwner,
} from "./invocation.ts";
import { Lease } from "./lease.ts";
import { Lookups } from "./lookups.ts";
import { parseAsk, parseDropped, parseLog, parseLookup, parseSettled, responseReader } from "../wire/payloads.ts";
import { OutputLimiter } from "./output_limiter.ts";
import { type Code, type ProcessOptions, type SandboxProcess, startProcess } from "../process/process.ts";
import {
  type AnswerMeta,
  type AskMeta,
  BodyMode,
  type CallMeta,
  type FrameLimits,
  FrameWriter,
  LOG_TEXT_MAX_LENGTH,
  type LogMeta,
  ProtocolError,
  type Question,
  readFrames,
  type RouteInfo,
  type StartMeta,
  TO_HOST_LIMITS,
  ToHost,
  ToSandbox,
} from "../wire/protocol.ts";
import type { Queues } from "./queues.ts";
import { settledWithin } from "../process/settled.ts";
import { Workload } from "./cpu_monitor.ts";

/** What a handler may ask for; the host decides by its own record of the invocation who is asking. */
export interface Answerer<C> {
  answer(caller: C, kind: AskMeta[1], name: string, scope: string | null): unknown;
  /**
   * Answers to what the call is expected to ask, to be sent along with it, as a JSON array of ForeseenAnswer; and
   * the questions that they are to, in the same order. undefined if this call has to ask.
   */
  ahead(caller: C, questions: readonly Question[]): { json: string; questions: readonly Question[] } | undefined;
}

/** What the host knows of the rights of a call. */
export interface Entitlements<C> {
  /** Whether nothing has changed since the call was admitted, so that it may be sent to a process. */
  isCurrent(caller: C): boolean;
  /** Whether the call may ask for secrets and answer. */
  isEntitled(caller: C): boolean;
}

/** What the handler printed, or what was left out of that, or what the host failed to do for it. */
export interface LogLine<C> {
  readonly kind: "print" | "dropped" | "error";
  readonly level: LogMeta[0];
  readonly text: string;
  /** The call that it belongs to, as far as one can be told. */
  readonly request: CallRequest<C> | undefined;
}

export interface SandboxOptions<C> {
  readonly code: Code;
  readonly route: RouteInfo;
  /** One that was started ahead with the profile of `code`; else one is started. */
  readonly spare: SandboxProcess | undefined;
  readonly process: ProcessOptions;
  readonly answerer: Answerer<C>;
  readonly entitlements: Entitlements<C>;
  /** What calls may make the host hold. */
  readonly held: Budget;
  /** What waits for all processes. */
  readonly queues: Queues;
  /** Asked anew for each call, so that a changed setting counts at once. */
  limits(): { readonly timeoutMs: number; readonly maxCalls: number };
  onLog(line: LogLine<C>): void;
  /** Called when what a call had given to `ctx.waitUntil` has ended, so long after its response. */
  onBackgroundEnd?(outcome: BackgroundOutcome, durationMs: number): void;
  /** Called once, when the handler is loaded. */
  onReady(): void;
  /** Called when a call was taken. */
  onCallBegin?(caller: C): void;
  /** Called when a call that was taken has ended with all of its work, and gets no more secrets. */
  onCallEnd?(caller: C): void;
  /** Called when the last call has ended. */
  onIdle(): void;
  /** Called once, when it takes no more calls because it failed or was stopped; its process may live for a moment. */
  onOver(reason: CallFailure): void;
  /** Called once, when no process is left. */
  onEnd(): void;
}

/** A worker is asked for a sign of life this often, so that one whose loop outlived its call is found. */
const PING_INTERVAL_MS = 5_000;
/** A call that came right behind the question is late before its answer is, and gets 504. */
const PONG_GRACE_MS = 1_000;
/** How often memory and processor time of a process are looked at. */
const LOOK_INTERVAL_MS = 500;
/** How long the end of a process is waited for after its connection has ended. */
const END_WAIT_MS = 250;
const LAST_INVOCATION_ID = 0xffff_ffff;

export class Sandbox<C> {
  readonly #options: SandboxOptions<C>;
  readonly #process: SandboxProcess;
  readonly #entry: Promise<string>;
  /** Each from its frame to its end, work in the background included. */
  readonly #invocations = new InFlight<HostInvocation<C>>();
  readonly #owner: InvocationOwner<C> = {
    responseEnded: (invocation) => this.#responseEnded(invocation),
    ended: (invocation) => this.#invocationEnded(invocation),
    backgroundEnded: (invocation, outcome, durationMs) => this.#backgroundEnded(invocation, outcome, durationMs),
  };
  /** Calls taken while the handler is still loading. */
  #waiting: HostInvocation<C>[] = [];
  /** Of their bodies. */
  #waitingBytes = 0;
  #writer: FrameWriter | undefined;
  #ready = false;
  #nextId = 1;
  readonly #readResponse = responseReader();
  readonly #foresight = new Foresight();
  readonly #lease = new Lease((recall) => this.#writer!.send(ToSandbox.Recall, 0, String(recall)));
  readonly #output = new OutputLimiter((text) =>
    this.#options.onLog({ kind: "dropped", level: "warn", text, request: undefined })
  );
  readonly #lookups: Lookups;
  #over: CallFailure | undefined;
  #retired = false;
  /** Whether its connection has ended, though its process may not have. */
  #isCutOff = false;
  /** Whether work of an ended call may still go on in the process: then it is ended as soon as it has no other. */
  #hasLeftovers = false;
  #pingSentAt = 0;
  #pongMissing = false;
  #lookedAt = 0;
  readonly #workload = new Workload();
  #endedCalls = 0;
  lastUsedAt = 0;
  /** Settles when the process is gone and its connection is closed. */
  readonly ended: Promise<void>;
  /** Settles when the process is gone. */
  readonly #exited: Promise<void>;

  constructor(options: SandboxOptions<C>) {
    this.#options = options;
    this.#lookups = new Lookups({
      net: options.code.net,
      denied: options.process.denyNet,
      resolve: Deno.resolveDns,
      answer: (meta) => this.#writer!.send(ToSandbox.Looked, 0, meta),
    });
    this.#process = options.spare ?? startProcess(options.code, options.process);
    this.#entry = this.#process.give(options.code.files);
    // Awaited once the process has connected, which it may never do.
    this.#entry.catch(() => {});
    this.#exited = this.#process.ended.then((status) => {
      const stderr = this.#process.stderr();
      const { memoryMb } = options.code;
      this.#died(causeOfDeath({ status, stderr, connected: this.#writer !== undefined, memoryMb }));
      options.onEnd();
    });
    const served = this.#serve();
    this.ended = this.#exited.then(() => served);
  }

  get idle(): boolean {
    return this.calls === 0;
  }

  /** How many are under way or wait for the handler to be loaded. */
  get calls(): number {
    return this.#invocations.size + this.#waiting.length;
  }

  /** The share of a processor that it used lately. */
  get load(): number {
    return this.#workload.load;
  }

  /** Whether it answers calls as fast as one processor lets it and still has others waiting. */
  get saturated(): boolean {
    return this.#workload.isFull && this.#invocations.size > 1;
  }

  /** Whether it takes no more calls. */
  get closed(): boolean {
    return this.#over !== undefined || this.#retired || this.#isCutOff;
  }

  /**
   * `instead`, if given, is what the call comes to if it fails before its response.
   * @throws CallFailure, also by rejecting
   */
  call(
    request: CallRequest<C>,
    instead?: (failure: CallFailure) => Promise<CallResponse>,
  ): Promise<CallResponse> {
    if (this.#over) throw this.#over;
    const { maxCalls, timeoutMs } = this.#options.limits();
    const full = this.calls >= maxCalls ||
      this.#options.queues.isFull((this.#writer?.queuedBytes ?? 0) + this.#waitingBytes);
    if (full) {
      throw new CallFailure(
        "no-room",
        false,
        "The function is busy with as many calls as it may have (sandbox.max-calls), or its process does not read.",
      );
    }
    const invocation = new HostInvocation(
      this.#takeId(),
      request,
      timeoutMs,
      this.#owner,
      this.#options.held,
      instead,
    );
    this.#options.onCallBegin?.(request.caller);
    if (this.#ready) {
      this.#send(invocation);
    } else {
      this.#waiting.push(invocation);
      if (request.body instanceof Uint8Array) this.#waitingBytes += request.body.byteLength;
    }
    return invocation.response;
  }

  /** Takes no more calls, and ends the process when those under way are done. */
  retire(): void {
    this.#retired = true;
    // One that is cut off has died, and is about to say of what.
    if (this.idle && !this.#isCutOff) this.stop("It was replaced.");
  }

  /** Ends the process now; calls under way fail as `stopped`. */
  stop(reason: string): void {
    this.#fail(new CallFailure("stopped", true, reason));
  }

  /** Looks for calls that are late and for a worker that is stuck; `now` is `performance.now()`. */
  tick(now: number): void {
    if (this.#over) return;
    let isStuck = false;
    for (const invocation of [...this.#waiting, ...this.#invocations.items()]) {
      if (!invocation.isLate(now)) invocation.watchClient();
      else if (invocation.timedOut()) isStuck = true;
    }
    // The last one may have been what the process was kept for.
    if (this.#over) return;
    if (isStuck) {
      const how = this.#ready ? "did not answer" : "did not finish loading";
      // The late calls have failed as timeouts; the others of this process go down with it.
      return this.stop(`The process was stopped because another call ${how} in time.`);
    }
    if (now - this.#lookedAt > LOOK_INTERVAL_MS) {
      this.#lookedAt = now;
      // Not only at its next line: there may be none.
      this.#output.rollWindow();
      void this.#look();
    }
    if (this.#ready) this.#ping(now);
  }

  /** Ends the calls that may not go on, or have gone on for too long. `now` is `performance.now()`. */
  enforce(now: number, bounds: CallBounds): void {
    const { isEntitled } = this.#options.entitlements;
    for (const invocation of [...this.#invocations.items()]) {
      invocation.enforce(isEntitled(invocation.request.caller), now, bounds);
    }
  }

  async #look(): Promise<void> {
    const usage = await this.#process.look();
    if (!usage) return;
    const excess = this.#workload.look({
      now: performance.now(),
      cpuMs: usage.cpuMs,
      endedCalls: this.#endedCalls,
      isResting: this.idle && this.#ready,
    });
    const reason = usage.oversized ? outOfMemory(this.#options.code.memoryMb) : excess;
    if (reason) this.#died(reason);
  }

  async #serve(): Promise<void> {
    let connection: Deno.UnixConn;
    try {
      connection = await this.#process.connected;
    } catch {
      return; // `ended` tells the calls.
    }
    let entry: string;
    try {
      entry = await this.#entry;
    } catch (error) {
      connection.close();
      // The process has ended meanwhile, and says why.
      if (error instanceof DOMException && error.name === "AbortError") return;
      return this.#notCopied(error);
    }
    // Calls come in turns of their own, and answers go out when all frames that were read are handled.
    const writer = this.#writer = new FrameWriter(
      (bytes) => connection.write(bytes),
      () => false,
      this.#options.queues.add,
    );
    try {
      const start: StartMeta = { entry, route: this.#options.route };
      writer.send(ToSandbox.Start, 0, JSON.stringify(start));
      await readFrames(
        (into) => connection.read(into),
        (type, id, meta, body) => this.#receive(type, id, meta, body),
        () => this.#pause(writer),
        limitsOf,
      );
      // The worker has ended, though its process may live on: nothing will ever come from it.
      await this.#connectionEnded("The worker closed its connection.");
    } catch (error) {
      const reason = `The connection to the process broke: ${messageOf(error)}.`;
      // A process that violates the protocol is ended at once; one that was killed leaves its connection reset.
      if (error instanceof ProtocolError) this.#died(reason);
      else await this.#connectionEnded(reason);
    } finally {
      connection.close();
    }
  }

  /** A full disk, say. */
  #notCopied(error: unknown): void {
    if (this.#over) return;
    const text = `The function's code could not be copied for its process: ${messageOf(error)}.`;
    this.#options.onLog({ kind: "error", level: "error", text, request: undefined });
    this.stop("Its code could not be copied.");
  }

  /**
   * Waits a moment for the process to end, as the way it ended says more than `reason`; its socket closes first.
   * Meanwhile it takes no calls.
   */
  async #connectionEnded(reason: string): Promise<void> {
    if (this.#over) return;
    this.#isCutOff = true;
    await settledWithin(this.#exited, END_WAIT_MS);
    this.#died(reason);
  }

  /** A process that does not read, or that prints without end, is not read from either: what it sends waits with it. */
  #pause(writer: FrameWriter): Promise<void> | undefined {
    if (this.#options.queues.isFull(writer.queuedBytes)) return writer.drained();
    const { waitMs } = this.#output;
    return waitMs > 0 ? new Promise((resolve) => setTimeout(resolve, waitMs)) : undefined;
  }

  #receive(type: number, id: number, meta: string, body: Uint8Array): void {
    if (this.#over) return;
    const invocation = this.#invocations.get(id);
    switch (type) {
      case ToHost.Ready:
        return this.#loaded(meta);
      case ToHost.LoadFailed:
        if (this.#ready) throw new ProtocolError("LoadFailed after Ready");
        return this.#fail(new CallFailure("load-failed", true, this.#textOf(meta)));
      case ToHost.Response: {
        const response = this.#readResponse(meta);
        return invocation?.respond(response, body, this.#writer!);
      }
      case ToHost.Chunk:
        return invocation?.receiveChunk(body);
      case ToHost.ChunkEnd:
        return invocation?.endChunks();
      case ToHost.Failed:
        return invocation && this.#handlerFailed(invocation, meta);
      case ToHost.Ask:
        return this.#answer(invocation, id, meta);
      case ToHost.Log:
        return this.#log(invocation, meta);
      case ToHost.Dropped:
        return this.#output.dropped(...parseDropped(meta));
      case ToHost.Credit:
        return invocation?.receiveCredit(Number(meta));
      case ToHost.Pong:
        this.#pongMissing = false;
        return;
      case ToHost.Background:
        return invocation?.backgroundBegan();
      case ToHost.Settled: {
        const outcome = parseSettled(meta);
        return invocation?.settled(outcome);
      }
      case ToHost.Lookup:
        return this.#lookups.take(parseLookup(meta));
      case ToHost.Recalled:
        return this.#lease.takenBack(Number(meta));
      default:
        throw new ProtocolError(`a frame of unknown type ${type}`);
    }
  }

  #handlerFailed(invocation: HostInvocation<C>, meta: string): void {
    const why = this.#output.allow(meta.length)
      ? this.#textOf(meta)
      : "What it threw is not shown: it prints too much.";
    invocation.failed(why);
  }

  #loaded(shown: string): void {
    if (this.#ready) throw new ProtocolError("Ready twice");
    this.#ready = true;
    this.#lease.clockShowed(Number(shown || NaN));
    this.#options.onReady();
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    for (const invocation of waiting) this.#send(invocation);
    // Calls that gave up while it was loading have left nothing to do.
    if (this.idle) this.#becameIdle();
  }

  #send(invocation: HostInvocation<C>): void {
    if (invocation.over) return;
    if (!this.#options.entitlements.isCurrent(invocation.request.caller)) return invocation.fail(outdated());
    this.#invocations.add(invocation);
    const { request } = invocation;
    const { body } = request;
    const mode = body === null ? BodyMode.None : body instanceof Uint8Array ? BodyMode.Whole : BodyMode.Stream;
    const ahead = this.#answerAhead(invocation);
    const meta: CallMeta = [
      request.method,
      request.url,
      request.path,
      request.headers,
      request.params,
      request.requestId,
      request.requestedAt,
      request.group,
      mode,
      ahead === undefined ? 0 : this.#lease.begin(),
      [],
    ];
    const text = JSON.stringify(meta);
    this.#writer!.send(
      ToSandbox.Call,
      invocation.id,
      // The answers are JSON already.
      ahead === undefined ? text : `${text.slice(0, -"[]]".length)}${ahead}]`,
      body instanceof Uint8Array ? body : undefined,
    );
    invocation.sent(this.#writer!);
  }

  /** JSON of what the call is told ahead; undefined if nothing. */
  #answerAhead(invocation: HostInvocation<C>): string | undefined {
    const { expected } = this.#foresight;
    if (expected.length === 0 || !this.#lease.canBegin) return undefined;
    try {
      const ahead = this.#options.answerer.ahead(invocation.request.caller, expected);
      if (!ahead || ahead.questions.length === 0) return undefined;
      invocation.told = ahead.questions.length === expected.length ? expected : ahead.questions;
      return ahead.json;
    } catch {
      // It will ask, and hear then what is wrong.
      return undefined;
    }
  }

  /**
   * Takes back the answers that were sent along with calls: settles when none of them will be used any more;
   * undefined if there are none.
   */
  recallAnswers(): Promise<void> | undefined {
    return this.#lease.takeBack();
  }

  /** Identity is the channel: the caller is taken from the invocation's own record, the frame only names which. */
  #answer(invocation: HostInvocation<C> | undefined, id: number, meta: string): void {
    const [ask, kind, name, scope] = parseAsk(meta);
    let answer: AnswerMeta = [ask, "ended"];
    if (invocation?.mayAsk && this.#options.entitlements.isEntitled(invocation.request.caller)) {
      invocation.asks([kind, name, scope]);
      try {
        answer = [ask, "ok", this.#options.answerer.answer(invocation.request.caller, kind, name, scope)];
      } catch (error) {
        // Our own fault, a disk error say: the call goes on and may do without.
        const text = `A secret could not be looked up: ${messageOf(error)}.`;
        this.#options.onLog({ kind: "error", level: "error", text, request: invocation.request });
        answer = [ask, "failed"];
      }
    }
    this.#writer!.send(ToSandbox.Answer, id, JSON.stringify(answer));
  }

  #log(invocation: HostInvocation<C> | undefined, meta: string): void {
    if (!this.#output.allow(meta.length)) return;
    const [level, text] = parseLog(meta);
    this.#options.onLog({ kind: "print", level, text: this.#textOf(text), request: invocation?.request });
  }

  #textOf(text: string): string {
    return this.#process.readable(text.slice(0, LOG_TEXT_MAX_LENGTH));
  }

  /** Questions asked in the background are not prefetched: the response lists the answers used until then. */
  #responseEnded(invocation: HostInvocation<C>): void {
    if (this.#over) return;
    this.#endedCalls++;
    if (invocation.responded) this.#foresight.learn(invocation);
  }

  #backgroundEnded(
    { request }: HostInvocation<C>,
    outcome: BackgroundOutcome,
    durationMs: number,
  ): void {
    this.#options.onBackgroundEnd?.(outcome, durationMs);
    if (outcome !== "timeout" && !this.#over) return;
    if (outcome === "timeout") this.#hasLeftovers = true;
    const after = `${Math.round(durationMs)} ms after the response`;
    const text = this.#over
      ? `Work in the background was cut off ${after}: ${this.#over.message}`
      : `Work in the background did not end within ${after}; it gets no more secrets, and ends with its process.`;
    this.#options.onLog({ kind: "error", level: "warn", text, request });
  }

  #invocationEnded(invocation: HostInvocation<C>): void {
    this.#invocations.delete(invocation.id);
    this.#options.onCallEnd?.(invocation.request.caller);
    if (this.#over) return;
    this.#output.callEnded();
    if (!this.#ready) this.#waiting = this.#waiting.filter((other) => other !== invocation);
    if (this.idle) this.#becameIdle();
  }

  #becameIdle(): void {
    if (this.#retired) this.stop("It was replaced.");
    else if (this.#hasLeftovers) this.stop("Work of an ended call may have gone on in it.");
    else this.#options.onIdle();
  }

  #died(reason: string): void {
    this.#fail(new CallFailure("died", true, reason));
  }

  /** The end of this sandbox: its calls fail, the process is killed. Only the first reason counts. */
  #fail(failure: CallFailure): void {
    if (this.#over) return;
    this.#over = failure;
    this.#output.reportDropped();
    this.#options.onOver(failure);
    const { kind, message } = failure;
    const unsent = new CallFailure(kind, kind === "load-failed", message);
    for (const invocation of this.#waiting) invocation.fail(unsent);
    for (const invocation of this.#invocations.items()) invocation.fail(failure);
    this.#waiting = [];
    this.#invocations.clear();
    this.#lease.end();
    this.#lookups.end();
    this.#process.kill();
  }

  #ping(now: number): void {
    if (this.#pongMissing) {
      const patienceMs = this.#options.limits().timeoutMs + PONG_GRACE_MS;
      if (now - this.#pingSentAt > patienceMs) this.stop("The worker did not react in time.");
    } else if (now - this.#pingSentAt > PING_INTERVAL_MS) {
      this.#pingSentAt = now;
      this.#pongMissing = true;
      this.#writer!.send(ToSandbox.Ping, 0);
    }
  }

  #takeId(): number {
    const id = this.#nextId;
    // An id that is in use is never given twice, even after four billion calls.
    do this.#nextId = this.#nextId === LAST_INVOCATION_ID ? 1 : this.#nextId + 1; while (
      this.#invocations.get(this.#nextId)
    );
    return id;
  }
}

const LIMITS: Readonly<Record<number, FrameLimits>> = TO_HOST_LIMITS;

function limitsOf(type: number): FrameLimits | undefined {
  return LIMITS[type];
}
