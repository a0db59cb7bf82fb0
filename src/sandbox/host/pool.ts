// Manages all sandboxes: one for each function in use (or for each of its callers' keys, if they must not share one),
// more where one is not enough, up to a maximum of processes.

import { Budget, Queues } from "./budget.ts";
import { CallFailure, outdated } from "./failure.ts";
import type { Health, Healths } from "./health.ts";
import type { BackgroundOutcome, CallBounds, CallRequest, CallResponse } from "./invocation.ts";
import type { Code, ProcessOptions, Profile } from "../process/process.ts";
import type { CheckedHosts } from "../process/permission_audit.ts";
import type { RouteInfo } from "../wire/protocol.ts";
import type { SealedSender } from "./fetches.ts";
import { type Answerer, type HostedCaller, type LogLine, Sandbox } from "./sandbox.ts";
import { Spares } from "./spares.ts";
import { SECOND_MS } from "../../time.ts";

/** What a call runs: a function's code and settings at one moment. */
export interface Target {
  readonly functionId: number;
  /** Calls with different tenants never share a process. */
  readonly tenant: number;
  /** Identifies the code and all options of the process's start. Another version needs another sandbox. */
  readonly version: string;
  readonly code: Code;
  readonly route: RouteInfo;
  readonly timeoutMs: number;
  /** Hosts that are on trial as the only ones that the function may connect to; undefined without a trial. */
  readonly trialNet?: Profile["net"] | undefined;
}

/** The current limits, each read when it is applied. */
export interface Limits {
  maxProcesses(): number;
  /** Calls of one function at a time. */
  maxCalls(): number;
  /** Processes that a busy function may have, but never more than there are processors. */
  maxPerFunction(): number;
  /** Processes that are started in advance. */
  spareProcesses(): number;
  /** A process without a call for this long ends. */
  idleSeconds(): number;
  maxCallMs(): number;
  revocationGraceMs(): number;
  /** The memory that all calls together may use in the host. */
  callsMemoryMb(): number;
}

export interface PoolOptions<C extends HostedCaller> {
  readonly process: ProcessOptions;
  /** Updated by the pool. Others may read it. */
  readonly health: Healths;
  readonly answerer: Answerer<C>;
  /** Returns what sends the requests with sealed values of a process whose function may connect as `net` says. */
  readonly sealedSender?: (net: Profile["net"]) => SealedSender;
  readonly limits: Limits;
  /** Called when a process is started. The function returned is called once, when it is ready or has failed. */
  onStart?(target: Target): ((failure: CallFailure | undefined) => void) | undefined;
  onLog(target: Target, line: LogLine<C>): void;
  /** As in SandboxOptions. */
  onBackgroundEnd?(target: Target, outcome: BackgroundOutcome, durationMs: number): void;
  /** As in SandboxOptions. */
  onMemory?(target: Target, memoryMb: number): void;
  /** As in SandboxOptions. */
  onHosts?(target: Target, hosts: CheckedHosts): void;
}

/** The sandboxes for the calls of one function and tenant. */
interface SandboxGroup<C extends HostedCaller> {
  /** The target of the last call. Others of the same version differ only in what needs no new process. */
  target: Target;
  /** One, or more while one is not enough. */
  readonly sandboxes: Set<Sandbox<C>>;
  /** The memory that its calls may use in the host. */
  readonly held: Budget;
  /** Since when fewer sandboxes would be enough, by `performance.now()`. */
  underusedSince: number | undefined;
  /** Whether the function may be suspended, as a process has died since its last call was admitted. */
  hasDeaths: boolean;
}

/** A handler that could not be loaded is not tried again for this long, so that its calls cost nothing. */
const LOAD_FAILURE_MS = 1_000;
/** How long a call waits for a free process before it is refused. */
const ROOM_WAIT_MS = 5_000;
const ROOM_WAITERS_MAX = 1_000;
/** A sandbox used within this time is not evicted; it is likely to be called again. */
const EVICTABLE_AFTER_MS = 500;
/** How often deadlines are checked. One timer for all calls is far cheaper than one for each. */
const TICK_MS = 25;
/** How often the number of processes of functions is adjusted. */
const BALANCE_INTERVAL_MS = 500;
/** How often the addresses of this machine and of other nodes are compared. There is no event for a change. */
const ADDRESSES_INTERVAL_MS = 1_000;
/** A process is stopped if the remaining ones would have at most this load each, for this long. */
const UNDERUSED_LOAD = 0.5;
const UNDERUSED_MS = 5_000;
/** The share of the memory budget that one function may use, so that the others always have room. */
const HELD_SHARE = 0.5;
const MB = 1024 * 1024;
/** A delay, so that spares do not slow down the server's own start. */
const FIRST_SPARES_DELAY_MS = 1_000;

