// Runs one sandbox process for the host: starts it, loads a handler, sends calls, and kills it. The process is not
// trusted: everything that it sends is validated and bounded.

import { reasonOf } from "../../errors.ts";
import type { Budget, Queues } from "./budget.ts";
import { causeOfDeath, outOfMemory } from "./death.ts";
import { CallFailure, outdated } from "./failure.ts";
import { Prefetch, type PrefetchedAnswers } from "./prefetch.ts";
import { IdTable } from "../wire/id_table.ts";
import {
  type BackgroundOutcome,
  type CallBounds,
  type CallRequest,
  type CallResponse,
  HostInvocation,
  type InvocationOwner,
} from "./invocation.ts";
import { Fetches, type SealedSender } from "./fetches.ts";
import { Lookups } from "./lookups.ts";
import { SeenHosts } from "./seen_hosts.ts";
import type { SealedValues } from "./sealed_values.ts";
import { createResponseParser, parseAsk, parseDropped, parseLog, parseLookup, parseSettled } from "../wire/payloads.ts";
import { OutputLimiter } from "./output_limiter.ts";
import { type Code, type ProcessOptions, type SandboxProcess, startProcess } from "../process/process.ts";
import {
  type AnswerPayload,
  type AskPayload,
  BodyMode,
  type CallPayload,
  type FrameLimits,
  FrameWriter,
  LOG_TEXT_MAX_LENGTH,
  type LogPayload,
  ProtocolError,
  type Question,
  readFrames,
  type RouteInfo,
  type StartPayload,
  TO_HOST_LIMITS,
  ToHost,
  ToSandbox,
} from "../wire/protocol.ts";
import type { CheckedHosts } from "../process/permission_audit.ts";
import { settledWithin } from "../process/settled.ts";
import { CpuMonitor } from "./cpu_monitor.ts";

/** Answers questions of handlers. The host knows the caller from its own record of the invocation. */
export interface Answerer<C> {
  answer(caller: C, kind: AskPayload[1], name: string, scope: string | null): unknown;
  /**
   * Returns answers to the questions that the call is expected to ask, which are sent with it; undefined if this call
   * has to ask.
   */
  prefetch(caller: C, questions: readonly Question[]): PrefetchedAnswers | undefined;
}

/** Who makes a call, with its rights. */
export interface HostedCaller {
  /** Whether nothing changed since the call was admitted, so that it may be sent to a process. */
  readonly isCurrent: boolean;
  /** Whether the call may still ask for secrets and answer. */
  readonly isEntitled: boolean;
  /** The sealed values that the call was given; undefined if none. */
  readonly sealedValues?: SealedValues | undefined;
  /** Called when a sandbox has accepted the call. */
  accepted(): void;
  /** Called when an accepted call has ended with all of its work, and gets no more secrets. */
  ended(): void;
}

/** Output of the handler, a count of dropped lines, or an error of the host. */
export interface LogLine<C> {
  readonly kind: "print" | "dropped" | "error";
  readonly level: LogPayload[0];
  readonly text: string;
  /** The call that the line belongs to, if it is known. */
  readonly request: CallRequest<C> | undefined;
}

export interface SandboxOptions<C extends HostedCaller> {
  readonly code: Code;
  readonly route: RouteInfo;
  /** A process that was started in advance with the profile of `code`; otherwise one is started. */
  readonly spare: SandboxProcess | undefined;
  readonly process: ProcessOptions;
  readonly answerer: Answerer<C>;
  /** Sends the requests of this sandbox that may carry sealed values; without it, they fail. */
  readonly sealedSender?: SealedSender;
  /** The memory that calls may use in the host. */
  readonly held: Budget;
  /** The bytes that wait for all processes. */
  readonly queues: Queues;
  /** Read for each call, so that a changed setting applies at once. */
  limits(): { readonly timeoutMs: number; readonly maxCalls: number };
  onLog(line: LogLine<C>): void;
  /** Called when the work that a call passed to `ctx.waitUntil` has ended, `durationMs` after its response. */
  onBackgroundEnd?(outcome: BackgroundOutcome, durationMs: number): void;
  /** Called with each sample of the memory that the process uses once the handler is loaded. */
  onMemory?(memoryMb: number): void;
  /** Called with hosts that the process may connect to and asked for, and how often: see permission_audit.ts. */
  onHosts?(hosts: CheckedHosts): void;
  /** Called once, when the handler is loaded. */
  onReady(): void;
  /** Called when the last call has ended. */
  onIdle(): void;
  /** Called once, when it failed or was stopped and accepts no more calls; its process may live a moment longer. */
  onOver(reason: CallFailure): void;
  /** Called once, when the process is gone. */
  onEnd(): void;
}

