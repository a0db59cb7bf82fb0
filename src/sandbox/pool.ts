// The sandboxes that are alive: one for each function in use (and for each of its callers' keys, where they
// must not share one), at most so many processes in all.

import { CallFailure } from "./failure.ts";
import { createHealth, type Health } from "./health.ts";
import type { CallRequest, CallResponse } from "./invocation.ts";
import type { Code, ProcessOptions, Profile } from "./process.ts";
import type { RouteInfo } from "./protocol.ts";
import { type Answerer, type LogLine, Sandbox } from "./sandbox.ts";
import { Spares } from "./spares.ts";

/** What a call runs: a function's code and settings as of one moment. */
export interface Target {
  readonly functionId: number;
  /** Calls with different tenants never share a process. */
  readonly tenant: number;
  /** Another text means another sandbox: it covers the code and everything the process was told at its start. */
  readonly version: string;
  readonly code: Code;
  readonly route: RouteInfo;
  readonly timeoutMs: number;
}

export interface Limits {
  readonly maxProcesses: number;
  readonly maxCalls: number;
  /** Of the processes, so many are started ahead. */
  readonly spareProcesses: number;
}

export interface PoolOptions<C> {
  readonly process: ProcessOptions;
  readonly answerer: Answerer<C>;
  limits(): Limits;
  /** A process is being started for `target`; what it returns hears once that it is ready, or why it never was. */
  onStart?(target: Target): ((failure: CallFailure | undefined) => void) | undefined;
  onLog(target: Target, line: LogLine<C>): void;
}

interface Live<C> {
  readonly target: Target;
  readonly sandbox: Sandbox<C>;
}

/** A handler that could not be loaded is not tried again for so long, so that calls of it cost nothing. */
const LOAD_FAILURE_MS = 1_000;
/** How long a call waits for a process to become free before it is told that there is no room. */
const ROOM_WAIT_MS = 5_000;
const ROOM_WAITERS_MAX = 1_000;
/** What was busy so lately is likely to be called again: it does not make room for a newcomer. */
const EVICTABLE_AFTER_MS = 500;
/** Deadlines are looked at this often: one timer for all calls is far cheaper than one for each. */
const TICK_MS = 25;
/** The server's own start goes first. */
const FIRST_SPARES_DELAY_MS = 1_000;

export class Pool<C> {
  readonly #options: PoolOptions<C>;
  /** By function and tenant: the one sandbox that takes its calls. */
  readonly #live = new Map<string, Live<C>>();
  /** By target: what `#live` holds, without the search for it. One that was replaced is closed. */
  readonly #running = new WeakMap<Target, Sandbox<C>>();
  /** Every sandbox whose process exists, those that finish their last calls included. */
  readonly #processes = new Set<Sandbox<C>>();
  readonly #health = createHealth(Date.now);
  /** By function and tenant: the last failure to load, if it was the last thing that happened. */
  readonly #loadFailures = new Map<string, { version: string; at: number; failure: CallFailure }>();
  readonly #waiters = new Set<() => void>();
  readonly #spares: Spares;
  readonly #timer: ReturnType<typeof setInterval>;
  #stopped = false;

