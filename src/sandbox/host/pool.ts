// The sandboxes that are alive: one for each function in use (and for each of its callers' keys, where they
// must not share one), more where one is not enough, at most so many processes in all.

import { Budget } from "./budget.ts";
import { CallFailure, outdated } from "./failure.ts";
import type { Health, Healths } from "./health.ts";
import type { BackgroundOutcome, CallBounds, CallRequest, CallResponse } from "./invocation.ts";
import type { Code, ProcessOptions, Profile } from "../process/process.ts";
import type { RouteInfo } from "../wire/protocol.ts";
import { type Answerer, type Entitlements, type LogLine, Sandbox } from "./sandbox.ts";
import { Queues } from "./queues.ts";
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

export interface Limits extends CallBounds {
  readonly maxProcesses: number;
  readonly maxCalls: number;
  /** How many a function may have that keeps them busy. */
  readonly maxPerFunction: number;
  /** Of the processes, so many are started ahead. */
  readonly spareProcesses: number;
  /** A function's process that has had no call for this long ends. */
  readonly idleMs: number;
}

export interface PoolOptions<C> {
  readonly process: ProcessOptions;
  /** Kept by the pool; others may read it. */
  readonly health: Healths;
  readonly answerer: Answerer<C>;
  readonly entitlements: Entitlements<C>;
  limits(): Limits;
  /** What all calls together may make the host hold. */
  heldMaxBytes(): number;
  /** A process is being started for `target`; what it returns hears once that it is ready, or why it never was. */
  onStart?(target: Target): ((failure: CallFailure | undefined) => void) | undefined;
  onLog(target: Target, line: LogLine<C>): void;
  /** As those of a sandbox. */
  onCallBegin?(caller: C): void;
  onCallEnd?(caller: C): void;
  /** What a call had given to `ctx.waitUntil` has ended, so long after its response. */
  onBackgroundEnd?(target: Target, outcome: BackgroundOutcome, durationMs: number): void;
}

/** What takes the calls of one function and tenant. */
interface Live<C> {
  /** Of the last call: other ones of the same version differ in what no new process is needed for. */
  target: Target;
  /** One; more while one is not enough. */
  readonly sandboxes: Set<Sandbox<C>>;
  /** What its calls may make the host hold. */
  readonly held: Budget;
  /** Since when fewer would do, by `performance.now()`. */
  calmSince: number | undefined;
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
/** How often it is looked at whether functions have too few processes or too many. */
const BALANCE_INTERVAL_MS = 500;
/** How often it is looked at whether this machine has other addresses. There is no event for it. */
const ADDRESSES_INTERVAL_MS = 1_000;
/** With less than this share of a processor for each of the others, for so long, a process is given back. */
const CALM_LOAD = 0.5;
const CALM_MS = 5_000;
/** Of what calls may make the host hold, so much may be one function's: others find room whatever it does. */
const HELD_SHARE = 0.5;
/** The server's own start goes first. */
const FIRST_SPARES_DELAY_MS = 1_000;

export class Pool<C> {
  readonly #options: PoolOptions<C>;
  /** By function and tenant. */
  readonly #live = new Map<string, Live<C>>();
  /** By target: what `#live` holds, without the search for it. Of one that was replaced, all are closed. */
  readonly #running = new WeakMap<Target, Live<C>>();
  /** Every sandbox whose process exists, those that finish their last calls included. */
  readonly #processes = new Set<Sandbox<C>>();
  readonly #health: Healths;
  /** By function and tenant: the last failure to load, if it was the last thing that happened. */
  readonly #loadFailures = new Map<string, { version: string; at: number; failure: CallFailure }>();
  readonly #waiters = new Set<() => void>();
  readonly #spares: Spares;
  readonly #held: Budget;
  readonly #queues = new Queues();
  readonly #timer: ReturnType<typeof setInterval>;
  #balancedAt = 0;
  #addressesAt = 0;
  /** The machine's addresses that were closed to the living processes when they were started. */
  #addresses: string;
  #stopped = false;