/** How often the worker is pinged, to find one that is in a loop after its call ended. */
const PING_INTERVAL_MS = 5_000;
/** Added to the time-out, so that a call that was sent right after the ping times out first and gets a 504. */
const PONG_GRACE_MS = 1_000;
/** How often memory and processor time of a process are sampled. */
const SAMPLE_INTERVAL_MS = 500;
/** How long to wait for the end of a process after its connection ended. */
const END_WAIT_MS = 250;
const LAST_INVOCATION_ID = 0xffff_ffff;

export class Sandbox<C extends HostedCaller> {
  readonly #options: SandboxOptions<C>;
  readonly #process: SandboxProcess;
  readonly #entry: Promise<string>;
  /** Calls from their frame to their end, including work in the background. */
  readonly #invocations = new IdTable<HostInvocation<C>>();
  readonly #owner: InvocationOwner<C> = {
    responseEnded: (invocation) => this.#responseEnded(invocation),
    ended: (invocation) => this.#invocationEnded(invocation),
    backgroundEnded: (invocation, outcome, durationMs) => this.#backgroundEnded(invocation, outcome, durationMs),
  };
  /** Calls that were accepted while the handler is loading. */
  #waiting: HostInvocation<C>[] = [];
  /** The bytes of their bodies. */
  #waitingBytes = 0;
  #writer: FrameWriter | undefined;
  #ready = false;
  #nextId = 1;
  readonly #parseResponse = createResponseParser();
  readonly #prefetch: Prefetch<C>;
  readonly #output = new OutputLimiter(
    () => this.#endedCalls,
    (text) => this.#options.onLog({ kind: "dropped", level: "warn", text, request: undefined }),
  );
  readonly #lookups: Lookups;
  readonly #fetches: Fetches;
  #over: CallFailure | undefined;
  #retired = false;
  /** Whether its connection has ended; its process may live a moment longer. */
  #isDisconnected = false;
  /** Whether work of an ended call may still run in the process, which is therefore stopped once it has no call. */
  #hasLeftovers = false;
  #pingSentAt = 0;
  #pongMissing = false;
  #sampledAt = 0;
  readonly #hosts = new SeenHosts((hosts) => this.#options.onHosts?.(hosts));
  /** The hosts that requests with sealed values were sent to since the last sample, each with how often. */
  #sentTo = new Map<string, number>();
  readonly #cpu = new CpuMonitor();
  #endedCalls = 0;
  lastUsedAt = 0;
  /** Resolves when the process is gone and its connection is closed. */
  readonly ended: Promise<void>;
  /** Resolves when the process is gone. */
  readonly #exited: Promise<void>;

  constructor(options: SandboxOptions<C>) {
    this.#options = options;
    this.#prefetch = new Prefetch<C>(
      (caller, questions) => options.answerer.prefetch(caller, questions),
      (revocation) => this.#writer!.send(ToSandbox.Revoke, 0, String(revocation)),
    );
    this.#lookups = new Lookups({
      net: options.code.net,
      denied: options.process.denyNet,
      resolve: Deno.resolveDns,
      answer: (payload) => this.#writer!.send(ToSandbox.Looked, 0, payload),
    });
    this.#fetches = new Fetches({
      net: options.code.net,
      sender: options.sealedSender,
      writer: () => this.#writer!,
      onSend: (host) => this.#sentTo.set(host, (this.#sentTo.get(host) ?? 0) + 1),
    });
    this.#process = options.spare ?? startProcess(options.code, options.process);
    this.#process.watchHosts((hosts) => this.#hosts.add(hosts));
    this.#entry = this.#process.installCode(options.code.files, options.code.sources);
    // It is awaited once the process has connected, which may never happen.
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

  /** Calls that run, or wait for the handler to be loaded. */
  get calls(): number {
    return this.#invocations.size + this.#waiting.length;
  }

  /** The share of a processor that it used recently. */
  get load(): number {
    return this.#cpu.load;
  }

  /** Whether it answers calls as fast as one processor allows, and has more calls waiting. */
  get saturated(): boolean {
    return this.#cpu.isSaturated && this.#invocations.size > 1;
  }

  /** Whether it accepts no more calls. */
  get closed(): boolean {
    return this.#over !== undefined || this.#retired || this.#isDisconnected;
  }

  /**
   * Sends a call. If it fails before its response, `onUnsent` provides the response.
   * @throws CallFailure, also by rejecting
   */
  call(
    request: CallRequest<C>,
    onUnsent?: (failure: CallFailure) => Promise<CallResponse>,
  ): Promise<CallResponse> {
    if (this.#over) throw this.#over;
    const { maxCalls, timeoutMs } = this.#options.limits();
    const full = this.calls >= maxCalls ||
      this.#options.queues.isFull((this.#writer?.queuedBytes ?? 0) + this.#waitingBytes);
    if (full) {
      throw new CallFailure(
        "no-room",
        false,
        "The function has its maximum of calls (sandbox.max-calls), or its process does not read.",
      );
    }
    const invocation = new HostInvocation(
      this.#takeId(),
      request,
      timeoutMs,
      this.#owner,
      this.#options.held,
      onUnsent,
    );
    request.caller.accepted();
    if (this.#ready) {
      this.#send(invocation);
    } else {
      this.#waiting.push(invocation);
      if (request.body instanceof Uint8Array) this.#waitingBytes += request.body.byteLength;
    }
    return invocation.response;
  }

  /** Accepts no more calls, and ends the process after the running ones. */
  retire(): void {
    this.#retired = true;
    // A disconnected process has died, and the cause will be known in a moment.
    if (this.idle && !this.#isDisconnected) this.stop("It was replaced.");
  }

  /** Ends the process now. Running calls fail as `stopped`. */
  stop(reason: string): void {
    this.#fail(new CallFailure("stopped", true, reason));
  }

  /** Ends late calls, and the process if its worker is stuck. `now` is `performance.now()`. */
  tick(now: number): void {
    if (this.#over) return;
    let isStuck = false;
    for (const invocation of [...this.#waiting, ...this.#invocations.items()]) {
      if (!invocation.isLate(now)) invocation.watchClient();
      else if (invocation.timedOut()) isStuck = true;
    }
    // The end of the last call may have ended the process.
    if (this.#over) return;
    if (isStuck) {
      const how = this.#ready ? "did not answer" : "did not finish loading";
      // The late calls have failed as time-outs. The other calls of the process end with it.
      return this.stop(`The process was stopped because another call ${how} in time.`);
    }
    if (now - this.#sampledAt > SAMPLE_INTERVAL_MS) {
      this.#sampledAt = now;
      // There may be no further line that would do this.
      this.#output.rollWindow();
      void this.#sampleUsage();
    }
    if (this.#ready) this.#ping(now);
  }

  /** Ends calls that lost their right, or have run for too long. `now` is `performance.now()`. */
  enforce(now: number, bounds: CallBounds): void {
    for (const invocation of [...this.#invocations.items()]) {
      invocation.enforce(invocation.request.caller.isEntitled, now, bounds);
    }
  }

  /** Reports them together, as each request would wait for it otherwise. */
  #reportSentTo(): void {
    if (this.#sentTo.size === 0) return;
    this.#hosts.add(this.#sentTo);
    this.#sentTo = new Map();
  }

  async #sampleUsage(): Promise<void> {
    this.#hosts.repeat();
    this.#reportSentTo();
    const usage = await this.#process.sampleUsage();
    if (!usage) return;
    if (this.#ready) this.#options.onMemory?.(usage.memoryMb);
    const excess = this.#cpu.sample({
      now: performance.now(),
      cpuMs: usage.cpuMs,
      endedCalls: this.#endedCalls,
      isIdle: this.idle && this.#ready,
    });
    const reason = usage.oversized ? outOfMemory(this.#options.code.memoryMb) : excess;
    if (reason) this.#died(reason);
  }

  async #serve(): Promise<void> {
    let connection: Deno.UnixConn;
    try {
      connection = await this.#process.connected;
    } catch {
      return; // `#exited` fails the calls.
    }
    let entry: string;
    try {
      entry = await this.#entry;
    } catch (error) {
      connection.close();
      // The process has ended meanwhile, and `#exited` has the cause.
      if (error instanceof DOMException && error.name === "AbortError") return;
      return this.#notCopied(error);
    }
    // Never busy: each call arrives in its own turn, and answers are written after all frames that were read.
    const writer = this.#writer = new FrameWriter(
      (bytes) => connection.write(bytes),
      () => false,
      this.#options.queues.add,
    );
    try {
      const start: StartPayload = { entry, route: this.#options.route };
      writer.send(ToSandbox.Start, 0, JSON.stringify(start));
      await readFrames(
        (into) => connection.read(into),
        (type, id, payload, body) => this.#receive(type, id, payload, body),
        () => this.#pause(writer),
        limitsOf,
      );
      // The worker has ended and will send nothing more, although its process may still live.
      await this.#connectionEnded("The worker closed its connection.");
    } catch (error) {
      const reason = `The connection to the process failed: ${reasonOf(error)}.`;
      // A process that violates the protocol is killed at once. The connection of a killed process is reset.
      if (error instanceof ProtocolError) this.#died(reason);
      else await this.#connectionEnded(reason);
    } finally {
      connection.close();
    }
  }

  /** Handles an error of copying, for example a full disk. */
  #notCopied(error: unknown): void {
    if (this.#over) return;
    const text = `The function's code could not be copied for its process: ${reasonOf(error)}.`;
    this.#options.onLog({ kind: "error", level: "error", text, request: undefined });
    this.stop("Its code could not be copied.");
  }

  /**
   * Waits a moment for the process to end, as its exit status says more than `reason`; its socket closes first.
   * Accepts no calls meanwhile.
   */
  async #connectionEnded(reason: string): Promise<void> {
    if (this.#over) return;
    this.#isDisconnected = true;
    await settledWithin(this.#exited, END_WAIT_MS);
    this.#died(reason);
  }

  /** Stops reading from a process that does not read, or that floods its output: what it sends waits in the process. */
  #pause(writer: FrameWriter): Promise<void> | undefined {
    if (this.#options.queues.isFull(writer.queuedBytes)) return writer.drained();
    if (!this.#output.hasOutput) return undefined;
    const { waitMs } = this.#output;
    return waitMs > 0 ? new Promise((resolve) => setTimeout(resolve, waitMs)) : undefined;
  }

  #receive(type: number, id: number, payload: string, body: Uint8Array): void {
    if (this.#over) return;
    const invocation = this.#invocations.get(id);
    switch (type) {
      case ToHost.Ready:
        return this.#loaded(payload);
      case ToHost.LoadFailed:
        if (this.#ready) throw new ProtocolError("LoadFailed after Ready");
        return this.#fail(new CallFailure("load-failed", true, this.#textOf(payload)));
      case ToHost.Response: {
        const response = this.#parseResponse(payload);
        return invocation?.respond(response, body, this.#writer!);
      }
      case ToHost.Chunk:
        return invocation?.receiveChunk(body);
      case ToHost.ChunkEnd:
        return invocation?.endChunks();
      case ToHost.Failed:
        return invocation && this.#handlerFailed(invocation, payload);
      case ToHost.Ask:
        return this.#answer(invocation, id, payload);
      case ToHost.Log:
        return this.#log(invocation, payload);
      case ToHost.Dropped:
        return this.#output.dropped(...parseDropped(payload));
      case ToHost.Credit:
        return invocation?.receiveCredit(Number(payload));
      case ToHost.Pong:
        this.#pongMissing = false;
        return;
      case ToHost.Background:
        return invocation?.backgroundBegan();
      case ToHost.Settled: {
        const outcome = parseSettled(payload);
        return invocation?.settled(outcome);
      }
      case ToHost.Lookup:
        return this.#lookups.take(parseLookup(payload));
      case ToHost.Fetch:
      case ToHost.FetchBody:
      case ToHost.FetchBodyEnd:
      case ToHost.FetchCredit:
      case ToHost.FetchAbort:
        return this.#fetches.receive(type, invocation, id, payload, body);
      case ToHost.Elsewhere:
        return this.#fetches.elsewhere(invocation, payload);
      case ToHost.RevokeAck:
        return this.#prefetch.acknowledged(Number(payload));
      default:
        throw new ProtocolError(`a frame of unknown type ${type}`);
    }
  }

  #handlerFailed(invocation: HostInvocation<C>, payload: string): void {
    const why = this.#output.allow(payload.length)
      ? this.#textOf(payload)
      : "The error is not shown: output limit exceeded.";
    invocation.failed(why);
  }

  #loaded(shown: string): void {
    if (this.#ready) throw new ProtocolError("Ready twice");
    this.#ready = true;
    this.#prefetch.clockShowed(Number(shown || NaN));
    this.#options.onReady();
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    for (const invocation of waiting) this.#send(invocation);
    // All calls may have ended while the handler was loading.
    if (this.idle) this.#becameIdle();
  }

  #send(invocation: HostInvocation<C>): void {
    if (invocation.over) return;
    if (!invocation.request.caller.isCurrent) return invocation.fail(outdated());
    this.#invocations.add(invocation);
    const { request } = invocation;
    const { body } = request;
    const mode = body === null ? BodyMode.None : body instanceof Uint8Array ? BodyMode.Whole : BodyMode.Stream;
    const ahead = this.#prefetch.ahead(request.caller);
    if (ahead) invocation.prefetched = ahead.questions;
    const payload: CallPayload = [
      request.method,
      request.url,
      request.path,
      request.headers,
      request.params,
      request.requestId,
      request.requestedAt,
      request.group,
      mode,
      ahead?.validUntil ?? 0,
      [],
    ];
    const text = JSON.stringify(payload);
    this.#writer!.send(
      ToSandbox.Call,
      invocation.id,
      // The answers are JSON already.
      ahead === undefined ? text : `${text.slice(0, -"[]]".length)}${ahead.json}]`,
      body instanceof Uint8Array ? body : undefined,
    );
    invocation.sent(this.#writer!);
  }

  /**
   * Revokes the answers that were sent with calls, and waits until none of them will be used any more; undefined if
   * there are none.
   */
  revokeAnswers(): Promise<void> | undefined {
    return this.#prefetch.revoke();
  }

  /** Answers a question. The caller comes from the invocation's own record; the frame only names the invocation. */
  #answer(invocation: HostInvocation<C> | undefined, id: number, payload: string): void {
    const [ask, kind, name, scope] = parseAsk(payload);
    let answer: AnswerPayload = [ask, "ended"];
    if (invocation?.mayAsk && invocation.request.caller.isEntitled) {
      invocation.recordQuestion([kind, name, scope]);
      try {
        answer = [ask, "ok", this.#options.answerer.answer(invocation.request.caller, kind, name, scope)];
      } catch (error) {
        // An error of the host, for example of the disk. The call continues and may not need the secret.
        const text = `A secret could not be looked up: ${reasonOf(error)}.`;
        this.#options.onLog({ kind: "error", level: "error", text, request: invocation.request });
        answer = [ask, "failed"];
      }
    }
    this.#writer!.send(ToSandbox.Answer, id, JSON.stringify(answer));
  }

  #log(invocation: HostInvocation<C> | undefined, payload: string): void {
    if (!this.#output.allow(payload.length)) return;
    const [level, text] = parseLog(payload);
    this.#options.onLog({ kind: "print", level, text: this.#textOf(text), request: invocation?.request });
  }

  #textOf(text: string): string {
    return this.#process.toAuthorPaths(text.slice(0, LOG_TEXT_MAX_LENGTH));
  }

  /** Updates the prediction. Questions in the background are not prefetched: the response lists answers used before. */
  #responseEnded(invocation: HostInvocation<C>): void {
    if (this.#over) return;
    this.#endedCalls++;
    if (invocation.responded) this.#prefetch.observe(invocation);
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
      ? `Work in the background was aborted ${after}: ${this.#over.message}`
      : `Work in the background did not end within ${after}. It gets no more secrets, and ends with its process.`;
    this.#options.onLog({ kind: "error", level: "warn", text, request });
  }

  #invocationEnded(invocation: HostInvocation<C>): void {
    this.#invocations.delete(invocation.id);
    if (invocation.sealed) this.#fetches.callEnded(invocation);
    invocation.request.caller.ended();
    if (this.#over) return;
    if (!this.#ready) this.#waiting = this.#waiting.filter((other) => other !== invocation);
    if (this.idle) this.#becameIdle();
  }

  #becameIdle(): void {
    if (this.#retired) this.stop("It was replaced.");
    else if (this.#hasLeftovers) this.stop("Work of an ended call may still run in it.");
    else this.#options.onIdle();
  }

  #died(reason: string): void {
    this.#fail(new CallFailure("died", true, reason));
  }

  /** Ends this sandbox: fails its calls and kills the process. Only the first reason counts. */
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
    this.#prefetch.release();
    this.#lookups.end();
    this.#reportSentTo();
    this.#fetches.close();
    this.#process.kill();
  }

  #ping(now: number): void {
    if (this.#pongMissing) {
      const patienceMs = this.#options.limits().timeoutMs + PONG_GRACE_MS;
      if (now - this.#pingSentAt > patienceMs) this.stop("The worker did not respond in time.");
    } else if (now - this.#pingSentAt > PING_INTERVAL_MS) {
      this.#pingSentAt = now;
      this.#pongMissing = true;
      this.#writer!.send(ToSandbox.Ping, 0);
    }
  }

  #takeId(): number {
    const id = this.#nextId;
    // An id that is in use is never reused, even after four billion calls.
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