  constructor(options: PoolOptions<C>) {
    this.#options = options;
    this.#spares = new Spares({
      process: options.process,
      count: () => options.limits().spareProcesses,
      room: () => this.#room,
      onEnd: () => this.#wakeWaiters(),
    });
    this.#timer = setInterval(() => {
      const now = performance.now();
      for (const sandbox of this.#processes) sandbox.tick(now);
      if (this.#waiters.size > 0) this.#makeRoom();
    }, TICK_MS);
  }

  /** Starts processes for functions that may do what `profile` says, before one is called. */
  prepare(profile: Profile): void {
    this.#spares.prepare(profile, FIRST_SPARES_DELAY_MS);
  }

  /** How many more processes there may be. */
  get #room(): number {
    return this.#options.limits().maxProcesses - this.#processes.size - this.#spares.size;
  }

  /** Whether any call is under way, its response included. */
  get busy(): boolean {
    return [...this.#processes].some((sandbox) => !sandbox.idle);
  }

  health(functionId: number): Health {
    return this.#health.of(functionId);
  }

  /** Ids of the functions that rest now. */
  suspended(): number[] {
    return this.#health.suspended();
  }

  /**
   * Runs one call of `target`, in its sandbox or a new one.
   * A call of which nothing has reached a process that ended is given to another one, once.
   * @throws CallFailure
   */
  async call(target: Target, request: CallRequest<C>): Promise<CallResponse> {
    try {
      return await (this.#atHand(target) ?? await this.#sandbox(target)).call(request);
    } catch (error) {
      const retry = error instanceof CallFailure && !error.sent && (error.kind === "stopped" || error.kind === "died");
      if (!retry || this.#stopped) throw error;
      return await (await this.#sandbox(target)).call(request);
    }
  }

  /**
   * Something that answers depend on was changed: settles when no answer from before it will be given to a handler
   * any more, a quarter of a second later at most.
   */
  async recallAnswers(): Promise<void> {
    await Promise.all([...this.#processes].map((sandbox) => sandbox.recallAnswers()));
  }

  /** Lets the function's sandboxes finish their calls and end: it was changed, disabled or deleted. */
  retire(functionId: number): void {
    for (const [name, { target, sandbox }] of this.#live) {
      if (target.functionId !== functionId) continue;
      this.#live.delete(name);
      sandbox.retire();
    }
    this.#health.forget(functionId);
  }

  /** Kills every process and waits until all are gone; calls that come later fail. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    const ended = [...this.#processes].map((sandbox) => sandbox.ended);
    for (const sandbox of this.#processes) sandbox.stop("The server is stopping.");
    await Promise.all([...ended, this.#spares.stop()]);
  }

  /** The sandbox that runs this very target already, if it takes calls. */
  #atHand(target: Target): Sandbox<C> | undefined {
    const sandbox = this.#running.get(target);
    if (!sandbox || sandbox.closed || this.#stopped) return undefined;
    this.#refuseSuspended(target);
    sandbox.lastUsedAt = performance.now();
    return sandbox;
  }

  async #sandbox(target: Target): Promise<Sandbox<C>> {
    const name = nameOf(target);
    const until = performance.now() + ROOM_WAIT_MS;
    while (true) {
      if (this.#stopped) throw new CallFailure("stopped", false, "The server is stopping.");
      this.#refuseSuspended(target);
      this.#refuseBroken(target);
      const live = this.#live.get(name);
      if (live && !live.sandbox.closed && live.target.version === target.version) {
        // A setting may have changed that no new process is needed for.
        if (live.target.timeoutMs !== target.timeoutMs) this.#live.set(name, { ...live, target });
        this.#running.set(target, live.sandbox);
        live.sandbox.lastUsedAt = performance.now();
        return live.sandbox;
      }
      if (live) {
        // Its calls under way finish on the code they began with.
        this.#live.delete(name);
        live.sandbox.retire();
      }
      if (this.#room > 0 || this.#spares.has(target.code)) return this.#start(target);
      this.#makeRoom();
      await this.#roomOrTimeout(until);
    }
  }

  #refuseSuspended({ functionId }: Target): void {
    const { suspendedUntil, lastDeath } = this.#health.of(functionId);
    if (suspendedUntil === undefined) return;
    const retryAfterSeconds = Math.ceil((suspendedUntil - Date.now()) / 1000);
    const message = `Its isolates died too often; it rests until ${
      new Date(suspendedUntil).toISOString()
    }. ${lastDeath}`;
    throw new CallFailure("suspended", false, message, retryAfterSeconds);
  }

  #refuseBroken(target: Target): void {
    const last = this.#loadFailures.get(nameOf(target));
    if (!last) return;
    if (last.version === target.version && Date.now() - last.at < LOAD_FAILURE_MS) throw last.failure;
    this.#loadFailures.delete(nameOf(target));
  }

  #start(target: Target): Sandbox<C> {
    const { process, answerer, limits, onLog } = this.#options;
    const name = nameOf(target);
    let onStarted = this.#options.onStart?.(target);
    const started = (failure?: CallFailure): void => {
      onStarted?.(failure);
      onStarted = undefined;
    };
    const sandbox: Sandbox<C> = new Sandbox<C>({
      code: target.code,
      route: target.route,
      spare: this.#spares.take(target.code),
      process,
      answerer,
      limits: () => ({ maxCalls: limits().maxCalls, timeoutMs: (this.#live.get(name)?.target ?? target).timeoutMs }),
      onLog: (line) => onLog(target, line),
      onReady: () => started(),
      onIdle: () => {
        sandbox.lastUsedAt = performance.now();
      },
      onOver: (reason) => {
        started(reason);
        if (reason.kind === "died") this.#health.died(target.functionId, reason.message);
        if (reason.kind === "load-failed") {
          this.#loadFailures.set(name, { version: target.version, at: Date.now(), failure: reason });
        }
      },
      onEnd: () => {
        this.#processes.delete(sandbox);
        if (this.#live.get(name)?.sandbox === sandbox) this.#live.delete(name);
        this.#wakeWaiters();
      },
    });
    sandbox.lastUsedAt = performance.now();
    this.#processes.add(sandbox);
    this.#live.set(name, { target, sandbox });
    this.#running.set(target, sandbox);
    return sandbox;
  }

  /** All of them: whoever starts a process may start it for others, too. The rest wait on. */
  #wakeWaiters(): void {
    for (const waiter of [...this.#waiters]) waiter();
  }

  /** Ends a spare process, or the idle sandbox that was used longest ago; its place is free once its process is gone. */
  #makeRoom(): void {
    // One that is ending makes room already.
    if ([...this.#processes].some((sandbox) => sandbox.closed && sandbox.idle)) return;
    if (this.#spares.drop()) return;
    let oldest: Live<C> | undefined;
    const before = performance.now() - EVICTABLE_AFTER_MS;
    for (const live of this.#live.values()) {
      const { sandbox } = live;
      if (!sandbox.idle || sandbox.closed || sandbox.lastUsedAt > before) continue;
      if (!oldest || sandbox.lastUsedAt < oldest.sandbox.lastUsedAt) oldest = live;
    }
    if (!oldest) return;
    this.#live.delete(nameOf(oldest.target));
    oldest.sandbox.retire();
  }

  async #roomOrTimeout(until: number): Promise<void> {
    if (this.#waiters.size >= ROOM_WAITERS_MAX) throw noRoom();
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiters.delete(woken);
        reject(noRoom());
      }, until - performance.now());
      const woken = () => {
        clearTimeout(timer);
        this.#waiters.delete(woken);
        resolve();
      };
      this.#waiters.add(woken);
    });
  }
}

function nameOf({ functionId, tenant }: Target): string {
  return `${functionId} ${tenant}`;
}

function noRoom(): CallFailure {
  return new CallFailure("no-room", false, "Every sandbox process is busy (sandbox.max-processes).");
}