export class Pool<C extends HostedCaller> {
  readonly #options: PoolOptions<C>;
  /** By function and tenant. */
  readonly #groups = new Map<string, SandboxGroup<C>>();
  /** The group of each target, without the look-up by name. All sandboxes of a replaced group are closed. */
  readonly #groupOfTarget = new WeakMap<Target, SandboxGroup<C>>();
  /** Every sandbox whose process exists, including those that finish their last calls. */
  readonly #processes = new Set<Sandbox<C>>();
  readonly #health: Healths;
  /** By function and tenant: the failure to load, if the last start failed. */
  readonly #loadFailures = new Map<string, { version: string; at: number; failure: CallFailure }>();
  readonly #waiters = new Set<() => void>();
  readonly #spares: Spares;
  readonly #held: Budget;
  readonly #queues = new Queues();
  readonly #timer: ReturnType<typeof setInterval>;
  #balancedAt = 0;
  #addressesAt = 0;
  /** The addresses of the machine and of other nodes that were denied to the current processes when they started. */
  #addresses: string;
  #stopped = false;

  constructor(options: PoolOptions<C>) {
    this.#options = options;
    this.#health = options.health;
    this.#addresses = this.#currentAddresses();
    this.#held = new Budget(() => options.limits.callsMemoryMb() * MB);
    this.#spares = new Spares({
      process: options.process,
      count: () => options.limits.spareProcesses(),
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

  /** Starts processes for functions with this profile before one is called. */
  prepare(profile: Profile): void {
    this.#spares.prepare(profile, FIRST_SPARES_DELAY_MS);
  }

  /** How many more processes may be started. */
  get #room(): number {
    return this.#options.limits.maxProcesses() - this.#processes.size - this.#spares.size;
  }

