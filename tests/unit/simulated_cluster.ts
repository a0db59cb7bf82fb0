// A cluster without machines: nodes with leases, a log and a table of nodes, in simulated time, with whatever can delay,
// lose, stop or shift them. Everything that happens comes from one stream of random numbers.

import { setImmediate } from "node:timers";
import { EntryPending, StoreUnavailable } from "../../src/cluster/log/errors.ts";
import type { Clocks } from "../../src/cluster/node/clock.ts";
import { NodeLease } from "../../src/cluster/node/lease.ts";
import { Membership } from "../../src/cluster/node/membership.ts";
import { type NodeRow, type NodeTable, RowMacs, type StoredRow } from "../../src/cluster/node/node_row.ts";
import { Renewal, type Replica } from "../../src/cluster/node/renewal.ts";
import { DerivedKey } from "../../src/keyring/derived_key.ts";
import { createSecretKey } from "node:crypto";

const KEY = new DerivedKey(createSecretKey(new Uint8Array(32).fill(7)), "cluster nodes");
const MACS = new RowMacs(KEY, "c1");
/** How long a node waits for an answer of the database. */
const RPC_MAX_MS = 1_000;

export interface SimulationOptions {
  /** From 0 to 1, exclusive. */
  readonly random: () => number;
  readonly nodes: number;
  /** How much faster or slower than real time clocks may run, as a factor from 1. */
  readonly drift: number;
}

export class Simulation {
  now = 0;
  readonly #options: SimulationOptions;
  readonly #events: { at: number; order: number; run: () => void }[] = [];
  #order = 0;
  readonly nodes: SimulatedNode[];
  /** The database: the number of the last entry, and the rows. */
  head = 0;
  readonly rows = new Map<string, { row: NodeRow; mac: string }>();
  databaseDown = false;
  latencyMs = 5;
  /** The last entry whose change was answered. */
  answered = 0;
  readonly violations: string[] = [];

  constructor(options: SimulationOptions) {
    this.#options = options;
    this.nodes = Array.from({ length: options.nodes }, (_, index) => new SimulatedNode(this, `n${index}`));
  }

  get random(): () => number {
    return this.#options.random;
  }

  clockRate(): number {
    const { drift } = this.#options;
    return 1 + (2 * this.random() - 1) * (drift - 1);
  }

  schedule(ms: number, run: () => void): void {
    this.#events.push({ at: this.now + ms, order: this.#order++, run });
    this.#events.sort((a, b) => a.at - b.at || a.order - b.order);
  }

  /** Runs everything that happens in the next `ms`, and checks the promise after each event. */
  async run(ms: number): Promise<void> {
    const end = this.now + ms;
    await settled();
    while (this.#events.length > 0 && this.#events[0]!.at <= end) {
      const event = this.#events.shift()!;
      this.now = event.at;
      event.run();
      await settled();
      for (const node of this.nodes) this.#check(node);
    }
    this.now = end;
  }

  /** A change that was answered is seen by every later read. */
  #check({ name, isFrozen, lease, applied }: SimulatedNode): void {
    if (isFrozen || !lease.isLive || applied >= this.answered) return;
    this.violations.push(`at ${this.now} ${name} serves entry ${applied} although ${this.answered} was answered`);
  }

  storedRows(): StoredRow[] {
    return [...this.rows.values()].map(({ row, mac }) => ({ ...row, mac, renewedMsAgo: 0 }));
  }

  wait(): number {
    return this.random() * 2 * this.latencyMs;
  }
}

export class SimulatedNode {
  readonly #world: Simulation;
  readonly name: string;
  #frozenUntil = 0;
  #suspendedMs = 0;
  #wallStepMs = 0;
  readonly #rates: { steady: number; wall: number };
  isPartitioned = false;
  /** Nothing can be applied. */
  isDiskFull = false;
  applyMs = 2;
  applied = 0;
  #known = 0;
  #applying = false;
  #appliedListeners: ((seq: number) => void)[] = [];
  #changedListeners: Parameters<NodeTable["onChanged"]>[0][] = [];
  #appendListeners: Parameters<NodeTable["onAppend"]>[0][] = [];
  /** Counts starts, so that what belongs to an earlier process of the node does nothing. */
  #process = 0;
  lease!: NodeLease;
  membership!: Membership;
  renewal!: Renewal;
  readonly fatal: unknown[] = [];