  constructor(options: PoolOptions<C>) {
    this.#options = options;
    this.#health = options.health;
    this.#addresses = options.process.machineHosts().join();
    this.#held = new Budget(() => options.heldMaxBytes());
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
      if (now - this.#balancedAt > BALANCE_INTERVAL_MS) this.#balance(now);
      if (now - this.#addressesAt > ADDRESSES_INTERVAL_MS) this.#followAddresses(now);
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
   * @throws CallFailure, also by rejecting
   */
  call(target: Target, request: CallRequest<C>): Promise<CallResponse> {
    const instead = (failure: CallFailure) => this.#callAgain(target, request, failure);
    const sandbox = this.#atHand(target);
    // No async function, for the time that one would add to each call.
    return sandbox
      ? sandbox.call(request, instead)
      : this.#sandbox(target, request).then((sandbox) => sandbox.call(request, instead));
  }

  async #callAgain(target: Target, request: CallRequest<C>, failure: CallFailure): Promise<CallResponse> {
    const isUntouched = !failure.sent && (failure.kind === "stopped" || failure.kind === "died");
    if (!isUntouched || this.#stopped) throw failure;
    return await (await this.#sandbox(target, request)).call(request);
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
    for (const live of this.#live.values()) if (live.target.functionId === functionId) this.#retire(live);
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

  /** A sandbox that runs this very target already, if one takes calls. */
  #atHand(target: Target): Sandbox<C> | undefined {
    const live = this.#running.get(target);
    if (!live || this.#stopped) return undefined;
    this.#refuseSuspended(target);
    return leastBusy(live);
  }

  async #sandbox(target: Target, { caller }: CallRequest<C>): Promise<Sandbox<C>> {
    const name = nameOf(target);
    const until = performance.now() + ROOM_WAIT_MS;
    while (true) {
      if (this.#stopped) throw new CallFailure("stopped", false, "The server is stopping.");
      // No process is started for what a function was before.
      if (!this.#options.entitlements.isCurrent(caller)) throw outdated();
      this.#refuseSuspended(target);
      this.#refuseBroken(target);
      const live = this.#live.get(name);
      const sandbox = live?.target.version === target.version ? leastBusy(live) : undefined;
      if (live && sandbox) {
        live.target = target;
        this.#running.set(target, live);
        return sandbox;
      }
      // Its calls under way finish on the code they began with.
      if (live) this.#retire(live);
      if (this.#room > 0 || this.#spares.has(target.code)) return this.#begin(target);
      this.#makeRoom();
      await this.#roomOrTimeout(until);
    }
  }

  #begin(target: Target): Sandbox<C> {
    const held = new Budget(() => this.#options.heldMaxBytes() * HELD_SHARE, this.#held);
    const live: Live<C> = { target, sandboxes: new Set(), held, calmSince: undefined };
    const sandbox = this.#start(live);
    this.#live.set(nameOf(target), live);
    this.#running.set(target, live);
    return sandbox;
  }

  /** Lets all of its sandboxes finish their calls and end. */
  #retire(live: Live<C>): void {
    this.#forget(live);
    for (const sandbox of live.sandboxes) sandbox.retire();
  }

  #forget(live: Live<C>): void {
    const name = nameOf(live.target);
    if (this.#live.get(name) === live) this.#live.delete(name);
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

  #start(live: Live<C>): Sandbox<C> {
    const { process, answerer, entitlements, limits, onLog } = this.#options;
    const { target } = live;
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
      entitlements,
      held: live.held,
      queues: this.#queues,
      limits: () => {
        const elsewhere = live.sandboxes.size === 1 ? 0 : callsOf(live) - sandbox.calls;
        return { maxCalls: limits().maxCalls - elsewhere, timeoutMs: live.target.timeoutMs };
      },
      onLog: (line) => onLog(target, line),
      onBackgroundEnd: (outcome, durationMs) => this.#options.onBackgroundEnd?.(target, outcome, durationMs),
      onCallBegin: (caller) => this.#options.onCallBegin?.(caller),
      onCallEnd: (caller) => this.#options.onCallEnd?.(caller),
      onReady: () => started(),
      onIdle: () => {
        sandbox.lastUsedAt = performance.now();
      },
      onOver: (reason) => {
        started(reason);
        if (reason.kind === "died") this.#health.died(target.functionId, reason.message);
        if (reason.kind === "load-failed") {
          this.#loadFailures.set(nameOf(target), { version: target.version, at: Date.now(), failure: reason });
        }
      },
      onEnd: () => {
        this.#processes.delete(sandbox);
        live.sandboxes.delete(sandbox);
        if (live.sandboxes.size === 0) this.#forget(live);
        this.#wakeWaiters();
      },
    });
    sandbox.lastUsedAt = performance.now();
    this.#processes.add(sandbox);
    live.sandboxes.add(sandbox);
    return sandbox;
  }

  /** Ends processes that have been idle for long, starts another for functions that keep theirs busy, and takes it back. */
  #balance(now: number): void {
    this.#balancedAt = now;
    const limits = this.#options.limits();
    const { maxPerFunction, idleMs } = limits;
    for (const sandbox of this.#processes) sandbox.enforce(now, limits);
    for (const [name, { at }] of this.#loadFailures) {
      if (Date.now() - at >= LOAD_FAILURE_MS) this.#loadFailures.delete(name);
    }
    for (const live of this.#live.values()) {
      for (const sandbox of live.sandboxes) {
        if (sandbox.idle && now - sandbox.lastUsedAt > idleMs) sandbox.retire();
      }
      const open = [...live.sandboxes].filter((sandbox) => !sandbox.closed);
      if (open.length < maxPerFunction && open.length > 0 && open.every((sandbox) => sandbox.saturated)) {
        live.calmSince = undefined;
        if (this.#room > 0) this.#tryStart(live);
        continue;
      }
      const load = open.reduce((sum, sandbox) => sum + sandbox.load, 0);
      if (open.length <= 1 || load > (open.length - 1) * CALM_LOAD) live.calmSince = undefined;
      else if (now - (live.calmSince ??= now) > CALM_MS) {
        live.calmSince = undefined;
        open.at(-1)!.retire();
      }
    }
  }

  /**
   * Replaces every process when this machine has other addresses than when they were started: what is closed to a
   * process, such as this server on each of them, is a flag of its start.
   */
  #followAddresses(now: number): void {
    this.#addressesAt = now;
    const addresses = this.#options.process.machineHosts().join();
    if (addresses === this.#addresses) return;
    this.#addresses = addresses;
    for (const live of [...this.#live.values()]) this.#retire(live);
  }

  #tryStart(live: Live<C>): void {
    try {
      this.#start(live);
    } catch {
      // A full disk, say: the calls go on where they are.
    }
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
    let oldest: Sandbox<C> | undefined;
    const before = performance.now() - EVICTABLE_AFTER_MS;
    for (const { sandboxes } of this.#live.values()) {
      for (const sandbox of sandboxes) {
        if (!sandbox.idle || sandbox.closed || sandbox.lastUsedAt > before) continue;
        if (!oldest || sandbox.lastUsedAt < oldest.lastUsedAt) oldest = sandbox;
      }
    }
    oldest?.retire();
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

/** Calls under way in all of its sandboxes. */
function callsOf<C>({ sandboxes }: Live<C>): number {
  let calls = 0;
  for (const sandbox of sandboxes) calls += sandbox.calls;
  return calls;
}

/** Of those that take calls, the one with the fewest; undefined if there is none. */
function leastBusy<C>({ sandboxes }: Live<C>): Sandbox<C> | undefined {
  let best: Sandbox<C> | undefined;
  for (const sandbox of sandboxes) {
    if (!sandbox.closed && (!best || sandbox.calls < best.calls)) best = sandbox;
  }
  return best;
}

function nameOf({ functionId, tenant }: Target): string {
  return `${functionId} ${tenant}`;
}

function noRoom(): CallFailure {
  return new CallFailure("no-room", false, "Every sandbox process is busy (sandbox.max-processes).");
}