  /** Whether any call is running, including its response. */
  get busy(): boolean {
    return [...this.#processes].some((sandbox) => !sandbox.idle);
  }

  health(functionId: number): Health {
    return this.#health.of(functionId);
  }

  /** Returns the ids of the functions that are suspended now. */
  suspended(): number[] {
    return this.#health.suspended();
  }

  /**
   * Runs one call of `target`, in its sandbox or a new one. If the process ends before anything of the call reached it,
   * the call is sent to another one, once.
   * @throws CallFailure, also by rejecting
   */
  call(target: Target, request: CallRequest<C>): Promise<CallResponse> {
    const onUnsent = (failure: CallFailure) => this.#callAgain(target, request, failure);
    const sandbox = this.#warmSandbox(target);
    // Not an async function, which would add time to each call.
    return sandbox
      ? sandbox.call(request, onUnsent)
      : this.#sandbox(target, request).then((sandbox) => sandbox.call(request, onUnsent));
  }

  async #callAgain(target: Target, request: CallRequest<C>, failure: CallFailure): Promise<CallResponse> {
    const isUntouched = !failure.sent && (failure.kind === "stopped" || failure.kind === "died");
    if (!isUntouched || this.#stopped) throw failure;
    return await (await this.#sandbox(target, request)).call(request);
  }

  /**
   * Revokes the answers that were sent with calls, after a change. Waits until no handler will be given an earlier
   * answer any more, a quarter of a second at most.
   */
  async revokeAnswers(): Promise<void> {
    await Promise.all([...this.#processes].map((sandbox) => sandbox.revokeAnswers()));
  }

  /** Lets the sandboxes of a function that was changed, disabled or deleted finish their calls and end. */
  retire(functionId: number): void {
    for (const group of this.#groups.values()) if (group.target.functionId === functionId) this.#retire(group);
    this.#health.forget(functionId);
  }

  /** Kills every process and waits until all are gone. Later calls fail. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    const ended = [...this.#processes].map((sandbox) => sandbox.ended);
    for (const sandbox of this.#processes) sandbox.stop("The server is stopping.");
    await Promise.all([...ended, this.#spares.stop()]);
  }

  /** Returns a sandbox that runs this target already and accepts calls, if there is one. */
  #warmSandbox(target: Target): Sandbox<C> | undefined {
    const group = this.#groupOfTarget.get(target);
    return !group || group.hasDeaths || this.#stopped ? undefined : leastBusy(group);
  }

  async #sandbox(target: Target, { caller }: CallRequest<C>): Promise<Sandbox<C>> {
    const name = nameOf(target);
    const until = performance.now() + ROOM_WAIT_MS;
    while (true) {
      if (this.#stopped) throw new CallFailure("stopped", false, "The server is stopping.");
      // No process is started for an earlier version of the function.
      if (!caller.isCurrent) throw outdated();
      this.#refuseSuspended(target);
      this.#refuseBroken(target);
      const group = this.#groups.get(name);
      const sandbox = group?.target.version === target.version ? leastBusy(group) : undefined;
      if (group && sandbox) {
        group.target = target;
        group.hasDeaths = false;
        this.#groupOfTarget.set(target, group);
        return sandbox;
      }
      // Running calls finish with the code that they started with.
      if (group) this.#retire(group);
      if (this.#room > 0 || this.#spares.has(target.code)) return this.#startGroup(target);
      this.#makeRoom();
      await this.#roomOrTimeout(until);
    }
  }

  #startGroup(target: Target): Sandbox<C> {
    const held = new Budget(() => this.#options.limits.callsMemoryMb() * MB * HELD_SHARE, this.#held);
    const group: SandboxGroup<C> = { target, sandboxes: new Set(), held, underusedSince: undefined, hasDeaths: false };
    const sandbox = this.#start(group);
    this.#groups.set(nameOf(target), group);
    this.#groupOfTarget.set(target, group);
    return sandbox;
  }

  /** Lets all sandboxes of a group finish their calls and end. */
  #retire(group: SandboxGroup<C>): void {
    this.#forget(group);
    for (const sandbox of group.sandboxes) sandbox.retire();
  }

  #forget(group: SandboxGroup<C>): void {
    const name = nameOf(group.target);
    if (this.#groups.get(name) === group) this.#groups.delete(name);
  }

  #refuseSuspended({ functionId }: Target): void {
    const { suspendedUntil, lastDeath } = this.#health.of(functionId);
    if (suspendedUntil === undefined) return;
    const retryAfterSeconds = Math.ceil((suspendedUntil - Date.now()) / 1000);
    const until = new Date(suspendedUntil).toISOString();
    const message = `Its processes died too often. It is suspended until ${until}. ${lastDeath}`;
    throw new CallFailure("suspended", false, message, retryAfterSeconds);
  }

  #refuseBroken(target: Target): void {
    const last = this.#loadFailures.get(nameOf(target));
    if (!last) return;
    if (last.version === target.version && Date.now() - last.at < LOAD_FAILURE_MS) throw last.failure;
    this.#loadFailures.delete(nameOf(target));
  }

  #start(group: SandboxGroup<C>): Sandbox<C> {
    const { process, answerer, sealedSender, limits, onLog } = this.#options;
    const { target } = group;
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
      ...(sealedSender && { sealedSender: sealedSender(target.code.net) }),
      held: group.held,
      queues: this.#queues,
      limits: () => {
        const elsewhere = group.sandboxes.size === 1 ? 0 : callsOf(group) - sandbox.calls;
        return { maxCalls: limits.maxCalls() - elsewhere, timeoutMs: group.target.timeoutMs };
      },
      onLog: (line) => onLog(target, line),
      onBackgroundEnd: (outcome, durationMs) => this.#options.onBackgroundEnd?.(target, outcome, durationMs),
      onMemory: (memoryMb) => this.#options.onMemory?.(target, memoryMb),
      onHosts: (hosts) => this.#options.onHosts?.(target, hosts),
      onReady: () => started(),
      onIdle: () => {
        sandbox.lastUsedAt = performance.now();
      },
      onOver: (reason) => {
        started(reason);
        if (reason.kind === "died") this.#died(target, reason.message);
        if (reason.kind === "load-failed") {
          this.#loadFailures.set(nameOf(target), { version: target.version, at: Date.now(), failure: reason });
        }
      },
      onEnd: () => {
        this.#processes.delete(sandbox);
        group.sandboxes.delete(sandbox);
        if (group.sandboxes.size === 0) this.#forget(group);
        this.#wakeWaiters();
      },
    });
    sandbox.lastUsedAt = performance.now();
    this.#processes.add(sandbox);
    group.sandboxes.add(sandbox);
    return sandbox;
  }

  /** Counts the death of a process. The next calls of each group of the function ask whether it is suspended. */
  #died({ functionId }: Target, reason: string): void {
    this.#health.died(functionId, reason);
    for (const group of this.#groups.values()) if (group.target.functionId === functionId) group.hasDeaths = true;
  }

  /** Ends processes that were idle for long, starts more for busy functions, and stops those no longer needed. */
  #balance(now: number): void {
    this.#balancedAt = now;
    const { limits } = this.#options;
    const bounds: CallBounds = { maxCallMs: limits.maxCallMs(), revocationGraceMs: limits.revocationGraceMs() };
    for (const sandbox of this.#processes) sandbox.enforce(now, bounds);
    const maxPerFunction = Math.min(limits.maxPerFunction(), navigator.hardwareConcurrency);
    const idleMs = limits.idleSeconds() * SECOND_MS;
    for (const [name, { at }] of this.#loadFailures) {
      if (Date.now() - at >= LOAD_FAILURE_MS) this.#loadFailures.delete(name);
    }
    for (const group of this.#groups.values()) {
      for (const sandbox of group.sandboxes) {
        if (sandbox.idle && now - sandbox.lastUsedAt > idleMs) sandbox.retire();
      }
      const open = [...group.sandboxes].filter((sandbox) => !sandbox.closed);
      if (open.length < maxPerFunction && open.length > 0 && open.every((sandbox) => sandbox.saturated)) {
        group.underusedSince = undefined;
        if (this.#room > 0) this.#tryStart(group);
        continue;
      }
      const load = open.reduce((sum, sandbox) => sum + sandbox.load, 0);
      if (open.length <= 1 || load > (open.length - 1) * UNDERUSED_LOAD) group.underusedSince = undefined;
      else if (now - (group.underusedSince ??= now) > UNDERUSED_MS) {
        group.underusedSince = undefined;
        open.at(-1)!.retire();
      }
    }
  }

  /**
   * Replaces every process when the addresses of this machine or of another node have changed since their start: denied
   * addresses, such as those of this server, are flags of the start.
   */
  #followAddresses(now: number): void {
    this.#addressesAt = now;
    const addresses = this.#currentAddresses();
    if (addresses === this.#addresses) return;
    this.#addresses = addresses;
    for (const group of [...this.#groups.values()]) this.#retire(group);
  }

  #currentAddresses(): string {
    const { machineHosts, nodeAddresses, databaseAddresses } = this.#options.process;
    return JSON.stringify([machineHosts(), nodeAddresses(), databaseAddresses()]);
  }

  #tryStart(group: SandboxGroup<C>): void {
    try {
      this.#start(group);
    } catch {
      // For example a full disk. The calls stay with the existing processes.
    }
  }

  /** Wakes all waiting calls: several may use one new process. The rest continue to wait. */
  #wakeWaiters(): void {
    for (const waiter of [...this.#waiters]) waiter();
  }

  /** Ends a spare process, or the least recently used idle sandbox. Its place is free once its process is gone. */
  #makeRoom(): void {
    // A process that is ending already makes room.
    if ([...this.#processes].some((sandbox) => sandbox.closed && sandbox.idle)) return;
    if (this.#spares.drop()) return;
    let oldest: Sandbox<C> | undefined;
    const before = performance.now() - EVICTABLE_AFTER_MS;
    for (const { sandboxes } of this.#groups.values()) {
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

/** Returns the number of calls in all sandboxes of a group. */
function callsOf<C extends HostedCaller>({ sandboxes }: SandboxGroup<C>): number {
  let calls = 0;
  for (const sandbox of sandboxes) calls += sandbox.calls;
  return calls;
}

/** Returns the sandbox with the fewest calls of those that accept calls; undefined if there is none. */
function leastBusy<C extends HostedCaller>({ sandboxes }: SandboxGroup<C>): Sandbox<C> | undefined {
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
