// Records which hosts functions connect to, by day. Counts are kept in memory and written later.

import type { BestEffort } from "../best_effort.ts";
import type { FunctionId } from "../ids.ts";
import { type ConnectedHost, type ConnectedHostStore, OTHER_HOSTS } from "../store/connected_hosts.ts";
import { DAY_MS } from "../time.ts";

/** Hosts of a function on one day that are recorded by name: as many as a function can list. */
export const HOSTS_MAX = 100;

export interface ConnectedHostsOptions {
  readonly store: ConnectedHostStore;
  transaction<T>(work: () => T): T;
  readonly now: () => number;
  /** How long counts may wait to be written. */
  readonly delayMs: () => number;
  /** With 0, nothing is recorded. */
  readonly retentionDays: () => number;
  readonly isFunction: (id: FunctionId) => boolean;
  /** Reports whether `host` contains a secret that the function was given, so that it must not be stored. */
  readonly holdsSecret: (id: FunctionId, host: string) => boolean;
  /** Runs work that may fail with the loss of counts, and without other effects. */
  readonly attempt: BestEffort;
}

export class ConnectedHosts {
  readonly #options: ConnectedHostsOptions;
  /** Checks that are not written yet, all of `#day`. */
  #waiting = new Map<FunctionId, Map<string, number>>();
  /** The hosts of `#day` that are recorded by name. */
  readonly #known = new Map<FunctionId, Set<string>>();
  #day = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: ConnectedHostsOptions) {
    this.#options = options;
    const { store, transaction, attempt, isFunction } = options;
    attempt(() =>
      transaction(() => {
        for (const id of store.functionIds()) if (!isFunction(id)) store.forget(id);
      })
    );
  }

  /**
   * Says whether connections are observed here. If they were not before, and there were calls (`hasCalls`), hosts are
   * known from tomorrow on.
   */
  observe(isObserved: boolean, hasCalls: boolean): void {
    const { store, transaction, attempt, now } = this.#options;
    const tomorrow = beginningOfDay(now()) + DAY_MS;
    attempt(() =>
      transaction(() => {
        if (!isObserved) store.setBegin(undefined);
        // A node without calls has missed none: it does not make the others' hosts less known.
        else if (store.ownBegin() === undefined) store.setBegin(hasCalls ? tomorrow : 1);
      })
    );
  }

  /** Adds checks of hosts, each in lower case with its port; 0 for one to which there may still be a connection. */
  record(functionId: FunctionId, hosts: ReadonlyMap<string, number>): void {
    const { now, retentionDays, isFunction, delayMs } = this.#options;
    // A process may outlive its function by a moment.
    if (retentionDays() === 0 || !isFunction(functionId)) return;
    const day = beginningOfDay(now());
    if (day !== this.#day) this.#begin(day);
    const waiting = this.#waiting.get(functionId) ?? new Map<string, number>();
    this.#waiting.set(functionId, waiting);
    for (const [host, checks] of hosts) {
      const name = this.#nameOf(functionId, host);
      waiting.set(name, (waiting.get(name) ?? 0) + checks);
    }
    this.#timer ??= setTimeout(() => this.flush(), delayMs());
  }

  /** Returns the hosts on the day of `since` and later, in order. */
  since(functionId: FunctionId, since: number): ConnectedHost[] {
    this.flush();
    return this.#options.attempt(() => this.#options.store.since(functionId, since)) ?? [];
  }

  /** Since when all hosts are known, in milliseconds since 1970 UTC; undefined if they are not. */
  get begin(): number | undefined {
    return this.#options.attempt(() => this.#options.store.begin());
  }

  /** Writes what was counted so far. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#waiting.size === 0) return;
    const { store, transaction, attempt } = this.#options;
    attempt(() => {
      transaction(() => {
        for (const [id, hosts] of this.#waiting) {
          for (const [host, checks] of hosts) store.add(id, this.#day, host, checks);
        }
      });
      // If this fails, they are written the next time.
      this.#waiting = new Map();
    });
  }

  /** Removes the hosts of a function that was deleted. */
  forget(functionId: FunctionId): void {
    const { store, transaction, attempt } = this.#options;
    this.#waiting.delete(functionId);
    this.#known.delete(functionId);
    attempt(() => transaction(() => store.forget(functionId)));
  }

  /** Returns under which name a host is stored. */
  #nameOf(functionId: FunctionId, host: string): string {
    const { store, attempt, holdsSecret } = this.#options;
    let known = this.#known.get(functionId);
    if (!known) {
      known = new Set(attempt(() => store.ofDay(functionId, this.#day)) ?? []);
      this.#known.set(functionId, known);
    }
    if (known.has(host)) return host;
    if (host === OTHER_HOSTS || known.size >= HOSTS_MAX || holdsSecret(functionId, host)) return OTHER_HOSTS;
    known.add(host);
    return host;
  }

  #begin(day: number): void {
    const { store, transaction, attempt, retentionDays } = this.#options;
    this.flush();
    this.#day = day;
    this.#waiting.clear();
    this.#known.clear();
    attempt(() => transaction(() => store.trim(day - retentionDays() * DAY_MS)));
  }
}

function beginningOfDay(at: number): number {
  return at - at % DAY_MS;
}