  constructor(world: Simulation, name: string) {
    this.#world = world;
    this.name = name;
    this.#rates = { steady: world.clockRate(), wall: world.clockRate() };
    this.start();
  }

  /** Kills the process, if there is one, and starts the next. What was applied is kept. */
  start(): void {
    this.#process++;
    this.#appliedListeners = [];
    this.#changedListeners = [];
    this.#appendListeners = [];
    this.#applying = false;
    this.lease = new NodeLease(this.#clocks);
    const now = () => this.#clocks.steadyMs();
    const pause = (ms: number, until: Promise<void>): Promise<void> => {
      const paused = Promise.withResolvers<void>();
      this.#later(ms / this.#rates.steady, () => paused.resolve());
      return Promise.race([paused.promise, until]);
    };
    const table = this.#table();
    this.membership = new Membership({
      table,
      macs: MACS,
      self: this.name,
      now,
      pause,
      onTampered: (error) => this.fatal.push(error),
    });
    this.renewal = new Renewal({
      identity: {
        id: this.name,
        instance: `${this.name} ${this.#process}`,
        url: "",
        version: "1",
        schema: 1,
        startedAt: 0,
      },
      table,
      macs: MACS,
      lease: this.lease,
      replica: this.#replica(),
      now,
      pause,
      onLease: () => {},
      onFatal: (error) => this.fatal.push(error),
    });
    this.renewal.start().catch((error) => this.fatal.push(error));
    void this.#follow(this.#process);
  }

  get isFrozen(): boolean {
    return this.#world.now < this.#frozenUntil;
  }

  /** As SIGSTOP does. */
  freeze(ms: number): void {
    this.#frozenUntil = Math.max(this.#frozenUntil, this.#world.now + ms);
  }

  /** As closing a laptop does. */
  suspend(ms: number): void {
    if (this.isFrozen) return;
    this.freeze(ms);
    this.#suspendedMs += ms;
  }

  setClock(byMs: number): void {
    this.#wallStepMs += byMs;
  }

  /** Makes a change, and reports its number once it is answered. It is lost if the database or the node fails. */
  async change(): Promise<void> {
    const process = this.#process;
    try {
      const seq = await this.#append();
      await this.#catchUp(seq);
      await this.membership.applied(seq);
      if (process === this.#process) this.#world.answered = Math.max(this.#world.answered, seq);
    } catch (error) {
      if (!(error instanceof StoreUnavailable || error instanceof EntryPending)) throw error;
    }
  }

  /** Appends as who holds the writers' lock: only after everything before was applied. */
  async #append(): Promise<number> {
    while (true) {
      const head = await this.#ask(() => this.#world.head);
      await this.#catchUp(head);
      const asked = this.#clocks.steadyMs();
      const appended = await this.#ask(() => {
        if (this.#world.head !== head) return undefined;
        this.#world.head++;
        for (const node of this.#world.nodes) node.#notified(this.#world.head);
        return { seq: this.#world.head, rows: this.#world.storedRows() };
      });
      if (appended === undefined) continue;
      const answered = this.#clocks.steadyMs();
      for (const listener of this.#appendListeners) listener({ ...appended, asked, answered });
      return appended.seq;
    }
  }

  #replica(): Replica {
    const applied = () => this.applied;
    return {
      get applied() {
        return applied();
      },
      catchUp: (seq) => this.#catchUp(seq),
      onApplied: (listener) => {
        this.#appliedListeners.push(listener);
        return () => {};
      },
    };
  }

  get #clocks(): Clocks {
    const real = () => this.#world.now;
    return {
      steadyMs: () => (real() - this.#suspendedMs) * this.#rates.steady,
      uptimeS: () => Math.ceil(real() / 1_000),
      wallMs: () => real() * this.#rates.wall + this.#wallStepMs,
    };
  }

  /** Runs after `ms`, unless the process is stopped then: in that case, when it continues; never in a later process. */
  #later(ms: number, run: () => void, process = this.#process): void {
    const attempt = (): void => {
      if (process !== this.#process) return;
      if (this.isFrozen) this.#world.schedule(this.#frozenUntil - this.#world.now, attempt);
      else run();
    };
    this.#world.schedule(ms, attempt);
  }

  /** Asks the database; what it does there may happen although no answer comes. */
  #ask<T>(work: () => T): Promise<T> {
    const world = this.#world;
    const process = this.#process;
    const answer = Promise.withResolvers<T>();
    // The process that asked may be killed meanwhile.
    answer.promise.catch(() => {});
    this.#later(RPC_MAX_MS, () => answer.reject(new StoreUnavailable("no answer")));
    if (world.databaseDown) this.#later(1, () => answer.reject(new StoreUnavailable("refused")));
    if (world.databaseDown || this.isPartitioned) return answer.promise;
    world.schedule(world.wait(), () => {
      if (world.databaseDown) return;
      const result = work();
      if (!this.isPartitioned) this.#later(world.wait(), () => answer.resolve(result), process);
    });
    return answer.promise;
  }

  #table(): NodeTable {
    const world = this.#world;
    const notify = (row: NodeRow, mac: string): void => {
      for (const node of world.nodes) {
        if (node.isPartitioned || world.random() < 0.05) continue;
        const listeners = node.#changedListeners;
        node.#later(world.wait(), () => listeners.forEach((listener) => listener({ ...row, mac })));
      }
    };
    return {
      list: () => this.#ask(() => world.storedRows()),
      renew: (row, mac, isNews) =>
        this.#ask(() => {
          const before = world.rows.get(row.id)?.row;
          if (before?.instance !== row.instance || before.counter >= row.counter) return undefined;
          world.rows.set(row.id, { row, mac });
          if (isNews) notify(row, mac);
          return { seq: world.head, mac: "" };
        }),
      acknowledge: (row, mac) => this.#ask(() => notify(row, mac)),
      join: (row, mac, before) =>
        this.#ask(() => {
          if (world.rows.get(row.id)?.mac !== before?.mac) return undefined;
          world.rows.set(row.id, { row, mac });
          notify(row, mac);
          return { seq: world.head, mac: "" };
        }),
      forget: () => Promise.resolve(false),
      onChanged: (listener) => {
        this.#changedListeners.push(listener);
        return () => {};
      },
      onAppend: (listener) => {
        this.#appendListeners.push(listener);
        return () => {};
      },
    };
  }

  #notified(seq: number): void {
    if (this.isPartitioned || this.#world.random() < 0.1) return;
    this.#later(this.#world.wait(), () => {
      this.#catchUp(seq).catch(() => {});
    });
  }

  /** Applies entries one after the other, each after a while. */
  #catchUp(seq: number): Promise<void> {
    this.#known = Math.max(this.#known, seq);
    if (this.applied >= seq) return Promise.resolve();
    const done = Promise.withResolvers<void>();
    this.#appliedListeners.push((applied) => applied >= seq && done.resolve());
    this.#apply();
    return this.isDiskFull ? Promise.reject(EntryPending.of(this.applied + 1, { code: "ENOSPC" })) : done.promise;
  }

  #apply(): void {
    if (this.#applying || this.applied >= this.#known) return;
    if (this.isDiskFull) return this.#later(50, () => this.#apply());
    this.#applying = true;
    const read = this.#ask(() => this.#world.head);
    const process = this.#process;
    read.then(() => {
      this.#later(this.applyMs * this.#world.random(), () => {
        this.applied++;
        this.#applying = false;
        for (const listener of [...this.#appliedListeners]) listener(this.applied);
        this.#apply();
      });
    }, () => {
      if (process !== this.#process) return;
      this.#applying = false;
      this.#later(50, () => this.#apply());
    });
  }

  /** Reads the rows now and then, as a node does to show them. */
  async #follow(process: number): Promise<void> {
    while (process === this.#process) {
      await this.membership.read().catch(() => {});
      const paused = Promise.withResolvers<void>();
      this.#later(500, () => paused.resolve());
      await paused.promise;
    }
  }
}

/** Lets all promises settle that can. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
